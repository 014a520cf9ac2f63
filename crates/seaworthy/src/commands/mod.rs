//! One file a command, all with the same rooms: arguments, `run`, helpers. `run` gives the
//! exit status.

pub mod audit;
pub mod cache;
pub mod completions;
pub mod db;
pub mod demo;
pub mod explain;
mod fetching;
pub mod formats;
pub mod man;
pub mod packages;
pub mod rules;
pub mod scan;
pub mod secrets;
pub mod signatures;

use anyhow::Result;

use crate::cli::Command;
use crate::session::Session;

/// Everything was as it should be.
pub const SUCCESS: u8 = 0;
/// A report, but something could not be judged.
pub const INCOMPLETE: u8 = 3;

pub fn run(command: Command, session: &Session) -> Result<u8> {
    match command {
        Command::Scan(args) => scan::run(&args, session),
        Command::Audit(args) => audit::run(&args, session),
        Command::Explain(args) => explain::run(&args, session),
        Command::Packages(args) => packages::run(&args, session),
        Command::Demo(args) => demo::run(&args, session),
        Command::Db(args) => db::run(&args, session),
        Command::Signatures(args) => signatures::run(&args, session),
        Command::Cache(args) => cache::run(&args, session),
        Command::Formats(args) => formats::run(&args, session),
        Command::Rules(args) => rules::run(&args, session),
        Command::Secrets(args) => secrets::run(&args, session),
        Command::Completions(args) => completions::run(&args, session),
        Command::Man(args) => man::run(&args, session),
    }
}
