use crate::session::Session;
use anyhow::Result;
use clap::Args;
use seaworthy_advisory::install::InstallDir;
/// Shim
#[derive(Args)]
pub struct SearchArgs {}
pub fn run(_: &SearchArgs, _: &InstallDir, _: &Session) -> Result<u8> {
    Ok(0)
}
