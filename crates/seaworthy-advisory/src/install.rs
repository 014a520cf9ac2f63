//! Where databases live on disk, and how a new one takes the place of the old.
//!
//! ```text
//! ROOT/current, ROOT/generations/SERIAL-HASH/   see [`seaworthy_fetch::Generations`]
//! ROOT/trusted-keys                             public keys whose databases are accepted
//! ```
//!
//! A generation holds manifest, signature and shards, and is verified before it is used.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use seaworthy_fetch::{FolderError, Generations};

pub use seaworthy_fetch::Staging;

use crate::manifest::{
    MANIFEST_FILE, Manifest, SIGNATURE_FILE, Verified, VerifyError, verify, verify_manifest,
};
use crate::signing::{LocalKey, PublicKey, TrustedKeys};

const TRUSTED_KEYS: &str = "trusted-keys";

/// Whatever kept a build from succeeding.
pub type BuildError = Box<dyn std::error::Error + Send + Sync>;

/// Writes shards into a directory and returns the manifest that lists them.
pub type Build<'a> = dyn FnMut(&Path) -> Result<Manifest, BuildError> + 'a;

/// The place on disk that holds databases.
#[derive(Debug, Clone)]
pub struct InstallDir {
    generations: Generations,
}

/// An installed database. Its directory does not change any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Where its files are.
    pub dir: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
}

/// What went wrong with an installation.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Nothing is installed yet.
    #[error(
        "no advisory database is installed in `{}`\n  hint: run `seaworthy db update`",
        .0.display()
    )]
    None(PathBuf),
    /// The disk said no.
    #[error("cannot {what} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The database does not hold.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// It is older than the one in use.
    #[error(
        "the new advisory database (serial {new}) is older than the installed one (serial {installed})\n  hint: use --force to go back on purpose"
    )]
    Rollback {
        /// Serial of the database offered.
        new: u64,
        /// Serial of the one in use.
        installed: u64,
    },
    /// The function that makes the database failed.
    #[error("cannot build the advisory database: {0}")]
    Build(BuildError),
}

impl From<FolderError> for InstallError {
    fn from(error: FolderError) -> InstallError {
        InstallError::Io {
            what: error.what,
            path: error.path,
            source: error.source,
        }
    }
}

fn io_error<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> InstallError + use<'a> {
    move |source| InstallError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

impl InstallDir {
    /// Names the place; nothing is read or made yet.
    pub fn new(root: impl Into<PathBuf>) -> InstallDir {
        InstallDir {
            generations: Generations::new(root),
        }
    }

    /// The place.
    pub fn root(&self) -> &Path {
        self.generations.root()
    }

    /// Where this machine's secret key lies.
    pub fn key_file(&self) -> PathBuf {
        self.root().join("keys/local.key")
    }

    /// The keys pinned here.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or holds something else.
    pub fn pinned_keys(&self) -> Result<TrustedKeys, InstallError> {
        let path = self.root().join(TRUSTED_KEYS);
        TrustedKeys::load(&path).map_err(io_error("read", &path))
    }

    /// Pins a key: its databases are accepted from now on.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn pin(&self, key: &PublicKey) -> Result<(), InstallError> {
        let lock = self.generations.lock()?;
        let mut keys = self.pinned_keys()?;
        if keys.iter().any(|known| known == key) {
            return Ok(());
        }
        keys.add(key.clone());
        let text: String = keys.iter().map(|key| format!("{key}\n")).collect();
        Ok(self
            .generations
            .write_file(&lock, TRUSTED_KEYS, text.as_bytes())?)
    }

    /// The directory of the database in use, or `None` when there is none.
    ///
    /// # Errors
    ///
    /// When `current` is something else than a link to a generation.
    pub fn current_dir(&self) -> Result<Option<PathBuf>, InstallError> {
        Ok(self.generations.current_dir()?)
    }

    /// Opens the database in use: signature and expiry are checked, shards are not read
    /// (their headers carry checksums of their own; [`InstallDir::verify`] reads all).
    ///
    /// # Errors
    ///
    /// [`InstallError::None`] when nothing is installed, else why it cannot be used.
    pub fn open(&self, keys: &TrustedKeys, now: Timestamp) -> Result<Generation, InstallError> {
        let dir = self
            .current_dir()?
            .ok_or_else(|| InstallError::None(self.root().to_owned()))?;
        let manifest = verify_manifest(&dir, keys, now)?.manifest;
        Ok(Generation { dir, manifest })
    }

    /// Checks every byte of the database in use.
    ///
    /// # Errors
    ///
    /// [`InstallError::None`] when nothing is installed, else what does not hold.
    pub fn verify(&self, keys: &TrustedKeys, now: Timestamp) -> Result<Verified, InstallError> {
        let dir = self
            .current_dir()?
            .ok_or_else(|| InstallError::None(self.root().to_owned()))?;
        Ok(verify(&dir, keys, now)?)
    }

    /// A new empty directory to write a database into, on the same file system as its later
    /// place.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn stage(&self) -> Result<Staging, InstallError> {
        Ok(self.generations.stage()?)
    }

    /// Builds a database on the spot and installs it: `build` writes shards into the
    /// directory it is given and returns the manifest; this signs with the machine's own
    /// key, which is made at the first time and pinned.
    ///
    /// # Errors
    ///
    /// When building, writing or installing fails; the former database then stays in use.
    pub fn install_built(
        &self,
        build: &mut Build<'_>,
        now: Timestamp,
        force: bool,
    ) -> Result<Generation, InstallError> {
        let staging = self.stage()?;
        let manifest = build(staging.dir()).map_err(InstallError::Build)?;
        let key_file = self.key_file();
        let key = LocalKey::load_or_create(&key_file).map_err(io_error("use", &key_file))?;
        self.pin(&key.public())?;
        let bytes = manifest.to_bytes()?;
        let path = staging.dir().join(MANIFEST_FILE);
        std::fs::write(&path, &bytes).map_err(io_error("write", &path))?;
        let path = staging.dir().join(SIGNATURE_FILE);
        std::fs::write(&path, key.sign(&bytes)).map_err(io_error("write", &path))?;
        self.install(staging, &TrustedKeys::new([key.public()]), now, force)
    }

    /// Makes a staged database, complete with manifest and signature, the one in use.
    /// Everything is verified first. A database that is installed already stays as it is.
    ///
    /// # Errors
    ///
    /// When it does not hold, is older than the one in use (unless `force`), or the disk
    /// fails; the former database then stays in use.
    pub fn install(
        &self,
        staging: Staging,
        keys: &TrustedKeys,
        now: Timestamp,
        force: bool,
    ) -> Result<Generation, InstallError> {
        let manifest = verify(staging.dir(), keys, now)?.manifest;
        let lock = self.generations.lock()?;
        let former = self.current_dir()?;
        if let Some(installed) = former.as_deref().and_then(serial_of)
            && manifest.serial < installed
            && !force
        {
            return Err(InstallError::Rollback {
                new: manifest.serial,
                installed,
            });
        }
        let name = manifest.generation_name()?;
        let is_whole = |dir: &Path| verify(dir, keys, now).is_ok();
        let dir = self.generations.swap(&lock, staging, &name, &is_whole)?;
        Ok(Generation { dir, manifest })
    }
}

/// The serial in a generation's name. The manifest inside is not asked, because a damaged
/// database must still count as the newer one.
fn serial_of(dir: &Path) -> Option<u64> {
    let name = dir.file_name()?.to_str()?;
    name.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::manifest::Shard;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// Installs a database whose one shard holds `content`.
    fn install(
        root: &Path,
        serial: i64,
        content: &str,
        force: bool,
    ) -> Result<Generation, InstallError> {
        InstallDir::new(root).install_built(
            &mut |dir| {
                std::fs::write(dir.join("a.shard"), content)?;
                let mut manifest = Manifest::new("test", at(serial));
                manifest
                    .shards
                    .push(Shard::of_file("a", dir, "a.shard", 1)?);
                Ok(manifest)
            },
            at(5000),
            force,
        )
    }

    fn content(root: &Path) -> String {
        std::fs::read_to_string(root.join("current/a.shard")).unwrap()
    }

    #[test]
    fn a_new_database_replaces_the_old_and_readers_keep_theirs() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let place = InstallDir::new(root);
        let keys = || place.pinned_keys().unwrap();
        assert!(matches!(
            place.open(&TrustedKeys::default(), at(0)),
            Err(InstallError::None(_))
        ));
        let first = install(root, 1, "one", false).unwrap();
        assert_eq!(place.open(&keys(), at(5000)).unwrap(), first);
        let reader = first.dir.join("a.shard");
        install(root, 2, "two", false).unwrap();
        assert_eq!(content(root), "two");
        // The former one is still there for who has just looked it up.
        assert_eq!(std::fs::read_to_string(&reader).unwrap(), "one");
        let mut open = File::open(&reader).unwrap();
        install(root, 3, "three", false).unwrap();
        assert!(!reader.exists());
        let mut text = String::new();
        io::Read::read_to_string(&mut open, &mut text).unwrap();
        assert_eq!(text, "one");
        assert!(place.verify(&keys(), at(5000)).is_ok());
        assert_eq!(
            std::fs::read_dir(root.join("generations")).unwrap().count(),
            2
        );
    }

    #[test]
    fn going_back_needs_force() {
        let root = tempfile::tempdir().unwrap();
        install(root.path(), 2, "two", false).unwrap();
        let error = install(root.path(), 1, "one", false).unwrap_err();
        assert!(matches!(
            error,
            InstallError::Rollback {
                new: 1,
                installed: 2
            }
        ));
        assert_eq!(content(root.path()), "two");
        install(root.path(), 1, "one", true).unwrap();
        assert_eq!(content(root.path()), "one");
        // The same again is no rollback and changes nothing.
        install(root.path(), 1, "one", false).unwrap();
        assert_eq!(content(root.path()), "one");
    }

    #[test]
    fn a_damaged_database_is_replaced_by_the_same_one() {
        let root = tempfile::tempdir().unwrap();
        let generation = install(root.path(), 1, "one", false).unwrap();
        std::fs::write(generation.dir.join("a.shard"), "two").unwrap();
        let place = InstallDir::new(root.path());
        let keys = place.pinned_keys().unwrap();
        assert!(place.verify(&keys, at(5000)).is_err());
        install(root.path(), 1, "one", false).unwrap();
        assert!(place.verify(&keys, at(5000)).is_ok());
    }

    #[test]
    fn a_failed_build_leaves_the_old_database_and_no_litter() {
        let root = tempfile::tempdir().unwrap();
        install(root.path(), 1, "one", false).unwrap();
        let error = InstallDir::new(root.path())
            .install_built(&mut |_| Err("no space".into()), at(5000), false)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot build the advisory database: no space"
        );
        assert_eq!(content(root.path()), "one");
        assert_eq!(
            std::fs::read_dir(root.path().join("generations"))
                .unwrap()
                .count(),
            1
        );
    }

    #[test]
    fn staging_of_the_living_is_kept_and_of_the_dead_removed() {
        let root = tempfile::tempdir().unwrap();
        let place = InstallDir::new(root.path());
        let alive = place.stage().unwrap();
        let dead = root.path().join("generations/.staging-dead");
        std::fs::create_dir_all(&dead).unwrap();
        install(root.path(), 1, "one", false).unwrap();
        assert!(alive.dir().exists());
        assert!(!dead.exists());
    }
}
