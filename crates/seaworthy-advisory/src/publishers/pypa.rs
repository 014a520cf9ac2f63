//! The Python Packaging Advisory Database: PYSEC.

use seaworthy_core::Meta;

use super::{COMMON, Publisher};

pub(super) static PYPA: Publisher = Publisher {
    meta: Meta {
        id: "pypa",
        revision: 1,
        summary: "Python Packaging Advisory Database (PYSEC)",
        references: &["https://github.com/pypa/advisory-database"],
    },
    prefixes: &["PYSEC-"],
    ..COMMON
};

#[cfg(test)]
mod tests {
    use super::super::{Skip, interpret, publisher_of};
    use crate::osv::OsvRecord;

    #[test]
    fn git_ranges_alone_name_no_comparable_version() {
        let record = OsvRecord::parse(
            br#"{"id":"PYSEC-2024-1","affected":[{"package":{"ecosystem":"PyPI","name":"x"},
            "ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}]}"#,
        )
        .unwrap();
        assert_eq!(
            interpret(publisher_of(&record.id).unwrap(), &record, None),
            Err(Skip::NoVersions)
        );
    }
}
