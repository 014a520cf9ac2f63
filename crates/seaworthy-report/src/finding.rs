use schemars::JsonSchema;
use seaworthy_core as core;
use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody has rated it.
    Unknown,
    /// Without practical consequence.
    Negligible,
    /// Of little consequence.
    Low,
    /// Fix in the ordinary course of work.
    Medium,
    /// Fix soon.
    High,
    /// Fix now.
    Critical,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// The evidence decides it.
    Confirmed,
    /// It could not be decided. Never read this as "not affected".
    Unverified,
}

/// What the policy made of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// It is against the policy.
    Fails,
    /// The policy lets it pass.
    Passes,
    /// It would be against the policy if it were certain.
    Undetermined,
    /// An exception of the policy sets it aside.
    Ignored,
}

/// Why a finding is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ignored {
    /// The reason the policy file gives.
    pub reason: String,
    /// The last day on which the exception applies, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<String>,
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Identity across runs, hosts and rewordings.
    pub fingerprint: String,
    /// The rule that found it.
    pub rule: String,
    /// One line for people.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Who says so.
    pub severity_origin: String,
    /// How sure it is.
    pub certainty: Certainty,
    /// What the policy made of it.
    pub judgement: Judgement,
    /// Why it is ignored, where it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ignored: Option<Ignored>,
    /// What it is about.
    pub subject: Subject,
    /// What is particular to its kind.
    pub detail: Detail,
    /// What supports it.
    pub evidence: Vec<Evidence>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remediation: Option<Remediation>,
    /// Where to read more.
    pub references: Vec<String>,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Subject {
    /// A package.
    Package {
        /// The package URL.
        purl: String,
    },
    /// A file.
    File {
        /// Its path, from `/`.
        path: String,
    },
    /// The image as a whole.
    Image,
}

/// What differs between kinds of finding. Readers skip kinds they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Detail {
    /// A known vulnerability in a package.
    Vulnerability(Box<Vulnerability>),
    /// A key, token or password that should not be in the image.
    Secret(Box<Secret>),
    /// Malware, or what looks like it.
    Malware(Box<Malware>),
}

/// What is particular to malware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Malware {
    /// What it is, in a few words.
    pub summary: String,
    /// What the finding rests on: `signature`, `integrity`, `behaviour`, `placement`, `package`.
    pub basis: String,
    /// Signatures and rules that agree, each after its engine (`signatures: Eicar-Signature`).
    pub names: Vec<String>,
    /// What starts it; empty where nothing is known to.
    pub started_by: Vec<StartedBy>,
    /// Whether the final root filesystem still holds it.
    pub in_final_view: bool,
    /// In how many places it stands.
    pub places: u64,
}

/// What starts a malicious file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StartedBy {
    /// How: `entrypoint`, `cron`, `loader` …
    pub kind: String,
    /// The file that starts it; left out where the image's configuration does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
}

/// A key, token or password in the image. Its value is nowhere in the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Secret {
    /// What it is.
    pub summary: String,
    /// What people may see of it: at most its first four characters, and its length.
    pub redacted: String,
    /// Keyed hash of the value: the same for the same secret, in reports of the same
    /// installation.
    pub secret: String,
    /// Who can see it.
    pub state: SecretState,
    /// Where to revoke it.
    pub revoke: String,
    /// In how many places it stands; `evidence` names the first of them.
    pub places: u64,
    /// What more is known of it, in a few words each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub facts: Vec<String>,
    /// How to keep it out, written out for the Dockerfile that was given.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fixes: Vec<SecretFix>,
}

/// A change that keeps a secret out of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretFix {
    /// The file to change.
    pub file: String,
    /// The line to change, counted from 1; left out where one is added.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u64>,
    /// That instruction as it is, without the value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<String>,
    /// What to write instead.
    pub after: String,
    /// What else to do.
    pub note: String,
}

/// Who can see a secret of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretState {
    /// It is in the final root filesystem.
    Visible,
    /// Later layers removed every file that holds it, but a layer of the image still has it.
    Buried,
    /// Only the configuration holds it: environment, labels, history, commands.
    Configuration,
}

impl SecretState {
    /// The kebab-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            SecretState::Visible => "visible",
            SecretState::Buried => "buried",
            SecretState::Configuration => "configuration",
        }
    }
}

/// A known vulnerability in a package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Vulnerability {
    /// The id to call it by: the CVE where there is one.
    pub id: String,
    /// All other ids of the same flaw.
    pub aliases: Vec<String>,
    /// purl type of the package.
    pub package_type: String,
    /// Name of the package as installed.
    pub package: String,
    /// The source package, where that is another name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_package: Option<String>,
    /// Installed version.
    pub installed: String,
    /// Lowest version that fixes it on the installed line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fixed: Option<String>,
    /// State of the fix.
    pub status: FixStatus,
    /// Base scores, best version first.
    pub cvss: Vec<CvssScore>,
    /// How likely exploitation is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epss: Option<Epss>,
    /// Whether exploitation is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kev: Option<Kev>,
    /// Day of publication, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published: Option<String>,
    /// Why it matched.
    pub traces: Vec<Trace>,
}

/// State of the fix of a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// A CVSS base score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CvssScore {
    /// The vector as published.
    pub vector: String,
    /// 0.0 to 10.0.
    pub score: f32,
}

/// Exploit Prediction Scoring System.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Epss {
    /// Probability of exploitation in 30 days, 0 to 1.
    pub probability: f32,
    /// Share of vulnerabilities that score lower, 0 to 1.
    pub percentile: f32,
}

/// An entry in the catalogue of known exploited vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kev {
    /// When it was added, `YYYY-MM-DD`.
    pub date_added: String,
    /// Whether ransomware is known to use it.
    pub ransomware: bool,
}

/// Which record, range and comparison made a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// The advisory record that matched.
    pub record: String,
    /// The database shard it came from.
    pub shard: String,
    /// The name that was looked up, and of what.
    pub looked_up: String,
    /// The range or version entry that decided.
    pub range: String,
    /// The comparison in words.
    pub comparison: String,
}

/// One observation that supports a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What was seen.
    pub note: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub location: Option<Location>,
}

/// A place inside the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// The file, from `/`.
    pub path: String,
    /// The layer that brought it, 0 at the base.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<u32>,
    /// Digest of that layer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diff_id: Option<String>,
    /// The history line that made the layer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created_by: Option<String>,
    /// The layer that removed it again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub removed_by: Option<u32>,
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remediation {
    /// In a sentence.
    pub summary: String,
    /// A command that does it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<String>,
}

impl Severity {
    /// The lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Unknown => "unknown",
            Severity::Negligible => "negligible",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl Finding {
    /// The vulnerability, where it is one.
    pub fn vulnerability(&self) -> Option<&Vulnerability> {
        match &self.detail {
            Detail::Vulnerability(vulnerability) => Some(vulnerability),
            Detail::Secret(_) | Detail::Malware(_) => None,
        }
    }

    /// The secret, where it is one.
    pub fn secret(&self) -> Option<&Secret> {
        match &self.detail {
            Detail::Secret(secret) => Some(secret),
            Detail::Vulnerability(_) | Detail::Malware(_) => None,
        }
    }

    /// The malware, where it is some.
    pub fn malware(&self) -> Option<&Malware> {
        match &self.detail {
            Detail::Malware(malware) => Some(malware),
            Detail::Vulnerability(_) | Detail::Secret(_) => None,
        }
    }

    /// Whether an exception sets it aside.
    pub fn is_ignored(&self) -> bool {
        self.judgement == Judgement::Ignored
    }
}

impl From<core::Severity> for Severity {
    fn from(severity: core::Severity) -> Severity {
        match severity {
            core::Severity::Unknown => Severity::Unknown,
            core::Severity::Negligible => Severity::Negligible,
            core::Severity::Low => Severity::Low,
            core::Severity::Medium => Severity::Medium,
            core::Severity::High => Severity::High,
            core::Severity::Critical => Severity::Critical,
        }
    }
}

impl From<core::Certainty> for Certainty {
    fn from(certainty: core::Certainty) -> Certainty {
        match certainty {
            core::Certainty::Confirmed => Certainty::Confirmed,
            core::Certainty::Unverified => Certainty::Unverified,
        }
    }
}

impl From<core::FixStatus> for FixStatus {
    fn from(status: core::FixStatus) -> FixStatus {
        match status {
            core::FixStatus::Fixed => FixStatus::Fixed,
            core::FixStatus::Affected => FixStatus::Affected,
            core::FixStatus::WillNotFix => FixStatus::WillNotFix,
            core::FixStatus::FixDeferred => FixStatus::FixDeferred,
            core::FixStatus::EndOfLife => FixStatus::EndOfLife,
            core::FixStatus::UnderInvestigation => FixStatus::UnderInvestigation,
        }
    }
}

impl From<core::Subject> for Subject {
    fn from(subject: core::Subject) -> Subject {
        match subject {
            core::Subject::Package { purl } => Subject::Package { purl },
            core::Subject::File { path } => Subject::File {
                path: path.to_string(),
            },
            core::Subject::Image => Subject::Image,
        }
    }
}

impl From<core::Detail> for Detail {
    fn from(detail: core::Detail) -> Detail {
        match detail {
            core::Detail::Vulnerability(detail) => {
                Detail::Vulnerability(Box::new((*detail).into()))
            }
            core::Detail::Secret(detail) => Detail::Secret(Box::new((*detail).into())),
            core::Detail::Malware(detail) => Detail::Malware(Box::new((*detail).into())),
        }
    }
}

impl From<core::SecretDetail> for Secret {
    fn from(detail: core::SecretDetail) -> Secret {
        Secret {
            summary: detail.summary,
            redacted: detail.redacted,
            secret: detail.secret,
            state: match detail.state {
                core::SecretState::Visible => SecretState::Visible,
                core::SecretState::Buried => SecretState::Buried,
                core::SecretState::Configuration => SecretState::Configuration,
            },
            revoke: detail.revoke,
            places: detail.places,
            facts: detail.facts,
            fixes: detail
                .fixes
                .into_iter()
                .map(|fix| SecretFix {
                    file: fix.file,
                    line: fix.line,
                    before: fix.before,
                    after: fix.after,
                    note: fix.note,
                })
                .collect(),
        }
    }
}

impl From<core::MalwareDetail> for Malware {
    fn from(detail: core::MalwareDetail) -> Malware {
        Malware {
            summary: detail.summary,
            basis: detail.basis.as_str().to_owned(),
            names: detail.names,
            started_by: detail
                .started_by
                .into_iter()
                .map(|starter| StartedBy {
                    kind: starter.kind.as_str().to_owned(),
                    path: starter.path.map(|path| path.to_string()),
                })
                .collect(),
            in_final_view: detail.in_final_view,
            places: detail.places,
        }
    }
}

impl From<core::VulnerabilityDetail> for Vulnerability {
    fn from(detail: core::VulnerabilityDetail) -> Vulnerability {
        Vulnerability {
            id: detail.id,
            aliases: detail.aliases,
            package_type: detail.package_type,
            package: detail.package,
            source_package: detail.source_package,
            installed: detail.installed,
            fixed: detail.fixed,
            status: detail.status.into(),
            cvss: detail
                .cvss
                .into_iter()
                .map(|cvss| CvssScore {
                    vector: cvss.vector,
                    score: cvss.score,
                })
                .collect(),
            epss: detail.epss.map(|epss| Epss {
                probability: epss.probability,
                percentile: epss.percentile,
            }),
            kev: detail.kev.map(|kev| Kev {
                date_added: kev.date_added,
                ransomware: kev.ransomware,
            }),
            published: detail.published,
            traces: detail
                .traces
                .into_iter()
                .map(|trace| Trace {
                    record: trace.record,
                    shard: trace.shard,
                    looked_up: trace.looked_up,
                    range: trace.range,
                    comparison: trace.comparison,
                })
                .collect(),
        }
    }
}

impl From<core::FindingEvidence> for Evidence {
    fn from(evidence: core::FindingEvidence) -> Evidence {
        Evidence {
            note: evidence.note,
            location: evidence.location.map(|location| Location {
                path: location.path.to_string(),
                layer: location.layer,
                diff_id: location.diff_id.map(String::from),
                created_by: location.created_by,
                removed_by: location.removed_by,
            }),
        }
    }
}
