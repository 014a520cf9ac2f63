//! Bits, the lowest first, and the codes read from them: what DEFLATE64 and implode share.
//!
//! Codes are decoded bit by bit: both methods are rare, and so small and plain is better
//! than fast.

use crate::limits::Incomplete;

/// The longest code of either method.
const LONGEST: usize = 16;

/// Reads bits.
#[derive(Debug)]
pub(crate) struct Bits<'a> {
    input: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> Bits<'a> {
    pub fn new(input: &'a [u8]) -> Bits<'a> {
        Bits { input, at: 0 }
    }

    #[inline]
    pub fn bit(&mut self) -> Result<u32, Incomplete> {
        let byte = self.input.get(self.at / 8).ok_or(Incomplete::TRUNCATED)?;
        let bit = (byte >> (self.at % 8)) & 1;
        self.at += 1;
        Ok(u32::from(bit))
    }

    /// A number of up to 16 bits.
    pub fn number(&mut self, bits: u32) -> Result<usize, Incomplete> {
        let mut value = 0;
        for place in 0..bits {
            if self.bit()? == 1 {
                value |= 1 << place;
            }
        }
        Ok(value)
    }

    /// Goes on at the next whole byte.
    pub fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// Bytes used so far, a begun one too.
    pub fn bytes_used(&self) -> usize {
        self.at.div_ceil(8)
    }

    /// Whole bytes, after [`Bits::align`].
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Incomplete> {
        let start = self.bytes_used();
        let rest = self.input.get(start..).unwrap_or_default();
        let taken = rest.get(..count).ok_or(Incomplete::TRUNCATED)?;
        self.at += count * 8;
        Ok(taken)
    }
}

/// A canonical code: symbols by the lengths of their codes.
#[derive(Debug)]
pub(crate) struct Code {
    /// Codes of each length.
    counts: [u32; LONGEST + 1],
    /// By code.
    symbols: Vec<usize>,
    /// What a bit is turned by: implode writes them upside down.
    turn: u32,
}

impl Code {
    /// For the lengths of all symbols, zero for those without a code. Too many codes of a
    /// length are damage; too few are found when a missing one is read.
    pub fn new(lengths: &[u8], turn: u32) -> Result<Code, Incomplete> {
        let mut counts = [0_u32; LONGEST + 1];
        for &length in lengths {
            match counts.get_mut(usize::from(length)) {
                Some(count) => *count += 1,
                None => return Err(Incomplete::Damaged("code lengths")),
            }
        }
        counts[0] = 0;
        let mut left = 1_i64;
        for &count in &counts[1..] {
            left = left * 2 - i64::from(count);
            if left < 0 {
                return Err(Incomplete::Damaged("code lengths"));
            }
        }
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|&s| lengths[s] > 0).collect();
        symbols.sort_by_key(|&symbol| lengths[symbol]);
        Ok(Code {
            counts,
            symbols,
            turn,
        })
    }

    /// Reads a symbol.
    pub fn read(&self, bits: &mut Bits<'_>) -> Result<usize, Incomplete> {
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for &count in &self.counts[1..] {
            code |= bits.bit()? ^ self.turn;
            if code < first + count {
                let at = usize::try_from(index + (code - first)).unwrap_or(usize::MAX);
                return self
                    .symbols
                    .get(at)
                    .copied()
                    .ok_or(Incomplete::Damaged("code"));
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(Incomplete::Damaged("code"))
    }
}
