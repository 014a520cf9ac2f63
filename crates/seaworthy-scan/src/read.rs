//! The content of one file, read once for all analyzers that want it.

use std::io::{self, Read, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use memmap2::Mmap;
use seaworthy_core::ProblemKind;
use seaworthy_image::Body;

use crate::analyzer::{MAX_EXAMINED, MAX_OVERLAP};
use crate::interest::AnalyzerIndex;
use crate::pool::{MAX_PART, Piece};
use crate::{AnalyzerSet, FileMeta, Reader, Sink, StreamReader};

/// New bytes in each window of a stream.
pub(crate) const WINDOW: usize = 1 << 20;

/// Buffers larger than this are given back after the file that needed them.
const KEEP_BUFFER: usize = 8 << 20;

/// Files up to this are gathered in the buffer, larger ones in a mapped file without a name,
/// whose pages the system can take back.
const GATHER: u64 = 24 << 20;

/// Bytes copied at a time into such a file.
const SPOOL_BLOCK: usize = 1 << 20;

/// Reads file after file through one buffer.
pub(crate) struct ContentReader<'a> {
    analyzers: &'a AnalyzerSet,
    buffer: Vec<u8>,
}

impl<'a> ContentReader<'a> {
    pub(crate) fn new(analyzers: &'a AnalyzerSet) -> ContentReader<'a> {
        ContentReader {
            analyzers,
            buffer: Vec::new(),
        }
    }

    /// Begins with a file of `size` bytes.
    pub(crate) fn content<'c>(&'c mut self, body: &'c mut Body<'_>, size: u64) -> Content<'c, 'c> {
        self.buffer.clear();
        if self.buffer.capacity() > KEEP_BUFFER {
            self.buffer = Vec::new();
        }
        let (slice, rest): (Option<&[u8]>, Option<&mut dyn Read>) = match body {
            Body::Slice(bytes) => (Some(bytes), None),
            Body::Reader(reader) => (None, Some(&mut **reader)),
        };
        Content {
            analyzers: self.analyzers,
            size: slice.map_or(size, |bytes| bytes.len() as u64),
            slice,
            mapped: None,
            held: false,
            rest,
            buffer: &mut self.buffer,
            spent: 0,
            error: None,
        }
    }
}

/// One file's content: in memory, or partly read into the buffer.
pub(crate) struct Content<'c, 'r> {
    analyzers: &'c AnalyzerSet,
    size: u64,
    slice: Option<&'c [u8]>,
    /// A copy in a file without a name, made where a large one is wanted in one piece.
    mapped: Option<Mmap>,
    /// Whether the buffer has all of it, and keeps it.
    held: bool,
    rest: Option<&'r mut dyn Read>,
    /// What was read from `rest` and is still needed.
    buffer: &'c mut Vec<u8>,
    /// Bytes of the file before the buffer's first one, dropped by a stream.
    spent: u64,
    error: Option<String>,
}

impl Content<'_, '_> {
    /// The first bytes, at most `count`.
    pub(crate) fn head(&mut self, count: usize) -> &[u8] {
        self.fill(count);
        let bytes = self.bytes();
        &bytes[..bytes.len().min(count)]
    }

    /// Bytes it has, as far as its entry tells the truth.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether nothing has been dropped yet, so that it can be analysed again.
    pub(crate) fn is_intact(&self) -> bool {
        self.spent == 0
    }

    fn bytes(&self) -> &[u8] {
        match &self.mapped {
            Some(map) => map,
            None => self.slice.unwrap_or(self.buffer),
        }
    }

    /// Whether all of it is at hand in one piece that does not move.
    fn is_whole(&self) -> bool {
        self.slice.is_some() || self.mapped.is_some() || self.held
    }

    /// Reads until the buffer holds `count` bytes or the file ends.
    fn fill(&mut self, count: usize) {
        let missing = count.saturating_sub(self.buffer.len()) as u64;
        let Some(rest) = self.rest.as_deref_mut().filter(|_| missing > 0) else {
            return;
        };
        if self.error.is_some() {
            return;
        }
        // Exactly what is needed: growing by doubling would take twice that. A size that is not
        // true costs address space, not memory.
        let left = self
            .size
            .saturating_sub(self.spent + self.buffer.len() as u64);
        let room = usize::try_from(missing.min(left)).unwrap_or(0);
        if self.buffer.try_reserve_exact(room).is_err() {
            self.error = Some("there is no memory for it".to_owned());
            return;
        }
        if let Err(error) = rest.take(missing).read_to_end(self.buffer) {
            self.error = Some(error.to_string());
        } else if self.buffer.len() < count && self.spent + (self.buffer.len() as u64) < self.size {
            self.error = Some("it is shorter than its entry says".to_owned());
        }
    }

    /// Gives the content to the wanted analyzers and returns their sinks in that order.
    pub(crate) fn analyse(
        &mut self,
        meta: &FileMeta<'_>,
        wanted: &[AnalyzerIndex],
    ) -> Vec<(AnalyzerIndex, Sink)> {
        let mut sinks = Vec::with_capacity(wanted.len());
        let mut whole = Vec::new();
        let mut streams: Vec<Stream> = Vec::new();
        let mut examined = Vec::new();
        let mut largest = 0;
        for &index in wanted {
            let Some(analyzer) = self.analyzers.get(index) else {
                continue;
            };
            let place = sinks.len();
            let mut sink = Sink::default();
            match analyzer.reader {
                Reader::Whole { cap, parse } => {
                    if self.size <= cap as u64 {
                        largest = largest.max(cap);
                        whole.push((place, parse));
                    } else {
                        let message = format!(
                            "{} bytes are more than the {cap} that `{}` reads",
                            self.size, analyzer.meta.id
                        );
                        sink.problem(ProblemKind::LimitReached, message);
                    }
                }
                Reader::Stream { overlap, start } => {
                    let reader = guarded(&mut sink, analyzer.meta.id, |_| {
                        start(meta, self.analyzers.tools())
                    });
                    streams.extend(reader.map(|reader| Stream {
                        place,
                        id: analyzer.meta.id,
                        overlap: overlap.min(MAX_OVERLAP),
                        reader,
                    }));
                }
                Reader::Examine { overlap, start, .. } => {
                    if self.size <= MAX_EXAMINED {
                        examined.push(place);
                    } else {
                        let message = format!(
                            "{} bytes are more than the {MAX_EXAMINED} that are looked at in one \
                             piece: malware and packed secrets were not looked for",
                            self.size
                        );
                        sink.problem(ProblemKind::LimitReached, message);
                        let reader = guarded(&mut sink, analyzer.meta.id, |_| {
                            start(meta, self.analyzers.tools())
                        });
                        streams.extend(reader.map(|reader| Stream {
                            place,
                            id: analyzer.meta.id,
                            overlap: overlap.min(MAX_OVERLAP),
                            reader,
                        }));
                    }
                }
            }
            sinks.push((index, sink));
        }
        if !whole.is_empty() {
            self.fill(largest);
            for (place, parse) in whole {
                if let Some((index, sink)) = sinks.get_mut(place) {
                    let id = self.analyzers.get(*index).map_or("", |row| row.meta.id);
                    guarded(sink, id, |sink| parse(meta, self.bytes(), sink));
                }
            }
        }
        if !examined.is_empty() {
            self.examine(meta, &examined, &mut sinks);
        }
        if !streams.is_empty() {
            self.stream(streams, &mut sinks);
        }
        self.report_short_read(&mut sinks);
        sinks
    }

    /// Gives the whole content to readers that want it in one piece.
    fn examine(
        &mut self,
        meta: &FileMeta<'_>,
        examined: &[usize],
        sinks: &mut [(AnalyzerIndex, Sink)],
    ) {
        let Some(first) = examined.first() else {
            return;
        };
        let whole = match sinks.get_mut(*first) {
            Some((_, sink)) => self.gather(sink),
            None => false,
        };
        if !whole {
            return;
        }
        for place in examined {
            if let Some((index, sink)) = sinks.get_mut(*place) {
                run_look(self.analyzers, *index, meta, self.bytes(), sink);
            }
        }
    }

    /// Brings all of the content into one piece. Returns whether that went well, or says why not.
    pub(crate) fn gather(&mut self, sink: &mut Sink) -> bool {
        if self.is_whole() {
            return true;
        }
        if self.size <= GATHER.max(self.buffer.len() as u64) {
            self.fill(usize::try_from(self.size).unwrap_or(usize::MAX));
            self.held = true;
            return true;
        }
        match self.spool() {
            Ok(map) => {
                self.mapped = Some(map);
                true
            }
            Err(error) => {
                let dir = std::env::temp_dir();
                sink.problem(
                    ProblemKind::Unreadable,
                    format!(
                        "its {} bytes do not go into a temporary file in `{}`: {error}\n  hint: \
                         set `TMPDIR` to a folder with room",
                        self.size,
                        dir.display()
                    ),
                );
                false
            }
        }
    }

    /// The whole content as a piece of its own: small ones at the end of `buffer`, others in
    /// `spare`'s memory. `None` if it can't be had, which the sink then says.
    pub(crate) fn take(
        &mut self,
        buffer: &mut Vec<u8>,
        spare: impl FnOnce() -> Vec<u8>,
        sink: &mut Sink,
    ) -> Option<Piece> {
        if !self.gather(sink) {
            return None;
        }
        if let Some(error) = self.error.take() {
            short_read(&error, sink);
        }
        if let Some(map) = self.mapped.take() {
            return Some(Piece::Mapped(map));
        }
        let bytes = self.bytes();
        if bytes.len() <= MAX_PART {
            let start = buffer.len();
            buffer.extend_from_slice(bytes);
            return Some(Piece::Part(start..buffer.len()));
        }
        let mut own = spare();
        if self.slice.is_none() {
            std::mem::swap(&mut own, self.buffer);
        } else {
            own.extend_from_slice(bytes);
        }
        Some(Piece::Own(own))
    }

    /// Copies the content into a file without a name and maps it.
    fn spool(&mut self) -> io::Result<Mmap> {
        let mut file = seaworthy_image::unnamed_file(&std::env::temp_dir())?;
        file.write_all(self.buffer)?;
        let mut left = self.size.saturating_sub(self.buffer.len() as u64);
        let mut block = vec![0; SPOOL_BLOCK];
        while let Some(rest) = self.rest.as_deref_mut().filter(|_| left > 0) {
            let want = usize::try_from(left)
                .unwrap_or(SPOOL_BLOCK)
                .min(SPOOL_BLOCK);
            match rest.read(&mut block[..want]) {
                Ok(0) => {
                    self.error = Some("it is shorter than its entry says".to_owned());
                    break;
                }
                Ok(count) => {
                    file.write_all(&block[..count])?;
                    left = left.saturating_sub(count as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.error = Some(error.to_string());
                    break;
                }
            }
        }
        self.rest = None;
        #[expect(
            unsafe_code,
            reason = "engines want a file in one piece, and a large one does not belong into memory"
        )]
        // SAFETY: the file has no name, was made by us and is written by nobody any more, so the
        // bytes behind the map never change while it lives.
        unsafe {
            Mmap::map(&file)
        }
    }

    fn stream(&mut self, mut streams: Vec<Stream>, sinks: &mut [(AnalyzerIndex, Sink)]) {
        let longest = streams
            .iter()
            .map(|stream| stream.overlap)
            .max()
            .unwrap_or(0);
        // Place of the window's first new byte in the bytes at hand.
        let mut start = 0_usize;
        loop {
            if !self.is_whole() {
                self.fill(start.saturating_add(WINDOW));
            }
            let base = self.spent;
            let bytes = self.bytes();
            let end = bytes.len().min(start.saturating_add(WINDOW));
            if end <= start {
                break;
            }
            let mut anyone = false;
            streams.retain_mut(|stream| {
                let from = start.saturating_sub(stream.overlap);
                let Some((_, sink)) = sinks.get_mut(stream.place) else {
                    return false;
                };
                let alive = guarded(sink, stream.id, |sink| {
                    stream
                        .reader
                        .window(base + from as u64, &bytes[from..end], sink);
                    stream.reader.wants_more()
                });
                anyone |= alive == Some(true);
                alive.is_some()
            });
            if !anyone {
                break;
            }
            start = end;
            if !self.is_whole() && start >= WINDOW && start == self.buffer.len() {
                // All that was read has been seen: only the overlap is needed again.
                let spent = start.saturating_sub(longest);
                self.buffer.drain(..spent);
                self.spent += spent as u64;
                start -= spent;
            }
        }
        for stream in streams {
            if let Some((_, sink)) = sinks.get_mut(stream.place) {
                guarded(sink, stream.id, |sink| stream.reader.finish(sink));
            }
        }
    }

    fn report_short_read(&mut self, sinks: &mut [(AnalyzerIndex, Sink)]) {
        if let Some(error) = &self.error
            && let Some((_, sink)) = sinks.first_mut()
        {
            short_read(error, sink);
        }
    }
}

fn short_read(error: &str, sink: &mut Sink) {
    sink.problem(
        ProblemKind::Unreadable,
        format!("the file could not be read to its end: {error}"),
    );
}

/// Shows a whole file to an analyzer that wants it in one piece.
pub(crate) fn run_look(
    analyzers: &AnalyzerSet,
    index: AnalyzerIndex,
    meta: &FileMeta<'_>,
    bytes: &[u8],
    sink: &mut Sink,
) {
    if let Some(analyzer) = analyzers.get(index)
        && let Reader::Examine { look, .. } = analyzer.reader
    {
        guarded(sink, analyzer.meta.id, |sink| {
            look(meta, bytes, analyzers.tools(), sink);
        });
    }
}

struct Stream {
    place: usize,
    id: &'static str,
    overlap: usize,
    reader: Box<dyn StreamReader>,
}

/// Runs an analyzer so that a fault of ours on one hostile file costs that file's evidence
/// and not the scan. `None` when it failed; the sink then says so.
fn guarded<T>(sink: &mut Sink, id: &str, run: impl FnOnce(&mut Sink) -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(|| run(sink))) {
        Ok(value) => Some(value),
        Err(_) => {
            let message = format!("analyzer `{id}` failed on this file: please report it");
            sink.problem(ProblemKind::Unsupported, message);
            None
        }
    }
}
