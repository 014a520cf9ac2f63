//! Packages that were published to do harm: the records in the `malicious/*` shards.
//!
//! They are malware and no vulnerabilities: there is nothing to upgrade to, and a package that a
//! later layer removed has run its install scripts all the same. So packages of every layer are
//! looked up, also removed ones.

use std::collections::{BTreeMap, HashMap};

use seaworthy_core::{
    Certainty, Detail, Finding, FindingEvidence, Fingerprint, ImageEvidence, Location,
    MalwareBasis, MalwareDetail, Meta, Package, Remediation, RuleId, Severity, Subject, TracedItem,
};

use super::candidates::{self, Hit, Looked};
use super::gaps::Gaps;
use super::{Judge, open};
use crate::db::AdvisoryDb;
use crate::ecosystems;

/// How the rule of all these findings describes itself.
pub const META: Meta = Meta {
    id: "malicious-package",
    revision: 1,
    summary: "package that was published to do harm",
    references: &["https://github.com/ossf/malicious-packages"],
};
/// How bad it is where nothing makes it less: in the final view and for certain.
pub const SEVERITY: Severity = Severity::Critical;
/// The rule of all these findings.
pub(super) const RULE: RuleId = RuleId::new(META.id);

/// Type, name and version of a package.
type Key = (String, String, String);
/// Where it was installed, and what applies to it.
type Place<'e> = (&'e TracedItem, Vec<Hit>);

/// Adds a finding for every package that a record names.
pub(super) fn findings_of<'d>(
    db: &'d AdvisoryDb,
    evidence: &ImageEvidence,
    gaps: &mut Gaps<'_>,
    findings: &mut Vec<Finding>,
) {
    let mut judges: HashMap<&str, Option<Judge<'d>>> = HashMap::new();
    // One package may stand in several files.
    let mut found: BTreeMap<Key, Vec<Place<'_>>> = BTreeMap::new();
    for traced in &evidence.items {
        let Some(package) = traced.package() else {
            continue;
        };
        let Some(ecosystem) = ecosystems::of_package_type(&package.kind) else {
            continue;
        };
        let judge = judges.entry(ecosystem.name).or_insert_with(|| {
            open(
                db,
                ecosystem,
                &format!("malicious/{}", ecosystem.name),
                gaps,
            )
        });
        let Some(judge) = judge else { continue };
        let mut looked = Looked::default();
        candidates::look_up(judge, package, &mut looked);
        if looked.damaged {
            gaps.damaged(package);
        }
        if !looked.hits.is_empty() {
            let key = (
                package.kind.to_string(),
                package.name.clone(),
                package.version.clone(),
            );
            found.entry(key).or_default().push((traced, looked.hits));
        }
    }
    findings.extend(
        found
            .into_values()
            .filter_map(|places| finding(evidence, &places)),
    );
}

fn finding(evidence: &ImageEvidence, places: &[Place<'_>]) -> Option<Finding> {
    let (first, hits) = places
        .iter()
        .find(|(traced, _)| traced.removed_by.is_none())
        .or(places.first())?;
    let package = first.package()?;
    let mut ids: Vec<String> = hits.iter().map(|hit| hit.advisory.id.clone()).collect();
    ids.sort();
    ids.dedup();
    let certain = hits.iter().any(|hit| hit.confirmed);
    let in_final_view = first.removed_by.is_none();
    let severity = match (in_final_view, certain) {
        (true, true) => Severity::Critical,
        (true, false) | (false, true) => Severity::High,
        (false, false) => Severity::Medium,
    };
    let mut title = format!(
        "malicious package `{} {}` ({})",
        package.name,
        package.version,
        ids.join(", ")
    );
    if let Some(by) = first.removed_by {
        title.push_str(&format!(
            ", removed by layer {by} but still in layer {}",
            first.layer
        ));
    }
    let mut notes: Vec<FindingEvidence> = places
        .iter()
        .take(16)
        .map(|(traced, _)| FindingEvidence {
            location: Some(location(evidence, traced)),
            note: format!("{} {} is installed", package.name, package.version),
        })
        .collect();
    notes.extend(hits.iter().take(4).map(|hit| FindingEvidence {
        location: None,
        note: format!("{}: {}", hit.advisory.id, hit.comparison),
    }));
    Some(Finding {
        rule: RULE,
        subject: Subject::Package {
            purl: package.purl(evidence.distro.as_ref()),
        },
        severity,
        severity_origin: "rule".to_owned(),
        certainty: if certain {
            Certainty::Confirmed
        } else {
            Certainty::Unverified
        },
        title,
        evidence: notes,
        remediation: Some(remediation(package)),
        references: ids
            .iter()
            .map(|id| format!("https://osv.dev/vulnerability/{id}"))
            .collect(),
        fingerprint: Fingerprint::of(
            &RULE,
            [
                package.kind.as_str(),
                package.name.as_str(),
                package.version.as_str(),
            ],
        ),
        detail: Detail::Malware(Box::new(MalwareDetail {
            summary: META.summary.to_owned(),
            basis: MalwareBasis::Package,
            names: ids.iter().map(|id| format!("advisory: {id}")).collect(),
            started_by: Vec::new(),
            in_final_view,
            places: places.len() as u64,
        })),
    })
}

fn location(evidence: &ImageEvidence, traced: &TracedItem) -> Location {
    let layer = evidence.layers.get(traced.layer as usize);
    Location {
        path: traced.path.clone(),
        layer: Some(traced.layer),
        diff_id: layer.and_then(|layer| layer.diff_id.clone()),
        created_by: layer.and_then(|layer| layer.created_by.clone()),
        removed_by: traced.removed_by,
    }
}

fn remediation(package: &Package) -> Remediation {
    let plain = package
        .name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"@/._-".contains(&b));
    let command = match package.kind.as_str() {
        "npm" => Some("npm uninstall"),
        "pypi" => Some("pip uninstall --yes"),
        "gem" => Some("gem uninstall"),
        "cargo" => Some("cargo remove"),
        _ => None,
    };
    Remediation {
        summary: "take the package out of the manifest and lock file, rebuild without the cache, and rotate every \
                  credential that the build and the container could reach: install scripts ran when it was installed"
            .to_owned(),
        command: command
            .filter(|_| plain)
            .map(|command| format!("{command} {}", package.name)),
    }
}
