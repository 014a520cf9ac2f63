//! The range decoder of LZMA and BCJ2.

use crate::limits::Incomplete;

/// A probability of a zero bit, of 2048.
pub(crate) type Prob = u16;

/// What every probability begins as: even odds.
pub(crate) const EVEN: Prob = 1024;

const TOP: u32 = 1 << 24;

/// Reads bits by their probabilities.
#[derive(Debug)]
pub(crate) struct RangeDecoder<'a> {
    input: &'a [u8],
    at: usize,
    range: u32,
    code: u32,
}

impl<'a> RangeDecoder<'a> {
    /// Begins at the first five bytes, of which LZMA's first is always zero.
    pub fn new(input: &'a [u8]) -> Result<RangeDecoder<'a>, Incomplete> {
        let [_, a, b, c, d, ..] = *input else {
            return Err(Incomplete::TRUNCATED);
        };
        Ok(RangeDecoder {
            input,
            at: 5,
            range: u32::MAX,
            code: u32::from_be_bytes([a, b, c, d]),
        })
    }

    /// Whether more was read than there is. Zeros stand in for what is missing, so callers
    /// ask once per symbol.
    #[inline(always)]
    pub fn is_over(&self) -> bool {
        self.at > self.input.len()
    }

    #[inline(always)]
    fn normalise(&mut self) {
        if self.range < TOP {
            let byte = self.input.get(self.at).copied().unwrap_or_default();
            self.at += 1;
            self.range <<= 8;
            self.code = (self.code << 8) | u32::from(byte);
        }
    }

    /// One bit, whose probability learns.
    #[inline(always)]
    pub fn bit(&mut self, prob: &mut Prob) -> usize {
        let bound = (self.range >> 11) * u32::from(*prob);
        let bit = if self.code < bound {
            self.range = bound;
            *prob += (2048 - *prob) >> 5;
            0
        } else {
            self.range -= bound;
            self.code -= bound;
            *prob -= *prob >> 5;
            1
        };
        self.normalise();
        bit
    }

    /// Bits of even odds, the highest first.
    #[inline(always)]
    pub fn direct(&mut self, count: u32) -> u32 {
        let mut value = 0_u32;
        for _ in 0..count {
            self.range >>= 1;
            let bit = self.code >= self.range;
            if bit {
                self.code -= self.range;
            }
            value = (value << 1) | u32::from(bit);
            self.normalise();
        }
        value
    }

    /// A number of `bits` bits, the highest first. `N` is a power of two, at least 2^bits.
    #[inline(always)]
    pub fn tree<const N: usize>(&mut self, probs: &mut [Prob; N], bits: u32) -> usize {
        let mut symbol = 1_usize;
        for _ in 0..bits {
            symbol = (symbol << 1) | self.bit(&mut probs[symbol & (N - 1)]);
        }
        symbol - (1 << bits)
    }

    /// A number of `bits` bits, the lowest first, its probabilities from `base` on.
    #[inline(always)]
    pub fn reverse_tree<const N: usize>(
        &mut self,
        probs: &mut [Prob; N],
        base: usize,
        bits: u32,
    ) -> u32 {
        let (mut symbol, mut value) = (1_usize, 0_u32);
        for place in 0..bits {
            let bit = self.bit(&mut probs[(base + symbol) & (N - 1)]);
            symbol = (symbol << 1) | bit;
            value |= u32::from(bit == 1) << place;
        }
        value
    }
}
