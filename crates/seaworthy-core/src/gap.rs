use std::fmt;

use serde::{Deserialize, Serialize};

/// Why something could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// The image carries no package database and no distribution could be told.
    NoPackageDatabase,
    /// A package database is there, but no `os-release` says of which distribution.
    UnknownDistro,
    /// The release no longer gets advisories: silence there says nothing.
    EndOfLifeRelease,
    /// The installed advisory database has no shard for this release or ecosystem.
    NoAdvisorySource,
    /// Packages that no advisory source covers, such as third-party ones.
    UncoveredPackages,
    /// Only the small built-in advisory set was there to match against.
    EmbeddedDatabaseOnly,
    /// The advisory database is past its expiry.
    ExpiredDatabase,
    /// Part of the advisory database could not be read.
    DamagedDatabase,
}

impl GapKind {
    /// The kebab-case word used in documents and policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            GapKind::NoPackageDatabase => "no-package-database",
            GapKind::UnknownDistro => "unknown-distro",
            GapKind::EndOfLifeRelease => "end-of-life-release",
            GapKind::NoAdvisorySource => "no-advisory-source",
            GapKind::UncoveredPackages => "uncovered-packages",
            GapKind::EmbeddedDatabaseOnly => "embedded-database-only",
            GapKind::ExpiredDatabase => "expired-database",
            GapKind::DamagedDatabase => "damaged-database",
        }
    }
}

impl fmt::Display for GapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something that could not be judged, said aloud: an absence of findings behind a gap
/// means nothing, and the verdict becomes "incomplete".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CoverageGap {
    /// Why.
    pub kind: GapKind,
    /// What it is about: a release, an ecosystem, a few package names.
    pub subject: String,
    /// What that means and what to do, lower case, without a full stop.
    pub message: String,
    /// How many packages are behind it, where that can be counted.
    pub packages: Option<u32>,
}
