//! Semantic Versioning 2.0.0 (semver.org), as npm and Go write it.
//!
//! ```text
//! number{.number}[-identifier{.identifier}][+build]
//! ```
//!
//! Numbers first; then a version with identifiers (a pre-release) sorts before the one
//! without; identifiers one by one, numeric ones by value and below the others, fewer below
//! more. The build part has no weight.
//!
//! **npm** is read leniently, because registries and advisories hold what people wrote: a
//! leading `v` or `=`, white space around, one to four or more numbers (missing ones are 0),
//! leading zeros, and a pre-release without its hyphen (`1.2.3beta`).
//!
//! **Go**: a leading `v` may be missing, at most three numbers, `+incompatible` and `+dirty`
//! (also both) are build parts, pseudo-versions are ordinary pre-releases. Versions of the
//! standard library keep their own spelling: `go1.21rc2` is `1.21.0-rc.2`, and what a
//! vendor appends (`go1.21.5-vendor`, ` X:boringcrypto`) says nothing about the order.

use std::cmp::Ordering;

use super::Flaw;
use super::digits::{self, is_number, split_while};

pub(super) fn compare_npm<'a>(a: &'a str, b: &'a str) -> Result<Ordering, Flaw<'a>> {
    Ok(parse_npm(a)?.compare(&parse_npm(b)?))
}

pub(super) fn compare_go<'a>(a: &'a str, b: &'a str) -> Result<Ordering, Flaw<'a>> {
    Ok(parse_go(a)?.compare(&parse_go(b)?))
}

struct Version<'a> {
    /// Digits with dots between them.
    numbers: &'a [u8],
    pre: Option<Pre<'a>>,
}

enum Pre<'a> {
    /// Identifiers with dots between them.
    Dotted(&'a [u8]),
    /// Go's `rc2`: two identifiers without a dot between them.
    Pair(&'a [u8], &'a [u8]),
}

fn parse_npm(text: &str) -> Result<Version<'_>, Flaw<'_>> {
    let flaw = |reason| Flaw { text, reason };
    let rest = text
        .trim_matches(|c: char| c.is_ascii_whitespace())
        .trim_start_matches(['=', 'v', 'V', ' '])
        .as_bytes();
    let (numbers, rest) = take_numbers(rest).ok_or(flaw("it does not start with a number"))?;
    let (pre, build) = split_build(rest);
    check_build(build).map_err(flaw)?;
    let pre = match pre.split_first() {
        None => None,
        Some((b'-', identifiers)) => Some(identifiers),
        // npm's loose form.
        Some((first, _)) if first.is_ascii_alphabetic() => Some(pre),
        Some(_) => return Err(flaw("what follows its numbers is no pre-release")),
    };
    pre.map_or(Ok(()), check_identifiers).map_err(flaw)?;
    Ok(Version {
        numbers,
        pre: pre.map(Pre::Dotted),
    })
}

fn parse_go(text: &str) -> Result<Version<'_>, Flaw<'_>> {
    let flaw = |reason| Flaw { text, reason };
    // Experiments follow after a space: `go1.21.5 X:boringcrypto`.
    let first_word = text.split(' ').next().unwrap_or_default();
    let (toolchain, rest) = match first_word.strip_prefix("go") {
        // go/version: a suffix after a hyphen names a vendor's toolchain.
        Some(rest) => (true, rest.split('-').next().unwrap_or_default()),
        None => (false, first_word.strip_prefix('v').unwrap_or(first_word)),
    };
    let (numbers, rest) =
        take_numbers(rest.as_bytes()).ok_or(flaw("it does not start with a number"))?;
    if numbers.split(|c| *c == b'.').count() > 3 {
        return Err(flaw("it has more than three numbers"));
    }
    let (pre, build) = split_build(rest);
    check_build(build).map_err(flaw)?;
    let pre = match pre.split_first() {
        None => None,
        Some((b'-', identifiers)) if !toolchain => {
            check_identifiers(identifiers).map_err(flaw)?;
            Some(Pre::Dotted(identifiers))
        }
        Some((first, _)) if first.is_ascii_lowercase() => {
            let (word, number) = split_while(pre, |c| c.is_ascii_lowercase());
            if !is_number(number) {
                return Err(flaw("what follows its numbers is no pre-release"));
            }
            Some(Pre::Pair(word, number))
        }
        Some(_) => return Err(flaw("what follows its numbers is no pre-release")),
    };
    Ok(Version { numbers, pre })
}

/// Splits off digits with dots between them.
fn take_numbers(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (numbers, rest) = split_while(text, |c| c.is_ascii_digit() || c == b'.');
    numbers
        .split(|c| *c == b'.')
        .all(is_number)
        .then_some((numbers, rest))
}

fn split_build(text: &[u8]) -> (&[u8], &[u8]) {
    split_while(text, |c| c != b'+')
}

/// Nothing, or one or more of `+` and characters of identifiers.
fn check_build(build: &[u8]) -> Result<(), &'static str> {
    let allowed = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'+' | b'_');
    if build.iter().all(allowed) {
        Ok(())
    } else {
        Err("its build part has a character that is not allowed")
    }
}

fn check_identifiers(identifiers: &[u8]) -> Result<(), &'static str> {
    let allowed = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    for identifier in identifiers.split(|c| *c == b'.') {
        if identifier.is_empty() {
            return Err("an identifier of its pre-release is empty");
        }
        if !identifier.iter().all(allowed) {
            return Err("its pre-release has a character that is not allowed");
        }
    }
    Ok(())
}

impl Version<'_> {
    fn compare(&self, other: &Version<'_>) -> Ordering {
        digits::compare_dotted(self.numbers, other.numbers).then_with(|| {
            match (&self.pre, &other.pre) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) => compare_identifiers(a, b),
            }
        })
    }
}

impl<'a> Pre<'a> {
    fn identifiers(&self) -> impl Iterator<Item = &'a [u8]> {
        let (dotted, last) = match self {
            Pre::Dotted(dotted) => (*dotted, None),
            Pre::Pair(word, number) => (*word, Some(*number)),
        };
        dotted.split(|c| *c == b'.').chain(last)
    }
}

fn compare_identifiers(a: &Pre<'_>, b: &Pre<'_>) -> Ordering {
    let (mut a, mut b) = (a.identifiers(), b.identifiers());
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (Some(x), Some(y)) => (x, y),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        };
        let order = match (is_number(x), is_number(y)) {
            (true, true) => digits::compare(x, y),
            (false, false) => x.cmp(y),
            (x_is_number, y_is_number) => y_is_number.cmp(&x_is_number),
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::version::VersionScheme::{Go, Npm};
    use crate::version::testing::{check_ascending, check_pairs, check_unreadable};

    #[test]
    fn pre_releases_sort_as_semver_section_11_says() {
        for scheme in [Npm, Go] {
            check_ascending(
                scheme,
                &[
                    &["1.0.0-0"],
                    &["1.0.0-1", "1.0.0-01"],
                    &["1.0.0-alpha"],
                    &["1.0.0-alpha.1"],
                    &["1.0.0-alpha.beta"],
                    &["1.0.0-beta"],
                    &["1.0.0-beta.2"],
                    &["1.0.0-beta.11"],
                    &["1.0.0-rc.1"],
                    &["1.0.0", "1.0.0+build.5", "v1.0.0", "1.0", "1"],
                    &["1.0.1"],
                    &["1.2.0"],
                    &["1.10.0"],
                    &["2.0.0"],
                    &["18446744073709551616.0.0"],
                    &["18446744073709551617.0.0"],
                ],
            );
        }
    }

    #[test]
    fn npm_is_read_as_people_write_it() {
        check_pairs(
            Npm,
            &[
                ("=v1.2.3", '=', "1.2.3"),
                (" 1.2.3 ", '=', "1.2.3"),
                ("1.2.3beta", '=', "1.2.3-beta"),
                ("1.2.3.4", '>', "1.2.3"),
                ("1.2.3.0", '=', "1.2.3"),
                ("1.2.3.4", '<', "1.2.4"),
                ("4.17.20", '<', "4.17.21"),
                ("1.2.3--", '<', "1.2.3"),
                ("1.0.0-rc1", '<', "1.0.0-rc2"),
                ("1.0.0-rc10", '<', "1.0.0-rc2"),
            ],
        );
        check_unreadable(
            Npm,
            &[
                "",
                "latest",
                "1.x",
                "*",
                "1.2.*",
                "1..2",
                "1.2.3-",
                "1.2.3-a..b",
                "1.2.3-é",
                "^1.2.3",
                "1.2.3 || 2",
                "~1",
                "1.",
                ".1",
                "1.2.3+é",
                "git+https://x/y.git",
            ],
        );
    }

    #[test]
    fn go_modules_and_pseudo_versions() {
        check_ascending(
            Go,
            &[
                &["v0.0.0-20180101000000-000000000000"],
                &["v0.0.0-20210921155107-089bfa567519"],
                &[
                    "v0.0.0-20220314234659-1baeb1ce4c0b+dirty",
                    "0.0.0-20220314234659-1baeb1ce4c0b",
                ],
                &["v0.0.0"],
                &["v1.2.3-0.20220101000000-abcdefabcdef"],
                &["v1.2.3-rc.1"],
                &["v1.2.3-rc.1.0.20220101000000-abcdefabcdef"],
                &[
                    "v1.2.3",
                    "1.2.3",
                    "v1.2.3+incompatible",
                    "v1.2.3+incompatible+dirty",
                ],
                &["v1.2.4-0.20220101000000-abcdefabcdef"],
                &["v24.0.7+incompatible"],
            ],
        );
    }

    #[test]
    fn go_toolchains_keep_their_own_spelling() {
        check_ascending(
            Go,
            &[
                &["1.20.14", "go1.20.14"],
                &["1.21.0-0"],
                &["go1.21beta1", "1.21.0-beta.1"],
                &["go1.21rc1"],
                &["go1.21rc2", "1.21rc2", "1.21.0-rc.2"],
                &["go1.21rc10"],
                &["go1.21", "go1.21.0", "1.21.0", "go1.21-vendor"],
                &["go1.21.5", "go1.21.5 X:boringcrypto", "1.21.5"],
                &["go1.22.0"],
            ],
        );
        check_unreadable(
            Go,
            &[
                "(devel)", "devel", "go", "v", "1.2.3.4", "1.2.3-", "v1.x", "go1.21rc", "1.2.3/4",
            ],
        );
    }
}
