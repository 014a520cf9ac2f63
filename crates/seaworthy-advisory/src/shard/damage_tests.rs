//! A damaged shard is an error or gives the same answers, and never a crash.

use super::*;
use crate::osv::OsvRecord;
use crate::publishers::{interpret, publisher_of};
use crate::version::VersionScheme;

fn small_shard() -> Vec<u8> {
    let mut writer = AdvisoryShardWriter::new("PyPI", VersionScheme::Pep440);
    for n in 0..12 {
        let json = format!(
            r#"{{"id":"PYSEC-{n}","aliases":["CVE-2024-{n}"],"affected":[{{"package":{{"ecosystem":"PyPI",
            "name":"p{}"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"{n}"}},{{"fixed":"{}"}}]}}],
            "versions":["{n}.post1","0.{n}"]}}]}}"#,
            n % 5,
            n + 1
        );
        let record = OsvRecord::parse(json.as_bytes()).unwrap();
        let advisory = interpret(publisher_of(&record.id).unwrap(), &record, None).unwrap();
        writer.add(advisory, n);
    }
    writer.finish().unwrap()
}

/// Everything a shard says, as text.
fn read_all(shard: &AdvisoryShard) -> Result<String, ShardError> {
    let mut all = String::new();
    let mut names = Vec::new();
    shard.for_each_name(|name| names.push(name.to_owned()))?;
    for name in names {
        for row in shard.rows(&name)? {
            let set = shard.range_set(&row)?;
            let mut buffer = Vec::new();
            let fixed = shard.only_fixed(&row, &mut buffer)?;
            all.push_str(&format!(
                "{name} {row:?} {set:?} {fixed:?} {:?}\n",
                shard.advisory(row.advisory)?
            ));
        }
    }
    all.push_str(&format!("{:?}", shard.advisories_with_id("CVE-2024-3")?));
    Ok(all)
}

#[test]
fn every_flipped_byte_and_every_cut_is_an_error() {
    let good = small_shard();
    let whole = AdvisoryShard::open(good.clone().into()).unwrap();
    assert!(read_all(&whole).unwrap().contains("PYSEC-3"));
    for at in 0..good.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            assert!(AdvisoryShard::open(bad.into()).is_err(), "byte {at}");
        }
        assert!(
            AdvisoryShard::open(good[..at].to_vec().into()).is_err(),
            "cut at {at}"
        );
    }
}

#[test]
fn a_shard_written_wrongly_with_right_hashes_is_an_error_and_no_crash() {
    // The same damage, but with hashes that fit: what a hostile builder could sign.
    let good = small_shard();
    for at in 0..good.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            rehash(&mut bad);
            if let Ok(shard) = AdvisoryShard::open(bad.into()) {
                let _ = read_all(&shard);
            }
        }
    }
}
