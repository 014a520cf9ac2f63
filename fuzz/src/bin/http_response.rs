//! An engine's HTTP response of any bytes: head, framing, body.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use seaworthy_image::engine::http::read_response;

fuzz_target!(|data: &[u8]| {
    let Ok((head, mut body)) = read_response(data) else {
        return;
    };
    assert!((200..1000).contains(&head.status));
    let mut content = Vec::new();
    let _ = body.read_to_end(&mut content);
    // Framing only ever takes away.
    assert!(content.len() <= data.len());
});
