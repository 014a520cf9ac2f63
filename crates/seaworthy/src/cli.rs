//! The command line as a whole. What one command takes stands with that command.

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    audit, cache, completions, db, demo, explain, formats, man, packages, rules, scan, secrets,
    signatures,
};

/// What every help page ends with: scripts live by it.
pub const EXIT_STATUS: &str = "\
Exit status:
  0    seaworthy: everything was judged and nothing is against the policy
  1    unseaworthy: something is against the policy
  2    error: nothing reliable to report
  3    incomplete: a report, but something could not be judged
  130  cancelled";

const EXAMPLES: &str = "\
Examples:
  seaworthy demo                              see it work: no Docker, no network
  seaworthy scan debian:12                    an image of the local Docker Engine
  seaworthy scan registry:alpine:3.20         straight from a registry
  docker save app | seaworthy scan -          an archive, from a file or standard input
  seaworthy scan dir:/srv/rootfs              a root filesystem
  seaworthy secrets .                         secrets in a source tree
  seaworthy explain debian:12 CVE-2022-0778   why a finding is there
  seaworthy db update                         get the whole advisory database
  seaworthy signatures update                 get signatures of malware";

/// Is this container fit to sail?
///
/// Seaworthy reads every layer of a container image, matches what it holds against
/// security advisories, and gives a verdict: SEAWORTHY, UNSEAWORTHY and why, or INCOMPLETE
/// where it could not judge.
#[derive(Parser)]
#[command(
    name = "seaworthy",
    version,
    propagate_version = false,
    arg_required_else_help = true,
    disable_help_subcommand = false,
    max_term_width = 100,
    after_help = "Run `seaworthy help COMMAND` for flags and examples of a command.",
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}")
)]
pub struct Cli {
    #[command(flatten)]
    pub terminal: TerminalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args)]
#[command(next_help_heading = "Terminal")]
pub struct TerminalArgs {
    /// Say nothing on standard error but errors; a table shrinks to its verdict
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say what is being done, with times
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal that wants them (NO_COLOR, CLICOLOR, CLICOLOR_FORCE are obeyed)
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub enum Command {
    Scan(Box<scan::ScanArgs>),
    Audit(Box<audit::AuditArgs>),
    Explain(Box<explain::ExplainArgs>),
    Packages(Box<packages::PackagesArgs>),
    Demo(demo::DemoArgs),
    Db(db::DbArgs),
    Signatures(signatures::SignaturesArgs),
    Cache(cache::CacheArgs),
    Formats(formats::FormatsArgs),
    Rules(rules::RulesArgs),
    Secrets(Box<secrets::SecretsArgs>),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
