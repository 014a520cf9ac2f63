//! Titles, descriptions and references of an ecosystem's advisories, compressed.
//!
//! They are ten times the size of everything else and wanted for reported findings only,
//! so they are read in blocks of a few records, each a zstd frame with a dictionary made
//! of samples of the same texts (raw content: no training, so the bytes are the same on
//! every machine).
//!
//! ```text
//! META    name of the shard, number of records
//! DICT    raw dictionary
//! BLOCKS  table: hash(u64) raw size(varint) frame
//! record := title details { reference }
//! ```

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::{Compressor, Decompressor};

use super::bytes::ShardBytes;
use super::codec::{Cursor, Table, TableWriter, put_bytes, put_varint};
use super::container::{Container, ShardError, ShardKind, write_container};

const META: u32 = 1;
const DICT: u32 = 2;
const BLOCKS: u32 = 3;

/// Records per block: more compress better and cost more to read one of.
const RECORDS_PER_BLOCK: usize = 8;
const DICT_BYTES: usize = 32 << 10;
const MAX_BLOCK_BYTES: usize = 1 << 20;
const LEVEL: i32 = 9;

/// What there is to read about an advisory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextRecord {
    /// One line; may be empty.
    pub title: String,
    /// The beginning of the description; may be empty.
    pub details: String,
    /// Addresses, `https` only.
    pub references: Vec<String>,
}

/// An opened text shard. Opening reads its header and index only.
#[derive(Debug)]
pub struct TextShard {
    container: Container,
    name: String,
    records: u32,
}

/// Blocks that were decompressed already, for the time of one report.
#[derive(Default)]
pub struct TextCache {
    blocks: HashMap<u32, Vec<u8>>,
    /// Made once: loading the dictionary costs more than a block.
    decompressor: Option<Decompressor<'static>>,
}

impl TextShard {
    /// Opens a text shard.
    ///
    /// # Errors
    /// The bytes are no text shard, of another format, or damaged in what was looked at.
    pub fn open(bytes: ShardBytes) -> Result<TextShard, ShardError> {
        let container = Container::open(bytes, ShardKind::Texts)?;
        container.verify(META)?;
        container.verify(DICT)?;
        let mut meta = Cursor::new(container.section(META)?);
        let name = meta.text()?.to_owned();
        let records = meta.u32()?;
        let blocks = Table::parse(container.section(BLOCKS)?)?;
        if blocks.len() as usize != (records as usize).div_ceil(RECORDS_PER_BLOCK) {
            return Err(ShardError::Inconsistent("wrong number of text blocks"));
        }
        Ok(TextShard {
            container,
            name,
            records,
        })
    }

    /// The ecosystem, `Debian`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.container.len()
    }

    /// Checks every byte.
    ///
    /// # Errors
    /// The shard is damaged or inconsistent.
    pub fn verify(&self) -> Result<(), ShardError> {
        self.container.verify_all()?;
        let mut cache = TextCache::default();
        for number in (0..self.records).step_by(RECORDS_PER_BLOCK) {
            self.get(number, &mut cache)?;
            cache.blocks.clear();
        }
        Ok(())
    }

    /// Reads one record.
    ///
    /// # Errors
    /// Its block is damaged, or there is no such record.
    pub fn get(&self, number: u32, cache: &mut TextCache) -> Result<TextRecord, ShardError> {
        if number >= self.records {
            return Err(ShardError::Inconsistent("text outside of its shard"));
        }
        let per_block = u32::try_from(RECORDS_PER_BLOCK).unwrap_or(1);
        let block = number / per_block;
        let raw = match cache.blocks.entry(block) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(self.inflate(block, &mut cache.decompressor)?)
            }
        };
        let mut cursor = Cursor::new(raw);
        let mut record = read_record(&mut cursor)?;
        for _ in 0..number % per_block {
            record = read_record(&mut cursor)?;
        }
        Ok(record)
    }

    fn inflate(
        &self,
        block: u32,
        decompressor: &mut Option<Decompressor<'static>>,
    ) -> Result<Vec<u8>, ShardError> {
        let table = Table::parse(self.container.section(BLOCKS)?)?;
        let mut cursor = Cursor::new(table.get(block)?);
        let hash = cursor
            .take(8)?
            .first_chunk::<8>()
            .map(|bytes| u64::from_le_bytes(*bytes));
        let size = cursor.u32()? as usize;
        let frame = cursor.bytes()?;
        if hash != Some(xxh3_64(frame)) {
            return Err(ShardError::Damaged("text does not match its hash"));
        }
        if size > MAX_BLOCK_BYTES {
            return Err(ShardError::Inconsistent("text block too large"));
        }
        if decompressor.is_none() {
            let dictionary = self.container.section(DICT)?;
            *decompressor = Some(Decompressor::with_dictionary(dictionary)?);
        }
        decompressor
            .as_mut()
            .ok_or(ShardError::Inconsistent("no decompressor"))?
            .decompress(frame, size)
            .map_err(|_| ShardError::Damaged("text does not decompress"))
    }
}

fn read_record(cursor: &mut Cursor<'_>) -> Result<TextRecord, ShardError> {
    let title = cursor.text()?.to_owned();
    let details = cursor.text()?.to_owned();
    let mut references = Vec::new();
    for _ in 0..cursor.count()? {
        references.push(cursor.text()?.to_owned());
    }
    Ok(TextRecord {
        title,
        details,
        references,
    })
}

/// Collects the texts of one ecosystem.
#[derive(Debug)]
pub struct TextWriter {
    name: String,
    records: Vec<Vec<u8>>,
}

impl TextWriter {
    /// For an ecosystem, `Debian`.
    pub fn new(name: &str) -> TextWriter {
        TextWriter {
            name: name.to_owned(),
            records: Vec::new(),
        }
    }

    /// Adds a record; returns its number.
    ///
    /// # Errors
    /// [`ShardError::TooLarge`]: more than 2³² records.
    pub fn add(
        &mut self,
        title: &str,
        details: &str,
        references: &[String],
    ) -> Result<u32, ShardError> {
        let number = u32::try_from(self.records.len()).map_err(|_| ShardError::TooLarge)?;
        let mut record = Vec::new();
        put_bytes(&mut record, title.as_bytes());
        put_bytes(&mut record, details.as_bytes());
        put_varint(&mut record, references.len() as u64);
        for reference in references {
            put_bytes(&mut record, reference.as_bytes());
        }
        self.records.push(record);
        Ok(number)
    }

    /// The bytes of the shard.
    ///
    /// # Errors
    /// [`ShardError::TooLarge`], or the compressor fails.
    pub fn finish(self, created: i64) -> Result<Vec<u8>, ShardError> {
        let dictionary = self.dictionary();
        let mut compressor = Compressor::with_dictionary(LEVEL, &dictionary)?;
        let mut table = TableWriter::default();
        for block in self.records.chunks(RECORDS_PER_BLOCK) {
            let raw = block.concat();
            if raw.len() > MAX_BLOCK_BYTES {
                return Err(ShardError::TooLarge);
            }
            let frame = compressor.compress(&raw)?;
            let mut item = xxh3_64(&frame).to_le_bytes().to_vec();
            put_varint(&mut item, raw.len() as u64);
            put_bytes(&mut item, &frame);
            table.push(&item)?;
        }
        let mut meta = Vec::new();
        put_bytes(&mut meta, self.name.as_bytes());
        put_varint(&mut meta, self.records.len() as u64);
        let sections = [(META, meta), (DICT, dictionary), (BLOCKS, table.finish())];
        write_container(ShardKind::Texts, 0, created, &sections)
    }

    /// Evenly drawn records, as many as fit; none where there is too little to gain.
    fn dictionary(&self) -> Vec<u8> {
        let total: usize = self.records.iter().map(Vec::len).sum();
        if total < 8 * DICT_BYTES {
            return Vec::new();
        }
        let mut dictionary = Vec::with_capacity(DICT_BYTES);
        let step = total.div_ceil(DICT_BYTES).max(1);
        for record in self.records.iter().step_by(step) {
            let room = DICT_BYTES - dictionary.len();
            dictionary.extend_from_slice(record.get(..room.min(record.len())).unwrap_or_default());
        }
        dictionary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(count: usize) -> Vec<u8> {
        let mut writer = TextWriter::new("Debian");
        for n in 0..count {
            let details = format!("details of {n} ").repeat(n % 50);
            writer
                .add(
                    &format!("title {n}"),
                    &details,
                    &[format!("https://example.org/{n}")],
                )
                .unwrap();
        }
        writer.finish(7).unwrap()
    }

    #[test]
    fn every_record_is_read_back() {
        for count in [0, 1, 8, 9, 3_000] {
            let shard = TextShard::open(shard(count).into()).unwrap();
            shard.verify().unwrap();
            let mut cache = TextCache::default();
            for n in (0..count).step_by(7) {
                let record = shard.get(u32::try_from(n).unwrap(), &mut cache).unwrap();
                assert_eq!(record.title, format!("title {n}"));
                assert_eq!(record.references, [format!("https://example.org/{n}")]);
            }
            assert!(
                shard
                    .get(u32::try_from(count).unwrap(), &mut cache)
                    .is_err()
            );
        }
    }

    #[test]
    fn a_damaged_text_is_an_error_or_the_same_text() {
        let good = shard(20);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            let Ok(shard) = TextShard::open(bad.into()) else {
                continue;
            };
            assert!(shard.verify().is_err(), "byte {at}");
            let mut cache = TextCache::default();
            if let Ok(record) = shard.get(3, &mut cache) {
                assert_eq!(record.title, "title 3");
            }
        }
    }
}
