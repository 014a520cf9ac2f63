//! Berkeley DB hash files, as rpm used them up to RHEL 8 (`Packages`).
//!
//! Followed: Berkeley DB 5.3 `src/dbinc/db_page.h`. The file is a row of pages of one
//! size; the machine that made it decides the byte order.
//!
//! ```text
//! page 0   lsn 8, pgno 4, magic 0x00061561 at 12, version 16, page size 20,
//!          encryption 24, page type 25 (8), flags 26, last page 32
//! page n   lsn 8, pgno 4, prev 4, next 4, entries u16 at 20, hf_offset u16 at 22,
//!          level 24, type 25, then u16 offsets of the items, key and value in turn
//! item     type 1: the bytes themselves, up to the item before
//!          type 3: pgno u32 at 4, length u32 at 8: in a chain of overflow pages
//! type 7   overflow page: hf_offset bytes of data after the page header
//! ```
//!
//! Pages are read in file order instead of by bucket: every pair is wanted. Left out:
//! encrypted and checksummed files, duplicates and B-trees, which rpm never wrote.

use super::Blobs;
use super::header::MAX_DATA;
use crate::bytes::{Endian, PageSet};

const HASH_MAGIC: u32 = 0x0006_1561;
const PAGE_HEADER: usize = 26;
const PAGE_HASH_UNSORTED: u8 = 2;
const PAGE_OVERFLOW: u8 = 7;
const PAGE_HASH_META: u8 = 8;
const PAGE_HASH: u8 = 13;
const ITEM_KEY_DATA: u8 = 1;
const ITEM_OFF_PAGE: u8 = 3;

/// Whether the bytes start a Berkeley DB hash file.
pub(super) fn is_bdb(bytes: &[u8]) -> bool {
    byte_order(bytes).is_some()
}

fn byte_order(bytes: &[u8]) -> Option<Endian> {
    [Endian::Little, Endian::Big]
        .into_iter()
        .find(|endian| endian.u32(bytes, 12) == Some(HASH_MAGIC))
}

/// Gives the value of every pair of the file, but for rpm's counter under key 0.
pub(super) fn read(bytes: &[u8], out: &mut Blobs) {
    let Some(endian) = byte_order(bytes) else {
        out.malformed("not a Berkeley DB hash file");
        return;
    };
    let (Some(page_size), Some(last_page)) = (endian.usize32(bytes, 20), endian.usize32(bytes, 32))
    else {
        out.malformed("the file ends in its first page");
        return;
    };
    if !(512..=65536).contains(&page_size) || !page_size.is_power_of_two() {
        out.malformed(format!("page size {page_size} is not valid"));
        return;
    }
    let meta = |at: usize| bytes.get(at).copied();
    if meta(24) != Some(0) || meta(26).is_some_and(|flags| flags & 1 != 0) {
        out.unsupported("the database is encrypted or has page checksums");
        return;
    }
    if meta(25) != Some(PAGE_HASH_META) {
        out.malformed("the first page does not describe a hash");
        return;
    }
    let pages = bytes.len() / page_size;
    if last_page >= pages {
        out.malformed(format!(
            "the file ends after {pages} of {} pages",
            last_page.saturating_add(1)
        ));
    }
    let mut file = File {
        bytes,
        endian,
        page_size,
        used: PageSet::new(pages),
        buffer: Vec::new(),
    };
    for number in 1..pages.min(last_page.saturating_add(1)) {
        let Some(page) = file.page(number) else {
            return;
        };
        match page.get(25) {
            Some(&(PAGE_HASH | PAGE_HASH_UNSORTED)) => {
                if !file.hash_page(number, page, out) {
                    return;
                }
            }
            // 0 is a free page.
            Some(&(0 | PAGE_OVERFLOW | PAGE_HASH_META)) => {}
            other => out.malformed(format!(
                "page {number} is of the unknown type {}",
                other.copied().unwrap_or_default()
            )),
        }
    }
}

struct File<'a> {
    bytes: &'a [u8],
    endian: Endian,
    page_size: usize,
    used: PageSet,
    buffer: Vec<u8>,
}

impl<'a> File<'a> {
    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_mul(self.page_size)?;
        crate::bytes::slice(self.bytes, start, self.page_size)
    }

    /// False when the visitor wants no more.
    fn hash_page(&mut self, number: usize, page: &'a [u8], out: &mut Blobs) -> bool {
        let count = usize::from(self.endian.u16(page, 20).unwrap_or_default());
        let table_end = PAGE_HEADER + 2 * count;
        if table_end > self.page_size || !count.is_multiple_of(2) {
            out.malformed(format!("page {number} claims {count} items"));
            return true;
        }
        // Items lie from the end of the page down, each up to the one before it.
        let mut end = self.page_size;
        let mut key: &[u8] = &[];
        for i in 0..count {
            let start = usize::from(
                self.endian
                    .u16(page, PAGE_HEADER + 2 * i)
                    .unwrap_or_default(),
            );
            if start < table_end || start >= end {
                out.malformed(format!("item {i} of page {number} lies at {start}"));
                return true;
            }
            let item = page.get(start..end).unwrap_or_default();
            end = start;
            if i.is_multiple_of(2) {
                key = item;
                continue;
            }
            // rpm keeps its next package number under key 0.
            if key == [ITEM_KEY_DATA, 0, 0, 0, 0] {
                continue;
            }
            let goes_on = match item {
                [ITEM_KEY_DATA, blob @ ..] => out.visit(blob),
                [ITEM_OFF_PAGE, ..] => self.off_page(item, out),
                _ => {
                    out.malformed(format!("item {i} of page {number} is of an unknown type"));
                    true
                }
            };
            if !goes_on {
                return false;
            }
        }
        true
    }

    fn off_page(&mut self, item: &[u8], out: &mut Blobs) -> bool {
        let (Some(first), Some(len)) = (self.endian.usize32(item, 4), self.endian.usize32(item, 8))
        else {
            out.malformed("a reference to overflow pages is cut short");
            return true;
        };
        if len > MAX_DATA.min(self.bytes.len()) {
            out.malformed(format!("an item claims {len} bytes"));
            return true;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut number = first;
        while number != 0 && buffer.len() < len {
            if !self.used.take(number, out.problems()) {
                break;
            }
            let Some(page) = self.page(number) else {
                break;
            };
            let filled = usize::from(self.endian.u16(page, 22).unwrap_or_default());
            let data = crate::bytes::slice(page, PAGE_HEADER, filled);
            let (Some(&PAGE_OVERFLOW), Some(data)) = (page.get(25), data) else {
                out.malformed(format!(
                    "page {number} is not the overflow page it should be"
                ));
                break;
            };
            buffer.extend_from_slice(data);
            number = self.endian.usize32(page, 16).unwrap_or_default();
        }
        if buffer.len() != len {
            out.malformed(format!(
                "a chain of overflow pages holds {} bytes instead of {len}",
                buffer.len()
            ));
        }
        buffer.truncate(len);
        // A header cut short still names its package.
        let goes_on = out.visit(&buffer);
        self.buffer = buffer;
        goes_on
    }
}
