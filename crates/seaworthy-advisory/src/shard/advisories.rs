//! Reads the advisories of one release or ecosystem.
//!
//! ```text
//! META        name of the shard, number of advisories
//! NAMES       pool of package names
//! ROWS        table: per name { advisory(delta) flags range [module] [arches] [severity] }
//! STRINGS     pool of versions, ids, modules, vectors
//! RANGES      table: ranges of events, enumerated versions
//! ADVISORIES  table: id, flags, publisher, severity, date, text, flaws, aliases, vectors
//! ```
//!
//! A row's range is a number: even, twice the string number of the one fixed version
//! ("everything before it"); odd, twice the place in RANGES and one.

use seaworthy_core::Severity;

use super::bytes::ShardBytes;
use super::codec::{Cursor, Table};
use super::container::{Container, ShardError, ShardKind};
use super::pool::Pool;
use crate::ecosystems::NameKind;
use crate::publishers::{AdvisoryClass, Event, EventKind, IdRole, Range, RowStatus, Vulnerability};
use crate::version::VersionScheme;

pub(super) const META: u32 = 1;
pub(super) const NAMES: u32 = 2;
pub(super) const ROWS: u32 = 3;
pub(super) const STRINGS: u32 = 4;
pub(super) const RANGES: u32 = 5;
pub(super) const ADVISORIES: u32 = 6;

pub(super) const FLAG_MALICIOUS: u8 = 1;
pub(super) const FLAG_BUNDLE: u8 = 2;

pub(super) const ROW_MODULE: u8 = 1 << 5;
pub(super) const ROW_ARCHES: u8 = 1 << 6;
pub(super) const ROW_SEVERITY: u8 = 1 << 7;

/// An opened shard, all of whose bytes fit their hashes.
#[derive(Debug)]
pub struct AdvisoryShard {
    container: Container,
    name: String,
    scheme: VersionScheme,
    advisories: u32,
}

/// What one advisory says of one package name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageRow {
    /// Number of the advisory in the shard.
    pub advisory: u32,
    /// Which name it is.
    pub names: NameKind,
    /// State of the fix.
    pub status: RowStatus,
    /// Architectures, as bits; 0 for all.
    pub arches: u16,
    /// The publisher's rating for this package.
    pub severity: Option<Severity>,
    module: Option<u32>,
    range: u64,
}

/// Affected ranges and enumerated versions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RangeSet {
    /// Ranges, events sorted.
    pub ranges: Vec<Range>,
    /// Versions that no range covers.
    pub versions: Vec<String>,
}

/// An advisory, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvisoryView {
    /// The record's id.
    pub id: String,
    /// Who published it.
    pub publisher: String,
    /// What it reports.
    pub class: AdvisoryClass,
    /// What its id is to its flaws.
    pub id_role: IdRole,
    /// The publisher's rating of the whole.
    pub severity: Option<Severity>,
    /// Publication in days since 1970; 0 for unknown.
    pub published_days: u32,
    /// Number of its text in the ecosystem's text shard.
    pub text: u32,
    /// The flaws.
    pub vulnerabilities: Vec<Vulnerability>,
    /// Further ids.
    pub aliases: Vec<String>,
    /// CVSS vectors.
    pub cvss: Vec<String>,
}

fn severity_of(code: u8) -> Result<Option<Severity>, ShardError> {
    match usize::from(code).checked_sub(1) {
        None => Ok(None),
        Some(place) => Severity::WORST_FIRST
            .get(place)
            .map(|severity| Some(*severity))
            .ok_or(ShardError::Inconsistent("unknown severity")),
    }
}

impl AdvisoryShard {
    /// Opens a shard and checks every hash: about 10 GB/s, 0.2 ms for 2 MB.
    ///
    /// # Errors
    /// The bytes are no shard of advisories, of another format, or damaged.
    pub fn open(bytes: ShardBytes) -> Result<AdvisoryShard, ShardError> {
        let container = Container::open(bytes, ShardKind::Advisories)?;
        container.verify_all()?;
        let scheme = VersionScheme::from_id(container.scheme)
            .ok_or(ShardError::Inconsistent("unknown version scheme"))?;
        let mut meta = Cursor::new(container.section(META)?);
        let name = meta.text()?.to_owned();
        let advisories = meta.u32()?;
        let names = Pool::parse(container.section(NAMES)?)?;
        if Table::parse(container.section(ROWS)?)?.len() != names.len() {
            return Err(ShardError::Inconsistent("names and rows differ in number"));
        }
        if Table::parse(container.section(ADVISORIES)?)?.len() != advisories {
            return Err(ShardError::Inconsistent("wrong number of advisories"));
        }
        Ok(AdvisoryShard {
            container,
            name,
            scheme,
            advisories,
        })
    }

    /// `Debian:12`, `npm`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its versions are ordered.
    pub fn scheme(&self) -> VersionScheme {
        self.scheme
    }

    /// Number of advisories.
    pub fn advisory_count(&self) -> u32 {
        self.advisories
    }

    /// Newest change of its records, in seconds since 1970.
    pub fn created(&self) -> i64 {
        self.container.created
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.container.len()
    }

    fn names(&self) -> Result<Pool<'_>, ShardError> {
        Pool::parse(self.container.section(NAMES)?)
    }

    fn strings(&self) -> Result<Pool<'_>, ShardError> {
        Pool::parse(self.container.section(STRINGS)?)
    }

    fn string(&self, number: u32) -> Result<String, ShardError> {
        let mut buffer = Vec::new();
        Ok(self.strings()?.get(number, &mut buffer)?.to_owned())
    }

    /// The rows of a package name in the ecosystem's normal form; none for an unknown name.
    ///
    /// # Errors
    /// The shard is inconsistent.
    pub fn rows(&self, name: &str) -> Result<Vec<PackageRow>, ShardError> {
        match self.names()?.find(name)? {
            Some(number) => self.rows_of(number),
            None => Ok(Vec::new()),
        }
    }

    fn rows_of(&self, name: u32) -> Result<Vec<PackageRow>, ShardError> {
        let mut cursor = Cursor::new(Table::parse(self.container.section(ROWS)?)?.get(name)?);
        let mut rows = Vec::new();
        let mut advisory = 0u32;
        while !cursor.is_empty() {
            advisory = advisory
                .checked_add(cursor.u32()?)
                .filter(|advisory| *advisory < self.advisories)
                .ok_or(ShardError::Inconsistent("advisory outside of the shard"))?;
            let flags = cursor.u8()?;
            let range = cursor.varint()?;
            rows.push(PackageRow {
                advisory,
                names: match flags & 3 {
                    1 => NameKind::Source,
                    2 => NameKind::Binary,
                    3 => NameKind::Either,
                    _ => return Err(ShardError::Inconsistent("unknown kind of name")),
                },
                status: match flags >> 2 & 7 {
                    0 => RowStatus::Plain,
                    1 => RowStatus::WillNotFix,
                    2 => RowStatus::FixDeferred,
                    3 => RowStatus::EndOfLife,
                    4 => RowStatus::UnderInvestigation,
                    5 => RowStatus::NotAffected,
                    _ => return Err(ShardError::Inconsistent("unknown status")),
                },
                module: match flags & ROW_MODULE {
                    0 => None,
                    _ => Some(cursor.u32()?),
                },
                arches: match flags & ROW_ARCHES {
                    0 => 0,
                    _ => u16::try_from(cursor.varint()?)
                        .map_err(|_| ShardError::Inconsistent("unknown architecture"))?,
                },
                severity: match flags & ROW_SEVERITY {
                    0 => None,
                    _ => severity_of(cursor.u8()?)?,
                },
                range,
            });
        }
        Ok(rows)
    }

    /// The module of a row, `name:stream`, or `?` where the stream is unknown.
    ///
    /// # Errors
    /// The shard is inconsistent.
    pub fn module(&self, row: &PackageRow) -> Result<Option<String>, ShardError> {
        row.module.map(|number| self.string(number)).transpose()
    }

    /// For a row that affects everything before one fixed version (nearly all): that
    /// version, in `buffer`.
    ///
    /// # Errors
    /// The shard is inconsistent.
    pub fn only_fixed<'b>(
        &self,
        row: &PackageRow,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Option<&'b str>, ShardError> {
        if row.range & 1 == 1 {
            return Ok(None);
        }
        let number = number_of(row.range >> 1)?;
        Ok(Some(self.strings()?.get(number, buffer)?))
    }

    /// The ranges of a row.
    ///
    /// # Errors
    /// The shard is inconsistent.
    pub fn range_set(&self, row: &PackageRow) -> Result<RangeSet, ShardError> {
        if row.range & 1 == 0 {
            let event = |kind, version| Event { kind, version };
            let fixed = self.string(number_of(row.range >> 1)?)?;
            return Ok(RangeSet {
                ranges: vec![Range {
                    events: vec![
                        event(EventKind::Introduced, "0".to_owned()),
                        event(EventKind::Fixed, fixed),
                    ],
                }],
                versions: Vec::new(),
            });
        }
        let table = Table::parse(self.container.section(RANGES)?)?;
        let mut cursor = Cursor::new(table.get(number_of(row.range >> 1)?)?);
        let mut set = RangeSet::default();
        for _ in 0..cursor.count()? {
            let mut events = Vec::new();
            for _ in 0..cursor.count()? {
                let coded = cursor.varint()?;
                events.push(Event {
                    kind: match coded & 3 {
                        0 => EventKind::Introduced,
                        1 => EventKind::Fixed,
                        2 => EventKind::LastAffected,
                        _ => EventKind::Limit,
                    },
                    version: self.string(number_of(coded >> 2)?)?,
                });
            }
            set.ranges.push(Range { events });
        }
        for _ in 0..cursor.count()? {
            set.versions.push(self.string(cursor.u32()?)?);
        }
        Ok(set)
    }

    /// Decodes an advisory.
    ///
    /// # Errors
    /// The shard is inconsistent, or has no such advisory.
    pub fn advisory(&self, number: u32) -> Result<AdvisoryView, ShardError> {
        let table = Table::parse(self.container.section(ADVISORIES)?)?;
        let mut cursor = Cursor::new(table.get(number)?);
        let id = self.string(cursor.u32()?)?;
        let flags = cursor.u8()?;
        let publisher = self.string(cursor.u32()?)?;
        let severity = severity_of(cursor.u8()?)?;
        let published_days = cursor.u32()?;
        let text = cursor.u32()?;
        let mut vulnerabilities = Vec::new();
        for _ in 0..cursor.count()? {
            vulnerabilities.push(Vulnerability {
                id: self.string(cursor.u32()?)?,
                severity: severity_of(cursor.u8()?)?,
            });
        }
        let mut lists = [Vec::new(), Vec::new()];
        for list in &mut lists {
            for _ in 0..cursor.count()? {
                list.push(self.string(cursor.u32()?)?);
            }
        }
        let [aliases, cvss] = lists;
        Ok(AdvisoryView {
            id,
            publisher,
            class: match flags & FLAG_MALICIOUS {
                0 => AdvisoryClass::Vulnerability,
                _ => AdvisoryClass::Malicious,
            },
            id_role: match flags & FLAG_BUNDLE {
                0 => IdRole::Alias,
                _ => IdRole::Bundle,
            },
            severity,
            published_days,
            text,
            vulnerabilities,
            aliases,
            cvss,
        })
    }

    /// Numbers of the advisories that go by an id, or answer the flaw of that id.
    ///
    /// # Errors
    /// The shard is inconsistent.
    pub fn advisories_with_id(&self, id: &str) -> Result<Vec<u32>, ShardError> {
        let Some(wanted) = self.strings()?.find(id)? else {
            return Ok(Vec::new());
        };
        let table = Table::parse(self.container.section(ADVISORIES)?)?;
        let mut found = Vec::new();
        for number in 0..self.advisories {
            if mentions(table.get(number)?, wanted)? {
                found.push(number);
            }
        }
        Ok(found)
    }

    /// The package names and rows of some advisories, by reading all rows.
    ///
    /// # Errors
    /// The shard is inconsistent.
    pub fn packages_of(&self, advisories: &[u32]) -> Result<Vec<(String, PackageRow)>, ShardError> {
        let names = self.names()?;
        let mut found = Vec::new();
        let mut buffer = Vec::new();
        for number in 0..names.len() {
            for row in self.rows_of(number)? {
                if advisories.contains(&row.advisory) {
                    found.push((names.get(number, &mut buffer)?.to_owned(), row));
                }
            }
        }
        Ok(found)
    }

    /// Calls `see` with every package name, sorted.
    ///
    /// # Errors
    /// The shard is inconsistent.
    pub fn for_each_name(&self, mut see: impl FnMut(&str)) -> Result<(), ShardError> {
        self.names()?.for_each(|_, name| see(name))
    }
}

fn number_of(value: u64) -> Result<u32, ShardError> {
    u32::try_from(value).map_err(|_| ShardError::Inconsistent("number too large"))
}

/// Whether an encoded advisory carries a string as its id, a flaw or an alias.
fn mentions(body: &[u8], wanted: u32) -> Result<bool, ShardError> {
    let mut cursor = Cursor::new(body);
    if cursor.u32()? == wanted {
        return Ok(true);
    }
    cursor.u8()?;
    cursor.u32()?;
    cursor.u8()?;
    cursor.u32()?;
    cursor.u32()?;
    let mut found = false;
    for _ in 0..cursor.count()? {
        found |= cursor.u32()? == wanted;
        cursor.u8()?;
    }
    for _ in 0..cursor.count()? {
        found |= cursor.u32()? == wanted;
    }
    Ok(found)
}
