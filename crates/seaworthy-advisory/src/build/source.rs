//! The records of one ecosystem: an archive, or a folder of documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};

use super::{BuildError, Score};
use crate::cve::CveNumber;
use crate::ecosystems;
use crate::manifest::{Input, hex};
use crate::osv::{ArchiveLimits, MAX_RECORD_BYTES, OsvArchive, OsvRecord};
use crate::publishers::{self, Advisory, Skip};

/// How deep folders of documents are looked into, and how many documents are taken.
const MAX_DEPTH: usize = 4;
const MAX_DOCUMENTS: usize = 2_000_000;

/// Where the records of one ecosystem are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// OSV's name: the folder's.
    pub(super) ecosystem: String,
    folder: PathBuf,
}

/// What reading a source gave.
#[derive(Debug, Default)]
pub(super) struct Harvest {
    pub(super) records: u64,
    pub(super) advisories: Vec<Advisory>,
    pub(super) scores: Vec<Score>,
    pub(super) publishers: BTreeMap<&'static str, u64>,
    pub(super) unknown_prefixes: BTreeMap<String, u64>,
    pub(super) skipped: BTreeMap<Skip, u64>,
    pub(super) problems: Vec<(String, String)>,
    pub(super) newest: i64,
    pub(super) inputs: Vec<Input>,
}

impl Harvest {
    fn merge(&mut self, other: Harvest) {
        self.records += other.records;
        self.advisories.extend(other.advisories);
        self.scores.extend(other.scores);
        for (name, count) in other.publishers {
            *self.publishers.entry(name).or_default() += count;
        }
        for (prefix, count) in other.unknown_prefixes {
            *self.unknown_prefixes.entry(prefix).or_default() += count;
        }
        for (skip, count) in other.skipped {
            *self.skipped.entry(skip).or_default() += count;
        }
        self.problems.extend(other.problems);
        self.newest = self.newest.max(other.newest);
        self.inputs.extend(other.inputs);
    }

    fn problem(&mut self, place: String, message: impl ToString) {
        self.problems.push((place, message.to_string()));
    }

    /// Reads one document.
    fn document(&mut self, base: &str, place: impl Fn() -> String, document: &[u8]) {
        self.records += 1;
        let record = match OsvRecord::parse(document) {
            Ok(record) => record,
            Err(error) => {
                self.problem(place(), error);
                return;
            }
        };
        let Some(publisher) = publishers::publisher_of(&record.id) else {
            let prefix = publishers::prefix_of(&record.id).to_owned();
            *self.unknown_prefixes.entry(prefix).or_default() += 1;
            return;
        };
        *self.publishers.entry(publisher.meta.id).or_default() += 1;
        if let Some((cve, vectors)) = publishers::scores(publisher, &record)
            && let Some(cve) = CveNumber::parse(&cve)
        {
            // A vector that can't be scored is of no use to anybody.
            let scored = vectors
                .into_iter()
                .filter(|vector| crate::Cvss::parse(vector).is_ok());
            let id = record.id.to_string();
            self.scores
                .extend(scored.map(|vector| (cve, vector.to_owned(), id.clone())));
        }
        match publishers::interpret(publisher, &record, Some(base)) {
            Ok(advisory) => {
                self.newest = self.newest.max(advisory.modified);
                self.advisories.push(advisory);
            }
            Err(skip) => *self.skipped.entry(skip).or_default() += 1,
        }
    }
}

/// The sources under a folder, by name.
pub(super) fn list(from: &Path, wanted: &[String]) -> Result<Vec<Source>, BuildError> {
    let unreadable = |source| BuildError::Input {
        path: from.display().to_string(),
        source,
    };
    let mut sources = Vec::new();
    for entry in fs::read_dir(from).map_err(unreadable)? {
        let folder = entry.map_err(unreadable)?.path();
        let name = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let Some(ecosystem) = name.filter(|_| folder.is_dir()) else {
            continue;
        };
        let is_wanted = wanted.is_empty() || wanted.contains(&ecosystem);
        let known = ecosystems::by_osv_name(&ecosystem).is_some()
            || ecosystems::NOT_YET.contains(&ecosystem.as_str());
        let has_records = folder.join("all.zip").exists()
            || documents_in(&folder).is_ok_and(|documents| !documents.is_empty());
        if is_wanted && (known || has_records) {
            sources.push(Source { ecosystem, folder });
        }
    }
    if sources.is_empty() {
        return Err(BuildError::Empty(from.display().to_string()));
    }
    sources.sort_by(|a, b| a.ecosystem.cmp(&b.ecosystem));
    Ok(sources)
}

fn documents_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // A link is not followed: it could lead in circles.
            let kind = entry.file_type()?;
            if kind.is_dir() && depth < MAX_DEPTH {
                open.push((entry.path(), depth + 1));
            } else if kind.is_file()
                && entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "json")
                && found.len() < MAX_DOCUMENTS
            {
                found.push(entry.path());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

impl Source {
    /// Reads all records with some threads. The order of the result is not the input's.
    pub(super) fn read(&self, threads: usize) -> Harvest {
        let archive = self.folder.join("all.zip");
        let mut harvest = Harvest::default();
        if archive.exists() {
            self.read_archive(&archive, threads, &mut harvest);
        }
        match documents_in(&self.folder) {
            Ok(documents) if !documents.is_empty() => self.read_documents(&documents, &mut harvest),
            Ok(_) => {}
            Err(error) => harvest.problem(self.folder.display().to_string(), error),
        }
        harvest.problems.sort_unstable();
        harvest
    }

    fn read_archive(&self, path: &Path, threads: usize, harvest: &mut Harvest) {
        let place = format!("{}/all.zip", self.ecosystem);
        let limits = ArchiveLimits::default();
        let bytes = match OsvArchive::read_file(path, &limits) {
            Ok(bytes) => bytes,
            Err(error) => return harvest.problem(place, error),
        };
        let archive = match OsvArchive::open(&bytes, limits) {
            Ok(archive) => archive,
            Err(error) => return harvest.problem(place, error),
        };
        harvest.inputs.push(Input {
            name: self.ecosystem.clone(),
            sha256: hex(&Sha256::digest(&bytes)),
            size: bytes.len() as u64,
        });
        let records = archive.records();
        let next = AtomicUsize::new(0);
        // Enough to share, little enough to end together.
        const CHUNK: usize = 64;
        let work = || {
            let mut archive = archive.clone();
            let mut part = Harvest::default();
            let mut buffer = Vec::new();
            loop {
                let start = next.fetch_add(CHUNK, Ordering::Relaxed);
                let Some(chunk) = records.get(start..(start + CHUNK).min(records.len())) else {
                    return part;
                };
                if chunk.is_empty() {
                    return part;
                }
                for (index, name) in chunk {
                    match archive.read(*index, &mut buffer) {
                        Ok(()) => {
                            part.document(&self.ecosystem, || format!("{place}: {name}"), &buffer);
                        }
                        Err(error) => part.problem(format!("{place}: {name}"), error),
                    }
                }
            }
        };
        let parts: Vec<Harvest> = std::thread::scope(|scope| {
            let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut parts = vec![work()];
            for helper in helpers {
                match helper.join() {
                    Ok(part) => parts.push(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            parts
        });
        for part in parts {
            harvest.merge(part);
        }
    }

    fn read_documents(&self, documents: &[PathBuf], harvest: &mut Harvest) {
        let mut digest = Sha256::new();
        let mut size = 0u64;
        for path in documents {
            let name = path
                .strip_prefix(&self.folder)
                .unwrap_or(path)
                .display()
                .to_string();
            let place = || format!("{}/{name}", self.ecosystem);
            let too_large = path
                .metadata()
                .is_ok_and(|meta| meta.len() > MAX_RECORD_BYTES as u64);
            if too_large {
                harvest.records += 1;
                harvest.problem(place(), "record larger than any real one");
                continue;
            }
            match fs::read(path) {
                Ok(document) => {
                    digest.update(name.as_bytes());
                    digest.update(Sha256::digest(&document));
                    size += document.len() as u64;
                    harvest.document(&self.ecosystem, place, &document);
                }
                Err(error) => harvest.problem(place(), error),
            }
        }
        harvest.inputs.push(Input {
            name: format!("{}/*.json", self.ecosystem),
            sha256: hex(&digest.finalize()),
            size,
        });
    }
}
