//! The malware rules over images that hold none: every finding above low is a defect.

#![expect(
    clippy::print_stdout,
    reason = "a skipped test says so, and figures are what the measurement is for"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use md5::{Digest as _, Md5};
use seaworthy_core::{
    Digest, EvidenceItem, ExecutableEvidence, FileEvidence, ImageEvidence, ImagePath,
    LayerEvidence, Severity,
};
use seaworthy_image::{
    DirectoryLayer, DirectoryMode, Entry, EntryKind, Flow, Layer, LayerError, OpenOptions,
    WalkContext, WalkOutcome, open_image,
};
use seaworthy_scan::{AnalyzerSet, coalesce, scan_layer};
use seaworthy_signatures::findings::{MalwareFindings, findings};
use seaworthy_signatures::heuristics::{self, FileFacts};
use sha1::Sha1;
use sha2::Sha256;

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

fn hex(algorithm: &str, bytes: &[u8]) -> Box<str> {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{algorithm}:{digits}").into()
}

/// Files, bytes and time that the rules alone took.
#[derive(Default)]
struct Cost {
    files: u64,
    bytes: u64,
    time: Duration,
}

/// What the rules see in a layer, added to what the catalogers see.
fn examine(layer: &dyn Layer, cost: &mut Cost) -> LayerEvidence {
    let analyzers = AnalyzerSet::builtin();
    let mut evidence =
        scan_layer(layer, &analyzers, &WalkContext::default()).expect("the layer opens");
    let mut files: BTreeMap<ImagePath, Vec<EvidenceItem>> = std::mem::take(&mut evidence.files)
        .into_iter()
        .map(|file| (file.path, file.items))
        .collect();
    let mut visit = |mut entry: Entry<'_>| {
        if entry.kind != EntryKind::File {
            return Ok(Flow::Continue);
        }
        let mut buffer = Vec::new();
        let bytes = entry.body.read_up_to(1 << 30, &mut buffer)?;
        let facts = FileFacts {
            path: &entry.path,
            inside: None,
            mode: entry.meta.mode,
            uid: entry.meta.uid,
            gid: entry.meta.gid,
            size: entry.meta.size,
        };
        let mut items = Vec::new();
        let start = Instant::now();
        heuristics::examine(&facts, bytes, &mut items);
        cost.time += start.elapsed();
        cost.files += 1;
        cost.bytes += bytes.len() as u64;
        if let Some(kind) = heuristics::wants_digests(&facts, bytes) {
            items.push(EvidenceItem::Executable(ExecutableEvidence {
                kind,
                mode: facts.mode,
                uid: facts.uid,
                gid: facts.gid,
                size: facts.size,
                digests: vec![
                    hex("md5", &Md5::digest(bytes)),
                    hex("sha1", &Sha1::digest(bytes)),
                    hex("sha256", &Sha256::digest(bytes)),
                ],
            }));
        }
        if !items.is_empty() {
            files.entry(entry.path.clone()).or_default().extend(items);
        }
        Ok(Flow::Continue)
    };
    layer
        .walk(&WalkContext::default(), &mut visit)
        .expect("the layer opens");
    evidence.files = files
        .into_iter()
        .map(|(path, items)| FileEvidence { path, items })
        .collect();
    evidence
}

fn judge(name: &str, layers: &[Arc<dyn Layer>]) -> (ImageEvidence, MalwareFindings) {
    let mut cost = Cost::default();
    let evidence: Vec<LayerEvidence> = layers
        .iter()
        .map(|layer| examine(&**layer, &mut cost))
        .collect();
    let image = coalesce(&evidence, &[]);
    let start = Instant::now();
    let found = findings(&image);
    println!(
        "{name}: {} files, {:.1} MB, rules {:.0} MB/s, judged in {:?}, {:?}, {} in packages",
        cost.files,
        cost.bytes as f64 / 1e6,
        cost.bytes as f64 / 1e6 / cost.time.as_secs_f64(),
        start.elapsed(),
        found.integrity,
        found.in_os_packages,
    );
    for finding in &found.findings {
        println!("  {} {}: {}", finding.severity, finding.rule, finding.title);
        for evidence in finding.evidence.iter().take(6) {
            println!("      {}", evidence.note);
        }
    }
    (image, found)
}

fn unpacked(image: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let status = Command::new("tar")
        .arg("--use-compress-program")
        .arg(match image.extension().and_then(|end| end.to_str()) {
            Some("zst") => "zstd --long=27",
            Some("xz") => "xz",
            _ => "gzip",
        })
        .arg("--exclude=./dev/*")
        .arg("--exclude=dev/*")
        .arg("-xf")
        .arg(image)
        .arg("-C")
        .arg(folder.path())
        .status()
        .expect("tar is installed");
    assert!(status.success());
    folder
}

#[test]
fn clean_images_give_nothing_above_low() {
    let Some(corpus) = corpus() else { return };
    let mut bad = Vec::new();
    let mut names: Vec<PathBuf> = std::fs::read_dir(corpus.join("images"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end != "json"))
        .collect();
    names.sort();
    for path in &names {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let (_, found) = if name.ends_with("oci-layout.tar") {
            let reference = format!("archive:{}", path.display());
            let image = open_image(&reference, &OpenOptions::default(), &WalkContext::default())
                .expect("the archive opens");
            judge(&name, &image.layers)
        } else {
            let folder = unpacked(path);
            let layer: Arc<dyn Layer> = Arc::new(DirectoryLayer::new(
                folder.path(),
                DirectoryMode::RootFs,
                None,
            ));
            judge(&name, &[layer])
        };
        bad.extend(
            found
                .findings
                .iter()
                .filter(|finding| finding.severity > Severity::Low)
                .map(|finding| format!("{name}: {}", finding.title)),
        );
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Some folders of the machine as one layer.
struct Parts(&'static [&'static str]);

impl Layer for Parts {
    fn diff_id(&self) -> Option<&Digest> {
        None
    }

    fn size_hint(&self) -> Option<u64> {
        None
    }

    fn walk(
        &self,
        ctx: &WalkContext,
        visit: &mut dyn FnMut(Entry<'_>) -> std::io::Result<Flow>,
    ) -> Result<WalkOutcome, LayerError> {
        let mut outcome = WalkOutcome::default();
        for part in self.0 {
            let root = Path::new("/").join(part);
            let layer = DirectoryLayer::new(root, DirectoryMode::RootFs, None);
            outcome = layer.walk(ctx, &mut |mut entry| {
                entry.path = ImagePath::new(&format!("{part}/{}", entry.path.as_str()));
                visit(entry)
            })?;
        }
        Ok(outcome)
    }
}

/// Over the machine's own programs, configuration and package database: figures, and no
/// findings that people have to look into.
#[test]
#[ignore = "reads the machine it runs on"]
fn this_machine() {
    let parts = Parts(&["usr", "etc", "var/lib/dpkg"]);
    judge("this machine", &[Arc::new(parts)]);
}
