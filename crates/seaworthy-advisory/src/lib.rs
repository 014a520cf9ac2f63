//! Advisory feeds, version order, the advisory database and matching.

pub mod version;

pub use version::{VersionError, VersionScheme};
