//! Files of dpkg's database, of each kind.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_core::ImagePath;
use seaworthy_image::EntryMeta;
use seaworthy_scan::catalogers::dpkg;
use seaworthy_scan::{FileMeta, Sink};

fuzz_target!(|bytes: &[u8]| {
    for path in [
        "var/lib/dpkg/status",
        "var/lib/dpkg/info/a:amd64.list",
        "var/lib/dpkg/info/a.md5sums",
        "usr/lib/opkg/status",
    ] {
        let path = ImagePath::new(path);
        let entry = EntryMeta::default();
        let file = FileMeta { path: &path, entry };
        dpkg::parse(&file, bytes, &mut Sink::default());
    }
});
