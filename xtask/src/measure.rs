//! Runs one command and reports the system's own accounting of it, so that `bench` can
//! compare processes without `unsafe` or an external tool.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};

use crate::shell;

#[derive(clap::Args)]
pub struct MeasureArgs {
    /// The command and its arguments
    #[arg(trailing_var_arg = true, required = true)]
    command: Vec<String>,
}

/// What one run of a command took.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Seconds of wall clock.
    pub wall: f64,
    /// Seconds of CPU, user and system.
    pub cpu: f64,
    /// Largest resident set of any of its processes, in MiB.
    pub peak_mib: f64,
    /// Exit code.
    pub code: i32,
}

/// The hidden command: runs, waits, prints one JSON line.
pub fn run(args: &MeasureArgs) -> Result<()> {
    let (program, rest) = args.command.split_first().context("no command")?;
    let start = Instant::now();
    let status = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{program}`"))?;
    let wall = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1_000_000.0;
    println!(
        "{}",
        serde_json::json!({
            "wall": wall,
            "cpu": seconds(usage.user_time()) + seconds(usage.system_time()),
            "peak_kib": usage.max_rss(),
            "code": status.code().unwrap_or(-1),
        })
    );
    Ok(())
}

/// Measures one run of a command in a process of its own.
pub fn measure(program: &str, args: &[String]) -> Result<Measured> {
    let me = std::env::current_exe()?;
    let mut command = shell::command(&me.to_string_lossy(), ["measure", "--", program]);
    let text = shell::output(command.args(args))?;
    let value: serde_json::Value = serde_json::from_str(&text)?;
    let number = |key: &str| value[key].as_f64().with_context(|| format!("no `{key}`"));
    Ok(Measured {
        wall: number("wall")?,
        cpu: number("cpu")?,
        peak_mib: number("peak_kib")? / 1024.0,
        code: i32::try_from(value["code"].as_i64().unwrap_or(-1))?,
    })
}

/// The run with the median wall time of several.
pub fn median(mut runs: Vec<Measured>) -> Measured {
    runs.sort_by(|a, b| a.wall.total_cmp(&b.wall));
    runs[runs.len() / 2]
}
