//! Images made to exhaust whoever looks into them: the scan ends, says what it left out, and finds
//! what lies beside.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at what it does not expect"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use seaworthy_engine::{
    CacheChoice, Cancel, DatabaseChoice, FingerprintKey, MalwareChoice, MalwareOptions, Report,
    ScanRequest, SecretsChoice, SignaturesChoice, Silent, UnpackLimits, scan,
};
use seaworthy_testkit::layer::compress;
use seaworthy_testkit::{Compression, ImageBuilder, LayerBuilder, eicar};

/// Everything that looks at content, on an archive of an image of one layer.
fn scanned(layer: &LayerBuilder, signatures: SignaturesChoice, unpack: UnpackLimits) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let image = ImageBuilder::new().tag("hostile:1").layer(layer);
    std::fs::write(&path, image.docker_archive()).unwrap();
    let mut malware = MalwareOptions::new(signatures);
    malware.unpack = unpack;
    let request = ScanRequest {
        reference: format!("archive:{}", path.display()),
        open: Default::default(),
        limits: Default::default(),
        database: DatabaseChoice::Embedded,
        cache: CacheChoice::Off,
        secrets: SecretsChoice::Key(FingerprintKey::new([5; 32])),
        secret_options: Default::default(),
        malware: MalwareChoice::On(Box::new(malware)),
        policy: Default::default(),
        threads: 2,
        now: Timestamp::UNIX_EPOCH,
        timings: false,
    };
    scan(&request, &Silent, &Cancel::default()).expect("the image is readable")
}

fn base() -> LayerBuilder {
    LayerBuilder::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
        .file("var/lib/dpkg/status", "")
}

/// Paths with a finding of malware.
fn infected(report: &Report) -> Vec<String> {
    let findings = report.findings.iter();
    let mut paths: Vec<String> = findings
        .filter(|finding| finding.malware().is_some())
        .flat_map(|finding| &finding.evidence)
        .filter_map(|evidence| {
            let path = &evidence.location.as_ref()?.path;
            Some(path.trim_start_matches('/').to_owned())
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Path and message of each limit that was reached.
fn limits(report: &Report) -> Vec<(&str, &str)> {
    let problems = report.problems.iter();
    problems
        .filter(|problem| problem.kind == "limit-reached" && problem.incomplete)
        .map(|problem| {
            (
                problem
                    .path
                    .as_deref()
                    .unwrap_or_default()
                    .trim_start_matches('/'),
                problem.message.as_str(),
            )
        })
        .collect()
}

fn many_files(count: usize) {
    let mut layer = base();
    for number in 0..count {
        let path = format!("srv/{}/{number}", number / 1000);
        layer = layer.file(path, number.to_string());
    }
    let layer = layer.file("srv/last", eicar());
    let report = scanned(&layer, SignaturesChoice::BuiltIn, UnpackLimits::default());
    assert_eq!(limits(&report), []);
    assert_eq!(infected(&report), ["srv/last"]);
    assert_eq!(report.image.layers[0].files, count as u64 + 3);
}

#[test]
fn a_layer_of_many_tiny_files_is_looked_at_to_its_last() {
    many_files(200_000);
}

#[test]
#[ignore = "a layer of a gigabyte, in memory more than once"]
fn a_layer_of_a_million_tiny_files_is_looked_at_to_its_last() {
    many_files(1_000_000);
}

/// A zip archive of one stored file.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file(name, options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn bombs_and_endless_nesting_name_file_and_inner_path_and_the_rest_is_found() {
    let bomb = compress(&vec![0; 48 << 20], Compression::Gzip);
    let tar = LayerBuilder::new().file("inner/zeros.gz", bomb).tar();
    // What would go on for ever: an archive in an archive, in an archive.
    let mut nested = eicar();
    for _ in 0..12 {
        nested = zip("next.zip", &nested);
    }
    let layer = base()
        .file("opt/bomb.zip", zip("b.tar", &tar))
        .file("opt/nested.zip", nested)
        .file("opt/plain.com", eicar());
    let unpack = UnpackLimits {
        total_bytes: 16 << 20,
        ..UnpackLimits::default()
    };
    let report = scanned(&layer, SignaturesChoice::BuiltIn, unpack);
    let limits = limits(&report);
    let told = |file: &str, inside: &str, limit: &str| {
        let found = limits.iter().any(|(path, message)| {
            *path == file && message.contains(inside) && message.contains(limit)
        });
        assert!(found, "{file} {inside} {limit}: {limits:?}");
    };
    told("opt/bomb.zip", "b.tar!/inner/zeros.gz", "limit reached");
    told("opt/nested.zip", "next.zip!/next.zip", "nesting depth");
    assert_eq!(infected(&report), ["opt/plain.com"]);
    // Malware weighs more than an incomplete result, so both are told apart below.
    assert!(report.verdict.reasons.iter().any(|reason| !reason.failure));

    let layer = base().file(
        "opt/nested.zip",
        zip("a.zip", &zip("b.zip", &zip("c", b"x"))),
    );
    let unpack = UnpackLimits {
        depth: 2,
        ..UnpackLimits::default()
    };
    let report = scanned(&layer, SignaturesChoice::BuiltIn, unpack);
    assert_eq!(report.verdict.exit_status, 3, "{:?}", report.verdict);
}

#[test]
fn signatures_that_blow_up_are_bounded_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    // Nested repetition behind a trigger that every line of the file holds, and a needle.
    let mut logical = String::new();
    for number in 0..5 {
        writeln!(
            logical,
            "Blow.Up-{number};Engine:81-255,Target:0;0&1;61616161;0/(a+)+(\\1)+b{number}$/"
        )
        .unwrap();
    }
    write("blow.ldb", &logical);
    write("needle.ndb", "Needle:0:*:6e6565646c65\n");
    write(
        "blow.yar",
        "rule blow { strings: $a = /(a{0,200}){0,200}(a|aa)+zz/ condition: $a }\n",
    );
    let mut text = b"needle ".to_vec();
    for _ in 0..20 {
        text.extend([b'a'; 2000]);
        text.push(b'\n');
    }
    let layer = base().file("opt/text", text);
    let started = Instant::now();
    let choice = SignaturesChoice::From(folder.path().to_owned());
    let report = scanned(&layer, choice, UnpackLimits::default());
    let took = started.elapsed();
    assert!(took < Duration::from_secs(120), "{took:?}");
    assert_eq!(infected(&report), ["opt/text"]);
    // Whatever was given up is told with its file.
    let path = Path::new("opt/text");
    let limits = limits(&report);
    assert!(
        !limits.is_empty() && limits.iter().all(|(file, _)| Path::new(file) == path),
        "{limits:?}"
    );
}
