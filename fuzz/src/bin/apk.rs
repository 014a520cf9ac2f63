//! apk's installed database.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_core::ImagePath;
use seaworthy_image::EntryMeta;
use seaworthy_scan::catalogers::apk;
use seaworthy_scan::{FileMeta, Sink};

fuzz_target!(|bytes: &[u8]| {
    for path in ["lib/apk/db/installed"] {
        let path = ImagePath::new(path);
        let entry = EntryMeta::default();
        let file = FileMeta { path: &path, entry };
        apk::parse(&file, bytes, &mut Sink::default());
    }
});
