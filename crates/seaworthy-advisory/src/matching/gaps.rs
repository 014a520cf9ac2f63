//! What could not be judged, collected while matching.

use std::collections::BTreeMap;

use seaworthy_core::{CoverageGap, GapKind, ImageEvidence, Package};

use crate::db::AdvisoryDb;
use crate::distros;
use crate::ecosystems;

/// How many package names a message shows.
const MAX_NAMES: usize = 5;

pub(super) struct Gaps<'e> {
    evidence: &'e ImageEvidence,
    embedded: bool,
    gaps: Vec<CoverageGap>,
    third_party: Names,
    damaged_packages: Names,
    unjudged_os: u32,
    unjudged_os_shard: Option<String>,
    unjudged_languages: BTreeMap<String, u32>,
    damaged_shards: BTreeMap<String, String>,
}

#[derive(Default)]
struct Names {
    count: u32,
    names: Vec<String>,
}

impl Names {
    fn add(&mut self, name: &str) {
        self.count = self.count.saturating_add(1);
        if self.names.len() < MAX_NAMES && !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }

    fn subject(&self) -> String {
        let mut text = self.names.join(", ");
        if self.count as usize > self.names.len() {
            text.push_str(", …");
        }
        text
    }
}

impl<'e> Gaps<'e> {
    pub(super) fn new(db: &AdvisoryDb, evidence: &'e ImageEvidence, now_unix: i64) -> Gaps<'e> {
        let mut gaps = Gaps {
            evidence,
            embedded: db.is_embedded(),
            gaps: Vec::new(),
            third_party: Names::default(),
            damaged_packages: Names::default(),
            unjudged_os: 0,
            unjudged_os_shard: None,
            unjudged_languages: BTreeMap::new(),
            damaged_shards: BTreeMap::new(),
        };
        if db.is_embedded() {
            gaps.push(
                GapKind::EmbeddedDatabaseOnly,
                "advisories",
                "only the small built-in advisory set was matched; run `seaworthy db update` for the full database",
                None,
            );
        }
        if db.is_expired(now_unix) {
            gaps.push(
                GapKind::ExpiredDatabase,
                "advisories",
                "the advisory database is past its expiry and misses newer flaws; run `seaworthy db update`",
                None,
            );
        }
        gaps.of_distro(now_unix);
        gaps
    }

    fn of_distro(&mut self, now_unix: i64) {
        let has_os_packages = self
            .evidence
            .packages()
            .any(|(_, package)| package.kind.is_os());
        let has_database = self.evidence.package_databases().next().is_some();
        let Some(distro) = &self.evidence.distro else {
            if !has_os_packages && !has_database {
                self.push(
                    GapKind::NoPackageDatabase,
                    "operating system",
                    "no package database was found, so what the image is built from can't be judged",
                    None,
                );
            }
            return;
        };
        let name = distro.to_string();
        if !has_os_packages && !has_database {
            let message = format!(
                "the image says that it is {name} but carries no package database, so its packages can't be judged"
            );
            self.push(GapKind::NoPackageDatabase, &name, &message, None);
        }
        if let Some((facts, Some(release))) = distros::facts_of(distro)
            && release.is_past_end(now_unix)
        {
            let message = format!(
                "{} {} gets no security fixes since {}; flaws found later are not listed; move to a supported release",
                facts.name,
                release.version,
                release.end_of_life.unwrap_or("long ago"),
            );
            self.push(
                GapKind::EndOfLifeRelease,
                &format!("{} {}", facts.name, release.version),
                &message,
                None,
            );
        }
    }

    fn push(&mut self, kind: GapKind, subject: &str, message: &str, packages: Option<u32>) {
        self.gaps.push(CoverageGap {
            kind,
            subject: subject.to_owned(),
            message: message.to_owned(),
            packages,
        });
    }

    pub(super) fn third_party(&mut self, package: &Package) {
        self.third_party.add(&package.name);
    }

    pub(super) fn damaged(&mut self, package: &Package) {
        self.damaged_packages.add(&package.name);
    }

    pub(super) fn damaged_shard(&mut self, name: &str, error: &str) {
        self.damaged_shards
            .insert(name.to_owned(), error.to_owned());
    }

    pub(super) fn unjudged_os_package(&mut self, _package: &Package, shard: Option<&str>) {
        self.unjudged_os = self.unjudged_os.saturating_add(1);
        self.unjudged_os_shard = shard.map(str::to_owned);
    }

    pub(super) fn unjudged_language_package(&mut self, package: &Package) {
        *self
            .unjudged_languages
            .entry(package.kind.to_string())
            .or_default() += 1;
    }

    pub(super) fn finish(mut self) -> Vec<CoverageGap> {
        let damaged = std::mem::take(&mut self.damaged_shards);
        for (shard, error) in &damaged {
            let message = format!(
                "the advisories for {shard} can't be read: {error}; run `seaworthy db update`"
            );
            self.push(GapKind::DamagedDatabase, shard, &message, None);
        }
        if self.damaged_packages.count > 0 {
            let subject = self.damaged_packages.subject();
            let count = self.damaged_packages.count;
            self.push(
                GapKind::DamagedDatabase,
                &subject,
                "advisories of these packages can't be read; run `seaworthy db update`",
                Some(count),
            );
        }
        if self.third_party.count > 0 {
            let subject = self.third_party.subject();
            let count = self.third_party.count;
            self.push(
                GapKind::UncoveredPackages,
                &subject,
                "these packages are not the distribution's own, and nobody publishes advisories for them here",
                Some(count),
            );
        }
        self.unjudged_os_packages(&damaged);
        // The built-in set says once that it covers little.
        if !self.embedded {
            for (kind, count) in std::mem::take(&mut self.unjudged_languages) {
                let is_damaged = ecosystems::of_package_type_name(&kind)
                    .is_some_and(|row| damaged.contains_key(row.name));
                if !is_damaged {
                    let message = format!("the advisory database has nothing for {kind} packages");
                    self.push(GapKind::NoAdvisorySource, &kind, &message, Some(count));
                }
            }
        }
        self.gaps.sort_unstable();
        self.gaps.dedup();
        self.gaps
    }

    fn unjudged_os_packages(&mut self, damaged: &BTreeMap<String, String>) {
        let count = self.unjudged_os;
        if count == 0 {
            return;
        }
        let Some(distro) = &self.evidence.distro else {
            self.push(
                GapKind::UnknownDistro,
                "operating system",
                "packages are installed, but nothing says of which distribution, so no advisories fit them",
                Some(count),
            );
            return;
        };
        let name = distro.to_string();
        match self.unjudged_os_shard.take() {
            Some(shard) if damaged.contains_key(&shard) || self.embedded => {}
            Some(shard) => {
                let message = format!(
                    "the advisory database has nothing for {shard}, so the packages of {name} were not judged"
                );
                self.push(GapKind::NoAdvisorySource, &shard, &message, Some(count));
            }
            None => {
                let message = format!(
                    "there is no advisory source for {name}, so its packages were not judged"
                );
                self.push(GapKind::NoAdvisorySource, &name, &message, Some(count));
            }
        }
    }
}
