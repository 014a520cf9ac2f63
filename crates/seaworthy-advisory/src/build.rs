//! Builds a database from OSV records.
//!
//! Input is a folder in the public bucket's layout, `<Ecosystem>/all.zip`, or with the
//! records unpacked, `<Ecosystem>/*.json`. One ecosystem is read, interpreted and written
//! after the other, its archive by several threads, so that memory is bounded by the
//! largest. What can't be read is a problem in the report: it never ends the build and
//! never vanishes.

mod decorations;
mod memory;
mod source;

pub use memory::{MemoryBuild, compile_in_memory};

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::cve::CveNumber;
use crate::ecosystems;
use crate::manifest::{Input, MANIFEST_FILE, Manifest, Shard, shard_file_name};
use crate::publishers::{Advisory, AdvisoryClass, Skip};
use crate::shard::{
    AdvisoryShardWriter, CvssWriter, ShardError, TextWriter, write_epss, write_kev,
};
use source::Source;

/// What to build.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// The folder with one folder per ecosystem.
    pub from: PathBuf,
    /// The folder that gets the shards and the manifest; made where it is missing.
    pub out: PathBuf,
    /// Only these ecosystems (OSV names without release); empty for all.
    pub ecosystems: Vec<String>,
    /// EPSS scores, CSV, plain or gzip.
    pub epss: Option<PathBuf>,
    /// CISA's catalogue, JSON or CSV, plain or gzip.
    pub kev: Option<PathBuf>,
    /// Seconds from the newest record to the expiry; `None` for a database that does not
    /// expire (built on the spot, from whatever there is).
    pub expires_after: Option<i64>,
    /// Threads to read archives with; 0 for one per core.
    pub threads: usize,
}

/// Why nothing could be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The input folder can't be read.
    #[error(
        "cannot read advisories from `{path}`: {source}\n  hint: give a folder with `<Ecosystem>/all.zip` inside"
    )]
    Input {
        /// The folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The input folder holds no ecosystem.
    #[error(
        "`{0}` holds no advisories\n  hint: give a folder with `<Ecosystem>/all.zip` or `<Ecosystem>/*.json` inside"
    )]
    Empty(String),
    /// A file can't be written.
    #[error("cannot write `{path}`: {source}\n  hint: check permissions and free space")]
    Output {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A shard can't be assembled.
    #[error("cannot write the shard `{name}`: {source}")]
    Shard {
        /// Its name.
        name: String,
        /// Why.
        source: ShardError,
    },
    /// The manifest can't be made.
    #[error("cannot write the manifest: {0}")]
    Manifest(String),
}

/// Something in the input that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuildProblem {
    /// The file, and the entry in it.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

/// What one publisher gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PublisherCount {
    /// Records read.
    pub records: u64,
    /// Advisories stored.
    pub stored: u64,
    /// Records of malicious packages among them.
    pub malicious: u64,
}

/// A shard that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltShard {
    /// `Debian:12`, `text/Debian`, `epss`.
    pub name: String,
    /// File name.
    pub file: String,
    /// Advisories, texts or rows in it.
    pub records: u64,
    /// Bytes.
    pub size: u64,
}

/// What was built, and what was left out and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildReport {
    /// Records read.
    pub records: u64,
    /// By publisher.
    pub publishers: BTreeMap<&'static str, PublisherCount>,
    /// Id prefixes without an interpreter, with the number of records behind them. Not
    /// empty means that advisories are missing.
    pub unknown_prefixes: BTreeMap<String, u64>,
    /// Records that gave no advisory, by reason.
    pub skipped: BTreeMap<Skip, u64>,
    /// Ecosystems that are not matched yet, with their records.
    pub unsupported_ecosystems: BTreeMap<String, u64>,
    /// What could not be read, at most [`MAX_PROBLEMS`].
    pub problems: Vec<BuildProblem>,
    /// Problems beyond those.
    pub more_problems: u64,
    /// What was written, by name.
    pub shards: Vec<BuiltShard>,
    /// CVEs for which a CVSS vector was found.
    pub cvss_vectors: u64,
    /// Newest change of a record, in seconds since 1970.
    pub created: i64,
    /// The manifest that was written, unsigned.
    pub manifest: Option<Manifest>,
}

/// How many problems are kept one by one.
pub const MAX_PROBLEMS: usize = 1_000;

impl BuildReport {
    fn problem(&mut self, place: String, message: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(BuildProblem { place, message });
        } else {
            self.more_problems += 1;
        }
    }

    /// Bytes of all shards.
    pub fn size(&self) -> u64 {
        self.shards.iter().map(|shard| shard.size).sum()
    }
}

/// How far a build is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildProgress {
    /// The ecosystem being read.
    pub ecosystem: String,
    /// Its place among all, from 0.
    pub index: usize,
    /// How many there are.
    pub total: usize,
}

/// Everything a build carries from one ecosystem to the next.
struct Builder<'o> {
    options: &'o BuildOptions,
    report: BuildReport,
    cvss: CvssWriter,
    inputs: Vec<Input>,
    manifest_shards: Vec<Shard>,
}

/// Builds a database. The manifest it writes is not signed; installing it does that.
///
/// The result depends on the input alone, to the byte.
///
/// # Errors
/// The input folder can't be read or holds nothing, or the output can't be written.
pub fn build(
    options: &BuildOptions,
    progress: &mut dyn FnMut(&BuildProgress),
) -> Result<BuildReport, BuildError> {
    let sources = source::list(&options.from, &options.ecosystems)?;
    fs::create_dir_all(&options.out).map_err(|error| output(&options.out, error))?;
    let mut builder = Builder {
        options,
        report: BuildReport::default(),
        cvss: CvssWriter::default(),
        inputs: Vec::new(),
        manifest_shards: Vec::new(),
    };
    let total = sources.len();
    for (index, source) in sources.iter().enumerate() {
        progress(&BuildProgress {
            ecosystem: source.ecosystem.clone(),
            index,
            total,
        });
        builder.ecosystem(source)?;
    }
    builder.decorate()?;
    builder.finish()
}

fn output(path: &Path, source: std::io::Error) -> BuildError {
    BuildError::Output {
        path: path.display().to_string(),
        source,
    }
}

impl Builder<'_> {
    fn ecosystem(&mut self, source: &Source) -> Result<(), BuildError> {
        let threads = match self.options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let harvest = source.read(threads.min(16));
        let report = &mut self.report;
        for (place, message) in harvest.problems {
            report.problem(place, message);
        }
        report.records += harvest.records;
        for (name, count) in harvest.publishers {
            let entry = report.publishers.entry(name).or_default();
            entry.records += count;
        }
        for (prefix, count) in harvest.unknown_prefixes {
            *report.unknown_prefixes.entry(prefix).or_default() += count;
        }
        for (reason, count) in harvest.skipped {
            *report.skipped.entry(reason).or_default() += count;
        }
        if ecosystems::by_osv_name(&source.ecosystem).is_none() {
            *report
                .unsupported_ecosystems
                .entry(source.ecosystem.clone())
                .or_default() += harvest.records;
        }
        report.created = report.created.max(harvest.newest);
        for (cve, vector, record) in harvest.scores {
            self.cvss.offer(cve, &vector, &record);
        }
        self.inputs.extend(harvest.inputs);
        self.write(&source.ecosystem, harvest.advisories)
    }

    /// Writes the shards of one ecosystem. `advisories` may hold several versions of one
    /// record; the newest wins.
    fn write(&mut self, ecosystem: &str, mut advisories: Vec<Advisory>) -> Result<(), BuildError> {
        advisories.sort_by(|a, b| {
            (&a.id, b.modified)
                .cmp(&(&b.id, a.modified))
                .then_with(|| a.packages.cmp(&b.packages))
        });
        advisories.dedup_by(|a, b| a.id == b.id);
        if advisories.is_empty() {
            return Ok(());
        }
        let Some(row) = ecosystems::by_osv_name(ecosystem) else {
            return Ok(());
        };
        let failed = |name: &str| {
            let name = name.to_owned();
            move |source| BuildError::Shard { name, source }
        };
        let mut texts = TextWriter::new(ecosystem);
        let mut shards: BTreeMap<String, AdvisoryShardWriter> = BTreeMap::new();
        let count = advisories.len() as u64;
        let newest = advisories
            .iter()
            .map(|advisory| advisory.modified)
            .max()
            .unwrap_or(0);
        for mut advisory in advisories {
            let entry = self
                .report
                .publishers
                .entry(advisory.publisher)
                .or_default();
            entry.stored += 1;
            let malicious = advisory.class == AdvisoryClass::Malicious;
            entry.malicious += u64::from(malicious);
            let text = texts
                .add(&advisory.title, &advisory.details, &advisory.references)
                .map_err(failed(ecosystem))?;
            advisory.title = String::new();
            advisory.details = String::new();
            advisory.references = Vec::new();
            let packages = std::mem::take(&mut advisory.packages);
            let names: BTreeSet<&String> = packages.iter().map(|package| &package.shard).collect();
            for shard in names {
                let part = Advisory {
                    packages: packages
                        .iter()
                        .filter(|package| package.shard == *shard)
                        .cloned()
                        .collect(),
                    ..advisory.clone()
                };
                let name = if malicious {
                    format!("malicious/{shard}")
                } else {
                    shard.clone()
                };
                shards
                    .entry(name)
                    .or_insert_with_key(|name| AdvisoryShardWriter::new(name, row.scheme))
                    .add(part, text);
            }
        }
        for (name, writer) in shards {
            let records = writer.len() as u64;
            let bytes = writer.finish().map_err(failed(&name))?;
            self.put(&name, &bytes, records, vec![ecosystem.to_owned()])?;
        }
        let bytes = texts.finish(newest).map_err(failed(ecosystem))?;
        self.put(
            &format!("text/{ecosystem}"),
            &bytes,
            count,
            vec![ecosystem.to_owned()],
        )
    }

    fn put(
        &mut self,
        name: &str,
        bytes: &[u8],
        records: u64,
        sources: Vec<String>,
    ) -> Result<(), BuildError> {
        let file = shard_file_name(name);
        let path = self.options.out.join(&file);
        fs::write(&path, bytes).map_err(|error| output(&path, error))?;
        self.manifest_shards.push(Shard {
            name: name.to_owned(),
            file: file.clone(),
            sha256: crate::manifest::hex(&Sha256::digest(bytes)),
            size: bytes.len() as u64,
            records,
            sources,
            attribution: None,
        });
        self.report.shards.push(BuiltShard {
            name: name.to_owned(),
            file,
            records,
            size: bytes.len() as u64,
        });
        Ok(())
    }

    /// Writes the shards of facts by CVE.
    fn decorate(&mut self) -> Result<(), BuildError> {
        let failed = |name: &'static str| {
            move |source| BuildError::Shard {
                name: name.to_owned(),
                source,
            }
        };
        let created = self.report.created;
        if let Some(path) = &self.options.epss {
            let read = decorations::read_epss(path);
            self.note("epss", path, &read.bytes_read, read.problems);
            let bytes = write_epss(&read.rows, created).map_err(failed("epss"))?;
            self.put(
                "epss",
                &bytes,
                read.rows.len() as u64,
                vec!["epss".to_owned()],
            )?;
        }
        if let Some(path) = &self.options.kev {
            let read = decorations::read_kev(path);
            self.note("kev", path, &read.bytes_read, read.problems);
            let bytes = write_kev(&read.rows, created).map_err(failed("kev"))?;
            self.put(
                "kev",
                &bytes,
                read.rows.len() as u64,
                vec!["kev".to_owned()],
            )?;
        }
        let cvss = std::mem::take(&mut self.cvss);
        self.report.cvss_vectors = cvss.len() as u64;
        if !cvss.is_empty() {
            let count = cvss.len() as u64;
            let bytes = cvss.finish(created).map_err(failed("cvss"))?;
            self.put("cvss", &bytes, count, Vec::new())?;
        }
        Ok(())
    }

    fn note(&mut self, name: &str, path: &Path, bytes: &[u8], problems: Vec<String>) {
        for problem in problems {
            self.report.problem(path.display().to_string(), problem);
        }
        self.inputs.push(Input {
            name: name.to_owned(),
            sha256: crate::manifest::hex(&Sha256::digest(bytes)),
            size: bytes.len() as u64,
        });
    }

    fn finish(mut self) -> Result<BuildReport, BuildError> {
        let wrong = |error: &dyn std::fmt::Display| BuildError::Manifest(error.to_string());
        let timestamp =
            |seconds| jiff::Timestamp::from_second(seconds).map_err(|error| wrong(&error));
        let builder = concat!("seaworthy ", env!("CARGO_PKG_VERSION"));
        let mut manifest = Manifest::new(builder, timestamp(self.report.created)?);
        if let Some(after) = self.options.expires_after {
            manifest.expires = Some(timestamp(self.report.created.saturating_add(after))?);
        }
        manifest.inputs = self.inputs;
        manifest.shards = self.manifest_shards;
        manifest.inputs.sort();
        manifest.shards.sort();
        let bytes = manifest.to_bytes().map_err(|error| wrong(&error))?;
        let path = self.options.out.join(MANIFEST_FILE);
        fs::write(&path, bytes).map_err(|error| output(&path, error))?;
        self.report.manifest = Some(manifest);
        self.report.shards.sort_by(|a, b| a.name.cmp(&b.name));
        self.report.problems.sort_unstable();
        Ok(self.report)
    }
}

/// A CVE, a CVSS vector for it, and the record that published it.
type Score = (CveNumber, String, String);
