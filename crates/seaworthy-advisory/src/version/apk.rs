//! apk-tools' version order (apk-package(5), "Package version"; apk-tools 2 and 3).
//!
//! ```text
//! digits{.digits}[letter]{_suffix[digits]}[~hex][-rdigits]
//! ```
//!
//! The suffixes sort around their absence: `_alpha < _beta < _pre < _rc < (none) < _cvs <
//! _svn < _git < _hg < _p`. A component after the first that starts with 0 is a fraction
//! and compares as text with its counterpart (so `1.05 < 1.1` and `1.10 > 1.9`). When one
//! version ends, or the kinds of the next tokens differ, the token that stands further
//! left in the grammar is the greater.
//!
//! Like apk-tools 2, and unlike 3, digits may follow the letter (`1.0b2`). apk-tools orders
//! malformed versions in some way; here they are unreadable.

use std::cmp::Ordering;

use super::Flaw;
use super::digits::{self, split_while};

pub(super) fn compare<'a>(a: &'a str, b: &'a str) -> Result<Ordering, Flaw<'a>> {
    // Both are read to their ends, whatever decides, so that a malformed tail is seen.
    check(a)?;
    check(b)?;
    let (mut a, mut b) = (Tokens::new(a), Tokens::new(b));
    loop {
        // Readable to the end, as was just checked.
        let (Ok(token_a), Ok(token_b)) = (a.next(), b.next()) else {
            return Ok(Ordering::Equal);
        };
        let order = token_a.compare(&token_b);
        if order.is_ne() || matches!(token_a, Token::End) {
            return Ok(order);
        }
    }
}

fn check(text: &str) -> Result<(), Flaw<'_>> {
    let mut tokens = Tokens::new(text);
    while tokens.next()? != Token::End {}
    Ok(())
}

/// In ascending order of what a suffix is worth; those before `Cvs` are worth less than no
/// suffix at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suffix {
    Alpha,
    Beta,
    Pre,
    Rc,
    Cvs,
    Svn,
    Git,
    Hg,
    P,
}

impl Suffix {
    fn parse(name: &[u8]) -> Option<Suffix> {
        Some(match name {
            b"alpha" => Suffix::Alpha,
            b"beta" => Suffix::Beta,
            b"pre" => Suffix::Pre,
            b"rc" => Suffix::Rc,
            b"cvs" => Suffix::Cvs,
            b"svn" => Suffix::Svn,
            b"git" => Suffix::Git,
            b"hg" => Suffix::Hg,
            b"p" => Suffix::P,
            _ => return None,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    First(&'a [u8]),
    Digits(&'a [u8]),
    Letter(u8),
    Suffix(Suffix),
    SuffixNumber(&'a [u8]),
    Hash(&'a [u8]),
    Revision(&'a [u8]),
    End,
}

impl Token<'_> {
    /// What the kind of a token is worth against other kinds at the same place.
    fn rank(&self) -> u8 {
        match self {
            Token::Suffix(suffix) if *suffix < Suffix::Cvs => 0,
            Token::End => 1,
            Token::Revision(_) => 2,
            Token::Hash(_) => 3,
            Token::SuffixNumber(_) => 4,
            Token::Suffix(_) => 5,
            Token::Letter(_) => 6,
            Token::Digits(_) => 7,
            Token::First(_) => 8,
        }
    }

    fn compare(&self, other: &Token<'_>) -> Ordering {
        match (self, other) {
            (Token::Digits(a), Token::Digits(b)) => {
                if a.first() == Some(&b'0') || b.first() == Some(&b'0') {
                    a.cmp(b)
                } else {
                    digits::compare(a, b)
                }
            }
            (Token::First(a), Token::First(b))
            | (Token::SuffixNumber(a), Token::SuffixNumber(b))
            | (Token::Revision(a), Token::Revision(b)) => digits::compare(a, b),
            (Token::Letter(a), Token::Letter(b)) => a.cmp(b),
            (Token::Suffix(a), Token::Suffix(b)) => a.cmp(b),
            (Token::Hash(a), Token::Hash(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// Where in the grammar the last token stood.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Start,
    Digits,
    Letter,
    Suffix,
    SuffixNumber,
    Hash,
    Revision,
}

struct Tokens<'a> {
    text: &'a str,
    rest: &'a [u8],
    place: Place,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Tokens<'a> {
        Tokens {
            text,
            rest: text.as_bytes(),
            place: Place::Start,
        }
    }

    fn next(&mut self) -> Result<Token<'a>, Flaw<'a>> {
        let Some((&first, after)) = self.rest.split_first() else {
            return match self.place {
                Place::Start => Err(self.flaw("it is empty")),
                _ => Ok(Token::End),
            };
        };
        let place = self.place;
        match first {
            b'0'..=b'9' => match place {
                Place::Start => {
                    self.place = Place::Digits;
                    self.digits(self.rest).map(Token::First)
                }
                Place::Letter => {
                    self.place = Place::Digits;
                    self.digits(self.rest).map(Token::Digits)
                }
                Place::Suffix => {
                    self.place = Place::SuffixNumber;
                    self.digits(self.rest).map(Token::SuffixNumber)
                }
                _ => Err(self.flaw("digits stand where none are allowed")),
            },
            b'.' if place == Place::Digits => self.digits(after).map(Token::Digits),
            b'a'..=b'z' if place == Place::Digits => {
                self.place = Place::Letter;
                self.rest = after;
                Ok(Token::Letter(first))
            }
            b'_' if (Place::Digits..=Place::SuffixNumber).contains(&place) => {
                let (name, rest) = split_while(after, |c| c.is_ascii_lowercase());
                let suffix = Suffix::parse(name).ok_or(self.flaw("its suffix is unknown"))?;
                self.place = Place::Suffix;
                self.rest = rest;
                Ok(Token::Suffix(suffix))
            }
            b'~' if (Place::Digits..=Place::SuffixNumber).contains(&place) => {
                let (hash, rest) = split_while(after, |c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
                if hash.is_empty() {
                    return Err(self.flaw("its commit hash is empty"));
                }
                self.place = Place::Hash;
                self.rest = rest;
                Ok(Token::Hash(hash))
            }
            b'-' if (Place::Digits..=Place::Hash).contains(&place) => {
                let Some((b'r', number)) = after.split_first() else {
                    return Err(self.flaw("a hyphen is not followed by `r`"));
                };
                self.place = Place::Revision;
                self.digits(number).map(Token::Revision)
            }
            _ => Err(self.flaw("it has a character that is not allowed there")),
        }
    }

    /// Reads one or more digits from the start of `text`.
    fn digits(&mut self, text: &'a [u8]) -> Result<&'a [u8], Flaw<'a>> {
        let (digits, rest) = split_while(text, |c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.flaw("a number is missing"));
        }
        self.rest = rest;
        Ok(digits)
    }

    fn flaw(&self, reason: &'static str) -> Flaw<'a> {
        Flaw {
            text: self.text,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::version::VersionScheme::Apk;
    use crate::version::testing::{check_ascending, check_pairs, check_unreadable};

    #[test]
    fn suffixes_sort_around_their_absence() {
        check_ascending(
            Apk,
            &[
                &["1.0_alpha_pre"],
                &["1.0_alpha"],
                &["1.0_alpha1"],
                &["1.0_alpha2"],
                &["1.0_beta"],
                &["1.0_pre1"],
                &["1.0_rc1-r1"],
                &["1.0_rc2"],
                &["1.0"],
                &["1.0-r0", "1.0-r00"],
                &["1.0-r1"],
                &["1.0-r10"],
                &["1.0~abc"],
                &["1.0~abd-r2"],
                &["1.0_cvs"],
                &["1.0_svn1"],
                &["1.0_git20240101"],
                &["1.0_git20240102-r1"],
                &["1.0_hg1"],
                &["1.0_p0"],
                &["1.0_p1"],
                &["1.0_p1-r1"],
                &["1.0_p1_p1"],
                &["1.0a"],
                &["1.0a-r1"],
                &["1.0a2"],
                &["1.0b"],
                &["1.0.0"],
                &["1.0.1"],
                &["1.1"],
                &["2"],
            ],
        );
    }

    #[test]
    fn components_with_a_leading_zero_are_fractions() {
        check_ascending(
            Apk,
            &[
                &["0.0"],
                &["0.00"],
                &["0.05"],
                &["0.050"],
                &["0.06"],
                &["0.1"],
                &["0.5"],
                &["0.9"],
                &["0.10"],
                &["1"],
                &["02.0", "2.0"],
            ],
        );
    }

    #[test]
    fn real_pairs_from_the_repositories() {
        check_pairs(
            Apk,
            &[
                ("1.1.1k-r0", '<', "1.1.1l-r0"),
                ("3.0.8-r0", '<', "3.0.12-r4"),
                ("9.3_p1-r3", '<', "9.3_p2-r0"),
                ("9.3_p2-r0", '<', "9.6_p1-r0"),
                ("1.36.1-r5", '<', "1.36.1-r15"),
                ("2.9.14-r2", '>', "2.9.9-r9"),
                ("1.2.4_git20230717-r4", '<', "1.2.5-r0"),
                ("1.2.4_git20230717-r4", '>', "1.2.4-r9"),
                ("20230506-r0", '<', "20240226-r0"),
                ("7.79.1-r0", '<', "7.80.0-r0"),
                ("0.1.0_alpha_pre2", '<', "0.1.0_alpha"),
                ("5.38.2-r0", '>', "5.38.0-r9"),
                ("1.0.0_pre20230101", '<', "1.0.0_rc1"),
                ("18446744073709551616-r0", '<', "18446744073709551617-r0"),
            ],
        );
    }

    #[test]
    fn malformed_versions_are_unreadable() {
        check_unreadable(
            Apk,
            &[
                "a",
                ".1",
                "1.",
                "1..2",
                "1.0A",
                "1.0ab",
                "1.0_foo",
                "1.0_",
                "1.0-1",
                "1.0-r",
                "1.0-r1-r2",
                "20.10.11.r0",
                "1.0~",
                "1.0~xyz",
                "1.0~ab~cd",
                "1 ",
                "1.0-r1.2",
                "v1.0",
                "1:1.0",
                "1.0a.1",
                "1.0_p1.2",
                "1.0\u{661}",
            ],
        );
    }
}
