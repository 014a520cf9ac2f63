//! Ubuntu: UBUNTU-CVE (the state of each CVE), USN (notices) and LSN (live patches).
//!
//! The CVEs are in `upstream`. Canonical rates each flaw with a priority: in UBUNTU-CVE
//! records a severity of type `Ubuntu`, in records converted from notices a map from CVE
//! to priority.

use seaworthy_core::{Meta, Severity};

use super::{COMMON, CveField, Publisher, severity_word};
use crate::osv::OsvRecord;

pub(super) static UBUNTU: Publisher = Publisher {
    meta: Meta {
        id: "ubuntu",
        revision: 1,
        summary: "Ubuntu CVE tracker and notices (UBUNTU-CVE, USN, LSN)",
        references: &["https://security-metadata.canonical.com/osv/"],
    },
    prefixes: &["UBUNTU-CVE-", "USN-", "LSN-"],
    cves: CveField::Upstream,
    severity,
    flaw_severity: |record, cve| severity_word(record.database_specific.cve_priority.get(cve)?),
    refine: |_, affected, package| {
        package.severity = severity_word(&affected.ecosystem_specific.ubuntu_priority);
    },
    ..COMMON
};

fn severity(record: &OsvRecord<'_>) -> Option<Severity> {
    record
        .severity
        .iter()
        .find(|severity| &*severity.kind == "Ubuntu")
        .and_then(|severity| severity_word(&severity.score))
        .or_else(|| severity_word(&record.database_specific.severity))
}

#[cfg(test)]
mod tests {
    use super::super::{interpret, publisher_of};
    use super::*;

    #[test]
    fn each_cve_of_a_notice_has_its_own_priority() {
        let record = OsvRecord::parse(
            br#"{"id":"USN-1-1","upstream":["CVE-2024-1","CVE-2024-2"],"affected":[{"package":
            {"ecosystem":"Ubuntu:24.04:LTS","name":"curl"},"ranges":[{"type":"ECOSYSTEM","events":
            [{"introduced":"0"},{"fixed":"8.5.0-2ubuntu10.1"}]}]}],"database_specific":
            {"severity":"Medium","cve_priority":{"CVE-2024-1":"low"}}}"#,
        )
        .unwrap();
        let advisory = interpret(publisher_of(&record.id).unwrap(), &record, None).unwrap();
        let ratings: Vec<_> = advisory
            .vulnerabilities
            .iter()
            .map(|v| v.severity)
            .collect();
        assert_eq!(ratings, [Some(Severity::Low), None]);
        assert_eq!(advisory.severity, Some(Severity::Medium));
    }
}
