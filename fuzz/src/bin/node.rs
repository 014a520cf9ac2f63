#![no_main]
//! `package.json` files.

use libfuzzer_sys::fuzz_target;
use seaworthy_scan::ProblemList;
use seaworthy_scan::catalogers::node;

fuzz_target!(|data: &[u8]| {
    node::parse_package_json(data, &mut ProblemList::default());
});
