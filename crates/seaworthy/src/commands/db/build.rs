use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::Args;
use seaworthy_advisory::install::{BuildError, InstallDir};
use seaworthy_advisory::manifest::Manifest;
use seaworthy_advisory::{BuildOptions, BuildReport, build};
use seaworthy_report::printable;

use crate::commands::{INCOMPLETE, SUCCESS};
use crate::progress::Progress;
use crate::session::Session;
use crate::size::format_size;

/// Where `db update` puts scores and catalogue.
const EPSS: &str = "epss/epss_scores-current.csv.gz";
const KEV: &str = "kev/known_exploited_vulnerabilities.json";
/// Seconds.
pub const DAY: i64 = 24 * 60 * 60;

const EXAMPLES: &str = "\
Examples:
  seaworthy db build --from /srv/osv
  seaworthy db build --from /srv/osv --db ./db && seaworthy scan --db ./db debian:12

The folder has the layout of the public OSV bucket, `<Ecosystem>/all.zip`, with `epss` and
`kev` beside it where there are such. The same input gives the same database, byte for byte.

Exit status: 0, or 3 where records could not be read or have an unknown publisher; 2 for an
error.";

/// Build a database from a folder of advisories and install it.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct BuildArgs {
    /// The folder of advisories
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Only this ecosystem, by its OSV name; may be given more than once [default: all there are]
    #[arg(long, value_name = "NAME")]
    ecosystem: Vec<String>,
    /// EPSS scores, CSV, plain or gzip [default: `epss` in the folder]
    #[arg(long, value_name = "FILE")]
    epss: Option<PathBuf>,
    /// CISA's catalogue of known exploited flaws, JSON [default: `kev` in the folder]
    #[arg(long, value_name = "FILE")]
    kev: Option<PathBuf>,
    /// How many days after the newest record its silence means nothing any more
    /// [default: it does not expire]
    #[arg(long, value_name = "NUMBER")]
    expires_after_days: Option<u16>,
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
    let mut report = BuildReport::default();
    let installed = place.install_built(
        &mut |output| {
            let options = BuildOptions {
                ecosystems: args.ecosystem.clone(),
                epss: args.epss.clone().or_else(|| beside(&args.from, EPSS)),
                kev: args.kev.clone().or_else(|| beside(&args.from, KEV)),
                expires_after: args.expires_after_days.map(|days| i64::from(days) * DAY),
                ..options_for(&args.from, output)
            };
            let (manifest, built) = compile(&options, &progress)?;
            report = built;
            Ok(manifest)
        },
        session.now,
        args.force,
    );
    progress.finish();
    let installed = installed?;
    let lost = tell(&report, session);
    session.say(&format!(
        "installed serial {}: {} of {} records, {}",
        installed.manifest.serial,
        report
            .publishers
            .values()
            .map(|count| count.stored)
            .sum::<u64>(),
        report.records,
        format_size(report.size())
    ));
    Ok(if lost { INCOMPLETE } else { SUCCESS })
}

/// What both `db build` and `db update` hand to the build.
pub fn options_for(input: &Path, output: &Path) -> BuildOptions {
    BuildOptions {
        from: input.to_owned(),
        out: output.to_owned(),
        epss: beside(input, EPSS),
        kev: beside(input, KEV),
        ..BuildOptions::default()
    }
}

fn beside(input: &Path, name: &str) -> Option<PathBuf> {
    let path = input.join(name);
    path.is_file().then_some(path)
}

/// Compiles a folder in the bucket's layout.
pub fn compile(
    options: &BuildOptions,
    progress: &Progress<'_>,
) -> Result<(Manifest, BuildReport), BuildError> {
    let mut report = build(options, &mut |at| {
        progress.replace(&format!(
            "compiling {} ({} of {})",
            at.ecosystem,
            at.index + 1,
            at.total
        ));
    })?;
    let manifest = report
        .manifest
        .take()
        .ok_or("the build wrote no manifest")?;
    Ok((manifest, report))
}

/// Says what of the input is missing in the database, and whether that is anything.
///
/// Records that were left out on purpose (withdrawn, not about security) are no loss, and
/// told under `--verbose`.
pub fn tell(report: &BuildReport, session: &Session) -> bool {
    for (reason, count) in &report.skipped {
        session.detail(&format!("{count} records left out: {}", reason.as_str()));
    }
    for (name, count) in &report.unsupported_ecosystems {
        session.detail(&format!(
            "{count} records of {}: not matched yet",
            printable(name)
        ));
    }
    let mut lost: Vec<String> = report
        .unknown_prefixes
        .iter()
        .map(|(prefix, count)| format!("{count} records of an unknown publisher, `{prefix}`"))
        .collect();
    let problems = report.problems.iter();
    lost.extend(problems.map(|problem| format!("`{}`: {}", problem.place, problem.message)));
    tell_lost(&lost, report.more_problems, session);
    !lost.is_empty()
}

fn tell_lost(lost: &[String], more: u64, session: &Session) {
    let most = if session.verbose { usize::MAX } else { 10 };
    for note in lost.iter().take(most) {
        session.warn(&printable(note));
    }
    let left = lost.len().saturating_sub(most) as u64 + more;
    if left > 0 {
        session.warn(&format!("{left} more: see them with `--verbose`"));
    }
}
