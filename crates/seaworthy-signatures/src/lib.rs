//! Malware signatures: ClamAV databases read natively, compiled, and matched.
//!
//! [`clamav`] reads the signature formats and [`cvd`] their containers. [`SignatureSet::build`]
//! compiles a folder of them into one file, [`SignatureSet::open`] maps it, and
//! [`SignatureSet::scan`] tells which signatures a file matches. Unpacking archives is the
//! caller's. [`heuristics`] are rules of our own for what no signature knows, and [`findings`]
//! judges all of it for a whole image.
//!
//! [`update`] brings a folder's or a mirror's signatures into an [`install::InstallDir`].
//! [`yara`] runs YARA rules, ours and those of others; [`clamd`] asks a ClamAV daemon.

mod build;
pub mod cdiff;
pub mod clamav;
pub mod clamd;
mod compiled;
pub mod cvd;
mod der;
pub mod file_type;
pub mod findings;
mod hash_store;
pub mod heuristics;
pub mod html;
pub mod install;
pub mod manifest;
mod matching;
pub mod program;
pub mod rsa;
mod set;
pub mod sign;
mod stream;
#[cfg(test)]
mod synthetic_tests;
pub mod update;
pub mod yara;

pub use build::{BuildError, BuildReport, FileCount, Inactive};
pub use compiled::{FORMAT_VERSION, OpenError};
pub use set::{Context, Detection, DetectionKind, Digests, Member, Scan, SignatureSet};
pub use stream::FileScan;
