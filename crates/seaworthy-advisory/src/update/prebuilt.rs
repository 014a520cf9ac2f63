//! Fetching a database that was compiled and signed elsewhere.
//!
//! A mirror serves `manifest.json`, `manifest.json.sig` and the shard files side by side.
//! The manifest is believed only under a configured key; then every shard is fetched that
//! the installed database does not have already, each checked against its digest.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use seaworthy_fetch::{
    FetchError, Fetched, Fetcher, HttpOptions, Outcome, Wanted, hash_file, link_or_copy,
};

use super::{Progress, UpdateError, UpdateReport, cache_error, lock};
use crate::install::{InstallDir, InstallError};
use crate::manifest::{MANIFEST_FILE, MAX_MANIFEST_BYTES, SIGNATURE_FILE, verify_manifest_bytes};
use crate::signing::TrustedKeys;

/// Where a compiled database is, and whom to believe.
#[derive(Debug, Clone)]
pub struct PrebuiltOptions {
    /// Mirrors, best first, without a slash at the end. One of them must have all files.
    pub mirrors: Vec<String>,
    /// Whose databases are accepted. Keys pinned in the installation do not count here.
    pub keys: TrustedKeys,
    /// Where downloads are kept.
    pub cache: PathBuf,
    /// Patience with servers.
    pub http: HttpOptions,
    /// Install even when it is older than what is installed.
    pub force: bool,
    /// The time, for expiry.
    pub now: Timestamp,
}

/// Fetches, verifies and installs a compiled database.
///
/// # Errors
///
/// The last mirror's, when none gave a whole and trusted database; rollback and expiry end
/// it at once.
pub fn update_prebuilt(
    place: &InstallDir,
    options: &PrebuiltOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<UpdateReport, UpdateError> {
    let _lock = lock(&options.cache)?;
    let fetcher = Fetcher::new(&options.cache, &options.http)?;
    let mut last = UpdateError::Nothing("no mirror was named".to_owned());
    for base in &options.mirrors {
        match from_mirror(
            place,
            options,
            base.trim_end_matches('/'),
            &fetcher,
            progress,
        ) {
            Ok(report) => return Ok(report),
            // A full disk is the same for every mirror, but an old or foreign database may
            // be one mirror's fault.
            Err(error @ UpdateError::Fetch(FetchError::Disk { .. })) => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn from_mirror(
    place: &InstallDir,
    options: &PrebuiltOptions,
    base: &str,
    fetcher: &Fetcher,
    progress: &mut dyn FnMut(Progress),
) -> Result<UpdateReport, UpdateError> {
    let folder = options.cache.join("prebuilt");
    let mut fetch = |name: &str, dest: &Path, cap: u64, check: &Check<'_>| {
        let url = format!("{base}/{name}");
        let wanted = Wanted {
            name,
            urls: vec![url.clone()],
            dest: dest.to_owned(),
            cap,
            check,
        };
        let fetched = fetcher.fetch(&wanted, &mut |event| progress(Progress::Fetching(event)))?;
        let outcome = match fetched {
            Fetched::Downloaded(bytes) => Outcome::Downloaded(bytes),
            Fetched::Unchanged => Outcome::Unchanged,
            Fetched::Absent => {
                return Err(UpdateError::Fetch(FetchError::Http {
                    url,
                    reason: "it is not there".to_owned(),
                }));
            }
        };
        progress(Progress::Finished {
            name: name.to_owned(),
            outcome: outcome.clone(),
        });
        Ok((name.to_owned(), outcome))
    };
    let mut files = Vec::new();
    let mut bytes = Vec::new();
    for name in [MANIFEST_FILE, SIGNATURE_FILE] {
        let dest = folder.join(name);
        files.push(fetch(name, &dest, MAX_MANIFEST_BYTES, &|_| Ok(()))?);
        bytes.push(std::fs::read(&dest).map_err(cache_error(&dest))?);
    }
    let (manifest_bytes, signature) = match bytes.as_slice() {
        [manifest, signature] => (manifest, signature),
        _ => return Err(UpdateError::Nothing("no manifest".to_owned())),
    };
    let verified = verify_manifest_bytes(manifest_bytes, signature, &options.keys, options.now)
        .map_err(InstallError::from)?;
    let manifest = verified.manifest;

    let installed = place.open(&options.keys, options.now).ok();
    if let Some(database) = &installed {
        if database.manifest == manifest {
            return Ok(UpdateReport {
                files,
                database: database.clone(),
                installed: false,
            });
        }
        // Said before anything large is fetched; installing checks again.
        if manifest.serial < database.manifest.serial && !options.force {
            return Err(UpdateError::Install(InstallError::Rollback {
                new: manifest.serial,
                installed: database.manifest.serial,
            }));
        }
    }
    let staging = place.stage()?;
    for shard in &manifest.shards {
        let target = staging.dir().join(&shard.file);
        let same = installed.as_ref().and_then(|database| {
            let known = database.manifest.shards.iter();
            known
                .filter(|known| known.sha256 == shard.sha256 && known.size == shard.size)
                .map(|known| database.dir.join(&known.file))
                .find(|path| digest_is(path, &shard.sha256).is_ok())
        });
        if let Some(path) = same {
            link_or_copy(&path, &target).map_err(cache_error(&target))?;
            files.push((shard.file.clone(), Outcome::Unchanged));
            continue;
        }
        let cached = folder.join(&shard.sha256);
        if digest_is(&cached, &shard.sha256).is_err() {
            let check = |path: &Path| digest_is(path, &shard.sha256);
            files.push(fetch(&shard.file, &cached, shard.size, &check)?);
        }
        link_or_copy(&cached, &target).map_err(cache_error(&target))?;
    }
    for (name, bytes) in [(MANIFEST_FILE, manifest_bytes), (SIGNATURE_FILE, signature)] {
        let path = staging.dir().join(name);
        std::fs::write(&path, bytes).map_err(cache_error(&path))?;
    }
    progress(Progress::Installing);
    let database = place.install(staging, &options.keys, options.now, options.force)?;
    // They live on in the installation.
    for shard in &database.manifest.shards {
        let _ = std::fs::remove_file(folder.join(&shard.sha256));
    }
    Ok(UpdateReport {
        files,
        database,
        installed: true,
    })
}

type Check<'a> = dyn Fn(&Path) -> Result<(), String> + 'a;

fn digest_is(path: &Path, sha256: &str) -> Result<(), String> {
    match hash_file(path) {
        Ok((found, _)) if found == sha256 => Ok(()),
        Ok((found, _)) => Err(format!("its SHA-256 is {found} and should be {sha256}")),
        Err(error) => Err(error.to_string()),
    }
}
