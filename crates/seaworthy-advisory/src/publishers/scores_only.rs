//! Publishers for ecosystems that are not matched yet.
//!
//! Their records are known and counted as such; the CVSS vectors that they publish for a
//! CVE are kept, because distributions such as Alpine and Debian publish none.

use seaworthy_core::Meta;

use super::{COMMON, CveField, Publisher, Use};

pub(super) static SCORES_ONLY: Publisher = Publisher {
    meta: Meta {
        id: "scores-only",
        revision: 1,
        summary: "Publishers of ecosystems that are not matched yet, for their CVSS vectors",
        references: &["https://google.github.io/osv.dev/data/"],
    },
    prefixes: &[
        "ASB-A-",
        "AZL-",
        "BELL-CVE-",
        "BELL-SA-",
        "BIT-",
        "CURL-CVE-",
        "CVE-",
        "DRUPAL-",
        "ECHO-",
        "EEF-CVE-",
        "GSD-",
        "HSEC-",
        "JLSEC-",
        "KUBE-",
        "MGASA-",
        "MINI-",
        "OESA-",
        "OSEC-",
        "OSV-",
        "PSF-",
        "PUB-A-",
        "ROOT-",
        "RSEC-",
        "RUSTSEC-",
        "TUXCARE-",
        "V8-",
        "x_FOP-",
        "x_RUBYSEC-",
    ],
    usage: Use::Scores,
    cves: CveField::AliasesOrUpstream,
    ..COMMON
};
