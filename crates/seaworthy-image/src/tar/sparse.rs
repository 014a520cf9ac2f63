//! Maps of sparse members: which stretches of the file are stored, the rest being zeros.

use std::io::{self, Read};

use super::header::{Block, number};
use super::pax::MAX_EXTENTS;

/// A stored stretch of a sparse file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub offset: u64,
    pub length: u64,
}

/// The map entries of an old GNU header (4 at byte 386) or of its continuation block (21 at
/// byte 0); returns whether another continuation follows, or what is wrong.
pub(super) fn old_gnu_extents(
    block: &Block,
    continuation: bool,
    extents: &mut Vec<Extent>,
) -> Result<bool, &'static str> {
    let (start, count, more) = if continuation {
        (0, 21, block[504])
    } else {
        (386, 4, block[482])
    };
    for index in 0..count {
        let entry = &block[start + index * 24..start + (index + 1) * 24];
        if entry[0] == 0 {
            break;
        }
        let (Some(offset), Some(length)) = (number(&entry[..12]), number(&entry[12..])) else {
            return Err("a sparse map with something that is no number");
        };
        let (Ok(offset), Ok(length)) = (u64::try_from(offset), u64::try_from(length)) else {
            return Err("a sparse map with a negative number");
        };
        if extents.len() >= MAX_EXTENTS {
            return Err("a sparse map with more than 65536 extents");
        }
        extents.push(Extent { offset, length });
    }
    Ok(more != 0)
}

/// Whether a map is in order, without overlap, within `real_size` and as long as what is
/// stored.
pub(super) fn map_fits(extents: &[Extent], real_size: u64, stored: u64) -> bool {
    let mut end = 0_u64;
    let mut total = 0_u64;
    for extent in extents {
        let Some(extent_end) = extent.offset.checked_add(extent.length) else {
            return false;
        };
        if extent.offset < end || extent_end > real_size {
            return false;
        }
        end = extent_end;
        total += extent.length;
    }
    total == stored
}

/// The whole content of a sparse member: stored stretches from `stored`, zeros between.
pub(crate) struct SparseReader<'a, R> {
    stored: R,
    extents: std::slice::Iter<'a, Extent>,
    current: Option<Extent>,
    position: u64,
    size: u64,
}

impl<'a, R: Read> SparseReader<'a, R> {
    pub fn new(stored: R, extents: &'a [Extent], size: u64) -> SparseReader<'a, R> {
        let mut extents = extents.iter();
        let current = extents.next().copied();
        SparseReader {
            stored,
            extents,
            current,
            position: 0,
            size,
        }
    }
}

impl<R: Read> Read for SparseReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let (limit, is_data) = match self.current {
                Some(extent) if self.position >= extent.offset + extent.length => {
                    self.current = self.extents.next().copied();
                    continue;
                }
                Some(extent) if self.position >= extent.offset => {
                    (extent.offset + extent.length, true)
                }
                Some(extent) => (extent.offset, false),
                None => (self.size, false),
            };
            let left = usize::try_from(limit - self.position).unwrap_or(usize::MAX);
            let count = left.min(buffer.len());
            let Some(part) = buffer.get_mut(..count) else {
                return Ok(0);
            };
            let count = if is_data {
                self.stored.read(part)?
            } else {
                part.fill(0);
                count
            };
            self.position += count as u64;
            return Ok(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_read_as_zeros() {
        let map = [(2, 3), (5, 0), (7, 1)].map(|(offset, length)| Extent { offset, length });
        assert!(map_fits(&map, 10, 4));
        let mut out = Vec::new();
        SparseReader::new(&b"abcd"[..], &map, 10)
            .read_to_end(&mut out)
            .unwrap();
        assert_eq!(out, b"\0\0abc\0\0d\0\0");
    }

    #[test]
    fn a_map_that_overlaps_or_leaves_the_file_does_not_fit() {
        let check = |map: &[(u64, u64)], size, stored| {
            let map: Vec<Extent> = map
                .iter()
                .map(|&(offset, length)| Extent { offset, length })
                .collect();
            map_fits(&map, size, stored)
        };
        assert!(!check(&[(0, 5), (4, 1)], 10, 6));
        assert!(!check(&[(8, 5)], 10, 5));
        assert!(!check(&[(u64::MAX, 5)], 10, 5));
        assert!(!check(&[(0, 5)], 10, 4));
        assert!(check(&[], 10, 0));
    }
}
