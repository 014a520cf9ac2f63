//! Secrets through layers, the cache and coalescing.

use std::sync::Arc;

use seaworthy_core::{Digest, EvidenceItem, ImageEvidence, SecretEvidence};
use seaworthy_image::{Layer, WalkContext};
use seaworthy_scan::{AnalyzerSet, EvidenceCache, MemoryLayer, scan_image};
use seaworthy_secrets::redact::FingerprintKey;
use seaworthy_secrets::scanner::SecretScanner;

use crate::support::image;

const ONE: &str = "q8Zr2LmX0vTn5KdYq8Zr";
const TWO: &str = "Zb7Yt4Rw9Qp2Lk6Jh3Gf";

fn analyzers(key: u8) -> AnalyzerSet {
    let scanner = SecretScanner::builtin(FingerprintKey::new([key; 32])).expect("our own rules");
    AnalyzerSet::builtin().with_secrets(Arc::new(scanner))
}

fn see(layers: Vec<MemoryLayer>, cache: Option<&EvidenceCache>, key: u8) -> ImageEvidence {
    let layers = layers
        .into_iter()
        .map(|layer| Arc::new(layer) as Arc<dyn Layer>)
        .collect();
    scan_image(
        &image(layers),
        &analyzers(key),
        cache,
        &WalkContext::default(),
        1,
    )
    .expect("not cancelled")
    .evidence
}

fn secrets(image: &ImageEvidence) -> Vec<(String, u32, Option<u32>, &SecretEvidence)> {
    image
        .items
        .iter()
        .filter_map(|traced| match &traced.item {
            EvidenceItem::Secret(secret) => Some((
                traced.path.to_string(),
                traced.layer,
                traced.removed_by,
                secret,
            )),
            _ => None,
        })
        .collect()
}

fn env(value: &str) -> String {
    format!("API_TOKEN={value}\n")
}

#[test]
fn a_deleted_secret_is_still_known_with_the_layers_that_brought_and_took_it() {
    let image = see(
        vec![
            MemoryLayer::new().file("app/.env", env(ONE)),
            MemoryLayer::new().file("etc/motd", "hello"),
            MemoryLayer::new().whiteout("app/.env"),
        ],
        None,
        1,
    );
    let found = secrets(&image);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].0.as_str(), found[0].1, found[0].2),
        ("/app/.env", 0, Some(2))
    );
}

#[test]
fn two_keys_at_one_path_in_two_layers_are_both_kept() {
    let image = see(
        vec![
            MemoryLayer::new().file("app/.env", env(ONE)),
            MemoryLayer::new().file("app/.env", env(TWO)),
        ],
        None,
        1,
    );
    let found = secrets(&image);
    let mut trail: Vec<_> = found.iter().map(|found| (found.1, found.2)).collect();
    trail.sort_unstable();
    assert_eq!(trail, [(0, Some(1)), (1, None)]);
    assert_ne!(found[0].3.fingerprint, found[1].3.fingerprint);
}

#[test]
fn no_file_of_the_cache_holds_the_value_or_evidence_of_another_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = EvidenceCache::open(dir.path(), 1 << 30).expect("opens");
    let layers = || {
        vec![
            MemoryLayer::new()
                .file("app/.env", env(ONE))
                .with_diff_id(Digest::from_sha256([9; 32])),
        ]
    };
    let first = see(layers(), Some(&cache), 1);
    assert_eq!(see(layers(), Some(&cache), 1), first, "from the cache");
    let other = see(layers(), Some(&cache), 2);
    assert_ne!(
        secrets(&first)[0].3.fingerprint,
        secrets(&other)[0].3.fingerprint
    );
    let mut entries = 0;
    for entry in std::fs::read_dir(dir.path()).expect("lists") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("reads");
        let plain = zstd::bulk::decompress(&bytes[32..], 1 << 20).expect("is zstd");
        let holds = |needle: &[u8]| {
            bytes.windows(needle.len()).any(|part| part == needle)
                || plain.windows(needle.len()).any(|part| part == needle)
        };
        // More than the four characters that are shown.
        assert!(!holds(&ONE.as_bytes()[..6]) && !holds(&ONE.as_bytes()[6..12]));
        entries += 1;
    }
    assert_eq!(entries, 2, "one for each key");
}

#[test]
fn without_a_scanner_no_secret_is_looked_for() {
    let layer = MemoryLayer::new().file("app/.env", env(ONE));
    let evidence = crate::support::scan(&layer, &AnalyzerSet::builtin());
    assert!(evidence.files.is_empty());
}
