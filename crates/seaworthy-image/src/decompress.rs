//! Undoes the compression of a layer or archive while it streams.
//!
//! What it is compressed with is told by its first bytes (RFC 1952 section 2.3.1, RFC 8878
//! section 3.1): media types and file names are claims of others. Gzip may have many
//! members (eStargz, pigz), zstd many frames and skippable ones. The window of zstd is
//! bounded to 128 MiB, as is its default, and the output by [`Limits`]. xz, bzip2, lz4 and
//! LZMA are recognised only to say that they are not read: no engine takes them as layers.

use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use seaworthy_core::{Digest, DigestAlgorithm, Problem, ProblemKind};

use crate::Limits;
use crate::fault;
use crate::hash::Hasher;
use crate::inflate::GzipReader;

/// Largest window of a zstd frame, as a power of two: 128 MiB.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Bytes inflated between two looks at the limits.
const MAX_STEP: usize = 1 << 20;

/// Compressed bytes read at once.
const INPUT_BUFFER: usize = 128 * 1024;

/// What a stream is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// Something that is not read here, by its name.
    Unsupported(&'static str),
}

/// Recognises the compression by the first bytes; eight are enough.
pub fn sniff(head: &[u8]) -> Compression {
    match head {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Unsupported("xz"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => {
            Compression::Unsupported("bzip2")
        }
        [0x04, 0x22, 0x4d, 0x18, ..] => Compression::Unsupported("lz4"),
        [0x5d, 0, 0, _, _, 0xff, ..] => Compression::Unsupported("lzma"),
        _ => Compression::None,
    }
}

/// A stream whose compression is known and whose first bytes are not lost.
pub(crate) struct Sniffed {
    pub compression: Compression,
    raw: Box<dyn Read + Send>,
}

impl Sniffed {
    /// Looks at the first bytes of `raw`.
    pub fn new(mut raw: Box<dyn Read + Send>) -> io::Result<Sniffed> {
        let mut head = Vec::with_capacity(8);
        raw.by_ref().take(8).read_to_end(&mut head)?;
        Ok(Sniffed {
            compression: sniff(&head),
            raw: Box::new(io::Cursor::new(head).chain(raw)),
        })
    }

    /// The decompressed stream, under `limits`. `hash_stored` makes a digest of the stored
    /// bytes on the way.
    pub fn decode(
        self,
        limits: &Limits,
        hash_stored: Option<DigestAlgorithm>,
    ) -> io::Result<Decoded> {
        let stored = Arc::new(Stored::default());
        let tap = Tap {
            raw: self.raw,
            stored: Arc::clone(&stored),
            hasher: hash_stored.map(Hasher::new),
        };
        let notices = Notices::default();
        let name = match self.compression {
            Compression::None => "",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Unsupported(name) => {
                return Err(fault::problem(
                    ProblemKind::Unsupported,
                    format!("compressed with {name}, which no container engine unpacks"),
                ));
            }
        };
        let decoder: Box<dyn Read + Send> = match self.compression {
            Compression::Gzip => Box::new(Gzip::new(tap, notices.clone())),
            Compression::Zstd => {
                let input = BufReader::with_capacity(INPUT_BUFFER, tap);
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            _ => Box::new(tap),
        };
        Ok(Decoded {
            reader: Bounded {
                decoder,
                name,
                stored: Arc::clone(&stored),
                out: 0,
                limits: limits.clone(),
            },
            stored,
            notices,
        })
    }
}

/// A decompressed stream and what is learned on the way.
pub(crate) struct Decoded {
    pub reader: Bounded,
    pub stored: Arc<Stored>,
    pub notices: Notices,
}

/// What passed of the stored bytes.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    count: AtomicU64,
    digest: OnceLock<Digest>,
}

impl Stored {
    /// The digest of the stored bytes, once all of them passed and where one was wanted.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.get()
    }
}

/// Things worth knowing about a stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<Problem>>>);

impl Notices {
    fn add(&self, message: &str) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(Problem::new(ProblemKind::Notice, message));
    }

    /// Takes them out.
    pub fn take(&self) -> Vec<Problem> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Counts and hashes stored bytes on their way to the decoder.
struct Tap {
    raw: Box<dyn Read + Send>,
    stored: Arc<Stored>,
    hasher: Option<Hasher>,
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted || fault::meaning(&error).is_some() {
                return error;
            }
            // Marked, so that no decoder's wrapping makes it look like damaged data.
            fault::problem(ProblemKind::Unreadable, format!("cannot read on: {error}"))
        })?;
        if count == 0 {
            if !buffer.is_empty()
                && let Some(hasher) = self.hasher.take()
            {
                let _ = self.stored.digest.set(hasher.finish());
            }
        } else {
            self.stored.count.fetch_add(count as u64, Ordering::Relaxed);
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..count]);
            }
        }
        Ok(count)
    }
}

/// Enforces the limits on what comes out, and gives the decoder's errors their meaning.
pub(crate) struct Bounded {
    decoder: Box<dyn Read + Send>,
    name: &'static str,
    stored: Arc<Stored>,
    out: u64,
    limits: Limits,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // So that a large buffer does not take in much of a bomb before it is noticed.
        let room = buffer.len().min(MAX_STEP);
        let count = self
            .decoder
            .read(&mut buffer[..room])
            .map_err(|error| explain(error, self.name))?;
        self.out += count as u64;
        if self.out > self.limits.layer_bytes {
            return Err(fault::problem(
                ProblemKind::LimitReached,
                format!("more than {} bytes uncompressed", self.limits.layer_bytes),
            ));
        }
        if self.out > self.limits.ratio_floor_bytes && !self.name.is_empty() {
            let stored = self.stored.count.load(Ordering::Relaxed).max(1);
            if self.out / stored >= self.limits.ratio.max(1) {
                return Err(fault::problem(
                    ProblemKind::LimitReached,
                    format!("inflates to more than {} times its size", self.limits.ratio),
                ));
            }
        }
        Ok(count)
    }
}

fn explain(error: io::Error, name: &str) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted || fault::meaning(&error).is_some() {
        return error;
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return fault::problem(
            ProblemKind::Malformed,
            format!("the {name} stream is cut short"),
        );
    }
    let text = error.to_string();
    if text.contains("too much memory") {
        return fault::problem(
            ProblemKind::LimitReached,
            format!("a {name} frame wants a window of more than 128 MiB"),
        );
    }
    fault::problem(
        ProblemKind::Malformed,
        format!("the {name} stream is damaged: {text}"),
    )
}

/// Gzip members one after the other; what follows the last one and is none is left out.
struct Gzip {
    reader: GzipReader<Tap>,
    ended: bool,
    notices: Notices,
}

impl Gzip {
    fn new(tap: Tap, notices: Notices) -> Gzip {
        Gzip {
            reader: GzipReader::new(tap),
            ended: false,
            notices,
        }
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if count == 0 && !buffer.is_empty() && !self.ended {
            self.ended = true;
            if self.reader.trailing_garbage() {
                self.notices
                    .add("something that is no gzip follows the compressed data; it was left out");
            }
            // To the end, so that the digest of the stored bytes is whole.
            io::copy(self.reader.get_mut(), &mut io::sink())?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        zstd::encode_all(data, 1).unwrap()
    }

    fn decode(stored: Vec<u8>, limits: &Limits) -> (Vec<u8>, io::Result<usize>, Vec<Problem>) {
        let sniffed = Sniffed::new(Box::new(io::Cursor::new(stored))).unwrap();
        let mut out = Vec::new();
        match sniffed.decode(limits, Some(DigestAlgorithm::Sha256)) {
            Ok(mut decoded) => {
                let result = decoded.reader.read_to_end(&mut out);
                (out, result, decoded.notices.take())
            }
            Err(error) => (out, Err(error), Vec::new()),
        }
    }

    #[track_caller]
    fn check(stored: Vec<u8>, expected: &[u8]) -> Vec<Problem> {
        let (out, result, notices) = decode(stored, &Limits::default());
        assert_eq!(result.unwrap(), expected.len());
        assert_eq!(out, expected);
        notices
    }

    #[track_caller]
    fn check_fault(stored: Vec<u8>, limits: &Limits, kind: ProblemKind, part: &str) -> usize {
        let (out, result, _) = decode(stored, limits);
        let problem = fault::to_problem(&result.unwrap_err()).unwrap();
        assert_eq!(problem.kind, kind);
        assert!(problem.message.contains(part), "{}", problem.message);
        out.len()
    }

    #[test]
    fn members_and_frames_are_joined() {
        assert!(
            check(
                [gzip(b"one "), gzip(b""), gzip(b"two")].concat(),
                b"one two"
            )
            .is_empty()
        );
        let skippable = b"\x53\x2a\x4d\x18\x03\0\0\0abc".to_vec();
        let frames = [
            skippable.clone(),
            zstd(b"one "),
            skippable.clone(),
            zstd(b"two"),
            skippable,
        ];
        assert!(check(frames.concat(), b"one two").is_empty());
        assert!(check(b"plain".to_vec(), b"plain").is_empty());
        assert!(check(Vec::new(), b"").is_empty());
    }

    #[test]
    fn what_follows_gzip_data_is_a_notice() {
        let notices = check([gzip(b"data"), b"\x1fgarbage".to_vec()].concat(), b"data");
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].kind, ProblemKind::Notice);
    }

    #[test]
    fn cut_damaged_and_foreign_streams_say_what_they_are() {
        let limits = Limits::default();
        let whole = gzip(&b"some text ".repeat(1000));
        let cut = whole[..whole.len() - 9].to_vec();
        check_fault(cut, &limits, ProblemKind::Malformed, "cut short");
        let mut wrong_sum = whole.clone();
        let at = wrong_sum.len() - 5;
        wrong_sum[at] ^= 1;
        check_fault(wrong_sum, &limits, ProblemKind::Malformed, "damaged");
        let zstd = zstd(&b"some text ".repeat(1000));
        let cut = zstd[..zstd.len() - 1].to_vec();
        check_fault(cut, &limits, ProblemKind::Malformed, "zstd");
        let xz = b"\xfd7zXZ\0\0\x04".to_vec();
        check_fault(xz, &limits, ProblemKind::Unsupported, "xz");
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let limits = Limits {
            ratio: 100,
            ratio_floor_bytes: 1 << 20,
            ..Limits::default()
        };
        let zeros = vec![0; 16 << 20];
        for stored in [gzip(&zeros), zstd(&zeros)] {
            let most = 100 * stored.len() + (2 << 20);
            let out = check_fault(stored, &limits, ProblemKind::LimitReached, "100 times");
            assert!(out < most, "{out}");
        }
        let limits = Limits {
            layer_bytes: 1000,
            ..Limits::default()
        };
        check_fault(
            vec![b'x'; 2000],
            &limits,
            ProblemKind::LimitReached,
            "1000 bytes",
        );
    }

    #[test]
    fn a_huge_zstd_window_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(28).unwrap();
        encoder.long_distance_matching(true).unwrap();
        encoder.write_all(&vec![1; 1 << 20]).unwrap();
        let stored = encoder.finish().unwrap();
        let limits = Limits::default();
        check_fault(stored, &limits, ProblemKind::LimitReached, "window");
    }
}
