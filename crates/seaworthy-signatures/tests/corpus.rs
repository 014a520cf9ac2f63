//! Runs over the shared corpus of signature files and harmless test inputs.

use std::path::{Path, PathBuf};

use seaworthy_signatures::cvd::Container;

/// The corpus folder with the archives unpacked into a temporary one.
fn corpus(archive: &str) -> Option<tempfile::TempDir> {
    let root = std::env::var_os("SEAWORTHY_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let file = root.join("malware").join(archive);
    if !file.exists() {
        println!("skipped: no corpus at {}", file.display());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("tar")
        .args(["--zstd", "-xf"])
        .arg(&file)
        .arg("-C")
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    Some(folder)
}

#[test]
fn signed_containers_verify_and_a_changed_byte_does_not() {
    let Some(inputs) = corpus("clamav-unit-test-inputs.tar.zst") else {
        return;
    };
    for number in 1..=6 {
        let file = inputs
            .path()
            .join(format!("freshclam_testfiles/test-{number}.cvd"));
        let mut bytes = std::fs::read(&file).unwrap();
        let container = Container::read(&bytes).unwrap();
        let verified = container.verified;
        assert!(
            verified.digest && verified.header_signature && verified.list_signature,
            "{number}"
        );
        assert_eq!(container.header.version, number);
        *bytes.last_mut().unwrap() ^= 1;
        assert!(Container::read(&bytes).is_err());
    }
}
