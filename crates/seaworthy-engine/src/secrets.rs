//! The key of this installation, and the scanner that uses it.
//!
//! Fingerprints of secrets are kept in the cache and shown in reports. With a plain hash,
//! whoever reads one could try passwords against it; so they are keyed with 32 random bytes
//! that stay in the data folder, readable by their owner alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seaworthy_core::{Problem, ProblemKind, Severity};
use seaworthy_secrets::redact::FingerprintKey;
use seaworthy_secrets::rule::RuleError;
use seaworthy_secrets::scanner::SecretScanner;

/// Whether secrets are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretsChoice {
    /// No.
    Off,
    /// Yes, with the key in this file, which is made when missing.
    KeyAt(PathBuf),
    /// Yes, with a key that ends with the scan: its fingerprints say nothing in the next one.
    KeyOnce,
    /// Yes, with this key.
    Key(FingerprintKey),
}

/// A rule that finds secrets, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRule {
    /// Its id.
    pub id: String,
    /// What it finds.
    pub summary: String,
    /// How bad that is.
    pub severity: Severity,
    /// Where to revoke it.
    pub revoke: String,
    /// Where the format is documented.
    pub reference: String,
}

/// All rules that find secrets, specific ones first.
///
/// # Errors
///
/// Never for the rules as committed.
pub fn secret_rules() -> Result<Vec<SecretRule>, crate::EngineError> {
    let scanner = SecretScanner::builtin(FingerprintKey::new([0; 32])).map_err(broken_rules)?;
    Ok(scanner
        .rules()
        .map(|rule| SecretRule {
            id: rule.id.to_owned(),
            summary: rule.summary.to_owned(),
            severity: rule.severity,
            revoke: rule.revoke.to_owned(),
            reference: rule.reference.to_owned(),
        })
        .collect())
}

fn broken_rules(error: RuleError) -> crate::EngineError {
    crate::EngineError::Secrets {
        message: "cannot use the built-in secret rules".to_owned(),
        source: error.into(),
    }
}

/// What [`open_secrets`] gives.
pub(crate) struct Secrets {
    /// `None` where nobody wants secrets looked for.
    pub scanner: Option<Arc<SecretScanner>>,
    /// Cuts secrets out of what a report shows, wanted or not.
    pub redactor: Arc<SecretScanner>,
    /// Why the key will be another one next time.
    pub notice: Option<Problem>,
    /// Whether evidence made with the key can be used again.
    pub is_lasting: bool,
}

/// Makes the scanner. A key that can't be kept costs comparability and not the result: it is
/// a notice in the report.
pub(crate) fn open_secrets(choice: &SecretsChoice) -> Result<Secrets, crate::EngineError> {
    let random_key = || {
        random()
            .map(FingerprintKey::new)
            .map_err(|error| crate::EngineError::Secrets {
                message: "cannot get random bytes for the key of fingerprints".to_owned(),
                source: error.into(),
            })
    };
    let mut notice = None;
    let mut is_lasting = true;
    let key = match choice {
        SecretsChoice::Off => {
            // No fingerprint leaves it: any key does.
            let redactor = SecretScanner::builtin(FingerprintKey::new([0; 32]));
            return Ok(Secrets {
                scanner: None,
                redactor: Arc::new(redactor.map_err(broken_rules)?),
                notice: None,
                is_lasting: true,
            });
        }
        SecretsChoice::Key(key) => key.clone(),
        SecretsChoice::KeyOnce => {
            is_lasting = false;
            random_key()?
        }
        SecretsChoice::KeyAt(path) => match kept_key(path) {
            Ok(bytes) => FingerprintKey::new(bytes),
            Err(error) => {
                is_lasting = false;
                notice = Some(Problem::new(
                    ProblemKind::Notice,
                    format!(
                        "the key of secret fingerprints at `{}` is not used, so they are other \
                         ones in each run and nothing is cached: {error}",
                        path.display()
                    ),
                ));
                random_key()?
            }
        },
    };
    let scanner = Arc::new(SecretScanner::builtin(key).map_err(broken_rules)?);
    Ok(Secrets {
        scanner: Some(scanner.clone()),
        redactor: scanner,
        notice,
        is_lasting,
    })
}

/// The key in the file, which is made where it is missing. Of several processes that make it
/// at once one wins, and all use its key.
fn kept_key(path: &Path) -> io::Result<[u8; 32]> {
    match read_key(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result,
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(&random()?));
    // A link, and no rename: it fails where another process was first.
    let linked = written.and_then(|()| std::fs::hard_link(&temporary, path));
    let _ = std::fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read_key(path),
    }
}

fn read_key(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.mode() & 0o077 != 0 {
        return Err(io::Error::other(
            "it is open to others\n  hint: remove it, or `chmod 600` it if nobody read it",
        ));
    }
    let mut key = [0; 32];
    file.read_exact(&mut key)?;
    Ok(key)
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/secret.key");
        let key = kept_key(&path).unwrap();
        assert_eq!(kept_key(&path).unwrap(), key);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.key");
        std::fs::write(&path, [1; 32]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let opened = open_secrets(&SecretsChoice::KeyAt(path)).unwrap();
        assert!(!opened.is_lasting && opened.scanner.is_some());
        assert!(opened.notice.unwrap().message.contains("open to others"));
    }
}
