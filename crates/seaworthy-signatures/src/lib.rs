//! Malware signatures: ClamAV databases read natively, compiled, and matched.
//!
//! [`clamav`] reads the signature formats and [`cvd`] their containers. [`SignatureSet::build`]
//! compiles a folder of them into one file, [`SignatureSet::open`] maps it, and
//! [`SignatureSet::scan`] tells which signatures a file matches. Unpacking archives, and
//! deciding what a find means, is the caller's.
//!
//! [`update`] brings a folder's or a mirror's signatures into an [`install::InstallDir`].

mod build;
pub mod cdiff;
pub mod clamav;
mod compiled;
pub mod cvd;
mod der;
pub mod file_type;
mod hash_store;
pub mod install;
pub mod manifest;
mod matching;
pub mod program;
pub mod rsa;
mod set;
pub mod sign;
#[cfg(test)]
mod synthetic_tests;
pub mod update;

pub use build::{BuildError, BuildReport, FileCount, Inactive};
pub use compiled::{FORMAT_VERSION, OpenError};
pub use set::{Context, Detection, DetectionKind, Digests, Scan, SignatureSet};
