//! The Node.js security working group's old npm advisories, converted: `x_NSWG-ECO-`.

use seaworthy_core::Meta;

use super::{COMMON, Publisher};

pub(super) static NODE_SECURITY: Publisher = Publisher {
    meta: Meta {
        id: "nodejs-security-wg",
        revision: 1,
        summary: "Node.js security working group, npm advisories to 2020 (NSWG-ECO)",
        references: &["https://github.com/nodejs/security-wg/tree/main/vuln/npm"],
    },
    prefixes: &["x_NSWG-ECO-", "NSWG-ECO-"],
    ..COMMON
};

#[cfg(test)]
mod tests {
    use super::super::{interpret, publisher_of};
    use crate::osv::OsvRecord;

    #[test]
    fn a_flaw_without_cve_goes_by_the_records_id() {
        let record = OsvRecord::parse(
            br#"{"id":"x_NSWG-ECO-2","affected":[{"package":{"ecosystem":"npm","name":"a"},
            "ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"last_affected":"1.5.1"}]}]}]}"#,
        )
        .unwrap();
        let advisory = interpret(publisher_of(&record.id).unwrap(), &record, None).unwrap();
        assert_eq!(advisory.vulnerabilities[0].id, "x_NSWG-ECO-2");
    }
}
