//! Malicious packages: MAL records of the OpenSSF.
//!
//! They report packages made to do harm, not flaws, so they go into shards of their own
//! (`malicious/npm`) and never into the list of vulnerabilities.

use seaworthy_core::Meta;

use super::{COMMON, Publisher, Use};

pub(super) static MALICIOUS: Publisher = Publisher {
    meta: Meta {
        id: "malicious-packages",
        revision: 1,
        summary: "OpenSSF malicious packages (MAL)",
        references: &["https://github.com/ossf/malicious-packages"],
    },
    prefixes: &["MAL-"],
    usage: Use::Malicious,
    ..COMMON
};

#[cfg(test)]
mod tests {
    use super::super::{AdvisoryClass, Range, interpret, publisher_of};
    use crate::osv::OsvRecord;

    #[test]
    fn a_malicious_package_without_versions_is_malicious_in_all() {
        let record = OsvRecord::parse(
            br#"{"id":"MAL-2024-1","affected":[{"package":{"ecosystem":"npm","name":"a"}}]}"#,
        )
        .unwrap();
        let advisory = interpret(publisher_of(&record.id).unwrap(), &record, None).unwrap();
        assert_eq!(advisory.class, AdvisoryClass::Malicious);
        assert_eq!(advisory.packages[0].ranges, [Range::all()]);
    }
}
