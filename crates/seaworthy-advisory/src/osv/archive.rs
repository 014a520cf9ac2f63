//! `all.zip`: the records of one ecosystem, one entry each.

use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;

use super::MAX_RECORD_BYTES;

/// What an archive may cost.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// Bytes of the archive itself.
    pub archive_bytes: u64,
    /// Entries. npm's archive holds about 200,000.
    pub entries: usize,
    /// Bytes of one inflated entry.
    pub record_bytes: usize,
    /// How many times larger all entries may be than the archive. Deflate ends at 1,032
    /// for nothing but zeros; records compress about 8 to 30 times.
    pub ratio: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        ArchiveLimits {
            archive_bytes: 4 << 30,
            entries: 2_000_000,
            record_bytes: MAX_RECORD_BYTES,
            ratio: 200,
        }
    }
}

/// Why an archive or an entry of it can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file can't be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The archive.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Not a zip archive, or a broken one.
    #[error("broken zip archive: {0}")]
    Broken(#[from] zip::result::ZipError),
    /// An entry's bytes don't inflate, or not to their checksum.
    #[error("entry `{name}` does not inflate: {source}")]
    BrokenEntry {
        /// The entry.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// A limit was passed.
    #[error("{what} is past the limit of {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
}

/// An archive of records in memory. Clones share the bytes, so that several threads can
/// read entries at once.
#[derive(Clone)]
pub struct OsvArchive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    limits: ArchiveLimits,
    budget: u64,
}

impl<'a> OsvArchive<'a> {
    /// Reads an archive's file into memory.
    ///
    /// # Errors
    /// It can't be read, or is larger than `limits.archive_bytes`.
    pub fn read_file(path: &Path, limits: &ArchiveLimits) -> Result<Vec<u8>, ArchiveError> {
        let unreadable = |source| ArchiveError::Unreadable {
            path: path.display().to_string(),
            source,
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(limits.archive_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > limits.archive_bytes {
            return Err(ArchiveError::Limit {
                what: "size of the archive",
                limit: limits.archive_bytes,
            });
        }
        Ok(bytes)
    }

    /// Opens an archive.
    ///
    /// # Errors
    /// It is no zip archive, its directory is broken, or it holds too many entries.
    pub fn open(bytes: &'a [u8], limits: ArchiveLimits) -> Result<Self, ArchiveError> {
        let zip = ZipArchive::new(Cursor::new(bytes))?;
        if zip.len() > limits.entries {
            return Err(ArchiveError::Limit {
                what: "number of entries",
                limit: limits.entries as u64,
            });
        }
        let budget = (bytes.len() as u64).saturating_mul(limits.ratio);
        Ok(OsvArchive {
            zip,
            limits,
            budget,
        })
    }

    /// How many entries it has, of any name.
    pub fn len(&self) -> usize {
        self.zip.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the entries that hold records (`*.json`), with their index, in the
    /// archive's order.
    pub fn records(&self) -> Vec<(usize, String)> {
        (0..self.zip.len())
            .filter_map(|index| Some((index, self.zip.name_for_index(index)?.to_owned())))
            .filter(|(_, name)| name.ends_with(".json"))
            .collect()
    }

    /// Inflates one entry into `buffer`, which is cleared first.
    ///
    /// # Errors
    /// The entry is broken or too large, or the entries read so far through this value
    /// are out of proportion to the archive.
    pub fn read(&mut self, index: usize, buffer: &mut Vec<u8>) -> Result<(), ArchiveError> {
        buffer.clear();
        let entry = self.zip.by_index(index)?;
        let name = entry.name().to_owned();
        let cap = (self.limits.record_bytes as u64).min(self.budget);
        entry
            .take(cap.saturating_add(1))
            .read_to_end(buffer)
            .map_err(|source| ArchiveError::BrokenEntry { name, source })?;
        if buffer.len() as u64 > cap {
            buffer.clear();
            return Err(ArchiveError::Limit {
                what: "inflated size of an entry",
                limit: cap,
            });
        }
        self.budget -= buffer.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            writer
                .start_file(*name, zip::write::SimpleFileOptions::default())
                .unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn only_json_entries_are_records() {
        let bytes = zip_of(&[("A-1.json", b"{}"), ("README", b"x")]);
        let mut archive = OsvArchive::open(&bytes, ArchiveLimits::default()).unwrap();
        assert_eq!(archive.records(), [(0, "A-1.json".to_owned())]);
        let mut buffer = Vec::new();
        archive.read(0, &mut buffer).unwrap();
        assert_eq!(buffer, b"{}");
    }

    #[test]
    fn a_bomb_stops_at_its_limit() {
        let bytes = zip_of(&[("A-1.json", &vec![b' '; 4 << 20])]);
        let limits = ArchiveLimits {
            ratio: 2,
            ..ArchiveLimits::default()
        };
        let mut archive = OsvArchive::open(&bytes, limits).unwrap();
        let mut buffer = Vec::new();
        assert!(matches!(
            archive.read(0, &mut buffer),
            Err(ArchiveError::Limit { .. })
        ));
        assert!(buffer.is_empty());
    }

    #[test]
    fn cut_archives_are_errors() {
        let bytes = zip_of(&[("A-1.json", b"{}")]);
        for len in 0..bytes.len() {
            assert!(OsvArchive::open(&bytes[..len], ArchiveLimits::default()).is_err());
        }
    }
}
