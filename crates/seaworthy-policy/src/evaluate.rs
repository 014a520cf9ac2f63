use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use seaworthy_core::{
    Certainty, CoverageGap, Detail, Finding, GapKind, Problem, ProblemKind, Severity,
};

use crate::Policy;

/// The verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Everything was judged and nothing is against the policy.
    Seaworthy,
    /// Nothing found is against the policy, but something could not be judged.
    Incomplete,
    /// Something is against the policy. It wins over `Incomplete`.
    Unseaworthy,
}

impl Outcome {
    /// The lower-case word of documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Seaworthy => "seaworthy",
            Outcome::Incomplete => "incomplete",
            Outcome::Unseaworthy => "unseaworthy",
        }
    }

    /// The process exit status that stands for it: 0, 3 and 1. (2 is an error: no verdict.)
    pub const fn exit_status(self) -> u8 {
        match self {
            Outcome::Seaworthy => 0,
            Outcome::Unseaworthy => 1,
            Outcome::Incomplete => 3,
        }
    }
}

/// What policy says of one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is against the policy.
    Fails,
    /// The policy lets it pass.
    Passes,
    /// It would be against the policy if it were certain, and it is not.
    Undetermined,
    /// An exception sets it aside: its place in [`Policy::ignore`].
    Ignored(usize),
}

/// Why the verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Findings at or above the threshold, by severity, worst first.
    Severe(Vec<(Severity, usize)>),
    /// Findings below the threshold that are known to be exploited.
    KnownExploited(usize),
    /// Findings that would fail if they were certain.
    Undetermined(usize),
    /// A coverage gap the policy does not accept.
    Gap {
        /// What kind.
        kind: GapKind,
        /// What it is about.
        subject: String,
    },
    /// Problems of one kind.
    Problems {
        /// What kind.
        kind: ProblemKind,
        /// How many.
        count: usize,
    },
}

impl Reason {
    /// Whether it speaks against the image, rather than for not knowing enough.
    pub fn is_failure(&self) -> bool {
        matches!(self, Reason::Severe(_) | Reason::KnownExploited(_))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Severe(counts) => {
                let total: usize = counts.iter().map(|(_, count)| count).sum();
                let parts: Vec<String> = counts
                    .iter()
                    .map(|(severity, count)| format!("{count} {severity}"))
                    .collect();
                write!(f, "{} {}", parts.join(", "), plural(total, "finding"))
            }
            Reason::KnownExploited(count) => {
                write!(
                    f,
                    "{count} {} known to be exploited",
                    plural(*count, "flaw")
                )
            }
            Reason::Undetermined(count) => write!(
                f,
                "{count} {} could not be verified",
                plural(*count, "finding")
            ),
            Reason::Gap { kind, subject } => match kind {
                GapKind::NoPackageDatabase => f.write_str("no package database was found"),
                GapKind::UnknownDistro => f.write_str("the distribution is unknown"),
                GapKind::EndOfLifeRelease => {
                    write!(f, "{subject} no longer gets advisories")
                }
                GapKind::NoAdvisorySource => write!(f, "no advisories for {subject}"),
                GapKind::UncoveredPackages => {
                    write!(f, "packages that no advisories cover: {subject}")
                }
                GapKind::EmbeddedDatabaseOnly => {
                    f.write_str("only the small built-in advisory set was there to judge by")
                }
                GapKind::ExpiredDatabase => f.write_str("the advisory database is out of date"),
                GapKind::DamagedDatabase => {
                    f.write_str("part of the advisory database could not be read")
                }
            },
            Reason::Problems { kind, count } => {
                let what = match kind {
                    ProblemKind::Malformed => "could not be understood",
                    ProblemKind::LimitReached => "went over a limit",
                    ProblemKind::Unreadable => "could not be read",
                    ProblemKind::Unsupported => "is of an unsupported kind",
                    ProblemKind::UnsafePath => "points out of the image",
                    ProblemKind::DigestMismatch => "does not have the promised digest",
                    ProblemKind::Notice => "is worth knowing",
                };
                if *count == 1 {
                    write!(f, "one part of the image {what}")
                } else {
                    write!(f, "{count} times a part of the image {what}")
                }
            }
        }
    }
}

fn plural(count: usize, word: &str) -> String {
    format!("{word}{}", if count == 1 { "" } else { "s" })
}

/// Something about the policy itself that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// An exception has lapsed and sets nothing aside any more.
    ExpiredIgnore {
        /// Its place in [`Policy::ignore`].
        entry: usize,
        /// How many findings it would have covered.
        covered: usize,
        /// In words.
        message: String,
    },
    /// An exception covers nothing.
    UnusedIgnore {
        /// Its place in [`Policy::ignore`].
        entry: usize,
        /// In words.
        message: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::ExpiredIgnore { message, .. } | Note::UnusedIgnore { message, .. } => {
                f.write_str(message)
            }
        }
    }
}

/// What policy makes of the findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// In one word.
    pub outcome: Outcome,
    /// Why, failures first. Empty for a seaworthy image.
    pub reasons: Vec<Reason>,
    /// What became of each finding, in the order of the findings.
    pub judgements: Vec<Judgement>,
    /// What the policy's owner should know about the policy.
    pub notes: Vec<Note>,
}

/// Holds what was found against the policy. `now` decides which exceptions have lapsed.
pub fn evaluate(
    findings: &[Finding],
    gaps: &[CoverageGap],
    problems: &[Problem],
    policy: &Policy,
    now: Timestamp,
) -> Verdict {
    let today = now.to_zoned(TimeZone::UTC).date();
    let mut covered = vec![0_usize; policy.ignore.len()];
    let mut judgements = Vec::with_capacity(findings.len());
    let mut severe: BTreeMap<Severity, usize> = BTreeMap::new();
    let mut exploited = 0;
    let mut undetermined = 0;
    for finding in findings {
        let mut ignored_by = None;
        for (entry, (ignore, covered)) in policy.ignore.iter().zip(&mut covered).enumerate() {
            if ignore.covers(finding) {
                *covered += 1;
                if ignored_by.is_none() && !ignore.is_expired(today) {
                    ignored_by = Some(entry);
                }
            }
        }
        if let Some(entry) = ignored_by {
            judgements.push(Judgement::Ignored(entry));
            continue;
        }
        judgements.push(match fault(finding, policy) {
            None => Judgement::Passes,
            Some(_) if finding.certainty == Certainty::Unverified => {
                undetermined += 1;
                Judgement::Undetermined
            }
            Some(Fault::Severe) => {
                *severe.entry(finding.severity).or_default() += 1;
                Judgement::Fails
            }
            Some(Fault::Exploited) => {
                exploited += 1;
                Judgement::Fails
            }
        });
    }

    let mut reasons = Vec::new();
    if !severe.is_empty() {
        reasons.push(Reason::Severe(severe.into_iter().rev().collect()));
    }
    if exploited > 0 {
        reasons.push(Reason::KnownExploited(exploited));
    }
    if undetermined > 0 {
        reasons.push(Reason::Undetermined(undetermined));
    }
    for gap in gaps {
        if !policy.accept_gaps.contains(&gap.kind) {
            reasons.push(Reason::Gap {
                kind: gap.kind,
                subject: gap.subject.clone(),
            });
        }
    }
    let mut broken: BTreeMap<ProblemKind, usize> = BTreeMap::new();
    for problem in problems {
        if problem.makes_incomplete() && !policy.accept_problems.contains(&problem.kind) {
            *broken.entry(problem.kind).or_default() += 1;
        }
    }
    reasons.extend(
        broken
            .into_iter()
            .map(|(kind, count)| Reason::Problems { kind, count }),
    );

    let outcome = if reasons.iter().any(Reason::is_failure) {
        Outcome::Unseaworthy
    } else if reasons.is_empty() {
        Outcome::Seaworthy
    } else {
        Outcome::Incomplete
    };
    let notes = policy
        .ignore
        .iter()
        .zip(&covered)
        .enumerate()
        .filter_map(|(entry, (ignore, &covered))| {
            let place = match ignore.line {
                0 => String::new(),
                line => format!(" (line {line})"),
            };
            let id = ignore.id.escape_debug();
            match ignore.expires {
                Some(last) if ignore.is_expired(today) => Some(Note::ExpiredIgnore {
                    entry,
                    covered,
                    message: format!(
                        "the exception for `{id}`{place} expired on {last} and no longer applies: \
                         {covered} {}",
                        plural(covered, "finding")
                    ),
                }),
                _ if covered == 0 => Some(Note::UnusedIgnore {
                    entry,
                    message: format!("the exception for `{id}`{place} matches nothing"),
                }),
                _ => None,
            }
        })
        .collect();
    Verdict {
        outcome,
        reasons,
        judgements,
        notes,
    }
}

enum Fault {
    Severe,
    Exploited,
}

/// What would be wrong with the finding if it were certain.
fn fault(finding: &Finding, policy: &Policy) -> Option<Fault> {
    let (is_fixable, is_exploited) = match &finding.detail {
        Detail::Vulnerability(detail) => (detail.fixed.is_some(), detail.kev.is_some()),
        // Whoever built the image can take a secret or a malicious file out of it.
        Detail::Secret(_) | Detail::Malware(_) => (true, false),
    };
    // A flaw that nobody has rated passes, since a threshold can't speak of it. But where
    // it is not even certain that it is there, both unknowns together are worth a word.
    let severity = match (finding.severity, finding.certainty) {
        (Severity::Unknown, Certainty::Unverified) => Severity::Critical,
        (severity, _) => severity,
    };
    let counts = policy.fail_on_unfixed || is_fixable;
    if policy.fail_on.is_some_and(|limit| severity >= limit) && counts {
        return Some(Fault::Severe);
    }
    if policy.fail_on_known_exploited && is_exploited {
        return Some(Fault::Exploited);
    }
    None
}

#[cfg(test)]
mod tests {
    use seaworthy_core::{
        FindingEvidence, Fingerprint, FixStatus, ImagePath, Kev, Location, RuleId, Subject,
        VulnerabilityDetail,
    };

    use super::*;
    use crate::Ignore;

    fn now() -> Timestamp {
        "2026-06-15T12:00:00Z".parse().unwrap()
    }

    fn finding(id: &str, package: &str, severity: Severity) -> Finding {
        let rule = RuleId::new("vulnerable-package");
        Finding {
            fingerprint: Fingerprint::of(&rule, [id, package]),
            rule,
            subject: Subject::Package {
                purl: format!("pkg:deb/debian/{package}@1"),
            },
            severity,
            severity_origin: "debian".into(),
            certainty: Certainty::Confirmed,
            title: id.into(),
            evidence: vec![FindingEvidence {
                location: Some(Location {
                    path: ImagePath::new("var/lib/dpkg/status"),
                    layer: Some(0),
                    diff_id: None,
                    created_by: None,
                    removed_by: None,
                }),
                note: "installed".into(),
            }],
            remediation: None,
            references: Vec::new(),
            detail: Detail::Vulnerability(Box::new(VulnerabilityDetail {
                id: id.into(),
                aliases: vec![format!("GHSA-{id}")],
                package_type: "deb".into(),
                package: package.into(),
                source_package: None,
                installed: "1".into(),
                fixed: Some("2".into()),
                status: FixStatus::Fixed,
                cvss: Vec::new(),
                epss: None,
                kev: None,
                published: None,
                traces: Vec::new(),
            })),
        }
    }

    fn detail(finding: &mut Finding) -> &mut VulnerabilityDetail {
        let Detail::Vulnerability(detail) = &mut finding.detail else {
            panic!("no vulnerability")
        };
        detail
    }

    fn ignore(id: &str) -> Ignore {
        Ignore {
            id: id.into(),
            package: None,
            path: None,
            subject: None,
            reason: "judged".into(),
            expires: None,
            line: 3,
        }
    }

    fn judge(findings: &[Finding], policy: &Policy) -> Verdict {
        evaluate(findings, &[], &[], policy, now())
    }

    #[test]
    fn only_findings_at_or_above_the_threshold_fail() {
        let findings = [
            finding("CVE-1", "a", Severity::Medium),
            finding("CVE-2", "b", Severity::Unknown),
        ];
        let policy = Policy::default();
        assert_eq!(judge(&findings, &policy).outcome, Outcome::Seaworthy);
        let strict = Policy {
            fail_on: Some(Severity::Medium),
            ..Policy::default()
        };
        let verdict = judge(&findings, &strict);
        assert_eq!(verdict.outcome, Outcome::Unseaworthy);
        assert_eq!(verdict.judgements, [Judgement::Fails, Judgement::Passes]);
        assert_eq!(verdict.reasons[0].to_string(), "1 medium finding");
    }

    #[test]
    fn a_known_exploited_flaw_fails_whatever_its_severity() {
        let mut low = finding("CVE-1", "a", Severity::Low);
        detail(&mut low).kev = Some(Kev {
            date_added: "2024-01-01".into(),
            ransomware: false,
        });
        let verdict = judge(&[low.clone()], &Policy::default());
        assert_eq!(verdict.reasons, [Reason::KnownExploited(1)]);
        let lenient = Policy {
            fail_on_known_exploited: false,
            ..Policy::default()
        };
        assert_eq!(judge(&[low], &lenient).outcome, Outcome::Seaworthy);
    }

    #[test]
    fn unfixed_flaws_can_be_let_pass() {
        let mut unfixed = finding("CVE-1", "a", Severity::Critical);
        detail(&mut unfixed).fixed = None;
        let findings = [unfixed];
        assert_eq!(
            judge(&findings, &Policy::default()).outcome,
            Outcome::Unseaworthy
        );
        let lenient = Policy {
            fail_on_unfixed: false,
            ..Policy::default()
        };
        assert_eq!(judge(&findings, &lenient).outcome, Outcome::Seaworthy);
    }

    #[test]
    fn an_unverified_finding_makes_the_verdict_incomplete_and_never_fails_it() {
        for severity in [Severity::High, Severity::Unknown] {
            let mut unsure = finding("CVE-1", "a", severity);
            unsure.certainty = Certainty::Unverified;
            let verdict = judge(&[unsure], &Policy::default());
            assert_eq!(verdict.outcome, Outcome::Incomplete);
            assert_eq!(verdict.reasons, [Reason::Undetermined(1)]);
        }
    }

    #[test]
    fn an_exception_narrows_by_alias_package_and_path() {
        let findings = [
            finding("CVE-1", "openssl", Severity::High),
            finding("CVE-1", "node", Severity::High),
        ];
        let mut entry = ignore("ghsa-cve-1");
        entry.package = Some("openssl".into());
        let policy = |entry: &Ignore| Policy {
            ignore: vec![entry.clone()],
            ..Policy::default()
        };
        assert_eq!(
            judge(&findings, &policy(&entry)).judgements,
            [Judgement::Ignored(0), Judgement::Fails]
        );
        entry.package = None;
        assert_eq!(
            judge(&findings, &policy(&entry)).outcome,
            Outcome::Seaworthy
        );
        entry.path = Some("/var/lib".into());
        assert_eq!(
            judge(&findings, &policy(&entry)).outcome,
            Outcome::Seaworthy
        );
        entry.path = Some("usr".into());
        assert_eq!(
            judge(&findings, &policy(&entry)).outcome,
            Outcome::Unseaworthy
        );
    }

    #[test]
    fn an_exception_applies_on_its_last_day_and_says_so_after_it() {
        let findings = [finding("CVE-1", "a", Severity::High)];
        let until = |day: &str| {
            let mut entry = ignore("CVE-1");
            entry.expires = Some(day.parse().unwrap());
            let policy = Policy {
                ignore: vec![entry],
                ..Policy::default()
            };
            judge(&findings, &policy)
        };
        assert_eq!(until("2026-06-15").outcome, Outcome::Seaworthy);
        let lapsed = until("2026-06-14");
        assert_eq!(lapsed.outcome, Outcome::Unseaworthy);
        assert_eq!(
            lapsed.notes[0].to_string(),
            "the exception for `CVE-1` (line 3) expired on 2026-06-14 and no longer applies: 1 finding"
        );
    }

    #[test]
    fn an_exception_for_a_check_can_be_narrowed_to_one_thing() {
        let mut entry = ignore("5.11");
        assert!(entry.covers_check(&["no-memory-limit", "5.11"], Some("web")));
        entry.subject = Some("web".into());
        assert!(entry.covers_check(&["5.11"], Some("web")));
        assert!(!entry.covers_check(&["5.11"], Some("db")));
        assert!(!entry.covers_check(&["5.11"], None));
        entry.id = "CVE-1".into();
        assert!(!entry.covers(&finding("CVE-1", "a", Severity::High)));
    }

    #[test]
    fn an_exception_that_matches_nothing_is_mentioned() {
        let policy = Policy {
            ignore: vec![ignore("CVE-9")],
            ..Policy::default()
        };
        let verdict = judge(&[], &policy);
        assert_eq!(verdict.outcome, Outcome::Seaworthy);
        assert_eq!(
            verdict.notes[0].to_string(),
            "the exception for `CVE-9` (line 3) matches nothing"
        );
    }

    #[test]
    fn gaps_and_problems_make_it_incomplete_unless_accepted_and_failure_wins() {
        let gaps = [CoverageGap {
            kind: GapKind::EndOfLifeRelease,
            subject: "debian 9".into(),
            message: String::new(),
            packages: None,
        }];
        let problems = [
            Problem::new(ProblemKind::Malformed, "broken"),
            Problem::new(ProblemKind::Notice, "fine"),
        ];
        let mut policy = Policy::default();
        let run = |policy: &Policy, findings: &[Finding]| {
            evaluate(findings, &gaps, &problems, policy, now())
        };
        let verdict = run(&policy, &[]);
        assert_eq!(verdict.outcome, Outcome::Incomplete);
        assert_eq!(
            verdict
                .reasons
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            [
                "debian 9 no longer gets advisories",
                "one part of the image could not be understood"
            ]
        );
        let bad = [finding("CVE-1", "a", Severity::Critical)];
        assert_eq!(run(&policy, &bad).outcome, Outcome::Unseaworthy);
        policy.accept_gaps = vec![GapKind::EndOfLifeRelease];
        policy.accept_problems = vec![ProblemKind::Malformed];
        assert_eq!(run(&policy, &[]).outcome, Outcome::Seaworthy);
    }
}
