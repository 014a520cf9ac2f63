//! Live executables against the record of the package that owns them.
//!
//! Compared are the files of the final view with the records of the final view, so that a file
//! that an upgrade replaced is compared with the upgrade's record. The records: dpkg's md5sums
//! (without configuration files), apk's `Z:` lines, rpm's file digests. Not judged: `etc` and
//! `var`, where files are meant to be edited, byte code that an interpreter makes again, and
//! images whose records are not about their files: no records, or more programs without an owner
//! than with one and no more that are right than wrong. Whoever plants a thousand programs so
//! silences what is said of programs without an owner, which is told, and nothing else. Left out: links, which carry no bytes, and modes.

use std::collections::HashSet;

use seaworthy_core::{
    EvidenceItem, ExecutableEvidence, ExecutableKind, ImageEvidence, MalwareBasis, Meta, OwnedFile,
    Severity, TracedItem,
};

use crate::heuristics::{HeuristicRule, Sample, Scope};

macro_rules! rule {
    ($name:ident, $doc:literal, $id:literal, $summary:literal, $severity:ident, $basis:ident, $attack:literal, $reference:literal, $advice:literal, $positive:expr, $negative:expr) => {
        #[doc = $doc]
        pub(crate) const $name: HeuristicRule = HeuristicRule {
            meta: Meta {
                id: $id,
                revision: 1,
                summary: $summary,
                references: &[$reference],
            },
            severity: Severity::$severity,
            basis: MalwareBasis::$basis,
            attack: $attack,
            scope: Scope::Image,
            advice: $advice,
            positive: $positive,
            negative: $negative,
        };
    };
}

const fn installed(
    path: &'static str,
    mode: u32,
    recorded: Option<&'static str>,
    actual: &'static str,
) -> Sample {
    Sample::Installed {
        path,
        mode,
        recorded,
        actual,
    }
}

rule!(
    TAMPERED,
    "Not what its package installed.",
    "tampered-file",
    "file that differs from what its package installed",
    High,
    Integrity,
    "T1554",
    "https://attack.mitre.org/techniques/T1554/",
    "if you changed it on purpose, put your version elsewhere (`/usr/local`, or a diversion)",
    &[installed(
        "usr/bin/ls",
        0o755,
        Some("md5:00000000000000000000000000000001"),
        "md5:00000000000000000000000000000002"
    )],
    &[
        installed(
            "usr/bin/ls",
            0o755,
            Some("md5:00000000000000000000000000000001"),
            "md5:00000000000000000000000000000001"
        ),
        installed(
            "etc/init.d/x",
            0o755,
            Some("md5:00000000000000000000000000000001"),
            "md5:00000000000000000000000000000002"
        ),
    ]
);

rule!(
    UNOWNED,
    "Nobody's program.",
    "unowned-program",
    "program that no package installed, where packages install",
    Low,
    Placement,
    "T1554",
    "https://refspecs.linuxfoundation.org/FHS_3.0/fhs/index.html",
    "put programs of your own in `/usr/local/bin` or `/opt`, and take out what you did not put there",
    &[installed(
        "usr/bin/x",
        0o755,
        None,
        "md5:00000000000000000000000000000002"
    )],
    &[installed(
        "usr/local/bin/x",
        0o755,
        None,
        "md5:00000000000000000000000000000002"
    )]
);

rule!(
    UNOWNED_SETUID,
    "Nobody's program with another's rights.",
    "unowned-setuid-program",
    "set-user-id or set-group-id program that no package installed",
    High,
    Placement,
    "T1548.001",
    "https://attack.mitre.org/techniques/T1548/001/",
    "take the bit off: `chmod ug-s FILE`",
    &[installed(
        "usr/bin/x",
        0o4755,
        None,
        "md5:00000000000000000000000000000002"
    )],
    &[installed(
        "usr/bin/su",
        0o4755,
        Some("md5:00000000000000000000000000000002"),
        "md5:00000000000000000000000000000002"
    )]
);

rule!(
    UNOWNED_PAM,
    "Nobody's PAM module.",
    "unowned-pam-module",
    "PAM module that no package installed",
    High,
    Placement,
    "T1556.003",
    "https://attack.mitre.org/techniques/T1556/003/",
    "take the module out and look at `/etc/pam.d` for its name",
    &[installed(
        "usr/lib/x86_64-linux-gnu/security/pam_x.so",
        0o644,
        None,
        "md5:00000000000000000000000000000002"
    )],
    &[installed(
        "usr/lib/x86_64-linux-gnu/security/pam_unix.so",
        0o644,
        Some("md5:00000000000000000000000000000002"),
        "md5:00000000000000000000000000000002"
    )]
);

rule!(
    UNOWNED_NSS,
    "Nobody's name service.",
    "unowned-name-service",
    "name service library that no package installed",
    Medium,
    Placement,
    "T1574.006",
    "https://nvd.nist.gov/vuln/detail/CVE-2019-14271",
    "take the library out: old engines loaded it as root of the host",
    &[installed(
        "lib/x86_64-linux-gnu/libnss_files.so.2",
        0o644,
        None,
        "md5:00000000000000000000000000000002"
    )],
    &[installed(
        "lib/x86_64-linux-gnu/libnss_files.so.2",
        0o644,
        Some("md5:00000000000000000000000000000002"),
        "md5:00000000000000000000000000000002"
    )]
);

/// What the comparison of one file gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Integrity {
    /// What its package installed.
    Intact,
    /// Something else: package, recorded and actual digest.
    Differs {
        owner: String,
        recorded: String,
        actual: String,
    },
    /// A package owns it, and no digest of the two can be compared.
    Unknown { owner: String },
    /// No package owns it.
    Unowned,
    /// Not a file to judge, or no records to judge by.
    NotJudged,
}

/// Figures of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IntegrityCounts {
    /// Live executables in places where packages install.
    pub executables: u64,
    /// As their package installed them.
    pub intact: u64,
    /// Different.
    pub differing: u64,
    /// Owned, but without a digest to compare.
    pub unknown: u64,
    /// Without an owner.
    pub unowned: u64,
    /// Whether the image's package records are about its files at all.
    pub records_fit: bool,
    /// Whether programs without an owner are the exception, so that each of them means something.
    pub unowned_fit: bool,
}

/// The records of an image, ready to be asked.
pub(super) struct Records<'i> {
    owned: &'i [(OwnedFile, String)],
    digests: HashSet<&'i str>,
    /// Whether they are about this image's files.
    pub fit: bool,
    pub counts: IntegrityCounts,
}

impl<'i> Records<'i> {
    pub(super) fn new(image: &'i ImageEvidence) -> Records<'i> {
        let mut records = Records {
            owned: &image.owned_files,
            digests: image
                .owned_files
                .iter()
                .filter_map(|(file, _)| file.digest.as_deref())
                .collect(),
            fit: !image.owned_files.is_empty(),
            counts: IntegrityCounts::default(),
        };
        for traced in &image.items {
            if let EvidenceItem::Executable(executable) = &traced.item
                && traced.removed_by.is_none()
                && is_judged(traced.path.as_str())
            {
                let counts = match records.compare(traced, executable) {
                    Integrity::Intact => &mut records.counts.intact,
                    Integrity::Differs { .. } => &mut records.counts.differing,
                    Integrity::Unknown { .. } => &mut records.counts.unknown,
                    // Scripts of language packages outnumber programs: they say little.
                    // Programs elsewhere (`/opt`, without digests) say nothing about the records.
                    Integrity::Unowned
                        if executable.kind == ExecutableKind::Program
                            && !executable.digests.is_empty() =>
                    {
                        &mut records.counts.unowned
                    }
                    Integrity::Unowned | Integrity::NotJudged => continue,
                };
                *counts += 1;
                records.counts.executables += 1;
            }
        }
        let counts = records.counts;
        let owned = counts.intact + counts.differing + counts.unknown;
        let are_few = counts.unowned <= owned;
        // Files that are what a package recorded show whose records these are, whatever was put
        // beside them.
        records.fit &= are_few || counts.intact > counts.differing;
        records.counts.records_fit = records.fit;
        records.counts.unowned_fit = records.fit && are_few;
        records
    }

    /// Packages that say they own the path or its other name.
    fn rows(&self, path: &str) -> impl Iterator<Item = &'i (OwnedFile, String)> {
        let of = |path: &str| {
            let start = self
                .owned
                .partition_point(|(file, _)| file.path.as_str() < path);
            let rest = self.owned.get(start..).unwrap_or_default();
            let len = rest
                .iter()
                .take_while(|(file, _)| file.path.as_str() == path)
                .count();
            rest.get(..len).unwrap_or_default()
        };
        let other = super::merged_usr_alias(path);
        of(path)
            .iter()
            .chain(other.map_or(&[] as &[_], |other| of(&other)))
    }

    /// Compares one executable.
    pub(super) fn compare(
        &self,
        traced: &TracedItem,
        executable: &ExecutableEvidence,
    ) -> Integrity {
        let path = traced.path.as_str();
        if !self.fit || traced.removed_by.is_some() {
            return Integrity::NotJudged;
        }
        let mut differs = None;
        let mut unknown = None;
        for (file, owner) in self.rows(path) {
            let recorded = file.digest.as_deref();
            let actual = recorded.and_then(|recorded| {
                let algorithm = recorded.split_once(':')?.0;
                executable.digests.iter().find(|digest| {
                    digest
                        .split_once(':')
                        .is_some_and(|(name, _)| name == algorithm)
                })
            });
            match (recorded, actual) {
                (Some(recorded), Some(actual)) if recorded.eq_ignore_ascii_case(actual) => {
                    return Integrity::Intact;
                }
                (Some(recorded), Some(actual)) => {
                    differs.get_or_insert_with(|| Integrity::Differs {
                        owner: owner.clone(),
                        recorded: recorded.to_owned(),
                        actual: actual.to_string(),
                    });
                }
                _ => {
                    unknown.get_or_insert_with(|| Integrity::Unknown {
                        owner: owner.clone(),
                    });
                }
            }
        }
        if !is_judged(path) {
            return Integrity::NotJudged;
        }
        // What a package installed under another name: a diverted file.
        if unknown.is_some() && self.is_copy(executable) {
            return Integrity::Intact;
        }
        // Of two owners, one of which has no digest, the file may be that one's.
        unknown.or(differs).unwrap_or(Integrity::Unowned)
    }

    /// Whether a package installed a file with the same content elsewhere.
    fn is_copy(&self, executable: &ExecutableEvidence) -> bool {
        executable
            .digests
            .iter()
            .any(|digest| self.digests.contains(&**digest))
    }

    /// What an unowned file means, if anything.
    pub(super) fn unowned(
        &self,
        traced: &TracedItem,
        executable: &ExecutableEvidence,
    ) -> Option<(&'static HeuristicRule, Severity, String)> {
        if !self.counts.unowned_fit {
            return None;
        }
        let path = traced.path.as_str();
        let name = traced.path.file_name();
        let parent = traced.path.parent().unwrap_or_default();
        let is_program = executable.kind == ExecutableKind::Program;
        let in_place = crate::heuristics::is_package_place(path);
        if executable.mode & 0o6000 != 0 && executable.mode & 0o111 != 0 && is_program {
            let severity = if in_place {
                Severity::High
            } else {
                Severity::Medium
            };
            let bit = if executable.mode & 0o4000 != 0 {
                "set-user-id"
            } else {
                "set-group-id"
            };
            return Some((
                &UNOWNED_SETUID,
                severity,
                format!("{bit}, and no package owns it"),
            ));
        }
        if !in_place || self.is_copy(executable) {
            return None;
        }
        let note = "no package owns it".to_owned();
        let is_library = executable.kind == ExecutableKind::Library;
        if is_library && parent.ends_with("/security") && name.starts_with("pam_") {
            return Some((&UNOWNED_PAM, UNOWNED_PAM.severity, note));
        }
        if is_library && name.starts_with("libnss_") && is_library_directory(parent) {
            return Some((&UNOWNED_NSS, UNOWNED_NSS.severity, note));
        }
        let is_bin = matches!(parent, "bin" | "sbin" | "usr/bin" | "usr/sbin");
        if is_program
            && is_bin
            && matches!(name, "xz" | "unpigz" | "gzip" | "bzip2" | "zstd" | "lz4")
        {
            let note = "no package owns it, and engines run a program of this name while they copy"
                .to_owned();
            return Some((&UNOWNED, Severity::Medium, note));
        }
        ((is_program && is_bin) || (is_library && is_library_directory(parent))).then_some((
            &UNOWNED,
            UNOWNED.severity,
            note,
        ))
    }
}

fn is_library_directory(parent: &str) -> bool {
    let parent = parent.strip_prefix("usr/").unwrap_or(parent);
    match parent.split_once('/') {
        None => matches!(parent, "lib" | "lib32" | "lib64" | "libx32"),
        Some(("lib", triplet)) => triplet.contains("-linux-") && !triplet.contains('/'),
        Some(_) => false,
    }
}

fn is_judged(path: &str) -> bool {
    let byte_code = [".pyc", ".pyo", ".elc"]
        .iter()
        .any(|end| path.ends_with(end));
    let edited = path.starts_with("etc/") || path.starts_with("var/");
    !byte_code && !edited
}
