use anyhow::Result;
use clap::Args;
use seaworthy_advisory::install::InstallDir;

use crate::commands::SUCCESS;
use crate::output;
use crate::session::Session;

/// Check the signature, the expiry and every byte of the installed database.
#[derive(Args)]
#[command(
    after_long_help = "Exit status: 0 for a whole database, 2 for one that is damaged, \
                             expired, not trusted or missing."
)]
pub struct VerifyArgs {}

pub fn run(_: &VerifyArgs, place: &InstallDir, session: &Session) -> Result<u8> {
    let verified = place.verify(&place.pinned_keys()?, session.now)?;
    output::write(None, |out| {
        writeln!(
            out,
            "whole: serial {}, {} files, signed by key {}",
            verified.manifest.serial,
            verified.manifest.shards.len(),
            verified.key
        )
    })?;
    Ok(SUCCESS)
}
