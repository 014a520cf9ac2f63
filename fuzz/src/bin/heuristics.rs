//! Our own malware rules on any bytes, under the names that matter to them, and the judging of
//! what they give.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_core::{FileEvidence, ImagePath, LayerEvidence};
use seaworthy_scan::coalesce;
use seaworthy_signatures::findings::findings;
use seaworthy_signatures::heuristics::{self, FileFacts, RULES, Sample};

fuzz_target!(|bytes: &[u8]| {
    let Some((&place, rest)) = bytes.split_first() else {
        return;
    };
    let (mode, content) = match rest.split_first_chunk::<2>() {
        Some((mode, content)) => (u16::from_le_bytes(*mode), content),
        None => (0o755, rest),
    };
    let mut paths = RULES
        .iter()
        .flat_map(|rule| rule.positive)
        .filter_map(|sample| match sample {
            Sample::File { path, .. } => Some(*path),
            _ => None,
        });
    let count = paths.clone().count().max(1);
    let path = ImagePath::new(paths.nth(usize::from(place) % count).unwrap_or("x"));
    let file = FileFacts {
        path: &path,
        inside: None,
        mode: u32::from(mode),
        uid: 0,
        gid: 0,
        size: content.len() as u64,
    };
    let mut items = Vec::new();
    heuristics::examine(&file, content, &mut items);
    heuristics::wants_digests(&file, content);
    let inside = FileFacts {
        inside: Some("a.tar!/package.json"),
        ..file
    };
    heuristics::examine(&inside, content, &mut items);
    let layer = LayerEvidence {
        files: vec![FileEvidence { path, items }],
        complete: true,
        ..LayerEvidence::default()
    };
    findings(&coalesce(&[layer], &[]));
});
