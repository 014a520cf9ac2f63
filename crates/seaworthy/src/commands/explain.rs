use anyhow::{Result, anyhow};
use clap::Args;
use seaworthy_engine::scan;
use seaworthy_policy::nearest;
use seaworthy_report::{Report, explain, printable};

use crate::options::{PolicyArgs, ScanOptions};
use crate::output;
use crate::progress::Progress;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  seaworthy explain debian:12 CVE-2022-0778     by CVE or any alias
  seaworthy explain debian:12 3f2a90c1          by the first digits of a fingerprint
  seaworthy explain myapp aws-access-key-id     by the rule of a secret";

/// Tell why a finding is there: file, layer, record, range and comparison.
///
/// The image is scanned as `seaworthy scan` does it, which the cache makes quick the second
/// time. Exits with 0 if there is such a finding, with 2 if there is none.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ExplainArgs {
    /// The image, as for `seaworthy scan`
    #[arg(value_name = "REF")]
    reference: String,
    /// Id or alias of a vulnerability, the rule of a secret or of malware, the name of a signature, or
    /// a fingerprint
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    options: ScanOptions,
}

pub fn run(args: &ExplainArgs, session: &Session) -> Result<u8> {
    let policy = args.policy.policy(session)?;
    let request = args.options.request(&args.reference, policy, session)?;
    let progress = Progress::start(session);
    let report = scan(&request, &progress, session.cancel_on_signals());
    progress.finish();
    write(&report?, &args.id, session)
}

/// Writes why the findings of that name are there.
pub fn write(report: &Report, id: &str, session: &Session) -> Result<u8> {
    let mut found = 0;
    output::write(None, |out| {
        found = explain(report, id, &session.render_options(false), out)?;
        Ok(())
    })?;
    if found > 0 {
        return Ok(super::SUCCESS);
    }
    let ids = report
        .findings
        .iter()
        .filter_map(|finding| Some(finding.vulnerability()?.id.as_str()));
    let hint = match nearest(id, ids) {
        Some(near) => format!("did you mean `{}`?", printable(near)),
        None => "`seaworthy db search ID` tells whether the database knows it".to_owned(),
    };
    Err(anyhow!(
        "no finding `{}` in `{}`\n  hint: {hint}",
        printable(id),
        printable(&report.image.reference)
    ))
}
