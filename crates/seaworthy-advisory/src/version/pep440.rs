//! Python's version order (PEP 440; packaging.python.org, "Version specifiers").
//!
//! ```text
//! [v][epoch!]number{.number}[{a|b|rc}number][.post number][.dev number][+local]
//! ```
//!
//! All spellings that PEP 440 normalises are read: letter case, `alpha`, `beta`, `c`, `pre`,
//! `preview`, `rev`, `r`, the separators `.`, `-`, `_`, a missing number (0), `-1` for a
//! post release, and white space around the whole.
//!
//! Left out on purpose: "legacy" versions, which PEP 440 no longer gives an order.

use std::cmp::Ordering;

use super::Flaw;
use super::digits::{self, is_number, split_while};

pub(super) fn compare<'a>(a: &'a str, b: &'a str) -> Result<Ordering, Flaw<'a>> {
    let (a, b) = (Version::parse(a)?, Version::parse(b)?);
    Ok(digits::compare(a.epoch, b.epoch)
        .then_with(|| digits::compare_dotted(a.release, b.release))
        .then_with(|| a.pre_key().cmp(&b.pre_key()))
        .then_with(|| digits::compare(a.pre_number(), b.pre_number()))
        .then_with(|| compare_optional(a.post, b.post))
        // No dev segment sorts after every dev segment.
        .then_with(|| a.dev.is_none().cmp(&b.dev.is_none()))
        .then_with(|| compare_optional(a.dev, b.dev))
        .then_with(|| compare_local(a.local, b.local)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Alpha,
    Beta,
    Candidate,
}

struct Version<'a> {
    epoch: &'a [u8],
    /// Digits with dots between them.
    release: &'a [u8],
    pre: Option<(Phase, &'a [u8])>,
    post: Option<&'a [u8]>,
    dev: Option<&'a [u8]>,
    /// Letters and digits with single separators between them.
    local: Option<&'a [u8]>,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Result<Version<'a>, Flaw<'a>> {
        let flaw = |reason| Flaw { text, reason };
        let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace());
        let (public, local) = match trimmed.split_once('+') {
            Some((public, local)) => (public.as_bytes(), Some(local.as_bytes())),
            None => (trimmed.as_bytes(), None),
        };
        let mut rest = match public.split_first() {
            Some((b'v' | b'V', rest)) => rest,
            _ => public,
        };
        let mut epoch = &b"0"[..];
        let (number, after) = split_while(rest, |c| c.is_ascii_digit());
        if let Some((b'!', after)) = after.split_first() {
            if number.is_empty() {
                return Err(flaw("its epoch is not a number"));
            }
            epoch = number;
            rest = after;
        }
        let release = take_release(&mut rest).ok_or(flaw("it does not start with a number"))?;
        let pre = take_pre(&mut rest);
        let post = take_post(&mut rest);
        let dev = take_labelled(&mut rest, &["dev"]);
        if !rest.is_empty() {
            return Err(flaw("it does not follow PEP 440"));
        }
        if let Some(local) = local {
            let well_formed = local_segments(local)
                .all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_alphanumeric));
            if !well_formed {
                return Err(flaw("its local part does not follow PEP 440"));
            }
        }
        Ok(Version {
            epoch,
            release,
            pre,
            post,
            dev,
            local,
        })
    }

    /// Where the version stands by its pre-release: a bare dev release comes before all
    /// pre-releases, and a final or post release after them.
    fn pre_key(&self) -> u8 {
        match (self.pre, self.post, self.dev) {
            (Some((phase, _)), _, _) => 1 + phase as u8,
            (None, None, Some(_)) => 0,
            _ => 4,
        }
    }

    fn pre_number(&self) -> &'a [u8] {
        self.pre.map_or(b"", |(_, number)| number)
    }
}

fn take_release<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = *rest;
    let mut length = 0;
    loop {
        let here = start.get(length..)?;
        // A dot belongs to the release only when a digit follows.
        let after_dot = match here.split_first() {
            Some((b'.', after)) if length > 0 => after,
            _ if length > 0 => break,
            _ => here,
        };
        let (number, _) = split_while(after_dot, |c| c.is_ascii_digit());
        if number.is_empty() {
            break;
        }
        length += here.len() - after_dot.len() + number.len();
    }
    let (release, tail) = start.split_at_checked(length)?;
    *rest = tail;
    (!release.is_empty()).then_some(release)
}

fn take_pre<'a>(rest: &mut &'a [u8]) -> Option<(Phase, &'a [u8])> {
    // Longer words before their own beginnings.
    const WORDS: [(Phase, &[&str]); 3] = [
        (Phase::Alpha, &["alpha", "a"]),
        (Phase::Beta, &["beta", "b"]),
        (Phase::Candidate, &["preview", "pre", "rc", "c"]),
    ];
    WORDS
        .iter()
        .find_map(|(phase, words)| take_labelled(rest, words).map(|number| (*phase, number)))
}

fn take_post<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    // `1.0-1` is the post release 1; the number is not optional in this spelling.
    if let Some((b'-', after)) = rest.split_first() {
        let (number, tail) = split_while(after, |c| c.is_ascii_digit());
        if !number.is_empty() {
            *rest = tail;
            return Some(number);
        }
    }
    take_labelled(rest, &["post", "rev", "r"])
}

/// Reads `[sep]label[sep][digits]` and gives the digits, "" when there are none.
fn take_labelled<'a>(rest: &mut &'a [u8], labels: &[&str]) -> Option<&'a [u8]> {
    let text = skip_separator(rest);
    let after = labels.iter().find_map(|label| {
        let (start, after) = text.split_at_checked(label.len())?;
        start
            .eq_ignore_ascii_case(label.as_bytes())
            .then_some(after)
    })?;
    // The separator is taken even when no digit follows, as PEP 440's own expression does.
    let (number, tail) = split_while(skip_separator(after), |c| c.is_ascii_digit());
    *rest = tail;
    Some(number)
}

fn skip_separator(text: &[u8]) -> &[u8] {
    match text.split_first() {
        Some((b'.' | b'-' | b'_', after)) => after,
        _ => text,
    }
}

/// Absence sorts first.
fn compare_optional(a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => digits::compare(a, b),
        _ => a.is_some().cmp(&b.is_some()),
    }
}

/// Segment by segment: numbers above text, text without regard to case, fewer segments
/// below more, absence below all.
fn compare_local<'a>(a: Option<&'a [u8]>, b: Option<&'a [u8]>) -> Ordering {
    let (Some(a), Some(b)) = (a, b) else {
        return a.is_some().cmp(&b.is_some());
    };
    let (mut a, mut b) = (local_segments(a), local_segments(b));
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (Some(x), Some(y)) => (x, y),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        };
        let order = match (is_number(x), is_number(y)) {
            (true, true) => digits::compare(x, y),
            (false, false) => {
                let lower = |text: &'a [u8]| text.iter().map(u8::to_ascii_lowercase);
                lower(x).cmp(lower(y))
            }
            (x_is_number, y_is_number) => x_is_number.cmp(&y_is_number),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn local_segments(local: &[u8]) -> impl Iterator<Item = &[u8]> {
    local.split(|c| matches!(c, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use crate::version::VersionScheme::Pep440;
    use crate::version::testing::{check_ascending, check_pairs, check_unreadable};

    #[test]
    fn phases_of_a_release_sort_as_the_pep_says() {
        check_ascending(
            Pep440,
            &[
                &["1.0.dev0", "1.0dev", "1.dev0", "1.0-DEV"],
                &["1.0.dev456"],
                &["1.0a0.dev1"],
                &["1.0a", "1.0a0", "1.0alpha", "1.0.ALPHA-0", "1.0_a", "1.0a."],
                &["1.0a1"],
                &["1.0a2.dev456"],
                &["1.0a12.dev456"],
                &["1.0a12"],
                &["1.0b1.dev456"],
                &["1.0b2", "1.0-beta.2"],
                &["1.0b2.post345.dev456"],
                &["1.0b2.post345"],
                &["1.0rc1.dev456"],
                &["1.0rc1", "1.0c1", "1.0-pre_1", "1.0preview1"],
                &["1.0", "1", "1.0.0", "v1.0", "0!1.0", " 1.0 ", "01.00"],
                &["1.0+abc.5"],
                &["1.0+abc.7", "1.0+ABC-7"],
                &["1.0+5"],
                &["1.0+5.0"],
                &["1.0+10"],
                &["1.0.post0.dev1"],
                &["1.0.post0", "1.0-0", "1.0post", "1.0.rev", "1.0r0"],
                &["1.0.post456.dev34"],
                &["1.0.post456", "1.0-456"],
                &["1.0.1"],
                &["1.1.dev1"],
                &["1.10"],
                &["2013.10"],
                &["1!0.1"],
            ],
        );
    }

    #[test]
    fn real_pairs_from_the_index() {
        check_pairs(
            Pep440,
            &[
                ("2.31.0", '>', "2.4.0"),
                ("1.26.17", '<', "2.0.6"),
                ("3.2.0rc1", '<', "3.2"),
                ("4.2.0.post1", '>', "4.2"),
                ("2.0.0.dev20240101", '<', "2.0.0a1"),
                ("1.11.0+cu113", '>', "1.11.0"),
                ("99999999999999999999.1", '<', "100000000000000000000.0"),
            ],
        );
    }

    #[test]
    fn legacy_versions_are_unreadable() {
        check_unreadable(
            Pep440,
            &[
                "abc",
                "1.0-foo",
                "1.0.",
                "1..0",
                "french toast",
                "1.0+",
                "1.0+a..b",
                "1.0+a+b",
                "!1",
                "1!",
                "1.0a1b1",
                "1.0.post1.post2",
                "v",
                "1.0.dev1.post1",
                "1.0 .1",
                "=1.0",
                "1.0x",
                "2.0-SNAPSHOT",
                "1.0\u{0661}",
            ],
        );
    }
}
