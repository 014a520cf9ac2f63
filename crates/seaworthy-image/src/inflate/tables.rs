//! Huffman decoding tables: one look-up turns the next bits into a symbol, what to add to
//! it and how many bits it used.
//!
//! Two levels (main table, sub-tables for longer codes), all in one array whose size is a
//! power of two, so that a masked index needs no bounds check. Symbols are resolved to
//! bytes, base lengths and base distances while building:
//!
//! ```text
//! length table, u32                         distance table, u64
//! bits  0..6   bits used, extra included    bits  0..6   bits used, extra included
//! bits  8..12  bits of the code             bits  8..12  bits of the code
//! bit  14      EXCEPTION                    bit  14      EXCEPTION
//! bit  15      LITERAL                      bits 16..32  mask of the extra bits
//! bits 16..24  literal: the byte            bits 32..48  base distance
//! bits 16..25  length: base
//! bits 25..30  length: mask of the extra bits
//!
//! EXCEPTION: bit 12 end of block, bit 13 no such code, else a sub-table with
//! its index bits in 8..12 and its offset in 16..32 (32..48 for distances)
//! ```
//!
//! Codes are accepted as zlib does (RFC 1951 leaves it open): over-subscribed and
//! incomplete ones are refused, except a length or distance code with one symbol of one
//! bit, and one with no symbols, which fails only when it is used.

use std::sync::OnceLock;

use super::InflateError;

/// Index bits of the main length table.
pub(super) const LENGTH_BITS: u32 = 11;
/// Index bits of the main distance table.
pub(super) const DISTANCE_BITS: u32 = 8;
/// Index bits of the table for code lengths: they have at most seven.
pub(super) const META_BITS: u32 = 7;

/// A sub-table of `b` index bits needs at least `b + 1` symbols, and codes end at 15 bits:
/// 286 symbols make at most 57 sub-tables of 16 after the 2048 main entries.
pub(super) const LENGTH_ENTRIES: usize = 4096;
/// 30 symbols make at most three sub-tables of 128 after the 256 main entries.
pub(super) const DISTANCE_ENTRIES: usize = 1024;

/// The most length symbols a dynamic block may define.
pub(super) const MAX_LENGTH_SYMBOLS: usize = 286;
/// The most distance symbols a dynamic block may define.
pub(super) const MAX_DISTANCE_SYMBOLS: usize = 30;

/// This entry is neither a literal nor a length nor a distance.
pub(super) const EXCEPTION: u32 = 1 << 14;
/// With `EXCEPTION`: the end of the block.
pub(super) const END_OF_BLOCK: u32 = 1 << 12;
/// With `EXCEPTION`: no symbol has this code.
pub(super) const NO_CODE: u32 = 1 << 13;
/// A literal byte.
pub(super) const LITERAL: u32 = 1 << 15;

const MAX_CODE_BITS: u32 = 15;

/// Codes by their length; entry 0 counts the symbols without a code.
type Counts = [u16; MAX_CODE_BITS as usize + 1];

/// An entry: what differs between the two widths.
trait Entry: Copy {
    /// What a bit pattern without a code gets.
    const NONE: Self;
    /// This symbol with a code of `bits` bits.
    fn with_code(self, bits: u32) -> Self;
    /// A pointer to a sub-table.
    fn pointer(main_bits: u32, index_bits: u32, offset: u32) -> Self;
}

impl Entry for u32 {
    // The length is that of the longest code, so that nobody calls a pattern wrong before
    // all of its bits are there.
    const NONE: u32 = EXCEPTION | NO_CODE | 15;

    fn with_code(self, bits: u32) -> u32 {
        self + (bits << 8) + bits
    }

    fn pointer(main_bits: u32, index_bits: u32, offset: u32) -> u32 {
        (offset << 16) | EXCEPTION | (index_bits << 8) | main_bits
    }
}

impl Entry for u64 {
    const NONE: u64 = <u32 as Entry>::NONE as u64;

    fn with_code(self, bits: u32) -> u64 {
        self + u64::from((bits << 8) + bits)
    }

    fn pointer(main_bits: u32, index_bits: u32, offset: u32) -> u64 {
        (u64::from(offset) << 32) | u64::from(EXCEPTION | (index_bits << 8) | main_bits)
    }
}

/// The tables of one block.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// Literals, lengths, end of block.
    pub length: [u32; LENGTH_ENTRIES],
    /// Distances.
    pub distance: [u64; DISTANCE_ENTRIES],
}

impl Tables {
    /// Tables in which every code is wrong.
    pub fn new() -> Box<Tables> {
        Box::new(Tables {
            length: [<u32 as Entry>::NONE; LENGTH_ENTRIES],
            distance: [<u64 as Entry>::NONE; DISTANCE_ENTRIES],
        })
    }

    /// Builds the tables of a dynamic block from its code lengths (each at most 15).
    pub fn build(&mut self, lengths: &[u8], distances: &[u8]) -> Result<(), InflateError> {
        if lengths.get(256).is_none_or(|&bits| bits == 0) {
            return Err(InflateError::NoEndOfBlock);
        }
        build(
            &mut self.length[..],
            LENGTH_BITS,
            lengths,
            length_symbol,
            true,
        )
        .ok_or(InflateError::LengthCodes)?;
        build(
            &mut self.distance[..],
            DISTANCE_BITS,
            distances,
            distance_symbol,
            true,
        )
        .ok_or(InflateError::DistanceCodes)
    }

    /// The tables of fixed blocks (RFC 1951, section 3.2.6), built once.
    pub fn fixed() -> &'static Tables {
        static FIXED: OnceLock<Box<Tables>> = OnceLock::new();
        FIXED.get_or_init(|| {
            let mut lengths = [8_u8; 288];
            lengths[144..256].fill(9);
            lengths[256..280].fill(7);
            let mut tables = Tables::new();
            let built = tables.build(&lengths, &[5; 32]);
            debug_assert!(built.is_ok(), "the fixed codes are complete");
            tables
        })
    }
}

/// Builds the table for the code lengths of a dynamic block. Entries are as in the length
/// table, with the symbol where literals have their byte.
pub(super) fn build_meta(
    table: &mut [u32; 1 << META_BITS],
    lengths: &[u8; 19],
) -> Result<(), InflateError> {
    build(&mut table[..], META_BITS, lengths, literal, false).ok_or(InflateError::CodeLengthCodes)
}

fn literal(symbol: u32) -> u32 {
    LITERAL | symbol << 16
}

fn length_symbol(symbol: u32) -> u32 {
    let (base, extra) = match symbol {
        0..256 => return literal(symbol),
        256 => return EXCEPTION | END_OF_BLOCK,
        257..265 => (symbol - 254, 0),
        265..285 => {
            let extra = (symbol - 261) / 4;
            (3 + ((4 + (symbol - 265) % 4) << extra), extra)
        }
        285 => (258, 0),
        _ => return EXCEPTION | NO_CODE,
    };
    let mask = (1 << extra) - 1;
    (mask << 25) | (base << 16) | extra
}

fn distance_symbol(symbol: u32) -> u64 {
    let (base, extra) = match symbol {
        0..4 => (symbol + 1, 0),
        4..30 => {
            let extra = symbol / 2 - 1;
            (1 + ((2 + symbol % 2) << extra), extra)
        }
        _ => return u64::from(EXCEPTION | NO_CODE),
    };
    let mask = (1 << extra) - 1;
    (u64::from(base) << 32) | (mask << 16) | u64::from(extra)
}

/// Fills `table` for the canonical code with these `lengths` (RFC 1951, section 3.2.2).
/// `None` where they make no code that can be decoded.
fn build<E: Entry>(
    table: &mut [E],
    main_bits: u32,
    lengths: &[u8],
    symbol_entry: impl Fn(u32) -> E,
    may_be_tiny: bool,
) -> Option<()> {
    let mut counts: Counts = [0; 16];
    for &bits in lengths {
        counts[usize::from(bits & 15)] += 1;
    }
    let used = lengths.len() - usize::from(counts[0]);

    let main = table.get_mut(..1 << main_bits)?;
    if used == 0 || used == 1 && counts[1] == 1 {
        if !may_be_tiny {
            return None;
        }
        main.fill(E::NONE);
        if let Some((symbol, _)) = (0..).zip(lengths).find(|&(_, &bits)| bits == 1) {
            let entry = symbol_entry(symbol).with_code(1);
            main.iter_mut().step_by(2).for_each(|slot| *slot = entry);
        }
        return Some(());
    }

    // Complete means that the codes fill the space of 2^15 exactly.
    let space: u32 = (1..)
        .zip(&counts[1..])
        .map(|(bits, &n)| u32::from(n) << (15 - bits))
        .sum();
    if space != 1 << MAX_CODE_BITS {
        return None;
    }

    // Symbols in the order of their codes: by length, then by value.
    let mut next = [0_u16; 17];
    for (bits, &count) in counts.iter().enumerate().skip(1) {
        next[bits + 1] = next[bits] + count;
    }
    let mut sorted = [0_u16; 512];
    for (symbol, &bits) in (0_u16..).zip(lengths) {
        if bits > 0 {
            let place = &mut next[usize::from(bits & 15)];
            sorted[usize::from(*place) & 511] = symbol;
            *place += 1;
        }
    }
    let mut symbols = sorted.get(..used)?.iter().map(|&symbol| u32::from(symbol));

    // Short codes: a table of the current length only, doubled with every longer length.
    let mut code = 0_u32;
    let mut filled = 1_usize;
    for bits in 1..=main_bits {
        // The shorter codes' entries repeat with every bit that follows them.
        if bits > 1 {
            main.copy_within(..filled, filled);
        }
        filled = 1 << bits;
        code <<= 1;
        for _ in 0..counts[bits as usize] {
            let entry = symbol_entry(symbols.next()?).with_code(bits);
            *main.get_mut(reversed(code, bits))? = entry;
            code += 1;
        }
    }

    // Long codes: those with the same first bits follow each other, the longest last.
    let mut end = 1_u32 << main_bits;
    let (mut offset, mut prefix) = (0, usize::MAX);
    let mut left = counts;
    for bits in main_bits + 1..=MAX_CODE_BITS {
        code <<= 1;
        for _ in 0..counts[bits as usize] {
            let reversed = reversed(code, bits);
            let here = reversed & ((1 << main_bits) - 1);
            if here != prefix {
                prefix = here;
                offset = end;
                let index_bits = sub_table_bits(&left, bits, main_bits);
                end += 1 << index_bits;
                *table.get_mut(here)? = E::pointer(main_bits, index_bits, offset);
            }
            let own_bits = bits - main_bits;
            let entry = symbol_entry(symbols.next()?).with_code(own_bits);
            let sub_table = table.get_mut(offset as usize..end as usize)?;
            for slot in sub_table
                .iter_mut()
                .skip(reversed >> main_bits)
                .step_by(1 << own_bits)
            {
                *slot = entry;
            }
            left[bits as usize] -= 1;
            code += 1;
        }
    }
    Some(())
}

/// Index bits of the sub-table that begins with the next code, one of `bits` bits: it ends
/// with the length at which the codes `left` fill it.
fn sub_table_bits(left: &Counts, bits: u32, main_bits: u32) -> u32 {
    let mut room = 1_i32 << (bits - main_bits);
    for longer in bits..=MAX_CODE_BITS {
        room -= i32::from(left[longer as usize]);
        if room <= 0 {
            return longer - main_bits;
        }
        room <<= 1;
    }
    MAX_CODE_BITS - main_bits
}

fn reversed(code: u32, bits: u32) -> usize {
    (code.reverse_bits() >> (32 - bits)) as usize
}
