//! Any bytes as an OSV record, through every publisher's interpreter, and into a shard.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_advisory::AdvisoryDb;
use seaworthy_advisory::osv::OsvRecord;
use seaworthy_advisory::publishers::{PUBLISHERS, interpret, scores};

fuzz_target!(|data: &[u8]| {
    if let Ok(record) = OsvRecord::parse(data) {
        for publisher in PUBLISHERS {
            let _ = interpret(publisher, &record, None);
            let _ = scores(publisher, &record);
        }
        let (db, _) = AdvisoryDb::of_documents(&[data]).expect("one record fits into a shard");
        assert_eq!(db.verify(), []);
    }
});
