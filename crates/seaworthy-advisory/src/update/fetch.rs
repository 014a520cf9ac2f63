//! Fetching one file over HTTP so that nothing is lost when it is interrupted.
//!
//! ```text
//! CACHE/partial/HASH       bytes that came so far
//! CACHE/partial/HASH.json  what they are a part of: URL and validator
//! CACHE/state/HASH.json    what the finished file was: URL, validators, size
//! ```
//!
//! A finished file is asked for conditionally (`If-None-Match`, `If-Modified-Since`), an
//! unfinished one from where it stopped (`Range` with `If-Range`), RFC 9110. The file takes
//! its place by rename, after the caller's check found it whole. Mirrors are tried in
//! order; what may pass (broken connections, 408, 429, 5xx) is tried again with growing
//! pauses, or after the pause that the server asks for.
//!
//! Servers are not trusted: sizes are capped, a body that stalls or trickles is given up,
//! redirects from HTTPS to HTTP are not followed. Proxies come from the environment.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ureq::tls::{RootCerts, TlsConfig};

use super::Progress;
use crate::manifest::hex;

/// Patience with servers.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The longest silence, and the time in which at least 1 KiB must arrive.
    pub stall_timeout: Duration,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// How often a file is tried again.
    pub retries: u32,
    /// The first pause; each further one is twice as long.
    pub backoff: Duration,
    /// The longest pause, also when the server asks for more.
    pub max_pause: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
            stall_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(15),
            retries: 4,
            backoff: Duration::from_secs(1),
            max_pause: Duration::from_secs(60),
        }
    }
}

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The server's answer, or the lack of one.
    #[error("cannot fetch `{url}`: {reason}")]
    Http {
        /// What was asked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It is there, but it is not what it should be.
    #[error("`{url}` is broken: {reason}")]
    Broken {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system said no.
    #[error("cannot write `{}`: {source}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How a fetch ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    /// The file we have is still the server's.
    Unchanged,
    /// A new one is in place; so many bytes were sent for it.
    Downloaded(u64),
    /// No mirror has it.
    Absent,
}

/// One file to fetch.
pub(super) struct Wanted<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Where it may be had, best first.
    pub urls: Vec<String>,
    /// Where it goes.
    pub dest: PathBuf,
    /// The most bytes it may have.
    pub cap: u64,
    /// Whether the finished file is what it should be.
    pub check: &'a dyn Fn(&Path) -> Result<(), String>,
}

pub(super) struct Fetcher<'a> {
    agent: ureq::Agent,
    cache: PathBuf,
    options: HttpOptions,
    pub progress: &'a mut dyn FnMut(Progress),
}

/// What is remembered about a finished or unfinished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    size: u64,
}

impl Memory {
    fn load(path: &Path) -> Option<Memory> {
        let mut text = Vec::new();
        File::open(path)
            .ok()?
            .take(1 << 16)
            .read_to_end(&mut text)
            .ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn store(&self, path: &Path) -> Result<(), FetchError> {
        let temporary = path.with_extension("new");
        let text = serde_json::to_vec(self).unwrap_or_default();
        std::fs::write(&temporary, text)
            .and_then(|()| std::fs::rename(&temporary, path))
            .map_err(disk(path))
    }

    /// What `If-Range` may carry: a strong `ETag`, else a date.
    fn validator(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        strong.or(self.last_modified.as_deref())
    }
}

/// How one attempt failed.
enum Failure {
    /// It may work the next time, perhaps after a pause the server named.
    Passing(FetchError, Option<Duration>),
    /// It will not.
    Lasting(FetchError),
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(
        cache: &Path,
        options: &HttpOptions,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Result<Fetcher<'a>, FetchError> {
        for folder in ["partial", "state"] {
            let path = cache.join(folder);
            std::fs::create_dir_all(&path).map_err(disk(&path))?;
        }
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(5)
            .user_agent(concat!("seaworthy/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(options.connect_timeout))
            .timeout_recv_response(Some(options.stall_timeout))
            .timeout_per_read(Some(options.stall_timeout))
            .max_response_header_size(64 << 10)
            .build();
        Ok(Fetcher {
            agent: config.into(),
            cache: cache.to_owned(),
            options: options.clone(),
            progress,
        })
    }

    /// Brings the file to its place, unless it is there already.
    pub(super) fn fetch(&mut self, wanted: &Wanted<'_>) -> Result<Fetched, FetchError> {
        (self.progress)(Progress::Started {
            name: wanted.name.to_owned(),
        });
        let mut backoff = self.options.backoff;
        let mut attempt = 0;
        loop {
            let mut passing = None;
            let mut lasting = None;
            let mut pause = None;
            for url in &wanted.urls {
                match self.attempt(wanted, url) {
                    Ok(Fetched::Absent) => {}
                    Ok(fetched) => return Ok(fetched),
                    Err(Failure::Passing(error, asked)) => {
                        pause = asked.max(pause);
                        passing = Some(error);
                    }
                    // A full disk is full for every mirror.
                    Err(Failure::Lasting(error @ FetchError::Disk { .. })) => return Err(error),
                    Err(Failure::Lasting(error)) => lasting = Some(error),
                }
            }
            let Some(error) = passing else {
                return lasting.map_or(Ok(Fetched::Absent), Err);
            };
            if attempt >= self.options.retries {
                return Err(error);
            }
            attempt += 1;
            let pause = pause.unwrap_or(backoff).min(self.options.max_pause);
            backoff = backoff.saturating_mul(2);
            (self.progress)(Progress::Retrying {
                name: wanted.name.to_owned(),
                pause,
                reason: error.to_string(),
            });
            std::thread::sleep(pause);
        }
    }

    fn attempt(&mut self, wanted: &Wanted<'_>, url: &str) -> Result<Fetched, Failure> {
        let http = |reason: String| FetchError::Http {
            url: url.to_owned(),
            reason,
        };
        let key = hex(&Sha256::digest(wanted.dest.as_os_str().as_encoded_bytes()));
        let state_path = self.cache.join("state").join(format!("{key}.json"));
        let part = self.cache.join("partial").join(&key);
        let part_memory_path = self.cache.join("partial").join(format!("{key}.json"));

        let mut request = self
            .agent
            .get(url)
            .config()
            .https_only(url.starts_with("https:"))
            .build();
        let have = std::fs::metadata(&part).map_or(0, |metadata| metadata.len());
        let part_memory = Memory::load(&part_memory_path).filter(|memory| memory.url == url);
        let resume = part_memory
            .as_ref()
            .and_then(Memory::validator)
            .filter(|_| have > 0);
        if let Some(validator) = resume {
            request = request
                .header("Range", format!("bytes={have}-"))
                .header("If-Range", validator);
        } else if let Some(memory) = Memory::load(&state_path)
            && memory.url == url
            && std::fs::metadata(&wanted.dest).is_ok_and(|found| found.len() == memory.size)
        {
            if let Some(etag) = &memory.etag {
                request = request.header("If-None-Match", etag);
            }
            if let Some(date) = &memory.last_modified {
                request = request.header("If-Modified-Since", date);
            }
        }
        let response = request
            .call()
            .map_err(|error| Failure::Passing(http(error.to_string()), None))?;
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            (value.len() <= 1024).then(|| value.to_owned())
        };
        let start = match response.status().as_u16() {
            200 => 0,
            206 if resume.is_some() => {
                let range = header("content-range").unwrap_or_default();
                // `If-Range` should have made sure that it is a part of the same file.
                let known = part_memory.as_ref().and_then(|memory| memory.etag.clone());
                let same = header("etag").is_none_or(|etag| Some(etag) == known);
                if !same || !range.starts_with(&format!("bytes {have}-")) {
                    discard(&part, &part_memory_path);
                    let error = http("it sent another range than asked for".to_owned());
                    return Err(Failure::Passing(error, Some(Duration::ZERO)));
                }
                have
            }
            304 if resume.is_none() => return Ok(Fetched::Unchanged),
            404 | 410 => return Ok(Fetched::Absent),
            416 => {
                discard(&part, &part_memory_path);
                let error = http("it has no such range any more".to_owned());
                return Err(Failure::Passing(error, Some(Duration::ZERO)));
            }
            code @ (408 | 429 | 500..=599) => {
                let pause = header("retry-after").and_then(|value| retry_after(&value));
                let error = http(format!("it answered with status {code}"));
                return Err(Failure::Passing(error, pause));
            }
            code => {
                let error = http(format!("it answered with status {code}"));
                return Err(Failure::Lasting(error));
            }
        };
        let length: Option<u64> = header("content-length").and_then(|value| value.parse().ok());
        let total = length.and_then(|length| length.checked_add(start));
        let too_large = || {
            discard(&part, &part_memory_path);
            Failure::Lasting(FetchError::Broken {
                url: url.to_owned(),
                reason: format!("it is larger than {} bytes", wanted.cap),
            })
        };
        if total.is_some_and(|total| total > wanted.cap) {
            return Err(too_large());
        }
        let mut memory = Memory {
            url: url.to_owned(),
            etag: header("etag"),
            last_modified: header("last-modified"),
            size: total.unwrap_or(0),
        };
        let lasting = |path: &Path| {
            let path = path.to_owned();
            move |source| Failure::Lasting(FetchError::Disk { path, source })
        };
        if start == 0 {
            // The old bytes go before what they are called changes.
            File::create(&part).map_err(lasting(&part))?;
            memory.store(&part_memory_path).map_err(Failure::Lasting)?;
        }
        let mut file = OpenOptions::new()
            .append(true)
            .open(&part)
            .map_err(lasting(&part))?;
        let mut body = response
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader();
        let mut buffer = vec![0; 1 << 16];
        let mut done = start;
        let mut told = start;
        let mut window = (Instant::now(), start);
        loop {
            let count = body
                .read(&mut buffer)
                .map_err(|error| Failure::Passing(http(error.to_string()), None))?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            done += count as u64;
            if done > wanted.cap {
                return Err(too_large());
            }
            if let Err(error) = file.write_all(bytes) {
                // The disk is full, most likely; what lies there keeps others from working.
                discard(&part, &part_memory_path);
                return Err(lasting(&part)(error));
            }
            if done - told >= 1 << 18 {
                told = done;
                (self.progress)(Progress::Bytes {
                    name: wanted.name.to_owned(),
                    done,
                    total,
                });
            }
            if window.0.elapsed() >= self.options.stall_timeout {
                if done - window.1 < 1024 {
                    let error = http("it sends too slowly".to_owned());
                    return Err(Failure::Passing(error, None));
                }
                window = (Instant::now(), done);
            }
        }
        if total.is_some_and(|total| total != done) {
            let error = http(format!("it broke off after {done} bytes"));
            return Err(Failure::Passing(error, None));
        }
        file.sync_all().map_err(lasting(&part))?;
        drop(file);
        if let Err(reason) = (wanted.check)(&part) {
            discard(&part, &part_memory_path);
            return Err(Failure::Lasting(FetchError::Broken {
                url: url.to_owned(),
                reason,
            }));
        }
        if let Some(parent) = wanted.dest.parent() {
            std::fs::create_dir_all(parent).map_err(lasting(parent))?;
        }
        std::fs::rename(&part, &wanted.dest).map_err(lasting(&wanted.dest))?;
        // Between these two lines the state tells of the former file: its size differs, or
        // its validator is outdated, and either way the next run fetches again.
        memory.size = done;
        memory.store(&state_path).map_err(Failure::Lasting)?;
        let _ = std::fs::remove_file(&part_memory_path);
        Ok(Fetched::Downloaded(done - start))
    }
}

/// `Retry-After` in seconds; its date form is not worth a calendar here.
fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

fn discard(part: &Path, memory: &Path) {
    let _ = std::fs::remove_file(part);
    let _ = std::fs::remove_file(memory);
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> FetchError + use<> {
    let path = path.to_owned();
    move |source| FetchError::Disk { path, source }
}
