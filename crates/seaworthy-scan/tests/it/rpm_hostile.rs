//! rpm databases made to hurt: loops, lengths and places out of range, shared bytes.

use std::time::{Duration, Instant};

use seaworthy_core::ProblemKind;
use seaworthy_scan::ProblemList;
use seaworthy_scan::catalogers::rpm;
use seaworthy_testkit::rpmdb::{self, RpmHeader};

use crate::catalog::{find, mangle, put};
use crate::rpm::{FILE, blobs, large, nodejs, openssl};

/// Reads a database that must not take long, and gives its packages and problems.
#[track_caller]
fn survive(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let start = Instant::now();
    let database = rpm::parse_database(bytes);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    let names = database
        .packages
        .iter()
        .map(|record| record.name.clone())
        .collect();
    let problems = database
        .problems
        .into_items()
        .into_iter()
        .map(|(_, message)| message);
    (names, problems.collect())
}

/// Place of the first page of a kind in a Berkeley DB fixture.
fn bdb_page(bytes: &[u8], kind: u8) -> usize {
    (0..bytes.len())
        .step_by(512)
        .skip(1)
        .find(|page| bytes[page + 25] == kind)
        .expect("a page")
}

#[test]
fn a_bdb_chain_that_loops_ends() {
    let mut bytes = rpmdb::bdb(&[large().build(), nodejs().build()], false, true);
    let page = bdb_page(&bytes, 7);
    let itself = u32::try_from(page / 512).expect("small").to_le_bytes();
    put(&mut bytes, page + 16, &itself);
    let (names, problems) = survive(&bytes);
    // The rest of the file still counts, and so does the name in the first page.
    assert_eq!(names, ["large", "nodejs"]);
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("used twice")),
        "{problems:?}"
    );
}

#[test]
fn bdb_lengths_beyond_the_file_are_refused() {
    let bytes = rpmdb::bdb(&[large().build(), nodejs().build()], false, true);
    let hash = |bytes: &[u8]| {
        (0..bytes.len()).step_by(512).find(|page| {
            bytes[page + 25] == 13
                && bytes[page + 28..page + 30] != [0; 2]
                && bytes
                    [*page + usize::from(u16::from_le_bytes([bytes[page + 28], bytes[page + 29]]))]
                    == 3
        })
    };
    let page = hash(&bytes).expect("a page with an overflow item");
    let item = page + usize::from(u16::from_le_bytes([bytes[page + 28], bytes[page + 29]]));
    for len in [u32::MAX, 1 << 30, 1] {
        let mut bytes = bytes.clone();
        put(&mut bytes, item + 8, &len.to_le_bytes());
        let (names, problems) = survive(&bytes);
        assert_eq!(names, ["nodejs"]);
        assert!(!problems.is_empty());
    }
    // An item cut short: the value begins where the key does, less a few bytes.
    let mut cut = bytes.clone();
    let key_at = u16::from_le_bytes([bytes[page + 26], bytes[page + 27]]);
    put(&mut cut, page + 28, &(key_at - 6).to_le_bytes());
    let (names, problems) = survive(&cut);
    assert_eq!(names, ["nodejs"]);
    assert_eq!(problems.len(), 1);
}

#[test]
fn bdb_page_sizes_and_item_places_are_checked() {
    let good = rpmdb::bdb(&blobs(), false, true);
    for size in [0u32, 1, 511, 513, 1 << 17, u32::MAX] {
        let mut bytes = good.clone();
        put(&mut bytes, 20, &size.to_le_bytes());
        let (names, problems) = survive(&bytes);
        assert_eq!((names.len(), problems.len()), (0, 1), "{size}");
    }
    let page = bdb_page(&good, 13);
    for at in [0u16, 27, 511, 512, u16::MAX] {
        let mut bytes = good.clone();
        put(&mut bytes, page + 26, &at.to_le_bytes());
        survive(&bytes);
    }
    for count in [1u16, 3, 500, u16::MAX] {
        let mut bytes = good.clone();
        put(&mut bytes, page + 20, &count.to_le_bytes());
        assert_eq!(survive(&bytes).1.len(), 1);
    }
}

#[test]
fn an_encrypted_bdb_is_said_to_be_one() {
    let mut bytes = rpmdb::bdb(&blobs(), false, true);
    bytes[24] = 1;
    let (names, problems) = survive(&bytes);
    assert_eq!(names, [""; 0]);
    assert_eq!(
        problems,
        ["the database is encrypted or has page checksums"]
    );
}

#[test]
fn ndb_slots_that_share_a_blob_end_with_the_file() {
    let mut bytes = rpmdb::ndb(&[large().build()]);
    let slot: Vec<u8> = bytes[32..48].to_vec();
    for at in (48..4096).step_by(16) {
        put(&mut bytes, at, &slot);
    }
    let (names, problems) = survive(&bytes);
    // The slot page makes room for a few repetitions, not for 254.
    assert!(names.len() < 5, "{}", names.len());
    assert_eq!(problems, ["packages overlap"]);
}

#[test]
fn an_ndb_checksum_that_is_wrong_is_said_and_the_package_kept() {
    let mut bytes = rpmdb::ndb(&[nodejs().build(), openssl().build()]);
    let at = find(&bytes, b"AlmaLinux");
    put(&mut bytes, at, b"BlmaLinux");
    let (names, problems) = survive(&bytes);
    assert_eq!(names, ["nodejs", "openssl-libs"]);
    assert_eq!(problems, ["package 1 does not match its checksum"]);
}

#[test]
fn ndb_fields_out_of_range_are_refused() {
    let good = rpmdb::ndb(&[nodejs().build(), openssl().build()]);
    // Block, number of blocks, and the blob's own length.
    for (at, expected) in [(40, 1), (44, 1), (4096 + 12, 1)] {
        for value in [u32::MAX, 1 << 30] {
            let mut bytes = good.clone();
            put(&mut bytes, at, &value.to_le_bytes());
            let (names, problems) = survive(&bytes);
            assert_eq!((names.len(), problems.len()), (1, expected), "{at} {value}");
        }
    }
    let mut bytes = good.clone();
    put(&mut bytes, 12, &u32::MAX.to_le_bytes());
    assert!(!survive(&bytes).1.is_empty());
    let mut bytes = good;
    put(&mut bytes, 4, &7u32.to_le_bytes());
    assert_eq!(survive(&bytes).1, ["ndb version 7 is not known"]);
}

#[test]
fn sqlite_page_sizes_are_checked() {
    let good = rpmdb::sqlite(&blobs(), 512);
    for size in [0u16, 2, 511, 513] {
        let mut bytes = good.clone();
        put(&mut bytes, 16, &size.to_be_bytes());
        let (names, problems) = survive(&bytes);
        assert_eq!((names.len(), problems.len()), (0, 1), "{size}");
    }
    let mut bytes = good;
    bytes[20] = 255;
    assert_eq!(survive(&bytes).1.len(), 1);
}

#[test]
fn sqlite_trees_and_chains_that_loop_end() {
    let good = rpmdb::sqlite(&blobs(), 512);
    // The root's right-most child becomes the root itself.
    let mut bytes = good.clone();
    put(&mut bytes, 512 + 8, &2u32.to_be_bytes());
    let (names, problems) = survive(&bytes);
    assert_eq!(names, ["openssl-libs", "nodejs", "large"]);
    assert_eq!(
        problems,
        ["page 2 is used twice, a loop or a forged pointer"]
    );
    // The first overflow page of `large` leads to itself.
    let next = |page: usize| u32::from_be_bytes([0, 1, 2, 3].map(|i| good[page * 512 + i]));
    let page = (2..good.len() / 512).find(|page| good[page * 512] == 0 && next(*page) != 0);
    let page = page.expect("an overflow page with a next one");
    let itself = u32::try_from(page + 1).expect("small");
    let mut bytes = good.clone();
    put(&mut bytes, page * 512, &itself.to_be_bytes());
    let (names, problems) = survive(&bytes);
    assert_eq!(names.len(), 4);
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("used twice")),
        "{problems:?}"
    );
}

#[test]
fn sqlite_cells_outside_of_their_page_are_skipped() {
    let good = rpmdb::sqlite(&[nodejs().build(), openssl().build()], 1024);
    let leaf = 2 * 1024;
    for at in [1023u16, 1024, u16::MAX] {
        let mut bytes = good.clone();
        put(&mut bytes, leaf + 8, &at.to_be_bytes());
        let (names, problems) = survive(&bytes);
        assert_eq!((names.len(), problems.len()), (1, 1), "{at}");
    }
    // A payload of 2^62 bytes.
    let mut bytes = good.clone();
    let cell = leaf + usize::from(u16::from_be_bytes([bytes[leaf + 8], bytes[leaf + 9]]));
    put(&mut bytes, cell, &[0xff; 8]);
    assert_eq!(survive(&bytes).0, ["openssl-libs"]);
    // More cells than a page holds, all at one place.
    let mut bytes = good;
    put(&mut bytes, leaf + 3, &u16::MAX.to_be_bytes());
    assert!(survive(&bytes).0.contains(&"openssl-libs".to_owned()));
}

#[test]
fn sqlite_cells_that_share_bytes_are_not_read_without_end() {
    // One page of 64 KiB, 20,000 pointers to one cell of 20,000 bytes.
    let mut header = RpmHeader::new("shared", "1", "1");
    header = header.raw(9999, 7, 20_000, vec![0; 20_000]);
    let mut bytes = rpmdb::sqlite(&[header.build()], 65536);
    let leaf = 2 * 65536;
    let cell = [bytes[leaf + 8], bytes[leaf + 9]];
    put(&mut bytes, leaf + 3, &20_000u16.to_be_bytes());
    for i in 0..20_000 {
        put(&mut bytes, leaf + 8 + 2 * i, &cell);
    }
    let (names, problems) = survive(&bytes);
    assert!(names.len() <= 4, "{}", names.len());
    assert!(problems.iter().any(|problem| problem.contains("overlap")));
}

#[test]
fn headers_that_claim_too_much_are_refused() {
    for (entries, data) in [
        (u32::MAX, 0u32),
        (1 << 31, 16),
        (0, 0),
        (0x1_0000, 0),
        (1, u32::MAX),
        (3, 1 << 28),
    ] {
        let mut blob = openssl().build();
        put(&mut blob, 0, &entries.to_be_bytes());
        put(&mut blob, 4, &data.to_be_bytes());
        let mut problems = ProblemList::default();
        let record = rpm::parse_header(&blob, &mut Default::default(), &mut problems);
        assert_eq!(record, None, "{entries} {data}");
        assert_eq!(problems.len(), 1);
    }
}

#[test]
fn a_directory_name_multiplied_by_files_stops_at_the_budget() {
    let long = format!("/{}/", "d".repeat(4000));
    let header = (0..2000).fold(RpmHeader::new("bomb", "1", "1"), |header, i| {
        header.file(&long, &i.to_string(), FILE, "")
    });
    let mut budget = rpm::PathBudget { bytes: 1 << 20 };
    let mut problems = ProblemList::default();
    let record = rpm::parse_header(&header.build(), &mut budget, &mut problems).expect("a record");
    assert!(record.files.len() < 263, "{}", record.files.len());
    let problems = problems.into_items();
    assert_eq!(problems[0].0, ProblemKind::LimitReached);
}

#[test]
fn a_package_that_claims_files_outside_of_the_root_is_a_problem() {
    let header = RpmHeader::new("a", "1", "1")
        .file("/../", "etc", FILE, "")
        .file("/etc/", "a", FILE, "");
    let mut problems = ProblemList::default();
    let record = rpm::parse_header(&header.build(), &mut Default::default(), &mut problems);
    assert_eq!(record.expect("a record").files.len(), 1);
    assert_eq!(problems.into_items()[0].0, ProblemKind::UnsafePath);
}

#[test]
fn truncated_and_changed_databases_never_panic() {
    // Small, but with a chain of overflow pages.
    let chained = nodejs().raw(9999, 7, 900, vec![7; 900]);
    let small = [openssl(), chained].map(|header| header.build());
    for bytes in [
        rpmdb::bdb(&small, false, true),
        rpmdb::bdb(&small, true, false),
        rpmdb::ndb(&small),
        rpmdb::sqlite(&small, 512),
    ] {
        mangle(&bytes, 1, |bytes| {
            rpm::parse_database(bytes);
        });
    }
    mangle(&openssl().build(), 1, |bytes| {
        rpm::parse_header(bytes, &mut Default::default(), &mut ProblemList::default());
    });
}
