use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Action, Finding, Severity};

/// Version of the document: the major number changes when a reader of the old one could
/// misread the new one, the minor one when fields are added.
pub const SCHEMA_VERSION: &str = "1.3";

/// The report of one scan: what was looked at, what was found, what that means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this document's schema, `major.minor`.
    pub schema_version: String,
    /// What made the report.
    pub tool: Tool,
    /// When the findings were judged, RFC 3339.
    pub scanned_at: String,
    /// What was scanned.
    pub image: Image,
    /// The distribution it is built on; absent where none could be told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub distro: Option<Distro>,
    /// How many packages were found.
    pub packages: PackageCounts,
    /// The advisories it was judged by.
    pub database: Database,
    /// What malware was looked for with; empty where it was not looked for.
    #[serde(default)]
    pub malware: Vec<MalwareEngine>,
    /// The policy it was judged by.
    pub policy: PolicyUsed,
    /// The verdict.
    pub verdict: Verdict,
    /// Findings counted, without ignored ones.
    pub counts: Counts,
    /// What would remove most findings, best first.
    pub actions: Vec<Action>,
    /// All findings, worst first, ignored ones included.
    pub findings: Vec<Finding>,
    /// What could not be judged for lack of knowledge.
    pub gaps: Vec<Gap>,
    /// What was looked at and is left out of the findings on purpose, by reason.
    pub suppressed: Vec<Suppressed>,
    /// What went wrong on the way.
    pub problems: Vec<Problem>,
    /// How long it took; absent where nobody asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timings: Option<Timings>,
}

/// The program that made the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `seaworthy`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The image that was scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// The reference as the user wrote it.
    pub reference: String,
    /// Where it came from: `docker`, `registry`, `archive`, `oci`, `dir`, `container` …
    pub source: String,
    /// Names it goes by there.
    pub names: Vec<String>,
    /// Digest of the image configuration: Docker's image id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image_id: Option<String>,
    /// Digest of the platform's manifest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manifest_digest: Option<String>,
    /// `os/architecture[/variant]`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub platform: Option<String>,
    /// When it was built, as the image itself says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created: Option<String>,
    /// The layers, base first.
    pub layers: Vec<Layer>,
}

/// One layer of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// Its place, 0 at the base.
    pub index: u32,
    /// Digest of the uncompressed layer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diff_id: Option<String>,
    /// The history line that made it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created_by: Option<String>,
    /// Entries of all kinds.
    pub entries: u64,
    /// Regular files.
    pub files: u64,
    /// Bytes of content of the regular files.
    pub bytes: u64,
    /// Whether all of it was seen.
    pub complete: bool,
}

/// The distribution of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Distro {
    /// `ID` of os-release.
    pub id: String,
    /// `VERSION_ID` of os-release.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// `VERSION_CODENAME` of os-release.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub codename: Option<String>,
    /// What a person calls it.
    pub name: String,
}

/// How many packages the image holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PackageCounts {
    /// All kinds together.
    pub total: u64,
    /// By purl type.
    pub by_type: BTreeMap<String, u64>,
}

/// Which advisory database it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseKind {
    /// An installed database.
    Installed,
    /// The small set built into the program.
    Embedded,
    /// None: only secrets were looked for.
    NotUsed,
}

/// The advisories the image was judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Database {
    /// Which one it was.
    pub kind: DatabaseKind,
    /// Serial number; higher is newer.
    pub serial: u64,
    /// When it was built, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub built_at: Option<String>,
    /// When it should no longer be relied on, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<String>,
    /// How many advisories it holds.
    pub advisories: u64,
}

/// Something that looked for malware in every file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MalwareEngine {
    /// `signatures`, `yara`, `clamd` or `rules` (this program's own).
    pub engine: String,
    /// How many signatures or rules it has; absent where it does not tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub count: Option<u64>,
    /// Where they come from or which version they are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// When the newest of them were published, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published_at: Option<String>,
    /// Whole days between that and the scan.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub age_days: Option<i64>,
}

/// The policy the verdict follows, without its exceptions: those are with the findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyUsed {
    /// Findings of this severity or worse fail; absent for none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fail_on: Option<Severity>,
    /// Whether flaws without a fix count.
    pub fail_on_unfixed: bool,
    /// Whether flaws known to be exploited fail at any severity.
    pub fail_on_known_exploited: bool,
    /// Findings of this severity or worse are listed for people. This document holds all.
    pub show: Severity,
    /// Gaps that were accepted.
    pub accept_gaps: Vec<String>,
    /// Kinds of problem that were accepted.
    pub accept_problems: Vec<String>,
    /// How many exceptions it has.
    pub exceptions: u64,
}

/// The verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything was judged and nothing is against the policy.
    Seaworthy,
    /// Nothing found is against the policy, but something could not be judged.
    Incomplete,
    /// Something is against the policy.
    Unseaworthy,
}

/// The verdict and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// In one word.
    pub outcome: Outcome,
    /// The exit status of the command: 0, 1 or 3.
    pub exit_status: u8,
    /// Why it is not seaworthy; empty where it is.
    pub reasons: Vec<Reason>,
    /// What the owner of the policy should know: exceptions that lapsed or match nothing.
    pub notes: Vec<String>,
}

/// One reason of the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// `severity`, `known-exploited`, `undetermined`, `gap` or `problem`.
    pub kind: String,
    /// Whether it speaks against the image (`true`) or makes the result incomplete.
    pub failure: bool,
    /// In words.
    pub message: String,
}

/// Findings counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// By severity, worst first, all six always there. Without ignored findings.
    pub by_severity: Vec<SeverityCount>,
    /// All that are not ignored.
    pub total: u64,
    /// Of those, how many a newer version fixes.
    pub fixable: u64,
    /// Of those, how many are known to be exploited.
    pub known_exploited: u64,
    /// Of those, how many could not be verified.
    pub unverified: u64,
    /// How many are ignored by an exception.
    pub ignored: u64,
    /// Of those that are not ignored, how many are secrets.
    #[serde(default)]
    pub secrets: u64,
    /// Of those that are not ignored, how many are malware.
    #[serde(default)]
    pub malware: u64,
}

/// How many findings have one severity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeverityCount {
    /// The severity.
    pub severity: Severity,
    /// How many have it.
    pub total: u64,
    /// Of those, how many a newer version fixes.
    pub fixable: u64,
}

/// Something that could not be judged for lack of knowledge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The kebab-case word that `accept-gaps` takes.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What that means and what to do.
    pub message: String,
    /// How many packages are behind it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub packages: Option<u32>,
    /// Whether the policy accepts it.
    pub accepted: bool,
}

/// Packages or advisories that are left out of the findings on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppressed {
    /// The kebab-case word for the reason.
    pub reason: String,
    /// The reason in a sentence.
    pub summary: String,
    /// How many.
    pub count: u32,
    /// A few names.
    pub examples: Vec<String>,
}

/// Something that went wrong and did not end the scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The kebab-case word that `accept-problems` takes.
    pub kind: String,
    /// The layer it happened in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<u32>,
    /// The file it happened at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// What happened.
    pub message: String,
    /// Whether it makes the result incomplete under the policy.
    pub incomplete: bool,
}

/// How long the parts took, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// Opening the image: manifest and configuration.
    pub open_ms: f64,
    /// Reading the layers.
    pub scan_ms: f64,
    /// Opening the database and matching.
    pub match_ms: f64,
    /// Everything.
    pub total_ms: f64,
    /// Layers whose evidence came from the cache.
    pub cached_layers: u64,
}

impl From<seaworthy_policy::Outcome> for Outcome {
    fn from(outcome: seaworthy_policy::Outcome) -> Outcome {
        match outcome {
            seaworthy_policy::Outcome::Seaworthy => Outcome::Seaworthy,
            seaworthy_policy::Outcome::Incomplete => Outcome::Incomplete,
            seaworthy_policy::Outcome::Unseaworthy => Outcome::Unseaworthy,
        }
    }
}
