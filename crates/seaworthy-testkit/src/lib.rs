//! Makers of bytes for tests: images, layers, package databases, advisories, a fake registry.
//!
//! It uses none of our crates, so that what is read was not written by the same hands: a
//! misunderstanding shared by writer and reader would pass every test.

pub mod cvd;
mod eicar;
pub mod elf;
pub mod http;
pub mod http_files;
pub mod image;
pub mod layer;
pub mod node;
pub mod python;
pub mod registry;
pub mod rpmdb;
pub mod tar;

pub use eicar::{EICAR_SIGNATURES, eicar};
pub use image::{ImageBuilder, OciParts};
pub use layer::{BuiltLayer, Compression, LayerBuilder, sha256};
pub use tar::TarHeader;
