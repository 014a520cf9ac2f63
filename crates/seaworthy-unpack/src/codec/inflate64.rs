//! DEFLATE64: DEFLATE with a window of 64 KiB and matches of up to 64 KiB, which Windows'
//! own zip writer uses for files over 2 GiB and 7-Zip on request.
//!
//! Differences to RFC 1951, after Info-ZIP's description: length symbol 285 is 3 and 16
//! further bits, distance symbols 30 and 31 are 49153 and 65537 and 14 further bits.

use crate::codec::bits::{Bits, Code};
use crate::limits::Incomplete;
use crate::output::Output;

/// Where code lengths stand in their own header.
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Unpacks one stream; says how many bytes it is long.
pub(crate) fn inflate64(input: &[u8], out: &mut Output) -> Result<usize, Incomplete> {
    let mut bits = Bits::new(input);
    let start = out.bytes.len();
    loop {
        out.check_time()?;
        let is_last = bits.bit()? == 1;
        match bits.number(2)? {
            0 => {
                bits.align();
                let &[a, b, c, d] = bits.take(4)? else {
                    return Err(Incomplete::TRUNCATED);
                };
                let length = u16::from_le_bytes([a, b]);
                if length != !u16::from_le_bytes([c, d]) {
                    return Err(Incomplete::Damaged("length of a stored block"));
                }
                out.push(bits.take(usize::from(length))?)?;
            }
            1 => {
                let mut lengths = [8_u8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                let literals = Code::new(&lengths, 0)?;
                let distances = Code::new(&[5; 32], 0)?;
                block(&mut bits, out, start, &literals, &distances)?;
            }
            2 => {
                let (literals, distances) = codes(&mut bits)?;
                block(&mut bits, out, start, &literals, &distances)?;
            }
            _ => return Err(Incomplete::Damaged("block type")),
        }
        if is_last {
            return Ok(bits.bytes_used());
        }
    }
}

fn codes(bits: &mut Bits<'_>) -> Result<(Code, Code), Incomplete> {
    let literals = bits.number(5)? + 257;
    let distances = bits.number(5)? + 1;
    let count = bits.number(4)? + 4;
    let mut lengths = [0_u8; 19];
    for &place in ORDER.iter().take(count) {
        lengths[place] = u8::try_from(bits.number(3)?).unwrap_or_default();
    }
    let code = Code::new(&lengths, 0)?;
    let mut lengths: Vec<u8> = Vec::with_capacity(320);
    while lengths.len() < literals + distances {
        let (value, times) = match code.read(bits)? {
            16 => {
                let last = lengths.last().copied();
                (
                    last.ok_or(Incomplete::Damaged("code lengths"))?,
                    3 + bits.number(2)?,
                )
            }
            17 => (0, 3 + bits.number(3)?),
            18 => (0, 11 + bits.number(7)?),
            length => (u8::try_from(length).unwrap_or_default(), 1),
        };
        lengths.resize(lengths.len() + times, value);
    }
    lengths.truncate(literals + distances);
    let (first, second) = lengths.split_at(literals);
    Ok((Code::new(first, 0)?, Code::new(second, 0)?))
}

fn block(
    bits: &mut Bits<'_>,
    out: &mut Output,
    start: usize,
    literals: &Code,
    distances: &Code,
) -> Result<(), Incomplete> {
    let mut symbols = 0_u32;
    loop {
        symbols = symbols.wrapping_add(1);
        if symbols.is_multiple_of(1 << 16) {
            out.check_time()?;
        }
        let symbol = literals.read(bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            out.push_byte(byte)?;
            continue;
        }
        let length = match symbol - 256 {
            0 => return Ok(()),
            place @ 1..=8 => place + 2,
            place @ 9..=28 => {
                let extra = (place - 5) / 4;
                let base = (4 + (place - 1) % 4) << extra;
                base + 3 + bits.number(u32::try_from(extra).unwrap_or_default())?
            }
            29 => 3 + bits.number(16)?,
            _ => return Err(Incomplete::Damaged("length")),
        };
        let distance = match distances.read(bits)? {
            place @ 0..=3 => place + 1,
            place @ 4..=31 => {
                let extra = place / 2 - 1;
                let base = (2 + place % 2) << extra;
                base + 1 + bits.number(u32::try_from(extra).unwrap_or_default())?
            }
            _ => return Err(Incomplete::Damaged("distance")),
        };
        out.copy_match(start, distance, length)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limit;
    use crate::testing::{deflate, prose};

    #[test]
    fn what_deflate_does_too_comes_out() {
        // Without a match of 258 the two formats are one.
        let text: Vec<u8> = prose(50_000);
        let mut out = Output::new(1 << 20, Limit::MemberBytes, None);
        let packed = deflate(&text);
        assert_eq!(inflate64(&packed, &mut out), Ok(packed.len()));
        assert_eq!(out.bytes, text);
    }

    #[test]
    fn the_long_length_has_sixteen_bits() {
        // A fixed block: "a", then length symbol 285 with 1000 more, distance 1, end.
        let mut bits = vec![1_u8, 1, 0];
        let mut code =
            |value: u32, count: u32| bits.extend((0..count).rev().map(|b| (value >> b & 1) as u8));
        code(0x30 + 0x61, 8);
        code(0b1100_0101, 8);
        bits.extend((0..16).map(|b| (1000 >> b & 1) as u8));
        bits.extend([0; 5]);
        bits.extend([0; 7]);
        let packed: Vec<u8> = bits
            .chunks(8)
            .map(|byte| byte.iter().enumerate().map(|(at, bit)| bit << at).sum())
            .collect();
        let mut out = Output::new(1 << 20, Limit::MemberBytes, None);
        inflate64(&packed, &mut out).unwrap();
        assert_eq!(out.bytes, vec![b'a'; 1004]);
    }
}
