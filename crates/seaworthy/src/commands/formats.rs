use anyhow::Result;
use clap::Args;
use seaworthy_engine::supported;

use super::SUCCESS;
use crate::output;
use crate::session::Session;

/// List what this build can handle: sources, package records, advisories, report formats.
#[derive(Args)]
pub struct FormatsArgs {}

pub fn run(_: &FormatsArgs, session: &Session) -> Result<u8> {
    let groups = supported();
    let column = groups
        .iter()
        .flat_map(|group| &group.rows)
        .map(|row| row.id.chars().count())
        .max()
        .unwrap_or(0);
    let options = session.render_options(false);
    output::write(None, |out| {
        for (place, group) in groups.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            if options.colour {
                let bold = anstyle::Style::new().bold();
                writeln!(out, "{bold}{}{bold:#}", group.title)?;
            } else {
                writeln!(out, "{}", group.title)?;
            }
            for row in &group.rows {
                writeln!(out, "  {:column$}  {}", row.id, row.summary)?;
            }
        }
        Ok(())
    })?;
    Ok(SUCCESS)
}
