//! Where container images come from, and a safe walk over each of their layers.
//!
//! [`ImageSource`]s open a reference into an [`Image`]: its configuration and its
//! [`Layer`]s. A layer is walked once, entry by entry, under [`Limits`]; nothing is ever
//! extracted to disk, and no name or link from an image is followed.

mod archive;
mod blob;
mod config;
mod decompress;
mod directory;
pub mod engine;
mod environment;
mod fault;
mod files;
mod hash;
pub mod inflate;
mod layer;
mod limits;
mod manifest;
mod oci_layout;
mod open;
mod problem_log;
mod pump;
pub mod registry;
mod rootfs;
mod small_body;
mod source;
mod spool;
mod store;
mod tar;
mod tar_walk;

pub use archive::ArchiveSource;
pub use blob::{Blob, BlobLayer, FileBlob, FileRangeBlob, MemoryBlob, UnavailableLayer};
pub use config::{Attestation, HistoryEntry, ImageConfig};
pub use decompress::{Compression, sniff};
pub use directory::{DirectoryLayer, DirectoryMode};
pub use environment::Environment;
pub use hash::digest_of;
pub use layer::{Body, Entry, EntryKind, EntryMeta, Flow, Layer, LayerError, WalkOutcome};
pub use limits::{Cancel, Limits, WalkContext};
pub use manifest::{
    Descriptor, Document, FetchBlob, Index, MANIFEST_MEDIA_TYPES, Manifest, ParsedConfig,
    choose_manifest, manifest_layers, parse_config, parse_document,
};
pub use oci_layout::OciSource;
pub use open::{OpenFn, OpenOptions, SOURCES, SourceRow, open_image};
pub use rootfs::RootFsSource;
pub use source::{Image, ImageError, ImageSource, SourceKind};
pub use spool::unnamed_file;
