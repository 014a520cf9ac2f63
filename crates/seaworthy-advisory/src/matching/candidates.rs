//! Which advisories apply to one package.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::rc::Rc;

use seaworthy_core::{Package, PackageType};

use super::Judge;
use super::range::{self, Compare, WithoutEpoch};
use crate::db::describe_range;
use crate::ecosystems::NameKind;
use crate::publishers::{AdvisoryClass, RowStatus, arch_bit};
use crate::shard::{AdvisoryView, PackageRow, ShardError};
use crate::version::VersionScheme;

/// An advisory that applies, or may.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    /// The advisory.
    pub(super) advisory: Rc<AdvisoryView>,
    /// Shard it came from.
    pub(super) shard: String,
    /// How the shard's versions are ordered.
    pub(super) scheme: VersionScheme,
    /// The publisher's rating for this package.
    pub(super) severity: Option<seaworthy_core::Severity>,
    /// State of the fix.
    pub(super) status: RowStatus,
    /// The fix that ends the range.
    pub(super) fixed: Option<String>,
    /// The range in words.
    pub(super) range: String,
    /// The comparison in words.
    pub(super) comparison: String,
    /// The name that was looked up.
    pub(super) looked_up: String,
    /// Whether the evidence decides it.
    pub(super) confirmed: bool,
}

/// What looking a package up gave.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Advisories that apply, or may.
    pub(super) hits: Vec<Hit>,
    /// Advisories for another module stream.
    pub(super) other_modules: u32,
    /// Part of the shard could not be read.
    pub(super) damaged: bool,
}

/// Looks a package up under each of its names.
pub(super) fn look_up(judge: &Judge<'_>, package: &Package, looked: &mut Looked) {
    for name in names_of(judge, package) {
        if look_up_name(judge, package, &name, looked).is_err() {
            looked.damaged = true;
        }
    }
}

/// Looks up fixes that need a subscription: a flaw that the open shard doesn't know for
/// this package is affected here, and its fix is not for everybody. A system that gets
/// them has versions with `esm` in them, and is judged as usual.
pub(super) fn look_up_subscription(
    subscription: &Judge<'_>,
    open: &Judge<'_>,
    package: &Package,
    looked: &mut Looked,
) {
    let mut more = Looked::default();
    look_up(subscription, package, &mut more);
    looked.damaged |= more.damaged;
    if more.hits.is_empty() {
        return;
    }
    let Ok(known) = flaws_known(open, package) else {
        looked.damaged = true;
        return;
    };
    let subscribed = package.version.contains("esm");
    for mut hit in more.hits {
        Rc::make_mut(&mut hit.advisory)
            .vulnerabilities
            .retain(|flaw| !known.contains(&flaw.id));
        if hit.advisory.vulnerabilities.is_empty() {
            continue;
        }
        if !subscribed {
            hit.status = RowStatus::WillNotFix;
            hit.comparison.push_str(" (the fix needs Ubuntu Pro)");
            hit.fixed = None;
        }
        looked.hits.push(hit);
    }
}

/// The flaws that a shard speaks of for a package, whether they apply or not.
fn flaws_known(judge: &Judge<'_>, package: &Package) -> Result<BTreeSet<String>, ShardError> {
    let mut known = BTreeSet::new();
    for name in names_of(judge, package) {
        for row in judge.shard.rows(&name.text)? {
            let advisory = judge.advisory(row.advisory)?;
            known.extend(advisory.vulnerabilities.iter().map(|flaw| flaw.id.clone()));
        }
    }
    Ok(known)
}

/// A name to look up, and what it is the name of.
struct Name<'p> {
    text: Cow<'p, str>,
    is_source: bool,
    is_binary: bool,
}

fn names_of<'p>(judge: &Judge<'_>, package: &'p Package) -> Vec<Name<'p>> {
    let normal = |name: &'p str| (judge.ecosystem.normalise)(name.trim());
    let source = package.source_name();
    if source == package.name {
        return vec![Name {
            text: normal(&package.name),
            is_source: true,
            is_binary: true,
        }];
    }
    vec![
        Name {
            text: normal(source),
            is_source: true,
            is_binary: false,
        },
        Name {
            text: normal(&package.name),
            is_source: false,
            is_binary: true,
        },
    ]
}

fn look_up_name(
    judge: &Judge<'_>,
    package: &Package,
    name: &Name<'_>,
    looked: &mut Looked,
) -> Result<(), ShardError> {
    let arch = package.arch.as_deref().and_then(arch_bit);
    let mut buffer = Vec::new();
    for row in judge.shard.rows(&name.text)? {
        let as_source = match row.names {
            NameKind::Source if !name.is_source => continue,
            NameKind::Binary if !name.is_binary => continue,
            NameKind::Source => true,
            NameKind::Binary => false,
            NameKind::Either => name.is_source,
        };
        if let Some(bit) = arch
            && row.arches != 0
            && row.arches & bit == 0
        {
            continue;
        }
        let module = if package.kind == PackageType::RPM {
            match module_fit(judge.shard.module(&row)?.as_deref(), package) {
                ModuleFit::Other => {
                    looked.other_modules = looked.other_modules.saturating_add(1);
                    continue;
                }
                fit => fit,
            }
        } else {
            ModuleFit::Same
        };
        let installed = installed_version(judge, package, as_source);
        let scheme = judge.shard.scheme();
        // Nearly every row affects all versions before one fix, and nearly all are fixed:
        // that is decided without building anything.
        let ignore_epoch = as_source && package.kind == PackageType::RPM;
        if let Some(fixed) = judge.shard.only_fixed(&row, &mut buffer)? {
            let order = if ignore_epoch {
                WithoutEpoch(scheme).order(installed, fixed)
            } else {
                scheme.order(installed, fixed)
            };
            if matches!(order, Ok(Ordering::Equal | Ordering::Greater)) {
                continue;
            }
        }
        let verdict = if ignore_epoch {
            evaluate(judge, &row, &WithoutEpoch(scheme), installed)?
        } else {
            evaluate(judge, &row, &scheme, installed)?
        };
        let Some(verdict) = verdict else {
            continue;
        };
        let advisory = judge.advisory(row.advisory)?;
        // Each has shards of its own; a damaged database must not mix them.
        if (advisory.class == AdvisoryClass::Malicious) != judge.is_malicious() {
            continue;
        }
        let mut comparison = verdict.comparison;
        if module == ModuleFit::Unknown {
            comparison.push_str(" (module stream unknown)");
        }
        looked.hits.push(Hit {
            advisory,
            shard: judge.shard.name().to_owned(),
            scheme,
            severity: row.severity,
            status: row.status,
            fixed: verdict.fixed,
            range: verdict.range,
            comparison,
            looked_up: format!(
                "{} {}",
                if as_source { "source" } else { "package" },
                name.text
            ),
            confirmed: verdict.confirmed && module == ModuleFit::Same,
        });
    }
    Ok(())
}

fn installed_version<'p>(judge: &Judge<'_>, package: &'p Package, as_source: bool) -> &'p str {
    let version = if as_source {
        package.source_version()
    } else {
        &package.version
    };
    match judge.shard.scheme() {
        // Build information writes the toolchain as `go1.22.3`.
        VersionScheme::Go => version.strip_prefix("go").unwrap_or(version),
        _ => version,
    }
}

struct Verdict {
    confirmed: bool,
    fixed: Option<String>,
    range: String,
    comparison: String,
}

fn evaluate(
    judge: &Judge<'_>,
    row: &PackageRow,
    order: &impl Compare,
    installed: &str,
) -> Result<Option<Verdict>, ShardError> {
    let scheme = judge.shard.scheme();
    let set = judge.shard.range_set(row)?;
    let mut undetermined = None;
    for one in &set.ranges {
        match range::locate(order, &one.events, installed) {
            Ok(Some(inside)) => {
                let name = scheme.name();
                let comparison = match (inside.fixed, inside.last_affected) {
                    (Some(fixed), _) => format!("{name}: {installed} < {fixed}"),
                    (None, Some(last)) => format!("{name}: {installed} <= {last}"),
                    (None, None) if inside.introduced == "0" => {
                        format!("{name}: {installed}, every version is affected")
                    }
                    (None, None) => format!("{name}: {installed} >= {}", inside.introduced),
                };
                return Ok(Some(Verdict {
                    confirmed: true,
                    fixed: inside.fixed.map(str::to_owned),
                    comparison,
                    range: describe_range(&set),
                }));
            }
            Ok(None) => {}
            Err(error) => undetermined = Some(error.to_string()),
        }
    }
    let listed = set.versions.iter().any(|version| {
        version == installed || matches!(order.order(installed, version), Ok(Ordering::Equal))
    });
    if listed {
        return Ok(Some(Verdict {
            confirmed: true,
            fixed: None,
            comparison: format!("{}: {installed} is listed", scheme.name()),
            range: describe_range(&set),
        }));
    }
    Ok(undetermined.map(|reason| Verdict {
        confirmed: false,
        fixed: set
            .ranges
            .iter()
            .flat_map(|range| &range.events)
            .rfind(|event| event.kind == crate::publishers::EventKind::Fixed)
            .map(|event| event.version.clone()),
        comparison: reason,
        range: describe_range(&set),
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ModuleFit {
    Same,
    /// Both are of a module, and one side doesn't say which.
    Unknown,
    Other,
}

/// Modular packages are judged by advisories for their own stream only, others by
/// advisories for no module. Some builds of modules lost their label: their release still
/// says that they are one (`.module+el8`).
fn module_fit(advised: Option<&str>, package: &Package) -> ModuleFit {
    let label = package.module.as_deref().filter(|label| !label.is_empty());
    let stream = label.map(|label| label.splitn(3, ':').take(2).collect::<Vec<_>>().join(":"));
    let modular = stream.is_some() || crate::publishers::is_modular_version(&package.version);
    match (advised, stream, modular) {
        (None, _, false) => ModuleFit::Same,
        (None, _, true) | (Some(_), _, false) => ModuleFit::Other,
        (Some("?"), _, true) | (Some(_), None, true) => ModuleFit::Unknown,
        (Some(advised), Some(stream), true) if advised == stream => ModuleFit::Same,
        (Some(_), Some(_), true) => ModuleFit::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_judged_by_their_own_stream() {
        let fit = |advised, label: Option<&str>, version: &str| {
            let mut package = Package::new(PackageType::RPM, "nodejs", version);
            package.module = label.map(str::to_owned);
            module_fit(advised, &package)
        };
        let label = Some("nodejs:16:8050020210812:c5368500");
        let built = "1:16.1-1.module_el8.5.0+1+a";
        assert_eq!(fit(Some("nodejs:16"), label, built), ModuleFit::Same);
        assert_eq!(fit(Some("nodejs:18"), label, built), ModuleFit::Other);
        assert_eq!(fit(None, label, built), ModuleFit::Other);
        assert_eq!(fit(None, None, "1:16.1-1.el8"), ModuleFit::Same);
        assert_eq!(
            fit(Some("nodejs:16"), None, "1:16.1-1.el8"),
            ModuleFit::Other
        );
        assert_eq!(fit(Some("nodejs:16"), None, built), ModuleFit::Unknown);
        assert_eq!(fit(None, None, built), ModuleFit::Other);
    }
}
