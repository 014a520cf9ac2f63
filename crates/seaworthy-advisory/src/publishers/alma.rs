//! AlmaLinux: ALSA (security), ALBA (bug fix) and ALEA (enhancement) advisories.
//!
//! The CVEs are in `related`, names are those of binary packages, and the severity is the
//! first word of the summary (`Important: nodejs:16 security update`).

use seaworthy_core::Meta;

use super::{COMMON, CveField, Publisher, modularity, severity_word};
use crate::ecosystems::NameKind;

pub(super) static ALMA: Publisher = Publisher {
    meta: Meta {
        id: "almalinux",
        revision: 1,
        summary: "AlmaLinux errata (ALSA, ALBA, ALEA)",
        references: &["https://github.com/AlmaLinux/osv-database"],
    },
    prefixes: &["ALSA-", "ALBA-", "ALEA-"],
    cves: CveField::Related,
    names: |_| Some(NameKind::Binary),
    // A bug fix or enhancement that names no CVE fixes no flaw that anybody knows of.
    is_security: |record| record.id.starts_with("ALSA-") || !record.related.is_empty(),
    severity: |record| severity_word(record.summary.split(':').next()?),
    refine: modularity::refine,
    ..COMMON
};

#[cfg(test)]
mod tests {
    use seaworthy_core::Severity;

    use super::super::{interpret, publisher_of};
    use crate::osv::OsvRecord;

    #[test]
    fn related_cves_are_the_flaws_and_the_summary_tells_stream_and_severity() {
        let record = OsvRecord::parse(
            br#"{"id":"ALSA-2023:1","summary":"Important: nodejs:16 security update",
            "related":["CVE-2023-2","CVE-2023-1"],"affected":[{"package":{"ecosystem":"AlmaLinux:8",
            "name":"nodejs"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},
            {"fixed":"1:16.1-1.module_el8.5.0+1+a"}]}]}]}"#,
        )
        .unwrap();
        let advisory = interpret(publisher_of(&record.id).unwrap(), &record, None).unwrap();
        let ids: Vec<_> = advisory
            .vulnerabilities
            .iter()
            .map(|v| v.id.as_str())
            .collect();
        assert_eq!(ids, ["CVE-2023-1", "CVE-2023-2"]);
        assert_eq!(advisory.severity, Some(Severity::High));
        assert_eq!(advisory.packages[0].module.as_deref(), Some("nodejs:16"));
    }
}
