//! Rule files, allow lists and baselines of users. What is taken from a gitleaks configuration
//! must compile.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_secrets::custom::CustomRules;
use seaworthy_secrets::{allow, baseline, gitleaks, rule};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(import) = gitleaks::import(text) {
        for rule in &import.file.rule {
            rule.validate().expect("what is taken compiles");
        }
    }
    let _ = rule::parse(text);
    let _ = CustomRules::default().add(text);
    let _ = baseline::Baseline::parse(text);
    if let Ok(entries) = allow::parse(text) {
        let _ = allow::AllowList::new(entries);
    }
});
