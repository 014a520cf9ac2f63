//! Signature files of every kind, and their containers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_signatures::SignatureSet;
use seaworthy_signatures::cvd::Container;

fuzz_target!(|bytes: &[u8]| {
    let _ = Container::read(bytes);
    let _ = SignatureSet::from_bytes(bytes.to_vec());
    for name in ["a.hdb", "a.mdb", "a.fp", "a.ndb", "a.ldb", "a.ign2"] {
        let _ = SignatureSet::build_from([(name, bytes)]);
    }
});
