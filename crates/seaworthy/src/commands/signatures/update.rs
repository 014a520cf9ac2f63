use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;
use seaworthy_engine::VERSION;
use seaworthy_fetch::Outcome;
use seaworthy_signatures::install::InstallDir;
use seaworthy_signatures::update::{UpdateOptions, update};

use super::show::{self, Done, FetchedFile};
use super::{CertificateArgs, Format};
use crate::commands::{INCOMPLETE, SUCCESS, fetching};
use crate::output;
use crate::progress::Progress;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  seaworthy signatures update
  seaworthy signatures update --mirror https://mirror.example.org/clamav
  seaworthy signatures update --add ./our-own.ndb

Databases are taken only with the publisher's digital signature, and never older ones than those
that are there. A download that was cut off goes on where it ended, and what has not changed is not
fetched again. The old signatures stay in use until the new ones are whole, and are kept beside
them. HTTPS_PROXY and NO_PROXY are obeyed.

A mirror that answers \"too many requests\" or \"forbidden\" is left alone for as long as it asks, or
for some hours, also by later runs. The official host is for a few requests a day; for more, keep a
mirror of your own (ClamAV's `cvdupdate` makes one) and name it.

Exit status: 0, or 3 where a database failed and its former copy, if any, was used; 2 for an error.";

/// Download malware signatures, compile and install them.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct UpdateArgs {
    /// A mirror of ClamAV's databases; may be given more than once, best first
    /// [default: the official host]
    #[arg(
        long,
        value_name = "URL",
        env = "SEAWORTHY_SIGNATURES_MIRROR",
        value_delimiter = ','
    )]
    mirror: Vec<String>,
    /// A database by its name without extension; may be given more than once
    /// [default: main, daily, bytecode]
    #[arg(long, value_name = "NAME")]
    database: Vec<String>,
    /// A file or folder of signatures to take in beside them; may be given more than once
    #[arg(long, value_name = "PATH")]
    add: Vec<PathBuf>,
    /// Where downloads are kept [default: ~/.cache/seaworthy/signatures]
    #[arg(long, value_name = "DIR")]
    download_dir: Option<PathBuf>,
    #[command(flatten)]
    certificates: CertificateArgs,
    /// Take databases that carry no signature of ClamAV's, such as those of a publisher of yours
    #[arg(long)]
    allow_unsigned: bool,
    /// Take databases that are older than those that are there, and compile in any case
    #[arg(long)]
    force: bool,
    /// How to write what was done
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

pub fn run(args: &UpdateArgs, place: &InstallDir, session: &Session) -> Result<u8> {
    super::build::check_paths(args.add.iter())?;
    let folder = args
        .download_dir
        .clone()
        .or_else(|| Some(session.folders.cache.as_ref()?.join("signatures")))
        .ok_or_else(|| {
            anyhow!(
                "there is no place for downloads\n  hint: set HOME or give `--download-dir DIR`"
            )
        })?;
    let builder = format!("seaworthy {VERSION}");
    let mut options = UpdateOptions::new(folder, &builder, session.now);
    if !args.mirror.is_empty() {
        options.mirrors.clone_from(&args.mirror);
    }
    if !args.database.is_empty() {
        options.databases.clone_from(&args.database);
    }
    options.added.clone_from(&args.add);
    options.certificates = args.certificates.read(place)?;
    options.allow_unsigned = args.allow_unsigned;
    options.force = args.force;

    let progress = Progress::start(session);
    let done = update(place, &options, &mut |event| show::tell(&event, &progress));
    progress.finish();
    let done = done?;
    let failed = fetching::tell_outcomes(&done.files, session);
    let lost = show::tell_problems(&done.installed.manifest.problems, session);
    let manifest = &done.installed.manifest;
    if args.format == Format::Json {
        let document = Done {
            changed: done.changed,
            files: done.files.iter().map(fetched_file).collect(),
            installed: manifest,
        };
        output::write(None, |out| show::write_json(&document, out))?;
    }
    let newest = show::age_days(manifest, session.now);
    if newest > show::STALE_DAYS {
        session.warn(&format!(
            "the newest database of this mirror is {newest} days old: the mirror may have stopped following its source"
        ));
    }
    show::tell_installed(&done.installed, done.changed, session);
    Ok(if failed == 0 && !lost {
        SUCCESS
    } else {
        INCOMPLETE
    })
}

fn fetched_file((name, outcome): &(String, Outcome)) -> FetchedFile {
    let (word, bytes, reason) = match outcome {
        Outcome::Downloaded(bytes) => ("downloaded", Some(*bytes), None),
        Outcome::Unchanged => ("unchanged", None, None),
        Outcome::Absent => ("absent", None, None),
        Outcome::Failed(reason) => ("failed", None, Some(reason.clone())),
    };
    FetchedFile {
        name: name.clone(),
        outcome: word,
        bytes,
        reason,
    }
}
