use serde::{Deserialize, Serialize};

/// What a scan of an image says, as far as checks ask. Filled in by whoever has the report;
/// this crate scans nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ImageScan {
    /// When it was made, RFC 3339.
    pub scanned_at: String,
    /// Whether all of the image was seen and judged.
    pub complete: bool,
    /// Packages it holds.
    pub packages: u64,
    /// Flaws of severity high and critical that a newer version mends.
    pub severe_fixable: u64,
    /// Secrets in layers and configuration, by the rule that found them.
    pub secrets: Vec<String>,
    /// Files that give their owner's privileges, where the scan looked for them.
    pub setuid_files: Option<Vec<String>>,
    /// Packages installed past the package manager's verification, where the scan looked.
    pub unverified_packages: Option<Vec<String>>,
    /// Whether a trusted party signed the image, where that was verified.
    pub signed: Option<bool>,
    /// Whether it stands on an accepted base, where that was looked at.
    pub trusted_base: Option<bool>,
    /// Tools that a running application needs not, where the scan judged that.
    pub needless_packages: Option<Vec<String>>,
}
