//! cpio: the new ASCII format with and without checksum, POSIX's octal one (odc), the old
//! binary one of both byte orders; initramfs images, which are several of them.
//!
//! ```text
//! newc, crc  070701/070702, then 13 numbers of 8 hex digits; name and data padded to 4
//! odc        070707, then octal numbers of 6 and 11 digits; no padding
//! binary     13 numbers of 16 bits, the first octal 070707; name and data padded to 2
//! rpm        07070X, then 8 hex digits: the file's number in the package; padded to 4
//! ```
//!
//! Behind the end marker an initramfs goes on: zeros, then the next archive, plain or
//! compressed. Hard links have their data at the last of their names in newc: the others
//! are empty. Checksums of the crc format are compared.

use std::borrow::Cow;

use crate::bytes::{Cursor, size};
use crate::format::Format;
use crate::limits::Incomplete;
use crate::names::clean;
use crate::walk::{Entry, Step, Walk};

/// Longest name that is no damage.
const MAX_NAME: u64 = 1 << 16;

struct Header {
    mode: u32,
    name_length: u64,
    length: u64,
    /// Of the crc format: sum of the data's bytes.
    sum: Option<u32>,
    /// What name and data are padded to.
    padding: usize,
}

/// Walks the members of all archives in a file.
pub(crate) fn read(walk: &mut Walk<'_>, bytes: &[u8]) -> Step {
    read_as(walk, bytes, Format::Cpio, &|_| None)
}

/// A member whose header is only a number: the package's own header has the rest.
pub(crate) struct Numbered {
    pub name: Vec<u8>,
    pub mode: u32,
    /// Bytes in the archive.
    pub length: u64,
}

/// [`read`] where the archive is a package's payload, whose format the members get.
/// `numbered` knows the package's files.
pub(crate) fn read_as(
    walk: &mut Walk<'_>,
    bytes: &[u8],
    container: Format,
    numbered: &dyn Fn(u32) -> Option<Numbered>,
) -> Step {
    let mut cursor = Cursor::new(bytes);
    // Offsets count from the beginning of each archive.
    let mut base = 0_usize;
    loop {
        walk.check_time()?;
        if cursor.rest().is_empty() {
            return Err(Incomplete::Damaged("archive ends without its end marker").into());
        }
        let (header, name) = if cursor.rest().starts_with(b"07070X") {
            cursor.skip(6)?;
            let number = u32::try_from(digits(cursor.take(8)?, 16)?).ok();
            let known = number.and_then(numbered);
            let known = known.ok_or(Incomplete::Damaged("file that the package does not list"))?;
            let header = Header {
                mode: known.mode,
                name_length: 0,
                length: known.length,
                sum: None,
                padding: 4,
            };
            (header, Cow::Owned(known.name))
        } else {
            let header = header(&mut cursor)?;
            if header.name_length > MAX_NAME {
                return Err(Incomplete::Damaged("name of a member").into());
            }
            let name = cursor.take_u64(header.name_length)?;
            let name = name.split(|&b| b == 0).next().unwrap_or_default();
            (header, Cow::Borrowed(name))
        };
        align(&mut cursor, base, header.padding);
        let length = size(header.length)?;
        if *name == *b"TRAILER!!!" && length == 0 {
            match behind(cursor.rest()) {
                None => return Ok(()),
                Some((Format::Cpio, zeros)) => {
                    cursor.skip(zeros)?;
                    base = cursor.position();
                    continue;
                }
                Some((_, zeros)) => {
                    let rest = cursor.rest().get(zeros..).unwrap_or_default();
                    let entry = Entry {
                        container,
                        name: "content",
                        mode: None,
                    };
                    return walk.stored(&entry, rest, true);
                }
            }
        }
        let whole = cursor.take(length).ok();
        let body = whole.unwrap_or_else(|| cursor.rest());
        // Regular files only; old writers leave the type out.
        if matches!(header.mode & 0o170_000, 0 | 0o100_000) {
            let name = clean(&name);
            let sum = || {
                body.iter()
                    .fold(0_u32, |sum, &b| sum.wrapping_add(u32::from(b)))
            };
            let fault = if whole.is_none() {
                Some(Incomplete::TRUNCATED)
            } else if header
                .sum
                .is_some_and(|stated| length > 0 && stated != sum())
            {
                Some(Incomplete::Damaged("checksum does not match"))
            } else {
                None
            };
            if let Some(why) = &fault {
                walk.report_member(&name, why);
            }
            let entry = Entry {
                container,
                name: &name,
                mode: Some(header.mode),
            };
            walk.stored(&entry, body, fault.is_none())?;
            if whole.is_none() {
                return Ok(());
            }
        } else if whole.is_none() {
            return Err(Incomplete::TRUNCATED.into());
        }
        align(&mut cursor, base, header.padding);
    }
}

/// What follows an end marker and its padding, and how many zeros stand before it.
fn behind(rest: &[u8]) -> Option<(Format, usize)> {
    let zeros = rest.iter().position(|&b| b != 0)?;
    Some((Format::of(rest.get(zeros..)?)?, zeros))
}

fn align(cursor: &mut Cursor<'_>, base: usize, padding: usize) {
    let at = cursor.position() - base;
    // Padding that is missing at the very end is no fault.
    let missing = (at.next_multiple_of(padding) - at).min(cursor.rest().len());
    let _ = cursor.skip(missing);
}

fn header(cursor: &mut Cursor<'_>) -> Result<Header, Incomplete> {
    match cursor.rest() {
        [b'0', b'7', b'0', b'7', b'0', b'1' | b'2', ..] => new_ascii(cursor),
        [b'0', b'7', b'0', b'7', b'0', b'7', ..] => octal_ascii(cursor),
        [0xc7, 0x71, ..] => binary(cursor, u16::from_le_bytes),
        [0x71, 0xc7, ..] => binary(cursor, u16::from_be_bytes),
        _ => Err(Incomplete::Damaged("not a cpio header")),
    }
}

fn new_ascii(cursor: &mut Cursor<'_>) -> Result<Header, Incomplete> {
    let magic = cursor.take(6)?;
    let mut numbers = [0_u32; 13];
    for number in &mut numbers {
        *number = u32::try_from(digits(cursor.take(8)?, 16)?).unwrap_or_default();
    }
    let [_, mode, _, _, _, _, length, _, _, _, _, name_length, sum] = numbers;
    Ok(Header {
        mode,
        name_length: u64::from(name_length),
        length: u64::from(length),
        sum: (magic == b"070702").then_some(sum),
        padding: 4,
    })
}

fn octal_ascii(cursor: &mut Cursor<'_>) -> Result<Header, Incomplete> {
    // Magic, device, inode.
    cursor.skip(18)?;
    let mode = u32::try_from(digits(cursor.take(6)?, 8)?).unwrap_or_default();
    // Owner, group, links, device, time.
    cursor.skip(35)?;
    Ok(Header {
        mode,
        name_length: digits(cursor.take(6)?, 8)?,
        length: digits(cursor.take(11)?, 8)?,
        sum: None,
        padding: 1,
    })
}

fn binary(cursor: &mut Cursor<'_>, order: fn([u8; 2]) -> u16) -> Result<Header, Incomplete> {
    let mut numbers = [0_u16; 13];
    for number in &mut numbers {
        *number = order(cursor.array()?);
    }
    let [_, _, _, mode, _, _, _, _, _, _, name_length, high, low] = numbers;
    Ok(Header {
        mode: u32::from(mode),
        name_length: u64::from(name_length),
        length: u64::from(high) << 16 | u64::from(low),
        sum: None,
        padding: 2,
    })
}

fn digits(field: &[u8], radix: u32) -> Result<u64, Incomplete> {
    let text = std::str::from_utf8(field).ok();
    // `from_str_radix` would take a sign.
    text.filter(|text| !text.starts_with(['+', '-']))
        .and_then(|text| u64::from_str_radix(text, radix).ok())
        .ok_or(Incomplete::Damaged("number in a cpio header"))
}

#[cfg(test)]
mod tests {
    use crate::testing::{cpio_binary, cpio_newc, cpio_odc, eicar, gzip, walk, walk_whole};

    #[test]
    fn all_dialects_give_the_same_member() {
        for bytes in [
            cpio_newc("070701", &[("./a", b"odd"), ("b", &eicar())]),
            cpio_newc("070702", &[("./a", b"odd"), ("b", &eicar())]),
            cpio_odc(&[("./a", b"odd"), ("b", &eicar())]),
            cpio_binary(u16::to_le_bytes, &[("./a", b"odd"), ("b", &eicar())]),
            cpio_binary(u16::to_be_bytes, &[("./a", b"odd"), ("b", &eicar())]),
        ] {
            let seen = walk_whole(&bytes);
            assert_eq!(seen.names(), ["a", "b"]);
            assert_eq!(seen.bytes_of("a"), b"odd");
            assert_eq!(seen.bytes_of("b"), eicar());
            assert_eq!(seen.seen[0].mode, Some(0o100_755));
        }
    }

    #[test]
    fn an_initramfs_goes_on_behind_its_first_archive() {
        let mut bytes = cpio_newc("070701", &[("microcode", b"cpu")]);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes.extend(cpio_newc("070701", &[("early", b"x")]));
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes.extend(gzip(&cpio_newc("070701", &[("init", &eicar())]), None));
        let seen = walk_whole(&bytes);
        assert_eq!(
            seen.names(),
            [
                "microcode",
                "early",
                "content",
                "content!/content",
                "content!/init"
            ]
        );
        assert_eq!(seen.bytes_of("content!/init"), eicar());
    }

    #[test]
    fn a_false_sum_and_a_missing_end_are_told() {
        let mut bytes = cpio_newc("070702", &[("a", b"abcd")]);
        let at = memchr::memmem::find(&bytes, b"abcd").unwrap();
        bytes[at] = b'z';
        let seen = walk(&bytes[..at + 4]);
        assert_eq!(
            seen.faults(),
            [
                "a: damaged: checksum does not match",
                "itself: damaged: archive ends without its end marker"
            ]
        );
    }
}
