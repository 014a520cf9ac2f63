//! Where container images come from, and a safe walk over each of their layers.
//!
//! [`ImageSource`]s open a reference into an [`Image`]: its configuration and its
//! [`Layer`]s. A layer is walked once, entry by entry, under [`Limits`]; nothing is ever
//! extracted to disk, and no name or link from an image is followed.

mod config;
pub mod inflate;
mod layer;
mod limits;
mod source;

pub use config::{HistoryEntry, ImageConfig};
pub use layer::{Body, Entry, EntryKind, EntryMeta, Flow, Layer, LayerError, WalkOutcome};
pub use limits::{Cancel, Limits, WalkContext};
pub use source::{Image, ImageError, ImageSource, SourceKind};
