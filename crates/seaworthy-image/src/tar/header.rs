//! The 512-byte header block, in its dialects (POSIX.1-2024 pax "ustar Interchange
//! Format"; GNU tar manual, "Basic Tar Format"; star's trailer).
//!
//! ```text
//!   0 name 100      108 uid 8    124 size 12    148 checksum 8   157 link name 100
//! 100 mode 8        116 gid 8    136 mtime 12   156 type 1       257 magic 6, version 2
//! 329 major 8       337 minor 8
//! 345 prefix 155 (ustar) | prefix 131 … "tar\0" at 508 (star)
//!     atime 12, ctime 12, …, sparse map 386, "extended" 482, real size 483 (GNU)
//! ```

/// Size of a header and the unit of everything in an archive.
pub(crate) const BLOCK: usize = 512;

/// One header block.
pub(crate) type Block = [u8; BLOCK];

/// Which dialect a header is written in; it decides what lies behind byte 345.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    V7,
    Ustar,
    Star,
    Gnu,
}

pub(super) fn dialect(block: &Block) -> Dialect {
    match &block[257..265] {
        b"ustar  \0" => Dialect::Gnu,
        magic if magic.starts_with(b"ustar\0") => {
            if &block[508..512] == b"tar\0" {
                Dialect::Star
            } else {
                Dialect::Ustar
            }
        }
        _ => Dialect::V7,
    }
}

/// Whether the checksum fits. Some old writers summed signed bytes: both sums are taken.
pub(super) fn checksum_fits(block: &Block) -> bool {
    let Some(stated) = number(&block[148..156]) else {
        return false;
    };
    // The field itself counts as blanks.
    let field = &block[148..156];
    let sum = |bytes: &[u8]| bytes.iter().map(|&b| i64::from(b)).sum::<i64>();
    let unsigned = sum(block) - sum(field) + 8 * i64::from(b' ');
    if stated == unsigned {
        return true;
    }
    // Each byte above 127 is 256 less when it has a sign.
    let high = |bytes: &[u8]| bytes.iter().map(|&b| i64::from(b >> 7)).sum::<i64>();
    stated == unsigned - 256 * (high(block) - high(field))
}

/// A text field: up to the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    &field[..end]
}

/// A number field: octal digits with blanks and NULs around them, or GNU's base-256 (high
/// bit of the first byte set, the next one the sign). Empty is zero; `None` is no number.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        let negative = first & 0x40 != 0;
        let mut value: i64 = if negative { -1 } else { 0 };
        for (index, &byte) in field.iter().enumerate() {
            let byte = match (index, negative) {
                (0, true) => byte | 0x80,
                (0, false) => byte & 0x7f,
                _ => byte,
            };
            value = value.checked_mul(256)?.checked_add(i64::from(byte))?;
        }
        return Some(value);
    }
    let start = field.iter().position(|&b| b != 0 && b != b' ');
    let digits = text(&field[start.unwrap_or(field.len())..]).trim_ascii_end();
    let mut value: i64 = 0;
    for &digit in digits {
        if !(b'0'..=b'7').contains(&digit) {
            return None;
        }
        value = value.checked_mul(8)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(value)
}

/// Appends the member name: `prefix/name` where the dialect has a prefix.
pub(super) fn name_into(block: &Block, out: &mut Vec<u8>) {
    let prefix = match dialect(block) {
        Dialect::Ustar => text(&block[345..500]),
        Dialect::Star => text(&block[345..476]),
        Dialect::Gnu => misplaced_prefix(block),
        Dialect::V7 => &[],
    };
    if !prefix.is_empty() {
        out.extend_from_slice(prefix);
        out.push(b'/');
    }
    out.extend_from_slice(text(&block[..100]));
}

/// Old Go writers put a ustar prefix into GNU headers; where the access time is no number,
/// the engines' reader takes it as a prefix, so the same file gets the same name here.
fn misplaced_prefix(block: &Block) -> &[u8] {
    let times_parse = [345..357, 357..369]
        .into_iter()
        .all(|range| block[range.start] == 0 || number(&block[range]).is_some());
    let prefix = text(&block[345..500]);
    if times_parse || !prefix.is_ascii() {
        &[]
    } else {
        prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: &[u8], expected: Option<i64>) {
        assert_eq!(number(field), expected, "{field:?}");
    }

    #[test]
    fn both_sums_fit_and_no_other() {
        let mut block = [0; BLOCK];
        block[0] = 0xe4;
        let unsigned = 0xe4 + 8 * 32;
        for (stated, fits) in [
            (unsigned, true),
            (unsigned - 256, true),
            (unsigned + 1, false),
            (unsigned - 512 + 256 + 1, false),
        ] {
            block[148..156].copy_from_slice(format!("{stated:06o}\0 ").as_bytes());
            assert_eq!(checksum_fits(&block), fits, "{stated}");
        }
    }

    #[test]
    fn numbers_are_octal_or_base_256() {
        check(b"0000644\0", Some(0o644));
        check(b"  644 \0\0", Some(0o644));
        check(b"\0\0\0\0", Some(0));
        check(b"0000698\0", None);
        check(b"\x80\0\0\0\0\0\0\0\0\0\x01\x02", Some(0x102));
        check(&[0xff; 12], Some(-1));
        check(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None);
        check(b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None);
        check(b"777777777777", Some(0o777_777_777_777));
    }
}
