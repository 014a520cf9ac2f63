//! The advisory database, opened.
//!
//! Opening reads the manifest and looks at the files' sizes; a shard is mapped and its
//! hashes are checked when it is first asked for, and stays open. Nothing is locked: any
//! number of processes read the same files.

mod search;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use seaworthy_core::{Epss, Kev};

use crate::cve::CveNumber;
use crate::manifest::{MANIFEST_FILE, MANIFEST_FORMAT, MAX_MANIFEST_BYTES, Manifest};
use crate::shard::{
    AdvisoryShard, CvssShard, EpssShard, KevShard, ShardBytes, ShardError, TextShard,
};

pub use search::{AdvisoryHit, PackageHit, describe_range};

/// Why a database can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none.
    #[error(
        "no advisory database in `{dir}`\n  hint: run `seaworthy db update`, or `seaworthy db build --from DIR`"
    )]
    Missing {
        /// The folder.
        dir: String,
    },
    /// Files are missing, cut or changed.
    #[error(
        "the advisory database in `{dir}` is damaged: {what}\n  hint: run `seaworthy db update` to install it again"
    )]
    Damaged {
        /// The folder.
        dir: String,
        /// What is wrong.
        what: String,
    },
    /// Written for another version of this program.
    #[error(
        "the advisory database in `{dir}` has format {found}, this program reads {MANIFEST_FORMAT}\n  hint: run `seaworthy db update`, or update seaworthy"
    )]
    WrongFormat {
        /// The folder.
        dir: String,
        /// Its format.
        found: u64,
    },
    /// It can't be read.
    #[error(
        "cannot read the advisory database in `{dir}`: {source}\n  hint: check the permissions of the folder"
    )]
    Unreadable {
        /// The folder.
        dir: String,
        /// Why.
        source: std::io::Error,
    },
}

/// What is in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbInfo {
    /// Shards with their records and sizes in bytes, by name.
    pub shards: Vec<(String, u64, u64)>,
    /// Advisories of all shards.
    pub records: u64,
    /// Newest change of a record, in seconds since 1970.
    pub created: i64,
    /// When it expires, in seconds since 1970; `None` for never.
    pub expires: Option<i64>,
    /// Its serial number.
    pub serial: u64,
    /// Whether it is the set built into the program.
    pub embedded: bool,
}

/// Where a shard's bytes come from.
#[derive(Debug)]
enum Place {
    File(PathBuf),
    Memory(Vec<u8>),
}

/// A shard that is opened when it is first asked for.
#[derive(Debug)]
struct Slot<T> {
    place: Place,
    opened: OnceLock<Result<T, ShardError>>,
}

impl<T> Slot<T> {
    fn new(place: Place) -> Slot<T> {
        Slot {
            place,
            opened: OnceLock::new(),
        }
    }

    fn get(&self, open: impl Fn(ShardBytes) -> Result<T, ShardError>) -> Result<&T, &ShardError> {
        self.opened
            .get_or_init(|| match &self.place {
                Place::File(path) => open(ShardBytes::map(path)?),
                Place::Memory(bytes) => open(ShardBytes::Owned(bytes.clone())),
            })
            .as_ref()
    }
}

/// An advisory database.
#[derive(Debug)]
pub struct AdvisoryDb {
    info: DbInfo,
    advisories: BTreeMap<String, Slot<AdvisoryShard>>,
    texts: BTreeMap<String, Slot<TextShard>>,
    epss: Option<Slot<EpssShard>>,
    kev: Option<Slot<KevShard>>,
    cvss: Option<Slot<CvssShard>>,
}

#[derive(serde::Deserialize)]
struct FormatOnly {
    format: u64,
}

impl AdvisoryDb {
    /// Opens the database in a folder. Signatures are not looked at: installing did that.
    ///
    /// # Errors
    /// See [`OpenError`]; each says what to do.
    pub fn open(dir: &Path) -> Result<AdvisoryDb, OpenError> {
        let name = dir.display().to_string();
        let damaged = |what: String| OpenError::Damaged {
            dir: name.clone(),
            what,
        };
        let bytes = match std::fs::metadata(dir.join(MANIFEST_FILE)) {
            Ok(meta) if meta.len() > MAX_MANIFEST_BYTES => {
                return Err(damaged(format!("`{MANIFEST_FILE}` is too large")));
            }
            Ok(_) => std::fs::read(dir.join(MANIFEST_FILE)),
            Err(error) => Err(error),
        };
        let bytes = bytes.map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => OpenError::Missing { dir: name.clone() },
            _ => OpenError::Unreadable {
                dir: name.clone(),
                source,
            },
        })?;
        match serde_json::from_slice::<FormatOnly>(&bytes) {
            Ok(FormatOnly { format }) if format != u64::from(MANIFEST_FORMAT) => {
                return Err(OpenError::WrongFormat {
                    dir: name,
                    found: format,
                });
            }
            Ok(_) => {}
            Err(error) => return Err(damaged(format!("`{MANIFEST_FILE}`: {error}"))),
        }
        let manifest = Manifest::from_bytes(&bytes).map_err(|error| damaged(error.to_string()))?;
        let mut places = Vec::with_capacity(manifest.shards.len());
        for shard in &manifest.shards {
            let path = dir.join(&shard.file);
            let size = std::fs::metadata(&path).map(|meta| meta.len());
            match size {
                Ok(size) if size == shard.size => {}
                Ok(_) => return Err(damaged(format!("`{}` has another size", shard.file))),
                Err(_) => return Err(damaged(format!("`{}` is missing", shard.file))),
            }
            places.push((
                shard.name.clone(),
                shard.records,
                shard.size,
                Place::File(path),
            ));
        }
        let mut db = AdvisoryDb::of(places);
        db.info.created = manifest.created.as_second();
        db.info.expires = manifest.expires.map(|time| time.as_second());
        db.info.serial = manifest.serial;
        Ok(db)
    }

    /// The advisories built into the program, compiled in memory: about 25 ms, so it is
    /// for when nothing is installed.
    ///
    /// # Errors
    /// A shard can't be assembled; the built-in records never do that.
    pub fn embedded() -> Result<AdvisoryDb, ShardError> {
        let documents: Vec<String> = crate::embedded::embedded_records()
            .map(|record| record.to_string())
            .collect();
        let documents: Vec<&[u8]> = documents.iter().map(String::as_bytes).collect();
        let (mut db, _) = AdvisoryDb::of_documents(&documents)?;
        db.info.embedded = true;
        Ok(db)
    }

    /// A database of OSV documents, compiled in memory. Documents that give no advisory
    /// are left out and returned with the reason.
    ///
    /// # Errors
    /// A shard can't be assembled.
    pub fn of_documents(
        documents: &[&[u8]],
    ) -> Result<(AdvisoryDb, Vec<crate::build::BuildProblem>), ShardError> {
        let crate::build::MemoryBuild { shards, problems } =
            crate::build::compile_in_memory(documents)?;
        let mut places = Vec::new();
        let mut created = 0;
        for (name, bytes) in shards {
            let mut records = 0;
            if !name.starts_with("text/") {
                let shard = AdvisoryShard::open(ShardBytes::Owned(bytes.clone()))?;
                records = u64::from(shard.advisory_count());
                created = created.max(shard.created());
            }
            places.push((name, records, bytes.len() as u64, Place::Memory(bytes)));
        }
        let mut db = AdvisoryDb::of(places);
        db.info.created = created;
        Ok((db, problems))
    }

    fn of(places: Vec<(String, u64, u64, Place)>) -> AdvisoryDb {
        let mut db = AdvisoryDb {
            info: DbInfo {
                shards: Vec::new(),
                records: 0,
                created: 0,
                expires: None,
                serial: 0,
                embedded: false,
            },
            advisories: BTreeMap::new(),
            texts: BTreeMap::new(),
            epss: None,
            kev: None,
            cvss: None,
        };
        for (name, records, size, place) in places {
            db.info.shards.push((name.clone(), records, size));
            match name.as_str() {
                "epss" => db.epss = Some(Slot::new(place)),
                "kev" => db.kev = Some(Slot::new(place)),
                "cvss" => db.cvss = Some(Slot::new(place)),
                other => {
                    if let Some(ecosystem) = other.strip_prefix("text/") {
                        db.texts.insert(ecosystem.to_owned(), Slot::new(place));
                    } else {
                        db.info.records += records;
                        db.advisories.insert(name, Slot::new(place));
                    }
                }
            }
        }
        db.info.shards.sort();
        db
    }

    /// What it holds.
    pub fn info(&self) -> DbInfo {
        self.info.clone()
    }

    /// Whether it is past its expiry.
    pub fn is_expired(&self, now_unix: i64) -> bool {
        self.info.expires.is_some_and(|expires| expires <= now_unix)
    }

    pub(crate) fn is_embedded(&self) -> bool {
        self.info.embedded
    }

    /// The shard of that name; `None` where the database has none.
    pub fn shard(&self, name: &str) -> Option<Result<&AdvisoryShard, &ShardError>> {
        let slot = self.advisories.get(name)?;
        Some(slot.get(|bytes| {
            let shard = AdvisoryShard::open(bytes)?;
            if shard.name() != name {
                return Err(ShardError::Unexpected);
            }
            Ok(shard)
        }))
    }

    /// Whether the database has a shard of that name.
    pub fn has_shard(&self, name: &str) -> bool {
        self.advisories.contains_key(name)
    }

    /// Names of the advisory shards, sorted.
    pub fn shard_names(&self) -> impl Iterator<Item = &str> {
        self.advisories.keys().map(String::as_str)
    }

    /// The texts of an ecosystem (`Debian`).
    pub fn texts(&self, ecosystem: &str) -> Option<Result<&TextShard, &ShardError>> {
        Some(self.texts.get(ecosystem)?.get(TextShard::open))
    }

    /// The exploit prediction score of a CVE.
    pub fn epss(&self, cve: CveNumber) -> Option<Epss> {
        self.epss.as_ref()?.get(EpssShard::open).ok()?.get(cve)
    }

    /// The entry of a CVE among the known exploited vulnerabilities.
    pub fn kev(&self, cve: CveNumber) -> Option<Kev> {
        self.kev.as_ref()?.get(KevShard::open).ok()?.get(cve)
    }

    /// A CVSS vector of a CVE, and the record that published it.
    pub fn cvss(&self, cve: CveNumber) -> Option<(String, String)> {
        self.cvss.as_ref()?.get(CvssShard::open).ok()?.get(cve)
    }

    /// Opens and checks every shard, whole: for `db verify`. Returns what is wrong.
    pub fn verify(&self) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut check = |name: &str, result: Result<(), &ShardError>| {
            if let Err(error) = result {
                wrong.push((name.to_owned(), error.to_string()));
            }
        };
        for name in self.advisories.keys() {
            if let Some(shard) = self.shard(name) {
                check(name, shard.map(|_| ()));
            }
        }
        for (ecosystem, slot) in &self.texts {
            let name = format!("text/{ecosystem}");
            match slot.get(TextShard::open) {
                Ok(shard) => check(&name, shard.verify().as_ref().copied()),
                Err(error) => check(&name, Err(error)),
            }
        }
        for (name, result) in [
            (
                "epss",
                self.epss
                    .as_ref()
                    .map(|slot| slot.get(EpssShard::open).map(|_| ())),
            ),
            (
                "kev",
                self.kev
                    .as_ref()
                    .map(|slot| slot.get(KevShard::open).map(|_| ())),
            ),
            (
                "cvss",
                self.cvss
                    .as_ref()
                    .map(|slot| slot.get(CvssShard::open).map(|_| ())),
            ),
        ] {
            if let Some(result) = result {
                check(name, result);
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_record_gives_an_advisory() {
        let documents: Vec<String> = crate::embedded::embedded_records()
            .map(|record| record.to_string())
            .collect();
        let bytes: Vec<&[u8]> = documents.iter().map(String::as_bytes).collect();
        let (_, problems) = AdvisoryDb::of_documents(&bytes).unwrap();
        assert_eq!(problems, []);
        let db = AdvisoryDb::embedded().unwrap();
        assert!(
            db.info().embedded && db.info().records >= 150,
            "{:?}",
            db.info()
        );
        assert!(!db.search_advisory("CVE-2014-0160").is_empty());
    }

    #[test]
    fn each_way_to_fail_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let open = || AdvisoryDb::open(dir.path()).unwrap_err();
        assert!(matches!(open(), OpenError::Missing { .. }));
        std::fs::write(dir.path().join(MANIFEST_FILE), "{").unwrap();
        assert!(matches!(open(), OpenError::Damaged { .. }));
        std::fs::write(dir.path().join(MANIFEST_FILE), r#"{"format":99}"#).unwrap();
        assert!(matches!(open(), OpenError::WrongFormat { found: 99, .. }));
        assert!(open().to_string().contains("hint: "));
    }
}
