//! Updating from servers that behave and from servers that do not.

#![expect(
    clippy::unwrap_used,
    reason = "a test program; its helpers are outside of test functions"
)]

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use seaworthy_advisory::install::{BuildError, InstallDir, InstallError};
use seaworthy_advisory::manifest::{
    MANIFEST_FILE, Manifest, SIGNATURE_FILE, Shard, VerifyError, shard_file_name,
};
use seaworthy_advisory::signing::{LocalKey, SignatureError, TrustedKeys};
use seaworthy_advisory::update::{
    Event, FetchError, HttpOptions, Outcome, PrebuiltOptions, Progress, UpdateError, UpdateOptions,
    UpdateReport, update, update_prebuilt,
};
use seaworthy_testkit::http_files::{Fault, FileServer};

/// A zip with one record whose text cannot be compressed, so that it has some size.
fn zip_of(seed: u32) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive
        .start_file("A-1.json", zip::write::SimpleFileOptions::default())
        .unwrap();
    let mut state = seed;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(20_000)
    .collect();
    archive.write_all(&noise).unwrap();
    archive.finish().unwrap().into_inner()
}

/// A home with an installation and a cache, and a server with two ecosystems.
struct Home {
    dir: tempfile::TempDir,
    server: FileServer,
    events: RefCell<Vec<Progress>>,
    builds: RefCell<u32>,
}

impl Home {
    fn new() -> Home {
        let server = FileServer::start();
        server.put(
            "/ecosystems.txt",
            "Debian\nDebian:12\nRocky Linux\n",
            "list",
        );
        server.put("/Debian/all.zip", zip_of(1), "d1");
        server.put("/Rocky%20Linux/all.zip", zip_of(2), "r1");
        server.put("/kev.json", "{\"vulnerabilities\":[]}", "k1");
        Home {
            dir: tempfile::tempdir().unwrap(),
            server,
            events: RefCell::default(),
            builds: RefCell::default(),
        }
    }

    fn place(&self) -> InstallDir {
        InstallDir::new(self.dir.path().join("db"))
    }

    fn options(&self) -> UpdateOptions {
        let mut options = UpdateOptions::new(
            self.dir.path().join("cache"),
            "test 1",
            Timestamp::UNIX_EPOCH,
        );
        options.mirrors = vec![self.server.base().to_owned()];
        options.ecosystems = vec!["Debian".to_owned(), "Rocky Linux".to_owned()];
        options.epss_urls = Vec::new();
        options.kev_urls = vec![format!("{}/kev.json", self.server.base())];
        options.http = http();
        options
    }

    fn update(&self, change: impl FnOnce(&mut UpdateOptions)) -> Result<UpdateReport, UpdateError> {
        let mut options = self.options();
        change(&mut options);
        let mut count = |input: &Path, staging: &Path| {
            *self.builds.borrow_mut() += 1;
            copy_build(input, staging)
        };
        update(&self.place(), &options, &mut count, &mut |event| {
            self.events.borrow_mut().push(event);
        })
    }
}

fn http() -> HttpOptions {
    HttpOptions {
        stall_timeout: Duration::from_millis(400),
        connect_timeout: Duration::from_secs(2),
        retries: 1,
        backoff: Duration::from_millis(10),
        max_pause: Duration::from_millis(50),
        cool_down: None,
    }
}

/// A "compiler" that makes each archive a shard.
fn copy_build(input: &Path, staging: &Path) -> Result<Manifest, BuildError> {
    let mut manifest = Manifest::new("", Timestamp::UNIX_EPOCH);
    for entry in std::fs::read_dir(input)? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap();
        let file = shard_file_name(&name);
        let zip = entry.path().join("all.zip");
        if zip.exists() {
            std::fs::copy(zip, staging.join(&file))?;
            manifest
                .shards
                .push(Shard::of_file(&name, staging, &file, 1)?);
        }
    }
    Ok(manifest)
}

fn outcome<'a>(report: &'a UpdateReport, name: &str) -> &'a Outcome {
    let mut files = report.files.iter();
    &files.find(|(file, _)| file == name).unwrap().1
}

fn failed(outcome: &Outcome, why: &str) -> bool {
    matches!(outcome, Outcome::Failed(reason) if reason.contains(why))
}

#[test]
fn everything_is_fetched_once_and_asked_for_conditionally_after_that() {
    let home = Home::new();
    let report = home.update(|_| {}).unwrap();
    assert!(report.installed);
    assert!(matches!(
        outcome(&report, "Debian"),
        Outcome::Downloaded(20_000..)
    ));
    let names: Vec<&str> = report
        .database
        .manifest
        .shards
        .iter()
        .map(|s| s.name.as_str())
        .collect();
    assert_eq!(names, ["Debian", "Rocky Linux"]);
    let inputs = &report.database.manifest.inputs;
    assert_eq!(
        inputs.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(),
        ["Debian", "Rocky Linux", "kev"]
    );

    let again = home.update(|_| {}).unwrap();
    assert!(!again.installed);
    assert_eq!(outcome(&again, "Rocky Linux"), &Outcome::Unchanged);
    assert_eq!(*home.builds.borrow(), 1);
    let requests = home.server.requests("/Debian/all.zip");
    assert_eq!(requests[1].header("if-none-match"), Some("\"d1\""));

    home.server.put("/Debian/all.zip", zip_of(3), "d2");
    let third = home.update(|_| {}).unwrap();
    assert!(third.installed);
    assert_eq!(outcome(&third, "Rocky Linux"), &Outcome::Unchanged);
    assert_ne!(third.database.dir, report.database.dir);

    // A newer program builds the same inputs again; a smaller selection leaves one out.
    assert!(
        home.update(|options| options.builder = "test 2".to_owned())
            .unwrap()
            .installed
    );
    let less = home
        .update(|options| options.ecosystems = vec!["Debian:12".to_owned()])
        .unwrap();
    assert_eq!(less.database.manifest.shards.len(), 1);
}

#[test]
fn a_cut_download_goes_on_where_it_stopped() {
    let home = Home::new();
    home.server.fault("/Debian/all.zip", Fault::CutAfter(9_000));
    let report = home.update(|_| {}).unwrap();
    let whole = zip_of(1).len() as u64;
    assert_eq!(
        outcome(&report, "Debian"),
        &Outcome::Downloaded(whole - 9_000)
    );
    let second = &home.server.requests("/Debian/all.zip")[1];
    assert_eq!(second.header("range"), Some("bytes=9000-"));
    assert_eq!(second.header("if-range"), Some("\"d1\""));

    // Also in the next run, and from the start when the file is another one by then.
    home.server.put("/Rocky%20Linux/all.zip", zip_of(4), "r2");
    home.server
        .fault("/Rocky%20Linux/all.zip", Fault::CutAfter(5_000));
    let report = home.update(|options| options.http.retries = 0).unwrap();
    assert!(failed(outcome(&report, "Rocky Linux"), "cannot fetch"));
    assert!(
        !report.installed,
        "the former copy is still what is installed"
    );
    home.server.put("/Rocky%20Linux/all.zip", zip_of(5), "r3");
    let report = home.update(|_| {}).unwrap();
    let whole = zip_of(5).len() as u64;
    assert_eq!(outcome(&report, "Rocky Linux"), &Outcome::Downloaded(whole));
    assert_eq!(
        std::fs::read(home.dir.path().join("cache/input/Rocky Linux/all.zip")).unwrap(),
        zip_of(5)
    );
}

#[test]
fn a_range_that_is_ignored_starts_over() {
    let home = Home::new();
    home.server.fault("/Debian/all.zip", Fault::CutAfter(9_000));
    home.server.fault("/Debian/all.zip", Fault::IgnoreRange);
    let report = home.update(|_| {}).unwrap();
    let whole = zip_of(1).len() as u64;
    assert_eq!(outcome(&report, "Debian"), &Outcome::Downloaded(whole));
}

#[test]
fn a_server_that_lies_about_the_length_is_found_out() {
    let home = Home::new();
    for _ in 0..2 {
        home.server
            .fault("/Debian/all.zip", Fault::ClaimLength(30_000));
    }
    home.server
        .fault("/Rocky%20Linux/all.zip", Fault::ClaimLength(10_000));
    home.server.fault("/kev.json", Fault::ClaimLength(5 << 30));
    let error = home.update(|_| {}).unwrap_err();
    assert!(matches!(error, UpdateError::Nothing(_)), "{error}");
    let outcomes: Vec<Outcome> = home
        .events
        .borrow()
        .iter()
        .filter_map(|event| match event {
            Progress::Finished { outcome, .. } => Some(outcome.clone()),
            _ => None,
        })
        .collect();
    assert!(failed(&outcomes[0], "cannot fetch"), "{outcomes:?}");
    assert!(
        failed(&outcomes[1], "it is no whole zip archive"),
        "{outcomes:?}"
    );
    assert!(failed(&outcomes[2], "it is larger than"), "{outcomes:?}");
    // Nothing of it is taken for a beginning the next time.
    assert!(home.update(|_| {}).unwrap().installed);
}

#[test]
fn a_server_that_stalls_or_trickles_is_given_up() {
    let home = Home::new();
    home.server.fault("/Debian/all.zip", Fault::StallAfter(100));
    home.server.fault(
        "/Rocky%20Linux/all.zip",
        Fault::Drip(Duration::from_millis(5)),
    );
    let start = Instant::now();
    let report = home.update(|_| {}).unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(matches!(outcome(&report, "Debian"), Outcome::Downloaded(_)));
    let slow = home.events.borrow().iter().any(|event| {
        matches!(event, Progress::Fetching(Event::Retrying { name, reason, .. })
            if name == "Rocky Linux" && reason.contains("too slowly"))
    });
    assert!(slow, "{:?}", home.events.borrow());
}

#[test]
fn one_missing_ecosystem_is_reported_and_the_others_installed() {
    let home = Home::new();
    home.update(|_| {}).unwrap();
    home.server.remove("/Rocky%20Linux/all.zip");
    let report = home.update(|_| {}).unwrap();
    assert_eq!(outcome(&report, "Rocky Linux"), &Outcome::Absent);
    assert!(report.installed);
    assert_eq!(report.database.manifest.shards.len(), 1);

    let report = home
        .update(|options| options.ecosystems.push("Haiku".to_owned()))
        .unwrap();
    assert_eq!(outcome(&report, "Haiku"), &Outcome::Absent);
    assert!(
        home.server.requests("/Haiku/all.zip").is_empty(),
        "the list has no such name"
    );
}

#[test]
fn a_broken_archive_does_not_replace_the_former_one() {
    let home = Home::new();
    let before = home.update(|_| {}).unwrap();
    let mut half = zip_of(6);
    half.truncate(12_000);
    home.server.put("/Debian/all.zip", half, "d2");
    let mut flipped = zip_of(7);
    flipped[1_000] ^= 1;
    home.server.put("/Rocky%20Linux/all.zip", flipped, "r2");
    home.server.put("/kev.json", "{\"vulnerabilities\":[", "k2");
    let report = home.update(|_| {}).unwrap();
    for name in ["Debian", "Rocky Linux", "kev"] {
        assert!(
            failed(outcome(&report, name), "it is no whole"),
            "{report:?}"
        );
    }
    assert!(!report.installed);
    assert_eq!(report.database, before.database);
}

#[test]
fn mirrors_take_over_and_a_busy_server_names_the_pause() {
    let home = Home::new();
    let report = home
        .update(|options| options.mirrors.insert(0, "http://127.0.0.1:1".to_owned()))
        .unwrap();
    assert!(report.installed);

    home.server.put("/Debian/all.zip", zip_of(8), "d8");
    let headers = vec![("Retry-After".to_owned(), "3600".to_owned())];
    home.server
        .fault("/Debian/all.zip", Fault::Status(429, headers));
    home.events.borrow_mut().clear();
    let report = home.update(|_| {}).unwrap();
    assert!(matches!(outcome(&report, "Debian"), Outcome::Downloaded(_)));
    let pause = home.events.borrow().iter().find_map(|event| match event {
        Progress::Fetching(Event::Retrying { pause, .. }) => Some(*pause),
        _ => None,
    });
    assert_eq!(
        pause,
        Some(Duration::from_millis(50)),
        "cut to the longest pause"
    );
}

#[test]
fn two_updates_do_not_share_a_cache_at_once() {
    let home = Home::new();
    let mut nested = None;
    let options = home.options();
    update(
        &home.place(),
        &options,
        &mut |input, staging| {
            nested = home.update(|_| {}).err();
            copy_build(input, staging)
        },
        &mut |_| {},
    )
    .unwrap();
    assert!(matches!(nested, Some(UpdateError::Busy(_))));
}

const CHILD: &str = "SEAWORTHY_TEST_UPDATE_FROM";

/// Not a test of its own: the process that gets killed.
#[test]
fn child_that_updates() {
    let Some(spec) = std::env::var_os(CHILD) else {
        println!("skipped: runs as a child of another test");
        return;
    };
    let spec = spec.into_string().unwrap();
    let (base, home) = spec.split_once(' ').unwrap();
    let home = PathBuf::from(home);
    let mut options = UpdateOptions::new(home.join("cache"), "test 1", Timestamp::UNIX_EPOCH);
    options.mirrors = vec![base.to_owned()];
    options.ecosystems = vec!["Debian".to_owned()];
    options.epss_urls = Vec::new();
    options.kev_urls = Vec::new();
    let place = InstallDir::new(home.join("db"));
    update(&place, &options, &mut copy_build, &mut |_| {}).unwrap();
}

#[test]
fn a_killed_update_leaves_the_database_and_its_download_goes_on() {
    let home = Home::new();
    let small = |options: &mut UpdateOptions| {
        options.ecosystems.truncate(1);
        options.kev_urls.clear();
    };
    let before = home.update(small).unwrap();
    home.server.put("/Debian/all.zip", zip_of(9), "d9");
    home.server
        .fault("/Debian/all.zip", Fault::StallAfter(7_000));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_updates"])
        .env(
            CHILD,
            format!("{} {}", home.server.base(), home.dir.path().display()),
        )
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let partial = || {
        let entries = std::fs::read_dir(home.dir.path().join("cache/partial")).unwrap();
        entries
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .max()
    };
    let start = Instant::now();
    while partial() < Some(7_000) && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let place = home.place();
    let keys = place.pinned_keys().unwrap();
    assert_eq!(
        place.open(&keys, Timestamp::UNIX_EPOCH).unwrap(),
        before.database
    );

    let report = home.update(small).unwrap();
    assert!(report.installed);
    let last = home.server.requests("/Debian/all.zip").pop().unwrap();
    assert_eq!(last.header("range"), Some("bytes=7000-"));
    assert_eq!(
        std::fs::read(home.dir.path().join("cache/input/Debian/all.zip")).unwrap(),
        zip_of(9)
    );
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let home = Home::new();
    let disk = home.dir.path().join("cache");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"])
        .arg(&disk)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: mounting a small file system needs root");
        return;
    }
    let big: Vec<u8> = (0..12).flat_map(zip_of).collect();
    home.server.put("/Debian/all.zip", big, "big");
    let report = home.update(|_| {});
    home.server.put("/Debian/all.zip", zip_of(1), "small");
    let after = home.update(|_| {});
    Command::new("umount").arg(&disk).output().unwrap();
    let report = report.unwrap();
    assert!(
        failed(outcome(&report, "Debian"), "cannot write"),
        "{report:?}"
    );
    assert!(matches!(
        outcome(&after.unwrap(), "Debian"),
        Outcome::Downloaded(_)
    ));
}

/// A mirror with a compiled database.
struct Prebuilt {
    dir: tempfile::TempDir,
    server: FileServer,
    key: LocalKey,
}

impl Prebuilt {
    fn new() -> Prebuilt {
        Prebuilt {
            dir: tempfile::tempdir().unwrap(),
            server: FileServer::start(),
            key: LocalKey::generate().unwrap(),
        }
    }

    /// Publishes a database with the shards `a` and `b`.
    fn publish(&self, serial: i64, a: &str, b: &str, expires: Option<i64>) {
        let staging = tempfile::tempdir().unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut manifest = Manifest::new("mirror", at(serial));
        manifest.expires = expires.map(at);
        for (name, content) in [("a", a), ("b", b)] {
            let file = format!("{name}.shard");
            std::fs::write(staging.path().join(&file), content).unwrap();
            self.server.put(&format!("/{file}"), content, content);
            let shard = Shard::of_file(name, staging.path(), &file, 1).unwrap();
            manifest.shards.push(shard);
        }
        let bytes = manifest.to_bytes().unwrap();
        let etag = |bytes: &[u8]| format!("{serial}-{}", bytes.len());
        let signature = self.key.sign(&bytes);
        self.server.put(
            &format!("/{SIGNATURE_FILE}"),
            signature.as_slice(),
            &etag(&signature),
        );
        self.server.put(
            &format!("/{MANIFEST_FILE}"),
            bytes.as_slice(),
            &etag(&bytes),
        );
    }

    fn update(&self, keys: TrustedKeys, force: bool) -> Result<UpdateReport, UpdateError> {
        let options = PrebuiltOptions {
            mirrors: vec![self.server.base().to_owned()],
            keys,
            cache: self.dir.path().join("cache"),
            http: http(),
            force,
            now: Timestamp::from_second(1_000).unwrap(),
        };
        update_prebuilt(
            &InstallDir::new(self.dir.path().join("db")),
            &options,
            &mut |_| {},
        )
    }

    fn keys(&self) -> TrustedKeys {
        TrustedKeys::new([self.key.public()])
    }
}

#[test]
fn a_signed_database_is_fetched_and_only_what_changed_the_next_time() {
    let mirror = Prebuilt::new();
    mirror.publish(1, "alpha", "beta", Some(2_000));
    assert!(mirror.update(mirror.keys(), false).unwrap().installed);
    assert!(!mirror.update(mirror.keys(), false).unwrap().installed);
    mirror.publish(2, "alpha", "BETA", Some(2_000));
    let report = mirror.update(mirror.keys(), false).unwrap();
    assert!(report.installed);
    assert_eq!(mirror.server.requests("/a.shard").len(), 1);
    assert_eq!(mirror.server.requests("/b.shard").len(), 2);
    assert_eq!(
        std::fs::read_to_string(report.database.dir.join("b.shard")).unwrap(),
        "BETA"
    );
}

#[test]
fn a_foreign_key_an_old_serial_and_an_expired_manifest_are_refused() {
    let mirror = Prebuilt::new();
    mirror.publish(5, "alpha", "beta", None);
    let stranger = TrustedKeys::new([LocalKey::generate().unwrap().public()]);
    assert!(matches!(
        mirror.update(stranger, false),
        Err(UpdateError::Install(InstallError::Verify(
            VerifyError::Signature(SignatureError::UnknownKey(_))
        )))
    ));
    assert!(
        mirror.server.requests("/a.shard").is_empty(),
        "nothing is fetched before trust"
    );
    mirror.update(mirror.keys(), false).unwrap();

    mirror.publish(4, "old", "old", None);
    assert!(matches!(
        mirror.update(mirror.keys(), false),
        Err(UpdateError::Install(InstallError::Rollback {
            new: 4,
            installed: 5
        }))
    ));
    assert!(mirror.update(mirror.keys(), true).unwrap().installed);

    mirror.publish(6, "new", "new", Some(999));
    assert!(matches!(
        mirror.update(mirror.keys(), false),
        Err(UpdateError::Install(InstallError::Verify(
            VerifyError::Expired(_)
        )))
    ));
}

#[test]
fn a_shard_with_another_digest_is_refused_and_the_old_database_stays() {
    let mirror = Prebuilt::new();
    mirror.publish(1, "alpha", "beta", None);
    mirror.update(mirror.keys(), false).unwrap();
    mirror.publish(2, "alpha2", "beta2", None);
    mirror.server.put("/b.shard", "evil!", "evil");
    assert!(matches!(
        mirror.update(mirror.keys(), false),
        Err(UpdateError::Fetch(FetchError::Broken { .. }))
    ));
    let place = InstallDir::new(mirror.dir.path().join("db"));
    let now = Timestamp::from_second(1_000).unwrap();
    let verified = place.verify(&mirror.keys(), now).unwrap();
    assert_eq!(verified.manifest.serial, 1);
}
