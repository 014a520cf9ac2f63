//! The files that tell a distribution, of each dialect.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_core::ImagePath;
use seaworthy_image::EntryMeta;
use seaworthy_scan::catalogers::os_release;
use seaworthy_scan::{FileMeta, Sink};

fuzz_target!(|bytes: &[u8]| {
    for path in [
        "etc/os-release",
        "etc/lsb-release",
        "etc/debian_version",
        "etc/SuSE-release",
        "etc/redhat-release",
    ] {
        let path = ImagePath::new(path);
        let entry = EntryMeta::default();
        let file = FileMeta { path: &path, entry };
        os_release::parse(&file, bytes, &mut Sink::default());
    }
});
