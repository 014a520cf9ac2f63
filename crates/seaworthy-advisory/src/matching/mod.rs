//! From what an image holds to findings. Pure: database, evidence and a time go in.
//!
//! * A distribution's packages are judged by its own advisories, in the shard of the
//!   installed release; language packages by their ecosystem's, unless a file of a
//!   distribution package brought them and the distribution is covered: then its
//!   advisories speak for them, and they are counted as such.
//! * Every installed package gives its own finding, as people expect to see `libssl3` and
//!   `openssl` apart; reports group them. Advisories that share an id are one finding.
//! * A version that can't be compared gives an unverified finding, never silence.
//! * Packages that were published to do harm are findings of malware, not of a vulnerability.
//! * Kernel packages are counted and not reported: an image runs on its host's kernel.
//! * What could not be judged at all is a [`CoverageGap`].

mod candidates;
mod gaps;
pub(crate) mod malicious;
mod merge;
mod origin;
pub mod range;
mod remedy;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use seaworthy_core::{CoverageGap, Finding, ImageEvidence, Package, PackageRole, PackageType};

use crate::db::AdvisoryDb;
use crate::ecosystems::{self, Ecosystem};
use crate::shard::{AdvisoryShard, AdvisoryView, ShardError, TextCache};
use candidates::Looked;
use gaps::Gaps;

/// What matching an image gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MatchOutcome {
    /// Vulnerable packages, and malicious ones: worst first, then by package and id.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    pub gaps: Vec<CoverageGap>,
    /// What was judged and is not reported, by reason.
    pub suppressed: Vec<Suppressed>,
}

/// Why packages or flaws are not reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuppressReason {
    /// The kernel and its headers: the host's kernel is what runs.
    KernelPackage,
    /// A language package that a distribution's package installed.
    OwnedByDistro,
    /// A Go program's own module, whose version is a placeholder.
    MeaninglessVersion,
    /// The package is a module's, and the advisory is for another stream or none.
    OtherModule,
}

impl SuppressReason {
    /// The reason in a sentence.
    pub const fn summary(self) -> &'static str {
        match self {
            SuppressReason::KernelPackage => {
                "a container runs on the host's kernel, not on the one it carries"
            }
            SuppressReason::OwnedByDistro => {
                "language packages that a distribution's package installed are judged by the \
                 distribution's advisories"
            }
            SuppressReason::MeaninglessVersion => {
                "the version of a Go program's own module is a placeholder"
            }
            SuppressReason::OtherModule => "advisories for another stream of the package's module",
        }
    }

    /// The kebab-case word of documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            SuppressReason::KernelPackage => "kernel-package",
            SuppressReason::OwnedByDistro => "owned-by-distro",
            SuppressReason::MeaninglessVersion => "meaningless-version",
            SuppressReason::OtherModule => "other-module",
        }
    }
}

/// Things that were judged and are not reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// Why.
    pub reason: SuppressReason,
    /// How many: packages, or advisories for [`SuppressReason::OtherModule`].
    pub count: u32,
    /// A few names.
    pub examples: Vec<String>,
}

/// How many names a count shows.
const MAX_EXAMPLES: usize = 5;

#[derive(Default)]
struct Counts(BTreeMap<SuppressReason, (u32, Vec<String>)>);

impl Counts {
    fn add(&mut self, reason: SuppressReason, name: &str) {
        let (count, examples) = self.0.entry(reason).or_default();
        *count = count.saturating_add(1);
        if examples.len() < MAX_EXAMPLES && !examples.iter().any(|known| known == name) {
            examples.push(name.to_owned());
        }
    }
}

/// Matches an image's packages against the database. `now_unix` decides what is past its
/// end of life or expiry.
pub fn match_image(db: &AdvisoryDb, evidence: &ImageEvidence, now_unix: i64) -> MatchOutcome {
    let mut gaps = Gaps::new(db, evidence, now_unix);
    let mut counts = Counts::default();
    let mut findings = Vec::new();
    let mut texts = TextCaches::default();

    let distro = evidence.distro.as_ref();
    let os = distro.and_then(|distro| {
        let ecosystem = ecosystems::of_distro(distro)?;
        Some((ecosystem, (ecosystem.shard_of_distro)(distro)?))
    });
    let os_shard = os
        .as_ref()
        .and_then(|(ecosystem, name)| open(db, ecosystem, name, &mut gaps));
    // Canonical fixes some flaws for subscribers only; those fixes are in shards of their own.
    let pro_shard = os.as_ref().and_then(|(ecosystem, name)| {
        let pro = name
            .strip_prefix("Ubuntu:")
            .map(|release| format!("Ubuntu:Pro:{release}"))?;
        open(db, ecosystem, &pro, &mut gaps)
    });

    let own = own_packages(evidence);
    let mut languages: HashMap<&str, Option<Judge<'_>>> = HashMap::new();
    for (traced, package) in evidence.packages() {
        let mut looked = Looked::default();
        if package.kind.is_os() {
            if package.name == "gpg-pubkey" {
                continue;
            }
            if distro.is_some_and(|distro| origin::is_third_party(distro, package)) {
                gaps.third_party(package);
                continue;
            }
            let Some(judge) = os_shard
                .as_ref()
                .filter(|judge| judge.ecosystem.package_type == package.kind)
            else {
                gaps.unjudged_os_package(package, os.as_ref().map(|(_, name)| name.as_str()));
                continue;
            };
            if is_kernel(package) {
                counts.add(SuppressReason::KernelPackage, &package.name);
                continue;
            }
            candidates::look_up(judge, package, &mut looked);
            if let Some(pro) = &pro_shard {
                candidates::look_up_subscription(pro, judge, package, &mut looked);
            }
        } else {
            let is_owned = traced
                .owner
                .as_deref()
                .is_some_and(|owner| own.contains(owner));
            if is_owned && os_shard.is_some() {
                counts.add(SuppressReason::OwnedByDistro, &package.name);
                continue;
            }
            let Some(ecosystem) = ecosystems::of_package_type(&package.kind) else {
                gaps.unjudged_language_package(package);
                continue;
            };
            let judge = languages
                .entry(ecosystem.name)
                .or_insert_with(|| open(db, ecosystem, ecosystem.name, &mut gaps));
            let Some(judge) = judge else {
                gaps.unjudged_language_package(package);
                continue;
            };
            if is_meaningless_go_version(package) {
                counts.add(SuppressReason::MeaninglessVersion, &package.name);
                continue;
            }
            candidates::look_up(judge, package, &mut looked);
        }
        for _ in 0..looked.other_modules {
            counts.add(SuppressReason::OtherModule, &package.name);
        }
        if looked.damaged {
            gaps.damaged(package);
        }
        merge::findings_of(
            db,
            evidence,
            traced,
            package,
            looked.hits,
            &mut texts,
            &mut findings,
        );
    }
    malicious::findings_of(db, evidence, &mut gaps, &mut findings);
    findings.sort_by(|a: &Finding, b: &Finding| {
        let id = |finding: &Finding| {
            let detail = finding.detail.vulnerability();
            detail.map(|detail| (detail.package.clone(), detail.id.clone()))
        };
        b.severity
            .cmp(&a.severity)
            .then_with(|| id(a).cmp(&id(b)))
            .then_with(|| a.fingerprint.cmp(&b.fingerprint))
    });
    MatchOutcome {
        findings,
        gaps: gaps.finish(),
        suppressed: counts
            .0
            .into_iter()
            .map(|(reason, (count, examples))| Suppressed {
                reason,
                count,
                examples,
            })
            .collect(),
    }
}

/// An opened shard with the row of its ecosystem.
struct Judge<'d> {
    ecosystem: &'static Ecosystem,
    shard: &'d AdvisoryShard,
    /// Advisories decoded so far: the binaries of one source share theirs.
    decoded: RefCell<HashMap<u32, Rc<AdvisoryView>>>,
}

impl Judge<'_> {
    /// Whether the shard is one of malicious packages.
    fn is_malicious(&self) -> bool {
        self.shard.name().starts_with("malicious/")
    }

    fn advisory(&self, number: u32) -> Result<Rc<AdvisoryView>, ShardError> {
        if let Some(known) = self.decoded.borrow().get(&number) {
            return Ok(Rc::clone(known));
        }
        let advisory = Rc::new(self.shard.advisory(number)?);
        self.decoded
            .borrow_mut()
            .insert(number, Rc::clone(&advisory));
        Ok(advisory)
    }
}

fn open<'d>(
    db: &'d AdvisoryDb,
    ecosystem: &'static Ecosystem,
    name: &str,
    gaps: &mut Gaps<'_>,
) -> Option<Judge<'d>> {
    match db.shard(name)? {
        Ok(shard) => Some(Judge {
            ecosystem,
            shard,
            decoded: RefCell::default(),
        }),
        Err(error) => {
            gaps.damaged_shard(name, &error.to_string());
            None
        }
    }
}

/// Decompressed texts, by ecosystem.
#[derive(Default)]
struct TextCaches(BTreeMap<String, TextCache>);

/// Names of the packages that the distribution itself built. What a third-party deb or rpm
/// installed is not covered by the distribution's advisories.
fn own_packages(evidence: &ImageEvidence) -> HashSet<&str> {
    let Some(distro) = &evidence.distro else {
        return HashSet::new();
    };
    evidence
        .packages()
        .map(|(_, package)| package)
        .filter(|package| package.kind.is_os() && !origin::is_third_party(distro, package))
        .map(|package| package.name.as_str())
        .collect()
}

/// Kernel images, modules, headers and tools, by source name.
fn is_kernel(package: &Package) -> bool {
    let source = package.source_name();
    if package.kind == PackageType::DEB {
        source == "linux"
            || source == "linux-signed-amd64"
            || source == "linux-signed-arm64"
            || source.starts_with("linux-meta")
            || source.starts_with("linux-signed")
            || source.starts_with("linux-latest")
            || source.strip_prefix("linux-").is_some_and(|rest| {
                // `linux-6.1`, `linux-aws`, `linux-hwe-6.8`; not `linux-base`, `linux-atm`.
                rest.starts_with(|c: char| c.is_ascii_digit())
                    || [
                        "aws",
                        "azure",
                        "gcp",
                        "gke",
                        "hwe",
                        "kvm",
                        "oem",
                        "oracle",
                        "raspi",
                        "lowlatency",
                    ]
                    .iter()
                    .any(|flavour| rest.starts_with(flavour))
            })
    } else if package.kind == PackageType::RPM {
        source == "kernel"
            || source == "kernel-rt"
            || source.starts_with("kernel-default")
            || source == "kernel-source"
            || package.name == "kernel-headers"
    } else {
        package.name == "linux-headers"
            || source.starts_with("linux-lts")
            || source.starts_with("linux-virt")
    }
}

/// `(devel)` and pseudo-versions on `v0.0.0` are what a Go program calls itself when built
/// outside of a tag.
fn is_meaningless_go_version(package: &Package) -> bool {
    package.kind == PackageType::GOLANG
        && package.role == PackageRole::Main
        && (package.version.starts_with('(')
            || package.version == "v0.0.0"
            || package.version == "0.0.0"
            || package.version.starts_with("v0.0.0-")
            || package.version.starts_with("0.0.0-"))
}

#[cfg(test)]
mod tests;
