//! The manifest of an advisory database: what is in it, and from what it was made.
//!
//! A database is a directory with shard files, `manifest.json` and its detached signature
//! `manifest.json.sig`. The manifest names every shard with its size and SHA-256, so one
//! signature covers all bytes. It is written deterministically (fields in the order below,
//! shards and inputs by name, no white space, a line feed at the end) and holds no wall
//! clock: whoever builds from the same inputs gets the same bytes.
//!
//! `serial` never falls from one database to the next, which is what stops a mirror from
//! handing out an old one as new; `expires` stops it from withholding new ones for ever.
//! (The ideas are those of The Update Framework; its roles and delegations are left out.)

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use seaworthy_fetch::hash_file;
pub(crate) use seaworthy_fetch::hex;

use crate::signing::{KeyId, SignatureError, TrustedKeys};

/// The manifest's name in a database directory.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The name of its signature.
pub const SIGNATURE_FILE: &str = "manifest.json.sig";
/// The only manifest format there is.
pub const MANIFEST_FORMAT: u32 = 1;
/// The largest manifest that is read, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;
/// The most shards a manifest may list.
pub const MAX_SHARDS: usize = 10_000;

/// What a database holds. See the module's text for the promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub format: u32,
    /// What compiled it, with its version; a different one is reason to build again.
    pub builder: String,
    /// Never lower than in the database it replaces; by custom the Unix time of `created`.
    pub serial: u64,
    /// The newest moment that the inputs speak of.
    #[serde(with = "timestamp")]
    pub created: Timestamp,
    /// From when on it must not be used; `None` for databases built on the spot.
    #[serde(with = "optional_timestamp", default)]
    pub expires: Option<Timestamp>,
    /// What it was made from, by name.
    pub inputs: Vec<Input>,
    /// Its files, by name.
    pub shards: Vec<Shard>,
}

/// A file that went into the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Input {
    /// What it is called: `Debian`, `epss`, `kev`.
    pub name: String,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

/// A file of the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// What it covers: `Debian:12`, `PyPI`, `text`, `cve-decorations`.
    pub name: String,
    /// The file in the database directory; see [`shard_file_name`].
    pub file: String,
    /// Lower-case hexadecimal SHA-256 of the file.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// How many records it holds.
    pub records: u64,
    /// The names of the inputs that it was made from.
    #[serde(default)]
    pub sources: Vec<String>,
    /// What the source's licence wants said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
}

/// Why a database is not to be used.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The manifest is not one of ours.
    #[error("the database manifest is malformed: {0}")]
    Manifest(String),
    /// The signature does not hold.
    #[error("the database manifest cannot be trusted: {0}")]
    Signature(#[from] SignatureError),
    /// It is past its expiry.
    #[error(
        "the advisory database expired at {0}\n  hint: run `seaworthy db update`, or check this machine's clock"
    )]
    Expired(Timestamp),
    /// A shard's bytes are not those that were signed.
    #[error(
        "the database file `{file}` is damaged: {reason}\n  hint: run `seaworthy db update` to install a fresh one"
    )]
    Shard {
        /// Its file name.
        file: String,
        /// What differs.
        reason: String,
    },
}

/// A manifest whose signature, and where asked whose files, were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What was signed.
    pub manifest: Manifest,
    /// By whom.
    pub key: KeyId,
}

impl Manifest {
    /// A manifest with no content yet. `created` should come from the inputs.
    pub fn new(builder: &str, created: Timestamp) -> Manifest {
        Manifest {
            format: MANIFEST_FORMAT,
            builder: builder.to_owned(),
            serial: u64::try_from(created.as_second()).unwrap_or(0),
            created,
            expires: None,
            inputs: Vec::new(),
            shards: Vec::new(),
        }
    }

    /// The bytes that are signed and written. Sorts inputs and shards.
    ///
    /// # Errors
    ///
    /// When the manifest breaks one of its own rules, which [`Manifest::from_bytes`] would
    /// refuse as well.
    pub fn to_bytes(&self) -> Result<Vec<u8>, VerifyError> {
        let mut sorted = self.clone();
        sorted.inputs.sort();
        sorted.shards.sort();
        sorted.validate()?;
        let mut bytes = serde_json::to_vec(&sorted)
            .map_err(|error| VerifyError::Manifest(error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a manifest and checks its rules: format, counts, digests, and file names that
    /// cannot leave the directory.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Manifest`] with what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Manifest, VerifyError> {
        let manifest: Manifest = serde_json::from_slice(bytes)
            .map_err(|error| VerifyError::Manifest(error.to_string()))?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// The name of the directory that holds this database: serial, then the start of the
    /// digest of its manifest.
    ///
    /// # Errors
    ///
    /// As [`Manifest::to_bytes`].
    pub fn generation_name(&self) -> Result<String, VerifyError> {
        let digest = hex(&Sha256::digest(self.to_bytes()?));
        Ok(format!(
            "{:012}-{}",
            self.serial,
            digest.get(..16).unwrap_or(&digest)
        ))
    }

    /// The shard that covers `name`.
    pub fn shard(&self, name: &str) -> Option<&Shard> {
        self.shards.iter().find(|shard| shard.name == name)
    }

    fn validate(&self) -> Result<(), VerifyError> {
        let refuse = |what: String| Err(VerifyError::Manifest(what));
        if self.format != MANIFEST_FORMAT {
            return refuse(format!(
                "format {} is not the format {MANIFEST_FORMAT} of this program\n  hint: update seaworthy or the database",
                self.format
            ));
        }
        if self.shards.len() > MAX_SHARDS || self.inputs.len() > MAX_SHARDS {
            return refuse(format!("it lists more than {MAX_SHARDS} files"));
        }
        let mut files = BTreeSet::new();
        let mut names = BTreeSet::new();
        for shard in &self.shards {
            if !is_plain_file_name(&shard.file) {
                return refuse(format!("`{}` is no file name", shard.file.escape_debug()));
            }
            if !files.insert(&shard.file) || !names.insert(&shard.name) {
                return refuse(format!("`{}` is listed twice", shard.name.escape_debug()));
            }
        }
        let digests = self.shards.iter().map(|shard| &shard.sha256);
        for digest in digests.chain(self.inputs.iter().map(|input| &input.sha256)) {
            let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            if digest.len() != 64 || !digest.bytes().all(is_hex) {
                return refuse(format!("`{}` is no SHA-256", digest.escape_debug()));
            }
        }
        Ok(())
    }
}

impl Shard {
    /// The entry of a file that was just written.
    ///
    /// # Errors
    ///
    /// When the file cannot be read back.
    pub fn of_file(name: &str, dir: &Path, file: &str, records: u64) -> io::Result<Shard> {
        let (sha256, size) = hash_file(&dir.join(file))?;
        Ok(Shard {
            name: name.to_owned(),
            file: file.to_owned(),
            sha256,
            size,
            records,
            sources: Vec::new(),
            attribution: None,
        })
    }
}

/// A file name for a shard: readable, safe on every file system, different for different
/// names (`Rocky Linux:9` gives `rocky-linux-9.4c01ab2f.shard`).
pub fn shard_file_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .take(80)
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '.' => c,
            'A'..='Z' => c.to_ascii_lowercase(),
            _ => '-',
        })
        .collect();
    let digest = hex(&Sha256::digest(name.as_bytes()));
    let tag = digest.get(..8).unwrap_or(&digest);
    format!("{}.{tag}.shard", plain.trim_start_matches('.'))
}

/// Reads and checks the manifest of a database directory, without reading its shards.
///
/// # Errors
///
/// When it is missing, malformed, expired at `now` or not signed by a trusted key.
pub fn verify_manifest(
    dir: &Path,
    keys: &TrustedKeys,
    now: Timestamp,
) -> Result<Verified, VerifyError> {
    let bytes = read_small(&dir.join(MANIFEST_FILE))?;
    let signature = read_small(&dir.join(SIGNATURE_FILE))?;
    verify_manifest_bytes(&bytes, &signature, keys, now)
}

/// The same for bytes that were fetched.
///
/// # Errors
///
/// As [`verify_manifest`].
pub fn verify_manifest_bytes(
    bytes: &[u8],
    signature: &[u8],
    keys: &TrustedKeys,
    now: Timestamp,
) -> Result<Verified, VerifyError> {
    // Nothing is parsed before it is known who wrote it.
    let key = keys.verify(bytes, signature)?;
    let manifest = Manifest::from_bytes(bytes)?;
    match manifest.expires {
        Some(expires) if expires <= now => Err(VerifyError::Expired(expires)),
        _ => Ok(Verified { manifest, key }),
    }
}

/// Checks a whole database directory: manifest, signature, expiry, and size and digest of
/// every file in it. A file that is not listed is an error too.
///
/// # Errors
///
/// The first thing that does not hold.
pub fn verify(dir: &Path, keys: &TrustedKeys, now: Timestamp) -> Result<Verified, VerifyError> {
    let verified = verify_manifest(dir, keys, now)?;
    for shard in &verified.manifest.shards {
        let damaged = |reason: String| VerifyError::Shard {
            file: shard.file.clone(),
            reason,
        };
        let path = dir.join(&shard.file);
        let (sha256, size) = match hash_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("it is missing".to_owned()));
            }
            Err(source) => return Err(VerifyError::Read { path, source }),
            Ok(found) => found,
        };
        if size != shard.size {
            return Err(damaged(format!(
                "it has {size} bytes instead of {}",
                shard.size
            )));
        }
        if sha256 != shard.sha256 {
            return Err(damaged("its SHA-256 is not the signed one".to_owned()));
        }
    }
    let read = |source| VerifyError::Read {
        path: dir.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(dir).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
        let listed = verified
            .manifest
            .shards
            .iter()
            .any(|shard| name == *shard.file);
        if !listed && name != MANIFEST_FILE && name != SIGNATURE_FILE {
            return Err(VerifyError::Shard {
                file: name.to_string_lossy().into_owned(),
                reason: "the manifest does not list it".to_owned(),
            });
        }
    }
    Ok(verified)
}

fn read_small(path: &Path) -> Result<Vec<u8>, VerifyError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(MAX_MANIFEST_BYTES + 1)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|source| VerifyError::Read {
        path: path.to_owned(),
        source,
    })?;
    if bytes.len() as u64 > MAX_MANIFEST_BYTES {
        return Err(VerifyError::Manifest(format!(
            "it is larger than {MAX_MANIFEST_BYTES} bytes"
        )));
    }
    Ok(bytes)
}

fn is_plain_file_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !name.is_empty()
        && name.len() <= 200
        && name.bytes().all(allowed)
        && !name.starts_with('.')
        && name != MANIFEST_FILE
        && name != SIGNATURE_FILE
}

mod timestamp {
    use super::{Deserialize, Timestamp};

    pub(super) fn serialize<S: serde::Serializer>(
        moment: &Timestamp,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_str(moment)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

mod optional_timestamp {
    use super::{Deserialize, Timestamp};

    pub(super) fn serialize<S: serde::Serializer>(
        moment: &Option<Timestamp>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        match moment {
            Some(moment) => out.collect_str(moment),
            None => out.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        match Option::<std::borrow::Cow<str>>::deserialize(from)? {
            Some(text) => text.parse().map(Some).map_err(serde::de::Error::custom),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::LocalKey;

    fn write_database(dir: &Path, key: &LocalKey, change: impl FnOnce(&mut Manifest)) {
        std::fs::write(dir.join("a.shard"), b"alpha").unwrap();
        std::fs::write(dir.join("b.shard"), b"beta").unwrap();
        let mut manifest = Manifest::new("test 1", "2024-05-01T00:00:00Z".parse().unwrap());
        for name in ["b", "a"] {
            let shard = Shard::of_file(name, dir, &format!("{name}.shard"), 1).unwrap();
            manifest.shards.push(shard);
        }
        change(&mut manifest);
        let bytes = manifest.to_bytes().unwrap();
        std::fs::write(dir.join(MANIFEST_FILE), &bytes).unwrap();
        std::fs::write(dir.join(SIGNATURE_FILE), key.sign(&bytes)).unwrap();
    }

    fn now() -> Timestamp {
        "2024-06-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_same_content_gives_the_same_bytes_in_a_fixed_order() {
        let mut manifest = Manifest::new("test 1", "2024-05-01T00:00:00Z".parse().unwrap());
        for name in ["b", "a"] {
            manifest.inputs.push(Input {
                name: name.to_owned(),
                sha256: "0".repeat(64),
                size: 1,
            });
        }
        let text = String::from_utf8(manifest.to_bytes().unwrap()).unwrap();
        assert_eq!(
            text,
            format!(
                "{{\"format\":1,\"builder\":\"test 1\",\"serial\":1714521600,\
                 \"created\":\"2024-05-01T00:00:00Z\",\"expires\":null,\"inputs\":[\
                 {{\"name\":\"a\",\"sha256\":\"{0}\",\"size\":1}},\
                 {{\"name\":\"b\",\"sha256\":\"{0}\",\"size\":1}}],\"shards\":[]}}\n",
                "0".repeat(64)
            )
        );
        let back = Manifest::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(back.to_bytes().unwrap(), text.as_bytes());
    }

    #[test]
    fn damage_in_any_file_is_found_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let key = LocalKey::generate().unwrap();
        let keys = TrustedKeys::new([key.public()]);
        let message = |keys: &TrustedKeys| verify(dir, keys, now()).unwrap_err().to_string();

        write_database(dir, &key, |_| {});
        assert!(verify(dir, &keys, now()).is_ok());

        std::fs::write(dir.join("a.shard"), b"alphA").unwrap();
        assert!(message(&keys).contains("`a.shard` is damaged: its SHA-256"));
        std::fs::write(dir.join("a.shard"), b"alph").unwrap();
        assert!(message(&keys).contains("it has 4 bytes instead of 5"));
        std::fs::remove_file(dir.join("a.shard")).unwrap();
        assert!(message(&keys).contains("it is missing"));

        write_database(dir, &key, |_| {});
        std::fs::write(dir.join("extra"), b"").unwrap();
        assert!(message(&keys).contains("does not list it"));
        std::fs::remove_file(dir.join("extra")).unwrap();

        let mut bytes = std::fs::read(dir.join(MANIFEST_FILE)).unwrap();
        bytes[30] ^= 1;
        std::fs::write(dir.join(MANIFEST_FILE), bytes).unwrap();
        assert!(message(&keys).contains("cannot be trusted"));

        write_database(dir, &LocalKey::generate().unwrap(), |_| {});
        assert!(message(&keys).contains("cannot be trusted"));
    }

    #[test]
    fn an_expired_database_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let key = LocalKey::generate().unwrap();
        write_database(dir.path(), &key, |manifest| manifest.expires = Some(now()));
        let keys = TrustedKeys::new([key.public()]);
        let error = verify(dir.path(), &keys, now()).unwrap_err();
        assert!(matches!(error, VerifyError::Expired(_)));
        let before = "2024-05-31T23:59:59Z".parse().unwrap();
        assert!(verify(dir.path(), &keys, before).is_ok());
    }

    #[test]
    fn a_manifest_cannot_name_files_outside_of_its_directory() {
        for file in [
            "../a",
            "/etc/passwd",
            "a/b",
            ".hidden",
            "",
            "manifest.json",
            "a\0b",
        ] {
            let mut manifest = Manifest::new("test", now());
            manifest.shards.push(Shard {
                name: "a".to_owned(),
                file: file.to_owned(),
                sha256: "0".repeat(64),
                size: 0,
                records: 0,
                sources: Vec::new(),
                attribution: None,
            });
            assert!(manifest.to_bytes().is_err(), "{file}");
        }
    }

    #[test]
    fn shard_file_names_are_plain_and_distinct() {
        let names = ["Debian:12", "Debian-12", "Rocky Linux:9", "../x", "", "é"];
        let files: BTreeSet<String> = names.iter().map(|name| shard_file_name(name)).collect();
        assert_eq!(files.len(), names.len());
        assert!(
            files
                .iter()
                .all(|file| is_plain_file_name(file) || file.starts_with('.'))
        );
        assert!(shard_file_name("Rocky Linux:9").starts_with("rocky-linux-9."));
    }
}
