use seaworthy_core::Severity;
use seaworthy_host::escape::EscapeGraph;
use seaworthy_host::exposure::ExposureRow;
use seaworthy_host::resources::Resources;
use seaworthy_host::rules::{Evidence, Mode, Section};
use serde::Serialize;

/// Version of the document, `major.minor`.
pub const AUDIT_SCHEMA_VERSION: &str = "1.1";

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Something speaks against it.
    Fail,
    /// It could not be told.
    Undetermined,
    /// Everything that speaks against it is excepted.
    Excepted,
    /// It is as it should be.
    Pass,
    /// There is nothing that it speaks of.
    NotApplicable,
}

impl Status {
    /// The word of documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Fail => "fail",
            Status::Undetermined => "undetermined",
            Status::Excepted => "excepted",
            Status::Pass => "pass",
            Status::NotApplicable => "not-applicable",
        }
    }
}

/// A piece of evidence that a person set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excepted {
    /// What was found.
    pub evidence: Evidence,
    /// Why it is set aside.
    pub reason: String,
    /// The last day on which that holds, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// A check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Our id.
    pub id: &'static str,
    /// Its number in the CIS Docker Benchmark; absent for checks beyond it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub cis: &'static str,
    /// Its part.
    pub section: Section,
    /// 1 or 2.
    pub level: u8,
    /// Scored or manual.
    pub mode: Mode,
    /// How bad a failure is.
    pub severity: Severity,
    /// What a failure means.
    pub summary: &'static str,
    /// What to do about one.
    pub remedy: &'static str,
    /// How it ended.
    pub status: Status,
    /// What was looked at, or why it could not be told or does not apply.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What speaks against it.
    pub evidence: Vec<Evidence>,
    /// What would, and is set aside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excepted: Vec<Excepted>,
}

/// Checks of a part, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SectionScore {
    /// The part.
    pub section: Section,
    /// Checks that passed.
    pub passed: usize,
    /// Checks that failed.
    pub failed: usize,
    /// Checks that could not be told.
    pub undetermined: usize,
    /// Checks with nothing to speak of.
    pub not_applicable: usize,
    /// Checks that only exceptions let pass.
    pub excepted: usize,
    /// Passed in a hundred of passed and failed scored checks, rounded down; absent where
    /// there is none. What could not be told is no pass and no failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_percent: Option<u8>,
}

/// Which host it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostSummary {
    /// Its name, as the engine says.
    pub name: String,
    /// Its distribution.
    pub distro: String,
    /// Release of its kernel.
    pub kernel: String,
    /// Version of its engine.
    pub engine: String,
    /// Containers, all of them.
    pub containers: usize,
    /// Those that run.
    pub running: usize,
    /// Images.
    pub images: usize,
    /// Effective user that looked.
    pub euid: u32,
}

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditOutcome {
    /// Everything that counts was judged, and nothing is against the policy.
    Seaworthy,
    /// Something is against the policy.
    Unseaworthy,
    /// Nothing is, but something that counts could not be judged.
    Incomplete,
}

/// An audit of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// See [`AUDIT_SCHEMA_VERSION`].
    pub schema_version: &'static str,
    /// When it was judged, RFC 3339.
    pub audited_at: String,
    /// The host.
    pub host: HostSummary,
    /// The verdict.
    pub outcome: AuditOutcome,
    /// The exit status it stands for.
    pub exit_status: u8,
    /// Why, for people.
    pub reasons: Vec<String>,
    /// Remarks on the policy: exceptions that lapsed or match nothing.
    pub notes: Vec<String>,
    /// Parts, counted.
    pub sections: Vec<SectionScore>,
    /// Checks, by part; failures first, worst first.
    pub checks: Vec<Check>,
    /// Paths from containers to the host, and what cuts them.
    pub escape: EscapeGraph,
    /// Who reaches whom.
    pub exposure: Vec<ExposureRow>,
    /// Limits.
    pub resources: Resources,
    /// What could not be looked at.
    pub unknown: Vec<String>,
}
