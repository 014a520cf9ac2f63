//! Where container images come from, and a safe walk over each of their layers.
//!
//! [`ImageSource`]s open a reference into an [`Image`]: its configuration and its
//! [`Layer`]s. A layer is walked once, entry by entry, under [`Limits`]; nothing is ever
//! extracted to disk, and no name or link from an image is followed.

mod blob;
mod config;
pub mod engine;
mod environment;
mod decompress;
mod directory;
mod fault;
mod files;
mod hash;
mod layer;
mod limits;
mod problem_log;
mod pump;
pub mod registry;
mod source;
mod tar;
mod tar_walk;

pub use blob::{Blob, BlobLayer, FileBlob, FileRangeBlob, MemoryBlob, UnavailableLayer};
pub use config::{HistoryEntry, ImageConfig};
pub use environment::Environment;
pub use decompress::{Compression, sniff};
pub use directory::{DirectoryLayer, DirectoryMode};
pub use hash::digest_of;
pub use layer::{Body, Entry, EntryKind, EntryMeta, Flow, Layer, LayerError, WalkOutcome};
pub use limits::{Cancel, Limits, WalkContext};
pub use source::{Image, ImageError, ImageSource, SourceKind};
