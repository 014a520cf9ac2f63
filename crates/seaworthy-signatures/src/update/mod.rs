//! `signatures update` and `signatures build`: get signature files, compile, install.
//!
//! A mirror serves ClamAV's containers by name, `main.cvd`, or `main.cld` where it applies
//! increments itself. What was fetched stays in a cache directory:
//!
//! ```text
//! CACHE/input/main.cvd …    the containers, whatever their extension on the mirror
//! CACHE/input/main-62.cvd.sign …   their detached signatures, where certificates are trusted
//! CACHE/partial/  CACHE/state/  CACHE/cool-down/   see [`seaworthy_fetch::Fetcher`]
//! CACHE/update.lock
//! ```
//!
//! A container takes its place in the cache only when digest and signature fit, when it is
//! the one asked for, and when it is no older than the one there. One that fails does not keep
//! the others from being installed: its former copy is used where there is one. When no source
//! changed, nothing is built.
//!
//! Left out: increments (`.cdiff`). A container is fetched whole when it changed.

mod certificates;
mod sources;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use seaworthy_fetch::{
    CoolDown, Event, FetchError, Fetched, Fetcher, HttpOptions, Outcome, Wanted,
};

use crate::BuildError;
use crate::cvd::{Header, verify_sign};
use crate::install::{InstallDir, InstallError, Installed};
use crate::manifest::Trust;
use crate::sign::Certificate;

pub use certificates::{CertificatesError, read_certificates};
pub use sources::{Compiled, Sources};
use sources::{MAX_SIGN_BYTES, read_container};

/// ClamAV's official host.
pub const OFFICIAL_MIRROR: &str = "https://database.clamav.net";
/// The official containers.
pub const OFFICIAL_DATABASES: [&str; 3] = ["main", "daily", "bytecode"];

/// The most bytes of one container; the largest official one had 163 MB in 2025.
const MAX_CONTAINER_BYTES: u64 = 1 << 30;

/// What to fetch and from where.
#[derive(Debug, Clone)]
pub struct UpdateOptions {
    /// Mirrors, best first, without a slash at the end.
    pub mirrors: Vec<String>,
    /// Names of containers, without extension.
    pub databases: Vec<String>,
    /// Files and folders that are added to what was fetched.
    pub added: Vec<PathBuf>,
    /// Where downloads are kept.
    pub cache: PathBuf,
    /// What [`crate::manifest::Manifest::builder`] will say; when it differs from the installed one, the same
    /// sources are compiled again.
    pub builder: String,
    /// Patience with servers.
    pub http: HttpOptions,
    /// Who may vouch for containers by detached signatures (`NAME-VERSION.cvd.sign`); a mirror
    /// that has such a signature must have a right one then. Empty: they are not asked for.
    pub certificates: Vec<Certificate>,
    /// Take containers that the publisher did not sign.
    pub allow_unsigned: bool,
    /// Take containers that are older than those we have, and compile also when nothing
    /// changed.
    pub force: bool,
    /// The time.
    pub now: Timestamp,
}

impl UpdateOptions {
    /// The official containers from the official host.
    pub fn new(cache: impl Into<PathBuf>, builder: &str, now: Timestamp) -> UpdateOptions {
        UpdateOptions {
            mirrors: vec![OFFICIAL_MIRROR.to_owned()],
            databases: OFFICIAL_DATABASES.map(str::to_owned).to_vec(),
            added: Vec::new(),
            cache: cache.into(),
            builder: builder.to_owned(),
            http: HttpOptions {
                cool_down: Some(CoolDown::new(now)),
                ..HttpOptions::default()
            },
            certificates: Vec::new(),
            allow_unsigned: false,
            force: false,
            now,
        }
    }
}

/// What happens meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A container is being fetched.
    Fetching(Event),
    /// The files are being read.
    Reading,
    /// They are being compiled.
    Compiling,
    /// The result gets installed.
    Installing,
}

/// What an update or a build did.
pub struct UpdateReport {
    /// Every container that was asked for, and how it went.
    pub files: Vec<(String, Outcome)>,
    /// The signatures that are now in use.
    pub installed: Installed,
    /// Whether this run installed them; otherwise nothing had changed.
    pub changed: bool,
}

/// Why there are no new signatures.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Somebody else is at it.
    #[error(
        "another update uses `{}`\n  hint: wait for it to end, or use another download folder",
        .0.display()
    )]
    Busy(PathBuf),
    /// A name that is none of a container.
    #[error(
        "`{0}` is not the name of a signature database\n  hint: names are those of the mirror without extension, such as `main`"
    )]
    BadName(String),
    /// Nothing at all could be had, now or before.
    #[error("no signatures could be fetched: {reason}\n  hint: {hint}")]
    Nothing {
        /// The first thing that failed.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// What was given holds no signature that can be looked for.
    #[error(
        "there is nothing to look for in `{}`: {reason}\n  hint: signature files are known by their extension: .cvd, .cld, .hdb, .hsb, .ndb, .ldb and others",
        path.display()
    )]
    Empty {
        /// What was given.
        path: PathBuf,
        /// What is wrong with the first file that was not used, or with the signatures.
        reason: String,
    },
    /// The network or the disk.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The cache directory.
    #[error("cannot use the download folder `{}`: {source}", path.display())]
    Cache {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Compiling.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Installing.
    #[error(transparent)]
    Install(#[from] InstallError),
}

/// Fetches what changed, compiles, installs.
///
/// # Errors
///
/// When there is nothing to install, now or from before, or compiling or installing failed. A
/// container or file that failed alone is in the report.
pub fn update(
    place: &InstallDir,
    options: &UpdateOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<UpdateReport, UpdateError> {
    for name in &options.databases {
        check_name(name)?;
    }
    let cache_error = |path: &Path| {
        let path = path.to_owned();
        move |source| UpdateError::Cache { path, source }
    };
    let _lock = seaworthy_fetch::lock_folder(&options.cache)
        .map_err(cache_error(&options.cache))?
        .ok_or_else(|| UpdateError::Busy(options.cache.clone()))?;
    let fetcher = Fetcher::new(&options.cache, &options.http)?;
    let input = options.cache.join("input");
    let mut files = Vec::new();
    let mut sources = Sources::new(&options.certificates);
    let mut dests = Vec::new();
    for name in &options.databases {
        let dest = input.join(format!("{name}.cvd"));
        let mut outcome = fetch(&fetcher, name, &dest, options, progress);
        // A container from before anybody was trusted.
        if outcome == Outcome::Unchanged
            && let Err(reason) = certify(name, &dest, &fetcher, options)
        {
            outcome = Outcome::Failed(reason);
        }
        if outcome == Outcome::Absent {
            // What its publisher has withdrawn must not live on.
            let _ = std::fs::remove_file(&dest);
        }
        forget_signs(&input, name, version_of(&dest));
        files.push((format!("{name}.cvd"), outcome));
        dests.push(dest);
    }
    if !dests.iter().any(|dest| dest.exists()) {
        return Err(nothing(&files));
    }
    progress(Progress::Reading);
    for dest in dests.iter().filter(|dest| dest.exists()) {
        let name = dest.file_name().unwrap_or_default().to_string_lossy();
        sources.add(dest, &name);
    }
    let (installed, changed) = finish(place, sources, &input, options, progress)?;
    Ok(UpdateReport {
        files,
        installed,
        changed,
    })
}

/// Compiles the files of a folder, or one file, and installs the result. Of the options,
/// mirrors and cache do not count.
///
/// # Errors
///
/// When there is no signature in it, or compiling or installing failed. A file that can't be
/// used is in the report.
pub fn build(
    place: &InstallDir,
    from: &Path,
    options: &UpdateOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<UpdateReport, UpdateError> {
    progress(Progress::Reading);
    let mut sources = Sources::new(&options.certificates);
    sources.add(from, &top_name(from));
    let (installed, changed) = finish(place, sources, from, options, progress)?;
    Ok(UpdateReport {
        files: Vec::new(),
        installed,
        changed,
    })
}

/// Compiles the files of a folder, or one file, and installs nothing.
///
/// # Errors
///
/// When there is no signature in it, or it is too much for one set.
pub fn compile_path(from: &Path, builder: &str, now: Timestamp) -> Result<Compiled, UpdateError> {
    let mut sources = Sources::default();
    sources.add(from, &top_name(from));
    let compiled = sources.compile(builder, now)?;
    check_filled(&compiled, from)?;
    Ok(compiled)
}

/// A file that is given alone goes by its own name; files of a folder by their path in it.
fn top_name(path: &Path) -> String {
    if path.is_dir() {
        return String::new();
    }
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn finish(
    place: &InstallDir,
    mut sources: Sources,
    from: &Path,
    options: &UpdateOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Installed, bool), UpdateError> {
    let extra = place.extra_folder();
    if extra.is_dir() {
        sources.add(&extra, "extra");
    }
    for path in &options.added {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        sources.add(path, &name);
    }
    let fingerprint = sources.fingerprint();
    if !options.force
        && let Ok(Some(installed)) = place.current()
        && installed.manifest.fingerprint == fingerprint
        && installed.manifest.builder == options.builder
        && installed.manifest.compiled_format == crate::FORMAT_VERSION
        && installed.verify().is_ok()
    {
        return Ok((installed, false));
    }
    progress(Progress::Compiling);
    let mut compiled = sources.compile(&options.builder, options.now)?;
    compiled.manifest.fingerprint = fingerprint;
    check_filled(&compiled, from)?;
    progress(Progress::Installing);
    Ok((place.install(&compiled)?, true))
}

/// An empty set would look like an installed one and find nothing.
fn check_filled(compiled: &Compiled, from: &Path) -> Result<(), UpdateError> {
    let manifest = &compiled.manifest;
    if manifest.active > 0 {
        return Ok(());
    }
    let reason = match (manifest.problems.first(), manifest.inactive.first()) {
        (Some(problem), _) => format!("`{}`: {}", problem.path, problem.reason),
        (None, Some(inactive)) => format!(
            "all {} signatures are kept out, the first for `{}`",
            manifest.parsed, inactive.reason
        ),
        (None, None) => "no signature file holds one".to_owned(),
    };
    Err(UpdateError::Empty {
        path: from.to_owned(),
        reason,
    })
}

fn fetch(
    fetcher: &Fetcher,
    name: &str,
    dest: &Path,
    options: &UpdateOptions,
    progress: &mut dyn FnMut(Progress),
) -> Outcome {
    let urls = ["cvd", "cld"].iter().flat_map(|extension| {
        let mirrors = options.mirrors.iter();
        mirrors.map(move |base| format!("{}/{name}.{extension}", base.trim_end_matches('/')))
    });
    let wanted = Wanted {
        name,
        urls: urls.collect(),
        dest: dest.to_owned(),
        cap: MAX_CONTAINER_BYTES,
        check: &|path| check_container(path, name, dest, fetcher, options),
    };
    let fetched = fetcher.fetch(&wanted, &mut |event| progress(Progress::Fetching(event)));
    Outcome::from(fetched)
}

/// Whether a download is the container that was asked for, and may replace the one in `dest`.
fn check_container(
    path: &Path,
    name: &str,
    dest: &Path,
    fetcher: &Fetcher,
    options: &UpdateOptions,
) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let container = read_container(&bytes)?;
    let version = container.header.version;
    let certified = fetch_sign(&bytes, name, version, dest, fetcher, options)?;
    if Trust::of(container.verified) < Trust::Signed && !certified && !options.allow_unsigned {
        return Err("its list of files carries no signature of the publisher".to_owned());
    }
    // A signed container under another's name would take that one's signatures away.
    if !container.members.contains_key(&format!("{name}.info")) {
        return Err(format!("it is another database than `{name}`"));
    }
    let former = version_of(dest);
    match former {
        Some(former) if former > container.header.version && !options.force => Err(format!(
            "it has version {}, older than version {former} that is here",
            container.header.version
        )),
        _ => Ok(()),
    }
}

/// Fetches the detached signature of a container, and puts it beside it if it fits; whether
/// there is one. The version is part of its name, so it belongs to this very container.
fn fetch_sign(
    container: &[u8],
    name: &str,
    version: u32,
    dest: &Path,
    fetcher: &Fetcher,
    options: &UpdateOptions,
) -> Result<bool, String> {
    if options.certificates.is_empty() {
        return Ok(false);
    }
    let file = format!("{name}-{version}.cvd.sign");
    let mirrors = options.mirrors.iter();
    let wanted = Wanted {
        name: &file,
        urls: mirrors
            .map(|base| format!("{}/{file}", base.trim_end_matches('/')))
            .collect(),
        dest: dest.with_file_name(&file),
        cap: MAX_SIGN_BYTES,
        check: &|path| {
            let sign = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
            verify_sign(container, &sign, &options.certificates)
                .map(|_| ())
                .map_err(|error| error.to_string())
        },
    };
    match fetcher.fetch(&wanted, &mut |_| {}) {
        Ok(Fetched::Downloaded(_) | Fetched::Unchanged) => Ok(true),
        Ok(Fetched::Absent) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// Fetches the detached signature of a container that is in the cache without one.
fn certify(
    name: &str,
    dest: &Path,
    fetcher: &Fetcher,
    options: &UpdateOptions,
) -> Result<(), String> {
    let Some(version) = version_of(dest).filter(|_| !options.certificates.is_empty()) else {
        return Ok(());
    };
    let sign = dest.with_file_name(format!("{name}-{version}.cvd.sign"));
    if sign.exists() {
        return Ok(());
    }
    let bytes = std::fs::read(dest).map_err(|error| error.to_string())?;
    fetch_sign(&bytes, name, version, dest, fetcher, options).map(|_| ())
}

/// Removes detached signatures of versions that are gone.
fn forget_signs(input: &Path, name: &str, version: Option<u32>) {
    let kept = version.map(|version| format!("{name}-{version}.cvd.sign"));
    let Ok(entries) = std::fs::read_dir(input) else {
        return;
    };
    for entry in entries.take(10_000).flatten() {
        let file = entry.file_name();
        let Some(file) = file.to_str() else { continue };
        let version = file
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".cvd.sign"));
        let is_sign = version.is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        if is_sign && kept.as_deref() != Some(file) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The version in the header of a container that is in the cache.
fn version_of(path: &Path) -> Option<u32> {
    let mut head = Vec::new();
    File::open(path)
        .ok()?
        .take(512)
        .read_to_end(&mut head)
        .ok()?;
    Some(Header::parse(&head).ok()?.version)
}

/// Names go into URLs and file names as they are.
fn check_name(name: &str) -> Result<(), UpdateError> {
    let fits = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if fits {
        return Ok(());
    }
    Err(UpdateError::BadName(name.chars().take(100).collect()))
}

fn nothing(files: &[(String, Outcome)]) -> UpdateError {
    let reason = files.iter().find_map(|(_, outcome)| match outcome {
        Outcome::Failed(reason) => Some(reason.clone()),
        _ => None,
    });
    let reason = reason.unwrap_or_else(|| match files.first() {
        Some((name, _)) => format!("no mirror has `{name}`"),
        None => "no database was chosen".to_owned(),
    });
    // A reason may bring its own hint.
    let (reason, hint) = match reason.split_once("\n  hint: ") {
        Some((reason, hint)) => (reason.to_owned(), hint.to_owned()),
        None => (
            reason,
            "check the network and the proxy variables, or name a mirror with `--mirror`"
                .to_owned(),
        ),
    };
    UpdateError::Nothing { reason, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_mirror_or_the_folder() {
        for good in ["main", "daily", "my-own_2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "..",
            "a/b",
            "a.cvd",
            "a%2f",
            "a b",
            "é",
            &"a".repeat(65),
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
