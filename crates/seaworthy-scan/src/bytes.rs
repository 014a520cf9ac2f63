//! Reading numbers out of foreign bytes: every read says where, in which byte order, and
//! gives `None` instead of leaving the slice.

use crate::problems::ProblemList;
use seaworthy_core::ProblemKind;

/// Order of the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl Endian {
    /// The 16-bit number at `at`.
    pub(crate) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw = array(bytes, at)?;
        Some(match self {
            Endian::Little => u16::from_le_bytes(raw),
            Endian::Big => u16::from_be_bytes(raw),
        })
    }

    /// The 32-bit number at `at`.
    pub(crate) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw = array(bytes, at)?;
        Some(match self {
            Endian::Little => u32::from_le_bytes(raw),
            Endian::Big => u32::from_be_bytes(raw),
        })
    }

    /// The 64-bit number at `at`.
    pub(crate) fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let raw = array(bytes, at)?;
        Some(match self {
            Endian::Little => u64::from_le_bytes(raw),
            Endian::Big => u64::from_be_bytes(raw),
        })
    }

    /// The 32-bit number at `at`, as an offset or length in memory.
    pub(crate) fn usize32(self, bytes: &[u8], at: usize) -> Option<usize> {
        usize::try_from(self.u32(bytes, at)?).ok()
    }
}

/// `len` bytes from `at` on, or `None` where they are not all there.
pub(crate) fn slice(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(len)?)
}

/// The bytes from `at` up to the next NUL, or `None` where there is no NUL.
pub(crate) fn c_string(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    rest.get(..memchr::memchr(0, rest)?)
}

/// Text of foreign bytes: UTF-8 where it is, Latin-1 where it is not, so that every byte
/// of an old record stays visible.
pub(crate) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    slice(bytes, at, N)?.try_into().ok()
}

/// Which pages of a paged file were used already. A page belongs to one list or tree
/// only, so a second use is a loop or a forged pointer; refusing it makes every walk
/// linear in the size of the file.
pub(crate) struct PageSet {
    words: Vec<u64>,
    pages: usize,
}

impl PageSet {
    /// A set for pages `0..pages`.
    pub(crate) fn new(pages: usize) -> PageSet {
        PageSet {
            words: vec![0; pages.div_ceil(64)],
            pages,
        }
    }

    /// Takes a page. False, with a problem, where it lies outside of the file or was
    /// taken before.
    pub(crate) fn take(&mut self, page: usize, problems: &mut ProblemList) -> bool {
        if page >= self.pages {
            problems.push(
                ProblemKind::Malformed,
                format!(
                    "page {page} lies outside of the file's {} pages",
                    self.pages
                ),
            );
            return false;
        }
        let Some(word) = self.words.get_mut(page / 64) else {
            return false;
        };
        let bit = 1u64 << (page % 64);
        if *word & bit != 0 {
            problems.push(
                ProblemKind::Malformed,
                format!("page {page} is used twice, a loop or a forged pointer"),
            );
            return false;
        }
        *word |= bit;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_are_none() {
        let bytes = [1, 2, 3, 4];
        assert_eq!(Endian::Little.u32(&bytes, 0), Some(0x0403_0201));
        assert_eq!(Endian::Big.u16(&bytes, 2), Some(0x0304));
        assert_eq!(Endian::Big.u16(&bytes, 3), None);
        assert_eq!(Endian::Big.u64(&bytes, usize::MAX), None);
        assert_eq!(c_string(b"ab\0c", 0), Some(&b"ab"[..]));
        assert_eq!(c_string(b"ab\0c", 3), None);
    }

    #[test]
    fn a_page_is_taken_once() {
        let mut problems = ProblemList::default();
        let mut set = PageSet::new(70);
        assert!(set.take(69, &mut problems));
        assert!(problems.is_empty());
        assert!(!set.take(69, &mut problems));
        assert!(!set.take(70, &mut problems));
        assert_eq!(problems.len(), 2);
    }
}
