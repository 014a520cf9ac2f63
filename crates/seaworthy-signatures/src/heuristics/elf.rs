//! ELF files by header, program headers and section count: what they are, and whether they are
//! packed or encrypted.
//!
//! Followed: the System V ABI's ELF chapter, and UPX's `l_info` block, which stands behind the
//! program headers and carries `UPX!`. Left out: unpacking, and what the code does.

use seaworthy_core::{ExecutableKind, MalwareBasis, Meta, Severity};

use super::rule::{HeuristicRule, PROGRAM, Sample, Scope, program};
use super::text::offset;
use super::{FileFacts, Seen, placement};

/// The first bytes.
pub(super) const MAGIC: &[u8] = b"\x7fELF";

/// Packed with UPX.
pub(super) const PACKED: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "packed-program",
        revision: 1,
        summary: "program packed with UPX, which scanners can't read",
        references: &["https://attack.mitre.org/techniques/T1027/002/"],
    },
    severity: Severity::Low,
    basis: MalwareBasis::Placement,
    attack: "T1027.002",
    scope: Scope::File,
    advice: "ship the program unpacked (`upx -d`), so that it can be read",
    positive: &[Sample::File {
        path: "opt/x",
        mode: 0o755,
        content: UPX,
    }],
    negative: &[program("opt/x")],
};

const UPX: &[u8] = {
    const HEADER: &[u8; 64] = match PROGRAM.first_chunk() {
        Some(header) => header,
        None => &[0; 64],
    };
    const MARK: &[u8] = b"\0\0\0\0UPX!\x0d\x16\0\0";
    const BYTES: [u8; 76] = {
        let mut bytes = [0; 76];
        let mut at = 0;
        while at < 76 {
            bytes[at] = if at < 64 { HEADER[at] } else { MARK[at - 64] };
            at += 1;
        }
        bytes
    };
    &BYTES
};

/// Nothing to read in it.
pub(super) const ENCRYPTED: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "encrypted-program",
        revision: 1,
        summary: "program without sections whose code is encrypted or packed",
        references: &["https://attack.mitre.org/techniques/T1027/013/"],
    },
    severity: Severity::Medium,
    basis: MalwareBasis::Placement,
    attack: "T1027.013",
    scope: Scope::File,
    advice: "find out what it is before the image runs: honest builds keep their sections",
    // A program of random bytes is made by the tests.
    positive: &[],
    negative: &[program("opt/x")],
};

/// A module for the host's kernel.
pub(super) const KERNEL_MODULE: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "kernel-module",
        revision: 1,
        summary: "kernel module that no package brought",
        references: &["https://attack.mitre.org/techniques/T1547/006/"],
    },
    severity: Severity::Medium,
    basis: MalwareBasis::Placement,
    attack: "T1547.006",
    scope: Scope::File,
    advice: "a container runs on its host's kernel and needs no modules: take the file out",
    positive: &[Sample::File {
        path: "opt/hide.ko",
        mode: 0o644,
        content: MODULE,
    }],
    negative: &[program("opt/x")],
};

const MODULE: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\x3e\0\x01\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\
    \0\0\0\0\x40\0\0\0\0\0\x40\0\x01\0\0\0";

pub(super) fn is_compressed_module(name: &str) -> bool {
    [".ko.xz", ".ko.zst", ".ko.gz"]
        .iter()
        .any(|end| name.ends_with(end))
}

fn is_library_name(name: &str) -> bool {
    name.ends_with(".so") || name.contains(".so.")
}

/// What the header and the name say it is.
pub(super) fn kind(name: &str, head: &[u8]) -> ExecutableKind {
    let kind = Reader::new(head).and_then(|reader| reader.half(16));
    match kind {
        Some(1) if name.ends_with(".ko") => ExecutableKind::KernelModule,
        Some(2) => ExecutableKind::Program,
        // A program that is position independent has the type of a library.
        Some(3) if !is_library_name(name) => ExecutableKind::Program,
        Some(3) => ExecutableKind::Library,
        _ => ExecutableKind::Other,
    }
}

/// Bytes of the head in which UPX puts its mark.
const HEAD: usize = 1024;
/// Bytes of code whose entropy is taken.
const SAMPLE: usize = 64 << 10;
/// Bits a byte above which code is no code: real code has 5.5 to 6.8, random bytes 7.99.
const ENTROPY: f64 = 7.6;

/// Looks at an ELF file.
pub(super) fn examine(
    file: &FileFacts<'_>,
    bytes: &[u8],
    kind: Option<ExecutableKind>,
    seen: &mut Seen<'_>,
) {
    if kind == Some(ExecutableKind::KernelModule) {
        seen.add(&KERNEL_MODULE, None, "a loadable kernel module".to_owned());
        return;
    }
    if file.inside.is_none()
        && file.mode & 0o4000 != 0
        && file.uid == 0
        && let Some(shell) = shell_inside(bytes)
    {
        seen.add(
            &placement::SETUID_SHELL,
            None,
            format!("has the code of {shell}"),
        );
    }
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    if let Some(at) = memchr::memmem::find(head, b"UPX!") {
        seen.add(
            &PACKED,
            offset(at),
            "UPX's mark behind the header".to_owned(),
        );
        return;
    }
    let whole = bytes.len() as u64 >= file.size;
    if !whole
        || !matches!(
            kind,
            Some(ExecutableKind::Program | ExecutableKind::Library)
        )
    {
        return;
    }
    let Some(reader) = Reader::new(bytes) else {
        return;
    };
    if reader.has_sections() {
        return;
    }
    let tail = bytes
        .get(bytes.len().saturating_sub(HEAD)..)
        .unwrap_or_default();
    if memchr::memmem::find(tail, b"UPX!").is_some() {
        seen.add(&PACKED, None, "UPX's mark at the end".to_owned());
    } else if let Some(bits) = reader.code().and_then(entropy)
        && bits > ENTROPY
    {
        seen.add(
            &ENCRYPTED,
            None,
            format!("no sections, and code of {bits:.2} bits a byte"),
        );
    }
}

/// Texts that are in the program of a shell and in no other (sudo knows the names of the
/// variables, not these).
fn shell_inside(bytes: &[u8]) -> Option<&'static str> {
    const MARKS: &[(&[u8], &str)] = &[
        (b"@(#)Bash version", "bash"),
        (b"Py_BytesMain", "Python"),
        (b"zsh: no job control", "zsh"),
        (b"perl_construct", "Perl"),
    ];
    let bytes = bytes.get(..8 << 20).unwrap_or(bytes);
    MARKS
        .iter()
        .find(|(mark, _)| memchr::memmem::find(bytes, mark).is_some())
        .map(|(_, name)| *name)
}

fn entropy(bytes: &[u8]) -> Option<f64> {
    if bytes.len() < 16 << 10 {
        return None;
    }
    let middle = bytes.len().saturating_sub(SAMPLE) / 2;
    let sample = bytes.get(middle..)?;
    let sample = sample.get(..SAMPLE).unwrap_or(sample);
    let mut counts = [0_u32; 256];
    for &b in sample {
        counts[usize::from(b)] += 1;
    }
    let total: f64 = counts.iter().map(|&count| f64::from(count)).sum();
    Some(
        counts
            .iter()
            .filter(|&&count| count > 0)
            .map(|&count| {
                let share = f64::from(count) / total;
                -share * share.log2()
            })
            .sum(),
    )
}

/// Fields of an ELF file of either width and order.
struct Reader<'a> {
    bytes: &'a [u8],
    wide: bool,
    big: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Reader<'a>> {
        let wide = match bytes.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let big = *bytes.get(5)? == 2;
        Some(Reader { bytes, wide, big })
    }

    fn half(&self, at: usize) -> Option<u16> {
        let raw = *self.bytes.get(at..)?.first_chunk::<2>()?;
        Some(if self.big {
            u16::from_be_bytes(raw)
        } else {
            u16::from_le_bytes(raw)
        })
    }

    fn number(&self, at: usize) -> Option<u32> {
        let raw = *self.bytes.get(at..)?.first_chunk::<4>()?;
        Some(if self.big {
            u32::from_be_bytes(raw)
        } else {
            u32::from_le_bytes(raw)
        })
    }

    fn word(&self, at: usize) -> Option<usize> {
        if !self.wide {
            return usize::try_from(self.number(at)?).ok();
        }
        let raw = *self.bytes.get(at..)?.first_chunk::<8>()?;
        let word = if self.big {
            u64::from_be_bytes(raw)
        } else {
            u64::from_le_bytes(raw)
        };
        usize::try_from(word).ok()
    }

    fn has_sections(&self) -> bool {
        let (table, count) = if self.wide { (40, 60) } else { (32, 48) };
        self.word(table)
            .is_some_and(|at| at != 0 && at < self.bytes.len())
            && self.half(count).is_some_and(|count| count != 0)
    }

    /// The bytes of the largest executable segment.
    fn code(&self) -> Option<&'a [u8]> {
        let (table, size, count) = if self.wide {
            (32, 54, 56)
        } else {
            (28, 42, 44)
        };
        let table = self.word(table)?;
        let size = usize::from(self.half(size)?);
        let count = usize::from(self.half(count)?).min(64);
        (0..count)
            .filter_map(|index| {
                let at = table.checked_add(index.checked_mul(size)?)?;
                let (flags, offset, len) = if self.wide { (4, 8, 32) } else { (24, 4, 16) };
                let is_code =
                    self.number(at)? == 1 && self.number(at.checked_add(flags)?)? & 1 != 0;
                if !is_code {
                    return None;
                }
                let start = self.word(at.checked_add(offset)?)?;
                let end = start.checked_add(self.word(at.checked_add(len)?)?)?;
                self.bytes.get(start..end.min(self.bytes.len()))
            })
            .max_by_key(|code| code.len())
    }
}
