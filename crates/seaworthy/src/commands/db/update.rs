use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;
use jiff::SignedDuration;
use seaworthy_advisory::install::InstallDir;
use seaworthy_advisory::manifest::Manifest;
use seaworthy_advisory::update::{Progress as Event, UpdateOptions, update};
use seaworthy_engine::VERSION;

use crate::commands::{INCOMPLETE, SUCCESS, fetching};
use crate::progress::Progress;
use crate::session::Session;

/// Days after an update for which the silence of a database is trusted: flaws are published
/// every day, and images are rebuilt about once a month.
const LIFE_DAYS: i64 = 30;

/// Days without any new advisory after which a mirror of many sources looks abandoned.
const STALE_DAYS: i64 = 14;

const EXAMPLES: &str = "\
Examples:
  seaworthy db update
  seaworthy db update --mirror https://mirror.example.org/osv
  seaworthy db update --ecosystem Debian --ecosystem PyPI

A download that was cut off goes on where it ended. The old database stays in use until the
new one is whole. HTTPS_PROXY and NO_PROXY are obeyed.

Exit status: 0, or 3 where a source failed and its former copy, if any, was used; 2 for an error.";

/// Download advisories and install a database made of them.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct UpdateArgs {
    /// A mirror in the layout of the public OSV bucket; may be given more than once, best first
    /// [default: the public bucket]
    #[arg(
        long,
        value_name = "URL",
        env = "SEAWORTHY_DB_MIRROR",
        value_delimiter = ','
    )]
    mirror: Vec<String>,
    /// An ecosystem by its OSV name; may be given more than once [default: all that are matched]
    #[arg(long, value_name = "NAME")]
    ecosystem: Vec<String>,
    /// Where the EPSS scores are; empty to do without
    #[arg(long, value_name = "URL")]
    epss: Option<String>,
    /// Where the catalogue of known exploited flaws is; empty to do without
    #[arg(long, value_name = "URL")]
    kev: Option<String>,
    /// Where downloads are kept [default: ~/.cache/seaworthy/feeds]
    #[arg(long, value_name = "DIR")]
    download_dir: Option<PathBuf>,
    /// Install even when the result is older than what is installed
    #[arg(long)]
    force: bool,
}

pub fn run(args: &UpdateArgs, place: &InstallDir, session: &Session) -> Result<u8> {
    let folder = args
        .download_dir
        .clone()
        .or_else(|| Some(session.folders.cache.as_ref()?.join("feeds")))
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
    if !args.ecosystem.is_empty() {
        options.ecosystems.clone_from(&args.ecosystem);
    }
    let replace = |urls: &mut Vec<String>, given: &Option<String>| {
        if let Some(url) = given {
            *urls = Some(url.clone())
                .into_iter()
                .filter(|url| !url.is_empty())
                .collect();
        }
    };
    replace(&mut options.epss_urls, &args.epss);
    replace(&mut options.kev_urls, &args.kev);
    options.force = args.force;
    options.life = Some(SignedDuration::from_hours(LIFE_DAYS * 24));

    let progress = Progress::start(session);
    let mut report = None;
    let done = update(
        place,
        &options,
        &mut |input, output| {
            let options = super::build::options_for(input, output);
            let (mut manifest, built) = super::build::compile(&options, &progress)?;
            manifest.builder.clone_from(&builder);
            report = Some(built);
            Ok(manifest)
        },
        &mut |event| tell(&event, &progress),
    );
    progress.finish();
    let done = done?;
    let failed = fetching::tell_outcomes(&done.files, session);
    let lost = report.is_some_and(|report| super::build::tell(&report, session));
    let Manifest {
        serial, created, ..
    } = done.database.manifest;
    if session.now.duration_since(created) > SignedDuration::from_hours(STALE_DAYS * 24) {
        session.warn(&format!(
            "the newest advisory of this mirror is of {}: the mirror may have stopped following its sources",
            created.strftime("%Y-%m-%d")
        ));
    }
    session.say(&if done.installed {
        format!("installed serial {serial}")
    } else {
        format!("nothing has changed since serial {serial}")
    });
    Ok(if failed == 0 && !lost {
        SUCCESS
    } else {
        INCOMPLETE
    })
}

fn tell(event: &Event, progress: &Progress<'_>) {
    match event {
        Event::Fetching(event) => fetching::tell(event, progress),
        Event::Finished { .. } => {}
        Event::Building => progress.say("compiling the advisories"),
        Event::Installing => progress.say("installing"),
    }
}
