//! What malware is looked for with in an image, and how the report says so.

use std::path::PathBuf;

use jiff::Timestamp;
use seaworthy_core::Problem;
use seaworthy_report::MalwareEngine;
use seaworthy_scan::Tools;
use seaworthy_signatures::heuristics::RULES;
use seaworthy_unpack::Limits;

use crate::EngineError;
use crate::signatures::{SignaturesChoice, SignaturesKind, open_signatures};

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
            count: Some(what.active),
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
        malware.notices.extend(signatures.notice);
        tools.signatures = Some(signatures.set);
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
