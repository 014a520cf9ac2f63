//! squashfs 4.0: snaps, AppImages, live images.
//!
//! Follows the kernel's `Documentation/filesystems/squashfs.rst` and its structures. The
//! superblock names tables of metadata blocks (8 KiB each when unpacked); inodes and
//! directory listings are addressed as block and byte in it; a file is a list of blocks and
//! maybe a piece of a fragment block that it shares with others.
//!
//! Read from the root directory on: what no directory lists is not found. Each directory is
//! read once, so that circles end. Compression: gzip, xz, lz4, zstd, lzma; not LZO. Versions
//! before 4 are reported as unsupported.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::bytes::{Cursor, size};
use crate::codec::{deflate, lz4, lzma, xz, zstd};
use crate::format::Format;
use crate::limits::{Incomplete, Limit};
use crate::names::clean;
use crate::output::Output;
use crate::walk::{Entry, Halt, Step, Walk};

/// Bytes of a metadata block when unpacked.
const META: usize = 8192;

/// Metadata blocks kept: 32 MiB.
const KEPT: usize = 4096;

/// Directory entries of one image that are looked at.
const MAX_ENTRIES: u64 = 500_000;

/// Bytes of a path: what Linux allows.
const MAX_PATH: usize = 4096;

/// Directories in one another.
const MAX_DEPTH: usize = 256;

/// A file without a fragment.
const NO_FRAGMENT: u32 = u32::MAX;

/// Inode types that are read: a directory and a regular file, plain and extended.
const DIRECTORY: u16 = 1;
const FILE: u16 = 2;
const LONG_DIRECTORY: u16 = 8;
const LONG_FILE: u16 = 9;

struct Image<'a> {
    bytes: &'a [u8],
    compressor: u16,
    block_size: u32,
    inodes: u64,
    directories: u64,
    fragments: u64,
    fragment_count: u32,
    /// Unpacked metadata blocks by place, with the place of the next.
    blocks: HashMap<u64, (Rc<[u8]>, u64)>,
    /// The fragment block of the file before, which is likely that of the next.
    fragment: Option<(u32, Vec<u8>)>,
}

/// A place in a table.
struct Meta {
    block: Rc<[u8]>,
    next: u64,
    at: usize,
}

struct RegularFile {
    mode: u32,
    length: u64,
    first_block: u64,
    fragment: u32,
    offset: u32,
    /// At the list of block sizes.
    sizes: Meta,
}

struct Listing {
    block: u64,
    offset: u16,
    length: u32,
}

enum Inode {
    Directory(Listing),
    File(RegularFile),
    Other,
}

/// Walks the files.
pub(crate) fn read(walk: &mut Walk<'_>, bytes: &[u8]) -> Step {
    let mut head = Cursor::new(bytes);
    if head.take(4)? != b"hsqs" {
        return Err(Incomplete::unsupported("big-endian squashfs").into());
    }
    head.skip(8)?;
    let (block_size, fragment_count) = (head.u32()?, head.u32()?);
    let compressor = head.u16()?;
    head.skip(6)?;
    let (major, minor) = (head.u16()?, head.u16()?);
    if major != 4 {
        return Err(Incomplete::unsupported(format!("squashfs {major}.{minor}")).into());
    }
    if !(4096..=1 << 20).contains(&block_size) {
        return Err(Incomplete::Damaged("squashfs block size").into());
    }
    let root = head.u64()?;
    head.skip(24)?;
    let (inodes, directories, fragments) = (head.u64()?, head.u64()?, head.u64()?);
    if !matches!(compressor, 1 | 2 | 4 | 5 | 6) {
        let name = if compressor == 3 {
            "squashfs lzo"
        } else {
            "squashfs compressor"
        };
        return Err(Incomplete::unsupported(name).into());
    }
    let image = Image {
        bytes,
        compressor,
        block_size,
        inodes,
        directories,
        fragments,
        fragment_count,
        blocks: HashMap::new(),
        fragment: None,
    };
    image.walk(walk, root)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}

impl Image<'_> {
    fn walk(mut self, walk: &mut Walk<'_>, root: u64) -> Step {
        let Inode::Directory(listing) = self.inode(walk, root)? else {
            return Err(Incomplete::Damaged("squashfs root is no directory").into());
        };
        let mut seen = HashSet::from([root]);
        let mut entries = 0_u64;
        // A directory, the path it lies in, its name, its depth. Paths are shared by what lies
        // in them: a hundred thousand long ones would be gigabytes.
        let mut waiting = vec![(listing, Rc::<str>::from(""), String::new(), 0_usize)];
        while let Some((listing, above, name, depth)) = waiting.pop() {
            let path: Rc<str> = join(&above, &name).into();
            let children = match self.children(walk, &listing, &mut entries) {
                Ok(children) => children,
                Err(Halt::Broken(why)) => {
                    let place = if path.is_empty() { "/" } else { &path };
                    walk.report_member(place, &why);
                    continue;
                }
                Err(stop) => return Err(stop),
            };
            if entries > MAX_ENTRIES {
                return Err(Incomplete::Limit(Limit::Members).into());
            }
            for (reference, name) in children {
                match self.inode(walk, reference) {
                    Ok(Inode::Directory(listing)) if seen.insert(reference) => {
                        if depth < MAX_DEPTH && path.len() + name.len() < MAX_PATH {
                            waiting.push((listing, Rc::clone(&path), name, depth + 1));
                        } else {
                            let why = Incomplete::Limit(Limit::Depth);
                            walk.report_member(&join(&path, &name), &why);
                        }
                    }
                    Ok(Inode::File(file)) => self.file(walk, file, &join(&path, &name))?,
                    Ok(_) => {}
                    Err(Halt::Broken(why)) => walk.report_member(&join(&path, &name), &why),
                    Err(stop) => return Err(stop),
                }
            }
        }
        Ok(())
    }

    /// Unpacks a block onto `out`.
    fn unpack(
        &self,
        walk: &mut Walk<'_>,
        packed: &[u8],
        out: &mut Output,
    ) -> Result<(), Incomplete> {
        let start = out.bytes.len();
        match self.compressor {
            1 => deflate::unzlib(&mut walk.inflater, packed, out).map(|_| ()),
            2 => lzma::alone(packed, out),
            4 => xz::unxz(packed, out),
            5 => lz4::block(packed, out, start),
            _ => zstd::unzstd(packed, out),
        }
    }

    /// The metadata block at a place in the image.
    fn meta_block(&mut self, walk: &mut Walk<'_>, at: u64) -> Result<(Rc<[u8]>, u64), Halt> {
        if let Some((block, next)) = self.blocks.get(&at) {
            return Ok((Rc::clone(block), *next));
        }
        walk.check_time()?;
        let mut cursor = Cursor::at(self.bytes, size(at)?);
        let header = cursor.u16()?;
        let packed = cursor.take(usize::from(header & 0x7fff))?;
        let block: Rc<[u8]> = if header & 0x8000 != 0 {
            packed.into()
        } else {
            let mut out = Output::new(META, Limit::Memory, None);
            match self.unpack(walk, packed, &mut out) {
                // The bound may be met before the stream says that it ends.
                Ok(()) | Err(Incomplete::Limit(_)) => {}
                Err(why) => return Err(why.into()),
            }
            out.bytes.into()
        };
        if block.is_empty() {
            return Err(Incomplete::Damaged("empty metadata block").into());
        }
        let next = u64::try_from(cursor.position()).unwrap_or(u64::MAX);
        if self.blocks.len() >= KEPT {
            self.blocks.clear();
        }
        self.blocks.insert(at, (Rc::clone(&block), next));
        Ok((block, next))
    }

    fn meta(&mut self, walk: &mut Walk<'_>, at: u64, offset: u16) -> Result<Meta, Halt> {
        let (block, next) = self.meta_block(walk, at)?;
        Ok(Meta {
            block,
            next,
            at: usize::from(offset),
        })
    }

    /// Fills `to` from a table, on into the blocks behind.
    fn fill(&mut self, walk: &mut Walk<'_>, meta: &mut Meta, to: &mut [u8]) -> Step {
        let mut filled = 0;
        while filled < to.len() {
            let rest = meta.block.get(meta.at..).unwrap_or_default();
            if rest.is_empty() {
                let (block, next) = self.meta_block(walk, meta.next)?;
                *meta = Meta { block, next, at: 0 };
                continue;
            }
            let count = rest.len().min(to.len() - filled);
            if let (Some(to), Some(from)) = (to.get_mut(filled..filled + count), rest.get(..count))
            {
                to.copy_from_slice(from);
            }
            filled += count;
            meta.at += count;
        }
        Ok(())
    }

    fn array<const N: usize>(
        &mut self,
        walk: &mut Walk<'_>,
        meta: &mut Meta,
    ) -> Result<[u8; N], Halt> {
        let mut bytes = [0; N];
        self.fill(walk, meta, &mut bytes)?;
        Ok(bytes)
    }

    fn inode(&mut self, walk: &mut Walk<'_>, reference: u64) -> Result<Inode, Halt> {
        let place = self
            .inodes
            .checked_add(reference >> 16)
            .ok_or(Incomplete::TRUNCATED)?;
        let offset = u16::try_from(reference & 0xffff).unwrap_or_default();
        let mut meta = self.meta(walk, place, offset)?;
        let common: [u8; 16] = self.array(walk, &mut meta)?;
        let mut common = Cursor::new(&common);
        let (kind, permissions) = (common.u16()?, common.u16()?);
        let mode = 0o100_000 | u32::from(permissions);
        Ok(match kind {
            DIRECTORY => {
                let raw: [u8; 16] = self.array(walk, &mut meta)?;
                let mut raw = Cursor::new(&raw);
                let (block, _, length, offset) = (raw.u32()?, raw.u32()?, raw.u16()?, raw.u16()?);
                Inode::Directory(Listing {
                    block: u64::from(block),
                    offset,
                    length: u32::from(length),
                })
            }
            LONG_DIRECTORY => {
                let raw: [u8; 24] = self.array(walk, &mut meta)?;
                let mut raw = Cursor::new(&raw);
                let (_, length, block) = (raw.u32()?, raw.u32()?, raw.u32()?);
                let (_, _, offset) = (raw.u32()?, raw.u16()?, raw.u16()?);
                Inode::Directory(Listing {
                    block: u64::from(block),
                    offset,
                    length,
                })
            }
            FILE => {
                let raw: [u8; 16] = self.array(walk, &mut meta)?;
                let mut raw = Cursor::new(&raw);
                let (block, fragment) = (raw.u32()?, raw.u32()?);
                let (offset, length) = (raw.u32()?, raw.u32()?);
                Inode::File(RegularFile {
                    mode,
                    length: u64::from(length),
                    first_block: u64::from(block),
                    fragment,
                    offset,
                    sizes: meta,
                })
            }
            LONG_FILE => {
                let raw: [u8; 40] = self.array(walk, &mut meta)?;
                let mut raw = Cursor::new(&raw);
                let (first_block, length) = (raw.u64()?, raw.u64()?);
                raw.skip(12)?;
                let (fragment, offset) = (raw.u32()?, raw.u32()?);
                Inode::File(RegularFile {
                    mode,
                    length,
                    first_block,
                    fragment,
                    offset,
                    sizes: meta,
                })
            }
            _ => Inode::Other,
        })
    }

    /// Inode references and names of a directory.
    fn children(
        &mut self,
        walk: &mut Walk<'_>,
        listing: &Listing,
        entries: &mut u64,
    ) -> Result<Vec<(u64, String)>, Halt> {
        let mut children = Vec::new();
        // The length counts `.` and `..`, which are not there.
        let mut left = u64::from(listing.length).saturating_sub(3);
        if left == 0 {
            return Ok(children);
        }
        let place = self
            .directories
            .checked_add(listing.block)
            .ok_or(Incomplete::TRUNCATED)?;
        let mut meta = self.meta(walk, place, listing.offset)?;
        while left > 12 {
            let head: [u8; 12] = self.array(walk, &mut meta)?;
            left -= 12;
            let mut head = Cursor::new(&head);
            let (count, block) = (head.u32()?, head.u32()?);
            if count > 255 {
                return Err(Incomplete::Damaged("squashfs directory").into());
            }
            for _ in 0..=count {
                let entry: [u8; 8] = self.array(walk, &mut meta)?;
                let mut entry = Cursor::new(&entry);
                let (offset, _, _, length) =
                    (entry.u16()?, entry.u16()?, entry.u16()?, entry.u16()?);
                let length = usize::from(length) + 1;
                if length > 256 {
                    return Err(Incomplete::Damaged("squashfs directory").into());
                }
                let mut name = vec![0; length];
                self.fill(walk, &mut meta, &mut name)?;
                children.push((u64::from(block) << 16 | u64::from(offset), clean(&name)));
                *entries += 1;
                if *entries > MAX_ENTRIES {
                    return Ok(children);
                }
                left = left.saturating_sub(8 + u64::try_from(length).unwrap_or_default());
            }
        }
        Ok(children)
    }

    fn file(&mut self, walk: &mut Walk<'_>, file: RegularFile, name: &str) -> Step {
        let mut out = walk.output(self.bytes.len())?;
        let mode = file.mode;
        let done = match self.content(walk, file, &mut out) {
            Ok(()) => Ok(()),
            Err(Halt::Broken(why)) => Err(why),
            Err(stop) => return Err(stop),
        };
        let entry = Entry {
            container: Format::Squashfs,
            name,
            mode: Some(mode),
        };
        walk.decoded(&entry, &out, done)
    }

    fn content(&mut self, walk: &mut Walk<'_>, mut file: RegularFile, out: &mut Output) -> Step {
        let block_size = u64::from(self.block_size);
        let has_fragment = file.fragment != NO_FRAGMENT;
        let mut at = file.first_block;
        let mut left = file.length;
        while left >= block_size || (left > 0 && !has_fragment) {
            out.check_time()?;
            let word = u32::from_le_bytes(self.array(walk, &mut file.sizes)?);
            let packed = u64::from(word & 0x00ff_ffff);
            let unpacked = size(left.min(block_size))?;
            let before = out.bytes.len();
            if packed == 0 {
                // A hole.
                let zeros = unpacked.min(out.room());
                out.bytes.resize(before + zeros, 0);
                if zeros < unpacked {
                    return Err(out.full().into());
                }
            } else {
                let block = Cursor::at(self.bytes, size(at)?).take_u64(packed)?;
                if word & 0x0100_0000 != 0 {
                    out.push(block)?;
                } else {
                    self.unpack(walk, block, out)?;
                }
                if out.bytes.len() - before != unpacked {
                    return Err(Incomplete::Damaged("block of another size").into());
                }
            }
            at = at.checked_add(packed).ok_or(Incomplete::TRUNCATED)?;
            left -= left.min(block_size);
        }
        if left > 0 {
            let fragment = self.fragment_block(walk, file.fragment)?;
            let start = size(u64::from(file.offset))?;
            let rest = fragment.get(start..).unwrap_or_default();
            let piece = rest.get(..size(left)?).ok_or(Incomplete::TRUNCATED)?;
            out.push(piece)?;
        }
        Ok(())
    }

    /// The block of the fragment of this number.
    fn fragment_block(&mut self, walk: &mut Walk<'_>, number: u32) -> Result<&[u8], Halt> {
        if !matches!(&self.fragment, Some((kept, _)) if *kept == number) {
            let block = self.read_fragment(walk, number)?;
            self.fragment = Some((number, block));
        }
        Ok(self.fragment.as_ref().map_or(&[], |(_, block)| block))
    }

    fn read_fragment(&mut self, walk: &mut Walk<'_>, number: u32) -> Result<Vec<u8>, Halt> {
        if number >= self.fragment_count {
            return Err(Incomplete::Damaged("fragment that is not there").into());
        }
        // Places of metadata blocks, of 512 entries of 16 bytes each.
        let index = self.fragments.checked_add(u64::from(number / 512) * 8);
        let index = size(index.ok_or(Incomplete::TRUNCATED)?)?;
        let block = Cursor::at(self.bytes, index).u64()?;
        let offset = u16::try_from(number % 512 * 16).unwrap_or_default();
        let mut meta = self.meta(walk, block, offset)?;
        let entry: [u8; 16] = self.array(walk, &mut meta)?;
        let mut entry = Cursor::new(&entry);
        let (start, word) = (entry.u64()?, entry.u32()?);
        let packed =
            Cursor::at(self.bytes, size(start)?).take_u64(u64::from(word & 0x00ff_ffff))?;
        if word & 0x0100_0000 != 0 {
            return Ok(packed.to_vec());
        }
        // Counted as any other: a file of a byte can cost a block.
        let bound = walk
            .output(packed.len())?
            .room()
            .min(size(u64::from(self.block_size))?);
        let mut out = Output::new(bound, Limit::TotalBytes, None);
        let done = self.unpack(walk, packed, &mut out);
        walk.spend(out.bytes.len());
        match done {
            Ok(()) | Err(Incomplete::Limit(_)) => Ok(out.bytes),
            Err(why) => Err(why.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use backhand::compression::Compressor;

    use crate::testing::{eicar, prose, squashfs, walk, walk_whole};

    #[test]
    fn files_come_out_of_blocks_and_fragments() {
        let (big, odd) = (prose(50_000), prose(8192));
        let members: [(&str, &[u8]); 5] = [
            ("usr/bin/x", &eicar()),
            ("big", &big),
            ("usr/odd", &odd),
            ("empty", b""),
            ("usr/zeros", &[0; 20_000]),
        ];
        for compressor in [Compressor::Gzip, Compressor::Xz, Compressor::Zstd] {
            let seen = walk_whole(&squashfs(&members, compressor));
            assert_eq!(seen.seen.len(), members.len(), "{:?}", seen.names());
            for (name, body) in members {
                assert_eq!(seen.bytes_of(name), body, "{name}");
            }
            assert_eq!(seen.seen[0].mode, Some(0o100_755));
        }
    }

    #[test]
    fn an_appimage_is_opened_behind_its_program() {
        let image = squashfs(&[("AppRun", &eicar())], Compressor::Gzip);
        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
        bytes.resize(128, 0);
        // One section header at 64, to 128.
        bytes[0x28] = 64;
        bytes[0x3a] = 64;
        bytes[0x3c] = 1;
        bytes.extend(image);
        assert_eq!(
            crate::appended(&bytes),
            Some((crate::Format::Squashfs, 128))
        );
        let outer = crate::testing::tar(&[("app", &bytes)]);
        assert_eq!(walk_whole(&outer).bytes_of("app!/AppRun"), eicar());
    }

    #[test]
    fn other_versions_are_told() {
        let mut bytes = squashfs(&[("x", b"y")], Compressor::Gzip);
        bytes[28] = 3;
        assert_eq!(
            walk(&bytes).faults(),
            ["itself: unsupported method: squashfs 3.0"]
        );
    }
}
