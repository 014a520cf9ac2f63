//! Writes layers: archives of what an image changes, with their digests.

use std::io::Write;

use sha2::{Digest, Sha256};

use crate::tar::{TarHeader, pax_record, push_end, push_member, push_padded};

/// How a layer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// One gzip member.
    Gzip,
    /// Several gzip members, as parallel and seekable writers make them.
    GzipMembers,
    /// zstd, in two frames with a skippable one between.
    Zstd,
}

/// A layer as it is stored.
#[derive(Debug, Clone)]
pub struct BuiltLayer {
    /// The stored bytes.
    pub bytes: Vec<u8>,
    /// `sha256:…` of the stored bytes.
    pub digest: String,
    /// `sha256:…` of the uncompressed bytes.
    pub diff_id: String,
    /// OCI media type.
    pub media_type: &'static str,
}

/// Puts a layer together, entry by entry, in the order of the calls.
#[derive(Debug, Clone, Default)]
pub struct LayerBuilder {
    bytes: Vec<u8>,
    owner: (u64, u64),
    mtime: i64,
    gnu_names: bool,
    pax: Vec<u8>,
    no_end: bool,
}

impl LayerBuilder {
    /// An empty layer.
    pub fn new() -> LayerBuilder {
        LayerBuilder::default()
    }

    /// Owner and group of what follows.
    #[must_use]
    pub fn owner(mut self, uid: u64, gid: u64) -> LayerBuilder {
        self.owner = (uid, gid);
        self
    }

    /// Time of what follows.
    #[must_use]
    pub fn mtime(mut self, seconds: i64) -> LayerBuilder {
        self.mtime = seconds;
        self
    }

    /// Writes long names the way GNU tar does, not with extended headers.
    #[must_use]
    pub fn gnu_names(mut self) -> LayerBuilder {
        self.gnu_names = true;
        self
    }

    /// Puts a record into the extended header of the next entry.
    #[must_use]
    pub fn pax(mut self, key: &str, value: impl AsRef<[u8]>) -> LayerBuilder {
        self.pax.extend(pax_record(key, value.as_ref()));
        self
    }

    /// A file of mode 0644.
    #[must_use]
    pub fn file(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> LayerBuilder {
        self.file_with_mode(path, 0o644, content)
    }

    /// A file of any mode.
    #[must_use]
    pub fn file_with_mode(
        self,
        path: impl AsRef<[u8]>,
        mode: u32,
        content: impl AsRef<[u8]>,
    ) -> LayerBuilder {
        let content = content.as_ref();
        let mut header = TarHeader::new("", b'0', content.len() as u64);
        header.mode = mode;
        self.entry(path.as_ref(), &[], header, content)
    }

    /// A directory of mode 0755.
    #[must_use]
    pub fn dir(self, path: impl AsRef<[u8]>) -> LayerBuilder {
        self.entry(path.as_ref(), &[], TarHeader::new("", b'5', 0), &[])
    }

    /// A symbolic link.
    #[must_use]
    pub fn symlink(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> LayerBuilder {
        let mut header = TarHeader::new("", b'2', 0);
        header.mode = 0o777;
        self.entry(path.as_ref(), target.as_ref(), header, &[])
    }

    /// A hard link.
    #[must_use]
    pub fn hardlink(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> LayerBuilder {
        let header = TarHeader::new("", b'1', 0);
        self.entry(path.as_ref(), target.as_ref(), header, &[])
    }

    /// A device: `b'3'` for a character, `b'4'` for a block device.
    #[must_use]
    pub fn device(self, path: impl AsRef<[u8]>, flag: u8, major: u32, minor: u32) -> LayerBuilder {
        let mut header = TarHeader::new("", flag, 0);
        header.device = (major, minor);
        self.entry(path.as_ref(), &[], header, &[])
    }

    /// A named pipe.
    #[must_use]
    pub fn fifo(self, path: impl AsRef<[u8]>) -> LayerBuilder {
        self.entry(path.as_ref(), &[], TarHeader::new("", b'6', 0), &[])
    }

    /// Deletes `path` from the layers below.
    #[must_use]
    pub fn whiteout(self, path: &str) -> LayerBuilder {
        let marker = match path.rsplit_once('/') {
            Some((parent, name)) => format!("{parent}/.wh.{name}"),
            None => format!(".wh.{path}"),
        };
        self.file(marker, b"")
    }

    /// Hides what the layers below have in `dir`.
    #[must_use]
    pub fn opaque(self, dir: &str) -> LayerBuilder {
        self.file(format!("{dir}/.wh..wh..opq"), b"")
    }

    /// A header as it is given, and a body whether it fits or not.
    #[must_use]
    pub fn raw(mut self, header: &TarHeader, body: &[u8]) -> LayerBuilder {
        push_member(&mut self.bytes, header, body);
        self
    }

    /// Any bytes at all.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> LayerBuilder {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Leaves out the end marker.
    #[must_use]
    pub fn without_end(mut self) -> LayerBuilder {
        self.no_end = true;
        self
    }

    fn entry(
        mut self,
        path: &[u8],
        link: &[u8],
        mut header: TarHeader,
        body: &[u8],
    ) -> LayerBuilder {
        let mut records = std::mem::take(&mut self.pax);
        for (name, flag, key, value) in [
            (&mut header.name, b'L', "path", path),
            (&mut header.link, b'K', "linkpath", link),
        ] {
            name.extend_from_slice(&value[..value.len().min(100)]);
            if value.len() <= 100 {
                continue;
            }
            if self.gnu_names {
                let text = [value, b"\0"].concat();
                let mut long = TarHeader::new("././@LongLink", flag, text.len() as u64);
                long.magic = *b"ustar  \0";
                push_member(&mut self.bytes, &long, &text);
            } else {
                records.extend(pax_record(key, value));
            }
        }
        if self.mtime < 0 {
            records.extend(pax_record("mtime", self.mtime.to_string().as_bytes()));
        }
        if !records.is_empty() {
            let extended = TarHeader::new("PaxHeaders/entry", b'x', records.len() as u64);
            push_member(&mut self.bytes, &extended, &records);
        }
        (header.uid, header.gid) = self.owner;
        header.mtime = self.mtime;
        self.bytes.extend_from_slice(&header.block());
        push_padded(&mut self.bytes, body);
        self
    }

    /// The uncompressed archive.
    pub fn tar(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if !self.no_end {
            push_end(&mut bytes);
        }
        bytes
    }

    /// The layer as it would be stored.
    pub fn build(&self, compression: Compression) -> BuiltLayer {
        let tar = self.tar();
        let bytes = compress(&tar, compression);
        BuiltLayer {
            digest: sha256(&bytes),
            diff_id: sha256(&tar),
            media_type: match compression {
                Compression::None => "application/vnd.oci.image.layer.v1.tar",
                Compression::Gzip | Compression::GzipMembers => {
                    "application/vnd.oci.image.layer.v1.tar+gzip"
                }
                Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
            },
            bytes,
        }
    }
}

/// `sha256:…` of bytes.
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Compresses bytes.
pub fn compress(bytes: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => gzip(bytes),
        Compression::GzipMembers => {
            let size = (bytes.len() / 3).max(1);
            bytes.chunks(size).flat_map(gzip).collect()
        }
        Compression::Zstd => {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            let mut out = zstd_frame(first);
            out.extend_from_slice(b"\x50\x2a\x4d\x18\x04\0\0\0skip");
            out.extend(zstd_frame(second));
            out
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("memory takes all bytes")
}

fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("memory takes all bytes")
}
