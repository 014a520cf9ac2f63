//! The single pass over image layers.
//!
//! Analyzers declare what they want to see as data; all of them are compiled into one set
//! that is asked once per file. A layer is walked once and gives
//! [`seaworthy_core::LayerEvidence`], which is cached under its diff ID and the analyzers'
//! revisions; [`coalesce`] makes the image's final view out of it. What the evidence means
//! is not decided here.
//!
//! To add an analyzer, write one file that exports an [`Analyzer`] and add one line to
//! [`catalogers::ANALYZERS`]. What looks at every file is a tool of [`content::ANALYZER`].

mod analyzer;
mod bytes;
pub mod cache;
pub mod catalogers;
mod coalesce;
pub mod content;
mod image;
mod interest;
mod layer;
mod memory_layer;
mod pool;
mod problems;
mod read;
mod set;

pub use analyzer::{
    Analyzer, FileMeta, Interest, MAX_EXAMINED, MAX_OVERLAP, Reader, Sink, StreamReader, Tools,
};
pub use cache::{CacheError, CacheStatus, EvidenceCache};
pub use coalesce::{coalesce, merged_usr_alias};
pub use image::{ScannedImage, scan_image};
pub use layer::scan_layer;
pub use memory_layer::MemoryLayer;
pub use problems::ProblemList;
pub use set::AnalyzerSet;
