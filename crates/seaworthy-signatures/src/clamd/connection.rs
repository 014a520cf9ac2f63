//! One connection to a daemon, and the session on it.

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// Longest line that is read.
const MAX_LINE: usize = 64 << 10;
/// Bytes of a file in one chunk.
const CHUNK: usize = 128 << 10;

/// Where a daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl Address {
    /// Reads `unix:/path`, `unix:///path`, `/path`, `tcp://host:port` or `host:port`.
    pub fn parse(text: &str) -> Option<Address> {
        let path = text.strip_prefix("unix:");
        let path = path.map(|path| path.strip_prefix("//").unwrap_or(path));
        if let Some(path) = path.or_else(|| text.starts_with('/').then_some(text)) {
            return (path.len() > 1).then(|| Address::Unix(PathBuf::from(path)));
        }
        let name = text.strip_prefix("tcp://").unwrap_or(text);
        let (host, port) = name.rsplit_once(':')?;
        let plain = !host.is_empty() && !host.contains('/');
        (plain && port.parse::<u16>().is_ok()).then(|| Address::Tcp(name.to_owned()))
    }
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// An open connection with a session: numbered commands, numbered answers.
pub struct Connection {
    stream: Stream,
    number: u32,
    /// What was read behind the last line.
    rest: Vec<u8>,
}

impl Connection {
    /// Connects and begins a session.
    pub fn open(address: &Address, until: Instant) -> io::Result<Connection> {
        let stream = match address {
            // To a Unix socket this does not wait, but for a full queue.
            Address::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
            Address::Tcp(name) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                let mut found = None;
                for address in name.to_socket_addrs()?.take(8) {
                    match TcpStream::connect_timeout(&address, left(until)?) {
                        Ok(stream) => {
                            found = Some(stream);
                            break;
                        }
                        Err(error) => last = error,
                    }
                }
                let stream = found.ok_or(last)?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
        };
        let mut connection = Connection {
            stream,
            number: 0,
            rest: Vec::new(),
        };
        connection.write(b"zIDSESSION\0", until)?;
        Ok(connection)
    }

    /// Whether it has been used for a command: the daemon may have closed it since.
    pub fn is_used(&self) -> bool {
        self.number > 0
    }

    /// Sends a command and gives the line that answers it and its number.
    pub fn ask(&mut self, command: &[u8], until: Instant) -> io::Result<(Vec<u8>, u32)> {
        self.number += 1;
        self.write(command, until)?;
        Ok((self.line(until)?, self.number))
    }

    /// Sends bytes in chunks.
    pub fn send_stream(&mut self, bytes: &[u8], until: Instant) -> io::Result<(Vec<u8>, u32)> {
        self.number += 1;
        let sent = self.write_stream(bytes, until);
        match (sent, self.line(until)) {
            (_, Ok(line)) => Ok((line, self.number)),
            // A daemon that had enough says so and closes; where it did not, the first error
            // tells more.
            (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
        }
    }

    fn write_stream(&mut self, bytes: &[u8], until: Instant) -> io::Result<()> {
        self.write(b"zINSTREAM\0", until)?;
        for chunk in bytes.chunks(CHUNK) {
            let length = u32::try_from(chunk.len()).map_err(io::Error::other)?;
            self.write(&length.to_be_bytes(), until)?;
            self.write(chunk, until)?;
        }
        self.write(&[0; 4], until)
    }

    /// Sends an open file. Only a Unix socket carries it.
    pub fn send_descriptor(
        &mut self,
        file: BorrowedFd<'_>,
        until: Instant,
    ) -> io::Result<(Vec<u8>, u32)> {
        self.number += 1;
        self.write(b"zFILDES\0", until)?;
        let Stream::Unix(stream) = &self.stream else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        stream.set_write_timeout(Some(left(until)?))?;
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let files = [file];
        if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(io::Error::other("no room for a descriptor"));
        }
        // A byte has to go with it.
        let sent = sendmsg(
            stream.as_fd(),
            &[IoSlice::new(&[0])],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )?;
        if sent != 1 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok((self.line(until)?, self.number))
    }

    fn write(&mut self, mut bytes: &[u8], until: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let left = Some(left(until)?);
            let result = match &mut self.stream {
                Stream::Unix(stream) => {
                    stream.set_write_timeout(left)?;
                    stream.write(bytes)
                }
                Stream::Tcp(stream) => {
                    stream.set_write_timeout(left)?;
                    stream.write(bytes)
                }
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(in_time(error)),
            }
        }
        Ok(())
    }

    /// Reads up to the zero that ends a line.
    fn line(&mut self, until: Instant) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(end) = memchr::memchr(0, &self.rest) {
                let behind = self.rest.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.rest, behind);
                line.pop();
                return Ok(line);
            }
            if self.rest.len() > MAX_LINE {
                return Err(io::Error::other("an answer without end"));
            }
            let left = Some(left(until)?);
            let result = match &mut self.stream {
                Stream::Unix(stream) => {
                    stream.set_read_timeout(left)?;
                    stream.read(&mut buffer)
                }
                Stream::Tcp(stream) => {
                    stream.set_read_timeout(left)?;
                    stream.read(&mut buffer)
                }
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.rest.extend(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(in_time(error)),
            }
        }
    }
}

/// The time that is left, never zero, which would mean for ever.
fn left(until: Instant) -> io::Result<Duration> {
    until
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// A socket says that it would block where its time was up.
fn in_time(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_paths_or_hosts_with_ports() {
        let unix = |path: &str| Some(Address::Unix(PathBuf::from(path)));
        let tcp = |name: &str| Some(Address::Tcp(name.to_owned()));
        assert_eq!(Address::parse("unix:/run/c.sock"), unix("/run/c.sock"));
        assert_eq!(Address::parse("unix:///run/c.sock"), unix("/run/c.sock"));
        assert_eq!(Address::parse("/run/c.sock"), unix("/run/c.sock"));
        assert_eq!(Address::parse("localhost:3310"), tcp("localhost:3310"));
        assert_eq!(Address::parse("tcp://[::1]:3310"), tcp("[::1]:3310"));
        for text in [
            "",
            "unix:",
            "/",
            "localhost",
            "host:port",
            ":3310",
            "http://h:1",
            "h:99999",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
