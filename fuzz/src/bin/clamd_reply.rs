//! Lines of a ClamAV daemon.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_signatures::clamd::{ClamdVersion, Reply};

fuzz_target!(|bytes: &[u8]| {
    for number in [None, Some(1)] {
        let reply = Reply::parse(bytes, number);
        // Clean is never said without the word.
        assert!(reply != Reply::Clean || bytes.windows(4).any(|word| word == b": OK"));
    }
    let _ = ClamdVersion::parse(bytes);
});
