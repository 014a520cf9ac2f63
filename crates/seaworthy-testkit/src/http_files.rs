//! A small HTTP/1.1 file server on loopback that can be told to misbehave.
//!
//! It serves bytes by path with an `ETag` or a date, answers `If-None-Match`,
//! `If-Modified-Since`, `Range` and `If-Range`
//! (RFC 9110, sections 13 and 14), and keeps a list of the requests it saw. Faults are
//! queued per path and each is used up by one request. One request per connection.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One way to misbehave.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answers with this status and these headers, and no body.
    Status(u16, Vec<(String, String)>),
    /// Closes the connection after that many bytes of the body.
    CutAfter(usize),
    /// Sends that many bytes of the body, and then nothing while the connection stays open.
    StallAfter(usize),
    /// Claims this `Content-Length` and sends what there is.
    ClaimLength(usize),
    /// Sends one byte of the body every so often.
    Drip(Duration),
    /// Answers 200 with the whole body to a range request.
    IgnoreRange,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// The path as it was written, still percent-encoded.
    pub path: String,
    headers: HashMap<String, String>,
}

impl Request {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// A file and what it is recognised by.
#[derive(Clone)]
struct Served {
    body: Vec<u8>,
    /// Name and value of the header.
    validator: (&'static str, String),
}

#[derive(Default)]
struct State {
    files: HashMap<String, Served>,
    faults: HashMap<String, VecDeque<Fault>>,
    requests: Vec<Request>,
}

/// The server; it stops when dropped.
pub struct FileServer {
    base: String,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl FileServer {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub fn start() -> FileServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let server = FileServer {
            base: format!("http://{address}"),
            state: Arc::default(),
            stop: Arc::default(),
        };
        let (state, stop) = (server.state.clone(), server.stop.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (state, stop) = (state.clone(), stop.clone());
                // A client that hangs up in the middle is no concern of the server.
                std::thread::spawn(move || serve(connection, &state, &stop).ok());
            }
        });
        server
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Serves `body` at `path` (percent-encoded, with its leading slash) from now on.
    pub fn put(&self, path: &str, body: impl Into<Vec<u8>>, etag: &str) {
        self.serve_at(path, body.into(), ("ETag", format!("\"{etag}\"")));
    }

    /// The same, with the time of its last change (an HTTP date) in place of an `ETag`.
    pub fn put_dated(&self, path: &str, body: impl Into<Vec<u8>>, changed: &str) {
        self.serve_at(path, body.into(), ("Last-Modified", changed.to_owned()));
    }

    fn serve_at(&self, path: &str, body: Vec<u8>, validator: (&'static str, String)) {
        let file = Served { body, validator };
        self.lock().files.insert(path.to_owned(), file);
    }

    /// Takes a file away again.
    pub fn remove(&self, path: &str) {
        self.lock().files.remove(path);
    }

    /// Queues a fault for the next request to `path`.
    pub fn fault(&self, path: &str, fault: Fault) {
        let mut state = self.lock();
        state
            .faults
            .entry(path.to_owned())
            .or_default()
            .push_back(fault);
    }

    /// The requests to `path` so far.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        let state = self.lock();
        let to_path = state.requests.iter().filter(|request| request.path == path);
        to_path.cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        if let Some(address) = self.base.strip_prefix("http://") {
            let _ = TcpStream::connect(address);
        }
    }
}

fn serve(connection: TcpStream, state: &Mutex<State>, stop: &AtomicBool) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    let request = Request { path, headers };
    let (file, fault) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests.push(request.clone());
        let fault = state
            .faults
            .get_mut(&request.path)
            .and_then(VecDeque::pop_front);
        (state.files.get(&request.path).cloned(), fault)
    };
    let mut out = connection;
    if let Some(Fault::Status(code, headers)) = &fault {
        write!(out, "HTTP/1.1 {code} Fault\r\nContent-Length: 0\r\n")?;
        for (name, value) in headers {
            write!(out, "{name}: {value}\r\n")?;
        }
        return out.write_all(b"Connection: close\r\n\r\n");
    }
    let Some(Served { body, validator }) = file else {
        return out.write_all(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    };
    let (header, value) = validator;
    let condition = if header == "ETag" {
        "if-none-match"
    } else {
        "if-modified-since"
    };
    if request.header(condition) == Some(&value) {
        return write!(
            out,
            "HTTP/1.1 304 Not Modified\r\n{header}: {value}\r\nConnection: close\r\n\r\n"
        );
    }
    let start = request
        .header("range")
        .filter(|_| !matches!(fault, Some(Fault::IgnoreRange)))
        .filter(|_| {
            request
                .header("if-range")
                .is_none_or(|wanted| wanted == value)
        })
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        });
    let (status, range, part) = match start {
        Some(start) => match body.get(start..).filter(|part| !part.is_empty()) {
            Some(part) => {
                let range = format!(
                    "Content-Range: bytes {start}-{}/{}\r\n",
                    body.len() - 1,
                    body.len()
                );
                ("206 Partial Content", range, part)
            }
            None => ("416 Range Not Satisfiable", String::new(), &[][..]),
        },
        None => ("200 OK", String::new(), body.as_slice()),
    };
    let length = match fault {
        Some(Fault::ClaimLength(length)) => length,
        _ => part.len(),
    };
    write!(
        out,
        "HTTP/1.1 {status}\r\n{header}: {value}\r\nContent-Length: {length}\r\n{range}Connection: close\r\n\r\n"
    )?;
    match fault {
        Some(Fault::CutAfter(count)) => out.write_all(part.get(..count).unwrap_or(part)),
        Some(Fault::StallAfter(count)) => {
            out.write_all(part.get(..count).unwrap_or(part))?;
            out.flush()?;
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        Some(Fault::Drip(pause)) => {
            for byte in part.chunks(1) {
                out.write_all(byte)?;
                out.flush()?;
                std::thread::sleep(pause);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            Ok(())
        }
        _ => out.write_all(part),
    }
}
