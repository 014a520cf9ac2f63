//! `var/lib/rpmmanifest/container-manifest-2`, the package list that Azure Linux
//! (CBL-Mariner) leaves in distroless images, where the database is removed.
//!
//! It is the output of `rpm -qa` with ten tab-separated fields: name, version-release,
//! install time, build time, vendor, epoch, size, architecture, epoch number, source rpm.
//! `container-manifest-1` beside it is the same list as bare names; it is not read, or
//! every package would count twice.

use seaworthy_core::ProblemKind;

use super::{MAX_PACKAGES, RpmRecord};
use crate::bytes::text;
use crate::problems::ProblemList;

/// Reads the list. A line that does not follow the format is a problem.
pub fn parse_manifest(bytes: &[u8], problems: &mut ProblemList) -> Vec<RpmRecord> {
    let mut records = Vec::new();
    for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            continue;
        }
        if records.len() >= MAX_PACKAGES {
            problems.push(
                ProblemKind::LimitReached,
                format!("the list has more than {MAX_PACKAGES} packages"),
            );
            break;
        }
        match record(line) {
            Some(record) => records.push(record),
            None => problems.push(
                ProblemKind::Malformed,
                format!("line {} is not a package of ten fields", number + 1),
            ),
        }
    }
    records
}

fn record(line: &[u8]) -> Option<RpmRecord> {
    let line = text(line);
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, evr, _, _, vendor, _, _, arch, epoch, source_rpm] = fields[..] else {
        return None;
    };
    let (version, release) = evr.rsplit_once('-')?;
    if name.is_empty() || version.is_empty() || release.is_empty() {
        return None;
    }
    let known = |field: &str| (!field.is_empty() && field != "(none)").then(|| field.to_owned());
    Some(RpmRecord {
        name: name.to_owned(),
        epoch: epoch.parse().ok(),
        version: version.to_owned(),
        release: release.to_owned(),
        arch: known(arch),
        source_rpm: known(source_rpm),
        vendor: known(vendor),
        modularity_label: None,
        files: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ten_fields_is_a_package() {
        let list = b"openssl-libs\t1.1.1k-21.cm2\t1\t2\tMicrosoft Corporation\t(none)\t3\tx86_64\t0\topenssl-1.1.1k-21.cm2.src.rpm\n\nbroken line\n";
        let mut problems = ProblemList::default();
        let records = parse_manifest(list, &mut problems);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].name, "openssl-libs");
        assert_eq!(records[0].version, "1.1.1k");
        assert_eq!(records[0].release, "21.cm2");
        assert_eq!(records[0].arch.as_deref(), Some("x86_64"));
        assert_eq!(
            problems.into_items()[0].1,
            "line 3 is not a package of ten fields"
        );
    }
}
