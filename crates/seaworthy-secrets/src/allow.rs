//! Allow lists: secrets that are known and meant to be where they are.
//!
//! ```toml
//! [[secret-allow]]
//! path = "app/tests/**"
//! rule = "json-web-token"
//! sha256 = "…"          # of the value, `printf %s VALUE | sha256sum`
//! reason = "made up for the tests"
//! expires = 2026-12-31
//! ```
//!
//! All conditions of an entry must hold. Those on the value are tried while the value is at
//! hand, in the pass over the bytes; those on place and rule when findings are made. Nothing
//! that is set aside vanishes: it is counted, by reason.
//!
//! Comments on the line of a secret do the same ([`is_allowed_inline`]).

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};
use seaworthy_core::{SecretAllow, SecretEvidence};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::rule::without_source;

/// Entries of one list.
const MAX_ENTRIES: usize = 10_000;
/// How far from a value its line is looked at, in bytes.
const LINE_BYTES: usize = 512;

/// Words of a comment that set a secret on the same line aside: ours, and those of gitleaks,
/// TruffleHog, detect-secrets, Kingfisher and Semgrep-like linters.
const COMMENTS: &[&[u8]] = &[
    b"seaworthy:allow",
    b"gitleaks:allow",
    b"betterleaks:allow",
    b"trufflehog:ignore",
    b"kingfisher:ignore",
    b"pragma: allowlist secret",
    b"ggignore",
    b"nosecret",
];

/// Why an allow list can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// The file is no TOML of the expected shape.
    #[error("cannot read the allow list: {0}")]
    Syntax(String),
    /// One entry is wrong.
    #[error("entry {number} of the allow list: {message}\n  hint: {hint}")]
    Entry {
        /// Its place, counted from 1.
        number: usize,
        /// What is wrong.
        message: String,
        /// What to write.
        hint: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AllowFile {
    #[serde(default)]
    secret_allow: Vec<toml::Spanned<toml::Table>>,
}

/// Reads a file of `[[secret-allow]]` tables.
///
/// # Errors
///
/// What TOML or the shape of an entry refuses.
pub fn parse(text: &str) -> Result<Vec<SecretAllow>, AllowError> {
    let file: AllowFile =
        toml::from_str(text).map_err(|error| AllowError::Syntax(without_source(text, &error)))?;
    let entry = |table: toml::Spanned<toml::Table>| {
        let before = text.get(..table.span().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let mut table = table.into_inner();
        // A day may be written with or without quotes.
        if let Some(day @ toml::Value::Datetime(_)) = table.get_mut("expires") {
            *day = toml::Value::String(day.to_string());
        }
        let mut entry: SecretAllow = table.try_into().map_err(|error| {
            let message = without_source("", &error);
            AllowError::Syntax(format!("the entry on line {line}: {message}"))
        })?;
        entry.line = line;
        Ok(entry)
    };
    file.secret_allow.into_iter().map(entry).collect()
}

/// A compiled list.
#[derive(Debug, Default)]
pub struct AllowList {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    entry: SecretAllow,
    pattern: Option<Regex>,
}

impl AllowList {
    /// Compiles a list.
    ///
    /// # Errors
    ///
    /// An entry without a condition or a reason, with a hash that is none, a pattern that does
    /// not compile, or a day that is none.
    pub fn new(entries: Vec<SecretAllow>) -> Result<AllowList, AllowError> {
        let wrong = |number: usize, message: String, hint| AllowError::Entry {
            number: number + 1,
            message,
            hint,
        };
        if entries.len() > MAX_ENTRIES {
            return Err(wrong(
                MAX_ENTRIES,
                format!("the list has more than {MAX_ENTRIES} entries"),
                "allow a path or a rule instead of single values",
            ));
        }
        let mut compiled = Vec::with_capacity(entries.len());
        for (number, mut entry) in entries.into_iter().enumerate() {
            if entry.reason.trim().is_empty() {
                return Err(wrong(
                    number,
                    "it has no `reason`".to_owned(),
                    "say in a sentence why the secret may be there; the report shows it",
                ));
            }
            let conditions = [
                &entry.path,
                &entry.rule,
                &entry.fingerprint,
                &entry.sha256,
                &entry.pattern,
                &entry.stop_word,
            ];
            if conditions.iter().all(|condition| condition.is_none())
                || conditions.iter().any(|text| text.as_deref() == Some(""))
            {
                return Err(wrong(
                    number,
                    "it has no condition, or an empty one".to_owned(),
                    "give at least one of path, rule, fingerprint, sha256, pattern, stop-word",
                ));
            }
            if let Some(sha256) = &mut entry.sha256 {
                sha256.make_ascii_lowercase();
                if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(wrong(
                        number,
                        "`sha256` is not 64 hexadecimal digits".to_owned(),
                        "make it with `printf %s VALUE | sha256sum`",
                    ));
                }
            }
            if let Some(word) = &mut entry.stop_word {
                word.make_ascii_lowercase();
            }
            if entry.expires.as_deref().is_some_and(|day| !is_day(day)) {
                return Err(wrong(
                    number,
                    "`expires` is not a date".to_owned(),
                    "write it as `expires = \"2026-12-31\"`: the last day on which it applies",
                ));
            }
            let pattern = match &entry.pattern {
                None => None,
                Some(pattern) => Some(compile(pattern).map_err(|error| {
                    wrong(
                        number,
                        format!("its pattern does not compile: {error}"),
                        "look-around and back-references are not there",
                    )
                })?),
            };
            compiled.push(Entry { entry, pattern });
        }
        Ok(AllowList { entries: compiled })
    }

    /// Places of the entries whose conditions on the value hold. Entries without such a
    /// condition are not among them.
    pub(crate) fn by_value(&self, value: &[u8]) -> Vec<u32> {
        let mut digest = None;
        let mut folded = None;
        (0_u32..)
            .zip(&self.entries)
            .filter(|(_, allow)| {
                let entry = &allow.entry;
                has_value_condition(entry)
                    && entry
                        .sha256
                        .as_ref()
                        .is_none_or(|wanted| digest.get_or_insert_with(|| sha256(value)) == wanted)
                    && entry.stop_word.as_ref().is_none_or(|word| {
                        let folded: &Vec<u8> =
                            folded.get_or_insert_with(|| value.to_ascii_lowercase());
                        memchr::memmem::find(folded, word.as_bytes()).is_some()
                    })
                    && allow
                        .pattern
                        .as_ref()
                        .is_none_or(|pattern| pattern.is_match(value))
            })
            .map(|(place, _)| place)
            .collect()
    }

    /// The first entry that sets a secret aside on `today` (`YYYY-MM-DD`). `path` is that of
    /// the file, without a leading slash; `None` for a place that is no file.
    pub fn covers(
        &self,
        secret: &SecretEvidence,
        path: Option<&str>,
        today: &str,
    ) -> Option<&SecretAllow> {
        self.covering(secret, path, today).map(|(_, entry)| entry)
    }

    /// The same with the entry's place.
    pub(crate) fn covering(
        &self,
        secret: &SecretEvidence,
        path: Option<&str>,
        today: &str,
    ) -> Option<(u32, &SecretAllow)> {
        (0_u32..)
            .zip(&self.entries)
            .map(|(place, allow)| (place, &allow.entry))
            .find(|(place, entry)| {
                (!has_value_condition(entry) || secret.allowed_by.contains(place))
                    && entry.expires.as_deref().is_none_or(|last| today <= last)
                    && entry.rule.as_ref().is_none_or(|rule| *rule == secret.rule)
                    && entry
                        .fingerprint
                        .as_ref()
                        .is_none_or(|wanted| wanted.eq_ignore_ascii_case(&secret.fingerprint))
                    && entry
                        .path
                        .as_deref()
                        .is_none_or(|glob| path.is_some_and(|path| glob_matches(glob, path)))
            })
    }

    /// What the owner of the list should know: entries that expired before `today`, that name
    /// a rule nobody knows, and that are not among the `used`.
    pub(crate) fn notes(
        &self,
        today: &str,
        is_rule: impl Fn(&str) -> bool,
        used: &BTreeSet<u32>,
    ) -> Vec<String> {
        let note = |(place, allow): (u32, &Entry)| {
            let entry = &allow.entry;
            let line = match entry.line {
                0 => String::new(),
                line => format!(" (line {line})"),
            };
            let name = format!("the allow entry for {}{line}", name_of(entry));
            let expired = entry.expires.as_deref().filter(|last| today > *last);
            let unknown = entry.rule.as_deref().filter(|rule| !is_rule(rule));
            match (expired, unknown) {
                (Some(last), _) => Some(format!("{name} expired on {last} and no longer applies")),
                (None, Some(rule)) => Some(format!(
                    "{name} names the rule `{}`, which does not exist",
                    rule.escape_debug()
                )),
                (None, None) if !used.contains(&place) => {
                    Some(format!("{name} sets nothing aside"))
                }
                (None, None) => None,
            }
        };
        (0_u32..).zip(&self.entries).filter_map(note).collect()
    }

    /// What decides on [`AllowList::by_value`], for keys of caches.
    pub(crate) fn value_conditions(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(|allow| {
            let entry = &allow.entry;
            format!("{:?}", (&entry.sha256, &entry.pattern, &entry.stop_word))
        })
    }
}

/// What an entry is about. A pattern or a word may be part of a secret and is not shown.
fn name_of(entry: &SecretAllow) -> String {
    match (&entry.path, &entry.rule) {
        (Some(text), _) | (None, Some(text)) => format!("`{}`", text.escape_debug()),
        (None, None) => "a value".to_owned(),
    }
}

fn has_value_condition(entry: &SecretAllow) -> bool {
    entry.sha256.is_some() || entry.pattern.is_some() || entry.stop_word.is_some()
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(1 << 20)
        .dfa_size_limit(1 << 20)
        .build()
}

fn sha256(value: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(value) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether a text is a day, `YYYY-MM-DD`: such days sort as texts.
pub(crate) fn is_day(text: &str) -> bool {
    let form = |(place, byte): (usize, u8)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(form)
}

/// Whether the line of `range` carries a comment that says that the secret is meant.
pub fn is_allowed_inline(text: &[u8], range: &std::ops::Range<usize>) -> bool {
    let before = text.get(..range.start).unwrap_or_default();
    let before = &before[before.len().saturating_sub(LINE_BYTES)..];
    let start = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let after = text.get(range.end..).unwrap_or_default();
    let after = &after[..after.len().min(LINE_BYTES)];
    let end = after
        .iter()
        .position(|b| *b == b'\n')
        .unwrap_or(after.len());
    [&before[start..], &after[..end]]
        .iter()
        .any(|part| COMMENTS.iter().any(|word| contains_folded(part, word)))
}

fn contains_folded(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

/// Matches a path with a glob: `*` is any text inside one component, `?` one character of it,
/// `**` any number of whole components.
///
/// Takes time in the product of both lengths at most; both are cut at 4096 bytes.
pub fn glob_matches(glob: &str, path: &str) -> bool {
    let glob = glob.trim_start_matches('/');
    let path = path.trim_start_matches('/');
    if glob.len() > 4096 || path.len() > 4096 {
        return false;
    }
    let globs: Vec<&str> = glob.split('/').collect();
    let parts: Vec<&str> = path.split('/').collect();
    // `reached[i]`: the globs so far take the first `i` components.
    let mut reached = vec![false; parts.len() + 1];
    reached[0] = true;
    for glob in globs {
        let mut next = vec![false; parts.len() + 1];
        if glob == "**" {
            let mut any = false;
            for (to, from) in next.iter_mut().zip(&reached) {
                any |= *from;
                *to = any;
            }
        } else {
            for (place, part) in parts.iter().enumerate() {
                if reached[place] && component_matches(glob.as_bytes(), part.as_bytes()) {
                    next[place + 1] = true;
                }
            }
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

/// Greedy with one place to come back to: linear but for that.
fn component_matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == text[t] => {
                g += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((star_at, taken)) => {
                    *taken += 1;
                    (g, t) = (*star_at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    glob.get(g..).unwrap_or_default().iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(change: impl FnOnce(&mut SecretAllow)) -> SecretAllow {
        let mut entry = SecretAllow {
            reason: "a test".to_owned(),
            ..SecretAllow::default()
        };
        change(&mut entry);
        entry
    }

    fn secret(allowed_by: Vec<u32>) -> SecretEvidence {
        SecretEvidence {
            inside: None,
            offset: 0,
            line: None,
            rule: "test-key".to_owned(),
            redacted: String::new(),
            fingerprint: "abcd".to_owned(),
            nature: None,
            allowed_inline: false,
            allowed_by,
        }
    }

    #[test]
    fn all_conditions_of_an_entry_must_hold() {
        let value = b"q8Zr2LmX0vTn";
        let list = AllowList::new(vec![
            entry(|e| {
                e.sha256 = Some(sha256(value).to_ascii_uppercase());
                e.path = Some("/app/**/*.env".into());
            }),
            entry(|e| e.pattern = Some("^never$".into())),
            entry(|e| e.stop_word = Some("Q8ZR".into())),
        ])
        .unwrap();
        assert_eq!(list.by_value(value), [0, 2]);
        let only_first = secret(vec![0]);
        assert!(
            list.covers(&only_first, Some("app/a/b/x.env"), "2026-01-01")
                .is_some()
        );
        assert!(
            list.covers(&only_first, Some("srv/x.env"), "2026-01-01")
                .is_none()
        );
        assert!(list.covers(&only_first, None, "2026-01-01").is_none());
        assert!(list.covers(&secret(vec![2]), None, "2026-01-01").is_some());
    }

    #[test]
    fn an_entry_ends_after_its_last_day() {
        let list = AllowList::new(vec![entry(|e| {
            e.fingerprint = Some("ABCD".into());
            e.expires = Some("2026-05-01".into());
        })])
        .unwrap();
        assert!(list.covers(&secret(vec![]), None, "2026-05-01").is_some());
        assert!(list.covers(&secret(vec![]), None, "2026-05-02").is_none());
    }

    #[test]
    fn entries_that_expired_name_no_rule_or_set_nothing_aside_are_told() {
        let list = AllowList::new(vec![
            entry(|e| {
                e.path = Some("conf/**".into());
                e.expires = Some("2020-01-01".into());
                e.line = 1;
            }),
            entry(|e| e.rule = Some("no-such-rule".into())),
            entry(|e| e.stop_word = Some("harbour".into())),
            entry(|e| e.path = Some("used".into())),
        ])
        .unwrap();
        let notes = list.notes("2026-01-01", |rule| rule == "a", &BTreeSet::from([3]));
        assert_eq!(
            notes,
            [
                "the allow entry for `conf/**` (line 1) expired on 2020-01-01 and no longer applies",
                "the allow entry for `no-such-rule` names the rule `no-such-rule`, which does not \
                 exist",
                "the allow entry for a value sets nothing aside",
            ]
        );
    }

    #[test]
    fn an_entry_without_condition_reason_or_sense_is_an_error_that_names_it() {
        for (wrong, word) in [
            (entry(|_| {}), "no condition"),
            (
                SecretAllow {
                    rule: Some("x".into()),
                    ..SecretAllow::default()
                },
                "no `reason`",
            ),
            (entry(|e| e.sha256 = Some("12".into())), "sha256"),
            (entry(|e| e.pattern = Some("(".into())), "does not compile"),
            (
                entry(|e| {
                    e.rule = Some("x".into());
                    e.expires = Some("soon".into());
                }),
                "not a date",
            ),
        ] {
            let error = AllowList::new(vec![entry(|e| e.rule = Some("x".into())), wrong]);
            let message = error.unwrap_err().to_string();
            assert!(
                message.starts_with("entry 2") && message.contains(word),
                "{message}"
            );
        }
        assert!(parse("[[secret-allow]]\nwhat = 1\nreason = \"x\"").is_err());
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_line_and_without_its_text() {
        let value = ["q8Zr2LmX", "0vTn5KdY"].concat();
        for (text, line) in [
            (format!("# x\nreason={value}\n"), "line 2"),
            (
                format!("[[secret-allow]]\nreason=\"x\"\npath=[\"{value}\"]\n"),
                "line 1",
            ),
            (format!("secret-allow = \"{value}\"\n"), "line 1"),
        ] {
            let said = parse(&text).unwrap_err().to_string();
            assert!(said.contains(line) && !said.contains(&value[4..]), "{said}");
            let said = crate::rule::parse(&text.replace("secret-allow", "rule"))
                .unwrap_err()
                .to_string();
            assert!(
                said.contains("line ") && !said.contains(&value[4..]),
                "{said}"
            );
        }
    }

    #[test]
    fn comments_count_on_the_line_of_the_secret_only() {
        let text = b"a = 'VALUE' # gitleaks:allow\nb = 'VALUE'\n# seaworthy:ALLOW c = 'VALUE'\n";
        let lines: Vec<bool> = memchr::memmem::find_iter(text, b"VALUE")
            .map(|at| is_allowed_inline(text, &(at..at + 5)))
            .collect();
        assert_eq!(lines, [true, false, true]);
    }

    #[test]
    fn globs_know_components() {
        for (glob, path, expected) in [
            ("app/*.env", "app/x.env", true),
            ("app/*.env", "app/y/x.env", false),
            ("**/x.env", "x.env", true),
            ("app/**", "app/a/b", true),
            ("/app/**/t?st/*", "app/a/test/k", true),
            ("app", "app/a", false),
            ("a*b*c", "aXbbYc", true),
            ("a*b*c", "aXbbY", false),
        ] {
            assert_eq!(glob_matches(glob, path), expected, "{glob} {path}");
        }
    }
}
