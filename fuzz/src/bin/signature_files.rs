//! Signature files of every kind, their containers, increments and detached signatures.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_signatures::SignatureSet;
use seaworthy_signatures::cdiff::{Cdiff, Files};
use seaworthy_signatures::cvd::{Container, verify_sign};
use seaworthy_signatures::sign::Certificate;

fuzz_target!(|bytes: &[u8]| {
    let _ = Container::read(bytes);
    let _ = SignatureSet::from_bytes(bytes.to_vec());
    if let Ok(cdiff) = Cdiff::read(bytes, true) {
        let _ = cdiff.apply(&Files::new());
    }
    let _ = Certificate::from_der(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Certificate::from_pem(text);
        let _ = verify_sign(b"file", text, &[]);
    }
    for name in [
        "a.hdb", "a.mdb", "a.fp", "a.ndb", "a.ldb", "a.cdb", "a.ign2",
    ] {
        let _ = SignatureSet::build_from([(name, bytes)]);
    }
});
