//! Numbers and texts inside sections: LEB128 varints, and tables of offsets.

use super::container::ShardError;

/// Appends an unsigned varint: seven bits a byte, lowest first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0x7f);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a length and the bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads a section front to back; every step checks that the bytes are there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, ShardError> {
        let (first, rest) = self
            .rest
            .split_first()
            .ok_or(ShardError::Inconsistent("short section"))?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ShardError> {
        let (head, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(ShardError::Inconsistent("short section"))?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn varint(&mut self) -> Result<u64, ShardError> {
        let mut value = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ShardError::Inconsistent("number too long"))
    }

    pub(super) fn u32(&mut self) -> Result<u32, ShardError> {
        u32::try_from(self.varint()?).map_err(|_| ShardError::Inconsistent("number too large"))
    }

    /// A count of things of at least one byte each, so never more than the bytes left.
    pub(super) fn count(&mut self) -> Result<usize, ShardError> {
        let count = usize::try_from(self.varint()?)
            .map_err(|_| ShardError::Inconsistent("number too large"))?;
        if count > self.rest.len() {
            return Err(ShardError::Inconsistent("count larger than its section"));
        }
        Ok(count)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], ShardError> {
        let count = self.count()?;
        self.take(count)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, ShardError> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|_| ShardError::Inconsistent("text is not UTF-8"))
    }
}

/// A fixed-width little-endian number at an offset.
pub(super) fn u32_at(bytes: &[u8], index: usize) -> Result<u32, ShardError> {
    let start = index.checked_mul(4);
    let chunk = start
        .and_then(|start| bytes.get(start..start.checked_add(4)?))
        .and_then(|chunk| chunk.first_chunk::<4>())
        .ok_or(ShardError::Inconsistent("offset outside of its table"))?;
    Ok(u32::from_le_bytes(*chunk))
}

/// A list of variable-length items: `count(u32) end(u32)*count bytes`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    ends: &'a [u8],
    bytes: &'a [u8],
    count: u32,
}

impl<'a> Table<'a> {
    pub(super) fn parse(section: &'a [u8]) -> Result<Table<'a>, ShardError> {
        let count = u32_at(section, 0)?;
        let short = ShardError::Inconsistent("table larger than its section");
        let ends_len = (count as usize).checked_mul(4);
        let Some((ends, bytes)) = ends_len.and_then(|len| section.get(4..)?.split_at_checked(len))
        else {
            return Err(short);
        };
        Ok(Table { ends, bytes, count })
    }

    pub(super) fn len(&self) -> u32 {
        self.count
    }

    pub(super) fn get(&self, index: u32) -> Result<&'a [u8], ShardError> {
        let index = index as usize;
        let start = match index.checked_sub(1) {
            Some(before) => u32_at(self.ends, before)?,
            None => 0,
        };
        let end = u32_at(self.ends, index)?;
        self.bytes
            .get(start as usize..end as usize)
            .ok_or(ShardError::Inconsistent("offset outside of its table"))
    }
}

/// Builds a [`Table`].
#[derive(Debug, Default)]
pub(super) struct TableWriter {
    ends: Vec<u8>,
    bytes: Vec<u8>,
    count: u32,
}

impl TableWriter {
    pub(super) fn push(&mut self, item: &[u8]) -> Result<(), ShardError> {
        self.bytes.extend_from_slice(item);
        let end = u32::try_from(self.bytes.len()).map_err(|_| ShardError::TooLarge)?;
        self.ends.extend_from_slice(&end.to_le_bytes());
        self.count = self.count.checked_add(1).ok_or(ShardError::TooLarge)?;
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut section = self.count.to_le_bytes().to_vec();
        section.extend_from_slice(&self.ends);
        section.extend_from_slice(&self.bytes);
        section
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_and_end() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), (1 << 62) - 1] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut cursor = Cursor::new(&out);
            assert_eq!(cursor.varint().unwrap(), value);
            assert!(cursor.is_empty());
        }
        assert!(Cursor::new(&[0x80; 20]).varint().is_err());
        assert!(Cursor::new(&[0x80]).varint().is_err());
    }

    #[test]
    fn a_table_gives_back_its_items_and_nothing_beyond() {
        let mut writer = TableWriter::default();
        for item in [&b"one"[..], b"", b"three"] {
            writer.push(item).unwrap();
        }
        let section = writer.finish();
        let table = Table::parse(&section).unwrap();
        assert_eq!(table.get(0).unwrap(), b"one");
        assert_eq!(table.get(1).unwrap(), b"");
        assert_eq!(table.get(2).unwrap(), b"three");
        assert!(table.get(3).is_err());
        for len in 0..section.len() {
            let _ = Table::parse(&section[..len]).map(|table| table.get(2).is_err());
        }
    }
}
