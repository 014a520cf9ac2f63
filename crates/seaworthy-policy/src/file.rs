//! The policy file, `seaworthy.toml`.
//!
//! ```toml
//! fail-on = "high"                # or "none"
//! show = "low"
//! fail-on-unfixed = true
//! fail-on-known-exploited = true
//! accept-gaps = ["end-of-life-release"]
//! accept-problems = ["unsafe-path"]
//!
//! [[ignore]]
//! id = "CVE-2023-1234"            # or an alias, a rule, a fingerprint
//! package = "openssl"             # optional
//! path = "usr/lib/python3"        # optional
//! subject = "web"                 # optional, of an audit: a container, image or network
//! reason = "the parser is not reachable: input is signed"
//! expires = 2026-12-31            # optional, last day it applies
//!
//! [[secret-allow]]                # secrets set aside before they are findings
//! path = "app/tests/**"           # at least one of path, rule, fingerprint, sha256 (of the
//! rule = "json-web-token"         # value), pattern (on the value), stop-word
//! reason = "made up for the tests"
//! ```
//!
//! The file decides whether a deployment goes ahead, so nothing in it is guessed: an
//! unknown key, a word that is none, a missing reason are errors that name their line.

use jiff::civil::Date;
use seaworthy_core::{SecretAllow, Severity};
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{Ignore, Policy, nearest, parse_word};

/// Why a policy file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}\n  hint: {hint}")]
pub struct PolicyError {
    /// Line of the file, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

type Value<'a> = Spanned<DeValue<'a>>;
type Setter = fn(&mut Policy, &Reader<'_>, &Value<'_>) -> Result<(), PolicyError>;

/// The keys of the file. A new one is a line here.
const KEYS: &[(&str, Setter)] = &[
    ("fail-on", |policy, reader, value| {
        policy.fail_on = match reader.text(value)? {
            "none" => None,
            _ => Some(reader.word(value, &["none"])?),
        };
        Ok(())
    }),
    ("show", |policy, reader, value| {
        policy.show = reader.word::<Severity>(value, &[])?;
        Ok(())
    }),
    ("fail-on-unfixed", |policy, reader, value| {
        policy.fail_on_unfixed = reader.boolean(value)?;
        Ok(())
    }),
    ("fail-on-known-exploited", |policy, reader, value| {
        policy.fail_on_known_exploited = reader.boolean(value)?;
        Ok(())
    }),
    ("accept-gaps", |policy, reader, value| {
        policy.accept_gaps = reader.words(value)?;
        Ok(())
    }),
    ("accept-problems", |policy, reader, value| {
        policy.accept_problems = reader.words(value)?;
        Ok(())
    }),
    ("ignore", |policy, reader, value| {
        policy.ignore = reader.ignores(value)?;
        Ok(())
    }),
    ("secret-allow", |policy, reader, value| {
        policy.secret_allow = reader.secret_allows(value)?;
        Ok(())
    }),
];

const ALLOW_KEYS: &[&str] = &[
    "path",
    "rule",
    "fingerprint",
    "sha256",
    "pattern",
    "stop-word",
    "reason",
    "expires",
];

const IGNORE_KEYS: &[&str] = &["id", "package", "path", "subject", "reason", "expires"];

impl Policy {
    /// Reads a policy file. Keys it does not set have the values of [`Policy::default`].
    ///
    /// # Errors
    ///
    /// The first thing that is not as the format wants it, with its line.
    ///
    /// ```
    /// # use seaworthy_policy::Policy;
    /// let error = Policy::from_toml("fail_on = \"low\"").unwrap_err();
    /// assert_eq!(error.to_string(), "line 1: unknown key `fail_on`\n  hint: did you mean `fail-on`?");
    /// ```
    pub fn from_toml(text: &str) -> Result<Policy, PolicyError> {
        let reader = Reader { text };
        let table = DeTable::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            reader.error(
                start,
                format!("not valid TOML: {}", one_line(error.message())),
                "strings need quotes, and each exception starts with `[[ignore]]`",
            )
        })?;
        let mut policy = Policy::default();
        for (key, value) in table.get_ref() {
            let name: &str = key.get_ref();
            let Some((_, set)) = KEYS.iter().find(|(known, _)| *known == name) else {
                let keys = KEYS.iter().map(|(known, _)| *known);
                return Err(reader.unknown_key(key.span().start, name, keys));
            };
            set(&mut policy, &reader, value)?;
        }
        Ok(policy)
    }
}

struct Reader<'t> {
    text: &'t str,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn error(
        &self,
        offset: usize,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> PolicyError {
        PolicyError {
            line: self.line(offset),
            message: message.into(),
            hint: hint.into(),
        }
    }

    fn unknown_key<'a>(
        &self,
        offset: usize,
        name: &str,
        keys: impl Iterator<Item = &'a str> + Clone,
    ) -> PolicyError {
        let hint = match nearest(name, keys.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys are {}", keys.collect::<Vec<_>>().join(", ")),
        };
        self.error(offset, format!("unknown key `{}`", shown(name)), hint)
    }

    fn text<'v>(&self, value: &'v Value<'_>) -> Result<&'v str, PolicyError> {
        value.get_ref().as_str().ok_or_else(|| {
            self.error(
                value.span().start,
                format!("expected a text, found {}", value.get_ref().type_str()),
                "write it in quotes",
            )
        })
    }

    fn boolean(&self, value: &Value<'_>) -> Result<bool, PolicyError> {
        value.get_ref().as_bool().ok_or_else(|| {
            self.error(
                value.span().start,
                format!(
                    "expected true or false, found {}",
                    value.get_ref().type_str()
                ),
                "write `true` or `false` without quotes",
            )
        })
    }

    fn word<T: for<'de> Deserialize<'de>>(
        &self,
        value: &Value<'_>,
        also: &[&str],
    ) -> Result<T, PolicyError> {
        let word = self.text(value)?;
        parse_word(word).map_err(|words| {
            let all = words.iter().chain(also).copied().collect::<Vec<_>>();
            let hint = match nearest(word, all.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use one of {}", all.join(", ")),
            };
            self.error(
                value.span().start,
                format!("unknown word `{}`", shown(word)),
                hint,
            )
        })
    }

    fn words<T: for<'de> Deserialize<'de>>(
        &self,
        value: &Value<'_>,
    ) -> Result<Vec<T>, PolicyError> {
        let Some(array) = value.get_ref().as_array() else {
            return Err(self.error(
                value.span().start,
                format!("expected a list, found {}", value.get_ref().type_str()),
                "write it as `[\"one\", \"two\"]`",
            ));
        };
        array.iter().map(|value| self.word(value, &[])).collect()
    }

    fn ignores(&self, value: &Value<'_>) -> Result<Vec<Ignore>, PolicyError> {
        let Some(array) = value.get_ref().as_array() else {
            return Err(self.error(
                value.span().start,
                "`ignore` is not a list of tables",
                "start each exception with `[[ignore]]` on a line of its own",
            ));
        };
        array.iter().map(|value| self.ignore(value)).collect()
    }

    fn ignore(&self, value: &Value<'_>) -> Result<Ignore, PolicyError> {
        let start = value.span().start;
        let Some(table) = value.get_ref().as_table() else {
            return Err(self.error(
                start,
                "an exception is not a table",
                "write `[[ignore]]` and its keys below, or `{ id = \"…\", reason = \"…\" }`",
            ));
        };
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !IGNORE_KEYS.contains(&name) {
                return Err(self.unknown_key(key.span().start, name, IGNORE_KEYS.iter().copied()));
            }
        }
        let filled = |key: &str| -> Result<Option<String>, PolicyError> {
            let Some(value) = table.get(key) else {
                return Ok(None);
            };
            let text = self.text(value)?.trim();
            if text.is_empty() {
                return Err(self.error(
                    value.span().start,
                    format!("`{key}` is empty"),
                    "fill it in or leave the key out",
                ));
            }
            Ok(Some(text.to_owned()))
        };
        let id = filled("id")?.ok_or_else(|| {
            self.error(
                start,
                "an exception has no `id`",
                "add the id of the vulnerability, such as `id = \"CVE-2014-0160\"`",
            )
        })?;
        let reason = filled("reason")?.ok_or_else(|| {
            self.error(
                start,
                format!("the exception for `{}` has no `reason`", shown(&id)),
                "say in a sentence why it does not matter here; it is shown in the report",
            )
        })?;
        let expires = match table.get("expires") {
            Some(value) => Some(self.date(value)?),
            None => None,
        };
        Ok(Ignore {
            package: filled("package")?,
            path: filled("path")?,
            id,
            subject: filled("subject")?,
            reason,
            expires,
            line: self.line(start),
        })
    }

    fn secret_allows(&self, value: &Value<'_>) -> Result<Vec<SecretAllow>, PolicyError> {
        let Some(array) = value.get_ref().as_array() else {
            return Err(self.error(
                value.span().start,
                "`secret-allow` is not a list of tables",
                "start each entry with `[[secret-allow]]` on a line of its own",
            ));
        };
        array.iter().map(|value| self.secret_allow(value)).collect()
    }

    /// The conditions themselves are checked where they are compiled.
    fn secret_allow(&self, value: &Value<'_>) -> Result<SecretAllow, PolicyError> {
        let start = value.span().start;
        let Some(table) = value.get_ref().as_table() else {
            return Err(self.error(
                start,
                "an entry of `secret-allow` is not a table",
                "write `[[secret-allow]]` and its keys below",
            ));
        };
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !ALLOW_KEYS.contains(&name) {
                return Err(self.unknown_key(key.span().start, name, ALLOW_KEYS.iter().copied()));
            }
        }
        let text = |key: &str| -> Result<Option<String>, PolicyError> {
            let value = table.get(key);
            value
                .map(|value| self.text(value).map(str::to_owned))
                .transpose()
        };
        Ok(SecretAllow {
            path: text("path")?,
            rule: text("rule")?,
            fingerprint: text("fingerprint")?,
            sha256: text("sha256")?,
            pattern: text("pattern")?,
            stop_word: text("stop-word")?,
            reason: text("reason")?.ok_or_else(|| {
                self.error(
                    start,
                    "an entry of `secret-allow` has no `reason`",
                    "say in a sentence why the secret may be there; it is shown in the report",
                )
            })?,
            expires: match table.get("expires") {
                Some(value) => Some(self.date(value)?.to_string()),
                None => None,
            },
            line: self.line(start),
        })
    }

    /// A TOML date or the same in quotes.
    fn date(&self, value: &Value<'_>) -> Result<Date, PolicyError> {
        let text = match value.get_ref() {
            DeValue::Datetime(date) if date.time.is_none() => date.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => String::new(),
        };
        text.parse().map_err(|_| {
            self.error(
                value.span().start,
                "`expires` is not a date",
                "write it as `expires = 2026-12-31`: the last day on which the exception applies",
            )
        })
    }
}

/// Foreign text on one line, short and without control characters.
fn shown(text: &str) -> String {
    text.chars()
        .take(80)
        .collect::<String>()
        .escape_debug()
        .to_string()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use seaworthy_core::{GapKind, ProblemKind};

    use super::*;

    #[track_caller]
    fn check_error(text: &str, expected: &str) {
        match Policy::from_toml(text) {
            Ok(policy) => panic!("accepted: {policy:?}"),
            Err(error) => assert_eq!(error.to_string(), expected),
        }
    }

    #[test]
    fn the_example_of_the_header_is_understood_whole() {
        let text = r#"
            fail-on = "none"
            show = "medium"
            fail-on-unfixed = false
            fail-on-known-exploited = false
            accept-gaps = ["end-of-life-release"]
            accept-problems = ["unsafe-path"]

            [[ignore]]
            id = "CVE-2023-1234"
            package = "openssl"
            path = "/usr/lib/"
            reason = "not reachable"
            expires = 2026-12-31

            [[secret-allow]]
            path = "app/**"
            stop-word = "harbour"
            reason = "made up"
            expires = 2026-12-31
        "#;
        assert_eq!(
            Policy::from_toml(text),
            Ok(Policy {
                fail_on: None,
                fail_on_unfixed: false,
                fail_on_known_exploited: false,
                show: Severity::Medium,
                accept_gaps: vec![GapKind::EndOfLifeRelease],
                accept_problems: vec![ProblemKind::UnsafePath],
                ignore: vec![Ignore {
                    id: "CVE-2023-1234".into(),
                    package: Some("openssl".into()),
                    path: Some("/usr/lib/".into()),
                    subject: None,
                    reason: "not reachable".into(),
                    expires: Some(jiff::civil::date(2026, 12, 31)),
                    line: 9,
                }],
                secret_allow: vec![SecretAllow {
                    path: Some("app/**".into()),
                    stop_word: Some("harbour".into()),
                    reason: "made up".into(),
                    expires: Some("2026-12-31".into()),
                    line: 16,
                    ..SecretAllow::default()
                }],
            })
        );
        assert_eq!(Policy::from_toml(""), Ok(Policy::default()));
    }

    #[test]
    fn an_unknown_key_is_an_error_with_line_and_nearest_key() {
        check_error(
            "show = \"low\"\nfailon = \"high\"\n",
            "line 2: unknown key `failon`\n  hint: did you mean `fail-on`?",
        );
        check_error(
            "[[ignore]]\nid = \"CVE-1\"\nreason = \"x\"\nexpire = 2026-01-01\n",
            "line 4: unknown key `expire`\n  hint: did you mean `expires`?",
        );
        check_error(
            "[[ignore]]\nid = \"CVE-1\"\nzzzzzz = 1\n",
            "line 3: unknown key `zzzzzz`\n  hint: the keys are id, package, path, subject, reason, expires",
        );
    }

    #[test]
    fn an_unknown_word_is_an_error_with_the_nearest_word() {
        check_error(
            "fail-on = \"hgh\"",
            "line 1: unknown word `hgh`\n  hint: did you mean `high`?",
        );
        check_error(
            "accept-gaps = [\"end-of-life\"]",
            "line 1: unknown word `end-of-life`\n  hint: use one of no-package-database, unknown-distro, \
             end-of-life-release, no-advisory-source, uncovered-packages, embedded-database-only, \
             expired-database, damaged-database",
        );
    }

    #[test]
    fn a_reason_is_mandatory() {
        check_error(
            "\n[[ignore]]\nid = \"CVE-2014-0160\"\n",
            "line 2: the exception for `CVE-2014-0160` has no `reason`\n  hint: say in a sentence why it \
             does not matter here; it is shown in the report",
        );
        check_error(
            "[[ignore]]\nid = \"CVE-2014-0160\"\nreason = \"  \"\n",
            "line 3: `reason` is empty\n  hint: fill it in or leave the key out",
        );
    }

    #[test]
    fn a_wrong_type_is_an_error_and_not_a_default() {
        check_error(
            "fail-on-unfixed = \"yes\"",
            "line 1: expected true or false, found string\n  hint: write `true` or `false` without quotes",
        );
        check_error(
            "ignore = \"CVE-1\"",
            "line 1: `ignore` is not a list of tables\n  hint: start each exception with `[[ignore]]` on a \
             line of its own",
        );
        check_error(
            "[[ignore]]\nid = \"a\"\nreason = \"b\"\nexpires = \"soon\"",
            "line 4: `expires` is not a date\n  hint: write it as `expires = 2026-12-31`: the last day on \
             which the exception applies",
        );
    }

    #[test]
    fn broken_toml_names_its_line() {
        let error = Policy::from_toml("show = \"low\"\nfail-on = high\n").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.message.starts_with("not valid TOML: "), "{error}");
    }
}
