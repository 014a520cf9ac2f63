//! EPSS and KEV as their publishers ship them.
//!
//! EPSS (FIRST): CSV, a comment line with the model's version, a header
//! `cve,epss,percentile`, rows. KEV (CISA): JSON with `vulnerabilities[]`, or CSV with the
//! same columns. Both plain or gzip.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use seaworthy_core::Epss;
use serde::Deserialize;

use crate::cve::CveNumber;
use crate::dates;
use crate::shard::{EpssRow, KevRow};

/// Bytes of an input, inflated. EPSS is about 10 MB, KEV 2 MB.
const MAX_BYTES: u64 = 256 << 20;

/// Rows that were read, and what could not be.
pub(super) struct Rows<T> {
    pub(super) rows: Vec<T>,
    pub(super) problems: Vec<String>,
    /// The file's bytes as stored, for its digest.
    pub(super) bytes_read: Vec<u8>,
}

fn read<T>(path: &Path, parse: impl Fn(&[u8], &mut Rows<T>)) -> Rows<T> {
    let mut rows = Rows {
        rows: Vec::new(),
        problems: Vec::new(),
        bytes_read: Vec::new(),
    };
    let stored = File::open(path).and_then(capped);
    match stored {
        Ok(bytes) => rows.bytes_read = bytes,
        Err(error) => {
            rows.problems.push(format!("cannot be read: {error}"));
            return rows;
        }
    }
    let inflated;
    let text: &[u8] = if rows.bytes_read.starts_with(&[0x1f, 0x8b]) {
        match capped(flate2::read::MultiGzDecoder::new(
            rows.bytes_read.as_slice(),
        )) {
            Ok(bytes) => {
                inflated = bytes;
                &inflated
            }
            Err(error) => {
                rows.problems.push(format!("does not inflate: {error}"));
                return rows;
            }
        }
    } else {
        inflated = rows.bytes_read.clone();
        &inflated
    };
    parse(text, &mut rows);
    if rows.rows.is_empty() {
        rows.problems.push("holds no row".to_owned());
    }
    rows
}

fn capped(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other("larger than any real one"));
    }
    Ok(bytes)
}

/// Reads EPSS scores.
pub(super) fn read_epss(path: &Path) -> Rows<EpssRow> {
    read(path, parse_epss)
}

fn parse_epss(text: &[u8], out: &mut Rows<EpssRow>) {
    let text = String::from_utf8_lossy(text);
    let mut bad = 0u64;
    for line in text.lines() {
        if line.starts_with('#') || line.starts_with("cve,") || line.trim().is_empty() {
            continue;
        }
        let mut fields = line.split(',').map(str::trim);
        let row = || -> Option<EpssRow> {
            let cve = CveNumber::parse(fields.next()?)?;
            let share = |text: &str| {
                text.parse::<f32>()
                    .ok()
                    .filter(|share| (0.0..=1.0).contains(share))
            };
            Some(EpssRow {
                cve,
                epss: Epss {
                    probability: share(fields.next()?)?,
                    percentile: share(fields.next()?)?,
                },
            })
        };
        let mut row = row;
        match row() {
            Some(row) => out.rows.push(row),
            None => bad += 1,
        }
    }
    if bad > 0 {
        out.problems.push(format!("{bad} lines are no scores"));
    }
}

#[derive(Deserialize)]
struct Catalogue {
    vulnerabilities: Vec<CatalogueEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CatalogueEntry {
    #[serde(rename = "cveID")]
    cve_id: String,
    #[serde(default)]
    date_added: String,
    #[serde(default)]
    known_ransomware_campaign_use: String,
}

/// Reads the catalogue of known exploited vulnerabilities.
pub(super) fn read_kev(path: &Path) -> Rows<KevRow> {
    read(path, parse_kev)
}

fn parse_kev(text: &[u8], out: &mut Rows<KevRow>) {
    let mut bad = 0u64;
    let mut push = |cve: &str, date: &str, ransomware: &str| {
        let added = dates::days(date).and_then(|days| u16::try_from(days).ok());
        match (CveNumber::parse(cve), added) {
            (Some(cve), Some(added_days)) => out.rows.push(KevRow {
                cve,
                added_days,
                ransomware: ransomware.eq_ignore_ascii_case("known"),
            }),
            _ => bad += 1,
        }
    };
    if text.trim_ascii_start().starts_with(b"{") {
        match serde_json::from_slice::<Catalogue>(text) {
            Ok(catalogue) => {
                for entry in catalogue.vulnerabilities {
                    push(
                        &entry.cve_id,
                        &entry.date_added,
                        &entry.known_ransomware_campaign_use,
                    );
                }
            }
            Err(error) => out.problems.push(format!("is no catalogue: {error}")),
        }
    } else {
        let text = String::from_utf8_lossy(text);
        let mut records = csv_records(&text).into_iter();
        let header = records.next().unwrap_or_default();
        let column = |name: &str| header.iter().position(|field| field == name);
        let columns = (
            column("cveID"),
            column("dateAdded"),
            column("knownRansomwareCampaignUse"),
        );
        if let (Some(cve), Some(date), Some(ransomware)) = columns {
            for record in records {
                let field = |at: usize| record.get(at).map_or("", String::as_str);
                push(field(cve), field(date), field(ransomware));
            }
        } else {
            out.problems
                .push("is no catalogue: columns are missing".to_owned());
        }
    }
    if bad > 0 {
        out.problems
            .push(format!("{bad} entries have no CVE or date"));
    }
}

/// Comma-separated values with quoted fields that may span lines (RFC 4180).
fn csv_records(text: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            c => field.push(c),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push(record);
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<T>(text: &str, parse: impl Fn(&[u8], &mut Rows<T>)) -> Rows<T> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("input");
        std::fs::write(&path, text).unwrap();
        read(&path, parse)
    }

    #[test]
    fn scores_are_read_and_bad_lines_counted() {
        let read = rows(
            "#model_version:v2023.03.01\ncve,epss,percentile\nCVE-1999-0005,0.9,0.99\nCVE-x,1,1\nCVE-2024-1,7,1\n",
            parse_epss,
        );
        assert_eq!(read.rows.len(), 1);
        assert_eq!(read.problems, ["2 lines are no scores"]);
    }

    #[test]
    fn both_forms_of_the_catalogue_give_the_same_rows() {
        let json = r#"{"vulnerabilities":[{"cveID":"CVE-2021-44228","dateAdded":"2021-12-10",
            "knownRansomwareCampaignUse":"Known"}]}"#;
        let csv = "cveID,note,dateAdded,knownRansomwareCampaignUse\n\
            CVE-2021-44228,\"a \"\"b\"\",\nc\",2021-12-10,Known\n";
        let (a, b) = (rows(json, parse_kev), rows(csv, parse_kev));
        assert_eq!(a.rows, b.rows);
        assert!(a.rows[0].ransomware && a.problems.is_empty() && b.problems.is_empty());
    }
}
