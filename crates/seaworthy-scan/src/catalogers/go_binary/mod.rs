//! The build info that the Go linker puts into every program: which Go, which modules.
//!
//! Followed: Go's `debug/buildinfo`. A 32-byte header lies at a multiple of 16 bytes in a
//! data segment:
//!
//! ```text
//! 14 bytes  "\xff Go buildinf:"
//! u8        size of a pointer
//! u8        flags: 1 big-endian, 2 strings follow
//! Go ≥ 1.18 from byte 32: varint length and text of the Go version, then of the modules
//! before    two pointers, to the string variables (pointer, length) of the two texts
//! ```
//!
//! Programs are large, so they are read as a stream in one pass and little is kept. That
//! suits the newer form. For the older one the texts lie *before* the header that leads to
//! them, in the read-only data; so on the way every text that could be one is kept: the
//! module text is known by the marks around it, the Go version by its first bytes. What
//! has the right place and length in the end is taken. Code is not searched at all, nothing
//! behind the last segment (symbols, debug information) is read, and a program that can't
//! be Go's by its head is searched for the two marks only. A hardened cgo program of
//! before 1.18 without build ID thereby loses its Go version, and says so.
//!
//! Left out: fat Mach-O and XCOFF programs. Programs packed with UPX, and Go programs
//! without build info, are reported.

mod build_info;
mod header;
mod layout;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use seaworthy_core::{EvidenceItem, Meta, ProblemKind};

pub use build_info::BuildInfo;
use header::{HEADER, Header, MAX_TEXT, MAX_VERSION, Pointers, go_version, read_header};
use layout::{Layout, Segment};

use crate::bytes::slice;
use crate::problems::ProblemList;
use crate::{Analyzer, FileMeta, Interest, Reader, Sink, StreamReader};

/// The row of the list of analyzers.
pub const ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "go-binary",
        revision: 1,
        summary: "Go modules and the standard library inside programs",
        references: &["https://pkg.go.dev/debug/buildinfo"],
    },
    interest: Interest::Magic(&[
        b"\x7fELF",
        b"MZ",
        b"\xcf\xfa\xed\xfe",
        b"\xce\xfa\xed\xfe",
        b"\xfe\xed\xfa\xcf",
        b"\xfe\xed\xfa\xce",
    ]),
    reader: Reader::Stream {
        overlap: OVERLAP,
        start: |_: &FileMeta<'_>, _| Box::new(Scanner::default()),
    },
};

/// Bytes of a text that is kept on the way; also the overlap, so that none is cut short.
const OVERLAP: usize = 64;
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Data kept behind an older header, to find the two string variables in.
const MAX_DATA: usize = 32 << 20;
/// Texts kept on the way; a program holds a few hundred that begin like a Go version.
const MAX_VERSIONS: usize = 8192;
const MAX_MODULE_TEXTS: usize = 8;
/// Places that look like a header and are none: a program that looks for headers itself.
const MAX_HEADERS: usize = 64;
/// UPX writes its mark behind the program headers.
const UPX_HEAD: usize = 1024;

static FIND_MAGIC: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MAGIC));
static FIND_MODULES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(build_info::START));
static FIND_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(build_info::END));
static FIND_VERSION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"go1."));

/// Reads the build info of a program that lies in memory, if it has one.
pub fn parse(bytes: &[u8], problems: &mut ProblemList) -> Option<BuildInfo> {
    let mut scanner = Scanner::default();
    scanner.feed(0, bytes);
    scanner.end(problems)
}

/// Looks for build info while a program passes by.
#[derive(Default)]
struct Scanner {
    /// `None` until the first window.
    layout: Option<Layout>,
    /// How much of the file has passed.
    seen: u64,
    /// Where the last segment ends: nothing comes behind it.
    end: u64,
    packed: bool,
    done: bool,
    found: Option<BuildInfo>,
    /// Whether the module text is there but can't be read.
    modules_lost: bool,
    /// What follows the header that is being looked at.
    header: Option<Piece>,
    headers_tried: usize,
    /// A module text whose end is still to come.
    modules_open: Option<Piece>,
    /// Module texts with their marks.
    modules: Vec<Piece>,
    /// The first bytes of texts that could be a Go version, by place in the file.
    versions: BTreeMap<u64, Vec<u8>>,
}

/// Bytes of the file, kept.
struct Piece {
    at: u64,
    bytes: Vec<u8>,
}

impl Piece {
    /// The `len` bytes at a place of the file, where they are in this piece.
    fn get(&self, at: u64, len: usize) -> Option<&[u8]> {
        slice(
            &self.bytes,
            usize::try_from(at.checked_sub(self.at)?).ok()?,
            len,
        )
    }
}

impl StreamReader for Scanner {
    fn window(&mut self, offset: u64, bytes: &[u8], _: &mut Sink) {
        self.feed(offset, bytes);
    }

    fn wants_more(&self) -> bool {
        !self.done
    }

    fn finish(self: Box<Self>, sink: &mut Sink) {
        let mut problems = ProblemList::default();
        if let Some(info) = self.end(&mut problems) {
            for package in info.packages(&mut problems) {
                sink.push(EvidenceItem::Package(package));
            }
        }
        for (kind, message) in problems.into_items() {
            sink.problem(kind, message);
        }
    }
}

impl Scanner {
    fn feed(&mut self, offset: u64, bytes: &[u8]) {
        if self.layout.is_none() {
            self.begin(bytes);
        }
        if self.done {
            return;
        }
        let window_end = offset.saturating_add(bytes.len() as u64);
        let fresh = usize::try_from(self.seen.saturating_sub(offset)).unwrap_or(usize::MAX);
        let fresh = bytes.get(fresh..).unwrap_or_default();
        for piece in self.header.iter_mut().chain(&mut self.modules_open) {
            piece.bytes.extend_from_slice(fresh);
        }
        for range in self.searched(offset..window_end) {
            let from = usize::try_from(range.start.saturating_sub(offset)).unwrap_or(usize::MAX);
            let to = usize::try_from(range.end.saturating_sub(offset)).unwrap_or(usize::MAX);
            if let Some(part) = bytes.get(from..to) {
                let window = bytes.get(from..).unwrap_or_default();
                self.search(range.start, part, window);
            }
        }
        self.seen = window_end;
        self.close_modules();
        self.try_header(false);
        self.done |= self.found.is_some() || self.seen >= self.end;
    }

    /// Reads the head of the file.
    fn begin(&mut self, head: &[u8]) {
        let upx = head.get(..UPX_HEAD.min(head.len())).unwrap_or_default();
        let layout = layout::layout(head);
        let segments = &layout.segments;
        self.packed = !segments.is_empty() && memchr::memmem::find(upx, b"UPX!").is_some();
        self.end = segments
            .iter()
            .map(|s| s.file.end)
            .max()
            .unwrap_or_default();
        self.done = segments.is_empty() || self.packed;
        self.layout = Some(layout);
    }

    fn segments(&self) -> &[Segment] {
        self.layout.as_ref().map_or(&[], |layout| &layout.segments)
    }

    /// The parts of a window that can hold build info: all segments but code. New bytes
    /// with the overlap before them, each once although forged segments may overlap.
    fn searched(&self, window: Range<u64>) -> Vec<Range<u64>> {
        let from = self.seen.saturating_sub(OVERLAP as u64).max(window.start);
        let mut parts: Vec<Range<u64>> = self
            .segments()
            .iter()
            .filter(|segment| !segment.executable)
            .map(|segment| segment.file.start.max(from)..segment.file.end.min(window.end))
            .filter(|part| part.start < part.end)
            .collect();
        parts.sort_unstable_by_key(|part| part.start);
        let mut reached = 0;
        for part in &mut parts {
            part.start = part.start.max(reached);
            reached = reached.max(part.end);
        }
        parts.retain(|part| part.start < part.end);
        parts
    }

    /// Searches a part of the file. `window` begins with it and goes on to what is known.
    fn search(&mut self, part_at: u64, part: &[u8], window: &[u8]) {
        let place = |found: usize| part_at.saturating_add(found as u64);
        let keep = |found: usize| Piece {
            at: place(found),
            bytes: window.get(found..).unwrap_or_default().to_vec(),
        };
        if self.header.is_none() {
            let header = FIND_MAGIC
                .find_iter(part)
                .find(|found| place(*found).is_multiple_of(16));
            self.header = header.map(keep);
        }
        if self.modules_open.is_none() && self.modules.len() < MAX_MODULE_TEXTS {
            let known = |at: u64| self.modules.iter().any(|piece| piece.at == at);
            let modules = FIND_MODULES
                .find_iter(part)
                .find(|found| !known(place(*found)));
            self.modules_open = modules.map(keep);
        }
        if !self.layout.as_ref().is_some_and(|layout| layout.maybe_go) {
            return;
        }
        for found in FIND_VERSION.find_iter(part) {
            if self.versions.len() >= MAX_VERSIONS {
                break;
            }
            let text = window.get(found..).unwrap_or_default();
            let text = text.get(..OVERLAP.min(text.len())).unwrap_or_default();
            let kept = self.versions.entry(place(found)).or_default();
            // The overlap shows it again, longer, in the next window.
            if kept.len() < text.len() {
                text.clone_into(kept);
            }
        }
    }

    /// Cuts an open module text at its end mark.
    fn close_modules(&mut self) {
        let Some(mut piece) = self.modules_open.take() else {
            return;
        };
        let head = piece
            .bytes
            .get(..MAX_TEXT.min(piece.bytes.len()))
            .unwrap_or_default();
        match FIND_END.find(head) {
            Some(end) => {
                piece.bytes.truncate(end + build_info::END.len());
                piece.bytes.shrink_to_fit();
                self.modules.push(piece);
            }
            None if piece.bytes.len() < MAX_TEXT => self.modules_open = Some(piece),
            None => {}
        }
    }

    /// Reads the header that was found, as far as it has come; `last` when no more comes.
    fn try_header(&mut self, last: bool) {
        while let Some(mut piece) = self.header.take() {
            let complete = last || self.seen >= self.segment_end(piece.at);
            match read_header(&piece.bytes, complete) {
                Header::CutShort
                    if !complete && piece.bytes.len() < HEADER + MAX_VERSION + MAX_TEXT =>
                {
                    self.header = Some(piece);
                    return;
                }
                Header::Inline { info, cut_short } => {
                    self.modules_lost = cut_short;
                    self.found = Some(info);
                    return;
                }
                Header::Pointers(pointers) => {
                    if complete || piece.bytes.len() >= MAX_DATA {
                        let (info, modules_lost) = self.follow(&pointers, &piece);
                        self.modules_lost = modules_lost;
                        self.found = Some(info);
                    } else {
                        self.header = Some(piece);
                    }
                    return;
                }
                // Not a header. Another one may have come in the meantime.
                Header::CutShort | Header::Invalid => {
                    self.headers_tried += 1;
                    let rest = piece.bytes.get(16..).unwrap_or_default();
                    let next = FIND_MAGIC
                        .find_iter(rest)
                        .map(|found| found + 16)
                        .find(|found| found.is_multiple_of(16));
                    if let Some(next) = next
                        && self.headers_tried < MAX_HEADERS
                    {
                        piece.at = piece.at.saturating_add(next as u64);
                        piece.bytes.drain(..next);
                        self.header = Some(piece);
                    }
                }
            }
        }
    }

    fn segment_end(&self, at: u64) -> u64 {
        self.segments()
            .iter()
            .filter(|segment| segment.file.contains(&at))
            .map(|segment| segment.file.end)
            .max()
            .unwrap_or_default()
    }

    /// The two texts an older header points to, and whether that of the modules is lost.
    fn follow(&self, pointers: &Pointers, data: &Piece) -> (BuildInfo, bool) {
        let segments = self.segments();
        let size = pointers.size;
        let text = |variable: u64| {
            let at = layout::file_offset(segments, variable)?;
            let raw = data.get(at, 2 * size)?;
            let address = pointers.word(raw, 0)?;
            let len = usize::try_from(pointers.word(raw, size)?).ok()?;
            Some((layout::file_offset(segments, address)?, len))
        };
        let go_version = text(pointers.version).and_then(|(at, len)| {
            let kept = self.versions.get(&at).and_then(|kept| kept.get(..len));
            let bytes = kept.or_else(|| data.get(at, len.min(MAX_VERSION)))?;
            go_version(bytes)
        });
        let modules = match text(pointers.modules) {
            Some((_, 0)) => Some(&[][..]),
            Some((at, len)) => {
                let passed = self.modules.iter().find_map(|piece| piece.get(at, len));
                passed.or_else(|| data.get(at, len.min(MAX_TEXT)))
            }
            // A linker that puts the variables before the header; one text is the text.
            None => match self.modules.as_slice() {
                [only] => Some(only.bytes.as_slice()),
                _ => None,
            },
        };
        let info = BuildInfo {
            go_version,
            modules: modules.unwrap_or_default().to_vec(),
        };
        (info, modules.is_none())
    }

    fn end(mut self, problems: &mut ProblemList) -> Option<BuildInfo> {
        if self.packed {
            problems.push(
                ProblemKind::Unsupported,
                "this program is packed with UPX: what is inside is not known",
            );
        }
        if self.found.is_none() {
            self.try_header(true);
        }
        if self.modules_lost {
            problems.push(
                ProblemKind::Malformed,
                "the module list of the Go build info can't be read to its end",
            );
        }
        if self.found.is_none() && !self.packed && self.layout.is_some_and(|layout| layout.go_note)
        {
            problems.push(
                ProblemKind::Unsupported,
                "a Go program without build info (before Go 1.13, or removed): its modules are not known",
            );
        }
        self.found
    }
}
