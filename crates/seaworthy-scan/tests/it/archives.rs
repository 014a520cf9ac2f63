//! The pass over real tar archives, and what the cache believes of them.

use std::sync::Arc;

use seaworthy_core::{Digest, ProblemKind};
use seaworthy_image::{BlobLayer, Layer, MemoryBlob, WalkContext};
use seaworthy_scan::{
    AnalyzerSet, EvidenceCache, MemoryLayer, ScannedImage, scan_image, scan_layer,
};
use seaworthy_testkit::{BuiltLayer, Compression, LayerBuilder};

use crate::support::{image, scan};

const STATUS: &str = "var/lib/dpkg/status";
const RECORDS: &str = "Package: bash\nStatus: install ok installed\nVersion: 5.2\n\n";

fn built(content: &str, compression: Compression) -> BuiltLayer {
    LayerBuilder::new()
        .dir("var/")
        .file(STATUS, content)
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .whiteout("usr/bin/old")
        .opaque("srv")
        .hardlink("usr/lib/os-release", "etc/os-release")
        .build(compression)
}

fn layer(built: &BuiltLayer, diff_id: &str) -> BlobLayer {
    let blob = Arc::new(MemoryBlob::new(built.bytes.clone(), "layer.tar"));
    BlobLayer::new(blob, Some(diff_id.parse().expect("a digest")), None)
}

fn run(layer: BlobLayer, cache: &EvidenceCache) -> ScannedImage {
    let layers: Vec<Arc<dyn Layer>> = vec![Arc::new(layer)];
    let ctx = WalkContext::default();
    scan_image(
        &image(layers),
        &AnalyzerSet::builtin(),
        Some(cache),
        &ctx,
        2,
    )
    .expect("scanned")
}

#[test]
fn an_archive_gives_what_its_entries_give() {
    let analyzers = AnalyzerSet::builtin();
    let entries = MemoryLayer::new()
        .directory("var")
        .file(STATUS, RECORDS)
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .whiteout("usr/bin/old")
        .opaque("srv")
        .hard_link("usr/lib/os-release", "etc/os-release");
    let mut expected = scan(&entries, &analyzers);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let built = built(RECORDS, compression);
        let layer = layer(&built, &built.diff_id);
        let found = scan_layer(&layer, &analyzers, &WalkContext::default()).expect("opens");
        expected.diff_id = layer.diff_id().cloned();
        expected.stats.entries = found.stats.entries;
        assert_eq!(found, expected);
    }
}

#[test]
fn an_image_that_claims_anothers_layer_can_not_plant_evidence() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let cache = EvidenceCache::open(&dir.path().join("c"), 1 << 20).expect("opens");
    let honest = built(RECORDS, Compression::Gzip);
    let liar = built("", Compression::Gzip);

    let lied = run(layer(&liar, &honest.diff_id), &cache);
    let problems = &lied.evidence.problems;
    assert!(
        problems
            .iter()
            .any(|p| p.kind == ProblemKind::DigestMismatch),
        "{problems:?}"
    );
    // Not even where nobody compares the bytes with the claim.
    let blob = Arc::new(MemoryBlob::new(liar.bytes.clone(), "layer.tar"));
    let claimed: Digest = honest.diff_id.parse().expect("a digest");
    let stored: Digest = liar.digest.parse().expect("a digest");
    let mut unhashed = BlobLayer::new(blob, Some(claimed), Some(stored));
    unhashed.skip_diff_id_hash = true;
    assert_eq!(run(unhashed, &cache).evidence.packages().count(), 0);
    assert_eq!(cache.status().expect("status").entries, 0);

    let told = run(layer(&honest, &honest.diff_id), &cache);
    assert_eq!(
        (told.cached_layers, told.evidence.packages().count()),
        (0, 1)
    );
    let again = run(layer(&honest, &honest.diff_id), &cache);
    assert_eq!((again.cached_layers, again.evidence), (1, told.evidence));
}

#[test]
fn a_layer_cut_short_is_incomplete_and_not_kept() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let cache = EvidenceCache::open(&dir.path().join("c"), 1 << 20).expect("opens");
    let mut built = built(RECORDS, Compression::None);
    built.bytes.truncate(built.bytes.len() / 2);
    let cut = run(layer(&built, &built.diff_id), &cache);
    assert!(!cut.evidence.is_complete() && !cut.evidence.layers[0].complete);
    assert_eq!(
        cut.evidence.packages().count(),
        1,
        "what came before the cut counts"
    );
    assert_eq!(cache.status().expect("status").entries, 0);
}
