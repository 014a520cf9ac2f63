#![no_main]
//! SQLite files.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    if let Some(head) = bytes.get_mut(..16) {
        head.copy_from_slice(b"SQLite format 3\0");
    }
    seaworthy_scan::catalogers::rpm::parse_database(&bytes);
});
