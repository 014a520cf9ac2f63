//! Opening images from archives, layouts and directories.

use std::fs;
use std::path::Path;

use seaworthy_core::ProblemKind;
use seaworthy_image::{
    Image, ImageError, OpenOptions, SOURCES, SourceKind, WalkContext, open_image,
};
use seaworthy_testkit::image::{layout_files, push_files, write_files};
use seaworthy_testkit::layer::compress;
use seaworthy_testkit::{Compression, ImageBuilder, LayerBuilder, TarHeader, sha256};
use serde_json::json;

use crate::support::{files, kinds, walk};

fn image() -> ImageBuilder {
    let twice = LayerBuilder::new().file("etc/twice", b"same");
    ImageBuilder::new()
        .tag("example/app:1.2")
        .config("User", json!("app"))
        .config("Env", json!(["PATH=/bin"]))
        .layer_with(
            &LayerBuilder::new().file("etc/os-release", b"ID=test"),
            Compression::Gzip,
            "ADD base",
        )
        .empty_layer("ENV PATH=/bin")
        .layer_with(&twice, Compression::Zstd, "COPY one")
        .layer_with(&twice, Compression::Zstd, "COPY two")
}

fn open(reference: &str) -> Result<Image, ImageError> {
    open_image(reference, &OpenOptions::default(), &WalkContext::default())
}

fn open_for(reference: &str, platform: &str) -> Result<Image, ImageError> {
    let options = OpenOptions {
        platform: Some(platform.parse().unwrap()),
        ..OpenOptions::default()
    };
    open_image(reference, &options, &WalkContext::default())
}

/// That an image is the one of `image()`, whatever held it.
#[track_caller]
fn check_image(image: &Image, source: SourceKind) {
    assert_eq!(image.source, source);
    assert!(image.problems.is_empty(), "{:?}", image.problems);
    assert_eq!(image.platform.as_ref().unwrap().to_string(), "linux/amd64");
    assert_eq!(image.config.user.as_deref(), Some("app"));
    assert_eq!(image.names[0], "example/app:1.2");
    assert_eq!(image.layers.len(), 3);
    let history = image.config.layer_history(3);
    assert_eq!(history[1].unwrap().created_by.as_deref(), Some("COPY one"));
    let expected: [(&str, &[u8]); 3] = [
        ("etc/os-release", b"ID=test"),
        ("etc/twice", b"same"),
        ("etc/twice", b"same"),
    ];
    for (layer, expected) in image.layers.iter().zip(expected) {
        let (seen, outcome) = walk(layer.as_ref(), &WalkContext::default());
        assert!(
            outcome.complete && outcome.problems.is_empty(),
            "{outcome:?}"
        );
        assert_eq!(outcome.diff_id.as_ref(), layer.diff_id());
        assert_eq!(files(&seen), [expected]);
    }
}

#[test]
fn the_same_image_opens_by_every_road() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let image = image();
    let legacy = image.docker_archive_legacy();
    fs::write(at("legacy.tar"), &legacy).unwrap();
    fs::write(
        at("legacy.tgz"),
        compress(&legacy, Compression::GzipMembers),
    )
    .unwrap();
    fs::write(at("current.tar"), image.docker_archive()).unwrap();
    let zstd = compress(&image.docker_archive(), Compression::Zstd);
    fs::write(at("current.tar.zst"), zstd).unwrap();
    fs::write(at("layout.tar"), image.oci_layout_tar()).unwrap();
    fs::create_dir(at("layout")).unwrap();
    image.write_oci_layout(Path::new(&at("layout"))).unwrap();
    for name in ["legacy.tar", "legacy.tgz", "current.tar", "current.tar.zst"] {
        for reference in [
            at(name),
            format!("archive:{}", at(name)),
            format!("{}#example/app:1.2", at(name)),
            format!("archive:{}#docker.io/example/app:1.2", at(name)),
        ] {
            let opened = open(&reference).unwrap();
            assert_eq!(opened.reference, reference);
            check_image(&opened, SourceKind::Archive);
        }
    }
    let digest = image.oci_parts().manifest_digest;
    for reference in [
        at("layout"),
        at("layout.tar"),
        format!("oci:{}", at("layout")),
        format!("oci:{}:1.2", at("layout.tar")),
        format!("oci:{}@{digest}", at("layout")),
        format!("oci:{}", at("current.tar")),
    ] {
        check_image(&open(&reference).unwrap(), SourceKind::Oci);
    }
}

#[test]
fn a_file_called_like_a_name_in_an_archive_is_taken_as_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a#b:c.tar").display().to_string();
    fs::write(&path, image().docker_archive()).unwrap();
    check_image(&open(&path).unwrap(), SourceKind::Archive);
}

#[test]
fn one_of_several_images_is_chosen_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().display().to_string();
    let other = ImageBuilder::new()
        .tag("example/app:2.0")
        .layer(&LayerBuilder::new().file("two", b""));
    write_files(dir.path(), &layout_files(&[image(), other])).unwrap();
    let error = open(&layout).err().unwrap();
    assert!(error.message.contains("2 images: 1.2, 2.0") || error.message.contains("2 images"));
    check_image(
        &open(&format!("oci:{layout}:1.2")).unwrap(),
        SourceKind::Oci,
    );
    let second = open(&format!("oci:{layout}:2.0")).unwrap();
    assert_eq!(second.layers.len(), 1);
    let error = open(&format!("oci:{layout}:3")).err().unwrap();
    assert!(error.hint.unwrap().contains("2.0"));
}

#[test]
fn a_platform_is_chosen_from_a_layout() {
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().display().to_string();
    let build = |architecture: &str, file: &str| {
        ImageBuilder::new()
            .platform("linux", architecture, None)
            .layer(&LayerBuilder::new().file(file, b""))
    };
    let images = [build("s390x", "big"), build("riscv64", "small")];
    write_files(dir.path(), &layout_files(&images)).unwrap();
    let image = open_for(&layout, "linux/riscv64").unwrap();
    let (seen, _) = walk(image.layers[0].as_ref(), &WalkContext::default());
    assert_eq!(seen[0].path, "small");
    let error = open_for(&layout, "linux/mips").err().unwrap();
    assert!(error.hint.unwrap().contains("linux/s390x, linux/riscv64"));
}

#[test]
fn a_missing_or_wrong_layer_is_its_own_problem_only() {
    let dir = tempfile::tempdir().unwrap();
    let image = image();
    image.write_oci_layout(dir.path()).unwrap();
    let parts = image.oci_parts();
    let blob = |digest: &str| dir.path().join(format!("blobs/sha256/{}", &digest[7..]));
    fs::remove_file(blob(&parts.layers[0].digest)).unwrap();
    fs::write(
        blob(&parts.layers[1].digest),
        LayerBuilder::new().file("other", b"").tar(),
    )
    .unwrap();
    let opened = open(&dir.path().display().to_string()).unwrap();
    let outcomes: Vec<_> = opened
        .layers
        .iter()
        .map(|layer| walk(layer.as_ref(), &WalkContext::default()).1)
        .collect();
    assert_eq!(kinds(&outcomes[0]), [ProblemKind::Unreadable]);
    assert!(!outcomes[0].complete);
    // Neither the stored nor the uncompressed bytes are the promised ones.
    assert_eq!(kinds(&outcomes[1]), [ProblemKind::DigestMismatch; 2]);

    fs::write(blob(&parts.config_digest), b"{}").unwrap();
    let error = open(&dir.path().display().to_string()).err().unwrap();
    assert!(error.message.contains("was promised"), "{}", error.message);
}

#[test]
fn a_layout_with_links_and_pipes_is_not_led_out() {
    let dir = tempfile::tempdir().unwrap();
    let image = image();
    image.write_oci_layout(dir.path()).unwrap();
    let parts = image.oci_parts();
    let path = dir
        .path()
        .join(format!("blobs/sha256/{}", &parts.layers[0].digest[7..]));
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    let path = dir
        .path()
        .join(format!("blobs/sha256/{}", &parts.layers[1].digest[7..]));
    fs::remove_file(&path).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, 0o600.into(), 0).unwrap();
    let opened = open(&dir.path().display().to_string()).unwrap();
    for layer in &opened.layers {
        let (seen, outcome) = walk(layer.as_ref(), &WalkContext::default());
        assert!(seen.is_empty());
        assert_eq!(kinds(&outcome), [ProblemKind::Unreadable]);
    }
}

#[test]
fn links_in_an_archive_stay_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tar").display().to_string();
    let link = |name: &str, target: &str| {
        let mut header = TarHeader::new(name, b'2', 0);
        header.link = target.as_bytes().to_vec();
        header
    };
    let config = br#"{"rootfs":{"diff_ids":[]}}"#;
    let mut out = LayerBuilder::new()
        .raw(&link("loop", "loop"), b"")
        .raw(&link("out", "../../../etc/passwd"), b"")
        .raw(&link("root", "/etc/passwd"), b"")
        .file("inner", LayerBuilder::new().file("f", b"").tar())
        .raw(&link("dir/good", "../inner"), b"")
        .without_end()
        .tar();
    push_files(
        &mut out,
        &[
            ("c".into(), config.to_vec()),
            (
                "manifest.json".into(),
                json!([{"Config": "c", "Layers": ["loop", "out", "root", "gone", "dir/good"]}])
                    .to_string()
                    .into_bytes(),
            ),
        ],
    );
    fs::write(&path, out).unwrap();
    let image = open(&path).unwrap();
    assert_eq!(image.problems[0].kind, ProblemKind::Malformed);
    let complete: Vec<bool> = image
        .layers
        .iter()
        .map(|layer| walk(layer.as_ref(), &WalkContext::default()).1.complete)
        .collect();
    assert_eq!(complete, [false, false, false, false, true]);
}

#[test]
fn a_plain_archive_is_a_root_filesystem_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rootfs.tar.gz").display().to_string();
    let built = LayerBuilder::new()
        .file("etc/passwd", b"root")
        .build(Compression::Gzip);
    fs::write(&path, built.bytes).unwrap();
    let image = open(&path).unwrap();
    assert_eq!(image.problems[0].kind, ProblemKind::Notice);
    let (seen, outcome) = walk(image.layers[0].as_ref(), &WalkContext::default());
    assert_eq!(files(&seen), [("etc/passwd", &b"root"[..])]);
    assert_eq!(outcome.diff_id.unwrap().to_string(), built.diff_id);
}

#[test]
fn a_cut_archive_opens_as_far_as_it_goes_or_says_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.tar").display().to_string();
    let whole = image().docker_archive();
    for cut in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..cut]).unwrap();
        match open(&path) {
            Ok(image) => {
                let lost = image.problems.iter().any(|p| p.makes_incomplete());
                let broken = image
                    .layers
                    .iter()
                    .any(|layer| !walk(layer.as_ref(), &WalkContext::default()).1.complete);
                // Only zeros of the end marker may go unmissed.
                assert!(
                    lost || broken || whole[cut..].iter().all(|&b| b == 0),
                    "{cut}"
                );
            }
            Err(error) => assert!(!error.message.is_empty()),
        }
    }
    let squeezed = compress(&image().docker_archive_legacy(), Compression::Gzip);
    for cut in (0..squeezed.len()).step_by(31) {
        fs::write(&path, &squeezed[..cut]).unwrap();
        if let Ok(image) = open(&path) {
            assert!(image.problems.iter().any(|p| p.makes_incomplete()), "{cut}");
        }
    }
}

#[test]
fn indexes_inside_each_other_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = vec![];
    let mut digest = sha256(b"none");
    for _ in 0..10 {
        let index = json!({"manifests": [{"digest": digest}]}).to_string();
        digest = sha256(index.as_bytes());
        files.push((format!("blobs/sha256/{}", &digest[7..]), index.into_bytes()));
    }
    let index = json!({"manifests": [{"digest": digest}]}).to_string();
    files.push(("index.json".into(), index.into_bytes()));
    write_files(dir.path(), &files).unwrap();
    let error = open(&format!("oci:{}", dir.path().display()))
        .err()
        .unwrap();
    assert!(
        error.message.contains("inside each other"),
        "{}",
        error.message
    );
}

#[test]
fn bad_references_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    fs::write(at("text"), "hello").unwrap();
    fs::write(at("a.tar.xz"), b"\xfd7zXZ\0\0\0\0\0").unwrap();
    fs::write(at("old.tar"), {
        let mut out = Vec::new();
        push_files(&mut out, &[("repositories".into(), b"{}".to_vec())]);
        out
    })
    .unwrap();
    for (reference, message, hint) in [
        (String::new(), "empty", "archive:"),
        ("dir:".into(), "nothing follows", "dir:PATH"),
        (at("missing.tar"), "nothing at", "exists"),
        ("./missing/deep.tar".into(), "nothing at", "check the path"),
        (
            format!("dir:{}", at("missing")),
            "cannot read the directory",
            "check the path",
        ),
        (
            format!("archive:{}", dir.path().display()),
            "is a directory",
            "dir:",
        ),
        (at("text"), "no image archive", "docker save"),
        (at("a.tar.xz"), "cannot read", "xz -dc"),
        (at("old.tar"), "before Docker 1.10", "save it again"),
        (
            format!("oci:{}", dir.path().display()),
            "no OCI layout",
            "oci-layout",
        ),
    ] {
        let error = open(&reference).err().unwrap();
        assert!(
            error.message.contains(message),
            "{reference}: {}",
            error.message
        );
        let found = error.hint.unwrap_or_default();
        assert!(found.contains(hint), "{reference}: {found}");
    }
}

#[test]
fn sources_are_told_apart_by_their_prefix() {
    let mut prefixes: Vec<&str> = SOURCES.iter().map(|row| row.kind.as_str()).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    assert_eq!(prefixes.len(), SOURCES.len());
    assert!(SOURCES.iter().all(|row| !row.summary.is_empty()));
}

#[test]
fn build_attestations_and_annotations_of_a_layout_come_with_the_image() {
    let dir = tempfile::tempdir().unwrap();
    image().write_oci_layout(dir.path()).unwrap();
    let add = |content: &serde_json::Value| {
        let bytes = content.to_string().into_bytes();
        let digest = sha256(&bytes).trim_start_matches("sha256:").to_owned();
        fs::write(dir.path().join("blobs/sha256").join(&digest), &bytes).unwrap();
        (format!("sha256:{digest}"), bytes.len())
    };
    let (statement, size) = add(&json!({"predicate": {"args": {"build-arg:A": "b"}}}));
    let (config, config_size) = add(&json!({}));
    let (manifest, manifest_size) = add(&json!({
        "schemaVersion": 2,
        "config": {"digest": config, "size": config_size},
        "layers": [{
            "mediaType": "application/vnd.in-toto+json",
            "digest": statement,
            "size": size,
            "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}
        }]
    }));
    let index = dir.path().join("index.json");
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    let entries = value["manifests"].as_array_mut().unwrap();
    entries[0]["annotations"]["org.example.note"] = json!("hello");
    let subject = entries[0]["digest"].clone();
    for subject in [subject, json!(format!("sha256:{}", "0".repeat(64)))] {
        entries.push(json!({
            "digest": manifest,
            "size": manifest_size,
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": subject
            }
        }));
    }
    fs::write(&index, value.to_string()).unwrap();
    let opened = open(&dir.path().display().to_string()).unwrap();
    assert_eq!(opened.problems, []);
    assert_eq!(opened.config.annotations["org.example.note"], "hello");
    // The second one is about another image.
    assert_eq!(opened.config.attestations.len(), 1);
    let attestation = &opened.config.attestations[0];
    assert_eq!(attestation.predicate_type, "https://slsa.dev/provenance/v1");
    assert!(attestation.text.contains("build-arg:A"));
}
