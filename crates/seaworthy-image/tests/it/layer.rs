//! Walks over layers stored as archives.

use std::io::{self, Read};
use std::sync::Arc;

use proptest::prelude::*;
use seaworthy_core::{ImagePath, ProblemKind};
use seaworthy_image::{
    Blob, BlobLayer, EntryKind, Flow, Layer, LayerError, Limits, MemoryBlob, WalkContext,
};
use seaworthy_testkit::tar::{pax_record, push_end, push_member, set_checksum};
use seaworthy_testkit::{Compression, LayerBuilder, TarHeader, sha256};

use crate::support::{Seen, digest, files, kinds, layer_of, walk};

const COMPRESSIONS: [Compression; 4] = [
    Compression::None,
    Compression::Gzip,
    Compression::GzipMembers,
    Compression::Zstd,
];

/// Walks the uncompressed layer and expects it to be whole.
#[track_caller]
fn whole(builder: &LayerBuilder) -> (Vec<Seen>, Vec<ProblemKind>) {
    let (seen, outcome) = walk(
        &layer_of(&builder.build(Compression::None)),
        &WalkContext::default(),
    );
    assert!(outcome.complete, "{:?}", outcome.problems);
    (seen, kinds(&outcome))
}

#[test]
fn every_kind_of_entry_comes_as_what_it_is() {
    let builder = LayerBuilder::new()
        .dir("etc/")
        .owner(1000, 3_000_000)
        .mtime(-5)
        .pax("SCHILY.xattr.security.capability", [1, 0, 0, 2])
        .file_with_mode("bin/ping", 0o4755, b"\x7fELF")
        .symlink("etc/out", "../../../etc/shadow")
        .hardlink("bin/ping4", "./bin/ping")
        .device("dev/null", b'3', 1, 3)
        .device("dev/sda", b'4', 8, 0)
        .fifo("run/pipe");
    for compression in COMPRESSIONS {
        let built = builder.build(compression);
        let (seen, outcome) = walk(&layer_of(&built), &WalkContext::default());
        assert!(
            outcome.complete && outcome.problems.is_empty(),
            "{outcome:?}"
        );
        assert_eq!(outcome.diff_id, Some(digest(&built.diff_id)));
        assert_eq!(outcome.entries, 7);
        let list: Vec<_> = seen.iter().map(|e| (e.path.as_str(), &e.kind)).collect();
        let target = EntryKind::Symlink(b"../../../etc/shadow".to_vec());
        let link = EntryKind::HardLink(ImagePath::new("bin/ping"));
        assert_eq!(
            list,
            [
                ("etc", &EntryKind::Directory),
                ("bin/ping", &EntryKind::File),
                ("etc/out", &target),
                ("bin/ping4", &link),
                ("dev/null", &EntryKind::CharDevice),
                ("dev/sda", &EntryKind::BlockDevice),
                ("run/pipe", &EntryKind::Fifo),
            ]
        );
        let ping = &seen[1];
        assert_eq!(ping.content, b"\x7fELF");
        assert_eq!(ping.meta.mode, 0o4755);
        assert_eq!((ping.meta.uid, ping.meta.gid), (1000, 3_000_000));
        assert_eq!(ping.meta.mtime, -5);
        assert!(ping.meta.has_capabilities && !seen[2].meta.has_capabilities);
    }
}

#[test]
fn whiteouts_name_what_they_delete() {
    let (seen, problems) = whole(
        &LayerBuilder::new()
            .whiteout("etc/passwd")
            .whiteout("top")
            .opaque("var/lib")
            .file(b".wh.odd\xff", b"")
            .file(".wh..wh.aufs", b"")
            .file(".wh..wh.orph/x", b"")
            .file(".wh..wh.plnk/12.34", b"linked")
            .hardlink("bin/sh", ".wh..wh.plnk/12.34"),
    );
    let list: Vec<_> = seen
        .iter()
        .map(|e| (e.path.as_str(), e.kind.clone()))
        .collect();
    assert_eq!(
        list,
        [
            ("etc/passwd", EntryKind::Whiteout),
            ("top", EntryKind::Whiteout),
            ("var/lib", EntryKind::OpaqueDirectory),
            ("odd\\xff", EntryKind::Whiteout),
            (".wh..wh.plnk/12.34", EntryKind::File),
            (
                "bin/sh",
                EntryKind::HardLink(ImagePath::new(".wh..wh.plnk/12.34"))
            ),
        ]
    );
    assert!(problems.is_empty());
}

#[test]
fn names_and_links_that_leave_the_root_are_told_and_left_out() {
    let (seen, problems) = whole(
        &LayerBuilder::new()
            .file("../../etc/cron.d/evil", b"x")
            .file("a/../../b", b"x")
            .hardlink("link", "../../etc/shadow")
            .file("dir/.wh...", b"")
            .file("dir/.wh.", b"")
            .file(".", b"root")
            .file("/etc/absolute", b"kept")
            .pax("path", b"nul\0nul")
            .file("x", b"x"),
    );
    assert_eq!(files(&seen), [("etc/absolute", &b"kept"[..])]);
    let unsafe_paths = problems
        .iter()
        .filter(|kind| **kind == ProblemKind::UnsafePath)
        .count();
    assert_eq!((unsafe_paths, problems.len()), (7, 8), "{problems:?}");
    assert!(problems.contains(&ProblemKind::Notice));
}

#[test]
fn long_names_are_read_in_both_dialects() {
    let path = format!("{}/end", "long-directory-name/".repeat(20));
    let target = "t".repeat(300);
    for builder in [LayerBuilder::new(), LayerBuilder::new().gnu_names()] {
        let (seen, problems) = whole(
            &builder
                .file(&path, b"content")
                .symlink("link", &target)
                .file("short", b""),
        );
        assert!(problems.is_empty());
        assert_eq!(seen[0].path, path.replace("//", "/"));
        assert_eq!(seen[1].kind, EntryKind::Symlink(target.clone().into()));
        assert_eq!(seen[2].path, "short");
    }
}

#[test]
fn the_ustar_prefix_belongs_to_the_name() {
    let mut header = TarHeader::new("name", b'0', 0);
    header.tail = b"some/prefix".to_vec();
    let mut v7 = TarHeader::new("old/dir/", 0, 0);
    v7.magic = [0; 8];
    let (seen, _) = whole(&LayerBuilder::new().raw(&header, b"").raw(&v7, b""));
    assert_eq!(seen[0].path, "some/prefix/name");
    assert_eq!(
        (seen[1].path.as_str(), &seen[1].kind),
        ("old/dir", &EntryKind::Directory)
    );
}

#[test]
fn a_global_header_changes_nothing_and_is_told() {
    let records = [pax_record("path", b"renamed"), pax_record("comment", b"c")].concat();
    let global = TarHeader::new("pax_global_header", b'g', records.len() as u64);
    let (seen, problems) = whole(&LayerBuilder::new().raw(&global, &records).file("a", b"1"));
    assert_eq!(files(&seen), [("a", &b"1"[..])]);
    assert_eq!(problems, [ProblemKind::Notice]);
}

#[test]
fn links_and_directories_have_no_body_whatever_their_size_says() {
    let mut link = TarHeader::new("link", b'1', 4096);
    link.link = b"a".to_vec();
    let dir = TarHeader::new("dir", b'5', 512);
    let (seen, problems) = whole(
        &LayerBuilder::new()
            .file("a", b"1")
            .bytes(&link.block())
            .bytes(&dir.block())
            .file("b", b"2"),
    );
    assert_eq!(files(&seen), [("a", &b"1"[..]), ("b", b"2")]);
    assert!(problems.is_empty());
}

#[test]
fn an_extended_size_and_a_base_256_size_are_taken() {
    let mut binary = TarHeader::new("b", b'0', 3).block();
    binary[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\0\0\0\0\x03");
    set_checksum(&mut binary);
    let (seen, _) = whole(
        &LayerBuilder::new()
            .pax("size", "5")
            .raw(&TarHeader::new("a", b'0', 0), b"")
            .bytes(&[])
            .bytes(&binary)
            .bytes(&[&b"xyz"[..], &[0; 509]].concat()),
    );
    // The record waits for an entry of the builder, so only the binary size counts here.
    assert_eq!(files(&seen), [("a", &b""[..]), ("b", b"xyz")]);

    let records = pax_record("size", b"5");
    let extended = TarHeader::new("x", b'x', records.len() as u64);
    let (seen, _) = whole(
        &LayerBuilder::new()
            .raw(&extended, &records)
            .raw(&TarHeader::new("a", b'0', 0), b"12345"),
    );
    assert_eq!(files(&seen), [("a", &b"12345"[..])]);
}

#[test]
fn sparse_files_read_as_whole_files_in_all_encodings() {
    let expected = b"\0\0\0\0head\0\0\0\0\0\0tail\0\0";
    let map = "4,4,14,4";
    let sparse_1_0 = {
        let mut body = b"2\n4\n4\n14\n4\n".to_vec();
        body.resize(512, 0);
        body.extend_from_slice(b"headtail");
        LayerBuilder::new()
            .pax("GNU.sparse.major", "1")
            .pax("GNU.sparse.minor", "0")
            .pax("GNU.sparse.name", "real")
            .pax("GNU.sparse.realsize", "20")
            .file("GNUSparseFile.1/real", body)
    };
    let sparse_0_1 = LayerBuilder::new()
        .pax("GNU.sparse.size", "20")
        .pax("GNU.sparse.numblocks", "2")
        .pax("GNU.sparse.name", "real")
        .pax("GNU.sparse.map", map)
        .file("GNUSparseFile.1/real", b"headtail");
    let sparse_0_0 = LayerBuilder::new()
        .pax("GNU.sparse.size", "20")
        .pax("GNU.sparse.offset", "4")
        .pax("GNU.sparse.numbytes", "4")
        .pax("GNU.sparse.offset", "14")
        .pax("GNU.sparse.numbytes", "4")
        .file("real", b"headtail");
    let old_gnu = {
        let mut block = TarHeader::new("real", b'S', 8).block();
        block[257..265].copy_from_slice(b"ustar  \0");
        block[345..].fill(0);
        block[386..397].copy_from_slice(b"00000000004");
        block[398..409].copy_from_slice(b"00000000004");
        block[482] = 1;
        block[483..494].copy_from_slice(b"00000000024");
        set_checksum(&mut block);
        let mut more = [0; 512];
        more[..11].copy_from_slice(b"00000000016");
        more[12..23].copy_from_slice(b"00000000004");
        let mut body = b"headtail".to_vec();
        body.resize(512, 0);
        LayerBuilder::new().bytes(&block).bytes(&more).bytes(&body)
    };
    for builder in [sparse_1_0, sparse_0_1, sparse_0_0, old_gnu] {
        let (seen, problems) = whole(&builder.file("next", b"n"));
        assert_eq!(files(&seen), [("real", &expected[..]), ("next", b"n")]);
        assert!(problems.is_empty(), "{problems:?}");
    }
}

#[test]
fn a_sparse_map_that_lies_leaves_the_stored_bytes() {
    let (seen, problems) = whole(
        &LayerBuilder::new()
            .pax("GNU.sparse.size", "4")
            .pax("GNU.sparse.map", "0,100")
            .file("a", b"stored")
            .file("b", b"next"),
    );
    assert_eq!(files(&seen), [("a", &b"stored"[..]), ("b", b"next")]);
    assert_eq!(problems, [ProblemKind::Malformed]);
}

#[test]
fn a_file_of_holes_is_not_read_and_the_rest_is() {
    let (seen, problems) = whole(
        &LayerBuilder::new()
            .pax("GNU.sparse.size", "9000000000000000000")
            .pax("GNU.sparse.map", "0,1")
            .file("bomb", b"x")
            .file("next", b"n"),
    );
    assert!(seen[0].broken && seen[0].content.is_empty());
    assert_eq!(seen[1].content, b"n");
    assert_eq!(problems, [ProblemKind::LimitReached]);
}

#[test]
fn a_repeated_name_is_visited_each_time() {
    let (seen, _) = whole(&LayerBuilder::new().file("a", b"1").dir("a").file("a", b"2"));
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2].content, b"2");
}

#[test]
fn what_hides_behind_an_end_marker_is_told() {
    let mut tar = LayerBuilder::new().file("seen", b"1").tar();
    tar.extend(LayerBuilder::new().file("hidden", b"2").tar());
    let layer = BlobLayer::new(Arc::new(MemoryBlob::new(tar, "x")), None, None);
    let (seen, outcome) = walk(&layer, &WalkContext::default());
    assert_eq!(files(&seen), [("seen", &b"1"[..])]);
    assert!(outcome.complete);
    assert_eq!(kinds(&outcome), [ProblemKind::Notice]);

    // Behind one block of zeros instead of two, readers differ: so it is visited and told.
    let (seen, problems) = whole(
        &LayerBuilder::new()
            .file("a", b"1")
            .bytes(&[0; 512])
            .file("b", b"2"),
    );
    assert_eq!(seen.len(), 2);
    assert_eq!(problems, [ProblemKind::Malformed]);
}

#[test]
fn a_wrong_digest_is_a_problem_of_the_layer() {
    let builder = LayerBuilder::new().file("a", vec![7; 300_000]);
    for compression in COMPRESSIONS {
        let mut built = builder.build(compression);
        for single_thread in [true, false] {
            let ctx = WalkContext {
                single_thread,
                ..WalkContext::default()
            };
            let blob = Arc::new(MemoryBlob::new(built.bytes.clone(), "x"));
            let wrong = digest(&sha256(b"other"));
            for (diff_id, blob_digest) in [
                (Some(wrong.clone()), None),
                (None, Some(wrong.clone())),
                (Some(wrong.clone()), Some(digest(&built.digest))),
            ] {
                let layer = BlobLayer::new(blob.clone(), diff_id, blob_digest);
                let (seen, outcome) = walk(&layer, &ctx);
                assert_eq!(seen.len(), 1);
                assert_eq!(kinds(&outcome), [ProblemKind::DigestMismatch]);
                assert!(!outcome.complete);
            }
        }
        let skipped = WalkContext {
            skip_verify: true,
            ..WalkContext::default()
        };
        built.diff_id = sha256(b"other");
        let (_, outcome) = walk(&layer_of(&built), &skipped);
        assert!(outcome.complete && outcome.diff_id.is_none());
    }
}

#[test]
fn sha512_digests_are_verified_too() {
    let tar = LayerBuilder::new().file("a", b"1").tar();
    let right = seaworthy_image::digest_of(seaworthy_core::DigestAlgorithm::Sha512, &tar);
    let blob = Arc::new(MemoryBlob::new(tar, "x"));
    let layer = BlobLayer::new(blob.clone(), Some(right.clone()), None);
    let (_, outcome) = walk(&layer, &WalkContext::default());
    assert!(outcome.complete && outcome.diff_id.as_ref() == Some(&right));
    // Two algorithms at once need two hashes of the same bytes.
    let sha256 = digest(&sha256(&LayerBuilder::new().file("a", b"1").tar()));
    let layer = BlobLayer::new(blob, Some(right), Some(sha256));
    assert!(walk(&layer, &WalkContext::default()).1.complete);
}

#[test]
fn limits_stop_a_layer_and_keep_what_was_seen() {
    let check = |builder: &LayerBuilder, limits: Limits, seen_files: usize, complete: bool| {
        let ctx = WalkContext {
            limits,
            ..WalkContext::default()
        };
        let (seen, outcome) = walk(&layer_of(&builder.build(Compression::Gzip)), &ctx);
        assert_eq!(seen.len(), seen_files);
        assert_eq!(outcome.complete, complete);
        assert_eq!(kinds(&outcome), [ProblemKind::LimitReached]);
    };
    let many = (0..10).fold(LayerBuilder::new(), |b, i| b.file(format!("f{i}"), b"x"));
    check(
        &many,
        Limits {
            layer_entries: 4,
            ..Limits::default()
        },
        4,
        false,
    );
    let deep = LayerBuilder::new()
        .file("a/".repeat(300) + "x", b"1")
        .file("y", b"2");
    check(&deep, Limits::default(), 1, true);
    let hundred_thousand_deep = LayerBuilder::new()
        .file("a/".repeat(100_000) + "x", b"1")
        .file("y", b"2");
    check(&hundred_thousand_deep, Limits::default(), 1, true);
    let zeros = LayerBuilder::new()
        .file("small", b"1")
        .file("zeros", vec![0; 8 << 20]);
    let limits = Limits {
        ratio_floor_bytes: 1 << 20,
        ..Limits::default()
    };
    check(&zeros, limits, 2, false);
}

#[test]
fn many_bad_names_make_a_bounded_list() {
    let builder = (0..1000).fold(LayerBuilder::new(), |b, i| b.file(format!("../{i}"), b""));
    let (_, outcome) = walk(
        &layer_of(&builder.build(Compression::None)),
        &WalkContext::default(),
    );
    assert_eq!(outcome.problems.len(), 257);
    let last = outcome.problems.last().unwrap();
    assert!(last.message.starts_with("744 more"), "{}", last.message);
}

#[test]
fn an_oversized_extended_header_ends_the_layer() {
    let builder = LayerBuilder::new()
        .pax("comment", vec![b'x'; 2 << 20])
        .file("a", b"1");
    let (seen, outcome) = walk(
        &layer_of(&builder.build(Compression::None)),
        &WalkContext::default(),
    );
    assert!(seen.is_empty() && !outcome.complete);
    assert_eq!(kinds(&outcome), [ProblemKind::LimitReached]);
}

#[test]
fn a_layer_that_is_no_archive_says_so() {
    let layer = BlobLayer::new(Arc::new(MemoryBlob::new(vec![b'x'; 2000], "x")), None, None);
    let (seen, outcome) = walk(&layer, &WalkContext::default());
    assert!(seen.is_empty() && !outcome.complete);
    assert_eq!(kinds(&outcome), [ProblemKind::Malformed]);
    let xz = BlobLayer::new(
        Arc::new(MemoryBlob::new(b"\xfd7zXZ\0\0\0".to_vec(), "x")),
        None,
        None,
    );
    let (_, outcome) = walk(&xz, &WalkContext::default());
    assert_eq!(kinds(&outcome), [ProblemKind::Unsupported]);
}

#[test]
fn a_million_tiny_entries_pass() {
    let block = TarHeader::new("x", b'0', 0).block();
    let mut tar = Vec::with_capacity(512 * 1_000_002);
    for _ in 0..1_000_000 {
        tar.extend_from_slice(&block);
    }
    push_end(&mut tar);
    let layer = BlobLayer::new(Arc::new(MemoryBlob::new(tar, "x")), None, None);
    let mut count = 0;
    let outcome = layer
        .walk(&WalkContext::default(), &mut |_| {
            count += 1;
            Ok(Flow::Continue)
        })
        .unwrap();
    assert!(outcome.complete);
    assert_eq!(count, 1_000_000);
}

#[test]
fn stopping_cancelling_and_failing_end_the_walk_with_threads_too() {
    let builder = (0..50).fold(LayerBuilder::new(), |b, i| {
        // Random enough not to compress to nothing.
        let content: Vec<u8> = (0..100_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761 + i) >> 13).to_le_bytes()[0])
            .collect();
        b.file(format!("f{i}"), content)
    });
    let layer = layer_of(&builder.build(Compression::Gzip));
    for single_thread in [true, false] {
        let ctx = WalkContext {
            single_thread,
            ..WalkContext::default()
        };
        let outcome = layer.walk(&ctx, &mut |_| Ok(Flow::Stop)).unwrap();
        assert!(!outcome.complete && outcome.problems.is_empty());
        assert_eq!(outcome.entries, 1);

        let failed = layer.walk(&ctx, &mut |_| Err(io::Error::other("full")));
        assert!(matches!(failed, Err(LayerError::Visit { .. })));

        let cancelled = layer.walk(&ctx, &mut |_| {
            ctx.cancel.cancel();
            Ok(Flow::Continue)
        });
        assert!(matches!(cancelled, Err(LayerError::Cancelled)));
    }
}

/// A blob that gives few bytes at a time, and breaks off with an error if asked to.
struct Trickle {
    bytes: Arc<[u8]>,
    step: usize,
    fails: bool,
}

impl Blob for Trickle {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(TrickleReader {
            bytes: Arc::clone(&self.bytes),
            position: 0,
            step: self.step,
            fails: self.fails,
        }))
    }

    fn len(&self) -> Option<u64> {
        None
    }

    fn name(&self) -> String {
        "trickle".into()
    }
}

struct TrickleReader {
    bytes: Arc<[u8]>,
    position: usize,
    step: usize,
    fails: bool,
}

impl Read for TrickleReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.len() - self.position;
        if left == 0 && self.fails {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "reset"));
        }
        let count = left.min(self.step).min(buffer.len());
        buffer[..count].copy_from_slice(&self.bytes[self.position..][..count]);
        self.position += count;
        Ok(count)
    }
}

#[test]
fn a_connection_that_dies_half_way_leaves_what_came() {
    let built = LayerBuilder::new()
        .file("first", b"1")
        .file("second", vec![b'2'; 4000])
        .build(Compression::None);
    let layer = BlobLayer::new(
        Arc::new(Trickle {
            bytes: built.bytes[..2500].into(),
            step: 7,
            fails: true,
        }),
        Some(digest(&built.diff_id)),
        None,
    );
    let (seen, outcome) = walk(&layer, &WalkContext::default());
    assert_eq!(seen.len(), 2);
    assert!(seen[1].broken && seen[1].content.len() == 2500 - 1536);
    assert!(!outcome.complete);
    assert_eq!(kinds(&outcome), [ProblemKind::Unreadable]);
    assert!(outcome.problems[0].message.contains("reset"));
}

#[test]
fn a_cut_at_any_byte_is_told_and_never_panics() {
    let builder = LayerBuilder::new()
        .dir("etc")
        .pax("SCHILY.xattr.security.capability", "x")
        .file("etc/passwd", b"root:x:0:0")
        .file("n".repeat(150), b"long")
        .whiteout("gone");
    let ctx = WalkContext {
        single_thread: true,
        ..WalkContext::default()
    };
    for compression in COMPRESSIONS {
        let built = builder.build(compression);
        for cut in 0..built.bytes.len() {
            let blob = Arc::new(MemoryBlob::new(built.bytes[..cut].to_vec(), "cut"));
            let unverified = BlobLayer::new(blob.clone(), None, None);
            let (_, outcome) = walk(&unverified, &ctx);
            // Nothing at all is an empty layer; what lost only a part of its end marker, or
            // whole gzip members, can be told by its digest alone.
            if !outcome.complete {
                assert!(!outcome.problems.is_empty(), "{compression:?} {cut}");
            }
            let verified = BlobLayer::new(blob, Some(digest(&built.diff_id)), None);
            let (_, outcome) = walk(&verified, &ctx);
            let lost_nothing = outcome.diff_id == Some(digest(&built.diff_id));
            assert_eq!(outcome.complete, lost_nothing, "{compression:?} {cut}");
            assert_eq!(outcome.problems.is_empty(), lost_nothing);
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    // `.wh.` has a meaning of its own and its own tests.
    proptest::collection::vec("[a-z0-9_\u{e4}][a-z.]{0,40}", 1..6).prop_map(|parts| parts.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_layer_gives_back_what_was_put_in(
        entries in proptest::collection::vec(
            (name(), 0_u8..5, proptest::collection::vec(any::<u8>(), 0..3000), any::<bool>()),
            0..20
        ),
        compression in 0_usize..4,
        step in 1_usize..600,
        single_thread in any::<bool>(),
        gnu in any::<bool>(),
    ) {
        let mut builder = LayerBuilder::new();
        if gnu {
            builder = builder.gnu_names();
        }
        let mut expected = Vec::new();
        for (path, kind, content, executable) in entries {
            let mut body = Vec::new();
            let entry;
            (builder, entry) = match kind {
                0 => (builder.dir(&path), EntryKind::Directory),
                1 => (builder.symlink(&path, &content.escape_ascii().to_string()[..content.len().min(150)]),
                    EntryKind::Symlink(content.escape_ascii().to_string()[..content.len().min(150)].into())),
                2 => (builder.whiteout(&path), EntryKind::Whiteout),
                _ => {
                    body.clone_from(&content);
                    let mode = if executable { 0o755 } else { 0o600 };
                    (builder.file_with_mode(&path, mode, content), EntryKind::File)
                }
            };
            expected.push((path, entry, body));
        }
        let built = builder.build(COMPRESSIONS[compression]);
        let layer = BlobLayer::new(
            Arc::new(Trickle { bytes: built.bytes.into(), step, fails: false }),
            Some(digest(&built.diff_id)),
            Some(digest(&built.digest)),
        );
        let ctx = WalkContext { single_thread, ..WalkContext::default() };
        let (seen, outcome) = walk(&layer, &ctx);
        prop_assert!(outcome.complete && outcome.problems.is_empty(), "{:?}", outcome);
        let seen: Vec<_> = seen.into_iter().map(|e| (e.path, e.kind, e.content)).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn any_bytes_end_in_a_value(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        let layer = BlobLayer::new(Arc::new(MemoryBlob::new(bytes, "x")), None, None);
        walk(&layer, &WalkContext::default());
    }

    #[test]
    fn damaged_headers_end_in_a_value(
        hits in proptest::collection::vec((0_usize..4096, any::<u8>()), 1..8)
    ) {
        let mut tar = LayerBuilder::new()
            .pax("GNU.sparse.map", "0,1,5,2")
            .pax("GNU.sparse.size", "9")
            .file("a", b"abc")
            .file("b".repeat(120), vec![3; 700])
            .tar();
        for (at, byte) in hits {
            let at = at % tar.len();
            tar[at] = byte;
            let block = at / 512 * 512;
            if let Ok(header) = <&mut [u8; 512]>::try_from(&mut tar[block..block + 512]) {
                // So that the damage gets past the checksum.
                if &header[257..262] == b"ustar" {
                    set_checksum(header);
                }
            }
        }
        let layer = BlobLayer::new(Arc::new(MemoryBlob::new(tar, "x")), None, None);
        let (_, outcome) = walk(&layer, &WalkContext::default());
        prop_assert!(outcome.complete || !outcome.problems.is_empty());
    }
}

#[test]
fn a_big_body_that_straddles_blocks_is_streamed() {
    let big: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n % 251).to_le_bytes()[0])
        .collect();
    let builder = LayerBuilder::new()
        .file("small", b"1")
        .file("big", &big)
        .file("middle", &big[..700_000])
        .file("last", b"2");
    for compression in COMPRESSIONS {
        let (seen, outcome) = walk(
            &layer_of(&builder.build(compression)),
            &WalkContext::default(),
        );
        assert!(outcome.complete, "{outcome:?}");
        assert_eq!(seen[1].content, big);
        assert_eq!(seen[2].content, big[..700_000]);
        assert_eq!(seen[3].content, b"2");
    }
}

#[test]
fn unread_bodies_are_skipped() {
    let mut tar = Vec::new();
    push_member(
        &mut tar,
        &TarHeader::new("big", b'0', 3_000_000),
        &vec![1; 3_000_000],
    );
    push_member(&mut tar, &TarHeader::new("next", b'0', 1), b"n");
    push_end(&mut tar);
    let layer = BlobLayer::new(Arc::new(MemoryBlob::new(tar, "x")), None, None);
    let mut paths = Vec::new();
    let outcome = layer
        .walk(&WalkContext::default(), &mut |mut entry| {
            let mut buffer = Vec::new();
            let head = entry.body.read_up_to(4, &mut buffer)?;
            paths.push((entry.path.as_str().to_owned(), head.to_vec()));
            Ok(Flow::Continue)
        })
        .unwrap();
    assert!(outcome.complete);
    assert_eq!(
        paths,
        [("big".into(), vec![1; 4]), ("next".into(), vec![b'n'])]
    );
}
