//! The clamd client against the real daemon, which the test starts with a database of one
//! line and stops again.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests; skipping has to be said"
)]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use seaworthy_signatures::clamd::{Clamd, ClamdOptions, ClamdVerdict};

/// What the daemon's only signature looks for.
const NEEDLE: &[u8] = b"a harmless needle of this test";
const STREAM_LIMIT: usize = 1 << 20;

struct Daemon {
    folder: tempfile::TempDir,
    child: Child,
    port: u16,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // By its own process id; it keeps nothing worth an orderly end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn start() -> Option<Daemon> {
        let program = ["/usr/sbin/clamd", "/usr/bin/clamd", "/usr/local/sbin/clamd"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(program) = program else {
            println!(
                "skipped: no clamd\n  hint: install `clamav-daemon` (`cargo xtask test` does)"
            );
            return None;
        };
        // A short path: a Unix socket's name holds 107 bytes at most.
        let folder = tempfile::Builder::new()
            .prefix("sw-clamd-")
            .tempdir_in("/tmp")
            .unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir(path("db")).unwrap();
        let hex: String = NEEDLE.iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(
            path("db/test.ndb"),
            format!("Harmless.Needle-1:0:*:{hex}\n"),
        )
        .unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        std::fs::write(
            path("clamd.conf"),
            format!(
                "Foreground yes\nLocalSocket {}\nTCPSocket {port}\nTCPAddr 127.0.0.1\n\
                 DatabaseDirectory {}\nLogFile {}\nTemporaryDirectory {}\n\
                 StreamMaxLength {STREAM_LIMIT}\nMaxThreads 4\nConcurrentDatabaseReload no\n",
                path("s"),
                path("db"),
                path("log"),
                folder.path().display(),
            ),
        )
        .unwrap();
        let child = Command::new(program)
            .args(["--config-file", &path("clamd.conf")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut daemon = Daemon {
            folder,
            child,
            port,
        };
        let started = Instant::now();
        while Clamd::connect(&daemon.unix(), ClamdOptions::default()).is_err()
            || Clamd::connect(&daemon.tcp(), ClamdOptions::default()).is_err()
        {
            if daemon.child.try_wait().unwrap().is_some()
                || started.elapsed() > Duration::from_secs(60)
            {
                let log = std::fs::read_to_string(daemon.folder.path().join("log"));
                panic!("clamd does not come up: {log:?}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(daemon)
    }

    fn unix(&self) -> String {
        format!("unix:{}", self.folder.path().join("s").display())
    }

    fn tcp(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

#[test]
fn the_real_daemon_agrees_over_every_road() {
    let Some(daemon) = Daemon::start() else {
        return;
    };
    let with_needle = [b"\0some bytes ", NEEDLE, b" and more"].concat();
    let found = ClamdVerdict::Found("Harmless.Needle-1.UNOFFICIAL".to_owned());
    for (address, descriptors) in [
        (daemon.unix(), true),
        (daemon.unix(), false),
        (daemon.tcp(), true),
    ] {
        let options = ClamdOptions {
            descriptors,
            ..ClamdOptions::default()
        };
        let clamd = Clamd::connect(&address, options).unwrap();
        let version = clamd.version().unwrap();
        println!("{address}: {version:?}");
        assert!(version.engine.starts_with("ClamAV "));
        assert_eq!(clamd.revision().unwrap(), clamd.revision().unwrap());
        // Several on one session, from several threads.
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        assert_eq!(clamd.scan(&with_needle), found);
                        assert_eq!(clamd.scan(b"\0nothing to see"), ClamdVerdict::Clean);
                    }
                });
            }
        });
        // Above what a stream may hold: a descriptor is not a stream.
        let mut large = vec![b'.'; 3 * STREAM_LIMIT];
        large.extend_from_slice(NEEDLE);
        let verdict = clamd.scan(&large);
        if descriptors && address.starts_with("unix:") {
            assert_eq!(verdict, found);
        } else {
            assert!(
                matches!(verdict, ClamdVerdict::NotScanned(_)),
                "{verdict:?}"
            );
            println!("{address}: {verdict:?}");
        }
        // And the session goes on.
        assert_eq!(clamd.scan(&with_needle), found);
    }
}

#[test]
fn a_daemon_that_stops_and_comes_back_is_found_again() {
    let Some(daemon) = Daemon::start() else {
        return;
    };
    let options = ClamdOptions {
        timeout: Duration::from_secs(10),
        ..ClamdOptions::default()
    };
    let clamd = Clamd::connect(&daemon.unix(), options).unwrap();
    assert_eq!(clamd.scan(b"x"), ClamdVerdict::Clean);
    drop(daemon);
    assert!(matches!(clamd.scan(b"x"), ClamdVerdict::NotScanned(_)));
    assert!(clamd.ping().is_err());
}
