//! SUSE and openSUSE: SUSE-SU (security), -RU (recommended), -FU, -OU and the openSUSE ones.
//!
//! Names are those of source packages; the CVEs are in `upstream` (`related` in older
//! exports).

use seaworthy_core::Meta;

use super::{COMMON, CveField, Publisher, severity_word};
use crate::ecosystems::NameKind;

pub(super) static SUSE: Publisher = Publisher {
    meta: Meta {
        id: "suse",
        revision: 1,
        summary: "SUSE and openSUSE updates (SUSE-SU, openSUSE-SU)",
        references: &["https://ftp.suse.com/pub/projects/security/osv/"],
    },
    prefixes: &["SUSE-", "openSUSE-"],
    cves: CveField::Related,
    names: |_| Some(NameKind::Source),
    is_security: |record| {
        record.id.contains("-SU-") || !record.upstream.is_empty() || !record.related.is_empty()
    },
    severity: |record| severity_word(&record.database_specific.severity),
    ..COMMON
};

#[cfg(test)]
mod tests {
    use super::super::{interpret, publisher_of};
    use crate::osv::OsvRecord;

    #[test]
    fn products_of_one_service_pack_are_one_package() {
        let affected = |product: &str| {
            format!(
                r#"{{"package":{{"ecosystem":"{product}","name":"openssl-3"}},"ranges":[{{"type":"ECOSYSTEM",
                "events":[{{"introduced":"0"}},{{"fixed":"3.0.8-150500.5.8.1"}}]}}]}}"#
            )
        };
        let json = format!(
            r#"{{"id":"SUSE-SU-2023:1","upstream":["CVE-2023-2"],"affected":[{},{}]}}"#,
            affected("SUSE:Linux Enterprise Module for Basesystem 15 SP5"),
            affected("SUSE:Linux Enterprise Server 15 SP5"),
        );
        let record = OsvRecord::parse(json.as_bytes()).unwrap();
        let advisory = interpret(publisher_of(&record.id).unwrap(), &record, None).unwrap();
        assert_eq!(advisory.packages.len(), 1);
        assert_eq!(advisory.packages[0].shard, "SUSE:15.5");
    }
}
