//! Fetching one file over HTTP so that nothing is lost when it is interrupted.
//!
//! ```text
//! CACHE/partial/HASH       bytes that came so far
//! CACHE/partial/HASH.json  what they are a part of: URL and validator
//! CACHE/state/HASH.json    what the finished file was: URL, validators, size
//! CACHE/cool-down/         servers that asked to be left alone (see [`CoolDown`])
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

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ureq::tls::{RootCerts, TlsConfig};

use crate::cool_down::{CoolDown, Wish, wait_of};
use crate::files::hex;

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
    /// Whether a server that answers 429 or 403 is left alone also in later runs; without it
    /// the one is tried again after a pause, and the other is an error like any.
    pub cool_down: Option<CoolDown>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
            stall_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(15),
            retries: 4,
            backoff: Duration::from_secs(1),
            max_pause: Duration::from_secs(60),
            cool_down: None,
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
    /// The server asked to be left alone, now or in an earlier run.
    #[error(
        "`{url}` is left alone until {until}: it answered with status {status}\n  hint: wait until then, or use another mirror"
    )]
    CoolingDown {
        /// What would have been asked for.
        url: String,
        /// Until when.
        until: Timestamp,
        /// Its answer.
        status: u16,
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
pub enum Fetched {
    /// The file we have is still the server's.
    Unchanged,
    /// A new one is in place; so many bytes were sent for it.
    Downloaded(u64),
    /// No mirror has it.
    Absent,
}

/// How it went with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Fetched; so many bytes came over the network.
    Downloaded(u64),
    /// The copy we have is the newest.
    Unchanged,
    /// No mirror has it.
    Absent,
    /// It could not be had, for this reason; a former copy is used where there is one.
    Failed(String),
}

impl From<Result<Fetched, FetchError>> for Outcome {
    fn from(result: Result<Fetched, FetchError>) -> Outcome {
        match result {
            Ok(Fetched::Downloaded(bytes)) => Outcome::Downloaded(bytes),
            Ok(Fetched::Unchanged) => Outcome::Unchanged,
            Ok(Fetched::Absent) => Outcome::Absent,
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }
}

/// What happens meanwhile, for whoever draws a progress bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A file is asked for.
    Started {
        /// Which.
        name: String,
    },
    /// More of it has come.
    Bytes {
        /// Which.
        name: String,
        /// Bytes so far, those of earlier runs included.
        done: u64,
        /// Bytes in all, where the server says.
        total: Option<u64>,
    },
    /// Something failed that may work the next time.
    Retrying {
        /// Which.
        name: String,
        /// How long we wait.
        pause: Duration,
        /// What failed.
        reason: String,
    },
}

/// One file to fetch.
pub struct Wanted<'a> {
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

/// Fetches files, one at a time.
pub struct Fetcher {
    agent: ureq::Agent,
    cache: PathBuf,
    options: HttpOptions,
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

impl Fetcher {
    /// Prepares to fetch, with what is remembered in the folder `cache`, which is made.
    ///
    /// # Errors
    ///
    /// When the folder can't be made.
    pub fn new(cache: &Path, options: &HttpOptions) -> Result<Fetcher, FetchError> {
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
        })
    }

    /// Brings the file to its place, unless it is there already.
    ///
    /// # Errors
    ///
    /// When no mirror gave it, and at least one failed in another way than not to have it.
    pub fn fetch(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut dyn FnMut(Event),
    ) -> Result<Fetched, FetchError> {
        progress(Event::Started {
            name: wanted.name.to_owned(),
        });
        let mut backoff = self.options.backoff;
        let mut attempt = 0;
        loop {
            let mut passing = None;
            let mut lasting = None;
            let mut pause = None;
            for url in &wanted.urls {
                match self.attempt(wanted, url, progress) {
                    Ok(Fetched::Absent) => {}
                    Ok(fetched) => return Ok(fetched),
                    Err(Failure::Passing(error, asked)) => {
                        pause = asked.max(pause);
                        passing.get_or_insert(error);
                    }
                    // A full disk is full for every mirror.
                    Err(Failure::Lasting(error @ FetchError::Disk { .. })) => return Err(error),
                    // The best mirror's reason is told.
                    Err(Failure::Lasting(error)) => {
                        lasting.get_or_insert(error);
                    }
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
            progress(Event::Retrying {
                name: wanted.name.to_owned(),
                pause,
                reason: error.to_string(),
            });
            std::thread::sleep(pause);
        }
    }

    fn attempt(
        &self,
        wanted: &Wanted<'_>,
        url: &str,
        progress: &mut dyn FnMut(Event),
    ) -> Result<Fetched, Failure> {
        if let Some(cool_down) = &self.options.cool_down
            && let Some(wish) = Wish::load(&self.cache, url, cool_down.now)
        {
            return Err(Failure::Lasting(cooling_down(url, &wish)));
        }
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
            status @ (403 | 429) if self.options.cool_down.is_some() => {
                let asked = header("retry-after");
                return Err(self.leave_alone(url, status, asked.as_deref()));
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
                progress(Event::Bytes {
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

impl Fetcher {
    /// A server that wants to be left alone for no longer than we would wait anyway is tried
    /// again; else its wish is kept on disk.
    fn leave_alone(&self, url: &str, status: u16, retry_after: Option<&str>) -> Failure {
        let Some(cool_down) = &self.options.cool_down else {
            return Failure::Lasting(FetchError::Http {
                url: url.to_owned(),
                reason: format!("it answered with status {status}"),
            });
        };
        let asked = retry_after.and_then(|value| wait_of(value, cool_down.now));
        if let Some(pause) = asked.and_then(|wait| Duration::try_from(wait).ok())
            && pause <= self.options.max_pause
            && status == 429
        {
            let error = FetchError::Http {
                url: url.to_owned(),
                reason: format!("it answered with status {status}"),
            };
            return Failure::Passing(error, Some(pause));
        }
        let wish = Wish::new(url, cool_down.until(status, retry_after), status);
        match wish.store(&self.cache, url) {
            Ok(()) => Failure::Lasting(cooling_down(url, &wish)),
            Err(source) => Failure::Lasting(FetchError::Disk {
                path: self.cache.join("cool-down"),
                source,
            }),
        }
    }
}

fn cooling_down(url: &str, wish: &Wish) -> FetchError {
    FetchError::CoolingDown {
        url: url.to_owned(),
        until: wish.until(),
        status: wish.status,
    }
}

/// `Retry-After` in seconds; who needs its date form sets [`HttpOptions::cool_down`].
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
