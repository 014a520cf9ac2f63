//! LZ4: blocks, frames (LZ4 frame format 1.6.4) and the legacy frames of Linux kernels.
//!
//! Blocks are decoded straight into the output, which is their history. The frames'
//! checksums are not verified.

use crate::bytes::{Cursor, size};
use crate::limits::Incomplete;
use crate::output::Output;

/// Decodes one block. `start`: the output before it is no history.
pub(crate) fn block(input: &[u8], out: &mut Output, start: usize) -> Result<(), Incomplete> {
    let mut cursor = Cursor::new(input);
    let mut sequences = 0_u32;
    loop {
        let token = cursor.u8()?;
        let literals = length(&mut cursor, token >> 4)?;
        out.push(cursor.take(literals)?)?;
        // The last sequence has literals only.
        if cursor.rest().is_empty() {
            return Ok(());
        }
        let distance = usize::from(cursor.u16()?);
        let matched = length(&mut cursor, token & 15)?.saturating_add(4);
        out.copy_match(start, distance, matched)?;
        sequences = sequences.wrapping_add(1);
        if sequences.is_multiple_of(1 << 16) {
            out.check_time()?;
        }
    }
}

/// Fifteen goes on in the bytes that follow, as long as they are 255.
fn length(cursor: &mut Cursor<'_>, start: u8) -> Result<usize, Incomplete> {
    let mut sum = usize::from(start);
    if start == 15 {
        loop {
            let more = cursor.u8()?;
            sum = sum.saturating_add(usize::from(more));
            if more != 255 {
                break;
            }
        }
    }
    Ok(sum)
}

/// Decodes the frames. What follows the last one is no part of it.
pub(crate) fn frames(input: &[u8], out: &mut Output) -> Result<(), Incomplete> {
    let mut cursor = Cursor::new(input);
    loop {
        match cursor.rest() {
            [0x04, 0x22, 0x4d, 0x18, ..] => frame(&mut cursor, out)?,
            [0x02, 0x21, 0x4c, 0x18, ..] => legacy(&mut cursor, out)?,
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                cursor.skip(4)?;
                let length = cursor.u32()?;
                cursor.skip(size(u64::from(length))?)?;
            }
            _ => return Ok(()),
        }
    }
}

fn frame(cursor: &mut Cursor<'_>, out: &mut Output) -> Result<(), Incomplete> {
    cursor.skip(4)?;
    let [flags, _] = cursor.array()?;
    if flags >> 6 != 1 {
        return Err(Incomplete::unsupported("lz4 frame of another version"));
    }
    let (independent, block_sum) = (flags & 0x20 != 0, flags & 0x10 != 0);
    let (content_size, content_sum) = (flags & 8 != 0, flags & 4 != 0);
    if flags & 1 != 0 {
        return Err(Incomplete::unsupported("lz4 with a dictionary of its own"));
    }
    cursor.skip(if content_size { 9 } else { 1 })?;
    let begin = out.bytes.len();
    loop {
        let word = cursor.u32()?;
        if word == 0 {
            break;
        }
        let body = cursor.take(size(u64::from(word & 0x7fff_ffff))?)?;
        if word >> 31 == 1 {
            out.push(body)?;
        } else {
            let start = if independent { out.bytes.len() } else { begin };
            block(body, out, start)?;
        }
        if block_sum {
            cursor.skip(4)?;
        }
    }
    if content_sum {
        cursor.skip(4)?;
    }
    Ok(())
}

/// Blocks of eight megabytes with their packed sizes, to the end of the file or to what is
/// no size: kernels put their unpacked size there.
fn legacy(cursor: &mut Cursor<'_>, out: &mut Output) -> Result<(), Incomplete> {
    cursor.skip(4)?;
    while cursor.rest().len() > 4 {
        let mut next = cursor.clone();
        let length = next.u32()?;
        // The packed size of eight megabytes that do not pack.
        if length == 0 || length > (8 << 20) + (8 << 20) / 255 + 16 {
            return Ok(());
        }
        let body = next.take(size(u64::from(length))?)?;
        *cursor = next;
        let start = out.bytes.len();
        block(body, out, start)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limit;
    use crate::testing::{walk, walk_whole};

    /// "abcabcabc" and five literals at the end, as a block has to have them.
    const BLOCK: &[u8; 12] = &[
        0x32, b'a', b'b', b'c', 3, 0, 0x50, b'1', b'2', b'3', b'4', b'5',
    ];

    #[test]
    fn a_block_repeats_and_ends_in_literals() {
        let mut out = Output::new(100, Limit::MemberBytes, None);
        block(BLOCK, &mut out, 0).unwrap();
        assert_eq!(out.bytes, b"abcabcabc12345");
        let mut out = Output::new(100, Limit::MemberBytes, None);
        assert!(block(&BLOCK[..5], &mut out, 0).is_err());
    }

    #[test]
    fn frames_and_legacy_frames_come_out() {
        let mut frame = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
        frame.extend(12_u32.to_le_bytes());
        frame.extend(*BLOCK);
        frame.extend([3, 0, 0, 0x80, b'x', b'y', b'z', 0, 0, 0, 0]);
        assert_eq!(walk_whole(&frame).bytes_of("content"), b"abcabcabc12345xyz");
        let mut legacy = vec![0x02, 0x21, 0x4c, 0x18];
        legacy.extend(12_u32.to_le_bytes());
        legacy.extend(BLOCK);
        assert_eq!(walk_whole(&legacy).bytes_of("content"), b"abcabcabc12345");
    }

    #[test]
    fn a_match_into_an_independent_neighbour_is_damage() {
        let mut frame = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
        frame.extend([3, 0, 0, 0x80, b'x', b'y', b'z']);
        frame.extend([4, 0, 0, 0, 0x00, 3, 0, 0]);
        let seen = walk(&frame);
        assert_eq!(
            seen.faults(),
            ["content: damaged: match begins before the data"]
        );
    }
}
