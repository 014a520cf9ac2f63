//! The compiled file: ours, read-only, memory-mapped.
//!
//! ```text
//! file   := magic(8) version(u32) sections(u32) hash(u64) { length(u64) }* section*
//! hash   := xxh3 of all that follows it, seeded with the number of sections
//! ```
//!
//! The same signatures give the same bytes. The hash is checked on opening, and every offset
//! within a section at each use: a damaged or hostile file is an error or finds nothing.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

const MAGIC: &[u8; 8] = b"SWSIGNA\n";
/// Raised with every change of the layout; a reader takes exactly its own.
pub const FORMAT_VERSION: u32 = 2;
const HEAD: usize = 24;
const MAX_SECTIONS: u32 = 64;

/// Why a compiled file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It can't be read.
    #[error("cannot read the compiled signatures: {0}")]
    Unreadable(#[from] std::io::Error),
    /// Not such a file.
    #[error("not a file of compiled signatures")]
    NotCompiled,
    /// Written by another version of this program.
    #[error(
        "compiled signatures have format {0}, this program reads {FORMAT_VERSION}\n  hint: build them again from their signature files"
    )]
    WrongVersion(u32),
    /// Its bytes are not what was written.
    #[error(
        "compiled signatures are damaged: {0}\n  hint: build them again from their signature files"
    )]
    Damaged(&'static str),
}

enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

/// The sections of a compiled file.
pub struct Sections {
    bytes: Bytes,
    ranges: Vec<Range<usize>>,
}

impl Sections {
    /// Maps and checks a file.
    ///
    /// # Errors
    /// It can't be read, or is not what this version wrote.
    pub fn map(path: &Path) -> Result<Sections, OpenError> {
        let mut file = File::open(path)?;
        if file.metadata()?.len() < HEAD as u64 {
            return Err(OpenError::NotCompiled);
        }
        // The hash is taken by reading, not through the map: pages of the map then cost memory
        // only where something is looked up.
        let mut head = [0; HEAD];
        file.read_exact(&mut head)?;
        let mut hash = Xxh3::with_seed(u64::from(word(&head, 12).unwrap_or(0)));
        let mut buffer = vec![0; 1 << 17];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                length => hash.update(buffer.get(..length).unwrap_or_default()),
            }
        }
        #[expect(
            unsafe_code,
            reason = "mapping is what makes opening a hundred megabytes of hashes cost nothing until they are looked up"
        )]
        // SAFETY: the map is only read. Compiled files are written once under another name and
        // moved into place, so that nobody changes one that is mapped; every offset is checked
        // at each use, so that changed bytes give wrong finds at worst, not broken memory.
        let map = unsafe { Mmap::map(&file)? };
        Sections::check(Bytes::Mapped(map), hash.digest())
    }

    /// Takes a file's bytes.
    ///
    /// # Errors
    /// They are not what this version wrote.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Sections, OpenError> {
        let seed = word(&bytes, 12).unwrap_or(0);
        let rest = bytes.get(HEAD..).unwrap_or_default();
        let hash = xxh3_64_with_seed(rest, u64::from(seed));
        Sections::check(Bytes::Owned(bytes), hash)
    }

    /// `hashed` is the hash of all behind the head.
    fn check(bytes: Bytes, hashed: u64) -> Result<Sections, OpenError> {
        let all = slice(&bytes);
        if !all.starts_with(MAGIC) {
            return Err(OpenError::NotCompiled);
        }
        let long = |at: usize| {
            all.get(at..)
                .and_then(|rest| rest.first_chunk().copied())
                .map(u64::from_le_bytes)
        };
        let cut = OpenError::Damaged("cut short");
        let (Some(version), Some(count), Some(hash)) = (word(all, 8), word(all, 12), long(16))
        else {
            return Err(cut);
        };
        if version != FORMAT_VERSION {
            return Err(OpenError::WrongVersion(version));
        }
        if hashed != hash {
            return Err(OpenError::Damaged("its hash does not fit"));
        }
        if count > MAX_SECTIONS {
            return Err(OpenError::Damaged("too many sections"));
        }
        let mut ranges = Vec::new();
        let mut start = HEAD + count as usize * 8;
        for number in 0..count as usize {
            let end = long(HEAD + number * 8)
                .and_then(|length| start.checked_add(usize::try_from(length).ok()?))
                .filter(|end| *end <= all.len())
                .ok_or(OpenError::Damaged("a section outside of the file"))?;
            ranges.push(start..end);
            start = end;
        }
        Ok(Sections { bytes, ranges })
    }

    /// The bytes of a section; none for one that is not there.
    pub fn section(&self, number: usize) -> &[u8] {
        self.ranges
            .get(number)
            .and_then(|range| slice(&self.bytes).get(range.clone()))
            .unwrap_or_default()
    }

    /// The hash in the file's head, which was checked.
    pub fn hash(&self) -> u64 {
        slice(&self.bytes)
            .get(16..HEAD)
            .and_then(|hash| hash.first_chunk().copied())
            .map_or(0, u64::from_le_bytes)
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        slice(&self.bytes)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk().copied()?;
    Some(u32::from_le_bytes(word))
}

fn slice(bytes: &Bytes) -> &[u8] {
    match bytes {
        Bytes::Mapped(map) => map,
        Bytes::Owned(bytes) => bytes,
    }
}

/// Assembles a file.
pub fn write(sections: &[Vec<u8>]) -> Vec<u8> {
    let mut rest = Vec::new();
    for section in sections {
        rest.extend_from_slice(&(section.len() as u64).to_le_bytes());
    }
    for section in sections {
        rest.extend_from_slice(section);
    }
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    file.extend_from_slice(
        &u32::try_from(sections.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    file.extend_from_slice(&xxh3_64_with_seed(&rest, sections.len() as u64).to_le_bytes());
    file.extend_from_slice(&rest);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let file = write(&[b"one".to_vec(), Vec::new(), b"three".to_vec()]);
        let sections = Sections::from_bytes(file.clone()).unwrap();
        assert_eq!(
            (
                sections.section(0),
                sections.section(2),
                sections.section(9)
            ),
            (b"one".as_slice(), b"three".as_slice(), b"".as_slice())
        );
        for at in 0..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 1;
            assert!(Sections::from_bytes(broken).is_err(), "{at}");
            assert!(Sections::from_bytes(file[..at].to_vec()).is_err(), "{at}");
        }
    }
}
