#![no_main]
//! Programs with Go build info, at once and in windows: both must say the same.

use libfuzzer_sys::fuzz_target;
use seaworthy_core::EvidenceItem;
use seaworthy_image::WalkContext;
use seaworthy_scan::catalogers::go_binary;
use seaworthy_scan::{AnalyzerSet, MemoryLayer, ProblemList, scan_layer};

fuzz_target!(|data: &[u8]| {
    let mut problems = ProblemList::default();
    let info = go_binary::parse(data, &mut problems);
    let whole: Vec<EvidenceItem> = info
        .map(|info| info.packages(&mut problems))
        .unwrap_or_default()
        .into_iter()
        .map(EvidenceItem::Package)
        .collect();
    let layer = MemoryLayer::new().streamed().file("program", data);
    let analyzers = AnalyzerSet::new(&[go_binary::ANALYZER]);
    if let Ok(evidence) = scan_layer(&layer, &analyzers, &WalkContext::default())
        && data.starts_with(b"\x7fELF")
    {
        let streamed: Vec<_> = evidence
            .files
            .into_iter()
            .flat_map(|file| file.items)
            .collect();
        assert_eq!(whole, streamed);
    }
});
