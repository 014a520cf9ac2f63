//! Chainguard: CGA records for Wolfi and Chainguard OS, by origin or package name.
//!
//! The id is random; the flaws are in `upstream`, often with their GHSA beside the CVE.

use seaworthy_core::Meta;

use super::{COMMON, CveField, Publisher};
use crate::ecosystems::NameKind;

pub(super) static CHAINGUARD: Publisher = Publisher {
    meta: Meta {
        id: "chainguard",
        revision: 1,
        summary: "Chainguard advisories for Wolfi and Chainguard OS (CGA)",
        references: &["https://packages.cgr.dev/chainguard/osv/"],
    },
    prefixes: &["CGA-"],
    cves: CveField::Upstream,
    names: |_| Some(NameKind::Either),
    ..COMMON
};

#[cfg(test)]
mod tests {
    use super::super::{interpret, publisher_of};
    use crate::osv::OsvRecord;

    #[test]
    fn a_flaw_without_cve_goes_by_its_ghsa() {
        let record = OsvRecord::parse(
            br#"{"id":"CGA-2222-3333-4444","upstream":["GHSA-aaaa-bbbb-cccc"],"affected":[{"package":
            {"ecosystem":"Wolfi","name":"curl"},"ranges":[{"type":"ECOSYSTEM",
            "events":[{"introduced":"0"},{"fixed":"8.1-r0"}]}]}]}"#,
        )
        .unwrap();
        let advisory = interpret(publisher_of(&record.id).unwrap(), &record, None).unwrap();
        assert_eq!(advisory.vulnerabilities[0].id, "GHSA-aaaa-bbbb-cccc");
        assert_eq!(advisory.packages[0].shard, "Wolfi");
    }
}
