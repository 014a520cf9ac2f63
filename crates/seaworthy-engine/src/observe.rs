use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How far a scan is.
#[derive(Debug, Clone)]
pub enum Stage {
    /// The image is being opened.
    Opening,
    /// The layers are being read.
    Reading {
        /// How many there are.
        layers: usize,
        /// Uncompressed bytes seen so far; grows while the stage lasts.
        bytes_seen: Arc<AtomicU64>,
    },
    /// The packages are being matched against the advisories.
    Matching {
        /// How many packages.
        packages: usize,
        /// How many layers came from the cache.
        cached_layers: usize,
    },
    /// The report is ready.
    Done,
}

/// Someone who wants to know how far a scan is. Called from the scanning thread, at the
/// start of each stage.
pub trait Observer {
    /// A stage begins.
    fn stage(&self, stage: Stage);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn stage(&self, _: Stage) {}
}
