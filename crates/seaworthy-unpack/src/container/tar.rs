//! tar: v7, ustar, GNU, pax.
//!
//! Follows POSIX.1-2024 (ustar, extended headers) and the GNU manual (long names, base-256
//! numbers), and where dialects differ does what Go's `archive/tar` does, as the layer
//! reader in `seaworthy-image` does: global extended headers change nothing, links and
//! devices have no body. That reader is not used here: it is written for a stream, reports
//! through the image's problems, and its crate brings the registry client along.
//!
//! Sparse files are shown without their holes and without the map of them, in all dialects of GNU. A broken header is
//! reported and reading goes on at the next block that is one, so that damage hides nothing.

use std::borrow::Cow;

use crate::bytes::size;
use crate::format::Format;
use crate::limits::Incomplete;
use crate::names::clean;
use crate::walk::{Entry, Step, Walk};

const BLOCK: usize = 512;

/// The most bytes of an extended header or long name, as Go has it.
const MAX_SPECIAL: usize = 1 << 20;

/// Whether a file begins with a header: the magic, or else (v7) a checksum that fits.
pub(crate) fn is_header(head: &[u8]) -> bool {
    let Some(block) = head.get(..BLOCK) else {
        return false;
    };
    if block.get(257..262) == Some(b"ustar".as_slice()) {
        return true;
    }
    // Cheap looks first: the name is there, mode and checksum are octal with an end.
    let octal = |b: &u8| matches!(b, b'0'..=b'7' | b' ' | 0);
    matches!(block.get(107), Some(0 | b' '))
        && block.first().is_some_and(|&b| b != 0)
        && block.get(100..107).is_some_and(|f| f.iter().all(octal))
        && block.get(148..156).is_some_and(|f| f.iter().all(octal))
        && block.get(124..135).is_some_and(|f| f.iter().all(octal))
        && checksum_fits(block)
}

/// The sum of the header's bytes, its own field as spaces; old writers summed signed bytes.
fn checksum_fits(block: &[u8]) -> bool {
    let Some(stated) = block.get(148..156).and_then(octal) else {
        return false;
    };
    let (mut unsigned, mut signed) = (0_u64, 0_i64);
    for (at, &byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&at) { b' ' } else { byte };
        unsigned += u64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    unsigned == stated || i64::try_from(stated) == Ok(signed)
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = field.trim_ascii_start();
    let end = text.iter().position(|b| matches!(b, 0 | b' '));
    let digits = text.get(..end.unwrap_or(text.len()))?;
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// Octal, or GNU's base-256.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [first, rest @ ..] if first & 0x80 != 0 => {
            // Negative numbers are no sizes.
            if first & 0x40 != 0 {
                return None;
            }
            rest.iter().try_fold(u64::from(first & 0x3f), |value, &b| {
                Some(value.checked_mul(256)? | u64::from(b))
            })
        }
        _ => octal(field),
    }
}

/// A field up to its zero.
fn text(field: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    field.get(..end).unwrap_or_default()
}

/// What special headers say of the member behind them.
#[derive(Default)]
struct Special<'a> {
    name: Option<Cow<'a, [u8]>>,
    size: Option<u64>,
    /// Whether a map of holes stands before the content (version 1.0 of GNU's sparse files).
    has_map: bool,
}

impl<'a> Special<'a> {
    /// Reads the records of an extended header, `length key=value\n` each.
    fn read_pax(&mut self, mut records: &'a [u8]) -> Option<()> {
        while !records.is_empty() {
            let space = memchr::memchr(b' ', records)?;
            let digits = std::str::from_utf8(records.get(..space)?).ok()?;
            let length: usize = digits.parse().ok()?;
            let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
            let equals = memchr::memchr(b'=', record)?;
            let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
            match key {
                // The second: the true name of a sparse file.
                b"path" | b"GNU.sparse.name" => self.name = Some(Cow::Borrowed(value)),
                b"GNU.sparse.major" => self.has_map = value == b"1",
                b"size" => self.size = std::str::from_utf8(value).ok()?.parse().ok(),
                _ => {}
            }
            records = records.get(length..)?;
        }
        Some(())
    }
}

/// Walks the members.
pub(crate) fn read(walk: &mut Walk<'_>, bytes: &[u8]) -> Step {
    let mut at = 0_usize;
    let mut special = Special::default();
    let mut headers = 0_u32;
    // Whether broken headers were reported: a file of noise is one problem.
    let mut reported = false;
    while let Some(block) = bytes.get(at..at.saturating_add(BLOCK)) {
        headers = headers.wrapping_add(1);
        if headers.is_multiple_of(4096) {
            walk.check_time()?;
        }
        if block.iter().all(|&b| b == 0) {
            // The end marker is two such blocks; a lone one is passed over.
            let next = bytes.get(at + BLOCK..).unwrap_or_default();
            let next = next.get(..BLOCK).unwrap_or(next);
            if next.iter().all(|&b| b == 0) {
                return Ok(());
            }
            at += BLOCK;
            continue;
        }
        if !checksum_fits(block) {
            if !reported {
                reported = true;
                walk.report(&Incomplete::Damaged("not a tar header"));
            }
            special = Special::default();
            at += BLOCK;
            continue;
        }
        let flag = block.get(156).copied().unwrap_or_default();
        let stated = block.get(124..136).and_then(number);
        // GNU's own sparse files: blocks with the rest of the map, which the size leaves out.
        let mut start = at + BLOCK;
        if flag == b'S' && block.get(482).is_some_and(|&more| more != 0) {
            while let Some(map) = bytes.get(start..start.saturating_add(BLOCK)) {
                start += BLOCK;
                if map.get(504).is_none_or(|&more| more == 0) {
                    break;
                }
            }
        }
        let is_special = matches!(flag, b'x' | b'g' | b'L' | b'K' | b'X');
        let has_body = !matches!(flag, b'1'..=b'6');
        let length = match special.size.filter(|_| !is_special).or(stated) {
            _ if !has_body => 0,
            Some(length) => size(length)?,
            None => return Err(Incomplete::Damaged("size of a member is no number").into()),
        };
        let end = start.checked_add(length).ok_or(Incomplete::TRUNCATED)?;
        let whole = bytes.get(start..end);
        let body = whole.unwrap_or_else(|| bytes.get(start..).unwrap_or_default());
        at = end
            .checked_next_multiple_of(BLOCK)
            .ok_or(Incomplete::TRUNCATED)?;
        if is_special {
            if body.len() > MAX_SPECIAL {
                return Err(Incomplete::Damaged("extended header is too long").into());
            }
            let read = match flag {
                b'x' | b'X' => special.read_pax(body),
                b'L' => {
                    special.name = Some(Cow::Borrowed(text(body)));
                    Some(())
                }
                _ => Some(()),
            };
            if read.is_none() {
                walk.report(&Incomplete::Damaged("extended header of a member"));
            }
            continue;
        }
        let said = std::mem::take(&mut special);
        let raw = said.name.unwrap_or_else(|| header_name(block));
        let is_directory = flag == b'5' || (flag == 0 && raw.ends_with(b"/"));
        // `V` and `M`: GNU's volume label and continued file; `D`: a dumped directory's list.
        if !has_body || is_directory || matches!(flag, b'V' | b'D') {
            continue;
        }
        let name = clean(&raw);
        let mode = block.get(100..108).and_then(octal);
        let entry = Entry {
            container: Format::Tar,
            name: &name,
            mode: mode.and_then(|mode| u32::try_from(mode).ok()),
        };
        if whole.is_none() {
            walk.report_member(&name, &Incomplete::TRUNCATED);
        }
        let body = match said.has_map.then(|| map_end(body)) {
            Some(Some(end)) => body.get(end..).unwrap_or_default(),
            Some(None) => {
                walk.report_member(&name, &Incomplete::Damaged("map of a sparse file"));
                body
            }
            None => body,
        };
        walk.stored(&entry, body, whole.is_some())?;
    }
    // Archives may end without their marker, as Go and GNU tar accept, but not inside a block.
    if at < bytes.len() && !reported {
        walk.report(&Incomplete::TRUNCATED);
    }
    Ok(())
}

/// Where the map before a sparse file's content ends: a count, then an offset and a length for
/// each part, decimal and a line each, filled up to a block.
fn map_end(body: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    let mut line = || -> Option<u64> {
        let rest = body.get(at..)?;
        let end = memchr::memchr(b'\n', rest.get(..rest.len().min(24))?)?;
        at += end + 1;
        std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()
    };
    let parts = line()?;
    for _ in 0..parts.checked_mul(2)? {
        line()?;
    }
    at.checked_next_multiple_of(BLOCK)
}

/// The name of the header itself, with ustar's prefix.
fn header_name(block: &[u8]) -> Cow<'_, [u8]> {
    let name = text(block.get(..100).unwrap_or_default());
    let posix = block.get(257..263) == Some(b"ustar\0".as_slice());
    let prefix = text(block.get(345..500).unwrap_or_default());
    if posix && !prefix.is_empty() {
        Cow::Owned([prefix, name].join(&b'/'))
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_testkit::tar::{
        TarHeader, pax_record, push_end, push_member, push_padded, set_checksum,
    };

    use crate::testing::{eicar, tar, walk, walk_whole, walk_with};
    use crate::{Limit, Limits};

    #[test]
    fn members_come_with_mode_and_without_links() {
        let mut bytes = Vec::new();
        let run = TarHeader {
            mode: 0o4755,
            ..TarHeader::new("./usr/bin/run", b'0', 3)
        };
        push_member(&mut bytes, &TarHeader::new("usr/", b'5', 0), b"");
        push_member(&mut bytes, &run, b"run");
        // A size on a link is no body, as Go has it.
        let link = TarHeader {
            link: b"/etc/shadow".to_vec(),
            ..TarHeader::new("l", b'2', 99)
        };
        push_member(&mut bytes, &link, b"");
        push_member(&mut bytes, &TarHeader::new("dev", b'3', 0), b"");
        push_member(&mut bytes, &TarHeader::new("last", b'7', 1), b"x");
        push_end(&mut bytes);
        let seen = walk_whole(&bytes);
        assert_eq!(seen.names(), ["usr/bin/run", "last"]);
        assert_eq!(seen.seen[0].mode, Some(0o4755));
    }

    #[test]
    fn long_names_of_all_dialects() {
        let long = "d/".repeat(200) + "gnu";
        let mut bytes = Vec::new();
        push_member(
            &mut bytes,
            &TarHeader::new("././@LongLink", b'L', long.len() as u64 + 1),
            &[long.as_bytes(), b"\0"].concat(),
        );
        push_member(&mut bytes, &TarHeader::new("short", b'0', 1), b"g");
        let record = pax_record("path", "d/pax-ü".as_bytes());
        push_member(
            &mut bytes,
            &TarHeader::new("p", b'x', record.len() as u64),
            &record,
        );
        push_member(&mut bytes, &TarHeader::new("short", b'0', 1), b"p");
        let prefixed = TarHeader {
            tail: b"some/prefix".to_vec(),
            ..TarHeader::new("u", b'0', 1)
        };
        push_member(&mut bytes, &prefixed, b"u");
        push_end(&mut bytes);
        assert_eq!(
            walk_whole(&bytes).names(),
            [long.as_str(), "d/pax-ü", "some/prefix/u"]
        );
    }

    #[test]
    fn sparse_files_come_without_their_maps() {
        let mut bytes = Vec::new();
        let records = [
            pax_record("GNU.sparse.major", b"1"),
            pax_record("GNU.sparse.minor", b"0"),
            pax_record("GNU.sparse.name", b"sparse"),
            pax_record("GNU.sparse.realsize", b"9"),
        ]
        .concat();
        push_member(
            &mut bytes,
            &TarHeader::new("p", b'x', records.len() as u64),
            &records,
        );
        let mut body = b"1\n0\n9\n".to_vec();
        body.resize(512, 0);
        body.extend(b"malicious");
        push_member(
            &mut bytes,
            &TarHeader::new("GNUSparseFile.0/sparse", b'0', body.len() as u64),
            &body,
        );
        // The older way, with a block of map that the size leaves out.
        let mut old = TarHeader::new("old", b'S', 9).block();
        old[482] = 1;
        set_checksum(&mut old);
        bytes.extend(old);
        bytes.extend([0; 512]);
        push_padded(&mut bytes, b"malicious");
        push_end(&mut bytes);
        let seen = walk_whole(&bytes);
        assert_eq!(seen.bytes_of("sparse"), b"malicious");
        assert_eq!(seen.bytes_of("old"), b"malicious");
    }

    #[test]
    fn v7_archives_have_no_magic() {
        let mut bytes = Vec::new();
        let old = TarHeader {
            magic: [0; 8],
            ..TarHeader::new("old", b'0', 3)
        };
        let mut block = old.block();
        block[156] = 0;
        set_checksum(&mut block);
        bytes.extend(block);
        push_padded(&mut bytes, b"abc");
        push_end(&mut bytes);
        assert_eq!(walk_whole(&bytes).bytes_of("old"), b"abc");
    }

    #[test]
    fn what_stands_behind_a_broken_header_is_found() {
        let mut bytes = tar(&[("a", b"abc"), ("b", &eicar()), ("c", &eicar())]);
        bytes[1024 + 3] ^= 1;
        let seen = walk(&bytes);
        assert_eq!(seen.names(), ["a", "c"]);
        assert_eq!(seen.faults(), ["itself: damaged: not a tar header"]);
    }

    #[test]
    fn a_cut_member_is_named_and_shown() {
        let bytes = tar(&[("a", &[7; 2000])]);
        let seen = walk(&bytes[..1000]);
        assert_eq!(seen.faults(), ["a: damaged: data breaks off"]);
        assert_eq!(seen.bytes_of("a"), [7; 488]);
        assert!(!seen.seen[0].complete);
    }

    #[test]
    fn a_member_over_the_limit_is_named_and_its_beginning_shown() {
        let bytes = tar(&[("big", &[7; 2000]), ("small", b"x")]);
        let limits = Limits {
            member_bytes: 100,
            ..Limits::default()
        };
        let seen = walk_with(&bytes, &limits);
        assert_eq!(seen.faults(), ["big: limit reached: bytes of one member"]);
        assert_eq!(seen.bytes_of("big"), [7; 100]);
        assert_eq!(seen.bytes_of("small"), b"x");
    }

    #[test]
    fn a_million_entries_end_at_the_limit() {
        let header = TarHeader::new("x", b'0', 0).block();
        let bytes = header.repeat(20_000);
        let limits = Limits {
            members: 1000,
            ..Limits::default()
        };
        let seen = walk_with(&bytes, &limits);
        assert_eq!(seen.seen.len(), 1000);
        assert_eq!(seen.incomplete.len(), 1);
        assert_eq!(
            seen.incomplete[0].1,
            crate::Incomplete::Limit(Limit::Members)
        );
    }
}
