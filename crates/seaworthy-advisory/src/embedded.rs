//! The advisories built into the program: facts on the flaws that every user of containers
//! has heard of, for a scan on a machine with neither a database nor a network.
//!
//! They are written by hand in `data/embedded/*.json`, in our own words; identifiers and
//! versions are the facts of the sources each of them names. This is no substitute for the
//! full database: releases and packages that are not listed are unknown, not unaffected.
//!
//! ```text
//! {
//!   "id": "CVE-2021-44906",
//!   "name": "…",                      what people call it; may be left out
//!   "severity": "critical",
//!   "cvss": "CVSS:3.1/…",             may be left out
//!   "summary": "…",
//!   "affected": [
//!     ["npm", "minimist", "0<0.2.4 1.0.0<1.2.6"],       introduced<fixed
//!     ["npm", "event-stream", "=3.3.6"],                that version only
//!     ["Alpine", "openssl", "v3.10,v3.11<1.1.1k-r0"],   release,release<fixed
//!     ["Alpine", "xz", "edge>=5.6.0-r0<5.6.1-r2"]       release>=introduced<fixed
//!   ],
//!   "references": ["https://…"]
//! }
//! ```
//!
//! (JSON and not TOML, because a scan that needs these should not wait for them.)
//!
//! A missing version after `<` means that no fix exists. Package names are those of the
//! publisher: source packages for Debian, Ubuntu and Alpine, binary ones for AlmaLinux.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The prefix of the ids that the records get.
pub const EMBEDDED_PREFIX: &str = "SEAWORTHY-";

const FILES: &[(&str, &str)] = &[
    ("base", include_str!("../data/embedded/base.json")),
    (
        "containers",
        include_str!("../data/embedded/containers.json"),
    ),
    ("crypto", include_str!("../data/embedded/crypto.json")),
    ("go", include_str!("../data/embedded/go.json")),
    ("npm", include_str!("../data/embedded/npm.json")),
    ("python", include_str!("../data/embedded/python.json")),
    ("servers", include_str!("../data/embedded/servers.json")),
    ("tools", include_str!("../data/embedded/tools.json")),
];

/// When the files were last gone through; the records' `modified`.
const MODIFIED: &str = "2026-11-23T00:00:00Z";

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    advisories: Vec<Advisory<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advisory<'a> {
    id: &'a str,
    name: Option<&'a str>,
    severity: &'a str,
    cvss: Option<&'a str>,
    summary: &'a str,
    /// Ecosystem without release, package, ranges.
    affected: Vec<(&'a str, &'a str, &'a str)>,
    references: Vec<&'a str>,
}

/// The embedded advisories as OSV records (ossf.github.io/osv-schema), in a fixed order.
///
/// The id is `SEAWORTHY-` and the flaw's own id, which is also the alias; the rating is in
/// `database_specific.severity`.
pub fn embedded_records() -> impl Iterator<Item = Value> {
    advisories().map(|advisory| {
        serde_json::to_value(advisory.as_osv()).expect("strings and lists are valid JSON")
    })
}

/// The same as JSON text, which is faster for who parses it anyway.
pub fn embedded_texts() -> impl Iterator<Item = Vec<u8>> {
    advisories().map(|advisory| {
        serde_json::to_vec(&advisory.as_osv()).expect("strings and lists are valid JSON")
    })
}

fn advisories() -> impl Iterator<Item = Advisory<'static>> {
    FILES.iter().flat_map(|(name, text)| {
        let file: File<'static> = serde_json::from_str(text)
            .unwrap_or_else(|error| unreachable!("`{name}.json` is read by a test: {error}"));
        file.advisories
    })
}

/// The part of the OSV schema that is needed here.
#[derive(Serialize)]
struct Osv<'a> {
    schema_version: &'a str,
    id: String,
    modified: &'a str,
    aliases: [&'a str; 1],
    summary: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    severity: Vec<OsvScore<'a>>,
    affected: Vec<OsvAffected<'a>>,
    references: Vec<OsvReference<'a>>,
    database_specific: OsvRating<'a>,
}

#[derive(Serialize)]
struct OsvScore<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    score: &'a str,
}

#[derive(Serialize)]
struct OsvAffected<'a> {
    package: OsvPackage<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ranges: Vec<OsvRange<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    versions: Vec<&'a str>,
}

#[derive(Serialize)]
struct OsvPackage<'a> {
    ecosystem: Cow<'a, str>,
    name: &'a str,
}

#[derive(Serialize)]
struct OsvRange<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    events: Vec<OsvEvent<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum OsvEvent<'a> {
    Introduced(&'a str),
    Fixed(&'a str),
}

#[derive(Serialize)]
struct OsvReference<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    url: &'a str,
}

#[derive(Serialize)]
struct OsvRating<'a> {
    severity: &'a str,
}

impl<'a> Advisory<'a> {
    fn as_osv(&self) -> Osv<'a> {
        let mut affected = Vec::new();
        for (ecosystem, package, ranges) in &self.affected {
            add_affected(ecosystem, package, ranges, &mut affected);
        }
        let severity = self.cvss.map(|score| OsvScore {
            kind: match score.get(..6) {
                Some("CVSS:4") => "CVSS_V4",
                Some("CVSS:3") => "CVSS_V3",
                _ => "CVSS_V2",
            },
            score,
        });
        let reference = |url: &&'a str| OsvReference {
            kind: "ADVISORY",
            url,
        };
        Osv {
            schema_version: "1.7.0",
            id: format!("{EMBEDDED_PREFIX}{}", self.id),
            modified: MODIFIED,
            aliases: [self.id],
            summary: match self.name {
                Some(name) => format!("{} ({name})", self.summary),
                None => self.summary.to_owned(),
            },
            severity: severity.into_iter().collect(),
            affected,
            references: self.references.iter().map(reference).collect(),
            database_specific: OsvRating {
                severity: self.severity,
            },
        }
    }
}

/// Reads `0<1.2 2.0<2.1`, `=1.2`, or with releases `12,13<1.2-1 sid>=1.0<1.2-1`.
fn add_affected<'a>(
    ecosystem: &'a str,
    name: &'a str,
    ranges: &'a str,
    out: &mut Vec<OsvAffected<'a>>,
) {
    let add_events = |introduced: &'a str, fixed: &'a str, events: &mut Vec<OsvEvent<'a>>| {
        events.push(OsvEvent::Introduced(introduced));
        if !fixed.is_empty() {
            events.push(OsvEvent::Fixed(fixed));
        }
    };
    let words = ranges.split_ascii_whitespace();
    if matches!(ecosystem, "PyPI" | "npm" | "Go") {
        let kind = if ecosystem == "PyPI" {
            "ECOSYSTEM"
        } else {
            "SEMVER"
        };
        let mut versions = Vec::new();
        let mut events = Vec::new();
        for word in words {
            match (word.strip_prefix('='), word.split_once('<')) {
                (Some(version), _) => versions.push(version),
                (None, Some((introduced, fixed))) => add_events(introduced, fixed, &mut events),
                (None, None) => {}
            }
        }
        let range = (!events.is_empty()).then_some(OsvRange { kind, events });
        out.push(OsvAffected {
            package: OsvPackage {
                ecosystem: Cow::Borrowed(ecosystem),
                name,
            },
            ranges: range.into_iter().collect(),
            versions,
        });
        return;
    }
    for word in words {
        let Some((releases, fixed)) = word.split_once('<') else {
            continue;
        };
        let (releases, introduced) = releases.split_once(">=").unwrap_or((releases, "0"));
        for release in releases.split(',') {
            let mut events = Vec::new();
            add_events(introduced, fixed, &mut events);
            out.push(OsvAffected {
                package: OsvPackage {
                    ecosystem: Cow::Owned(format!("{ecosystem}:{release}")),
                    name,
                },
                ranges: vec![OsvRange {
                    kind: "ECOSYSTEM",
                    events,
                }],
                versions: Vec::new(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::collections::BTreeSet;

    use super::*;
    use crate::cvss::Cvss;
    use seaworthy_core::Severity;

    #[test]
    fn every_file_is_read_and_every_advisory_is_sound() {
        let mut ids = BTreeSet::new();
        for (name, text) in FILES {
            let file: File<'_> =
                serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            for advisory in file.advisories {
                check(&advisory);
                assert!(ids.insert(advisory.id), "{} is there twice", advisory.id);
            }
        }
        assert!(ids.len() >= 150, "only {}", ids.len());
        assert_eq!(embedded_records().count(), ids.len());
        for (text, record) in embedded_texts().zip(embedded_records()) {
            assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), record);
        }
        println!("{} advisories", ids.len());
    }

    #[track_caller]
    fn check(advisory: &Advisory<'_>) {
        let id = &advisory.id;
        assert!(id.starts_with("CVE-") || id.starts_with("GHSA-"), "{id}");
        assert!(
            advisory.summary.len() > 20 && !advisory.summary.ends_with('.'),
            "{id}"
        );
        assert!(!advisory.references.is_empty(), "{id}");
        for url in &advisory.references {
            assert!(
                url.starts_with("https://") && !url.contains(' '),
                "{id}: {url}"
            );
        }
        let severity: Severity = advisory.severity.parse().unwrap();
        if let Some(vector) = &advisory.cvss {
            assert_eq!(Cvss::parse(vector).unwrap().severity(), severity, "{id}");
        }
        for (ecosystem, package, ranges) in &advisory.affected {
            let known = [
                "AlmaLinux",
                "Alpine",
                "Debian",
                "Go",
                "PyPI",
                "Ubuntu",
                "npm",
            ];
            assert!(known.contains(ecosystem), "{id}: {ecosystem}");
            assert!(!package.is_empty() && !package.contains(' '), "{id}");
            for word in ranges.split_ascii_whitespace() {
                let language = matches!(*ecosystem, "Go" | "PyPI" | "npm");
                assert!(
                    word.contains('<') || (language && word.starts_with('=')),
                    "{id}: {word}"
                );
            }
            let mut affected = Vec::new();
            add_affected(ecosystem, package, ranges, &mut affected);
            assert!(!affected.is_empty(), "{id}: {package}");
        }
    }

    #[test]
    fn versions_are_readable_and_every_fix_comes_after_its_introduction() {
        for record in embedded_records() {
            for affected in record["affected"].as_array().unwrap() {
                let name = affected["package"]["ecosystem"].as_str().unwrap();
                let scheme = crate::ecosystems::by_osv_name(name).unwrap().scheme;
                for version in affected["versions"].as_array().into_iter().flatten() {
                    scheme.check(version.as_str().unwrap()).unwrap();
                }
                let Some(range) = affected["ranges"].get(0) else {
                    assert!(affected["versions"].is_array(), "{record}");
                    continue;
                };
                let events = range["events"].as_array().unwrap();
                assert_eq!(
                    events[0].as_object().unwrap().keys().next().unwrap(),
                    "introduced"
                );
                let versions: Vec<&str> = events
                    .iter()
                    .map(|event| event.as_object().unwrap().values().next().unwrap())
                    .map(|version| version.as_str().unwrap())
                    .collect();
                for pair in versions.windows(2) {
                    let order = match pair[0] {
                        "0" => scheme.check(pair[1]).map(|()| Ordering::Less),
                        _ => scheme.compare(pair[0], pair[1]),
                    };
                    assert_eq!(order, Ok(Ordering::Less), "{}: {pair:?}", record["id"]);
                }
            }
        }
    }

    #[test]
    fn the_flaws_that_everybody_knows_are_there() {
        let ids: BTreeSet<String> = embedded_records()
            .map(|record| record["aliases"][0].as_str().unwrap().to_owned())
            .collect();
        for (id, name) in [
            ("CVE-2014-0160", "Heartbleed"),
            ("CVE-2014-6271", "Shellshock"),
            ("CVE-2015-0235", "GHOST"),
            ("CVE-2019-5736", "runc"),
            ("CVE-2021-3156", "Baron Samedit"),
            ("CVE-2021-4034", "PwnKit"),
            ("CVE-2021-44228", "Log4Shell"),
            ("CVE-2023-44487", "Rapid Reset"),
            ("CVE-2023-4911", "Looney Tunables"),
            ("CVE-2024-21626", "Leaky Vessels"),
            ("CVE-2024-3094", "xz"),
            ("CVE-2024-6387", "regreSSHion"),
        ] {
            assert!(ids.contains(id), "{name} ({id}) is missing");
        }
    }
}
