//! Filters in front of LZMA: delta, and those that make relative the addresses in calls.
//!
//! Follows the xz sources' description of BCJ for each processor, numbered as in xz (7z has
//! the same and older numbers of its own). All work in place. Left out: IA-64 and RISC-V.

use crate::codec::range::{EVEN, RangeDecoder};
use crate::limits::Incomplete;
use crate::output::Output;

/// A reversible change of the bytes before they were packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Difference to the byte this many before.
    Delta(usize),
    X86,
    PowerPc,
    Arm,
    ArmThumb,
    Sparc,
    Arm64,
}

impl Filter {
    /// By xz's number and properties.
    pub fn of(id: u64, properties: &[u8]) -> Result<Filter, Incomplete> {
        Ok(match id {
            3 => Filter::Delta(properties.first().map_or(0, |&b| usize::from(b)) + 1),
            4 => Filter::X86,
            5 => Filter::PowerPc,
            7 => Filter::Arm,
            8 => Filter::ArmThumb,
            9 => Filter::Sparc,
            10 => Filter::Arm64,
            6 => return Err(Incomplete::unsupported("ia-64 filter")),
            11 => return Err(Incomplete::unsupported("risc-v filter")),
            _ => return Err(Incomplete::unsupported(format!("filter {id:#x}"))),
        })
    }

    /// Undoes the filter on all bytes of a stream, whose first stands at address `start`.
    pub fn undo(self, bytes: &mut [u8], start: u32) {
        match self {
            Filter::Delta(distance) => {
                for at in distance..bytes.len() {
                    bytes[at] = bytes[at].wrapping_add(bytes[at - distance]);
                }
            }
            Filter::X86 => x86(bytes, start),
            Filter::PowerPc => words(bytes, start, power_pc),
            Filter::Arm => words(bytes, start, arm),
            Filter::ArmThumb => arm_thumb(bytes, start),
            Filter::Sparc => words(bytes, start, sparc),
            Filter::Arm64 => words(bytes, start, arm64),
        }
    }
}

/// Hands each aligned word and its address to `change`.
fn words(bytes: &mut [u8], start: u32, change: fn([u8; 4], u32) -> Option<[u8; 4]>) {
    let mut address = start;
    for word in bytes.chunks_exact_mut(4) {
        if let Ok(old) = <[u8; 4]>::try_from(&*word)
            && let Some(new) = change(old, address)
        {
            word.copy_from_slice(&new);
        }
        address = address.wrapping_add(4);
    }
}

/// `bl`
fn arm(word: [u8; 4], address: u32) -> Option<[u8; 4]> {
    let [a, b, c, 0xeb] = word else { return None };
    let target = u32::from_le_bytes([a, b, c, 0]) << 2;
    let relative = target.wrapping_sub(address.wrapping_add(8)) >> 2;
    let [a, b, c, _] = relative.to_le_bytes();
    Some([a, b, c, 0xeb])
}

/// `bl`
fn power_pc(word: [u8; 4], address: u32) -> Option<[u8; 4]> {
    let old = u32::from_be_bytes(word);
    (old & 0xfc00_0003 == 0x4800_0001).then(|| {
        let relative = (old & 0x03ff_fffc).wrapping_sub(address);
        (0x4800_0001 | (relative & 0x03ff_fffc)).to_be_bytes()
    })
}

/// `call`
fn sparc(word: [u8; 4], address: u32) -> Option<[u8; 4]> {
    let old = u32::from_be_bytes(word);
    let is_call = old & 0xffc0_0000 == 0x4000_0000 || old & 0xffc0_0000 == 0x7fc0_0000;
    is_call.then(|| {
        let relative = (old << 2).wrapping_sub(address) >> 2;
        let sign = 0_u32.wrapping_sub((relative >> 22) & 1) << 22;
        ((sign & 0x3fff_ffff) | (relative & 0x3f_ffff) | 0x4000_0000).to_be_bytes()
    })
}

/// `bl` and `adrp`
fn arm64(word: [u8; 4], address: u32) -> Option<[u8; 4]> {
    let old = u32::from_le_bytes(word);
    if old >> 26 == 0x25 {
        let relative = old.wrapping_sub(address >> 2);
        return Some((0x9400_0000 | (relative & 0x03ff_ffff)).to_le_bytes());
    }
    if old & 0x9f00_0000 != 0x9000_0000 {
        return None;
    }
    let target = ((old >> 29) & 3) | ((old >> 3) & 0x001f_fffc);
    if target.wrapping_add(0x0002_0000) & 0x001c_0000 != 0 {
        return None;
    }
    let relative = target.wrapping_sub(address >> 12);
    let new = (old & 0x9000_001f)
        | ((relative & 3) << 29)
        | ((relative & 0x0003_fffc) << 3)
        | (0_u32.wrapping_sub(relative & 0x0002_0000) & 0x00e0_0000);
    Some(new.to_le_bytes())
}

/// `bl` of two half words, on even addresses.
fn arm_thumb(bytes: &mut [u8], start: u32) {
    let mut at = 0_usize;
    let mut address = start;
    while let Some(&[a, b, c, d]) = bytes.get(at..at + 4) {
        let mut step = 2;
        if b & 0xf8 == 0xf0 && d & 0xf8 == 0xf8 {
            let target = (u32::from(b & 7) << 19)
                | (u32::from(a) << 11)
                | (u32::from(d & 7) << 8)
                | u32::from(c);
            let relative = (target << 1).wrapping_sub(address.wrapping_add(4)) >> 1;
            let [high_a, high_b, ..] = (relative >> 11).to_le_bytes();
            let [low_c, low_d, ..] = relative.to_le_bytes();
            let new = [high_a, 0xf0 | (high_b & 7), low_c, 0xf8 | (low_d & 7)];
            if let Some(place) = bytes.get_mut(at..at + 4) {
                place.copy_from_slice(&new);
            }
            step = 4;
        }
        at += step;
        address = address.wrapping_add(if step == 4 { 4 } else { 2 });
    }
}

/// `call` and `jmp`, as far as their target's highest byte is 0 or ff, with the memory of
/// the last bytes that keeps data from being taken for them.
fn x86(bytes: &mut [u8], start: u32) {
    const ALLOWED: [bool; 8] = [true, true, true, false, true, false, false, false];
    const BIT: [u32; 8] = [0, 1, 2, 2, 3, 3, 3, 3];
    let is_sign = |byte: u8| byte == 0 || byte == 0xff;
    let mut mask = 0_usize;
    // Bytes since the last opcode; far enough at first.
    let mut last: Option<usize> = None;
    let mut at = 0_usize;
    while let Some(&[opcode, a, b, c, high]) = bytes.get(at..at + 5) {
        if opcode & 0xfe != 0xe8 {
            at += 1;
            continue;
        }
        match last.map(|last| at - last) {
            Some(distance) if distance <= 5 => {
                for _ in 0..distance {
                    mask = (mask & 0x77) << 1;
                }
            }
            _ => mask = 0,
        }
        last = Some(at);
        if !(is_sign(high) && ALLOWED[(mask >> 1) & 7] && mask >> 1 < 0x10) {
            at += 1;
            mask |= 1;
            if is_sign(high) {
                mask |= 0x10;
            }
            continue;
        }
        let target = u32::from_le_bytes([a, b, c, high]);
        // An address is 32 bits; what is beyond wraps, as it did when packed.
        let offset = u32::try_from(at & 0xffff_ffff).unwrap_or_default();
        let next = start.wrapping_add(offset).wrapping_add(5);
        let mut relative = target.wrapping_sub(next);
        if mask != 0 {
            // At least 8: the mask was shifted since its last bit.
            let bit = BIT[(mask >> 1) & 7].max(1) * 8;
            let [byte, ..] = (relative >> (24 - bit)).to_le_bytes();
            if is_sign(byte) {
                relative = (relative ^ ((1 << (32 - bit)) - 1)).wrapping_sub(next);
            }
        }
        let [a, b, c, high] = relative.to_le_bytes();
        let sign = if high & 1 == 1 { 0xff } else { 0 };
        if let Some(place) = bytes.get_mut(at + 1..at + 5) {
            place.copy_from_slice(&[a, b, c, sign]);
        }
        at += 5;
        mask = 0;
    }
}

/// BCJ2: x86 code whose call and jump targets, and the choice of what is one, are streams of
/// their own.
pub(crate) fn bcj2(
    main: &[u8],
    calls: &[u8],
    jumps: &[u8],
    choices: &[u8],
    out: &mut Output,
    length: usize,
) -> Result<(), Incomplete> {
    let mut probs = [EVEN; 258];
    let mut rc = RangeDecoder::new(choices)?;
    let (mut calls, mut jumps) = (calls.chunks_exact(4), jumps.chunks_exact(4));
    let mut previous = 0_u8;
    let begin = out.bytes.len();
    let mut main = main.iter();
    while out.bytes.len() - begin < length {
        let Some(&byte) = main.next() else {
            return Err(Incomplete::TRUNCATED);
        };
        out.push_byte(byte)?;
        let is_jump = byte & 0xfe == 0xe8 || (previous == 0x0f && byte & 0xf0 == 0x80);
        if !is_jump || out.bytes.len() - begin == length {
            previous = byte;
            continue;
        }
        let context = match byte {
            0xe8 => usize::from(previous),
            0xe9 => 256,
            _ => 257,
        };
        if rc.bit(&mut probs[context]) == 0 {
            previous = byte;
            continue;
        }
        if rc.is_over() {
            return Err(Incomplete::TRUNCATED);
        }
        let stream = if byte == 0xe8 { &mut calls } else { &mut jumps };
        let target = stream.next().and_then(|word| word.try_into().ok());
        let target = u32::from_be_bytes(target.ok_or(Incomplete::TRUNCATED)?);
        let here = (out.bytes.len() - begin) & 0xffff_ffff;
        let next = u32::try_from(here).unwrap_or_default().wrapping_add(4);
        let relative = target.wrapping_sub(next).to_le_bytes();
        let fits = relative.len().min(length - (out.bytes.len() - begin));
        out.push(relative.get(..fits).unwrap_or_default())?;
        previous = relative[3];
    }
    Ok(())
}
