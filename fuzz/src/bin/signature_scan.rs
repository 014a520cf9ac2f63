//! A logical signature (first line) against a file (the rest).

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_signatures::{Context, SignatureSet};

fuzz_target!(|bytes: &[u8]| {
    let _ = seaworthy_signatures::html::normalise(bytes);
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let (line, file) = bytes.split_at(end);
    for name in ["a.ndb", "a.ldb"] {
        if let Ok((set, _)) = SignatureSet::build_from([(name, line)]) {
            let _ = set.scan(file, &Context::default());
            let mut scan = set.stream(&Context::default());
            scan.feed(file);
            if scan.again() {
                scan.feed(file);
            }
            let _ = scan.finish();
        }
    }
});
