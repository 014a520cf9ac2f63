//! Everything that reads packages and distributions out of files.
//!
//! One file per format, each exporting `ANALYZER`; the list below is the only other place
//! to touch.

pub mod apk;
pub mod dpkg;
pub mod go_binary;
pub mod node;
pub mod os_release;
pub mod python;
pub mod rpm;
mod text;

use crate::Analyzer;

/// All catalogers, in reading order.
#[rustfmt::skip]
pub const ANALYZERS: &[Analyzer] = &[
    os_release::ANALYZER,
    dpkg::ANALYZER,
    apk::ANALYZER,
    rpm::ANALYZER,
    rpm::WAL_ANALYZER,
    rpm::MANIFEST_ANALYZER,
    python::ANALYZER,
    node::ANALYZER,
    go_binary::ANALYZER,
];
