use anyhow::{Result, anyhow};
use clap::Args;
use seaworthy_advisory::db::{AdvisoryHit, PackageHit};
use seaworthy_advisory::install::InstallDir;
use seaworthy_engine::{DatabaseChoice, open_database};
use seaworthy_report::printable;
use std::io::{self, Write};

use crate::commands::SUCCESS;
use crate::output;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  seaworthy db search openssl           what is known of a package, in every distribution
  seaworthy db search CVE-2014-0160     what is known of a flaw, by any of its ids

Exit status: 0 if anything was found, 2 if not.";

/// Rows of one list before `--verbose` is needed.
const ROWS: usize = 40;

/// Ask the database for a package or an advisory.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct SearchArgs {
    /// Name of a package, or any id of a flaw
    #[arg(value_name = "PACKAGE|ID")]
    what: String,
}

pub fn run(args: &SearchArgs, place: &InstallDir, session: &Session) -> Result<u8> {
    let choice = DatabaseChoice::InstalledOrEmbedded(place.root().to_owned());
    let knowledge = open_database(&choice)?;
    let advisories = knowledge.database.search_advisory(&args.what);
    let packages = knowledge.database.search_package(&args.what);
    if advisories.is_empty() && packages.is_empty() {
        return Err(anyhow!(
            "nothing is known of `{}`\n  hint: names are those of source packages, such as `openssl`; \
             `seaworthy db status` tells what is covered",
            printable(&args.what)
        ));
    }
    let most = if session.verbose { usize::MAX } else { ROWS };
    output::write(None, |out| {
        for (place, hit) in advisories.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            write_advisory(hit, most, out)?;
        }
        write_packages(&packages, most, out)
    })?;
    Ok(SUCCESS)
}

fn write_advisory(hit: &AdvisoryHit, most: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{} in {}",
        printable(&hit.advisory.id),
        printable(&hit.shard)
    )?;
    if !hit.text.title.is_empty() {
        writeln!(out, "  {}", printable(&hit.text.title))?;
    }
    for reference in hit.text.references.iter().take(5) {
        writeln!(out, "  {}", printable(reference))?;
    }
    write_packages(&hit.packages, most, out)
}

fn write_packages(hits: &[PackageHit], most: usize, out: &mut dyn Write) -> io::Result<()> {
    for hit in hits.iter().take(most) {
        let severity = hit.severity.map_or("unrated", |severity| severity.as_str());
        let flaws = match hit.vulnerabilities.as_slice() {
            [] => String::new(),
            flaws => format!(" ({})", flaws.join(", ")),
        };
        writeln!(
            out,
            "  {:14} {}  {}{}  {severity}  {}",
            printable(&hit.shard),
            printable(&hit.package),
            printable(&hit.advisory),
            printable(&flaws),
            printable(&hit.range)
        )?;
    }
    let left = hits.len().saturating_sub(most);
    if left > 0 {
        writeln!(out, "  {left} more: see them with `--verbose`")?;
    }
    Ok(())
}
