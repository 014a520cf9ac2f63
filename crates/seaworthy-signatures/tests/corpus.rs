//! Runs over the shared corpus of signature files and harmless test inputs.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at what it does not expect and tells what it skips"
)]

use std::path::{Path, PathBuf};

use seaworthy_signatures::cdiff::Cdiff;
use seaworthy_signatures::clamav::Reason;
use seaworthy_signatures::cvd::{Container, pack_plain, verify_sign};
use seaworthy_signatures::sign::{Certificate, SignError};
use seaworthy_signatures::{BuildReport, Context, DetectionKind, SignatureSet};

/// The malware folder of the corpus.
fn malware() -> PathBuf {
    let root = std::env::var_os("SEAWORTHY_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    root.join("malware")
}

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

#[test]
fn detached_signatures_verify_under_the_publishers_root_alone() {
    let Some(inputs) = corpus("clamav-unit-test-inputs.tar.zst") else {
        return;
    };
    let read = |name: &str| std::fs::read(inputs.path().join(name)).unwrap();
    let root = String::from_utf8(read("verify/clamav.crt")).unwrap();
    let trusted = Certificate::from_pem(&root).unwrap();
    for file in ["test-1.cvd", "test-6.cvd", "test-2.cdiff", "test-6.cdiff"] {
        let mut bytes = read(&format!("freshclam_testfiles/{file}"));
        let sign = read(&format!("freshclam_testfiles/{file}.sign"));
        let sign = String::from_utf8(sign).unwrap();
        let signer = verify_sign(&bytes, &sign, &trusted).unwrap();
        assert_eq!(signer.name, "ClamAV TEST CVD Signing Cert", "{file}");
        assert!(signer.valid_from < 1_800_000_000 && signer.valid_until > 1_800_000_000);
        assert_eq!(verify_sign(&bytes, &sign, &[]), Err(SignError::Untrusted));
        bytes[100] ^= 1;
        assert_eq!(verify_sign(&bytes, &sign, &trusted), Err(SignError::Wrong));
    }
}

#[test]
fn increments_lead_from_the_first_version_to_the_last() {
    let Some(inputs) = corpus("clamav-unit-test-inputs.tar.zst") else {
        return;
    };
    let folder = inputs.path().join("freshclam_testfiles");
    let read = |name: String| std::fs::read(folder.join(name)).unwrap();
    let mut files = Container::read(&read("test-1.cvd".to_owned()))
        .unwrap()
        .members;
    for version in 2..=6 {
        let mut bytes = read(format!("test-{version}.cdiff"));
        let cdiff = Cdiff::read(&bytes, false).unwrap();
        assert_eq!(cdiff.version, version);
        files = cdiff.apply(&files).unwrap();
        let whole = Container::read(&read(format!("test-{version}.cvd"))).unwrap();
        let signatures = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
            let mut files = files.clone();
            files.retain(|name, _| name != "COPYING");
            files
        };
        assert_eq!(signatures(&files), signatures(&whole.members), "{version}");
        let packed = Container::read(&pack_plain(&files).unwrap()).unwrap();
        assert!(packed.verified.list_signature && packed.members == files);
        *bytes.last_mut().unwrap() ^= 1;
        assert!(Cdiff::read(&bytes, false).is_err());
    }
}

/// All signature sets of the corpus, compiled.
fn all_signatures() -> Option<(SignatureSet, BuildReport)> {
    let folder = corpus("clamav-signature-sets.tar.zst")?;
    Some(SignatureSet::build(folder.path()).unwrap())
}

#[test]
fn the_signature_sets_parse_and_all_but_a_few_are_active() {
    let Some((set, report)) = all_signatures() else {
        return;
    };
    println!(
        "{} parsed, {} active: {:?}",
        report.parsed,
        report.active,
        report.inactive_by_reason()
    );
    assert_eq!(report.parsed, report.active + report.inactive.len());
    assert!(report.active * 1000 >= report.parsed * 995);
    // What the reference's own grammar does not explain either stays a handful.
    let malformed = report
        .inactive_by_reason()
        .get(&Reason::Malformed)
        .copied()
        .unwrap_or(0);
    assert!(malformed <= 5, "{malformed}");
    assert!(set.pattern_count() > 41_000 && set.digest_count() > 90_000);
}

#[test]
fn eicar_is_found_by_its_hash_and_a_clean_root_file_system_is_clean() {
    let Some((set, _)) = all_signatures() else {
        return;
    };
    let root = std::env::var_os("SEAWORTHY_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let encoded = std::fs::read(root.join("malware/eicar-encoded.json")).unwrap();
    let encoded: serde_json::Value = serde_json::from_slice(&encoded).unwrap();
    let hex = encoded["files"]["eicar.com"]["data"].as_str().unwrap();
    let eicar: Vec<u8> = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap() ^ 0x5a)
        .collect();
    let scan = set.scan(&eicar, &Context::default());
    assert!(
        scan.detections
            .iter()
            .any(|d| d.name == "Win.Test.EICAR_HDB-1"),
        "{scan:?}"
    );

    let Some(rootfs) = corpus("../images/debian-11-minbase-rootfs.tar.zst") else {
        return;
    };
    let mut scanned = 0;
    let mut found = Vec::new();
    each_file(rootfs.path(), &mut |path, bytes| {
        scanned += 1;
        let scan = set.scan(bytes, &Context::default());
        found.extend(
            scan.detections
                .into_iter()
                .map(|d| format!("{}: {}", path.display(), d.name)),
        );
    });
    assert!(scanned > 3000);
    assert_eq!(found, Vec::<String>::new());
}

fn each_file(folder: &Path, with: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            each_file(&entry.path(), with);
        } else if kind.is_file() {
            with(&entry.path(), &std::fs::read(entry.path()).unwrap());
        }
    }
}

/// Signatures of the reference's own test for Windows programs: all that need no import
/// table, icons, version resource or virtual machine.
#[test]
fn the_reference_program_is_found_by_hashes_sections_and_bodies() {
    let Some(inputs) = corpus("clamav-unit-test-inputs.tar.zst") else {
        return;
    };
    let folder = inputs.path().join("pe_allmatch");
    let (set, report) = SignatureSet::build(&folder.join("alert-sigs")).unwrap();
    let program = std::fs::read(folder.join("test.exe")).unwrap();
    let found = set.scan(&program, &Context::default()).detections;
    let count = |kind| found.iter().filter(|d| d.kind == kind).count();
    println!(
        "{:?} of {} active: {:?}",
        found.len(),
        report.active,
        report.inactive_by_reason()
    );
    assert!(count(DetectionKind::FileHash) >= 1);
    assert_eq!(count(DetectionKind::Body), report_bodies(&report, 20));
    assert!(count(DetectionKind::SectionHash) >= 6);
}

/// How many of the body signatures are active.
fn report_bodies(report: &BuildReport, all: usize) -> usize {
    all - report
        .inactive
        .iter()
        .filter(|inactive| inactive.file.ends_with(".ndb"))
        .count()
}

#[test]
fn the_reference_test_file_is_found_wherever_it_lies_unpacked() {
    let Some(inputs) = corpus("clamav-unit-test-inputs.tar.zst") else {
        return;
    };
    let manifest = std::fs::read(malware().join("clamav-unit-test-inputs.manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let key = manifest["xor_key_ascii"].as_str().unwrap().as_bytes();
    let file = inputs.path().join("clamav_hdb_scanfiles/clam.exe.xor");
    let program: Vec<u8> = std::fs::read(file)
        .unwrap()
        .iter()
        .zip(key.iter().cycle())
        .map(|(byte, key)| byte ^ key)
        .collect();
    // The signatures of the reference's "all match" test.
    let cases =
        std::fs::File::open(malware().join("clamav-inline-signature-cases.jsonl.gz")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(cases), &mut text).unwrap();
    let cases = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let setup = cases
        .into_iter()
        .find(|case| case["test"] == "allmatch_test.py::setUpClass")
        .unwrap();
    let files: Vec<(&str, &[u8])> = setup["files_written"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|file| Some((file["name"].as_str()?, file["content"].as_str()?.as_bytes())))
        .filter(|(name, _)| {
            [".ndb", ".ldb", ".hdb", ".mdb"]
                .iter()
                .any(|end| name.ends_with(end))
        })
        .collect();
    let (set, report) = SignatureSet::build_from(files).unwrap();
    assert!(
        report.active >= 4 && report.inactive.is_empty(),
        "{report:?}"
    );
    let found: Vec<String> = set
        .scan(&program, &Context::default())
        .detections
        .into_iter()
        .map(|d| d.name)
        .collect();
    for name in [
        "Test.MD5.Hash",
        "Test.PESection.Hash",
        "Test.NDB",
        "Test.LDB",
    ] {
        assert!(found.iter().any(|found| found == name), "{name}: {found:?}");
    }
}

/// Small signatures of our own, with what the reference's documentation has them answer.
#[test]
fn regular_expressions_answer_like_the_reference() {
    let cases: [(&str, &[u8], bool); 9] = [
        (
            "no;Engine:81-255,Target:0;0&1;616c70686120;0/alpha beta/",
            b"MZ alpha beta",
            true,
        ),
        (
            "no;Engine:81-255,Target:0;0&1;616c70686120;5:0/alpha beta/",
            b"MZ alpha beta",
            false,
        ),
        (
            "no;Engine:81-255,Target:0;0&1;616c70686120;5:0/pha beta/",
            b"MZ alpha beta",
            true,
        ),
        (
            "no;Engine:81-255,Target:0;0&1;616c70686120;0/gamma/",
            b"MZ alpha beta / GaMma",
            false,
        ),
        (
            "no;Engine:81-255,Target:0;0&1;616c70686120;0/gamma/i",
            b"MZ alpha beta / GaMma",
            true,
        ),
        (
            "no;Engine:81-255,Target:0;0&1&2;616c70686120;0/alpha beta/;0/gamma/i",
            b"MZ alpha beta / GaMma",
            true,
        ),
        (
            "no;Engine:81-255,Target:0;0&1&2;616c70686120;0/alpha beta/;0/gammo/i",
            b"MZ alpha beta / GaMma",
            false,
        ),
        (
            "no;Engine:81-255,Target:0;0&1&2;616c70686120;0/alphx beta/;0/gamma/i",
            b"MZ alpha beta / GaMma",
            false,
        ),
        (
            "no;Engine:81-255,Target:0;1;616c70686120;0/alpha beta\\/gamma: delta/",
            b"alpha beta/gamma: delta",
            true,
        ),
    ];
    for (line, bytes, expected) in cases {
        let (set, report) = SignatureSet::build_from([("a.ldb", line.as_bytes())]).unwrap();
        assert_eq!(report.active, 1, "{line}");
        let found = !set.scan(bytes, &Context::default()).detections.is_empty();
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn an_update_takes_signed_containers_and_refuses_a_wrong_signature() {
    use seaworthy_fetch::Outcome;
    use seaworthy_signatures::install::InstallDir;
    use seaworthy_signatures::manifest::Trust;
    use seaworthy_signatures::update::{UpdateOptions, update};
    use seaworthy_testkit::http_files::FileServer;

    let Some(inputs) = corpus("clamav-unit-test-inputs.tar.zst") else {
        return;
    };
    let file = |number: u32| {
        let name = format!("freshclam_testfiles/test-{number}.cvd");
        std::fs::read(inputs.path().join(name)).unwrap()
    };
    let server = FileServer::start();
    let home = tempfile::tempdir().unwrap();
    let place = InstallDir::new(home.path().join("signatures"));
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut options = UpdateOptions::new(home.path().join("cache"), "test", now);
    options.mirrors = vec![server.base().to_owned()];
    options.databases = vec!["test".to_owned()];
    // The first two hold one signature, for engines of long ago.
    for number in 3..=6 {
        server.put("/test.cvd", file(number), &number.to_string());
        let report = update(&place, &options, &mut |_| {}).unwrap();
        assert!(report.changed);
        let source = &report.installed.manifest.sources[0];
        assert_eq!(
            (source.version, source.trust),
            (Some(number), Trust::Signed)
        );
        assert!(source.published_at.is_some() && source.parsed > 0);
    }
    // One letter of the signature in the header, which no digest covers.
    let mut forged = file(6);
    let header: Vec<usize> = (0..512).filter(|at| forged[*at] == b':').collect();
    let signature = header[5] + 1;
    let letter = if forged[signature] == b'a' {
        b'b'
    } else {
        b'a'
    };
    forged[signature] = letter;
    // The version, so that no later one would be taken any more.
    let mut late = file(6);
    late[header[1] + 1] = b'9';
    for (forged, why) in [(forged, "signature does not fit"), (late, "another header")] {
        server.put("/test.cvd", forged, why);
        let report = update(&place, &options, &mut |_| {}).unwrap();
        assert!(!report.changed);
        assert!(
            matches!(&report.files[0].1, Outcome::Failed(reason) if reason.contains(why)),
            "{:?}",
            report.files
        );
    }
    // Going back is no news.
    server.put("/test.cvd", file(5), "5 again");
    let report = update(&place, &options, &mut |_| {}).unwrap();
    assert!(matches!(&report.files[0].1, Outcome::Failed(reason) if reason.contains("older")));
}

#[test]
fn where_a_certificate_is_trusted_a_detached_signature_must_fit() {
    use seaworthy_fetch::Outcome;
    use seaworthy_signatures::install::InstallDir;
    use seaworthy_signatures::manifest::Trust;
    use seaworthy_signatures::update::{UpdateOptions, build, read_certificates, update};
    use seaworthy_testkit::http_files::FileServer;

    let Some(inputs) = corpus("clamav-unit-test-inputs.tar.zst") else {
        return;
    };
    let files = inputs.path().join("freshclam_testfiles");
    let file = |name: &str| std::fs::read(files.join(name)).unwrap();
    let server = FileServer::start();
    let home = tempfile::tempdir().unwrap();
    let place = InstallDir::new(home.path().join("signatures"));
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut options = UpdateOptions::new(home.path().join("cache"), "test", now);
    options.mirrors = vec![server.base().to_owned()];
    options.databases = vec!["test".to_owned()];
    options.certificates = read_certificates(&inputs.path().join("verify")).unwrap();
    let trust = || place.open().unwrap().manifest.sources[0].trust;

    // A mirror without the signature file: what the container itself carries counts.
    server.put("/test.cvd", file("test-4.cvd"), "4");
    update(&place, &options, &mut |_| {}).unwrap();
    assert_eq!(trust(), Trust::Signed);
    // It gets one later. What was compiled stays, what is said about it is new.
    server.put("/test-4.cvd.sign", file("test-4.cvd.sign"), "4");
    let report = update(&place, &options, &mut |_| {}).unwrap();
    assert!(report.changed);
    assert_eq!(trust(), Trust::Certified);
    server.put("/test.cvd", file("test-5.cvd"), "5");
    server.put("/test-5.cvd.sign", file("test-5.cvd.sign"), "5");
    update(&place, &options, &mut |_| {}).unwrap();
    assert_eq!(trust(), Trust::Certified);
    // The signature of another file.
    server.put("/test.cvd", file("test-6.cvd"), "6");
    server.put("/test-6.cvd.sign", file("test-5.cvd.sign"), "5");
    let report = update(&place, &options, &mut |_| {}).unwrap();
    assert!(
        matches!(&report.files[0].1, Outcome::Failed(reason) if reason.contains("does not fit")),
        "{:?}",
        report.files
    );
    assert!(!report.changed);

    let report = build(&place, &files, &options, &mut |_| {}).unwrap();
    let sources = &report.installed.manifest.sources;
    assert_eq!(sources.len(), 6);
    assert!(
        sources
            .iter()
            .all(|source| source.trust == Trust::Certified)
    );
    std::fs::copy(files.join("test-5.cvd.sign"), files.join("test-6.cvd.sign")).unwrap();
    let report = build(&place, &files, &options, &mut |_| {}).unwrap();
    let problems = &report.installed.manifest.problems;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].path.ends_with("test-6.cvd"), "{problems:?}");
}

/// Why a row of the reference's own cases is not run here, by the start of its name.
const NOT_RUN: &[(&str, &str)] = &[
    (
        "_basic_test.py",
        "unpacks: with the whole engine in seaworthy-engine's malware_corpus",
    ),
    (
        "allmatch_test.py::setUpClass",
        "the signatures of the next row",
    ),
    (
        "allmatch_test.py::test_regression_imphash",
        "import tables are not read",
    ),
    (
        "allmatch_test.py::test_regression_cbc",
        "bytecode is not run",
    ),
    (
        "allmatch_test.py::test_txt_plus",
        "a program behind text is not cut out",
    ),
    (
        "allmatch_test.py::test_exe_imphash",
        "import tables are not read",
    ),
    (
        "allmatch_test.py::test_exe_pattern",
        "unpacks: with the whole engine in seaworthy-engine's malware_corpus",
    ),
    (
        "allmatch_test.py::test_zip_",
        "unpacks: with the whole engine in seaworthy-engine's malware_corpus",
    ),
    ("alz_test.py", "ALZ is not unpacked"),
    (
        "assorted_test.py::test_weak_indicator_icon",
        "icons are not compared",
    ),
    (
        "assorted_test.py::test_pe_cert_trust",
        "Authenticode trust lists are not read",
    ),
    ("assorted_test.py::test_iso", "ISO 9660 is not unpacked"),
    (
        "assorted_test.py::test_split_zip",
        "image hashes are not computed",
    ),
    (
        "assorted_test.py::test_cvdload",
        "a mode of the reference's command",
    ),
    ("bytecode_test.py", "bytecode is not run"),
    (
        "container_sigs_test.py::test_clamscan_container_cache",
        "unpacks: with the whole engine in seaworthy-engine's malware_corpus",
    ),
    (
        "container_sigs_test.py::test_intermediates_cache",
        "unpacks: with the whole engine in seaworthy-engine's malware_corpus",
    ),
    ("embedded_files_test.py", "finds files inside of others"),
    ("fuzzy_img_hash_test.py", "image hashes are not computed"),
    (
        "hash_and_file_type_test.py",
        "options of the reference's command",
    ),
    ("heuristics_test.py", "the reference's own heuristics"),
    ("html_", "pictures inside of pages"),
    ("htmlnorm", "pictures inside of pages"),
    ("image_extraction_test.py", "pictures inside of documents"),
    ("lzh_lha_archive_test.py", "LHA is not unpacked"),
    (
        "match_offsets_test.py",
        "Windows version resources, and YARA",
    ),
    ("ole2_encryption_test.py", "the reference's own heuristics"),
    ("onenote", "OneNote is not unpacked"),
    ("pdf_", "metadata of documents"),
    ("phishing_test.py", "the reference's own heuristics"),
    (
        "regex_test.py::test_yara",
        "YARA: with the whole engine in seaworthy-engine's malware_corpus",
    ),
    ("save_", "metadata of documents"),
    (
        "zstd_test.py",
        "unpacks: with the whole engine in seaworthy-engine's malware_corpus",
    ),
];

/// The reference's own cases with their signatures in the test.
#[test]
fn every_case_of_the_reference_holds_or_is_named_with_its_reason() {
    let path = malware().join("clamav-inline-signature-cases.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: no corpus at {}", path.display());
        return;
    };
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
    let (mut run, mut named, mut unknown) = (0, 0, Vec::new());
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = case["test"].as_str().unwrap();
        let written: Vec<(Option<&str>, &str)> = case["files_written"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| {
                (
                    file["name"].as_str(),
                    file["content"].as_str().unwrap_or_default(),
                )
            })
            .collect();
        let content = |wanted: Option<&str>| {
            let file = written.iter().find(|(name, _)| *name == wanted);
            file.unwrap().1.as_bytes()
        };
        if let Some((_, reason)) = NOT_RUN.iter().find(|(start, _)| name.starts_with(start)) {
            println!("not run: {name}: {reason}");
            named += 1;
            continue;
        }
        match name {
            // The test above, with the file these signatures are for.
            "allmatch_test.py::test_many_sigs" => {}
            "container_sigs_test.py::test_container"
            | "container_sigs_test.py::test_intermediates" => {
                let (set, _) =
                    SignatureSet::build_from([("a.ldb", written[0].1.as_bytes())]).unwrap();
                let context = Context {
                    chain: &["CL_TYPE_7Z", "CL_TYPE_ZIP"],
                    ..Context::default()
                };
                let found = set.scan(b"v1rusv1rus", &context).detections;
                let found: Vec<&str> = found.iter().map(|d| d.name.as_str()).collect();
                assert!(
                    found.len() == 1 && found[0].ends_with("_good"),
                    "{name}: {found:?}"
                );
            }
            "fp_check_test.py::setUpClass" => {
                let shell = content(None);
                let signature = ("a.ndb", content(Some("normalized_match_sig")));
                let scan = |files: &[(&str, &[u8])]| {
                    let (set, _) = SignatureSet::build_from(files.iter().copied()).unwrap();
                    set.scan(shell, &Context::default())
                };
                assert_eq!(scan(&[signature]).detections.len(), 1);
                for (allowed, _) in written
                    .iter()
                    .filter(|(name, _)| name.is_some_and(|name| name.contains("_fp")))
                {
                    let scan = scan(&[signature, ("a.sfp", content(*allowed))]);
                    assert!(scan.allowed.is_some(), "{allowed:?}: {scan:?}");
                }
            }
            _ if name.starts_with("regex_test.py") => {
                let sample = case["inputs"][0].as_str();
                let sample =
                    if sample.is_some_and(|sample| written.iter().any(|w| w.0 == Some(sample))) {
                        content(sample)
                    } else {
                        written[0].1.as_bytes()
                    };
                for (_, signature) in written.iter().filter(|(_, text)| text.contains(";Engine:")) {
                    let (set, report) =
                        SignatureSet::build_from([("a.ldb", signature.as_bytes())]).unwrap();
                    assert_eq!(report.inactive.len(), 0, "{name}");
                    let found = set.scan(sample, &Context::default()).detections;
                    // What the rows' own names and words have them answer.
                    let silent = ["_no_match;", "_pcre_case;", "/bloh/", "/hella "];
                    let wanted = !silent.iter().any(|part| signature.contains(part));
                    assert_eq!(!found.is_empty(), wanted, "{name}: {signature}");
                }
            }
            _ => unknown.push(name.to_owned()),
        }
        run += 1;
    }
    println!("{run} run, {named} named");
    assert_eq!(unknown, Vec::<String>::new());
}
