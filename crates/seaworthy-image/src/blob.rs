//! Layers that are stored as archives: blobs of a registry, an OCI layout or a saved image.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seaworthy_core::{Digest, Problem, ProblemKind};

use crate::decompress::{Compression, Sniffed};
use crate::fault;
use crate::problem_log::ProblemLog;
use crate::pump::pump;
use crate::tar::{TarEnd, TarReader};
use crate::tar_walk::{Ending, walk_tar};
use crate::{Entry, Flow, Layer, LayerError, WalkContext, WalkOutcome};

/// Layers of at most this many stored bytes are not worth threads of their own.
const SMALL_LAYER: u64 = 128 * 1024;

/// Bytes that can be read from the start, as often as wanted.
pub trait Blob: Send + Sync {
    /// Opens them at their beginning.
    ///
    /// # Errors
    ///
    /// What the system or server says.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;

    /// How many there are, where that is known.
    fn len(&self) -> Option<u64>;

    /// Whether it is known to have no bytes.
    fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Digest, file name or place: for messages.
    fn name(&self) -> String;
}

/// A blob that is a file of its own. It is opened anew for each reading.
#[derive(Debug, Clone)]
pub struct FileBlob {
    path: PathBuf,
    len: Option<u64>,
}

impl FileBlob {
    /// A blob that is the regular file `path`.
    pub fn new(path: impl Into<PathBuf>) -> FileBlob {
        let path = path.into();
        let len = std::fs::metadata(&path).ok().map(|meta| meta.len());
        FileBlob { path, len }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Blob for FileBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let file = crate::files::open_regular(&self.path)?;
        Ok(Box::new(file))
    }

    fn len(&self) -> Option<u64> {
        self.len
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// A blob that is a stretch of a file, such as a member of an archive. Readings share the
/// file and not its position.
#[derive(Debug, Clone)]
pub struct FileRangeBlob {
    file: Arc<File>,
    offset: u64,
    len: u64,
    name: String,
}

impl FileRangeBlob {
    /// The `len` bytes from `offset` on.
    pub fn new(file: Arc<File>, offset: u64, len: u64, name: impl Into<String>) -> FileRangeBlob {
        FileRangeBlob {
            file,
            offset,
            len,
            name: name.into(),
        }
    }
}

impl Blob for FileRangeBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(RangeReader {
            file: Arc::clone(&self.file),
            position: self.offset,
            left: self.len,
        }))
    }

    fn len(&self) -> Option<u64> {
        Some(self.len)
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

struct RangeReader {
    file: Arc<File>,
    position: u64,
    left: u64,
}

impl Read for RangeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self.file.read_at(&mut buffer[..want], self.position)?;
        if count == 0 && want > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file ends before its member does",
            ));
        }
        self.position += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// A blob in memory.
#[derive(Debug, Clone)]
pub struct MemoryBlob {
    bytes: Arc<[u8]>,
    name: String,
}

impl MemoryBlob {
    /// A blob of these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>, name: impl Into<String>) -> MemoryBlob {
        MemoryBlob {
            bytes: bytes.into(),
            name: name.into(),
        }
    }
}

impl Blob for MemoryBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(Arc::clone(&self.bytes))))
    }

    fn len(&self) -> Option<u64> {
        Some(self.bytes.len() as u64)
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

/// A layer that is a tar archive, compressed or not.
///
/// The stored bytes are compared with the blob digest and the uncompressed ones with the
/// diff ID, each where it is known. Both, because only the diff ID says that the content is
/// what the configuration promises: evidence kept under a diff ID that nobody checked could
/// be planted by an image that claims another's.
pub struct BlobLayer {
    blob: Arc<dyn Blob>,
    diff_id: Option<Digest>,
    blob_digest: Option<Digest>,
    /// Leaves out hashing the uncompressed bytes where the blob digest is verified. Then
    /// [`WalkOutcome::diff_id`] stays empty, and nothing learned may be kept under the diff
    /// ID.
    pub skip_diff_id_hash: bool,
}

impl BlobLayer {
    /// The layer stored in `blob`, with what is promised of its uncompressed (`diff_id`) and
    /// stored (`blob_digest`) bytes.
    pub fn new(
        blob: Arc<dyn Blob>,
        diff_id: Option<Digest>,
        blob_digest: Option<Digest>,
    ) -> BlobLayer {
        BlobLayer {
            blob,
            diff_id,
            blob_digest,
            skip_diff_id_hash: false,
        }
    }

    fn name(&self) -> String {
        match self.diff_id.as_ref().or(self.blob_digest.as_ref()) {
            Some(digest) => digest.to_string(),
            None => self.blob.name(),
        }
    }
}

impl Layer for BlobLayer {
    fn diff_id(&self) -> Option<&Digest> {
        self.diff_id.as_ref()
    }

    fn size_hint(&self) -> Option<u64> {
        self.blob.len()
    }

    fn walk(
        &self,
        ctx: &WalkContext,
        visit: &mut dyn FnMut(Entry<'_>) -> io::Result<Flow>,
    ) -> Result<WalkOutcome, LayerError> {
        let mut log = ProblemLog::default();
        let opened = self.blob.open().map_err(|source| LayerError::Open {
            layer: self.name(),
            source: Box::new(source),
        })?;
        // Hashes: of the stored bytes where there is something to compare with, of the others
        // unless asked not to. They are the same where nothing is compressed.
        let wanted = !ctx.skip_verify;
        let stored_algorithm = self
            .blob_digest
            .as_ref()
            .filter(|_| wanted)
            .map(Digest::algorithm);
        let diff_algorithm = self
            .diff_id
            .as_ref()
            .map_or(seaworthy_core::DigestAlgorithm::Sha256, Digest::algorithm);
        let hash_diff = wanted && !(self.skip_diff_id_hash && self.blob_digest.is_some());
        let mut plain_serves_both = false;
        let decoded = Sniffed::new(opened).and_then(|sniffed| {
            plain_serves_both = sniffed.compression == Compression::None
                && hash_diff
                && stored_algorithm.is_none_or(|algorithm| algorithm == diff_algorithm);
            let stored = if plain_serves_both {
                Some(diff_algorithm)
            } else {
                stored_algorithm
            };
            sniffed.decode(&ctx.limits, stored)
        });
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(error) => {
                let Some(problem) = fault::to_problem(&error) else {
                    return Err(LayerError::Cancelled);
                };
                log.add(problem);
                return Ok(WalkOutcome {
                    problems: log.finish(),
                    ..WalkOutcome::default()
                });
            }
        };
        let stored = Arc::clone(&decoded.stored);
        let notices = decoded.notices.clone();
        let threads =
            !ctx.single_thread && self.blob.len().is_none_or(|length| length > SMALL_LAYER);
        let hash = (hash_diff && !plain_serves_both).then_some(diff_algorithm);
        let mut outcome = WalkOutcome::default();
        let (ending, pumped_digest) = pump(decoded.reader, hash, threads, ctx, |input| {
            let mut tar = TarReader::new(&mut *input);
            let mut ending = walk_tar(&mut tar, ctx, &mut log, &mut outcome.entries, visit);
            if let Ending::Whole(_) = ending {
                match tar.drain() {
                    Ok(false) => {}
                    Ok(true) => log.add(Problem::new(
                        ProblemKind::Notice,
                        "something follows the end of the archive; container engines ignore it, and so it was here",
                    )),
                    Err(error) => match fault::to_problem(&error) {
                        Some(problem) => {
                            log.add(problem);
                            ending = Ending::Broken;
                        }
                        None => ending = Ending::Cancelled,
                    },
                }
            }
            outcome.bytes = input.bytes;
            ending
        });
        for notice in notices.take() {
            log.add(notice);
        }
        match ending {
            Ending::Cancelled => return Err(LayerError::Cancelled),
            Ending::VisitFailed(source) => {
                return Err(LayerError::Visit {
                    layer: self.name(),
                    source,
                });
            }
            Ending::Stopped | Ending::Broken => {}
            Ending::Whole(end) => {
                let stored_digest = stored.digest().cloned();
                outcome.diff_id = if plain_serves_both {
                    stored_digest.clone()
                } else {
                    pumped_digest
                };
                outcome.complete = true;
                let mut verified = false;
                for (promised, found, hashed, what) in [
                    (
                        &self.blob_digest,
                        &stored_digest,
                        stored_algorithm.is_some(),
                        "the stored layer",
                    ),
                    (
                        &self.diff_id,
                        &outcome.diff_id,
                        hash_diff,
                        "the uncompressed layer",
                    ),
                ] {
                    let Some(promised) = promised.as_ref().filter(|_| hashed) else {
                        continue;
                    };
                    if found.as_ref() == Some(promised) {
                        verified = true;
                        continue;
                    }
                    outcome.complete = false;
                    let found = found
                        .as_ref()
                        .map_or("none that could be made".to_owned(), Digest::to_string);
                    log.add(Problem::new(
                        ProblemKind::DigestMismatch,
                        format!("{what} has digest {found}, but {promised} was promised"),
                    ));
                }
                if end == TarEnd::Input && !verified && outcome.bytes > 0 {
                    outcome.complete = false;
                    log.add(Problem::new(
                        ProblemKind::Malformed,
                        "the archive has no end marker: it may have been cut short between two files",
                    ));
                }
            }
        }
        outcome.problems = log.finish();
        Ok(outcome)
    }
}

/// A layer whose content can't be had; walking it gives the problem and nothing else.
pub struct UnavailableLayer {
    diff_id: Option<Digest>,
    problem: Problem,
}

impl UnavailableLayer {
    /// A layer that is not inspected, and why.
    pub fn new(diff_id: Option<Digest>, problem: Problem) -> UnavailableLayer {
        UnavailableLayer { diff_id, problem }
    }
}

impl Layer for UnavailableLayer {
    fn diff_id(&self) -> Option<&Digest> {
        self.diff_id.as_ref()
    }

    fn size_hint(&self) -> Option<u64> {
        None
    }

    fn walk(
        &self,
        _: &WalkContext,
        _: &mut dyn FnMut(Entry<'_>) -> io::Result<Flow>,
    ) -> Result<WalkOutcome, LayerError> {
        Ok(WalkOutcome {
            problems: vec![self.problem.clone()],
            ..WalkOutcome::default()
        })
    }
}
