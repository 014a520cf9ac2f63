//! Names of images: what is accepted can stand in a URL, and reads the same once completed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_image::registry::RegistryReference;

fuzz_target!(|text: &str| {
    let Ok(name) = RegistryReference::parse(text) else {
        return;
    };
    let path = &name.repository;
    assert!(
        path.bytes()
            .all(|b| b.is_ascii_graphic() && !b"?#%\\".contains(&b))
    );
    assert!(!path.split('/').any(|part| part.is_empty() || part == ".."));
    let again = RegistryReference::parse(&name.to_string()).expect("its own full name is one");
    assert_eq!(again, name);
});
