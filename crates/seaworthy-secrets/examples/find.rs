//! Looks for secrets in files and folders and says how fast that was; values are not shown.
//!
//! `cargo run --release -p seaworthy-secrets --example find -- PATH…`
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use seaworthy_secrets::assignment::Quotes;
use seaworthy_secrets::file_kind::quotes_of;
use seaworthy_secrets::redact::FingerprintKey;
use seaworthy_secrets::scanner::SecretScanner;

/// As much as the scan of a layer sees at once.
const WINDOW: usize = 1 << 20;

#[derive(Default)]
struct Totals {
    bytes: u64,
    spent: Duration,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scanner = SecretScanner::builtin(FingerprintKey::new([0; 32]))?;
    let mut totals = Totals::default();
    for path in std::env::args_os().skip(1) {
        walk(Path::new(&path), &scanner, &mut totals);
    }
    let seconds = totals.spent.as_secs_f64();
    eprintln!(
        "{} bytes in {seconds:.2} s: {:.0} MB/s",
        totals.bytes,
        totals.bytes as f64 / seconds / 1e6
    );
    Ok(())
}

/// What can't be read is said and left out.
fn walk(path: &Path, scanner: &SecretScanner, totals: &mut Totals) {
    let Ok(meta) = path.symlink_metadata() else {
        return;
    };
    if meta.is_dir() {
        let Ok(entries) = path.read_dir() else { return };
        for entry in entries.flatten() {
            walk(&entry.path(), scanner, totals);
        }
        return;
    }
    if !meta.is_file() {
        return;
    }
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) => return eprintln!("{}: {error}", path.display()),
    };
    let is_binary = content.iter().take(8 << 10).any(|byte| *byte == 0);
    let quotes = if is_binary {
        Quotes::Never
    } else {
        quotes_of(&path.to_string_lossy())
    };
    for (window, text) in content.chunks(WINDOW).enumerate() {
        let started = Instant::now();
        let found = scanner.find(text, quotes);
        totals.spent += started.elapsed();
        totals.bytes += text.len() as u64;
        for found in found {
            let evidence = scanner.evidence(text, &found, (window * WINDOW) as u64, None);
            println!(
                "{}\t{}\t{}\t{}",
                evidence.rule,
                path.display(),
                evidence.offset,
                evidence.redacted
            );
        }
    }
}
