use std::path::{Path, PathBuf};

use jiff::Timestamp;
use seaworthy_advisory::AdvisoryDb;
use seaworthy_advisory::install::InstallDir;
use seaworthy_advisory::manifest::Manifest;
use seaworthy_report::{Database, DatabaseKind};

use crate::EngineError;

/// Which advisories to judge by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseChoice {
    /// The one installed here; where nothing is installed, the set built in.
    InstalledOrEmbedded(PathBuf),
    /// The one at this place and no other.
    At(PathBuf),
    /// The set built in.
    Embedded,
}

/// An opened database, and how the report calls it.
pub struct Knowledge {
    /// The database.
    pub database: AdvisoryDb,
    /// How the report calls it.
    pub description: Database,
    /// What the installed one is made of.
    pub manifest: Option<Manifest>,
}

impl Knowledge {
    /// Whether its silence no longer says much.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.manifest
            .as_ref()
            .and_then(|manifest| manifest.expires)
            .is_some_and(|expires| expires <= now)
    }
}

/// Opens the database that was chosen.
///
/// # Errors
///
/// When the chosen database is missing or damaged. A damaged one is never replaced by the
/// built-in set silently: the result would look like a clean image.
pub fn open_database(choice: &DatabaseChoice) -> Result<Knowledge, EngineError> {
    match choice {
        DatabaseChoice::Embedded => embedded(),
        DatabaseChoice::InstalledOrEmbedded(folder) if is_empty(folder) => embedded(),
        DatabaseChoice::InstalledOrEmbedded(folder) => installed(folder),
        DatabaseChoice::At(folder) if is_empty(folder) => Err(EngineError::Database {
            message: format!("there is no advisory database at `{}`", folder.display()),
            hint: "`seaworthy db update` downloads it, `seaworthy db build --from DIR` builds it"
                .to_owned(),
            source: None,
        }),
        DatabaseChoice::At(folder) => installed(folder),
    }
}

/// Whether nothing was ever installed there. A folder that can't be read is not empty: the
/// attempt to open it says why.
fn is_empty(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn embedded() -> Result<Knowledge, EngineError> {
    match AdvisoryDb::embedded() {
        Ok(database) => Ok(described(database, DatabaseKind::Embedded, None)),
        Err(error) => Err(EngineError::Database {
            message: "cannot use the advisories built into the program".to_owned(),
            hint: "this is a fault of the program: please report it".to_owned(),
            source: Some(Box::new(error)),
        }),
    }
}

fn installed(folder: &Path) -> Result<Knowledge, EngineError> {
    let fault = |error: Box<dyn std::error::Error + Send + Sync>| EngineError::Database {
        message: format!("cannot use the advisory database at `{}`", folder.display()),
        hint: "`seaworthy db verify` tells what is wrong, `seaworthy db update` gets a new one, \
               and `--builtin` judges by the small built-in set"
            .to_owned(),
        source: Some(error),
    };
    let place = InstallDir::new(folder);
    let keys = place.pinned_keys().map_err(|error| fault(error.into()))?;
    // Whether it is expired is judged with the findings: what an old database knows is
    // still true, only its silence says less.
    let generation = place
        .open(&keys, Timestamp::MIN)
        .map_err(|error| fault(error.into()))?;
    let database = AdvisoryDb::open(&generation.dir).map_err(|error| fault(error.into()))?;
    Ok(described(
        database,
        DatabaseKind::Installed,
        Some(generation.manifest),
    ))
}

fn described(database: AdvisoryDb, kind: DatabaseKind, manifest: Option<Manifest>) -> Knowledge {
    let info = database.info();
    let time = |seconds| {
        Timestamp::from_second(seconds)
            .ok()
            .map(|time| time.to_string())
    };
    let description = Database {
        kind,
        serial: info.serial,
        built_at: time(info.created),
        expires_at: info.expires.and_then(time),
        advisories: info.records,
    };
    Knowledge {
        database,
        description,
        manifest,
    }
}
