//! Advisory feeds, version order, the advisory database and matching.

pub mod cve;
mod dates;
pub mod distros;
pub mod ecosystems;
pub mod matching;
pub mod osv;
pub mod publishers;
pub mod shard;
pub mod version;

pub use version::{VersionError, VersionScheme};
