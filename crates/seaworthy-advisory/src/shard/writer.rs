//! Writes the advisories of one release or ecosystem. The layout is described at the
//! reader, in `advisories.rs`.

use std::collections::{BTreeMap, HashMap, HashSet};

use seaworthy_core::Severity;

use super::advisories as layout;
use super::codec::{TableWriter, put_bytes, put_varint};
use super::container::{ShardError, ShardKind, write_container};
use super::pool::write_pool;
use crate::ecosystems::NameKind;
use crate::matching::range;
use crate::publishers::{
    AdvisedPackage, Advisory, AdvisoryClass, Event, EventKind, IdRole, Range, RowStatus,
};
use crate::version::VersionScheme;

/// Collects the advisories of one shard.
#[derive(Debug)]
pub struct AdvisoryShardWriter {
    name: String,
    scheme: VersionScheme,
    advisories: Vec<Stored>,
}

#[derive(Debug)]
struct Stored {
    text: u32,
    advisory: Advisory,
}

/// Texts in order of first sight, then numbered in sort order.
#[derive(Default)]
struct Interner<'a> {
    texts: HashSet<&'a str>,
}

impl<'a> Interner<'a> {
    fn add(&mut self, text: &'a str) {
        self.texts.insert(text);
    }

    fn finish(self) -> Result<(Vec<&'a str>, HashMap<&'a str, u32>), ShardError> {
        let mut sorted: Vec<&str> = self.texts.into_iter().collect();
        sorted.sort_unstable();
        u32::try_from(sorted.len()).map_err(|_| ShardError::TooLarge)?;
        let numbers = sorted.iter().copied().zip(0u32..).collect();
        Ok((sorted, numbers))
    }
}

impl AdvisoryShardWriter {
    /// A shard of this name (`Debian:12`) whose versions follow this scheme.
    pub fn new(name: &str, scheme: VersionScheme) -> AdvisoryShardWriter {
        AdvisoryShardWriter {
            name: name.to_owned(),
            scheme,
            advisories: Vec::new(),
        }
    }

    /// Adds an advisory, all of whose packages must belong in this shard, with the number
    /// of its text in the ecosystem's text shard.
    pub fn add(&mut self, mut advisory: Advisory, text: u32) {
        for package in &mut advisory.packages {
            tidy_ranges(self.scheme, package);
        }
        self.advisories.push(Stored { text, advisory });
    }

    /// How many advisories were added.
    pub fn len(&self) -> usize {
        self.advisories.len()
    }

    /// Whether none was added.
    pub fn is_empty(&self) -> bool {
        self.advisories.is_empty()
    }

    /// The bytes of the shard.
    ///
    /// # Errors
    /// [`ShardError::TooLarge`]: more than 4 GiB of a section.
    pub fn finish(mut self) -> Result<Vec<u8>, ShardError> {
        self.advisories
            .sort_unstable_by(|a, b| a.advisory.id.cmp(&b.advisory.id));
        let mut names = Interner::default();
        let mut strings = Interner::default();
        for Stored { advisory, .. } in &self.advisories {
            collect(advisory, &mut names, &mut strings);
        }
        let (sorted_names, _) = names.finish()?;
        let (sorted_strings, numbers) = strings.finish()?;
        let number = |text: &str| -> u64 {
            // Every text was collected just above.
            numbers.get(text).map_or(0, |number| u64::from(*number))
        };

        let mut bodies = TableWriter::default();
        let mut by_name: BTreeMap<&str, Vec<(u32, &AdvisedPackage)>> = BTreeMap::new();
        let mut created = 0;
        for (index, stored) in (0u32..).zip(&self.advisories) {
            let advisory = &stored.advisory;
            created = created.max(advisory.modified);
            bodies.push(&encode_advisory(advisory, stored.text, &number))?;
            for package in &advisory.packages {
                by_name
                    .entry(&package.name)
                    .or_default()
                    .push((index, package));
            }
        }
        let mut ranges = RangeInterner::default();
        let mut rows = TableWriter::default();
        for packages in by_name.values() {
            rows.push(&encode_rows(packages, &mut ranges, &number)?)?;
        }

        let mut meta = Vec::new();
        put_bytes(&mut meta, self.name.as_bytes());
        put_varint(&mut meta, self.advisories.len() as u64);
        let sections = [
            (layout::META, meta),
            (layout::NAMES, write_pool(sorted_names.into_iter())?),
            (layout::ROWS, rows.finish()),
            (layout::STRINGS, write_pool(sorted_strings.into_iter())?),
            (layout::RANGES, ranges.table.finish()),
            (layout::ADVISORIES, bodies.finish()),
        ];
        write_container(ShardKind::Advisories, self.scheme.id(), created, &sections)
    }
}

/// Sorts the events of each range and drops enumerated versions that a range covers: most
/// publishers enumerate what they also give as ranges.
fn tidy_ranges(scheme: VersionScheme, package: &mut AdvisedPackage) {
    for range in &mut package.ranges {
        range::sort_events(scheme, &mut range.events);
    }
    package.ranges.sort_unstable();
    package.ranges.dedup();
    let ranges = &package.ranges;
    package.versions.retain(|version| {
        !ranges
            .iter()
            .any(|one| range::covers(scheme, &one.events, version) == Ok(true))
    });
    package.versions.sort_unstable();
    package.versions.dedup();
}

fn collect<'a>(advisory: &'a Advisory, names: &mut Interner<'a>, strings: &mut Interner<'a>) {
    strings.add(&advisory.id);
    strings.add(advisory.publisher);
    for flaw in &advisory.vulnerabilities {
        strings.add(&flaw.id);
    }
    for text in advisory.aliases.iter().chain(&advisory.cvss) {
        strings.add(text);
    }
    for package in &advisory.packages {
        names.add(&package.name);
        if let Some(module) = &package.module {
            strings.add(module);
        }
        for event in package.ranges.iter().flat_map(|range| &range.events) {
            strings.add(&event.version);
        }
        for version in &package.versions {
            strings.add(version);
        }
    }
}

/// 0 for none, else the place in [`Severity::WORST_FIRST`] counted from 1.
fn severity_code(severity: Option<Severity>) -> u8 {
    let place = severity.and_then(|severity| {
        Severity::WORST_FIRST
            .iter()
            .zip(1u8..)
            .find(|(word, _)| **word == severity)
    });
    place.map_or(0, |(_, code)| code)
}

fn encode_advisory(advisory: &Advisory, text: u32, number: &impl Fn(&str) -> u64) -> Vec<u8> {
    let mut body = Vec::new();
    put_varint(&mut body, number(&advisory.id));
    let mut flags = 0;
    if advisory.class == AdvisoryClass::Malicious {
        flags |= layout::FLAG_MALICIOUS;
    }
    if advisory.id_role == IdRole::Bundle {
        flags |= layout::FLAG_BUNDLE;
    }
    body.push(flags);
    put_varint(&mut body, number(advisory.publisher));
    body.push(severity_code(advisory.severity));
    put_varint(&mut body, u64::from(advisory.published_days));
    put_varint(&mut body, u64::from(text));
    put_varint(&mut body, advisory.vulnerabilities.len() as u64);
    for flaw in &advisory.vulnerabilities {
        put_varint(&mut body, number(&flaw.id));
        body.push(severity_code(flaw.severity));
    }
    for list in [&advisory.aliases, &advisory.cvss] {
        put_varint(&mut body, list.len() as u64);
        for text in list {
            put_varint(&mut body, number(text));
        }
    }
    body
}

#[derive(Default)]
struct RangeInterner<'a> {
    table: TableWriter,
    known: HashMap<(&'a [Range], &'a [String]), u32>,
}

impl<'a> RangeInterner<'a> {
    /// The reference of a package's ranges: even for `[0, fixed)`, whose version it
    /// carries itself, odd for a number in the range table.
    fn reference(
        &mut self,
        package: &'a AdvisedPackage,
        number: &impl Fn(&str) -> u64,
    ) -> Result<u64, ShardError> {
        if let Some(fixed) = only_fixed(package) {
            return Ok(number(fixed) << 1);
        }
        let key = (package.ranges.as_slice(), package.versions.as_slice());
        let next = u32::try_from(self.known.len()).map_err(|_| ShardError::TooLarge)?;
        let index = match self.known.get(&key) {
            Some(index) => *index,
            None => {
                let mut body = Vec::new();
                put_varint(&mut body, package.ranges.len() as u64);
                for range in &package.ranges {
                    put_varint(&mut body, range.events.len() as u64);
                    for event in &range.events {
                        put_varint(
                            &mut body,
                            number(&event.version) << 2 | event_code(event.kind),
                        );
                    }
                }
                put_varint(&mut body, package.versions.len() as u64);
                for version in &package.versions {
                    put_varint(&mut body, number(version));
                }
                self.table.push(&body)?;
                self.known.insert(key, next);
                next
            }
        };
        Ok(u64::from(index) << 1 | 1)
    }
}

fn event_code(kind: EventKind) -> u64 {
    match kind {
        EventKind::Introduced => 0,
        EventKind::Fixed => 1,
        EventKind::LastAffected => 2,
        EventKind::Limit => 3,
    }
}

/// The fixed version of a package affected from the start up to one fix: nearly all.
fn only_fixed(package: &AdvisedPackage) -> Option<&str> {
    let [Range { events }] = package.ranges.as_slice() else {
        return None;
    };
    match events.as_slice() {
        [
            Event {
                kind: EventKind::Introduced,
                version: zero,
            },
            Event {
                kind: EventKind::Fixed,
                version: fixed,
            },
        ] if zero == "0" && package.versions.is_empty() => Some(fixed),
        _ => None,
    }
}

fn encode_rows<'a>(
    packages: &[(u32, &'a AdvisedPackage)],
    ranges: &mut RangeInterner<'a>,
    number: &impl Fn(&str) -> u64,
) -> Result<Vec<u8>, ShardError> {
    let mut out = Vec::new();
    let mut previous = 0;
    for (advisory, package) in packages {
        put_varint(&mut out, u64::from(advisory - previous));
        previous = *advisory;
        let mut flags = match package.names {
            NameKind::Source => 1,
            NameKind::Binary => 2,
            NameKind::Either => 3,
        };
        flags |= match package.status {
            RowStatus::Plain => 0,
            RowStatus::WillNotFix => 1,
            RowStatus::FixDeferred => 2,
            RowStatus::EndOfLife => 3,
            RowStatus::UnderInvestigation => 4,
            RowStatus::NotAffected => 5,
        } << 2;
        if package.module.is_some() {
            flags |= layout::ROW_MODULE;
        }
        if package.arches != 0 {
            flags |= layout::ROW_ARCHES;
        }
        if package.severity.is_some() {
            flags |= layout::ROW_SEVERITY;
        }
        out.push(flags);
        put_varint(&mut out, ranges.reference(package, number)?);
        if let Some(module) = &package.module {
            put_varint(&mut out, number(module));
        }
        if package.arches != 0 {
            put_varint(&mut out, u64::from(package.arches));
        }
        if package.severity.is_some() {
            out.push(severity_code(package.severity));
        }
    }
    Ok(out)
}
