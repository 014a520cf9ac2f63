//! A folder of things that replace each other, of which readers always meet a whole one.
//!
//! ```text
//! ROOT/current                      link to the generation in use
//! ROOT/generations/SERIAL-HASH/     one of them; never changed
//! ROOT/generations/.staging-RANDOM  one that is being written (with a `.lock` beside it)
//! ROOT/install.lock                 held while `current` changes
//! ```
//!
//! A new generation is written to a staging directory, checked by the caller, flushed to the
//! disk, renamed to its place, and only then does a rename swap `current`. A process killed at
//! any moment leaves the old one or the new one. Readers take no lock: they follow `current`
//! once, and files they have open or mapped live on after they were removed. The generation
//! in use and the one before it are kept, others and abandoned staging directories go.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::files::hex;

/// What the file system did not do.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} `{}`: {source}", path.display())]
pub struct FolderError {
    /// What was tried.
    pub what: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

fn io_error<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> FolderError + use<'a> {
    move |source| FolderError {
        what,
        path: path.to_owned(),
        source,
    }
}

/// A directory in which a new generation is being written. Dropping it removes it.
#[derive(Debug)]
pub struct Staging {
    dir: PathBuf,
    lock_path: PathBuf,
    /// Locked as long as the process lives, so that others see who is at work.
    _lock: File,
}

impl Staging {
    /// Where to write.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After an installation the directory has moved and there is nothing to remove.
        let _ = std::fs::remove_dir_all(&self.dir);
        let _ = std::fs::remove_file(&self.lock_path);
    }
}

/// The right to change `current`; ends when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The place on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generations {
    root: PathBuf,
}

impl Generations {
    /// Names the place; nothing is read or made yet.
    pub fn new(root: impl Into<PathBuf>) -> Generations {
        Generations { root: root.into() }
    }

    /// The place.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of the generation in use, or `None` when there is none.
    ///
    /// # Errors
    ///
    /// When `current` is something else than a link.
    pub fn current_dir(&self) -> Result<Option<PathBuf>, FolderError> {
        let link = self.root.join("current");
        match std::fs::read_link(&link) {
            Ok(target) => Ok(Some(self.root.join(target))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read", &link)(error)),
        }
    }

    /// A new empty directory to write into, on the same file system as its later place.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn stage(&self) -> Result<Staging, FolderError> {
        // Pruning holds the same lock, so it never meets a lock file not yet locked.
        let _installing = self.lock()?;
        let generations = self.folder()?;
        let name = format!(".staging-{}", random()?);
        let lock_path = generations.join(format!("{name}.lock"));
        let lock = File::create_new(&lock_path).map_err(io_error("create", &lock_path))?;
        lock.lock().map_err(io_error("lock", &lock_path))?;
        let dir = generations.join(name);
        std::fs::create_dir(&dir).map_err(io_error("create", &dir))?;
        Ok(Staging {
            dir,
            lock_path,
            _lock: lock,
        })
    }

    /// Waits for the right to change `current`.
    ///
    /// # Errors
    ///
    /// When the lock file can't be made.
    pub fn lock(&self) -> Result<Lock, FolderError> {
        std::fs::create_dir_all(&self.root).map_err(io_error("create", &self.root))?;
        let path = self.root.join("install.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io_error("open", &path))?;
        file.lock().map_err(io_error("lock", &path))?;
        Ok(Lock { _file: file })
    }

    /// Makes a staged directory the generation `SERIAL-HASH` that is in use, and gives its new
    /// place. All files in it are flushed first. A generation of that name that is there
    /// already stays as it is when `is_whole` says so, and is replaced when not.
    ///
    /// # Errors
    ///
    /// When the disk fails or the name is no generation's; the former one then stays in use.
    pub fn swap(
        &self,
        _lock: &Lock,
        staging: Staging,
        name: &str,
        is_whole: &dyn Fn(&Path) -> bool,
    ) -> Result<PathBuf, FolderError> {
        if !is_generation_name(name) {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "not a generation's name");
            return Err(io_error("create", Path::new(name))(error));
        }
        let former = self.current_dir()?;
        let generations = self.folder()?;
        let dir = generations.join(name);
        sync_all(staging.dir(), 4)?;
        if dir.exists() && !is_whole(&dir) {
            // The same one, damaged since: set it aside for its whole copy.
            let broken = generations.join(format!(".broken-{}", random()?));
            std::fs::rename(&dir, &broken).map_err(io_error("move", &dir))?;
        }
        if !dir.exists() {
            std::fs::rename(staging.dir(), &dir).map_err(io_error("create", &dir))?;
            sync(&generations)?;
        }
        let link = self.root.join("current");
        let temporary = self.root.join(format!(".current-{}", random()?));
        symlink(Path::new("generations").join(name), &temporary)
            .map_err(io_error("create", &temporary))?;
        std::fs::rename(&temporary, &link).map_err(io_error("replace", &link))?;
        sync(&self.root)?;
        drop(staging);
        // The same one again: the one before it stays the one before.
        let same = former.as_deref() == Some(dir.as_path());
        self.prune(name, former.as_deref().filter(|_| !same));
        Ok(dir)
    }

    /// Replaces a small file in the root in one step.
    ///
    /// # Errors
    ///
    /// When the disk fails; the former content then stays.
    pub fn write_file(&self, _lock: &Lock, name: &str, content: &[u8]) -> Result<(), FolderError> {
        let path = self.root.join(name);
        let temporary = self.root.join(format!(".{name}-{}", random()?));
        let written = std::fs::write(&temporary, content)
            .map_err(io_error("write", &temporary))
            .and_then(|()| sync(&temporary))
            .and_then(|()| std::fs::rename(&temporary, &path).map_err(io_error("write", &path)));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written.and_then(|()| sync(&self.root))
    }

    /// Removes what is neither in use, nor was before, nor is being written; without a `former`
    /// no generation. What cannot be removed now goes the next time.
    fn prune(&self, current: &str, former: Option<&Path>) {
        for directory in [self.root.clone(), self.root.join("generations")] {
            let Ok(entries) = std::fs::read_dir(&directory) else {
                continue;
            };
            // Bounded: a directory somebody filled by mistake does not hold up an update.
            for entry in entries.take(10_000).flatten() {
                let path = entry.path();
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let abandoned = if name.starts_with(".staging-") {
                    is_abandoned(&path)
                } else if directory == self.root {
                    // Made and renamed under the lock that is held here.
                    is_temporary(name)
                } else {
                    name.starts_with(".broken-")
                        || (name != current
                            && former.is_some_and(|former| former != path)
                            && is_generation_name(name))
                };
                if abandoned {
                    let _ = match path.symlink_metadata() {
                        Ok(found) if found.is_dir() => std::fs::remove_dir_all(&path),
                        _ => std::fs::remove_file(&path),
                    };
                }
            }
        }
    }

    fn folder(&self) -> Result<PathBuf, FolderError> {
        let dir = self.root.join("generations");
        std::fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
        Ok(dir)
    }
}

/// `.NAME-` and the sixteen digits of [`random`]: a file that a rename never moved.
fn is_temporary(name: &str) -> bool {
    name.starts_with('.')
        && name.rsplit_once('-').is_some_and(|(_, random)| {
            random.len() == 16 && random.bytes().all(|b| b.is_ascii_hexdigit())
        })
}

/// Whether the process that wrote a staging directory, or its lock file, is gone.
fn is_abandoned(path: &Path) -> bool {
    let lock_path = if path
        .extension()
        .is_some_and(|extension| extension == "lock")
    {
        path.to_owned()
    } else {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        PathBuf::from(name)
    };
    match File::open(&lock_path) {
        Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
        // Its lock file is made first and removed last.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn is_generation_name(name: &str) -> bool {
    name.split_once('-').is_some_and(|(serial, hash)| {
        !serial.is_empty()
            && !hash.is_empty()
            && serial.bytes().all(|b| b.is_ascii_digit())
            && hash.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn random() -> Result<String, FolderError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| FolderError {
        what: "read",
        path: PathBuf::from("the system's random source"),
        source: io::Error::other(error.to_string()),
    })?;
    Ok(hex(&bytes))
}

/// Flushes a directory with all files in it, and in those below it.
fn sync_all(dir: &Path, depth: u32) -> Result<(), FolderError> {
    for entry in std::fs::read_dir(dir).map_err(io_error("read", dir))? {
        let entry = entry.map_err(io_error("read", dir))?;
        let kind = entry.file_type().map_err(io_error("read", &entry.path()))?;
        if kind.is_dir() && depth > 0 {
            sync_all(&entry.path(), depth - 1)?;
        } else if kind.is_file() {
            sync(&entry.path())?;
        }
    }
    sync(dir)
}

fn sync(path: &Path) -> Result<(), FolderError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(io_error("flush", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(place: &Generations, name: &str, content: &str) -> Result<PathBuf, FolderError> {
        let staging = place.stage()?;
        std::fs::create_dir(staging.dir().join("sub")).unwrap();
        std::fs::write(staging.dir().join("sub/file"), content).unwrap();
        let lock = place.lock()?;
        place.swap(&lock, staging, name, &|dir| {
            std::fs::read_to_string(dir.join("sub/file")).is_ok_and(|found| found == content)
        })
    }

    fn content(place: &Generations) -> String {
        let dir = place.current_dir().unwrap().unwrap();
        std::fs::read_to_string(dir.join("sub/file")).unwrap()
    }

    #[test]
    fn the_one_in_use_and_the_one_before_stay() {
        let root = tempfile::tempdir().unwrap();
        let place = Generations::new(root.path());
        assert_eq!(place.current_dir().unwrap(), None);
        for (name, text) in [("1-a", "one"), ("2-b", "two"), ("3-c", "three")] {
            install(&place, name, text).unwrap();
            assert_eq!(content(&place), text);
        }
        let mut left: Vec<_> = std::fs::read_dir(root.path().join("generations"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["2-b", "3-c"]);
        // The same again is no step, and keeps the one before.
        install(&place, "3-c", "three").unwrap();
        assert!(root.path().join("generations/2-b").exists());
    }

    #[test]
    fn a_damaged_generation_is_replaced_by_the_same_one() {
        let root = tempfile::tempdir().unwrap();
        let place = Generations::new(root.path());
        let dir = install(&place, "1-a", "one").unwrap();
        std::fs::write(dir.join("sub/file"), "broken").unwrap();
        install(&place, "1-a", "one").unwrap();
        assert_eq!(content(&place), "one");
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let place = Generations::new(root.path());
        for name in ["..", "1-../../x", "", "1-", "x-1"] {
            assert!(install(&place, name, "one").is_err(), "{name}");
        }
        assert_eq!(place.current_dir().unwrap(), None);
    }

    #[test]
    fn a_small_file_is_replaced_and_temporary_ones_go() {
        let root = tempfile::tempdir().unwrap();
        let place = Generations::new(root.path());
        let dead = root.path().join(".keys-0123456789abcdef");
        let other = root.path().join(".gitkeep");
        std::fs::write(&dead, "half").unwrap();
        std::fs::write(&other, "").unwrap();
        let lock = place.lock().unwrap();
        place.write_file(&lock, "keys", b"one").unwrap();
        place.write_file(&lock, "keys", b"two").unwrap();
        drop(lock);
        assert_eq!(std::fs::read(root.path().join("keys")).unwrap(), b"two");
        install(&place, "1-a", "one").unwrap();
        assert!(!dead.exists() && other.exists());
    }
}
