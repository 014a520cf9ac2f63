//! Manifests, indexes and image configurations of any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_image::{Document, choose_manifest, parse_config, parse_document};

fuzz_target!(|data: &[u8]| {
    if let Ok(Document::Index(index)) = parse_document(data) {
        let _ = choose_manifest(&index, None);
        let _ = choose_manifest(&index, "linux/arm/v7".parse().ok().as_ref());
    }
    let _ = parse_config(data);
});
