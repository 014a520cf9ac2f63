//! Helpers of the catalogers' tests.

use std::time::{Duration, Instant};

use seaworthy_core::{EvidenceItem, LayerEvidence, Problem};
use seaworthy_scan::{AnalyzerSet, MemoryLayer};

/// What all catalogers say about one file, read in windows.
pub fn scan_file(path: &str, bytes: Vec<u8>) -> LayerEvidence {
    let layer = MemoryLayer::new().streamed().file(path, bytes);
    crate::support::scan(&layer, &AnalyzerSet::builtin())
}

/// All items of a layer.
pub fn items(evidence: &LayerEvidence) -> Vec<&EvidenceItem> {
    evidence.files.iter().flat_map(|file| &file.items).collect()
}

/// `name version` of every package.
pub fn names(evidence: &LayerEvidence) -> Vec<String> {
    items(evidence)
        .into_iter()
        .filter_map(|item| match item {
            EvidenceItem::Package(package) => Some(format!("{} {}", package.name, package.version)),
            _ => None,
        })
        .collect()
}

/// The problems' texts.
pub fn messages(problems: &[Problem]) -> Vec<&str> {
    problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect()
}

/// Overwrites bytes of a fixture.
pub fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// Where some bytes are.
pub fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .expect("it is there")
}

/// Every prefix of a fixture, and every byte of it changed: nothing may panic or hang.
pub fn mangle(bytes: &[u8], step: usize, read: impl Fn(&[u8])) {
    let start = Instant::now();
    for len in (0..bytes.len()).step_by(step) {
        read(&bytes[..len]);
    }
    let mut changed = bytes.to_vec();
    for at in (0..bytes.len()).step_by(step) {
        for value in [0, 0x7f, 0xff, !bytes[at]] {
            changed[at] = value;
            read(&changed);
        }
        changed[at] = bytes[at];
    }
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}
