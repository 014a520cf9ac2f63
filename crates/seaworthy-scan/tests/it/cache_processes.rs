//! Several processes at one cache, some of which are killed. The processes are this test
//! binary itself, told by the environment to run the loop below.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use seaworthy_core::{Digest, LayerEvidence};
use seaworthy_scan::{AnalyzerSet, EvidenceCache, MemoryLayer};

use crate::support::scan;

const CACHE_DIR: &str = "SEAWORTHY_TEST_CACHE_DIR";
const ROUNDS: &str = "SEAWORTHY_TEST_ROUNDS";
const LAYERS: u8 = 6;
const MAX_BYTES: u64 = 64 << 20;

fn digest(number: u8) -> Digest {
    Digest::from_sha256([number; 32])
}

fn evidence(number: u8, analyzers: &AnalyzerSet) -> LayerEvidence {
    let status: String = (0..3000_u64)
        .map(|i| {
            let noise = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!("Package: p{noise:x}-{number}\nVersion: {i}.{number}\n\n")
        })
        .collect();
    let layer = MemoryLayer::new()
        .with_diff_id(digest(number))
        .file("var/lib/dpkg/status", status);
    scan(&layer, analyzers)
}

/// What the child processes do. Without the environment it has nothing to do and says so.
#[test]
#[ignore = "the body of the child processes of the tests below"]
fn child_writes_in_a_loop() {
    let (Some(dir), Ok(rounds)) = (env::var_os(CACHE_DIR), env::var(ROUNDS)) else {
        println!("skipped: only other tests run this");
        return;
    };
    let analyzers = AnalyzerSet::builtin();
    let all: Vec<LayerEvidence> = (0..LAYERS).map(|n| evidence(n, &analyzers)).collect();
    let cache = EvidenceCache::open(Path::new(&dir), MAX_BYTES).expect("opens");
    for _ in 0..rounds.parse::<u64>().expect("a number") {
        for evidence in &all {
            cache.put(evidence, &analyzers).expect("written");
        }
    }
    for (number, expected) in (0..).zip(&all) {
        let found = cache.get(&digest(number), &analyzers);
        assert_eq!(found.as_ref(), Some(expected), "layer {number}");
    }
}

fn child(dir: &Path, rounds: u64) -> Child {
    Command::new(env::current_exe().expect("this binary"))
        .args([
            "--exact",
            "cache_processes::child_writes_in_a_loop",
            "--ignored",
        ])
        .env(CACHE_DIR, dir)
        .env(ROUNDS, rounds.to_string())
        .stdout(Stdio::null())
        .spawn()
        .expect("the test binary starts")
}

#[test]
fn a_writer_killed_at_any_moment_leaves_a_readable_cache() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dir = dir.path().join("cache");
    let analyzers = AnalyzerSet::builtin();
    let all: Vec<LayerEvidence> = (0..LAYERS).map(|n| evidence(n, &analyzers)).collect();
    let mut seen = 0;
    for round in 0..12_u32 {
        let mut writer = child(&dir, u64::MAX);
        let start = Instant::now();
        // It has begun to write; the kill then comes at a moment that differs each time.
        while fs::read_dir(&dir).map_or(0, Iterator::count) < 2 {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the child writes nothing"
            );
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_micros(u64::from(round) * 1700));
        writer.kill().expect("killed");
        writer.wait().expect("gone");
        let cache = EvidenceCache::open(&dir, MAX_BYTES).expect("opens");
        for (number, expected) in (0..).zip(&all) {
            if let Some(found) = cache.get(&digest(number), &analyzers) {
                assert_eq!(&found, expected);
                seen += 1;
            }
        }
        assert_eq!(cache.status().expect("status").damaged, 0);
        cache.clear().expect("cleared");
        assert_eq!(
            fs::read_dir(&dir).expect("readable").count(),
            0,
            "nothing is left over"
        );
    }
    assert!(seen > 0, "no entry was ever whole");
}

#[test]
fn two_processes_fill_one_cache() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dir = dir.path().join("cache");
    let mut writers = [child(&dir, 30), child(&dir, 30)];
    for writer in &mut writers {
        assert!(
            writer.wait().expect("ended").success(),
            "each read what both wrote"
        );
    }
    let cache = EvidenceCache::open(&dir, MAX_BYTES).expect("opens");
    let status = cache.status().expect("status");
    assert_eq!(
        (status.entries, status.damaged, status.foreign),
        (u64::from(LAYERS), 0, 0)
    );
    let analyzers = AnalyzerSet::builtin();
    for number in 0..LAYERS {
        assert!(cache.get(&digest(number), &analyzers).is_some());
    }
}
