//! What malware is looked for with in an image, and how the report says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use seaworthy_core::Problem;
use seaworthy_report::MalwareEngine;
use seaworthy_scan::Tools;
use seaworthy_scan::content::clamd::ClamdTool;
use seaworthy_signatures::clamd::{Clamd, ClamdError, ClamdOptions};
use seaworthy_signatures::heuristics::RULES;
use seaworthy_signatures::yara::{LoadError, ScanLimits, YaraReport, YaraRules};
use seaworthy_unpack::Limits;

use crate::EngineError;
use crate::signatures::{SignaturesChoice, SignaturesKind, open_signatures, refused_rules};

/// Whether malware is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MalwareChoice {
    /// No: files are not looked into for it.
    Off,
    /// Yes, with these.
    On(Box<MalwareOptions>),
}

/// What malware is looked for with. Our own rules always are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalwareOptions {
    /// Signatures in ClamAV's formats.
    pub signatures: SignaturesChoice,
    /// Folders and files with YARA rules, beside our own.
    pub yara: Vec<PathBuf>,
    /// Where a ClamAV daemon listens: the path of a socket, or `HOST:PORT`.
    pub clamd: Option<String>,
    /// How much is unpacked of one file.
    pub unpack: Limits,
}

impl MalwareOptions {
    /// With signatures, our own rules, and nothing else.
    pub fn new(signatures: SignaturesChoice) -> MalwareOptions {
        MalwareOptions {
            signatures,
            yara: Vec::new(),
            clamd: None,
            unpack: Limits::default(),
        }
    }
}

/// What [`open_malware`] gives.
#[derive(Default)]
pub(crate) struct Malware {
    /// For the report.
    pub engines: Vec<MalwareEngine>,
    /// What the report should say besides.
    pub notices: Vec<Problem>,
    /// Whether findings are wanted.
    pub is_on: bool,
}

/// Opens everything that was chosen and puts it into `tools`.
///
/// # Errors
///
/// When something that was chosen can't be used: a clean result would rest on nothing.
pub(crate) fn open_malware(
    choice: &MalwareChoice,
    now: Timestamp,
    tools: &mut Tools,
) -> Result<Malware, EngineError> {
    let MalwareChoice::On(options) = choice else {
        return Ok(Malware::default());
    };
    let mut malware = Malware {
        is_on: true,
        ..Malware::default()
    };
    tools.unpack = options.unpack.clone();
    tools.heuristics = true;
    let mut installed_yara = None;
    if let Some(signatures) = open_signatures(&options.signatures, now)? {
        let what = &signatures.description;
        let age_days = what.age_days(now);
        let versions: Vec<String> = what
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        malware.engines.push(MalwareEngine {
            engine: "signatures".to_owned(),
            count: Some(what.active.saturating_sub(what.yara_rules)),
            version: match what.kind {
                SignaturesKind::BuiltIn => Some("built-in".to_owned()),
                _ => (!versions.is_empty()).then(|| versions.join(", ")),
            },
            published_at: what
                .published_at
                .or(what.built_at)
                .map(|time| time.to_string()),
            age_days,
        });
        malware.notices.extend(signatures.notices);
        tools.signatures = Some(signatures.set);
        installed_yara = signatures.yara;
    }
    let (rules, refused) = yara_rules(&options.yara, installed_yara)?;
    malware.notices.extend(refused);
    malware.engines.push(MalwareEngine {
        engine: "yara".to_owned(),
        count: Some(rules.len() as u64),
        version: None,
        published_at: None,
        age_days: None,
    });
    tools.yara = Some(Arc::new(rules));
    if let Some(address) = &options.clamd {
        let fault = |error: ClamdError| EngineError::Signatures {
            message: format!("cannot use the ClamAV daemon at `{address}`"),
            hint: "name its socket (`/run/clamav/clamd.ctl`) or `HOST:PORT`, and see that it runs"
                .to_owned(),
            source: Some(error.into()),
        };
        let clamd = Clamd::connect(address, ClamdOptions::default()).map_err(fault)?;
        let version = clamd.version().map_err(fault)?;
        let revision = clamd.revision().map_err(fault)?;
        malware.engines.push(MalwareEngine {
            engine: "clamd".to_owned(),
            count: None,
            version: Some(version.text),
            published_at: None,
            age_days: None,
        });
        tools.clamd = Some(Arc::new(ClamdTool { clamd, revision }));
    }
    malware.engines.push(MalwareEngine {
        engine: "rules".to_owned(),
        count: Some(RULES.len() as u64),
        version: None,
        published_at: None,
        age_days: None,
    });
    Ok(malware)
}

/// Our own rules, those of the user, and those among the signatures. What of the user's can't be
/// used is a notice for each place.
fn yara_rules(
    folders: &[PathBuf],
    installed: Option<YaraRules>,
) -> Result<(YaraRules, Vec<Problem>), EngineError> {
    let limits = ScanLimits::default();
    let mut rules = YaraRules::builtin();
    let mut notices = Vec::new();
    for folder in folders {
        let loaded = YaraRules::load_dir(folder, limits);
        let (more, report) = loaded.map_err(|error| unusable(folder, error))?;
        if more.is_empty() {
            return Err(EngineError::Signatures {
                message: format!("there is no usable YARA rule in `{}`", folder.display()),
                hint: first_refused(&report).unwrap_or_else(|| {
                    "rules are read from files called `.yar` and `.yara`".to_owned()
                }),
                source: None,
            });
        }
        notices.extend(refused_rules(folder, &report));
        rules = rules.joined(more);
    }
    if let Some(more) = installed {
        rules = rules.joined(more);
    }
    Ok((rules, notices))
}

fn unusable(folder: &Path, error: LoadError) -> EngineError {
    EngineError::Signatures {
        message: format!("cannot use the YARA rules in `{}`", folder.display()),
        hint: "name a folder of `.yar` or `.yara` files, or one such file".to_owned(),
        source: Some(error.into()),
    }
}

fn first_refused(report: &YaraReport) -> Option<String> {
    report.refused.first().map(ToString::to_string)
}
