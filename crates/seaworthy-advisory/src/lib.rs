//! Advisory feeds, version order, the advisory database and matching.

pub mod cvss;
pub mod install;
pub mod manifest;
pub mod signing;
pub mod update;
pub mod cve;
mod dates;
pub mod distros;
pub mod ecosystems;
pub mod matching;
pub mod osv;
pub mod publishers;
pub mod shard;
pub mod version;

pub use cvss::{Cvss, CvssError, CvssVersion};
pub use version::{VersionError, VersionScheme};
