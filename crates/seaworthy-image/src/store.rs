//! Named bytes of a saved image: the members of an archive, or the files of a directory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use seaworthy_core::{ImagePath, Problem, ProblemKind};

use crate::fault;
use crate::tar::{Member, MemberKind, TarEnd, TarFault, TarInput, TarReader};
use crate::{Blob, FileRangeBlob, WalkContext};

/// Members of an archive that are remembered. Saved images have a few for each layer.
const MAX_MEMBERS: usize = 100_000;

/// Links followed from one name to its content.
const MAX_LINKS: usize = 8;

/// Finds content by its relative path, `blobs/sha256/…` for instance.
pub(crate) trait Store {
    /// The content of a name.
    fn blob(&self, path: &str) -> io::Result<Arc<dyn Blob>>;
}

/// Reads all of a name's content, of at most `cap` bytes.
pub(crate) fn read_small(store: &dyn Store, path: &str, cap: u64) -> io::Result<Vec<u8>> {
    let blob = store.blob(path)?;
    let mut bytes = Vec::new();
    blob.open()?.take(cap + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap {
        return Err(io::Error::other(format!("larger than {cap} bytes")));
    }
    Ok(bytes)
}

/// The files below a directory. Nothing that leaves it, no link and no special file is opened.
pub(crate) struct DirStore {
    root: Arc<OwnedFd>,
}

impl DirStore {
    pub fn open(path: &Path) -> io::Result<DirStore> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(DirStore {
            root: Arc::new(root),
        })
    }
}

impl Store for DirStore {
    fn blob(&self, path: &str) -> io::Result<Arc<dyn Blob>> {
        let file = open_beneath(&self.root, path)?;
        Ok(Arc::new(StoreFile {
            root: Arc::clone(&self.root),
            path: path.to_owned(),
            len: file.metadata()?.len(),
        }))
    }
}

/// A file of a [`DirStore`], opened anew for each reading.
struct StoreFile {
    root: Arc<OwnedFd>,
    path: String,
    len: u64,
}

impl Blob for StoreFile {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(open_beneath(&self.root, &self.path)?))
    }

    fn len(&self) -> Option<u64> {
        Some(self.len)
    }

    fn name(&self) -> String {
        self.path.clone()
    }
}

fn open_beneath(root: &OwnedFd, path: &str) -> io::Result<File> {
    let path = ImagePath::new(path);
    let mut dir: Option<OwnedFd> = None;
    let common = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if let Some(parent) = path.parent().filter(|parent| !parent.is_empty()) {
        for part in parent.split('/') {
            let from = dir.as_ref().unwrap_or(root);
            let next = rustix::fs::openat(from, part, common | OFlags::DIRECTORY, Mode::empty())?;
            dir = Some(next);
        }
    }
    let flags = common | OFlags::NONBLOCK | OFlags::NOCTTY;
    let from = dir.as_ref().unwrap_or(root);
    let file = File::from(rustix::fs::openat(
        from,
        path.file_name(),
        flags,
        Mode::empty(),
    )?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    Ok(file)
}

enum Found {
    Stored { offset: u64, len: u64 },
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    Sparse,
}

/// The members of an uncompressed archive, found in one pass over its headers.
pub(crate) struct TarStore {
    file: Arc<File>,
    members: HashMap<ImagePath, Found>,
    /// Members seen, remembered or not.
    pub count: u64,
    /// Whether some were not remembered.
    pub overflow: bool,
    /// What was wrong with the archive itself.
    pub problems: Vec<Problem>,
    /// Why nothing could be read of it.
    pub fault: Option<String>,
}

impl TarStore {
    /// Reads the headers of `file`, leaving out the bodies. Fails only when cancelled.
    pub fn index(file: Arc<File>, ctx: &WalkContext) -> io::Result<TarStore> {
        let length = file.metadata()?.len();
        let mut tar = TarReader::new(SeekInput::new(Arc::clone(&file), length));
        let mut store = TarStore {
            file,
            members: HashMap::new(),
            count: 0,
            overflow: false,
            problems: Vec::new(),
            fault: None,
        };
        let mut member = Member::default();
        loop {
            if ctx.cancel.is_cancelled() {
                return Err(fault::cancelled());
            }
            // A problem with a single header shows where its content is missed.
            let what = match tar.next_member(&mut member, &mut |_| {}) {
                Ok(None) => None,
                Ok(Some(TarEnd::Marker)) => return Ok(store),
                Ok(Some(TarEnd::Input)) => Some("the archive has no end marker".to_owned()),
                Err(TarFault::Truncated) => Some("the archive is cut short".to_owned()),
                Err(TarFault::Malformed(what) | TarFault::Limit(what)) => Some(what.to_owned()),
                Err(TarFault::Input(error)) => Some(error.to_string()),
            };
            if let Some(what) = what {
                if store.count == 0 {
                    store.fault = Some(what);
                } else {
                    store
                        .problems
                        .push(Problem::new(ProblemKind::Malformed, what));
                }
                return Ok(store);
            }
            store.count += 1;
            let found = match member.kind {
                MemberKind::File if member.sparse.is_some() => Found::Sparse,
                MemberKind::File => Found::Stored {
                    offset: tar.body_offset(),
                    len: member.stored,
                },
                MemberKind::Symlink => Found::Symlink(member.link.clone()),
                MemberKind::HardLink => Found::HardLink(member.link.clone()),
                _ => continue,
            };
            let Some(path) = ImagePath::from_bytes(&member.path) else {
                continue;
            };
            // A root filesystem may have millions; the names at its top are told apart still.
            if store.members.len() < MAX_MEMBERS || !path.as_str().contains('/') {
                store.members.insert(path, found);
            } else {
                store.overflow = true;
            }
            if store.count > ctx.limits.layer_entries {
                store.problems.push(Problem::new(
                    ProblemKind::LimitReached,
                    format!(
                        "the archive has more than {} members",
                        ctx.limits.layer_entries
                    ),
                ));
                return Ok(store);
            }
        }
    }

    /// Whether members are named as those of a saved image are.
    pub fn looks_saved(&self) -> bool {
        self.members
            .keys()
            .any(|path| path.is_within("blobs/sha256") || path.as_str().ends_with("/layer.tar"))
    }

    /// Whether there is a member of this name, not counting directories.
    pub fn has(&self, path: &str) -> bool {
        self.members.contains_key(path)
    }
}

impl Store for TarStore {
    fn blob(&self, path: &str) -> io::Result<Arc<dyn Blob>> {
        let missing = |path: &ImagePath| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("the archive has no member `{}`", path.as_str()),
            )
        };
        let mut current = ImagePath::from_bytes(path.as_bytes())
            .ok_or_else(|| io::Error::other(format!("`{path}` leaves the archive")))?;
        for _ in 0..MAX_LINKS {
            let target = match self.members.get(&current) {
                Some(Found::Stored { offset, len }) => {
                    return Ok(Arc::new(FileRangeBlob::new(
                        Arc::clone(&self.file),
                        *offset,
                        *len,
                        current.as_str(),
                    )));
                }
                Some(Found::Sparse) => {
                    return Err(io::Error::other(format!(
                        "the member `{}` is sparse, which is not read here",
                        current.as_str()
                    )));
                }
                // Inside the archive only: an absolute target starts at its root too.
                Some(Found::Symlink(target)) if !target.starts_with(b"/") => {
                    let parent = current.parent().unwrap_or_default().as_bytes();
                    [parent, b"/", target.as_slice()].concat()
                }
                Some(Found::Symlink(target) | Found::HardLink(target)) => target.clone(),
                None => return Err(missing(&current)),
            };
            current = ImagePath::from_bytes(&target).ok_or_else(|| {
                io::Error::other(format!(
                    "the link `{}` points out of the archive",
                    current.as_str()
                ))
            })?;
        }
        Err(io::Error::other(format!("too many links from `{path}` on")))
    }
}

/// Headers through a small buffer; bodies are passed over without reading.
struct SeekInput {
    file: Arc<File>,
    length: u64,
    buffer: Box<[u8]>,
    /// Where the buffer's next unread byte lies in the file.
    position: u64,
    start: usize,
    end: usize,
}

impl SeekInput {
    fn new(file: Arc<File>, length: u64) -> SeekInput {
        SeekInput {
            file,
            length,
            buffer: vec![0; 16 * 1024].into_boxed_slice(),
            position: 0,
            start: 0,
            end: 0,
        }
    }
}

impl TarInput for SeekInput {
    fn peek(&mut self) -> io::Result<&[u8]> {
        while self.start >= self.end {
            self.start = 0;
            self.end = match self.file.read_at(&mut self.buffer, self.position) {
                Ok(0) => return Ok(&[]),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(error),
            };
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn advance(&mut self, count: usize) {
        self.start += count;
        self.position += count as u64;
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let possible = count.min(self.length.saturating_sub(self.position));
        self.position += possible;
        let buffered = (self.end - self.start) as u64;
        if possible < buffered {
            // Less than a buffer's length.
            self.start += usize::try_from(possible).unwrap_or(0);
        } else {
            self.start = 0;
            self.end = 0;
        }
        Ok(possible)
    }
}
