use anyhow::Result;
use clap::Args;
use seaworthy_report::printable;
use seaworthy_signatures::install::{InstallDir, Installed};
use seaworthy_signatures::manifest::Manifest;
use serde::Serialize;
use std::io::{self, Write};

use super::Format;
use super::show;
use crate::commands::SUCCESS;
use crate::output;
use crate::session::Session;
use crate::size::format_size;

const EXIT_STATUS: &str = "\
`--verbose` names each signature that is kept out, and whole digests.

Exit status: 0; 2 when what is installed is damaged.";

/// Show which signatures are in use, how old they are, what is kept out and why.
#[derive(Args)]
#[command(after_long_help = EXIT_STATUS)]
pub struct StatusArgs {
    /// Warn when the newest database is older than so many days
    #[arg(long, value_name = "DAYS", default_value_t = show::STALE_DAYS, value_parser = clap::value_parser!(i64).range(0..=36500))]
    max_age_days: i64,
    /// How to write it
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

#[derive(Serialize)]
struct Status<'a> {
    folder: String,
    /// Absent where nothing is installed.
    installed: Option<&'a Manifest>,
    age_days: Option<i64>,
    /// Whether they are older than `--max-age-days`.
    stale: bool,
    /// Whether every byte is what was installed.
    whole: bool,
    size_on_disk: u64,
}

pub fn run(args: &StatusArgs, place: &InstallDir, session: &Session) -> Result<u8> {
    let Some(installed) = place.current()? else {
        output::write(None, |out| match args.format {
            Format::Table => writeln!(
                out,
                "signatures  only the test file of anti-virus programs, built in"
            ),
            Format::Json => show::write_json(
                &Status {
                    folder: place.root().display().to_string(),
                    installed: None,
                    age_days: None,
                    stale: false,
                    whole: true,
                    size_on_disk: 0,
                },
                out,
            ),
        })?;
        session.say("hint: `seaworthy signatures update` gets signatures of malware, `seaworthy signatures build --from DIR` compiles your own");
        return Ok(SUCCESS);
    };
    let manifest = &installed.manifest;
    let verified = installed.verify();
    let age = show::age_days(manifest, session.now);
    output::write(None, |out| match args.format {
        Format::Table => write_table(&installed, verified.is_ok(), age, place, session, out),
        Format::Json => show::write_json(
            &Status {
                folder: place.root().display().to_string(),
                installed: Some(manifest),
                age_days: Some(age),
                stale: age > args.max_age_days,
                whole: verified.is_ok(),
                size_on_disk: size_on_disk(&installed),
            },
            out,
        ),
    })?;
    verified?;
    show::tell_problems(&manifest.problems, session);
    show::tell_age(manifest, args.max_age_days, session);
    Ok(SUCCESS)
}

fn write_table(
    installed: &Installed,
    whole: bool,
    age: i64,
    place: &InstallDir,
    session: &Session,
    out: &mut dyn Write,
) -> io::Result<()> {
    let manifest = &installed.manifest;
    let folder = place.root().display().to_string();
    writeln!(out, "signatures  {}", printable(&folder))?;
    writeln!(out, "revision    {}", manifest.revision)?;
    writeln!(
        out,
        "built       {} by {}",
        manifest.built_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        printable(&manifest.builder)
    )?;
    let days = if age == 1 { "day" } else { "days" };
    match manifest.newest() {
        Some(newest) => writeln!(
            out,
            "newest      {} ({age} {days} old)",
            newest.strftime("%Y-%m-%dT%H:%M:%SZ")
        )?,
        None => writeln!(
            out,
            "newest      not known ({age} {days} since it was built)"
        )?,
    }
    writeln!(
        out,
        "active      {} of {} ({} tried on every file)",
        manifest.active, manifest.parsed, manifest.always_tried
    )?;
    writeln!(out, "size        {}", format_size(size_on_disk(installed)))?;
    let whole = if whole { "yes" } else { "no" };
    writeln!(out, "whole       {whole}")?;
    if !manifest.yara.is_empty() {
        let size = manifest.yara.iter().map(|file| file.size).sum();
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        let files = manifest.yara.len() as u64;
        writeln!(
            out,
            "yara        {} rule{} of {files} file{}, {}",
            manifest.yara_rules,
            plural(manifest.yara_rules),
            plural(files),
            format_size(size)
        )?;
    }
    show::write_tables(manifest, session, out)
}

fn size_on_disk(installed: &Installed) -> u64 {
    let rules = installed.manifest.yara.iter().map(|file| file.size);
    rules.fold(installed.manifest.size, u64::saturating_add)
}
