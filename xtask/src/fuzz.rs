//! Fuzzing on a stable toolchain: libFuzzer needs LLVM's coverage counters, which plain
//! `-C` flags give, and no sanitizer (those need a nightly compiler).

use std::fs;

use anyhow::{Context, Result, bail};

use crate::shell;

/// What `cargo fuzz --sanitizer none` would pass.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg fuzzing -Clink-dead-code -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";

#[derive(clap::Args)]
pub struct FuzzArgs {
    /// Seconds for each target
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Only these targets (default: all)
    targets: Vec<String>,
    /// Megabytes a target may use
    #[arg(long, default_value_t = 1024)]
    rss_limit_mb: u32,
}

/// Builds all targets and runs each for a while.
pub fn run(args: &FuzzArgs) -> Result<()> {
    let folder = shell::root().join("fuzz");
    let mut names: Vec<String> = fs::read_dir(folder.join("src/bin"))?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".rs")?.to_owned())
        })
        .collect();
    names.sort();
    if let Some(unknown) = args.targets.iter().find(|target| !names.contains(target)) {
        bail!(
            "no fuzz target `{unknown}`\n  hint: one of {}",
            names.join(", ")
        );
    }
    if !args.targets.is_empty() {
        names.retain(|name| args.targets.contains(name));
    }
    let target_dir = shell::target_dir().join("fuzz");
    // Naming the host as a target keeps the flags away from build scripts, which have no
    // fuzzer to link to.
    let version = shell::output(&mut shell::command("rustc", ["--version", "--verbose"]))?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc does not say what host it is for")?;
    shell::run(
        shell::cargo([
            "build",
            "--release",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--bins",
        ])
        .args(["--target", host])
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("RUSTFLAGS", RUSTFLAGS),
    )?;
    let mut failed = Vec::new();
    for name in &names {
        let corpus = folder.join("corpus").join(name);
        let artifacts = folder.join("artifacts").join(name);
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&artifacts)?;
        let mut command = shell::command(
            &target_dir
                .join(host)
                .join("release")
                .join(name)
                .to_string_lossy(),
            [
                format!("-max_total_time={}", args.seconds),
                format!("-rss_limit_mb={}", args.rss_limit_mb),
                "-timeout=10".to_owned(),
                "-print_final_stats=1".to_owned(),
                "-verbosity=0".to_owned(),
                format!("-artifact_prefix={}/", artifacts.display()),
                corpus.display().to_string(),
            ],
        );
        if let Err(error) = shell::run(&mut command) {
            eprintln!("{error:#}");
            failed.push(name.as_str());
        }
    }
    if !failed.is_empty() {
        bail!(
            "fuzz targets failed: {}\n  hint: the inputs are in fuzz/artifacts",
            failed.join(", ")
        );
    }
    println!(
        "{} fuzz targets ran {} s each without a failure",
        names.len(),
        args.seconds
    );
    Ok(())
}
