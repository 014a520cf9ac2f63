use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};

use super::SUCCESS;
use crate::cli::Cli;
use crate::session::Session;

/// Write the manual pages into a directory, one for each command.
#[derive(Args)]
pub struct ManArgs {
    /// Where to; made when missing
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub fn run(args: &ManArgs, session: &Session) -> Result<u8> {
    let shown = args.directory.display();
    std::fs::create_dir_all(&args.directory).with_context(|| format!("cannot make `{shown}`"))?;
    clap_mangen::generate_to(Cli::command(), &args.directory)
        .with_context(|| format!("cannot write manual pages into `{shown}`"))?;
    session.say(&format!("wrote manual pages into {shown}"));
    Ok(SUCCESS)
}
