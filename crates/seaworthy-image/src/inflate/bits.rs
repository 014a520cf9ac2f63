//! Bytes in, bits out: the input buffer and the 64-bit bit buffer behind it.
//!
//! DEFLATE packs codes from the lowest bit of each byte upwards (RFC 1951, section 3.1.1),
//! so a little-endian load of eight bytes puts the next bit lowest. Bytes once loaded stay
//! in the bit buffer, also across input buffers: there is no putting back, and whatever
//! follows a DEFLATE stream (a gzip trailer, the next member) is read through the same
//! buffer.

use std::io::{self, Read};

/// Bytes of compressed input held at a time.
const INPUT_BYTES: usize = 64 << 10;

/// Bits loaded and not yet used, the next one lowest.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BitBuffer {
    /// The bits; zero above `count`.
    pub bits: u64,
    /// How many of them there are, at most 63.
    pub count: u32,
}

impl BitBuffer {
    /// Loads whole bytes until 56 bits or more are there, or `input` ends.
    pub fn fill(&mut self, input: &[u8], pos: &mut usize) {
        if let Some(chunk) = input.get(*pos..).and_then(|rest| rest.first_chunk::<8>()) {
            self.bits |= u64::from_le_bytes(*chunk) << self.count;
            *pos += (63 - self.count as usize) >> 3;
            self.count |= 56;
            self.bits &= (1 << self.count) - 1;
            return;
        }
        while self.count < 56
            && let Some(&byte) = input.get(*pos)
        {
            self.bits |= u64::from(byte) << self.count;
            self.count += 8;
            *pos += 1;
        }
    }

    /// Drops `n` bits, of which the caller knows that they are there.
    pub fn consume(&mut self, n: u32) {
        self.bits >>= n;
        self.count -= n;
    }

    /// The next `n` bits (at most 32), or `None`, using nothing, where input is short.
    pub fn take(&mut self, n: u32, input: &[u8], pos: &mut usize) -> Option<u32> {
        if self.count < n {
            self.fill(input, pos);
            if self.count < n {
                return None;
            }
        }
        let value = (self.bits & ((1 << n) - 1) & 0xffff_ffff) as u32;
        self.consume(n);
        Some(value)
    }

    /// Drops the bits up to the next byte boundary.
    pub fn align(&mut self) {
        self.consume(self.count & 7);
    }
}

/// A reader and the part of its bytes that is not used yet.
#[derive(Debug)]
pub(super) struct Source<R> {
    inner: R,
    buffer: Box<[u8]>,
    /// First unused byte in `buffer`.
    pos: usize,
    /// End of what was read.
    end: usize,
    /// Bytes got from `inner`.
    total: u64,
    /// The bits taken from `buffer` and not used.
    pub bits: BitBuffer,
}

impl<R: Read> Source<R> {
    pub fn new(inner: R) -> Source<R> {
        Source {
            inner,
            buffer: vec![0; INPUT_BYTES].into_boxed_slice(),
            pos: 0,
            end: 0,
            total: 0,
            bits: BitBuffer::default(),
        }
    }

    /// Reads more once everything is used. `false` means the end of the input.
    pub fn read_more(&mut self) -> io::Result<bool> {
        if self.pos < self.end {
            return Ok(true);
        }
        loop {
            match self.inner.read(&mut self.buffer) {
                Ok(n) => {
                    (self.pos, self.end) = (0, n.min(self.buffer.len()));
                    self.total += self.end as u64;
                    return Ok(self.end > 0);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Lets `work` use unused bytes; it moves the position it is given.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut BitBuffer, &[u8], &mut usize) -> T) -> T {
        let input = self.buffer.get(..self.end).unwrap_or_default();
        work(&mut self.bits, input, &mut self.pos)
    }

    /// The next byte, at a byte boundary; `None` at the end of the input.
    pub fn next_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            if let Some(byte) = self.with(|bits, input, pos| bits.take(8, input, pos)) {
                return Ok(Some((byte & 0xff) as u8));
            }
            if !self.read_more()? {
                return Ok(None);
            }
        }
    }

    /// Bytes used so far, counting one begun as used.
    pub fn used(&self) -> u64 {
        self.total - (self.end - self.pos) as u64 - u64::from(self.bits.count / 8)
    }

    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    pub fn into_inner(self) -> R {
        self.inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_lowest_first_across_short_inputs() {
        let mut bits = BitBuffer::default();
        let mut pos = 0;
        assert_eq!(bits.take(3, &[0b1010_1101], &mut pos), Some(0b101));
        assert_eq!(bits.take(7, &[0b1010_1101], &mut pos), None);
        pos = 0;
        assert_eq!(bits.take(7, &[0b0000_0011], &mut pos), Some(0b11_10101));
        bits.align();
        assert_eq!((bits.bits, bits.count), (0, 0));
    }

    #[test]
    fn what_was_loaded_and_not_used_does_not_count_as_used() {
        let data: Vec<u8> = (0..100).collect();
        let mut source = Source::new(&data[..]);
        assert_eq!(source.next_byte().unwrap(), Some(0));
        assert_eq!(source.used(), 1);
        for expected in 1..100 {
            assert_eq!(source.next_byte().unwrap(), Some(expected));
        }
        assert_eq!(source.next_byte().unwrap(), None);
        assert_eq!(source.used(), 100);
    }
}
