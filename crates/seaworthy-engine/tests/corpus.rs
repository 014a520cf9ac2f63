//! Clean images of distributions: no secret of high severity may be found in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use seaworthy_engine::{
    CacheChoice, Cancel, DatabaseChoice, FingerprintKey, ScanRequest, SecretsChoice, Silent, scan,
};
use seaworthy_report::Severity;

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn corpus() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("SEAWORTHY_CORPUS").map_or(default, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no corpus");
    None
}

/// Titles of the secrets of high severity or worse in an image.
fn severe(reference: &str) -> Vec<String> {
    let request = ScanRequest {
        reference: reference.to_owned(),
        open: Default::default(),
        limits: Default::default(),
        database: DatabaseChoice::Embedded,
        cache: CacheChoice::Off,
        secrets: SecretsChoice::Key(FingerprintKey::new([5; 32])),
        secret_options: Default::default(),
        policy: Default::default(),
        threads: 2,
        now: Timestamp::UNIX_EPOCH,
        timings: false,
    };
    let report = scan(&request, &Silent, &Cancel::default()).expect("the image is readable");
    report
        .findings
        .into_iter()
        .filter(|finding| finding.secret().is_some() && finding.severity >= Severity::High)
        .map(|finding| format!("{reference}: {} {:?}", finding.title, finding.evidence))
        .collect()
}

#[test]
fn clean_images_hold_no_severe_secret() {
    let Some(corpus) = corpus() else { return };
    let mut found = Vec::new();
    let mut count = 0;
    let listed = std::fs::read_dir(corpus.join("images")).expect("the corpus has images");
    for entry in listed {
        let path = entry.expect("readable").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with("oci-layout.tar") {
            found.extend(severe(&format!("oci:{}", path.display())));
        } else if name.contains("rootfs") {
            let root = tempfile::tempdir().expect("a folder");
            let mut tar = Command::new("tar");
            if name.ends_with(".zst") {
                tar.arg("--use-compress-program=zstd --long=27");
            }
            let unpacked = tar
                .arg("-xf")
                .arg(&path)
                .arg("-C")
                .arg(root.path())
                .status();
            assert!(unpacked.is_ok_and(|status| status.success()), "{name}");
            found.extend(severe(&format!("dir:{}", root.path().display())));
        } else {
            continue;
        }
        count += 1;
    }
    assert!(count >= 5, "{count}");
    assert!(found.is_empty(), "{found:#?}");
}
