//! dpkg's database: Debian, Ubuntu and their children, distroless images, and opkg, which
//! writes the same form.
//!
//! * `status`: one record a package, of `Field: value` lines ended by an empty line
//!   (deb822(5), dpkg-query(1)). A line that begins with white space continues the field
//!   before it.
//! * `status.d/NAME`: the same without a `Status` field, one file a package, in images
//!   that were put together without dpkg.
//! * `info/NAME[:ARCH].list`: every path the package installed, directories too.
//! * `info/NAME[:ARCH].md5sums`, `status.d/NAME.md5sums`: the MD5 of its regular files,
//!   without configuration files.
//!
//! A package counts as installed in every state in which its files may be there: all but
//! `not-installed` and `config-files` (dpkg(1), "Package states"). The state decides and
//! not the wish before it: `deinstall ok installed` is still there.
//!
//! * `diversions`: three lines a file: where it belongs, where it was put instead, and the
//!   package that may have the first (`:` for the administrator), dpkg-divert(1). Both places
//!   are told as files without a digest, because the record of the first speaks about a file
//!   that lies at the second.
//!
//! Left out: `available` and alternatives.

use std::collections::HashSet;

use seaworthy_core::{
    EvidenceItem, ImagePath, Meta, OwnedFile, OwnedFiles, Package, PackageType, ProblemKind,
    SourcePackage,
};

use super::text;
use crate::{Analyzer, FileMeta, Interest, Reader, Sink};

/// The row.
pub const ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "dpkg",
        revision: 2,
        summary: "Debian packages from dpkg's status files, with the files they own; opkg too",
        references: &[
            "https://manpages.debian.org/bookworm/dpkg-dev/deb822.5.en.html",
            "https://manpages.debian.org/bookworm/dpkg/dpkg.1.en.html",
        ],
    },
    interest: Interest::Paths(&[
        "var/lib/dpkg/status",
        "var/lib/dpkg/status.d/*",
        "var/lib/dpkg/info/*.list",
        "var/lib/dpkg/info/*.md5sums",
        "var/lib/dpkg/diversions",
        "usr/lib/opkg/status",
        "var/lib/opkg/status",
    ]),
    reader: Reader::Whole {
        cap: 64 << 20,
        parse,
    },
};

/// What opkg installs; no distribution with advisories uses it.
const OPKG: PackageType = PackageType::new("opkg");

/// Reads any file of the database, told apart by its name.
pub fn parse(file: &FileMeta<'_>, bytes: &[u8], sink: &mut Sink) {
    let name = file.path.file_name();
    if let Some(package) = name.strip_suffix(".list") {
        let paths = text::lines(bytes)
            .filter_map(|line| owned_path(&line))
            .collect();
        push_owned(package, without_directories(paths), sink);
    } else if let Some(package) = name.strip_suffix(".md5sums") {
        let files = md5sums(bytes, sink);
        push_owned(package, files, sink);
    } else if file.path.as_str() == "var/lib/dpkg/diversions" {
        diversions(bytes, sink);
    } else if file.path.as_str().contains("/opkg/") {
        sink.push(EvidenceItem::PackageDatabase("opkg".to_owned()));
        records(bytes, &OPKG, sink);
    } else {
        sink.push(EvidenceItem::PackageDatabase("dpkg".to_owned()));
        records(bytes, &PackageType::DEB, sink);
    }
}

fn diversions(bytes: &[u8], sink: &mut Sink) {
    let lines: Vec<_> = text::lines(bytes)
        .filter(|line| !line.trim().is_empty())
        .collect();
    for lines in lines.chunks(3) {
        let [from, to, package] = lines else {
            return sink.problem(
                ProblemKind::Malformed,
                "a diversion without its three lines",
            );
        };
        let package = match package.trim() {
            ":" => LOCAL_DIVERSION,
            package => package,
        };
        let files = [from, to]
            .into_iter()
            .filter_map(|line| owned_path(line))
            .map(|path| OwnedFile { path, digest: None })
            .collect();
        push_owned(package, files, sink);
    }
}

/// Whose a file is that the administrator diverted.
const LOCAL_DIVERSION: &str = "local-diversion";

/// The fields of one record that are used.
#[derive(Default)]
struct Record {
    package: Option<String>,
    version: Option<String>,
    source: Option<String>,
    status: Option<String>,
    arch: Option<String>,
    maintainer: Option<String>,
    has_lines: bool,
    /// What is wrong with it, said once.
    fault: Option<&'static str>,
}

fn records(bytes: &[u8], kind: &PackageType, sink: &mut Sink) {
    let mut record = Record::default();
    for line in text::lines(bytes) {
        if line.trim().is_empty() {
            end_record(std::mem::take(&mut record), kind, sink);
        } else {
            add_line(&mut record, &line);
        }
    }
    end_record(record, kind, sink);
}

fn add_line(record: &mut Record, line: &str) {
    record.has_lines = true;
    if line.starts_with([' ', '\t']) {
        return;
    }
    let Some((name, value)) = line.split_once(':') else {
        record.fault = Some("a line that is no field");
        return;
    };
    let field = if name.eq_ignore_ascii_case("Package") {
        &mut record.package
    } else if name.eq_ignore_ascii_case("Version") {
        &mut record.version
    } else if name.eq_ignore_ascii_case("Source") {
        &mut record.source
    } else if name.eq_ignore_ascii_case("Status") {
        &mut record.status
    } else if name.eq_ignore_ascii_case("Architecture") {
        &mut record.arch
    } else if name.eq_ignore_ascii_case("Maintainer") {
        &mut record.maintainer
    } else {
        return;
    };
    if field.is_some() {
        record.fault = Some("a field that is there twice");
        return;
    }
    *field = text::value(value).map(str::to_owned);
    if field.is_none() && !value.trim().is_empty() {
        record.fault = Some("a value with control characters or of absurd length");
    }
}

fn end_record(mut record: Record, kind: &PackageType, sink: &mut Sink) {
    if !record.has_lines {
        return;
    }
    let installed = match record.status.as_deref().map(state) {
        None | Some(State::Installed) => true,
        Some(State::Gone) => false,
        Some(State::Unknown) => {
            record.fault = Some("a status this program does not know; taken as installed");
            true
        }
    };
    if let Some(fault) = record.fault {
        let whose = record.package.as_deref().unwrap_or("?");
        let message = format!("record of package `{whose}`: {fault}");
        sink.problem(ProblemKind::Malformed, message);
    }
    if !installed {
        return;
    }
    let (name, version) = match (record.package, record.version) {
        (Some(name), Some(version)) => (name, version),
        (Some(name), None) => {
            let message = format!("package `{name}` is installed without a version");
            return sink.problem(ProblemKind::Malformed, message);
        }
        (None, _) => {
            return sink.problem(ProblemKind::Malformed, "a record without a package name");
        }
    };
    let mut package = Package::new(kind.clone(), name, version);
    package.arch = record.arch;
    package.vendor = record.maintainer;
    package.source = record
        .source
        .and_then(|source| source_of(&package, &source));
    sink.push(EvidenceItem::Package(package));
}

enum State {
    Installed,
    Gone,
    Unknown,
}

/// `want flag state`.
fn state(status: &str) -> State {
    match status.split_whitespace().nth(2) {
        Some(
            "installed" | "half-configured" | "half-installed" | "unpacked" | "triggers-awaited"
            | "triggers-pending",
        ) => State::Installed,
        Some("not-installed" | "config-files") => State::Gone,
        _ => State::Unknown,
    }
}

/// `name` or `name (version)`; `None` where that says nothing new.
fn source_of(package: &Package, field: &str) -> Option<SourcePackage> {
    let (name, version) = match field.split_once('(') {
        Some((name, rest)) => (
            name.trim(),
            text::value(rest.trim_end().trim_end_matches(')')),
        ),
        None => (field, None),
    };
    let version = version.filter(|version| *version != package.version);
    if name.is_empty() || (name == package.name && version.is_none()) {
        return None;
    }
    Some(SourcePackage {
        name: name.to_owned(),
        version: version.map(str::to_owned),
    })
}

/// `name` may carry an architecture: `libc6:amd64`.
fn push_owned(name: &str, files: Vec<OwnedFile>, sink: &mut Sink) {
    let name = name.split(':').next().unwrap_or(name);
    if !name.is_empty() && !files.is_empty() {
        sink.push(EvidenceItem::OwnedFiles(OwnedFiles {
            package: name.to_owned(),
            files,
        }));
    }
}

fn owned_path(text: &str) -> Option<ImagePath> {
    let path = ImagePath::from_bytes(text.as_bytes())?;
    (!path.as_str().is_empty()).then_some(path)
}

/// A list names all directories above its files, so whatever is the parent of another path
/// is a directory. Empty directories can't be told and stay.
fn without_directories(paths: Vec<ImagePath>) -> Vec<OwnedFile> {
    let directories: HashSet<&str> = paths.iter().filter_map(ImagePath::parent).collect();
    let is_file: Vec<bool> = paths
        .iter()
        .map(|path| !directories.contains(path.as_str()))
        .collect();
    drop(directories);
    let kept = paths
        .into_iter()
        .zip(is_file)
        .filter(|(_, is_file)| *is_file);
    kept.map(|(path, _)| OwnedFile { path, digest: None })
        .collect()
}

/// Lines of 32 hexadecimal digits, two spaces and a path without its leading slash.
fn md5sums(bytes: &[u8], sink: &mut Sink) -> Vec<OwnedFile> {
    let mut files = Vec::new();
    for line in text::lines(bytes) {
        if line.trim().is_empty() {
            continue;
        }
        let parts = line
            .split_once(char::is_whitespace)
            .and_then(|(sum, path)| {
                let is_sum = sum.len() == 32 && sum.bytes().all(|b| b.is_ascii_hexdigit());
                let path = owned_path(path.trim_start().trim_start_matches('*'))?;
                is_sum.then_some((sum, path))
            });
        match parts {
            Some((sum, path)) => files.push(OwnedFile {
                path,
                digest: Some(format!("md5:{}", sum.to_ascii_lowercase()).into_boxed_str()),
            }),
            None => sink.problem(ProblemKind::Malformed, "a line that is no MD5 and path"),
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use seaworthy_image::EntryMeta;

    use super::*;

    fn read(path: &str, content: &str) -> (Vec<EvidenceItem>, Vec<String>) {
        let mut sink = Sink::default();
        let meta = FileMeta {
            path: &ImagePath::new(path),
            entry: EntryMeta::default(),
        };
        parse(&meta, content.as_bytes(), &mut sink);
        let (items, problems) = sink.into_parts();
        (
            items,
            problems
                .into_iter()
                .map(|problem| problem.message)
                .collect(),
        )
    }

    fn packages(content: &str) -> (Vec<Package>, Vec<String>) {
        let (items, problems) = read("var/lib/dpkg/status", content);
        let packages = items.into_iter().filter_map(|item| match item {
            EvidenceItem::Package(package) => Some(package),
            _ => None,
        });
        (packages.collect(), problems)
    }

    #[test]
    fn a_record_gives_name_version_source_and_who_made_it() {
        let (packages, problems) = packages(
            "Package: libssl3\nStatus: install ok installed\nPriority: optional\n\
             Maintainer: Debian OpenSSL Team <team@example.org>\nArchitecture: amd64\n\
             Source: openssl (3.0.11-1~deb12u2)\nVersion: 3.0.11-1~deb12u2+b1\n\
             Description: toolkit\n long text: with a colon\n .\n more\nConffiles:\n /etc/x 123\n",
        );
        assert_eq!(problems, [""; 0]);
        let mut expected = Package::new(PackageType::DEB, "libssl3", "3.0.11-1~deb12u2+b1");
        expected.arch = Some("amd64".into());
        expected.vendor = Some("Debian OpenSSL Team <team@example.org>".into());
        expected.source = Some(SourcePackage {
            name: "openssl".into(),
            version: Some("3.0.11-1~deb12u2".into()),
        });
        assert_eq!(packages, [expected]);
    }

    #[test]
    fn a_source_is_kept_only_where_it_says_something_new() {
        let source = |field: &str| {
            let package = Package::new(PackageType::DEB, "curl", "7.88-1");
            source_of(&package, field).map(|source| (source.name, source.version))
        };
        assert_eq!(source("curl"), None);
        assert_eq!(source("curl (7.88-1)"), None);
        assert_eq!(
            source("curl (7.88)"),
            Some(("curl".into(), Some("7.88".into())))
        );
        assert_eq!(source("other"), Some(("other".into(), None)));
        assert_eq!(source("other ()"), Some(("other".into(), None)));
    }

    #[test]
    fn only_packages_whose_files_may_be_there_are_installed() {
        let states = [
            ("install ok installed", true),
            ("hold ok installed", true),
            ("deinstall ok installed", true),
            ("install ok half-configured", true),
            ("install reinstreq half-installed", true),
            ("install ok unpacked", true),
            ("install ok triggers-awaited", true),
            ("deinstall ok config-files", false),
            ("purge ok not-installed", false),
            ("unknown ok not-installed", false),
        ];
        for (status, expected) in states {
            let record = format!("Package: a\nStatus: {status}\nVersion: 1\n");
            let (packages, problems) = packages(&record);
            assert_eq!(packages.len(), usize::from(expected), "{status}");
            assert_eq!(problems, [""; 0], "{status}");
        }
        let (packages, problems) = packages("Package: a\nStatus: odd\nVersion: 1\n");
        assert_eq!((packages.len(), problems.len()), (1, 1));
    }

    #[test]
    fn a_broken_record_is_a_problem_and_its_neighbours_count() {
        let (packages, problems) = packages(
            "Package: a\nVersion: 1\n\nPackage: b\nStatus: install ok installed\n\n\
             Version: 3\n\n\0\0garbage\n\nPackage: d\nVersion: 4\nsome garbage\n\n\n\
             Package: e\nPackage: f\nVersion: 5\n\nPackage: g\u{1b}[2J\nVersion: 6\n\n\
             package: h\nVERSION: 7",
        );
        let names: Vec<&str> = packages
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        assert_eq!(names, ["a", "d", "e", "h"]);
        assert_eq!(
            problems,
            [
                "package `b` is installed without a version",
                "a record without a package name",
                "record of package `?`: a line that is no field",
                "a record without a package name",
                "record of package `d`: a line that is no field",
                "record of package `e`: a field that is there twice",
                "record of package `?`: a value with control characters or of absurd length",
                "a record without a package name",
            ]
        );
    }

    #[test]
    fn an_empty_status_is_a_database_without_packages() {
        let (items, problems) = read("var/lib/dpkg/status", "");
        assert_eq!(items, [EvidenceItem::PackageDatabase("dpkg".into())]);
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn distroless_records_have_no_status() {
        let (items, _) = read(
            "var/lib/dpkg/status.d/base",
            "Package: base-files\nVersion: 12.4\n",
        );
        assert_eq!(
            items[1],
            EvidenceItem::Package(Package::new(PackageType::DEB, "base-files", "12.4"))
        );
    }

    #[test]
    fn opkg_packages_are_of_their_own_kind() {
        let status = "Package: busybox\nVersion: 1.36.1-r1\nStatus: install user installed\n";
        let (items, problems) = read("usr/lib/opkg/status", status);
        assert_eq!(items[0], EvidenceItem::PackageDatabase("opkg".into()));
        assert_eq!(
            items[1],
            EvidenceItem::Package(Package::new(OPKG, "busybox", "1.36.1-r1"))
        );
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn a_list_owns_files_and_not_the_directories_above_them() {
        let (items, _) = read(
            "var/lib/dpkg/info/libc6:amd64.list",
            "/.\n/lib\n/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/libc.so.6\n/usr\n/usr/a b\n",
        );
        let EvidenceItem::OwnedFiles(owned) = &items[0] else {
            panic!("no owned files")
        };
        let paths: Vec<&str> = owned.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(owned.package, "libc6");
        assert_eq!(paths, ["lib/x86_64-linux-gnu/libc.so.6", "usr/a b"]);
    }

    #[test]
    fn md5sums_give_digests() {
        let (items, problems) = read(
            "var/lib/dpkg/status.d/base.md5sums",
            "D41D8CD98F00B204E9800998ECF8427E  usr/bin/x\nnot a sum\n",
        );
        let file = OwnedFile {
            path: ImagePath::new("usr/bin/x"),
            digest: Some("md5:d41d8cd98f00b204e9800998ecf8427e".into()),
        };
        let owned = OwnedFiles {
            package: "base".into(),
            files: vec![file],
        };
        assert_eq!(items, [EvidenceItem::OwnedFiles(owned)]);
        assert_eq!(problems, ["a line that is no MD5 and path"]);
    }

    #[test]
    fn a_diverted_file_is_owned_at_both_places_without_a_digest() {
        let (items, problems) = read(
            "var/lib/dpkg/diversions",
            "/usr/bin/pg_config\n/usr/bin/pg_config.libpq-dev\npostgresql-common\n/bin/x\n/bin/x.real\n:\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let rows: Vec<String> = items
            .iter()
            .flat_map(|item| match item {
                EvidenceItem::OwnedFiles(owned) => owned
                    .files
                    .iter()
                    .map(|file| format!("{} {} {:?}", owned.package, file.path, file.digest))
                    .collect::<Vec<_>>(),
                _ => Vec::new(),
            })
            .collect();
        assert_eq!(
            rows,
            [
                "postgresql-common /usr/bin/pg_config None",
                "postgresql-common /usr/bin/pg_config.libpq-dev None",
                "local-diversion /bin/x None",
                "local-diversion /bin/x.real None",
            ]
        );
        let (_, problems) = read("var/lib/dpkg/diversions", "/a\n/b\n");
        assert_eq!(problems.len(), 1);
    }
}
