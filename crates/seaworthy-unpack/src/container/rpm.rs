//! rpm packages: a lead, two headers, a compressed cpio archive.
//!
//! ```text
//! lead       96 bytes, ED AB EE DB
//! signature  8E AD E8 01, 4 reserved, entries u32, bytes u32, entries * 16, bytes; padded to 8
//! header     the same, not padded
//! payload    cpio in gzip, xz, zstd, lzma, bzip2 or nothing, told by its own first bytes
//! ```
//!
//! Numbers are big-endian. Members are the package's files; the payload is none. Scripts
//! stand in the header as plain text, which the package's own bytes show. Version 6, and
//! version 4 where a file is larger than 4 GiB, have a cpio of their own, whose members are
//! numbers: names, modes and sizes are then the header's.

use std::collections::HashMap;

use crate::bytes::{Cursor, size};
use crate::container::cpio::{self, Numbered};
use crate::format::Format;
use crate::limits::Incomplete;
use crate::stream;
use crate::walk::{Step, Walk};

/// Files of a package that are numbered.
const MAX_FILES: usize = 1 << 20;

/// Tags of the header, by rpm's numbers.
mod tag {
    pub const FILE_SIZES: u32 = 1028;
    pub const FILE_MODES: u32 = 1030;
    pub const FILE_DEVICES: u32 = 1095;
    pub const FILE_INODES: u32 = 1096;
    pub const DIR_INDEXES: u32 = 1116;
    pub const BASE_NAMES: u32 = 1117;
    pub const DIR_NAMES: u32 = 1118;
    pub const LONG_FILE_SIZES: u32 = 5008;
}

/// Walks the files of the payload.
pub(crate) fn read(walk: &mut Walk<'_>, bytes: &[u8]) -> Step {
    let mut cursor = Cursor::at(bytes, 96);
    Header::read(&mut cursor)?;
    let at = cursor.position();
    cursor.skip(at.next_multiple_of(8) - at)?;
    let header = Header::read(&mut cursor)?;
    let payload = cursor.rest();
    match Format::of(payload) {
        _ if payload.starts_with(b"07070X") => read_payload(walk, payload, &header),
        Some(Format::Cpio) => read_payload(walk, payload, &header),
        Some(format) if format.is_compressor() => {
            let mut out = walk.block_output(payload.len())?;
            let done = stream::decode(walk, payload, format, &mut out);
            walk.spend(out.bytes.len());
            if let Err(why) = done {
                // What is out of the payload is an archive that breaks off there, too.
                walk.report(&why);
            }
            if out.bytes.is_empty() {
                return Ok(());
            }
            read_payload(walk, &out.bytes, &header)
        }
        _ if payload.is_empty() => Err(Incomplete::TRUNCATED.into()),
        _ => Err(Incomplete::unsupported("rpm payload").into()),
    }
}

fn read_payload(walk: &mut Walk<'_>, payload: &[u8], header: &Header<'_>) -> Step {
    if !payload.starts_with(b"07070X") {
        return cpio::read_as(walk, payload, Format::Rpm, &|_| None);
    }
    let files = Files::of(header);
    cpio::read_as(walk, payload, Format::Rpm, &|number| files.get(number))
}

/// A header: where each tag's values begin.
struct Header<'a> {
    index: &'a [u8],
    store: &'a [u8],
}

impl<'a> Header<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Header<'a>, Incomplete> {
        if cursor.take(4)? != [0x8e, 0xad, 0xe8, 1] {
            return Err(Incomplete::Damaged("not an rpm header"));
        }
        cursor.skip(4)?;
        let (entries, length) = (cursor.u32_be()?, cursor.u32_be()?);
        Ok(Header {
            index: cursor.take_u64(u64::from(entries) * 16)?,
            store: cursor.take_u64(u64::from(length))?,
        })
    }

    /// The bytes from a tag's first value on, and how many values it has.
    fn values(&self, tag: u32) -> Option<(&'a [u8], usize)> {
        self.index.chunks_exact(16).find_map(|entry| {
            let mut entry = Cursor::new(entry);
            if entry.u32_be().ok()? != tag {
                return None;
            }
            entry.skip(4).ok()?;
            let (offset, count) = (entry.u32_be().ok()?, entry.u32_be().ok()?);
            let offset = size(u64::from(offset)).ok()?;
            Some((self.store.get(offset..)?, size(u64::from(count)).ok()?))
        })
    }

    /// The values of a tag that are `N` bytes each.
    fn numbers<const N: usize>(&self, tag: u32) -> &'a [[u8; N]] {
        let (bytes, count) = self.values(tag).unwrap_or_default();
        let (numbers, _) = bytes.as_chunks();
        numbers.get(..count).unwrap_or(numbers)
    }

    fn texts(&self, tag: u32) -> Vec<&'a [u8]> {
        let (bytes, count) = self.values(tag).unwrap_or_default();
        bytes
            .split(|&b| b == 0)
            .take(count.min(MAX_FILES))
            .collect()
    }
}

/// What a header says of the package's files.
struct Files<'a> {
    names: Vec<&'a [u8]>,
    folders: Vec<&'a [u8]>,
    folder_of: &'a [[u8; 4]],
    modes: &'a [[u8; 2]],
    sizes: &'a [[u8; 4]],
    long_sizes: &'a [[u8; 8]],
    devices: &'a [[u8; 4]],
    inodes: &'a [[u8; 4]],
    /// Of the names of one file, which the others are hard links to, the last has its data.
    last_link: HashMap<([u8; 4], [u8; 4]), usize>,
}

impl<'a> Files<'a> {
    fn of(header: &Header<'a>) -> Files<'a> {
        let mut files = Files {
            names: header.texts(tag::BASE_NAMES),
            folders: header.texts(tag::DIR_NAMES),
            folder_of: header.numbers(tag::DIR_INDEXES),
            modes: header.numbers(tag::FILE_MODES),
            sizes: header.numbers(tag::FILE_SIZES),
            long_sizes: header.numbers(tag::LONG_FILE_SIZES),
            devices: header.numbers(tag::FILE_DEVICES),
            inodes: header.numbers(tag::FILE_INODES),
            last_link: HashMap::new(),
        };
        for number in 0..files.names.len() {
            if let Some(identity) = files.identity(number) {
                files.last_link.insert(identity, number);
            }
        }
        files
    }

    /// Device and inode of a regular file.
    fn identity(&self, number: usize) -> Option<([u8; 4], [u8; 4])> {
        let mode = u16::from_be_bytes(*self.modes.get(number)?);
        let inode = *self.inodes.get(number)?;
        let device = self.devices.get(number).copied().unwrap_or_default();
        (mode & 0o170_000 == 0o100_000).then_some((device, inode))
    }

    fn get(&self, number: u32) -> Option<Numbered> {
        let number = size(u64::from(number)).ok()?;
        let base = self.names.get(number)?;
        let folder = self.folder_of.get(number).map(|at| u32::from_be_bytes(*at));
        let folder = folder.and_then(|at| self.folders.get(size(u64::from(at)).ok()?));
        let mode = u32::from(u16::from_be_bytes(*self.modes.get(number)?));
        let long = self
            .long_sizes
            .get(number)
            .map(|size| u64::from_be_bytes(*size));
        let short = self
            .sizes
            .get(number)
            .map(|size| u64::from(u32::from_be_bytes(*size)));
        let is_last = self
            .identity(number)
            .is_none_or(|identity| self.last_link.get(&identity) == Some(&number));
        // Directories and devices have no data, whatever size they are given.
        let length = match mode & 0o170_000 {
            0o100_000 if is_last => long.or(short)?,
            0o120_000 => long.or(short)?,
            _ => 0,
        };
        Some(Numbered {
            name: [folder.copied().unwrap_or_default(), base].concat(),
            mode,
            length,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Format;
    use crate::testing::{cpio_newc, eicar, gzip, rpm, walk, walk_whole};

    #[test]
    fn files_of_the_payload_are_the_members() {
        let payload = cpio_newc("070701", &[("./usr/bin/x", &eicar())]);
        for payload in [
            payload.clone(),
            gzip(&payload, None),
            zstd::encode_all(&payload[..], 3).unwrap(),
        ] {
            let seen = walk_whole(&rpm(&payload));
            assert_eq!(seen.names(), ["usr/bin/x"]);
            assert_eq!(seen.bytes_of("usr/bin/x"), eicar());
            assert_eq!(seen.seen[0].container, Format::Rpm);
        }
    }

    #[test]
    fn a_payload_that_is_none_is_told() {
        assert_eq!(
            walk(&rpm(b"something else")).faults(),
            ["itself: unsupported method: rpm payload"]
        );
        assert_eq!(
            walk(&rpm(b"")).faults(),
            ["itself: damaged: data breaks off"]
        );
    }

    /// A header whose store holds these values, each of a tag and a count.
    fn header(values: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let (mut index, mut store) = (Vec::new(), Vec::new());
        for (tag, count, bytes) in values {
            for number in [*tag, 0, u32::try_from(store.len()).unwrap(), *count] {
                index.extend(number.to_be_bytes());
            }
            store.extend(*bytes);
        }
        let mut out = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
        out.extend(u32::try_from(values.len()).unwrap().to_be_bytes());
        out.extend(u32::try_from(store.len()).unwrap().to_be_bytes());
        [out, index, store].concat()
    }

    #[test]
    fn numbered_files_have_names_and_sizes_from_the_header() {
        // A directory, two names of one file, of which the second has the data, and a link.
        let modes = [0x41, 0xed, 0x81, 0xed, 0x81, 0xed, 0xa1, 0xff];
        let length = [0, 0, 0, 0, 0, 0, 0, 68];
        let sizes = [
            [0, 0, 0, 0, 0, 0, 16, 0],
            length,
            length,
            [0, 0, 0, 0, 0, 0, 0, 3],
        ];
        let inodes = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
        let main = header(&[
            (1117, 4, b"bin\0x\0y\0l\0"),
            (1118, 2, b"/usr/\0/usr/bin/\0"),
            (1116, 4, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]),
            (1030, 4, &modes),
            (1096, 4, &inodes),
            (5008, 4, sizes.as_flattened()),
        ]);
        let mut payload = Vec::new();
        for (number, data) in [(0, &b""[..]), (1, b""), (2, &eicar()), (3, b"a/b")] {
            payload.extend(format!("07070X{number:08x}\0\0").into_bytes());
            payload.extend(data);
            payload.resize(payload.len().next_multiple_of(4), 0);
        }
        payload.extend(cpio_newc("070701", &[]));
        let mut bytes = vec![0xed, 0xab, 0xee, 0xdb];
        bytes.resize(96, 0);
        bytes.extend(header(&[]));
        bytes.extend(&main);
        for payload in [payload.clone(), gzip(&payload, None)] {
            let seen = walk_whole(&[&bytes[..], &payload].concat());
            assert_eq!(seen.names(), ["usr/bin/x", "usr/bin/y"]);
            assert_eq!(seen.bytes_of("usr/bin/x"), b"");
            assert_eq!(seen.bytes_of("usr/bin/y"), eicar());
            assert_eq!(seen.seen[1].mode, Some(0o100_755));
        }
    }
}
