use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::Args;
use seaworthy_core::{DetectionEvidence, ProblemKind};
use seaworthy_engine::{
    FilesOptions, FilesScan, MalwareScanner, SignaturesChoice, SignaturesDescription,
    open_signatures, scan_files,
};
use seaworthy_report::printable;
use seaworthy_signatures::install::InstallDir;
use serde::Serialize;

use super::Format;
use super::show;
use crate::commands::{INCOMPLETE, SUCCESS};
use crate::output;
use crate::progress::Progress;
use crate::session::Session;
use crate::size::{format_size, parse_size};

/// Exit status when something matches.
const MATCHED: u8 = 1;

const EXAMPLES: &str = "\
Examples:
  seaworthy signatures test suspicious.bin
  seaworthy signatures test /srv/uploads
  seaworthy signatures test --from our-own.ndb samples/
  seaworthy signatures test --signature 'Test:0:*:6e6565646c65' FILE
  curl -s https://example.org/x | seaworthy signatures test -

A signature is a line in one of ClamAV's formats: `NAME:TARGET:OFFSET:HEX`, `HASH:SIZE:NAME`, or
`NAME;Target:0;EXPRESSION;HEX;...`. Archives are looked into. In folders, links are not followed.

Exit status: 0 when nothing matches, 1 when something does, 3 when nothing does but a file could not
be looked into, 2 for an error.";

/// Look for malware in plain files.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct TestArgs {
    /// Files, and folders with all that is in them; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Look for the signatures of this file or folder, instead of the installed ones
    #[arg(long, value_name = "PATH", conflicts_with_all = ["signature", "builtin"])]
    from: Option<PathBuf>,
    /// Look for this signature; may be given more than once
    #[arg(long, value_name = "LINE", conflicts_with = "builtin")]
    signature: Vec<String>,
    /// Look for the built-in signature alone, the test file of anti-virus programs
    #[arg(long)]
    builtin: bool,
    /// The largest file that is looked into; each thread holds one in memory
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "512M")]
    max_file_size: u64,
    /// How many files are looked into at the same time [default: one per processor]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// How to write what was found
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

pub fn run(args: &TestArgs, place: &InstallDir, session: &Session) -> Result<u8> {
    let choice = match &args.from {
        Some(path) => SignaturesChoice::From(path.clone()),
        None if !args.signature.is_empty() => SignaturesChoice::Lines(args.signature.clone()),
        None if args.builtin => SignaturesChoice::BuiltIn,
        None => SignaturesChoice::Installed(place.root().to_owned()),
    };
    let cancel = session.cancel_on_signals();
    let progress = Progress::start(session);
    progress.say("opening the signatures");
    let signatures = open_signatures(&choice, session.now)?
        .ok_or_else(|| anyhow!("there are no signatures to look for"))?;
    let scanner = MalwareScanner::new(&signatures);
    let options = FilesOptions {
        threads: args.threads.map_or_else(
            || std::thread::available_parallelism().map_or(1, usize::from),
            usize::from,
        ),
        max_file_bytes: args.max_file_size,
    };
    let seen = Arc::new(AtomicU64::new(0));
    progress.say_bytes("looking for malware", &seen);
    let started = Instant::now();
    let found = scan_files(&scanner, &args.files, &options, &seen, cancel)?;
    let took = started.elapsed();
    progress.finish();
    for notice in &signatures.notices {
        session.warn(&notice.message);
    }
    for problem in &found.problems {
        let path = problem.path.display().to_string();
        let text = format!("`{}`: {}", printable(&path), printable(&problem.message));
        if problem.kind == ProblemKind::Notice {
            session.detail(&text);
        } else {
            session.warn(&text);
        }
    }
    output::write(None, |out| match args.format {
        Format::Table => write_table(&found, out),
        Format::Json => show::write_json(&document(&found, &signatures.description, took), out),
    })?;
    session.say(&summary(&found, &signatures.description, took));
    Ok(if !found.found.is_empty() {
        MATCHED
    } else if !found.is_complete() {
        INCOMPLETE
    } else {
        SUCCESS
    })
}

fn write_table(found: &FilesScan, out: &mut dyn Write) -> io::Result<()> {
    for file in &found.found {
        let path = file.path.display().to_string();
        writeln!(
            out,
            "{} ({} in {:.1} ms)",
            printable(&path),
            format_size(file.size),
            file.took.as_secs_f64() * 1000.0
        )?;
        for detection in &file.detections {
            let inside = detection
                .inside
                .as_deref()
                .map_or_else(String::new, |inside| {
                    format!(", inside {}", printable(inside))
                });
            writeln!(
                out,
                "  {}  {}: {}{inside}",
                printable(&detection.name),
                detection.engine.as_str(),
                printable(&detection.note)
            )?;
        }
    }
    Ok(())
}

fn summary(found: &FilesScan, of: &SignaturesDescription, took: Duration) -> String {
    let files = if found.files == 1 { "file" } else { "files" };
    let problems = found.problems.iter();
    let problems = problems.filter(|problem| problem.kind != ProblemKind::Notice);
    let problems = match problems.count() {
        0 => String::new(),
        1 => "; 1 problem".to_owned(),
        count => format!("; {count} problems"),
    };
    let signatures = if of.active == 1 {
        "signature"
    } else {
        "signatures"
    };
    format!(
        "{} of {} {files} match{problems}; {} in {:.2} s; {} {signatures} ({})",
        found.found.len(),
        found.files,
        format_size(found.bytes),
        took.as_secs_f64(),
        of.active,
        of.kind.as_str()
    )
}

#[derive(Serialize)]
struct Document<'a> {
    signatures: SignaturesRow<'a>,
    files: u64,
    bytes: u64,
    seconds: f64,
    found: Vec<FileRow<'a>>,
    problems: Vec<ProblemRow<'a>>,
}

#[derive(Serialize)]
struct SignaturesRow<'a> {
    kind: &'static str,
    revision: String,
    parsed: u64,
    active: u64,
    built_at: Option<String>,
    published_at: Option<String>,
    versions: Vec<VersionRow<'a>>,
}

#[derive(Serialize)]
struct VersionRow<'a> {
    name: &'a str,
    version: u32,
}

#[derive(Serialize)]
struct FileRow<'a> {
    path: String,
    size: u64,
    seconds: f64,
    detections: &'a [DetectionEvidence],
}

#[derive(Serialize)]
struct ProblemRow<'a> {
    path: String,
    kind: &'static str,
    message: &'a str,
}

fn document<'a>(
    found: &'a FilesScan,
    of: &'a SignaturesDescription,
    took: Duration,
) -> Document<'a> {
    let versions = of.versions.iter();
    let versions = versions.map(|(name, version)| VersionRow {
        name,
        version: *version,
    });
    let files = found.found.iter().map(|file| FileRow {
        path: file.path.display().to_string(),
        size: file.size,
        seconds: file.took.as_secs_f64(),
        detections: &file.detections,
    });
    let problems = found.problems.iter().map(|problem| ProblemRow {
        path: problem.path.display().to_string(),
        kind: problem.kind.as_str(),
        message: &problem.message,
    });
    Document {
        signatures: SignaturesRow {
            kind: of.kind.as_str(),
            revision: format!("{:016x}", of.revision),
            parsed: of.parsed,
            active: of.active,
            built_at: of.built_at.map(|time| time.to_string()),
            published_at: of.published_at.map(|time| time.to_string()),
            versions: versions.collect(),
        },
        files: found.files,
        bytes: found.bytes,
        seconds: took.as_secs_f64(),
        found: files.collect(),
        problems: problems.collect(),
    }
}
