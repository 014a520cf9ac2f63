//! rpm package databases: Berkeley DB hash, ndb and SQLite, by content and not by name,
//! and the list that Azure Linux leaves in its distroless images instead of a database.
//!
//! Each back end only gives header blobs; [`parse_header`] reads those. No Berkeley DB
//! and no SQLite is linked: an image's database is hostile input, and three small
//! bounded readers are easier to trust than two large libraries. Every page of a file is
//! used once, so that no loop or shared page costs more than the file's own size.
//!
//! Left out: `gpg-pubkey` records, which are keys that rpm stores as if they were
//! packages, and index files.

mod bdb;
mod header;
mod manifest;
mod ndb;
mod sqlite;
mod wal;

use seaworthy_core::{
    EvidenceItem, Meta, OwnedFiles, Package, PackageType, ProblemKind, SourcePackage,
};

pub use header::{PathBudget, RpmRecord, parse_header};
pub use manifest::parse_manifest;

use crate::problems::ProblemList;
use crate::{Analyzer, FileMeta, Interest, Reader, Sink};

/// The row of the databases.
pub const ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "rpm-db",
        revision: 1,
        summary: "rpm packages, from Berkeley DB, ndb and SQLite databases",
        references: &[
            "https://rpm-software-management.github.io/rpm/manual/format_header.html",
            "https://www.sqlite.org/fileformat2.html",
        ],
    },
    interest: Interest::Paths(&[
        "var/lib/rpm/Packages",
        "var/lib/rpm/Packages.db",
        "var/lib/rpm/rpmdb.sqlite",
        "usr/share/rpm/Packages",
        "usr/share/rpm/Packages.db",
        "usr/share/rpm/rpmdb.sqlite",
        "usr/lib/sysimage/rpm/Packages",
        "usr/lib/sysimage/rpm/Packages.db",
        "usr/lib/sysimage/rpm/rpmdb.sqlite",
    ]),
    reader: Reader::Whole {
        cap: 512 << 20,
        parse: |_: &FileMeta<'_>, bytes, sink| read_database(bytes, sink),
    },
};

/// The row of SQLite's write-ahead log, which can hold what the database does not yet.
pub const WAL_ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "rpm-sqlite-wal",
        revision: 1,
        summary: "says when packages may lie in the log of an rpm database",
        references: &["https://www.sqlite.org/fileformat2.html#walformat"],
    },
    interest: Interest::Paths(&[
        "var/lib/rpm/rpmdb.sqlite-wal",
        "usr/share/rpm/rpmdb.sqlite-wal",
        "usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
    ]),
    reader: Reader::Stream {
        overlap: 0,
        start: |file: &FileMeta<'_>, _| Box::new(wal::Log::new(file.entry.size)),
    },
};

/// The row of Azure Linux's lists.
pub const MANIFEST_ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "rpm-manifest",
        revision: 1,
        summary: "rpm packages of distroless Azure Linux images",
        references: &["https://learn.microsoft.com/azure/azure-linux/"],
    },
    interest: Interest::Paths(&["var/lib/rpmmanifest/container-manifest-2"]),
    reader: Reader::Whole {
        cap: 64 << 20,
        parse: |_: &FileMeta<'_>, bytes, sink| read_manifest(bytes, sink),
    },
};

fn read_database(bytes: &[u8], sink: &mut Sink) {
    let database = parse_database(bytes);
    if let Some(format) = database.format {
        sink.push(EvidenceItem::PackageDatabase(format.to_owned()));
    }
    give(database.packages, database.problems, sink);
}

fn read_manifest(bytes: &[u8], sink: &mut Sink) {
    let mut problems = ProblemList::default();
    let records = parse_manifest(bytes, &mut problems);
    sink.push(EvidenceItem::PackageDatabase("rpm-manifest".to_owned()));
    give(records, problems, sink);
}

fn give(records: Vec<RpmRecord>, mut problems: ProblemList, sink: &mut Sink) {
    for record in records {
        for item in evidence(record, &mut problems) {
            sink.push(item);
        }
    }
    for (kind, message) in problems.into_items() {
        sink.problem(kind, message);
    }
}

/// Most packages of one database; the largest full installations have about 60,000. Each
/// gives two items, which a [`Sink`] has room for.
const MAX_PACKAGES: usize = 120_000;

/// What a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpmDatabase {
    /// `rpm-bdb`, `rpm-ndb` or `rpm-sqlite`; `None` where the file is none of them.
    pub format: Option<&'static str>,
    /// Its packages, in the order of the file.
    pub packages: Vec<RpmRecord>,
    /// What went wrong.
    pub problems: ProblemList,
}

/// Reads an rpm database of any format. A damaged one gives the packages that can be
/// read, and problems.
pub fn parse_database(bytes: &[u8]) -> RpmDatabase {
    let formats: [Format; 3] = [
        ("rpm-sqlite", sqlite::is_sqlite, sqlite::read),
        ("rpm-ndb", ndb::is_ndb, ndb::read),
        ("rpm-bdb", bdb::is_bdb, bdb::read),
    ];
    let mut blobs = Blobs {
        packages: Vec::new(),
        problems: ProblemList::default(),
        budget: PathBudget::default(),
    };
    let format = formats.into_iter().find(|(_, is, _)| is(bytes));
    match format {
        Some((_, _, read)) => read(bytes, &mut blobs),
        None => blobs.malformed("this is no rpm database of a known format"),
    }
    RpmDatabase {
        format: format.map(|(name, _, _)| name),
        packages: blobs.packages,
        problems: blobs.problems,
    }
}

/// Name, whether bytes are of this format, and the reader.
type Format = (&'static str, fn(&[u8]) -> bool, fn(&[u8], &mut Blobs));

/// What the back ends write into: header blobs become packages at once, so that only one
/// blob is in memory.
struct Blobs {
    packages: Vec<RpmRecord>,
    problems: ProblemList,
    budget: PathBudget,
}

impl Blobs {
    /// Takes a header blob. False when no more are wanted.
    fn visit(&mut self, blob: &[u8]) -> bool {
        if self.packages.len() >= MAX_PACKAGES {
            self.problems.push(
                ProblemKind::LimitReached,
                format!("the database has more than {MAX_PACKAGES} packages"),
            );
            return false;
        }
        let record = parse_header(blob, &mut self.budget, &mut self.problems);
        self.packages.extend(record);
        true
    }

    fn problems(&mut self) -> &mut ProblemList {
        &mut self.problems
    }

    fn malformed(&mut self, message: impl Into<String>) {
        self.problems.push(ProblemKind::Malformed, message);
    }

    fn unsupported(&mut self, message: impl Into<String>) {
        self.problems.push(ProblemKind::Unsupported, message);
    }
}

/// Evidence of a record: the package and its files. Nothing for `gpg-pubkey`.
pub fn evidence(record: RpmRecord, problems: &mut ProblemList) -> Vec<EvidenceItem> {
    if record.name == "gpg-pubkey" {
        return Vec::new();
    }
    let source = record.source_rpm.as_deref().and_then(|file| {
        let source = source_package(file);
        if source.is_none() {
            problems.push(
                ProblemKind::Malformed,
                format!(
                    "package `{}` names the odd source rpm `{file}`",
                    record.name
                ),
            );
        }
        source
    });
    // Epoch 0 and no epoch are the same to rpm; one spelling keeps evidence comparable.
    let version = match record.epoch {
        None | Some(0) => format!("{}-{}", record.version, record.release),
        Some(epoch) => format!("{epoch}:{}-{}", record.version, record.release),
    };
    let mut items = Vec::with_capacity(2);
    if !record.files.is_empty() {
        items.push(EvidenceItem::OwnedFiles(OwnedFiles {
            package: record.name.clone(),
            files: record.files,
        }));
    }
    items.push(EvidenceItem::Package(Package {
        arch: record.arch,
        source,
        module: record.modularity_label,
        vendor: record.vendor,
        ..Package::new(PackageType::RPM, record.name, version)
    }));
    items
}

/// The source package that the file name of a source rpm tells:
/// `name-version-release.src.rpm` or `.nosrc.rpm`.
pub fn source_package(file: &str) -> Option<SourcePackage> {
    let stem = file
        .strip_suffix(".src.rpm")
        .or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    if name.is_empty() || version.is_empty() || release.is_empty() {
        return None;
    }
    Some(SourcePackage {
        name: name.to_owned(),
        version: Some(format!("{version}-{release}")),
    })
}
