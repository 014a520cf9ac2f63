//! The gzip format (RFC 1952): members one after the other, each a header, DEFLATE data and
//! a trailer with checksum and length.
//!
//! ```text
//! 1f 8b 08 flags time(4) xfl os | extra: length(2) bytes | name 00 | comment 00 | crc(2)
//! DEFLATE data
//! crc32(4) length modulo 2^32(4)
//! ```
//!
//! After the last member zeros may follow (tapes and disks pad), as the gzip program allows
//! them. Anything else there is not decoded and not an error: it is
//! [`GzipReader::trailing_garbage`].

use std::io::{self, BufRead, Read};

use super::InflateError;
use super::stream::{Framing, Next, Stream};

const FLAG_HEADER_CRC: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;
const RESERVED_FLAGS: u8 = 0b1110_0000;

/// Decodes gzip, all members of it, in constant memory (about 360 KiB).
///
/// As [`BufRead`] it lends its own window, up to 220 KiB at a time, without a copy.
/// Errors are [`InflateError`]s inside [`io::Error`]s and come after everything that was
/// decoded before them; reading on gives the same error again. Errors of the inner reader
/// are passed on, and reading may be tried again.
#[derive(Debug)]
pub struct GzipReader<R>(Stream<R, Gzip>);

impl<R: Read> GzipReader<R> {
    /// A reader of the gzip file that `inner` gives. No other buffering is needed.
    pub fn new(inner: R) -> GzipReader<R> {
        GzipReader(Stream::new(inner, Gzip::default()))
    }

    /// Compressed bytes used so far.
    pub fn compressed_bytes(&self) -> u64 {
        self.0.source().used()
    }

    /// Decoded bytes given out so far.
    pub fn decoded_bytes(&self) -> u64 {
        self.0.total()
    }

    /// Members read to their end, checksum included.
    pub fn members(&self) -> u64 {
        self.0.framing().members
    }

    /// Whether something other than zeros or a further member follows the last member;
    /// known once reading gave the end.
    pub fn trailing_garbage(&self) -> bool {
        self.0.framing().garbage
    }

    /// The inner reader, which is ahead of what was decoded.
    pub fn get_ref(&self) -> &R {
        self.0.source().get_ref()
    }

    /// The inner reader, which is ahead of what was decoded. Reading from it loses data.
    pub fn get_mut(&mut self) -> &mut R {
        self.0.source_mut().get_mut()
    }

    /// The inner reader, without what was read from it and not decoded.
    pub fn into_inner(self) -> R {
        self.0.into_inner()
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl<R: Read> BufRead for GzipReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill()
    }

    fn consume(&mut self, n: usize) {
        self.0.consume(n);
    }
}

/// What the next byte outside the DEFLATE data is.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// One of the ten bytes that every header has.
    Fixed {
        have: usize,
    },
    ExtraLength {
        have: usize,
    },
    Extra {
        left: u16,
    },
    Name,
    Comment,
    HeaderCrc {
        have: usize,
    },
    Trailer {
        have: usize,
    },
    /// Behind a member.
    After,
    /// Behind a member and a first byte of the magic number.
    HalfMagic,
    /// Among zeros behind the last member.
    Padding,
}

#[derive(Debug)]
struct Gzip {
    part: Part,
    /// The number that is being read, as it lies in the file.
    bytes: [u8; 10],
    flags: u8,
    header_crc: crc32fast::Hasher,
    crc: crc32fast::Hasher,
    /// Bytes of the member so far.
    length: u64,
    members: u64,
    garbage: bool,
}

impl Default for Gzip {
    fn default() -> Gzip {
        Gzip {
            part: Part::Fixed { have: 0 },
            bytes: [0; 10],
            flags: 0,
            header_crc: crc32fast::Hasher::new(),
            crc: crc32fast::Hasher::new(),
            length: 0,
            members: 0,
            garbage: false,
        }
    }
}

impl Gzip {
    /// Keeps byte number `have` of a number.
    fn keep(&mut self, have: usize, byte: u8) -> usize {
        if let Some(slot) = self.bytes.get_mut(have) {
            *slot = byte;
        }
        have + 1
    }

    fn fixed(&mut self, have: usize, byte: u8) -> Result<Next, InflateError> {
        let have = self.keep(have, byte);
        self.part = Part::Fixed { have };
        match have {
            1 if byte != 0x1f => return Err(InflateError::NotGzip),
            2 if byte != 0x8b => return Err(InflateError::NotGzip),
            3 if byte != 8 => return Err(InflateError::Method),
            4 if byte & RESERVED_FLAGS != 0 => return Err(InflateError::ReservedFlags),
            4 => self.flags = byte,
            10 => {
                self.header_crc.reset();
                self.header_crc.update(&self.bytes);
                return Ok(self.after_fixed());
            }
            _ => {}
        }
        Ok(Next::Byte)
    }

    fn after_fixed(&mut self) -> Next {
        if self.flags & FLAG_EXTRA != 0 {
            self.part = Part::ExtraLength { have: 0 };
            return Next::Byte;
        }
        self.after_extra()
    }

    fn after_extra(&mut self) -> Next {
        if self.flags & FLAG_NAME != 0 {
            self.part = Part::Name;
            return Next::Byte;
        }
        self.after_name()
    }

    fn after_name(&mut self) -> Next {
        if self.flags & FLAG_COMMENT != 0 {
            self.part = Part::Comment;
            return Next::Byte;
        }
        self.after_comment()
    }

    fn after_comment(&mut self) -> Next {
        if self.flags & FLAG_HEADER_CRC != 0 {
            self.part = Part::HeaderCrc { have: 0 };
            return Next::Byte;
        }
        self.body()
    }

    fn body(&mut self) -> Next {
        self.crc.reset();
        self.length = 0;
        Next::Body
    }

    fn trailer(&mut self) -> Result<Next, InflateError> {
        let [c0, c1, c2, c3, l0, l1, l2, l3, ..] = self.bytes;
        if u32::from_le_bytes([c0, c1, c2, c3]) != self.crc.clone().finalize() {
            return Err(InflateError::Checksum);
        }
        // The trailer holds the length modulo 2^32.
        if u64::from(u32::from_le_bytes([l0, l1, l2, l3])) != self.length & 0xffff_ffff {
            return Err(InflateError::Length);
        }
        self.members += 1;
        self.part = Part::After;
        Ok(Next::Byte)
    }

    fn garbage(&mut self) -> Next {
        self.garbage = true;
        Next::End
    }
}

impl Framing for Gzip {
    const FIRST: Next = Next::Byte;

    fn byte(&mut self, byte: Option<u8>) -> Result<Next, InflateError> {
        let Some(byte) = byte else {
            return match self.part {
                Part::After | Part::Padding => Ok(Next::End),
                Part::HalfMagic => Ok(self.garbage()),
                _ => Err(InflateError::Truncated),
            };
        };
        if self.flags & FLAG_HEADER_CRC != 0
            && matches!(
                self.part,
                Part::ExtraLength { .. } | Part::Extra { .. } | Part::Name | Part::Comment
            )
        {
            self.header_crc.update(&[byte]);
        }
        Ok(match self.part {
            Part::Fixed { have } => return self.fixed(have, byte),
            Part::ExtraLength { have } => match self.keep(have, byte) {
                2 => match u16::from_le_bytes([self.bytes[0], self.bytes[1]]) {
                    0 => self.after_extra(),
                    left => {
                        self.part = Part::Extra { left };
                        Next::Byte
                    }
                },
                have => {
                    self.part = Part::ExtraLength { have };
                    Next::Byte
                }
            },
            Part::Extra { left: 0 | 1 } => self.after_extra(),
            Part::Extra { left } => {
                self.part = Part::Extra { left: left - 1 };
                Next::Byte
            }
            Part::Name if byte == 0 => self.after_name(),
            Part::Comment if byte == 0 => self.after_comment(),
            Part::Name | Part::Comment => Next::Byte,
            Part::HeaderCrc { have } => match self.keep(have, byte) {
                2 => {
                    let said = u16::from_le_bytes([self.bytes[0], self.bytes[1]]);
                    if u32::from(said) != self.header_crc.clone().finalize() & 0xffff {
                        return Err(InflateError::HeaderCrc);
                    }
                    self.body()
                }
                have => {
                    self.part = Part::HeaderCrc { have };
                    Next::Byte
                }
            },
            Part::Trailer { have } => match self.keep(have, byte) {
                8 => return self.trailer(),
                have => {
                    self.part = Part::Trailer { have };
                    Next::Byte
                }
            },
            Part::After if byte == 0x1f => {
                self.part = Part::HalfMagic;
                Next::Byte
            }
            Part::HalfMagic if byte == 0x8b => {
                self.bytes[..2].copy_from_slice(&[0x1f, 0x8b]);
                self.part = Part::Fixed { have: 2 };
                Next::Byte
            }
            Part::After | Part::Padding if byte == 0 => {
                self.part = Part::Padding;
                Next::Byte
            }
            Part::After | Part::HalfMagic | Part::Padding => self.garbage(),
        })
    }

    fn decoded(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.length += bytes.len() as u64;
    }

    fn body_end(&mut self) -> Next {
        self.part = Part::Trailer { have: 0 };
        Next::Byte
    }
}
