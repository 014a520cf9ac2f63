//! The command `seaworthy`: flags, terminal, exit status.
//!
//! Data goes to standard output, everything else to standard error. Nothing is set up
//! before the arguments are understood, so that `--version` and usage errors are instant.

mod cli;
mod commands;
mod demo;
mod failure;
mod options;
mod output;
mod progress;
mod session;
mod size;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let session = session::Session::new(&cli.terminal);
    match commands::run(cli.command, &session) {
        Ok(status) => ExitCode::from(status),
        Err(error) => failure::report(&error, &session),
    }
}
