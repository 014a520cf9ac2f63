//! DEFLATE data without a wrapper (RFC 1951), and in the zlib one (RFC 1950): two bytes of
//! header, the data, and an Adler-32 checksum, high byte first.

use std::io::{self, BufRead, Read};

use super::InflateError;
use super::stream::{Framing, Next, Stream};

/// Decodes one raw DEFLATE or zlib stream in constant memory (about 360 KiB).
///
/// Reads and fails as [`super::GzipReader`] does. What follows the stream is not looked at.
#[derive(Debug)]
pub struct InflateReader<R>(Inner<R>);

#[derive(Debug)]
enum Inner<R> {
    Raw(Stream<R, Raw>),
    Zlib(Stream<R, Zlib>),
}

macro_rules! either {
    ($inner:expr, $stream:ident => $call:expr) => {
        match $inner {
            Inner::Raw($stream) => $call,
            Inner::Zlib($stream) => $call,
        }
    };
}

impl<R: Read> InflateReader<R> {
    /// A reader of raw DEFLATE data, as zip archives hold it: no checksum is in it.
    pub fn raw(inner: R) -> InflateReader<R> {
        InflateReader(Inner::Raw(Stream::new(inner, Raw)))
    }

    /// A reader of the zlib format.
    pub fn zlib(inner: R) -> InflateReader<R> {
        InflateReader(Inner::Zlib(Stream::new(inner, Zlib::default())))
    }

    /// Compressed bytes used so far: after the end, the length of the stream.
    pub fn compressed_bytes(&self) -> u64 {
        either!(&self.0, stream => stream.source().used())
    }

    /// Decoded bytes given out so far.
    pub fn decoded_bytes(&self) -> u64 {
        either!(&self.0, stream => stream.total())
    }

    /// The inner reader, which is ahead of what was decoded.
    pub fn get_ref(&self) -> &R {
        either!(&self.0, stream => stream.source().get_ref())
    }

    /// The inner reader, without what was read from it and not decoded.
    pub fn into_inner(self) -> R {
        either!(self.0, stream => stream.into_inner())
    }
}

impl<R: Read> Read for InflateReader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        either!(&mut self.0, stream => stream.read(to))
    }
}

impl<R: Read> BufRead for InflateReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        either!(&mut self.0, stream => stream.fill())
    }

    fn consume(&mut self, n: usize) {
        either!(&mut self.0, stream => stream.consume(n));
    }
}

#[derive(Debug)]
struct Raw;

impl Framing for Raw {
    const FIRST: Next = Next::Body;

    fn byte(&mut self, _: Option<u8>) -> Result<Next, InflateError> {
        Ok(Next::End)
    }

    fn decoded(&mut self, _: &[u8]) {}

    fn body_end(&mut self) -> Next {
        Next::End
    }
}

#[derive(Debug)]
struct Zlib {
    in_trailer: bool,
    have: usize,
    bytes: [u8; 4],
    adler: Adler32,
}

impl Default for Zlib {
    fn default() -> Zlib {
        Zlib {
            in_trailer: false,
            have: 0,
            bytes: [0; 4],
            adler: Adler32 { low: 1, high: 0 },
        }
    }
}

impl Framing for Zlib {
    const FIRST: Next = Next::Byte;

    fn byte(&mut self, byte: Option<u8>) -> Result<Next, InflateError> {
        let byte = byte.ok_or(InflateError::Truncated)?;
        if let Some(slot) = self.bytes.get_mut(self.have) {
            *slot = byte;
        }
        self.have += 1;
        match (self.in_trailer, self.have) {
            (false, 2) => {
                let [method, flags, ..] = self.bytes;
                if !u16::from_be_bytes([method, flags]).is_multiple_of(31) {
                    return Err(InflateError::NotZlib);
                }
                if method & 15 != 8 || method >> 4 > 7 {
                    return Err(InflateError::Method);
                }
                if flags & 0x20 != 0 {
                    return Err(InflateError::Dictionary);
                }
                Ok(Next::Body)
            }
            (true, 4) => {
                let matches = u32::from_be_bytes(self.bytes) == self.adler.value();
                if matches {
                    Ok(Next::End)
                } else {
                    Err(InflateError::Checksum)
                }
            }
            _ => Ok(Next::Byte),
        }
    }

    fn decoded(&mut self, bytes: &[u8]) {
        self.adler.update(bytes);
    }

    fn body_end(&mut self) -> Next {
        self.in_trailer = true;
        self.have = 0;
        Next::Byte
    }
}

/// The checksum of the zlib format (RFC 1950, section 8.2).
#[derive(Debug)]
struct Adler32 {
    low: u32,
    high: u32,
}

impl Adler32 {
    const MODULUS: u32 = 65_521;
    /// Bytes after which the sums must be reduced before they pass 32 bits.
    const RUN: usize = 5552;

    fn update(&mut self, bytes: &[u8]) {
        for run in bytes.chunks(Self::RUN) {
            for &byte in run {
                self.low += u32::from(byte);
                self.high += self.low;
            }
            self.low %= Self::MODULUS;
            self.high %= Self::MODULUS;
        }
    }

    fn value(&self) -> u32 {
        self.high << 16 | self.low
    }
}
