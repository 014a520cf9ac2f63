use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How much of an image is looked at before giving up on a part of it.
///
/// Passing a limit is a [`seaworthy_core::Problem`] of kind `LimitReached` that names the
/// layer; what was read before it counts, and the result is marked incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Uncompressed bytes of one layer.
    pub layer_bytes: u64,
    /// Entries of one layer.
    pub layer_entries: u64,
    /// Inflated bytes per compressed byte, judged once `ratio_floor_bytes` are out.
    pub ratio: u64,
    /// Bytes a layer may inflate to before the ratio counts: small files of zeros are common.
    pub ratio_floor_bytes: u64,
    /// Bytes of one path.
    pub path_bytes: usize,
    /// Components of one path.
    pub path_depth: usize,
    /// Layers of one image.
    pub layers: usize,
    /// Bytes of a manifest or index.
    pub manifest_bytes: u64,
    /// Bytes of an image configuration.
    pub config_bytes: u64,
    /// Indexes inside indexes.
    pub index_depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            layer_bytes: 64 << 30,
            layer_entries: 4_000_000,
            ratio: 200,
            ratio_floor_bytes: 64 << 20,
            path_bytes: 4096,
            path_depth: 256,
            layers: 512,
            manifest_bytes: 8 << 20,
            config_bytes: 8 << 20,
            index_depth: 4,
        }
    }
}

/// A wish to stop, shared between threads. Long loops look at it often.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks everything that holds a clone to stop soon.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a walk runs under: limits, a way to stop it, a counter for progress, and how it is
/// done.
#[derive(Debug, Clone, Default)]
pub struct WalkContext {
    /// Bounds on hostile input.
    pub limits: Limits,
    /// A wish to stop.
    pub cancel: Cancel,
    /// Uncompressed layer bytes seen so far, over all layers.
    pub bytes_seen: Arc<AtomicU64>,
    /// Reads, inflates and hashes on the calling thread. Otherwise a layer that is worth it
    /// gets threads of its own beside the visitor's.
    pub single_thread: bool,
    /// Does not compare digests: for layers whose bytes were verified before.
    pub skip_verify: bool,
}
