//! `db update`: fetch what advisories are made of, compile, install.
//!
//! The source is a mirror in the layout of the public OSV bucket: `ecosystems.txt` and
//! `<Ecosystem>/all.zip`, one JSON per advisory; beside it the EPSS scores and the catalogue
//! of known exploited vulnerabilities (KEV). What was fetched stays in a cache directory:
//!
//! ```text
//! CACHE/input/<Ecosystem>/all.zip   CACHE/input/epss/…   CACHE/input/kev/…
//! CACHE/selected/                   the inputs of this run, as the build sees them
//! CACHE/partial/  CACHE/state/      see [`seaworthy_fetch::Fetcher`]
//! CACHE/update.lock
//! ```
//!
//! One source that fails does not keep the others from being installed: its former copy is
//! used where there is one, and the report names it either way. When nothing changed,
//! nothing is built.
//!
//! [`update_prebuilt`] fetches a database that somebody else compiled and signed instead.

mod prebuilt;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

pub use prebuilt::{PrebuiltOptions, update_prebuilt};
pub use seaworthy_fetch::{Event, FetchError, HttpOptions, Outcome};

use crate::ecosystems::ECOSYSTEMS;
use crate::install::{Build, Generation, InstallDir, InstallError};
use crate::manifest::{Input, Manifest};
use seaworthy_fetch::{Fetched, Fetcher, Wanted, hash_file, link_or_copy, lock_folder};

/// The public bucket of OSV.dev.
pub const PUBLIC_BUCKET: &str = "https://osv-vulnerabilities.storage.googleapis.com";
/// FIRST's daily EPSS scores.
pub const EPSS_URL: &str = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz";
/// CISA's catalogue.
pub const KEV_URL: &str =
    "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";

/// The most bytes of one ecosystem's archive. npm, the largest, had 142 MB in 2025.
const MAX_ZIP_BYTES: u64 = 4 << 30;
/// The most bytes of a single advisory, and of an archive when inflated.
const MAX_RECORD_BYTES: u64 = 64 << 20;
const MAX_INFLATED_BYTES: u64 = 64 << 30;
const MAX_DECORATION_BYTES: u64 = 256 << 20;
const MAX_LIST_BYTES: u64 = 1 << 20;

/// What to fetch and from where.
#[derive(Debug, Clone)]
pub struct UpdateOptions {
    /// Mirrors of the bucket, best first, without a slash at the end.
    pub mirrors: Vec<String>,
    /// Ecosystems by their OSV names; a release (`Debian:12`) is cut off.
    pub ecosystems: Vec<String>,
    /// Where the EPSS scores are, best first; empty to do without.
    pub epss_urls: Vec<String>,
    /// Where the KEV catalogue is, best first; empty to do without.
    pub kev_urls: Vec<String>,
    /// Where downloads are kept.
    pub cache: PathBuf,
    /// What [`crate::manifest::Manifest::builder`] will say; when it differs from the
    /// installed one, the database is built again from the same inputs.
    pub builder: String,
    /// Patience with servers.
    pub http: HttpOptions,
    /// Install even when the result is older than what is installed.
    pub force: bool,
    /// The time, for expiry.
    pub now: Timestamp,
    /// How long the database may be relied on, from the moment its sources were asked;
    /// `None` for ever. Counted from now and not from the newest advisory, because a mirror
    /// that says "nothing has changed" has told us something, too.
    pub life: Option<SignedDuration>,
}

impl UpdateOptions {
    /// The public sources and the default ecosystems.
    pub fn new(cache: impl Into<PathBuf>, builder: &str, now: Timestamp) -> UpdateOptions {
        UpdateOptions {
            mirrors: vec![PUBLIC_BUCKET.to_owned()],
            ecosystems: ECOSYSTEMS.iter().map(|row| row.name.to_owned()).collect(),
            epss_urls: vec![EPSS_URL.to_owned()],
            kev_urls: vec![KEV_URL.to_owned()],
            cache: cache.into(),
            builder: builder.to_owned(),
            http: HttpOptions::default(),
            force: false,
            now,
            life: None,
        }
    }
}

/// What happens meanwhile, for whoever draws a progress bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A file is being fetched.
    Fetching(Event),
    /// A file is done with.
    Finished {
        /// Which.
        name: String,
        /// How it went.
        outcome: Outcome,
    },
    /// All is fetched and the database is compiled.
    Building,
    /// It is compiled, or fetched, and gets installed.
    Installing,
}

/// What an update did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateReport {
    /// Every file by name, and how it went.
    pub files: Vec<(String, Outcome)>,
    /// The database that is now in use.
    pub database: Generation,
    /// Whether this run installed it; otherwise nothing had changed.
    pub installed: bool,
}

/// Why there is no new database.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Somebody else is at it.
    #[error(
        "another update uses `{}`\n  hint: wait for it to end, or use another cache directory",
        .0.display()
    )]
    Busy(PathBuf),
    /// A name that is no ecosystem.
    #[error(
        "`{0}` is not the name of an ecosystem\n  hint: names are those of the OSV schema, such as `Debian`, `PyPI`, `Rocky Linux`"
    )]
    BadEcosystem(String),
    /// Nothing at all could be had, now or before.
    #[error(
        "no advisories could be fetched: {0}\n  hint: check the network and the proxy variables, or name a mirror"
    )]
    Nothing(String),
    /// The network or the disk.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The cache directory.
    #[error("cannot use the cache `{}`: {source}", path.display())]
    Cache {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Building or installing.
    #[error(transparent)]
    Install(#[from] InstallError),
}

/// Whether an installed database may stay as it is: nothing would be gained but less than a
/// day of life.
fn lasts(installed: &Manifest, options: &UpdateOptions) -> bool {
    match (installed.expires, options.life) {
        (None, None) => true,
        (Some(expires), Some(life)) => {
            expires.duration_since(options.now) > life - SignedDuration::from_hours(24)
        }
        _ => false,
    }
}

/// Fetches what changed, compiles with `build`, installs.
///
/// `build` is called with a directory in the bucket's layout and the directory to write
/// shards to. Its manifest's `inputs` and `builder` are filled in here.
///
/// # Errors
///
/// When nothing could be fetched and nothing was before, or compiling or installing
/// failed. A source that failed alone is in the report.
pub fn update(
    place: &InstallDir,
    options: &UpdateOptions,
    build: &mut BuildFrom<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<UpdateReport, UpdateError> {
    let ecosystems = ecosystem_names(&options.ecosystems)?;
    let _lock = lock(&options.cache)?;
    let input = options.cache.join("input");
    let fetcher = Fetcher::new(&options.cache, &options.http)?;
    let mut files = Vec::new();
    let mut inputs = Vec::new();
    let mirrored = |path: &str| -> Vec<String> {
        let mirrors = options.mirrors.iter();
        mirrors
            .map(|base| format!("{}/{path}", base.trim_end_matches('/')))
            .collect()
    };
    let list = Wanted {
        name: "ecosystems.txt",
        urls: mirrored("ecosystems.txt"),
        dest: input.join("ecosystems.txt"),
        cap: MAX_LIST_BYTES,
        check: &check_list,
    };
    // A courtesy of the bucket that a mirror may leave out, so it is not reported.
    let listed = match fetcher.fetch(&list, &mut |event| progress(Progress::Fetching(event))) {
        Ok(Fetched::Downloaded(_) | Fetched::Unchanged) => std::fs::read_to_string(&list.dest).ok(),
        _ => None,
    };
    let mut wanted: Vec<Wanted<'_>> = ecosystems
        .iter()
        .map(|name| Wanted {
            name,
            urls: mirrored(&format!("{}/all.zip", percent_encode(name))),
            dest: input.join(name).join("all.zip"),
            cap: MAX_ZIP_BYTES,
            check: &check_zip,
        })
        .collect();
    if !options.epss_urls.is_empty() {
        wanted.push(Wanted {
            name: "epss",
            urls: options.epss_urls.clone(),
            dest: input.join("epss/epss_scores-current.csv.gz"),
            cap: MAX_DECORATION_BYTES,
            check: &check_gzip,
        });
    }
    if !options.kev_urls.is_empty() {
        wanted.push(Wanted {
            name: "kev",
            urls: options.kev_urls.clone(),
            dest: input.join("kev/known_exploited_vulnerabilities.json"),
            cap: MAX_DECORATION_BYTES,
            check: &check_json,
        });
    }
    for file in &wanted {
        let is_listed = listed.as_deref().is_none_or(|list| {
            let mut names = list
                .lines()
                .map(|line| line.split(':').next().unwrap_or(line));
            !ecosystems.iter().any(|name| name == file.name)
                || names.any(|name| name.trim() == file.name)
        });
        let outcome = if is_listed {
            Outcome::from(fetcher.fetch(file, &mut |event| progress(Progress::Fetching(event))))
        } else {
            Outcome::Absent
        };
        // What its source has withdrawn must not live on.
        if outcome == Outcome::Absent {
            let _ = std::fs::remove_file(&file.dest);
        }
        progress(Progress::Finished {
            name: file.name.to_owned(),
            outcome: outcome.clone(),
        });
        files.push((file.name.to_owned(), outcome));
        if file.dest.exists() {
            let (sha256, size) = hash_file(&file.dest).map_err(cache_error(&file.dest))?;
            let name = file.name.to_owned();
            inputs.push(Input { name, sha256, size });
        }
    }
    inputs.sort();
    if !inputs.iter().any(|input| ecosystems.contains(&input.name)) {
        let reasons = files.iter().map(|(name, outcome)| match outcome {
            Outcome::Failed(reason) => reason.clone(),
            _ => format!("no mirror has `{name}`"),
        });
        let first = reasons.into_iter().next();
        return Err(UpdateError::Nothing(
            first.unwrap_or_else(|| "no ecosystem was chosen".to_owned()),
        ));
    }

    let keys = place.pinned_keys()?;
    if let Ok(database) = place.open(&keys, options.now)
        && database.manifest.inputs == inputs
        && database.manifest.builder == options.builder
        && lasts(&database.manifest, options)
    {
        return Ok(UpdateReport {
            files,
            database,
            installed: false,
        });
    }
    let selected = options.cache.join("selected");
    let present = wanted.iter().map(|file| file.dest.as_path());
    select(&input, &selected, present.filter(|path| path.exists()))
        .map_err(cache_error(&selected))?;
    progress(Progress::Building);
    let mut make: Box<Build<'_>> = Box::new(|staging| {
        let mut manifest = build(&selected, staging)?;
        manifest.inputs.clone_from(&inputs);
        manifest.builder.clone_from(&options.builder);
        manifest.expires = options
            .life
            .and_then(|life| options.now.checked_add(life).ok());
        progress(Progress::Installing);
        Ok(manifest)
    });
    let database = place.install_built(&mut *make, options.now, options.force)?;
    drop(make);
    let _ = std::fs::remove_dir_all(&selected);
    Ok(UpdateReport {
        files,
        database,
        installed: true,
    })
}

/// Compiles a directory in the bucket's layout (first) into shards (second).
pub type BuildFrom<'a> =
    dyn FnMut(&Path, &Path) -> Result<Manifest, crate::install::BuildError> + 'a;

/// The names without release, each once, none that could leave the directory.
fn ecosystem_names(names: &[String]) -> Result<Vec<String>, UpdateError> {
    let mut found = Vec::new();
    for name in names {
        let plain = name.split(':').next().unwrap_or_default().trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || " .-_+".contains(c);
        if plain.is_empty()
            || plain.len() > 100
            || plain.starts_with('.')
            || !plain.chars().all(allowed)
            || matches!(plain, "epss" | "kev")
        {
            return Err(UpdateError::BadEcosystem(name.chars().take(100).collect()));
        }
        if !found.iter().any(|known| known == plain) {
            found.push(plain.to_owned());
        }
    }
    Ok(found)
}

/// RFC 3986: everything but unreserved characters.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Makes `selected` hold exactly these files of `input`, without copying them.
fn select<'a>(
    input: &Path,
    selected: &Path,
    files: impl Iterator<Item = &'a Path>,
) -> io::Result<()> {
    if selected.exists() {
        std::fs::remove_dir_all(selected)?;
    }
    for file in files {
        let relative = file.strip_prefix(input).map_err(io::Error::other)?;
        let link = selected.join(relative);
        std::fs::create_dir_all(link.parent().unwrap_or(selected))?;
        link_or_copy(file, &link)?;
    }
    Ok(())
}

fn lock(cache: &Path) -> Result<File, UpdateError> {
    lock_folder(cache)
        .map_err(cache_error(cache))?
        .ok_or_else(|| UpdateError::Busy(cache.to_owned()))
}

fn cache_error(path: &Path) -> impl FnOnce(io::Error) -> UpdateError + use<> {
    let path = path.to_owned();
    move |source| UpdateError::Cache { path, source }
}

/// Whether an archive is whole: its directory is there and every member inflates to what
/// its checksum says.
fn check_zip(path: &Path) -> Result<(), String> {
    let broken = |error: &dyn std::fmt::Display| format!("it is no whole zip archive: {error}");
    let file = File::open(path).map_err(|error| broken(&error))?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| broken(&error))?;
    let mut total: u64 = 0;
    for i in 0..archive.len() {
        let member = archive.by_index(i).map_err(|error| broken(&error))?;
        let size = io::copy(&mut member.take(MAX_RECORD_BYTES + 1), &mut io::sink())
            .map_err(|error| broken(&error))?;
        total = total.saturating_add(size);
        if size > MAX_RECORD_BYTES || total > MAX_INFLATED_BYTES {
            return Err("it inflates to more than any real archive".to_owned());
        }
    }
    Ok(())
}

fn check_gzip(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let inflated = flate2::read::MultiGzDecoder::new(BufReader::new(file));
    let size = io::copy(
        &mut inflated.take(MAX_DECORATION_BYTES * 4),
        &mut io::sink(),
    )
    .map_err(|error| format!("it is no whole gzip file: {error}"))?;
    if size >= MAX_DECORATION_BYTES * 4 {
        return Err("it inflates to more than any real file".to_owned());
    }
    Ok(())
}

fn check_json(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    serde_json::from_reader::<_, serde::de::IgnoredAny>(BufReader::new(file))
        .map(|_| ())
        .map_err(|error| format!("it is no whole JSON document: {error}"))
}

fn check_list(path: &Path) -> Result<(), String> {
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim_start().starts_with('<') => Ok(()),
        Ok(_) => Err("it is a web page".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecosystem_names_are_cut_at_the_release_and_cannot_leave_the_directory() {
        let names = |list: &[&str]| {
            ecosystem_names(&list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).ok()
        };
        assert_eq!(
            names(&["Debian:12", "Debian", "Rocky Linux"]),
            Some(vec!["Debian".to_owned(), "Rocky Linux".to_owned()])
        );
        for bad in ["", "..", "a/b", "../x", "epss", "a\0b", ":12", "é"] {
            assert_eq!(names(&[bad]), None, "{bad}");
        }
    }

    #[test]
    fn urls_are_percent_encoded() {
        assert_eq!(percent_encode("Rocky Linux"), "Rocky%20Linux");
        assert_eq!(percent_encode("crates.io"), "crates.io");
    }
}
