//! Facts by CVE number: EPSS, KEV, and CVSS vectors.
//!
//! Rows of fixed width, sorted by CVE, found by binary search.
//!
//! ```text
//! EPSS row := year(u16) number(u32) probability(u16) percentile(u16)   shares of 65,535
//! KEV row  := year(u16) number(u32) days since 1970(u16) flags(u8)     1 = ransomware
//! CVSS row := year(u16) number(u32) place(u32) in a table of { vector source }
//! ```

use std::collections::BTreeMap;

use seaworthy_core::{Epss, Kev};

use super::bytes::ShardBytes;
use super::codec::{Cursor, Table, TableWriter, put_bytes};
use super::container::{Container, ShardError, ShardKind, write_container};
use crate::cve::CveNumber;

const ROWS: u32 = 1;
const VECTORS: u32 = 2;

const EPSS_LEN: usize = 10;
const KEV_LEN: usize = 9;
const CVSS_LEN: usize = 10;

/// An EPSS row to be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpssRow {
    /// The CVE.
    pub cve: CveNumber,
    /// Both values.
    pub epss: Epss,
}

/// A KEV row to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KevRow {
    /// The CVE.
    pub cve: CveNumber,
    /// When it was added, in days since 1970.
    pub added_days: u16,
    /// Whether ransomware is known to use it.
    pub ransomware: bool,
}

fn key(cve: CveNumber) -> [u8; 6] {
    let [a, b] = cve.year.to_le_bytes();
    let [c, d, e, f] = cve.number.to_le_bytes();
    [a, b, c, d, e, f]
}

fn cve_of(row: &[u8]) -> Option<CveNumber> {
    Some(CveNumber {
        year: u16_at(row, 0)?,
        number: u32::from_le_bytes(*row.get(2..)?.first_chunk()?),
    })
}

fn u16_at(row: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*row.get(at..)?.first_chunk()?))
}

/// Checked rows of one width.
#[derive(Debug)]
struct Rows {
    container: Container,
    width: usize,
}

impl Rows {
    fn open(bytes: ShardBytes, kind: ShardKind, width: usize) -> Result<Rows, ShardError> {
        let container = Container::open(bytes, kind)?;
        container.verify_all()?;
        let rows = container.section(ROWS)?;
        if rows.len() % width != 0 {
            return Err(ShardError::Inconsistent("rows of a wrong length"));
        }
        Ok(Rows { container, width })
    }

    fn all(&self) -> &[u8] {
        self.container.section(ROWS).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.all().len() / self.width
    }

    fn find(&self, cve: CveNumber) -> Option<&[u8]> {
        let rows = self.all();
        let row = |index: usize| rows.get(index * self.width..(index + 1) * self.width);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match cve_of(row(middle)?)?.cmp(&cve) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return row(middle),
            }
        }
        None
    }
}

/// Exploit prediction scores.
#[derive(Debug)]
pub struct EpssShard(Rows);

impl EpssShard {
    /// Opens the shard and checks its hash.
    ///
    /// # Errors
    /// The bytes are no such shard, or damaged.
    pub fn open(bytes: ShardBytes) -> Result<EpssShard, ShardError> {
        Ok(EpssShard(Rows::open(bytes, ShardKind::Epss, EPSS_LEN)?))
    }

    /// Number of CVEs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of a CVE.
    pub fn get(&self, cve: CveNumber) -> Option<Epss> {
        let row = self.0.find(cve)?;
        let share = |at| Some(f32::from(u16_at(row, at)?) / 65_535.0);
        Some(Epss {
            probability: share(6)?,
            percentile: share(8)?,
        })
    }
}

/// Known exploited vulnerabilities.
#[derive(Debug)]
pub struct KevShard(Rows);

impl KevShard {
    /// Opens the shard and checks its hash.
    ///
    /// # Errors
    /// The bytes are no such shard, or damaged.
    pub fn open(bytes: ShardBytes) -> Result<KevShard, ShardError> {
        Ok(KevShard(Rows::open(bytes, ShardKind::Kev, KEV_LEN)?))
    }

    /// Number of CVEs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry of a CVE.
    pub fn get(&self, cve: CveNumber) -> Option<Kev> {
        let row = self.0.find(cve)?;
        Some(Kev {
            date_added: crate::dates::ymd(u32::from(u16_at(row, 6)?)),
            ransomware: row.get(8)? & 1 == 1,
        })
    }
}

/// CVSS vectors by CVE.
#[derive(Debug)]
pub struct CvssShard(Rows);

impl CvssShard {
    /// Opens the shard and checks its hashes.
    ///
    /// # Errors
    /// The bytes are no such shard, or damaged.
    pub fn open(bytes: ShardBytes) -> Result<CvssShard, ShardError> {
        let rows = Rows::open(bytes, ShardKind::Cvss, CVSS_LEN)?;
        Table::parse(rows.container.section(VECTORS)?)?;
        Ok(CvssShard(rows))
    }

    /// Number of CVEs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vector of a CVE, and the record that published it.
    pub fn get(&self, cve: CveNumber) -> Option<(String, String)> {
        let row = self.0.find(cve)?;
        let place = u32::from_le_bytes(*row.get(6..)?.first_chunk()?);
        let table = Table::parse(self.0.container.section(VECTORS).ok()?).ok()?;
        let mut cursor = Cursor::new(table.get(place).ok()?);
        let vector = cursor.text().ok()?.to_owned();
        Some((vector, cursor.text().ok()?.to_owned()))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=1 before it is scaled to the range of u16"
)]
fn quantised(share: f32) -> u16 {
    (share.clamp(0.0, 1.0) * 65_535.0).round() as u16
}

/// Writes an EPSS shard. Of two rows for a CVE the later wins.
///
/// # Errors
/// [`ShardError::TooLarge`].
pub fn write_epss(rows: &[EpssRow], created: i64) -> Result<Vec<u8>, ShardError> {
    let sorted: BTreeMap<CveNumber, Epss> = rows.iter().map(|row| (row.cve, row.epss)).collect();
    let mut section = Vec::with_capacity(sorted.len() * EPSS_LEN);
    for (cve, epss) in sorted {
        section.extend_from_slice(&key(cve));
        section.extend_from_slice(&quantised(epss.probability).to_le_bytes());
        section.extend_from_slice(&quantised(epss.percentile).to_le_bytes());
    }
    write_container(ShardKind::Epss, 0, created, &[(ROWS, section)])
}

/// Writes a KEV shard. Of two rows for a CVE the later wins.
///
/// # Errors
/// [`ShardError::TooLarge`].
pub fn write_kev(rows: &[KevRow], created: i64) -> Result<Vec<u8>, ShardError> {
    let sorted: BTreeMap<CveNumber, &KevRow> = rows.iter().map(|row| (row.cve, row)).collect();
    let mut section = Vec::with_capacity(sorted.len() * KEV_LEN);
    for (cve, row) in sorted {
        section.extend_from_slice(&key(cve));
        section.extend_from_slice(&row.added_days.to_le_bytes());
        section.push(u8::from(row.ransomware));
    }
    write_container(ShardKind::Kev, 0, created, &[(ROWS, section)])
}

/// Collects CVSS vectors: per CVE the one of the newest version of the standard, and among
/// those the one from the lowest record id.
#[derive(Debug, Default)]
pub struct CvssWriter {
    vectors: BTreeMap<CveNumber, (u8, String, String)>,
}

impl CvssWriter {
    /// Offers the vector that a record publishes for a CVE.
    pub fn offer(&mut self, cve: CveNumber, vector: &str, record: &str) {
        let rank = match vector {
            v if v.starts_with("CVSS:4") => 0,
            v if v.starts_with("CVSS:3.1") => 1,
            v if v.starts_with("CVSS:3") => 2,
            _ => 3,
        };
        let offered = (rank, record.to_owned(), vector.to_owned());
        let known = self.vectors.entry(cve).or_insert_with(|| offered.clone());
        if offered < *known {
            *known = offered;
        }
    }

    /// How many CVEs have a vector.
    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }

    /// The bytes of the shard.
    ///
    /// # Errors
    /// [`ShardError::TooLarge`].
    pub fn finish(self, created: i64) -> Result<Vec<u8>, ShardError> {
        let mut section = Vec::with_capacity(self.vectors.len() * CVSS_LEN);
        let mut table = TableWriter::default();
        for (place, (cve, (_, record, vector))) in (0u32..).zip(self.vectors) {
            section.extend_from_slice(&key(cve));
            section.extend_from_slice(&place.to_le_bytes());
            let mut item = Vec::new();
            put_bytes(&mut item, vector.as_bytes());
            put_bytes(&mut item, record.as_bytes());
            table.push(&item)?;
        }
        let sections = [(ROWS, section), (VECTORS, table.finish())];
        write_container(ShardKind::Cvss, 0, created, &sections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cve(id: &str) -> CveNumber {
        CveNumber::parse(id).unwrap()
    }

    #[test]
    fn scores_are_found_by_cve_within_the_width_of_a_step() {
        let row = |id: &str, probability| EpssRow {
            cve: cve(id),
            epss: Epss {
                probability,
                percentile: 0.5,
            },
        };
        let rows = [
            row("CVE-2024-2", 0.25),
            row("CVE-1999-1", 0.919_63),
            row("CVE-2024-1", 1.5),
        ];
        let shard = EpssShard::open(write_epss(&rows, 0).unwrap().into()).unwrap();
        assert_eq!(shard.len(), 3);
        let old = shard.get(cve("CVE-1999-1")).unwrap();
        assert!((old.probability - 0.919_63).abs() < 0.000_02);
        assert!((shard.get(cve("CVE-2024-1")).unwrap().probability - 1.0).abs() < f32::EPSILON);
        assert_eq!(shard.get(cve("CVE-2024-3")), None);
    }

    #[test]
    fn known_exploited_entries_keep_date_and_ransomware() {
        let rows = [KevRow {
            cve: cve("CVE-2021-44228"),
            added_days: 18_971,
            ransomware: true,
        }];
        let shard = KevShard::open(write_kev(&rows, 0).unwrap().into()).unwrap();
        let kev = shard.get(cve("CVE-2021-44228")).unwrap();
        assert_eq!(
            (kev.date_added.as_str(), kev.ransomware),
            ("2021-12-10", true)
        );
    }

    #[test]
    fn the_newest_standard_wins_whatever_the_order() {
        let mut writer = CvssWriter::default();
        writer.offer(cve("CVE-2024-1"), "AV:N/AC:L/Au:N/C:P/I:P/A:P", "A-1");
        writer.offer(cve("CVE-2024-1"), "CVSS:3.1/AV:N", "C-1");
        writer.offer(cve("CVE-2024-1"), "CVSS:3.1/AV:L", "B-1");
        let shard = CvssShard::open(writer.finish(0).unwrap().into()).unwrap();
        let found = shard.get(cve("CVE-2024-1"));
        assert_eq!(found, Some(("CVSS:3.1/AV:L".to_owned(), "B-1".to_owned())));
    }
}
