//! Leaving a server alone that asked for it, also in later runs.
//!
//! ```text
//! CACHE/cool-down/HASH.json    host (with port), until when, which answer it gave
//! ```
//!
//! Public mirrors of signatures block who keeps asking after a 429 or 403, so the wish to be
//! left alone outlives the process. A file that can't be read counts as none.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::files::hex;

/// The longest a server is left alone, whatever it asks for.
const LONGEST: SignedDuration = SignedDuration::from_hours(48);

/// How long a server is left alone that says "too many requests" or "forbidden".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoolDown {
    /// The time.
    pub now: Timestamp,
    /// After 429 without `Retry-After`.
    pub busy: SignedDuration,
    /// After 403 without `Retry-After`.
    pub refused: SignedDuration,
}

impl CoolDown {
    /// Four hours for a busy server, a day for one that refuses us: what the operators of the
    /// public signature mirrors ask of clients.
    pub fn new(now: Timestamp) -> CoolDown {
        CoolDown {
            now,
            busy: SignedDuration::from_hours(4),
            refused: SignedDuration::from_hours(24),
        }
    }

    /// Until when, after this answer.
    pub(crate) fn until(&self, status: u16, retry_after: Option<&str>) -> Timestamp {
        let standard = if status == 429 {
            self.busy
        } else {
            self.refused
        };
        let asked = retry_after.and_then(|value| wait_of(value, self.now));
        let wait = asked.unwrap_or(standard).min(LONGEST);
        self.now.checked_add(wait).unwrap_or(Timestamp::MAX)
    }
}

/// `Retry-After`, RFC 9110 section 10.2.3: seconds or a date.
pub(crate) fn wait_of(value: &str, now: Timestamp) -> Option<SignedDuration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(SignedDuration::from_secs(i64::from(seconds)));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(date.duration_since(now).max(SignedDuration::ZERO))
}

/// One host's wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    host: String,
    /// Seconds since 1970.
    until: i64,
    pub status: u16,
}

impl Wish {
    pub(crate) fn new(url: &str, until: Timestamp, status: u16) -> Wish {
        Wish {
            host: host_of(url).to_owned(),
            until: until.as_second(),
            status,
        }
    }

    pub(crate) fn until(&self) -> Timestamp {
        Timestamp::from_second(self.until).unwrap_or(Timestamp::MAX)
    }

    /// What holds for this URL now.
    pub(crate) fn load(cache: &Path, url: &str, now: Timestamp) -> Option<Wish> {
        let mut text = Vec::new();
        File::open(place(cache, url))
            .ok()?
            .take(1 << 12)
            .read_to_end(&mut text)
            .ok()?;
        let wish: Wish = serde_json::from_slice(&text).ok()?;
        // A clock that was wrong once must not keep us away for years.
        let left = wish.until().duration_since(now);
        let holds = left > SignedDuration::ZERO && left <= LONGEST && wish.host == host_of(url);
        holds.then_some(wish)
    }

    pub(crate) fn store(&self, cache: &Path, url: &str) -> io::Result<()> {
        let path = place(cache, url);
        std::fs::create_dir_all(cache.join("cool-down"))?;
        let temporary = path.with_extension("new");
        std::fs::write(&temporary, serde_json::to_vec(self)?)?;
        std::fs::rename(&temporary, &path)
    }
}

fn place(cache: &Path, url: &str) -> PathBuf {
    let key = hex(&Sha256::digest(host_of(url)));
    cache.join("cool-down").join(format!("{key}.json"))
}

/// `host:port` of a URL, without what stands before `@`.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_kept_for_its_host_until_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_000_000).unwrap();
        let cool_down = CoolDown::new(now);
        let until = cool_down.until(429, Some("3600"));
        assert_eq!(until, Timestamp::from_second(1_003_600).unwrap());
        let url = "https://user@mirror.example:8443/main.cvd";
        Wish::new(url, until, 429)
            .store(folder.path(), url)
            .unwrap();
        let other_file = "https://mirror.example:8443/daily.cvd";
        assert!(Wish::load(folder.path(), other_file, now).is_some());
        assert!(Wish::load(folder.path(), other_file, until).is_none());
        assert!(Wish::load(folder.path(), "https://other.example/daily.cvd", now).is_none());
        // A clock that ran ahead when the wish was written.
        assert!(Wish::load(folder.path(), url, Timestamp::UNIX_EPOCH).is_none());
    }

    #[test]
    fn dates_and_nonsense_in_retry_after() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let wait = |value| wait_of(value, now).map(|wait| wait.as_secs());
        assert_eq!(wait("Thu, 01 Jan 2026 00:10:00 GMT"), Some(600));
        assert_eq!(wait("Wed, 31 Dec 2025 00:10:00 GMT"), Some(0));
        assert_eq!(
            (wait("soon"), wait("-5"), wait("120")),
            (None, None, Some(120))
        );
        let cool_down = CoolDown::new(now);
        assert_eq!(
            cool_down.until(403, Some("soon")),
            cool_down.until(403, None)
        );
        assert_eq!(
            cool_down.until(403, Some("4000000000")).duration_since(now),
            LONGEST
        );
    }
}
