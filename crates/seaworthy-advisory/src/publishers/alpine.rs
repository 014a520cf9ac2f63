//! Alpine Linux: ALPINE-CVE, made from its secdb, which lists fixes by origin package.
//!
//! Flaws without a CVE have the number of Alpine's own tracker (`ALPINE-13661`).

use seaworthy_core::Meta;

use super::{COMMON, CveField, Publisher};

pub(super) static ALPINE: Publisher = Publisher {
    meta: Meta {
        id: "alpine",
        revision: 1,
        summary: "Alpine security database (ALPINE-CVE)",
        references: &["https://secdb.alpinelinux.org"],
    },
    prefixes: &["ALPINE-"],
    cves: CveField::Upstream,
    ..COMMON
};

#[cfg(test)]
mod tests {
    use super::super::{Skip, interpret, publisher_of};
    use crate::osv::OsvRecord;

    #[test]
    fn fixed_in_version_zero_means_never_affected() {
        let record = OsvRecord::parse(
            br#"{"id":"ALPINE-CVE-2024-1","upstream":["CVE-2024-1"],"affected":[{"package":
            {"ecosystem":"Alpine:v3.20","name":"zlib"},"ranges":[{"type":"ECOSYSTEM",
            "events":[{"introduced":"0"},{"fixed":"0"}]}]}]}"#,
        )
        .unwrap();
        let skipped = interpret(publisher_of(&record.id).unwrap(), &record, None);
        assert_eq!(skipped, Err(Skip::NotAffected));
    }
}
