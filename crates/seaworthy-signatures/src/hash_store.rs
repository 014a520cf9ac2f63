//! Digests with names, in one sorted table per use and algorithm.
//!
//! ```text
//! table := count(u64) sizes(u32) any size(u8) names width(u8) digest length(u8)
//!          size(u32)* index(u32)* key* name(width)* digest*
//! ```
//!
//! A key is the first eight bytes of the digest, mixed with the size the signature asks for:
//! a find is a find of both. A table of 8.7 million keys makes a wrong find once in two
//! billion files. Large tables leave out the first two bytes of a key: the index has them.
//! Keys are as good as random, so that a search starts where a key must be and mostly ends in
//! the same cache line. Tables of what is allowed keep the digests whole as well: nobody gets
//! a file past the scan with half a digest.
//! Sizes that occur stand apart, so that a digest is only made when it can be found. Names
//! are kept sorted and compressed in blocks, and unpacked only for a find.

use std::collections::BTreeSet;

use crate::clamav::hash::{Algorithm, HashSignature};

/// Tables of at least this many keys have an index.
const INDEXED: usize = 1 << 16;
const HEAD: usize = 15;
const NAMES_PER_BLOCK: usize = 512;
/// Most bytes a block of names may unpack to.
const MAX_BLOCK: usize = 1 << 20;

fn key(digest: &[u8], size: Option<u32>) -> u64 {
    let head = digest
        .first_chunk::<8>()
        .map_or(0, |head| u64::from_be_bytes(*head));
    let size = size.map_or(0, |size| u64::from(size) + 1);
    head ^ size.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Builds a table; `names` are all names, sorted; `whole` keeps the digests whole.
pub fn build(signatures: &[&HashSignature], names: &[&str], whole: bool) -> Vec<u8> {
    let mut rows: Vec<(u64, &[u8], u32)> = signatures
        .iter()
        .map(|signature| {
            let name = names.binary_search(&signature.name.as_str()).unwrap_or(0);
            (
                key(&signature.digest, signature.size),
                if whole {
                    signature.digest.as_slice()
                } else {
                    &[]
                },
                u32::try_from(name).unwrap_or(0),
            )
        })
        .collect();
    rows.sort_unstable();
    rows.dedup_by_key(|row| (row.0, row.1));
    let sizes: BTreeSet<u32> = signatures
        .iter()
        .filter_map(|signature| signature.size)
        .collect();
    let any = signatures.iter().any(|signature| signature.size.is_none());
    let width: u8 = if names.len() < 1 << 24 { 3 } else { 4 };
    let mut table = Vec::new();
    table.extend_from_slice(&(rows.len() as u64).to_le_bytes());
    table.extend_from_slice(&u32::try_from(sizes.len()).unwrap_or(u32::MAX).to_le_bytes());
    table.push(u8::from(any));
    table.push(width);
    let digest_length = rows.first().map_or(0, |(_, digest, _)| digest.len());
    table.push(u8::try_from(digest_length).unwrap_or(0));
    for size in sizes {
        table.extend_from_slice(&size.to_le_bytes());
    }
    let indexed = rows.len() >= INDEXED;
    if indexed {
        let mut starts = vec![0u32; (1 << 16) + 1];
        for (key, ..) in &rows {
            if let Some(start) = usize::try_from(key >> 48)
                .ok()
                .and_then(|top| starts.get_mut(top + 1))
            {
                *start += 1;
            }
        }
        let mut sum = 0u32;
        for start in starts {
            sum = sum.saturating_add(start);
            table.extend_from_slice(&sum.to_le_bytes());
        }
    }
    for (key, ..) in &rows {
        table.extend_from_slice(
            key.to_be_bytes()
                .get(if indexed { 2 } else { 0 }..)
                .unwrap_or_default(),
        );
    }
    for (.., name) in &rows {
        table.extend_from_slice(
            name.to_le_bytes()
                .get(..usize::from(width))
                .unwrap_or_default(),
        );
    }
    for (_, digest, _) in &rows {
        table.extend_from_slice(digest);
    }
    table
}

/// A table in bytes that were checked to hold it.
#[derive(Debug, Clone, Copy)]
pub struct HashTable<'b> {
    sizes: &'b [u8],
    index: &'b [u8],
    keys: &'b [u8],
    names: &'b [u8],
    digests: &'b [u8],
    digest_length: usize,
    key_length: usize,
    name_width: usize,
    any_size: bool,
}

impl<'b> HashTable<'b> {
    /// Reads a table; `None` when the bytes are not one.
    pub fn read(bytes: &'b [u8]) -> Option<HashTable<'b>> {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let count = usize::try_from(u64::from_le_bytes(*head.first_chunk()?)).ok()?;
        let sizes = u32::from_le_bytes(*head.get(8..)?.first_chunk()?) as usize;
        let (any, width) = (*head.get(12)?, usize::from(*head.get(13)?));
        let digest_length = usize::from(*head.get(14)?);
        if !(3..=4).contains(&width) {
            return None;
        }
        let indexed = count >= INDEXED;
        let key_length = if indexed { 6 } else { 8 };
        let (sizes, rest) = rest.split_at_checked(sizes.checked_mul(4)?)?;
        let (index, rest) = rest.split_at_checked(if indexed { 4 * ((1 << 16) + 1) } else { 0 })?;
        let (keys, rest) = rest.split_at_checked(count.checked_mul(key_length)?)?;
        let (names, digests) = rest.split_at_checked(count.checked_mul(width)?)?;
        (digests.len() == count.checked_mul(digest_length)?).then_some(HashTable {
            sizes,
            index,
            keys,
            names,
            digests,
            digest_length,
            key_length,
            name_width: width,
            any_size: any != 0,
        })
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len() / self.key_length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a file of this size could be found at all.
    pub fn wants_size(&self, size: u64) -> bool {
        if self.is_empty() {
            return false;
        }
        self.any_size
            || u32::try_from(size).is_ok_and(|size| {
                let at = |number: usize| {
                    self.sizes
                        .get(number * 4..)
                        .and_then(|rest| rest.first_chunk().copied())
                        .map(u32::from_le_bytes)
                };
                search(0, self.sizes.len() / 4, |number| {
                    at(number).unwrap_or(u32::MAX) < size
                })
                .is_some_and(|number| at(number) == Some(size))
            })
    }

    /// The numbers of the names of a digest: with this size, and with any.
    pub fn find_both(&self, digest: &[u8], size: u64) -> [Option<u32>; 2] {
        let size = u32::try_from(size).ok();
        let exact = size.and_then(|size| self.find_key(key(digest, Some(size)), digest));
        let any = if self.any_size {
            self.find_key(key(digest, None), digest)
        } else {
            None
        };
        [exact, any]
    }

    fn find_key(&self, key: u64, digest: &[u8]) -> Option<u32> {
        let kept = 64 - 8 * (8 - u32::try_from(self.key_length).ok()?);
        let wanted = key & (u64::MAX >> (64 - kept));
        let (low, high) = if self.index.is_empty() {
            (0, self.len())
        } else {
            let top = usize::try_from(key >> 48).ok()?;
            let at = |number: usize| {
                self.index
                    .get(number * 4..)
                    .and_then(|rest| rest.first_chunk().copied())
                    .map(u32::from_le_bytes)
            };
            (at(top)? as usize, (at(top + 1)? as usize).min(self.len()))
        };
        let row = |number: usize| {
            let row = self.keys.get(number * self.key_length..)?;
            if self.key_length == 6 {
                let [a, b, c, d, e, f] = *row.first_chunk()?;
                return Some(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
            }
            Some(u64::from_be_bytes(*row.first_chunk()?))
        };
        let below = |number: usize| row(number).is_some_and(|row| row < wanted);
        // Where it must be if keys lie evenly, then outwards in growing steps.
        let share = wanted >> (kept - 32);
        let width = high.checked_sub(low)? as u64;
        let guess = low + usize::try_from((width * share) >> 32).unwrap_or(0);
        let (mut first, mut last, mut step) = (guess, guess, 4);
        while first > low && !below(first) {
            first = first.saturating_sub(step).max(low);
            step *= 2;
        }
        step = 4;
        while last < high && below(last) {
            last = last.saturating_add(step).min(high);
            step *= 2;
        }
        let mut number = search(first, last, below)?;
        // The same key stands twice only where digests are whole and differ.
        while number < high && row(number)? == wanted {
            let whole = self
                .digests
                .get(number * self.digest_length..(number + 1) * self.digest_length)?;
            if self.digest_length == 0 || whole == digest {
                let name = self
                    .names
                    .get(number * self.name_width..(number + 1) * self.name_width)?;
                return Some(
                    name.iter()
                        .rev()
                        .fold(0, |value, byte| value << 8 | u32::from(*byte)),
                );
            }
            number += 1;
        }
        None
    }
}

/// The first number from `low` up to `high` that is not `below`; `None` for an upside-down range.
fn search(mut low: usize, mut high: usize, below: impl Fn(usize) -> bool) -> Option<usize> {
    if low > high {
        return None;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if below(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Some(low)
}

/// Packs sorted names: `blocks(u32) end of each block(u32)* block*`, each block compressed. In
/// a block a name is the number of letters it shares with the one before (a byte), the rest,
/// and a line end.
pub fn pack_names(names: &[&str]) -> std::io::Result<Vec<u8>> {
    let mut ends = Vec::new();
    let mut blocks = Vec::new();
    for block in names.chunks(NAMES_PER_BLOCK) {
        let mut text = Vec::new();
        let mut before: &[u8] = &[];
        for name in block {
            let name = name.as_bytes();
            let same = name
                .iter()
                .zip(before)
                .take(usize::from(u8::MAX))
                .take_while(|(a, b)| a == b)
                .count();
            text.push(u8::try_from(same).unwrap_or(0));
            text.extend_from_slice(name.get(same..).unwrap_or_default());
            text.push(b'\n');
            before = name;
        }
        blocks.extend_from_slice(&zstd::bulk::compress(&text, 9)?);
        ends.push(u32::try_from(blocks.len()).unwrap_or(u32::MAX));
    }
    let mut packed = u32::try_from(ends.len())
        .unwrap_or(u32::MAX)
        .to_le_bytes()
        .to_vec();
    for end in ends {
        packed.extend_from_slice(&end.to_le_bytes());
    }
    packed.extend_from_slice(&blocks);
    Ok(packed)
}

/// The name with this number.
pub fn unpack_name(packed: &[u8], number: u32) -> Option<String> {
    let word = |at: usize| {
        packed
            .get(at..)
            .and_then(|rest| rest.first_chunk().copied())
            .map(|word| u32::from_le_bytes(word) as usize)
    };
    let count = word(0)?;
    let block = number as usize / NAMES_PER_BLOCK;
    let start = if block == 0 { 0 } else { word(block * 4)? };
    let end = word((block + 1) * 4)?;
    let base = count.checked_add(1)?.checked_mul(4)?;
    let bytes = packed.get(base.checked_add(start)?..base.checked_add(end)?)?;
    let text = zstd::bulk::decompress(bytes, MAX_BLOCK).ok()?;
    let mut rest = text.as_slice();
    let mut name: Vec<u8> = Vec::new();
    for _ in 0..=number as usize % NAMES_PER_BLOCK {
        let (same, behind) = rest.split_first()?;
        let end = behind.iter().position(|byte| *byte == b'\n')?;
        name.truncate(usize::from(*same));
        name.extend_from_slice(behind.get(..end)?);
        rest = behind.get(end + 1..)?;
    }
    String::from_utf8(name).ok()
}

/// Tables are numbered by use and algorithm.
pub const fn table_number(usage: u32, algorithm: Algorithm) -> u32 {
    usage * 3
        + match algorithm {
            Algorithm::Md5 => 0,
            Algorithm::Sha1 => 1,
            Algorithm::Sha256 => 2,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(number: u32, size: Option<u32>) -> HashSignature {
        use md5::{Digest, Md5};
        HashSignature {
            algorithm: Algorithm::Md5,
            digest: Md5::digest(number.to_le_bytes()).to_vec(),
            size,
            name: format!("Name-{number}"),
        }
    }

    fn find(table: &HashTable<'_>, digest: &[u8], size: u64) -> Option<u32> {
        table.find_both(digest, size).into_iter().flatten().next()
    }

    #[test]
    fn small_and_indexed_tables_find_the_same() {
        for count in [300u32, 70_000] {
            let all: Vec<HashSignature> = (0..count)
                .map(|n| signature(n, (n % 7 != 0).then_some(n + 1)))
                .collect();
            let refs: Vec<&HashSignature> = all.iter().collect();
            let mut names: Vec<&str> = all.iter().map(|s| s.name.as_str()).collect();
            names.sort_unstable();
            let (bytes, packed) = (build(&refs, &names, false), pack_names(&names).unwrap());
            let table = HashTable::read(&bytes).unwrap();
            assert_eq!(table.len(), count as usize);
            for one in all.iter().step_by(37) {
                let size = u64::from(one.size.unwrap_or(99));
                let name = find(&table, &one.digest, size).unwrap();
                assert_eq!(
                    unpack_name(&packed, name).as_deref(),
                    Some(one.name.as_str())
                );
                if one.size.is_some() {
                    assert_eq!(find(&table, &one.digest, size + 1), None);
                }
            }
            assert!(table.wants_size(1 << 40));
        }
    }

    #[test]
    fn what_is_allowed_is_compared_whole() {
        let mut one = signature(1, Some(10));
        let mut other = one.clone();
        *other.digest.last_mut().unwrap() ^= 1;
        other.name = "Other".to_owned();
        let bytes = build(&[&one, &other], &["Name-1", "Other"], true);
        let table = HashTable::read(&bytes).unwrap();
        assert_eq!((table.len(), find(&table, &one.digest, 10)), (2, Some(0)));
        assert_eq!(find(&table, &other.digest, 10), Some(1));
        *one.digest.last_mut().unwrap() ^= 2;
        assert_eq!(find(&table, &one.digest, 10), None);
    }

    #[test]
    fn without_wildcards_only_occurring_sizes_are_wanted() {
        let one = signature(1, Some(10));
        let bytes = build(&[&one], &["Name-1"], false);
        let table = HashTable::read(&bytes).unwrap();
        assert!(table.wants_size(10) && !table.wants_size(11) && !table.wants_size(1 << 40));
        for cut in 0..bytes.len() {
            assert!(HashTable::read(&bytes[..cut]).is_none(), "{cut}");
        }
    }
}
