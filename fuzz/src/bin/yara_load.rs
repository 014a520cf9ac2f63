//! A YARA rule file, its rules over a few bytes.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use seaworthy_signatures::yara::{RuleEngine, ScanLimits, YaraFile, YaraRules};

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() > 4096 {
        return;
    }
    let limits = ScanLimits {
        timeout: Duration::from_secs(1),
        max_bytes: 1 << 16,
    };
    let files = [("a.yar".to_owned(), bytes.to_vec()), ("b.yar".to_owned(), bytes.to_vec())];
    let (rules, _) = YaraRules::from_files(&files, limits);
    let _ = rules.scan(b"\x7fELF\x02 abc 123 abc \0", &YaraFile::default());
    let _ = rules.revision();
});
