//! Everything that reads packages and distributions out of files.
//!
//! One file per format, each exporting `ANALYZER`; the list below is the only other place
//! to touch.

pub mod apk;
pub mod dpkg;
pub mod os_release;
mod text;

use crate::Analyzer;

/// All catalogers, in reading order.
#[rustfmt::skip]
pub const ANALYZERS: &[Analyzer] = &[
    os_release::ANALYZER,
    dpkg::ANALYZER,
    apk::ANALYZER,
];
