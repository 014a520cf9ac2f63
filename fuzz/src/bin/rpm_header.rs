#![no_main]
//! rpm header blobs.

use libfuzzer_sys::fuzz_target;
use seaworthy_scan::ProblemList;
use seaworthy_scan::catalogers::rpm;

fuzz_target!(|data: &[u8]| {
    let mut problems = ProblemList::default();
    let mut budget = rpm::PathBudget { bytes: 1 << 20 };
    if let Some(record) = rpm::parse_header(data, &mut budget, &mut problems) {
        rpm::evidence(record, &mut problems);
    }
});
