//! Finds the keywords of all rules in one pass over the bytes.
//!
//! Every keyword is ASCII-folded and enters two four-byte grams into one bitmap: those at its
//! offsets 0 and 1, so that looking at every second position of the haystack meets one of them
//! wherever the keyword starts. A keyword of four bytes has no second whole gram: what may
//! follow it ([`FOLLOWERS`]) is entered. What the bitmap lets pass, some hundredths of all
//! positions, is looked up by a coarser hash and compared eight bytes at once. A multi-pattern
//! automaton (Aho–Corasick) over the same keywords was measured at a third to a half of the
//! speed: it has to take a step for every byte.

/// Bits of the bitmap: 2^17 bits are 16 KiB and leave room in the first-level cache. With 2^16
/// twice as much passes by chance.
const BITS: u32 = 17;
/// Bits of the hash by which entries are looked up.
const BUCKET_BITS: u32 = 12;

/// Shortest keyword, in bytes.
pub const MIN_KEYWORD: usize = 4;

/// What may follow a keyword of four bytes, folded: letters, digits and what stands in tokens
/// and names. With all bytes there, some fifty short keywords filled a tenth of the bitmap and
/// halved the speed.
const FOLLOWERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789\x7f-.+/=\" ";

/// A keyword found in the haystack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Where it starts.
    pub position: usize,
    /// Which keyword, by its place in the list the prefilter was built from.
    pub keyword: usize,
}

/// The compiled keywords.
pub struct Prefilter {
    bitmap: Box<[u64; 1 << (BITS - 6)]>,
    /// For each bucket the range of its entries: `entries[starts[b]..starts[b + 1]]`.
    starts: Box<[u32; (1 << BUCKET_BITS) + 1]>,
    entries: Vec<Entry>,
    keywords: Vec<Box<[u8]>>,
}

/// One way to meet a keyword: by the gram at one of its offsets.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// The keyword's first eight bytes, folded, zero where it is shorter.
    head: u64,
    /// Ones where `head` counts.
    mask: u64,
    keyword: u32,
    offset: u32,
}

impl Prefilter {
    /// Compiles keywords, each at least [`MIN_KEYWORD`] bytes; shorter ones are never found.
    pub fn new<'k>(keywords: impl IntoIterator<Item = &'k [u8]>) -> Prefilter {
        let keywords: Vec<Box<[u8]>> = keywords
            .into_iter()
            .map(|k| k.iter().map(|&b| fold_byte(b)).collect())
            .collect();
        let mut bitmap = Box::new([0u64; 1 << (BITS - 6)]);
        let mut grams: Vec<(usize, Entry)> = Vec::new();
        for (number, keyword) in (0u32..).zip(&keywords) {
            let (mut head, mut mask) = ([0; 8], [0; 8]);
            for ((to, ones), from) in head.iter_mut().zip(&mut mask).zip(&**keyword) {
                (*to, *ones) = (*from, 0xff);
            }
            let mut enter = |offset: u32, hash: usize| {
                bitmap[hash >> 6] |= 1 << (hash & 63);
                let entry = Entry {
                    head: u64::from_le_bytes(head),
                    mask: u64::from_le_bytes(mask),
                    keyword: number,
                    offset,
                };
                grams.push((bucket(hash), entry));
            };
            match **keyword {
                [a, b, c, d] => {
                    enter(0, hash([a, b, c, d]));
                    for follower in FOLLOWERS {
                        enter(1, hash([b, c, d, *follower]));
                    }
                }
                [a, b, c, d, e, ..] => {
                    enter(0, hash([a, b, c, d]));
                    enter(1, hash([b, c, d, e]));
                }
                _ => {}
            }
        }
        grams.sort_by_key(|(bucket, entry)| (*bucket, entry.keyword, entry.offset));
        // A short keyword is in a bucket once, however many followers led there.
        grams.dedup();
        let mut starts = Box::new([0u32; (1 << BUCKET_BITS) + 1]);
        for (bucket, _) in &grams {
            starts[bucket + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        Prefilter {
            bitmap,
            starts,
            entries: grams.into_iter().map(|(_, entry)| entry).collect(),
            keywords,
        }
    }

    /// Calls `found` for every occurrence of every keyword, ignoring ASCII case, in order of
    /// position up to one byte. A keyword of four bytes counts where what follows is one of
    /// [`FOLLOWERS`] or nothing; at even positions it may be found before others too.
    pub fn find(&self, haystack: &[u8], mut found: impl FnMut(Hit)) {
        // Eight positions a turn at stride two: one load of eight bytes gives the grams at
        // 0 and 2, and 4 comes from the next.
        let mut position = 0;
        while let Some(window) = haystack.get(position..position + 12) {
            let (Some(low), Some(high)) = (window.first_chunk::<8>(), window.last_chunk::<8>())
            else {
                break;
            };
            let low = u64::from_le_bytes(*low) | FOLD;
            let high = u64::from_le_bytes(*high) | FOLD;
            // Written out, and not with `map`: the compiler makes calls of that.
            let hashes = [
                hash_folded(low),
                hash_folded(low >> 16),
                hash_folded(high),
                hash_folded(high >> 16),
            ];
            let (a, b) = (self.is_set(hashes[0]), self.is_set(hashes[1]));
            let (c, d) = (self.is_set(hashes[2]), self.is_set(hashes[3]));
            if a | b | c | d {
                for (place, is_set) in [a, b, c, d].into_iter().enumerate() {
                    if is_set {
                        self.verify(haystack, position + 2 * place, hashes[place], &mut found);
                    }
                }
            }
            position += 8;
        }
        while position < haystack.len() {
            // The tail: grams are filled up with what a zero folds to.
            let mut gram = [fold_byte(0); 4];
            for (to, from) in gram.iter_mut().zip(&haystack[position..]) {
                *to = fold_byte(*from);
            }
            let hash = hash(gram);
            if self.is_set(hash) {
                self.verify(haystack, position, hash, &mut found);
            }
            position += 2;
        }
    }

    #[inline(always)]
    fn is_set(&self, hash: usize) -> bool {
        self.bitmap[hash >> 6] >> (hash & 63) & 1 != 0
    }

    #[inline(never)]
    fn verify(&self, haystack: &[u8], at: usize, hash: usize, found: &mut impl FnMut(Hit)) {
        let bucket = bucket(hash);
        let range = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
        for entry in &self.entries[range] {
            let Some(position) = at.checked_sub(entry.offset as usize) else {
                continue;
            };
            let head = haystack.get(position..).and_then(<[u8]>::first_chunk::<8>);
            if let Some(head) = head
                && (u64::from_le_bytes(*head) | FOLD) & entry.mask != entry.head
            {
                continue;
            }
            let keyword = &self.keywords[entry.keyword as usize];
            let Some(there) = haystack.get(position..position + keyword.len()) else {
                continue;
            };
            if there.iter().zip(keyword).all(|(a, b)| fold_byte(*a) == *b) {
                found(Hit {
                    position,
                    keyword: entry.keyword as usize,
                });
            }
        }
    }
}

/// Folds eight bytes at once, as [`fold_byte`] does one.
const FOLD: u64 = 0x2020_2020_2020_2020;

/// Folds ASCII letters to lower case, and a few other bytes onto each other, which costs
/// nothing but a rare false hit that the rule's pattern then refuses.
const fn fold_byte(byte: u8) -> u8 {
    byte | 0x20
}

fn hash(gram: [u8; 4]) -> usize {
    hash_folded(u64::from(u32::from_le_bytes(gram)))
}

/// Hashes the low four bytes.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low 32 bits are the gram"
)]
fn hash_folded(gram: u64) -> usize {
    ((gram as u32).wrapping_mul(0x9E37_79B1) >> (32 - BITS)) as usize
}

fn bucket(hash: usize) -> usize {
    hash >> (BITS - BUCKET_BITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(keywords: &[Vec<u8>], haystack: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (keyword, word) in keywords.iter().enumerate() {
            for (position, there) in haystack.windows(word.len()).enumerate() {
                if there
                    .iter()
                    .zip(word)
                    .all(|(a, b)| fold_byte(*a) == fold_byte(*b))
                {
                    hits.push(Hit { position, keyword });
                }
            }
        }
        hits.sort();
        hits
    }

    fn find(keywords: &[Vec<u8>], haystack: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        Prefilter::new(keywords.iter().map(Vec::as_slice)).find(haystack, |hit| hits.push(hit));
        hits.sort();
        hits
    }

    #[test]
    fn a_keyword_is_found_at_every_position_and_in_any_case() {
        let keywords = vec![b"AKIA".to_vec(), b"password".to_vec()];
        for padding in 0..20 {
            let mut haystack = vec![b'.'; padding];
            haystack.extend_from_slice(b"akIA");
            assert_eq!(
                find(&keywords, &haystack),
                [Hit {
                    position: padding,
                    keyword: 0
                }]
            );
            haystack.extend_from_slice(b"PassWord!");
            assert_eq!(find(&keywords, &haystack).len(), 2);
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_a_naive_search_finds(
            keywords in prop::collection::vec("[ab]{4,7}", 1..6),
            haystack in "[abAB]{0,80}",
        ) {
            let keywords: Vec<Vec<u8>> = keywords.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(find(&keywords, haystack.as_bytes()), naive(&keywords, haystack.as_bytes()));
        }
    }
}
