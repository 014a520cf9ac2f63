//! Rocky Linux: RLSA (security), RLBA, RLEA, and RXSA (extra repositories).
//!
//! The publisher's own records name source packages and put the CVEs into `related`.
//! Records converted from its OVAL files name binary packages and put the CVEs into
//! `upstream`; they say `converted` in `database_specific`.

use seaworthy_core::Meta;

use super::{COMMON, CveField, Publisher, modularity, severity_word};
use crate::ecosystems::NameKind;

pub(super) static ROCKY: Publisher = Publisher {
    meta: Meta {
        id: "rocky",
        revision: 1,
        summary: "Rocky Linux errata (RLSA, RXSA)",
        references: &["https://errata.rockylinux.org"],
    },
    prefixes: &["RLSA-", "RXSA-", "RLBA-", "RLEA-"],
    cves: CveField::Related,
    names: |record| {
        Some(match record.database_specific.converted {
            Some(_) => NameKind::Binary,
            None => NameKind::Source,
        })
    },
    is_security: |record| {
        record.id.starts_with("RLSA-")
            || record.id.starts_with("RXSA-")
            || !record.related.is_empty()
    },
    severity: |record| {
        severity_word(&record.database_specific.severity)
            .or_else(|| severity_word(record.summary.split(':').next()?))
    },
    refine: modularity::refine,
    ..COMMON
};

#[cfg(test)]
mod tests {
    use super::super::{interpret, publisher_of};
    use crate::ecosystems::NameKind;
    use crate::osv::OsvRecord;

    #[test]
    fn converted_records_name_binary_packages_and_native_ones_sources() {
        for (extra, names) in [
            (
                r#""upstream":["CVE-2022-1271"],"database_specific":{"converted":true}"#,
                NameKind::Binary,
            ),
            (r#""related":["CVE-2022-1271"]"#, NameKind::Source),
        ] {
            let json = format!(
                r#"{{"id":"RLSA-2022:4582",{extra},"affected":[{{"package":{{"ecosystem":"Rocky Linux:9",
                "name":"gzip"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},
                {{"fixed":"0:1.10-9.el9_0"}}]}}]}}]}}"#
            );
            let record = OsvRecord::parse(json.as_bytes()).unwrap();
            let advisory = interpret(publisher_of(&record.id).unwrap(), &record, None).unwrap();
            assert_eq!(advisory.packages[0].names, names);
            assert_eq!(advisory.vulnerabilities[0].id, "CVE-2022-1271");
        }
    }
}
