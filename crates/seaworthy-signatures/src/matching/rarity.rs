//! How rare short runs of bytes are in the files of images: what makes one literal of a
//! signature a better anchor than another.
//!
//! `byte_pairs.bin` holds, for bytes folded to one case as the prefilter folds them (bit 5 set,
//! so 128 values), how rare each is: 16,384 half bytes, one for each pair, in units of one and
//! a half bits (a value of 8 is one place in 2^12), the lower half first; then 128 bytes for
//! single values, in quarters of a bit. Counted over 400 MB of a Debian `/usr`, mixed as it
//! is: programs, libraries, interpreters' modules, documents. `common_grams.bin` holds the
//! 16,384 commonest folded runs of four bytes in the same files, each a number, lowest byte
//! first, in rising order, then the rarity of each in quarters of a bit: words are far
//! commoner than their pairs say.

static TABLE: &[u8; 8192 + 128] = include_bytes!("byte_pairs.bin");

static GRAMS: &[u8; COMMON * 5] = include_bytes!("common_grams.bin");

const COMMON: usize = 16_384;
/// How rare at least what is not among the common ones is, in quarters of a bit; how much
/// rarer, its pairs say, but they exaggerate.
const UNCOMMON: u32 = 68;
/// Quarters of a bit in one unit of a pair.
const QUARTERS: u32 = 6;
/// The rate of what stands at every place: a rate is this, halved for every bit of rarity.
const EVERYWHERE: u32 = 44;

fn folded(byte: u8) -> usize {
    usize::from((byte & 0x1f) | ((byte >> 1) & 0x60))
}

fn pair(first: u8, second: u8) -> u32 {
    let at = folded(first) << 7 | folded(second);
    let both = TABLE.get(at >> 1).copied().unwrap_or(0);
    let half = if at & 1 == 0 { both & 15 } else { both >> 4 };
    u32::from(half) * QUARTERS
}

fn single(byte: u8) -> u32 {
    TABLE.get(8192 + folded(byte)).copied().map_or(0, u32::from)
}

/// The counted rarity of a common run of four bytes.
fn common(gram: [u8; 4]) -> Option<u32> {
    let wanted = u32::from_le_bytes(gram) | 0x2020_2020;
    let at = |number: usize| {
        GRAMS
            .get(number * 4..)
            .and_then(|rest| rest.first_chunk().copied())
            .map_or(u32::MAX, u32::from_le_bytes)
    };
    let (mut low, mut high) = (0, COMMON);
    while low < high {
        let middle = low + (high - low) / 2;
        if at(middle) < wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let rarity = GRAMS.get(COMMON * 4 + low)?;
    (low < COMMON && at(low) == wanted).then_some(u32::from(*rarity))
}

/// How rare a run of up to four bytes is, in quarters of a bit.
pub fn rarity(bytes: &[u8]) -> u32 {
    let first = bytes.first().map_or(0, |byte| single(*byte));
    let chain = bytes.windows(2).fold(first, |sum, both| match both {
        [a, b] => sum + pair(*a, *b).saturating_sub(single(*a)),
        _ => sum,
    });
    match bytes {
        [a, b, c, d] => common([*a, *b, *c, *d]).unwrap_or(UNCOMMON.max(UNCOMMON / 2 + chain / 2)),
        _ => chain,
    }
}

/// How often something of this rarity is met; rates add up.
pub fn rate(rarity: u32) -> u64 {
    1 << EVERYWHERE.saturating_sub(rarity / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_and_words_are_common_and_odd_bytes_are_not() {
        let of = |bytes: &[u8]| rarity(bytes);
        assert!(of(&[0, 0, 0, 0]) < of(b"tion"));
        assert!(of(b"tion") < of(b"qzxj"));
        assert!(of(b"the ") < of(&[0xd1, 0xe2, 0xf3, 0xa4]));
        assert_eq!(of(b"TION"), of(b"tion"));
        assert!(rate(of(b"tion")) > 256 * rate(of(&[0xd1, 0xe2, 0xf3, 0xa4])));
        assert_eq!(rate(1000), 1);
    }
}
