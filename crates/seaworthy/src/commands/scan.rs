use anyhow::Result;
use clap::Args;
use seaworthy_engine::scan;
use seaworthy_report::{RenderOptions, Report, Reporter};

use crate::cli::EXIT_STATUS;
use crate::options::{OutputArgs, PolicyArgs, ScanOptions};
use crate::output;
use crate::progress::Progress;
use crate::session::Session;

const EXAMPLES: &str = "\
References:
  debian:12                 the local Docker Engine, else a registry
  docker:NAME               a Docker Engine (DOCKER_HOST and contexts are obeyed)
  registry:NAME             a registry, without any engine
  archive:FILE or -         what `docker save` writes, from a file or standard input
  oci:DIR                   an OCI image layout, as a directory or a tar
  dir:DIR                   a root filesystem
  container:NAME            a container with what it changed

Examples:
  seaworthy scan debian:12
  seaworthy scan --fail-on critical --show medium myapp:latest
  seaworthy scan --format json --output report.json oci:build/image
  seaworthy scan --platform linux/arm64 registry:alpine:3.20
  seaworthy scan --accept-gap embedded-database-only archive:app.tar";

/// Scan an image and give a verdict.
#[derive(Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}"))]
pub struct ScanArgs {
    /// The image: `NAME`, or with a prefix `docker:`, `registry:`, `archive:`, `oci:`, `dir:`,
    /// `container:`; `-` is an archive on standard input
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    options: ScanOptions,
}

pub fn run(args: &ScanArgs, session: &Session) -> Result<u8> {
    let policy = args.policy.policy(session)?;
    let mut request = args.options.request(&args.reference, policy, session)?;
    request.timings = args.output.timings;
    output::check_target(args.output.output.as_deref())?;
    let progress = Progress::start(session);
    let report = scan(&request, &progress, session.cancel_on_signals());
    progress.finish();
    write(&report?, &args.output, session)
}

/// Writes a report as the flags want it, and gives the exit status it stands for.
pub fn write(report: &Report, args: &OutputArgs, session: &Session) -> Result<u8> {
    let reporter = args.reporter();
    let is_unused_rule =
        |message: &str| message.starts_with("rule `") && message.contains("` is not used: ");
    for problem in &report.problems {
        if problem.incomplete && is_unused_rule(&problem.message) {
            session.warn(&format!(
                "{}\n  hint: write its pattern without that, or take the rule out of the file",
                seaworthy_report::printable(&problem.message)
            ));
        }
    }
    let target = args.output.as_deref();
    let options = RenderOptions {
        details: args.details,
        ..session.render_options(target.is_some())
    };
    output::write(target, |out| {
        if session.quiet && reporter.for_people && target.is_none() {
            return verdict_line(report, reporter, &options, out);
        }
        (reporter.write)(report, &options, out)
    })?;
    Ok(report.verdict.exit_status)
}

/// All that is left of a table under `--quiet`: its first line.
fn verdict_line(
    report: &Report,
    reporter: &Reporter,
    options: &RenderOptions,
    out: &mut dyn std::io::Write,
) -> std::io::Result<()> {
    let mut whole = Vec::new();
    (reporter.write)(report, options, &mut whole)?;
    let end = whole
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(whole.len(), |end| end + 1);
    out.write_all(&whole[..end])
}
