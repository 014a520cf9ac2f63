//! Malware signatures: ClamAV databases read natively, compiled, and matched.
//!
//! [`clamav`] reads the signature formats and [`cvd`] their containers. [`SignatureSet::build`]
//! compiles a folder of them into one file, [`SignatureSet::open`] maps it, and
//! [`SignatureSet::scan`] tells which signatures a file matches. Unpacking archives, and
//! deciding what a find means, is the caller's.

mod build;
pub mod cdiff;
pub mod clamav;
mod compiled;
pub mod cvd;
mod der;
pub mod file_type;
mod hash_store;
pub mod html;
mod matching;
pub mod program;
pub mod rsa;
mod set;
pub mod sign;
mod stream;
#[cfg(test)]
mod synthetic_tests;

pub use build::{BuildError, BuildReport, Inactive};
pub use compiled::{FORMAT_VERSION, OpenError};
pub use set::{Context, Detection, DetectionKind, Digests, Member, Scan, SignatureSet};
pub use stream::FileScan;
