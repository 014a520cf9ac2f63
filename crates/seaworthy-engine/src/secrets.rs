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

use seaworthy_core::{Finding, ImageEvidence, Problem, ProblemKind, SecretAllow, Severity};
use seaworthy_lint::dockerfile;
use seaworthy_policy::{Ignore, Policy};
use seaworthy_report::Suppressed;
use seaworthy_secrets::allow::AllowList;
use seaworthy_secrets::baseline::Baseline;
use seaworthy_secrets::custom::CustomRules;
use seaworthy_secrets::findings::{Judging, judge};
use seaworthy_secrets::redact::FingerprintKey;
use seaworthy_secrets::rule::RuleError;
use seaworthy_secrets::scanner::SecretScanner;

use crate::fixes::{self, NamedDockerfile};

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

/// A text and how the user named where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedText {
    /// The file, mostly.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// What else secrets are looked for and judged by.
#[derive(Debug, Clone, Default)]
pub struct SecretOptions {
    /// Rule files: ours, or configurations of gitleaks.
    pub rules: Vec<NamedText>,
    /// What is known and set aside, beside what the policy says.
    pub allow: Vec<SecretAllow>,
    /// The baseline: what stands in it is known. Its key makes the fingerprints of the scan.
    pub baseline: Option<Arc<Baseline>>,
    /// Where to write a baseline of what is found.
    pub write_baseline: Option<PathBuf>,
    /// The Dockerfile the image is built from, to write fixes out for.
    pub dockerfile: Option<NamedText>,
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

/// What a rule file could not say that is told.
const MAX_NOTES: usize = 500;

/// Secrets judged.
#[derive(Default)]
pub(crate) struct JudgedSecrets {
    /// The findings.
    pub findings: Vec<Finding>,
    /// What is told about them beside.
    pub notices: Vec<Problem>,
    /// What is set aside, by reason.
    pub suppressed: Vec<Suppressed>,
    /// Exceptions for what stands in the baseline.
    pub known: Vec<Ignore>,
}

/// Judges the secrets in an image's evidence, writes fixes out and the baseline down.
pub(crate) fn judge_secrets(
    evidence: &mut ImageEvidence,
    scanner: &SecretScanner,
    options: &SecretOptions,
    now: jiff::Timestamp,
) -> Result<JudgedSecrets, crate::EngineError> {
    let mut notices = Vec::new();
    let dockerfile = options.dockerfile.as_ref().map(|file| NamedDockerfile {
        name: file.name.clone(),
        file: dockerfile::parse(&file.text),
    });
    if let Some(dockerfile) = &dockerfile {
        evidence
            .config_secrets
            .extend(fixes::secrets_of(dockerfile, scanner));
        let broken = dockerfile.file.problems.iter().take(MAX_NOTES);
        notices.extend(broken.map(|(line, message)| {
            Problem::new(
                ProblemKind::Notice,
                format!("line {line} of `{}`: {message}", dockerfile.name),
            )
        }));
    }
    let judging = Judging {
        now: now.as_second(),
        allow: scanner.allow_list(),
        baseline: options.baseline.as_deref(),
    };
    let mut judged = judge(evidence, scanner.rules(), &judging);
    if let Some(dockerfile) = &dockerfile {
        fixes::write_out(&mut judged.findings, dockerfile, scanner, &evidence.layers);
    }
    let told = judged.allow_notes.drain(..).take(MAX_NOTES);
    notices.extend(told.map(|note| Problem::new(ProblemKind::Notice, note)));
    notices.extend(published_secrets(judged.in_os_packages));
    if let (Some(path), Some(baseline)) = (&options.write_baseline, &options.baseline) {
        let renewed = baseline.renewed(judged.places.into_iter());
        write_baseline(path, &renewed.to_toml()).map_err(|error| crate::EngineError::Secrets {
            message: format!("cannot write the baseline `{}`", path.display()),
            source: error.into(),
        })?;
    }
    Ok(JudgedSecrets {
        findings: judged.findings,
        notices,
        suppressed: judged
            .allowed
            .into_iter()
            .map(|(reason, allowed)| Suppressed {
                reason: "secret-allowed".to_owned(),
                summary: reason,
                count: u32::try_from(allowed.count).unwrap_or(u32::MAX),
                examples: allowed.examples,
            })
            .collect(),
        known: judged
            .known
            .into_iter()
            .map(|known| Ignore {
                subject: None,
                id: known.fingerprint.to_string(),
                package: None,
                path: None,
                reason: match known.reason {
                    Some(reason) => format!("known, in the baseline: {reason}"),
                    None => "known: it stands in the baseline".to_owned(),
                },
                expires: known.expires.and_then(|day| day.parse().ok()),
                line: 0,
            })
            .collect(),
    })
}

/// A baseline with no entry and a key of its own, to be written.
///
/// # Errors
///
/// Where the system gives no random bytes.
pub fn new_baseline() -> io::Result<Baseline> {
    random().map(Baseline::new)
}

/// Beside the target and renamed, for its owner alone.
fn write_baseline(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Says how many secrets are in what distributions publish.
fn published_secrets(count: u64) -> Option<Problem> {
    let noun = if count == 1 { "secret" } else { "secrets" };
    let message = format!(
        "{count} {noun} in files of OS packages not reported: everybody can download those"
    );
    (count > 0).then(|| Problem::new(ProblemKind::Notice, message))
}

/// What [`open_secrets`] gives.
pub(crate) struct Secrets {
    /// `None` where nobody wants secrets looked for.
    pub scanner: Option<Arc<SecretScanner>>,
    /// Cuts secrets out of what a report shows, wanted or not.
    pub redactor: Arc<SecretScanner>,
    /// Why the key will be another one next time, and what of the rules could not be taken.
    pub notices: Vec<Problem>,
    /// Whether evidence made with the key can be used again.
    pub is_lasting: bool,
}

/// Makes the scanner. A key that can't be kept costs comparability and not the result: it is
/// a notice in the report.
pub(crate) fn open_secrets(
    choice: &SecretsChoice,
    options: &SecretOptions,
    policy: &Policy,
) -> Result<Secrets, crate::EngineError> {
    let random_key = || {
        random()
            .map(FingerprintKey::new)
            .map_err(|error| crate::EngineError::Secrets {
                message: "cannot get random bytes for the key of fingerprints".to_owned(),
                source: error.into(),
            })
    };
    let mut notices = Vec::new();
    let mut is_lasting = true;
    let key = match choice {
        SecretsChoice::Off => {
            // No fingerprint leaves it: any key does.
            let redactor = SecretScanner::builtin(FingerprintKey::new([0; 32]));
            return Ok(Secrets {
                scanner: None,
                redactor: Arc::new(redactor.map_err(broken_rules)?),
                notices,
                is_lasting: true,
            });
        }
        _ if options.baseline.is_some() => match &options.baseline {
            Some(baseline) => baseline.key(),
            None => random_key()?,
        },
        SecretsChoice::Key(key) => key.clone(),
        SecretsChoice::KeyOnce => {
            is_lasting = false;
            random_key()?
        }
        SecretsChoice::KeyAt(path) => match kept_key(path) {
            Ok(bytes) => FingerprintKey::new(bytes),
            Err(error) => {
                is_lasting = false;
                notices.push(Problem::new(
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
    let mut custom = CustomRules::default();
    for file in &options.rules {
        let before = custom.notes.len();
        let refused_before = custom.refused.len();
        custom
            .add(&file.text)
            .map_err(|error| crate::EngineError::Secrets {
                message: format!("cannot use the secret rules of `{}`", file.name),
                source: error.into(),
            })?;
        let told = custom.notes.iter().skip(before).take(MAX_NOTES);
        notices.extend(told.map(|note| {
            Problem::new(
                ProblemKind::Notice,
                format!("secret rules of `{}`: {note}", file.name),
            )
        }));
        // What such a rule would find is not looked for: the result is not complete.
        let refused = custom.refused.iter().skip(refused_before).take(MAX_NOTES);
        notices.extend(refused.map(|(id, reason)| {
            Problem::new(
                ProblemKind::Unsupported,
                format!("rule `{id}` of `{}` is not used: {reason}", file.name),
            )
        }));
    }
    let mut allow = policy.secret_allow.clone();
    allow.extend(options.allow.iter().cloned());
    let allow = AllowList::new(allow).map_err(|error| crate::EngineError::Secrets {
        message: "cannot use the allow list of secrets".to_owned(),
        source: error.into(),
    })?;
    let scanner = Arc::new(SecretScanner::with(key, custom, allow).map_err(broken_rules)?);
    Ok(Secrets {
        scanner: Some(scanner.clone()),
        redactor: scanner,
        notices,
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
    fn a_rule_that_is_not_used_makes_the_result_incomplete() {
        let options = SecretOptions {
            rules: vec![NamedText {
                name: "gl.toml".to_owned(),
                text: "[[rules]]\nid = \"bad\"\nregex = 'hbr_(?=x)'\nkeywords = [\"hbr_\"]\n"
                    .to_owned(),
            }],
            ..SecretOptions::default()
        };
        let opened = open_secrets(&SecretsChoice::KeyOnce, &options, &Policy::default()).unwrap();
        let problem = &opened.notices[0];
        assert_eq!(problem.kind, ProblemKind::Unsupported);
        let said = "rule `bad` of `gl.toml` is not used: look-ahead";
        assert!(problem.message.starts_with(said), "{}", problem.message);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.key");
        std::fs::write(&path, [1; 32]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let options = SecretOptions::default();
        let opened =
            open_secrets(&SecretsChoice::KeyAt(path), &options, &Policy::default()).unwrap();
        assert!(!opened.is_lasting && opened.scanner.is_some());
        assert!(opened.notices[0].message.contains("open to others"));
    }
}
