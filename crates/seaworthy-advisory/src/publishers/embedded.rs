//! The advisories built into the program: hand-written facts on the flaws that every
//! container user has heard of.

use seaworthy_core::Meta;

use super::{COMMON, Publisher, severity_word};

pub(super) static EMBEDDED: Publisher = Publisher {
    meta: Meta {
        id: "seaworthy",
        revision: 1,
        summary: "Advisories built into Seaworthy",
        references: &[],
    },
    prefixes: &[crate::embedded::EMBEDDED_PREFIX],
    severity: |record| severity_word(&record.database_specific.severity),
    ..COMMON
};
