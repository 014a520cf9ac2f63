//! Entry point and sections of ELF and PE programs, read within bounds: what offsets of
//! signatures are counted from. Anything odd gives no program, and such signatures then
//! never match, as in the reference.

/// Sections beyond this are not read.
const MAX_SECTIONS: usize = 4096;

/// Where a program's parts stand in its file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// File offset of the entry point, if any section or segment holds it.
    pub entry: Option<u64>,
    /// File offset and size in bytes of each section, in the order of the table.
    pub sections: Vec<(u64, u64)>,
}

struct Reader<'b> {
    bytes: &'b [u8],
    big: bool,
}

impl Reader<'_> {
    fn number(&self, at: u64, length: usize) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let field = self.bytes.get(at..at.checked_add(length)?)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.big {
            field.iter().fold(0, fold)
        } else {
            field.iter().rev().fold(0, fold)
        })
    }
}

impl Program {
    /// Reads the headers of an ELF or PE file.
    pub fn read(bytes: &[u8]) -> Option<Program> {
        if bytes.starts_with(b"\x7fELF") {
            elf(bytes)
        } else if bytes.starts_with(b"MZ") {
            pe(bytes)
        } else {
            None
        }
    }
}

fn elf(bytes: &[u8]) -> Option<Program> {
    let wide = match bytes.get(4)? {
        1 => false,
        2 => true,
        _ => return None,
    };
    let reader = Reader {
        bytes,
        big: *bytes.get(5)? == 2,
    };
    let word = if wide { 8 } else { 4 };
    let entry = reader.number(24, word)?;
    let segments_at = reader.number(24 + word as u64, word)?;
    let sections_at = reader.number(24 + 2 * word as u64, word)?;
    let counts = if wide { 54 } else { 42 };
    let count = |place: u64| reader.number(counts + 2 * place, 2);
    let (segment_size, segments) = (count(0)?, count(1)?);
    let (section_size, sections) = (count(2)?, count(3)?);
    let mut program = Program::default();
    for number in 0..segments.min(MAX_SECTIONS as u64) {
        let at = segments_at.checked_add(number * segment_size)?;
        let field = |narrow: u64, wider: u64| {
            reader.number(at.checked_add(if wide { wider } else { narrow })?, word)
        };
        let Some((offset, address, size)) = field(4, 8)
            .zip(field(8, 16))
            .zip(field(16, 32))
            .map(|((a, b), c)| (a, b, c))
        else {
            break;
        };
        let loaded = reader.number(at, 4) == Some(1);
        if let (true, Some(inside)) = (loaded, entry.checked_sub(address))
            && inside < size
            && program.entry.is_none()
        {
            program.entry = offset.checked_add(inside);
        }
    }
    for number in 0..sections.min(MAX_SECTIONS as u64) {
        let at = sections_at.checked_add(number * section_size)?;
        let field = |narrow: u64, wider: u64| {
            reader.number(at.checked_add(if wide { wider } else { narrow })?, word)
        };
        let Some(section) = field(16, 24).zip(field(20, 32)) else {
            break;
        };
        program.sections.push(section);
    }
    Some(program)
}

fn pe(bytes: &[u8]) -> Option<Program> {
    let reader = Reader { bytes, big: false };
    let head = reader.number(0x3c, 4)?;
    if reader.number(head, 4)? != 0x4550 {
        return None;
    }
    let count = reader.number(head + 6, 2)?;
    let optional = reader.number(head + 20, 2)?;
    let entry = reader.number(head + 40, 4)?;
    let mut program = Program::default();
    for number in 0..count.min(96) {
        let at = head + 24 + optional + number * 40;
        let fields = [8, 12, 16, 20].map(|field| reader.number(at + field, 4));
        let [Some(memory), Some(address), Some(size), Some(start)] = fields else {
            break;
        };
        // The loader rounds a section's start down to 512 bytes.
        let start = start & !0x1ff;
        let present = (bytes.len() as u64).saturating_sub(start);
        if let Some(inside) = entry.checked_sub(address)
            && inside < memory.max(size)
            && program.entry.is_none()
        {
            program.entry = Some(start + inside);
        }
        program.sections.push((start, size.min(present)));
    }
    if program.entry.is_none() && entry < reader.number(head + 84, 4).unwrap_or(0) {
        program.entry = Some(entry);
    }
    Some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A little-endian 64-bit ELF with one segment at 0 and one section.
    pub(crate) fn tiny_elf() -> Vec<u8> {
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(0x100, 0);
        let mut put = |at: usize, value: u64, length: usize| {
            elf[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
        };
        put(24, 0x40_00f0, 8);
        put(32, 64, 8);
        put(40, 0x80, 8);
        put(54, 56, 2);
        put(56, 1, 2);
        put(58, 64, 2);
        put(60, 1, 2);
        put(64, 1, 4);
        put(64 + 16, 0x40_0000, 8);
        put(64 + 32, 0x100, 8);
        put(0x80 + 24, 0xc0, 8);
        put(0x80 + 32, 0x20, 8);
        elf
    }

    #[test]
    fn the_entry_point_is_found_through_the_segments() {
        let program = Program::read(&tiny_elf()).unwrap();
        assert_eq!(program.entry, Some(0xf0));
        assert_eq!(program.sections, [(0xc0, 0x20)]);
    }

    #[test]
    fn every_cut_is_survived() {
        let elf = tiny_elf();
        for end in 0..elf.len() {
            let _ = Program::read(&elf[..end]);
        }
        assert_eq!(Program::read(b"MZ"), None);
        assert_eq!(Program::read(b"text"), None);
    }
}
