//! The database's promises on the corpus: open under 1 ms, match 3,000 packages under
//! 20 ms, build everything in seconds. Without a corpus there is nothing to measure.

#![expect(clippy::print_stderr, reason = "says why nothing is measured")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use seaworthy_advisory::{AdvisoryDb, BuildOptions, build, match_image};
use seaworthy_core::{
    Distro, EvidenceItem, ImageEvidence, ImagePath, Package, PackageType, TracedItem,
};

/// 2026-11-23T00:00:00Z.
const NOW: i64 = 1_795_392_000;

fn main() {
    if corpus().is_some() {
        divan::main();
    } else {
        eprintln!("skipped: no corpus");
    }
}

fn corpus() -> Option<PathBuf> {
    let named = std::env::var_os("SEAWORTHY_CORPUS").map(PathBuf::from);
    let beside = ["../../../shared/corpus", "../../../../shared/corpus"]
        .map(|path| Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    named
        .into_iter()
        .chain(beside)
        .find(|path| path.join("advisories").is_dir())
}

fn build_into(out: &Path) -> u64 {
    let options = BuildOptions {
        from: corpus().unwrap_or_default().join("advisories"),
        out: out.to_owned(),
        ..BuildOptions::default()
    };
    build(&options, &mut |_| {}).map_or(0, |report| report.records)
}

fn database() -> &'static Path {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        assert!(build_into(dir.path()) > 0);
        dir
    })
    .path()
}

fn image(
    distro: &str,
    version: &str,
    kind: &PackageType,
    names: &[String],
    installed: &str,
) -> ImageEvidence {
    ImageEvidence {
        distro: Some(Distro::new(distro, Some(version))),
        items: names
            .iter()
            .map(|name| TracedItem {
                path: ImagePath::new("var/lib/db"),
                item: EvidenceItem::Package(Package::new(kind.clone(), name.clone(), installed)),
                layer: 0,
                removed_by: None,
                owner: None,
            })
            .collect(),
        ..ImageEvidence::default()
    }
}

/// The first 3,000 names that a shard has advisories for: the worst case.
fn names_in(db: &AdvisoryDb, shard: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(Ok(shard)) = db.shard(shard) {
        let _ = shard.for_each_name(|name| names.push(name.to_owned()));
    }
    names.truncate(3_000);
    names
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn build_the_corpus() -> u64 {
    let dir = tempfile::tempdir().expect("a temporary folder");
    build_into(dir.path())
}

#[divan::bench]
fn open(bencher: divan::Bencher<'_, '_>) {
    let dir = database();
    bencher.bench(|| AdvisoryDb::open(dir).map(|db| db.info().records));
}

#[divan::bench]
fn embedded() -> bool {
    AdvisoryDb::embedded().is_ok()
}

/// Every package has advisories, and all of them are fixed.
#[divan::bench(args = [("almalinux", "8.9", "AlmaLinux:8"), ("almalinux", "9.4", "AlmaLinux:9")])]
fn match_3000_fixed_packages(bencher: divan::Bencher<'_, '_>, case: (&str, &str, &str)) {
    let db = AdvisoryDb::open(database()).expect("just built");
    let image = image(
        case.0,
        case.1,
        &PackageType::RPM,
        &names_in(&db, case.2),
        "9999:1-1",
    );
    bencher.bench(|| match_image(&db, &image, NOW).findings.len());
}

/// 3,000 packages of which 30 have not been updated for years.
#[divan::bench]
fn match_3000_packages_with_findings(bencher: divan::Bencher<'_, '_>) {
    let db = AdvisoryDb::open(database()).expect("just built");
    let names = names_in(&db, "AlmaLinux:9");
    let mut image = image("almalinux", "9.4", &PackageType::RPM, &names, "9999:1-1");
    for item in image.items.iter_mut().step_by(100) {
        if let EvidenceItem::Package(package) = &mut item.item {
            package.version = "0:0-1".to_owned();
        }
    }
    bencher.bench(|| match_image(&db, &image, NOW).findings.len());
}

#[divan::bench]
fn search_by_cve(bencher: divan::Bencher<'_, '_>) {
    let dir = database();
    bencher.bench(|| {
        let hits = AdvisoryDb::open(dir).map(|db| db.search_advisory("CVE-2022-1271").len());
        hits.unwrap_or(0)
    });
}
