//! The clamd client against a scripted server that misbehaves.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at what it does not expect"
)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use seaworthy_signatures::clamd::{Clamd, ClamdError, ClamdOptions, ClamdVerdict};

/// A server: reads commands of a session and has `answer` say what to send for each; none
/// closes the connection.
struct Server {
    folder: tempfile::TempDir,
    connections: Arc<AtomicUsize>,
}

type Answer = fn(&str, usize) -> Option<Vec<u8>>;

impl Server {
    fn start(answer: Answer) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        // Ends with the test program.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let Ok(stream) = stream else { break };
                std::thread::spawn(move || serve(stream, answer, number));
            }
        });
        Server {
            folder,
            connections,
        }
    }

    fn connect(&self) -> Result<Clamd, ClamdError> {
        let options = ClamdOptions {
            timeout: Duration::from_millis(500),
            max_connections: 2,
            descriptors: false,
            ..ClamdOptions::default()
        };
        Clamd::connect(self.folder.path().join("s").to_str().unwrap(), options)
    }
}

/// Reads one command, with the chunks of a stream, as far as the peer sends.
fn command(stream: &mut UnixStream) -> Option<String> {
    let mut name = Vec::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).ok()?;
        match byte {
            [0] => break,
            [byte] => name.push(byte),
        }
    }
    if name == b"zINSTREAM" {
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length).ok()?;
            let length = u32::from_be_bytes(length) as usize;
            if length == 0 {
                break;
            }
            std::io::copy(&mut stream.take(length as u64), &mut std::io::sink()).ok()?;
        }
    }
    Some(String::from_utf8(name).unwrap())
}

fn serve(mut stream: UnixStream, answer: Answer, number: usize) {
    let mut commands = 0u8;
    while let Some(name) = command(&mut stream) {
        if name == "zIDSESSION" {
            continue;
        }
        commands = commands.wrapping_add(1);
        let Some(mut bytes) = answer(&name, number) else {
            return;
        };
        // A script that does not know the number of the command writes `#`.
        if bytes.first() == Some(&b'#') {
            bytes.splice(..1, commands.to_string().into_bytes());
        }
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn not_scanned(clamd: &Clamd) -> String {
    match clamd.scan(b"bytes") {
        ClamdVerdict::NotScanned(reason) => reason,
        other => format!("{other:?}"),
    }
}

/// Answers the ping that opens, and leaves the rest to the case.
fn pong(name: &str) -> Option<Vec<u8>> {
    (name == "zPING").then(|| b"1: PONG\0".to_vec())
}

#[test]
fn a_closed_connection_is_not_clean() {
    let server = Server::start(|name, _| pong(name));
    let reason = not_scanned(&server.connect().unwrap());
    assert!(reason.starts_with("clamd: "), "{reason}");
    // The kept connection and a new one, and no third.
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn an_endless_line_is_given_up() {
    let server = Server::start(|name, _| pong(name).or(Some(vec![b'x'; 1 << 20])));
    let reason = not_scanned(&server.connect().unwrap());
    assert_eq!(reason, "clamd: an answer without end");
}

#[test]
fn a_partial_answer_runs_out_of_time() {
    let server = Server::start(|name, _| pong(name).or(Some(b"2: stream: OK".to_vec())));
    let clamd = server.connect().unwrap();
    let started = Instant::now();
    let reason = not_scanned(&clamd);
    assert_eq!(reason, "clamd: timed out");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_answer_to_another_command_is_not_believed_and_ends_the_session() {
    let server = Server::start(|name, _| pong(name).or(Some(b"9: stream: OK\0".to_vec())));
    let clamd = server.connect().unwrap();
    assert!(not_scanned(&clamd).contains("an answer to nothing asked"));
    assert!(not_scanned(&clamd).contains("an answer to nothing asked"));
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_size_limit_is_told_as_not_scanned() {
    let server = Server::start(|name, _| {
        pong(name).or(Some(b"INSTREAM size limit exceeded. ERROR\0".to_vec()))
    });
    let reason = not_scanned(&server.connect().unwrap());
    assert_eq!(reason, "clamd: INSTREAM size limit exceeded.");
}

#[test]
fn a_session_that_was_closed_meanwhile_is_opened_again() {
    // The first connection answers the ping and hangs up; the second scans.
    let server = Server::start(|name, number| match (name, number) {
        ("zPING", _) => Some(b"1: PONG\0".to_vec()),
        (_, 0) => None,
        _ => Some(b"1: stream: OK\0".to_vec()),
    });
    let clamd = server.connect().unwrap();
    assert_eq!(clamd.scan(b"bytes"), ClamdVerdict::Clean);
}

#[test]
fn what_is_no_daemon_is_told_at_once() {
    let server = Server::start(|_, _| Some(b"220 mail.example ESMTP\0".to_vec()));
    let error = server.connect().err().unwrap();
    assert!(matches!(error, ClamdError::Answer { .. }), "{error}");
    let error = Clamd::connect("/nowhere/clamd.ctl", ClamdOptions::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("hint: is the daemon running?"));
    let error = Clamd::connect("clamd", ClamdOptions::default())
        .err()
        .unwrap();
    assert!(matches!(error, ClamdError::Address(_)));
}

#[test]
fn what_is_too_large_is_not_sent() {
    let server = Server::start(|name, _| pong(name).or(Some(b"2: stream: OK\0".to_vec())));
    let path = server.folder.path().join("s");
    let options = ClamdOptions {
        max_bytes: 4,
        descriptors: false,
        ..ClamdOptions::default()
    };
    let clamd = Clamd::connect(path.to_str().unwrap(), options).unwrap();
    assert!(not_scanned(&clamd).starts_with("larger than 4 bytes"));
    assert_eq!(clamd.scan(b"four"), ClamdVerdict::Clean);
}

#[test]
fn threads_share_no_more_connections_than_allowed() {
    let server = Server::start(|name, _| {
        std::thread::sleep(Duration::from_millis(10));
        pong(name).or(Some(b"#: stream: OK\0".to_vec()))
    });
    let clamd = server.connect().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..4 {
                    assert_eq!(clamd.scan(b"bytes"), ClamdVerdict::Clean);
                }
            });
        }
    });
    assert!(server.connections.load(Ordering::SeqCst) <= 2);
}
