//! Decoders: packed bytes to unpacked ones, appended to an [`crate::output::Output`].
//!
//! Each fails with what [`crate::Incomplete`] knows and leaves what stood before the fault
//! in the output; those whose end is in their data say how much of their input they used.

mod bits;
pub(crate) mod bzip2;
pub(crate) mod deflate;
pub(crate) mod filters;
pub(crate) mod implode;
pub(crate) mod inflate64;
pub(crate) mod lz4;
pub(crate) mod lzma;
mod range;
pub(crate) mod xz;
pub(crate) mod zstd;
