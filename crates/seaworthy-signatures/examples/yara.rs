//! What YARA rules find in a folder, and how fast: `yara FOLDER [RULES]`.
//!
//! Without rules, our own. Files are read before the clock runs.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;
use std::time::Instant;

use seaworthy_signatures::yara::{RuleEngine, ScanLimits, YaraFile, YaraRules};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: yara FOLDER [RULES]")?;
    let rules = match arguments.next() {
        Some(rules) => {
            let (rules, report) = YaraRules::load_dir(Path::new(&rules), ScanLimits::default())?;
            println!("{} rules, {} refused", report.rules, report.refused_count);
            rules
        }
        None => YaraRules::builtin(),
    };
    let mut files = Vec::new();
    let mut room = 1_000_000_000;
    collect(Path::new(&folder), &mut room, &mut files);
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    for round in 0..2 {
        let started = Instant::now();
        let (mut found, mut limited) = (0, 0);
        for (path, bytes) in &files {
            let file = YaraFile {
                path,
                ..YaraFile::default()
            };
            let scan = rules.scan(bytes, &file);
            limited += usize::from(scan.limited);
            for found_one in scan.matches {
                found += 1;
                if round == 0 {
                    println!("{path}: {}: {}", found_one.rule, found_one.note);
                }
            }
        }
        let time = started.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate to look at")]
        let rate = bytes as f64 / time / 1e6;
        println!(
            "{} files, {} MB, {found} matches, {limited} limited, {time:.2} s, {rate:.0} MB/s",
            files.len(),
            bytes / 1_000_000
        );
    }
    Ok(())
}

/// Reads regular files until there is no room.
fn collect(folder: &Path, room: &mut usize, files: &mut Vec<(String, Vec<u8>)>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            collect(&entry.path(), room, files);
        } else if kind.is_file()
            && let Ok(bytes) = std::fs::read(entry.path())
        {
            let Some(left) = room.checked_sub(bytes.len()) else {
                continue;
            };
            *room = left;
            files.push((entry.path().display().to_string(), bytes));
        }
    }
}
