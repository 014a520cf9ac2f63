//! Eight million digests in one compiled file, and the digests of a file looked up in it; and
//! a pass over made samples with a few thousand body signatures.
//!
//! The signatures are made here. With real ones over real files: `examples/scan_folder.rs`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement stops at what it does not expect, and tells its sizes"
)]

use std::fmt::Write;
use std::sync::OnceLock;
use std::time::Instant;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use seaworthy_signatures::{Context, Digests, SignatureSet};

fn main() {
    divan::main();
}

/// As many as the official databases held at most.
const DIGESTS: u64 = 8_700_000;
const LOOKUPS: u32 = 10_000;

/// Bytes that look random and are the same each time.
fn mixed(number: u64, salt: u64) -> u64 {
    let mut x = number
        .wrapping_add(salt)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn digest(number: u64) -> [u8; 32] {
    let mut digest = [0; 32];
    for (salt, word) in (0u64..).zip(digest.chunks_exact_mut(8)) {
        word.copy_from_slice(&mixed(number, salt * 77).to_be_bytes());
    }
    digest
}

fn size(number: u64) -> u64 {
    mixed(number, 5) % 4_000_000 / 512 * 512 + 1
}

fn digests() -> &'static SignatureSet {
    static SET: OnceLock<SignatureSet> = OnceLock::new();
    SET.get_or_init(|| {
        const KINDS: [&str; 4] = [
            "Win.Trojan.Agent",
            "Win.Malware.Generic",
            "Unix.Trojan.Mirai",
            "Win.Dropper.Tofsee",
        ];
        let mut files = [String::new(), String::new()];
        for number in 0..DIGESTS {
            let kind = KINDS[usize::try_from(mixed(number, 9) % 4).expect("below four")];
            let half = number % 2 == 0;
            let text = &mut files[usize::from(half)];
            for byte in digest(number).iter().take(if half { 16 } else { 32 }) {
                write!(text, "{byte:02x}").expect("memory");
            }
            // Names are numbered in the order they are given, far from that of digests.
            writeln!(text, ":{}:{kind}-{}-0", size(number), 1_000_000 + number).expect("memory");
        }
        let lines = [
            ("a.hsb", files[0].as_bytes()),
            ("a.hdb", files[1].as_bytes()),
        ];
        let (set, report) = SignatureSet::build_from(lines).expect("lines of the format");
        assert_eq!(report.active as u64, DIGESTS);
        let megabytes = set.as_bytes().len() as f64 / 1e6;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("set");
        std::fs::write(&path, set.as_bytes()).expect("space");
        drop(set);
        let begin = Instant::now();
        let set = SignatureSet::open(&path).expect("what was just written");
        println!(
            "{DIGESTS} digests: {megabytes:.1} MB compiled, opened in {:?}",
            begin.elapsed()
        );
        assert!(megabytes < 100.0);
        set
    })
}

fn lookups(bencher: Bencher<'_, '_>, from: u64) {
    let set = digests();
    let wanted: Vec<(Digests, u64)> = (0..u64::from(LOOKUPS))
        .map(|number| {
            let number = from + mixed(number, 3) % DIGESTS / 2 * 2 + 1;
            let digests = Digests {
                sha256: Some(digest(number)),
                ..Digests::default()
            };
            (digests, size(number))
        })
        .collect();
    let found = wanted
        .iter()
        .filter(|(digests, size)| set.knows(digests, *size));
    assert_eq!(found.count(), if from == 0 { LOOKUPS as usize } else { 0 });
    bencher.counter(LOOKUPS).bench(|| {
        wanted
            .iter()
            .filter(|(digests, size)| set.knows(black_box(digests), *size))
            .count()
    });
}

#[divan::bench]
fn ten_thousand_lookups_that_find(bencher: Bencher<'_, '_>) {
    lookups(bencher, 0);
}

#[divan::bench]
fn ten_thousand_lookups_that_miss(bencher: Bencher<'_, '_>) {
    lookups(bencher, 2 * DIGESTS);
}

fn bodies() -> &'static SignatureSet {
    static SET: OnceLock<SignatureSet> = OnceLock::new();
    SET.get_or_init(|| {
        let mut text = String::new();
        for number in 0..4000u64 {
            let (a, b) = (mixed(number, 1), mixed(number, 2));
            writeln!(text, "Body-{number}:0:*:{a:016x}{{4-20}}{b:016x}").expect("memory");
        }
        let set = SignatureSet::build_from([("a.ndb", text.as_bytes())]);
        set.expect("lines of the format").0
    })
}

#[divan::bench(args = ["prose", "noise", "zeros"])]
fn scan(bencher: Bencher<'_, '_>, kind: &str) {
    const SIZE: usize = 8 << 20;
    const PROSE: &[u8] =
        b"The quick brown fox signs the data of a base image; https://example.org\n";
    let sample: Vec<u8> = match kind {
        "prose" => PROSE.iter().copied().cycle().take(SIZE).collect(),
        "noise" => (0..SIZE as u64 / 8)
            .flat_map(|number| mixed(number, 4).to_le_bytes())
            .collect(),
        _ => vec![0; SIZE],
    };
    let set = bodies();
    bencher
        .counter(BytesCount::new(SIZE))
        .bench(|| set.scan(black_box(&sample), &Context::default()));
}
