//! A layer of any bytes: sniffing, decompression, the tar reader, whiteouts, limits.
#![no_main]

use std::io::Read;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use seaworthy_image::{BlobLayer, Body, Flow, Layer, Limits, MemoryBlob, WalkContext};

/// Makes header checksums fit, so that what is found lies behind them.
fn mend(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    for block in data.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    data
}

fuzz_target!(|data: &[u8]| {
    let data = mend(data);
    let layer = BlobLayer::new(Arc::new(MemoryBlob::new(data, "fuzz")), None, None);
    let ctx = WalkContext {
        limits: Limits {
            layer_bytes: 1 << 24,
            ratio_floor_bytes: 1 << 20,
            ..Limits::default()
        },
        single_thread: true,
        ..WalkContext::default()
    };
    let outcome = layer.walk(&ctx, &mut |mut entry| {
        if let Body::Reader(reader) = &mut entry.body {
            let read = std::io::copy(&mut reader.take(1 << 20), &mut std::io::sink());
            assert!(read.is_err() || read.is_ok_and(|n| n == entry.meta.size.min(1 << 20)));
        }
        Ok(Flow::Continue)
    });
    let outcome = outcome.expect("nothing but a visitor's error or a cancel fails");
    assert!(outcome.complete || !outcome.problems.is_empty());
});
