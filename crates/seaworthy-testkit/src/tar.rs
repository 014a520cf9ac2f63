//! Writes tar archives byte by byte, good ones and bad ones.

/// One header block before it is written. The fields are the raw ones of ustar.
#[derive(Debug, Clone)]
pub struct TarHeader {
    /// Name field, at most 100 bytes.
    pub name: Vec<u8>,
    /// Type flag, `b'0'` for a file.
    pub flag: u8,
    /// Size field.
    pub size: u64,
    /// Mode field.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Link name field, at most 100 bytes.
    pub link: Vec<u8>,
    /// Device numbers.
    pub device: (u32, u32),
    /// Magic and version: eight bytes from 257 on.
    pub magic: [u8; 8],
    /// What lies from byte 345 on (prefix, or the GNU fields).
    pub tail: Vec<u8>,
}

impl TarHeader {
    /// A ustar header for `name`; the name is cut to its field.
    pub fn new(name: impl AsRef<[u8]>, flag: u8, size: u64) -> TarHeader {
        TarHeader {
            name: name.as_ref().to_vec(),
            flag,
            size,
            mode: if flag == b'5' { 0o755 } else { 0o644 },
            uid: 0,
            gid: 0,
            mtime: 0,
            link: Vec::new(),
            device: (0, 0),
            magic: *b"ustar\x0000",
            tail: Vec::new(),
        }
    }

    /// The block, with its checksum.
    pub fn block(&self) -> [u8; 512] {
        let mut block = [0; 512];
        put(&mut block, 0, 100, &self.name);
        put_number(&mut block[100..108], u64::from(self.mode));
        put_number(&mut block[108..116], self.uid);
        put_number(&mut block[116..124], self.gid);
        put_number(&mut block[124..136], self.size);
        put_number(&mut block[136..148], u64::try_from(self.mtime).unwrap_or(0));
        block[156] = self.flag;
        put(&mut block, 157, 100, &self.link);
        put(&mut block, 257, 8, &self.magic);
        put_number(&mut block[329..337], u64::from(self.device.0));
        put_number(&mut block[337..345], u64::from(self.device.1));
        put(&mut block, 345, 167, &self.tail);
        set_checksum(&mut block);
        block
    }
}

/// Makes the checksum of a header block fit again.
pub fn set_checksum(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

fn put(block: &mut [u8; 512], at: usize, room: usize, bytes: &[u8]) {
    let count = bytes.len().min(room);
    block[at..at + count].copy_from_slice(&bytes[..count]);
}

/// Octal where it fits, base-256 otherwise.
pub fn put_number(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let text = format!("{value:0digits$o}");
    if text.len() <= digits {
        field[..digits].copy_from_slice(text.as_bytes());
        field[digits] = 0;
        return;
    }
    field.fill(0);
    field[0] = 0x80;
    let bytes = value.to_be_bytes();
    let start = field.len().saturating_sub(bytes.len()).max(1);
    let skip = bytes.len() - (field.len() - start);
    field[start..].copy_from_slice(&bytes[skip..]);
}

/// One record of an extended header, with its length in front.
pub fn pax_record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = key.len() + value.len() + 3;
    let mut length = body + 1;
    while length != body + length.to_string().len() {
        length = body + length.to_string().len();
    }
    let mut record = format!("{length} {key}=").into_bytes();
    record.extend_from_slice(value);
    record.push(b'\n');
    record
}

/// Appends a member: header, body, zeros up to a block.
pub fn push_member(out: &mut Vec<u8>, header: &TarHeader, body: &[u8]) {
    out.extend_from_slice(&header.block());
    push_padded(out, body);
}

/// Appends bytes and zeros up to a block.
pub fn push_padded(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(512), 0);
}

/// Appends the end marker.
pub fn push_end(out: &mut Vec<u8>) {
    out.resize(out.len() + 1024, 0);
}
