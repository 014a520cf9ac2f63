//! The DEFLATE decoder (RFC 1951): a state machine that can stop after any byte of input,
//! around a fast loop for the middle of a block.
//!
//! ```text
//!   window: [ history, up to 32 KiB | fresh: decoded, not read | free | slack ]
//!           ^ floor: start of the stream, or of the history    ^ write, at most FULL
//! ```
//!
//! Decoding runs ahead until the window is full or the input ends, the caller reads the
//! fresh part where it lies, and then the last 32 KiB move to the front. A symbol is
//! decoded whole or not at all: its code and extra bits fit the bit buffer, and the slack
//! takes the longest match, so nothing is ever half done but a stored block.

use super::InflateError;
use super::bits::BitBuffer;
use super::tables::{
    DISTANCE_BITS, DISTANCE_ENTRIES, END_OF_BLOCK, EXCEPTION, LENGTH_BITS, LENGTH_ENTRIES, LITERAL,
    MAX_DISTANCE_SYMBOLS, MAX_LENGTH_SYMBOLS, META_BITS, NO_CODE, Tables, build_meta,
};

/// The furthest a match reaches back.
const HISTORY: usize = 32 << 10;
/// History, room for fresh bytes and slack: small enough to stay in a core's own cache.
const WINDOW: usize = 256 << 10;
/// Room for one turn of the fast loop: literals, the longest match (258) and what is
/// copied beyond its end.
const SLACK: usize = 320;
/// No symbol is begun with the write position behind this.
const FULL: usize = WINDOW - SLACK;
/// Input that one turn of the fast loop may load.
const AHEAD: usize = 32;

/// Bits of the longest distance: code and extra bits.
const MAX_DISTANCE_BITS: u32 = 15 + 13;

/// Order in which the lengths of the code length codes come (RFC 1951, section 3.2.7).
const META_ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Why the decoder stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// All input is used, and the next symbol is not complete.
    NeedInput,
    /// The fresh bytes must be read first.
    WindowFull,
    /// The stream is over; what follows it begins in the bit buffer.
    Finished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    BlockHeader,
    StoredHeader,
    Stored { left: usize },
    Counts,
    MetaLengths { have: usize },
    Lengths { have: usize },
    FixedCodes,
    DynamicCodes,
    Finished,
}

/// What is known of a dynamic block's header so far.
#[derive(Debug)]
struct Header {
    length_symbols: usize,
    distance_symbols: usize,
    meta_symbols: usize,
    meta: [u8; 19],
    /// Code lengths of both alphabets, one after the other.
    lengths: [u8; MAX_LENGTH_SYMBOLS + MAX_DISTANCE_SYMBOLS],
    table: [u32; 1 << META_BITS],
}

/// A decoder with its window. One serves many streams, one after the other.
#[derive(Debug)]
pub(super) struct Decoder {
    window: Box<[u8; WINDOW]>,
    /// First byte of the window that a match may reach.
    floor: usize,
    /// First fresh byte.
    read: usize,
    /// End of the fresh bytes.
    write: usize,
    state: State,
    last_block: bool,
    header: Box<Header>,
    tables: Box<Tables>,
}

/// How a run through a block's symbols ended.
enum Run {
    EndOfBlock,
    Stopped(Progress),
}

impl Decoder {
    pub fn new() -> Decoder {
        let window = vec![0; WINDOW].into_boxed_slice();
        Decoder {
            // The conversion gives the slice back where the length differs: it does not.
            window: window.try_into().unwrap_or_else(|_| Box::new([0; WINDOW])),
            floor: 0,
            read: 0,
            write: 0,
            state: State::BlockHeader,
            last_block: false,
            header: Box::new(Header {
                length_symbols: 0,
                distance_symbols: 0,
                meta_symbols: 0,
                meta: [0; 19],
                lengths: [0; MAX_LENGTH_SYMBOLS + MAX_DISTANCE_SYMBOLS],
                table: [0; 1 << META_BITS],
            }),
            tables: Tables::new(),
        }
    }

    /// Begins another stream, which can't see the bytes of the one before. Fresh bytes stay.
    pub fn restart(&mut self) {
        self.floor = self.write;
        self.state = State::BlockHeader;
        self.last_block = false;
    }

    /// What is decoded and not read.
    pub fn fresh(&self) -> &[u8] {
        self.window.get(self.read..self.write).unwrap_or_default()
    }

    /// The last `n` of the fresh bytes.
    pub fn newest(&self, n: usize) -> &[u8] {
        self.window
            .get(self.write.saturating_sub(n)..self.write)
            .unwrap_or_default()
    }

    /// Marks fresh bytes as read.
    pub fn consume(&mut self, n: usize) {
        self.read = (self.read + n).min(self.write);
    }

    /// The write position: the difference around a [`Self::run`] is what that run decoded.
    pub fn position(&self) -> usize {
        self.write
    }

    /// Makes room once all is read: the history moves to the front. To be called before
    /// positions are compared.
    pub fn make_room(&mut self) {
        if self.read == self.write && self.write > WINDOW / 2 {
            let shift = self.write - HISTORY;
            self.window.copy_within(shift..self.write, 0);
            self.floor = self.floor.saturating_sub(shift);
            self.write = HISTORY;
            self.read = HISTORY;
        }
    }

    /// Decodes until something is missing. After an error what was decoded before is fresh
    /// and right, and the decoder is not to be run again without a restart.
    pub fn run(
        &mut self,
        bits: &mut BitBuffer,
        input: &[u8],
        pos: &mut usize,
    ) -> Result<Progress, InflateError> {
        loop {
            let stopped = match self.state {
                State::BlockHeader => self.block_header(bits, input, pos)?,
                State::StoredHeader => self.stored_header(bits, input, pos)?,
                State::Stored { left } => self.stored(left, bits, input, pos),
                State::Counts => self.counts(bits, input, pos)?,
                State::MetaLengths { have } => self.meta_lengths(have, bits, input, pos)?,
                State::Lengths { have } => self.lengths(have, bits, input, pos)?,
                State::FixedCodes | State::DynamicCodes => match self.symbols(bits, input, pos)? {
                    Run::EndOfBlock => {
                        self.end_block();
                        None
                    }
                    Run::Stopped(progress) => Some(progress),
                },
                State::Finished => Some(Progress::Finished),
            };
            if let Some(progress) = stopped {
                return Ok(progress);
            }
        }
    }

    fn end_block(&mut self) {
        self.state = if self.last_block {
            State::Finished
        } else {
            State::BlockHeader
        };
    }

    fn block_header(
        &mut self,
        bits: &mut BitBuffer,
        input: &[u8],
        pos: &mut usize,
    ) -> Result<Option<Progress>, InflateError> {
        let Some(header) = bits.take(3, input, pos) else {
            return Ok(Some(Progress::NeedInput));
        };
        self.last_block = header & 1 != 0;
        self.state = match header >> 1 {
            0 => {
                bits.align();
                State::StoredHeader
            }
            1 => State::FixedCodes,
            2 => State::Counts,
            _ => return Err(InflateError::BlockType),
        };
        Ok(None)
    }

    fn stored_header(
        &mut self,
        bits: &mut BitBuffer,
        input: &[u8],
        pos: &mut usize,
    ) -> Result<Option<Progress>, InflateError> {
        let Some(lengths) = bits.take(32, input, pos) else {
            return Ok(Some(Progress::NeedInput));
        };
        let left = lengths & 0xffff;
        if left != !lengths >> 16 {
            return Err(InflateError::StoredLength);
        }
        self.state = State::Stored {
            left: left as usize,
        };
        Ok(None)
    }

    fn stored(
        &mut self,
        mut left: usize,
        bits: &mut BitBuffer,
        input: &[u8],
        pos: &mut usize,
    ) -> Option<Progress> {
        while left > 0 {
            let room = FULL.saturating_sub(self.write);
            if room == 0 {
                self.state = State::Stored { left };
                return Some(Progress::WindowFull);
            }
            let copied = if bits.count > 0 {
                // Bytes that were loaded with the header.
                let byte = (bits.bits & 0xff) as u8;
                bits.consume(8);
                if let Some(slot) = self.window.get_mut(self.write) {
                    *slot = byte;
                }
                1
            } else {
                let rest = input.get(*pos..).unwrap_or_default();
                let n = left.min(room).min(rest.len());
                if n == 0 {
                    self.state = State::Stored { left };
                    return Some(Progress::NeedInput);
                }
                if let (Some(to), Some(from)) = (
                    self.window.get_mut(self.write..self.write + n),
                    rest.get(..n),
                ) {
                    to.copy_from_slice(from);
                }
                *pos += n;
                n
            };
            self.write += copied;
            left -= copied;
        }
        self.end_block();
        None
    }

    fn counts(
        &mut self,
        bits: &mut BitBuffer,
        input: &[u8],
        pos: &mut usize,
    ) -> Result<Option<Progress>, InflateError> {
        let Some(counts) = bits.take(14, input, pos) else {
            return Ok(Some(Progress::NeedInput));
        };
        let counts = counts as usize;
        self.header.length_symbols = (counts & 31) + 257;
        self.header.distance_symbols = (counts >> 5 & 31) + 1;
        self.header.meta_symbols = (counts >> 10) + 4;
        if self.header.length_symbols > MAX_LENGTH_SYMBOLS
            || self.header.distance_symbols > MAX_DISTANCE_SYMBOLS
        {
            return Err(InflateError::TooManySymbols);
        }
        self.header.meta = [0; 19];
        self.state = State::MetaLengths { have: 0 };
        Ok(None)
    }

    fn meta_lengths(
        &mut self,
        have: usize,
        bits: &mut BitBuffer,
        input: &[u8],
        pos: &mut usize,
    ) -> Result<Option<Progress>, InflateError> {
        let header = &mut *self.header;
        for (index, &symbol) in META_ORDER
            .iter()
            .enumerate()
            .take(header.meta_symbols)
            .skip(have)
        {
            let Some(length) = bits.take(3, input, pos) else {
                self.state = State::MetaLengths { have: index };
                return Ok(Some(Progress::NeedInput));
            };
            header.meta[symbol] = (length & 7) as u8;
        }
        build_meta(&mut header.table, &header.meta)?;
        self.state = State::Lengths { have: 0 };
        Ok(None)
    }

    fn lengths(
        &mut self,
        mut have: usize,
        bits: &mut BitBuffer,
        input: &[u8],
        pos: &mut usize,
    ) -> Result<Option<Progress>, InflateError> {
        let header = &mut *self.header;
        let total = header.length_symbols + header.distance_symbols;
        while have < total {
            if bits.count < 14 {
                bits.fill(input, pos);
            }
            let entry = header.table[index(bits.bits, META_BITS)];
            let code_bits = entry & 63;
            let symbol = entry >> 16 & 31;
            let (extra, base) = match symbol {
                16 => (2, 3),
                17 => (3, 3),
                18 => (7, 11),
                _ => (0, 1),
            };
            if bits.count < code_bits + extra {
                self.state = State::Lengths { have };
                return Ok(Some(Progress::NeedInput));
            }
            bits.consume(code_bits);
            let repeat = base + index(bits.bits, extra);
            bits.consume(extra);
            let value = match symbol {
                16 => match have.checked_sub(1) {
                    Some(before) => header.lengths[before],
                    None => return Err(InflateError::RepeatWithoutLength),
                },
                17.. => 0,
                length => (length & 15) as u8,
            };
            if repeat > total - have {
                return Err(InflateError::RepeatOverrun);
            }
            header.lengths[have..have + repeat].fill(value);
            have += repeat;
        }
        let (lengths, distances) = header.lengths[..total].split_at(header.length_symbols);
        self.tables.build(lengths, distances)?;
        self.state = State::DynamicCodes;
        Ok(None)
    }

    /// Decodes symbols to the end of the block, of the input or of the window.
    fn symbols(
        &mut self,
        bits: &mut BitBuffer,
        input: &[u8],
        pos: &mut usize,
    ) -> Result<Run, InflateError> {
        let tables = if self.state == State::FixedCodes {
            Tables::fixed()
        } else {
            &self.tables
        };
        let mut out = Output {
            window: &mut self.window,
            floor: self.floor,
            write: self.write,
        };
        let run = run_block(tables, bits, input, pos, &mut out);
        self.write = out.write;
        run
    }
}

/// The window while symbols are decoded.
struct Output<'a> {
    window: &'a mut [u8; WINDOW],
    floor: usize,
    write: usize,
}

fn run_block(
    tables: &Tables,
    bits: &mut BitBuffer,
    input: &[u8],
    pos: &mut usize,
    out: &mut Output<'_>,
) -> Result<Run, InflateError> {
    loop {
        if out.write > FULL {
            return Ok(Run::Stopped(Progress::WindowFull));
        }
        if input.len() - *pos >= AHEAD && fast_loop(tables, bits, input, pos, out)? {
            return Ok(Run::EndOfBlock);
        }
        while out.write <= FULL {
            match one_symbol(tables, bits, input, pos, out)? {
                Step::Done => {}
                Step::NeedInput => return Ok(Run::Stopped(Progress::NeedInput)),
                Step::EndOfBlock => return Ok(Run::EndOfBlock),
            }
        }
    }
}

enum Step {
    Done,
    NeedInput,
    EndOfBlock,
}

/// Decodes one symbol with all checks, near the end of the input.
fn one_symbol(
    tables: &Tables,
    bits: &mut BitBuffer,
    input: &[u8],
    pos: &mut usize,
    out: &mut Output<'_>,
) -> Result<Step, InflateError> {
    bits.fill(input, pos);
    let mut buffer = bits.bits;
    let mut used = 0;
    let mut entry = tables.length[index(buffer, LENGTH_BITS)];
    if entry & (EXCEPTION | END_OF_BLOCK | NO_CODE) == EXCEPTION {
        buffer >>= LENGTH_BITS;
        used = LENGTH_BITS;
        entry = tables.length[sub_index(entry >> 16, entry, buffer) & (LENGTH_ENTRIES - 1)];
    }
    used += entry & 63;
    if entry & LITERAL != 0 {
        if used > bits.count {
            return Ok(Step::NeedInput);
        }
        if let Some(slot) = out.window.get_mut(out.write) {
            *slot = entry.to_le_bytes()[2];
        }
        out.write += 1;
        bits.consume(used);
        return Ok(Step::Done);
    }
    if used > bits.count {
        return Ok(Step::NeedInput);
    }
    if entry & EXCEPTION != 0 {
        if entry & NO_CODE != 0 {
            return Err(InflateError::LengthCode);
        }
        bits.consume(used);
        return Ok(Step::EndOfBlock);
    }
    let length = length_of(entry, buffer);

    buffer = bits.bits >> used;
    let mut far = tables.distance[index(buffer, DISTANCE_BITS)];
    if flags(far) & (EXCEPTION | NO_CODE) == EXCEPTION {
        buffer >>= DISTANCE_BITS;
        used += DISTANCE_BITS;
        far = tables.distance
            [sub_index((far >> 32) as u32, flags(far), buffer) & (DISTANCE_ENTRIES - 1)];
    }
    used += flags(far) & 63;
    if used > bits.count {
        return Ok(Step::NeedInput);
    }
    if flags(far) & EXCEPTION != 0 {
        return Err(InflateError::DistanceCode);
    }
    let distance = distance_of(far, buffer);
    if distance > out.write - out.floor {
        return Err(InflateError::DistanceBeyondWindow);
    }
    bits.consume(used);
    copy_match(out.window, out.write, distance, length);
    out.write += length;
    Ok(Step::Done)
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "masked to at most 15 bits")]
fn index(buffer: u64, bits: u32) -> usize {
    (buffer & ((1 << bits) - 1)) as usize
}

#[inline(always)]
fn sub_index(offset: u32, pointer: u32, buffer: u64) -> usize {
    offset as usize + index(buffer, pointer >> 8 & 15)
}

/// The lower half of a distance entry.
#[inline(always)]
fn flags(entry: u64) -> u32 {
    (entry & 0xffff) as u32
}

/// The length an entry and the bits from its code on stand for.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "masked to five bits")]
fn length_of(entry: u32, buffer: u64) -> usize {
    let extra = (buffer >> (entry >> 8 & 15)) as usize & (entry >> 25 & 31) as usize;
    (entry >> 16 & 511) as usize + extra
}

/// The distance an entry and the bits from its code on stand for.
#[inline(always)]
fn distance_of(entry: u64, buffer: u64) -> usize {
    let extra = (buffer >> (entry >> 8 & 15)) & (entry >> 16 & 0xffff);
    (entry >> 32) as usize + extra as usize
}

/// Decodes while there are `AHEAD` bytes of input and room for a turn. Whether the block
/// ended.
#[inline(never)]
fn fast_loop(
    tables: &Tables,
    saved: &mut BitBuffer,
    input: &[u8],
    pos: &mut usize,
    out: &mut Output<'_>,
) -> Result<bool, InflateError> {
    let window = &mut *out.window;
    let floor = out.floor;
    let mut write = out.write;
    // With `AHEAD` bytes of input this gives enough bits to begin.
    saved.fill(input, pos);
    let mut rest = input.get(*pos..).unwrap_or_default();
    let BitBuffer {
        bits: mut buffer,
        mut count,
    } = *saved;

    // Only the low six bits of `count` mean something: this subtracts the whole entry.
    macro_rules! consume {
        ($entry:expr) => {
            buffer >>= $entry & 63;
            count = count.wrapping_sub($entry);
        };
    }
    macro_rules! literal {
        ($entry:expr) => {
            if let Some(slot) = window.get_mut(write) {
                *slot = $entry.to_le_bytes()[2];
            }
            write += 1;
        };
    }

    // Only the low byte of `count` means something.
    macro_rules! have {
        ($bits:expr) => {
            u32::from(count.to_le_bytes()[0]) >= $bits
        };
    }

    let result = loop {
        // The compiler sees that no load below leaves these bytes: there are at most three
        // in a turn, each of which moves on by at most seven.
        let Some(ahead) = rest.first_chunk::<AHEAD>() else {
            break Ok(false);
        };
        if write > FULL {
            break Ok(false);
        }
        let mut used = 0;
        // Loads whole bytes: 56 bits or more are there afterwards. Bits above `count` are
        // the next ones of the input and get loaded again, so they do no harm.
        macro_rules! refill {
            () => {
                if let Some(chunk) = ahead.get(used..).and_then(|bytes| bytes.first_chunk::<8>()) {
                    buffer |= u64::from_le_bytes(*chunk) << (count & 63);
                    used += 7 - ((count >> 3) & 7) as usize;
                    count |= 56;
                }
            };
        }

        // Every turn begins with the bits of a main entry at least. Look-ups stand before
        // loads where they can, because everything waits for look-ups.
        let mut entry = tables.length[index(buffer, LENGTH_BITS)];
        refill!();

        // 56 bits: two literals of the main table leave 34, enough for a third one and the
        // next turn's entry, or for a length with its extra bits and a main distance entry.
        if entry & LITERAL != 0 {
            consume!(entry);
            literal!(entry);
            entry = tables.length[index(buffer, LENGTH_BITS)];
            if entry & LITERAL != 0 {
                consume!(entry);
                literal!(entry);
                entry = tables.length[index(buffer, LENGTH_BITS)];
                if entry & LITERAL != 0 {
                    consume!(entry);
                    literal!(entry);
                    rest = rest.get(used..).unwrap_or_default();
                    continue;
                }
            }
        }
        if entry & EXCEPTION != 0 {
            if entry & (NO_CODE | END_OF_BLOCK) == 0 {
                buffer >>= LENGTH_BITS;
                count = count.wrapping_sub(LENGTH_BITS);
                entry = tables.length[sub_index(entry >> 16, entry, buffer) & (LENGTH_ENTRIES - 1)];
                if entry & LITERAL != 0 {
                    consume!(entry);
                    literal!(entry);
                    rest = rest.get(used..).unwrap_or_default();
                    continue;
                }
            }
            if entry & NO_CODE != 0 {
                break Err(InflateError::LengthCode);
            }
            if entry & EXCEPTION != 0 {
                consume!(entry);
                rest = rest.get(used..).unwrap_or_default();
                break Ok(true);
            }
        }
        let length = length_of(entry, buffer);
        consume!(entry);
        let mut far = tables.distance[index(buffer, DISTANCE_BITS)];
        if !have!(MAX_DISTANCE_BITS) {
            refill!();
        }

        if flags(far) & EXCEPTION != 0 {
            if flags(far) & NO_CODE == 0 {
                buffer >>= DISTANCE_BITS;
                count = count.wrapping_sub(DISTANCE_BITS);
                far = tables.distance
                    [sub_index((far >> 32) as u32, flags(far), buffer) & (DISTANCE_ENTRIES - 1)];
            }
            if flags(far) & EXCEPTION != 0 {
                break Err(InflateError::DistanceCode);
            }
        }
        let distance = distance_of(far, buffer);
        consume!(flags(far));
        if !have!(LENGTH_BITS) {
            refill!();
        }
        rest = rest.get(used..).unwrap_or_default();
        if distance > write - floor {
            break Err(InflateError::DistanceBeyondWindow);
        }
        copy_match(window, write, distance, length);
        write += length;
    };
    count &= 63;
    *saved = BitBuffer {
        bits: buffer & ((1 << count) - 1),
        count,
    };
    *pos = input.len() - rest.len();
    out.write = write;
    result
}

/// Copies `length` bytes from `distance` back, and up to 15 more of whatever. The caller
/// knows that `distance` is not beyond the window and that `SLACK` bytes are free.
#[inline(always)]
fn copy_match(window: &mut [u8; WINDOW], write: usize, distance: usize, length: usize) {
    let end = write + length;
    let mut from = write.wrapping_sub(distance);
    let mut to = write;
    if distance >= 8 {
        loop {
            // Nine of ten matches are not longer than this.
            copy_chunk(window, from, to);
            copy_chunk(window, from + 8, to + 8);
            from += 16;
            to += 16;
            if to >= end {
                break;
            }
        }
    } else {
        // The bytes repeat within eight: made once, stored in steps of whole periods.
        let (spread, step) = REPEAT[distance & 7];
        if let Some(chunk) = window.get(from..).and_then(|w| w.first_chunk::<8>()) {
            let period = u64::from_le_bytes(*chunk) & ((1 << (8 * (distance & 7))) - 1);
            let pattern = period.wrapping_mul(spread).to_le_bytes();
            loop {
                if let Some(slot) = window.get_mut(to..).and_then(|w| w.first_chunk_mut::<8>()) {
                    *slot = pattern;
                }
                to += step;
                if to >= end {
                    break;
                }
            }
        }
    }
}

#[inline(always)]
fn copy_chunk(window: &mut [u8; WINDOW], from: usize, to: usize) {
    if let Some(&chunk) = window.get(from..).and_then(|w| w.first_chunk::<8>())
        && let Some(slot) = window.get_mut(to..).and_then(|w| w.first_chunk_mut::<8>())
    {
        *slot = chunk;
    }
}

/// For distances below eight: the factor that spreads a period over eight bytes, and the
/// largest step of whole periods.
const REPEAT: [(u64, usize); 8] = [
    (1, 8),
    (0x0101_0101_0101_0101, 8),
    (0x0001_0001_0001_0001, 8),
    (0x0001_0000_0100_0001, 6),
    (0x0000_0001_0000_0001, 8),
    (0x0000_0100_0000_0001, 5),
    (0x0001_0000_0000_0001, 6),
    (0x0100_0000_0000_0001, 7),
];
