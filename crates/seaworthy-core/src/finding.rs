use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::{Digest, ImagePath, MalwareDetail, RuleId, Severity};

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// The evidence decides it.
    Confirmed,
    /// It could not be decided, for instance because a version can't be compared. Shown,
    /// never taken for "not affected", and never acted on unless policy says so.
    Unverified,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Subject {
    /// A package, by its purl.
    Package {
        /// The package URL.
        purl: String,
    },
    /// A file inside an image.
    File {
        /// Where.
        path: ImagePath,
    },
    /// The image as a whole.
    Image,
}

/// A place inside an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The file.
    pub path: ImagePath,
    /// The layer, counted from 0 at the base.
    pub layer: Option<u32>,
    /// The digest of that layer.
    pub diff_id: Option<Digest>,
    /// The history line that made the layer.
    pub created_by: Option<String>,
    /// The layer that removed it again.
    pub removed_by: Option<u32>,
}

/// One observation that supports a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FindingEvidence {
    /// Where it was made.
    pub location: Option<Location>,
    /// What was seen, in a few words.
    pub note: String,
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Remediation {
    /// In a sentence.
    pub summary: String,
    /// A command that does it, where one exists, ready to paste.
    pub command: Option<String>,
}

/// Identifies the same finding across runs, hosts and rewordings: a hash of rule,
/// subject, normalised location and stable evidence, never of the message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Hashes the parts, in order; parts can't run into each other.
    pub fn of<'a>(rule: &'a RuleId, parts: impl IntoIterator<Item = &'a str>) -> Fingerprint {
        let mut bytes = Vec::new();
        for part in std::iter::once(rule.as_str()).chain(parts) {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Fingerprint(format!("{:032x}", xxh3_128(&bytes)))
    }

    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether and how a vulnerability gets fixed, as its publisher sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixStatus {
    /// A fixed version exists.
    Fixed,
    /// Affected, no fix yet.
    Affected,
    /// The publisher will not fix it.
    WillNotFix,
    /// The publisher put the fix off.
    FixDeferred,
    /// The release is past its end of life.
    EndOfLife,
    /// Not analysed yet.
    UnderInvestigation,
}

impl FixStatus {
    /// The kebab-case word of documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            FixStatus::Fixed => "fixed",
            FixStatus::Affected => "affected",
            FixStatus::WillNotFix => "will-not-fix",
            FixStatus::FixDeferred => "fix-deferred",
            FixStatus::EndOfLife => "end-of-life",
            FixStatus::UnderInvestigation => "under-investigation",
        }
    }
}

/// A CVSS base score, computed from its vector.
#[derive(Debug, Clone, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct CvssScore {
    /// The vector as published, with its version prefix (`CVSS:3.1/AV:N/…`); v2 vectors
    /// have none.
    pub vector: String,
    /// Base score, 0.0 to 10.0.
    pub score: f32,
}

/// Exploit Prediction Scoring System (FIRST): how likely exploitation is in 30 days.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Epss {
    /// Probability, 0 to 1.
    pub probability: f32,
    /// Share of all vulnerabilities that score lower, 0 to 1.
    pub percentile: f32,
}

/// An entry in CISA's catalogue of known exploited vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Kev {
    /// When it was added, `YYYY-MM-DD`.
    pub date_added: String,
    /// Whether ransomware is known to use it.
    pub ransomware: bool,
}

/// Why a vulnerability finding exists: which file, record, range and comparison made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MatchTrace {
    /// The advisory record that matched.
    pub record: String,
    /// The database shard it came from (`Debian:12`, `npm`).
    pub shard: String,
    /// The name that was looked up, and of what (`source openssl`, `binary bash`).
    pub looked_up: String,
    /// The range or version entry that decided, as in the record.
    pub range: String,
    /// The comparison in words: `dpkg: 1.1.1n-0+deb11u5 < 1.1.1w-0+deb11u1`.
    pub comparison: String,
}

/// What is particular to a vulnerability finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VulnerabilityDetail {
    /// The id to call it by: the CVE where there is one.
    pub id: String,
    /// All other ids of the same flaw, sorted (`GHSA-…`, `DSA-…`).
    pub aliases: Vec<String>,
    /// purl type and name of the package.
    pub package_type: String,
    /// Name of the package as installed.
    pub package: String,
    /// The source package, where that is another name.
    pub source_package: Option<String>,
    /// Installed version.
    pub installed: String,
    /// Lowest version that fixes it on the installed line.
    pub fixed: Option<String>,
    /// State of the fix.
    pub status: FixStatus,
    /// Base scores, best version first.
    pub cvss: Vec<CvssScore>,
    /// EPSS, where known.
    pub epss: Option<Epss>,
    /// KEV entry, where there is one.
    pub kev: Option<Kev>,
    /// `YYYY-MM-DD` of publication.
    pub published: Option<String>,
    /// Why it matched; several where more than one record says so.
    pub traces: Vec<MatchTrace>,
}

/// What differs between the kinds of finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Detail {
    /// A known vulnerability in a package.
    Vulnerability(Box<VulnerabilityDetail>),
    /// A key, token or password that should not be in the image.
    Secret(Box<SecretDetail>),
    /// Malware, or what looks like it.
    Malware(Box<MalwareDetail>),
}

impl Detail {
    /// The vulnerability, where it is one.
    pub fn vulnerability(&self) -> Option<&VulnerabilityDetail> {
        match self {
            Detail::Vulnerability(detail) => Some(detail),
            Detail::Secret(_) | Detail::Malware(_) => None,
        }
    }
}

/// Who can see a secret of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretState {
    /// It is in the final root filesystem.
    Visible,
    /// Every file that holds it was removed or overwritten, but the layer that brought it is
    /// still part of the image, and whoever pulls the image has it.
    Buried,
    /// Only the image's configuration holds it: environment, labels, history, commands.
    Configuration,
}

impl SecretState {
    /// The kebab-case word of documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            SecretState::Visible => "visible",
            SecretState::Buried => "buried",
            SecretState::Configuration => "configuration",
        }
    }
}

/// What is particular to a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretDetail {
    /// What it is, in a few words.
    pub summary: String,
    /// What people may see of it: at most its first four characters, and its length.
    pub redacted: String,
    /// Keyed hash of the value; differs between installations.
    pub secret: String,
    /// Who can see it.
    pub state: SecretState,
    /// Where to revoke it.
    pub revoke: String,
    /// In how many places it stands.
    pub places: u64,
    /// What more is known of it, each in a few words: `encrypted`, `expired since 2024-01-01`.
    pub facts: Vec<String>,
    /// How to keep it out, written out for the Dockerfile at hand.
    pub fixes: Vec<SecretFix>,
}

/// A change that keeps a secret out of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFix {
    /// The file to change, as the user named it: a Dockerfile, or `.dockerignore` beside it.
    pub file: String,
    /// The line that brings the secret, counted from 1; `None` where a line is added.
    pub line: Option<u64>,
    /// That line as it is, without the value.
    pub before: Option<String>,
    /// What to write instead.
    pub after: String,
    /// Why, and what else has to change.
    pub note: String,
}

/// Something found, and what it means. One type for every source: layer, host, kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that found it.
    pub rule: RuleId,
    /// What it is about.
    pub subject: Subject,
    /// How bad it is.
    pub severity: Severity,
    /// Who says so: `debian`, `cvss-3.1`, `rule`.
    pub severity_origin: String,
    /// How sure it is.
    pub certainty: Certainty,
    /// One line for people.
    pub title: String,
    /// What supports it.
    pub evidence: Vec<FindingEvidence>,
    /// What to do.
    pub remediation: Option<Remediation>,
    /// Where to read more.
    pub references: Vec<String>,
    /// Identity across runs.
    pub fingerprint: Fingerprint,
    /// What is particular to its kind.
    pub detail: Detail,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_keep_their_parts_apart() {
        let rule = RuleId::new("vulnerable-package");
        assert_eq!(
            Fingerprint::of(&rule, ["a", "b"]),
            Fingerprint::of(&rule, ["a", "b"])
        );
        assert_ne!(
            Fingerprint::of(&rule, ["ab", ""]),
            Fingerprint::of(&rule, ["a", "b"])
        );
    }
}
