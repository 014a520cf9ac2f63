//! What one walk over one layer gives.

use std::sync::Mutex;

use seaworthy_core::{EvidenceItem, ProblemKind};
use seaworthy_image::{EntryKind, LayerError, WalkContext};
use seaworthy_scan::{
    Analyzer, AnalyzerSet, Interest, MemoryLayer, Reader, Sink, StreamReader, scan_layer,
};

use crate::support::{LINES, meta, package, packages, scan};

fn lines() -> AnalyzerSet {
    AnalyzerSet::new(const { &[LINES] })
}

#[track_caller]
fn check(layer: MemoryLayer, expected: &[&str]) {
    let evidence = scan(&layer, &lines());
    assert_eq!(packages(&evidence), expected);
    assert_eq!(evidence.problems, []);
    assert!(evidence.complete);
    assert_eq!(scan(&layer.streamed(), &lines()), evidence);
}

#[test]
fn the_last_entry_of_a_name_wins() {
    check(
        MemoryLayer::new().file("pkg", "a=1").file("pkg", "b=2"),
        &["pkg: b 2"],
    );
    check(
        MemoryLayer::new().file("pkg", "a=1").symlink("pkg", "x"),
        &[],
    );
    check(MemoryLayer::new().file("pkg", "a=1").directory("pkg"), &[]);
    check(
        MemoryLayer::new().file("d/pkg", "a=1").symlink("d", "x"),
        &[],
    );
    check(
        MemoryLayer::new()
            .file("d/pkg", "a=1")
            .directory("d")
            .file("d.pkg", "x")
            .file("d0", "x"),
        &["d/pkg: a 1"],
    );
}

#[test]
fn a_whiteout_does_not_touch_its_own_layer() {
    check(
        MemoryLayer::new().file("pkg", "a=1").whiteout("pkg"),
        &["pkg: a 1"],
    );
    check(
        MemoryLayer::new()
            .opaque("d")
            .file("d/pkg", "a=1")
            .opaque("d"),
        &["d/pkg: a 1"],
    );
}

#[test]
fn deletions_and_entries_are_noted_for_the_layers_below() {
    let layer = MemoryLayer::new()
        .whiteout("b")
        .whiteout("a")
        .opaque("d")
        .directory("d")
        .file("d/f", "12345")
        .entry("dev", EntryKind::CharDevice, "");
    let evidence = scan(&layer, &lines());
    assert_eq!(
        evidence
            .whiteouts
            .iter()
            .map(|p| p.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(evidence.opaque_dirs.len(), 1);
    assert!(evidence.dirs.contains("d") && !evidence.dirs.contains("d/f"));
    assert!(evidence.non_dirs.contains("d/f") && evidence.non_dirs.contains("dev"));
    assert_eq!(evidence.non_dirs.len(), 2);
    let stats = evidence.stats;
    assert_eq!((stats.entries, stats.files, stats.bytes), (6, 1, 5));
}

#[test]
fn a_hard_link_has_the_evidence_of_its_target() {
    check(
        MemoryLayer::new()
            .file("a/pkg", "a=1")
            .hard_link("b/pkg", "a/pkg")
            .hard_link("c", "a/pkg"),
        &["a/pkg: a 1", "b/pkg: a 1"],
    );
}

#[test]
fn a_hard_link_keeps_the_content_its_target_had_before_it() {
    check(
        MemoryLayer::new()
            .file("a/pkg", "a=1")
            .hard_link("b/pkg", "a/pkg")
            .file("a/pkg", "c=3"),
        &["a/pkg: c 3", "b/pkg: a 1"],
    );
}

#[test]
fn a_hard_link_to_a_file_whose_name_means_nothing_is_read_in_a_second_walk() {
    check(
        MemoryLayer::new()
            .file("store/0123", "old=1")
            .file("store/0123", "a=1")
            .hard_link("b/pkg", "store/0123")
            .hard_link("c/pkg", "store/0123")
            .hard_link("gone/pkg", "store/0123")
            .file("store/0123", "later=1")
            .symlink("gone", "elsewhere"),
        &["b/pkg: a 1", "c/pkg: a 1"],
    );
}

#[test]
fn a_hard_link_to_nothing_is_reported() {
    let layer = MemoryLayer::new()
        .hard_link("b/pkg", "nowhere")
        .file("nowhere", "too=late");
    let evidence = scan(&layer, &lines());
    assert_eq!(packages(&evidence), [""; 0]);
    assert_eq!(evidence.problems.len(), 1);
    assert_eq!(evidence.problems[0].kind, ProblemKind::Malformed);
    assert_eq!(
        evidence.problems[0].path.as_ref().map(|p| p.as_str()),
        Some("b/pkg")
    );
}

#[test]
fn a_file_above_the_cap_is_reported_and_not_read() {
    let evidence = scan(
        &MemoryLayer::new().file("pkg", vec![b'x'; 4097]).streamed(),
        &lines(),
    );
    assert_eq!(packages(&evidence), [""; 0]);
    assert_eq!(evidence.problems.len(), 1);
    assert_eq!(evidence.problems[0].kind, ProblemKind::LimitReached);
    assert_eq!(
        evidence.problems[0].message,
        "4097 bytes are more than the 4096 that `lines` reads"
    );
}

const FAULTY: Analyzer = Analyzer {
    meta: meta("faulty"),
    interest: Interest::Paths(&["**/pkg"]),
    reader: Reader::Whole {
        cap: 4096,
        parse: |_, bytes, sink| {
            sink.push(package("before", "1"));
            assert!(bytes.is_empty(), "a fault of ours");
        },
    },
};

#[test]
fn a_fault_in_one_analyzer_costs_one_file_and_is_reported() {
    let analyzers = AnalyzerSet::new(const { &[FAULTY, LINES] });
    let evidence = scan(&MemoryLayer::new().file("pkg", "a=1"), &analyzers);
    assert_eq!(packages(&evidence), ["pkg: before 1", "pkg: a 1"]);
    assert_eq!(evidence.problems.len(), 1);
    assert_eq!(evidence.problems[0].kind, ProblemKind::Unsupported);
}

/// Finds the text `needle` in ELF-like files, by offset.
struct Finder {
    ends: Vec<u64>,
    windows: usize,
}

const NEEDLE: &[u8] = b"needle";

impl StreamReader for Finder {
    fn window(&mut self, offset: u64, bytes: &[u8], _: &mut Sink) {
        self.windows += 1;
        for (at, part) in bytes.windows(NEEDLE.len()).enumerate() {
            if part == NEEDLE {
                self.ends.push(offset + at as u64);
            }
        }
    }

    fn finish(self: Box<Self>, sink: &mut Sink) {
        sink.push(package(
            &format!("{:?}", self.ends),
            &self.windows.to_string(),
        ));
    }
}

const STREAM: Analyzer = Analyzer {
    meta: meta("stream"),
    interest: Interest::Magic(&[b"\x7fELF"]),
    reader: Reader::Stream {
        overlap: NEEDLE.len() - 1,
        start: |_, _| {
            Box::new(Finder {
                ends: Vec::new(),
                windows: 0,
            })
        },
    },
};

const WINDOW: usize = 1 << 20;

#[test]
fn a_stream_sees_every_place_once_across_window_borders() {
    let mut content = vec![0; 3 * WINDOW + 10];
    content[..4].copy_from_slice(b"\x7fELF");
    let places = [4, WINDOW - 3, 2 * WINDOW, 3 * WINDOW + 4];
    for place in places {
        content[place..place + NEEDLE.len()].copy_from_slice(NEEDLE);
    }
    let analyzers = AnalyzerSet::new(const { &[STREAM] });
    let layer = MemoryLayer::new()
        .file("bin/tool", content)
        .file("bin/script", "#!/bin/sh needle");
    let expected = format!("bin/tool: {places:?} 4");
    assert_eq!(packages(&scan(&layer, &analyzers)), [expected.as_str()]);
    assert_eq!(
        packages(&scan(&layer.streamed(), &analyzers)),
        [expected.as_str()]
    );
}

#[test]
fn one_content_serves_whole_and_stream_readers_and_keeps_its_first_bytes() {
    const ALL: &[Analyzer] = &[
        STREAM,
        Analyzer {
            meta: meta("whole"),
            interest: Interest::EveryRegularFile,
            reader: Reader::Whole {
                cap: 4 * WINDOW,
                parse: |file, bytes, sink| {
                    assert_eq!(file.entry.size, bytes.len() as u64);
                    sink.push(package(
                        "starts with ELF",
                        &bytes.starts_with(b"\x7fELF").to_string(),
                    ));
                },
            },
        },
    ];
    let mut content = vec![0; 2 * WINDOW + 6];
    content[..4].copy_from_slice(b"\x7fELF");
    content[2 * WINDOW..].copy_from_slice(NEEDLE);
    let layer = MemoryLayer::new()
        .file("bin/tool", content)
        .file("empty", "")
        .streamed();
    let evidence = scan(&layer, &AnalyzerSet::new(ALL));
    assert_eq!(
        packages(&evidence),
        [
            "bin/tool: [2097152] 3",
            "bin/tool: starts with ELF true",
            "empty: starts with ELF false",
        ]
    );
}

static SEEN: Mutex<Vec<u64>> = Mutex::new(Vec::new());

struct Early;

impl StreamReader for Early {
    fn window(&mut self, offset: u64, _: &[u8], _: &mut Sink) {
        SEEN.lock().expect("one test uses it").push(offset);
    }

    fn wants_more(&self) -> bool {
        false
    }

    fn finish(self: Box<Self>, _: &mut Sink) {}
}

#[test]
fn a_stream_that_has_seen_enough_gets_no_more() {
    const EARLY: &[Analyzer] = &[Analyzer {
        meta: meta("early"),
        interest: Interest::EveryRegularFile,
        reader: Reader::Stream {
            overlap: 0,
            start: |_, _| Box::new(Early),
        },
    }];
    let layer = MemoryLayer::new()
        .file("big", vec![1; 5 * WINDOW])
        .streamed();
    scan(&layer, &AnalyzerSet::new(EARLY));
    assert_eq!(*SEEN.lock().expect("one test uses it"), [0]);
}

#[test]
fn a_cancelled_scan_says_so() {
    let ctx = WalkContext::default();
    ctx.cancel.cancel();
    let result = scan_layer(&MemoryLayer::new().file("pkg", "a"), &lines(), &ctx);
    assert!(matches!(result, Err(LayerError::Cancelled)));
}

#[test]
fn a_hostile_layer_can_not_make_the_evidence_grow_without_end() {
    const FLOOD: &[Analyzer] = &[Analyzer {
        meta: meta("flood"),
        interest: Interest::EveryRegularFile,
        reader: Reader::Whole {
            cap: 1,
            parse: |_, _, sink| {
                for i in 0..300_000 {
                    sink.push(EvidenceItem::PackageDatabase(i.to_string()));
                }
            },
        },
    }];
    let evidence = scan(&MemoryLayer::new().file("f", ""), &AnalyzerSet::new(FLOOD));
    assert_eq!(evidence.files[0].items.len(), 250_000);
    assert_eq!(evidence.problems[0].kind, ProblemKind::LimitReached);
}
