//! Private keys, public keys, key files and tokens in any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_secrets::jwt::web_token;
use seaworthy_secrets::keys::{key_file, private_key, public_keys};

fuzz_target!(|bytes: &[u8]| {
    let _ = private_key(bytes);
    let _ = key_file(bytes);
    let _ = web_token(bytes);
    assert!(public_keys(bytes).len() <= 64);
});
