//! Who vouches for a database: ed25519 signatures (RFC 8032) over its manifest.
//!
//! A database that was compiled on this machine is signed with a key made here; its public
//! half is pinned beside the database, so that later damage or a swapped directory shows.
//! A database from a mirror must be signed by a key the user configured. No key is built
//! into the program.
//!
//! What is signed is a fixed prefix followed by the manifest's bytes, so that a signature
//! can never be passed off as one over something else. Secret keys are files of mode 0600.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::manifest::hex;

const PREFIX: &[u8] = b"seaworthy advisory manifest 1\n";
const SECRET_HEADER: &str = "seaworthy secret key ed25519:";

/// The first 16 hexadecimal digits of the SHA-256 of a public key: enough to tell keys
/// apart in messages, never used to decide trust.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A public key, written `ed25519:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Its short name.
    pub fn id(&self) -> KeyId {
        let digest = hex(&Sha256::digest(self.0.as_bytes()));
        KeyId(digest.get(..16).unwrap_or(&digest).to_owned())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", hex(self.0.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim()
            .strip_prefix("ed25519:")
            .and_then(unhex::<32>)
            .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
            .filter(|key| !key.is_weak())
            .map(PublicKey)
            .ok_or(SignatureError::NotAKey)
    }
}

/// Why a signature was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature file is not one of ours.
    #[error("its signature file is malformed")]
    Malformed,
    /// Signed, but by nobody we trust.
    #[error(
        "it is signed by the unknown key `{0}`\n  hint: if the source is yours, add its public key to the trusted keys"
    )]
    UnknownKey(KeyId),
    /// The bytes are not those that were signed.
    #[error("its signature by key `{0}` does not fit its content")]
    Mismatch(KeyId),
    /// Not a public key.
    #[error("this is no public key\n  hint: a public key is `ed25519:` and 64 hexadecimal digits")]
    NotAKey,
}

/// The keys whose databases are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedKeys {
    keys: Vec<PublicKey>,
}

/// The signature file: `manifest.json.sig`.
#[derive(Serialize, Deserialize)]
struct SignatureFile {
    algorithm: String,
    key: KeyId,
    signature: String,
}

impl TrustedKeys {
    /// Trusts these keys.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> TrustedKeys {
        TrustedKeys {
            keys: keys.into_iter().collect(),
        }
    }

    /// Trusts one more.
    pub fn add(&mut self, key: PublicKey) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter()
    }

    /// Reads a file with one key per line; empty lines and lines starting with `#` do not
    /// count. A file that does not exist holds no key.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or a line is no key.
    pub fn load(path: &Path) -> io::Result<TrustedKeys> {
        let mut text = String::new();
        match std::fs::File::open(path) {
            Ok(file) => file.take(1 << 20).read_to_string(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let lines = text.lines().map(str::trim);
        let keys = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                line.parse().map_err(|error: SignatureError| {
                    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
                })
            });
        Ok(TrustedKeys {
            keys: keys.collect::<io::Result<_>>()?,
        })
    }

    /// Checks a signature file over a manifest, and tells whose it is.
    ///
    /// # Errors
    ///
    /// When the file is malformed, the key unknown, or the bytes are others.
    pub fn verify(&self, manifest: &[u8], signature: &[u8]) -> Result<KeyId, SignatureError> {
        let file: SignatureFile =
            serde_json::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
        let bytes = unhex::<64>(&file.signature)
            .filter(|_| file.algorithm == "ed25519" && file.key.0.len() <= 64)
            .ok_or(SignatureError::Malformed)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.id() == file.key)
            .ok_or_else(|| SignatureError::UnknownKey(file.key.clone()))?;
        key.0
            .verify_strict(&[PREFIX, manifest].concat(), &Signature::from_bytes(&bytes))
            .map_err(|_| SignatureError::Mismatch(file.key.clone()))?;
        Ok(file.key)
    }
}

/// A secret key of this machine.
pub struct LocalKey(SigningKey);

impl LocalKey {
    /// A new key from the system's random source.
    ///
    /// # Errors
    ///
    /// When the system has none.
    pub fn generate() -> io::Result<LocalKey> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(LocalKey(SigningKey::from_bytes(&seed)))
    }

    /// Reads the key file, or makes a key and writes it with mode 0600 when there is none.
    /// Two processes that do so at once end up with the same key.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written, is no key file, or others may read it.
    pub fn load_or_create(path: &Path) -> io::Result<LocalKey> {
        match LocalKey::load(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        let key = LocalKey::generate()?;
        let parent = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let temporary = parent.join(format!(".key-{}", hex(&random)));
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)?;
            writeln!(file, "{SECRET_HEADER}{}", hex(secret_bytes(&key)))?;
            file.sync_all()?;
            // A link fails when another process was first; then its key counts.
            match std::fs::hard_link(&temporary, path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            }
        };
        let result = write();
        let _ = std::fs::remove_file(&temporary);
        result?;
        LocalKey::load(path)
    }

    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is no key file, or others may read it.
    pub fn load(path: &Path) -> io::Result<LocalKey> {
        let file = std::fs::File::open(path)?;
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return Err(invalid(format!(
                "others may read the secret key `{0}`\n  hint: `chmod 600 {0}`, or delete it to have a new one made",
                path.display()
            )));
        }
        let mut text = String::new();
        file.take(4096).read_to_string(&mut text)?;
        text.trim_end()
            .strip_prefix(SECRET_HEADER)
            .and_then(unhex::<32>)
            .map(|seed| LocalKey(SigningKey::from_bytes(&seed)))
            .ok_or_else(|| {
                invalid(format!(
                    "`{}` is no secret key file\n  hint: delete it to have a new key made",
                    path.display()
                ))
            })
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The content of the signature file for a manifest.
    pub fn sign(&self, manifest: &[u8]) -> Vec<u8> {
        let signature = self.0.sign(&[PREFIX, manifest].concat());
        let file = SignatureFile {
            algorithm: "ed25519".to_owned(),
            key: self.public().id(),
            signature: hex(&signature.to_bytes()),
        };
        let mut bytes = serde_json::to_vec(&file).expect("three strings are valid JSON");
        bytes.push(b'\n');
        bytes
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey({})", self.public().id())
    }
}

fn secret_bytes(key: &LocalKey) -> &[u8] {
    key.0.as_bytes()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(i * 2..i * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_private_and_stable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/local.key");
        let first = LocalKey::load_or_create(&path).unwrap();
        let again = LocalKey::load_or_create(&path).unwrap();
        assert_eq!(first.public(), again.public());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(dir.path().join("keys")).unwrap().count(),
            1
        );

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = LocalKey::load_or_create(&path).unwrap_err();
        assert!(error.to_string().contains("hint: `chmod 600"), "{error}");
        assert!(!format!("{first:?}").contains(&hex(secret_bytes(&first))));
    }

    #[test]
    fn only_the_signed_bytes_under_a_trusted_key_are_accepted() {
        let key = LocalKey::generate().unwrap();
        let keys = TrustedKeys::new([key.public()]);
        let signature = key.sign(b"content");
        assert_eq!(keys.verify(b"content", &signature), Ok(key.public().id()));
        assert_eq!(
            keys.verify(b"Content", &signature),
            Err(SignatureError::Mismatch(key.public().id()))
        );
        assert_eq!(
            TrustedKeys::default().verify(b"content", &signature),
            Err(SignatureError::UnknownKey(key.public().id()))
        );
        for bad in [
            &b""[..],
            b"{}",
            b"{\"algorithm\":\"none\",\"key\":\"\",\"signature\":\"\"}",
        ] {
            assert_eq!(keys.verify(b"content", bad), Err(SignatureError::Malformed));
        }
    }

    #[test]
    fn public_keys_round_trip_as_text_and_in_files() {
        let key = LocalKey::generate().unwrap().public();
        assert_eq!(key.to_string().parse(), Ok(key.clone()));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trusted");
        assert_eq!(TrustedKeys::load(&path).unwrap(), TrustedKeys::default());
        std::fs::write(&path, format!("# ours\n\n{key}\n")).unwrap();
        assert_eq!(TrustedKeys::load(&path).unwrap(), TrustedKeys::new([key]));
        std::fs::write(&path, "ed25519:00\n").unwrap();
        assert!(TrustedKeys::load(&path).is_err());
    }
}
