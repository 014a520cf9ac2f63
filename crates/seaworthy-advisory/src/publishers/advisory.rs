//! An advisory after interpretation: the same shape whoever published it.

use seaworthy_core::Severity;

use super::{CveField, Publisher, Use, tidy_id};
use crate::ecosystems::{Ecosystem, NameKind};
use crate::osv::{OsvAffected, OsvRecord};

/// What kind of thing an advisory reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdvisoryClass {
    /// A flaw.
    Vulnerability,
    /// A package made to do harm.
    Malicious,
}

/// What the record's id is to its flaws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdRole {
    /// Another name of the one flaw: records that share an id are about the same.
    Alias,
    /// A bundle that answers several flaws: `DSA-5417-1`.
    Bundle,
}

/// One flaw of an advisory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vulnerability {
    /// The CVE, or the publisher's id where there is none.
    pub id: String,
    /// The publisher's rating of it.
    pub severity: Option<Severity>,
}

/// State of a fix where no fixed version ends the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowStatus {
    /// Nothing said: fixed where a fixed version exists, else affected.
    Plain,
    /// The publisher will not fix it.
    WillNotFix,
    /// Put off to a later update.
    FixDeferred,
    /// The package or release gets no fixes any more.
    EndOfLife,
    /// Not analysed yet.
    UnderInvestigation,
    /// Not affected; dropped when the database is built.
    NotAffected,
}

/// Kind of an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// First affected version; `0` is before everything.
    Introduced,
    /// First version that is not affected.
    Fixed,
    /// Last affected version.
    LastAffected,
    /// Outside from here on.
    Limit,
}

/// A boundary of a range.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// What begins or ends.
    pub kind: EventKind,
    /// At which version.
    pub version: String,
}

/// A range of versions, as events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Range {
    /// As published; sorted by version when the database is built.
    pub events: Vec<Event>,
}

impl Range {
    /// Every version.
    pub fn all() -> Range {
        Range {
            events: vec![Event {
                kind: EventKind::Introduced,
                version: "0".to_owned(),
            }],
        }
    }
}

/// A package that an advisory speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AdvisedPackage {
    /// The shard it belongs in, `Debian:12`.
    pub shard: String,
    /// Name, in the ecosystem's normal form.
    pub name: String,
    /// Which name of an installed package that is.
    pub names: NameKind,
    /// `name:stream` for a module's package, `?` where the stream is unknown.
    pub module: Option<String>,
    /// Architectures it is about, as bits of [`arch_bit`]; 0 for all.
    pub arches: u16,
    /// State of the fix.
    pub status: RowStatus,
    /// The publisher's rating for this package.
    pub severity: Option<Severity>,
    /// Affected ranges.
    pub ranges: Vec<Range>,
    /// Affected versions, enumerated.
    pub versions: Vec<String>,
}

impl AdvisedPackage {
    pub(super) fn new(
        ecosystem: &Ecosystem,
        shard: String,
        affected: &OsvAffected<'_>,
    ) -> AdvisedPackage {
        let mut ranges = Vec::new();
        for range in affected.ranges.iter().filter(|range| &*range.kind != "GIT") {
            let mut events = Vec::new();
            for event in range.events.iter() {
                let fields = [
                    (EventKind::Introduced, &event.introduced),
                    (EventKind::Fixed, &event.fixed),
                    (EventKind::LastAffected, &event.last_affected),
                    (EventKind::Limit, &event.limit),
                ];
                for (kind, version) in fields {
                    if let Some(version) = version
                        && !version.is_empty()
                        && !(kind == EventKind::Limit && &**version == "*")
                    {
                        events.push(Event {
                            kind,
                            version: version.0.clone().into_owned(),
                        });
                    }
                }
            }
            if !events.is_empty() {
                ranges.push(Range { events });
            }
        }
        let arches = affected
            .ecosystem_specific
            .arch
            .iter()
            .filter_map(|arch| arch_bit(arch))
            .fold(0, |mask, bit| mask | bit);
        AdvisedPackage {
            shard,
            name: (ecosystem.normalise)(affected.package.name.trim()).into_owned(),
            names: ecosystem.names,
            module: None,
            arches,
            status: RowStatus::Plain,
            severity: None,
            ranges,
            versions: affected
                .versions
                .iter()
                .map(|v| v.0.clone().into_owned())
                .collect(),
        }
    }

    pub(super) fn has_no_versions(&self) -> bool {
        self.ranges.is_empty() && self.versions.is_empty()
    }

    /// `introduced 0, fixed 0`: the flaw never was in a release of the package.
    pub(super) fn is_never_affected(&self) -> bool {
        self.versions.is_empty()
            && self.ranges.iter().all(|range| {
                matches!(range.events.as_slice(), [first, second]
                    if first.kind == EventKind::Introduced
                        && second.kind == EventKind::Fixed
                        && second.version == "0")
            })
    }

    /// The fixed versions that end its ranges.
    pub fn fixed_versions(&self) -> impl Iterator<Item = &str> {
        self.ranges
            .iter()
            .flat_map(|range| &range.events)
            .filter(|event| event.kind == EventKind::Fixed)
            .map(|event| event.version.as_str())
    }
}

/// Families of architectures under the names that distributions give them. `noarch`,
/// `all` and unknown ones have no bit: they fit everything.
const ARCHES: &[(&[&str], u16)] = &[
    (&["x86_64", "amd64"], 1),
    (&["aarch64", "arm64"], 1 << 1),
    (&["i386", "i486", "i586", "i686", "x86"], 1 << 2),
    (&["s390x"], 1 << 3),
    (&["ppc64le", "ppc64el"], 1 << 4),
    (&["armv7hl", "armhf", "armv7", "armv7l"], 1 << 5),
    (&["riscv64"], 1 << 6),
    (&["loongarch64", "loong64"], 1 << 7),
    (&["ppc64"], 1 << 8),
    (&["armel", "armv6hl"], 1 << 9),
];

/// The bit of an architecture in [`AdvisedPackage::arches`].
pub fn arch_bit(name: &str) -> Option<u16> {
    ARCHES
        .iter()
        .find(|(names, _)| names.contains(&name))
        .map(|(_, bit)| *bit)
}

/// An advisory, interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisory {
    /// The record's id.
    pub id: String,
    /// Id of the publisher's row.
    pub publisher: &'static str,
    /// What it reports.
    pub class: AdvisoryClass,
    /// What its id is to its flaws.
    pub id_role: IdRole,
    /// The flaws, sorted by id; at least one.
    pub vulnerabilities: Vec<Vulnerability>,
    /// Further ids of the flaw, sorted; empty for bundles.
    pub aliases: Vec<String>,
    /// The publisher's rating of the whole.
    pub severity: Option<Severity>,
    /// CVSS vectors.
    pub cvss: Vec<String>,
    /// Publication in days since 1970; 0 for unknown.
    pub published_days: u32,
    /// Last change in seconds since 1970; 0 for unknown.
    pub modified: i64,
    /// One line.
    pub title: String,
    /// The beginning of the description.
    pub details: String,
    /// Addresses to read more at, `https` only, at most [`MAX_REFERENCES`].
    pub references: Vec<String>,
    /// The packages, sorted.
    pub packages: Vec<AdvisedPackage>,
}

/// How many references are kept: the first few are the advisory and the fix.
pub const MAX_REFERENCES: usize = 8;

/// Bytes of description that are kept.
const MAX_DETAILS: usize = 1_200;
const MAX_TITLE: usize = 200;

impl Advisory {
    pub(super) fn new(
        publisher: &'static Publisher,
        record: &OsvRecord<'_>,
        flaws: Vec<String>,
    ) -> Advisory {
        let id = record.id.to_string();
        let bundle = publisher.cves != CveField::Aliases;
        let mut others: Vec<String> = Vec::new();
        let mut vulnerabilities: Vec<Vulnerability> = Vec::new();
        if bundle {
            vulnerabilities.extend(flaws.into_iter().map(|flaw| Vulnerability {
                severity: (publisher.flaw_severity)(record, &flaw),
                id: flaw,
            }));
        } else {
            // One flaw: call it by its lowest CVE, and the rest are its aliases.
            let mut flaws = flaws.into_iter();
            if let Some(first) = flaws.next() {
                vulnerabilities.push(Vulnerability {
                    severity: (publisher.flaw_severity)(record, &first),
                    id: first,
                });
            }
            others.extend(flaws);
            others.extend(
                record
                    .aliases
                    .iter()
                    .filter_map(|id| tidy_id(id))
                    .map(|id| id.into_owned()),
            );
        }
        if vulnerabilities.is_empty() {
            vulnerabilities.push(Vulnerability {
                severity: None,
                id: id.clone(),
            });
        }
        others
            .retain(|other| vulnerabilities.iter().all(|known| known.id != *other) && *other != id);
        others.sort_unstable();
        others.dedup();
        let malicious = publisher.usage == Use::Malicious;
        let published = unix_time(&record.published).unwrap_or(0);
        Advisory {
            id,
            publisher: publisher.meta.id,
            class: if malicious {
                AdvisoryClass::Malicious
            } else {
                AdvisoryClass::Vulnerability
            },
            id_role: if bundle {
                IdRole::Bundle
            } else {
                IdRole::Alias
            },
            vulnerabilities,
            aliases: others,
            severity: (publisher.severity)(record),
            cvss: cvss_vectors(record),
            published_days: u32::try_from(published.max(0) / 86_400).unwrap_or(0),
            modified: unix_time(&record.modified).unwrap_or(0).max(0),
            title: one_line(&record.summary, MAX_TITLE),
            details: if malicious {
                String::new()
            } else {
                cut(&record.details, MAX_DETAILS).to_owned()
            },
            references: record
                .references
                .iter()
                .map(|reference| &*reference.url)
                .filter(|url| {
                    url.starts_with("https://")
                        && url.len() <= 300
                        && url.bytes().all(|b| b.is_ascii_graphic())
                })
                .take(MAX_REFERENCES)
                .map(str::to_owned)
                .collect(),
            packages: Vec::new(),
        }
    }
}

fn cvss_vectors(record: &OsvRecord<'_>) -> Vec<String> {
    let of_packages = record
        .affected
        .iter()
        .flat_map(|affected| affected.severity.iter());
    let mut vectors: Vec<String> = record
        .severity
        .iter()
        .chain(of_packages)
        .filter(|severity| severity.kind.starts_with("CVSS") && severity.score.len() <= 300)
        .map(|severity| severity.score.to_string())
        .collect();
    vectors.sort_unstable();
    vectors.dedup();
    vectors.truncate(4);
    vectors
}

fn unix_time(text: &str) -> Option<i64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_second())
}

/// The text's first bytes, cut between characters.
fn cut(text: &str, max: usize) -> &str {
    let text = text.trim();
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

/// One line without control characters: titles are printed to terminals.
fn one_line(text: &str, max: usize) -> String {
    let line: String = cut(text, max)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_hold_no_control_characters_and_cuts_respect_characters() {
        assert_eq!(one_line("a\x1b[31m\nb", 200), "a [31m b");
        assert_eq!(cut("aäb", 2), "a");
    }
}
