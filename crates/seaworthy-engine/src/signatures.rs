//! Which malware signatures a scan looks for, and the few that are built in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use seaworthy_core::{Problem, ProblemKind};
use seaworthy_signatures::SignatureSet;
use seaworthy_signatures::clamav::Reason;
use seaworthy_signatures::install::{InstallDir, Installed};
use seaworthy_signatures::manifest::Manifest;
use seaworthy_signatures::update::compile_path;
use seaworthy_signatures::yara::{ScanLimits, YaraReport, YaraRules, clamav_files};

use crate::{EngineError, VERSION};

/// Days after which signatures are old: new malware comes every day, and so do the publisher's.
pub const STALE_SIGNATURE_DAYS: i64 = 7;

/// The built-in signatures: the standard test file of anti-virus programs (EICAR, 2003), which
/// begins with these 68 bytes. Without any download this proves that scanning works.
const BUILT_IN: &str = "Seaworthy.Test.Eicar:0:0:\
    58354f2150254041505b345c505a58353428505e2937434329377d2445494341522d\
    5354414e444152442d414e544956495255532d544553542d46494c452124482b482a";

/// Which signatures to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignaturesChoice {
    /// None.
    Off,
    /// Those installed here; where nothing is installed, the built-in ones, with a notice.
    Installed(PathBuf),
    /// Those of a file, or of all signature files of a folder, compiled on the spot.
    From(PathBuf),
    /// These lines, each in one of ClamAV's formats.
    Lines(Vec<String>),
    /// The built-in ones.
    BuiltIn,
}

/// Where signatures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignaturesKind {
    /// Installed by `signatures update` or `signatures build`.
    Installed,
    /// The user's, compiled for this run.
    Own,
    /// Built into the program.
    BuiltIn,
}

impl SignaturesKind {
    /// The kebab-case word of documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            SignaturesKind::Installed => "installed",
            SignaturesKind::Own => "own",
            SignaturesKind::BuiltIn => "built-in",
        }
    }
}

/// What is to be said about signatures in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignaturesDescription {
    /// Where they come from.
    pub kind: SignaturesKind,
    /// A checksum of the compiled signatures, for the keys of caches: another set has another.
    pub revision: u64,
    /// How many were read.
    pub parsed: u64,
    /// How many are looked for.
    pub active: u64,
    /// How many of those are YARA rules.
    pub yara_rules: u64,
    /// When they were compiled and installed.
    pub built_at: Option<Timestamp>,
    /// When the publisher made the newest of their databases, where one says so.
    pub published_at: Option<Timestamp>,
    /// Databases with a version, by name.
    pub versions: Vec<(String, u32)>,
}

impl SignaturesDescription {
    /// How old the knowledge is, in days.
    pub fn age_days(&self, now: Timestamp) -> Option<i64> {
        let since = self.published_at.or(self.built_at)?;
        Some(now.duration_since(since).as_secs().max(0) / (24 * 60 * 60))
    }

    /// Whether it is so old that silence no longer says much.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.published_at.or(self.built_at).is_some_and(|since| {
            now.duration_since(since) > SignedDuration::from_hours(STALE_SIGNATURE_DAYS * 24)
        })
    }
}

/// Opened signatures.
pub struct Signatures {
    /// The set.
    pub set: Arc<SignatureSet>,
    /// What is to be said about it.
    pub description: SignaturesDescription,
    /// What the report should say: nothing installed, old, or rules that can't be used.
    pub notices: Vec<Problem>,
    /// The YARA rules among them; none where there is none.
    pub yara: Option<YaraRules>,
}

/// Opens the signatures that were chosen; `None` for [`SignaturesChoice::Off`].
///
/// # Errors
///
/// When those chosen are damaged, or hold nothing to look for. Nothing installed is no error:
/// the built-in ones are used then, and the notice says how to get more.
pub fn open_signatures(
    choice: &SignaturesChoice,
    now: Timestamp,
) -> Result<Option<Signatures>, EngineError> {
    match choice {
        SignaturesChoice::Off => Ok(None),
        SignaturesChoice::BuiltIn => built_in(None).map(Some),
        SignaturesChoice::From(path) => own(path, now).map(Some),
        SignaturesChoice::Lines(lines) => of_lines(lines).map(Some),
        SignaturesChoice::Installed(folder) => {
            let found = InstallDir::new(folder).current();
            match found.map_err(|error| broken(folder, error.into()))? {
                Some(found) => installed(folder, &found, now).map(Some),
                None => built_in(Some(Problem::new(
                    ProblemKind::Notice,
                    "no malware signatures are installed, so no malware is known by name: \
                     `seaworthy signatures update` gets them",
                )))
                .map(Some),
            }
        }
    }
}

fn installed(folder: &Path, found: &Installed, now: Timestamp) -> Result<Signatures, EngineError> {
    let set = found.open().map_err(|error| broken(folder, error.into()))?;
    let description = described(SignaturesKind::Installed, &set, &found.manifest);
    let notice = description.is_stale(now).then(|| {
        Problem::new(
            ProblemKind::Notice,
            format!(
                "the malware signatures are {} days old: `seaworthy signatures update` gets new ones",
                description.age_days(now).unwrap_or(0)
            ),
        )
    });
    let mut notices: Vec<Problem> = notice.into_iter().collect();
    let mut yara = None;
    if !found.manifest.yara.is_empty() {
        let rules = found.yara_folder();
        let (files, mut report) =
            clamav_files(&rules).map_err(|error| broken(folder, error.into()))?;
        let (rules, compiled) = YaraRules::from_clamav(&files, ScanLimits::default());
        report.refused_count += compiled.refused_count;
        report.refused.extend(compiled.refused);
        notices.extend(refused_rules(folder, &report));
        yara = Some(rules);
    }
    Ok(Signatures {
        set: Arc::new(set),
        description,
        notices,
        yara,
    })
}

fn own(path: &Path, now: Timestamp) -> Result<Signatures, EngineError> {
    let fault = |error: Box<dyn std::error::Error + Send + Sync>| EngineError::Signatures {
        message: format!("cannot use the signatures in `{}`", path.display()),
        hint: "`seaworthy help signatures build` tells which files are read".to_owned(),
        source: Some(error),
    };
    let compiled =
        compile_path(path, &format!("seaworthy {VERSION}"), now).map_err(|e| fault(e.into()))?;
    // These are the user's own choice for this run: one that can't be used is an error.
    if let Some(problem) = compiled.manifest.problems.first() {
        let reason = format!("`{}`: {}", problem.path, problem.reason);
        return Err(fault(reason.into()));
    }
    let mut description = described(SignaturesKind::Own, &compiled.set, &compiled.manifest);
    description.built_at = None;
    let notice = left_out(&compiled.manifest);
    Ok(Signatures {
        set: Arc::new(compiled.set),
        description,
        notices: refused_rules(path, &compiled.rules_report)
            .into_iter()
            .chain(notice)
            .collect(),
        yara: (compiled.manifest.yara_rules > 0).then_some(compiled.rules),
    })
}

/// Says which of the user's signatures are not looked for. A file of which none is makes the
/// result incomplete: somebody relies on it.
fn left_out(manifest: &Manifest) -> Option<Problem> {
    // What the user's own ignore list names is left out on purpose.
    let ignored = Reason::Ignored.as_str();
    let count: u64 = manifest
        .inactive
        .iter()
        .filter(|inactive| inactive.reason != ignored)
        .map(|inactive| inactive.count)
        .sum();
    if count == 0 {
        return None;
    }
    let named = || {
        let named = manifest.inactive_named.iter();
        named.filter(|inactive| inactive.reason != ignored)
    };
    let mut message = format!("{count} of {} signature lines not used", manifest.parsed);
    if let Some(first) = named().next() {
        message.push_str(&format!(
            ", the first: `{}` in `{}`: {}",
            first.name.escape_debug(),
            first.file.escape_debug(),
            first.reason
        ));
    }
    let useless = manifest
        .sources
        .iter()
        .find(|source| source.active == 0 && named().any(|inactive| inactive.file == source.name));
    let kind = match useless {
        Some(source) => {
            let name = source.name.escape_debug();
            message.push_str(&format!("; nothing in `{name}` can be used"));
            ProblemKind::Unsupported
        }
        None => ProblemKind::Notice,
    };
    Some(Problem::new(kind, message))
}

fn of_lines(lines: &[String]) -> Result<Signatures, EngineError> {
    let fault = |message: String| EngineError::Signatures {
        message,
        hint: "forms are `NAME:TARGET:OFFSET:HEX`, `HASH:SIZE:NAME` and \
               `NAME;Target:0;EXPRESSION;HEX;...`"
            .to_owned(),
        source: None,
    };
    let files: Vec<(&str, &[u8])> = lines
        .iter()
        .map(|line| (file_of(line), line.as_bytes()))
        .collect();
    let (set, report) =
        SignatureSet::build_from(files).map_err(|error| EngineError::Signatures {
            message: "cannot compile the signatures".to_owned(),
            hint: "give fewer of them, or a file with `--from`".to_owned(),
            source: Some(error.into()),
        })?;
    if let Some(inactive) = report.inactive.first() {
        return Err(fault(format!(
            "cannot use the signature `{}`: {}",
            inactive.name.escape_debug(),
            inactive.reason
        )));
    }
    if report.active == 0 {
        return Err(fault("there is no signature in the text".to_owned()));
    }
    Ok(plain(SignaturesKind::Own, set, report.active, None))
}

/// The name of a file in which the line would stand. Names of signatures are no hexadecimal
/// numbers, so a digest in front is one.
fn file_of(line: &str) -> &'static str {
    let first = line.split([':', ';']).next().unwrap_or_default();
    let is_digest =
        matches!(first.len(), 32 | 40 | 64) && first.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (is_digest, line.split(';').count()) {
        (true, _) if first.len() == 32 => "text.hdb",
        (true, _) => "text.hsb",
        (false, 4..) => "text.ldb",
        (false, _) => "text.ndb",
    }
}

fn built_in(notice: Option<Problem>) -> Result<Signatures, EngineError> {
    match SignatureSet::build_from([("seaworthy.ndb", BUILT_IN.as_bytes())]) {
        Ok((set, report)) => Ok(plain(SignaturesKind::BuiltIn, set, report.active, notice)),
        Err(error) => Err(EngineError::Signatures {
            message: "cannot use the signatures built into the program".to_owned(),
            hint: "this is a fault of the program: please report it".to_owned(),
            source: Some(error.into()),
        }),
    }
}

fn plain(
    kind: SignaturesKind,
    set: SignatureSet,
    active: usize,
    notice: Option<Problem>,
) -> Signatures {
    Signatures {
        description: SignaturesDescription {
            kind,
            revision: set.revision(),
            parsed: active as u64,
            active: active as u64,
            yara_rules: 0,
            built_at: None,
            published_at: None,
            versions: Vec::new(),
        },
        set: Arc::new(set),
        notices: notice.into_iter().collect(),
        yara: None,
    }
}

fn described(
    kind: SignaturesKind,
    set: &SignatureSet,
    manifest: &Manifest,
) -> SignaturesDescription {
    SignaturesDescription {
        kind,
        revision: set.revision(),
        parsed: manifest.parsed,
        active: manifest.active,
        yara_rules: manifest.yara_rules,
        built_at: Some(manifest.built_at),
        published_at: manifest.newest(),
        versions: manifest
            .sources
            .iter()
            .filter_map(|source| Some((source.name.clone(), source.version?)))
            .collect(),
    }
}

/// What is said of YARA rules that can't be used; `folder` is where they come from.
pub(crate) fn refused_rules(folder: &Path, report: &YaraReport) -> Option<Problem> {
    let first = report.refused.first()?;
    let noun = match report.refused_count {
        1 => "rule",
        _ => "rules",
    };
    Some(Problem::new(
        ProblemKind::Notice,
        format!(
            "{} YARA {noun} of `{}` not used, the first: {first}",
            report.refused_count,
            folder.display()
        ),
    ))
}

fn broken(folder: &Path, error: Box<dyn std::error::Error + Send + Sync>) -> EngineError {
    EngineError::Signatures {
        message: format!(
            "cannot use the malware signatures at `{}`",
            folder.display()
        ),
        hint: "`seaworthy signatures status` tells what is wrong, and \
               `seaworthy signatures update --force` installs them again"
            .to_owned(),
        source: Some(error),
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_signatures::Context;

    use super::*;

    fn open(choice: &SignaturesChoice) -> Result<Option<Signatures>, EngineError> {
        open_signatures(choice, Timestamp::UNIX_EPOCH)
    }

    fn finds(signatures: &Signatures, bytes: &[u8]) -> bool {
        !signatures
            .set
            .scan(bytes, &Context::default())
            .detections
            .is_empty()
    }

    #[test]
    fn nothing_installed_is_a_notice_and_the_test_file_is_found_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let choice = SignaturesChoice::Installed(folder.path().join("none"));
        let signatures = open(&choice).unwrap().unwrap();
        assert_eq!(signatures.description.kind, SignaturesKind::BuiltIn);
        let notice = signatures.notices.first().unwrap();
        assert_eq!(notice.kind, ProblemKind::Notice);
        assert!(notice.message.contains("signatures update"), "{notice:?}");
        // Encoded, so that no other scanner trips on this repository.
        let (_, body) = BUILT_IN.rsplit_once(':').unwrap();
        let eicar: Vec<u8> = body
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(eicar.len(), 68);
        assert!(finds(&signatures, &eicar));
        assert!(finds(&signatures, &[&eicar[..], b" \r\n"].concat()));
        assert!(!finds(&signatures, &[b" ", &eicar[..]].concat()));
        assert!(open(&SignaturesChoice::Off).unwrap().is_none());
    }

    #[test]
    fn a_line_is_taken_for_what_it_looks_like() {
        for (line, content) in [
            ("A:0:*:6e6565646c65", "x needle"),
            ("B;Target:0;0&1;6e6565646c65;68617973", "haysneedle"),
            ("4bf84babe76dabda6c4da4d25354704d:6:Hash", "needle"),
        ] {
            let choice = SignaturesChoice::Lines(vec![line.to_owned()]);
            let signatures = open(&choice).unwrap().unwrap();
            assert!(finds(&signatures, content.as_bytes()), "{line}");
            assert!(!finds(&signatures, b"something else"), "{line}");
        }
        for bad in ["", "nonsense", "A:0:*:xyz"] {
            let error = open(&SignaturesChoice::Lines(vec![bad.to_owned()]));
            assert!(
                error
                    .err()
                    .and_then(|e| e.hint().map(str::to_owned))
                    .is_some(),
                "{bad}"
            );
        }
    }

    #[test]
    fn lines_of_the_user_that_are_not_used_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        let notice = || {
            let choice = SignaturesChoice::From(folder.path().to_owned());
            open(&choice).unwrap().unwrap().notices.first().cloned()
        };
        write("a.ndb", "A:0:*:6e6565646c65\n");
        assert_eq!(notice(), None);
        write("a.ndb", "A:0:*:6e6565646c65\nB:0:*:xyz\n");
        let told = notice().unwrap();
        assert_eq!(told.kind, ProblemKind::Notice, "{told:?}");
        assert!(
            told.message
                .starts_with("1 of 2 signature lines not used, the first: `B`"),
            "{told:?}"
        );
        write("b.ndb", "C:0:*:xyz\n");
        let told = notice().unwrap();
        assert_eq!(told.kind, ProblemKind::Unsupported, "{told:?}");
        assert!(told.message.contains("nothing in `b.ndb`"), "{told:?}");
    }

    #[test]
    fn other_signatures_have_another_revision() {
        let revision = |line: &str| {
            let choice = SignaturesChoice::Lines(vec![line.to_owned()]);
            open(&choice).unwrap().unwrap().description.revision
        };
        assert_eq!(
            revision("A:0:*:6e6565646c65"),
            revision("A:0:*:6e6565646c65")
        );
        assert_ne!(
            revision("A:0:*:6e6565646c65"),
            revision("A:0:*:6e6565646c66")
        );
    }
}
