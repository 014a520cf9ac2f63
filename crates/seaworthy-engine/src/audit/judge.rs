use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use seaworthy_core::Severity;
use seaworthy_host::facts::{Fact, Facts, ImageScan};
use seaworthy_host::rules::{Evidence, HostRule, Mode, Outcome, Section, rules};
use seaworthy_host::{escape, exposure, resources};
use seaworthy_policy::{Ignore, Policy};
use seaworthy_report::Report;

use super::document::{
    AUDIT_SCHEMA_VERSION, Audit, AuditOutcome, Check, Excepted, HostSummary, SectionScore, Status,
};

/// Which checks to hold against a host. Checks beyond the benchmark are always among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Those of level 1.
    Level1,
    /// Those of level 1 and 2.
    #[default]
    Level2,
    /// Those for a single server: all but the swarm's.
    Server,
    /// Those for a node of a swarm: all.
    Swarm,
}

impl Profile {
    fn includes(self, rule: &HostRule) -> bool {
        match self {
            Profile::Level1 => rule.level == 1,
            Profile::Level2 | Profile::Swarm => true,
            Profile::Server => !rule.is_for_swarm(),
        }
    }
}

/// What an audit is made from.
#[derive(Debug, Clone)]
pub struct AuditRequest {
    /// The facts, taken now or recorded. Scans of images are among them
    /// ([`Facts::scans`]; [`scan_of`] makes one of a report).
    pub facts: Facts,
    /// Which checks.
    pub profile: Profile,
    /// From which severity a failure counts, and exceptions.
    pub policy: Policy,
    /// Decides which exceptions have lapsed.
    pub now: Timestamp,
}

/// Holds all checks against the facts.
pub fn audit(request: &AuditRequest) -> Audit {
    let facts = &request.facts;
    let mut exceptions = Exceptions::new(&request.policy, request.now);
    let mut checks: Vec<Check> = rules()
        .filter(|rule| request.profile.includes(rule))
        .map(|rule| judge(rule, (rule.check)(facts), &mut exceptions))
        .collect();
    checks.sort_by(|a, b| {
        (a.section, a.status, std::cmp::Reverse(a.severity)).cmp(&(
            b.section,
            b.status,
            std::cmp::Reverse(b.severity),
        ))
    });
    let (outcome, reasons) = verdict(&checks, &request.policy);
    Audit {
        schema_version: AUDIT_SCHEMA_VERSION,
        audited_at: request.now.to_string(),
        host: summary(facts),
        exit_status: match outcome {
            AuditOutcome::Seaworthy => 0,
            AuditOutcome::Unseaworthy => 1,
            AuditOutcome::Incomplete => 3,
        },
        outcome,
        reasons,
        notes: exceptions.notes(),
        sections: scores(&checks),
        escape: escape::analyse(facts),
        exposure: exposure::table(facts),
        resources: resources::table(facts),
        unknown: unknown(facts),
        checks,
    }
}

/// What a report on an image says to the checks of section 4: the image's id and the scan.
/// `None` where the report does not name the image by its id.
pub fn scan_of(report: &Report) -> Option<(String, ImageScan)> {
    let id = report.image.image_id.clone()?;
    let counts = report
        .findings
        .iter()
        .filter(|finding| finding.ignored.is_none());
    let mut secrets = BTreeSet::new();
    let mut severe_fixable = 0;
    for finding in counts {
        if let Some(vulnerability) = finding.vulnerability() {
            use seaworthy_report::Severity as Said;
            let is_severe = matches!(finding.severity, Said::High | Said::Critical);
            if is_severe && vulnerability.fixed.is_some() {
                severe_fixable += 1;
            }
        } else if finding.secret().is_some() {
            secrets.insert(finding.rule.clone());
        }
    }
    Some((
        id,
        ImageScan {
            scanned_at: report.scanned_at.clone(),
            complete: report.gaps.is_empty() && report.problems.is_empty(),
            packages: report.packages.total,
            severe_fixable,
            secrets: secrets.into_iter().collect(),
            ..ImageScan::default()
        },
    ))
}

/// The exceptions of a policy and how often each spoke.
struct Exceptions<'p> {
    entries: Vec<(&'p Ignore, bool, usize)>,
}

impl<'p> Exceptions<'p> {
    fn new(policy: &'p Policy, now: Timestamp) -> Exceptions<'p> {
        let today = now.to_zoned(TimeZone::UTC).date();
        Exceptions {
            entries: policy
                .ignore
                .iter()
                .map(|entry| (entry, entry.is_expired(today), 0))
                .collect(),
        }
    }

    fn find(&mut self, rule: &HostRule, subject: Option<&str>) -> Option<&'p Ignore> {
        let ids = [rule.meta.id, rule.cis];
        let ids: Vec<&str> = ids.into_iter().filter(|id| !id.is_empty()).collect();
        let mut found = None;
        for (entry, is_expired, used) in &mut self.entries {
            if entry.covers_check(&ids, subject) {
                *used += 1;
                if !*is_expired && found.is_none() {
                    found = Some(*entry);
                }
            }
        }
        found
    }

    /// An exception that matches nothing is only strange where it can be for nothing else
    /// than a host: a policy file serves scans too.
    fn notes(&self) -> Vec<String> {
        self.entries
            .iter()
            .filter_map(|(entry, is_expired, used)| {
                let id = entry.id.escape_debug();
                match (is_expired, used, &entry.subject) {
                    (true, 1.., _) => Some(format!(
                        "the exception for `{id}` has expired and no longer applies"
                    )),
                    (false, 0, Some(_)) => {
                        Some(format!("the exception for `{id}` matches nothing"))
                    }
                    _ => None,
                }
            })
            .collect()
    }
}

fn judge(rule: &HostRule, outcome: Outcome, exceptions: &mut Exceptions<'_>) -> Check {
    let mut check = Check {
        id: rule.meta.id,
        cis: rule.cis,
        section: rule.section,
        level: rule.level,
        mode: rule.mode,
        severity: rule.severity,
        summary: rule.meta.summary,
        remedy: rule.remedy,
        status: Status::Pass,
        note: String::new(),
        evidence: Vec::new(),
        excepted: Vec::new(),
    };
    match outcome {
        Outcome::Pass(what) => check.note = what,
        Outcome::NotApplicable(why) => {
            check.status = Status::NotApplicable;
            check.note = why;
        }
        Outcome::Undetermined(why) => {
            (check.status, check.note) = match exceptions.find(rule, None) {
                Some(entry) => (Status::Excepted, format!("{}; {why}", entry.reason)),
                None => (Status::Undetermined, why),
            };
        }
        Outcome::Fail(evidence) => {
            for one in evidence {
                match exceptions.find(rule, Some(one.target.name())) {
                    Some(entry) => check.excepted.push(Excepted {
                        evidence: one,
                        reason: entry.reason.clone(),
                        expires: entry.expires.map(|day| day.to_string()),
                    }),
                    None => check.evidence.push(one),
                }
            }
            check.status = status_of(&check.evidence);
            let note = match check.status {
                Status::Undetermined => check.evidence.first().map(|first| &first.found),
                Status::Excepted => check.excepted.first().map(|first| &first.reason),
                _ => None,
            };
            if let Some(note) = note.cloned() {
                check.note = note;
            }
        }
    }
    check
}

fn status_of(left: &[Evidence]) -> Status {
    if left.iter().any(|evidence| evidence.certain) {
        Status::Fail
    } else if left.is_empty() {
        Status::Excepted
    } else {
        Status::Undetermined
    }
}

/// A failure counts from the policy's severity on. What could not be told counts likewise,
/// but for the benchmark's manual checks, which nobody expects a program to answer.
fn verdict(checks: &[Check], policy: &Policy) -> (AuditOutcome, Vec<String>) {
    let counts = |check: &&Check| policy.fail_on.is_some_and(|limit| check.severity >= limit);
    let mut reasons = Vec::new();
    for severity in Severity::WORST_FIRST {
        let failed = checks
            .iter()
            .filter(counts)
            .filter(|c| c.status == Status::Fail && c.severity == severity)
            .count();
        if failed > 0 {
            reasons.push(format!(
                "{failed} {severity} {} failed",
                if failed == 1 { "check" } else { "checks" }
            ));
        }
    }
    let has_failed = !reasons.is_empty();
    let open = checks
        .iter()
        .filter(counts)
        .filter(|c| c.status == Status::Undetermined && c.mode == Mode::Scored)
        .count();
    if open > 0 {
        reasons.push(format!(
            "{open} {} could not be told",
            if open == 1 { "check" } else { "checks" }
        ));
    }
    let outcome = match (has_failed, open) {
        (true, _) => AuditOutcome::Unseaworthy,
        (false, 0) => AuditOutcome::Seaworthy,
        (false, _) => AuditOutcome::Incomplete,
    };
    (outcome, reasons)
}

fn scores(checks: &[Check]) -> Vec<SectionScore> {
    Section::ALL
        .into_iter()
        .filter(|section| checks.iter().any(|check| check.section == *section))
        .map(|section| {
            let of = |status| {
                checks
                    .iter()
                    .filter(move |c| c.section == section && c.status == status)
            };
            let scored = |status| of(status).filter(|c| c.mode == Mode::Scored).count();
            let (good, bad) = (
                scored(Status::Pass) + scored(Status::Excepted),
                scored(Status::Fail),
            );
            SectionScore {
                section,
                passed: of(Status::Pass).count(),
                failed: of(Status::Fail).count(),
                undetermined: of(Status::Undetermined).count(),
                not_applicable: of(Status::NotApplicable).count(),
                excepted: of(Status::Excepted).count(),
                score_percent: (good * 100)
                    .checked_div(good + bad)
                    .and_then(|percent| u8::try_from(percent).ok()),
            }
        })
        .collect()
}

fn summary(facts: &Facts) -> HostSummary {
    let text = |fact: &Fact<String>| fact.known().cloned().unwrap_or_default();
    let info = facts.engine.info.known();
    HostSummary {
        name: info.map(|i| i.name.clone()).unwrap_or_default(),
        distro: text(&facts.kernel.distro_name),
        kernel: text(&facts.kernel.release),
        engine: info.map(|i| i.version.clone()).unwrap_or_default(),
        containers: facts.containers().len(),
        running: facts
            .containers()
            .iter()
            .filter(|c| c.state.running)
            .count(),
        images: facts.engine.images.known().map_or(0, Vec::len),
        euid: facts.euid,
    }
}

/// What could not be looked at, each reason once.
fn unknown(facts: &Facts) -> Vec<String> {
    let mut reasons = BTreeSet::new();
    let mut note = |about: &str, why: Option<&str>| {
        if let Some(why) = why {
            reasons.insert(format!("{about}: {why}"));
        }
    };
    note("engine", facts.engine.info.why_unknown());
    note("containers", facts.containers.why_unknown());
    note("daemon", facts.daemon.process.why_unknown());
    note("daemon's configuration", facts.daemon.config.why_unknown());
    note("audit rules", facts.audit.why_unknown());
    note("accounts", facts.accounts.why_unknown());
    note("packages", facts.packages.why_unknown());
    note("mounts", facts.mounts.why_unknown());
    note("kernel configuration", facts.kernel.config.why_unknown());
    note("security modules", facts.kernel.lsms.why_unknown());
    note("listeners", facts.listeners.tcp.why_unknown());
    if facts.daemon.process == Fact::Absent {
        note("daemon", Some("its process is not to be seen here"));
    }
    if facts.namespaces.origin != "process 1" && !facts.namespaces.origin.is_empty() {
        let why = format!(
            "those of process 1 can't be read, compared with those of {}",
            facts.namespaces.origin
        );
        note("namespaces", Some(&why));
    }
    for container in facts.containers() {
        let about = format!("container `{}`", container.name);
        note(&about, container.declared.why_unknown());
        note(&about, container.kernel.why_unknown());
    }
    for id in &facts.vanished {
        let short: String = id.chars().take(12).collect();
        note(
            &format!("container {short}"),
            Some("it went while it was looked at"),
        );
    }
    reasons.into_iter().take(1000).collect()
}

#[cfg(test)]
mod tests {
    use seaworthy_host::facts::container::{ContainerFacts, Declared};

    use super::*;

    fn request(privileged: bool, policy: Policy) -> AuditRequest {
        let facts = Facts {
            containers: Fact::Known(vec![ContainerFacts {
                name: "web".into(),
                declared: Fact::Known(Declared {
                    privileged,
                    ..Declared::default()
                }),
                kernel: Fact::Absent,
                ..ContainerFacts::default()
            }]),
            ..Facts::default()
        };
        AuditRequest {
            facts,
            profile: Profile::default(),
            policy,
            now: "2026-06-15T12:00:00Z".parse().unwrap(),
        }
    }

    fn status(audit: &Audit, id: &str) -> Status {
        audit.checks.iter().find(|c| c.id == id).unwrap().status
    }

    fn exception(id: &str, subject: Option<&str>) -> Policy {
        Policy {
            ignore: vec![Ignore {
                id: id.into(),
                package: None,
                path: None,
                subject: subject.map(str::to_owned),
                reason: "it drives the build".into(),
                expires: None,
                line: 1,
            }],
            ..Policy::default()
        }
    }

    #[test]
    fn a_failure_above_the_threshold_is_unseaworthy_and_an_exception_takes_it_away() {
        let found = audit(&request(true, Policy::default()));
        assert_eq!(found.outcome, AuditOutcome::Unseaworthy);
        assert_eq!(status(&found, "privileged-container"), Status::Fail);
        let excepted = audit(&request(true, exception("5.5", Some("web"))));
        assert_eq!(status(&excepted, "privileged-container"), Status::Excepted);
        let check = excepted.checks.iter().find(|c| c.cis == "5.5").unwrap();
        assert_eq!(check.note, "it drives the build");
        let other = audit(&request(
            true,
            exception("privileged-container", Some("db")),
        ));
        assert_eq!(status(&other, "privileged-container"), Status::Fail);
        assert_eq!(
            other.notes,
            ["the exception for `privileged-container` matches nothing"]
        );
    }

    #[test]
    fn what_is_not_known_makes_it_incomplete_and_never_clean() {
        let mut request = request(false, Policy::default());
        request.facts = Facts::default();
        let found = audit(&request);
        assert_eq!(found.outcome, AuditOutcome::Incomplete);
        assert_eq!(found.exit_status, 3);
        assert!(
            found
                .sections
                .iter()
                .all(|s| s.score_percent.is_none() && s.passed == 0)
        );
    }

    #[test]
    fn profiles_choose_the_checks() {
        let mut request = request(false, Policy::default());
        let count = |request: &AuditRequest| {
            let checks = audit(request).checks;
            checks.iter().filter(|c| !c.cis.is_empty()).count()
        };
        assert_eq!(count(&request), 117);
        request.profile = Profile::Server;
        assert_eq!(count(&request), 108);
        request.profile = Profile::Level1;
        let found = audit(&request);
        assert!(found.checks.iter().all(|check| check.level == 1));
    }
}
