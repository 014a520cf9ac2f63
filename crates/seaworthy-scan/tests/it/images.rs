//! Whole images out of layers in memory, with the real catalogers.

use std::error::Error;
use std::io;
use std::sync::Arc;

use seaworthy_core::{Digest, Distro, EvidenceItem, ImageEvidence, ProblemKind};
use seaworthy_image::{Entry, Flow, HistoryEntry, Layer, LayerError, WalkContext, WalkOutcome};
use seaworthy_scan::{
    Analyzer, AnalyzerSet, EvidenceCache, MemoryLayer, ScannedImage, coalesce, merged_usr_alias,
    scan_image,
};
use tempfile::TempDir;

use crate::support::{LINES, image, scan};

fn see(layers: &[MemoryLayer]) -> ImageEvidence {
    let analyzers = AnalyzerSet::builtin();
    let evidence: Vec<_> = layers.iter().map(|layer| scan(layer, &analyzers)).collect();
    coalesce(&evidence, &[])
}

/// `name version layer removed_by` of every package.
fn trail(image: &ImageEvidence) -> Vec<String> {
    let packages = image
        .items
        .iter()
        .filter_map(|item| Some((item, item.package()?)));
    packages
        .map(|(item, package)| {
            format!(
                "{} {} {} {:?}",
                package.name, package.version, item.layer, item.removed_by
            )
        })
        .collect()
}

fn status(packages: &[(&str, &str)]) -> String {
    packages
        .iter()
        .map(|(name, version)| {
            format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n")
        })
        .collect()
}

const STATUS: &str = "var/lib/dpkg/status";

#[test]
fn a_rewritten_database_keeps_the_origin_of_what_it_still_says() {
    let image = see(&[
        MemoryLayer::new().file(STATUS, status(&[("libc6", "1"), ("openssl", "1")])),
        MemoryLayer::new().file("etc/motd", "hello"),
        MemoryLayer::new().file(
            STATUS,
            status(&[("curl", "8"), ("libc6", "1"), ("openssl", "2")]),
        ),
        MemoryLayer::new().file(STATUS, status(&[("libc6", "1"), ("openssl", "2")])),
    ]);
    assert_eq!(
        trail(&image),
        [
            "curl 8 2 Some(3)",
            "libc6 1 0 None",
            "openssl 1 0 Some(2)",
            "openssl 2 2 None",
        ]
    );
    let current: Vec<&str> = image
        .packages()
        .map(|(_, package)| package.name.as_str())
        .collect();
    assert_eq!(current, ["libc6", "openssl"]);
}

#[test]
fn whiteout_hides_lower_package_and_says_which_layer_did_it() {
    let image = see(&[
        MemoryLayer::new().file(STATUS, status(&[("libc6", "1")])),
        MemoryLayer::new().whiteout("var/lib"),
    ]);
    assert_eq!(trail(&image), ["libc6 1 0 Some(1)"]);
    let databases = image.items.iter().filter(|item| {
        matches!(item.item, EvidenceItem::PackageDatabase(_)) && item.removed_by.is_none()
    });
    assert_eq!(databases.count(), 0);
}

#[test]
fn the_distribution_is_told_by_the_most_trusted_file() {
    let base = MemoryLayer::new()
        .file("etc/debian_version", "trixie/sid\n")
        .file(
            "etc/lsb-release",
            "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\nDISTRIB_CODENAME=noble\n",
        )
        .file("usr/lib/os-release", "ID=ubuntu\nVERSION_ID=\"24.04\"\n");
    let upper = MemoryLayer::new().file("etc/os-release", "ID=alpine\nVERSION_ID=3.20.3\n");
    let ubuntu = Distro {
        codename: Some("noble".into()),
        ..Distro::new("ubuntu", Some("24.04"))
    };
    assert_eq!(
        see(std::slice::from_ref(&base)).distro,
        Some(ubuntu.clone())
    );
    assert_eq!(
        see(&[base.clone(), upper.clone()]).distro,
        Some(Distro::new("alpine", Some("3.20.3")))
    );
    let removed = MemoryLayer::new().whiteout("etc/os-release");
    assert_eq!(see(&[base, upper, removed]).distro, Some(ubuntu));
    assert_eq!(
        see(&[MemoryLayer::new().file("bin/busybox", "x")]).distro,
        None
    );
}

#[test]
fn a_file_belongs_to_the_package_that_installed_it_under_either_name() {
    const LIST: &str = "var/lib/dpkg/info/python3-x.list";
    const SUMS: &str = "var/lib/dpkg/info/python3-x.md5sums";
    const ANALYZERS: &[Analyzer] = &[LINES, seaworthy_scan::catalogers::dpkg::ANALYZER];
    let layer = MemoryLayer::new()
        .file(LIST, "/.\n/lib\n/lib/x\n/lib/x/pkg\n/usr\n/usr/lib\n/usr/lib/y\n/usr/lib/y/pkg\n/etc\n/etc/x.conf\n")
        .file(SUMS, "d41d8cd98f00b204e9800998ecf8427e  usr/lib/y/pkg\n")
        .file("usr/lib/x/pkg", "a=1")
        .file("lib/y/pkg", "b=1")
        .file("opt/pkg", "c=1");
    let evidence = [scan(&layer, &AnalyzerSet::new(ANALYZERS))];
    let image = coalesce(&evidence, &[]);
    let owners: Vec<(&str, Option<&str>)> = image
        .items
        .iter()
        .map(|item| (item.path.as_str(), item.owner.as_deref()))
        .collect();
    assert_eq!(
        owners,
        [
            ("lib/y/pkg", Some("python3-x")),
            ("opt/pkg", None),
            ("usr/lib/x/pkg", Some("python3-x")),
        ]
    );
    let owned: Vec<(&str, Option<&str>)> = image
        .owned_files
        .iter()
        .map(|(file, _)| (file.path.as_str(), file.digest.as_deref()))
        .collect();
    assert_eq!(
        owned,
        [
            ("etc/x.conf", None),
            ("lib/x/pkg", None),
            (
                "usr/lib/y/pkg",
                Some("md5:d41d8cd98f00b204e9800998ecf8427e")
            ),
        ]
    );
    assert_eq!(
        merged_usr_alias("lib/y/pkg").as_deref(),
        Some("usr/lib/y/pkg")
    );
    assert_eq!(merged_usr_alias("usr/sbin/x").as_deref(), Some("sbin/x"));
    assert_eq!(merged_usr_alias("usr/share/x"), None);
    assert_eq!(merged_usr_alias("library/x"), None);
    assert_eq!(merged_usr_alias("lib"), None);
}

/// A layer whose source is gone.
struct Broken(Option<Digest>);

impl Layer for Broken {
    fn diff_id(&self) -> Option<&Digest> {
        self.0.as_ref()
    }

    fn size_hint(&self) -> Option<u64> {
        None
    }

    fn walk(
        &self,
        _: &WalkContext,
        _: &mut dyn FnMut(Entry<'_>) -> io::Result<Flow>,
    ) -> Result<WalkOutcome, LayerError> {
        let source: Box<dyn Error + Send + Sync> = "the disk is on fire".into();
        Err(LayerError::Open {
            layer: "sha256:00".to_owned(),
            source,
        })
    }
}

fn digest(number: usize) -> Digest {
    Digest::from_sha256([u8::try_from(number).expect("small"); 32])
}

fn many_layers() -> Vec<Arc<dyn Layer>> {
    let mut layers: Vec<Arc<dyn Layer>> = Vec::new();
    for i in 0..12_usize {
        let installed: Vec<(String, String)> = (0..=i)
            .map(|n| (format!("p{n}"), (i / 4 + n).to_string()))
            .collect();
        let installed: Vec<(&str, &str)> = installed
            .iter()
            .map(|(name, version)| (name.as_str(), version.as_str()))
            .collect();
        let layer = MemoryLayer::new()
            .with_diff_id(digest(i))
            .file(
                "etc/os-release",
                format!("ID=debian\nVERSION_ID={i}\nodd line\n"),
            )
            .file(STATUS, status(&installed))
            .file("filler", vec![0; (i * 7 % 5) * 1000]);
        layers.push(Arc::new(layer));
    }
    // The same layer again, as builds that copy do.
    layers.push(Arc::clone(&layers[3]));
    layers
}

fn run(layers: Vec<Arc<dyn Layer>>, cache: Option<&EvidenceCache>, threads: usize) -> ScannedImage {
    scan_image(
        &image(layers),
        &AnalyzerSet::builtin(),
        cache,
        &WalkContext::default(),
        threads,
    )
    .expect("not cancelled")
}

fn cache() -> (TempDir, EvidenceCache) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let cache = EvidenceCache::open(&dir.path().join("c"), 1 << 24).expect("opens");
    (dir, cache)
}

#[test]
fn threads_and_cache_do_not_change_the_result() {
    let expected = run(many_layers(), None, 1);
    assert_eq!(expected.cached_layers, 0);
    assert_eq!(expected.evidence.problems.len(), 13);
    assert_eq!(expected.evidence.problems[4].layer, Some(4));
    for threads in [0, 2, 5, 64] {
        assert_eq!(run(many_layers(), None, threads), expected);
    }
    let (_dir, cache) = cache();
    assert_eq!(run(many_layers(), Some(&cache), 3), expected);
    let warm = run(many_layers(), Some(&cache), 3);
    assert_eq!(warm.cached_layers, 12);
    assert_eq!(warm.evidence, expected.evidence);
}

#[test]
fn an_unreadable_layer_is_incomplete_and_the_rest_is_reported() {
    let (_dir, cache) = cache();
    let mut layers = many_layers();
    layers[2] = Arc::new(Broken(Some(digest(99))));
    let scanned = run(layers, Some(&cache), 2);
    assert!(!scanned.evidence.layers[2].complete && scanned.evidence.layers[3].complete);
    assert!(!scanned.evidence.is_complete());
    let problem = scanned
        .evidence
        .problems
        .iter()
        .find(|p| p.kind == ProblemKind::Unreadable);
    let problem = problem.expect("a problem");
    assert_eq!(problem.layer, Some(2));
    assert_eq!(
        problem.message,
        "cannot open layer sha256:00: the disk is on fire"
    );
    assert_eq!(cache.status().expect("status").entries, 11);
    assert!(scanned.evidence.packages().count() > 0);
}

#[test]
fn a_cache_that_cannot_be_written_is_a_notice() {
    let (dir, cache) = cache();
    std::fs::remove_dir_all(dir.path().join("c")).expect("removed");
    let scanned = run(many_layers(), Some(&cache), 2);
    let notices: Vec<_> = scanned
        .evidence
        .problems
        .iter()
        .filter(|p| p.kind == ProblemKind::Notice)
        .collect();
    assert_eq!(notices.len(), 1, "said once, not per layer");
    assert_eq!(scanned.evidence.packages().count(), 4);
}

#[test]
fn history_lines_go_to_the_layers_that_have_content() {
    let mut image = image(many_layers().into_iter().take(2).collect());
    let line = |text: &str, empty_layer| HistoryEntry {
        created_by: Some(text.to_owned()),
        empty_layer,
        ..HistoryEntry::default()
    };
    image.config.history = vec![
        line("ADD rootfs", false),
        line("ENV A=1", true),
        line("RUN apt-get", false),
    ];
    let scanned = scan_image(
        &image,
        &AnalyzerSet::builtin(),
        None,
        &WalkContext::default(),
        1,
    )
    .expect("scanned");
    let lines: Vec<_> = scanned
        .evidence
        .layers
        .iter()
        .filter_map(|layer| layer.created_by.as_deref())
        .collect();
    assert_eq!(lines, ["ADD rootfs", "RUN apt-get"]);
}

#[test]
fn cancelling_ends_a_scan_of_many_layers() {
    let ctx = WalkContext::default();
    ctx.cancel.cancel();
    let result = scan_image(
        &image(many_layers()),
        &AnalyzerSet::builtin(),
        None,
        &ctx,
        4,
    );
    assert!(matches!(result, Err(LayerError::Cancelled)));
}
