//! Clean images of distributions: no malware and no secret of high severity may be found in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use seaworthy_engine::{
    CacheChoice, Cancel, DatabaseChoice, FingerprintKey, MalwareChoice, MalwareOptions,
    ScanRequest, SecretsChoice, SignaturesChoice, Silent, scan,
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

/// Titles of all malware and of the secrets of high severity or worse in an image.
fn severe(reference: &str, malware: &MalwareChoice) -> Vec<String> {
    let request = ScanRequest {
        reference: reference.to_owned(),
        open: Default::default(),
        limits: Default::default(),
        database: DatabaseChoice::Embedded,
        cache: CacheChoice::Off,
        secrets: SecretsChoice::Key(FingerprintKey::new([5; 32])),
        secret_options: Default::default(),
        malware: malware.clone(),
        policy: Default::default(),
        threads: 2,
        now: Timestamp::UNIX_EPOCH,
        timings: false,
    };
    let report = scan(&request, &Silent, &Cancel::default()).expect("the image is readable");
    report
        .findings
        .into_iter()
        .filter(|finding| {
            finding.malware().is_some()
                || finding.secret().is_some() && finding.severity >= Severity::High
        })
        .map(|finding| format!("{reference}: {} {:?}", finding.title, finding.evidence))
        .collect()
}

fn unpack(archive: &Path, folder: &Path) {
    let mut tar = Command::new("tar");
    if archive.extension().is_some_and(|end| end == "zst") {
        tar.arg("--use-compress-program=zstd --long=27");
    }
    let unpacked = tar.arg("-xf").arg(archive).arg("-C").arg(folder).status();
    assert!(
        unpacked.is_ok_and(|status| status.success()),
        "{}",
        archive.display()
    );
}

#[test]
fn clean_images_hold_no_malware_and_no_severe_secret() {
    let Some(corpus) = corpus() else { return };
    let signatures = tempfile::tempdir().expect("a folder");
    unpack(
        &corpus.join("malware/clamav-signature-sets.tar.zst"),
        signatures.path(),
    );
    let malware = MalwareOptions::new(SignaturesChoice::From(signatures.path().to_owned()));
    let malware = MalwareChoice::On(Box::new(malware));
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
            found.extend(severe(&format!("oci:{}", path.display()), &malware));
        } else if name.contains("rootfs") {
            let root = tempfile::tempdir().expect("a folder");
            unpack(&path, root.path());
            found.extend(severe(&format!("dir:{}", root.path().display()), &malware));
        } else {
            continue;
        }
        count += 1;
    }
    assert!(count >= 5, "{count}");
    assert!(found.is_empty(), "{found:#?}");
}
