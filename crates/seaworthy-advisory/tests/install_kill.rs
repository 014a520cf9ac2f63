//! A process that dies while it installs a database leaves the old one or the new one.

#![expect(
    clippy::unwrap_used,
    reason = "a test program; its helpers are outside of test functions"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use seaworthy_advisory::install::InstallDir;
use seaworthy_advisory::manifest::{Manifest, Shard};

const CHILD: &str = "SEAWORTHY_TEST_INSTALL_INTO";
const SHARDS: u64 = 8;

/// Every shard of database N holds N, so that a mixture would show.
fn install(place: &InstallDir, serial: u64) {
    place
        .install_built(
            &mut |dir| {
                let created = Timestamp::from_second(i64::try_from(serial)?)?;
                let mut manifest = Manifest::new("test", created);
                for i in 0..SHARDS {
                    let file = format!("{i}.shard");
                    std::fs::write(dir.join(&file), serial.to_string().repeat(20_000))?;
                    manifest
                        .shards
                        .push(Shard::of_file(&file, dir, &file, serial)?);
                }
                Ok(manifest)
            },
            Timestamp::UNIX_EPOCH,
            false,
        )
        .unwrap();
}

/// The serial in use, after every byte was checked.
fn installed(root: &Path) -> Option<u64> {
    let place = InstallDir::new(root);
    let dir = place.current_dir().unwrap()?;
    let keys = place.pinned_keys().unwrap();
    let verified = place.verify(&keys, Timestamp::UNIX_EPOCH).unwrap();
    for shard in &verified.manifest.shards {
        let text = std::fs::read_to_string(dir.join(&shard.file)).unwrap();
        assert_eq!(text, shard.records.to_string().repeat(20_000));
    }
    Some(verified.manifest.serial)
}

/// Not a test of its own: the process that gets killed.
#[test]
fn child_that_installs_one_database_after_the_other() {
    let Some(root) = std::env::var_os(CHILD) else {
        println!("skipped: runs as a child of the other test");
        return;
    };
    let place = InstallDir::new(root);
    let first = installed(place.root()).unwrap_or(0) + 1;
    for serial in first.. {
        install(&place, serial);
    }
}

#[test]
fn kill_at_any_moment_leaves_a_whole_database() {
    let root = tempfile::tempdir().unwrap();
    let mut last = 0;
    let mut advances = 0;
    let mut slowness = 1;
    for round in 0..25_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "child_that_installs_one_database_after_the_other",
            ])
            .env(CHILD, root.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Different moments of the loop: an installation takes a few milliseconds, on a busy
        // machine many.
        std::thread::sleep(Duration::from_micros((15_000 + round * 3_700) * slowness));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = installed(root.path()).unwrap_or(0);
        assert!(now >= last, "went back from {last} to {now}");
        advances += u64::from(now > last);
        if now == last {
            slowness = (slowness * 2).min(64);
        }
        last = now;
    }
    assert!(advances > 3, "the child never got to install anything");
    // What the dead left behind goes with the next installation.
    install(&InstallDir::new(root.path()), last + 1);
    let left: Vec<String> = std::fs::read_dir(root.path().join("generations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    println!("{advances} of 25 kills came after progress, serial {last}");
}
