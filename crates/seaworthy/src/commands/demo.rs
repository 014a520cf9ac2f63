use anyhow::Result;
use clap::Args;
use seaworthy_engine::{
    CacheChoice, DatabaseChoice, FingerprintKey, MalwareChoice, MalwareOptions, ScanRequest,
    SecretsChoice, SignaturesChoice, scan_opened,
};

use super::{explain, scan};
use crate::demo;
use crate::options::{OutputArgs, PolicyArgs};
use crate::progress::Progress;
use crate::session::Session;

/// Scan a deliberately unfit image, made in memory: no Docker, no network.
///
/// The image holds records of packages with well-known flaws, as real package managers
/// write them, keys that open nothing, and harmless stand-ins for malware; nothing in it can
/// run. It is judged by the advisories built into the program.
#[derive(Args)]
#[command(after_long_help = crate::cli::EXIT_STATUS)]
pub struct DemoArgs {
    /// Tell why a finding is there, by its id, as `seaworthy explain` does for other images
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    policy: PolicyArgs,
}

pub fn run(args: &DemoArgs, session: &Session) -> Result<u8> {
    let request = ScanRequest {
        reference: demo::REFERENCE.to_owned(),
        open: Default::default(),
        limits: Default::default(),
        database: DatabaseChoice::Embedded,
        cache: CacheChoice::Off,
        // There is nothing to guard in it, and so each run gives the same bytes.
        secrets: SecretsChoice::Key(FingerprintKey::new([0; 32])),
        malware: MalwareChoice::On(Box::new(MalwareOptions::new(SignaturesChoice::BuiltIn))),
        secret_options: Default::default(),
        policy: args.policy.policy(session)?,
        threads: 1,
        now: session.now,
        timings: args.output.timings,
    };
    let progress = Progress::start(session);
    let report = scan_opened(
        &request,
        demo::image(),
        &progress,
        session.cancel_on_signals(),
    );
    progress.finish();
    let mut report = report?;
    report.image.source = "memory".to_owned();
    if let Some(id) = &args.explain {
        return explain::write(&report, id, session);
    }
    session.say("scanning a deliberately unfit image, made in memory; it holds:");
    for threat in demo::THREATS {
        session.say(&format!("  - {}", threat.summary));
    }
    scan::write(&report, &args.output, session)
}
