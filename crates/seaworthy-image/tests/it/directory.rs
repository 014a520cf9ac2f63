//! Walks over directories.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use seaworthy_core::{ImagePath, ProblemKind};
use seaworthy_image::{
    DirectoryLayer, DirectoryMode, EntryKind, Flow, Layer, LayerError, Limits, WalkContext,
};

use crate::support::{files, kinds, walk};

#[test]
fn a_root_filesystem_is_walked_in_order_without_following_links() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    fs::create_dir_all(at("etc/sub")).unwrap();
    fs::write(at("etc/passwd"), "root").unwrap();
    fs::write(at("big"), vec![1; 1_000_000]).unwrap();
    symlink("/etc/shadow", at("etc/link")).unwrap();
    symlink("/etc", at("dirlink")).unwrap();
    fs::hard_link(at("etc/passwd"), at("etc/zz")).unwrap();
    fs::write(at("etc/.wh.x"), "no marker here").unwrap();
    let pipe = rustix::fs::mknodat(
        rustix::fs::CWD,
        at("pipe"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    );
    pipe.unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();

    let layer = DirectoryLayer::new(root.path(), DirectoryMode::RootFs, None);
    let (seen, outcome) = walk(&layer, &WalkContext::default());
    assert!(
        outcome.complete && outcome.problems.is_empty(),
        "{outcome:?}"
    );
    let list: Vec<_> = seen
        .iter()
        .map(|e| (e.path.as_str(), e.kind.clone()))
        .collect();
    assert_eq!(
        list,
        [
            ("", EntryKind::Directory),
            ("big", EntryKind::File),
            ("dirlink", EntryKind::Symlink(b"/etc".to_vec())),
            ("etc", EntryKind::Directory),
            ("etc/.wh.x", EntryKind::File),
            ("etc/link", EntryKind::Symlink(b"/etc/shadow".to_vec())),
            ("etc/passwd", EntryKind::File),
            ("etc/sub", EntryKind::Directory),
            ("etc/zz", EntryKind::HardLink(ImagePath::new("etc/passwd"))),
            ("pipe", EntryKind::Fifo),
            ("socket", EntryKind::Socket),
        ]
    );
    assert_eq!(seen[1].content, vec![1; 1_000_000]);
    assert_eq!(files(&seen)[2], ("etc/passwd", &b"root"[..]));
    assert_eq!(outcome.bytes, 1_000_000 + 14 + 4);
}

#[test]
fn an_overlay_tells_opaque_directories() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("opaque")).unwrap();
    fs::write(root.path().join("opaque/new"), "").unwrap();
    let set = rustix::fs::setxattr(
        root.path().join("opaque"),
        c"user.overlay.opaque",
        b"y",
        rustix::fs::XattrFlags::empty(),
    );
    if set.is_err() {
        println!("skipped: this file system takes no user attributes");
        return;
    }
    let diff = DirectoryLayer::new(root.path(), DirectoryMode::OverlayDiff, None);
    let (seen, _) = walk(&diff, &WalkContext::default());
    let list: Vec<_> = seen
        .iter()
        .map(|e| (e.path.as_str(), e.kind.clone()))
        .collect();
    assert_eq!(
        list[1..],
        [
            ("opaque", EntryKind::Directory),
            ("opaque", EntryKind::OpaqueDirectory),
            ("opaque/new", EntryKind::File),
        ]
    );
}

#[test]
fn an_overlay_tells_whiteout_devices() {
    let root = tempfile::tempdir().unwrap();
    let made = rustix::fs::mknodat(
        rustix::fs::CWD,
        root.path().join("gone"),
        rustix::fs::FileType::CharacterDevice,
        0o600.into(),
        0,
    );
    if made.is_err() {
        println!("skipped: making a device needs root");
        return;
    }
    for (mode, kind) in [
        (DirectoryMode::OverlayDiff, EntryKind::Whiteout),
        (DirectoryMode::RootFs, EntryKind::CharDevice),
    ] {
        let layer = DirectoryLayer::new(root.path(), mode, None);
        let (seen, _) = walk(&layer, &WalkContext::default());
        assert_eq!(seen[1].kind, kind);
    }
}

#[test]
fn a_tree_deeper_than_the_open_directories_is_walked_whole() {
    let root = tempfile::tempdir().unwrap();
    let mut path = root.path().to_path_buf();
    for _ in 0..150 {
        path.push("d");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("z"), "after the way up").unwrap();
    }
    let layer = DirectoryLayer::new(root.path(), DirectoryMode::RootFs, None);
    let (seen, outcome) = walk(&layer, &WalkContext::default());
    assert!(
        outcome.complete && outcome.problems.is_empty(),
        "{outcome:?}"
    );
    assert_eq!(files(&seen).len(), 150);
    let ctx = WalkContext {
        limits: Limits {
            path_depth: 100,
            ..Limits::default()
        },
        ..WalkContext::default()
    };
    let (seen, outcome) = walk(&layer, &ctx);
    assert_eq!(files(&seen).len(), 99);
    assert_eq!(kinds(&outcome), [ProblemKind::LimitReached; 2]);
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_told() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log");
    fs::write(&path, vec![1; 1_000_000]).unwrap();
    fs::write(root.path().join("next"), "n").unwrap();
    let layer = DirectoryLayer::new(root.path(), DirectoryMode::RootFs, None);
    let mut paths = Vec::new();
    let outcome = layer
        .walk(&WalkContext::default(), &mut |mut entry| {
            paths.push(entry.path.as_str().to_owned());
            if entry.path.as_str() == "log" {
                fs::write(&path, "short").unwrap();
                let mut buffer = Vec::new();
                entry.body.read_up_to(2_000_000, &mut buffer)?;
            }
            Ok(Flow::Continue)
        })
        .unwrap();
    assert_eq!(paths, ["", "log", "next"]);
    assert_eq!(kinds(&outcome), [ProblemKind::Unreadable]);
    assert_eq!(outcome.problems[0].path, Some(ImagePath::new("log")));
}

#[test]
fn what_may_not_be_read_is_told() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("secret"), "x").unwrap();
    fs::set_permissions(
        root.path().join("secret"),
        fs::Permissions::from_mode(0o000),
    )
    .unwrap();
    if fs::read(root.path().join("secret")).is_ok() {
        println!("skipped: root may read everything");
        return;
    }
    let layer = DirectoryLayer::new(root.path(), DirectoryMode::RootFs, None);
    let (_, outcome) = walk(&layer, &WalkContext::default());
    assert_eq!(kinds(&outcome), [ProblemKind::Unreadable]);
}

#[test]
fn a_huge_sparse_file_does_not_stop_the_others() {
    let root = tempfile::tempdir().unwrap();
    let file = fs::File::create(root.path().join("huge")).unwrap();
    file.set_len(1 << 40).unwrap();
    fs::write(root.path().join("next"), "n").unwrap();
    let layer = DirectoryLayer::new(root.path(), DirectoryMode::RootFs, None);
    let (seen, outcome) = walk(&layer, &WalkContext::default());
    assert!(seen[1].broken);
    assert_eq!(seen[2].content, b"n");
    assert_eq!(kinds(&outcome), [ProblemKind::LimitReached]);
}

#[test]
fn file_systems_of_the_kernel_are_not_entered() {
    // The host's own root has /proc mounted, wherever tests run.
    let layer = DirectoryLayer::new("/", DirectoryMode::RootFs, None);
    let mut proc_entries = 0;
    let mut outcome = None;
    let ctx = WalkContext {
        limits: Limits {
            path_depth: 1,
            ..Limits::default()
        },
        ..WalkContext::default()
    };
    if fs::metadata("/proc/self").is_ok() {
        outcome = layer
            .walk(&ctx, &mut |entry| {
                proc_entries += usize::from(entry.path.as_str().starts_with("proc/"));
                Ok(Flow::Continue)
            })
            .ok();
    }
    assert_eq!(proc_entries, 0);
    if let Some(outcome) = outcome {
        let notice = outcome.problems.iter().find(|problem| {
            problem.path == Some(ImagePath::new("proc")) && problem.kind == ProblemKind::Notice
        });
        assert!(notice.is_some(), "{:?}", outcome.problems);
    }
}

#[test]
fn a_directory_that_is_none_can_not_be_opened() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    for path in ["missing", "file"] {
        let layer = DirectoryLayer::new(root.path().join(path), DirectoryMode::RootFs, None);
        let result = layer.walk(&WalkContext::default(), &mut |_| Ok(Flow::Continue));
        assert!(matches!(result, Err(LayerError::Open { .. })));
    }
}
