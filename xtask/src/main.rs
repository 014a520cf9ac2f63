//! Automation of this repository. `cargo xtask --help` lists the commands; each has a
//! file here.
//!
//! Everything a command starts (engines, registries) lives in a private folder and on
//! loopback ports, and is stopped by its process id when the command ends.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool talks to its terminal"
)]

mod bench;
mod fuzz;
mod measure;
mod servers;
mod setup;
mod shell;
mod test;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Automation of this repository", disable_version_flag = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check formatting, lints and licences, then run every test, system tests included
    ///
    /// Installs what the system tests need from Debian (asks for root where it must),
    /// starts a private Docker Engine and registries on loopback, and stops them.
    Test(test::TestArgs),
    /// Scan the real images of ../shared/corpus by every road and compare the findings
    Conformance,
    /// Measure speed and memory, as ratios to baselines of the same run
    Bench(bench::BenchArgs),
    /// Run the fuzz targets on a stable toolchain
    Fuzz(fuzz::FuzzArgs),
    /// Install what the other commands need
    Setup,
    /// Start the private engine and registries, run a command with their addresses, stop them
    WithServers {
        /// The command and its arguments
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<String>,
    },
    /// Inflate and hash layer files: the baseline of bench
    #[command(hide = true)]
    Floor(bench::FloorArgs),
    /// Run a command and print its time and memory as JSON (used by bench)
    #[command(hide = true)]
    Measure(measure::MeasureArgs),
}

fn main() -> Result<()> {
    match Args::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Conformance => test::conformance(),
        Command::Bench(args) => bench::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Setup => setup::install(setup::SYSTEM_TEST_TOOLS),
        Command::WithServers { command } => {
            setup::install(setup::SYSTEM_TEST_TOOLS)?;
            let servers = servers::Servers::start()?;
            let (program, rest) = command.split_first().context("no command")?;
            shell::run(servers.apply(&mut shell::command(program, rest)))
        }
        Command::Floor(args) => bench::floor(&args),
        Command::Measure(args) => measure::run(&args),
    }
}
