//! Installed Python distributions: the metadata beside the modules.
//!
//! Followed: the core metadata specification (packaging.python.org), which is headers as
//! in mail: `Key: value` lines, continued by lines that begin with a blank, up to an empty
//! line. Names are kept as written: PEP 503 makes them comparable when they are matched.
//!
//! Left out: wheels and zipped eggs that were not unpacked, lock files and requirement
//! lists (what was asked for, not what is there), and vendored copies without metadata.

use seaworthy_core::{EvidenceItem, Meta, Package, PackageType, ProblemKind};

use crate::bytes::text;
use crate::catalogers::text::value;
use crate::problems::ProblemList;
use crate::{Analyzer, FileMeta, Interest, Reader, Sink};

/// The row of the list of analyzers.
pub const ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "python-installed",
        revision: 1,
        summary: "Python distributions, from dist-info and egg-info",
        references: &[
            "https://packaging.python.org/en/latest/specifications/core-metadata/",
            "https://packaging.python.org/en/latest/specifications/recording-installed-packages/",
        ],
    },
    interest: Interest::Paths(&[
        "**/*.dist-info/METADATA",
        "**/*.egg-info",
        "**/*.egg-info/PKG-INFO",
        "**/EGG-INFO/PKG-INFO",
    ]),
    reader: Reader::Whole { cap: CAP, parse },
};

/// The longest known description has 1 MB.
const CAP: usize = 16 << 20;
/// Names and versions on package indexes are far shorter.
const MAX_FIELD: usize = 1024;

fn parse(_: &FileMeta<'_>, bytes: &[u8], sink: &mut Sink) {
    let mut problems = ProblemList::default();
    if let Some(package) = parse_metadata(bytes, &mut problems) {
        sink.push(EvidenceItem::Package(package));
    }
    for (kind, message) in problems.into_items() {
        sink.problem(kind, message);
    }
}

/// Reads the metadata of a distribution. `None`, with a problem, where it lacks a name or
/// a version; the first of a repeated field counts.
pub fn parse_metadata(bytes: &[u8], problems: &mut ProblemList) -> Option<Package> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (mut name, mut version) = (None, None);
    for (key, found) in Headers::new(bytes) {
        let field = if key.eq_ignore_ascii_case(b"Name") {
            &mut name
        } else if key.eq_ignore_ascii_case(b"Version") {
            &mut version
        } else {
            continue;
        };
        if field.is_none() && found.len() <= MAX_FIELD {
            *field = value(&text(&found)).map(str::to_owned);
        }
        if name.is_some() && version.is_some() {
            break;
        }
    }
    match (name, version) {
        (Some(name), Some(version)) => Some(Package::new(PackageType::PYPI, name, version)),
        (name, version) => {
            let what = match (name, version) {
                (Some(name), _) => format!("the metadata of `{name}` has no version"),
                (None, Some(_)) => "the metadata has no name".to_owned(),
                (None, None) => "the metadata has neither name nor version".to_owned(),
            };
            problems.push(ProblemKind::Malformed, what);
            None
        }
    }
}

/// The headers before the first empty line.
struct Headers<'a> {
    lines: std::iter::Peekable<Lines<'a>>,
}

type Lines<'a> = std::slice::Split<'a, u8, fn(&u8) -> bool>;

impl<'a> Headers<'a> {
    fn new(bytes: &'a [u8]) -> Headers<'a> {
        let is_newline: fn(&u8) -> bool = |b| *b == b'\n';
        Headers {
            lines: bytes.split(is_newline).peekable(),
        }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.lines.next()?.trim_ascii_end();
            if line.is_empty() {
                return None;
            }
            let Some(colon) = memchr::memchr(b':', line) else {
                continue;
            };
            let (key, value) = line.split_at(colon);
            let mut value = value.get(1..).unwrap_or_default().trim_ascii().to_vec();
            while let Some(more) = self
                .lines
                .next_if(|line| line.starts_with(b" ") || line.starts_with(b"\t"))
            {
                // Only what a name or version can need is kept of a long text.
                if value.len() <= MAX_FIELD {
                    value.push(b' ');
                    value.extend_from_slice(more.trim_ascii());
                }
            }
            return Some((key.trim_ascii(), value.trim_ascii().to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(metadata: &[u8], expected: Result<(&str, &str), &str>) {
        let mut problems = ProblemList::default();
        let package = parse_metadata(metadata, &mut problems);
        let messages: Vec<String> = problems.into_items().into_iter().map(|(_, m)| m).collect();
        match expected {
            Ok((name, version)) => {
                assert_eq!(messages, [""; 0]);
                assert_eq!(
                    package,
                    Some(Package::new(PackageType::PYPI, name, version))
                );
            }
            Err(message) => {
                assert_eq!(messages, [message]);
                assert_eq!(package, None);
            }
        }
    }

    #[test]
    fn name_and_version_are_kept_as_written() {
        check(
            b"Metadata-Version: 2.1\nName: Zope.Interface\nVersion: 5.4.0\n\nbody",
            Ok(("Zope.Interface", "5.4.0")),
        );
        check(b"\xef\xbb\xbfname:a\r\nVERSION:1\r\n", Ok(("a", "1")));
    }

    #[test]
    fn a_folded_field_is_one_line() {
        check(
            b"Summary: x\n Name: not this\nName:\n folded\nVersion:\n\t1.0\n",
            Ok(("folded", "1.0")),
        );
    }

    #[test]
    fn a_field_in_the_body_does_not_count() {
        check(
            b"Name: a\n\nVersion: 9\n",
            Err("the metadata of `a` has no version"),
        );
    }

    #[test]
    fn latin_1_stays_readable() {
        check(
            b"Author: Andr\xe9\nName: caf\xe9\nVersion: 1\n",
            Ok(("caf\u{e9}", "1")),
        );
    }

    #[test]
    fn the_first_of_two_names_counts() {
        check(b"Name: a\nName: b\nVersion: 1\n", Ok(("a", "1")));
    }

    #[test]
    fn an_empty_file_is_a_problem() {
        check(b"", Err("the metadata has neither name nor version"));
    }
}
