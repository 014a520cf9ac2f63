//! DEFLATE (RFC 1951) and what wraps it: gzip (RFC 1952), zlib (RFC 1950).
//!
//! The decoder is zlib-rs, by `flate2`. The image crate's own is a little faster and brings
//! the image crate's network along: it would have to move to a crate of its own first.

use flate2::{Decompress, FlushDecompress, Status};

use crate::bytes::Cursor;
use crate::limits::Incomplete;
use crate::output::Output;

/// Inflates a raw stream; says how many bytes of `input` it is long.
pub(crate) fn inflate(
    inflater: &mut Decompress,
    input: &[u8],
    out: &mut Output,
    hint: usize,
) -> Result<usize, Incomplete> {
    inflater.reset(false);
    let mut used = 0_usize;
    // Each round fills what the output has grown by, so that the clock is looked at.
    loop {
        out.grow(hint)?;
        let rest = input.get(used..).unwrap_or_default();
        let (before_in, before_out) = (inflater.total_in(), out.bytes.len());
        let status = inflater.decompress_vec(rest, &mut out.bytes, FlushDecompress::None);
        let eaten = usize::try_from(inflater.total_in() - before_in).unwrap_or(usize::MAX);
        used = used.saturating_add(eaten);
        match status {
            Err(_) => return Err(Incomplete::Damaged("deflate stream")),
            Ok(Status::StreamEnd) => return Ok(used),
            Ok(Status::Ok | Status::BufError) => {}
        }
        let stuck = eaten == 0 && out.bytes.len() == before_out;
        if stuck && out.bytes.len() < out.bytes.capacity() {
            return Err(Incomplete::TRUNCATED);
        }
        out.check_time()?;
    }
}

/// What a gzip member's header holds.
pub(crate) struct GzipHeader<'a> {
    /// Bytes.
    pub length: usize,
    /// Stored name, empty where there is none.
    pub name: &'a [u8],
}

/// Reads the header of a gzip member.
pub(crate) fn gzip_header(input: &[u8]) -> Result<GzipHeader<'_>, Incomplete> {
    let mut cursor = Cursor::new(input);
    let [first, second, method, flags] = cursor.array()?;
    if [first, second] != [0x1f, 0x8b] {
        return Err(Incomplete::Damaged("not a gzip header"));
    }
    if method != 8 {
        return Err(Incomplete::unsupported(format!("gzip method {method}")));
    }
    cursor.skip(6)?;
    if flags & 4 != 0 {
        let extra = cursor.u16()?;
        cursor.skip(usize::from(extra))?;
    }
    let mut name = &[][..];
    if flags & 8 != 0 {
        name = zero_ended(&mut cursor)?;
    }
    if flags & 16 != 0 {
        zero_ended(&mut cursor)?;
    }
    if flags & 2 != 0 {
        cursor.skip(2)?;
    }
    Ok(GzipHeader {
        length: cursor.position(),
        name,
    })
}

fn zero_ended<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Incomplete> {
    let length = memchr::memchr(0, cursor.rest()).ok_or(Incomplete::TRUNCATED)?;
    let text = cursor.take(length)?;
    cursor.skip(1)?;
    Ok(text)
}

/// Inflates the members of a gzip file one behind the other. What follows the last one and
/// is none is no part of it, as `gzip` has it.
pub(crate) fn gunzip(
    inflater: &mut Decompress,
    input: &[u8],
    out: &mut Output,
) -> Result<(), Incomplete> {
    let mut rest = input;
    loop {
        let header = gzip_header(rest)?;
        let body = rest.get(header.length..).unwrap_or_default();
        let before = out.bytes.len();
        let used = inflate(inflater, body, out, body.len().saturating_mul(3))?;
        let mut trailer = Cursor::at(body, used);
        let (sum, length) = (trailer.u32()?, trailer.u32()?);
        let fresh = out.bytes.get(before..).unwrap_or_default();
        // The length is stored modulo 2^32.
        let fresh_length = u64::try_from(fresh.len()).unwrap_or(u64::MAX) & 0xffff_ffff;
        if crc32fast::hash(fresh) != sum || fresh_length != u64::from(length) {
            return Err(Incomplete::Damaged("checksum does not match"));
        }
        rest = trailer.rest();
        if !rest.starts_with(&[0x1f, 0x8b, 8]) {
            return Ok(());
        }
    }
}

/// Inflates a zlib stream.
pub(crate) fn unzlib(
    inflater: &mut Decompress,
    input: &[u8],
    out: &mut Output,
) -> Result<usize, Incomplete> {
    let [method, flags] = Cursor::new(input).array()?;
    if method & 15 != 8 || u16::from_be_bytes([method, flags]) % 31 != 0 {
        return Err(Incomplete::Damaged("not a zlib header"));
    }
    if flags & 0x20 != 0 {
        return Err(Incomplete::unsupported("zlib with a preset dictionary"));
    }
    let body = input.get(2..).unwrap_or_default();
    let before = out.bytes.len();
    let used = inflate(inflater, body, out, body.len().saturating_mul(3))?;
    let mut trailer = Cursor::at(body, used);
    let sum = trailer.u32_be()?;
    if adler32(out.bytes.get(before..).unwrap_or_default()) != sum {
        return Err(Incomplete::Damaged("checksum does not match"));
    }
    Ok(2 + trailer.position())
}

/// The checksum of RFC 1950.
fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    // The most bytes after which neither sum has overflowed.
    for piece in bytes.chunks(5552) {
        for &byte in piece {
            low += u32::from(byte);
            high += low;
        }
        low %= 65521;
        high %= 65521;
    }
    (high << 16) | low
}
