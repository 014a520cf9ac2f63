//! The advisories built into the program: facts on the flaws that every user of containers
//! has heard of, for a scan on a machine with neither a database nor a network.
//!
//! They are written by hand in `data/embedded/*.toml`, in our own words; identifiers and
//! versions are the facts of the sources each of them names. This is no substitute for the
//! full database: releases and packages that are not listed are unknown, not unaffected.
//!
//! ```toml
//! [[advisory]]
//! id = "CVE-2021-44906"
//! name = "…"                        # what people call it; may be left out
//! severity = "critical"
//! cvss = "CVSS:3.1/…"               # may be left out
//! summary = "…"
//! affected = [
//!     ["npm", "minimist", "0<0.2.4 1.0.0<1.2.6"],            # introduced<fixed
//!     ["npm", "event-stream", "=3.3.6"],                     # that version only
//!     ["Alpine", "openssl", "v3.10,v3.11<1.1.1k-r0"],        # release,release<fixed
//!     ["Alpine", "xz", "edge>=5.6.0-r0<5.6.1-r2"],           # release>=introduced<fixed
//! ]
//! references = ["https://…"]
//! ```
//!
//! A missing version after `<` means that no fix exists. Package names are those of the
//! publisher: source packages for Debian, Ubuntu and Alpine, binary ones for AlmaLinux.

use serde::Deserialize;
use serde_json::{Value, json};

/// The prefix of the ids that the records get.
pub const EMBEDDED_PREFIX: &str = "SEAWORTHY-";

const FILES: &[(&str, &str)] = &[
    ("base", include_str!("../data/embedded/base.toml")),
    (
        "containers",
        include_str!("../data/embedded/containers.toml"),
    ),
    ("crypto", include_str!("../data/embedded/crypto.toml")),
    ("go", include_str!("../data/embedded/go.toml")),
    ("npm", include_str!("../data/embedded/npm.toml")),
    ("python", include_str!("../data/embedded/python.toml")),
    ("servers", include_str!("../data/embedded/servers.toml")),
    ("tools", include_str!("../data/embedded/tools.toml")),
];

/// When the files were last gone through; the records' `modified`.
const MODIFIED: &str = "2026-11-23T00:00:00Z";

#[derive(Deserialize)]
struct File {
    advisory: Vec<Advisory>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advisory {
    id: String,
    name: Option<String>,
    severity: String,
    cvss: Option<String>,
    summary: String,
    /// Ecosystem without release, package, ranges.
    affected: Vec<(String, String, String)>,
    references: Vec<String>,
}

/// The embedded advisories as OSV records (ossf.github.io/osv-schema), in a fixed order.
///
/// The id is `SEAWORTHY-` and the flaw's own id, which is also the alias; the rating is in
/// `database_specific.severity`.
pub fn embedded_records() -> impl Iterator<Item = Value> {
    FILES.iter().flat_map(|(name, text)| {
        let file: File = toml::from_str(text)
            .unwrap_or_else(|error| unreachable!("`{name}.toml` is read by a test: {error}"));
        file.advisory.into_iter().map(Advisory::into_osv)
    })
}

impl Advisory {
    fn into_osv(self) -> Value {
        let mut affected = Vec::new();
        for (ecosystem, package, ranges) in &self.affected {
            add_affected(ecosystem, package, ranges, &mut affected);
        }
        let summary = match &self.name {
            Some(name) => format!("{} ({name})", self.summary),
            None => self.summary,
        };
        let references: Vec<Value> = self
            .references
            .iter()
            .map(|url| json!({"type": "ADVISORY", "url": url}))
            .collect();
        let mut record = json!({
            "schema_version": "1.7.0",
            "id": format!("{EMBEDDED_PREFIX}{}", self.id),
            "modified": MODIFIED,
            "aliases": [self.id],
            "summary": summary,
            "affected": affected,
            "references": references,
            "database_specific": {"severity": self.severity},
        });
        if let (Some(vector), Some(fields)) = (self.cvss, record.as_object_mut()) {
            let kind = match vector.get(..6) {
                Some("CVSS:4") => "CVSS_V4",
                Some("CVSS:3") => "CVSS_V3",
                _ => "CVSS_V2",
            };
            fields.insert(
                "severity".to_owned(),
                json!([{"type": kind, "score": vector}]),
            );
        }
        record
    }
}

/// Reads `0<1.2 2.0<2.1`, `=1.2`, or with releases `12,13<1.2-1 sid>=1.0<1.2-1`.
fn add_affected(ecosystem: &str, package: &str, ranges: &str, out: &mut Vec<Value>) {
    let event = |introduced: &str, fixed: &str| {
        let mut events = vec![json!({"introduced": introduced})];
        if !fixed.is_empty() {
            events.push(json!({"fixed": fixed}));
        }
        events
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
                (None, Some((introduced, fixed))) => events.extend(event(introduced, fixed)),
                (None, None) => {}
            }
        }
        let mut entry = json!({"package": {"ecosystem": ecosystem, "name": package}});
        if let Some(fields) = entry.as_object_mut() {
            if !events.is_empty() {
                fields.insert(
                    "ranges".to_owned(),
                    json!([{"type": kind, "events": events}]),
                );
            }
            if !versions.is_empty() {
                fields.insert("versions".to_owned(), json!(versions));
            }
        }
        out.push(entry);
        return;
    }
    for word in words {
        let Some((releases, fixed)) = word.split_once('<') else {
            continue;
        };
        let (releases, introduced) = releases.split_once(">=").unwrap_or((releases, "0"));
        for release in releases.split(',') {
            out.push(json!({
                "package": {"ecosystem": format!("{ecosystem}:{release}"), "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": event(introduced, fixed)}],
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::collections::BTreeSet;

    use super::*;
    use crate::cvss::Cvss;
    use crate::version::VersionScheme;
    use seaworthy_core::Severity;

    #[test]
    fn every_file_is_read_and_every_advisory_is_sound() {
        let mut ids = BTreeSet::new();
        for (name, text) in FILES {
            let file: File = toml::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            for advisory in file.advisory {
                check(&advisory);
                assert!(
                    ids.insert(advisory.id.clone()),
                    "{} is there twice",
                    advisory.id
                );
            }
        }
        assert!(ids.len() >= 150, "only {}", ids.len());
        assert_eq!(embedded_records().count(), ids.len());
        println!("{} advisories", ids.len());
    }

    #[track_caller]
    fn check(advisory: &Advisory) {
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
            assert!(known.contains(&ecosystem.as_str()), "{id}: {ecosystem}");
            assert!(!package.is_empty() && !package.contains(' '), "{id}");
            for word in ranges.split_ascii_whitespace() {
                let language = matches!(ecosystem.as_str(), "Go" | "PyPI" | "npm");
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
                let scheme = VersionScheme::for_ecosystem(name).unwrap();
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
