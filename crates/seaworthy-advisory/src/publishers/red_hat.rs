//! Red Hat: RHSA (security), RHBA and RHEA, exported as OSV from its CSAF files.
//!
//! Names are those of binary packages, the CVEs are in `upstream` (`related` in older
//! exports). Only fixes are published this way: what is affected and unfixed needs the
//! VEX files, which are not read here.

use seaworthy_core::Meta;

use super::{COMMON, CveField, Publisher, modularity, severity_word};
use crate::ecosystems::NameKind;

pub(super) static RED_HAT: Publisher = Publisher {
    meta: Meta {
        id: "redhat",
        revision: 1,
        summary: "Red Hat errata (RHSA, RHBA, RHEA)",
        references: &["https://security.access.redhat.com/data/osv/"],
    },
    prefixes: &["RHSA-", "RHBA-", "RHEA-"],
    cves: CveField::Related,
    names: |_| Some(NameKind::Binary),
    is_security: |record| {
        record.id.starts_with("RHSA-") || !record.related.is_empty() || !record.upstream.is_empty()
    },
    severity: |record| {
        severity_word(&record.database_specific.severity)
            // `Red Hat Security Advisory: Important: …` in some exports.
            .or_else(|| record.summary.split(':').find_map(severity_word))
    },
    refine: modularity::refine,
    ..COMMON
};

#[cfg(test)]
mod tests {
    use super::super::{Skip, interpret, publisher_of};
    use crate::osv::OsvRecord;

    fn record(product: &str) -> String {
        format!(
            r#"{{"id":"RHSA-2024:1","summary":"Red Hat Security Advisory: nodejs:18 security update",
            "upstream":["CVE-2024-1"],"affected":[{{"package":{{"ecosystem":"Red Hat:{product}",
            "name":"nodejs"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},
            {{"fixed":"1:18.1-1.module+el9.1.0+1+a"}}]}}]}}]}}"#
        )
    }

    #[test]
    fn only_the_plain_product_is_matched() {
        let json = record("enterprise_linux:9::appstream");
        let parsed = OsvRecord::parse(json.as_bytes()).unwrap();
        let advisory = interpret(publisher_of(&parsed.id).unwrap(), &parsed, None).unwrap();
        assert_eq!(advisory.packages[0].shard, "Red Hat:9");
        assert_eq!(advisory.packages[0].module.as_deref(), Some("nodejs:18"));
        let json = record("rhel_eus:9.2::appstream");
        let parsed = OsvRecord::parse(json.as_bytes()).unwrap();
        let skipped = interpret(publisher_of(&parsed.id).unwrap(), &parsed, None);
        assert_eq!(skipped, Err(Skip::ReleaseNotSupported));
    }
}
