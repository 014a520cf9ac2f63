use std::collections::BTreeMap;

use seaworthy_core as core;
use seaworthy_policy as policy;

use crate::{
    Action, Counts, Database, Distro, Finding, Gap, Ignored, Image, Judgement, Layer,
    MalwareEngine, PackageCounts, PolicyUsed, Problem, Reason, Remediation, Report, SCHEMA_VERSION,
    Severity, SeverityCount, Suppressed, Timings, Tool, Verdict,
};

/// What a report is made of.
pub struct ReportParts<'a> {
    /// Version of the program.
    pub tool_version: &'a str,
    /// When it was judged, RFC 3339.
    pub scanned_at: String,
    /// What was scanned; [`image_of`] fills its layers.
    pub image: Image,
    /// What the image holds.
    pub evidence: &'a core::ImageEvidence,
    /// The advisories it was judged by.
    pub database: Database,
    /// What malware was looked for with.
    pub malware: Vec<MalwareEngine>,
    /// The findings, in the order that was given to [`policy::evaluate`].
    pub findings: Vec<core::Finding>,
    /// Gaps, in the same sense.
    pub gaps: &'a [core::CoverageGap],
    /// What is left out of the findings on purpose.
    pub suppressed: Vec<Suppressed>,
    /// Problems, in the same sense.
    pub problems: &'a [core::Problem],
    /// The policy.
    pub policy: &'a policy::Policy,
    /// What it made of all that.
    pub verdict: &'a policy::Verdict,
    /// Orders two versions of a package type: `(type, a, b)`; `None` where it can't.
    pub compare: &'a dyn Fn(&str, &str, &str) -> Option<std::cmp::Ordering>,
    /// How long it took.
    pub timings: Option<Timings>,
}

impl Report {
    /// Puts the document together: orders the findings worst first, counts them and works
    /// out what to do.
    pub fn new(parts: ReportParts<'_>) -> Report {
        let mut findings: Vec<Finding> = parts
            .findings
            .into_iter()
            .enumerate()
            .map(|(place, finding)| {
                let judgement = parts.verdict.judgements.get(place);
                finding_of(finding, judgement, parts.policy)
            })
            .collect();
        findings.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
        let actions: Vec<Action> = crate::actions(&findings, parts.compare);
        Report {
            schema_version: SCHEMA_VERSION.to_owned(),
            tool: Tool {
                name: "seaworthy".into(),
                version: parts.tool_version.to_owned(),
            },
            scanned_at: parts.scanned_at,
            image: parts.image,
            distro: parts.evidence.distro.as_ref().map(distro_of),
            packages: packages_of(parts.evidence),
            database: parts.database,
            malware: parts.malware,
            policy: policy_of(parts.policy),
            verdict: verdict_of(parts.verdict),
            counts: count(&findings),
            actions,
            findings,
            gaps: parts
                .gaps
                .iter()
                .map(|gap| gap_of(gap, parts.policy))
                .collect(),
            suppressed: parts.suppressed,
            problems: parts
                .problems
                .iter()
                .map(|problem| problem_of(problem, parts.policy))
                .collect(),
            timings: parts.timings,
        }
    }
}

/// Fills the layers of an image from its evidence.
pub fn image_of(image: Image, evidence: &core::ImageEvidence) -> Image {
    Image {
        layers: evidence
            .layers
            .iter()
            .map(|layer| Layer {
                index: layer.index,
                diff_id: layer.diff_id.as_ref().map(ToString::to_string),
                created_by: layer.created_by.clone(),
                entries: layer.stats.entries,
                files: layer.stats.files,
                bytes: layer.stats.bytes,
                complete: layer.complete,
            })
            .collect(),
        ..image
    }
}

/// Counts the packages of the final view.
pub fn packages_of(evidence: &core::ImageEvidence) -> PackageCounts {
    let mut counts = PackageCounts::default();
    for (_, package) in evidence.packages() {
        counts.total += 1;
        *counts
            .by_type
            .entry(package.kind.as_str().to_owned())
            .or_default() += 1;
    }
    counts
}

pub(crate) fn distro_of(distro: &core::Distro) -> Distro {
    Distro {
        id: distro.id.clone(),
        version: distro.version_id.clone(),
        codename: distro.codename.clone(),
        name: distro.to_string(),
    }
}

fn finding_of(
    finding: core::Finding,
    judgement: Option<&policy::Judgement>,
    policy: &policy::Policy,
) -> Finding {
    let (judgement, ignored) = match judgement {
        Some(policy::Judgement::Fails) => (Judgement::Fails, None),
        Some(policy::Judgement::Passes) => (Judgement::Passes, None),
        // A finding without a judgement was not judged: it must not look as if it passed.
        Some(policy::Judgement::Undetermined) | None => (Judgement::Undetermined, None),
        Some(policy::Judgement::Ignored(entry)) => (
            Judgement::Ignored,
            policy.ignore.get(*entry).map(|entry| Ignored {
                reason: entry.reason.clone(),
                expires: entry.expires.map(|date| date.to_string()),
            }),
        ),
    };
    Finding {
        fingerprint: finding.fingerprint.to_string(),
        rule: finding.rule.to_string(),
        title: finding.title,
        severity: finding.severity.into(),
        severity_origin: finding.severity_origin,
        certainty: finding.certainty.into(),
        judgement,
        ignored,
        subject: finding.subject.into(),
        detail: finding.detail.into(),
        evidence: finding.evidence.into_iter().map(Into::into).collect(),
        remediation: finding.remediation.map(|remediation| Remediation {
            summary: remediation.summary,
            command: remediation.command,
        }),
        references: finding.references,
    }
}

fn sort_key(finding: &Finding) -> (std::cmp::Reverse<Severity>, &str, &str, &str) {
    let (package, id) = finding
        .vulnerability()
        .map_or(("", ""), |flaw| (&flaw.package, &flaw.id));
    (
        std::cmp::Reverse(finding.severity),
        package,
        id,
        &finding.fingerprint,
    )
}

fn count(findings: &[Finding]) -> Counts {
    let mut by_severity: BTreeMap<std::cmp::Reverse<Severity>, SeverityCount> =
        core::Severity::WORST_FIRST
            .into_iter()
            .map(|severity| {
                let severity = Severity::from(severity);
                let count = SeverityCount {
                    severity,
                    total: 0,
                    fixable: 0,
                };
                (std::cmp::Reverse(severity), count)
            })
            .collect();
    let mut counts = Counts::default();
    for finding in findings {
        if finding.is_ignored() {
            counts.ignored += 1;
            continue;
        }
        let flaw = finding.vulnerability();
        let fixable = u64::from(flaw.is_some_and(|flaw| flaw.fixed.is_some()));
        counts.total += 1;
        counts.fixable += fixable;
        counts.secrets += u64::from(finding.secret().is_some());
        counts.malware += u64::from(finding.malware().is_some());
        counts.known_exploited += u64::from(flaw.is_some_and(|flaw| flaw.kev.is_some()));
        counts.unverified += u64::from(finding.certainty == crate::Certainty::Unverified);
        if let Some(count) = by_severity.get_mut(&std::cmp::Reverse(finding.severity)) {
            count.total += 1;
            count.fixable += fixable;
        }
    }
    counts.by_severity = by_severity.into_values().collect();
    counts
}

fn policy_of(policy: &policy::Policy) -> PolicyUsed {
    PolicyUsed {
        fail_on: policy.fail_on.map(Into::into),
        fail_on_unfixed: policy.fail_on_unfixed,
        fail_on_known_exploited: policy.fail_on_known_exploited,
        show: policy.show.into(),
        accept_gaps: policy
            .accept_gaps
            .iter()
            .map(|kind| kind.as_str().to_owned())
            .collect(),
        accept_problems: policy
            .accept_problems
            .iter()
            .map(|kind| kind.as_str().to_owned())
            .collect(),
        exceptions: policy.ignore.len() as u64,
    }
}

fn verdict_of(verdict: &policy::Verdict) -> Verdict {
    Verdict {
        outcome: verdict.outcome.into(),
        exit_status: verdict.outcome.exit_status(),
        reasons: verdict
            .reasons
            .iter()
            .map(|reason| Reason {
                kind: match reason {
                    policy::Reason::Severe(_) => "severity",
                    policy::Reason::KnownExploited(_) => "known-exploited",
                    policy::Reason::Undetermined(_) => "undetermined",
                    policy::Reason::Gap { .. } => "gap",
                    policy::Reason::Problems { .. } => "problem",
                }
                .to_owned(),
                failure: reason.is_failure(),
                message: reason.to_string(),
            })
            .collect(),
        notes: verdict.notes.iter().map(ToString::to_string).collect(),
    }
}

fn gap_of(gap: &core::CoverageGap, policy: &policy::Policy) -> Gap {
    Gap {
        kind: gap.kind.as_str().to_owned(),
        subject: gap.subject.clone(),
        message: gap.message.clone(),
        packages: gap.packages,
        accepted: policy.accept_gaps.contains(&gap.kind),
    }
}

fn problem_of(problem: &core::Problem, policy: &policy::Policy) -> Problem {
    Problem {
        kind: problem.kind.as_str().to_owned(),
        layer: problem.layer,
        path: problem.path.as_ref().map(ToString::to_string),
        message: problem.message.clone(),
        incomplete: problem.makes_incomplete() && !policy.accept_problems.contains(&problem.kind),
    }
}
