//! Real images by every road: the same root filesystem as archive, OCI layout, directory, in
//! a real registry and in a real Docker Engine gives the same packages and findings.
//!
//! Needs the corpus (`$SEAWORTHY_CORPUS` or `../shared/corpus` beside the checkout), and for
//! the engine and registry roads the servers that `cargo xtask test` starts; says what it
//! leaves out.
#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of a test, which fails by panicking and says what it leaves out"
)]

mod roads;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use roads::{Program, Roads};
use serde_json::Value;

/// The folder of real data, where there is one.
fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("SEAWORTHY_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no corpus at {}", folder.display());
    None
}

/// A database built once from the corpus advisories, shared by the tests of this binary.
fn database(corpus: &Path) -> &'static Path {
    static DATABASE: OnceLock<tempfile::TempDir> = OnceLock::new();
    DATABASE
        .get_or_init(|| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let output = Program::new(folder.path())
                .run(&["db", "build", "--quiet", "--from"])
                .arg(corpus.join("advisories"))
                .arg("--db")
                .arg(folder.path().join("db"))
                .output()
                .expect("the program starts");
            // 3 says that some records were left out, which the corpus has on purpose.
            assert!(
                matches!(output.status.code(), Some(0 | 3)),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            folder
        })
        .path()
}

/// One image of the corpus with the inventory its makers listed.
struct Expected {
    file: PathBuf,
    packages: BTreeSet<String>,
}

fn images(corpus: &Path) -> Vec<Expected> {
    let text = std::fs::read(corpus.join("images/index.json")).expect("the corpus index");
    let index: Value = serde_json::from_slice(&text).expect("the corpus index is JSON");
    index
        .as_array()
        .expect("a list of images")
        .iter()
        .map(|image| Expected {
            file: corpus
                .join("images")
                .join(image["file"].as_str().expect("a file name")),
            packages: image["packages"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|package| listed(package.as_str()?))
                .collect(),
        })
        .collect()
}

/// `name=version` of an entry of the index, which is written so for apk and has
/// tab-separated fields otherwise: for dpkg name, version, architecture, source and its
/// version, for rpm name, epoch, version, release, architecture and source. rpm's keys are
/// no packages of ours.
fn listed(entry: &str) -> Option<String> {
    match entry.split('\t').collect::<Vec<_>>()[..] {
        [whole] => Some(whole.to_owned()),
        [name, version, _, _, _] => Some(format!("{name}={version}")),
        ["gpg-pubkey", ..] => None,
        [name, "(none)", version, release, ..] => Some(format!("{name}={version}-{release}")),
        [name, epoch, version, release, ..] => Some(format!("{name}={epoch}:{version}-{release}")),
        _ => panic!("an entry of the corpus index has an unknown form: {entry}"),
    }
}

/// Everything of a report that must not depend on the road: what is installed, what was
/// found and what could not be judged.
#[derive(Debug, PartialEq, Eq)]
struct Essence {
    packages: BTreeSet<String>,
    findings: BTreeSet<String>,
    gaps: BTreeSet<String>,
    notices: BTreeSet<String>,
}

fn essence(report: &Value, packages: &Value) -> Essence {
    let words = |list: &Value, make: &dyn Fn(&Value) -> String| {
        list.as_array().into_iter().flatten().map(make).collect()
    };
    Essence {
        packages: words(&packages["packages"], &|package| {
            format!("{}={}", text(&package["name"]), text(&package["version"]))
        }),
        findings: words(&report["findings"], &|finding| {
            format!(
                "{} {}",
                text(&finding["title"]),
                text(&finding["fingerprint"])
            )
        }),
        gaps: words(&report["gaps"], &|gap| {
            format!("{} {}", text(&gap["kind"]), text(&gap["subject"]))
        }),
        notices: words(&report["problems"], &|problem| {
            text(&problem["message"]).to_owned()
        }),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn every_road_to_an_image_gives_the_same_packages_and_findings() {
    let Some(corpus) = corpus() else { return };
    let home = database(&corpus);
    let program = Program::new(home);
    let (mut compared, mut found) = (0, 0);
    for image in images(&corpus) {
        let name = image
            .file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let roads = Roads::of(&image.file);
        let mut first: Option<(String, Essence)> = None;
        for (road, reference, flags) in roads.references() {
            let report = program.json(&["scan", &reference, "--no-cache"], &flags);
            let packages = program.json(&["packages", &reference, "--no-cache"], &flags);
            let essence = essence(&report, &packages);
            let broken: Vec<&Value> = report["problems"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|problem| problem["incomplete"] != false)
                .collect();
            assert!(broken.is_empty(), "{name} by {road}: {broken:?}");
            if road != "oci-original" {
                assert_eq!(essence.packages, image.packages, "{name} by {road}");
            }
            compared += 1;
            match &first {
                None => {
                    found += essence.findings.len();
                    println!(
                        "{name}: {} packages, {} findings, {} gaps",
                        essence.packages.len(),
                        essence.findings.len(),
                        essence.gaps.len()
                    );
                    first = Some((road.to_owned(), essence));
                }
                Some((other, expected)) => {
                    assert_eq!(&essence, expected, "{name}: by {road} and by {other}");
                }
            }
        }
    }
    println!("{compared} scans compared, {found} findings");
    assert!(
        found > 0,
        "the corpus images are old: they must have findings"
    );
}
