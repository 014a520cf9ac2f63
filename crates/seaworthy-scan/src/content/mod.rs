//! Everything that looks at the content of every file, whatever it is.
//!
//! Off unless the [`crate::AnalyzerSet`] was given the tool for it: it costs a pass over all
//! bytes.

pub mod config;
pub mod git_objects;
pub mod key_files;
pub mod secrets;

use crate::Analyzer;

/// All of them, for help and support tables.
pub const ANALYZERS: &[Analyzer] = &[
    secrets::ANALYZER,
    key_files::ANALYZER,
    git_objects::ANALYZER,
];
