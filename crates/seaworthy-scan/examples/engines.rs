//! Where the time of looking into files goes: `engines FOLDER [SIGNATURES [ROUNDS]]`.
//!
//! All regular files of a folder are read into memory, each once; then every engine passes over
//! all of them on one thread, alone and together with the others, in turn. `SIGNATURES` is a
//! folder of signature files or a compiled file. Rates count the bytes of the files, not of what
//! is packed in them, by processor time where the system tells it. Prints lines of
//! `name<TAB>MB/s<TAB>seconds`, medians of the rounds.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use seaworthy_core::ImagePath;
use seaworthy_image::EntryMeta;
use seaworthy_scan::{FileMeta, Sink, Tools, content};
use seaworthy_secrets::redact::FingerprintKey;
use seaworthy_secrets::scanner::SecretScanner;
use seaworthy_signatures::heuristics::{FileFacts, examine, wants_digests};
use seaworthy_signatures::yara::YaraRules;
use seaworthy_signatures::{Context, SignatureSet};
use seaworthy_unpack::{Flow, Format, Incomplete, Limits, Member, Visitor, unpack};
use sha2::{Digest as _, Sha256};

struct File {
    path: ImagePath,
    entry: EntryMeta,
    bytes: Vec<u8>,
}

/// One pass over a file; a row of the table.
struct Row<'r> {
    name: &'static str,
    pass: Box<dyn Fn(&File) + 'r>,
    times: Vec<Duration>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("usage: engines FOLDER [SIGNATURES [ROUNDS]]")?;
    let signatures = match arguments.next() {
        Some(path) if Path::new(&path).is_dir() => Some(SignatureSet::build(Path::new(&path))?.0),
        Some(path) => Some(SignatureSet::open(Path::new(&path))?),
        None => None,
    };
    let rounds: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let files = files(Path::new(&folder))?;
    let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
    eprintln!("{} files, {} MB", files.len(), bytes / 1_000_000);

    let secrets = Tools {
        secrets: Some(Arc::new(SecretScanner::builtin(FingerprintKey::new(
            [0; 32],
        ))?)),
        ..Tools::default()
    };
    let malware = Tools {
        signatures: signatures.map(Arc::new),
        yara: Some(Arc::new(YaraRules::builtin())),
        heuristics: true,
        ..Tools::default()
    };
    let both = Tools {
        secrets: secrets.secrets.clone(),
        signatures: malware.signatures.clone(),
        yara: malware.yara.clone(),
        heuristics: true,
        ..Tools::default()
    };
    let engines = |tools| {
        move |file: &File| {
            let mut sink = Sink::default();
            let meta = FileMeta {
                path: &file.path,
                entry: file.entry,
            };
            content::look(&meta, &file.bytes, tools, &mut sink);
            black_box(sink.items().len());
        }
    };
    let mut rows = vec![
        row("malware and secrets", engines(&both)),
        row("malware", engines(&malware)),
        row("secrets, unpacking", engines(&secrets)),
        row("secrets alone", |file| {
            let Some(scanner) = &secrets.secrets else {
                return;
            };
            let quotes = match memchr::memchr(0, file.bytes.get(..8192).unwrap_or(&file.bytes)) {
                Some(_) => seaworthy_secrets::assignment::Quotes::Never,
                None => seaworthy_secrets::file_kind::quotes_of(file.path.as_str()),
            };
            black_box(scanner.find(&file.bytes, quotes).len());
        }),
        row("signatures alone", |file| {
            if let Some(set) = &malware.signatures {
                black_box(set.scan(&file.bytes, &Context::default()).detections.len());
            }
        }),
        row("YARA alone", |file| {
            if let Some(rules) = &malware.yara {
                let meta = seaworthy_signatures::yara::YaraFile {
                    path: file.path.as_str(),
                    ..Default::default()
                };
                black_box(rules.scan(&file.bytes, &meta).matches.len());
            }
        }),
        row("own rules alone", |file| {
            let mut out = Vec::new();
            examine(&facts(file), &file.bytes, &mut out);
            black_box(out.len());
        }),
        row("MD5 of programs", |file| {
            if wants_digests(&facts(file), &file.bytes).is_some() {
                black_box(md5::Md5::digest(&file.bytes));
            }
        }),
        row("SHA-1 of programs", |file| {
            if wants_digests(&facts(file), &file.bytes).is_some() {
                black_box(sha1::Sha1::digest(&file.bytes));
            }
        }),
        row("SHA-256 of programs", |file| {
            if wants_digests(&facts(file), &file.bytes).is_some() {
                black_box(Sha256::digest(&file.bytes));
            }
        }),
        row("unpacking alone", |file| {
            if let Some(format) = Format::of(&file.bytes) {
                unpack(&file.bytes, format, &Limits::default(), &mut Nobody);
            }
        }),
        row("SHA-256 of all", |file| {
            black_box(Sha256::digest(&file.bytes));
        }),
    ];
    // The first round makes what is made on first use, and is not counted.
    for round in 0..=rounds {
        for row in &mut rows {
            let begin = clock();
            for file in &files {
                (row.pass)(file);
            }
            let time = clock().saturating_sub(begin);
            if round > 0 {
                row.times.push(time);
            }
        }
    }
    for row in &mut rows {
        row.times.sort();
        let median = row.times.get(row.times.len() / 2).copied();
        let seconds = median.unwrap_or_default().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate to look at")]
        let rate = bytes as f64 / 1e6 / seconds.max(1e-9);
        println!("{}\t{rate:.0}\t{seconds:.3}", row.name);
    }
    Ok(())
}

fn row<'r>(name: &'static str, pass: impl Fn(&File) + 'r) -> Row<'r> {
    Row {
        name,
        pass: Box::new(pass),
        times: Vec::new(),
    }
}

fn facts(file: &File) -> FileFacts<'_> {
    FileFacts {
        path: &file.path,
        inside: None,
        mode: file.entry.mode,
        uid: file.entry.uid,
        gid: file.entry.gid,
        size: file.entry.size,
    }
}

/// Time that this thread ran: the first number of the kernel's account of it. Else the clock's.
fn clock() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    first.map_or_else(
        || START.get_or_init(Instant::now).elapsed(),
        Duration::from_nanos,
    )
}

/// Sees what is unpacked, and does nothing.
struct Nobody;

impl Visitor for Nobody {
    fn enter(&mut self, _: &Member<'_>, bytes: &[u8]) -> Flow {
        black_box(bytes.len());
        Flow::Continue
    }

    fn incomplete(&mut self, _: Option<&str>, _: &Incomplete) {}
}

/// All regular files below a folder, each once however many names it has.
fn files(root: &Path) -> std::io::Result<Vec<File>> {
    let (mut seen, mut all) = (BTreeSet::new(), Vec::new());
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let meta = path.symlink_metadata()?;
            if meta.is_dir() {
                folders.push(path);
            } else if meta.is_file() && seen.insert((meta.dev(), meta.ino())) {
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
                let bytes = fs::read(&path)?;
                all.push(File {
                    path: ImagePath::new(&name),
                    entry: EntryMeta {
                        mode: meta.mode() & 0o7777,
                        uid: meta.uid().into(),
                        gid: meta.gid().into(),
                        size: bytes.len() as u64,
                        ..EntryMeta::default()
                    },
                    bytes,
                });
            }
        }
    }
    all.sort_by(|a, b| a.path.as_str().cmp(b.path.as_str()));
    Ok(all)
}
