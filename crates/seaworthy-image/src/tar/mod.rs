//! A tar reader for hostile input.
//!
//! Follows POSIX.1-2024 pax (ustar and extended headers), the GNU tar manual (long names,
//! base-256 numbers, sparse files in all four encodings), star's trailer and plain v7.
//! Where the dialects leave a choice it does what Go's `archive/tar` does, because that is
//! what the container engines unpack with: what they would see is what is examined.
//! So global extended headers change nothing, links and devices have no body whatever
//! their size field says, and an archive may end without its end marker.
//!
//! It never allocates by a number from the archive, hands a member's content out of the
//! input's own buffer where it lies there, and leaves meaning (whiteouts, paths) to
//! [`crate::tar_walk`]. Left out: multi-volume archives and GNU directory dumps' content.

mod header;
mod input;
mod pax;
mod sparse;

use std::io::{self, Read};

use seaworthy_core::{Problem, ProblemKind};

use header::{BLOCK, Block, name_into, number, text};
pub(crate) use input::TarInput;
use pax::Pax;
pub(crate) use sparse::{Extent, SparseReader};

/// The most bytes of an extended header or long name: what the engines' reader takes.
const MAX_SPECIAL: u64 = 1 << 20;

/// The most special headers in a row before a member.
const MAX_SPECIAL_RUN: u32 = 64;

/// Members up to this size that straddle the input's buffers are copied together, so that
/// their reader gets them as a slice too.
const GATHER: u64 = 1 << 20;

/// What a member is, by its type flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MemberKind {
    #[default]
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
}

/// One member, its buffers reused for the next.
#[derive(Debug, Default)]
pub(crate) struct Member {
    /// Name as written.
    pub path: Vec<u8>,
    /// Link target as written.
    pub link: Vec<u8>,
    pub kind: MemberKind,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub mtime: i64,
    /// Bytes of content as a reader of the file sees them.
    pub size: u64,
    /// Bytes in the archive: less than `size` for sparse files.
    pub stored: u64,
    pub has_capabilities: bool,
    /// The map of a sparse file.
    pub sparse: Option<Vec<Extent>>,
}

/// What ends the reading of an archive before its end.
#[derive(Debug)]
pub(crate) enum TarFault {
    /// The input failed.
    Input(io::Error),
    /// The archive ends inside a member or header.
    Truncated,
    /// Not a header, or one that contradicts itself.
    Malformed(&'static str),
    /// A header beyond what is read.
    Limit(&'static str),
}

impl From<io::Error> for TarFault {
    fn from(error: io::Error) -> TarFault {
        TarFault::Input(error)
    }
}

/// How an archive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TarEnd {
    /// With its two blocks of zeros.
    Marker,
    /// With its input, between two members.
    Input,
}

/// Where the content of the current member lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Whole in memory: [`TarReader::body_slice`].
    Memory,
    /// Behind [`TarReader::read_body`].
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Nothing,
    InInput(usize),
    InScratch,
}

/// Reads members one after the other.
pub(crate) struct TarReader<I> {
    input: I,
    /// Bytes of the input that are behind us.
    offset: u64,
    /// Stored bytes of the current member still in the input.
    body_left: u64,
    padding: u64,
    held: Held,
    /// A gathered body, or its beginning where the input broke off.
    scratch: Vec<u8>,
    scratch_read: usize,
    /// What broke a body; it ends the archive at the next header.
    fault: Option<TarFault>,
}

impl<I: TarInput> TarReader<I> {
    pub fn new(input: I) -> TarReader<I> {
        TarReader {
            input,
            offset: 0,
            body_left: 0,
            padding: 0,
            held: Held::Nothing,
            scratch: Vec::new(),
            scratch_read: 0,
            fault: None,
        }
    }

    /// The place of the current member's stored bytes in the input.
    pub fn body_offset(&self) -> u64 {
        self.offset
    }

    /// Skips what is left of the current member and reads the next one into `member`.
    /// `Ok(Some(end))` is the end. What is odd but readable goes to `note`.
    pub fn next_member(
        &mut self,
        member: &mut Member,
        note: &mut dyn FnMut(Problem),
    ) -> Result<Option<TarEnd>, TarFault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        self.held = Held::Nothing;
        self.scratch.clear();
        self.scratch_read = 0;
        self.skip_body()?;
        let mut pax = Pax::default();
        let mut long_name: Option<Vec<u8>> = None;
        let mut long_link: Option<Vec<u8>> = None;
        let mut lone_zero_block = false;
        let mut specials = 0;
        loop {
            let Some(block) = self.read_block()? else {
                return Ok(Some(TarEnd::Input));
            };
            if block.iter().all(|&b| b == 0) {
                if lone_zero_block {
                    return Ok(Some(TarEnd::Marker));
                }
                lone_zero_block = true;
                continue;
            }
            if lone_zero_block {
                // Some readers stop at one block of zeros, some go on: what lies behind is seen.
                lone_zero_block = false;
                note(Problem::new(
                    ProblemKind::Malformed,
                    "the archive goes on behind a single block of zeros",
                ));
            }
            if !header::checksum_fits(&block) {
                return Err(TarFault::Malformed(
                    "a block that is no header: its checksum does not fit",
                ));
            }
            let size = number(&block[124..136])
                .and_then(|size| u64::try_from(size).ok())
                .ok_or(TarFault::Malformed("a header whose size is no number"))?;
            let flag = block[156];
            match flag {
                b'x' | b'X' | b'g' | b'L' | b'K' => {
                    specials += 1;
                    if specials > MAX_SPECIAL_RUN {
                        return Err(TarFault::Limit(
                            "more than 64 extended headers before one member",
                        ));
                    }
                    let data = self.read_special(size)?;
                    match flag {
                        b'L' => long_name = Some(text(&data).to_vec()),
                        b'K' => long_link = Some(text(&data).to_vec()),
                        b'g' => {
                            if pax::sets_name_or_size(&data) {
                                note(Problem::new(
                                    ProblemKind::Notice,
                                    "a global extended header sets names or sizes: container engines ignore it, and so it was here",
                                ));
                            }
                        }
                        _ => {
                            pax = Pax::default();
                            if let Err(what) = pax.parse(&data) {
                                note(Problem::new(ProblemKind::Malformed, what));
                            }
                        }
                    }
                }
                b'V' | b'M' | b'N' => {
                    // A volume label names nothing; the others have been gone since the nineties.
                    if flag != b'V' {
                        note(Problem::new(
                            ProblemKind::Unsupported,
                            "a member of a multi-volume archive was skipped",
                        ));
                    }
                    self.start_body(size);
                    self.skip_body()?;
                }
                _ => {
                    self.take_header(&block, size, pax, long_name, long_link, member, note)?;
                    return Ok(None);
                }
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts a member is put together from, taken from the only caller"
    )]
    fn take_header(
        &mut self,
        block: &Block,
        size: u64,
        mut pax: Pax,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
        member: &mut Member,
        note: &mut dyn FnMut(Problem),
    ) -> Result<(), TarFault> {
        if let Some(what) = pax.bad_number {
            debug_assert_eq!(what, "size");
            return Err(TarFault::Malformed(
                "an extended header whose size is no number",
            ));
        }
        member.path.clear();
        match pax.path.take().or(long_name) {
            Some(path) => member.path.extend_from_slice(&path),
            None => name_into(block, &mut member.path),
        }
        member.link.clear();
        match pax.link_path.take().or(long_link) {
            Some(link) => member.link.extend_from_slice(&link),
            None => member.link.extend_from_slice(text(&block[157..257])),
        }
        let unsigned = |field: &[u8]| number(field).and_then(|n| u64::try_from(n).ok());
        member.mode = unsigned(&block[100..108])
            .and_then(|mode| u32::try_from(mode & 0o7777).ok())
            .unwrap_or(0);
        member.uid = pax.uid.or(unsigned(&block[108..116])).unwrap_or(0);
        member.gid = pax.gid.or(unsigned(&block[116..124])).unwrap_or(0);
        member.mtime = pax.mtime.or(number(&block[136..148])).unwrap_or(0);
        member.has_capabilities = pax.has_capabilities;
        member.sparse = None;
        let flag = block[156];
        member.kind = match flag {
            b'1' => MemberKind::HardLink,
            b'2' => MemberKind::Symlink,
            b'3' => MemberKind::CharDevice,
            b'4' => MemberKind::BlockDevice,
            b'5' | b'D' => MemberKind::Directory,
            b'6' => MemberKind::Fifo,
            // v7 had no type for directories but a slash at the end.
            0 if member.path.ends_with(b"/") => MemberKind::Directory,
            0 | b'0' | b'7' | b'S' => MemberKind::File,
            _ => {
                note(Problem::new(
                    ProblemKind::Notice,
                    "a member of an unknown type was taken as a file",
                ));
                MemberKind::File
            }
        };
        let size = pax.size.unwrap_or(size);
        let has_body = member.kind == MemberKind::File || flag == b'D';
        self.start_body(if has_body { size } else { 0 });
        member.stored = self.body_left;
        member.size = if member.kind == MemberKind::File {
            size
        } else {
            0
        };
        if member.kind == MemberKind::File
            && let Err(what) = self.take_sparse(block, pax, member)?
        {
            note(Problem::new(ProblemKind::Malformed, what));
        }
        Ok(())
    }

    /// Finds out whether the member is sparse. The inner error leaves it as it is stored.
    fn take_sparse(
        &mut self,
        block: &Block,
        pax: Pax,
        member: &mut Member,
    ) -> Result<Result<(), &'static str>, TarFault> {
        let mut extents = pax.sparse.extents;
        let real_size;
        if (pax.sparse.major, pax.sparse.minor) == (Some(1), Some(0)) {
            real_size = pax.sparse.real_size;
            extents.clear();
            if let Err(what) = self.read_map_in_body(&mut extents)? {
                return Ok(Err(what));
            }
            member.stored = self.body_left;
            member.size = self.body_left;
        } else if pax.sparse.has_map {
            real_size = pax.sparse.real_size;
        } else if block[156] == b'S' {
            extents.clear();
            let mut current = *block;
            let mut continuation = false;
            loop {
                match sparse::old_gnu_extents(&current, continuation, &mut extents) {
                    Ok(true) => {
                        current = self.read_block()?.ok_or(TarFault::Truncated)?;
                        continuation = true;
                    }
                    Ok(false) => break,
                    // Where the map ends, and the body starts, is unknown.
                    Err(what) => return Err(TarFault::Malformed(what)),
                }
            }
            real_size = number(&block[483..495]).and_then(|size| u64::try_from(size).ok());
        } else {
            return Ok(Ok(()));
        }
        if let Some(name) = pax.sparse.name {
            member.path = name;
        }
        let Some(real_size) = real_size else {
            return Ok(Err("a sparse file without a size"));
        };
        if !sparse::map_fits(&extents, real_size, self.body_left) {
            return Ok(Err("a sparse map that does not fit its file"));
        }
        member.size = real_size;
        member.sparse = Some(extents);
        Ok(Ok(()))
    }

    /// The map of version 1.0: decimal numbers, one a line, at the start of the body, filled
    /// up to a block.
    fn read_map_in_body(
        &mut self,
        extents: &mut Vec<Extent>,
    ) -> Result<Result<(), &'static str>, TarFault> {
        let mut line: Vec<u8> = Vec::new();
        let mut count: Option<u64> = None;
        let mut offset: Option<u64> = None;
        loop {
            if self.body_left < BLOCK as u64 {
                return Ok(Err("a sparse map that does not end"));
            }
            let block = self.read_block()?.ok_or(TarFault::Truncated)?;
            self.body_left -= BLOCK as u64;
            for &byte in &block {
                if byte != b'\n' {
                    if line.len() > 20 {
                        return Ok(Err("a sparse map with something that is no number"));
                    }
                    line.push(byte);
                    continue;
                }
                let Some(value) = pax::decimal(&line) else {
                    return Ok(Err("a sparse map with something that is no number"));
                };
                line.clear();
                match (count, offset.take()) {
                    (None, _) => count = Some(value),
                    (Some(_), None) => offset = Some(value),
                    (Some(_), Some(offset)) => {
                        if extents.len() >= pax::MAX_EXTENTS {
                            return Ok(Err("a sparse map with more than 65536 extents"));
                        }
                        extents.push(Extent {
                            offset,
                            length: value,
                        });
                    }
                }
                if count == Some(extents.len() as u64) {
                    return Ok(Ok(()));
                }
            }
        }
    }

    /// Where the content of the current, not sparse member is to be had, without copying
    /// where it lies in the input's buffer.
    pub fn place_body(&mut self) -> Place {
        if self.body_left == 0 {
            self.scratch.clear();
            self.held = Held::InScratch;
            return Place::Memory;
        }
        let available = match self.input.peek() {
            Ok(buffer) => buffer.len() as u64,
            Err(error) => {
                self.fault = Some(TarFault::Input(error));
                return Place::Stream;
            }
        };
        if self.body_left <= available {
            // Not above `available`, which is a length.
            self.held = Held::InInput(usize::try_from(self.body_left).unwrap_or(0));
            return Place::Memory;
        }
        self.scratch.clear();
        self.scratch_read = 0;
        if self.body_left > GATHER {
            return Place::Stream;
        }
        while self.body_left > 0 {
            let count = match self.input.peek() {
                Ok([]) => {
                    self.fault = Some(TarFault::Truncated);
                    return Place::Stream;
                }
                Ok(buffer) => {
                    let count = usize::try_from(self.body_left)
                        .unwrap_or(usize::MAX)
                        .min(buffer.len());
                    self.scratch.extend_from_slice(&buffer[..count]);
                    count
                }
                Err(error) => {
                    self.fault = Some(TarFault::Input(error));
                    return Place::Stream;
                }
            };
            self.input.advance(count);
            self.offset += count as u64;
            self.body_left -= count as u64;
        }
        self.held = Held::InScratch;
        Place::Memory
    }

    /// The content, after [`TarReader::place_body`] said [`Place::Memory`].
    pub fn body_slice(&mut self) -> &[u8] {
        match self.held {
            Held::Nothing => &[],
            Held::InScratch => &self.scratch,
            Held::InInput(length) => match self.input.peek() {
                Ok(buffer) => &buffer[..length.min(buffer.len())],
                Err(_) => &[],
            },
        }
    }

    /// Whether reading a body failed, which ends the archive at the next member.
    pub fn body_failed(&self) -> bool {
        self.fault.is_some()
    }

    /// Reads from the content, after [`TarReader::place_body`] said [`Place::Stream`]. Before
    /// a break, what could be read is given.
    pub fn read_body(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // The beginning of a body that could not be gathered whole.
        if let Some(mut rest) = self.scratch.get(self.scratch_read..)
            && !rest.is_empty()
        {
            let count = rest.read(buffer)?;
            self.scratch_read += count;
            return Ok(count);
        }
        if let Some(fault) = &self.fault {
            return Err(fault.to_io());
        }
        if self.body_left == 0 {
            return Ok(0);
        }
        let count = match self.input.peek() {
            Ok([]) => {
                self.fault = Some(TarFault::Truncated);
                return Err(TarFault::Truncated.to_io());
            }
            Ok(mut available) => {
                let left = usize::try_from(self.body_left).unwrap_or(usize::MAX);
                let count = left.min(buffer.len());
                available.read(&mut buffer[..count])?
            }
            Err(error) => {
                let fault = TarFault::Input(error);
                let error = fault.to_io();
                self.fault = Some(fault);
                return Err(error);
            }
        };
        self.input.advance(count);
        self.offset += count as u64;
        self.body_left -= count as u64;
        Ok(count)
    }

    /// Reads on to the end of the input, behind the archive's end; whether anything but
    /// zeros lay there.
    pub fn drain(&mut self) -> io::Result<bool> {
        let mut only_zeros = true;
        loop {
            let buffer = self.input.peek()?;
            let count = buffer.len();
            if count == 0 {
                return Ok(!only_zeros);
            }
            only_zeros = only_zeros && buffer.iter().all(|&b| b == 0);
            self.input.advance(count);
            self.offset += count as u64;
        }
    }

    fn start_body(&mut self, stored: u64) {
        self.body_left = stored;
        self.padding = (BLOCK as u64 - stored % BLOCK as u64) % BLOCK as u64;
    }

    fn skip_body(&mut self) -> Result<(), TarFault> {
        let padding = std::mem::take(&mut self.padding);
        let body = std::mem::take(&mut self.body_left);
        for (count, is_padding) in [(body, false), (padding, true)] {
            if count == 0 {
                continue;
            }
            let skipped = self.input.skip(count)?;
            self.offset += skipped;
            // The last padding is missing in archives of sloppy writers; nothing is lost.
            if skipped < count && !is_padding {
                return Err(TarFault::Truncated);
            }
        }
        Ok(())
    }

    fn read_special(&mut self, size: u64) -> Result<Vec<u8>, TarFault> {
        if size > MAX_SPECIAL {
            return Err(TarFault::Limit("an extended header of more than 1 MiB"));
        }
        self.start_body(size);
        let mut data = Vec::new();
        while self.body_left > 0 {
            let buffer = self.input.peek()?;
            if buffer.is_empty() {
                return Err(TarFault::Truncated);
            }
            let left = usize::try_from(self.body_left).unwrap_or(usize::MAX);
            let count = left.min(buffer.len());
            data.extend_from_slice(&buffer[..count]);
            self.input.advance(count);
            self.offset += count as u64;
            self.body_left -= count as u64;
        }
        self.skip_body()?;
        Ok(data)
    }

    /// The next block; `None` at the end of the input, where a rest of zeros counts as the end
    /// too.
    fn read_block(&mut self) -> Result<Option<Block>, TarFault> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let mut buffer = self.input.peek()?;
            let count = buffer.read(&mut block[filled..])?;
            if count == 0 {
                if block[..filled].iter().all(|&b| b == 0) {
                    return Ok(None);
                }
                return Err(TarFault::Truncated);
            }
            self.input.advance(count);
            self.offset += count as u64;
            filled += count;
        }
        Ok(Some(block))
    }
}

impl TarFault {
    /// The same for the reader of a body, which must not take the original.
    fn to_io(&self) -> io::Error {
        match self {
            TarFault::Input(error) => crate::fault::copy_of(error),
            TarFault::Truncated => io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the archive ends inside this file",
            ),
            TarFault::Malformed(what) | TarFault::Limit(what) => {
                io::Error::new(io::ErrorKind::InvalidData, *what)
            }
        }
    }
}
