//! From the advisories that apply to a package to its findings: one per flaw.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::{
    Certainty, CvssScore, Detail, Finding, FindingEvidence, Fingerprint, FixStatus, ImageEvidence,
    Location, MatchTrace, Package, RuleId, Severity, Subject, TracedItem, VulnerabilityDetail,
};

use super::TextCaches;
use super::candidates::Hit;
use super::remedy;
use crate::cve::CveNumber;
use crate::cvss::{Cvss, CvssVersion};
use crate::db::AdvisoryDb;
use crate::ecosystems;
use crate::publishers::{IdRole, RowStatus};
use crate::shard::TextRecord;

/// The rule of all these findings.
pub(super) const RULE: RuleId = RuleId::new("vulnerable-package");

const MAX_TRACES: usize = 8;
const MAX_REFERENCES: usize = 8;

/// One flaw, with the advisories that speak of it.
struct Group {
    ids: BTreeSet<String>,
    /// Places in the list of hits, with the place of the flaw in the advisory.
    hits: Vec<(usize, usize)>,
}

/// Adds the findings of one package.
pub(super) fn findings_of(
    db: &AdvisoryDb,
    evidence: &ImageEvidence,
    traced: &TracedItem,
    package: &Package,
    hits: Vec<Hit>,
    texts: &mut TextCaches,
    findings: &mut Vec<Finding>,
) {
    if hits.is_empty() {
        return;
    }
    let purl = package.purl(evidence.distro.as_ref());
    for group in group(&hits) {
        findings.push(finding(
            db, evidence, traced, package, &purl, &hits, &group, texts,
        ));
    }
}

/// Puts together what shares an id. The id of a bundle (a DSA with four CVEs) is not an id
/// of any one flaw, so it joins nothing.
fn group(hits: &[Hit]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut of_id: BTreeMap<String, usize> = BTreeMap::new();
    for (place, hit) in hits.iter().enumerate() {
        for (flaw, vulnerability) in hit.advisory.vulnerabilities.iter().enumerate() {
            let mut ids = BTreeSet::from([vulnerability.id.clone()]);
            if hit.advisory.id_role == IdRole::Alias {
                ids.insert(hit.advisory.id.clone());
                ids.extend(hit.advisory.aliases.iter().cloned());
            }
            let known: BTreeSet<usize> =
                ids.iter().filter_map(|id| of_id.get(id).copied()).collect();
            let target = known.first().copied().unwrap_or(groups.len());
            if target == groups.len() {
                groups.push(Group {
                    ids: BTreeSet::new(),
                    hits: Vec::new(),
                });
            }
            // Others that this advisory joins go into the first.
            let mut joined = (Vec::new(), BTreeSet::new());
            for other in known.into_iter().skip(1) {
                if let Some(group) = groups.get_mut(other) {
                    joined.0.append(&mut group.hits);
                    joined.1.append(&mut group.ids);
                }
            }
            if let Some(group) = groups.get_mut(target) {
                group.hits.append(&mut joined.0);
                group.hits.push((place, flaw));
                group.ids.append(&mut joined.1);
                group.ids.extend(ids);
                for id in &group.ids {
                    of_id.insert(id.clone(), target);
                }
            }
        }
    }
    groups.retain(|group| !group.hits.is_empty());
    groups
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one sentence, passed once"
)]
fn finding(
    db: &AdvisoryDb,
    evidence: &ImageEvidence,
    traced: &TracedItem,
    package: &Package,
    purl: &str,
    all: &[Hit],
    group: &Group,
    texts: &mut TextCaches,
) -> Finding {
    let mut hits: Vec<(&Hit, usize)> = group
        .hits
        .iter()
        .filter_map(|(hit, flaw)| Some((all.get(*hit)?, *flaw)))
        .collect();
    // Records about this flaw alone tell most: they come first.
    hits.sort_by_key(|(hit, _)| {
        (
            !hit.confirmed,
            hit.advisory.id_role == IdRole::Bundle && hit.advisory.vulnerabilities.len() > 1,
            hit.advisory.id.clone(),
        )
    });
    let confirmed = hits.iter().any(|(hit, _)| hit.confirmed);
    let id = group
        .ids
        .iter()
        .find(|id| crate::publishers::is_cve(id))
        .or_else(|| group.ids.first())
        .cloned()
        .unwrap_or_default();
    let cve = CveNumber::parse(&id);
    let mut aliases: BTreeSet<&str> = group.ids.iter().map(String::as_str).collect();
    aliases.extend(hits.iter().map(|(hit, _)| hit.advisory.id.as_str()));
    aliases.remove(id.as_str());

    let fixed = highest_fix(&hits, confirmed);
    let status = status(&hits, fixed.is_some());
    let (cvss, scored_by) = cvss_of(db, &hits, cve);
    let (severity, severity_origin) = severity(&hits, &cvss);
    let (text, references) = read_texts(db, &hits, texts);
    let title = if text.title.is_empty() {
        format!("{id} in {}", package.name)
    } else {
        text.title
    };

    let layer = evidence.layers.get(traced.layer as usize);
    let mut notes = vec![FindingEvidence {
        location: Some(Location {
            path: traced.path.clone(),
            layer: Some(traced.layer),
            diff_id: layer.and_then(|layer| layer.diff_id.clone()),
            created_by: layer.and_then(|layer| layer.created_by.clone()),
            removed_by: None,
        }),
        note: format!("{} {} is installed", package.name, package.version),
    }];
    if let Some(record) = scored_by {
        notes.push(FindingEvidence {
            location: None,
            note: format!("the CVSS vector is the one that {record} publishes"),
        });
    }
    let kind = package.kind.as_str();
    let arch = package.arch.as_deref().unwrap_or("");
    let path = traced.path.as_str();
    Finding {
        rule: RULE,
        subject: Subject::Package {
            purl: purl.to_owned(),
        },
        severity,
        severity_origin,
        certainty: if confirmed {
            Certainty::Confirmed
        } else {
            Certainty::Unverified
        },
        title,
        evidence: notes,
        remediation: remedy::remediation(evidence.distro.as_ref(), package, fixed.as_deref()),
        references,
        // Without the version: the finding stays the same while the flaw stays.
        fingerprint: Fingerprint::of(
            &RULE,
            [id.as_str(), kind, package.name.as_str(), arch, path],
        ),
        detail: Detail::Vulnerability(Box::new(VulnerabilityDetail {
            aliases: aliases.into_iter().map(str::to_owned).collect(),
            package_type: kind.to_owned(),
            package: package.name.clone(),
            source_package: Some(package.source_name())
                .filter(|source| *source != package.name)
                .map(str::to_owned),
            installed: package.version.clone(),
            fixed,
            status,
            cvss,
            epss: cve.and_then(|cve| db.epss(cve)),
            kev: cve.and_then(|cve| db.kev(cve)),
            published: hits
                .iter()
                .map(|(hit, _)| hit.advisory.published_days)
                .filter(|days| *days > 0)
                .min()
                .map(crate::dates::ymd),
            traces: hits
                .iter()
                .take(MAX_TRACES)
                .map(|(hit, _)| trace(hit))
                .collect(),
            id,
        })),
    }
}

fn trace(hit: &Hit) -> MatchTrace {
    MatchTrace {
        record: hit.advisory.id.clone(),
        shard: hit.shard.clone(),
        looked_up: hit.looked_up.clone(),
        range: hit.range.clone(),
        comparison: hit.comparison.clone(),
    }
}

/// The highest fix that any record asks for: a later advisory for the same flaw mends an
/// incomplete earlier fix. Each record's fix is already the one of the installed line.
fn highest_fix(hits: &[(&Hit, usize)], confirmed: bool) -> Option<String> {
    let mut best: Option<(&Hit, &str)> = None;
    for (hit, _) in hits.iter().filter(|(hit, _)| hit.confirmed || !confirmed) {
        let Some(fixed) = hit.fixed.as_deref() else {
            continue;
        };
        let is_higher = best.is_none_or(|(_, known)| {
            matches!(hit.scheme.compare(fixed, known), Ok(Ordering::Greater))
        });
        if is_higher {
            best = Some((hit, fixed));
        }
    }
    best.map(|(_, fixed)| fixed.to_owned())
}

fn status(hits: &[(&Hit, usize)], has_fix: bool) -> FixStatus {
    if has_fix {
        return FixStatus::Fixed;
    }
    hits.iter()
        .find_map(|(hit, _)| match hit.status {
            RowStatus::WillNotFix => Some(FixStatus::WillNotFix),
            RowStatus::FixDeferred => Some(FixStatus::FixDeferred),
            RowStatus::EndOfLife => Some(FixStatus::EndOfLife),
            RowStatus::UnderInvestigation => Some(FixStatus::UnderInvestigation),
            RowStatus::Plain | RowStatus::NotAffected => None,
        })
        .unwrap_or(FixStatus::Affected)
}

/// Scores of the records about this flaw alone; where there is none, of whoever published
/// one for the CVE (second value). Newest version of the standard first, then the highest.
fn cvss_of(
    db: &AdvisoryDb,
    hits: &[(&Hit, usize)],
    cve: Option<CveNumber>,
) -> (Vec<CvssScore>, Option<String>) {
    let mut vectors: BTreeSet<&str> = BTreeSet::new();
    for (hit, _) in hits
        .iter()
        .filter(|(hit, _)| hit.advisory.vulnerabilities.len() == 1)
    {
        vectors.extend(hit.advisory.cvss.iter().map(String::as_str));
    }
    let mut scores: Vec<(CvssVersion, CvssScore)> =
        vectors.into_iter().filter_map(scored).collect();
    let mut published_by = None;
    if scores.is_empty()
        && let Some((vector, record)) = cve.and_then(|cve| db.cvss(cve))
        && let Some(score) = scored(&vector)
    {
        scores.push(score);
        published_by = Some(record);
    }
    scores.sort_by(|a, b| {
        let by_score = b.1.score.total_cmp(&a.1.score);
        b.0.cmp(&a.0)
            .then(by_score)
            .then_with(|| a.1.vector.cmp(&b.1.vector))
    });
    (
        scores.into_iter().map(|(_, score)| score).collect(),
        published_by,
    )
}

fn scored(vector: &str) -> Option<(CvssVersion, CvssScore)> {
    let parsed = Cvss::parse(vector).ok()?;
    let score = CvssScore {
        vector: vector.to_owned(),
        score: parsed.score,
    };
    Some((parsed.version, score))
}

/// What a publisher's rating is about, most particular first.
#[derive(Clone, Copy)]
enum Level {
    Package,
    Flaw,
    Advisory,
}

/// The vendor's word first (for the package, the flaw, the advisory), then the score's.
fn severity(hits: &[(&Hit, usize)], cvss: &[CvssScore]) -> (Severity, String) {
    for level in [Level::Package, Level::Flaw, Level::Advisory] {
        let worst = hits
            .iter()
            .filter_map(|(hit, flaw)| {
                let rating = match level {
                    Level::Package => hit.severity,
                    Level::Flaw => hit.advisory.vulnerabilities.get(*flaw)?.severity,
                    Level::Advisory => hit.advisory.severity,
                };
                Some((rating?, &hit.advisory.publisher))
            })
            .max();
        if let Some((severity, publisher)) = worst {
            return (severity, publisher.clone());
        }
    }
    match cvss
        .first()
        .and_then(|score| Cvss::parse(&score.vector).ok())
    {
        Some(parsed) => (parsed.severity(), format!("cvss-{}", parsed.version)),
        None => (Severity::Unknown, "none".to_owned()),
    }
}

/// The first title there is, and references of the first few records.
fn read_texts(
    db: &AdvisoryDb,
    hits: &[(&Hit, usize)],
    texts: &mut TextCaches,
) -> (TextRecord, Vec<String>) {
    let mut text = TextRecord::default();
    let mut references: Vec<String> = Vec::new();
    for (hit, _) in hits.iter().take(3) {
        let base = ecosystems::base_name(&hit.shard);
        let Some(Ok(shard)) = db.texts(base) else {
            continue;
        };
        let cache = texts.0.entry(base.to_owned()).or_default();
        // A damaged text costs the title and nothing else; `db verify` names it.
        let Ok(record) = shard.get(hit.advisory.text, cache) else {
            continue;
        };
        for reference in record.references {
            if references.len() < MAX_REFERENCES && !references.contains(&reference) {
                references.push(reference);
            }
        }
        if text.title.is_empty() {
            text.title = record.title;
        }
    }
    (text, references)
}
