//! zip, and what is one: jar, whl, apk.
//!
//! Follows PKWARE's APPNOTE 6.3.10. An archive says everything twice, in the headers in
//! front of the members and in the directory at the end, and readers differ in whom they
//! believe. Here both are: the directory's entries are unpacked by what it says; where the
//! header in front says something else, by that too; then what lies between the entries is
//! searched for headers that the directory does not list. So a directory that is missing or
//! lies hides nothing.
//!
//! Members may share bytes, which makes small bombs: shared or not, each unpacked byte
//! counts against the limits. Left out: archives over several files, the methods shrink,
//! reduce, tokenize and PPMd, and decryption; all are reported by the member's name.

use memchr::memmem;

use crate::bytes::{Cursor, size};
use crate::codec::{bzip2, deflate, implode, inflate64, lzma, xz, zstd};
use crate::format::Format;
use crate::limits::Incomplete;
use crate::names::clean;
use crate::output::Output;
use crate::walk::{Entry, Halt, Step, Walk};

const LOCAL: &[u8] = b"PK\x03\x04";
const DIRECTORY: &[u8] = b"PK\x01\x02";
const DIRECTORY_END: &[u8] = b"PK\x05\x06";
const DIRECTORY_END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

/// Bytes of a header in front of a member, without name and extra fields.
const LOCAL_LENGTH: usize = 30;

/// How far from the end its record can begin: its own length and the longest comment.
const END_REACH: usize = 22 + 65_535;

/// What one of the two headers says of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header<'a> {
    method: u16,
    flags: u16,
    sum: u32,
    packed: u64,
    unpacked: u64,
    name: &'a [u8],
    /// Unix mode, which only the directory has.
    mode: Option<u32>,
    /// From the beginning of the archive, which only the directory has.
    offset: u64,
}

impl Header<'_> {
    fn is_encrypted(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Sizes stand behind the data.
    fn has_descriptor(&self) -> bool {
        self.flags & 8 != 0
    }
}

/// Whether the end of the file is that of a zip archive whose directory is where it says.
pub(crate) fn has_directory(bytes: &[u8]) -> bool {
    Directory::find(bytes).is_some()
}

/// Where the directory lies.
struct Directory {
    start: usize,
    end: usize,
    /// Bytes in front of the archive, which its offsets do not count.
    shift: u64,
}

impl Directory {
    /// Looks for the record at the end, the last one first, whose directory begins as one.
    fn find(bytes: &[u8]) -> Option<Directory> {
        let from = bytes.len().saturating_sub(END_REACH);
        let tail = bytes.get(from..)?;
        memmem::rfind_iter(tail, DIRECTORY_END)
            .take(64)
            .find_map(|at| Directory::at(bytes, from + at))
    }

    fn at(bytes: &[u8], end: usize) -> Option<Directory> {
        let mut cursor = Cursor::at(bytes, end.checked_add(12)?);
        let mut length = u64::from(cursor.u32().ok()?);
        let mut offset = u64::from(cursor.u32().ok()?);
        let mut directory_end = end;
        if let Some(at) = end_64(bytes, end) {
            let mut cursor = Cursor::at(bytes, at.checked_add(40)?);
            length = cursor.u64().ok()?;
            offset = cursor.u64().ok()?;
            directory_end = at;
        }
        // The directory ends where its end record begins; what is off from its offset then
        // lies in front of the archive. Writers that leave a gap state a true offset.
        let by_length = u64::try_from(directory_end).ok()?.checked_sub(length);
        [by_length, Some(offset)]
            .into_iter()
            .flatten()
            .find_map(|start| {
                let shift = start.checked_sub(offset)?;
                let start = size(start).ok()?;
                let found = length == 0 || bytes.get(start..)?.starts_with(DIRECTORY);
                found.then_some(Directory {
                    start,
                    end: directory_end,
                    shift,
                })
            })
    }
}

/// The zip64 end record: where its locator says, or right in front of it.
fn end_64(bytes: &[u8], end: usize) -> Option<usize> {
    let locator = end.checked_sub(20)?;
    if !bytes.get(locator..)?.starts_with(LOCATOR_64) {
        return None;
    }
    let stated = Cursor::at(bytes, locator + 8)
        .u64()
        .ok()
        .and_then(|at| size(at).ok());
    [stated, locator.checked_sub(56)]
        .into_iter()
        .flatten()
        .find(|&at| {
            bytes
                .get(at..locator)
                .is_some_and(|record| record.starts_with(DIRECTORY_END_64))
        })
}

/// Bytes of the archive that members of the directory take.
#[derive(Default)]
struct Covered(Vec<(usize, usize)>);

/// Walks the members.
pub(crate) fn read(walk: &mut Walk<'_>, bytes: &[u8]) -> Step {
    let mut covered = Covered::default();
    match Directory::find(bytes) {
        Some(directory) => {
            read_directory(walk, bytes, &directory, &mut covered)?;
            covered.0.push((directory.start, bytes.len()));
        }
        None => walk.report(&Incomplete::Damaged("no directory")),
    }
    covered.0.sort_unstable();
    let mut at = 0_usize;
    for (start, end) in covered.0 {
        if at < start {
            read_between(walk, bytes, at, start)?;
        }
        at = at.max(end);
    }
    if at < bytes.len() {
        read_between(walk, bytes, at, bytes.len())?;
    }
    Ok(())
}

fn read_directory(
    walk: &mut Walk<'_>,
    bytes: &[u8],
    directory: &Directory,
    covered: &mut Covered,
) -> Step {
    let records = bytes
        .get(directory.start..directory.end)
        .unwrap_or_default();
    let mut cursor = Cursor::new(records);
    while cursor.rest().starts_with(DIRECTORY) {
        let header = match directory_header(&mut cursor) {
            Ok(header) => header,
            Err(why) => {
                walk.report(&why);
                return Ok(());
            }
        };
        let offset = header
            .offset
            .checked_add(directory.shift)
            .and_then(|at| size(at).ok());
        let found = offset.and_then(|at| {
            let mut cursor = Cursor::at(bytes, at);
            let local = local_header(&mut cursor).ok()?;
            Some((at, local, cursor.position()))
        });
        let Some((at, local, data)) = found else {
            let why = Incomplete::Damaged("no header where the directory says");
            walk.report_member(&clean(header.name), &why);
            continue;
        };
        let used = extract(walk, bytes, &header, data)?;
        covered.0.push((at, data.saturating_add(used)));
        if disagrees(&header, &local) {
            extract(walk, bytes, &local, data)?;
        }
    }
    Ok(())
}

/// Whether unpacking by the header in front gives something else than by the directory.
fn disagrees(directory: &Header<'_>, local: &Header<'_>) -> bool {
    let unstated = local.has_descriptor() || (local.packed, local.unpacked) == (0, 0);
    let sizes =
        !unstated && (directory.packed, directory.unpacked) != (local.packed, local.unpacked);
    let readable = local.method != directory.method && method_name(local.method).is_none();
    sizes
        || readable
        || local.name != directory.name
        || (directory.is_encrypted() && !local.is_encrypted())
}

/// Looks between `from` and `to` for headers of members.
fn read_between(walk: &mut Walk<'_>, bytes: &[u8], from: usize, to: usize) -> Step {
    let mut at = from;
    while let Some(found) = bytes.get(at..to).and_then(|gap| memmem::find(gap, LOCAL)) {
        at += found;
        let mut cursor = Cursor::at(bytes, at);
        let Some(mut header) = local_header(&mut cursor).ok().filter(is_plausible) else {
            at += LOCAL.len();
            continue;
        };
        let data = cursor.position();
        if header.has_descriptor() && header.packed == 0 && header.method == 0 {
            // Nothing says where stored data ends but what follows it.
            let rest = bytes.get(data..).unwrap_or_default();
            let end = memmem::find_iter(rest, b"PK")
                .find(|&at| {
                    let there = rest.get(at..).unwrap_or_default();
                    [DESCRIPTOR, LOCAL, DIRECTORY]
                        .iter()
                        .any(|mark| there.starts_with(mark))
                })
                .unwrap_or(rest.len());
            header.packed = u64::try_from(end).unwrap_or(u64::MAX);
            header.unpacked = header.packed;
            header.flags &= !8;
            header.sum = rest.get(..end).map_or(0, crc32fast::hash);
        }
        let used = extract(walk, bytes, &header, data)?;
        at = data.saturating_add(used);
    }
    Ok(())
}

/// Whether this is a header and no chance of four bytes.
fn is_plausible(header: &Header<'_>) -> bool {
    header.method <= 99 && !header.name.is_empty() && !header.name.contains(&0)
}

fn local_header<'a>(cursor: &mut Cursor<'a>) -> Result<Header<'a>, Incomplete> {
    let mut fixed = Cursor::new(cursor.take(LOCAL_LENGTH)?);
    if fixed.take(4)? != LOCAL {
        return Err(Incomplete::Damaged("not a member's header"));
    }
    fixed.skip(2)?;
    let (flags, method) = (fixed.u16()?, fixed.u16()?);
    fixed.skip(4)?;
    let sum = fixed.u32()?;
    let (packed, unpacked) = (fixed.u32()?, fixed.u32()?);
    let (name_length, extra_length) = (fixed.u16()?, fixed.u16()?);
    let name = cursor.take(usize::from(name_length))?;
    let extra = cursor.take(usize::from(extra_length))?;
    let mut header = Header {
        method,
        flags,
        sum,
        packed: u64::from(packed),
        unpacked: u64::from(unpacked),
        name,
        mode: None,
        offset: 0,
    };
    header.widen(extra, u32::MAX);
    Ok(header)
}

fn directory_header<'a>(cursor: &mut Cursor<'a>) -> Result<Header<'a>, Incomplete> {
    cursor.skip(4)?;
    let [_, made_by, _, _] = cursor.array()?;
    let (flags, method) = (cursor.u16()?, cursor.u16()?);
    cursor.skip(4)?;
    let sum = cursor.u32()?;
    let (packed, unpacked) = (cursor.u32()?, cursor.u32()?);
    let (name_length, extra_length, comment_length) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
    cursor.skip(4)?;
    let (attributes, offset) = (cursor.u32()?, cursor.u32()?);
    let name = cursor.take(usize::from(name_length))?;
    let extra = cursor.take(usize::from(extra_length))?;
    cursor.skip(usize::from(comment_length))?;
    let mut header = Header {
        method,
        flags,
        sum,
        packed: u64::from(packed),
        unpacked: u64::from(unpacked),
        name,
        // Made on Unix or macOS.
        mode: matches!(made_by, 3 | 19).then_some(attributes >> 16),
        offset: u64::from(offset),
    };
    header.widen(extra, offset);
    Ok(header)
}

impl Header<'_> {
    /// Takes the numbers that did not fit from the zip64 extra field: only those, in order.
    fn widen(&mut self, extra: &[u8], offset: u32) {
        const FULL: u64 = u32::MAX as u64;
        let mut fields = Cursor::new(extra);
        while let (Ok(id), Ok(length)) = (fields.u16(), fields.u16()) {
            let Ok(field) = fields.take(usize::from(length)) else {
                return;
            };
            if id != 1 {
                continue;
            }
            let mut wide = Cursor::new(field);
            if self.unpacked == FULL {
                self.unpacked = wide.u64().unwrap_or(FULL);
            }
            if self.packed == FULL {
                self.packed = wide.u64().unwrap_or(FULL);
            }
            if offset == u32::MAX && self.offset == FULL {
                self.offset = wide.u64().unwrap_or(FULL);
            }
            return;
        }
    }
}

/// Unpacks what begins at `data` by what `header` says, and enters it. Gives the bytes it
/// took in the archive.
fn extract(
    walk: &mut Walk<'_>,
    bytes: &[u8],
    header: &Header<'_>,
    data: usize,
) -> Result<usize, Halt> {
    let rest = bytes.get(data..).unwrap_or_default();
    let packed = if header.has_descriptor() && header.packed == 0 {
        rest
    } else {
        let length = size(header.packed).unwrap_or(usize::MAX);
        rest.get(..length).unwrap_or(rest)
    };
    let kind = header.mode.unwrap_or_default() & 0o170_000;
    // Directories, and what the mode says is no regular file.
    if (header.name.ends_with(b"/") && header.unpacked == 0) || !matches!(kind, 0 | 0o100_000) {
        return Ok(if header.packed == 0 { 0 } else { packed.len() });
    }
    let name = clean(header.name);
    if header.is_encrypted() {
        walk.report_member(&name, &Incomplete::Encrypted);
        return Ok(if header.packed == 0 { 0 } else { packed.len() });
    }
    let entry = Entry {
        container: Format::Zip,
        name: &name,
        mode: header.mode,
    };
    if header.method == 0 {
        let fits = u64::try_from(packed.len()) == Ok(header.packed);
        let sum = crc32fast::hash(packed);
        let done = if !fits {
            Err(Incomplete::TRUNCATED)
        } else if sum != header.sum {
            Err(Incomplete::Damaged("checksum does not match"))
        } else {
            Ok(())
        };
        walk.counted(&entry, packed, done)?;
        return Ok(packed.len());
    }
    let mut out = walk.output(packed.len())?;
    let done = decode(walk, header, packed, &mut out);
    let used = match &done {
        Ok(used) => *used,
        Err(_) if header.packed == 0 => 0,
        Err(_) => packed.len(),
    };
    let done = done.and_then(|_| {
        // A header whose sizes stand behind the data has no checksum either.
        let unstated = header.has_descriptor() && header.sum == 0;
        if unstated || crc32fast::hash(&out.bytes) == header.sum {
            Ok(())
        } else {
            Err(Incomplete::Damaged("checksum does not match"))
        }
    });
    walk.decoded(&entry, &out, done)?;
    Ok(used)
}

fn decode(
    walk: &mut Walk<'_>,
    header: &Header<'_>,
    packed: &[u8],
    out: &mut Output,
) -> Result<usize, Incomplete> {
    // Larger than the largest match makes of its bits is no hint.
    let hint = usize::try_from(header.unpacked).unwrap_or_default();
    match header.method {
        8 => deflate::inflate(&mut walk.inflater, packed, out, hint),
        6 => implode::explode(packed, out, header.flags, hint),
        9 => inflate64::inflate64(packed, out),
        12 => bzip2::one(packed, out),
        14 => unlzma(header, packed, out).map(|()| packed.len()),
        20 | 93 => zstd::unzstd(packed, out).map(|()| packed.len()),
        95 => xz::unxz(packed, out).map(|()| packed.len()),
        other => Err(Incomplete::unsupported(
            method_name(other).map_or_else(|| format!("zip method {other}"), str::to_owned),
        )),
    }
}

/// LZMA with a header of its own: version of the writer, length of the properties, properties.
fn unlzma(header: &Header<'_>, packed: &[u8], out: &mut Output) -> Result<(), Incomplete> {
    let mut cursor = Cursor::new(packed);
    cursor.skip(2)?;
    let length = cursor.u16()?;
    let properties = cursor.take(usize::from(length))?.first().copied();
    let properties = properties.ok_or(Incomplete::Damaged("lzma properties"))?;
    // Flag 1: the stream has an end marker.
    let known = (header.flags & 2 == 0).then_some(header.unpacked);
    lzma::raw(properties, cursor.rest(), out, known)
}

/// What a method that is not decoded is called; `None` for the others.
fn method_name(method: u16) -> Option<&'static str> {
    Some(match method {
        0 | 6 | 8 | 9 | 12 | 14 | 20 | 93 | 95 => return None,
        1 => "zip shrink",
        2..=5 => "zip reduce",
        7 => "zip tokenize",
        10 => "zip implode by PKWARE's library",
        96 => "zip jpeg",
        97 => "zip wavpack",
        98 => "zip ppmd",
        99 => "zip aes",
        _ => "zip method without a name",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::testing::{
        ZipMember, bzip2, deflate, eicar, lzma, prose, walk, walk_whole, walk_with, xz, zip,
        zip_end,
    };

    #[test]
    fn stored_and_deflated_members_come_out() {
        let run = ZipMember {
            mode: 0o100_755,
            ..ZipMember::deflated("bin/run", b"run run run run")
        };
        let bytes = zip(&[
            ZipMember::stored("a.txt", b"abc"),
            ZipMember::stored("bin/", b""),
            run,
        ]);
        let seen = walk_whole(&bytes);
        assert_eq!(seen.names(), ["a.txt", "bin/run"]);
        assert_eq!(seen.bytes_of("bin/run"), b"run run run run");
        assert_eq!(seen.seen[1].mode, Some(0o100_755));
        assert_eq!(seen.left, ["a.txt", "bin/run"]);
    }

    #[test]
    fn links_are_not_entered() {
        let link = ZipMember {
            mode: 0o120_777,
            ..ZipMember::stored("link", b"/etc/shadow")
        };
        assert_eq!(walk_whole(&zip(&[link])).names(), Vec::<&str>::new());
    }

    #[test]
    fn a_self_extractor_is_opened_behind_its_program() {
        let archive = zip(&[ZipMember::deflated("inner", &eicar())]);
        for head in [&b"MZ and a program"[..], b"#!/usr/bin/env java\n"] {
            let mut bytes = head.to_vec();
            bytes.extend(&archive);
            assert_eq!(crate::appended(&bytes), Some((Format::Zip, 0)));
            let outer = zip(&[ZipMember::stored("setup", &bytes)]);
            let seen = walk_whole(&outer);
            assert_eq!(seen.names(), ["setup", "setup!/inner"]);
            assert_eq!(seen.bytes_of("setup!/inner"), eicar());
        }
    }

    #[test]
    fn members_that_the_directory_hides_are_found() {
        let shown = ZipMember::stored("shown", b"abc");
        let hidden = ZipMember::deflated("hidden", &eicar());
        let mut bytes = hidden.local();
        let at = bytes.len();
        bytes.extend(shown.local());
        let start = bytes.len();
        let entry = shown.directory_entry(at);
        bytes.extend(&entry);
        bytes.extend(zip_end(1, start, entry.len()));
        let seen = walk_whole(&bytes);
        assert_eq!(seen.names(), ["shown", "hidden"]);
        assert_eq!(seen.bytes_of("hidden"), eicar());
    }

    #[test]
    fn an_archive_without_its_directory_is_read_by_its_headers() {
        let mut bytes = ZipMember::stored("a", b"abc").local();
        let streamed = ZipMember {
            flags: 8,
            ..ZipMember::deflated("b", &eicar())
        };
        bytes.extend(streamed.local());
        let stored_stream = ZipMember {
            flags: 8,
            ..ZipMember::stored("c", b"plain")
        };
        bytes.extend(stored_stream.local());
        let seen = walk(&bytes);
        assert_eq!(seen.names(), ["a", "b", "c"]);
        assert_eq!(seen.bytes_of("b"), eicar());
        assert_eq!(seen.bytes_of("c"), b"plain");
        assert_eq!(seen.faults(), ["itself: damaged: no directory"]);
    }

    #[test]
    fn headers_that_disagree_are_both_believed() {
        let inner = ZipMember::deflated("true", &eicar());
        let told = ZipMember {
            method: 0,
            unpacked: inner.packed.len() as u64,
            ..inner.clone()
        };
        let mut bytes = inner.local();
        let start = bytes.len();
        let entry = ZipMember {
            name: "told".into(),
            sum: crc32fast::hash(&told.packed),
            ..told
        }
        .directory_entry(0);
        bytes.extend(&entry);
        bytes.extend(zip_end(1, start, entry.len()));
        let seen = walk_whole(&bytes);
        assert_eq!(seen.names(), ["told", "true"]);
        assert_eq!(seen.bytes_of("true"), eicar());
    }

    #[test]
    fn zip64_numbers_are_read() {
        let body = b"a body of some bytes";
        let mut bytes = b"PK\x03\x04\x2d\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend(crc32fast::hash(body).to_le_bytes());
        bytes.extend([0xff; 8]);
        bytes.extend([1, 0, 20, 0]);
        bytes.push(b'w');
        bytes.extend([
            1, 0, 16, 0, 20, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0,
        ]);
        bytes.extend(body);
        let start = bytes.len();
        bytes.extend(b"PK\x01\x02\x2d\x03\x2d\0\0\0\0\0\0\0\0\0");
        bytes.extend(crc32fast::hash(body).to_le_bytes());
        bytes.extend([0xff; 8]);
        bytes.extend([1, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0xff; 4]);
        bytes.push(b'w');
        bytes.extend([
            1, 0, 24, 0, 20, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0,
        ]);
        bytes.extend([0; 8]);
        let end_64 = bytes.len();
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(((end_64 - start) as u64).to_le_bytes());
        bytes.extend((start as u64).to_le_bytes());
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend((end_64 as u64).to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff");
        bytes.extend([0xff; 8]);
        bytes.extend([0, 0]);
        let seen = walk_whole(&bytes);
        assert_eq!(seen.bytes_of("w"), body);
    }

    #[test]
    fn encrypted_and_unknown_members_are_named() {
        let locked = ZipMember {
            flags: 1,
            ..ZipMember::stored("locked", b"xxxxxxxxxxxx")
        };
        let odd = ZipMember {
            method: 98,
            ..ZipMember::stored("odd", b"abc")
        };
        let seen = walk(&zip(&[locked, odd, ZipMember::stored("plain", b"abc")]));
        assert_eq!(seen.names(), ["plain"]);
        assert_eq!(
            seen.faults(),
            ["locked: encrypted", "odd: unsupported method: zip ppmd"]
        );
    }

    #[test]
    fn members_of_every_method_come_out() {
        let text = prose(40_000);
        let options = lzma_rust2::LzmaOptions::with_preset(3);
        let alone = lzma(&text, &options, true);
        // Version, length of properties, properties and dictionary, stream.
        let in_zip = [&[9, 4, 5, 0], &alone[..5], &alone[13..]].concat();
        let bytes = zip(&[
            ZipMember::packed("9", &text, 9, deflate(&text)),
            ZipMember::packed("12", &text, 12, bzip2(&text)),
            ZipMember::packed("14", &text, 14, in_zip),
            ZipMember::packed("93", &text, 93, ::zstd::encode_all(&text[..], 1).unwrap()),
            ZipMember::packed(
                "95",
                &text,
                95,
                xz(&text, lzma_rust2::XzOptions::with_preset(1)),
            ),
        ]);
        let seen = walk_whole(&bytes);
        assert_eq!(seen.names(), ["9", "12", "14", "93", "95"]);
        assert!(seen.seen.iter().all(|seen| seen.bytes == text));
    }

    #[test]
    fn a_false_checksum_is_told_and_the_bytes_are_shown() {
        let member = ZipMember {
            sum: 7,
            ..ZipMember::deflated("x", b"abc")
        };
        let seen = walk(&zip(&[member]));
        assert_eq!(seen.bytes_of("x"), b"abc");
        assert!(!seen.seen[0].complete);
        assert_eq!(seen.faults(), ["x: damaged: checksum does not match"]);
    }

    #[test]
    fn entries_that_share_a_kernel_are_bounded() {
        // As in "A better zip bomb": every entry's data is the same megabytes of zeros.
        let kernel = deflate(&vec![0; 8 << 20]);
        let one = ZipMember {
            sum: 0,
            unpacked: 8 << 20,
            ..ZipMember::packed("k", b"", 8, kernel)
        };
        let mut bytes = one.local();
        let start = bytes.len();
        let directory: Vec<u8> = (0..5000).flat_map(|_| one.directory_entry(0)).collect();
        bytes.extend(&directory);
        bytes.extend(zip_end(5000, start, directory.len()));
        let limits = Limits {
            ratio_floor_bytes: 16 << 20,
            ratio: 10,
            ..Limits::default()
        };
        let seen = walk_with(&bytes, &limits);
        let total: usize = seen.seen.iter().map(|seen| seen.bytes.len()).sum();
        assert!(total <= 16 << 20, "{total}");
        assert!(
            seen.faults()
                .contains(&"itself: limit reached: ratio of unpacked to packed bytes".to_owned())
        );
    }
}
