//! Finds the anchors of all signatures of a class in one pass.
//!
//! Each anchor enters two four-byte grams, folded to one case, into a bitmap: at neighbouring
//! offsets, so that looking at every second position meets one of them. Three-byte anchors
//! take a gram of any byte and themselves. What the bitmap lets pass is compared with the
//! anchors of that gram. The same design carries the secrets engine; an automaton over the
//! same literals was measured at a fifth of the speed.

use std::collections::BTreeMap;

/// Shortest anchor, in bytes.
pub const MIN_ANCHOR: usize = 3;
/// Longest part of an anchor that is compared.
pub const MAX_ANCHOR: usize = 24;
/// What a literal of that length is worth more than none.
const LONGEST_BONUS: u32 = 24;

/// A literal that must be there for a signature to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The bytes; already lower-cased if case is ignored.
    pub literal: Vec<u8>,
    /// Whether ASCII case is ignored.
    pub ignore_case: bool,
    /// What a hit points to.
    pub record: u32,
    /// First place in the file that counts.
    pub low: u32,
    /// Last place in the file that counts; the highest number for no end.
    pub high: u32,
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
    /// 32 minus the number of bits of the bitmap.
    shift: u32,
    /// `entries[starts[h]..starts[h + 1]]` by the top bits of the hash.
    starts: Vec<u32>,
    start_shift: u32,
    entries: Vec<Entry>,
    anchors: Vec<Anchor>,
    /// Anchors that can only stand at a few places are looked for there, each but once.
    placed: Vec<(Anchor, Vec<u32>)>,
}

/// An anchor with at most this many places is looked for at each.
const MAX_PLACES: u32 = 64;

const FOLD: u32 = 0x2020_2020;

const fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9E37_79B1)
}

/// How common a byte is in files, roughly: the higher, the worse as part of an anchor.
const fn commonness(byte: u8) -> u32 {
    match byte {
        0 => 10,
        0xff | b' ' => 7,
        0x48 | 0x8b | 0x89 | 0x90 | 0xcc | 0x0a => 5,
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 4,
        b'a'..=b'z' | b'0' | b'1' | b'_' | b'.' => 3,
        1..=15 | b'A'..=b'Z' | b'0'..=b'9' => 2,
        _ => 1,
    }
}

/// The cost of using four bytes as a gram.
fn gram_cost(gram: &[u8]) -> u32 {
    let sum: u32 = gram.iter().map(|byte| commonness(*byte)).sum();
    let distinct = (0..gram.len())
        .filter(|at| {
            !gram
                .iter()
                .take(*at)
                .any(|byte| Some(byte) == gram.get(*at))
        })
        .count();
    sum + match distinct {
        1 => 40,
        2 => 12,
        _ => 0,
    }
}

/// The part of a literal that makes the best anchor and what it costs; `None` if the literal
/// is too short.
pub fn best_part(literal: &[u8]) -> Option<(u32, &[u8])> {
    if literal.len() < MIN_ANCHOR {
        return None;
    }
    if literal.len() < 5 {
        let penalty = if literal.len() == 3 { 200 } else { 40 };
        return Some((penalty + gram_cost(literal), literal));
    }
    let last = literal.len() - 5;
    let (cost, at) = (0..=last)
        .filter_map(|at| {
            Some((
                gram_cost(literal.get(at..at + 4)?) + gram_cost(literal.get(at + 1..at + 5)?),
                at,
            ))
        })
        .min()?;
    let length = literal.len().min(MAX_ANCHOR);
    let start = at.min(literal.len() - length);
    let bonus = u32::try_from(length).unwrap_or(0);
    Some((
        (cost + LONGEST_BONUS).saturating_sub(bonus),
        literal.get(start..start + length)?,
    ))
}

impl Prefilter {
    /// Compiles anchors; those shorter than [`MIN_ANCHOR`] are never found.
    pub fn new(anchors: Vec<Anchor>) -> Prefilter {
        let (few, anchors): (Vec<Anchor>, Vec<Anchor>) = anchors.into_iter().partition(|anchor| {
            anchor.high != u32::MAX && anchor.high - anchor.low.min(anchor.high) <= MAX_PLACES
        });
        let mut groups: BTreeMap<(Vec<u8>, bool, u32, u32), Vec<u32>> = BTreeMap::new();
        for anchor in few {
            let key = (anchor.literal, anchor.ignore_case, anchor.low, anchor.high);
            groups.entry(key).or_default().push(anchor.record);
        }
        let placed = groups
            .into_iter()
            .map(|((literal, ignore_case, low, high), records)| {
                (
                    Anchor {
                        literal,
                        ignore_case,
                        record: 0,
                        low,
                        high,
                    },
                    records,
                )
            })
            .collect();
        let mut entries = Vec::with_capacity(anchors.len() * 2);
        for (number, anchor) in (0u32..).zip(&anchors) {
            add_grams(&anchor.literal, number, &mut entries);
        }
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let bits = (count.max(1).ilog2() + 6).clamp(15, 22);
        let start_bits = count.max(1).ilog2().clamp(6, 20);
        let (shift, start_shift) = (32 - bits, 32 - start_bits);
        let mut bitmap = vec![0u64; 1 << (bits - 6)];
        let mut starts = vec![0u32; (1 << start_bits) + 1];
        entries.sort_unstable_by_key(|entry| (hash(entry.gram), entry.anchor, entry.offset));
        for entry in &entries {
            let hash = hash(entry.gram);
            let bit = hash >> shift;
            if let Some(word) = bitmap.get_mut((bit >> 6) as usize) {
                *word |= 1 << (bit & 63);
            }
            if let Some(start) = starts.get_mut((hash >> start_shift) as usize + 1) {
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
            shift,
            starts,
            start_shift,
            entries,
            anchors,
            placed,
        }
    }

    /// Calls `found` with the record of every anchor at every place it stands.
    pub fn find(&self, bytes: &[u8], mut found: impl FnMut(u32, usize)) {
        for (anchor, records) in &self.placed {
            for start in anchor.low..=anchor.high {
                if stands(anchor, bytes, start as usize) {
                    records
                        .iter()
                        .for_each(|record| found(*record, start as usize));
                    break;
                }
            }
        }
        let (words, shift) = (self.bitmap.as_slice(), self.shift);
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
                        self.verify(bytes, at + 2 * number, gram, &mut found);
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
                self.verify(bytes, at, gram, &mut found);
            }
            at += 2;
        }
    }

    #[inline(never)]
    fn verify(&self, bytes: &[u8], at: usize, gram: u32, found: &mut impl FnMut(u32, usize)) {
        let bucket = (hash(gram) >> self.start_shift) as usize;
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
            if start < anchor.low as usize
                || (start > anchor.high as usize && anchor.high != u32::MAX)
            {
                continue;
            }
            if stands(anchor, bytes, start) {
                found(anchor.record, start);
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

fn add_grams(literal: &[u8], anchor: u32, entries: &mut Vec<Entry>) {
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
            let best = literal.windows(5).enumerate().min_by_key(|(_, window)| {
                gram_cost(window.get(..4).unwrap_or_default())
                    + gram_cost(window.get(1..).unwrap_or_default())
            });
            let Some((at, [a, b, c, d, e])) = best else {
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
                low: 0,
                high: u32::MAX,
            })
            .collect();
        let mut hits = Vec::new();
        Prefilter::new(anchors).find(bytes, |record, at| hits.push((record, at)));
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
