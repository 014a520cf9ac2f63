//! A registry's blob as a stream that survives broken connections.
//!
//! The stream is opened when it is read, goes on with a `Range` request where it broke,
//! and must have exactly the length that the manifest promises. Nothing is written to
//! disk. Whether the bytes are the promised ones is checked by who hashes them.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use seaworthy_core::Digest;

use super::session::{Ask, Session};
use crate::{Blob, fault};

/// How often one blob may break in all, however far it gets each time.
const MAX_BREAKS: u32 = 50;
/// A stream that gives less than `SLOW_BYTES` in `SLOW_TIME` is given up: a stall in
/// disguise could otherwise hold a scan for years.
const SLOW_TIME: Duration = Duration::from_secs(300);
const SLOW_BYTES: u64 = 64 << 10;

/// A blob of a repository.
pub(crate) struct RegistryBlob {
    session: Arc<Session>,
    digest: Digest,
    size: Option<u64>,
}

impl RegistryBlob {
    /// The blob of that digest, `size` bytes long if that is known.
    pub(crate) fn new(session: Arc<Session>, digest: Digest, size: Option<u64>) -> RegistryBlob {
        RegistryBlob {
            session,
            digest,
            size,
        }
    }
}

impl Blob for RegistryBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let mut stream = BlobStream {
            session: Arc::clone(&self.session),
            path: format!("blobs/{}", self.digest),
            size: self.size,
            offset: 0,
            body: None,
            breaks: 0,
            fruitless: 0,
            window: (Instant::now(), 0),
        };
        // Asked now, so that "no access" is told as the failure to open that it is.
        stream.connect()?;
        Ok(Box::new(stream))
    }

    fn len(&self) -> Option<u64> {
        self.size
    }

    fn name(&self) -> String {
        self.digest.to_string()
    }
}

struct BlobStream {
    session: Arc<Session>,
    path: String,
    size: Option<u64>,
    /// Bytes given out so far.
    offset: u64,
    body: Option<Box<dyn Read + Send>>,
    /// Breaks in all.
    breaks: u32,
    /// Breaks since the last byte.
    fruitless: u32,
    /// When the present window began, and the offset then.
    window: (Instant, u64),
}

impl BlobStream {
    /// Opens a connection at the present offset.
    fn connect(&mut self) -> io::Result<()> {
        let reply = self
            .session
            .ask(&Ask {
                method: "GET",
                path: &self.path,
                accept: "*/*",
                from: self.offset,
            })
            .map_err(|error| {
                if self.session.is_cancelled() {
                    fault::cancelled()
                } else {
                    io::Error::other(error)
                }
            })?;
        let mut body = reply.body;
        if self.offset > 0 {
            let range = reply
                .headers
                .get("content-range")
                .and_then(|v| v.to_str().ok());
            let begins_here = range
                .and_then(|range| range.strip_prefix("bytes "))
                .and_then(|range| range.split('-').next())
                .and_then(|first| first.trim().parse::<u64>().ok())
                == Some(self.offset);
            if reply.status != 206 {
                // The server knows no ranges and sends everything again.
                let skipped = io::copy(&mut (&mut body).take(self.offset), &mut io::sink())?;
                if skipped < self.offset {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            } else if !begins_here {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the registry sent another range than the one asked for",
                ));
            }
        }
        self.body = Some(body);
        Ok(())
    }

    /// Counts a break, waits, and lets the next read connect again.
    fn broke(&mut self, error: io::Error) -> io::Result<()> {
        self.body = None;
        self.breaks += 1;
        self.fruitless += 1;
        if self.fruitless >= self.session.tries() || self.breaks > MAX_BREAKS {
            return Err(io::Error::new(
                error.kind(),
                format!(
                    "the connection to `{}` broke {} times, the last time after {} bytes: {error}",
                    self.session.host(),
                    self.breaks,
                    self.offset
                ),
            ));
        }
        self.session
            .pause(self.session.back_off(self.fruitless))
            .map_err(|_| fault::cancelled())
    }

    fn check_speed(&mut self) -> io::Result<()> {
        let (start, offset) = self.window;
        if start.elapsed() < SLOW_TIME {
            return Ok(());
        }
        if self.offset - offset < SLOW_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("registry `{}` sends too slowly", self.session.host()),
            ));
        }
        self.window = (Instant::now(), self.offset);
        Ok(())
    }
}

impl Read for BlobStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.size == Some(self.offset) {
            return Ok(0);
        }
        loop {
            if self.session.is_cancelled() {
                return Err(fault::cancelled());
            }
            self.check_speed()?;
            let Some(body) = &mut self.body else {
                if let Err(error) = self.connect() {
                    self.broke(error)?;
                }
                continue;
            };
            let wanted = match self.size {
                Some(size) => usize::try_from(size - self.offset)
                    .map_or(buffer.len(), |left| left.min(buffer.len())),
                None => buffer.len(),
            };
            match body.read(&mut buffer[..wanted]) {
                Ok(0) if self.size.is_none() => return Ok(0),
                Ok(0) => self.broke(io::ErrorKind::UnexpectedEof.into())?,
                Ok(count) => {
                    self.offset += count as u64;
                    self.fruitless = 0;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.broke(error)?,
            }
        }
    }
}
