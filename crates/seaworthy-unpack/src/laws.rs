//! What holds for every format: test string found through any three of them, no fault at any
//! cut or changed byte, limits kept.

#![expect(clippy::cast_possible_truncation, reason = "fixtures are small")]

use backhand::compression::Compressor;
use lzma_rust2::{LzmaOptions, XzOptions};
use proptest::prelude::*;
use sevenz_rust2::EncoderMethod;

use crate::testing::{
    Recorder, ZipMember, ar_member, bzip2, cpio_binary, cpio_newc, cpio_odc, eicar, gzip, lzma,
    prose, rpm, sevenz, squashfs, tar, walk, walk_whole, xz, zip,
};
use crate::{Format, Limits, unpack};

type Maker = fn(&[u8]) -> Vec<u8>;

/// One writer for each format and dialect.
const MAKERS: &[(&str, Maker)] = &[
    ("gzip", |b| gzip(b, Some("member"))),
    ("zip stored", |b| zip(&[ZipMember::stored("member", b)])),
    ("xz", |b| xz(b, XzOptions::with_preset(1))),
    ("tar", |b| tar(&[("member", b)])),
    ("lzma", |b| lzma(b, &LzmaOptions::with_preset(1), true)),
    ("ar", |b| {
        [b"!<arch>\n".to_vec(), ar_member("member", b)].concat()
    }),
    ("zstd", |b| zstd::encode_all(b, 1).unwrap()),
    ("rpm", |b| {
        rpm(&bzip2(&cpio_newc("070701", &[("member", b)])))
    }),
    ("bzip2", bzip2),
    ("7z", |b| sevenz(&[("member", b)], &[EncoderMethod::LZMA2])),
    ("lz4", |b| {
        let mut out = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x82];
        for piece in b.chunks(4 << 20) {
            out.extend((piece.len() as u32 | 1 << 31).to_le_bytes());
            out.extend(piece);
        }
        out.extend([0; 4]);
        out
    }),
    ("cpio newc", |b| cpio_newc("070702", &[("member", b)])),
    ("squashfs gzip", |b| {
        squashfs(&[("member", b)], Compressor::Gzip)
    }),
    ("cpio odc", |b| cpio_odc(&[("member", b)])),
    ("squashfs xz", |b| {
        squashfs(&[("dir/member", b)], Compressor::Xz)
    }),
    ("cpio binary", |b| {
        cpio_binary(u16::to_be_bytes, &[("member", b)])
    }),
    ("zip deflated", |b| zip(&[ZipMember::deflated("member", b)])),
];

#[test]
fn eicar_is_found_through_any_three_formats() {
    let eicar = eicar();
    for turn in 0..MAKERS.len() {
        let name = |step: usize| MAKERS[(turn + step) % MAKERS.len()].0;
        let make = |step: usize, b: &[u8]| MAKERS[(turn + step) % MAKERS.len()].1(b);
        let bytes = make(0, &make(1, &make(2, &eicar)));
        let seen = walk_whole(&bytes);
        let found = seen.seen.iter().find(|seen| seen.bytes == eicar);
        assert_eq!(
            found.map(|seen| seen.depth),
            Some(3),
            "{} {} {}",
            name(0),
            name(1),
            name(2)
        );
    }
}

#[test]
fn no_cut_goes_unnoticed() {
    for (name, make) in MAKERS {
        let text = prose(700);
        let bytes = make(&text);
        let whole = walk_whole(&bytes);
        let shown = &whole.seen.last().unwrap().bytes;
        for cut in 0..bytes.len() {
            // An archive of nothing.
            if bytes[..cut] == *b"!<arch>\n" {
                continue;
            }
            let mut seen = Recorder::default();
            let Some(format) = Format::of(&bytes[..cut]) else {
                continue;
            };
            unpack(&bytes[..cut], format, &Limits::default(), &mut seen);
            let all = seen
                .seen
                .iter()
                .any(|seen| seen.complete && seen.bytes == *shown);
            assert!(all || !seen.incomplete.is_empty(), "{name} cut at {cut}");
            for part in seen.seen.iter().filter(|seen| !seen.complete) {
                assert!(shown.starts_with(&part.bytes), "{name} cut at {cut}");
            }
        }
    }
}

#[test]
fn a_member_over_the_limit_is_named_in_every_format() {
    let text = prose(9000);
    let limits = Limits {
        member_bytes: 5000,
        ..Limits::default()
    };
    for (name, make) in MAKERS {
        let mut seen = Recorder::default();
        let bytes = make(&text);
        unpack(&bytes, Format::of(&bytes).unwrap(), &limits, &mut seen);
        let place = seen.seen[0].inside.clone();
        assert_eq!(seen.seen[0].bytes, text[..5000], "{name}");
        assert_eq!(
            seen.faults(),
            [format!("{place}: limit reached: bytes of one member")],
            "{name}"
        );
    }
}

#[test]
fn nothing_unpacked_passes_the_total() {
    let text = prose(9000);
    let limits = Limits {
        total_bytes: 20_000,
        ..Limits::default()
    };
    for (name, make) in MAKERS {
        // Two in one: the second meets the total, if the format unpacks anything.
        let one = make(&text);
        let bytes = zip(&[
            ZipMember::deflated("a", &one),
            ZipMember::deflated("b", &one),
        ]);
        let mut seen = Recorder::default();
        unpack(&bytes, Format::Zip, &limits, &mut seen);
        let total: usize = seen.seen.iter().map(|seen| seen.bytes.len()).sum();
        // Stored members are counted by their archive only.
        assert!(total <= 40_000, "{name}: {total}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_bytes_never_panic(
        maker in 0..MAKERS.len(),
        inner in 0..MAKERS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = (MAKERS[maker].1)(&(MAKERS[inner].1)(&prose(2000)));
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let limits = Limits { total_bytes: 8 << 20, ..Limits::default() };
        let mut seen = Recorder::default();
        if let Some(format) = Format::of(&bytes) {
            unpack(&bytes, format, &limits, &mut seen);
        }
    }

    #[test]
    fn noise_behind_a_magic_never_panics(
        maker in 0..MAKERS.len(),
        keep in 0_usize..200,
        noise in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let mut bytes = (MAKERS[maker].1)(b"some text");
        let format = Format::of(&bytes).unwrap();
        bytes.truncate(keep);
        bytes.extend(noise);
        let mut seen = Recorder::default();
        unpack(&bytes, format, &Limits::default(), &mut seen);
    }
}

#[test]
fn a_quine_ends() {
    // A zip archive that a reader finds in itself again and again would end at the depth; the
    // nearest thing that can be written here is one that holds itself cut in many copies.
    let mut bytes = zip(&[ZipMember::stored("0", b"x")]);
    for _ in 0..20 {
        bytes = zip(&[
            ZipMember::stored("a.zip", &bytes),
            ZipMember::stored("b.zip", &bytes),
        ]);
        if bytes.len() > 1 << 20 {
            break;
        }
    }
    let seen = walk(&bytes);
    assert_eq!(
        seen.seen.len(),
        (1..=8).map(|depth| 2_usize.pow(depth)).sum::<usize>()
    );
    assert!(
        seen.faults()
            .iter()
            .all(|why| why.ends_with("limit reached: nesting depth"))
    );
}

#[test]
fn a_thousand_broken_entries_are_told_and_no_more() {
    use crate::testing::zip_end;
    let lost = ZipMember::stored("lost", b"abc");
    let mut bytes = b"PK\x03\x04 and then nothing".to_vec();
    let start = bytes.len();
    let directory: Vec<u8> = (0..5000).flat_map(|_| lost.directory_entry(9)).collect();
    bytes.extend(&directory);
    bytes.extend(zip_end(5000, start, directory.len()));
    let seen = walk(&bytes);
    assert_eq!(seen.incomplete.len(), 1000);
    assert_eq!(
        seen.faults()[0],
        "lost: damaged: no header where the directory says"
    );
}
