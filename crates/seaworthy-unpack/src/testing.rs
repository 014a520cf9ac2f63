//! What the tests of this crate share: a visitor that writes down, and makers of archives.

#![expect(clippy::cast_possible_truncation, reason = "fixtures are small")]

use crate::{Flow, Format, Incomplete, Limits, Member, Visitor, unpack};

/// EICAR's test string, stored so that no scanner trips on this source.
pub(crate) fn eicar() -> Vec<u8> {
    b"\x02\x6f\x15\x7b\x0a\x7f\x1a\x1b\x0a\x01\x6e\x06\x0a\x00\x02\x6f\x6e\x72\x0a\x04\x73\x6d\x19\x19\x73\x6d\x27\x7e\x1f\x13\x19\x1b\x08\x77\x09\x0e\x1b\x14\x1e\x1b\x08\x1e\x77\x1b\x14\x0e\x13\x0c\x13\x08\x0f\x09\x77\x0e\x1f\x09\x0e\x77\x1c\x13\x16\x1f\x7b\x7e\x12\x71\x12\x70"
        .iter()
        .map(|b| b ^ 0x5a)
        .collect()
}

/// Something that packs well but not to nothing.
pub(crate) fn prose(length: usize) -> Vec<u8> {
    let mut seed = 0x2545_f491_u32;
    let mut out = Vec::with_capacity(length + 16);
    while out.len() < length {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let word = [
            "anchor ", "hull ", "keel ", "mast ", "tide\n", "rudder ", "bilge ", "42 ",
        ];
        out.extend_from_slice(word[(seed >> 29) as usize].as_bytes());
        if seed & 0xff00 == 0 {
            out.extend_from_slice(&seed.to_le_bytes());
        }
    }
    out.truncate(length);
    out
}

/// One entered member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub inside: String,
    pub bytes: Vec<u8>,
    pub depth: u8,
    pub container: Format,
    pub mode: Option<u32>,
    pub complete: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub seen: Vec<Seen>,
    pub left: Vec<String>,
    pub incomplete: Vec<(String, Incomplete)>,
    /// Members to stop at or not to open.
    pub stop_at: Option<&'static str>,
    pub skip_inside: Option<&'static str>,
}

impl Visitor for Recorder {
    fn enter(&mut self, member: &Member<'_>, bytes: &[u8]) -> Flow {
        self.seen.push(Seen {
            inside: member.inside.to_owned(),
            bytes: bytes.to_vec(),
            depth: member.depth,
            container: member.container,
            mode: member.mode,
            complete: member.complete,
        });
        if self.stop_at == Some(member.name) {
            Flow::Stop
        } else if self.skip_inside == Some(member.name) {
            Flow::SkipInside
        } else {
            Flow::Continue
        }
    }

    fn leave(&mut self, member: &Member<'_>) {
        self.left.push(member.inside.to_owned());
    }

    fn incomplete(&mut self, inside: Option<&str>, why: &Incomplete) {
        let inside = inside.unwrap_or("itself").to_owned();
        self.incomplete.push((inside, why.clone()));
    }
}

impl Recorder {
    pub fn names(&self) -> Vec<&str> {
        self.seen.iter().map(|seen| seen.inside.as_str()).collect()
    }

    pub fn bytes_of(&self, inside: &str) -> &[u8] {
        &self
            .seen
            .iter()
            .find(|seen| seen.inside == inside)
            .unwrap()
            .bytes
    }

    /// The faults as text, `place: why`.
    pub fn faults(&self) -> Vec<String> {
        self.incomplete
            .iter()
            .map(|(place, why)| format!("{place}: {why}"))
            .collect()
    }
}

pub(crate) fn walk_with(bytes: &[u8], limits: &Limits) -> Recorder {
    let mut recorder = Recorder::default();
    unpack(bytes, Format::of(bytes).unwrap(), limits, &mut recorder);
    recorder
}

pub(crate) fn walk(bytes: &[u8]) -> Recorder {
    walk_with(bytes, &Limits::default())
}

/// Walks what must be whole.
pub(crate) fn walk_whole(bytes: &[u8]) -> Recorder {
    let recorder = walk(bytes);
    assert_eq!(recorder.incomplete, [], "{:?}", recorder.names());
    assert!(recorder.seen.iter().all(|seen| seen.complete));
    recorder
}

pub(crate) fn gzip(bytes: &[u8], name: Option<&str>) -> Vec<u8> {
    use std::io::Write;
    let mut builder = flate2::GzBuilder::new();
    if let Some(name) = name {
        builder = builder.filename(name);
    }
    let mut encoder = builder.write(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    use seaworthy_testkit::tar::{TarHeader, push_end, push_member};
    let mut out = Vec::new();
    for (name, body) in members {
        push_member(
            &mut out,
            &TarHeader::new(name, b'0', body.len() as u64),
            body,
        );
    }
    push_end(&mut out);
    out
}

/// One member of a zip archive to write.
#[derive(Debug, Clone)]
pub(crate) struct ZipMember {
    pub name: String,
    pub method: u16,
    pub flags: u16,
    pub packed: Vec<u8>,
    pub unpacked: u64,
    pub sum: u32,
    /// Unix mode for the directory.
    pub mode: u32,
}

impl ZipMember {
    pub fn stored(name: &str, bytes: &[u8]) -> ZipMember {
        ZipMember {
            name: name.to_owned(),
            method: 0,
            flags: 0,
            packed: bytes.to_vec(),
            unpacked: bytes.len() as u64,
            sum: crc32fast::hash(bytes),
            mode: 0,
        }
    }

    pub fn packed(name: &str, bytes: &[u8], method: u16, packed: Vec<u8>) -> ZipMember {
        ZipMember {
            method,
            packed,
            ..ZipMember::stored(name, bytes)
        }
    }

    pub fn deflated(name: &str, bytes: &[u8]) -> ZipMember {
        ZipMember::packed(name, bytes, 8, deflate(bytes))
    }

    fn tail(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.sum.to_le_bytes());
        out.extend((self.packed.len() as u32).to_le_bytes());
        out.extend((self.unpacked as u32).to_le_bytes());
        out.extend((self.name.len() as u16).to_le_bytes());
        out.extend([0, 0]);
        out
    }

    /// Header in front and data.
    pub fn local(&self) -> Vec<u8> {
        let mut out = b"PK\x03\x04\x14\0".to_vec();
        out.extend(self.flags.to_le_bytes());
        out.extend(self.method.to_le_bytes());
        out.extend([0; 4]);
        if self.flags & 8 == 0 {
            out.extend(self.tail());
        } else {
            out.extend([0; 12]);
            out.extend((self.name.len() as u16).to_le_bytes());
            out.extend([0, 0]);
        }
        out.extend(self.name.as_bytes());
        out.extend(&self.packed);
        if self.flags & 8 != 0 {
            out.extend(b"PK\x07\x08");
            out.extend(&self.tail()[..12]);
        }
        out
    }

    pub fn directory_entry(&self, offset: usize) -> Vec<u8> {
        let mut out = b"PK\x01\x02\x14\x03\x14\0".to_vec();
        out.extend(self.flags.to_le_bytes());
        out.extend(self.method.to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.tail());
        out.extend([0; 6]);
        out.extend((self.mode << 16).to_le_bytes());
        out.extend((offset as u32).to_le_bytes());
        out.extend(self.name.as_bytes());
        out
    }
}

/// The record at the end of a zip archive.
pub(crate) fn zip_end(count: usize, start: usize, length: usize) -> Vec<u8> {
    let mut out = b"PK\x05\x06\0\0\0\0".to_vec();
    out.extend((count as u16).to_le_bytes());
    out.extend((count as u16).to_le_bytes());
    out.extend((length as u32).to_le_bytes());
    out.extend((start as u32).to_le_bytes());
    out.extend([0, 0]);
    out
}

pub(crate) fn zip(members: &[ZipMember]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        directory.extend(member.directory_entry(out.len()));
        out.extend(member.local());
    }
    let start = out.len();
    out.extend(&directory);
    out.extend(zip_end(members.len(), start, directory.len()));
    out
}

pub(crate) fn ar_member(name: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
        0,
        0,
        0,
        "100644",
        body.len()
    )
    .into_bytes();
    out.extend(body);
    if out.len() % 2 == 1 {
        out.push(b'\n');
    }
    out
}

pub(crate) fn cpio_newc(magic: &str, members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, body) in members.iter().chain(&[("TRAILER!!!", &b""[..])]) {
        let sum: u32 = body.iter().map(|&b| u32::from(b)).sum();
        let sum = if magic == "070702" { sum } else { 0 };
        let numbers = [
            1,
            0o100_755,
            0,
            0,
            1,
            0,
            body.len() as u32,
            0,
            0,
            0,
            0,
            name.len() as u32 + 1,
            sum,
        ];
        out.extend(magic.as_bytes());
        for number in numbers {
            out.extend(format!("{number:08x}").into_bytes());
        }
        out.extend(name.as_bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(*body);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

pub(crate) fn cpio_odc(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, body) in members.iter().chain(&[("TRAILER!!!", &b""[..])]) {
        out.extend(
            format!(
                "070707{:06o}{:06o}{:06o}{:06o}{:06o}{:06o}{:06o}{:011o}{:06o}{:011o}{name}\0",
                0,
                1,
                0o100_755,
                0,
                0,
                1,
                0,
                0,
                name.len() + 1,
                body.len()
            )
            .into_bytes(),
        );
        out.extend(*body);
    }
    out
}

pub(crate) fn cpio_binary(order: fn(u16) -> [u8; 2], members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, body) in members.iter().chain(&[("TRAILER!!!", &b""[..])]) {
        let (high, low) = ((body.len() >> 16) as u16, body.len() as u16);
        for number in [
            0o70707,
            0,
            1,
            0o100_755,
            0,
            0,
            1,
            0,
            0,
            0,
            name.len() as u16 + 1,
            high,
            low,
        ] {
            out.extend(order(number));
        }
        out.extend(name.as_bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(2), 0);
        out.extend(*body);
        out.resize(out.len().next_multiple_of(2), 0);
    }
    out
}

/// A package with two small headers around `payload`.
pub(crate) fn rpm(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0xed, 0xab, 0xee, 0xdb, 3, 0];
    out.resize(96, 0);
    for data in [&b"five!"[..], b"header"] {
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend([0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        out.extend((data.len() as u32).to_be_bytes());
        out.extend([0; 16]);
        out.extend(data);
    }
    out.extend(payload);
    out
}

/// Something like machine code: prose with calls, jumps and loads of many processors in it.
pub(crate) fn code(length: usize) -> Vec<u8> {
    let mut out = prose(length);
    let marks: [&[u8]; 8] = [
        &[0xe8, 0x10, 0x20, 0, 0],
        &[0xe9, 0xf0, 0xff, 0xff, 0xff],
        &[0xe8, 0xe8, 0, 0, 0xff, 0xe9, 0, 0],
        &[0x10, 0x20, 0x30, 0xeb],
        &[0x12, 0xf0, 0x34, 0xf8],
        &[0x48, 0x01, 0x02, 0x01],
        &[0x40, 0x00, 0x12, 0x34],
        &[0x03, 0x00, 0x00, 0x94, 0x21, 0x00, 0x00, 0xb0],
    ];
    for (turn, at) in (0..length.saturating_sub(16)).step_by(20).enumerate() {
        let mark = marks[turn % marks.len()];
        out[at..at + mark.len()].copy_from_slice(mark);
    }
    out
}

pub(crate) fn xz(bytes: &[u8], options: lzma_rust2::XzOptions) -> Vec<u8> {
    use std::io::Write;
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// A file of LZMA alone, with its length or an end marker.
pub(crate) fn lzma(bytes: &[u8], options: &lzma_rust2::LzmaOptions, length: bool) -> Vec<u8> {
    use std::io::Write;
    let length = length.then_some(bytes.len() as u64);
    let mut writer = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), options, length).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// A solid 7z archive.
pub(crate) fn sevenz(
    members: &[(&str, &[u8])],
    methods: &[sevenz_rust2::EncoderMethod],
) -> Vec<u8> {
    use sevenz_rust2::{ArchiveEntry, ArchiveWriter, EncoderConfiguration};
    let mut writer = ArchiveWriter::new(std::io::Cursor::new(Vec::new())).unwrap();
    writer.set_content_methods(
        methods
            .iter()
            .map(|m| EncoderConfiguration::new(*m))
            .collect(),
    );
    let entries = members
        .iter()
        .map(|(name, _)| ArchiveEntry::new_file(name))
        .collect();
    let bodies = members.iter().map(|(_, body)| (*body).into()).collect();
    writer.push_archive_entries(entries, bodies).unwrap();
    let folder = ArchiveEntry::new_directory("folder");
    writer.push_archive_entry::<&[u8]>(folder, None).unwrap();
    writer.finish().unwrap().into_inner()
}

pub(crate) fn squashfs(
    members: &[(&str, &[u8])],
    compressor: backhand::compression::Compressor,
) -> Vec<u8> {
    use backhand::{FilesystemCompressor, FilesystemWriter, NodeHeader};
    let mut fs = FilesystemWriter::default();
    fs.set_block_size(4096);
    fs.set_compressor(FilesystemCompressor::new(compressor, None).unwrap());
    let header = NodeHeader::new(0o755, 0, 0, 0);
    for (name, body) in members {
        if let Some((folder, _)) = name.rsplit_once('/') {
            fs.push_dir_all(folder, header).unwrap();
        }
        fs.push_file(std::io::Cursor::new(body.to_vec()), name, header)
            .unwrap();
    }
    fs.push_symlink("/etc/shadow", "link", header).unwrap();
    let mut out = std::io::Cursor::new(Vec::new());
    fs.write(&mut out).unwrap();
    out.into_inner()
}
