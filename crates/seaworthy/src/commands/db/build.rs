use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::Args;
use seaworthy_advisory::install::{BuildError, InstallDir};
use seaworthy_advisory::manifest::Manifest;
use seaworthy_engine::VERSION;

use crate::commands::{INCOMPLETE, SUCCESS};
use crate::progress::Progress;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  seaworthy db build --from /srv/osv
  seaworthy db build --from /srv/osv --db ./db && seaworthy scan --db ./db debian:12

The folder has the layout of the public OSV bucket, `<Ecosystem>/all.zip`, with `epss` and
`kev` beside it where there are such. The same input gives the same database, byte for byte.

Exit status: 0, or 3 where records were left out, which is said by publisher; 2 for an error.";

/// Build a database from a folder of advisories and install it.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct BuildArgs {
    /// The folder of advisories
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Install even when the result is older than what is installed
    #[arg(long)]
    force: bool,
}

pub fn run(args: &BuildArgs, place: &InstallDir, session: &Session) -> Result<u8> {
    if !args.from.is_dir() {
        return Err(anyhow!(
            "there is no directory `{}`\n  hint: give `--from` a folder that holds `<Ecosystem>/all.zip`",
            args.from.display()
        ));
    }
    let progress = Progress::start(session);
    progress.say("compiling the advisories");
    let mut skipped = Vec::new();
    let installed = place.install_built(
        &mut |output| {
            let (manifest, notes) = compile(&args.from, output)?;
            skipped = notes;
            Ok(manifest)
        },
        session.now,
        args.force,
    );
    progress.finish();
    let installed = installed?;
    tell_skipped(&skipped, session);
    let records: u64 = installed
        .manifest
        .shards
        .iter()
        .map(|shard| shard.records)
        .sum();
    session.say(&format!(
        "installed serial {}: {} files, {records} records",
        installed.manifest.serial,
        installed.manifest.shards.len()
    ));
    Ok(if skipped.is_empty() {
        SUCCESS
    } else {
        INCOMPLETE
    })
}

/// Compiles a folder in the bucket's layout; what was left out comes back in words.
pub fn compile(input: &Path, output: &Path) -> Result<(Manifest, Vec<String>), BuildError> {
    seaworthy_advisory::build::build(input, output, &format!("seaworthy {VERSION}"))
}

/// Says what was left out, shortly unless `--verbose`.
pub fn tell_skipped(skipped: &[String], session: &Session) {
    let most = if session.verbose { usize::MAX } else { 10 };
    for note in skipped.iter().take(most) {
        session.warn(&seaworthy_report::printable(note));
    }
    if skipped.len() > most {
        session.warn(&format!(
            "{} more: see them with `--verbose`",
            skipped.len() - most
        ));
    }
}
