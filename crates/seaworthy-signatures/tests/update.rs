//! Updating from mirrors that behave and from mirrors that do not.

#![expect(
    clippy::unwrap_used,
    reason = "a test program; its helpers are outside of test functions"
)]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use seaworthy_fetch::{CoolDown, Event, HttpOptions, Outcome};
use seaworthy_signatures::Context;
use seaworthy_signatures::install::{InstallDir, Installed};
use seaworthy_signatures::manifest::Trust;
use seaworthy_signatures::update::{
    Progress, UpdateError, UpdateOptions, UpdateReport, build, update,
};
use seaworthy_testkit::cvd::container;
use seaworthy_testkit::http_files::{Fault, FileServer};

const TIME: &str = "22 Jun 2021 21-34 -0400";

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A body signature that finds `word`, and some bytes that can't be compressed, so that the
/// container has some size.
fn database(name: &str, version: u32, word: &str) -> Vec<u8> {
    let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut state = version;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{state:08x}")
    })
    .take(3_000)
    .collect();
    let text = format!("Test.{word}:0:*:{hex}\n# {noise}\n");
    let file = format!("{name}.ndb");
    container(name, version, TIME, &[(&file, text.as_bytes())])
}

/// A home with an installation and a cache, and a mirror with two databases.
struct Home {
    dir: tempfile::TempDir,
    server: FileServer,
    events: RefCell<Vec<Progress>>,
}

impl Home {
    fn new() -> Home {
        let home = Home {
            dir: tempfile::tempdir().unwrap(),
            server: FileServer::start(),
            events: RefCell::default(),
        };
        home.publish("main", 1, "alpha");
        home.publish("daily", 7, "beta");
        home
    }

    fn publish(&self, name: &str, version: u32, word: &str) {
        let bytes = database(name, version, word);
        let tag = format!("{name}-{version}-{word}");
        self.server.put(&format!("/{name}.cvd"), bytes, &tag);
    }

    fn place(&self) -> InstallDir {
        InstallDir::new(self.dir.path().join("signatures"))
    }

    fn options(&self) -> UpdateOptions {
        options(self.server.base(), self.dir.path())
    }

    fn update(&self, change: impl FnOnce(&mut UpdateOptions)) -> Result<UpdateReport, UpdateError> {
        let mut options = self.options();
        change(&mut options);
        update(&self.place(), &options, &mut |event| {
            self.events.borrow_mut().push(event);
        })
    }

    /// What the installed set finds in a text with all words.
    fn finds(&self) -> Vec<String> {
        let Some(installed) = self.place().current().unwrap() else {
            return Vec::new();
        };
        found(&installed)
    }
}

fn found(installed: &Installed) -> Vec<String> {
    installed.verify().unwrap();
    let set = installed.open().unwrap();
    let text = b"\0alpha beta gamma delta";
    let scan = set.scan(text, &Context::default());
    let names = scan.detections.into_iter().map(|found| found.name);
    names.map(|name| name.replace("Test.", "")).collect()
}

fn options(base: &str, home: &Path) -> UpdateOptions {
    let mut options = UpdateOptions::new(home.join("cache"), "test 1", start());
    options.mirrors = vec![base.to_owned()];
    options.databases = vec!["main".to_owned(), "daily".to_owned()];
    options.allow_unsigned = true;
    options.http = HttpOptions {
        stall_timeout: Duration::from_millis(400),
        connect_timeout: Duration::from_secs(2),
        retries: 1,
        backoff: Duration::from_millis(10),
        max_pause: Duration::from_millis(50),
        cool_down: Some(CoolDown::new(start())),
    };
    options
}

fn outcome<'a>(report: &'a UpdateReport, name: &str) -> &'a Outcome {
    let mut files = report.files.iter();
    &files.find(|(file, _)| file == name).unwrap().1
}

fn failed(report: &UpdateReport, name: &str, why: &str) -> bool {
    matches!(outcome(report, name), Outcome::Failed(reason) if reason.contains(why))
}

#[test]
fn databases_are_fetched_once_and_asked_for_conditionally_after_that() {
    let home = Home::new();
    let first = home.update(|_| {}).unwrap();
    assert!(first.changed);
    assert_eq!(home.finds(), ["alpha", "beta"]);
    let manifest = &first.installed.manifest;
    let rows: Vec<_> = manifest
        .sources
        .iter()
        .map(|row| (row.name.as_str(), row.version, row.active, row.trust))
        .collect();
    assert_eq!(
        rows,
        [
            ("main.cvd", Some(1), 1, Trust::Unsigned),
            ("daily.cvd", Some(7), 1, Trust::Unsigned)
        ]
    );
    assert_eq!(
        manifest.newest(),
        Some("2021-06-23T01:34:00Z".parse().unwrap())
    );

    let again = home.update(|_| {}).unwrap();
    assert!(!again.changed);
    assert_eq!(outcome(&again, "main.cvd"), &Outcome::Unchanged);
    assert_eq!(again.installed, first.installed);
    let request = &home.server.requests("/main.cvd")[1];
    assert_eq!(request.header("if-none-match"), Some("\"main-1-alpha\""));
    assert!(
        request
            .header("user-agent")
            .unwrap()
            .starts_with("seaworthy/")
    );

    home.publish("daily", 8, "gamma");
    let third = home.update(|_| {}).unwrap();
    assert!(third.changed);
    assert_eq!(outcome(&third, "main.cvd"), &Outcome::Unchanged);
    assert_eq!(home.finds(), ["alpha", "gamma"]);
    // The ones before are kept.
    assert_eq!(found(&first.installed), ["alpha", "beta"]);

    // A newer program compiles the same files again.
    let newer = home.update(|options| options.builder = "test 2".to_owned());
    assert!(newer.unwrap().changed);
}

#[test]
fn a_mirror_that_only_tells_dates_is_asked_by_date() {
    let home = Home::new();
    let date = "Thu, 01 Jan 2026 00:00:00 GMT";
    let bytes = database("main", 2, "gamma");
    home.server.put_dated("/main.cvd", bytes.clone(), date);
    home.server.fault("/main.cvd", Fault::CutAfter(5_000));
    let report = home.update(|_| {}).unwrap();
    let whole = bytes.len() as u64;
    assert_eq!(
        outcome(&report, "main.cvd"),
        &Outcome::Downloaded(whole - 5_000)
    );
    let report = home.update(|_| {}).unwrap();
    assert_eq!(outcome(&report, "main.cvd"), &Outcome::Unchanged);
    let requests = home.server.requests("/main.cvd");
    assert_eq!(requests[1].header("if-range"), Some(date));
    assert_eq!(requests[2].header("if-modified-since"), Some(date));
}

#[test]
fn a_cut_download_goes_on_where_it_stopped() {
    let home = Home::new();
    home.server.fault("/main.cvd", Fault::CutAfter(5_000));
    let report = home.update(|_| {}).unwrap();
    let whole = database("main", 1, "alpha").len() as u64;
    assert_eq!(
        outcome(&report, "main.cvd"),
        &Outcome::Downloaded(whole - 5_000)
    );
    let second = &home.server.requests("/main.cvd")[1];
    assert_eq!(second.header("range"), Some("bytes=5000-"));
    assert_eq!(home.finds(), ["alpha", "beta"]);
}

#[test]
fn a_broken_database_does_not_replace_the_former_one() {
    let home = Home::new();
    home.update(|_| {}).unwrap();
    let mut flipped = database("main", 2, "gamma");
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    home.server.put("/main.cvd", flipped, "flipped");
    let mut half = database("daily", 8, "gamma");
    half.truncate(half.len() / 2);
    home.server.put("/daily.cvd", half, "half");
    let report = home.update(|_| {}).unwrap();
    assert!(
        failed(&report, "main.cvd", "is broken"),
        "{:?}",
        report.files
    );
    assert!(
        failed(&report, "daily.cvd", "is broken"),
        "{:?}",
        report.files
    );
    assert!(!report.changed);
    assert_eq!(home.finds(), ["alpha", "beta"]);
    // Nothing of it is taken for a beginning the next time.
    home.publish("main", 2, "gamma");
    assert!(home.update(|_| {}).unwrap().changed);
    assert_eq!(home.finds(), ["beta", "gamma"]);
}

#[test]
fn unsigned_foreign_and_older_databases_are_refused() {
    let home = Home::new();
    let Err(error) = home.update(|options| options.allow_unsigned = false) else {
        panic!("an unsigned database was installed");
    };
    assert!(
        error.to_string().contains("no signature of the publisher"),
        "{error}"
    );
    assert_eq!(home.place().current().unwrap(), None);

    home.update(|_| {}).unwrap();
    home.server
        .put("/main.cvd", database("daily", 9, "gamma"), "foreign");
    home.publish("daily", 6, "delta");
    let report = home.update(|_| {}).unwrap();
    assert!(
        failed(&report, "main.cvd", "another database than `main`"),
        "{:?}",
        report.files
    );
    assert!(
        failed(&report, "daily.cvd", "version 6, older than version 7"),
        "{:?}",
        report.files
    );
    assert_eq!(home.finds(), ["alpha", "beta"]);
    let report = home.update(|options| options.force = true).unwrap();
    assert!(matches!(
        outcome(&report, "daily.cvd"),
        Outcome::Downloaded(_)
    ));
    assert_eq!(home.finds(), ["alpha", "delta"]);
}

#[test]
fn a_redirect_is_followed_and_what_it_gives_is_checked_all_the_same() {
    let home = Home::new();
    let elsewhere = FileServer::start();
    let go = |path: &str, target: String| {
        let headers = vec![("Location".to_owned(), target)];
        home.server.fault(path, Fault::Status(302, headers));
    };
    elsewhere.put("/a", database("main", 1, "gamma"), "a");
    elsewhere.put("/b", "<html>please log in</html>", "b");
    go("/main.cvd", format!("{}/a", elsewhere.base()));
    go("/daily.cvd", format!("{}/b", elsewhere.base()));
    let report = home.update(|_| {}).unwrap();
    assert!(matches!(
        outcome(&report, "main.cvd"),
        Outcome::Downloaded(_)
    ));
    assert!(
        failed(&report, "daily.cvd", "not a signature database container"),
        "{:?}",
        report.files
    );
    assert_eq!(home.finds(), ["gamma"]);
}

#[test]
fn a_server_that_wants_to_be_left_alone_is_left_alone_also_by_later_runs() {
    let home = Home::new();
    home.update(|_| {}).unwrap();
    let headers = vec![("Retry-After".to_owned(), "3600".to_owned())];
    home.server.fault("/main.cvd", Fault::Status(429, headers));
    let report = home.update(|_| {}).unwrap();
    for name in ["main.cvd", "daily.cvd"] {
        assert!(
            failed(&report, name, "left alone until 2026-01-01T01:00:00Z"),
            "{:?}",
            report.files
        );
    }
    let asked =
        || home.server.requests("/main.cvd").len() + home.server.requests("/daily.cvd").len();
    let before = asked();
    let at = |seconds: i64| {
        move |options: &mut UpdateOptions| {
            let now = start() + SignedDuration::from_secs(seconds);
            options.http.cool_down = Some(CoolDown::new(now));
        }
    };
    home.update(at(3_599)).unwrap();
    assert_eq!(asked(), before);
    let report = home.update(at(3_601)).unwrap();
    assert_eq!(outcome(&report, "daily.cvd"), &Outcome::Unchanged);

    // Another mirror is asked meanwhile, and a server that refuses is left alone for a day.
    home.server
        .fault("/main.cvd", Fault::Status(403, Vec::new()));
    let other = Home::new();
    other.publish("main", 2, "gamma");
    let report = home
        .update(|options| {
            at(4_000)(options);
            options.mirrors.push(other.server.base().to_owned());
        })
        .unwrap();
    assert!(matches!(
        outcome(&report, "main.cvd"),
        Outcome::Downloaded(_)
    ));
    assert_eq!(home.finds(), ["beta", "gamma"]);
    let report = home.update(at(80_000)).unwrap();
    assert!(
        failed(&report, "main.cvd", "status 403"),
        "{:?}",
        report.files
    );
    let report = home.update(at(91_000)).unwrap();
    // An older one than the other mirror had.
    assert!(
        failed(&report, "main.cvd", "version 1, older"),
        "{:?}",
        report.files
    );
}

#[test]
fn a_short_pause_is_waited_for() {
    let home = Home::new();
    let headers = vec![("Retry-After".to_owned(), "0".to_owned())];
    home.server.fault("/main.cvd", Fault::Status(429, headers));
    let report = home.update(|_| {}).unwrap();
    assert!(matches!(
        outcome(&report, "main.cvd"),
        Outcome::Downloaded(_)
    ));
    let retried = home.events.borrow().iter().any(|event| {
        matches!(event, Progress::Fetching(Event::Retrying { reason, .. }) if reason.contains("429"))
    });
    assert!(retried);
}

#[test]
fn a_mirror_may_serve_increments_applied_and_withdraw_a_database() {
    let home = Home::new();
    home.server.remove("/main.cvd");
    home.server
        .put("/main.cld", database("main", 3, "gamma"), "cld");
    home.update(|_| {}).unwrap();
    assert_eq!(home.finds(), ["beta", "gamma"]);
    let again = home.update(|_| {}).unwrap();
    assert_eq!(outcome(&again, "main.cvd"), &Outcome::Unchanged);

    home.server.remove("/daily.cvd");
    let report = home.update(|_| {}).unwrap();
    assert_eq!(outcome(&report, "daily.cvd"), &Outcome::Absent);
    assert_eq!(home.finds(), ["gamma"]);
}

#[test]
fn own_files_are_part_of_every_update_and_build() {
    let home = Home::new();
    let extra = home.place().extra_folder();
    std::fs::create_dir_all(&extra).unwrap();
    std::fs::write(extra.join("own.ndb"), "Test.gamma:0:*:67616d6d61").unwrap();
    let added = home.dir.path().join("more.ndb");
    std::fs::write(&added, "Test.delta:0:*:64656c7461").unwrap();
    home.update(|options| options.added = vec![added.clone()])
        .unwrap();
    assert_eq!(home.finds(), ["alpha", "beta", "delta", "gamma"]);
    let report = build(&home.place(), &added, &home.options(), &mut |_| {}).unwrap();
    assert!(report.changed);
    assert_eq!(home.finds(), ["delta", "gamma"]);
    let names: Vec<_> = report
        .installed
        .manifest
        .sources
        .iter()
        .map(|row| &row.name)
        .collect();
    assert_eq!(names, ["more.ndb", "extra/own.ndb"]);
    let again = build(&home.place(), &added, &home.options(), &mut |_| {}).unwrap();
    assert!(!again.changed);
}

#[test]
fn a_folder_without_signatures_does_not_replace_what_is_installed() {
    let home = Home::new();
    home.update(|_| {}).unwrap();
    let empty = home.dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(empty.join("README"), "nothing").unwrap();
    let result = build(&home.place(), &empty, &home.options(), &mut |_| {});
    assert!(matches!(result, Err(UpdateError::Empty { .. })));
    assert_eq!(home.finds(), ["alpha", "beta"]);
}

#[test]
fn damage_is_noticed_and_mended_by_the_next_update() {
    let home = Home::new();
    let report = home.update(|_| {}).unwrap();
    let file = report.installed.dir.join("signatures.bin");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert!(report.installed.verify().is_err());
    assert!(report.installed.open().is_err());
    assert!(home.update(|_| {}).unwrap().changed);
    assert_eq!(home.finds(), ["alpha", "beta"]);
}

#[test]
fn two_updates_do_not_share_a_cache_at_once() {
    let home = Home::new();
    let mut nested = None;
    update(&home.place(), &home.options(), &mut |event| {
        if event == Progress::Compiling {
            nested = home.update(|_| {}).err();
        }
    })
    .unwrap();
    assert!(matches!(nested, Some(UpdateError::Busy(_))), "{nested:?}");
}

#[test]
fn builds_at_the_same_time_leave_a_whole_set() {
    let home = Home::new();
    let folder = home.dir.path().join("from");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.ndb"), "Test.alpha:0:*:616c706861").unwrap();
    std::thread::scope(|scope| {
        for builder in 0..4 {
            let (home, folder) = (&home, &folder);
            let place = home.place();
            let mut options = home.options();
            options.builder = format!("test {builder}");
            scope.spawn(move || {
                for _ in 0..5 {
                    build(&place, folder, &options, &mut |_| {}).unwrap();
                }
            });
        }
    });
    assert_eq!(home.finds(), ["alpha"]);
    let left = std::fs::read_dir(home.place().root().join("generations")).unwrap();
    assert_eq!(left.count(), 2);
}

const CHILD: &str = "SEAWORTHY_TEST_SIGNATURES_FROM";

/// Not a test of its own: the process that gets killed.
#[test]
fn child_that_updates_again_and_again() {
    let Some(spec) = std::env::var_os(CHILD) else {
        println!("skipped: runs as a child of another test");
        return;
    };
    let spec = spec.into_string().unwrap();
    let (base, home) = spec.split_once(' ').unwrap();
    let home = PathBuf::from(home);
    let place = InstallDir::new(home.join("signatures"));
    let mut options = options(base, &home);
    options.force = true;
    loop {
        update(&place, &options, &mut |_| {}).unwrap();
    }
}

#[test]
fn kill_at_any_moment_leaves_a_whole_set() {
    let home = Home::new();
    let mut advances = 0;
    let mut slowness = 1;
    for round in 0..25_u32 {
        let words = ["alpha", "beta", "gamma", "delta"];
        let word = words[round as usize % words.len()];
        home.publish("main", round, word);
        home.publish("daily", round, word);
        let before = home.place().current().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_updates_again_and_again"])
            .env(
                CHILD,
                format!("{} {}", home.server.base(), home.dir.path().display()),
            )
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Different moments of the loop: an update takes some milliseconds, on a busy machine
        // many.
        let moment = 15_000 + u64::from(round) * 5_300;
        std::thread::sleep(Duration::from_micros(moment * slowness));
        child.kill().unwrap();
        child.wait().unwrap();
        let Some(now) = home.place().current().unwrap() else {
            slowness = (slowness * 2).min(64);
            continue;
        };
        // Whatever is there is whole and finds something.
        assert!(!found(&now).is_empty());
        if before.as_ref() == Some(&now) {
            slowness = (slowness * 2).min(64);
        } else {
            advances += 1;
        }
    }
    assert!(advances > 3, "the child never got to install anything");
    let report = home.update(|options| options.force = true).unwrap();
    assert!(report.changed);
    let left = std::fs::read_dir(home.place().root().join("generations")).unwrap();
    assert_eq!(left.count(), 2);
    println!("{advances} of 25 kills came after progress");
}

#[test]
fn a_killed_download_goes_on_in_the_next_run() {
    let home = Home::new();
    home.server.fault("/main.cvd", Fault::StallAfter(7_000));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_updates_again_and_again"])
        .env(
            CHILD,
            format!("{} {}", home.server.base(), home.dir.path().display()),
        )
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let partial = || {
        let entries = std::fs::read_dir(home.dir.path().join("cache/partial"));
        let sizes = entries.into_iter().flatten().flatten();
        sizes
            .filter_map(|entry| Some(entry.metadata().ok()?.len()))
            .max()
    };
    let begun = Instant::now();
    while partial() < Some(7_000) && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    home.update(|_| {}).unwrap();
    let last = home.server.requests("/main.cvd").pop().unwrap();
    assert_eq!(last.header("range"), Some("bytes=7000-"));
    assert_eq!(home.finds(), ["alpha", "beta"]);
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let home = Home::new();
    let disk = home.dir.path().join("signatures");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(&disk)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: mounting a small file system needs root");
        return;
    }
    let before = home.update(|_| {}).map(|report| report.changed);
    let big: String = (0..30_000)
        .map(|number| format!("Test.{number:x}:0:*:{number:08x}6e6565646c65\n"))
        .collect();
    let file = home.dir.path().join("big.ndb");
    std::fs::write(&file, big).unwrap();
    let full = home.update(|options| options.added = vec![file]);
    let finds = home.finds();
    let left = std::fs::read_dir(disk.join("generations")).unwrap().count();
    home.publish("daily", 8, "gamma");
    let after = home.update(|_| {}).map(|report| report.changed);
    let finds_after = home.finds();
    Command::new("umount").arg(&disk).output().unwrap();
    assert!(before.unwrap() && after.unwrap());
    let Err(error) = full else {
        panic!("the disk was not full");
    };
    assert!(error.to_string().contains("cannot write"), "{error}");
    assert_eq!(
        (finds, left),
        (vec!["alpha".to_owned(), "beta".to_owned()], 1)
    );
    assert_eq!(finds_after, ["alpha", "gamma"]);
}
