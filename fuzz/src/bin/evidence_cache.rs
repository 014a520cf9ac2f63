//! Entries of the evidence cache: as they are, and as the content of a valid envelope,
//! since no fuzzer guesses a checksum.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_core::Digest;
use seaworthy_scan::cache::decode;
use xxhash_rust::xxh3::xxh3_64;

const KEY: u64 = 7;

fuzz_target!(|bytes: &[u8]| {
    let diff_id = Digest::from_sha256([1; 32]);
    let _ = decode(bytes, &diff_id, KEY);
    let Ok(packed) = zstd::bulk::compress(bytes, 1) else {
        return;
    };
    for packed in [&packed[..], bytes] {
        let mut entry = b"SWEVID\x01\x00".to_vec();
        entry.extend_from_slice(&KEY.to_le_bytes());
        entry.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        let checksum = xxh3_64(&[&entry[..], packed].concat());
        entry.extend_from_slice(&checksum.to_le_bytes());
        entry.extend_from_slice(packed);
        let _ = decode(&entry, &diff_id, KEY);
    }
});
