//! Bounded, lenient reading below a root directory.
//!
//! `/proc` and `/sys` are read through the same door, so a test gives a directory made in
//! code and gets the same facts. Symbolic links are followed as the kernel would follow
//! them if the root directory were `/`: an absolute target starts at the root again, `..`
//! stops there. Nothing but regular files is read (a FIFO planted below `/etc/docker` would
//! block for ever), with `O_NONBLOCK` against the race.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Fact;

/// Symbolic links followed in one path, as the kernel's own bound (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;
/// Components of one path.
const MAX_COMPONENTS: usize = 512;
/// Entries read of one directory.
pub const MAX_ENTRIES: usize = 100_000;

/// A host's file system, as seen from a directory that stands for `/`.
#[derive(Debug, Clone)]
pub struct HostRoot {
    root: PathBuf,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file.
    #[default]
    File,
    /// A directory.
    Directory,
    /// A Unix socket.
    Socket,
    /// A block device.
    BlockDevice,
    /// A character device.
    CharDevice,
    /// A FIFO.
    Fifo,
    /// A symbolic link whose target is not there.
    DanglingLink,
}

/// Owner, mode and place of a file, links followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct FileFact {
    /// Where it really is, links resolved, below the root.
    pub real_path: String,
    /// What it is.
    pub kind: FileKind,
    /// The twelve mode bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device it lies on.
    pub device: u64,
    /// Major and minor number, for device nodes.
    pub rdev: u64,
    /// Whether an access control list widens the mode bits; unknown where it could not be
    /// asked.
    pub has_acl: Option<bool>,
}

impl HostRoot {
    /// The file system below `root`.
    pub fn new(root: impl Into<PathBuf>) -> HostRoot {
        HostRoot { root: root.into() }
    }

    /// Whether it is the file system of this very host.
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where a path of the host lies for us, links not resolved.
    pub fn join(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Reads at most `cap` bytes of a file. More is [`Fact::Unknown`]: half a configuration
    /// would be judged as a whole one.
    pub fn bytes(&self, path: &str, cap: u64) -> Fact<Vec<u8>> {
        let real = match self.resolve(path) {
            Fact::Known(real) => real,
            Fact::Absent => return Fact::Absent,
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        read_file(&self.join(&real), path, cap)
    }

    /// The same as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self, path: &str, cap: u64) -> Fact<String> {
        self.bytes(path, cap)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The same, without the white space around it.
    pub fn line(&self, path: &str) -> Fact<String> {
        self.text(path, 64 << 10).map(|text| text.trim().to_owned())
    }

    /// The text of a symbolic link, not followed.
    pub fn link(&self, path: &str) -> Fact<String> {
        match fs::read_link(self.join(path)) {
            Ok(target) => Fact::Known(target.to_string_lossy().into_owned()),
            Err(error) => failed(&error, path),
        }
    }

    /// Names in a directory, sorted; links in the path are followed.
    pub fn names(&self, path: &str) -> Fact<Vec<String>> {
        let real = match self.resolve(path) {
            Fact::Known(real) => real,
            Fact::Absent => return Fact::Absent,
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        let entries = match fs::read_dir(self.join(&real)) {
            Ok(entries) => entries,
            Err(error) => return failed(&error, path),
        };
        let mut names: Vec<String> = entries
            .take(MAX_ENTRIES)
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort_unstable();
        Fact::Known(names)
    }

    /// Mode, owner and place of a file, links followed.
    pub fn stat(&self, path: &str) -> Fact<FileFact> {
        let real = match self.resolve(path) {
            Fact::Known(real) => real,
            Fact::Absent => {
                return match fs::symlink_metadata(self.join(path)) {
                    Ok(found) if found.is_symlink() => Fact::Known(FileFact {
                        real_path: path.to_owned(),
                        kind: FileKind::DanglingLink,
                        uid: found.uid(),
                        gid: found.gid(),
                        ..FileFact::default()
                    }),
                    _ => Fact::Absent,
                };
            }
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        let place = self.join(&real);
        match fs::symlink_metadata(&place) {
            Ok(found) => Fact::Known(FileFact {
                kind: kind_of(&found),
                mode: found.mode() & 0o7777,
                uid: found.uid(),
                gid: found.gid(),
                device: found.dev(),
                rdev: found.rdev(),
                has_acl: has_acl(&place),
                real_path: real,
            }),
            Err(error) => failed(&error, path),
        }
    }

    /// Where a path really is, below the root: links resolved, without `.` and `..`.
    pub fn resolve(&self, path: &str) -> Fact<String> {
        let mut done: Vec<std::ffi::OsString> = Vec::new();
        let mut todo: Vec<std::ffi::OsString> = components_reversed(Path::new(path));
        let mut links = 0;
        while let Some(next) = todo.pop() {
            if done.len() + todo.len() > MAX_COMPONENTS {
                return Fact::Unknown(format!("`{}` is too deep", shown(path)));
            }
            if next == ".." {
                done.pop();
                continue;
            }
            done.push(next);
            let here = self.root.join(done.iter().collect::<PathBuf>());
            let found = match fs::symlink_metadata(&here) {
                Ok(found) => found,
                Err(error) => return failed(&error, path),
            };
            if !found.is_symlink() {
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Fact::Unknown(format!("`{}` has too many links", shown(path)));
            }
            let target = match fs::read_link(&here) {
                Ok(target) => target,
                Err(error) => return failed(&error, path),
            };
            done.pop();
            if target.is_absolute() {
                done.clear();
            }
            todo.extend(components_reversed(&target));
        }
        let mut real = String::new();
        for part in &done {
            real.push('/');
            real.push_str(&part.to_string_lossy());
        }
        if real.is_empty() {
            real.push('/');
        }
        Fact::Known(real)
    }
}

fn components_reversed(path: &Path) -> Vec<std::ffi::OsString> {
    let mut parts: Vec<_> = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect();
    parts.reverse();
    parts
}

fn read_file(place: &Path, path: &str, cap: u64) -> Fact<Vec<u8>> {
    let read = || -> io::Result<Option<Vec<u8>>> {
        let file = File::options()
            .read(true)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0))
            .open(place)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no regular file",
            ));
        }
        let mut bytes = Vec::new();
        file.take(cap + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= cap).then_some(bytes))
    };
    match read() {
        Ok(Some(bytes)) => Fact::Known(bytes),
        Ok(None) => Fact::Unknown(format!("`{}` is over {cap} bytes", shown(path))),
        Err(error) => failed(&error, path),
    }
}

/// What an error says about the thing: not there, or not to be told.
pub fn failed<T>(error: &io::Error, path: &str) -> Fact<T> {
    // ESRCH: the process ended while its files were read.
    const ESRCH: i32 = 3;
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Fact::Absent,
        _ if error.raw_os_error() == Some(ESRCH) => Fact::Absent,
        io::ErrorKind::PermissionDenied => {
            Fact::Unknown(format!("no permission to read `{}`", shown(path)))
        }
        _ => Fact::Unknown(format!("cannot read `{}`: {error}", shown(path))),
    }
}

/// A path for a message: bounded, nothing in it can play tricks.
pub fn shown(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect()
}

fn kind_of(found: &Metadata) -> FileKind {
    let kind = found.file_type();
    if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_socket() {
        FileKind::Socket
    } else if kind.is_block_device() {
        FileKind::BlockDevice
    } else if kind.is_char_device() {
        FileKind::CharDevice
    } else if kind.is_fifo() {
        FileKind::Fifo
    } else {
        FileKind::File
    }
}

/// Whether the file has a POSIX access control list. A file system without them has none.
fn has_acl(place: &Path) -> Option<bool> {
    let mut buffer = [0_u8; 4096];
    match rustix::fs::lgetxattr(place, "system.posix_acl_access", &mut buffer) {
        Ok(length) => Some(length > 0),
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Some(false),
        Err(rustix::io::Errno::RANGE) => Some(true),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn links_are_followed_below_the_root_and_never_out_of_it() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("run")).unwrap();
        fs::create_dir_all(tree.path().join("var")).unwrap();
        fs::write(tree.path().join("run/x"), "inside").unwrap();
        symlink("/run", tree.path().join("var/run")).unwrap();
        symlink("../../../../run/x", tree.path().join("var/up")).unwrap();
        symlink("loop", tree.path().join("loop")).unwrap();
        let root = HostRoot::new(tree.path());
        assert_eq!(root.resolve("/var/run/x"), Fact::Known("/run/x".into()));
        assert_eq!(root.text("/var/up", 100), Fact::Known("inside".into()));
        assert!(root.resolve("/loop").why_unknown().is_some());
        assert_eq!(root.text("/etc/absent", 100), Fact::Absent);
    }

    #[test]
    fn too_long_a_file_and_a_directory_are_unknown_and_not_half_read() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("long"), "123456").unwrap();
        let root = HostRoot::new(tree.path());
        assert_eq!(root.text("/long", 6), Fact::Known("123456".into()));
        assert!(root.text("/long", 5).why_unknown().is_some());
        fs::create_dir(tree.path().join("dir")).unwrap();
        assert!(root.text("/dir", 5).why_unknown().is_some());
    }

    #[test]
    fn modes_are_bits_of_the_target() {
        let tree = tempfile::tempdir().unwrap();
        let file = tree.path().join("f");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o4606)).unwrap();
        symlink("/f", tree.path().join("l")).unwrap();
        let found = HostRoot::new(tree.path()).stat("/l");
        let found = found.known().unwrap();
        assert_eq!((found.mode, found.real_path.as_str()), (0o4606, "/f"));
    }
}
