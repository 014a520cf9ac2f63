use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use seaworthy_engine::{Limits, SourceRequest, scan_sources};

use super::scan;
use crate::cli::EXIT_STATUS;
use crate::options::{OutputArgs, PolicyArgs, SecretArgs, secret_key, thread_count};
use crate::output;
use crate::progress::Progress;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  seaworthy secrets .                                   a source tree, before it becomes an image
  seaworthy secrets --dockerfile Dockerfile .           with what to change in the Dockerfile
  seaworthy secrets --secret-rules gitleaks.toml src    with your own rules beside ours
  seaworthy secrets --write-baseline known.toml .       note what is there today ...
  seaworthy secrets --secret-baseline known.toml .      ... and fail on what comes new

A comment `seaworthy:allow` (or `gitleaks:allow`, `nosecret`) on the line of a secret sets it
aside; the report counts what is set aside.";

/// Here another default holds than where images are scanned.
const FAIL_ON: &str = "Findings of this severity or worse are against the policy; `none` for no \
    severity [default: low]";

/// Look for secrets in source directories and files.
///
/// The same rules as `seaworthy scan`. Links are not followed, `.gitignore` is not obeyed, and
/// of `.git` the configuration and loose objects are read. Without a policy every secret of
/// severity low or worse fails.
#[derive(Args)]
#[command(
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}"),
    mut_arg("fail_on", |arg| arg.help(FAIL_ON))
)]
pub struct SecretsArgs {
    /// Directories and files
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Paths that are not looked at, as a glob below each directory, such as `target/**`; may be
    /// given more than once
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// How many threads read files [default: one per processor]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Speed")]
    threads: Option<u16>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    secrets: SecretArgs,
}

pub fn run(args: &SecretsArgs, session: &Session) -> Result<u8> {
    let request = SourceRequest {
        paths: args.paths.clone(),
        exclude: args.exclude.clone(),
        limits: Limits::default(),
        secrets: secret_key(session),
        secret_options: args.secrets.options()?,
        policy: args.policy.strict_policy(session)?,
        threads: thread_count(args.threads),
        now: session.now,
    };
    output::check_target(args.output.output.as_deref())?;
    let progress = Progress::start(session);
    let report = scan_sources(&request, &progress, session.cancel_on_signals());
    progress.finish();
    scan::write(&report?, &args.output, session)
}
