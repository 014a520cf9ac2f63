//! What the tests need from Debian or Ubuntu, and how to get it.

use anyhow::{Result, bail};

use crate::shell;

/// A program and the package that brings it.
pub struct Tool {
    program: &'static str,
    package: &'static str,
}

/// What the system tests start or feed: a real engine, a real registry, a real virus
/// scanner, and tools that make images.
pub const SYSTEM_TEST_TOOLS: &[Tool] = &[
    Tool {
        program: "dockerd",
        package: "docker.io",
    },
    Tool {
        program: "docker",
        package: "docker.io",
    },
    Tool {
        program: "docker-registry",
        package: "docker-registry",
    },
    Tool {
        program: "clamd",
        package: "clamav-daemon",
    },
    Tool {
        program: "xz",
        package: "xz-utils",
    },
    Tool {
        program: "zstd",
        package: "zstd",
    },
];

/// What the benches make their image with.
pub const BENCH_TOOLS: &[Tool] = &[
    Tool {
        program: "mmdebstrap",
        package: "mmdebstrap",
    },
    Tool {
        program: "zstd",
        package: "zstd",
    },
];

/// Installs the packages whose programs are missing.
///
/// # Errors
///
/// Without root, or where there is no apt: names the packages to install.
pub fn install(tools: &[Tool]) -> Result<()> {
    let mut missing: Vec<&str> = tools
        .iter()
        .filter(|tool| !shell::has(tool.program))
        .map(|tool| tool.package)
        .collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!(
        "sudo apt-get install --no-install-recommends {}",
        missing.join(" ")
    );
    if !shell::has("apt-get") {
        bail!(
            "missing: {}\n  hint: install them with your package manager",
            missing.join(", ")
        );
    }
    if !shell::is_root() {
        bail!(
            "missing: {}\n  hint: run `{by_hand}`, or this command as root",
            missing.join(", ")
        );
    }
    eprintln!("installing {}", missing.join(", "));
    shell::run(&mut shell::command("apt-get", ["update", "-qq"]))?;
    let mut apt = shell::command(
        "apt-get",
        ["install", "-y", "-qq", "--no-install-recommends"]
            .iter()
            .chain(&missing),
    );
    // A package that starts its server by itself would leave it running behind the tests:
    // Debian asks this policy file before it does.
    let policy = std::path::Path::new("/usr/sbin/policy-rc.d");
    let ours = !policy.exists();
    if ours {
        std::fs::write(policy, "#!/bin/sh\nexit 101\n")?;
        shell::run(&mut shell::command(
            "chmod",
            ["755", "/usr/sbin/policy-rc.d"],
        ))?;
    }
    let installed = shell::run(apt.env("DEBIAN_FRONTEND", "noninteractive"));
    if ours {
        std::fs::remove_file(policy)?;
    }
    installed
}

/// Makes sure `cargo deny` can be called: the guard over licences and sources.
pub fn install_cargo_deny() -> Result<()> {
    if shell::has("cargo-deny") {
        return Ok(());
    }
    eprintln!("installing cargo-deny (once, some minutes)");
    shell::run(&mut shell::cargo([
        "install",
        "--locked",
        "--quiet",
        "cargo-deny",
    ]))
}
