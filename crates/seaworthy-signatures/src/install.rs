//! Where compiled signatures live on disk, and how new ones take the place of the old.
//!
//! ```text
//! ROOT/current, ROOT/generations/SECONDS-HASH/   see [`seaworthy_fetch::Generations`]
//!   signatures.bin   compiled, mapped by who scans
//!   manifest.json    what it is made of
//!   yara/            YARA rules that came with the signatures
//! ROOT/extra/                                    the user's own files, part of every build
//! ROOT/certificates/                             whose detached signatures count
//! ```

use std::io;
use std::path::{Path, PathBuf};

use seaworthy_fetch::{FolderError, Generations, hash_file, hex};
use sha2::{Digest as _, Sha256};

use crate::manifest::{COMPILED_FILE, MANIFEST_FILE, Manifest, YARA_FOLDER};
use crate::update::Compiled;
use crate::{OpenError, SignatureSet};

/// What went wrong with an installation.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Nothing is installed yet.
    #[error(
        "no signatures are installed in `{}`\n  hint: run `seaworthy signatures update`",
        .0.display()
    )]
    None(PathBuf),
    /// The disk said no.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The manifest is missing or damaged.
    #[error(
        "cannot read `{}`: {source}\n  hint: `seaworthy signatures update` installs new ones",
        path.display()
    )]
    Manifest {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The compiled signatures can't be used.
    #[error("cannot use `{}`: {source}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// A file differs from the manifest.
    #[error(
        "`{}` is not what was installed\n  hint: `seaworthy signatures update --force` installs it again",
        .0.display()
    )]
    Changed(PathBuf),
}

/// Signatures that are installed. Their directory does not change any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Where the files are.
    pub dir: PathBuf,
    /// What they are made of.
    pub manifest: Manifest,
}

impl Installed {
    /// Maps the compiled signatures. Their checksum is verified, which reads them once.
    ///
    /// # Errors
    ///
    /// They are damaged, of another version, or not those of the manifest.
    pub fn open(&self) -> Result<SignatureSet, InstallError> {
        let path = self.dir.join(COMPILED_FILE);
        let set = SignatureSet::open(&path).map_err(|source| InstallError::Open {
            path: path.clone(),
            source,
        })?;
        if self.manifest.revision_number() != Some(set.revision()) {
            return Err(InstallError::Changed(path));
        }
        Ok(set)
    }

    /// Checks every byte against the manifest's digests, and that the set opens.
    ///
    /// # Errors
    ///
    /// The first thing that does not hold.
    pub fn verify(&self) -> Result<(), InstallError> {
        let rules = self.manifest.yara.iter();
        let rules = rules.map(|rule| {
            let path = self.yara_folder().join(&rule.file);
            (path, &rule.sha256, rule.size)
        });
        let compiled = self.dir.join(COMPILED_FILE);
        let compiled = (compiled, &self.manifest.sha256, self.manifest.size);
        for (path, sha256, size) in std::iter::once(compiled).chain(rules) {
            match hash_file(&path) {
                Ok(found) if found == (sha256.clone(), size) => {}
                Ok(_) => return Err(InstallError::Changed(path)),
                Err(source) => return Err(folder_error("read", path, source)),
            }
        }
        self.open().map(|_| ())
    }

    /// Where the YARA rules that came along lie; the folder is there if there are any.
    pub fn yara_folder(&self) -> PathBuf {
        self.dir.join(YARA_FOLDER)
    }
}

/// The place on disk that holds signatures.
#[derive(Debug, Clone)]
pub struct InstallDir {
    generations: Generations,
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

    /// Where the user's own signature files lie, if there are any.
    pub fn extra_folder(&self) -> PathBuf {
        self.root().join("extra")
    }

    /// Where certificates lie that may vouch for databases, if there are any.
    pub fn certificates_folder(&self) -> PathBuf {
        self.root().join("certificates")
    }

    /// The signatures in use, or `None` where nothing is installed.
    ///
    /// # Errors
    ///
    /// When `current` is no link, or what it points to has no manifest.
    pub fn current(&self) -> Result<Option<Installed>, InstallError> {
        let Some(dir) = self.generations.current_dir()? else {
            return Ok(None);
        };
        let path = dir.join(MANIFEST_FILE);
        match Manifest::read(&path) {
            Ok(manifest) => Ok(Some(Installed { dir, manifest })),
            Err(source) => Err(InstallError::Manifest { path, source }),
        }
    }

    /// The signatures in use.
    ///
    /// # Errors
    ///
    /// [`InstallError::None`] when nothing is installed, else as [`InstallDir::current`].
    pub fn open(&self) -> Result<Installed, InstallError> {
        self.current()?
            .ok_or_else(|| InstallError::None(self.root().to_owned()))
    }

    /// Writes compiled signatures and makes them the ones in use, after they were read back.
    ///
    /// # Errors
    ///
    /// When the disk fails or gives back something else; the former ones then stay in use.
    pub fn install(&self, compiled: &Compiled) -> Result<Installed, InstallError> {
        let staging = self.generations.stage()?;
        let dir = staging.dir();
        let mut manifest = compiled.manifest.clone();
        let bytes = compiled.set.as_bytes();
        write(&dir.join(COMPILED_FILE), bytes)?;
        manifest.revision = format!("{:016x}", compiled.set.revision());
        manifest.sha256 = hex(&Sha256::digest(bytes));
        manifest.size = bytes.len() as u64;
        for (file, content) in manifest.yara.iter().zip(&compiled.yara) {
            let path = dir.join(YARA_FOLDER).join(&file.file);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)
                    .map_err(|source| folder_error("create", parent.to_owned(), source))?;
            }
            write(&path, content)?;
        }
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| {
            folder_error("write", dir.join(MANIFEST_FILE), io::Error::other(error))
        })?;
        write(&dir.join(MANIFEST_FILE), &text)?;
        let staged = Installed {
            dir: dir.to_owned(),
            manifest: manifest.clone(),
        };
        staged.verify()?;
        let hash = hex(&Sha256::digest(&text));
        let name = format!(
            "{}-{}",
            manifest.built_at.as_second().max(0),
            hash.get(..16).unwrap_or(&hash)
        );
        let lock = self.generations.lock()?;
        let dir = self.generations.swap(&lock, staging, &name, &|dir| {
            let dir = dir.to_owned();
            let manifest = manifest.clone();
            Installed { dir, manifest }.verify().is_ok()
        })?;
        Ok(Installed { dir, manifest })
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), InstallError> {
    std::fs::write(path, bytes).map_err(|source| folder_error("write", path.to_owned(), source))
}

fn folder_error(what: &'static str, path: PathBuf, source: io::Error) -> InstallError {
    InstallError::Folder(FolderError { what, path, source })
}
