//! The generic rule: a name that says "secret" is given a value that looks like one.
//!
//! `API_TOKEN = "…"`, `password: …`, `"client_secret": "…"`. As a regular expression this one
//! rule took nine tenths of all matching time in every engine that was measured, so it is
//! scanned by hand: from the keyword over the rest of the name, an operator and quotes to the
//! value, without ever going back.

use std::ops::Range;

use crate::entropy::shannon;
use crate::placeholder::is_placeholder;

/// Words that make a name suspicious; each at least four bytes, lower case.
pub const KEYWORDS: &[&str] = &[
    "passwd",
    "password",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "access-key",
    "accesskey",
    "auth_key",
    "authkey",
    "private_key",
    "privatekey",
    "client_key",
    "encryption_key",
    "signing_key",
    "credential",
];

/// Names in which such a word means no secret: digests, counts, public halves.
const HARMLESS: &[&str] = &[
    "sha1",
    "sha256",
    "sha512",
    "hash",
    "digest",
    "checksum",
    "public",
    "length",
    "_size",
    "_len",
    "_type",
    "_name",
    "_file",
    "_path",
    "_url",
    "_uri",
    "_id",
    "count",
    "tokenize",
    "tokenizer",
    "expire",
    "expiry",
    "timeout",
];

const NAME_BYTES: usize = 48;
const SPACES: usize = 16;
const VALUE_BYTES: usize = 200;
const SHORTEST_VALUE: usize = 8;

/// Where a file allows values without quotes: `KEY=value` files, not program source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// The value must be quoted, as in source code, where a bare word is a name.
    Required,
    /// Bare values count.
    Optional,
    /// No value counts: what looks like an assignment in a binary is chance.
    Never,
}

/// The value assigned to the name around a keyword at `position`, where it looks like a secret.
pub fn value_at(haystack: &[u8], position: usize, quotes: Quotes) -> Option<Range<usize>> {
    if quotes == Quotes::Never {
        return None;
    }
    let name_start = haystack[..position]
        .iter()
        .rev()
        .take(NAME_BYTES)
        .position(|b| !is_name(*b))
        .map_or(position.saturating_sub(NAME_BYTES), |back| position - back);
    let mut at = skip(haystack, position, NAME_BYTES, is_name)?;
    let name = haystack.get(name_start..at)?.to_ascii_lowercase();
    // `account_password` counts nothing.
    let is_meant = |word: &[u8], at: usize| word != b"count" || !name[..at].ends_with(b"ac");
    if HARMLESS.iter().map(|word| word.as_bytes()).any(|word| {
        let mut windows = name.windows(word.len()).enumerate();
        windows.any(|(at, window)| window == word && is_meant(word, at))
    }) {
        return None;
    }
    at = behind_operator(haystack, at)?;
    at = skip(haystack, at, SPACES, is_space)?;
    let quote = match haystack.get(at)? {
        quote @ (b'"' | b'\'' | b'`') => Some(*quote),
        _ => None,
    };
    let range = match quote {
        Some(quote) => {
            let start = at + 1;
            let end = skip(haystack, start, VALUE_BYTES, |b| b != quote && b != b'\n')?;
            // Unclosed within reach: prose or a long text, no secret.
            (haystack.get(end) == Some(&quote)).then_some(start..end)?
        }
        None if quotes != Quotes::Optional => return None,
        None => {
            let end = skip(haystack, at, VALUE_BYTES, is_bare)?;
            at..end
        }
    };
    looks_secret(&haystack[range.clone()]).then_some(range)
}

/// Whether the name that goes on at `at` is given a value.
pub(crate) fn is_assigned(haystack: &[u8], at: usize) -> bool {
    skip(haystack, at, NAME_BYTES, is_name)
        .and_then(|end| behind_operator(haystack, end))
        .is_some()
}

/// From the end of a name over `"]` and spaces to the place behind the operator:
/// `"name": `, `['name'] = `.
fn behind_operator(haystack: &[u8], at: usize) -> Option<usize> {
    let at = skip(haystack, at, 2, |b| matches!(b, b'"' | b'\'' | b']'))?;
    let at = skip(haystack, at, SPACES, is_space)?;
    operator(haystack, at)
}

/// The place behind an assignment operator.
fn operator(haystack: &[u8], at: usize) -> Option<usize> {
    let rest = haystack.get(at..)?;
    match rest {
        // Comparisons and scope operators assign nothing.
        [b'=', b'=', ..] | [b':', b':', ..] => None,
        [b'=', b'>', ..] | [b':', b'=', ..] => Some(at + 2),
        [b'=' | b':', ..] => Some(at + 1),
        _ => None,
    }
}

/// Whether a value could be a secret: long and mixed enough, and no path, name or call.
fn looks_secret(value: &[u8]) -> bool {
    if value.len() < SHORTEST_VALUE || value.iter().any(|b| is_space(*b) || !b.is_ascii_graphic()) {
        return false;
    }
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    if letters == 0 || digits == 0 {
        return false;
    }
    let is_path = value.starts_with(b"/") || value.starts_with(b"./") || value.contains(&b'\\');
    let is_url = value.windows(3).any(|w| w == b"://");
    let is_code = value
        .iter()
        .any(|b| matches!(b, b'(' | b')' | b'{' | b'}' | b'<' | b'>' | b'['));
    // `some.module.name2`, `some_setting_2`, `SOME_CONSTANT_2`: words joined by one separator.
    let words = value.split(|b| matches!(b, b'.' | b'_' | b'-' | b':' | b'/'));
    let is_name = words.clone().count() > 1
        && words.clone().all(|word| {
            word.iter().all(u8::is_ascii_digit) || !word.iter().any(u8::is_ascii_digit)
        });
    !(is_path || is_url || is_code || is_name) && shannon(value) >= 3.0 && !is_placeholder(value)
}

/// The first place from `at` whose byte is refused; `None` past the end or the limit.
fn skip(haystack: &[u8], at: usize, most: usize, pass: impl Fn(u8) -> bool) -> Option<usize> {
    let rest = haystack.get(at..)?;
    let count = rest.iter().take(most + 1).take_while(|b| pass(**b)).count();
    (count <= most).then_some(at + count)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_bare(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b',' | b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, quotes: Quotes, expected: Option<&str>) {
        let lower = text.to_ascii_lowercase();
        let position = KEYWORDS
            .iter()
            .filter_map(|k| lower.find(k))
            .min()
            .expect("a keyword");
        let found = value_at(text.as_bytes(), position, quotes);
        assert_eq!(found.map(|range| &text[range]), expected, "{text}");
    }

    #[test]
    fn values_of_suspicious_names_are_found_in_the_usual_spellings() {
        let value = "q8Zr2LmX0vTn5KdY";
        for text in [
            format!("api_token = \"{value}\""),
            format!("\"client_secret\": \"{value}\","),
            format!("config['password'] => '{value}'"),
            format!("apiKey:='{value}';"),
            format!("account_password = '{value}'"),
        ] {
            check(&text, Quotes::Required, Some(value));
        }
        check(
            &format!("DB_PASSWORD={value}\n"),
            Quotes::Optional,
            Some(value),
        );
        check(&format!("DB_PASSWORD={value}\n"), Quotes::Required, None);
    }

    #[test]
    fn names_paths_calls_and_examples_are_not_secrets() {
        for text in [
            "password = \"changeme123\"",
            "token == \"q8Zr2LmX0vTn5KdY\"",
            "password_file = \"/run/secrets/db1pass\"",
            "secret = \"settings.base_2.value\"",
            "token = \"https://host1/path\"",
            "token_sha256 = \"q8Zr2LmX0vTn5KdY\"",
            "secret: \"only letters here\"",
            "password = \"getPassword(user1)\"",
        ] {
            check(text, Quotes::Optional, None);
        }
    }
}
