//! A sorted list of texts, front-coded: each stores how much it shares with the one before.
//!
//! Package names, versions and CVE ids of one ecosystem share most of their bytes. Every
//! eighth text is whole, so that a lookup decodes seven others at most.
//!
//! ```text
//! pool  := count(u32) table of blocks
//! block := whole text, then { shared(varint) suffix } up to seven times
//! ```

use std::cmp::Ordering;

use super::codec::{Cursor, Table, TableWriter, put_bytes, put_varint, u32_at};
use super::container::ShardError;

const BLOCK: u32 = 8;

/// A pool inside a section. Text numbers follow the sort order of the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool<'a> {
    count: u32,
    blocks: Table<'a>,
}

impl<'a> Pool<'a> {
    pub(super) fn parse(section: &'a [u8]) -> Result<Pool<'a>, ShardError> {
        let count = u32_at(section, 0)?;
        let blocks = Table::parse(section.get(4..).unwrap_or_default())?;
        if blocks.len() != count.div_ceil(BLOCK) {
            return Err(ShardError::Inconsistent(
                "pool has the wrong number of blocks",
            ));
        }
        Ok(Pool { count, blocks })
    }

    pub(super) fn len(&self) -> u32 {
        self.count
    }

    /// Decodes a text into `buffer`.
    pub(super) fn get<'b>(
        &self,
        index: u32,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b str, ShardError> {
        if index >= self.count {
            return Err(ShardError::Inconsistent("text number outside of its pool"));
        }
        let mut cursor = Cursor::new(self.blocks.get(index / BLOCK)?);
        buffer.clear();
        buffer.extend_from_slice(cursor.bytes()?);
        for _ in 0..index % BLOCK {
            step(&mut cursor, buffer)?;
        }
        std::str::from_utf8(buffer).map_err(|_| ShardError::Inconsistent("text is not UTF-8"))
    }

    /// The number of a text.
    pub(super) fn find(&self, text: &str) -> Result<Option<u32>, ShardError> {
        let wanted = text.as_bytes();
        // The last block whose first text is not above the wanted one.
        let (mut low, mut high) = (0, self.blocks.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if Cursor::new(self.blocks.get(middle)?).bytes()? <= wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(block) = low.checked_sub(1) else {
            return Ok(None);
        };
        let mut cursor = Cursor::new(self.blocks.get(block)?);
        let mut buffer = cursor.bytes()?.to_vec();
        let mut index = block * BLOCK;
        loop {
            match buffer.as_slice().cmp(wanted) {
                Ordering::Equal => return Ok((index < self.count).then_some(index)),
                Ordering::Greater => return Ok(None),
                Ordering::Less if cursor.is_empty() => return Ok(None),
                Ordering::Less => {
                    step(&mut cursor, &mut buffer)?;
                    index = index.saturating_add(1);
                }
            }
        }
    }

    /// Calls `see` with every text, in order.
    pub(super) fn for_each(&self, mut see: impl FnMut(u32, &str)) -> Result<(), ShardError> {
        let mut buffer = Vec::new();
        for block in 0..self.blocks.len() {
            let mut cursor = Cursor::new(self.blocks.get(block)?);
            buffer.clear();
            buffer.extend_from_slice(cursor.bytes()?);
            let first = block * BLOCK;
            for index in first..self.count.min(first.saturating_add(BLOCK)) {
                if index > first {
                    step(&mut cursor, &mut buffer)?;
                }
                let text = std::str::from_utf8(&buffer)
                    .map_err(|_| ShardError::Inconsistent("text is not UTF-8"))?;
                see(index, text);
            }
        }
        Ok(())
    }
}

fn step(cursor: &mut Cursor<'_>, buffer: &mut Vec<u8>) -> Result<(), ShardError> {
    let shared = usize::try_from(cursor.varint()?).unwrap_or(usize::MAX);
    if shared > buffer.len() {
        return Err(ShardError::Inconsistent("text shares more than there is"));
    }
    buffer.truncate(shared);
    buffer.extend_from_slice(cursor.bytes()?);
    Ok(())
}

/// Encodes texts, which must be sorted by bytes and free of doubles.
pub(super) fn write_pool<'t>(
    texts: impl ExactSizeIterator<Item = &'t str>,
) -> Result<Vec<u8>, ShardError> {
    let count = u32::try_from(texts.len()).map_err(|_| ShardError::TooLarge)?;
    let mut table = TableWriter::default();
    let mut block = Vec::new();
    let mut previous: &[u8] = &[];
    for (index, text) in texts.enumerate() {
        let text = text.as_bytes();
        if index % BLOCK as usize == 0 {
            if index > 0 {
                table.push(&block)?;
                block.clear();
            }
            put_bytes(&mut block, text);
        } else {
            let shared = previous
                .iter()
                .zip(text)
                .take_while(|(a, b)| a == b)
                .count();
            put_varint(&mut block, shared as u64);
            put_bytes(&mut block, text.get(shared..).unwrap_or_default());
        }
        previous = text;
    }
    if count > 0 {
        table.push(&block)?;
    }
    let mut section = count.to_le_bytes().to_vec();
    section.extend_from_slice(&table.finish());
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_found_under_its_number() {
        let mut texts: Vec<String> = (0..100).map(|n| format!("lib{}-{n}", n % 7)).collect();
        texts.sort_unstable();
        let section = write_pool(texts.iter().map(String::as_str)).unwrap();
        let pool = Pool::parse(&section).unwrap();
        let mut buffer = Vec::new();
        for (index, text) in (0u32..).zip(&texts) {
            assert_eq!(pool.get(index, &mut buffer).unwrap(), text);
            assert_eq!(pool.find(text).unwrap(), Some(index));
            assert_eq!(pool.find(&format!("{text}x")).unwrap(), None);
        }
        assert_eq!(pool.find("").unwrap(), None);
        assert!(pool.get(100, &mut buffer).is_err());
        let mut seen = Vec::new();
        pool.for_each(|_, text| seen.push(text.to_owned())).unwrap();
        assert_eq!(seen, texts);
    }

    #[test]
    fn an_empty_pool_holds_nothing() {
        let section = write_pool([].into_iter()).unwrap();
        assert_eq!(Pool::parse(&section).unwrap().find("a").unwrap(), None);
    }
}
