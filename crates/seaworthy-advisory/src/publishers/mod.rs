//! Who publishes advisories, and what they mean by the fields of the schema.
//!
//! All write OSV, and all mean something else by it: where the CVE ids are (`aliases`,
//! `upstream`, or `related`, which others use for "see also"), whether a name is a source
//! or a binary package, what a severity word is worth. So there is one interpreter per
//! publisher, chosen by the prefix of the record's id, and **no generic fallback**: a
//! record with an unknown prefix is counted and reported, never guessed at.
//!
//! Adding a publisher is a file beside this one and a line in [`PUBLISHERS`].

mod advisory;
mod alma;
mod alpine;
mod chainguard;
mod debian;
mod embedded;
mod ghsa;
mod go;
mod malicious;
mod modularity;

pub(crate) use modularity::is_modular_version;

mod npm_working_group;
mod pypa;
mod red_hat;
mod rocky;
mod scores_only;
mod suse;
mod ubuntu;

use std::borrow::Cow;

use seaworthy_core::{Meta, Severity};

pub use advisory::{
    AdvisedPackage, Advisory, AdvisoryClass, Event, EventKind, IdRole, Range, RowStatus,
    Vulnerability, arch_bit,
};

use crate::ecosystems::{self, NameKind};
use crate::osv::{OsvAffected, OsvRecord};

/// Where a publisher puts the ids of the flaws that a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CveField {
    /// `aliases`: the record describes one flaw under another name.
    Aliases,
    /// `upstream`: the record is a distribution's answer to each of these flaws.
    Upstream,
    /// `aliases` and `upstream` together, for records that are read for scores alone.
    AliasesOrUpstream,
    /// `related`, and `upstream` where a converter has moved them there.
    Related,
}

/// What a publisher's records are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Matching packages, and their scores.
    Match,
    /// Their scores alone: the ecosystems they speak of are not matched yet.
    Scores,
    /// Malicious packages: kept apart from vulnerabilities.
    Malicious,
}

/// A publisher's interpreter.
#[derive(Debug)]
pub struct Publisher {
    /// Who it is. `meta.id` is the origin that findings name for the severity.
    pub meta: Meta,
    /// Prefixes of its ids, with the separator.
    pub prefixes: &'static [&'static str],
    /// What its records are used for.
    pub usage: Use,
    /// Where the ids of the flaws are.
    pub cves: CveField,
    /// Which names it uses, where that differs from the ecosystem's row.
    pub names: fn(&OsvRecord<'_>) -> Option<NameKind>,
    /// Whether a record is about security at all.
    pub is_security: fn(&OsvRecord<'_>) -> bool,
    /// The publisher's own rating of the record.
    pub severity: fn(&OsvRecord<'_>) -> Option<Severity>,
    /// The publisher's own rating of one flaw of the record.
    pub flaw_severity: fn(&OsvRecord<'_>, &str) -> Option<Severity>,
    /// What is particular to one of the packages.
    pub refine: fn(&OsvRecord<'_>, &OsvAffected<'_>, &mut AdvisedPackage),
}

/// What publishers have in common; each row overrides what is its own.
const COMMON: Publisher = Publisher {
    meta: Meta {
        id: "common",
        revision: 1,
        summary: "",
        references: &[],
    },
    prefixes: &[],
    usage: Use::Match,
    cves: CveField::Aliases,
    names: |_| None,
    is_security: |_| true,
    severity: |_| None,
    flaw_severity: |_, _| None,
    refine: |_, _, _| {},
};

/// All publishers.
pub static PUBLISHERS: &[&Publisher] = &[
    &alma::ALMA,
    &rocky::ROCKY,
    &red_hat::RED_HAT,
    &suse::SUSE,
    &debian::DEBIAN,
    &ubuntu::UBUNTU,
    &alpine::ALPINE,
    &chainguard::CHAINGUARD,
    &ghsa::GHSA,
    &go::GO,
    &pypa::PYPA,
    &npm_working_group::NODE_SECURITY,
    &embedded::EMBEDDED,
    &malicious::MALICIOUS,
    &scores_only::SCORES_ONLY,
];

/// The publisher of a record, by the longest prefix that fits its id.
pub fn publisher_of(id: &str) -> Option<&'static Publisher> {
    PUBLISHERS
        .iter()
        .flat_map(|publisher| {
            publisher
                .prefixes
                .iter()
                .map(move |prefix| (*publisher, *prefix))
        })
        .filter(|(_, prefix)| id.starts_with(prefix))
        .max_by_key(|(_, prefix)| prefix.len())
        .map(|(publisher, _)| publisher)
}

/// The part of an id by which an unknown publisher is counted: `ACME-` of `ACME-2024-1`.
pub fn prefix_of(id: &str) -> &str {
    let end = id
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(id.len())
        .min(40);
    id.get(..end).unwrap_or("")
}

/// Why a record gives no advisory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// Its publisher took it back.
    Withdrawn,
    /// A bug fix or enhancement without any flaw.
    NotSecurity,
    /// It says that nothing is affected, or that the fix was there from the start.
    NotAffected,
    /// It names no version that could be compared (only git commits, or nothing).
    NoVersions,
    /// The release or product is not matched (`Red Hat:rhel_eus:9.2`, FIPS variants).
    ReleaseNotSupported,
    /// The ecosystem is not matched yet.
    EcosystemNotSupported,
}

impl Skip {
    /// What the build report calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Skip::Withdrawn => "withdrawn",
            Skip::NotSecurity => "not about security",
            Skip::NotAffected => "not affected",
            Skip::NoVersions => "no comparable version",
            Skip::ReleaseNotSupported => "release or product not supported",
            Skip::EcosystemNotSupported => "ecosystem not supported yet",
        }
    }
}

/// Interprets a record for one ecosystem (`base`, without release) or, with `None`, for
/// all. Packages of other ecosystems are left to the archives of those.
///
/// # Errors
/// Says why the record gives no advisory. A record that is not matched may still carry
/// scores; see [`scores`].
pub fn interpret(
    publisher: &'static Publisher,
    record: &OsvRecord<'_>,
    base: Option<&str>,
) -> Result<Advisory, Skip> {
    if !record.withdrawn.is_empty() {
        return Err(Skip::Withdrawn);
    }
    if publisher.usage == Use::Scores {
        return Err(Skip::EcosystemNotSupported);
    }
    let flaws = flaws(publisher, record);
    if !(publisher.is_security)(record) {
        return Err(Skip::NotSecurity);
    }
    let mut advisory = Advisory::new(publisher, record, flaws);
    let mut reason = Skip::EcosystemNotSupported;
    let names = (publisher.names)(record);
    for affected in record.affected.iter() {
        let osv_name = &*affected.package.ecosystem;
        if base.is_some_and(|base| base != ecosystems::base_name(osv_name)) {
            continue;
        }
        let Some(ecosystem) = ecosystems::by_osv_name(osv_name) else {
            continue;
        };
        let Some((_, shard)) = ecosystems::shard_of(osv_name) else {
            reason = Skip::ReleaseNotSupported;
            continue;
        };
        let mut package = AdvisedPackage::new(ecosystem, shard, affected);
        package.names = names.unwrap_or(ecosystem.names);
        (publisher.refine)(record, affected, &mut package);
        if package.name.is_empty() || package.has_no_versions() {
            // A malicious package without versions is malicious in all of them.
            if publisher.usage != Use::Malicious || package.name.is_empty() {
                reason = Skip::NoVersions;
                continue;
            }
            package.ranges.push(Range::all());
        }
        if package.status == RowStatus::NotAffected || package.is_never_affected() {
            reason = Skip::NotAffected;
            continue;
        }
        advisory.packages.push(package);
    }
    if advisory.packages.is_empty() {
        return Err(reason);
    }
    advisory.packages.sort_unstable();
    advisory.packages.dedup();
    Ok(advisory)
}

/// The CVE and its CVSS vectors, for a record that scores exactly one CVE.
pub fn scores<'r>(
    publisher: &Publisher,
    record: &'r OsvRecord<'_>,
) -> Option<(String, Vec<&'r str>)> {
    if !record.withdrawn.is_empty() {
        return None;
    }
    let mut cves: Vec<String> = flaws(publisher, record)
        .into_iter()
        .filter(|id| is_cve(id))
        .collect();
    let vectors: Vec<&str> = record
        .severity
        .iter()
        .chain(
            record
                .affected
                .iter()
                .flat_map(|affected| affected.severity.iter()),
        )
        .filter(|severity| severity.kind.starts_with("CVSS"))
        .map(|severity| &*severity.score)
        .collect();
    let cve = cves.pop()?;
    (cves.is_empty() && !vectors.is_empty()).then_some((cve, vectors))
}

/// Whether an id is a CVE number (`CVE-2024-3094`).
pub fn is_cve(id: &str) -> bool {
    crate::cve::CveNumber::parse(id).is_some()
}

/// The flaws that a record is about, sorted: its CVEs, or whatever else identifies them.
fn flaws(publisher: &Publisher, record: &OsvRecord<'_>) -> Vec<String> {
    let ids: Vec<&str> = match publisher.cves {
        CveField::Aliases => record.aliases.iter().map(|id| &**id).collect(),
        CveField::Upstream => record.upstream.iter().map(|id| &**id).collect(),
        CveField::AliasesOrUpstream => record
            .aliases
            .iter()
            .chain(record.upstream.iter())
            .map(|id| &**id)
            .collect(),
        CveField::Related => record
            .related
            .iter()
            .chain(record.upstream.iter())
            .map(|id| &**id)
            .collect(),
    };
    let mut cves: Vec<String> = ids
        .iter()
        .filter_map(|id| tidy_id(id))
        .filter(|id| is_cve(id))
        .map(Cow::into_owned)
        .collect();
    // `DEBIAN-CVE-2024-3094` names its flaw even where `upstream` is empty.
    if cves.is_empty()
        && let Some(at) = record.id.find("CVE-")
        && let Some(tail) = record.id.get(at..)
        && is_cve(tail)
    {
        cves.push(tail.to_owned());
    }
    if cves.is_empty() && publisher.cves == CveField::Upstream {
        cves.extend(ids.iter().filter_map(|id| tidy_id(id)).map(Cow::into_owned));
    }
    cves.sort_unstable();
    cves.dedup();
    cves
}

/// An id as it is stored, or `None` for what can't be one (`CVE-2024-1 and others`).
fn tidy_id(id: &str) -> Option<Cow<'_, str>> {
    let id = id.trim();
    let fits = !id.is_empty() && id.len() <= 100 && id.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| {
        // Alpine's secdb holds `CVE_2020-…`.
        if id.starts_with("CVE_") {
            Cow::Owned(id.replace('_', "-"))
        } else {
            Cow::Borrowed(id)
        }
    })
}

/// Red Hat's four words, which its rebuilds and SUSE use too, and GitHub's.
fn severity_word(word: &str) -> Option<Severity> {
    const WORDS: &[(&str, Severity)] = &[
        ("critical", Severity::Critical),
        ("important", Severity::High),
        ("high", Severity::High),
        ("moderate", Severity::Medium),
        ("medium", Severity::Medium),
        ("low", Severity::Low),
        ("negligible", Severity::Negligible),
        ("unimportant", Severity::Negligible),
    ];
    WORDS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word.trim()))
        .map(|(_, severity)| *severity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_ids_are_unique() {
        let mut prefixes: Vec<_> = PUBLISHERS.iter().flat_map(|p| p.prefixes).collect();
        let count = prefixes.len();
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), count);
        let mut ids: Vec<_> = PUBLISHERS.iter().map(|p| p.meta.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), PUBLISHERS.len());
        assert!(
            PUBLISHERS
                .iter()
                .all(|p| !p.meta.summary.is_empty() && !p.prefixes.is_empty())
        );
    }

    #[test]
    fn an_unknown_prefix_has_no_interpreter() {
        assert!(publisher_of("ACME-2024-1").is_none());
        assert_eq!(prefix_of("ACME-2024-1"), "ACME-");
        assert_eq!(
            publisher_of("DEBIAN-CVE-2024-1").map(|p| p.meta.id),
            Some("debian")
        );
    }
}
