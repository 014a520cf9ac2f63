#![no_main]
//! Metadata of Python distributions.

use libfuzzer_sys::fuzz_target;
use seaworthy_scan::ProblemList;
use seaworthy_scan::catalogers::python;

fuzz_target!(|data: &[u8]| {
    python::parse_metadata(data, &mut ProblemList::default());
});
