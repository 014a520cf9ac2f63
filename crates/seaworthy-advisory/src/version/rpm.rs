//! rpm's version order (rpm-version(7), and the behaviour of `rpmvercmp`).
//!
//! `[epoch:]version[-release]`; a missing epoch is 0. Version and release are read as
//! segments, runs of digits or runs of ASCII letters, between which everything else is a
//! separator and has no weight. `~` sorts before the end and `^` directly after it:
//!
//! ```text
//! ~  <  end  <  ^  <  letters  <  digits
//! ```
//!
//! rpm itself calls two versions equal when only one has a release, which is no order
//! (`1-1` and `1-2` would both equal `1`). Here a missing release sorts before every
//! release, so that `1.2-3` is at or past a fix in `1.2`, and the order stays total.

use std::cmp::Ordering;

use super::Flaw;
use super::digits::{self, is_number, split_while};

pub(super) fn compare<'a>(a: &'a str, b: &'a str) -> Result<Ordering, Flaw<'a>> {
    let (a, b) = (Version::parse(a)?, Version::parse(b)?);
    Ok(digits::compare(a.epoch, b.epoch).then_with(|| a.compare_rest(&b)))
}

pub(super) fn compare_ignoring_epoch<'a>(a: &'a str, b: &'a str) -> Result<Ordering, Flaw<'a>> {
    Ok(Version::parse(a)?.compare_rest(&Version::parse(b)?))
}

struct Version<'a> {
    epoch: &'a [u8],
    version: &'a [u8],
    release: &'a [u8],
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Result<Version<'a>, Flaw<'a>> {
        let flaw = |reason| Flaw { text, reason };
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if is_number(epoch.as_bytes()) => (epoch.as_bytes(), rest),
            // rpmdb printers write a missing epoch so.
            Some(("(none)", rest)) => (&b"0"[..], rest),
            Some(_) => return Err(flaw("its epoch is not a number")),
            None => (&b"0"[..], text),
        };
        if !rest.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            return Err(flaw("it has a character that is not allowed"));
        }
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
        if !version.bytes().any(|b| b.is_ascii_alphanumeric()) {
            return Err(flaw("it has no letter and no digit"));
        }
        Ok(Version {
            epoch,
            version: version.as_bytes(),
            release: release.as_bytes(),
        })
    }

    fn compare_rest(&self, other: &Version<'_>) -> Ordering {
        compare_part(self.version, other.version)
            .then_with(|| compare_part(self.release, other.release))
    }
}

/// What comes next in a part, in ascending order of weight.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Next {
    Tilde,
    End,
    Caret,
    Letters,
    Digits,
}

fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        a = skip_separators(a);
        b = skip_separators(b);
        let (next_a, next_b) = (next(a), next(b));
        if next_a != next_b {
            return next_a.cmp(&next_b);
        }
        let order;
        match next_a {
            Next::End => return Ordering::Equal,
            Next::Tilde | Next::Caret => {
                a = a.get(1..).unwrap_or_default();
                b = b.get(1..).unwrap_or_default();
                continue;
            }
            Next::Letters => {
                let (run_a, rest_a) = split_while(a, |c| c.is_ascii_alphabetic());
                let (run_b, rest_b) = split_while(b, |c| c.is_ascii_alphabetic());
                order = run_a.cmp(run_b);
                (a, b) = (rest_a, rest_b);
            }
            Next::Digits => {
                let (run_a, rest_a) = split_while(a, |c| c.is_ascii_digit());
                let (run_b, rest_b) = split_while(b, |c| c.is_ascii_digit());
                order = digits::compare(run_a, run_b);
                (a, b) = (rest_a, rest_b);
            }
        }
        if order.is_ne() {
            return order;
        }
    }
}

fn skip_separators(text: &[u8]) -> &[u8] {
    split_while(text, |c| {
        !c.is_ascii_alphanumeric() && c != b'~' && c != b'^'
    })
    .1
}

fn next(text: &[u8]) -> Next {
    match text.first() {
        None => Next::End,
        Some(b'~') => Next::Tilde,
        Some(b'^') => Next::Caret,
        Some(b) if b.is_ascii_digit() => Next::Digits,
        Some(_) => Next::Letters,
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use crate::version::VersionScheme::Rpm;
    use crate::version::testing::{check_ascending, check_pairs, check_unreadable};

    #[test]
    fn tilde_is_below_the_end_and_caret_just_above_it() {
        check_ascending(
            Rpm,
            &[
                &["1.0~"],
                &["1.0~^1"],
                &["1.0~rc1"],
                &["1.0~rc1^git1"],
                &["1.0~rc2"],
                &["1.0", "1.0.", "1_0", "01.0", "0:1.0", "(none):1.0"],
                &["1.0-1"],
                &["1.0^"],
                &["1.0^git1~pre"],
                &["1.0^git1"],
                &["1.0^git2"],
                &["1.0^20160102"],
                &["1.0.a"],
                &["1.0.1"],
                &["1.0.1^git1"],
                &["1.1"],
                &["1.10"],
                &["1:0.1"],
            ],
        );
    }

    #[test]
    fn segments_are_runs_of_letters_or_digits() {
        check_pairs(
            Rpm,
            &[
                ("1.0.0", '>', "1.0"),
                ("5.5p1", '<', "5.5p10"),
                ("10xyz", '<', "10.1xyz"),
                ("xyz10", '<', "xyz10.1"),
                ("xyz.4", '<', "8"),
                ("5.5p2", '<', "5.6p1"),
                ("6.0.rc1", '>', "6.0"),
                ("10b2", '>', "10a1"),
                ("1.0aa", '>', "1.0a"),
                ("10.0001", '=', "10.1"),
                ("10.0001", '<', "10.0039"),
                ("4.999.9", '<', "5.0"),
                ("20101121", '<', "20101122"),
                ("2_0", '=', "2.0"),
                ("a+", '=', "a_"),
                ("+a", '=', "_a"),
                ("1.0.17-33.6.2", '<', "1.0.17-33.6.14"),
                ("FC5", '<', "fc4"),
                ("2a", '<', "2.0"),
                ("1.Z", '<', "1.a"),
                ("000000000000000000000000000001", '=', "1"),
                ("18446744073709551617", '>', "18446744073709551616"),
            ],
        );
    }

    #[test]
    fn real_pairs_with_releases_and_modules() {
        check_pairs(
            Rpm,
            &[
                ("3.0.7-6.el9_2", '<', "3.0.7-24.el9"),
                ("1:3.0.7-1.el9", '>', "3.0.7-24.el9"),
                ("2.28-225.el8", '<', "2.28-225.el8_8.6"),
                ("7.61.1-30.el8_8.2", '<', "7.61.1-30.el8_8.3"),
                (
                    "1:16.20.2-2.module_el8.8.0+3613+1ed8c91d",
                    '<',
                    "1:16.20.2-3.module_el8.8.0+3613+1ed8c91d",
                ),
                ("8.0-1.el8", '<', "8.0-1.el8.alma"),
                ("4.4.19-4.el8_3.alma.1", '>', "4.4.19-4.el8_3"),
                ("1.8.29-6.el8_3.1", '<', "1.8.29-7.el8"),
            ],
        );
    }

    #[test]
    fn a_source_version_without_epoch_compares_without_epochs() {
        let compare = |a, b| Rpm.compare_ignoring_epoch(a, b);
        assert_eq!(
            compare("3.0.7-24.el9", "1:3.0.7-24.el9"),
            Ok(Ordering::Equal)
        );
        assert_eq!(
            compare("3.0.7-24.el9", "1:3.0.7-25.el9"),
            Ok(Ordering::Less)
        );
        assert_eq!(compare("2:1-1", "1:2-1"), Ok(Ordering::Less));
    }

    #[test]
    fn what_no_rpm_can_be_called_is_unreadable() {
        check_unreadable(
            Rpm,
            &[
                "a:1", ":1", "1:", "-1", "1 2", "1\t", "é", "1:2:3", "~", "-",
            ],
        );
    }
}
