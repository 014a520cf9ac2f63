//! Decompression of a layer: ours beside the fastest whole-buffer decoder and the fastest
//! streaming one that the registry has.
//!
//! The layers are made here (text, tables, machine-code-like and random bytes in the
//! proportions of a small distribution) and, where the corpus folder exists
//! (`$SEAWORTHY_CORPUS`, default `../shared/corpus`), real ones. Only ratios within one
//! run mean something.
#![expect(
    clippy::cast_possible_truncation,
    reason = "numbers below 256 become bytes"
)]
#![expect(
    clippy::print_stderr,
    reason = "a bench tells its reader what it leaves out"
)]

use std::io::{BufRead, Read, Write};
use std::path::PathBuf;
use std::sync::OnceLock;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use flate2::Compression;
use flate2::write::GzEncoder;
use seaworthy_image::inflate::GzipReader;

fn main() {
    divan::main();
}

/// A gzip file and the length of what is in it.
struct Sample {
    name: &'static str,
    gzip: Vec<u8>,
    length: usize,
}

/// Names of the samples that can be made here, for the benches' arguments.
fn names() -> impl Iterator<Item = &'static str> {
    samples().iter().map(|sample| sample.name)
}

fn samples() -> &'static [Sample] {
    static SAMPLES: OnceLock<Vec<Sample>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let made = layer_like(24 << 20);
        let mut samples = vec![
            sample("made", deflated(&made, 6)),
            sample("made-level-1", deflated(&made, 1)),
            sample("zeros", deflated(&vec![0; 24 << 20], 6)),
        ];
        let images = corpus().join("images");
        if let Ok(file) = std::fs::File::open(images.join("debian-11-minbase-rootfs.tar.zst")) {
            let mut tar = Vec::new();
            let read = zstd::Decoder::new(file).and_then(|mut decoder| {
                decoder.window_log_max(27)?;
                decoder.read_to_end(&mut tar)
            });
            read.expect("the corpus file is whole");
            samples.push(sample("debian-11", deflated(&tar, 6)));
        }
        if let Ok(gzip) = std::fs::read(images.join("alpine-minirootfs-3.20.3-x86_64.tar.gz")) {
            samples.push(sample("alpine-3.20", gzip));
        }
        if samples.len() < 5 {
            eprintln!("real layers skipped: no corpus");
        }
        samples
    })
}

fn corpus() -> PathBuf {
    std::env::var_os("SEAWORTHY_CORPUS").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/corpus"
            ))
        },
        PathBuf::from,
    )
}

fn sample(name: &'static str, gzip: Vec<u8>) -> Sample {
    let length = stream_ours(&gzip);
    Sample { name, gzip, length }
}

fn deflated(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("memory does not fail")
}

/// Bytes that compress like a distribution's files: 35 % text, 10 % tables of numbers, 45 %
/// something like machine code, 8 % zeros, 2 % random.
fn layer_like(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let words: Vec<Vec<u8>> = (0..4000)
        .map(|_| {
            (0..2 + random(9))
                .map(|_| b"etaoinshrdlucmfwypvbgkqjxz"[random(26).min(random(26)) as usize])
                .collect()
        })
        .collect();
    // Instruction sequences repeat with other registers and offsets.
    let phrases: Vec<Vec<u8>> = (0..3000)
        .map(|_| {
            (0..3 + random(40).min(random(40)))
                .map(|_| (random(256).min(random(256))) as u8)
                .collect()
        })
        .collect();
    let mut bytes = Vec::with_capacity(length + 4096);
    while bytes.len() < length {
        let end = bytes.len() + 8192 + random(65536) as usize;
        let kind = random(100);
        while bytes.len() < end {
            match kind {
                0..35 => {
                    bytes.extend(&words[random(4000).min(random(4000)) as usize]);
                    bytes.push(if random(9) == 0 { b'\n' } else { b' ' });
                }
                35..45 => {
                    bytes.extend((end as u64 + bytes.len() as u64 * 24).to_le_bytes());
                    bytes.extend((random(400) as u32).to_le_bytes());
                }
                45..90 => {
                    bytes.extend(&phrases[random(3000).min(random(3000)) as usize]);
                    bytes.push(random(64).min(random(64)) as u8);
                }
                90..98 => bytes.extend([0; 512]),
                _ => bytes.extend(random(u64::MAX).to_le_bytes()),
            }
        }
    }
    bytes.truncate(length);
    bytes
}

fn stream_ours(gzip: &[u8]) -> usize {
    let mut reader = GzipReader::new(gzip);
    let mut total = 0;
    loop {
        let n = black_box(reader.fill_buf().expect("the sample is whole")).len();
        if n == 0 {
            return total;
        }
        reader.consume(n);
        total += n;
    }
}

fn with_sample(bencher: Bencher<'_, '_>, name: &str, mut run: impl FnMut(&Sample)) {
    if let Some(sample) = samples().iter().find(|sample| sample.name == name) {
        bencher
            .counter(BytesCount::new(sample.length))
            .bench_local(|| run(sample));
    }
}

#[divan::bench(args = names(), sample_count = 15, sample_size = 1)]
fn ours_streaming(bencher: Bencher<'_, '_>, name: &str) {
    with_sample(bencher, name, |sample| {
        black_box(stream_ours(&sample.gzip));
    });
}

/// Its buffer is there before, so that the decoder alone is measured, not fresh pages.
#[divan::bench(args = names(), sample_count = 15, sample_size = 1)]
fn libdeflate_whole_buffer(bencher: Bencher<'_, '_>, name: &str) {
    let mut out = Vec::new();
    with_sample(bencher, name, |sample| {
        out.resize(sample.length, 1);
        let n = libdeflater::Decompressor::new().gzip_decompress(&sample.gzip, &mut out);
        assert_eq!(n, Ok(sample.length));
        black_box(&mut out);
    });
}

#[divan::bench(args = names(), sample_count = 15, sample_size = 1)]
fn zlib_rs_streaming(bencher: Bencher<'_, '_>, name: &str) {
    with_sample(bencher, name, |sample| {
        let mut reader = flate2::bufread::MultiGzDecoder::new(&sample.gzip[..]);
        let mut buffer = vec![0; 64 << 10];
        while black_box(reader.read(&mut buffer).expect("the sample is whole")) > 0 {}
    });
}
