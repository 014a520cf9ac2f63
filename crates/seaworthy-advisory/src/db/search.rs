//! Looking advisories up by hand: by package, or by any id.

use seaworthy_core::Severity;

use super::AdvisoryDb;
use crate::ecosystems;
use crate::publishers::{EventKind, RowStatus};
use crate::shard::{
    AdvisoryShard, AdvisoryView, PackageRow, RangeSet, ShardError, TextCache, TextRecord,
};

/// What one advisory says of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageHit {
    /// The shard, `Debian:12`.
    pub shard: String,
    /// The package's name as advisories write it.
    pub package: String,
    /// The record's id.
    pub advisory: String,
    /// The flaws it answers.
    pub vulnerabilities: Vec<String>,
    /// The publisher's rating.
    pub severity: Option<Severity>,
    /// Affected versions, in words.
    pub range: String,
    /// State of the fix.
    pub status: RowStatus,
}

/// An advisory found by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvisoryHit {
    /// The shard.
    pub shard: String,
    /// The advisory.
    pub advisory: AdvisoryView,
    /// What there is to read about it.
    pub text: TextRecord,
    /// The packages it speaks of in this shard.
    pub packages: Vec<PackageHit>,
}

/// Ranges in words: `introduced 0, fixed 1.1.1w-0+deb11u1`.
pub fn describe_range(set: &RangeSet) -> String {
    let mut parts: Vec<String> = Vec::new();
    for range in &set.ranges {
        let events: Vec<String> = range
            .events
            .iter()
            .map(|event| {
                let word = match event.kind {
                    EventKind::Introduced => "introduced",
                    EventKind::Fixed => "fixed",
                    EventKind::LastAffected => "last affected",
                    EventKind::Limit => "limit",
                };
                format!("{word} {}", event.version)
            })
            .collect();
        parts.push(events.join(", "));
    }
    if !set.versions.is_empty() {
        let mut shown: Vec<&str> = set.versions.iter().take(8).map(String::as_str).collect();
        if set.versions.len() > shown.len() {
            shown.push("…");
        }
        parts.push(format!("versions {}", shown.join(", ")));
    }
    parts.join("; ")
}

impl AdvisoryDb {
    /// What the database says of a package name, in every shard, sorted. Shards that
    /// can't be read are left out; [`AdvisoryDb::verify`] names them.
    pub fn search_package(&self, name: &str) -> Vec<PackageHit> {
        let mut hits = Vec::new();
        for shard in self.readable() {
            let Some(row) = ecosystems::by_osv_name(shard.name().trim_start_matches("malicious/"))
            else {
                continue;
            };
            let name = (row.normalise)(name.trim());
            for row in shard.rows(&name).unwrap_or_default() {
                if let Ok(hit) = package_hit(shard, &name, &row) {
                    hits.push(hit);
                }
            }
        }
        hits
    }

    /// The advisories of an id: a CVE, GHSA, DSA or any other, in every shard.
    pub fn search_advisory(&self, id: &str) -> Vec<AdvisoryHit> {
        let mut hits = Vec::new();
        for shard in self.readable() {
            if let Ok(found) = self.search_shard(shard, id.trim()) {
                hits.extend(found);
            }
        }
        hits
    }

    fn readable(&self) -> impl Iterator<Item = &AdvisoryShard> {
        self.shard_names().filter_map(|name| self.shard(name)?.ok())
    }

    fn search_shard(
        &self,
        shard: &AdvisoryShard,
        id: &str,
    ) -> Result<Vec<AdvisoryHit>, ShardError> {
        let numbers = shard.advisories_with_id(id)?;
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let packages = shard.packages_of(&numbers)?;
        let base = ecosystems::base_name(shard.name().trim_start_matches("malicious/"));
        let mut cache = TextCache::default();
        let mut hits = Vec::new();
        for number in numbers {
            let advisory = shard.advisory(number)?;
            let text = match self.texts(base) {
                Some(Ok(texts)) => texts.get(advisory.text, &mut cache).unwrap_or_default(),
                _ => TextRecord::default(),
            };
            let packages = packages
                .iter()
                .filter(|(_, row)| row.advisory == number)
                .map(|(name, row)| package_hit(shard, name, row))
                .collect::<Result<_, _>>()?;
            hits.push(AdvisoryHit {
                shard: shard.name().to_owned(),
                advisory,
                text,
                packages,
            });
        }
        Ok(hits)
    }
}

fn package_hit(
    shard: &AdvisoryShard,
    name: &str,
    row: &PackageRow,
) -> Result<PackageHit, ShardError> {
    let advisory = shard.advisory(row.advisory)?;
    Ok(PackageHit {
        shard: shard.name().to_owned(),
        package: name.to_owned(),
        severity: row.severity.or(advisory.severity),
        vulnerabilities: advisory
            .vulnerabilities
            .into_iter()
            .map(|flaw| flaw.id)
            .collect(),
        advisory: advisory.id,
        range: describe_range(&shard.range_set(row)?),
        status: row.status,
    })
}
