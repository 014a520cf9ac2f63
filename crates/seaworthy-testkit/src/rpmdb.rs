//! rpm headers and the three kinds of database around them, byte by byte.
//!
//! Written from the same public format descriptions that readers use, and kept simple:
//! one page kind at a time, no free space management.

/// Types of header entries.
const INT16: u32 = 3;
const INT32: u32 = 4;
const STRING: u32 = 6;
const BIN: u32 = 7;
const STRING_ARRAY: u32 = 8;

/// Maker of a header blob.
#[derive(Debug, Clone, Default)]
pub struct RpmHeader {
    entries: Vec<(u32, u32, u32, Vec<u8>)>,
    dribbles: Vec<(u32, u32, u32, Vec<u8>)>,
    files: Vec<(String, String, u16, String)>,
    legacy: bool,
}

impl RpmHeader {
    /// A header with name, version and release.
    pub fn new(name: &str, version: &str, release: &str) -> RpmHeader {
        RpmHeader::default()
            .string(1000, name)
            .string(1001, version)
            .string(1002, release)
    }

    /// Adds a string under a tag.
    #[must_use]
    pub fn string(self, tag: u32, text: &str) -> RpmHeader {
        let mut data = text.as_bytes().to_vec();
        data.push(0);
        self.raw(tag, STRING, 1, data)
    }

    /// Adds a 32-bit number under a tag.
    #[must_use]
    pub fn number(self, tag: u32, number: u32) -> RpmHeader {
        self.raw(tag, INT32, 1, number.to_be_bytes().to_vec())
    }

    /// Adds an entry of any type, count and content.
    #[must_use]
    pub fn raw(mut self, tag: u32, kind: u32, count: u32, data: Vec<u8>) -> RpmHeader {
        self.entries.push((tag, kind, count, data));
        self
    }

    /// Adds a string behind the region, where it overrides one in it.
    #[must_use]
    pub fn dribble(mut self, tag: u32, text: &str) -> RpmHeader {
        let mut data = text.as_bytes().to_vec();
        data.push(0);
        self.dribbles.push((tag, STRING, 1, data));
        self
    }

    /// Sets the epoch.
    #[must_use]
    pub fn epoch(self, epoch: u32) -> RpmHeader {
        self.number(1003, epoch)
    }

    /// Sets architecture, source rpm and vendor, as nearly every package has them.
    #[must_use]
    pub fn built(self, arch: &str, source_rpm: &str, vendor: &str) -> RpmHeader {
        self.string(1022, arch)
            .string(1044, source_rpm)
            .string(1011, vendor)
    }

    /// Adds a file: directory with its last slash, name, mode with type bits, digest.
    #[must_use]
    pub fn file(mut self, directory: &str, name: &str, mode: u16, digest: &str) -> RpmHeader {
        self.files
            .push((directory.into(), name.into(), mode, digest.into()));
        self
    }

    /// Leaves the region out, as rpm 3 did.
    #[must_use]
    pub fn legacy(mut self) -> RpmHeader {
        self.legacy = true;
        self
    }

    /// The blob.
    pub fn build(&self) -> Vec<u8> {
        let mut entries = self.entries.clone();
        if !self.files.is_empty() {
            let mut directories: Vec<&str> = Vec::new();
            let mut indexes = Vec::new();
            for (directory, ..) in &self.files {
                let index = directories.iter().position(|known| known == directory);
                let index = index.unwrap_or_else(|| {
                    directories.push(directory);
                    directories.len() - 1
                });
                indexes.extend(len32(index).to_be_bytes());
            }
            let count = len32(self.files.len());
            let modes = self.files.iter().flat_map(|f| f.2.to_be_bytes()).collect();
            let names = self.files.iter().map(|f| f.1.as_str());
            let digests = self.files.iter().map(|f| f.3.as_str());
            entries.push((1030, INT16, count, modes));
            entries.push((1035, STRING_ARRAY, count, strings(digests)));
            entries.push((1116, INT32, count, indexes));
            entries.push((1117, STRING_ARRAY, count, strings(names)));
            let directory_count = len32(directories.len());
            entries.push((1118, STRING_ARRAY, directory_count, strings(directories)));
        }
        entries.sort_by_key(|entry| entry.0);

        let mut index = Vec::new();
        let mut data = Vec::new();
        let mut put = |index: &mut Vec<u8>, entry: &(u32, u32, u32, Vec<u8>)| {
            let (tag, kind, count, bytes) = entry;
            let alignment = match *kind {
                INT16 => 2,
                INT32 => 4,
                _ => 1,
            };
            while data.len() % alignment != 0 {
                data.push(0);
            }
            for number in [*tag, *kind, len32(data.len()), *count] {
                index.extend(number.to_be_bytes());
            }
            data.extend(bytes);
            data.len()
        };
        for entry in &entries {
            put(&mut index, entry);
        }
        if !self.legacy {
            // The trailer says how many entries, itself included, the region has.
            let back = len32((entries.len() + 1) * 16).wrapping_neg();
            let mut trailer = Vec::new();
            for number in [63, BIN, back, 16] {
                trailer.extend(number.to_be_bytes());
            }
            let mut region = Vec::new();
            put(&mut region, &(63, BIN, 16, trailer));
            index.splice(0..0, region);
        }
        for entry in &self.dribbles {
            put(&mut index, entry);
        }
        let mut blob = Vec::new();
        blob.extend(len32(index.len() / 16).to_be_bytes());
        blob.extend(len32(data.len()).to_be_bytes());
        blob.extend(index);
        blob.extend(data);
        blob
    }
}

fn strings<'a>(all: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Vec::new();
    for one in all {
        out.extend(one.as_bytes());
        out.push(0);
    }
    out
}

fn len32(len: usize) -> u32 {
    u32::try_from(len).expect("fixtures are small")
}

fn len16(len: usize) -> u16 {
    u16::try_from(len).expect("fixtures are small")
}

/// A Berkeley DB hash file of pages of 512 bytes. Blobs over 400 bytes go to overflow
/// pages. `big_endian` is the byte order, `sorted` the kind of hash page (13 or 2).
pub fn bdb(blobs: &[Vec<u8>], big_endian: bool, sorted: bool) -> Vec<u8> {
    const PAGE: usize = 512;
    let n32 = |n: u32| {
        if big_endian {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let n16 = |n: u16| {
        if big_endian {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let page = |number: usize, next: usize, entries: usize, offset: usize, kind: u8| {
        let mut page = vec![0; PAGE];
        page[8..12].copy_from_slice(&n32(len32(number)));
        page[16..20].copy_from_slice(&n32(len32(next)));
        page[20..22].copy_from_slice(&n16(len16(entries)));
        page[22..24].copy_from_slice(&n16(len16(offset)));
        page[25] = kind;
        page
    };
    // One hash page per pair keeps the layout plain; rpm's counter comes first.
    let mut pages: Vec<Vec<u8>> = vec![vec![0; PAGE]];
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = vec![(
        [vec![1], vec![0; 4]].concat(),
        [vec![1], n32(9).to_vec()].concat(),
    )];
    for (i, blob) in blobs.iter().enumerate() {
        let key = [vec![1], n32(len32(i + 1)).to_vec()].concat();
        let value = if blob.len() <= 400 {
            [vec![1], blob.clone()].concat()
        } else {
            let first = pages.len();
            let parts: Vec<&[u8]> = blob.chunks(PAGE - 26).collect();
            for (n, part) in parts.iter().enumerate() {
                let number = first + n;
                let next = if n + 1 < parts.len() { number + 1 } else { 0 };
                let mut overflow = page(number, next, 1, part.len(), 7);
                overflow[26..26 + part.len()].copy_from_slice(part);
                pages.push(overflow);
            }
            let mut value = vec![3, 0, 0, 0];
            value.extend(n32(len32(first)));
            value.extend(n32(len32(blob.len())));
            value
        };
        pairs.push((key, value));
    }
    for (key, value) in pairs {
        let key_at = PAGE - key.len();
        let value_at = key_at - value.len();
        let mut hash = page(pages.len(), 0, 2, value_at, if sorted { 13 } else { 2 });
        hash[26..28].copy_from_slice(&n16(len16(key_at)));
        hash[28..30].copy_from_slice(&n16(len16(value_at)));
        hash[key_at..].copy_from_slice(&key);
        hash[value_at..key_at].copy_from_slice(&value);
        pages.push(hash);
    }
    let last = len32(pages.len() - 1);
    let meta = &mut pages[0];
    meta[12..16].copy_from_slice(&n32(0x0006_1561));
    meta[16..20].copy_from_slice(&n32(9));
    meta[20..24].copy_from_slice(&n32(len32(PAGE)));
    meta[25] = 8;
    meta[32..36].copy_from_slice(&n32(last));
    pages.concat()
}

/// An ndb file with one slot page.
pub fn ndb(blobs: &[Vec<u8>]) -> Vec<u8> {
    let mut slots = vec![0; 4096];
    slots[..4].copy_from_slice(b"RpmP");
    slots[12..16].copy_from_slice(&1u32.to_le_bytes());
    for slot in slots[32..].chunks_mut(16) {
        slot[..4].copy_from_slice(b"Slot");
    }
    let mut out = Vec::new();
    for (i, blob) in blobs.iter().enumerate() {
        let package = len32(i + 1);
        let start = out.len();
        out.extend(b"BlbS");
        for number in [package, 1, len32(blob.len())] {
            out.extend(number.to_le_bytes());
        }
        out.extend(blob);
        while (out.len() - start + 12) % 16 != 0 {
            out.push(0);
        }
        let sum = adler32(&out[start..]);
        out.extend(sum.to_le_bytes());
        out.extend(len32(blob.len()).to_le_bytes());
        out.extend(b"BlbE");
        let slot = &mut slots[32 + i * 16..48 + i * 16];
        slot[4..8].copy_from_slice(&package.to_le_bytes());
        slot[8..12].copy_from_slice(&len32((4096 + start) / 16).to_le_bytes());
        slot[12..16].copy_from_slice(&len32((out.len() - start) / 16).to_le_bytes());
    }
    [slots, out].concat()
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    (b << 16) | a
}

/// An SQLite file with the table `Packages`, with pages of `page_size` bytes (512 or
/// more): page 1 the schema, page 2 the table's root, an interior page over one leaf per
/// row, and overflow pages where a row needs them.
pub fn sqlite(blobs: &[Vec<u8>], page_size: usize) -> Vec<u8> {
    let sql = "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)";
    let mut pages: Vec<Vec<u8>> = vec![vec![0; page_size], vec![0; page_size]];
    let schema = record(&[
        (13 + 2 * 5, b"table".to_vec()),
        (13 + 2 * 8, b"Packages".to_vec()),
        (13 + 2 * 8, b"Packages".to_vec()),
        (1, vec![2]),
        (13 + 2 * sql.len() as u64, sql.as_bytes().to_vec()),
    ]);
    leaf_page(&mut pages, 0, 1, &schema);
    let mut children = Vec::new();
    for (i, blob) in blobs.iter().enumerate() {
        let row = record(&[(0, vec![]), (12 + 2 * blob.len() as u64, blob.clone())]);
        pages.push(vec![0; page_size]);
        let number = pages.len() - 1;
        leaf_page(&mut pages, number, i as u64 + 1, &row);
        children.push(number + 1);
    }
    interior_page(&mut pages[1], &children);
    let count = len32(pages.len());
    let head = &mut pages[0];
    head[..16].copy_from_slice(b"SQLite format 3\0");
    let stored = if page_size == 65536 {
        1
    } else {
        len16(page_size)
    };
    head[16..18].copy_from_slice(&stored.to_be_bytes());
    head[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
    head[28..32].copy_from_slice(&count.to_be_bytes());
    head[56..60].copy_from_slice(&1u32.to_be_bytes());
    pages.concat()
}

/// A row: header length, the columns' types, the columns.
fn record(columns: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let types: Vec<u8> = columns.iter().flat_map(|(kind, _)| varint(*kind)).collect();
    let mut out = varint(types.len() as u64 + 1);
    out.extend(types);
    out.extend(columns.iter().flat_map(|(_, bytes)| bytes.clone()));
    out
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = vec![(number & 0x7f) as u8];
    while number > 0x7f {
        number >>= 7;
        out.insert(0, (number & 0x7f) as u8 | 0x80);
    }
    out
}

fn leaf_page(pages: &mut Vec<Vec<u8>>, index: usize, row_id: u64, payload: &[u8]) {
    let usable = pages[index].len();
    let most = usable - 35;
    let mut cell = varint(payload.len() as u64);
    cell.extend(varint(row_id));
    if payload.len() <= most {
        cell.extend(payload);
    } else {
        let least = (usable - 12) * 32 / 255 - 23;
        let fitting = least + (payload.len() - least) % (usable - 4);
        let local = if fitting <= most { fitting } else { least };
        cell.extend(&payload[..local]);
        cell.extend(len32(pages.len() + 1).to_be_bytes());
        let parts: Vec<&[u8]> = payload[local..].chunks(usable - 4).collect();
        for (n, part) in parts.iter().enumerate() {
            let next = if n + 1 < parts.len() {
                pages.len() + 2
            } else {
                0
            };
            let mut page = len32(next).to_be_bytes().to_vec();
            page.extend(*part);
            page.resize(usable, 0);
            pages.push(page);
        }
    }
    let base = if index == 0 { 100 } else { 0 };
    let at = usable - cell.len();
    let page = &mut pages[index];
    page[base] = 13;
    page[base + 3..base + 5].copy_from_slice(&1u16.to_be_bytes());
    page[base + 8..base + 10].copy_from_slice(&len16(at).to_be_bytes());
    page[at..].copy_from_slice(&cell);
}

fn interior_page(page: &mut [u8], children: &[usize]) {
    let Some((last, others)) = children.split_last() else {
        // A table without rows is an empty leaf.
        page[0] = 13;
        return;
    };
    page[0] = 5;
    page[3..5].copy_from_slice(&len16(others.len()).to_be_bytes());
    page[8..12].copy_from_slice(&len32(*last).to_be_bytes());
    let mut at = page.len();
    for (i, child) in others.iter().enumerate() {
        let mut cell = len32(*child).to_be_bytes().to_vec();
        cell.extend(varint(i as u64 + 1));
        at -= cell.len();
        page[at..at + cell.len()].copy_from_slice(&cell);
        page[12 + 2 * i..14 + 2 * i].copy_from_slice(&len16(at).to_be_bytes());
    }
}
