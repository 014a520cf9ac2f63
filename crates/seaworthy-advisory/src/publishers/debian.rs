//! Debian: DSA, DLA (long-term support), DTSA (testing), and DEBIAN-CVE, the security
//! tracker's state of each CVE.
//!
//! The tracker's word on a release without a fix decides the status (`ignored` will not be
//! fixed, `postponed` waits for a later update), and its urgency `unimportant` means that
//! the flaw has no practical consequence. Records converted from the tracker's DSA and DLA
//! lists carry the state in the package's `database_specific.status`.

use seaworthy_core::{Meta, Severity};

use super::{AdvisedPackage, COMMON, CveField, Publisher, RowStatus};
use crate::osv::{OsvAffected, OsvRecord};

pub(super) static DEBIAN: Publisher = Publisher {
    meta: Meta {
        id: "debian",
        revision: 1,
        summary: "Debian advisories and security tracker (DSA, DLA, DTSA, DEBIAN-CVE)",
        references: &["https://security-tracker.debian.org/tracker/"],
    },
    prefixes: &["DSA-", "DLA-", "DTSA-", "ELA-", "DEBIAN-CVE-"],
    cves: CveField::Upstream,
    refine,
    ..COMMON
};

fn refine(record: &OsvRecord<'_>, affected: &OsvAffected<'_>, package: &mut AdvisedPackage) {
    let status = match &*affected.database_specific.status {
        "" => &record.database_specific.status,
        status => status,
    };
    package.status = match status {
        "ignored" => RowStatus::WillNotFix,
        "postponed" => RowStatus::FixDeferred,
        "end-of-life" => RowStatus::EndOfLife,
        "undetermined" => RowStatus::UnderInvestigation,
        "not-affected" => RowStatus::NotAffected,
        // `unfixed` and whatever is new: affected, as the range says.
        _ => RowStatus::Plain,
    };
    let urgency = [
        &*affected.ecosystem_specific.urgency,
        &*affected.database_specific.urgency,
    ]
    .into_iter()
    .find(|urgency| !urgency.is_empty());
    package.severity = match urgency.map(|word| word.trim_end_matches('*')) {
        Some("unimportant") => Some(Severity::Negligible),
        Some("low") => Some(Severity::Low),
        Some("medium") => Some(Severity::Medium),
        Some("high") => Some(Severity::High),
        // `not yet assigned`, `end-of-life`: no rating.
        _ => None,
    };
}

#[cfg(test)]
mod tests {
    use super::super::{RowStatus, interpret, publisher_of};
    use super::*;

    #[test]
    fn the_trackers_state_and_urgency_are_kept() {
        let record = OsvRecord::parse(
            br#"{"id":"DEBIAN-CVE-2024-1","affected":[{"package":{"ecosystem":"Debian:12","name":"glibc"},
            "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}],
            "ecosystem_specific":{"urgency":"unimportant"},"database_specific":{"status":"ignored"}}]}"#,
        )
        .unwrap();
        let advisory = interpret(publisher_of(&record.id).unwrap(), &record, None).unwrap();
        assert_eq!(advisory.vulnerabilities[0].id, "CVE-2024-1");
        assert_eq!(advisory.packages[0].status, RowStatus::WillNotFix);
        assert_eq!(advisory.packages[0].severity, Some(Severity::Negligible));
    }
}
