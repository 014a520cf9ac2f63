//! Secrets in a file: every rule, and the generic one, on any bytes.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use seaworthy_secrets::assignment::Quotes;
use seaworthy_secrets::redact::FingerprintKey;
use seaworthy_secrets::scanner::SecretScanner;

static SCANNER: LazyLock<SecretScanner> = LazyLock::new(|| {
    SecretScanner::builtin(FingerprintKey::new([0; 32])).expect("our own rules are right")
});

fuzz_target!(|bytes: &[u8]| {
    let mut end = 0;
    for found in SCANNER.find(bytes, Quotes::Optional) {
        assert!(end <= found.range.start && found.range.end <= bytes.len());
        end = found.range.end;
        SCANNER.evidence(bytes, &found, 0, None);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        SCANNER.cut_out(text);
    }
});
