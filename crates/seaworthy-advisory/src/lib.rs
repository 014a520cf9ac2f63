//! Advisory feeds, version order, the advisory database and matching.

pub mod build;
pub mod cve;
pub mod cvss;
mod dates;
pub mod db;
pub mod distros;
pub mod ecosystems;
pub mod embedded;
pub mod install;
pub mod manifest;
pub mod matching;
pub mod osv;
pub mod publishers;
pub mod shard;
pub mod signing;
pub mod update;
pub mod version;

pub use build::{BuildError, BuildOptions, BuildReport, build};
pub use cvss::{Cvss, CvssError, CvssVersion};
pub use db::{AdvisoryDb, DbInfo, OpenError};
pub use matching::malicious::{META as MALICIOUS_PACKAGE, SEVERITY as MALICIOUS_PACKAGE_SEVERITY};
pub use matching::{MatchOutcome, match_image};
pub use version::{VersionError, VersionScheme};
