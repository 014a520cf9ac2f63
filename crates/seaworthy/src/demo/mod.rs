//! A deliberately unfit image, made in memory.
//!
//! A threat is one file with one [`Threat`] and one line in [`THREATS`]. It becomes a layer
//! of its own, so that the report shows which line of the history brought what. Only records
//! are planted, as package managers write them, keys that open nothing, and harmless stand-ins for
//! malware: nothing in the image can run.

mod go_program;
mod malware;
mod node;
mod os_packages;
mod python;
mod secrets;

use std::sync::Arc;

use seaworthy_core::Platform;
use seaworthy_engine::MemoryLayer;
use seaworthy_image::{HistoryEntry, Image, ImageConfig, Layer, SourceKind};

/// What the report calls the image.
pub const REFERENCE: &str = "demo";

/// One thing that makes the image unfit.
pub struct Threat {
    /// What it is, for the newcomer who watches.
    pub summary: &'static str,
    /// The line of the history that brings it.
    pub created_by: &'static str,
    /// Puts it into a layer.
    pub plant: fn(MemoryLayer) -> MemoryLayer,
    /// What it adds to the environment, `NAME=value`.
    pub env: &'static [&'static str],
}

/// All threats, the base of the image first.
pub const THREATS: &[Threat] = &[
    os_packages::THREAT,
    python::THREAT,
    node::THREAT,
    go_program::THREAT,
    secrets::COPIED,
    secrets::DELETED,
    malware::MINER,
    malware::WEB_SHELL,
    malware::TAMPERED,
    malware::PACKED,
    malware::REMOVED,
];

/// Makes the image. It is the same each time.
pub fn image() -> Image {
    let layers: Vec<Arc<dyn Layer>> = THREATS
        .iter()
        .map(|threat| Arc::new((threat.plant)(MemoryLayer::new())) as Arc<dyn Layer>)
        .collect();
    let history = THREATS
        .iter()
        .map(|threat| HistoryEntry {
            created_by: Some(threat.created_by.to_owned()),
            ..HistoryEntry::default()
        })
        .collect();
    Image {
        reference: REFERENCE.to_owned(),
        // No kind of place fits: the command puts its own word into the report.
        source: SourceKind::Directory,
        names: Vec::new(),
        manifest_digest: None,
        image_id: None,
        platform: Some(Platform {
            os: "linux".into(),
            architecture: "amd64".into(),
            variant: None,
        }),
        config: ImageConfig {
            env: THREATS
                .iter()
                .flat_map(|threat| threat.env)
                .map(|variable| (*variable).to_owned())
                .collect(),
            history,
            ..ImageConfig::default()
        },
        layers,
        problems: Vec::new(),
    }
}
