//! GitHub Advisory Database: GHSA, for many language ecosystems.
//!
//! The CVE is in `aliases`, the rating in `database_specific.severity`.

use seaworthy_core::Meta;

use super::{COMMON, Publisher, severity_word};

pub(super) static GHSA: Publisher = Publisher {
    meta: Meta {
        id: "github",
        revision: 1,
        summary: "GitHub Advisory Database (GHSA)",
        references: &["https://github.com/github/advisory-database"],
    },
    prefixes: &["GHSA-"],
    severity: |record| severity_word(&record.database_specific.severity),
    ..COMMON
};

#[cfg(test)]
mod tests {
    use super::super::{IdRole, interpret, publisher_of};
    use crate::osv::OsvRecord;

    #[test]
    fn the_cve_is_the_name_and_the_ghsa_an_alias() {
        let record = OsvRecord::parse(
            br#"{"id":"GHSA-jfh8-c2jp-5v3q","aliases":["CVE-2021-44228"],"affected":[{"package":
            {"ecosystem":"npm","name":"Left-Pad"},"ranges":[{"type":"SEMVER",
            "events":[{"introduced":"0"},{"fixed":"1.0.0"}]}]}]}"#,
        )
        .unwrap();
        let advisory = interpret(publisher_of(&record.id).unwrap(), &record, Some("npm")).unwrap();
        assert_eq!(advisory.vulnerabilities[0].id, "CVE-2021-44228");
        assert_eq!(advisory.id_role, IdRole::Alias);
        assert_eq!(advisory.packages[0].name, "left-pad");
    }
}
