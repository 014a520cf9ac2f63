//! Builds a set from a folder of signature files (or opens a compiled one) and scans a
//! folder: `scan_folder SIGNATURES FOLDER [COMPILED]`. Prints finds as `clamscan` does, and
//! figures to standard error. For measuring and for comparing with the reference.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use seaworthy_signatures::file_type::FileType;
use seaworthy_signatures::{Context, SignatureSet};

fn files(folder: &Path, all: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files(&entry.path(), all)?;
        } else if kind.is_file() {
            all.push(entry.path());
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, signatures, folder, rest @ ..] = arguments.as_slice() else {
        return Err("scan_folder SIGNATURES FOLDER [COMPILED]".into());
    };
    let begin = Instant::now();
    let set = if Path::new(signatures).is_dir() {
        let (set, report) = SignatureSet::build(Path::new(signatures))?;
        eprintln!(
            "parsed {} active {} always tried {} inactive {:?} unknown files {:?}",
            report.parsed,
            report.active,
            report.always_tried,
            report.inactive_by_reason(),
            report.unknown_files
        );
        for inactive in report
            .inactive
            .iter()
            .take(if rest.len() > 1 { 10_000 } else { 0 })
        {
            eprintln!("  {} {}: {}", inactive.file, inactive.name, inactive.reason);
        }
        if let Some(path) = rest.first() {
            std::fs::write(path, set.as_bytes())?;
        }
        set
    } else {
        SignatureSet::open(Path::new(signatures))?
    };
    eprintln!(
        "ready in {:?}, {} bytes",
        begin.elapsed(),
        set.as_bytes().len()
    );
    for kind in [FileType::Elf, FileType::Text, FileType::Pe, FileType::Other] {
        eprintln!("without an anchor for {kind:?}: {}", set.always_tried(kind));
    }
    // With this in the environment the answers can be compared with the reference scanner's.
    let context = Context {
        as_reference: std::env::var_os("SEAWORTHY_AS_REFERENCE").is_some(),
        ..Context::default()
    };
    let mut paths = Vec::new();
    files(Path::new(folder), &mut paths)?;
    paths.sort();
    let (mut total, mut time, mut slowest) =
        (0u64, Duration::ZERO, (Duration::ZERO, PathBuf::new()));
    for path in &paths {
        let bytes = std::fs::read(path)?;
        total += bytes.len() as u64;
        let begin = Instant::now();
        let scan = set.scan(&bytes, &context);
        let took = begin.elapsed();
        time += took;
        if took > slowest.0 {
            slowest = (took, path.clone());
        }
        for detection in scan.detections {
            println!("{}: {}", path.display(), detection.name);
        }
    }
    let rate = total as f64 / 1e6 / time.as_secs_f64();
    eprintln!(
        "{} files, {total} bytes in {time:?}: {rate:.0} MB/s; slowest {slowest:?}",
        paths.len()
    );
    Ok(())
}
