//! The catalogers against real databases, packages and programs, where the corpus is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use seaworthy_core::{EvidenceItem, LayerEvidence, Package, PackageRole};
use seaworthy_image::WalkContext;
use seaworthy_scan::catalogers::{go_binary, node, python, rpm};
use seaworthy_scan::{AnalyzerSet, MemoryLayer, ProblemList, scan_layer};
use serde_json::Value;

/// The corpus folder, or `None` with a word about it.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn corpus() -> Option<PathBuf> {
    let path = std::env::var_os("SEAWORTHY_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    if !path.is_dir() {
        println!("skipped: no corpus");
        return None;
    }
    Some(path)
}

fn unzstd(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).expect("the corpus file opens");
    let mut decoder = zstd::Decoder::new(file).expect("it is zstd");
    decoder.window_log_max(27).expect("a valid window");
    let mut bytes = Vec::new();
    decoder.read_to_end(&mut bytes).expect("it is whole");
    bytes
}

fn lines(path: &Path) -> Vec<Value> {
    // One gzip file less to depend on: the corpus is read where gzip is at hand.
    let out = Command::new("gzip").arg("-dc").arg(path).output();
    let out = out.expect("gzip is installed").stdout;
    out.split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("a line of JSON"))
        .collect()
}

/// The regular files of a tar archive: enough for archives that GNU tar wrote.
fn untar(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut at = 0;
    let mut long_name: Option<String> = None;
    let text = |raw: &[u8]| {
        let end = raw.iter().position(|b| *b == 0).unwrap_or(raw.len());
        String::from_utf8_lossy(&raw[..end]).into_owned()
    };
    while let Some(head) = bytes.get(at..at + 512).filter(|head| head[0] != 0) {
        let size = usize::from_str_radix(text(&head[124..136]).trim(), 8).expect("an octal size");
        let body = &bytes[at + 512..at + 512 + size];
        at += 512 + size.next_multiple_of(512);
        match head[156] {
            b'L' => long_name = Some(text(body)),
            b'x' => {
                let pax = String::from_utf8_lossy(body);
                long_name = pax
                    .lines()
                    .find_map(|line| Some(line.split_once("path=")?.1.into()));
            }
            b'0' | 0 => {
                let prefix = text(&head[345..500]);
                let name = long_name.take().unwrap_or_else(|| {
                    let name = text(&head[..100]);
                    if prefix.is_empty() {
                        name
                    } else {
                        format!("{prefix}/{name}")
                    }
                });
                files.insert(name.trim_start_matches("./").to_owned(), body.to_vec());
            }
            _ => long_name = None,
        }
    }
    files
}

/// What all catalogers find in some files, as one layer, read in windows.
fn scan(files: &BTreeMap<String, Vec<u8>>) -> LayerEvidence {
    let layer = files
        .iter()
        .fold(MemoryLayer::new().streamed(), |layer, (path, bytes)| {
            layer.file(path, bytes.clone())
        });
    let analyzers = AnalyzerSet::builtin();
    scan_layer(&layer, &analyzers, &WalkContext::default()).expect("a layer in memory")
}

fn packages(evidence: &LayerEvidence) -> impl Iterator<Item = (&str, &Package)> {
    evidence.files.iter().flat_map(|file| {
        file.items.iter().filter_map(|item| match item {
            EvidenceItem::Package(package) => Some((file.path.as_str(), package)),
            _ => None,
        })
    })
}

#[test]
fn rpm_databases_read_as_rpm_itself_reads_them() {
    let Some(corpus) = corpus() else { return };
    let mut databases = 0;
    for entry in std::fs::read_dir(corpus.join("rpmdb")).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".zst") else {
            continue;
        };
        let expected = std::fs::read_to_string(format!("{stem}.expected.tsv")).expect("the list");
        let expected: BTreeSet<String> = expected
            .lines()
            .skip(1)
            .filter(|line| !line.starts_with("gpg-pubkey\t"))
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                [&fields[..6], &[fields[8], fields[9]]].concat().join("\t")
            })
            .collect();
        let database = rpm::parse_database(&unzstd(&path));
        assert!(
            database.problems.is_empty(),
            "{name}: {:?}",
            database.problems
        );
        let none = || "(none)".to_owned();
        let found: BTreeSet<String> = database
            .packages
            .iter()
            .filter(|record| record.name != "gpg-pubkey")
            .map(|record| {
                [
                    record.name.clone(),
                    record.epoch.map_or_else(none, |epoch| epoch.to_string()),
                    record.version.clone(),
                    record.release.clone(),
                    record.arch.clone().unwrap_or_else(none),
                    record.source_rpm.clone().unwrap_or_else(none),
                    record.vendor.clone().unwrap_or_else(none),
                    record.modularity_label.clone().unwrap_or_else(none),
                ]
                .join("\t")
            })
            .collect();
        assert_eq!(found, expected, "{name}");
        let expected_format = match stem {
            stem if stem.contains("ndb") => "rpm-ndb",
            stem if stem.contains("sqlite") => "rpm-sqlite",
            _ => "rpm-bdb",
        };
        assert_eq!(database.format, Some(expected_format));
        databases += 1;
    }
    assert_eq!(databases, 6);
}

#[test]
fn a_database_without_packages_table_says_so() {
    let Some(corpus) = corpus() else { return };
    let bytes = std::fs::read(corpus.join("rpmdb/no-packages.sqlite")).expect("the file");
    let database = rpm::parse_database(&bytes);
    assert_eq!(database.packages, []);
    assert_eq!(
        database.problems.into_items()[0].1,
        "the database has no table `Packages`"
    );
}

#[test]
fn truncated_real_databases_give_what_is_left() {
    let Some(corpus) = corpus() else { return };
    for name in [
        "cbl-mariner-2.0.rpmdb.sqlite",
        "almalinux-8.9-s390x-bdb-be.Packages",
        "sle15-bci-ndb.Packages.db",
    ] {
        let bytes = unzstd(&corpus.join(format!("rpmdb/{name}.zst")));
        let whole = rpm::parse_database(&bytes).packages.len();
        for part in 1..20 {
            let database = rpm::parse_database(&bytes[..bytes.len() * part / 20]);
            assert!(database.packages.len() <= whole);
            assert!(!database.problems.is_empty(), "{name} {part}/20");
        }
        let most = rpm::parse_database(&bytes[..bytes.len() * 19 / 20]);
        assert!(
            most.packages.len() > whole / 2,
            "{name}: {}",
            most.packages.len()
        );
    }
}

#[test]
fn alma_images_hold_the_known_packages_and_files() {
    let Some(corpus) = corpus() else { return };
    let index = std::fs::read(corpus.join("images/index.json")).expect("the index");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    let mut images = 0;
    for image in index.as_array().expect("a list") {
        let file = image["file"].as_str().expect("a name");
        if !file.starts_with("almalinux") {
            continue;
        }
        let out = Command::new("xz")
            .arg("-dc")
            .arg(corpus.join("images").join(file))
            .output();
        let Some(out) = out.ok().filter(|out| out.status.success()) else {
            println!("skipped: no xz");
            return;
        };
        let files = untar(&out.stdout);
        let evidence = scan(&files);
        assert_eq!(evidence.problems, [], "{file}");
        let found: BTreeSet<String> = packages(&evidence)
            .map(|(_, package)| format!("{} {}", package.name, package.version))
            .collect();
        let expected: BTreeSet<String> = image["packages"]
            .as_array()
            .expect("packages")
            .iter()
            .map(image_package)
            .filter(|package| !package.starts_with("gpg-pubkey "))
            .collect();
        assert_eq!(found, expected, "{file}");
        // Nearly every file of an rpm image belongs to a package.
        let owned: BTreeMap<&str, Option<&str>> = evidence
            .files
            .iter()
            .flat_map(|file| &file.items)
            .filter_map(|item| match item {
                EvidenceItem::OwnedFiles(owned) => Some(&owned.files),
                _ => None,
            })
            .flatten()
            .map(|file| (file.path.as_str(), file.digest.as_deref()))
            .collect();
        let bash = owned
            .get("usr/bin/bash")
            .copied()
            .flatten()
            .expect("bash is owned");
        assert_eq!(bash.len(), "sha256:".len() + 64);
        images += 1;
    }
    assert_eq!(images, 2);
}

/// A row of name, epoch, version, release, architecture and source rpm.
fn image_package(package: &Value) -> String {
    let fields: Vec<&str> = package.as_str().expect("a row").split('\t').collect();
    match fields[1] {
        "(none)" | "0" => format!("{} {}-{}", fields[0], fields[2], fields[3]),
        epoch => format!("{} {epoch}:{}-{}", fields[0], fields[2], fields[3]),
    }
}

#[test]
fn python_metadata_of_real_wheels() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("binaries");
    let files = untar(&unzstd(
        &folder.join("python-site-packages-metadata.tar.zst"),
    ));
    let evidence = scan(&files);
    assert_eq!(evidence.problems, []);
    let expected = lines(&folder.join("python-site-packages-metadata.expected.jsonl.gz"));
    check_names(&evidence, &expected);
}

#[test]
fn node_packages_of_a_real_tree() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("binaries");
    let files = untar(&unzstd(&folder.join("node-modules-metadata.tar.zst")));
    let evidence = scan(&files);
    assert_eq!(evidence.problems, []);
    let expected = lines(&folder.join("node-modules-metadata.expected.jsonl.gz"));
    check_names(&evidence, &expected);
    let paths: BTreeSet<&str> = packages(&evidence).map(|(path, _)| path).collect();
    let expected_paths: BTreeSet<&str> = expected
        .iter()
        .filter_map(|line| line["path"].as_str())
        .collect();
    assert_eq!(paths, expected_paths);
}

#[track_caller]
fn check_names(evidence: &LayerEvidence, expected: &[Value]) {
    let mut found: Vec<String> = packages(evidence)
        .map(|(_, package)| format!("{} {}", package.name, package.version))
        .collect();
    found.sort();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut expected: Vec<String> = expected
        .iter()
        .map(|line| format!("{} {}", text(&line["name"]), text(&line["version"])))
        .collect();
    expected.sort();
    assert_eq!(found, expected);
}

/// What `go version -m` printed, as the packages we make of it.
fn go_packages(info: &Value) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut expected = BTreeSet::new();
    expected.insert(format!(
        "stdlib {}",
        text(&info["go"]).trim_start_matches("go")
    ));
    let main = &info["main"];
    if main["version"]
        .as_str()
        .is_some_and(|version| version != "(devel)")
    {
        expected.insert(format!(
            "{} {}",
            text(&main["name"]),
            text(&main["version"])
        ));
    }
    // Set with `-ldflags "-X main.version=v1.0.0"`.
    if info["build"]["-ldflags"]
        .as_str()
        .is_some_and(|flags| flags.contains("main.version=v1.0.0"))
    {
        expected.insert(format!("{} v1.0.0", text(&main["name"])));
    }
    for dep in info["deps"].as_array().into_iter().flatten() {
        let dep = if dep["replace"].is_object() {
            &dep["replace"]
        } else {
            dep
        };
        expected.insert(format!("{} {}", text(&dep["name"]), text(&dep["version"])));
    }
    expected
}

#[test]
fn go_programs_read_as_go_itself_reads_them() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("binaries");
    let mut files = untar(&unzstd(&folder.join("go-binaries.tar.zst")));
    files.extend(untar(&unzstd(
        &folder.join("testdata-scalibr-trivy.tar.zst"),
    )));
    let mut expected = lines(&folder.join("go-binaries.expected.jsonl.gz"));
    expected.extend(lines(&folder.join("testdata-binaries.oracle.jsonl.gz")));
    let mut programs = 0;
    for line in &expected {
        let path = line["path"].as_str().expect("a path");
        let info = if line["go_version_m"].is_object() {
            &line["go_version_m"]
        } else {
            &line["buildinfo"]
        };
        let one = BTreeMap::from([(path.to_owned(), files[path].clone())]);
        let evidence = scan(&one);
        assert_eq!(evidence.problems, [], "{path}");
        let found: BTreeSet<String> = packages(&evidence)
            .map(|(_, package)| format!("{} {}", package.name, package.version))
            .collect();
        if info.is_object() {
            assert_eq!(found, go_packages(info), "{path}");
            programs += 1;
        } else {
            // The Rust programs of the list have no Go build info.
            assert_eq!(found, BTreeSet::new(), "{path}");
        }
        // The same at once and in windows.
        let mut problems = ProblemList::default();
        let whole = go_binary::parse(&files[path], &mut problems);
        let whole: BTreeSet<String> = whole
            .iter()
            .flat_map(|info| info.packages(&mut problems))
            .map(|package| format!("{} {}", package.name, package.version))
            .collect();
        assert_eq!(found, whole, "{path}");
    }
    assert_eq!(programs, 8);
}

#[test]
fn main_and_standard_library_are_told_apart() {
    let Some(corpus) = corpus() else { return };
    let files = untar(&unzstd(&corpus.join("binaries/go-binaries.tar.zst")));
    let evidence = scan(&files);
    let roles: Vec<(&str, PackageRole)> = packages(&evidence)
        .filter(|(path, package)| {
            path.starts_with("shfmt") && package.role != PackageRole::Dependency
        })
        .map(|(_, package)| (package.name.as_str(), package.role))
        .collect();
    assert_eq!(
        roles,
        [
            ("stdlib", PackageRole::StandardLibrary),
            ("mvdan.cc/sh/v3", PackageRole::Main),
        ]
    );
}

/// Cases of other scanners' own tests, where they concern what is installed. Left out of
/// the comparison, because they are something else by design: lock files and requirement
/// lists (what was asked for), wheels and eggs that are still zip archives, and the list
/// of dependencies inside a `package.json`.
#[test]
fn cases_of_other_scanners() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("binaries");
    let files = untar(&unzstd(&folder.join("testdata-scalibr-trivy.tar.zst")));
    let mut cases = 0;
    for case in lines(&folder.join("testdata-scalibr-trivy.expected.jsonl.gz")) {
        let path = case["path"].as_str().unwrap_or_default();
        let is_python = ["/wheelegg/testdata/", "/python/packaging/testdata/"]
            .iter()
            .any(|part| path.contains(part))
            && ![".egg", ".whl", ".json"]
                .iter()
                .any(|end| path.ends_with(end));
        let is_node =
            path.contains("/packagejson/testdata/") || path.contains("/nodejs/pkg/testdata/");
        let is_go = path.contains("/golang/binary/testdata/")
            && case["case"] != "ELF with version symbol"
            && case["case"] != "ELF without version symbols"
            && case["case"] != "Mach-O binary (not ELF)";
        if !(is_python || is_node || is_go) {
            continue;
        }
        // Directories hold the one metadata file they are about.
        let inside = files.iter().find(|(name, _)| {
            *name == path
                || name.strip_prefix(path).is_some_and(|rest| {
                    rest.starts_with('/')
                        && (rest.ends_with("/METADATA") || rest.ends_with("/PKG-INFO"))
                })
        });
        let Some((_, bytes)) = inside else { continue };
        let mut problems = ProblemList::default();
        let found: Vec<Package> = if is_python {
            python::parse_metadata(bytes, &mut problems)
                .into_iter()
                .collect()
        } else if is_node {
            node::parse_package_json(bytes, &mut problems)
                .into_iter()
                .collect()
        } else {
            let info = go_binary::parse(bytes, &mut problems);
            info.map(|info| info.packages(&mut problems))
                .unwrap_or_default()
        };
        let found: BTreeSet<String> = found
            .iter()
            .map(|package| format!("{} {}", package.name, package.version))
            .collect();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let expected: BTreeSet<String> = case["packages"]
            .as_array()
            .into_iter()
            .flatten()
            // A main module without a version is left out here.
            .filter(|package| !text(&package["version"]).is_empty())
            .filter(|package| !is_node || !text(&package["name"]).starts_with("dep"))
            .map(|package| {
                let name = text(&package["name"]);
                let version = text(&package["version"]);
                // They write the standard library's version like a module's.
                let version = if name == "stdlib" {
                    version.trim_start_matches('v')
                } else {
                    &version
                };
                format!("{name} {version}")
            })
            .collect();
        // The corpus states the case "tests library" and a VS Code extension as empty:
        // the first is about another function, the second is a name and a version all the
        // same, and does not lie in `node_modules` where it would be looked at.
        if expected.is_empty() && !found.is_empty() {
            assert!(
                ["tests library", "VSCode extension"]
                    .contains(&case["case"].as_str().unwrap_or_default()),
                "{path}: {found:?}"
            );
            continue;
        }
        assert_eq!(found, expected, "{path}");
        cases += 1;
    }
    assert!(cases >= 20, "only {cases} cases were found");
}

#[test]
#[ignore = "a measurement: run it with --release --nocapture"]
fn time_per_program() {
    let mut programs = Vec::new();
    let mut total = 0;
    for folder in ["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/local/bin"] {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if total < 600 << 20
                && entry.file_type().is_ok_and(|kind| kind.is_file())
                && let Ok(bytes) = std::fs::read(entry.path())
                && bytes.starts_with(b"\x7fELF")
            {
                total += bytes.len();
                programs.push(bytes);
            }
        }
    }
    for _ in 0..3 {
        let start = cpu_time();
        let mut problems = ProblemList::default();
        let found = programs
            .iter()
            .filter(|p| go_binary::parse(p, &mut problems).is_some())
            .count();
        println!(
            "{} programs, {} MB, {found} of them Go: {:?} {:?}",
            programs.len(),
            total >> 20,
            cpu_time().saturating_sub(start),
            problems.into_items()
        );
    }
    if let Some(corpus) = corpus() {
        for name in [
            "cbl-mariner-2.0.rpmdb.sqlite",
            "almalinux-8.9-s390x-bdb-be.Packages",
            "sle15-bci-ndb.Packages.db",
        ] {
            let bytes = unzstd(&corpus.join(format!("rpmdb/{name}.zst")));
            let start = cpu_time();
            let database = rpm::parse_database(&bytes);
            let files: usize = database
                .packages
                .iter()
                .map(|record| record.files.len())
                .sum();
            println!(
                "{name}: {} packages, {files} files: {:?}",
                database.packages.len(),
                cpu_time().saturating_sub(start)
            );
        }
        let files = untar(&unzstd(&corpus.join("binaries/go-binaries.tar.zst")));
        for (name, bytes) in &files {
            let start = cpu_time();
            go_binary::parse(bytes, &mut ProblemList::default());
            println!(
                "{name}: {} MB: {:?}",
                bytes.len() >> 20,
                cpu_time().saturating_sub(start)
            );
        }
    }
}

/// Processor time of this thread, which other work on the machine does not change.
fn cpu_time() -> std::time::Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|text| text.parse().ok());
    std::time::Duration::from_nanos(nanos.unwrap_or_default())
}
