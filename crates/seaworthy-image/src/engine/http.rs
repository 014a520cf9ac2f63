//! HTTP/1.1 responses, as a Docker Engine sends them over a socket.
//!
//! The part of RFC 9112 that a client needs which asks one question per connection: the
//! status line, header fields, and a body framed by `Content-Length`, by chunks or by the
//! end of the connection. Everything read before the body is bounded, and a body that
//! ends before its frame does is an error, never a short answer.
//!
//! Left out: keep-alive, pipelining, trailers (skipped, bounded), folded header lines.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes of one header line; Docker's longest is far below 1 KiB.
const MAX_LINE: usize = 16 << 10;
/// Header fields of one response.
const MAX_HEADERS: usize = 100;
/// Interim (1xx) responses before the real one.
const MAX_INTERIM: usize = 8;
/// Trailer lines after the last chunk.
const MAX_TRAILERS: usize = 100;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection failed.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// What came is no HTTP.
    #[error("not an HTTP response: {0}")]
    Malformed(&'static str),
}

/// The status line and the header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Status code, 100 to 999.
    pub status: u16,
    /// Fields in order, names in lower case.
    headers: Vec<(String, String)>,
}

impl Head {
    /// A head from parts that another HTTP stack parsed; names must be in lower case.
    pub(crate) fn new(status: u16, headers: Vec<(String, String)>) -> Head {
        Head { status, headers }
    }

    /// The first field of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads a response's head; the body is read from what comes back.
///
/// # Errors
///
/// When the stream breaks, passes a bound or holds no HTTP/1 response.
pub fn read_response<R: Read>(stream: R) -> Result<(Head, Body<R>), HttpError> {
    let mut stream = BufReader::new(stream);
    for _ in 0..MAX_INTERIM {
        let head = read_head(&mut stream)?;
        if (100..200).contains(&head.status) {
            continue;
        }
        let framing = framing(&head)?;
        return Ok((head, Body { stream, framing }));
    }
    Err(HttpError::Malformed("too many interim responses"))
}

/// A response's body, without its framing.
#[derive(Debug)]
pub struct Body<R> {
    stream: BufReader<R>,
    framing: Framing,
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    /// So many bytes to come.
    Length(u64),
    /// So many bytes of the present chunk to come; `first` says that none was read yet.
    Chunked { remaining: u64, first: bool },
    /// Everything until the connection ends.
    UntilClose,
    /// Nothing more.
    Done,
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.framing {
            Framing::Done | Framing::Length(0) => Ok(0),
            Framing::UntilClose => self.stream.read(buffer),
            Framing::Length(remaining) => {
                let count = read_some(&mut self.stream, buffer, remaining)?;
                self.framing = Framing::Length(remaining - count as u64);
                Ok(count)
            }
            Framing::Chunked { remaining, first } => {
                let remaining = if remaining > 0 {
                    remaining
                } else {
                    match next_chunk(&mut self.stream, first)? {
                        Some(size) => size,
                        None => {
                            self.framing = Framing::Done;
                            return Ok(0);
                        }
                    }
                };
                let count = read_some(&mut self.stream, buffer, remaining)?;
                self.framing = Framing::Chunked {
                    remaining: remaining - count as u64,
                    first: false,
                };
                Ok(count)
            }
        }
    }
}

/// At most `remaining` bytes, at least one: the end of the stream is too early here.
fn read_some(stream: &mut impl Read, buffer: &mut [u8], remaining: u64) -> io::Result<usize> {
    let wanted = usize::try_from(remaining).map_or(buffer.len(), |r| r.min(buffer.len()));
    match stream.read(&mut buffer[..wanted])? {
        0 => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection ended in the middle of the answer",
        )),
        count => Ok(count),
    }
}

/// The size of the next chunk; `None` at the last one, whose trailers are skipped.
fn next_chunk(stream: &mut impl BufRead, first: bool) -> io::Result<Option<u64>> {
    let malformed = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
    if !first && !read_line(stream)?.is_empty() {
        return Err(malformed("a chunk is longer than it says"));
    }
    let line = read_line(stream)?;
    let digits = line.split(';').next().unwrap_or_default().trim();
    if digits.is_empty() || digits.len() > 15 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(malformed("a chunk without a size"));
    }
    let size = u64::from_str_radix(digits, 16).map_err(|_| malformed("a chunk without a size"))?;
    if size > 0 {
        return Ok(Some(size));
    }
    for _ in 0..MAX_TRAILERS {
        if read_line(stream)?.is_empty() {
            return Ok(None);
        }
    }
    Err(malformed("too many trailers"))
}

fn read_head(stream: &mut impl BufRead) -> Result<Head, HttpError> {
    let line = read_line(stream)?;
    let mut words = line.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    if version != "HTTP/1.1" && version != "HTTP/1.0" {
        return Err(HttpError::Malformed("no status line"));
    }
    let status = words
        .next()
        .filter(|w| w.len() == 3 && w.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|w| w.parse::<u16>().ok())
        .filter(|status| *status >= 100)
        .ok_or(HttpError::Malformed("no status code"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok(Head { status, headers });
        }
        if headers.len() == MAX_HEADERS {
            return Err(HttpError::Malformed("too many header fields"));
        }
        let (name, value) = line
            .split_once(':')
            .ok_or(HttpError::Malformed("a header line without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// One line without its end. Bytes that are no UTF-8 are replaced: no field that is used
/// may hold any.
fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(if line.len() + 1 >= MAX_LINE {
            io::Error::new(io::ErrorKind::InvalidData, "a line without end")
        } else {
            io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection ended in the middle of the answer",
            )
        });
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn framing(head: &Head) -> Result<Framing, HttpError> {
    if matches!(head.status, 204 | 304) {
        return Ok(Framing::Done);
    }
    if let Some(coding) = head.header("transfer-encoding") {
        return if coding.eq_ignore_ascii_case("chunked") {
            Ok(Framing::Chunked {
                remaining: 0,
                first: true,
            })
        } else {
            Err(HttpError::Malformed("an unknown transfer coding"))
        };
    }
    match head.header("content-length") {
        Some(length) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => length
            .parse()
            .map(Framing::Length)
            .map_err(|_| HttpError::Malformed("no content length")),
        Some(_) => Err(HttpError::Malformed("no content length")),
        None => Ok(Framing::UntilClose),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(Head, Vec<u8>), String> {
        let (head, mut body) = read_response(bytes).map_err(|e| e.to_string())?;
        let mut content = Vec::new();
        body.read_to_end(&mut content).map_err(|e| e.to_string())?;
        Ok((head, content))
    }

    #[test]
    fn bodies_by_length_by_chunks_and_until_the_end_are_read() {
        let (head, body) =
            read(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 3\r\n\r\nabcdef")
                .unwrap();
        assert_eq!(head.status, 200);
        assert_eq!(head.header("api-version"), Some("1.41"));
        assert_eq!(body, b"abc");

        let chunked = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\ntransfer-encoding: Chunked\r\n\r\n\
            3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
        let (head, body) = read(chunked).unwrap();
        assert_eq!((head.status, body.as_slice()), (404, &b"abc0123456789"[..]));

        assert_eq!(read(b"HTTP/1.0 200 OK\n\nrest").unwrap().1, b"rest");
        assert_eq!(read(b"HTTP/1.1 204 No Content\r\n\r\nrest").unwrap().1, b"");
    }

    #[test]
    fn a_body_that_ends_early_is_an_error() {
        for cut in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Len",
        ] {
            let error = read(cut).unwrap_err();
            assert!(
                error.contains("broke") || error.contains("in the middle"),
                "{error}"
            );
        }
    }

    #[test]
    fn hostile_heads_are_refused_within_bounds() {
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; 1 << 20]].concat();
        let many = [
            b"HTTP/1.1 200 OK\r\n".to_vec(),
            b"A: b\r\n".repeat(1000),
            b"\r\n".to_vec(),
        ]
        .concat();
        let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(50);
        for bad in [
            &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 099 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
            &endless,
            &many,
            &interim,
        ] {
            assert!(
                read(bad).is_err(),
                "{:?}",
                String::from_utf8_lossy(&bad[..60.min(bad.len())])
            );
        }
    }
}
