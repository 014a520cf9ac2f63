//! YARA over the shared corpus: packs of others, and our own rules over clean trees.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at what it does not expect and tells what it skips"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use seaworthy_signatures::yara::{RuleEngine, ScanLimits, YaraFile, YaraReport, YaraRules};

/// A folder of the corpus, or none after saying so.
fn corpus(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SEAWORTHY_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let path = root.join(name);
    if !path.exists() {
        println!("skipped: no corpus at {}", path.display());
        return None;
    }
    Some(path)
}

fn unpacked(name: &str) -> Option<tempfile::TempDir> {
    let archive = corpus(name)?;
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("tar")
        .args(["-I", "zstd --long=27", "-xf"])
        .arg(&archive)
        .arg("-C")
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    Some(folder)
}

fn pack(name: &str) -> Option<(YaraRules, YaraReport)> {
    let folder = unpacked(&format!("malware/yara-{name}.tar.zst"))?;
    let started = std::time::Instant::now();
    let (rules, report) = YaraRules::load_dir(folder.path(), ScanLimits::default()).unwrap();
    println!(
        "{name}: {} files, {} rules in use, {} refused, {:?}",
        report.files,
        report.rules,
        report.refused_count,
        started.elapsed()
    );
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for refused in &report.refused {
        *reasons.entry(&refused.reason).or_default() += 1;
    }
    for (reason, count) in reasons {
        println!("  {count} times: {reason}");
    }
    for refused in report.refused.iter().take(12) {
        println!("  {refused}");
    }
    Some((rules, report))
}

/// The counts are those of the corpus's index.
#[test]
fn packs_of_others_load_nearly_whole() {
    for (name, rules, most_refused) in [
        ("elastic-linux", 956, 0),
        ("signature-base-linux", 1338, 0),
        ("yara-rules-linux", 612, 0),
        ("malcontent", 2275, 0),
    ] {
        let Some((_, report)) = pack(name) else {
            return;
        };
        assert!(report.rules + report.refused_count >= rules, "{name}");
        assert!(report.refused_count <= most_refused, "{name}");
    }
}

/// None of the packs in the corpus has a rule for it, so this is a user's: the bytes it starts
/// with, and its digest by a module.
#[test]
fn eicar_is_found_by_a_rule_of_the_user() {
    let Some(file) = corpus("malware/eicar-encoded.json") else {
        return;
    };
    let encoded: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let eicar = &encoded["files"]["eicar.com"];
    let eicar_bytes: Vec<u8> = eicar["data"]
        .as_str()
        .unwrap()
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap() ^ 0x5a)
        .collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("eicar.yar"),
        format!(
            "import \"hash\" rule Eicar {{ strings: $a = {{ 58 35 4F 21 50 25 }} \
             condition: $a at 0 and hash.sha256(0, filesize) == {} }}",
            eicar["sha256"]
        ),
    )
    .unwrap();
    let (rules, report) = YaraRules::load_dir(folder.path(), ScanLimits::default()).unwrap();
    assert_eq!(report.refused, []);
    let scan = rules.scan(&eicar_bytes, &YaraFile::default());
    let names: Vec<&str> = scan.matches.iter().map(|m| m.rule.as_str()).collect();
    assert_eq!(names, ["Eicar"]);
    assert!(
        rules
            .scan(b"X5O!P%", &YaraFile::default())
            .matches
            .is_empty()
    );
}

/// Calls `with` for every regular file below a folder.
fn each_file(folder: &Path, with: &mut impl FnMut(&Path, &[u8])) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            each_file(&entry.path(), with);
        } else if kind.is_file()
            && let Ok(bytes) = std::fs::read(entry.path())
        {
            with(&entry.path(), &bytes);
        }
    }
}

#[test]
fn our_rules_find_nothing_in_clean_root_file_systems() {
    let rules = YaraRules::builtin();
    for (name, at_least) in [
        ("images/debian-11-minbase-rootfs.tar.zst", 3000),
        ("binaries/testdata-scalibr-trivy.tar.zst", 500),
        ("binaries/jars-debian.tar.zst", 20),
        ("binaries/go-binaries.tar.zst", 2),
    ] {
        let Some(folder) = unpacked(name) else {
            return;
        };
        let (mut scanned, mut found) = (0, Vec::new());
        each_file(folder.path(), &mut |path, bytes| {
            scanned += 1;
            let path = path
                .strip_prefix(folder.path())
                .unwrap()
                .display()
                .to_string();
            let file = YaraFile {
                path: &path,
                ..YaraFile::default()
            };
            let scan = rules.scan(bytes, &file);
            assert!(!scan.limited, "{path}");
            found.extend(
                scan.matches
                    .into_iter()
                    .map(|m| format!("{path}: {}: {}", m.rule, m.note)),
            );
        });
        println!("{name}: {scanned} files");
        assert!(scanned >= at_least, "{name}: {scanned}");
        assert_eq!(found, Vec::<String>::new(), "{name}");
    }
}
