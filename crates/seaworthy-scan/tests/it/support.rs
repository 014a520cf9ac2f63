//! Analyzers and images that several tests use.

use std::sync::Arc;

use seaworthy_core::{EvidenceItem, LayerEvidence, Meta, Package, PackageType};
use seaworthy_image::{Image, ImageConfig, Layer, SourceKind, WalkContext};
use seaworthy_scan::{
    Analyzer, AnalyzerSet, FileMeta, Interest, MemoryLayer, Reader, Sink, scan_layer,
};

pub const fn meta(id: &'static str) -> Meta {
    Meta {
        id,
        revision: 1,
        summary: "for tests",
        references: &["the test itself"],
    }
}

/// Takes every file called `pkg`: one package a line, `name=version`.
pub const LINES: Analyzer = Analyzer {
    meta: meta("lines"),
    interest: Interest::Paths(&["**/pkg"]),
    reader: Reader::Whole {
        cap: 4096,
        parse: lines,
    },
};

fn lines(_: &FileMeta<'_>, bytes: &[u8], sink: &mut Sink) {
    for line in String::from_utf8_lossy(bytes).lines() {
        let (name, version) = line.split_once('=').unwrap_or((line, "1"));
        sink.push(package(name, version));
    }
}

pub fn package(name: &str, version: &str) -> EvidenceItem {
    EvidenceItem::Package(Package::new(PackageType::new("test"), name, version))
}

#[track_caller]
pub fn scan(layer: &MemoryLayer, analyzers: &AnalyzerSet) -> LayerEvidence {
    scan_layer(layer, analyzers, &WalkContext::default()).expect("a memory layer opens")
}

/// `path: name version`, in order, of all packages of a layer.
pub fn packages(evidence: &LayerEvidence) -> Vec<String> {
    let mut found = Vec::new();
    for file in &evidence.files {
        for item in &file.items {
            if let EvidenceItem::Package(package) = item {
                found.push(format!(
                    "{}: {} {}",
                    file.path.as_str(),
                    package.name,
                    package.version
                ));
            }
        }
    }
    found
}

pub fn image(layers: Vec<Arc<dyn Layer>>) -> Image {
    Image {
        reference: "test".to_owned(),
        source: SourceKind::Archive,
        names: Vec::new(),
        manifest_digest: None,
        image_id: None,
        platform: None,
        config: ImageConfig::default(),
        layers,
        problems: Vec::new(),
    }
}
