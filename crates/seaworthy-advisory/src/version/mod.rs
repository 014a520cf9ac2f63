//! Version order, one scheme per family of package managers.
//!
//! Whether an advisory applies is decided by comparing versions the way the package
//! manager that installed them does. The schemes are ours, have no dependencies, and never
//! turn digits into machine integers: a component may have any number of digits, so leading
//! zeros are dropped, then length decides, then bytes.
//!
//! Three rules hold for every scheme:
//!
//! * A version that the scheme cannot read is a [`VersionError`]: the question is
//!   *undetermined*, never "not affected".
//! * Among readable versions the order is total: antisymmetric and transitive. Different
//!   texts may be equal (`1.0` and `1.00` for dpkg).
//! * Work is linear in the length of both texts, which is capped at
//!   [`MAX_VERSION_LEN`] bytes, and nothing is allocated.
//!
//! A new scheme is a file here, a variant of [`VersionScheme`] and a row in the list.

mod apk;
mod digits;
mod dpkg;
mod pep440;
mod rpm;
mod semver;

use std::cmp::Ordering;
use std::fmt;

/// The longest version text that is looked at, in bytes. Real ones have under 200.
pub const MAX_VERSION_LEN: usize = 4096;

/// How a family of package managers orders versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionScheme {
    /// Debian, Ubuntu: `epoch:upstream-revision` (deb-version(7)).
    Dpkg,
    /// Red Hat, SUSE and their families: `epoch:version-release` (rpm-version(7)).
    Rpm,
    /// Alpine, Wolfi and others with apk-tools (apk-package(5)).
    Apk,
    /// Python distributions (PEP 440).
    Pep440,
    /// Node packages: Semantic Versioning 2.0.0, read leniently.
    Npm,
    /// Go modules and the Go standard library (go.dev/ref/mod, "Versions").
    Go,
}

/// What there is to say about a scheme; the one list everything else is derived from.
struct Row {
    scheme: VersionScheme,
    /// Written into database files: never change or reuse one.
    id: u8,
    name: &'static str,
    compare: for<'a> fn(&'a str, &'a str) -> Result<Ordering, Flaw<'a>>,
}

const ROWS: &[Row] = &[
    Row {
        scheme: VersionScheme::Dpkg,
        id: 1,
        name: "dpkg",
        compare: dpkg::compare,
    },
    Row {
        scheme: VersionScheme::Rpm,
        id: 2,
        name: "rpm",
        compare: rpm::compare,
    },
    Row {
        scheme: VersionScheme::Apk,
        id: 3,
        name: "apk",
        compare: apk::compare,
    },
    Row {
        scheme: VersionScheme::Pep440,
        id: 4,
        name: "pep440",
        compare: pep440::compare,
    },
    Row {
        scheme: VersionScheme::Npm,
        id: 5,
        name: "npm",
        compare: semver::compare_npm,
    },
    Row {
        scheme: VersionScheme::Go,
        id: 6,
        name: "go",
        compare: semver::compare_go,
    },
];

/// A version that its scheme cannot read. What depended on it is undetermined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionError {
    /// The scheme that was asked.
    pub scheme: VersionScheme,
    /// The text, cut to its first 120 characters.
    pub version: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a {} version: {}",
            self.version.escape_debug(),
            self.scheme,
            self.reason
        )
    }
}

impl std::error::Error for VersionError {}

/// The text a scheme could not read, and why.
struct Flaw<'a> {
    text: &'a str,
    reason: &'static str,
}

impl VersionScheme {
    /// All schemes.
    pub fn all() -> impl Iterator<Item = VersionScheme> {
        ROWS.iter().map(|row| row.scheme)
    }

    /// The number that stands for it in database files; stable for ever.
    pub fn id(self) -> u8 {
        self.row().id
    }

    /// The scheme with that number in database files.
    pub fn from_id(id: u8) -> Option<VersionScheme> {
        ROWS.iter().find(|row| row.id == id).map(|row| row.scheme)
    }

    /// Its short name: `dpkg`, `rpm`, `apk`, `pep440`, `npm`, `go`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Orders two versions.
    ///
    /// # Errors
    ///
    /// When either cannot be read; the error names the first such one.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, VersionError> {
        self.compare_with(self.row().compare, a, b)
    }

    /// Orders two versions whose epochs must not count, because one of them never had the
    /// chance to carry one: the version of a source rpm is read off a file name
    /// (`openssl-3.0.7-1.el9.src.rpm`), which has no epoch, while its advisory may have one.
    /// The same as [`VersionScheme::compare`] for schemes other than rpm.
    ///
    /// # Errors
    ///
    /// When either cannot be read.
    pub fn compare_ignoring_epoch(self, a: &str, b: &str) -> Result<Ordering, VersionError> {
        match self {
            VersionScheme::Rpm => self.compare_with(rpm::compare_ignoring_epoch, a, b),
            _ => self.compare(a, b),
        }
    }

    /// Whether the scheme can read the version.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub fn check(self, version: &str) -> Result<(), VersionError> {
        self.compare(version, version).map(|_| ())
    }

    fn compare_with(
        self,
        compare: for<'a> fn(&'a str, &'a str) -> Result<Ordering, Flaw<'a>>,
        a: &str,
        b: &str,
    ) -> Result<Ordering, VersionError> {
        let error = |flaw: Flaw<'_>| VersionError {
            scheme: self,
            version: flaw.text.chars().take(120).collect(),
            reason: flaw.reason,
        };
        for text in [a, b] {
            let reason = if text.is_empty() {
                "it is empty"
            } else if text.len() > MAX_VERSION_LEN {
                "it is longer than any real version"
            } else {
                continue;
            };
            return Err(error(Flaw { text, reason }));
        }
        compare(a, b).map_err(error)
    }

    fn row(self) -> &'static Row {
        // The list has a row for every variant; a test walks both.
        ROWS.iter()
            .find(|row| row.scheme == self)
            .expect("every scheme has a row")
    }
}

impl fmt::Display for VersionScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod testing {
    use super::*;

    /// Every version compares with every other as their places in the list say. Each
    /// element may hold several equal spellings.
    #[track_caller]
    pub fn check_ascending(scheme: VersionScheme, list: &[&[&str]]) {
        for (i, left) in list.iter().enumerate() {
            for (j, right) in list.iter().enumerate() {
                for a in *left {
                    for b in *right {
                        assert_eq!(
                            scheme.compare(a, b),
                            Ok(i.cmp(&j)),
                            "{scheme}: `{a}` with `{b}`"
                        );
                    }
                }
            }
        }
    }

    /// The pairs compare as their sign says, both ways round.
    #[track_caller]
    pub fn check_pairs(scheme: VersionScheme, pairs: &[(&str, char, &str)]) {
        for (a, sign, b) in pairs {
            let expected = match sign {
                '<' => Ordering::Less,
                '=' => Ordering::Equal,
                '>' => Ordering::Greater,
                other => panic!("`{other}` is no sign"),
            };
            assert_eq!(scheme.compare(a, b), Ok(expected), "`{a}` {sign} `{b}`");
            assert_eq!(
                scheme.compare(b, a),
                Ok(expected.reverse()),
                "`{b}` with `{a}`"
            );
        }
    }

    #[track_caller]
    pub fn check_unreadable(scheme: VersionScheme, list: &[&str]) {
        for text in list {
            assert!(scheme.check(text).is_err(), "{scheme} read `{text}`");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_unique_and_lead_back() {
        let mut seen = std::collections::BTreeSet::new();
        for scheme in VersionScheme::all() {
            assert!(seen.insert(scheme.id()));
            assert_eq!(VersionScheme::from_id(scheme.id()), Some(scheme));
        }
        // Written into database files.
        assert_eq!(
            VersionScheme::all().map(|s| s.id()).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(VersionScheme::from_id(0), None);
    }

    #[test]
    fn empty_and_endless_versions_are_unreadable_and_the_message_stays_short() {
        for scheme in VersionScheme::all() {
            assert!(scheme.compare("", "1").is_err());
            let error = scheme
                .compare("1", &"1".repeat(MAX_VERSION_LEN + 1))
                .unwrap_err();
            assert!(error.to_string().len() < 200);
            // As long as allowed, and beyond every machine integer.
            let long = "9".repeat(MAX_VERSION_LEN);
            assert_eq!(scheme.compare("1", &long), Ok(Ordering::Less));
        }
    }
}
