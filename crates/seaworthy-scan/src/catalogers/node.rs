//! Installed Node packages: `package.json` in the directory of a package.
//!
//! Followed: npm's `package.json` (docs.npmjs.com) and Node's rules for finding packages:
//! a package lies directly in a `node_modules` directory, or in one of its `@scope`
//! directories. A `package.json` deeper inside a package (test fixtures, `esm/` markers)
//! is no package. Debian installs packages below `usr/share/nodejs` by the same rule.
//!
//! The name is the one in the file, as npm reads it: an alias (`npm:other@1`) installs a
//! package in a directory of another name. A file without a name or version is a marker and
//! no package. `private` says nothing here: it keeps a program's own root from being
//! published, and a root does not lie in `node_modules`. Left out: lock files, and packages
//! bundled into one script.

use std::fmt;

use seaworthy_core::{EvidenceItem, Meta, Package, PackageType, ProblemKind};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::catalogers::text::value;
use crate::problems::ProblemList;
use crate::{Analyzer, FileMeta, Interest, Reader, Sink};

/// The row of the list of analyzers.
pub const ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "node-installed",
        revision: 1,
        summary: "Node packages in node_modules directories",
        references: &["https://docs.npmjs.com/cli/configuring-npm/package-json"],
    },
    interest: Interest::Paths(&[
        "**/node_modules/*/package.json",
        "**/node_modules/@*/*/package.json",
        "usr/share/nodejs/*/package.json",
        "usr/share/nodejs/@*/*/package.json",
    ]),
    reader: Reader::Whole { cap: CAP, parse },
};

/// The largest known ones, with all versions in them, have 1 MB.
const CAP: usize = 16 << 20;
const MAX_FIELD: usize = 1024;

fn parse(_: &FileMeta<'_>, bytes: &[u8], sink: &mut Sink) {
    let mut problems = ProblemList::default();
    if let Some(package) = parse_package_json(bytes, &mut problems) {
        sink.push(EvidenceItem::Package(package));
    }
    for (kind, message) in problems.into_items() {
        sink.problem(kind, message);
    }
}

/// Reads a `package.json`. `None` where it is no package of a registry, or with a problem
/// where it can't be read.
pub fn parse_package_json(bytes: &[u8], problems: &mut ProblemList) -> Option<Package> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Authors' names in other encodings do not make a package unreadable.
    let text = String::from_utf8_lossy(bytes);
    let file: PackageJson = match serde_json::from_str(&text) {
        Ok(file) => file,
        Err(error) => {
            problems.push(
                ProblemKind::Malformed,
                format!("not readable as JSON: {error}"),
            );
            return None;
        }
    };
    let field = |text: Option<String>| {
        let text = text?;
        value(&text)
            .filter(|text| text.len() <= MAX_FIELD)
            .map(str::to_owned)
    };
    let (name, version) = (field(file.name)?, field(file.version)?);
    // `v1.2.3` and `=1.2.3` are 1.2.3 to npm.
    let version = version.trim_start_matches(['v', '=']).trim_start();
    if version.is_empty() {
        return None;
    }
    Some(Package::new(PackageType::NPM, name, version))
}

/// The two fields that matter; the last of a repeated field counts, as in JavaScript.
#[derive(Default)]
struct PackageJson {
    name: Option<String>,
    version: Option<String>,
}

impl<'de> Deserialize<'de> for PackageJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PackageJson, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = PackageJson;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PackageJson, A::Error> {
                let mut file = PackageJson::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "name" => file.name = map.next_value::<TextOrOther>()?.text(),
                        "version" => file.version = map.next_value::<TextOrOther>()?.text(),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(file)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// A text, or a value of another kind, which is none.
#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrOther {
    Text(String),
    Other(IgnoredAny),
}

impl TextOrOther {
    fn text(self) -> Option<String> {
        match self {
            TextOrOther::Text(text) => Some(text),
            TextOrOther::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<(&str, &str)>) {
        let mut problems = ProblemList::default();
        let package = parse_package_json(json.as_bytes(), &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        let expected =
            expected.map(|(name, version)| Package::new(PackageType::NPM, name, version));
        assert_eq!(package, expected);
    }

    #[test]
    fn a_package_has_name_and_version() {
        check(
            r#"{"name":"@babel/core","version":"7.0.0"}"#,
            Some(("@babel/core", "7.0.0")),
        );
        check(
            "\u{feff}{\"name\":\"a\",\"version\":\" v1.0.0 \"}",
            Some(("a", "1.0.0")),
        );
    }

    #[test]
    fn markers_are_no_packages() {
        check(r#"{"type":"module"}"#, None);
        check(r#"{"name":"a"}"#, None);
        check(r#"{"name":"","version":"1"}"#, None);
        check(r#"{"name":["a"],"version":{"x":1}}"#, None);
    }

    #[test]
    fn odd_and_repeated_fields_do_not_matter() {
        check(
            r#"{"license":[1,{"a":null}],"name":"a","private":true,"name":"a","version":"1.0.0"}"#,
            Some(("a", "1.0.0")),
        );
    }

    #[test]
    fn broken_json_is_a_problem() {
        for json in [
            "",
            "{",
            "[]",
            "{\"name\":\"a\",\"version\":\"1\"",
            &"[".repeat(100_000),
        ] {
            let mut problems = ProblemList::default();
            assert_eq!(parse_package_json(json.as_bytes(), &mut problems), None);
            assert_eq!(problems.len(), 1, "{json:.20}");
        }
    }
}
