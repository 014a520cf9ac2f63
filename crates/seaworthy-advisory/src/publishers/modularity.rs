//! Which module an rpm advisory is for.
//!
//! OSV has no field for it. Builds of modules carry a mark in their release
//! (`.module_el8.5.0+…` at AlmaLinux, `.module+el8.…` elsewhere), and the advisory's
//! summary names the stream: `Important: nodejs:16 security update`.

use super::AdvisedPackage;
use crate::osv::{OsvAffected, OsvRecord};

/// The stream of a modular package whose advisory doesn't tell it.
pub(super) const UNKNOWN: &str = "?";

/// Whether a version was built for a module.
pub(crate) fn is_modular_version(version: &str) -> bool {
    version.contains(".module_el") || version.contains(".module+el")
}

/// Sets the module of a package whose fixed version was built for one.
pub(super) fn refine(record: &OsvRecord<'_>, _: &OsvAffected<'_>, package: &mut AdvisedPackage) {
    if package.fixed_versions().any(is_modular_version) {
        package.module = Some(stream_in(&record.summary).unwrap_or(UNKNOWN).to_owned());
    }
}

/// The first `name:stream` of a summary.
fn stream_in(summary: &str) -> Option<&str> {
    summary.split_whitespace().find(|word| {
        let is_plain = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-+".contains(&b))
        };
        word.split_once(':')
            .is_some_and(|(name, stream)| is_plain(name) && is_plain(stream))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_read_from_the_summary() {
        for (summary, stream) in [
            ("Important: nodejs:16 security update", Some("nodejs:16")),
            (
                "Red Hat Security Advisory: container-tools:rhel8 security update",
                Some("container-tools:rhel8"),
            ),
            ("Important: varnish security update", None),
        ] {
            assert_eq!(stream_in(summary), stream);
        }
    }
}
