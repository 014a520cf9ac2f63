//! Recognition of formats by their first bytes.

use memchr::memmem;

use crate::bytes::{Cursor, size};
use crate::container::{tar, zip};

/// Zeros between a program and what is appended to it, at most: a page of the largest kind.
const MAX_PADDING: usize = 64 << 10;
/// The part of a script in which the beginning of an archive is looked for.
const MAX_SCRIPT: usize = 1 << 20;

/// A container that [`crate::unpack`] opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// gzip, of any number of members.
    Gzip,
    /// A zlib stream, as git's loose objects are. Has no magic worth the name: only on
    /// explicit request, never by [`Format::of`].
    Zlib,
    /// xz.
    Xz,
    /// LZMA alone, the format before xz.
    Lzma,
    /// Zstandard.
    Zstd,
    /// bzip2.
    Bzip2,
    /// LZ4 frames, and the older ones of Linux kernels.
    Lz4,
    /// zip, jar, whl, apk.
    Zip,
    /// tar of any dialect.
    Tar,
    /// ar, as `.deb` and `.a` are.
    Ar,
    /// rpm package.
    Rpm,
    /// 7z.
    SevenZip,
    /// cpio of any dialect, as initramfs is.
    Cpio,
    /// squashfs 4.
    Squashfs,
}

impl Format {
    /// The format of a file that begins with `head`, its first 512 bytes or more (less only
    /// where the file is smaller). Costs a look at one byte, or three, for most files.
    pub fn of(head: &[u8]) -> Option<Format> {
        let found = match head {
            [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0 => Some(Format::Gzip),
            [b'P', b'K', 3, 4, ..]
            | [b'P', b'K', 5, 6, ..]
            | [b'P', b'K', 7, 8, b'P', b'K', ..]
            | [b'P', b'K', b'0', b'0', b'P', b'K', ..] => Some(Format::Zip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Format::Xz),
            // The second: a frame to be skipped, with which parallel writers begin.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Format::Zstd)
            }
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]
                if rest.starts_with(&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
                    || rest.starts_with(&[0x17, 0x72, 0x45, 0x38, 0x50, 0x90]) =>
            {
                Some(Format::Bzip2)
            }
            [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Some(Format::Lz4),
            [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Some(Format::SevenZip),
            [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => Some(Format::Ar),
            [0xed, 0xab, 0xee, 0xdb, ..] => Some(Format::Rpm),
            [b'h', b's', b'q', b's', ..] | [b's', b'q', b's', b'h', ..] => Some(Format::Squashfs),
            [b'0', b'7', b'0', b'7', b'0', b'1' | b'2' | b'7', ..] => Some(Format::Cpio),
            [0xc7, 0x71, ..] | [0x71, 0xc7, ..] if old_cpio(head) => Some(Format::Cpio),
            [0x5d, ..] if lzma_alone(head) => Some(Format::Lzma),
            _ => None,
        };
        found.or_else(|| tar::is_header(head).then_some(Format::Tar))
    }

    /// The name that ClamAV's `Container:` and container metadata signatures have for it.
    /// Formats that ClamAV does not open have a name in its manner, which no signature uses;
    /// of the dialects of tar and cpio it is the newest one's.
    pub const fn clamav_type(self) -> &'static str {
        match self {
            Format::Gzip => "CL_TYPE_GZ",
            Format::Zlib => "CL_TYPE_ZLIB",
            Format::Xz => "CL_TYPE_XZ",
            Format::Lzma => "CL_TYPE_LZMA",
            Format::Zstd => "CL_TYPE_ZSTD",
            Format::Bzip2 => "CL_TYPE_BZ",
            Format::Lz4 => "CL_TYPE_LZ4",
            Format::Zip => "CL_TYPE_ZIP",
            Format::Tar => "CL_TYPE_POSIX_TAR",
            Format::Ar => "CL_TYPE_AR",
            Format::Rpm => "CL_TYPE_RPM",
            Format::SevenZip => "CL_TYPE_7Z",
            Format::Cpio => "CL_TYPE_CPIO_NEWC",
            Format::Squashfs => "CL_TYPE_SQUASHFS",
        }
    }

    /// The word for it in messages and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Gzip => "gzip",
            Format::Zlib => "zlib",
            Format::Xz => "xz",
            Format::Lzma => "lzma",
            Format::Zstd => "zstd",
            Format::Bzip2 => "bzip2",
            Format::Lz4 => "lz4",
            Format::Zip => "zip",
            Format::Tar => "tar",
            Format::Ar => "ar",
            Format::Rpm => "rpm",
            Format::SevenZip => "7z",
            Format::Cpio => "cpio",
            Format::Squashfs => "squashfs",
        }
    }

    /// Whether it packs one stream of bytes, not files with names.
    pub const fn is_compressor(self) -> bool {
        matches!(
            self,
            Format::Gzip
                | Format::Zlib
                | Format::Xz
                | Format::Lzma
                | Format::Zstd
                | Format::Bzip2
                | Format::Lz4
        )
    }
}

/// An archive behind something else, and the byte at which to [`crate::unpack`] it:
/// self-extractors, executable jars, AppImages. Looks behind the sections or segments of an ELF
/// program, at the beginnings of a script's lines, and in any file for a zip directory at its end,
/// since whatever opens zips does. The archive of a zip begins where its offsets count from.
pub fn appended(bytes: &[u8]) -> Option<(Format, usize)> {
    let behind = match bytes {
        [0x7f, b'E', b'L', b'F', ..] => [sections_end(bytes), segments_end(bytes)]
            .into_iter()
            .flatten()
            .find_map(|end| behind(bytes, end)),
        [b'#', b'!', ..] => behind_lines(bytes),
        _ => None,
    };
    behind.or_else(|| zip_behind(bytes))
}

/// What begins at `end`, or behind the zeros there: writers align.
fn behind(bytes: &[u8], end: usize) -> Option<(Format, usize)> {
    let rest = bytes.get(end..)?;
    let zeros = rest
        .iter()
        .take(MAX_PADDING)
        .take_while(|&&b| b == 0)
        .count();
    let start = end + zeros;
    Some((Format::of(bytes.get(start..)?)?, start))
}

/// What begins behind a line of a script, as shell archives have it.
fn behind_lines(bytes: &[u8]) -> Option<(Format, usize)> {
    const BEGINNINGS: [&[u8]; 4] = [
        b"\n\x1f\x8b\x08",
        b"\n\xfd7zXZ\0",
        b"\n\x28\xb5\x2f\xfd",
        b"\nBZh",
    ];
    let reach = bytes.get(..bytes.len().min(MAX_SCRIPT))?;
    BEGINNINGS
        .iter()
        .filter_map(|beginning| {
            memmem::find_iter(reach, beginning).take(64).find_map(|at| {
                let start = at + 1;
                Some((Format::of(bytes.get(start..)?)?, start))
            })
        })
        .min_by_key(|(_, start)| *start)
}

fn zip_behind(bytes: &[u8]) -> Option<(Format, usize)> {
    // The reader corrects offsets for what lies in front, so it gets the whole file.
    zip::has_directory(bytes).then_some((Format::Zip, 0))
}

/// Where the section header table ends, which linkers write last.
fn sections_end(bytes: &[u8]) -> Option<usize> {
    let wide = *bytes.get(4)? == 2;
    if *bytes.get(5)? != 1 {
        return None;
    }
    let (table, entry_size, count) = if wide {
        let table = Cursor::at(bytes, 0x28).u64().ok()?;
        let mut sizes = Cursor::at(bytes, 0x3a);
        (table, sizes.u16().ok()?, sizes.u16().ok()?)
    } else {
        let table = u64::from(Cursor::at(bytes, 0x20).u32().ok()?);
        let mut sizes = Cursor::at(bytes, 0x2e);
        (table, sizes.u16().ok()?, sizes.u16().ok()?)
    };
    let end = table.checked_add(u64::from(entry_size) * u64::from(count))?;
    (table > 0).then_some(size(end).ok()?)
}

/// Where the last segment ends in the file: programs without sections have nothing else.
fn segments_end(bytes: &[u8]) -> Option<usize> {
    let wide = *bytes.get(4)? == 2;
    if *bytes.get(5)? != 1 {
        return None;
    }
    let (table, mut sizes) = if wide {
        (Cursor::at(bytes, 0x20).u64().ok()?, Cursor::at(bytes, 0x36))
    } else {
        let table = Cursor::at(bytes, 0x1c).u32().ok()?;
        (u64::from(table), Cursor::at(bytes, 0x2a))
    };
    let (entry_size, count) = (sizes.u16().ok()?, sizes.u16().ok()?);
    let mut end = 0_u64;
    for index in 0..u64::from(count) {
        let entry = table.checked_add(index * u64::from(entry_size))?;
        let entry = size(entry).ok()?;
        let (offset, length) = if wide {
            let mut fields = Cursor::at(bytes, entry.checked_add(8)?);
            let offset = fields.u64().ok()?;
            let mut fields = Cursor::at(bytes, entry.checked_add(0x20)?);
            (offset, fields.u64().ok()?)
        } else {
            let mut fields = Cursor::at(bytes, entry.checked_add(4)?);
            let offset = fields.u32().ok()?;
            let mut fields = Cursor::at(bytes, entry.checked_add(0x10)?);
            (u64::from(offset), u64::from(fields.u32().ok()?))
        };
        end = end.max(offset.checked_add(length)?);
    }
    (end > 0).then_some(size(end).ok()?)
}

/// The old binary format's magic is two bytes: its first name must be one too.
fn old_cpio(head: &[u8]) -> bool {
    let Some(&[first, second]) = head.get(20..22) else {
        return false;
    };
    let name_size = if head.first() == Some(&0xc7) {
        usize::from(u16::from_le_bytes([first, second]))
    } else {
        usize::from(u16::from_be_bytes([first, second]))
    };
    let Some(end) = (26_usize + name_size).checked_sub(1) else {
        return false;
    };
    match head.get(26..end) {
        Some(name) => !name.is_empty() && !name.contains(&0) && head.get(end) == Some(&0),
        // A name longer than the head.
        None => (1..=4096).contains(&name_size) && head.get(26).is_some_and(|&b| b != 0),
    }
}

/// LZMA alone has no magic. This is what xz's own reader asks for (a dictionary of 2^n or
/// 2^n + 2^(n-1), a size that is unknown or below 256 GiB), the usual properties, and the
/// zero with which the range coder begins.
fn lzma_alone(head: &[u8]) -> bool {
    let mut cursor = Cursor::at(head, 1);
    let (Ok(dictionary), Ok(length), Ok(first)) = (cursor.u32(), cursor.u64(), cursor.u8()) else {
        return false;
    };
    let round = dictionary == u32::MAX
        || dictionary.is_power_of_two()
        || (dictionary % 3 == 0 && (dictionary / 3).is_power_of_two());
    round && dictionary >= 4096 && (length == u64::MAX || length < 1 << 38) && first == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_files_are_no_containers() {
        for head in [
            &b""[..],
            b"P",
            b"PK",
            b"#!/bin/sh\n",
            b"\x7fELF\x02\x01\x01",
            b"BZhello there",
            b"07070 is a number",
            b"\xc7\x71 by chance",
            b"]\0\0 by chance, and then some more text",
            &[0; 1024],
            &[b'7'; 1024],
        ] {
            assert_eq!(Format::of(head), None, "{head:?}");
        }
    }

    #[test]
    fn archives_behind_scripts_and_padded_programs_are_found() {
        let packed = crate::testing::gzip(b"content", None);
        let script = [b"#!/bin/sh\ntail -n +3 $0 | tar xz\n".as_slice(), &packed].concat();
        let start = script.len() - packed.len();
        assert_eq!(appended(&script), Some((Format::Gzip, start)));
        // A program of one segment of 16 bytes behind its headers, without sections.
        let mut program = vec![0_u8; 0x40 + 0x38];
        program[..6].copy_from_slice(b"\x7fELF\x02\x01");
        program[0x20] = 0x40;
        program[0x36] = 0x38;
        program[0x38] = 1;
        program[0x40 + 8] = 0x78;
        program[0x40 + 0x20] = 16;
        program.extend([0x90; 16]);
        program.extend([0; 16]);
        let start = program.len();
        program.extend(&packed);
        assert_eq!(appended(&program), Some((Format::Gzip, start)));
    }

    #[test]
    fn clamav_names_are_what_signatures_use() {
        assert_eq!(Format::Zip.clamav_type(), "CL_TYPE_ZIP");
        assert_eq!(Format::SevenZip.clamav_type(), "CL_TYPE_7Z");
        assert_eq!(Format::Bzip2.clamav_type(), "CL_TYPE_BZ");
        assert_eq!(Format::Gzip.clamav_type(), "CL_TYPE_GZ");
    }
}
