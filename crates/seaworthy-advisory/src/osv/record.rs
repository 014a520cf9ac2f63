//! One OSV record, borrowed from its document.

use serde::Deserialize;

use super::{List, Text, Words};

/// Largest document that is read. The largest in the wild (kernel records of Ubuntu) are
/// a few megabytes.
pub const MAX_RECORD_BYTES: usize = 32 << 20;

/// Why a document is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Longer than [`MAX_RECORD_BYTES`].
    #[error("record of {0} bytes is larger than the {MAX_RECORD_BYTES} that are read")]
    TooLarge(usize),
    /// Not JSON, or not of the schema's shape.
    #[error("not an OSV record: {0}")]
    Malformed(#[from] serde_json::Error),
    /// No `id`, or one that no advisory would have.
    #[error("record has no usable `id`")]
    NoId,
}

/// An advisory record (schema: top level).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OsvRecord<'a> {
    /// Unique id, `DSA-5417-1`.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// RFC 3339.
    #[serde(borrow)]
    pub published: Text<'a>,
    /// RFC 3339.
    #[serde(borrow)]
    pub modified: Text<'a>,
    /// RFC 3339; not empty means that the record is void.
    #[serde(borrow)]
    pub withdrawn: Text<'a>,
    /// Other ids of the same flaw.
    #[serde(borrow)]
    pub aliases: List<Text<'a>, 10_000>,
    /// Ids that this record is derived from.
    #[serde(borrow)]
    pub upstream: List<Text<'a>, 10_000>,
    /// Ids that have something to do with it; which is up to the publisher.
    #[serde(borrow)]
    pub related: List<Text<'a>, 10_000>,
    /// One line.
    #[serde(borrow)]
    pub summary: Text<'a>,
    /// Markdown.
    #[serde(borrow)]
    pub details: Text<'a>,
    /// Scores of the flaw.
    #[serde(borrow)]
    pub severity: List<OsvSeverity<'a>, 100>,
    /// What it affects.
    #[serde(borrow)]
    pub affected: List<OsvAffected<'a>, 50_000>,
    /// Where to read more.
    #[serde(borrow)]
    pub references: List<OsvReference<'a>, 10_000>,
    /// What the publisher adds.
    #[serde(borrow, deserialize_with = "null_is_default")]
    pub database_specific: OsvDatabaseSpecific<'a>,
}

/// A score (schema: `severity[]`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OsvSeverity<'a> {
    /// `CVSS_V2`, `CVSS_V3`, `CVSS_V4`, `Ubuntu` …
    #[serde(rename = "type", borrow)]
    pub kind: Text<'a>,
    /// The vector, or the word for non-CVSS types.
    #[serde(borrow)]
    pub score: Text<'a>,
}

/// A package and its affected versions (schema: `affected[]`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OsvAffected<'a> {
    /// The package.
    #[serde(borrow, deserialize_with = "null_is_default")]
    pub package: OsvPackage<'a>,
    /// Scores that hold for this package alone.
    #[serde(borrow)]
    pub severity: List<OsvSeverity<'a>, 100>,
    /// Affected ranges.
    #[serde(borrow)]
    pub ranges: List<OsvRange<'a>, 10_000>,
    /// Affected versions, enumerated.
    #[serde(borrow)]
    pub versions: List<Text<'a>, 200_000>,
    /// What the ecosystem adds.
    #[serde(borrow, deserialize_with = "null_is_default")]
    pub ecosystem_specific: OsvEcosystemSpecific<'a>,
    /// What the publisher adds.
    #[serde(borrow, deserialize_with = "null_is_default")]
    pub database_specific: OsvDatabaseSpecific<'a>,
}

/// A package's name (schema: `affected[].package`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OsvPackage<'a> {
    /// `Debian:12`, `npm`, `Ubuntu:24.04:LTS`.
    #[serde(borrow)]
    pub ecosystem: Text<'a>,
    /// Name, as the ecosystem writes it.
    #[serde(borrow)]
    pub name: Text<'a>,
}

/// A range (schema: `affected[].ranges[]`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OsvRange<'a> {
    /// `SEMVER`, `ECOSYSTEM` or `GIT`.
    #[serde(rename = "type", borrow)]
    pub kind: Text<'a>,
    /// Where it begins and ends, in any order.
    #[serde(borrow)]
    pub events: List<OsvEvent<'a>, 10_000>,
}

/// A boundary of a range; one field is set (schema: `events[]`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OsvEvent<'a> {
    /// First affected version; `0` is before everything.
    #[serde(borrow)]
    pub introduced: Option<Text<'a>>,
    /// First version that is not affected.
    #[serde(borrow)]
    pub fixed: Option<Text<'a>>,
    /// Last affected version.
    #[serde(borrow)]
    pub last_affected: Option<Text<'a>>,
    /// Versions from here on are outside of what the range speaks of; `*` is no limit.
    #[serde(borrow)]
    pub limit: Option<Text<'a>>,
}

/// A link (schema: `references[]`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OsvReference<'a> {
    /// `ADVISORY`, `FIX`, `WEB` …
    #[serde(rename = "type", borrow)]
    pub kind: Text<'a>,
    /// The address.
    #[serde(borrow)]
    pub url: Text<'a>,
}

/// The fields of `database_specific` that some publisher's interpreter reads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OsvDatabaseSpecific<'a> {
    /// Severity word: GitHub's `HIGH`, Rocky's `Important`.
    #[serde(borrow)]
    pub severity: Text<'a>,
    /// State of the fix, as Debian's tracker tells it.
    #[serde(borrow)]
    pub status: Text<'a>,
    /// Debian's urgency.
    #[serde(borrow)]
    pub urgency: Text<'a>,
    /// Priority of each CVE, as Ubuntu rates it.
    #[serde(borrow)]
    pub cve_priority: Words<'a>,
    /// Not null in records that were converted into OSV by others than their publisher.
    pub converted: Option<serde::de::IgnoredAny>,
}

/// The fields of `ecosystem_specific` that some publisher's interpreter reads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OsvEcosystemSpecific<'a> {
    /// Debian's urgency.
    #[serde(borrow)]
    pub urgency: Text<'a>,
    /// Ubuntu's priority of the flaw.
    #[serde(borrow)]
    pub ubuntu_priority: Text<'a>,
    /// Severity word.
    #[serde(borrow)]
    pub severity: Text<'a>,
    /// Architectures, where the entry is for some only.
    #[serde(borrow)]
    pub arch: List<Text<'a>, 100>,
}

/// Publishers write `null` for an object that they leave out.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl<'a> OsvRecord<'a> {
    /// Reads a record from its document.
    ///
    /// # Errors
    /// The document is too large, not JSON of the schema's shape, passes a list's cap, or
    /// has no id of 1 to 200 printable ASCII characters without spaces.
    pub fn parse(document: &'a [u8]) -> Result<OsvRecord<'a>, RecordError> {
        if document.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLarge(document.len()));
        }
        let record: OsvRecord<'a> = serde_json::from_slice(document)?;
        let printable = record.id.bytes().all(|byte| byte.is_ascii_graphic());
        if record.id.is_empty() || record.id.len() > 200 || !printable {
            return Err(RecordError::NoId);
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_odd_extras_is_still_read() {
        let record = OsvRecord::parse(
            br#"{"id":"GHSA-1","extra":{"deep":[[]]},"details":7,
                "affected":[{"package":{"ecosystem":"npm","name":"a"},
                "ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"2.0"}]}],
                "ecosystem_specific":null}],"severity":null,
                "database_specific":{"severity":"HIGH","cwe_ids":[1]}}"#,
        )
        .unwrap();
        assert_eq!(&*record.affected[0].package.name, "a");
        assert_eq!(
            record.affected[0].ranges[0].events[1].fixed.as_deref(),
            Some("2.0")
        );
        assert_eq!(&*record.database_specific.severity, "HIGH");
        assert_eq!(&*record.details, "");
    }

    #[test]
    fn deep_nesting_costs_no_stack_and_missing_ids_are_errors() {
        let deep = format!(
            "{{\"id\":\"X\",\"x\":{}{}}}",
            "[".repeat(5_000),
            "]".repeat(5_000)
        );
        // What is not needed is skipped without recursion.
        assert_eq!(&*OsvRecord::parse(deep.as_bytes()).unwrap().id, "X");
        assert!(matches!(
            OsvRecord::parse(b"{\"id\":"),
            Err(RecordError::Malformed(_))
        ));
        for bad in [
            "{}",
            "{\"id\":\"\"}",
            "{\"id\":\"a b\"}",
            "{\"id\":\"\\u0007\"}",
        ] {
            assert!(
                matches!(OsvRecord::parse(bad.as_bytes()), Err(RecordError::NoId)),
                "{bad}"
            );
        }
    }
}
