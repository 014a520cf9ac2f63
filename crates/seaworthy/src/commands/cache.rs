use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand};
use seaworthy_engine::{DEFAULT_CACHE_BYTES, EvidenceCache};

use super::SUCCESS;
use crate::output;
use crate::session::Session;
use crate::size::format_size;

/// Show or clear the cache of layer evidence.
///
/// What was found in a layer is kept by the layer's digest, so that no layer is read
/// twice. It holds no judgement: findings are worked out anew each time.
#[derive(Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// The folder of the cache
    #[arg(long, global = true, value_name = "DIR", env = "SEAWORTHY_CACHE_DIR")]
    cache_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Show where it is and how much it holds (the default)
    Status,
    /// Delete all it holds
    Clear,
}

pub fn run(args: &CacheArgs, session: &Session) -> Result<u8> {
    let folder = args
        .cache_dir
        .clone()
        .or_else(|| session.folders.evidence())
        .ok_or_else(|| {
            anyhow!("there is no place for a cache\n  hint: set HOME or give `--cache-dir DIR`")
        })?;
    let shown = folder.display().to_string();
    if !folder.exists() {
        // Looking at a cache must not make one.
        output::write(None, |out| writeln!(out, "no cache yet at {shown}"))?;
        return Ok(SUCCESS);
    }
    let cache = EvidenceCache::open(&folder, DEFAULT_CACHE_BYTES)
        .with_context(|| format!("cannot open the cache at `{shown}`"))?;
    match args.action {
        None | Some(Action::Status) => {
            let status = cache
                .status()
                .with_context(|| format!("cannot read the cache at `{shown}`"))?;
            output::write(None, |out| {
                writeln!(out, "place   {shown}")?;
                writeln!(out, "layers  {}", status.entries)?;
                writeln!(
                    out,
                    "size    {} of at most {}",
                    format_size(status.bytes),
                    format_size(status.max_bytes)
                )
            })?;
        }
        Some(Action::Clear) => {
            cache
                .clear()
                .with_context(|| format!("cannot clear the cache at `{shown}`"))?;
            session.say(&format!("cleared {shown}"));
        }
    }
    Ok(SUCCESS)
}
