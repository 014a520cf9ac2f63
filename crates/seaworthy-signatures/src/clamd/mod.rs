//! A client of `clamd`, ClamAV's daemon, for those who run one: a second opinion.
//!
//! Follows `clamd(8)`: sessions (`IDSESSION`) of numbered commands that end in zeros,
//! `INSTREAM` with its chunks and, on a Unix socket, `FILDES` with a descriptor of the bytes
//! in memory. Connections are kept in a pool that threads share; one that the daemon closed
//! meanwhile is opened again.
//!
//! Only `OK` means clean. Every limit, error, time-out and answer that is not understood means
//! "not scanned". A file larger than [`ClamdOptions::max_bytes`] is not sent, because a daemon
//! calls what is above its own limit clean without looking.
//!
//! Left out: commands that name paths, which the daemon would see differently, and finding
//! more than the first name (`ALLMATCHSCAN` takes paths only).

mod connection;
mod reply;

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};

pub use connection::Address;
use connection::Connection;
pub use reply::{ClamdVersion, Reply};

/// How a daemon is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClamdOptions {
    /// Time for one file, with waiting for a connection.
    pub timeout: Duration,
    /// Most connections at a time; at least one.
    pub max_connections: usize,
    /// Largest file that is sent, in bytes; the default is the daemon's default `MaxFileSize`.
    pub max_bytes: usize,
    /// Whether files go over a Unix socket as descriptors, until the daemon refuses one.
    pub descriptors: bool,
}

impl Default for ClamdOptions {
    fn default() -> Self {
        ClamdOptions {
            timeout: Duration::from_secs(120),
            max_connections: 4,
            max_bytes: 100 << 20,
            descriptors: true,
        }
    }
}

/// Why a daemon can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ClamdError {
    /// The address is none.
    #[error(
        "cannot use `{0}` as an address of clamd\n  hint: name its socket as `/run/clamav/clamd.ctl` or `host:3310`"
    )]
    Address(String),
    /// Nobody answers there.
    #[error("cannot ask clamd at `{address}`: {source}\n  hint: is the daemon running?")]
    Connection {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Somebody answers, but not as the daemon does.
    #[error(
        "`{address}` does not answer like clamd: `{answer}`\n  hint: name the socket of ClamAV's daemon"
    )]
    Answer {
        /// Where.
        address: String,
        /// What it said.
        answer: String,
    },
}

/// What the daemon says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClamdVerdict {
    /// It looked and found nothing.
    Clean,
    /// The name of what it found.
    Found(String),
    /// It did not look, or not wholly; why, in a few words.
    NotScanned(String),
}

/// A daemon. Threads share it.
pub struct Clamd {
    address: Address,
    name: String,
    options: ClamdOptions,
    pool: Mutex<Pool>,
    freed: Condvar,
    descriptors: AtomicBool,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

impl Clamd {
    /// Connects to `unix:/path`, `/path` or `host:port` and makes sure that a daemon answers.
    ///
    /// # Errors
    /// The address makes no sense, nobody answers, or not as a daemon does.
    pub fn connect(address: &str, options: ClamdOptions) -> Result<Clamd, ClamdError> {
        let parsed =
            Address::parse(address).ok_or_else(|| ClamdError::Address(address.to_owned()))?;
        let unix = matches!(parsed, Address::Unix(_));
        let clamd = Clamd {
            address: parsed,
            name: address.to_owned(),
            options,
            pool: Mutex::default(),
            freed: Condvar::new(),
            descriptors: AtomicBool::new(unix && options.descriptors),
        };
        clamd.ping()?;
        Ok(clamd)
    }

    /// Asks whether the daemon lives.
    ///
    /// # Errors
    /// It does not, or something else answers.
    pub fn ping(&self) -> Result<(), ClamdError> {
        let (line, number) = self.command(b"zPING\0")?;
        if line == format!("{number}: PONG").as_bytes() {
            return Ok(());
        }
        Err(self.strange(&line))
    }

    /// Asks for engine and database.
    ///
    /// # Errors
    /// Nobody or something else answers.
    pub fn version(&self) -> Result<ClamdVersion, ClamdError> {
        let (line, number) = self.command(b"zVERSION\0")?;
        let text = line.strip_prefix(format!("{number}: ").as_bytes());
        text.and_then(ClamdVersion::parse)
            .ok_or_else(|| self.strange(&line))
    }

    /// A number that changes with engine and official database, for cache keys. Asked anew
    /// each time: a daemon loads databases while it runs. Databases without a version number
    /// of their own do not show in it.
    ///
    /// # Errors
    /// As [`Clamd::version`].
    pub fn revision(&self) -> Result<u64, ClamdError> {
        let version = self.version()?;
        Ok(xxhash_rust::xxh3::xxh3_64(version.text.as_bytes()))
    }

    /// Has bytes scanned.
    pub fn scan(&self, bytes: &[u8]) -> ClamdVerdict {
        if bytes.len() > self.options.max_bytes {
            return ClamdVerdict::NotScanned(format!(
                "larger than {} bytes, which is the most that is sent to clamd",
                self.options.max_bytes
            ));
        }
        // The daemon refuses to map what is empty, and nothing is what it would find.
        if bytes.is_empty() {
            return ClamdVerdict::Clean;
        }
        let until = Instant::now() + self.options.timeout;
        if self.descriptors.load(Ordering::Relaxed) {
            let answer = in_memory(bytes).and_then(|file| {
                self.with_connection(until, |connection| {
                    connection.send_descriptor(file.as_fd(), until)
                })
            });
            match answer.map(|(line, number)| Reply::parse(&line, Some(number))) {
                Ok(Reply::Clean) => return ClamdVerdict::Clean,
                Ok(Reply::Found(name)) => return ClamdVerdict::Found(name),
                // It may be forbidden to use the descriptor; bytes it can have.
                Ok(Reply::Failed(_)) => self.descriptors.store(false, Ordering::Relaxed),
                Err(_) => {}
            }
        }
        let answer = self.with_connection(until, |connection| connection.send_stream(bytes, until));
        match answer.map(|(line, number)| Reply::parse(&line, Some(number))) {
            Ok(Reply::Clean) => ClamdVerdict::Clean,
            Ok(Reply::Found(name)) => ClamdVerdict::Found(name),
            Ok(Reply::Failed(reason)) => ClamdVerdict::NotScanned(format!("clamd: {reason}")),
            Err(error) => ClamdVerdict::NotScanned(format!("clamd: {error}")),
        }
    }

    fn command(&self, command: &[u8]) -> Result<(Vec<u8>, u32), ClamdError> {
        let until = Instant::now() + self.options.timeout;
        self.with_connection(until, |connection| connection.ask(command, until))
            .map_err(|source| ClamdError::Connection {
                address: self.name.clone(),
                source,
            })
    }

    fn strange(&self, line: &[u8]) -> ClamdError {
        let answer = match Reply::parse(line, None) {
            Reply::Failed(answer) => answer,
            other => format!("{other:?}"),
        };
        ClamdError::Answer {
            address: self.name.clone(),
            answer,
        }
    }

    /// Runs a command on a connection of the pool; once more on a new one if the kept one
    /// turns out to be closed.
    fn with_connection(
        &self,
        until: Instant,
        mut run: impl FnMut(&mut Connection) -> io::Result<(Vec<u8>, u32)>,
    ) -> io::Result<(Vec<u8>, u32)> {
        let mut slot = self.slot(until)?;
        if let Some(connection) = &mut slot.connection {
            let used = connection.is_used();
            match run(connection) {
                Ok((line, number)) => {
                    slot.settle(&line, number);
                    return Ok((line, number));
                }
                Err(error) => {
                    slot.connection = None;
                    if !used || error.kind() == io::ErrorKind::TimedOut {
                        return Err(error);
                    }
                }
            }
        }
        let connection = slot
            .connection
            .insert(Connection::open(&self.address, until)?);
        let result = run(connection);
        match &result {
            Ok((line, number)) => slot.settle(line, *number),
            Err(_) => slot.connection = None,
        }
        result
    }

    /// Waits for a place among the connections.
    fn slot(&self, until: Instant) -> io::Result<Slot<'_>> {
        let mut pool = self.pool();
        loop {
            if let Some(connection) = pool.idle.pop() {
                return Ok(Slot {
                    clamd: self,
                    connection: Some(connection),
                });
            }
            if pool.open < self.options.max_connections.max(1) {
                pool.open += 1;
                return Ok(Slot {
                    clamd: self,
                    connection: None,
                });
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            pool = self
                .freed
                .wait_timeout(pool, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the connections, given back when it is dropped.
struct Slot<'c> {
    clamd: &'c Clamd,
    connection: Option<Connection>,
}

impl Slot<'_> {
    /// Behind an error the daemon may have closed the session, and behind an answer to
    /// something else it is out of step.
    fn settle(&mut self, line: &[u8], number: u32) {
        let in_step = line.starts_with(format!("{number}: ").as_bytes());
        if !in_step || line.ends_with(b" ERROR") {
            self.connection = None;
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut pool = self.clamd.pool();
        match self.connection.take() {
            Some(connection) => pool.idle.push(connection),
            None => pool.open = pool.open.saturating_sub(1),
        }
        drop(pool);
        self.clamd.freed.notify_one();
    }
}

/// A file that is only in memory.
fn in_memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("seaworthy", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}
