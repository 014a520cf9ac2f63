use anyhow::Result;
use clap::Args;
use seaworthy_advisory::install::InstallDir;
use seaworthy_engine::{DatabaseChoice, open_database};
use seaworthy_report::DatabaseKind;

use crate::commands::SUCCESS;
use crate::output;
use crate::session::Session;
use crate::size::format_size;

/// Show which database is in use, how old it is and what it covers.
#[derive(Args)]
pub struct StatusArgs {}

pub fn run(_: &StatusArgs, place: &InstallDir, session: &Session) -> Result<u8> {
    let choice = DatabaseChoice::InstalledOrEmbedded(place.root().to_owned());
    let knowledge = open_database(&choice)?;
    let description = &knowledge.description;
    let manifest = knowledge.manifest.as_ref();
    output::write(None, |out| {
        match description.kind {
            DatabaseKind::Embedded => {
                writeln!(out, "database    the small set built into the program")?;
            }
            DatabaseKind::Installed => {
                writeln!(out, "database    {}", place.root().display())?;
            }
            // Only a scan of sources goes without one.
            DatabaseKind::NotUsed => {}
        }
        writeln!(out, "serial      {}", description.serial)?;
        if let Some(built) = &description.built_at {
            writeln!(out, "built       {built}")?;
        }
        if let Some(expires) = &description.expires_at {
            let late = if knowledge.is_expired(session.now) {
                " (expired)"
            } else {
                ""
            };
            writeln!(out, "expires     {expires}{late}")?;
        }
        writeln!(out, "advisories  {}", description.advisories)?;
        let Some(manifest) = manifest else {
            return Ok(());
        };
        let size: u64 = manifest.shards.iter().map(|shard| shard.size).sum();
        writeln!(out, "size        {}", format_size(size))?;
        writeln!(out, "\n{:32} {:>9} {:>9}", "covers", "records", "size")?;
        for shard in &manifest.shards {
            writeln!(
                out,
                "{:32} {:>9} {:>9}",
                shard.name,
                shard.records,
                format_size(shard.size)
            )?;
        }
        for attribution in manifest
            .shards
            .iter()
            .filter_map(|shard| shard.attribution.as_ref())
        {
            writeln!(out, "{attribution}")?;
        }
        Ok(())
    })?;
    if description.kind == DatabaseKind::Embedded {
        session.say("hint: `seaworthy db update` gets the whole database");
    }
    Ok(SUCCESS)
}
