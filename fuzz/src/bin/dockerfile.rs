//! Dockerfiles: instructions in order, whatever the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_lint::dockerfile::parse;

fuzz_target!(|bytes: &[u8]| {
    let mut last = 0;
    for instruction in parse(&String::from_utf8_lossy(bytes)).instructions {
        assert!(last < instruction.line && instruction.line <= instruction.last_line);
        last = instruction.line;
        let _ = (instruction.pairs(), instruction.sources_and_target(), instruction.text());
    }
});
