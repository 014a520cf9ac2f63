use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::SUCCESS;
use crate::cli::Cli;
use crate::output;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  seaworthy completions bash > ~/.local/share/bash-completion/completions/seaworthy
  seaworthy completions fish > ~/.config/fish/completions/seaworthy.fish";

/// Write the completions of a shell to standard output.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, _: &Session) -> Result<u8> {
    // Generated in memory: the generator does not survive a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "seaworthy", &mut script);
    output::write(None, |out| out.write_all(&script))?;
    Ok(SUCCESS)
}
