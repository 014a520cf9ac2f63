//! Advisory feeds, version order, the advisory database and matching.

pub mod cvss;
pub mod install;
pub mod manifest;
pub mod signing;
pub mod update;
pub mod version;

pub use cvss::{Cvss, CvssError, CvssVersion};
pub use version::{VersionError, VersionScheme};
