//! Any bytes as a file of the database: an error or answers, never a crash.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_advisory::cve::CveNumber;
use seaworthy_advisory::shard::{
    AdvisoryShard, CvssShard, EpssShard, KevShard, ShardBytes, TextCache, TextShard, rehash,
};

fuzz_target!(|data: &[u8]| {
    // With hashes that fit, or everything ends at the first one.
    let mut bytes = data.to_vec();
    rehash(&mut bytes);
    let bytes = || ShardBytes::Owned(bytes.clone());
    if let Ok(shard) = AdvisoryShard::open(bytes()) {
        let mut names = Vec::new();
        let _ = shard.for_each_name(|name| names.push(name.to_owned()));
        for name in &names {
            for row in shard.rows(name).unwrap_or_default() {
                let _ = (shard.range_set(&row), shard.module(&row), shard.advisory(row.advisory));
            }
        }
        let _ = shard.advisories_with_id("CVE-2024-1");
    }
    if let Ok(shard) = TextShard::open(bytes()) {
        let _ = shard.get(0, &mut TextCache::default());
        let _ = shard.verify();
    }
    if let Some(cve) = CveNumber::parse("CVE-2021-44228") {
        let _ = EpssShard::open(bytes()).map(|shard| shard.get(cve));
        let _ = KevShard::open(bytes()).map(|shard| shard.get(cve));
        let _ = CvssShard::open(bytes()).map(|shard| shard.get(cve));
    }
});
