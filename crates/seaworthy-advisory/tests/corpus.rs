//! The whole way on real data: build from the corpus' advisories, open, match, search.
//!
//! Needs the shared corpus (`$SEAWORTHY_CORPUS`, default `../shared/corpus` beside the
//! repository); says so and passes where it is missing.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail by panic and say what they saw"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use seaworthy_advisory::osv::{ArchiveLimits, OsvArchive};
use seaworthy_advisory::publishers::Skip;
use seaworthy_advisory::{
    AdvisoryDb, BuildOptions, BuildReport, VersionScheme, build, match_image,
};
use seaworthy_core::{
    Certainty, Detail, Distro, EvidenceItem, Finding, GapKind, ImageEvidence, ImagePath, Package,
    PackageType, SourcePackage, TracedItem, VulnerabilityDetail,
};
use serde_json::Value;

/// 2026-11-23T00:00:00Z.
const NOW: i64 = 1_795_392_000;

fn corpus() -> Option<PathBuf> {
    let path = std::env::var_os("SEAWORTHY_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    if path.join("advisories").is_dir() {
        return Some(path);
    }
    // A worktree lies one folder deeper.
    let deeper = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/corpus");
    if deeper.join("advisories").is_dir() {
        return Some(deeper);
    }
    println!("skipped: no corpus");
    None
}

fn build_into(corpus: &Path, out: &Path, threads: usize) -> BuildReport {
    let options = BuildOptions {
        from: corpus.join("advisories"),
        out: out.to_owned(),
        epss: Some(corpus.join("enrichment/epss-sample-claircore.csv")),
        kev: Some(corpus.join("enrichment/known_exploited_vulnerabilities-2026-08-07.json.gz")),
        threads,
        ..BuildOptions::default()
    };
    build(&options, &mut |_| {}).unwrap()
}

struct Built {
    _dir: tempfile::TempDir,
    path: PathBuf,
    corpus: PathBuf,
    report: BuildReport,
    db: AdvisoryDb,
}

/// Built once for all tests.
fn built() -> Option<&'static Built> {
    static BUILT: OnceLock<Option<Built>> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let corpus = corpus()?;
            let dir = tempfile::tempdir().unwrap();
            let started = Instant::now();
            let report = build_into(&corpus, dir.path(), 0);
            println!("built in {:?}: {} bytes", started.elapsed(), report.size());
            let path = dir.path().to_owned();
            let db = AdvisoryDb::open(&path).unwrap();
            Some(Built {
                _dir: dir,
                path,
                corpus,
                report,
                db,
            })
        })
        .as_ref()
}

#[test]
fn every_publisher_of_the_corpus_is_known_and_every_record_accounted_for() {
    let Some(Built { report, .. }) = built() else {
        return;
    };
    println!("{report:#?}");
    assert_eq!(report.unknown_prefixes, BTreeMap::new());
    assert_eq!(report.problems, []);
    assert_eq!(report.records, 56_188);
    let stored: u64 = report.publishers.values().map(|count| count.stored).sum();
    let skipped: u64 = report.skipped.values().sum();
    assert_eq!(stored + skipped, report.records);
    assert_eq!(report.publishers["alpine"].stored, 7_647);
    assert_eq!(report.publishers["debian"].stored, 8_910);
    // 17 withdrawn in the Go feed, 10 in PyPI's.
    assert_eq!(report.publishers["go"].stored, 4_291 - 17);
    assert!(report.skipped[&Skip::EcosystemNotSupported] > 20_000);
    assert!(report.cvss_vectors > 10_000);
}

#[test]
fn almalinux_fits_into_about_a_megabyte() {
    let Some(Built { report, .. }) = built() else {
        return;
    };
    let size: u64 = report
        .shards
        .iter()
        .filter(|shard| shard.name.starts_with("AlmaLinux"))
        .map(|shard| shard.size)
        .sum();
    println!("AlmaLinux: {size} bytes");
    assert!(size < 1_100_000, "{size}");
}

#[test]
fn the_same_input_gives_the_same_bytes_whatever_the_threads() {
    let Some(first) = built() else { return };
    let dir = tempfile::tempdir().unwrap();
    let second = build_into(&first.corpus, dir.path(), 1);
    assert_eq!(first.report.shards, second.shards);
    for shard in &second.shards {
        let bytes = |dir: &Path| std::fs::read(dir.join(&shard.file)).unwrap();
        assert!(bytes(&first.path) == bytes(dir.path()), "{}", shard.name);
    }
    let manifest = |dir: &Path| std::fs::read(dir.join("manifest.json")).unwrap();
    assert_eq!(manifest(&first.path), manifest(dir.path()));
}

#[test]
fn the_whole_database_verifies_and_one_changed_byte_is_found() {
    let Some(Built {
        db, report, path, ..
    }) = built()
    else {
        return;
    };
    assert_eq!(db.verify(), []);
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let shard = report
        .shards
        .iter()
        .find(|shard| shard.name == "Debian:11")
        .unwrap();
    let file = copy.path().join(&shard.file);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let broken = AdvisoryDb::open(copy.path()).unwrap();
    assert_eq!(broken.verify().len(), 1);
    let image = image(
        "debian",
        "11",
        &[("openssl", "1.1.1n-0+deb11u3", None)],
        PackageType::DEB,
    );
    let outcome = match_image(&broken, &image, NOW);
    assert!(outcome.findings.is_empty());
    assert!(
        outcome
            .gaps
            .iter()
            .any(|gap| gap.kind == GapKind::DamagedDatabase),
        "{:?}",
        outcome.gaps
    );
}

/// Name and version of a source package.
type Source<'s> = Option<(&'s str, Option<&'s str>)>;

/// Folder, kind, distribution, ecosystem as in the records, and every how many to test.
type Case = (
    &'static str,
    PackageType,
    Option<(&'static str, &'static str)>,
    &'static str,
    usize,
);

/// An image of one layer with these packages: name, version, source.
fn image(
    distro: &str,
    version: &str,
    packages: &[(&str, &str, Source<'_>)],
    kind: PackageType,
) -> ImageEvidence {
    let mut items: Vec<TracedItem> = packages
        .iter()
        .map(|(name, version, source)| {
            let mut package = Package::new(kind.clone(), *name, *version);
            package.source = source.map(|(name, version)| SourcePackage {
                name: name.to_owned(),
                version: version.map(str::to_owned),
            });
            traced(package)
        })
        .collect();
    items.sort();
    ImageEvidence {
        distro: Some(Distro::new(distro, Some(version))),
        items,
        ..ImageEvidence::default()
    }
}

fn traced(package: Package) -> TracedItem {
    TracedItem {
        path: ImagePath::new("var/lib/db"),
        item: EvidenceItem::Package(package),
        layer: 0,
        removed_by: None,
        owner: None,
    }
}

fn detail(finding: &Finding) -> &VulnerabilityDetail {
    let Detail::Vulnerability(detail) = &finding.detail else {
        panic!("no vulnerability: {finding:?}")
    };
    detail
}

fn ids_of<'f>(findings: &'f [Finding], package: &str) -> BTreeSet<&'f str> {
    findings
        .iter()
        .map(detail)
        .filter(|detail| detail.package == package)
        .map(|detail| detail.id.as_str())
        .collect()
}

#[test]
fn debian_11_without_security_updates_gets_the_fixes_of_its_dsas() {
    let Some(Built { db, .. }) = built() else {
        return;
    };
    let image = image(
        "debian",
        "11",
        &[
            ("libssl1.1", "1.1.1n-0+deb11u3", Some(("openssl", None))),
            ("openssl", "1.1.1n-0+deb11u4", None),
            ("libc6", "2.31-13+deb11u5", Some(("glibc", None))),
            ("bash", "5.1-2+deb11u1", None),
        ],
        PackageType::DEB,
    );
    let outcome = match_image(db, &image, NOW);
    let libssl = ids_of(&outcome.findings, "libssl1.1");
    // DSA-5343-1: openssl 1.1.1n-0+deb11u4.
    assert!(libssl.contains("CVE-2023-0286"), "{libssl:?}");
    assert!(ids_of(&outcome.findings, "openssl").is_empty());
    let found = outcome
        .findings
        .iter()
        .find(|f| detail(f).id == "CVE-2023-0286")
        .unwrap();
    assert_eq!(detail(found).fixed.as_deref(), Some("1.1.1n-0+deb11u4"));
    assert_eq!(detail(found).source_package.as_deref(), Some("openssl"));
    assert!(detail(found).aliases.contains(&"DSA-5343-1".to_owned()));
    assert_eq!(
        detail(found).traces[0].comparison,
        "dpkg: 1.1.1n-0+deb11u3 < 1.1.1n-0+deb11u4"
    );
    assert_eq!(found.certainty, Certainty::Confirmed);
    assert!(
        outcome
            .gaps
            .iter()
            .any(|gap| gap.kind == GapKind::EndOfLifeRelease)
    );
}

#[test]
fn old_alpine_releases_are_judged_by_origin() {
    let Some(Built { db, corpus, .. }) = built() else {
        return;
    };
    let index: Value =
        serde_json::from_slice(&std::fs::read(corpus.join("images/index.json")).unwrap()).unwrap();
    let old = index
        .as_array()
        .unwrap()
        .iter()
        .find(|image| image["file"].as_str().unwrap().contains("3.10.9"))
        .unwrap();
    let origins = BTreeMap::from([
        ("libcrypto1.1", "openssl"),
        ("libssl1.1", "openssl"),
        ("ssl_client", "busybox"),
        ("musl-utils", "musl"),
    ]);
    let packages: Vec<(&str, &str, Source<'_>)> = old["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let (name, version) = package.as_str().unwrap().split_once('=').unwrap();
            (
                name,
                version,
                origins.get(name).map(|origin| (*origin, None)),
            )
        })
        .collect();
    let outcome = match_image(
        db,
        &image("alpine", "3.10.9", &packages, PackageType::APK),
        NOW,
    );
    for finding in &outcome.findings {
        let detail = detail(finding);
        println!(
            "{} {} {} -> {:?} {:?}",
            detail.id, detail.package, detail.installed, detail.fixed, finding.severity
        );
    }
    // secdb for v3.10: apk-tools is fixed in 2.10.7-r0, musl 1.1.22-r4 is the last one.
    assert!(ids_of(&outcome.findings, "apk-tools").contains("CVE-2021-36159"));
    assert!(ids_of(&outcome.findings, "musl").is_empty());
    let zlib = [
        ("zlib", "1.2.12-r0", None),
        ("libssl1.1", "1.1.1n-r0", Some(("openssl", None))),
    ];
    let outcome = match_image(
        db,
        &image("alpine", "3.12.12", &zlib, PackageType::APK),
        NOW,
    );
    // Alpine rates nothing; the score comes from whoever published one.
    let rated = outcome
        .findings
        .iter()
        .find(|finding| detail(finding).id == "CVE-2022-37434")
        .unwrap();
    assert_eq!(detail(rated).fixed.as_deref(), Some("1.2.12-r2"));
    assert!(rated.severity_origin.starts_with("cvss-"), "{rated:?}");
}

#[test]
fn language_packages_are_judged_by_their_ecosystem() {
    let Some(Built { db, .. }) = built() else {
        return;
    };
    let mut stdlib = Package::new(PackageType::GOLANG, "stdlib", "go1.16.0");
    stdlib.role = seaworthy_core::PackageRole::StandardLibrary;
    let image = ImageEvidence {
        items: vec![
            traced(Package::new(PackageType::PYPI, "Django", "3.2.0")),
            traced(Package::new(PackageType::NPM, "bassmaster", "1.5.1")),
            traced(Package::new(PackageType::NPM, "bassmaster", "1.5.2")),
            traced(Package::new(
                PackageType::GOLANG,
                "github.com/gin-gonic/gin",
                "v1.5.0",
            )),
            traced(stdlib),
        ],
        ..ImageEvidence::default()
    };
    let outcome = match_image(db, &image, NOW);
    assert!(ids_of(&outcome.findings, "Django").contains("CVE-2021-31542"));
    assert!(ids_of(&outcome.findings, "stdlib").contains("CVE-2021-27919"));
    assert!(ids_of(&outcome.findings, "github.com/gin-gonic/gin").contains("CVE-2020-36567"));
    let bassmaster: Vec<_> = outcome
        .findings
        .iter()
        .map(detail)
        .filter(|detail| detail.package == "bassmaster")
        .map(|detail| (detail.id.as_str(), detail.installed.as_str()))
        .collect();
    assert_eq!(bassmaster, [("CVE-2014-7205", "1.5.1")]);
    assert!(
        outcome
            .gaps
            .iter()
            .any(|gap| gap.kind == GapKind::NoPackageDatabase)
    );
}

#[test]
fn a_search_finds_a_flaw_in_every_shard_quickly() {
    let Some(Built { path, .. }) = built() else {
        return;
    };
    let db = AdvisoryDb::open(path).unwrap();
    let started = Instant::now();
    let hits = db.search_advisory("CVE-2022-1271");
    let cold = started.elapsed();
    let shards: BTreeSet<&str> = hits.iter().map(|hit| hit.shard.as_str()).collect();
    println!("search took {cold:?}: {shards:?}");
    assert!(
        shards.contains("Rocky Linux:9")
            && shards.contains("AlmaLinux:9")
            && shards.contains("Debian:11")
    );
    assert!(hits.iter().all(|hit| !hit.packages.is_empty()));
    let packages = db.search_package("Django");
    assert!(
        packages
            .iter()
            .any(|hit| hit.shard == "PyPI" && hit.vulnerabilities == ["CVE-2021-31542"])
    );
}

/// The advisories that apply to a version, straight from the JSON and nothing of ours but
/// the version order: OSV's evaluation written down naively.
fn naive(scheme: VersionScheme, affected: &Value, version: &str) -> Option<bool> {
    let empty = Vec::new();
    let mut undetermined = false;
    for range in affected["ranges"].as_array().unwrap_or(&empty) {
        if range["type"] == "GIT" {
            continue;
        }
        let mut inside = false;
        let mut events: Vec<(&str, &str)> = Vec::new();
        for event in range["events"].as_array().unwrap_or(&empty) {
            for kind in ["introduced", "fixed", "last_affected"] {
                if let Some(at) = event[kind].as_str() {
                    events.push((kind, at));
                }
            }
        }
        let zero = |event: &(&str, &str)| event.0 == "introduced" && event.1 == "0";
        events.sort_by(|a, b| match (zero(a), zero(b)) {
            (true, true) => std::cmp::Ordering::Equal,
            (true, false) => std::cmp::Ordering::Less,
            (false, true) => std::cmp::Ordering::Greater,
            _ => scheme
                .compare(a.1, b.1)
                .unwrap_or(std::cmp::Ordering::Equal),
        });
        for event in &events {
            let order = if zero(event) {
                Ok(std::cmp::Ordering::Greater)
            } else {
                scheme.compare(version, event.1)
            };
            let Ok(order) = order else {
                undetermined = true;
                continue;
            };
            match event.0 {
                "introduced" if order.is_ge() => inside = true,
                "fixed" if order.is_ge() => inside = false,
                "last_affected" if order.is_gt() => inside = false,
                _ => {}
            }
        }
        if inside && !undetermined {
            return Some(true);
        }
    }
    let listed = affected["versions"]
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .any(|known| {
            known.as_str().is_some_and(|known| {
                known == version || scheme.compare(known, version).is_ok_and(|o| o.is_eq())
            })
        });
    if listed {
        return Some(true);
    }
    (!undetermined).then_some(false)
}

#[test]
fn the_matcher_agrees_with_a_naive_one_over_the_json() {
    let Some(Built { db, corpus, .. }) = built() else {
        return;
    };
    let cases: [Case; 6] = [
        ("PyPI", PackageType::PYPI, None, "PyPI", 41),
        ("Go", PackageType::GOLANG, None, "Go", 31),
        ("npm", PackageType::NPM, None, "npm", 2),
        (
            "Alpine",
            PackageType::APK,
            Some(("alpine", "3.18.4")),
            "Alpine:v3.18",
            61,
        ),
        (
            "Debian",
            PackageType::DEB,
            Some(("debian", "10")),
            "Debian:10",
            7,
        ),
        (
            "Ubuntu",
            PackageType::DEB,
            Some(("ubuntu", "24.04")),
            "Ubuntu:24.04:LTS",
            1,
        ),
    ];
    let mut checked = 0;
    for (folder, kind, distro, osv_name, step) in cases {
        let records = records(&corpus.join("advisories").join(folder).join("all.zip"));
        let scheme = seaworthy_advisory::ecosystems::by_osv_name(folder)
            .unwrap()
            .scheme;
        let name_of = |affected: &Value| -> Option<String> {
            let name = affected["package"]["name"].as_str()?;
            (affected["package"]["ecosystem"] == osv_name).then(|| match folder {
                "PyPI" => name.to_lowercase().replace(['_', '.'], "-"),
                "npm" => name.to_lowercase(),
                _ => name.to_owned(),
            })
        };
        let mut by_name: BTreeMap<String, Vec<(&str, &Value)>> = BTreeMap::new();
        let mut versions: BTreeSet<(String, String)> = BTreeSet::new();
        for record in &records {
            if record["withdrawn"].is_string() {
                continue;
            }
            for affected in record["affected"].as_array().unwrap() {
                let Some(name) = name_of(affected) else {
                    continue;
                };
                by_name
                    .entry(name.clone())
                    .or_default()
                    .push((record["id"].as_str().unwrap(), affected));
                let empty = Vec::new();
                for range in affected["ranges"].as_array().unwrap_or(&empty) {
                    if range["type"] == "GIT" {
                        continue;
                    }
                    for event in range["events"].as_array().unwrap() {
                        for at in event
                            .as_object()
                            .unwrap()
                            .values()
                            .filter_map(Value::as_str)
                        {
                            // At the boundary, a little below and a little above.
                            for version in [
                                at.to_owned(),
                                format!("{at}.1"),
                                at[..at.len() - 1].to_owned(),
                            ] {
                                if !version.is_empty() && version != "0" {
                                    versions.insert((name.clone(), version));
                                }
                            }
                        }
                    }
                }
            }
        }
        for (name, version) in versions.into_iter().step_by(step) {
            if folder != "PyPI" && folder != "npm" && name.starts_with("linux") {
                continue;
            }
            let mut expected: BTreeSet<(String, bool)> = BTreeSet::new();
            for (id, affected) in &by_name[&name] {
                match naive(scheme, affected, &version) {
                    Some(false) => {}
                    Some(true) => {
                        expected.insert(((*id).to_owned(), true));
                    }
                    None => {
                        expected.insert(((*id).to_owned(), false));
                    }
                }
            }
            // A record with several entries for a package applies if one does.
            let sure: BTreeSet<String> = expected
                .iter()
                .filter(|(_, sure)| *sure)
                .map(|(id, _)| id.clone())
                .collect();
            let expected: BTreeSet<String> = expected.into_iter().map(|(id, _)| id).collect();
            let image = ImageEvidence {
                distro: distro.map(|(id, version)| Distro::new(id, Some(version))),
                items: vec![traced(Package::new(
                    kind.clone(),
                    name.clone(),
                    version.clone(),
                ))],
                ..ImageEvidence::default()
            };
            let outcome = match_image(db, &image, NOW);
            let mut found: BTreeSet<String> = BTreeSet::new();
            for finding in &outcome.findings {
                for trace in detail(finding)
                    .traces
                    .iter()
                    .filter(|trace| !trace.shard.contains(":Pro:"))
                {
                    found.insert(trace.record.clone());
                }
                if finding.certainty == Certainty::Confirmed {
                    let any = detail(finding)
                        .traces
                        .iter()
                        .any(|trace| sure.contains(&trace.record) || trace.shard.contains(":Pro:"));
                    assert!(any, "{folder} {name} {version}: {finding:?}");
                }
            }
            if detail_traces_capped(&outcome.findings) {
                continue;
            }
            assert_eq!(found, expected, "{folder} {name} {version}");
            checked += 1;
        }
    }
    println!("{checked} packages agree");
    assert!(checked > 1_500, "{checked}");
}

/// Findings keep eight traces at most; past that records are missing from them.
fn detail_traces_capped(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| detail(finding).traces.len() >= 8)
}

fn records(path: &Path) -> Vec<Value> {
    let bytes = OsvArchive::read_file(path, &ArchiveLimits::default()).unwrap();
    let mut archive = OsvArchive::open(&bytes, ArchiveLimits::default()).unwrap();
    let mut buffer = Vec::new();
    let mut records: Vec<Value> = Vec::new();
    for (index, _) in archive.records() {
        archive.read(index, &mut buffer).unwrap();
        records.push(serde_json::from_slice(&buffer).unwrap());
    }
    records
}
