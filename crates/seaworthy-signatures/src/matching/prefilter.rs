//! Finds the anchors of all signatures of a class in one pass.
//!
//! Each anchor enters two four-byte grams, folded to one case, into a bitmap: at neighbouring
//! offsets, so that looking at every second position meets one of them. Three-byte anchors
//! take a gram of any byte and themselves. What the bitmap lets pass is compared with the
//! anchors of that gram. The same design carries the secrets engine; an automaton over the
//! same literals was measured at a fifth of the speed.

use std::collections::BTreeMap;

use super::rarity::{rarity, rate};

/// Shortest anchor, in bytes.
pub const MIN_ANCHOR: usize = 3;
/// Longest part of an anchor that is compared.
pub const MAX_ANCHOR: usize = 24;

/// A literal that must be there for a signature to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The bytes; already lower-cased if case is ignored.
    pub literal: Vec<u8>,
    /// Whether ASCII case is ignored.
    pub ignore_case: bool,
    /// What a hit points to: a signature.
    pub record: u32,
    /// Its sub-signature that the literal is of.
    pub sub: u8,
    /// First place in the file that counts.
    pub low: u32,
    /// Last place in the file that counts; the highest number for no end.
    pub high: u32,
    /// Where its two grams start, see [`grams_place`].
    pub place: u8,
}

struct Entry {
    gram: u32,
    anchor: u32,
    /// Where the gram stands in the anchor; -1 for the byte before it.
    offset: i32,
}

/// The compiled anchors.
pub struct Prefilter {
    bitmap: Vec<u64>,
    multiplier: u32,
    /// 32 minus the number of bits of the bitmap.
    shift: u32,
    /// `entries[starts[h]..starts[h + 1]]` by the top bits of the hash.
    starts: Vec<u32>,
    start_shift: u32,
    entries: Vec<Entry>,
    anchors: Vec<Anchor>,
    /// Anchors that can only stand at a few places are looked for there, each but once.
    placed: Vec<(Anchor, Vec<(u32, u8)>)>,
}

/// Bytes, whether case is ignored, and the first and last place.
type Place = (Vec<u8>, bool, u32, u32);

/// An anchor with at most this many places is looked for at each.
pub const MAX_PLACES: u32 = 64;

/// Hashes to choose from.
const MULTIPLIERS: [u32; 8] = [
    0x9E37_79B1,
    0x85EB_CA6B,
    0xC2B2_AE35,
    0x27D4_EB2F,
    0x1656_67B1,
    0xCC9E_2D51,
    0x1B87_3593,
    0xE654_6B65,
];

/// The commonest folded grams with their share of all places in parts of ten thousand, counted
/// on the same files as [`super::rarity`]. Zeros are every fifteenth gram of an image: a hash
/// that takes them for an anchor's costs more than the whole search.
const COMMON: [(u32, u64); 32] = [
    (0x2020_2020, 678),
    (0x2020_2028, 76),
    (0xffff_ffff, 46),
    (0xecec_ecec, 40),
    (0x20a4_3f2f, 35),
    (0x2020_2021, 26),
    (0x2020_202a, 26),
    (0x6820_2020, 24),
    (0x2020_2030, 23),
    (0x2020_2022, 20),
    (0xa968_2020, 17),
    (0x2720_2020, 16),
    (0x207a_207a, 14),
    (0x3066_3b69, 14),
    (0xab68_2020, 12),
    (0x2020_2024, 12),
    (0x2020_2038, 11),
    (0x2022_2020, 11),
    (0x2024_2020, 10),
    (0x6e6f_6974, 10),
    (0xad68_2020, 10),
    (0x2021_2020, 9),
    (0x2065_6874, 8),
    (0x2020_2023, 8),
    (0x6568_7420, 8),
    (0x302e_6220, 8),
    (0x6820_2021, 8),
    (0x2020_2027, 8),
    (0xfffc_2020, 7),
    (0xa368_e5a9, 7),
    (0x247c_ab68, 7),
    (0x2020_20a0, 7),
];

const FOLD: u32 = 0x2020_2020;

fn bitmap_of(entries: &[Entry], multiplier: u32, bits: u32) -> Vec<u64> {
    let mut bitmap = vec![0u64; 1 << (bits - 6)];
    for entry in entries {
        let bit = entry.gram.wrapping_mul(multiplier) >> (32 - bits);
        if let Some(word) = bitmap.get_mut((bit >> 6) as usize) {
            *word |= 1 << (bit & 63);
        }
    }
    bitmap
}

/// Trying a signature costs as much as this many looks at an anchor, as a power of two.
const TRIAL: u32 = 10;
/// What each further byte of a literal adds to its rarity, in quarters of a bit. Less than a
/// model of bytes would say: words come whole.
const FURTHER: u32 = 8;

/// The cost of finding a literal by the gram or the two grams at a place in it.
fn grams_cost(literal: &[u8], at: usize) -> u64 {
    let gram = |at: usize| {
        literal
            .get(at..literal.len().min(at + 4))
            .map_or(u64::MAX, |gram| rate(rarity(gram)))
    };
    gram(at).saturating_add(gram(at + 1))
}

/// The best place for two grams in a literal of at least five bytes.
fn best_place(literal: &[u8]) -> Option<usize> {
    (0..=literal.len().checked_sub(5)?).min_by_key(|at| grams_cost(literal, *at))
}

/// How rare a literal is: its rarest run of four bytes, and a little for every further byte.
fn literal_rarity(literal: &[u8]) -> u32 {
    let Some(rarest) = literal.windows(4).map(rarity).max() else {
        return rarity(literal);
    };
    rarest + FURTHER * u32::try_from(literal.len() - 4).unwrap_or(0)
}

/// Where in an anchor of at least five bytes its grams are best taken; zero in shorter ones.
pub fn grams_place(literal: &[u8]) -> u8 {
    best_place(literal)
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(0)
}

/// What it costs to try a signature wherever this literal stands, beside finding it.
fn trial_cost(literal: &[u8]) -> u64 {
    rate(literal_rarity(literal).saturating_sub(4 * TRIAL))
}

/// The part of a literal that makes the best anchor: what it costs, where it starts, how long
/// it is. `None` if the literal is too short.
pub fn best_part(literal: &[u8]) -> Option<(u64, usize, usize)> {
    if literal.len() < MIN_ANCHOR {
        return None;
    }
    let Some(at) = best_place(literal) else {
        // Grams of any byte fill the bitmap.
        let cost = grams_cost(literal, 0).saturating_mul(4);
        return Some((cost.saturating_add(trial_cost(literal)), 0, literal.len()));
    };
    let length = literal.len().min(MAX_ANCHOR);
    let start = at.min(literal.len() - length);
    let part = literal.get(start..start + length)?;
    let cost = grams_cost(literal, at).saturating_add(trial_cost(part));
    Some((cost, start, length))
}

/// The cost of a literal that is only looked for at its place: per file, not per byte.
pub fn placed_cost(literal: &[u8], at: u32) -> u64 {
    /// Files have this many bytes, as a power of two.
    const FILE: u32 = 15;
    const MAGIC: [&[u8]; 4] = [b"MZ", b"\x7fELF", b"PK", b"%PDF"];
    // What stands at the very start of files is magic; files of a type may all have it.
    let rarity = match (at, MAGIC.iter().any(|magic| literal.starts_with(magic))) {
        (0, true) => 16,
        (0, false) => literal_rarity(literal).min(40),
        _ => literal_rarity(literal).min(72),
    };
    rate((rarity + 4 * FILE).saturating_sub(4 * TRIAL))
}

impl Prefilter {
    /// Compiles anchors; those shorter than [`MIN_ANCHOR`] are never found.
    pub fn new(anchors: Vec<Anchor>) -> Prefilter {
        let (few, anchors): (Vec<Anchor>, Vec<Anchor>) = anchors.into_iter().partition(|anchor| {
            anchor.high != u32::MAX && anchor.high - anchor.low.min(anchor.high) <= MAX_PLACES
        });
        let mut groups: BTreeMap<Place, Vec<(u32, u8)>> = BTreeMap::new();
        for anchor in few {
            let key = (anchor.literal, anchor.ignore_case, anchor.low, anchor.high);
            groups
                .entry(key)
                .or_default()
                .push((anchor.record, anchor.sub));
        }
        let placed = groups
            .into_iter()
            .map(|((literal, ignore_case, low, high), records)| {
                (
                    Anchor {
                        literal,
                        ignore_case,
                        record: 0,
                        sub: 0,
                        place: 0,
                        low,
                        high,
                    },
                    records,
                )
            })
            .collect();
        let mut entries = Vec::with_capacity(anchors.len() * 2);
        for (number, anchor) in (0u32..).zip(&anchors) {
            add_grams(&anchor.literal, anchor.place, number, &mut entries);
        }
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let bits = (count.max(1).ilog2() + 6).clamp(15, 22);
        let start_bits = count.max(1).ilog2().clamp(6, 20);
        let (shift, start_shift) = (32 - bits, 32 - start_bits);
        // Of a few hashes the one that takes the fewest common grams for an anchor's.
        let best = MULTIPLIERS.into_iter().map(|multiplier| {
            let bitmap = bitmap_of(&entries, multiplier, bits);
            let taken = COMMON.iter().filter(|(gram, _)| {
                let bit = gram.wrapping_mul(multiplier) >> shift;
                bitmap
                    .get((bit >> 6) as usize)
                    .is_some_and(|word| word >> (bit & 63) & 1 != 0)
            });
            (
                taken.map(|(_, share)| share).sum::<u64>(),
                multiplier,
                bitmap,
            )
        });
        let (_, multiplier, bitmap) =
            best.min_by_key(|(taken, ..)| *taken)
                .unwrap_or((0, 1, vec![0; 1 << (bits - 6)]));
        let hash = |gram: u32| gram.wrapping_mul(multiplier);
        let mut starts = vec![0u32; (1 << start_bits) + 1];
        entries.sort_unstable_by_key(|entry| (hash(entry.gram), entry.anchor, entry.offset));
        for entry in &entries {
            if let Some(start) = starts.get_mut((hash(entry.gram) >> start_shift) as usize + 1) {
                *start += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Prefilter {
            bitmap,
            multiplier,
            shift,
            starts,
            start_shift,
            entries,
            anchors,
            placed,
        }
    }

    /// Calls `found` with the record and the sub-signature of every anchor at every place it
    /// stands in `bytes`, which are a file's from `base` on.
    pub fn find(&self, bytes: &[u8], base: u64, mut found: impl FnMut(u32, u8, usize)) {
        for (anchor, records) in &self.placed {
            for start in anchor.low..=anchor.high {
                let start = u64::from(start).checked_sub(base);
                let Some(start) = start.and_then(|start| usize::try_from(start).ok()) else {
                    continue;
                };
                if stands(anchor, bytes, start) {
                    records
                        .iter()
                        .for_each(|(record, sub)| found(*record, *sub, start));
                    break;
                }
            }
        }
        let (words, shift, multiplier) = (self.bitmap.as_slice(), self.shift, self.multiplier);
        let hash = |gram: u32| gram.wrapping_mul(multiplier);
        let word = |gram: u32| match words.get((hash(gram) >> shift >> 6) as usize) {
            Some(word) => word >> (hash(gram) >> shift & 63) & 1 != 0,
            None => false,
        };
        let mut at = 0;
        while let Some(window) = bytes.get(at..at + 12) {
            let (Some(low), Some(high)) = (window.first_chunk::<8>(), window.last_chunk::<8>())
            else {
                break;
            };
            let low = u64::from_le_bytes(*low) | 0x2020_2020_2020_2020;
            let high = u64::from_le_bytes(*high) | 0x2020_2020_2020_2020;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the low 32 bits are the gram"
            )]
            let grams = [
                low as u32,
                (low >> 16) as u32,
                high as u32,
                (high >> 16) as u32,
            ];
            // Plain loads and no early way out: the bits are almost always unset.
            let [a, b, c, d] = grams;
            if word(a) | word(b) | word(c) | word(d) {
                for (number, gram) in grams.into_iter().enumerate() {
                    if word(gram) {
                        self.verify(bytes, base, at + 2 * number, gram, &mut found);
                    }
                }
            }
            at += 8;
        }
        while at < bytes.len() {
            // The tail, as if zeros followed.
            let mut gram = [0; 4];
            for (to, from) in gram.iter_mut().zip(bytes.get(at..).unwrap_or_default()) {
                *to = *from;
            }
            let gram = u32::from_le_bytes(gram) | FOLD;
            if word(gram) {
                self.verify(bytes, base, at, gram, &mut found);
            }
            at += 2;
        }
    }

    #[inline(never)]
    fn verify(
        &self,
        bytes: &[u8],
        base: u64,
        at: usize,
        gram: u32,
        found: &mut impl FnMut(u32, u8, usize),
    ) {
        let bucket = (gram.wrapping_mul(self.multiplier) >> self.start_shift) as usize;
        let range = self.starts.get(bucket).zip(self.starts.get(bucket + 1));
        let Some(entries) =
            range.and_then(|(start, end)| self.entries.get(*start as usize..*end as usize))
        else {
            return;
        };
        for entry in entries.iter().filter(|entry| entry.gram == gram) {
            let Some(anchor) = self.anchors.get(entry.anchor as usize) else {
                continue;
            };
            let Some(start) = at.checked_add_signed(-(entry.offset as isize)) else {
                continue;
            };
            let place = base.saturating_add(start as u64);
            if place < u64::from(anchor.low)
                || (place > u64::from(anchor.high) && anchor.high != u32::MAX)
            {
                continue;
            }
            if stands(anchor, bytes, start) {
                found(anchor.record, anchor.sub, start);
            }
        }
    }
}

/// Whether an anchor stands at a place.
fn stands(anchor: &Anchor, bytes: &[u8], start: usize) -> bool {
    bytes
        .get(start..start.saturating_add(anchor.literal.len()))
        .is_some_and(|there| {
            if anchor.ignore_case {
                there.eq_ignore_ascii_case(&anchor.literal)
            } else {
                there == anchor.literal
            }
        })
}

fn add_grams(literal: &[u8], place: u8, anchor: u32, entries: &mut Vec<Entry>) {
    let fold = |gram: [u8; 4]| u32::from_le_bytes(gram) | FOLD;
    match literal {
        [a, b, c] => {
            let mut grams: Vec<(i32, u32)> = (0..=255u8)
                .flat_map(|any| [(0, fold([*a, *b, *c, any])), (-1, fold([any, *a, *b, *c]))])
                .collect();
            grams.sort_unstable();
            grams.dedup();
            entries.extend(grams.into_iter().map(|(offset, gram)| Entry {
                gram,
                anchor,
                offset,
            }));
        }
        [a, b, c, d] => {
            entries.push(Entry {
                gram: fold([*a, *b, *c, *d]),
                anchor,
                offset: 0,
            });
            let mut grams: Vec<u32> = (0..=255u8).map(|any| fold([*b, *c, *d, any])).collect();
            grams.sort_unstable();
            grams.dedup();
            entries.extend(grams.into_iter().map(|gram| Entry {
                gram,
                anchor,
                offset: 1,
            }));
        }
        _ => {
            let at = usize::from(place).min(literal.len().saturating_sub(5));
            let Some([a, b, c, d, e]) = literal.get(at..at + 5) else {
                return;
            };
            let offset = i32::try_from(at).unwrap_or(0);
            entries.push(Entry {
                gram: fold([*a, *b, *c, *d]),
                anchor,
                offset,
            });
            entries.push(Entry {
                gram: fold([*b, *c, *d, *e]),
                anchor,
                offset: offset + 1,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(literals: &[(Vec<u8>, bool)], bytes: &[u8]) -> Vec<(u32, usize)> {
        let anchors = (0u32..)
            .zip(literals)
            .map(|(record, (literal, ignore_case))| Anchor {
                literal: if *ignore_case {
                    literal.to_ascii_lowercase()
                } else {
                    literal.clone()
                },
                ignore_case: *ignore_case,
                record,
                sub: 0,
                place: grams_place(literal),
                low: 0,
                high: u32::MAX,
            })
            .collect();
        let mut hits = Vec::new();
        Prefilter::new(anchors).find(bytes, 0, |record, _, at| hits.push((record, at)));
        hits.sort_unstable();
        hits.dedup();
        hits
    }

    proptest! {
        #[test]
        fn it_finds_what_a_naive_search_finds(
            literals in prop::collection::vec(("[abAB]{3,7}", any::<bool>()), 1..6),
            bytes in "[abAB]{0,60}",
        ) {
            let literals: Vec<(Vec<u8>, bool)> = literals.into_iter().map(|(l, i)| (l.into_bytes(), i)).collect();
            let mut naive = Vec::new();
            for (record, (literal, ignore_case)) in (0u32..).zip(&literals) {
                for (at, there) in bytes.as_bytes().windows(literal.len()).enumerate() {
                    if there == literal || (*ignore_case && there.eq_ignore_ascii_case(literal)) {
                        naive.push((record, at));
                    }
                }
            }
            prop_assert_eq!(find(&literals, bytes.as_bytes()), naive);
        }
    }
}
