//! Where an executable's bytes lie, in the file and in memory: ELF, PE and Mach-O.
//!
//! Followed: the System V ABI (program headers), Microsoft's PE/COFF format (section
//! table) and Apple's `mach-o/loader.h` (segment commands). Only the head of the file is
//! read. Left out: fat Mach-O files, whose magic is that of Java classes, and object
//! files, which are not programs.

use std::ops::Range;

use crate::bytes::{Endian, slice};

/// Most segments looked at: linkers write about 15.
const MAX_SEGMENTS: usize = 256;

/// A part of the file that is mapped when the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// Bytes of the file.
    pub(super) file: Range<u64>,
    /// Where the first of them lies in memory.
    pub(super) address: u64,
    /// Whether it holds code and nothing else: no build info lies there.
    pub(super) executable: bool,
}

/// What the head of an executable tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Layout {
    /// The parts that are mapped; none where the head can't be read.
    pub(super) segments: Vec<Segment>,
    /// Whether it can be a Go program at all, as far as the head shows. Nearly every
    /// other program is linked dynamically and lacks the note with Go's build ID; a Go
    /// program is not, or has it.
    pub(super) maybe_go: bool,
    /// Whether the note with Go's build ID is there, which Go has written since 1.5.
    pub(super) go_note: bool,
}

/// Reads the head of an executable.
pub(super) fn layout(head: &[u8]) -> Layout {
    let layout = match head.get(..4) {
        Some(b"\x7fELF") => elf(head),
        Some([b'M', b'Z', ..]) => pe(head).map(of_segments),
        _ => mach_o(head).map(of_segments),
    };
    let mut layout = layout.unwrap_or_default();
    layout.segments.retain(|segment| !segment.file.is_empty());
    layout
}

fn of_segments(segments: Vec<Segment>) -> Layout {
    Layout {
        segments,
        maybe_go: true,
        go_note: false,
    }
}

/// The place in the file of an address.
pub(super) fn file_offset(segments: &[Segment], address: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let offset = address.checked_sub(segment.address)?;
        let at = segment.file.start.checked_add(offset)?;
        (at < segment.file.end).then_some(at)
    })
}

fn segment(offset: u64, size: u64, address: u64, executable: bool) -> Segment {
    Segment {
        file: offset..offset.saturating_add(size),
        address,
        executable,
    }
}

fn elf(head: &[u8]) -> Option<Layout> {
    const EXECUTABLE: u16 = 2;
    const SHARED: u16 = 3;
    const LOAD: u32 = 1;
    const DYNAMIC: u32 = 2;
    const NOTE: u32 = 4;
    let wide = match head.get(4)? {
        1 => false,
        2 => true,
        _ => return None,
    };
    let endian = match head.get(5)? {
        1 => Endian::Little,
        2 => Endian::Big,
        _ => return None,
    };
    if !matches!(endian.u16(head, 16)?, EXECUTABLE | SHARED) {
        return None;
    }
    let word = |at: usize| {
        if wide {
            endian.u64(head, at)
        } else {
            endian.u32(head, at).map(u64::from)
        }
    };
    let (table, size_at, least) = if wide { (32, 54, 56) } else { (28, 42, 32) };
    let table = usize::try_from(word(table)?).ok()?;
    let size = usize::from(endian.u16(head, size_at)?);
    let count = usize::from(endian.u16(head, size_at + 2)?).min(MAX_SEGMENTS);
    if size < least {
        return None;
    }
    let mut out = Vec::new();
    let mut constants_apart = false;
    let (mut dynamic, mut go_note, mut unseen_note) = (false, false, false);
    for i in 0..count {
        let at = table.checked_add(i * size)?;
        slice(head, at, size)?;
        let (flags, offset, address, file_size) = if wide {
            (at + 4, at + 8, at + 16, at + 32)
        } else {
            (at + 24, at + 4, at + 8, at + 16)
        };
        match endian.u32(head, at)? {
            LOAD => {}
            DYNAMIC => {
                dynamic = true;
                continue;
            }
            NOTE => {
                match is_go_note(head, word(offset)?, word(file_size)?) {
                    Some(found) => go_note |= found,
                    None => unseen_note = true,
                }
                continue;
            }
            _ => continue,
        }
        let flags = endian.u32(head, flags)?;
        constants_apart |= flags & 3 == 0;
        out.push(segment(
            word(offset)?,
            word(file_size)?,
            word(address)?,
            flags & 1 != 0,
        ));
    }
    if !constants_apart {
        // Linkers before binutils 2.31 (2018) put constants and code in one segment.
        for segment in &mut out {
            segment.executable = false;
        }
    }
    Some(Layout {
        segments: out,
        maybe_go: go_note || unseen_note || !dynamic,
        go_note,
    })
}

/// Whether notes hold one by the name of Go; `None` where they lie behind the head.
fn is_go_note(head: &[u8], offset: u64, size: u64) -> Option<bool> {
    let (offset, size) = (usize::try_from(offset).ok()?, usize::try_from(size).ok()?);
    let notes = slice(head, offset, size)?;
    Some(memchr::memmem::find(notes, b"Go\0\0").is_some())
}

fn pe(head: &[u8]) -> Option<Vec<Segment>> {
    const EXECUTABLE: u32 = 0x2000_0000;
    const LE: Endian = Endian::Little;
    let at = LE.usize32(head, 0x3c)?;
    if slice(head, at, 4)? != b"PE\0\0" {
        return None;
    }
    let count = usize::from(LE.u16(head, at + 6)?).min(MAX_SEGMENTS);
    let optional = at + 24;
    let base = match LE.u16(head, optional)? {
        0x10b => u64::from(LE.u32(head, optional + 28)?),
        0x20b => LE.u64(head, optional + 24)?,
        _ => return None,
    };
    let table = optional + usize::from(LE.u16(head, at + 20)?);
    let mut out = Vec::new();
    for i in 0..count {
        let row = slice(head, table + i * 40, 40)?;
        let address = base.wrapping_add(u64::from(LE.u32(row, 12)?));
        let size = u64::from(LE.u32(row, 16)?);
        let offset = u64::from(LE.u32(row, 20)?);
        let executable = LE.u32(row, 36)? & EXECUTABLE != 0;
        out.push(segment(offset, size, address, executable));
    }
    Some(out)
}

fn mach_o(head: &[u8]) -> Option<Vec<Segment>> {
    const SEGMENT: u32 = 1;
    const SEGMENT_64: u32 = 0x19;
    let (endian, wide) = match *head.get(..4)? {
        [0xcf, 0xfa, 0xed, 0xfe] => (Endian::Little, true),
        [0xce, 0xfa, 0xed, 0xfe] => (Endian::Little, false),
        [0xfe, 0xed, 0xfa, 0xcf] => (Endian::Big, true),
        [0xfe, 0xed, 0xfa, 0xce] => (Endian::Big, false),
        _ => return None,
    };
    let count = endian.usize32(head, 16)?.min(MAX_SEGMENTS);
    let mut at = if wide { 32 } else { 28 };
    let mut out = Vec::new();
    for _ in 0..count {
        let command = endian.u32(head, at)?;
        let size = endian.usize32(head, at + 4)?;
        if size < 8 {
            return None;
        }
        let found = match command {
            SEGMENT_64 => Some((
                endian.u64(head, at + 40)?,
                endian.u64(head, at + 48)?,
                endian.u64(head, at + 24)?,
            )),
            SEGMENT => Some((
                u64::from(endian.u32(head, at + 32)?),
                u64::from(endian.u32(head, at + 36)?),
                u64::from(endian.u32(head, at + 24)?),
            )),
            _ => None,
        };
        if let Some((offset, size, address)) = found {
            // Constants and code share `__TEXT`.
            out.push(segment(offset, size, address, false));
        }
        at = at.checked_add(size)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_its_segment() {
        let segments = [
            segment(0, 100, 0x1000, true),
            segment(100, 50, 0x3000, false),
        ];
        assert_eq!(file_offset(&segments, 0x1063), Some(99));
        assert_eq!(file_offset(&segments, 0x1064), None);
        assert_eq!(file_offset(&segments, 0x3001), Some(101));
        assert_eq!(file_offset(&segments, 5), None);
    }

    #[test]
    fn broken_heads_are_none() {
        for head in [
            &b""[..],
            b"\x7fEL",
            b"\x7fELF\x03\x01",
            b"MZ",
            b"\xcf\xfa\xed\xfe",
            &[0xff; 200],
        ] {
            assert_eq!(layout(head).segments, []);
        }
    }
}
