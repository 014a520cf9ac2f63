//! Real root filesystems: each must give exactly the package list its index tells.
//!
//! They are unpacked with the system's `tar` and given to the pass as layers in memory:
//! what is tested here is the analyzers, not the archive reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use seaworthy_core::{ImageEvidence, Package};
use seaworthy_image::{EntryKind, WalkContext};
use seaworthy_scan::{AnalyzerSet, MemoryLayer, coalesce, merged_usr_alias, scan_layer};
use serde_json::Value;

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

fn index(images: &Path) -> Vec<Value> {
    let text = fs::read_to_string(images.join("index.json")).expect("the index is there");
    serde_json::from_str(&text).expect("the index is a list")
}

fn text<'a>(image: &'a Value, field: &str) -> &'a str {
    image[field].as_str().unwrap_or_default()
}

fn lines(image: &Value) -> Vec<String> {
    let list = image["packages"]
        .as_array()
        .or_else(|| image["packages_rpm_qf"].as_array());
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn unpack(archive: &Path, into: &Path) {
    let mut tar = Command::new("tar");
    if archive
        .extension()
        .is_some_and(|extension| extension == "zst")
    {
        tar.arg("--use-compress-program=zstd --long=27");
    }
    let status = tar
        .arg("-xf")
        .arg(archive)
        .arg("-C")
        .arg(into)
        .status()
        .expect("tar runs");
    assert!(status.success(), "{}", archive.display());
}

/// The tree as a layer, in the order of names.
fn layer_of(root: &Path) -> MemoryLayer {
    let mut layer = MemoryLayer::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let read = fs::read_dir(root.join(&folder)).expect("unpacked by us");
        let mut names: Vec<PathBuf> = read
            .map(|entry| folder.join(entry.expect("readable").file_name()))
            .collect();
        names.sort();
        for name in names {
            let meta = fs::symlink_metadata(root.join(&name)).expect("there");
            let path = name.to_str().expect("the corpus has plain names");
            layer = if meta.is_dir() {
                folders.push(name.clone());
                layer.directory(path)
            } else if meta.is_symlink() {
                layer.symlink(path, "")
            } else if meta.is_file() {
                // Without root a file of mode 000 can't be read; none of them matters here.
                layer.file(path, fs::read(root.join(&name)).unwrap_or_default())
            } else {
                layer.entry(path, EntryKind::Fifo, "")
            };
        }
    }
    layer
}

/// Blobs of a layout by digest: index, then manifest, then its layers.
fn unpack_layout(folder: &Path, into: &Path) {
    let json = |path: PathBuf| -> Value {
        serde_json::from_slice(&fs::read(path).expect("there")).expect("json")
    };
    let blob = |descriptor: &Value| {
        folder
            .join("blobs")
            .join(text(descriptor, "digest").replace(':', "/"))
    };
    let index = json(folder.join("index.json"));
    let manifest = json(blob(&index["manifests"][0]));
    let layers = manifest["layers"].as_array().expect("layers");
    assert!(!layers.is_empty());
    for layer in layers {
        unpack(&blob(layer), into);
    }
}

#[expect(clippy::print_stdout, reason = "shown by those who ask for it")]
fn see(images: &Path, image: &Value) -> (ImageEvidence, MemoryLayer) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("made");
    let archive = images.join(text(image, "file"));
    if text(image, "file").contains("oci-layout") {
        unpack(&archive, folder.path());
        unpack_layout(folder.path(), &root);
    } else {
        unpack(&archive, &root);
    }
    let layer = layer_of(&root);
    let start = Instant::now();
    let evidence =
        scan_layer(&layer, &AnalyzerSet::builtin(), &WalkContext::default()).expect("walks");
    let image_evidence = coalesce(&[evidence], &[]);
    println!("{}: {:?}", text(image, "file"), start.elapsed());
    (image_evidence, layer)
}

/// A package in the words the index uses for its image.
fn row(package: &Package) -> String {
    let arch = package.arch.as_deref().unwrap_or_default();
    match package.kind.as_str() {
        "deb" => [
            &package.name,
            &package.version,
            arch,
            package.source_name(),
            package.source_version(),
        ]
        .join("\t"),
        "rpm" => {
            let (epoch, rest) = package
                .version
                .split_once(':')
                .unwrap_or(("(none)", &package.version));
            let (version, release) = rest.rsplit_once('-').expect("a release");
            [&package.name, epoch, version, release, arch].join("\t")
        }
        _ => format!("{}={}", package.name, package.version),
    }
}

#[test]
fn every_image_gives_exactly_the_packages_of_its_index() {
    let Some(images) = corpus().map(|corpus| corpus.join("images")) else {
        return;
    };
    let reads_rpm = AnalyzerSet::builtin()
        .analyzers()
        .iter()
        .any(|row| row.meta.id.starts_with("rpm"));
    let mut compared = 0;
    for image in index(&images) {
        let (evidence, _) = see(&images, &image);
        let file = text(&image, "file");
        let expected_distro = match text(&image, "os") {
            os if os.starts_with("none") => None,
            os => Some(os.to_owned()),
        };
        assert_eq!(
            evidence.distro.map(|distro| distro.id),
            expected_distro,
            "{file}"
        );
        let is_rpm = expected_distro.as_deref() == Some("almalinux");
        if is_rpm && !reads_rpm {
            println!("{file}: packages skipped, there is no rpm cataloger");
            continue;
        }
        let mut expected = lines(&image);
        if is_rpm {
            // Without the source rpm, the last field.
            for line in &mut expected {
                line.truncate(line.rfind('\t').expect("fields"));
            }
        }
        // rpm keeps its keys like packages; they are none.
        expected.retain(|line| !line.starts_with("gpg-pubkey\t"));
        expected.sort();
        let os_packages = evidence.items.iter().filter_map(|item| item.package());
        let mut found: Vec<String> = os_packages
            .filter(|package| package.kind.is_os())
            .map(row)
            .collect();
        found.sort();
        assert_eq!(found, expected, "{file}");
        assert_eq!(evidence.problems, [], "{file}");
        compared += 1;
    }
    assert!(compared >= 11, "{compared} images");
}

#[test]
fn nearly_every_file_of_a_distribution_is_owned_by_a_package() {
    let Some(images) = corpus().map(|corpus| corpus.join("images")) else {
        return;
    };
    let mut checked = 0;
    for image in index(&images) {
        let file = text(&image, "file");
        if !file.starts_with("debian-11") && !file.starts_with("alpine-minirootfs-3.20") {
            continue;
        }
        let (evidence, layer) = see(&images, &image);
        let owners: BTreeMap<&str, &str> = evidence
            .owned_files
            .iter()
            .map(|(file, owner)| (file.path.as_str(), owner.as_str()))
            .collect();
        let owner = |path: &str| {
            let alias = merged_usr_alias(path);
            owners
                .get(path)
                .or_else(|| owners.get(alias?.as_str()))
                .copied()
        };
        let (mut owned, mut all) = (0, 0);
        for path in layer
            .files()
            .filter(|path| path.starts_with("usr/") || merged_usr_alias(path).is_some())
            .filter(|path| !path.starts_with("lib/apk/"))
        {
            all += 1;
            owned += usize::from(owner(path).is_some());
        }
        println!("{file}: {owned} of {all} owned");
        assert!(owned * 100 >= all * 95, "{file}: {owned} of {all}");
        let expected = if file.starts_with("alpine") {
            "busybox"
        } else {
            "dash"
        };
        let program = if file.starts_with("alpine") {
            "bin/busybox"
        } else {
            "bin/dash"
        };
        assert_eq!(owner(program), Some(expected));
        checked += 1;
    }
    assert_eq!(checked, 2);
}
