//! What installed signatures are made of, as tables and as JSON.

use std::io::{self, Write};

use jiff::Timestamp;
use seaworthy_engine::STALE_SIGNATURE_DAYS;
use seaworthy_report::printable;
use seaworthy_signatures::install::Installed;
use seaworthy_signatures::manifest::{Manifest, Source, SourceProblem};
use seaworthy_signatures::update::Progress as Event;
use serde::Serialize;

use crate::commands::fetching;
use crate::progress::Progress;
use crate::session::Session;
use crate::size::format_size;

/// Rows of one list before `--verbose` is needed.
const ROWS: usize = 40;

/// Writes sources, kinds and what is kept out.
pub fn write_tables(manifest: &Manifest, session: &Session, out: &mut dyn Write) -> io::Result<()> {
    let most = if session.verbose { usize::MAX } else { ROWS };
    let names = manifest.sources.iter().take(most);
    let width = names.map(|source| source.name.chars().count()).max();
    let width = width.unwrap_or(0).clamp("source".len(), 40);
    writeln!(
        out,
        "\n{:width$} {:>8} {:10} {:8} {:>10} {:>10} {:>9}  sha256",
        "source", "version", "made", "trust", "signatures", "active", "size"
    )?;
    for source in manifest.sources.iter().take(most) {
        write_source(source, width, session, out)?;
    }
    write_left(manifest.sources.len().saturating_sub(most), out)?;
    writeln!(out, "\n{:24} {:>10} {:>10}", "kind", "signatures", "active")?;
    for row in &manifest.kinds {
        writeln!(out, "{:24} {:>10} {:>10}", row.kind, row.parsed, row.active)?;
    }
    if !manifest.inactive.is_empty() {
        writeln!(out, "\n{:40} {:>10}", "kept out", "signatures")?;
        for row in &manifest.inactive {
            writeln!(out, "{:40} {:>10}", row.reason, row.count)?;
        }
    }
    if session.verbose {
        for inactive in &manifest.inactive_named {
            let line = inactive
                .line
                .map_or_else(String::new, |line| format!(":{line}"));
            writeln!(
                out,
                "  {} in {}{line}: {}",
                printable(&inactive.name),
                printable(&inactive.file),
                printable(&inactive.reason)
            )?;
        }
    }
    if !manifest.unknown_files.is_empty() {
        let count = manifest.unknown_files.len();
        let names = manifest
            .unknown_files
            .iter()
            .take(5)
            .map(|name| printable(name));
        let names: Vec<_> = names.collect();
        let more = if count > 5 { ", ..." } else { "" };
        writeln!(
            out,
            "\nnot read, by their names: {count} ({}{more})",
            names.join(", ")
        )?;
    }
    Ok(())
}

fn write_source(
    source: &Source,
    width: usize,
    session: &Session,
    out: &mut dyn Write,
) -> io::Result<()> {
    let version = source
        .version
        .map_or("-".to_owned(), |version| version.to_string());
    let made = source
        .published_at
        .map_or("-".to_owned(), |made| made.strftime("%Y-%m-%d").to_string());
    // The whole digest is for comparing, not for reading.
    let digits = if session.verbose { 64 } else { 12 };
    writeln!(
        out,
        "{:width$} {version:>8} {made:10} {:8} {:>10} {:>10} {:>9}  {}",
        printable(&source.name),
        source.trust.as_str(),
        source.parsed,
        source.active,
        format_size(source.size),
        source.sha256.get(..digits).unwrap_or(&source.sha256)
    )
}

fn write_left(left: usize, out: &mut dyn Write) -> io::Result<()> {
    if left > 0 {
        writeln!(out, "{left} more: see them with `--verbose`")?;
    }
    Ok(())
}

/// What both `build` and `update` say in JSON.
#[derive(Serialize)]
pub struct Done<'a> {
    /// Whether this run installed anything.
    pub changed: bool,
    /// What was asked of mirrors.
    pub files: Vec<FetchedFile>,
    /// What is in use now, and what of its sources could not be used.
    pub installed: &'a Manifest,
}

/// One file of a mirror.
#[derive(Serialize)]
pub struct FetchedFile {
    pub name: String,
    pub outcome: &'static str,
    pub bytes: Option<u64>,
    pub reason: Option<String>,
}

/// Writes a document, with a line break at its end.
pub fn write_json(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

/// Says which files could not be used, and whether there are any.
pub fn tell_problems(problems: &[SourceProblem], session: &Session) -> bool {
    let most = if session.verbose { usize::MAX } else { 10 };
    for problem in problems.iter().take(most) {
        let reason = printable(&problem.reason);
        session.warn(&format!(
            "`{}` is not used: {reason}",
            printable(&problem.path)
        ));
    }
    let left = problems.len().saturating_sub(most);
    if left > 0 {
        session.warn(&format!("{left} more: see them with `--verbose`"));
    }
    !problems.is_empty()
}

/// Says what is in use now.
pub fn tell_installed(installed: &Installed, changed: bool, session: &Session) {
    let manifest = &installed.manifest;
    let versions: Vec<String> = manifest
        .sources
        .iter()
        .filter_map(|source| Some(format!("{} {}", source.name, source.version?)))
        .take(8)
        .collect();
    let versions = if versions.is_empty() {
        String::new()
    } else {
        format!(" ({})", versions.join(", "))
    };
    let state = if changed {
        "installed"
    } else {
        "nothing has changed since"
    };
    session.say(&format!(
        "{state} revision {}{}: {} of {} signatures active, {}",
        manifest.revision,
        printable(&versions),
        manifest.active,
        manifest.parsed,
        format_size(manifest.size)
    ));
}

/// Warns of signatures that are too old to say much by their silence.
pub fn tell_age(manifest: &Manifest, days: i64, session: &Session) {
    let age = age_days(manifest, session.now);
    if age > days {
        session.warn(&format!(
            "the signatures are {age} days old\n  hint: `seaworthy signatures update` gets new ones"
        ));
    }
}

/// Age in days of the newest database, or of the build where none says when it was made.
pub fn age_days(manifest: &Manifest, now: Timestamp) -> i64 {
    let since = manifest.newest().unwrap_or(manifest.built_at);
    now.duration_since(since).as_secs().max(0) / crate::commands::db::DAY
}

/// Days after which a warning is due.
pub const STALE_DAYS: i64 = STALE_SIGNATURE_DAYS;

/// Says what is being done.
pub fn tell(event: &Event, progress: &Progress<'_>) {
    match event {
        Event::Fetching(event) => fetching::tell(event, progress),
        Event::Reading => progress.say("reading the signature files"),
        Event::Compiling => progress.say("compiling the signatures"),
        Event::Installing => progress.say("installing"),
    }
}
