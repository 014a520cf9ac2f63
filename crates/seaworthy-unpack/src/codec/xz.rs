//! xz: streams of blocks of LZMA2, with filters and checks.
//!
//! Follows "The .xz File Format" 1.2.1. Declared dictionary sizes are not needed (see
//! [`crate::codec::lzma`]). Of the checks CRC32 and CRC64 are verified, SHA-256 is passed over; the
//! index is passed over too, for it says nothing new.

use crate::bytes::Cursor;
use crate::codec::filters::Filter;
use crate::codec::lzma;
use crate::limits::Incomplete;
use crate::output::Output;

const MAGIC: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];

/// Bytes of each kind of check.
const CHECK_BYTES: [usize; 16] = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/// Unpacks the streams. What follows the last one and is none is no part of it.
pub(crate) fn unxz(input: &[u8], out: &mut Output) -> Result<(), Incomplete> {
    let mut cursor = Cursor::new(input);
    loop {
        stream(&mut cursor, out)?;
        // Streams may be padded with zeros, four at a time.
        let rest = cursor.rest();
        let zeros = rest.iter().position(|&b| b != 0).unwrap_or(rest.len());
        if !rest
            .get(zeros..)
            .is_some_and(|next| next.starts_with(MAGIC))
        {
            return Ok(());
        }
        cursor.skip(zeros)?;
    }
}

fn stream(cursor: &mut Cursor<'_>, out: &mut Output) -> Result<(), Incomplete> {
    let begin = cursor.position();
    if cursor.take(6)? != MAGIC {
        return Err(Incomplete::Damaged("not an xz header"));
    }
    let flags: [u8; 2] = cursor.array()?;
    if cursor.u32()? != crc32fast::hash(&flags) {
        return Err(Incomplete::Damaged("xz header"));
    }
    let check = usize::from(flags[1] & 15);
    while cursor.rest().first().is_some_and(|&first| first != 0) {
        block(cursor, begin, check, out)?;
    }
    // The index: zero, count, two numbers for each block, padding, checksum.
    cursor.skip(1)?;
    let blocks = variable(cursor)?;
    for _ in 0..blocks {
        variable(cursor)?;
        variable(cursor)?;
    }
    align(cursor, begin)?;
    // Its checksum, and the footer.
    cursor.skip(4 + 12)
}

fn align(cursor: &mut Cursor<'_>, begin: usize) -> Result<(), Incomplete> {
    let at = cursor.position() - begin;
    cursor.skip(at.next_multiple_of(4) - at)
}

fn block(
    cursor: &mut Cursor<'_>,
    begin: usize,
    check: usize,
    out: &mut Output,
) -> Result<(), Incomplete> {
    let header_size = cursor.rest().first().map_or(0, |&b| usize::from(b) * 4);
    let raw = cursor.take(header_size)?;
    let sum = cursor.u32()?;
    if crc32fast::hash(raw) != sum {
        return Err(Incomplete::Damaged("xz block header"));
    }
    let mut header = Cursor::at(raw, 1);
    let flags = header.u8()?;
    if flags & 0x40 != 0 {
        variable(&mut header)?;
    }
    if flags & 0x80 != 0 {
        variable(&mut header)?;
    }
    let mut filters = Vec::new();
    let count = usize::from(flags & 3) + 1;
    for number in 1..=count {
        let id = variable(&mut header)?;
        let length = variable(&mut header)?;
        let properties = header.take_u64(length)?;
        if number < count {
            let start = Cursor::new(properties).u32().unwrap_or_default();
            let filter = Filter::of(id, properties)?;
            let start = if matches!(filter, Filter::Delta(_)) {
                0
            } else {
                start
            };
            filters.push((filter, start));
        } else if id != 0x21 {
            return Err(Incomplete::unsupported(format!("xz filter {id:#x}")));
        }
    }
    let before = out.bytes.len();
    let done = lzma::lzma2(cursor.rest(), out);
    let fresh = out.bytes.get_mut(before..).unwrap_or_default();
    for (filter, start) in filters.into_iter().rev() {
        filter.undo(fresh, start);
    }
    cursor.skip(done?)?;
    align(cursor, begin)?;
    let stated = cursor.take(CHECK_BYTES.get(check).copied().unwrap_or_default())?;
    let matches = match check {
        1 => stated == crc32fast::hash(fresh).to_le_bytes(),
        4 => stated == crc64(fresh).to_le_bytes(),
        _ => true,
    };
    if matches {
        Ok(())
    } else {
        Err(Incomplete::Damaged("checksum does not match"))
    }
}

/// Seven bits a byte, the lowest first, nine bytes at most.
fn variable(cursor: &mut Cursor<'_>) -> Result<u64, Incomplete> {
    let mut value = 0_u64;
    for place in 0..9 {
        let byte = cursor.u8()?;
        value |= u64::from(byte & 0x7f) << (place * 7);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Incomplete::Damaged("number in an xz header"))
}

/// CRC-64 of ECMA-182, reflected, eight bytes at a time: byte by byte it would be a sixth of
/// the time that unpacking takes.
fn crc64(bytes: &[u8]) -> u64 {
    static TABLES: [[u64; 256]; 8] = tables();
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum = u64::MAX;
    for word in words {
        let mixed = (sum ^ u64::from_le_bytes(*word)).to_le_bytes();
        sum = 0;
        for (table, byte) in TABLES.iter().rev().zip(mixed) {
            sum ^= table[usize::from(byte)];
        }
    }
    for byte in rest {
        let [low, ..] = sum.to_le_bytes();
        sum = TABLES[0][usize::from(low ^ byte)] ^ (sum >> 8);
    }
    !sum
}

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut at = 0;
    while at < 256 {
        let mut sum = at as u64;
        let mut bit = 0;
        while bit < 64 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0xc96c_5795_d787_0f42
            } else {
                sum >> 1
            };
            bit += 1;
            // Each further table is the one before, a zero byte on.
            if bit % 8 == 0 {
                tables[bit / 8 - 1][at] = sum;
            }
        }
        at += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use lzma_rust2::{CheckType, FilterType, LzmaOptions, XzOptions};

    use super::crc64;
    use crate::testing::{code, eicar, lzma, prose, walk, walk_whole, xz};

    #[test]
    fn crc64_has_its_known_value() {
        assert_eq!(crc64(b"123456789"), 0x995d_c9bb_df19_39fa);
        assert_eq!(crc64(b"1234"), crc64_by_bits(b"1234"));
        let text = prose(1001);
        assert_eq!(crc64(&text), crc64_by_bits(&text));
    }

    fn crc64_by_bits(bytes: &[u8]) -> u64 {
        let mut sum = u64::MAX;
        for bit in bytes
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| u64::from(byte >> bit & 1)))
        {
            let out = (sum ^ bit) & 1;
            sum = (sum >> 1) ^ (0xc96c_5795_d787_0f42 * out);
        }
        !sum
    }

    #[test]
    fn every_filter_and_check_comes_out() {
        let machine = code(200_000);
        for filter in [
            FilterType::BcjX86,
            FilterType::BcjPpc,
            FilterType::BcjArm,
            FilterType::BcjArmThumb,
            FilterType::BcjSparc,
            FilterType::BcjArm64,
            FilterType::Delta,
        ] {
            let mut options = XzOptions::with_preset(1);
            let property = if filter == FilterType::Delta { 4 } else { 0 };
            options.prepend_pre_filter(filter, property);
            let seen = walk_whole(&xz(&machine, options));
            assert!(seen.bytes_of("content") == machine, "{filter:?}");
        }
        for check in [
            CheckType::None,
            CheckType::Crc32,
            CheckType::Crc64,
            CheckType::Sha256,
        ] {
            let mut options = XzOptions::with_preset(6);
            options.set_check_sum_type(check);
            assert!(walk_whole(&xz(&machine, options)).bytes_of("content") == machine);
        }
    }

    #[test]
    fn filters_that_are_not_undone_are_told() {
        let mut options = XzOptions::with_preset(1);
        options.prepend_pre_filter(FilterType::BcjIa64, 0);
        assert_eq!(
            walk(&xz(b"abc", options)).faults(),
            ["content: unsupported method: ia-64 filter"]
        );
    }

    #[test]
    fn blocks_and_streams_and_padding_are_one_file() {
        let text = prose(300_000);
        let mut options = XzOptions::with_preset(0);
        options.lzma_options.dict_size = 1 << 16;
        options.set_block_size(NonZeroU64::new(1 << 16));
        let mut bytes = xz(&text, options.clone());
        bytes.extend([0; 8]);
        bytes.extend(xz(&eicar(), options));
        bytes.extend(b"garbage");
        let seen = walk_whole(&bytes);
        assert!(seen.bytes_of("content") == [text, eicar()].concat());
    }

    #[test]
    fn a_declared_dictionary_of_four_gigabytes_costs_nothing() {
        let mut bytes = xz(&eicar(), XzOptions::with_preset(0));
        // Stream header of 12, then the block's: size, flags, filter, length, dictionary.
        assert_eq!(bytes[14..16], [0x21, 1]);
        let length = usize::from(bytes[12]) * 4;
        bytes[16] = 40;
        let sum = crc32fast::hash(&bytes[12..12 + length]).to_le_bytes();
        bytes[12 + length..16 + length].copy_from_slice(&sum);
        assert_eq!(walk_whole(&bytes).bytes_of("content"), eicar());
        let mut bytes = lzma(&eicar(), &LzmaOptions::with_preset(0), true);
        bytes[1..5].fill(0xff);
        assert_eq!(walk_whole(&bytes).bytes_of("content"), eicar());
    }

    #[test]
    fn a_false_check_is_told_and_the_bytes_are_shown() {
        let text = prose(1000);
        let mut bytes = xz(&text, XzOptions::with_preset(0));
        let index = bytes.len() - 12 - 4 * (1 + usize::from(bytes[bytes.len() - 8]));
        bytes[index - 1] ^= 1;
        let seen = walk(&bytes);
        assert_eq!(seen.faults(), ["content: damaged: checksum does not match"]);
        assert_eq!(seen.bytes_of("content"), text);
    }

    #[test]
    fn lzma_alone_with_and_without_its_length() {
        let text = prose(100_000);
        for (lc, lp, pb) in [(3, 0, 2), (0, 2, 0), (1, 3, 4), (4, 0, 0)] {
            let mut options = LzmaOptions::with_preset(4);
            (options.lc, options.lp, options.pb) = (lc, lp, pb);
            for known in [true, false] {
                let bytes = lzma(&text, &options, known);
                let mut seen = crate::testing::Recorder::default();
                // Only the usual properties are recognised without being asked for.
                let format = crate::Format::Lzma;
                crate::unpack(&bytes, format, &crate::Limits::default(), &mut seen);
                assert_eq!(seen.incomplete, []);
                assert!(seen.bytes_of("content") == text);
            }
        }
    }
}
