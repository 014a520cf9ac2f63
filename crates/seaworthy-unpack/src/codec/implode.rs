//! Implode, zip's method 6: what PKZIP 1 made in 1989, which some droppers still use because
//! few scanners read it.
//!
//! After APPNOTE 5.3: two or three Shannon-Fano codes, each stored as run lengths, then bits:
//! 1 and a literal, or 0, the low bits of a distance, a code for its high bits, a code for
//! the length. What a match copies from before the beginning is zeros.

use crate::codec::bits::{Bits, Code};
use crate::limits::Incomplete;
use crate::output::Output;

/// Unpacks `length` bytes. `flags`: the member's, of which bit 1 is the large dictionary and
/// bit 2 the code for literals. Says how many bytes of `input` it took.
pub(crate) fn explode(
    input: &[u8],
    out: &mut Output,
    flags: u16,
    length: usize,
) -> Result<usize, Incomplete> {
    let mut bits = Bits::new(input);
    let low_bits = if flags & 2 != 0 { 7 } else { 6 };
    let literals = if flags & 4 != 0 {
        Some(code(&mut bits, 256)?)
    } else {
        None
    };
    let lengths = code(&mut bits, 64)?;
    let distances = code(&mut bits, 64)?;
    let least = if literals.is_some() { 3 } else { 2 };
    let start = out.bytes.len();
    let end = start.saturating_add(length);
    let mut symbols = 0_u32;
    while out.bytes.len() < end {
        symbols = symbols.wrapping_add(1);
        if symbols.is_multiple_of(1 << 16) {
            out.check_time()?;
        }
        if bits.bit()? == 1 {
            let byte = match &literals {
                Some(code) => code.read(&mut bits)?,
                None => bits.number(8)?,
            };
            out.push_byte(u8::try_from(byte).unwrap_or_default())?;
            continue;
        }
        let low = bits.number(low_bits)?;
        let distance = (distances.read(&mut bits)? << low_bits) + low + 1;
        let symbol = lengths.read(&mut bits)?;
        let more = if symbol == 63 { bits.number(8)? } else { 0 };
        let mut count = (symbol + more + least).min(end - out.bytes.len());
        let missing = distance.saturating_sub(out.bytes.len() - start).min(count);
        for _ in 0..missing {
            out.push_byte(0)?;
        }
        count -= missing;
        if count > 0 {
            out.copy_match(start, distance, count)?;
        }
    }
    Ok(bits.bytes_used())
}

/// Reads the lengths of a code: pairs of how many symbols (high half) have which length.
fn code(bits: &mut Bits<'_>, symbols: usize) -> Result<Code, Incomplete> {
    let pairs = bits.number(8)? + 1;
    let mut lengths = Vec::with_capacity(symbols);
    for _ in 0..pairs {
        let pair = bits.number(8)?;
        let length = u8::try_from((pair & 15) + 1).unwrap_or_default();
        lengths.resize(lengths.len() + (pair >> 4) + 1, length);
    }
    if lengths.len() != symbols {
        return Err(Incomplete::Damaged("code lengths"));
    }
    Code::new(&lengths, 1)
}
