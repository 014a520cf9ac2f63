//! Reading of numbers and pieces from a slice, each step checked.

use crate::limits::Incomplete;

/// A place in a slice.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    /// A cursor at byte `at`; past the end every read fails.
    pub fn at(bytes: &'a [u8], at: usize) -> Cursor<'a> {
        Cursor { bytes, at }
    }

    pub fn position(&self) -> usize {
        self.at
    }

    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Incomplete> {
        let end = self.at.checked_add(count).ok_or(Incomplete::TRUNCATED)?;
        let taken = self.bytes.get(self.at..end).ok_or(Incomplete::TRUNCATED)?;
        self.at = end;
        Ok(taken)
    }

    /// `take` for a count that an archive gives.
    pub fn take_u64(&mut self, count: u64) -> Result<&'a [u8], Incomplete> {
        self.take(size(count)?)
    }

    pub fn skip(&mut self, count: usize) -> Result<(), Incomplete> {
        self.take(count).map(|_| ())
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Incomplete> {
        self.take(N)?.try_into().map_err(|_| Incomplete::TRUNCATED)
    }

    pub fn u8(&mut self) -> Result<u8, Incomplete> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub fn u16(&mut self) -> Result<u16, Incomplete> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Incomplete> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, Incomplete> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn u32_be(&mut self) -> Result<u32, Incomplete> {
        Ok(u32::from_be_bytes(self.array()?))
    }
}

/// A number from an archive as a length in memory.
pub(crate) fn size(number: u64) -> Result<usize, Incomplete> {
    usize::try_from(number).map_err(|_| Incomplete::TRUNCATED)
}
