//! The Go vulnerability database: GO records for modules, `stdlib` and `toolchain`.
//!
//! Which symbols are vulnerable is published too; it is not read yet.

use seaworthy_core::Meta;

use super::{COMMON, Publisher};

pub(super) static GO: Publisher = Publisher {
    meta: Meta {
        id: "go",
        revision: 1,
        summary: "Go vulnerability database (GO)",
        references: &[
            "https://vuln.go.dev",
            "https://go.dev/doc/security/vuln/database",
        ],
    },
    prefixes: &["GO-"],
    ..COMMON
};

#[cfg(test)]
mod tests {
    use super::super::{Skip, interpret, publisher_of};
    use crate::osv::OsvRecord;

    #[test]
    fn withdrawn_records_give_nothing() {
        let record = OsvRecord::parse(
            br#"{"id":"GO-2022-0617","withdrawn":"2024-01-01T00:00:00Z","affected":[]}"#,
        )
        .unwrap();
        assert_eq!(
            interpret(publisher_of(&record.id).unwrap(), &record, None),
            Err(Skip::Withdrawn)
        );
    }
}
