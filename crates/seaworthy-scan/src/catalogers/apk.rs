//! apk's database: Alpine, Wolfi, Chainguard and their kin.
//!
//! One text file of records ended by an empty line; each line is a letter, a colon and a
//! value (Alpine wiki, "Apk spec"; apk-tools `src/database.c`). Letters are case-sensitive:
//!
//! ```text
//! P:busybox           name
//! V:1.36.1-r29        version
//! A:x86_64            architecture
//! o:busybox           origin, the source package
//! m:Name <address>    maintainer
//! T:Size optimized …  description
//! F:bin               directory, of the files that follow
//! R:busybox           file in it
//! Z:Q1…=              its SHA-1 (`Q1`) or SHA-256 (`Q2`), base64
//! ```
//!
//! Virtual packages (`apk add --virtual`) hold no files and are left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seaworthy_core::{
    EvidenceItem, ImagePath, Meta, OwnedFile, OwnedFiles, Package, PackageType, ProblemKind,
    SourcePackage,
};

use super::text;
use crate::{Analyzer, FileMeta, Interest, Reader, Sink};

/// The row.
pub const ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "apk",
        revision: 1,
        summary: "Alpine packages from apk's installed database, with the files they own",
        references: &["https://wiki.alpinelinux.org/wiki/Apk_spec"],
    },
    // The second is the place on systems whose `/lib` is a link into `/usr`.
    interest: Interest::Paths(&["lib/apk/db/installed", "usr/lib/apk/db/installed"]),
    reader: Reader::Whole {
        cap: 64 << 20,
        parse,
    },
};

/// Reads the database.
pub fn parse(_: &FileMeta<'_>, bytes: &[u8], sink: &mut Sink) {
    sink.push(EvidenceItem::PackageDatabase("apk".to_owned()));
    let mut record = Record::default();
    for line in text::lines(bytes) {
        if line.trim().is_empty() {
            end_record(std::mem::take(&mut record), sink);
        } else {
            add_line(&mut record, &line);
        }
    }
    end_record(record, sink);
}

#[derive(Default)]
struct Record {
    name: Option<String>,
    version: Option<String>,
    arch: Option<String>,
    origin: Option<String>,
    maintainer: Option<String>,
    is_virtual: bool,
    directory: String,
    files: Vec<OwnedFile>,
    /// Whether the last line that named a file or directory named a file that is in `files`.
    in_file: bool,
    has_lines: bool,
    /// What is wrong with it, said once.
    fault: Option<&'static str>,
}

fn add_line(record: &mut Record, line: &str) {
    record.has_lines = true;
    let bytes = line.as_bytes();
    let (Some(letter), Some(b':')) = (bytes.first(), bytes.get(1)) else {
        record.fault = Some("a line that is no field");
        return;
    };
    let raw = line.get(2..).unwrap_or_default();
    let field = match letter {
        b'P' => &mut record.name,
        b'V' => &mut record.version,
        b'A' => &mut record.arch,
        b'o' => &mut record.origin,
        b'm' => &mut record.maintainer,
        b'T' => {
            record.is_virtual = raw == "virtual meta package";
            return;
        }
        b'F' => {
            record.in_file = false;
            raw.clone_into(&mut record.directory);
            return;
        }
        b'R' => {
            let path = format!("{}/{raw}", record.directory);
            let path = ImagePath::from_bytes(path.as_bytes()).filter(|_| !raw.is_empty());
            record.in_file = path.is_some();
            match path {
                Some(path) => record.files.push(OwnedFile { path, digest: None }),
                None => record.fault = Some("a file whose name leaves the root"),
            }
            return;
        }
        b'Z' => {
            if record.in_file
                && let Some(file) = record.files.last_mut()
            {
                file.digest = checksum(raw);
                if file.digest.is_none() {
                    record.fault = Some("a checksum of an unknown kind");
                }
            }
            return;
        }
        _ => return,
    };
    *field = text::value(raw).map(str::to_owned);
    if field.is_none() && !raw.trim().is_empty() {
        record.fault = Some("a value with control characters or of absurd length");
    }
}

fn end_record(record: Record, sink: &mut Sink) {
    if !record.has_lines {
        return;
    }
    if let Some(fault) = record.fault {
        let whose = record.name.as_deref().unwrap_or("?");
        let message = format!("record of package `{whose}`: {fault}");
        sink.problem(ProblemKind::Malformed, message);
    }
    let (name, version) = match (record.name, record.version) {
        (Some(name), _) if name.starts_with('.') || record.is_virtual => return,
        (Some(name), Some(version)) => (name, version),
        (Some(name), None) => {
            let message = format!("package `{name}` is installed without a version");
            return sink.problem(ProblemKind::Malformed, message);
        }
        (None, _) => {
            return sink.problem(ProblemKind::Malformed, "a record without a package name");
        }
    };
    if !record.files.is_empty() {
        sink.push(EvidenceItem::OwnedFiles(OwnedFiles {
            package: name.clone(),
            files: record.files,
        }));
    }
    let mut package = Package::new(PackageType::APK, name, version);
    package.arch = record.arch;
    package.vendor = record.maintainer;
    let origin = record.origin.filter(|origin| *origin != package.name);
    package.source = origin.map(|name| SourcePackage {
        name,
        version: None,
    });
    sink.push(EvidenceItem::Package(package));
}

/// `Q1` and 20 bytes of SHA-1, `Q2` and 32 bytes of SHA-256, in base64.
fn checksum(text: &str) -> Option<Box<str>> {
    use std::fmt::Write as _;
    let (mut digest, length) = match text.get(..2)? {
        "Q1" => ("sha1:".to_owned(), 20),
        "Q2" => ("sha256:".to_owned(), 32),
        _ => return None,
    };
    let bytes = STANDARD.decode(text.get(2..)?.trim_end()).ok()?;
    if bytes.len() != length {
        return None;
    }
    for byte in bytes {
        let _ = write!(digest, "{byte:02x}");
    }
    Some(digest.into_boxed_str())
}

#[cfg(test)]
mod tests {
    use seaworthy_image::EntryMeta;

    use super::*;

    fn read(content: &str) -> (Vec<EvidenceItem>, Vec<String>) {
        let mut sink = Sink::default();
        let meta = FileMeta {
            path: &ImagePath::new("lib/apk/db/installed"),
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

    #[test]
    fn a_record_gives_the_package_and_its_files() {
        let (items, problems) = read(
            "C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=\nP:ssl_client\nV:1.36.1-r29\nA:x86_64\nS:4600\n\
             p:not-a-name\nT:EXternal ssl_client\no:busybox\nm:Someone <s@example.org>\n\
             F:usr\nF:usr/bin\nR:ssl_client\na:0:0:755\nZ:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\n\
             F:etc\nM:0:0:1777\nR:plain\n\n",
        );
        assert_eq!(problems, [""; 0]);
        let mut package = Package::new(PackageType::APK, "ssl_client", "1.36.1-r29");
        package.arch = Some("x86_64".into());
        package.vendor = Some("Someone <s@example.org>".into());
        package.source = Some(SourcePackage {
            name: "busybox".into(),
            version: None,
        });
        let owned = OwnedFiles {
            package: "ssl_client".into(),
            files: vec![
                OwnedFile {
                    path: ImagePath::new("usr/bin/ssl_client"),
                    digest: Some("sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709".into()),
                },
                OwnedFile {
                    path: ImagePath::new("etc/plain"),
                    digest: None,
                },
            ],
        };
        assert_eq!(
            items,
            [
                EvidenceItem::PackageDatabase("apk".into()),
                EvidenceItem::OwnedFiles(owned),
                EvidenceItem::Package(package),
            ]
        );
    }

    #[test]
    fn virtual_packages_are_left_out() {
        let (items, problems) = read(
            "P:.build-deps\nV:20240101.120000\n\nP:deps\nV:1\nT:virtual meta package\n\n\
             P:musl\nV:1.2.5-r0\no:musl",
        );
        assert_eq!(problems, [""; 0]);
        assert_eq!(
            items[1..],
            [EvidenceItem::Package(Package::new(
                PackageType::APK,
                "musl",
                "1.2.5-r0"
            ))]
        );
    }

    #[test]
    fn a_broken_record_is_a_problem_and_its_neighbours_count() {
        let (items, problems) = read(
            "P:a\nV:1\nF:..\nR:passwd\nZ:Q1zzz\n\nV:2\n\nP:c\n\n\u{e4}\u{f6}\n\nP:d\nV:4\nF:x\nR:y\nZ:X9\n",
        );
        let names: Vec<&str> = items
            .iter()
            .filter_map(|item| match item {
                EvidenceItem::Package(package) => Some(package.name.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["a", "d"]);
        assert_eq!(
            problems,
            [
                "record of package `a`: a file whose name leaves the root",
                "a record without a package name",
                "package `c` is installed without a version",
                "record of package `?`: a line that is no field",
                "a record without a package name",
                "record of package `d`: a checksum of an unknown kind",
            ]
        );
    }
}
