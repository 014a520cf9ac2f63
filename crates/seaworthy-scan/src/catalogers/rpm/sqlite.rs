//! SQLite files, as rpm uses them since 4.16 (`rpmdb.sqlite`): a read-only walk over one
//! table, without SQLite.
//!
//! Followed: the SQLite file format (fileformat2.html). All numbers are big-endian:
//!
//! ```text
//! file     "SQLite format 3\0", page size u16 at 16 (1 means 65536), reserved bytes per
//!          page u8 at 20, text encoding u32 at 56; pages count from 1
//! page     type u8 (13 leaf, 5 interior of a table), …, cells u16 at 3, right-most child
//!          u32 at 8 of an interior page, then u16 offsets of the cells; page 1 has its
//!          header behind the file's 100 bytes
//! leaf     varint payload length, varint row id, payload, u32 overflow page
//! interior u32 child page, varint row id
//! payload  varint header length, varint type of each column, the columns
//! ```
//!
//! Page 1 is the root of `sqlite_schema`, which names the root page of `Packages`.
//! Left out: indexes, `WITHOUT ROWID` tables, and the write-ahead log, a file of its own.

use super::Blobs;
use super::header::MAX_DATA;
use crate::bytes::{Endian, PageSet, slice};

const BE: Endian = Endian::Big;
const MAGIC: &[u8] = b"SQLite format 3\0";
const FILE_HEADER: usize = 100;
const LEAF: u8 = 13;
const INTERIOR: u8 = 5;

/// Whether the bytes start an SQLite file.
pub(super) fn is_sqlite(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Gives column `blob` of every row of table `Packages`.
pub(super) fn read(bytes: &[u8], out: &mut Blobs) {
    let (Some(raw_size), Some(&reserved)) = (BE.u16(bytes, 16), bytes.get(20)) else {
        out.malformed("the file ends in its header");
        return;
    };
    let page_size = if raw_size == 1 {
        65536
    } else {
        usize::from(raw_size)
    };
    // The format asks for at least 480 usable bytes: the sums below rely on it.
    let usable = page_size.saturating_sub(usize::from(reserved));
    if !page_size.is_power_of_two() || page_size < 512 || usable < 480 {
        out.malformed(format!(
            "page size {page_size} with {reserved} reserved bytes is not valid"
        ));
        return;
    }
    let pages = bytes.len() / page_size;
    if let Some(claimed) = BE.usize32(bytes, 28)
        && claimed > pages
        // The count in the header is valid only where the two change counters agree.
        && BE.u32(bytes, 24) == BE.u32(bytes, 92)
    {
        out.malformed(format!("the file ends after {pages} of {claimed} pages"));
    }
    let mut file = File {
        bytes,
        page_size,
        usable,
        // Page numbers count from 1; slot 0 stays unused.
        used: PageSet::new(pages + 1),
        buffer: Vec::new(),
    };
    let encoding = BE.u32(bytes, 56).unwrap_or(1);
    let mut table = None;
    let mut schema_problem = None;
    file.walk(1, out, &mut |row, _| {
        let columns = [0, 1, 3, 4].map(|column| column_of(row, column));
        let [Some(kind), Some(name), Some(root), sql] = columns else {
            schema_problem = Some("a row of the schema can't be read");
            return true;
        };
        if decode(kind, encoding).eq_ignore_ascii_case("table")
            && decode(name, encoding).eq_ignore_ascii_case("Packages")
        {
            let root = root.iter().fold(0usize, |n, b| (n << 8) | usize::from(*b));
            let sql = decode(sql.unwrap_or_default(), encoding);
            table = Some((root, blob_column(&sql)));
            return false;
        }
        true
    });
    if let Some(problem) = schema_problem {
        out.malformed(problem);
    }
    let Some((root, column)) = table else {
        out.malformed("the database has no table `Packages`");
        return;
    };
    file.walk(root, out, &mut |row, out| match column_of(row, column) {
        Some(blob) => out.visit(blob),
        None => {
            out.malformed("a row of `Packages` has no readable blob");
            true
        }
    });
}

struct File<'a> {
    bytes: &'a [u8],
    page_size: usize,
    usable: usize,
    used: PageSet,
    buffer: Vec<u8>,
}

/// Sees the payload of a row; false ends the walk.
type RowVisitor<'v> = dyn FnMut(&[u8], &mut Blobs) -> bool + 'v;

impl<'a> File<'a> {
    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_sub(1)?.checked_mul(self.page_size)?;
        slice(self.bytes, start, self.page_size)?.get(..self.usable)
    }

    /// Visits the rows of the table whose root is page `root`, in row order.
    fn walk(&mut self, root: usize, out: &mut Blobs, visit: &mut RowVisitor<'_>) {
        if root == 0 || !self.used.take(root, out.problems()) {
            out.malformed("the root page of a table is not valid");
            return;
        }
        // Every page is taken before it is pushed: the stack is bounded by the pages.
        let mut stack = vec![root];
        while let Some(number) = stack.pop() {
            let Some(page) = self.page(number) else {
                out.malformed(format!("page {number} lies outside of the file"));
                continue;
            };
            let base = if number == 1 { FILE_HEADER } else { 0 };
            let count = usize::from(BE.u16(page, base + 3).unwrap_or_default());
            let goes_on = match page.get(base) {
                Some(&LEAF) => self.leaf(number, page, base + 8, count, out, visit),
                Some(&INTERIOR) => {
                    self.interior(number, page, base, count, out, &mut stack);
                    true
                }
                other => {
                    out.malformed(format!(
                        "page {number} of type {} is not a table's",
                        other.copied().unwrap_or_default()
                    ));
                    true
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    fn interior(
        &mut self,
        number: usize,
        page: &[u8],
        base: usize,
        count: usize,
        out: &mut Blobs,
        stack: &mut Vec<usize>,
    ) {
        let mut children = Vec::new();
        for i in 0..count {
            let child = BE
                .u16(page, base + 12 + 2 * i)
                .and_then(|cell| BE.usize32(page, usize::from(cell)));
            match child {
                Some(child) => children.push(child),
                None => {
                    out.malformed(format!("cell {i} of page {number} lies outside of it"));
                    break;
                }
            }
        }
        children.extend(BE.usize32(page, base + 8));
        for child in children.into_iter().rev() {
            if child == 0 {
                out.malformed(format!("page {number} points to page 0"));
            } else if self.used.take(child, out.problems()) {
                stack.push(child);
            }
        }
    }

    fn leaf(
        &mut self,
        number: usize,
        page: &[u8],
        pointers: usize,
        count: usize,
        out: &mut Blobs,
        visit: &mut RowVisitor<'_>,
    ) -> bool {
        // Cells do not overlap, so together they are no larger than the page: forged
        // pointers to one cell stop here.
        let mut left = self.usable;
        for i in 0..count {
            let cell = BE
                .u16(page, pointers + 2 * i)
                .and_then(|at| Cell::new(page, usize::from(at), self.usable));
            let Some(cell) = cell else {
                out.malformed(format!("cell {i} of page {number} can't be read"));
                continue;
            };
            let Some(rest) = left.checked_sub(cell.local.len().max(2)) else {
                out.malformed(format!("cells of page {number} overlap"));
                return true;
            };
            left = rest;
            let goes_on = match cell.overflow {
                None => visit(cell.local, out),
                Some(first) => self.overflow(&cell, first, out, visit),
            };
            if !goes_on {
                return false;
            }
        }
        true
    }

    fn overflow(
        &mut self,
        cell: &Cell<'_>,
        first: usize,
        out: &mut Blobs,
        visit: &mut RowVisitor<'_>,
    ) -> bool {
        if cell.payload_len > self.bytes.len().min(MAX_DATA + 4096) {
            out.malformed(format!("a row claims {} bytes", cell.payload_len));
            return true;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.extend_from_slice(cell.local);
        let mut number = first;
        while buffer.len() < cell.payload_len {
            if number == 0 || !self.used.take(number, out.problems()) {
                break;
            }
            let Some(page) = self.page(number) else {
                break;
            };
            let wanted = cell.payload_len - buffer.len();
            let data = page.get(4..).unwrap_or_default();
            buffer.extend_from_slice(data.get(..wanted).unwrap_or(data));
            number = BE.usize32(page, 0).unwrap_or_default();
        }
        if buffer.len() < cell.payload_len {
            out.malformed(format!(
                "a row has {} bytes instead of {}",
                buffer.len(),
                cell.payload_len
            ));
        }
        let goes_on = visit(&buffer, out);
        self.buffer = buffer;
        goes_on
    }
}

/// A cell of a leaf page.
struct Cell<'a> {
    payload_len: usize,
    local: &'a [u8],
    overflow: Option<usize>,
}

impl<'a> Cell<'a> {
    fn new(page: &'a [u8], at: usize, usable: usize) -> Option<Cell<'a>> {
        let (payload_len, used) = varint(page.get(at..)?)?;
        let payload_len = usize::try_from(payload_len).ok()?;
        let mut at = at + used;
        at += varint(page.get(at..)?)?.1;
        let most = usable - 35;
        if payload_len <= most {
            let local = slice(page, at, payload_len)?;
            return Some(Cell {
                payload_len,
                local,
                overflow: None,
            });
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let fitting = least + (payload_len - least) % (usable - 4);
        let local_len = if fitting <= most { fitting } else { least };
        Some(Cell {
            payload_len,
            local: slice(page, at, local_len)?,
            overflow: Some(BE.usize32(page, at + local_len)?),
        })
    }
}

/// A variable-length number and how many bytes it takes: 7 bits a byte, 8 in the ninth.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().take(9).enumerate() {
        if i == 8 {
            return Some(((value << 8) | u64::from(*byte), 9));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

/// The bytes of a column. The last column of a row cut short gives what is left of it.
fn column_of(row: &[u8], wanted: usize) -> Option<&[u8]> {
    let (header_len, mut at) = varint(row)?;
    let header_len = usize::try_from(header_len).ok()?;
    let header = row.get(..header_len)?;
    let mut start = header_len;
    for column in 0.. {
        let (kind, used) = varint(header.get(at..)?)?;
        at += used;
        let len = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            long => usize::try_from((long - 12) / 2).ok()?,
        };
        let end = start.checked_add(len)?;
        if column == wanted {
            return row.get(start..end.min(row.len()));
        }
        start = end;
    }
    None
}

/// Text in the database's encoding: 1 UTF-8, 2 and 3 UTF-16 in either order.
fn decode(bytes: &[u8], encoding: u32) -> String {
    let endian = match encoding {
        2 => Endian::Little,
        3 => Endian::Big,
        _ => return String::from_utf8_lossy(bytes).into_owned(),
    };
    let units = bytes.chunks_exact(2).filter_map(|unit| endian.u16(unit, 0));
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Place of the column `blob` in a `CREATE TABLE` statement. rpm has made
/// `Packages (hnum …, blob …)` from the start, so 1 where the statement can't be read.
fn blob_column(sql: &str) -> usize {
    let Some((_, body)) = sql.split_once('(') else {
        return 1;
    };
    let mut depth = 0usize;
    let columns = body.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    columns
        .map(|column| column.split_whitespace().next().unwrap_or_default())
        .position(|name| {
            name.trim_matches(['"', '\'', '`', '[', ']'])
                .eq_ignore_ascii_case("blob")
        })
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_take_up_to_nine_bytes() {
        assert_eq!(varint(&[0x7f]), Some((127, 1)));
        assert_eq!(varint(&[0x81, 0x00]), Some((128, 2)));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0xff; 8]), None);
        assert_eq!(varint(&[]), None);
    }

    #[test]
    fn the_blob_column_is_found_in_the_statement() {
        let sql =
            "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)";
        assert_eq!(blob_column(sql), 1);
        assert_eq!(
            blob_column("CREATE TABLE Packages(a DECIMAL(1,2), b, \"blob\" BLOB)"),
            2
        );
        assert_eq!(blob_column(""), 1);
    }
}
