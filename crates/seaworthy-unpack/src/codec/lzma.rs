//! LZMA and LZMA2.
//!
//! Follows the specification in 7-Zip's LZMA SDK and, for LZMA2's chunks, the xz sources'
//! description. The output itself is the dictionary: a stream that declares one of four
//! gigabytes costs what it unpacks to and no more. The alternatives each fell short here:
//! liblzma is C, lzma-rs grows its own window beside the output, and both want to be told a
//! memory limit that then refuses streams for what they merely declare.

use crate::bytes::{Cursor, size};
use crate::codec::range::{EVEN, Prob, RangeDecoder};
use crate::limits::Incomplete;
use crate::output::Output;

/// Symbols between looks at the clock.
const CLOCK: u32 = 1 << 16;

/// Probabilities of one literal context.
const LITERAL: usize = 0x300;

/// Lengths of matches, less two.
#[derive(Debug)]
struct Lengths {
    choice: [Prob; 2],
    low: [[Prob; 8]; 16],
    middle: [[Prob; 8]; 16],
    high: [Prob; 256],
}

impl Lengths {
    fn new() -> Lengths {
        Lengths {
            choice: [EVEN; 2],
            low: [[EVEN; 8]; 16],
            middle: [[EVEN; 8]; 16],
            high: [EVEN; 256],
        }
    }

    #[inline(always)]
    fn decode(&mut self, rc: &mut RangeDecoder<'_>, place: usize) -> usize {
        if rc.bit(&mut self.choice[0]) == 0 {
            rc.tree(&mut self.low[place & 15], 3)
        } else if rc.bit(&mut self.choice[1]) == 0 {
            8 + rc.tree(&mut self.middle[place & 15], 3)
        } else {
            16 + rc.tree(&mut self.high, 8)
        }
    }
}

/// What an LZMA decoder has learnt, less the literals' probabilities.
#[derive(Debug)]
struct Model {
    state: usize,
    reps: [u32; 4],
    is_match: [[Prob; 16]; 16],
    is_rep: [Prob; 16],
    is_rep0: [Prob; 16],
    is_rep1: [Prob; 16],
    is_rep2: [Prob; 16],
    is_long_rep0: [[Prob; 16]; 16],
    slots: [[Prob; 64]; 4],
    special: [Prob; 128],
    align: [Prob; 16],
    lengths: Lengths,
    rep_lengths: Lengths,
}

impl Model {
    fn new() -> Box<Model> {
        Box::new(Model {
            state: 0,
            reps: [0; 4],
            is_match: [[EVEN; 16]; 16],
            is_rep: [EVEN; 16],
            is_rep0: [EVEN; 16],
            is_rep1: [EVEN; 16],
            is_rep2: [EVEN; 16],
            is_long_rep0: [[EVEN; 16]; 16],
            slots: [[EVEN; 64]; 4],
            special: [EVEN; 128],
            align: [EVEN; 16],
            lengths: Lengths::new(),
            rep_lengths: Lengths::new(),
        })
    }

    /// The distance of a new match, less one; all ones is the end marker.
    #[inline(always)]
    fn distance(&mut self, rc: &mut RangeDecoder<'_>, length: usize) -> u32 {
        let slot = rc.tree(&mut self.slots[length.min(3)], 6);
        // Six bits.
        let short = u32::try_from(slot).unwrap_or_default();
        if slot < 4 {
            return short;
        }
        let bits = (short >> 1) - 1;
        let base = (2 | (short & 1)) << bits;
        if slot < 14 {
            let from = usize::try_from(base).unwrap_or_default() - slot;
            base + rc.reverse_tree(&mut self.special, from, bits)
        } else {
            let direct = rc.direct(bits - 4) << 4;
            base.wrapping_add(direct)
                .wrapping_add(rc.reverse_tree(&mut self.align, 0, 4))
        }
    }
}

/// An LZMA decoder.
#[derive(Debug)]
pub(crate) struct Lzma {
    literal_context: u32,
    literal_mask: usize,
    place_mask: usize,
    literals: Vec<Prob>,
    model: Box<Model>,
}

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Size,
    Marker,
}

impl Lzma {
    /// For the byte that holds the three properties: `(pb * 5 + lp) * 9 + lc`.
    fn new(properties: u8) -> Result<Lzma, Incomplete> {
        if properties >= 225 {
            return Err(Incomplete::Damaged("lzma properties"));
        }
        let (lc, lp) = (properties % 9, properties / 9 % 5);
        let pb = properties / 45;
        Ok(Lzma {
            literal_context: u32::from(lc),
            literal_mask: (1 << lp) - 1,
            place_mask: (1 << pb) - 1,
            // At most 2^12 contexts: six megabytes.
            literals: vec![EVEN; LITERAL << (lc + lp)],
            model: Model::new(),
        })
    }

    fn reset(&mut self) {
        self.literals.fill(EVEN);
        self.model = Model::new();
    }

    /// Decodes until the output is `end` long or the stream has its marker. `start`: where
    /// the dictionary begins in the output.
    fn decode(
        &mut self,
        rc: &mut RangeDecoder<'_>,
        out: &mut Output,
        start: usize,
        end: usize,
    ) -> Result<End, Incomplete> {
        let mut clock = CLOCK;
        while out.bytes.len() < end {
            clock -= 1;
            if clock == 0 {
                clock = CLOCK;
                out.check_time()?;
            }
            let position = out.bytes.len() - start;
            let place = position & self.place_mask;
            let model = &mut *self.model;
            let state = model.state & 15;
            if rc.bit(&mut model.is_match[state][place & 15]) == 0 {
                self.literal(rc, out, position)?;
                continue;
            }
            let length = if rc.bit(&mut model.is_rep[state]) == 0 {
                let length = model.lengths.decode(rc, place);
                let distance = model.distance(rc, length);
                if distance == u32::MAX {
                    check_input(rc)?;
                    return Ok(End::Marker);
                }
                let [a, b, c, _] = model.reps;
                model.reps = [distance, a, b, c];
                model.state = if state < 7 { 7 } else { 10 };
                length
            } else {
                let [a, b, c, d] = model.reps;
                let mut is_short = false;
                if rc.bit(&mut model.is_rep0[state]) == 0 {
                    is_short = rc.bit(&mut model.is_long_rep0[state][place & 15]) == 0;
                } else if rc.bit(&mut model.is_rep1[state]) == 0 {
                    model.reps = [b, a, c, d];
                } else if rc.bit(&mut model.is_rep2[state]) == 0 {
                    model.reps = [c, a, b, d];
                } else {
                    model.reps = [d, a, b, c];
                }
                if is_short {
                    model.state = if state < 7 { 9 } else { 11 };
                    let distance = size(u64::from(model.reps[0]) + 1)?;
                    check_input(rc)?;
                    out.copy_match(start, distance, 1)?;
                    continue;
                }
                model.state = if state < 7 { 8 } else { 11 };
                model.rep_lengths.decode(rc, place)
            } + 2;
            let distance = size(u64::from(model.reps[0]) + 1)?;
            check_input(rc)?;
            let fits = length.min(end - out.bytes.len());
            out.copy_match(start, distance, fits)?;
            if fits < length {
                return Err(Incomplete::Damaged("match runs past the end"));
            }
        }
        Ok(End::Size)
    }

    #[inline(always)]
    fn literal(
        &mut self,
        rc: &mut RangeDecoder<'_>,
        out: &mut Output,
        position: usize,
    ) -> Result<(), Incomplete> {
        let previous = if position == 0 {
            0
        } else {
            out.bytes.last().copied().map_or(0, usize::from)
        };
        let context = ((position & self.literal_mask) << self.literal_context)
            + (previous >> (8 - self.literal_context));
        let probs = self
            .literals
            .get_mut(context * LITERAL..)
            .and_then(|probs| probs.first_chunk_mut::<LITERAL>())
            .ok_or(Incomplete::Damaged("lzma properties"))?;
        let model = &mut *self.model;
        let mut symbol = 1_usize;
        if model.state >= 7 {
            let back = size(u64::from(model.reps[0]) + 1)?;
            let at = (back <= position).then(|| out.bytes.len() - back);
            let mut matched = at
                .and_then(|at| out.bytes.get(at))
                .copied()
                .map(usize::from)
                .ok_or(Incomplete::Damaged("match begins before the data"))?;
            while symbol < 0x100 {
                let match_bit = (matched >> 7) & 1;
                matched <<= 1;
                let bit = rc.bit(&mut probs[((1 + match_bit) << 8) + symbol]);
                symbol = (symbol << 1) | bit;
                if bit != match_bit {
                    break;
                }
            }
        }
        while symbol < 0x100 {
            symbol = (symbol << 1) | rc.bit(&mut probs[symbol]);
        }
        model.state = match model.state {
            0..=3 => 0,
            state @ 4..=9 => state - 3,
            state => state - 6,
        };
        check_input(rc)?;
        out.push_byte(u8::try_from(symbol & 0xff).unwrap_or_default())
    }
}

/// Asked before each symbol goes out: none is made of input that is missing.
#[inline(always)]
fn check_input(rc: &RangeDecoder<'_>) -> Result<(), Incomplete> {
    if rc.is_over() {
        Err(Incomplete::TRUNCATED)
    } else {
        Ok(())
    }
}

/// Decodes a raw LZMA stream, as it stands in 7z and zip. `properties`: the byte of
/// [`Lzma::new`]. `length`: of what is unpacked, where it is known.
pub(crate) fn raw(
    properties: u8,
    input: &[u8],
    out: &mut Output,
    length: Option<u64>,
) -> Result<(), Incomplete> {
    let start = out.bytes.len();
    let end = match length {
        Some(length) => size(length)?.saturating_add(start),
        None => usize::MAX,
    };
    if input.first().is_some_and(|&first| first != 0) {
        return Err(Incomplete::Damaged("lzma stream"));
    }
    let mut rc = RangeDecoder::new(input)?;
    let ended = Lzma::new(properties)?.decode(&mut rc, out, start, end)?;
    if ended == End::Marker && length.is_some() && out.bytes.len() < end {
        return Err(Incomplete::Damaged("lzma stream ends early"));
    }
    Ok(())
}

/// Decodes an LZMA file: properties, dictionary size u32, unpacked size u64 (all ones:
/// unknown), stream.
pub(crate) fn alone(input: &[u8], out: &mut Output) -> Result<(), Incomplete> {
    let mut cursor = Cursor::new(input);
    let properties = cursor.u8()?;
    cursor.skip(4)?;
    let length = cursor.u64()?;
    let length = (length != u64::MAX).then_some(length);
    raw(properties, cursor.rest(), out, length)
}

/// Decodes LZMA2 chunks up to their end marker; says how many bytes they are.
///
/// ```text
/// 0                     end
/// 1, 2                  size-1 u16, bytes as they are; 1 resets the dictionary
/// 80..=ff               unpacked size-1 21 bits, packed size-1 u16, [properties], LZMA
/// ```
pub(crate) fn lzma2(input: &[u8], out: &mut Output) -> Result<usize, Incomplete> {
    let mut cursor = Cursor::new(input);
    let mut decoder: Option<Lzma> = None;
    let mut start = out.bytes.len();
    // The first chunk resets everything; what does not is damage.
    let (mut has_dictionary, mut has_state) = (false, false);
    loop {
        out.check_time()?;
        let control = cursor.u8()?;
        if control == 0 {
            return Ok(cursor.position());
        }
        if control == 1 || control >= 0xe0 {
            start = out.bytes.len();
            has_dictionary = true;
            has_state = false;
        }
        if !has_dictionary || (3..0x80).contains(&control) {
            return Err(Incomplete::Damaged("lzma2 chunk"));
        }
        if control < 0x80 {
            let length = usize::from(u16::from_be_bytes(cursor.array()?)) + 1;
            let there = cursor.rest();
            out.push(there.get(..length).unwrap_or(there))?;
            cursor.skip(length)?;
            continue;
        }
        let low = usize::from(u16::from_be_bytes(cursor.array()?));
        let length = (usize::from(control & 0x1f) << 16) + low + 1;
        let packed = usize::from(u16::from_be_bytes(cursor.array()?)) + 1;
        if control >= 0xc0 {
            let properties = cursor.u8()?;
            if properties >= 225 || properties % 9 + properties / 9 % 5 > 4 {
                return Err(Incomplete::Damaged("lzma2 properties"));
            }
            decoder = Some(Lzma::new(properties)?);
            has_state = true;
        }
        let Some(decoder) = decoder.as_mut() else {
            return Err(Incomplete::Damaged("lzma2 chunk"));
        };
        if (0xa0..0xc0).contains(&control) {
            decoder.reset();
        } else if !has_state {
            return Err(Incomplete::Damaged("lzma2 chunk"));
        }
        let there = cursor.rest();
        let mut rc = RangeDecoder::new(there.get(..packed).unwrap_or(there))?;
        let end = out.bytes.len().saturating_add(length);
        if decoder.decode(&mut rc, out, start, end)? == End::Marker {
            return Err(Incomplete::Damaged("lzma2 chunk"));
        }
        cursor.skip(packed)?;
    }
}
