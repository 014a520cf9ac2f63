//! Minimal ELF programs, with and without Go build info.

/// Marks around the module text in a Go program.
const START: &[u8] = b"\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6";
const END: &[u8] = b"\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2";

/// Where the segments are mapped.
const BASE: u64 = 0x40_0000;

/// Maker of an ELF program of three segments: code, read-only data, data.
#[derive(Debug, Clone)]
pub struct Elf {
    wide: bool,
    big_endian: bool,
    note: Vec<u8>,
    code: Vec<u8>,
    read_only: Vec<u8>,
    data: Vec<u8>,
}

/// How a Go program stores its build info.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoForm {
    /// As Go 1.18 and later do: texts behind the header.
    Inline,
    /// As before: pointers to string variables.
    Pointers,
}

impl Elf {
    /// A program without anything in it.
    pub fn new(wide: bool, big_endian: bool) -> Elf {
        Elf {
            wide,
            big_endian,
            note: Vec::new(),
            code: vec![0x90; 256],
            read_only: b"some read-only text\0".to_vec(),
            data: vec![0; 64],
        }
    }

    /// A Go program. `modules` are the lines of the module text.
    pub fn go(wide: bool, big_endian: bool, form: GoForm, version: &str, modules: &str) -> Elf {
        let mut elf = Elf::new(wide, big_endian);
        let modules = if modules.is_empty() {
            Vec::new()
        } else {
            [START, modules.as_bytes(), END].concat()
        };
        let size: u8 = if wide { 8 } else { 4 };
        let order = u8::from(big_endian);
        let mut header = b"\xff Go buildinf:".to_vec();
        header.push(size);
        match form {
            GoForm::Inline => {
                header.push(2 | order);
                header.resize(32, 0);
                for text in [version.as_bytes(), &modules] {
                    header.extend(varint(text.len()));
                    header.extend(text);
                }
            }
            GoForm::Pointers => {
                let version_at = elf.read_only.len();
                elf.read_only.extend(version.as_bytes());
                // What follows a text without a separator is another text.
                elf.read_only.extend(b"go1.9999runtime");
                let modules_at = elf.read_only.len();
                elf.read_only.extend(&modules);
                let read_only = elf.read_only_at();
                // The header, then the two variables, 32 bytes into the data.
                let data = elf.data_at();
                header.push(order);
                let words = [data + 32 + 32, data + 32 + 32 + 2 * u64::from(size)];
                header.extend(words.iter().flat_map(|word| elf.word(*word)));
                header.resize(32, 0);
                for (at, len) in [(version_at, version.len()), (modules_at, modules.len())] {
                    header.extend(elf.word(read_only + at as u64));
                    header.extend(elf.word(len as u64));
                }
            }
        }
        elf.data = vec![0; 32];
        elf.data.extend(header);
        elf.data.extend([0; 48]);
        elf
    }

    /// Adds the note with Go's build ID.
    #[must_use]
    pub fn with_go_note(mut self) -> Elf {
        for number in [4, 8, 4] {
            let number = self.number(number);
            self.note.extend(number);
        }
        self.note.extend(b"Go\0\0build-id");
        self
    }

    /// Puts bytes behind the read-only data.
    #[must_use]
    pub fn with_read_only(mut self, bytes: &[u8]) -> Elf {
        self.read_only.extend(bytes);
        self
    }

    /// Makes the code this long.
    #[must_use]
    pub fn with_code_len(mut self, len: usize) -> Elf {
        self.code.resize(len, 0x90);
        self
    }

    fn segments(&self) -> u64 {
        if self.note.is_empty() { 3 } else { 4 }
    }

    fn head_len(&self) -> u64 {
        let (file, segment): (u64, u64) = if self.wide { (64, 56) } else { (52, 32) };
        (file + self.segments() * segment).next_multiple_of(16)
    }

    // Addresses are far apart and fixed, so that they do not depend on lengths that are
    // still to change.
    fn read_only_at(&self) -> u64 {
        BASE + 0x100_0000
    }

    fn data_at(&self) -> u64 {
        BASE + 0x200_0000
    }

    fn word(&self, word: u64) -> Vec<u8> {
        let narrow = u32::try_from(word).expect("addresses are small");
        match (self.wide, self.big_endian) {
            (true, true) => word.to_be_bytes().to_vec(),
            (true, false) => word.to_le_bytes().to_vec(),
            (false, true) => narrow.to_be_bytes().to_vec(),
            (false, false) => narrow.to_le_bytes().to_vec(),
        }
    }

    fn half(&self, half: u16) -> [u8; 2] {
        if self.big_endian {
            half.to_be_bytes()
        } else {
            half.to_le_bytes()
        }
    }

    fn number(&self, number: u32) -> [u8; 4] {
        if self.big_endian {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    }

    /// The bytes of the file.
    pub fn build(&self) -> Vec<u8> {
        let (head_size, segment_size) = if self.wide { (64u16, 56u16) } else { (52, 32) };
        let mut out = b"\x7fELF".to_vec();
        out.extend([
            if self.wide { 2 } else { 1 },
            if self.big_endian { 2 } else { 1 },
            1,
        ]);
        out.resize(16, 0);
        out.extend(self.half(2));
        out.extend(self.half(62));
        out.extend(self.number(1));
        out.extend(self.word(BASE));
        out.extend(self.word(u64::from(head_size)));
        out.extend(self.word(0));
        out.extend(self.number(0));
        let count = if self.note.is_empty() { 3 } else { 4 };
        for half in [head_size, segment_size, count, 0, 0, 0] {
            out.extend(self.half(half));
        }
        let note_at = self.head_len();
        let code_at = (note_at + self.note.len() as u64).next_multiple_of(16);
        let read_only_at = (code_at + self.code.len() as u64).next_multiple_of(16);
        let data_at = (read_only_at + self.read_only.len() as u64).next_multiple_of(16);
        let mut segments = vec![
            (1, 5, code_at, BASE, self.code.len() as u64),
            (
                1,
                4,
                read_only_at,
                self.read_only_at(),
                self.read_only.len() as u64,
            ),
            (1, 6, data_at, self.data_at(), self.data.len() as u64),
        ];
        if !self.note.is_empty() {
            segments.push((4, 4, note_at, BASE, self.note.len() as u64));
        }
        for (kind, flags, offset, address, size) in segments {
            out.extend(self.number(kind));
            if self.wide {
                out.extend(self.number(flags));
            }
            for word in [offset, address, address, size, size] {
                out.extend(self.word(word));
            }
            if !self.wide {
                out.extend(self.number(flags));
            }
            out.extend(self.word(16));
        }
        for (at, bytes) in [
            (note_at, &self.note),
            (code_at, &self.code),
            (read_only_at, &self.read_only),
            (data_at, &self.data),
        ] {
            out.resize(usize::try_from(at).expect("fixtures are small"), 0);
            out.extend(bytes);
        }
        out
    }
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while number > 0x7f {
        out.push((number & 0x7f).to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f).to_le_bytes()[0]);
    out
}
