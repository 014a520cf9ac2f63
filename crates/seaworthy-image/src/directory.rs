//! Layers that lie unpacked in a directory: a root filesystem, or one side of an overlay
//! (Linux, Documentation/filesystems/overlayfs.rst: a 0:0 character device deletes, the
//! attribute `overlay.opaque` = `y` hides what lies below).
//!
//! The directory may belong to a running container that tries to lead the walk astray:
//! every name is opened relative to its directory, without following links, and checked
//! after opening. Only regular files are opened. Names are visited in sorted order, so two
//! walks give the same. Other file systems mounted below are reported, not entered.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use seaworthy_core::{Digest, ImagePath, Problem, ProblemKind};

use crate::problem_log::ProblemLog;
use crate::tar_walk::count_bytes;
use crate::{Body, Entry, EntryKind, EntryMeta, Flow, Layer, LayerError, WalkContext, WalkOutcome};

/// Files up to this size are read before the visit and given as a slice.
const SLICE_BYTES: u64 = 256 * 1024;

/// Directories kept open on the way down; those above are opened again on the way up.
const OPEN_DIRECTORIES: usize = 32;

/// How a directory is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryMode {
    /// A whole root filesystem: every name is what it is.
    RootFs,
    /// What a layer changed, as overlayfs keeps it: whiteout devices and opaque directories
    /// have their meaning.
    OverlayDiff,
}

/// A layer that lies unpacked in a directory.
#[derive(Debug, Clone)]
pub struct DirectoryLayer {
    root: PathBuf,
    mode: DirectoryMode,
    diff_id: Option<Digest>,
    /// Enters other file systems mounted below the root, but for those of the kernel.
    pub cross_file_systems: bool,
}

impl DirectoryLayer {
    /// The layer below `root`. The diff ID is what others say of it: it can't be checked.
    pub fn new(
        root: impl Into<PathBuf>,
        mode: DirectoryMode,
        diff_id: Option<Digest>,
    ) -> DirectoryLayer {
        DirectoryLayer {
            root: root.into(),
            mode,
            diff_id,
            cross_file_systems: false,
        }
    }
}

impl Layer for DirectoryLayer {
    fn diff_id(&self) -> Option<&Digest> {
        self.diff_id.as_ref()
    }

    /// Whoever opens a directory as a layer with a diff ID has it from the engine that
    /// unpacked it there.
    fn vouches_for_diff_id(&self) -> bool {
        true
    }

    fn size_hint(&self) -> Option<u64> {
        None
    }

    fn walk(
        &self,
        ctx: &WalkContext,
        visit: &mut dyn FnMut(Entry<'_>) -> io::Result<Flow>,
    ) -> Result<WalkOutcome, LayerError> {
        let open_error = |source: io::Error| LayerError::Open {
            layer: self.root.display().to_string(),
            source: Box::new(source),
        };
        // The root is the user's word: a link to it is followed.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&self.root, flags, Mode::empty())
            .map_err(|error| open_error(error.into()))?;
        let stat = rustix::fs::fstat(&root).map_err(|error| open_error(error.into()))?;
        let mut walk = Walk {
            layer: self,
            ctx,
            log: ProblemLog::default(),
            outcome: WalkOutcome::default(),
            seen: HashMap::new(),
            device: stat.st_dev,
            path: Vec::new(),
            buffer: Vec::new(),
        };
        let end = walk.run(root, &stat, visit);
        let mut outcome = walk.outcome;
        outcome.problems = walk.log.finish();
        match end {
            Ok(Flow::Continue) => outcome.complete = true,
            Ok(Flow::Stop) => {}
            Err(Stop::Limit) => {}
            Err(Stop::Cancelled) => return Err(LayerError::Cancelled),
            Err(Stop::Visit(source)) => {
                return Err(LayerError::Visit {
                    layer: self.root.display().to_string(),
                    source,
                });
            }
        }
        Ok(outcome)
    }
}

enum Stop {
    Cancelled,
    /// A limit of the whole layer, in the log already.
    Limit,
    Visit(io::Error),
}

/// A directory on the way down.
struct Level {
    /// Closed where many lie below it.
    fd: Option<OwnedFd>,
    identity: (u64, u64),
    /// Names still to visit, last first.
    names: Vec<CString>,
    /// Length of the directory's own path.
    path_len: usize,
}

struct Walk<'a> {
    layer: &'a DirectoryLayer,
    ctx: &'a WalkContext,
    log: ProblemLog,
    outcome: WalkOutcome,
    /// First path of each file with several names.
    seen: HashMap<(u64, u64), ImagePath>,
    device: u64,
    /// Raw path of the entry at hand.
    path: Vec<u8>,
    buffer: Vec<u8>,
}

type Visit<'v> = &'v mut dyn FnMut(Entry<'_>) -> io::Result<Flow>;

impl Walk<'_> {
    fn run(&mut self, root: OwnedFd, stat: &Stat, visit: Visit<'_>) -> Result<Flow, Stop> {
        let flow = self.directory(root.as_fd(), stat, &ImagePath::default(), visit)?;
        if flow == Flow::Stop {
            return Ok(flow);
        }
        let mut levels = vec![self.level(root, stat)?];
        while let Some(level) = levels.last_mut() {
            if self.ctx.cancel.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            self.path.truncate(level.path_len);
            let Some(name) = level.names.pop() else {
                let done = levels.pop();
                self.reopen_parent(&mut levels, done);
                continue;
            };
            let Some(fd) = &level.fd else {
                // It could not be opened again; that is in the log.
                levels.pop();
                continue;
            };
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name.as_bytes());
            let Some(path) = self.checked_path() else {
                continue;
            };
            let entered = match self.entry(fd.as_fd(), &name, path, visit)? {
                Step::Next => continue,
                Step::Stop => return Ok(Flow::Stop),
                Step::Enter(fd, stat) => self.level(fd, &stat)?,
            };
            levels.push(entered);
            // Deep trees must not use up the descriptors.
            if let Some(far) = levels.len().checked_sub(OPEN_DIRECTORIES + 1)
                && far > 0
            {
                levels[far].fd = None;
            }
        }
        Ok(Flow::Continue)
    }

    /// Opens the last level again, through the directory just left below it.
    fn reopen_parent(&mut self, levels: &mut [Level], below: Option<Level>) {
        let Some(level) = levels.last_mut() else {
            return;
        };
        if level.fd.is_some() {
            return;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let reopened = below
            .and_then(|level| level.fd)
            .and_then(|fd| rustix::fs::openat(&fd, c"..", flags, Mode::empty()).ok())
            .filter(|fd| rustix::fs::fstat(fd).is_ok_and(|stat| identity(&stat) == level.identity));
        match reopened {
            Some(fd) => level.fd = Some(fd),
            None if level.names.is_empty() => {}
            // Moved while we were below: `..` may now lead anywhere.
            None => {
                let path = ImagePath::from_bytes(&self.path[..level.path_len]);
                self.log.add(
                    Problem::new(
                        ProblemKind::Unreadable,
                        "the directory was moved while it was read; the rest of it was not seen",
                    )
                    .at(&path.unwrap_or_default()),
                );
            }
        }
    }

    /// Reads the names of a directory whose path is the current one.
    fn level(&mut self, fd: OwnedFd, stat: &Stat) -> Result<Level, Stop> {
        let mut names = Vec::new();
        let room = self
            .ctx
            .limits
            .layer_entries
            .saturating_sub(self.outcome.entries);
        let result = rustix::fs::Dir::read_from(&fd).and_then(|dir| {
            for entry in dir {
                let entry = entry?;
                let name = entry.file_name();
                if name == c"." || name == c".." {
                    continue;
                }
                names.push(name.to_owned());
                if names.len() as u64 > room {
                    break;
                }
            }
            Ok(())
        });
        if let Err(error) = result {
            let path = ImagePath::from_bytes(&self.path).unwrap_or_default();
            self.log
                .add(unreadable(&path, "list this directory", error.into()));
        }
        if names.len() as u64 > room {
            self.log.add(self.too_many_entries());
            return Err(Stop::Limit);
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Level {
            fd: Some(fd),
            identity: identity(stat),
            names,
            path_len: self.path.len(),
        })
    }

    fn too_many_entries(&self) -> Problem {
        Problem::new(
            ProblemKind::LimitReached,
            format!("more than {} entries", self.ctx.limits.layer_entries),
        )
    }

    fn checked_path(&mut self) -> Option<ImagePath> {
        let limits = &self.ctx.limits;
        let start = || self.path[..self.path.len().min(64)].escape_ascii();
        let depth = self.path.iter().filter(|&&b| b == b'/').count() + 1;
        let problem = if self.path.len() > limits.path_bytes {
            format!(
                "a path of more than {} bytes, which starts with `{}`",
                limits.path_bytes,
                start()
            )
        } else if depth > limits.path_depth {
            format!(
                "a path more than {} directories deep, which starts with `{}`",
                limits.path_depth,
                start()
            )
        } else {
            // A name from a directory holds neither a slash nor a NUL, nor is it `..`.
            return ImagePath::from_bytes(&self.path);
        };
        self.log
            .add(Problem::new(ProblemKind::LimitReached, problem));
        None
    }

    /// Visits the entry `name` of `dir`; gives the directory to enter where it is one.
    fn entry(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &CString,
        path: ImagePath,
        visit: Visit<'_>,
    ) -> Result<Step, Stop> {
        let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(error) => {
                self.log
                    .add(unreadable(&path, "look at this", error.into()));
                return Ok(Step::Next);
            }
        };
        if self.outcome.entries >= self.ctx.limits.layer_entries {
            self.log.add(self.too_many_entries());
            return Err(Stop::Limit);
        }
        let meta = meta_of(&stat);
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => return self.enter(dir, name, path, visit),
            FileType::RegularFile => {
                let shared = stat.st_nlink > 1;
                match self.seen.get(&identity(&stat)).filter(|_| shared) {
                    Some(first) => EntryKind::HardLink(first.clone()),
                    None => {
                        if shared {
                            self.seen.insert(identity(&stat), path.clone());
                        }
                        return self.file(dir, name, path, visit);
                    }
                }
            }
            FileType::Symlink => match rustix::fs::readlinkat(dir, name, Vec::new()) {
                Ok(target) => EntryKind::Symlink(target.into_bytes()),
                Err(error) => {
                    self.log
                        .add(unreadable(&path, "read this link", error.into()));
                    return Ok(Step::Next);
                }
            },
            FileType::CharacterDevice
                if self.layer.mode == DirectoryMode::OverlayDiff && stat.st_rdev == 0 =>
            {
                EntryKind::Whiteout
            }
            FileType::CharacterDevice => EntryKind::CharDevice,
            FileType::BlockDevice => EntryKind::BlockDevice,
            FileType::Fifo => EntryKind::Fifo,
            FileType::Socket => EntryKind::Socket,
            FileType::Unknown => {
                self.log.add(
                    Problem::new(ProblemKind::Unsupported, "an entry of an unknown type").at(&path),
                );
                return Ok(Step::Next);
            }
        };
        self.outcome.entries += 1;
        give(
            visit,
            Entry {
                path,
                kind,
                meta,
                body: Body::Slice(&[]),
            },
        )
    }

    /// Opens a directory, visits it and says to enter it.
    fn enter(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &CString,
        path: ImagePath,
        visit: Visit<'_>,
    ) -> Result<Step, Stop> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(dir, name, flags, Mode::empty())
            .and_then(|fd| rustix::fs::fstat(&fd).map(|stat| (fd, stat)));
        let (fd, stat) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.log
                    .add(unreadable(&path, "open this directory", error.into()));
                return Ok(Step::Next);
            }
        };
        self.outcome.entries += 1;
        let enter = stat.st_dev == self.device || self.may_cross(&fd, &path);
        match self.directory(fd.as_fd(), &stat, &path, visit)? {
            Flow::Stop => Ok(Step::Stop),
            Flow::Continue if enter => Ok(Step::Enter(fd, stat)),
            Flow::Continue => Ok(Step::Next),
        }
    }

    /// Visits a directory, and that it is opaque where it is.
    fn directory(
        &mut self,
        fd: BorrowedFd<'_>,
        stat: &Stat,
        path: &ImagePath,
        visit: Visit<'_>,
    ) -> Result<Flow, Stop> {
        let mut kinds = vec![EntryKind::Directory];
        if self.layer.mode == DirectoryMode::OverlayDiff && is_opaque(fd) {
            kinds.push(EntryKind::OpaqueDirectory);
        }
        for kind in kinds {
            let entry = Entry {
                path: path.clone(),
                kind,
                meta: meta_of(stat),
                body: Body::Slice(&[]),
            };
            if let Step::Stop = give(visit, entry)? {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// Whether to enter another file system, and the problem where not.
    fn may_cross(&mut self, fd: &OwnedFd, path: &ImagePath) -> bool {
        let magic = rustix::fs::fstatfs(fd).map_or(0, |stat| stat.f_type);
        let kernel = KERNEL_FILE_SYSTEMS
            .iter()
            .find(|(known, _)| *known == magic)
            .map(|(_, name)| *name);
        let problem = match kernel {
            Some(name) => Problem::new(
                ProblemKind::Notice,
                format!("a {name} file system is mounted here; it holds no files of the image"),
            ),
            None if self.layer.cross_file_systems => return true,
            None => Problem::new(
                ProblemKind::LimitReached,
                "another file system is mounted here and was not entered",
            ),
        };
        self.log.add(problem.at(path));
        false
    }

    /// Opens a regular file and visits it.
    fn file(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &CString,
        path: ImagePath,
        visit: Visit<'_>,
    ) -> Result<Step, Stop> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(dir, name, flags, Mode::empty())
            .and_then(|fd| rustix::fs::fstat(&fd).map(|stat| (fd, stat)));
        let (fd, stat) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.log
                    .add(unreadable(&path, "open this file", error.into()));
                return Ok(Step::Next);
            }
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            self.log.add(
                Problem::new(
                    ProblemKind::Unreadable,
                    "was replaced by something that is no file while it was read",
                )
                .at(&path),
            );
            return Ok(Step::Next);
        }
        self.outcome.entries += 1;
        let mut meta = meta_of(&stat);
        meta.size = u64::try_from(stat.st_size).unwrap_or(0);
        // Capabilities only mean something where a program can be run.
        meta.has_capabilities = meta.mode & 0o111 != 0
            && rustix::fs::fgetxattr(&fd, c"security.capability", &mut [0_u8; 0][..])
                .is_ok_and(|length| length > 0);
        let mut file = File::from(fd);
        let room = self
            .ctx
            .limits
            .layer_bytes
            .saturating_sub(self.outcome.bytes);
        let mut reader = FileReader {
            file: &mut file,
            left: meta.size,
            failed: None,
            ctx: self.ctx,
        };
        if meta.size > room {
            self.log.add(
                Problem::new(
                    ProblemKind::LimitReached,
                    format!(
                        "a file of {} bytes brings the layer over {} bytes; it was not read",
                        meta.size, self.ctx.limits.layer_bytes
                    ),
                )
                .at(&path),
            );
            reader.failed = Some("the file was not read: the layer is too large");
        } else {
            self.outcome.bytes += meta.size;
        }
        let at = path.clone();
        let refused = reader.failed.is_some();
        self.buffer.clear();
        let small = meta.size <= SLICE_BYTES && !refused;
        let whole = small && reader.read_to_end(&mut self.buffer).is_ok();
        let mut rest = (&self.buffer[..]).chain(&mut reader);
        let body = if whole {
            Body::Slice(&self.buffer)
        } else {
            // What was read before a failure comes first.
            Body::Reader(&mut rest)
        };
        let result = visit(Entry {
            path,
            kind: EntryKind::File,
            meta,
            body,
        });
        let failed = reader.failed;
        if let (Some(what), false) = (failed, refused) {
            self.log
                .add(Problem::new(ProblemKind::Unreadable, what).at(&at));
        } else if !refused {
            let unchanged = file
                .metadata()
                .is_ok_and(|now| now.len() == meta.size && now.mtime() == meta.mtime);
            if !unchanged {
                self.log.add(
                    Problem::new(
                        ProblemKind::Unreadable,
                        "changed while it was read; what was seen may be mixed",
                    )
                    .at(&at),
                );
            }
        }
        match result {
            Ok(Flow::Continue) => Ok(Step::Next),
            Ok(Flow::Stop) => Ok(Step::Stop),
            Err(_) if failed.is_some() => Ok(Step::Next),
            Err(error) => Err(Stop::Visit(error)),
        }
    }
}

enum Step {
    Next,
    Stop,
    Enter(OwnedFd, Stat),
}

fn give(visit: Visit<'_>, entry: Entry<'_>) -> Result<Step, Stop> {
    match visit(entry) {
        Ok(Flow::Continue) => Ok(Step::Next),
        Ok(Flow::Stop) => Ok(Step::Stop),
        Err(error) => Err(Stop::Visit(error)),
    }
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn meta_of(stat: &Stat) -> EntryMeta {
    EntryMeta {
        mode: stat.st_mode & 0o7777,
        uid: u64::from(stat.st_uid),
        gid: u64::from(stat.st_gid),
        mtime: stat.st_mtime,
        size: 0,
        has_capabilities: false,
    }
}

fn unreadable(path: &ImagePath, what: &str, error: io::Error) -> Problem {
    Problem::new(ProblemKind::Unreadable, format!("cannot {what}: {error}")).at(path)
}

/// `trusted.` is root's, `user.` that of an overlay mounted without root.
fn is_opaque(fd: BorrowedFd<'_>) -> bool {
    [c"trusted.overlay.opaque", c"user.overlay.opaque"]
        .into_iter()
        .any(|name| {
            let mut value = [0_u8; 1];
            rustix::fs::fgetxattr(fd, name, &mut value[..]).is_ok_and(|_| value == *b"y")
        })
}

/// File systems whose files are the kernel's words (statfs(2)), and those that live in
/// memory only.
const KERNEL_FILE_SYSTEMS: &[(i64, &str)] = &[
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x0102_1994, "tmpfs"),
    (0x1cd1, "devpts"),
    (0x0027_e0eb, "cgroup"),
    (0x6367_7270, "cgroup2"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x7363_6673, "securityfs"),
    (0xcafe_4a11, "bpf"),
    (0x1980_0202, "mqueue"),
    (0x9584_58f6, "hugetlbfs"),
    (0x6165_676c, "pstore"),
    (0x6265_6570, "configfs"),
    (0xde5e_81e4, "efivarfs"),
    (0x4249_4e4d, "binfmt_misc"),
    (0x0187, "autofs"),
];

/// Exactly the bytes a file had when it was opened, or a failure.
struct FileReader<'a> {
    file: &'a mut File,
    left: u64,
    failed: Option<&'static str>,
    ctx: &'a WalkContext,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(what) = self.failed {
            return Err(io::Error::other(what));
        }
        if self.ctx.cancel.is_cancelled() {
            return Err(crate::fault::cancelled());
        }
        let want = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let count = match self.file.read(&mut buffer[..want]) {
            Ok(0) => {
                self.failed = Some("became shorter while it was read");
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "became shorter while it was read",
                ));
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                self.failed = Some("cannot be read to its end");
                return Err(error);
            }
        };
        count_bytes(self.ctx, count);
        self.left -= count as u64;
        Ok(count)
    }
}
