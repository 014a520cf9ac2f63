//! Decoders: packed bytes to unpacked ones, appended to an [`crate::output::Output`].
//!
//! Each says how much of its input it used, fails with what [`crate::Incomplete`] knows, and
//! leaves what stood before the fault in the output.

pub(crate) mod bzip2;
pub(crate) mod deflate;
pub(crate) mod lz4;
pub(crate) mod zstd;
