//! `cargo xtask test`: everything that must be green, in one command.

use anyhow::Result;

use crate::servers::Servers;
use crate::{setup, shell};

#[derive(clap::Args)]
pub struct TestArgs {
    /// Leave out the tests that need root, a Docker Engine and a registry
    #[arg(long)]
    no_system: bool,
    /// Leave out formatting, lints and licences
    #[arg(long)]
    no_lint: bool,
}

/// Lints, unit tests, system tests against real servers, conformance.
pub fn run(args: &TestArgs) -> Result<()> {
    if !args.no_lint {
        setup::install_cargo_deny()?;
        shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
        shell::run(&mut shell::cargo([
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]))?;
        shell::run(&mut shell::cargo([
            "deny", "check", "licenses", "bans", "sources",
        ]))?;
    }
    if shell::corpus().is_none() {
        eprintln!("\nno corpus (../shared/corpus or $SEAWORTHY_CORPUS): its tests skip themselves");
    }
    if args.no_system {
        eprintln!("\n--no-system: tests against a real engine and registry skip themselves");
        return shell::run(&mut shell::cargo(["test", "--workspace"]));
    }
    setup::install(setup::SYSTEM_TEST_TOOLS)?;
    if !shell::is_root() {
        anyhow::bail!(
            "system tests start a Docker Engine and need root\n  hint: run as root, or `cargo xtask test --no-system`"
        );
    }
    // Built before the servers start, so that they are not waiting around.
    shell::run(&mut shell::cargo(["test", "--workspace", "--no-run"]))?;
    // The README's first command names no package: it must find the right one. And what is built
    // beside tests has the features that their dependencies ask for, such as Unicode's tables in
    // regular expressions: the program by itself must do without.
    shell::run(&mut shell::cargo([
        "run",
        "--quiet",
        "--",
        "demo",
        "--explain",
        "rsa-private-key",
    ]))?;
    let servers = Servers::start()?;
    shell::run(servers.apply(&mut shell::cargo(["test", "--workspace"])))
}

/// Only the tests over real images, with what they print shown.
pub fn conformance() -> Result<()> {
    if shell::corpus().is_none() {
        println!(
            "skipped: no corpus\n  hint: put it at ../shared/corpus or name it in $SEAWORTHY_CORPUS"
        );
        return Ok(());
    }
    setup::install(setup::SYSTEM_TEST_TOOLS)?;
    shell::run(&mut shell::cargo(["test", "--workspace", "--no-run"]))?;
    let servers = Servers::start()?;
    for (package, test) in [
        ("seaworthy-image", "corpus"),
        ("seaworthy-scan", "corpus"),
        ("seaworthy-advisory", "corpus"),
        ("seaworthy-unpack", "corpus"),
        ("seaworthy-signatures", "corpus"),
        ("seaworthy-signatures", "corpus_yara"),
        ("seaworthy-engine", "corpus"),
        ("seaworthy-engine", "malware_corpus"),
        ("seaworthy", "conformance"),
    ] {
        shell::run(servers.apply(&mut shell::cargo([
            "test",
            "--package",
            package,
            "--test",
            test,
            "--",
            "--nocapture",
        ])))?;
    }
    Ok(())
}
