//! The advisory database: getting it, looking at it, asking it.

mod build;
mod search;
mod status;
mod update;
mod verify;

pub use build::DAY;

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use seaworthy_advisory::install::InstallDir;

use crate::session::Session;

/// Get the advisory database, look at it, ask it.
///
/// Without an installed database a small set of well-known flaws is used, which is built
/// into the program.
#[derive(Args)]
pub struct DbArgs {
    #[command(subcommand)]
    action: Action,
    /// The folder of the database [default: ~/.local/share/seaworthy/db]
    #[arg(long, global = true, value_name = "DIR", env = "SEAWORTHY_DB")]
    db: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    Update(update::UpdateArgs),
    Build(build::BuildArgs),
    Status(status::StatusArgs),
    Search(search::SearchArgs),
    Verify(verify::VerifyArgs),
}

pub fn run(args: &DbArgs, session: &Session) -> Result<u8> {
    let folder = args
        .db
        .clone()
        .or_else(|| session.folders.database())
        .ok_or_else(|| {
            anyhow!("there is no place for a database\n  hint: set HOME or give `--db DIR`")
        })?;
    let place = InstallDir::new(folder);
    match &args.action {
        Action::Update(args) => update::run(args, &place, session),
        Action::Build(args) => build::run(args, &place, session),
        Action::Status(args) => status::run(args, &place, session),
        Action::Search(args) => search::run(args, &place, session),
        Action::Verify(args) => verify::run(args, &place, session),
    }
}
