//! What the tests share: a walk that writes down what it saw.

use std::io::Read;
use std::sync::Arc;

use seaworthy_core::{Digest, ProblemKind};
use seaworthy_image::{
    BlobLayer, Body, EntryKind, EntryMeta, Flow, Layer, MemoryBlob, WalkContext, WalkOutcome,
};
use seaworthy_testkit::BuiltLayer;

/// An entry, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub path: String,
    pub kind: EntryKind,
    pub meta: EntryMeta,
    pub content: Vec<u8>,
    /// The content broke off.
    pub broken: bool,
}

/// Walks a layer and keeps everything.
pub fn walk(layer: &dyn Layer, ctx: &WalkContext) -> (Vec<Seen>, WalkOutcome) {
    let mut seen = Vec::new();
    let outcome = layer
        .walk(ctx, &mut |mut entry| {
            let mut content = Vec::new();
            let broken = match &mut entry.body {
                Body::Slice(bytes) => {
                    content.extend_from_slice(bytes);
                    false
                }
                Body::Reader(reader) => reader.read_to_end(&mut content).is_err(),
            };
            if !broken && entry.kind == EntryKind::File {
                assert_eq!(content.len() as u64, entry.meta.size, "{:?}", entry.path);
            }
            seen.push(Seen {
                path: entry.path.as_str().to_owned(),
                kind: entry.kind,
                meta: entry.meta,
                content,
                broken,
            });
            Ok(Flow::Continue)
        })
        .unwrap();
    (seen, outcome)
}

/// The layer that a builder made.
pub fn layer_of(built: &BuiltLayer) -> BlobLayer {
    BlobLayer::new(
        Arc::new(MemoryBlob::new(built.bytes.clone(), "layer")),
        Some(digest(&built.diff_id)),
        Some(digest(&built.digest)),
    )
}

pub fn digest(text: &str) -> Digest {
    text.parse().unwrap()
}

pub fn kinds(outcome: &WalkOutcome) -> Vec<ProblemKind> {
    outcome
        .problems
        .iter()
        .map(|problem| problem.kind)
        .collect()
}

/// Path and content of the files.
pub fn files(seen: &[Seen]) -> Vec<(&str, &[u8])> {
    seen.iter()
        .filter(|entry| entry.kind == EntryKind::File)
        .map(|entry| (entry.path.as_str(), entry.content.as_slice()))
        .collect()
}
