use std::cmp::Ordering;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Finding, Severity};

/// An upgrade that removes findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// purl type of the package.
    pub package_type: String,
    /// The package to upgrade: the source package where that has another name.
    pub package: String,
    /// Installed version.
    pub from: String,
    /// The version to go to: the highest that any of the findings needs.
    pub to: String,
    /// How many findings that removes.
    pub removes: u64,
    /// The worst of them.
    pub worst: Severity,
    /// Findings of the package that remain because nothing fixes them.
    pub remain: u64,
}

/// The upgrades that fixes ask for, the one that removes most first.
///
/// `compare` orders two versions of a package type, with `None` where it can't. A fix
/// that can't be compared with the others counts as remaining: the advice must not
/// promise what it may not hold.
pub fn actions(
    findings: &[Finding],
    compare: &dyn Fn(&str, &str, &str) -> Option<Ordering>,
) -> Vec<Action> {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| !finding.is_ignored()) {
        if let Some(flaw) = finding.vulnerability() {
            let name = flaw.source_package.as_deref().unwrap_or(&flaw.package);
            groups
                .entry((&flaw.package_type, name, &flaw.installed))
                .or_default()
                .push(finding);
        }
    }
    let mut actions: Vec<Action> = groups
        .into_iter()
        .filter_map(|((package_type, package, from), findings)| {
            let mut to: Option<&str> = None;
            let mut removed = Vec::new();
            for finding in &findings {
                let Some(fixed) = finding
                    .vulnerability()
                    .and_then(|flaw| flaw.fixed.as_deref())
                else {
                    continue;
                };
                match to {
                    None => to = Some(fixed),
                    Some(best) => match compare(package_type, best, fixed) {
                        Some(Ordering::Less) => to = Some(fixed),
                        Some(_) => {}
                        None if best == fixed => {}
                        None => continue,
                    },
                }
                removed.push(finding.severity);
            }
            Some(Action {
                package_type: package_type.to_owned(),
                package: package.to_owned(),
                from: from.to_owned(),
                to: to?.to_owned(),
                removes: removed.len() as u64,
                worst: removed.iter().copied().max()?,
                remain: (findings.len() - removed.len()) as u64,
            })
        })
        .collect();
    actions.sort_by(|a, b| {
        (b.removes, b.worst)
            .cmp(&(a.removes, a.worst))
            .then_with(|| {
                (&a.package_type, &a.package, &a.from).cmp(&(&b.package_type, &b.package, &b.from))
            })
    });
    actions
}
