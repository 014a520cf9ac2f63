//! A scripted HTTP/1.1 server for tests of clients, on loopback or a Unix socket.
//!
//! It answers every request with what a closure says, and misbehaves when asked:
//! stalls, ends in the middle of a body, sends what is no HTTP at all. Each connection
//! carries one request. What the clients sent is kept for assertions.
//!
//! Left out: TLS, keep-alive, request bodies without `Content-Length`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `HEAD`, `POST`.
    pub method: String,
    /// Path with query, as sent.
    pub target: String,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, at most 1 MiB of it.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The path without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What to answer, good or bad.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
    cut_after: Option<usize>,
    stall_before: Duration,
    stall_after: Option<(usize, Duration)>,
    raw: Option<Vec<u8>>,
}

impl Reply {
    /// A reply with a status and no body.
    pub fn status(status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            chunked: false,
            cut_after: None,
            stall_before: Duration::ZERO,
            stall_after: None,
            raw: None,
        }
    }

    /// 200 with a body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Reply {
        Reply::status(200).body(body)
    }

    /// Bytes that are sent as they are, instead of a response.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
        let mut reply = Reply::status(200);
        reply.raw = Some(bytes.into());
        reply
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends the body in chunks of 7 bytes instead of with its length.
    #[must_use]
    pub fn chunked(mut self) -> Reply {
        self.chunked = true;
        self
    }

    /// Promises the whole body and hangs up after so many bytes of it.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Reply {
        self.cut_after = Some(bytes);
        self
    }

    /// Says nothing for a while before answering.
    #[must_use]
    pub fn stall_before(mut self, time: Duration) -> Reply {
        self.stall_before = time;
        self
    }

    /// Sends so many bytes of the body and then nothing for a while.
    #[must_use]
    pub fn stall_after(mut self, bytes: usize, time: Duration) -> Reply {
        self.stall_after = Some((bytes, time));
        self
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    requests: Mutex<Vec<Request>>,
    stop: AtomicBool,
}

enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A running fake server; it ends when dropped.
pub struct FakeServer {
    shared: Arc<Shared>,
    place: Place,
}

impl FakeServer {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When loopback can't be listened on: no test can go on without.
    #[expect(clippy::expect_used, reason = "a test without its server is pointless")]
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> FakeServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = shared(handler);
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if server.stop.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let server = Arc::clone(&server);
                thread::spawn(move || {
                    let Ok(reading) = stream.try_clone() else {
                        return;
                    };
                    let _ = serve(&server, reading, &stream);
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                });
            }
        });
        FakeServer {
            shared,
            place: Place::Tcp(address),
        }
    }

    /// Listens on a Unix socket at `path`, which must not exist yet.
    ///
    /// # Panics
    ///
    /// When the socket can't be made.
    #[expect(clippy::expect_used, reason = "a test without its server is pointless")]
    pub fn start_unix(
        path: &Path,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> FakeServer {
        let listener = UnixListener::bind(path).expect("the socket can be made");
        let shared = shared(handler);
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if server.stop.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let server = Arc::clone(&server);
                thread::spawn(move || {
                    let Ok(reading) = stream.try_clone() else {
                        return;
                    };
                    let _ = serve(&server, reading, &stream);
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                });
            }
        });
        FakeServer {
            shared,
            place: Place::Unix(path.to_owned()),
        }
    }

    /// `127.0.0.1:PORT`; empty for a Unix socket.
    pub fn address(&self) -> String {
        match &self.place {
            Place::Tcp(address) => address.to_string(),
            Place::Unix(_) => String::new(),
        }
    }

    /// Everything that was asked so far, in order of arrival.
    #[expect(clippy::expect_used, reason = "only a panicking handler poisons it")]
    pub fn requests(&self) -> Vec<Request> {
        self.shared
            .requests
            .lock()
            .expect("no handler panicked")
            .clone()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // A last connection wakes the accepting thread.
        match &self.place {
            Place::Tcp(address) => drop(TcpStream::connect(address)),
            Place::Unix(path) => drop(UnixStream::connect(path)),
        }
    }
}

fn shared(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Arc<Shared> {
    Arc::new(Shared {
        handler: Box::new(handler),
        requests: Mutex::new(Vec::new()),
        stop: AtomicBool::new(false),
    })
}

fn serve(shared: &Shared, reading: impl Read, writing: impl Write) -> io::Result<()> {
    let request = read_request(reading)?;
    let reply = (shared.handler)(&request);
    let head_only = request.method == "HEAD";
    if let Ok(mut requests) = shared.requests.lock() {
        requests.push(request);
    }
    send(shared, &reply, head_only, writing)
}

fn read_request(reading: impl Read) -> io::Result<Request> {
    let mut reader = BufReader::new(reading.take(2 << 20));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse::<u64>().ok())
        .unwrap_or(0);
    let mut body = Vec::new();
    reader.take(length.min(1 << 20)).read_to_end(&mut body)?;
    Ok(Request {
        method,
        target,
        headers,
        body,
    })
}

fn send(shared: &Shared, reply: &Reply, head_only: bool, mut out: impl Write) -> io::Result<()> {
    pause(shared, reply.stall_before);
    if let Some(raw) = &reply.raw {
        return out.write_all(raw);
    }
    let mut head = format!(
        "HTTP/1.1 {} Scripted\r\nConnection: close\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if reply.chunked {
        head.push_str("Transfer-Encoding: chunked\r\n");
    } else if !reply
        .headers
        .iter()
        .any(|(n, _)| n.eq_ignore_ascii_case("content-length"))
    {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    head.push_str("\r\n");
    out.write_all(head.as_bytes())?;
    if head_only {
        return out.flush();
    }
    let whole = reply.body.as_slice();
    let end = reply.cut_after.unwrap_or(whole.len()).min(whole.len());
    let pause_at = reply.stall_after.map_or(end, |(at, _)| at.min(end));
    let (before, after) = whole[..end].split_at(pause_at);
    send_part(before, reply.chunked, &mut out)?;
    if let Some((_, time)) = reply.stall_after {
        out.flush()?;
        pause(shared, time);
    }
    send_part(after, reply.chunked, &mut out)?;
    if reply.chunked && reply.cut_after.is_none() {
        out.write_all(b"0\r\n\r\n")?;
    }
    out.flush()
}

fn send_part(part: &[u8], chunked: bool, out: &mut impl Write) -> io::Result<()> {
    if !chunked {
        return out.write_all(part);
    }
    for chunk in part.chunks(7) {
        write!(out, "{:x}\r\n", chunk.len())?;
        out.write_all(chunk)?;
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

/// Sleeps, but not after the server was dropped.
fn pause(shared: &Shared, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end && !shared.stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(5).min(time));
    }
}
