//! Debian's version order (deb-version(7); Debian Policy 5.6.12).
//!
//! `[epoch:]upstream[-revision]`. The revision starts after the last hyphen, a missing
//! epoch is 0 and a missing revision is "0". Both texts are compared run by run: first the
//! longest run of non-digits, where `~` sorts before everything, even the end, letters sort
//! before all else, and the rest goes by byte; then the longest run of digits, by value.
//!
//! Accepted beyond the policy, as dpkg itself does with no more than a warning: an upstream
//! version that starts with something else than a digit.

use std::cmp::Ordering;

use super::Flaw;
use super::digits::{self, is_number, split_while};

pub(super) fn compare<'a>(a: &'a str, b: &'a str) -> Result<Ordering, Flaw<'a>> {
    let (a, b) = (Version::parse(a)?, Version::parse(b)?);
    Ok(digits::compare(a.epoch, b.epoch)
        .then_with(|| compare_part(a.upstream, b.upstream))
        .then_with(|| compare_part(a.revision, b.revision)))
}

struct Version<'a> {
    epoch: &'a [u8],
    upstream: &'a [u8],
    revision: &'a [u8],
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Result<Version<'a>, Flaw<'a>> {
        let flaw = |reason| Flaw { text, reason };
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => (epoch.as_bytes(), rest),
            None => (&b"0"[..], text),
        };
        if !is_number(epoch) {
            return Err(flaw("its epoch is not a number"));
        }
        let (upstream, revision) = match rest.rsplit_once('-') {
            Some((_, "")) => return Err(flaw("its revision is empty")),
            Some((upstream, revision)) => (upstream, revision),
            None => (rest, "0"),
        };
        if upstream.is_empty() {
            return Err(flaw("its upstream part is empty"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".+~".contains(&b);
        // A colon after the first can only belong to the upstream part.
        if !upstream.bytes().all(|b| plain(b) || b == b'-' || b == b':')
            || !revision.bytes().all(plain)
        {
            return Err(flaw("it has a character that is not allowed"));
        }
        Ok(Version {
            epoch,
            upstream: upstream.as_bytes(),
            revision: revision.as_bytes(),
        })
    }
}

fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, rest_a) = split_while(a, |c| !c.is_ascii_digit());
        let (text_b, rest_b) = split_while(b, |c| !c.is_ascii_digit());
        // The end of the run weighs as much as a digit would, so one step past the shorter
        // run decides.
        for i in 0..text_a.len().max(text_b.len()) {
            let order = weight(text_a.get(i)).cmp(&weight(text_b.get(i)));
            if order.is_ne() {
                return order;
            }
        }
        let (number_a, rest_a) = split_while(rest_a, |c| c.is_ascii_digit());
        let (number_b, rest_b) = split_while(rest_b, |c| c.is_ascii_digit());
        let order = digits::compare(number_a, number_b);
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    }
}

#[cfg(test)]
mod tests {
    use crate::version::VersionScheme::Dpkg;
    use crate::version::testing::{check_ascending, check_pairs, check_unreadable};

    #[test]
    fn tilde_sorts_before_the_end_and_letters_before_the_rest() {
        check_ascending(
            Dpkg,
            &[
                &["1.0~~"],
                &["1.0~~a"],
                &["1.0~"],
                &["1.0~beta1"],
                &["1.0~rc1-1"],
                &["1.0", "1.00", "0:1.0", "1.0-0", "1.0-00"],
                &["1.0-0ubuntu1"],
                &["1.0-1~bpo1"],
                &["1.0-1"],
                &["1.0-1+b1"],
                &["1.0-1+deb12u1"],
                &["1.0-1.1"],
                &["1.0-2"],
                &["1.0a"],
                &["1.0+dfsg-1"],
                &["1.0.1"],
                &["1.2"],
                &["1.10"],
                &["2"],
                &["1:0.1"],
                &["2:0~"],
            ],
        );
    }

    #[test]
    fn real_pairs_from_the_archive() {
        check_pairs(
            Dpkg,
            &[
                ("7.88.1-10+deb12u5", '<', "7.88.1-10+deb12u12"),
                ("1.1.1n-0+deb11u3", '<', "1.1.1n-0+deb11u5"),
                ("1.1.1n-0+deb11u5", '>', "1.1.1k-1+deb11u2"),
                ("2.36-9+deb12u3", '<', "2.36-9+deb12u10"),
                ("5.2.15-2+b2", '>', "5.2.15-2"),
                ("1:4.13+dfsg1-1+b1", '>', "4.14"),
                ("2.4.57-2", '<', "2.4.58-1~deb12u1"),
                ("5.6.1+really5.4.5-1", '>', "5.6.0-0.2"),
                ("9.18.24-1", '<', "1:9.18.24-1"),
                ("2:8.2.2434-3+deb11u1", '<', "2:9.0.1378-2"),
                ("0.5.2+git20120412.gitb3eac", '>', "0.5.2"),
                ("1.2.3-4-5", '>', "1.2.3-4"),
                ("2019.1.0+2~deb9u1", '<', "2019.1.0+2"),
                ("6.0.0-1-really-3", '>', "6.0.0-1"),
                ("1.0-00000000000000000000000001", '=', "1.0-1"),
                (
                    "99999999999999999999999999",
                    '<',
                    "100000000000000000000000000",
                ),
            ],
        );
    }

    #[test]
    fn what_dpkg_refuses_is_unreadable() {
        check_unreadable(
            Dpkg,
            &[
                ":1", "a:1", "1:", "1.0-", "-1", "1 2", "1_2", "1.0\n", "é", "1.0-1:2", "1/2",
            ],
        );
    }
}
