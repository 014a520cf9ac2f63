//! Secret rules: data in TOML, each with its own positive and negative samples.
//!
//! The same format for the rules that ship with the program and for a user's own
//! (`--secret-rules FILE`). A file may also switch rules off:
//!
//! ```toml
//! disable = ["json-web-token"]
//!
//! [[rule]]
//! id = "harbour-pass"
//! summary = "Pass of the harbour"
//! severity = "high"
//! keywords = ["hbr_"]
//! pattern = '\bhbr_(?<secret>[A-Za-z0-9]{24})\b'
//! revoke = "the harbour master"
//! positive = ["hbr_q8Zr2LmX0vTn5KdYq8Zr2LmX"]
//! negative = ["hbr_short"]
//! ```

use std::sync::OnceLock;

use regex::bytes::{Captures, Match, Regex, RegexBuilder};
use seaworthy_core::Severity;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::prefilter::MIN_KEYWORD;

/// One kind of secret: what it looks like and what to do about it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rule {
    /// Unique, kebab case, named after the secret: `github-personal-access-token`.
    pub id: String,
    /// What it is, in a few words.
    pub summary: String,
    /// How bad a live one in an image is.
    pub severity: Severity,
    /// Literals of which one stands in or near every match, at least four bytes each; found
    /// ignoring ASCII case. The rule's pattern is only tried around them.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// The pattern. A group named `secret` is the value; without one the whole match is. Empty
    /// for a rule that only looks at paths.
    #[serde(default)]
    pub pattern: String,
    /// Which group is the value where none has a name: its number, or 0 for the first that took
    /// part in the match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_group: Option<usize>,
    /// The pattern is tried on every byte instead of around keywords. That is slow.
    #[serde(default, skip_serializing_if = "is_false")]
    pub anywhere: bool,
    /// A pattern that the path must match, without its leading slash. Without `pattern` every
    /// such file is a finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Least Shannon entropy of the value, in bits per byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f32>,
    /// What else the value must satisfy.
    #[serde(default)]
    pub check: Check,
    /// How many bytes before the keyword the match may begin.
    #[serde(default = "default_before")]
    pub before: usize,
    /// How many bytes after the start of the keyword the match may end.
    #[serde(default = "default_after")]
    pub after: usize,
    /// Whether the keyword is (part of) a name that is given the value, `twilio_token = …`: the
    /// pattern is then tried only where an assignment follows, which is seen without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub assigned: bool,
    /// A byte that every match holds behind the keyword, such as the `@` of a URL with a
    /// password: the pattern is tried only where it stands on the same line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<char>,
    /// Where the format is documented.
    #[serde(default)]
    pub reference: String,
    /// Where to revoke one, for a person in a hurry.
    #[serde(default = "default_revoke")]
    pub revoke: String,
    /// Matches that are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<RuleAllow>,
    /// Texts that hold exactly one match.
    #[serde(default)]
    pub positive: Vec<String>,
    /// Texts that hold none, though they look like it.
    #[serde(default)]
    pub negative: Vec<String>,
    /// The patterns, compiled when the rule is first needed.
    #[serde(skip)]
    compiled: OnceLock<Option<Compiled>>,
}

/// Matches of a rule that are none, by path, pattern or word.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RuleAllow {
    /// Patterns of paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Patterns of what `target` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<String>,
    /// What `patterns` look at.
    #[serde(default)]
    pub target: AllowTarget,
    /// Words in the value, in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop_words: Vec<String>,
    /// Whether each kind of condition that is there must hold, instead of any.
    #[serde(default, skip_serializing_if = "is_false")]
    pub all: bool,
}

/// What the patterns of a [`RuleAllow`] look at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllowTarget {
    /// The value.
    #[default]
    Secret,
    /// The whole match.
    Match,
    /// The lines the match lies on.
    Line,
}

/// All patterns of a rule.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// `None` for a rule that only looks at paths.
    pub regex: Option<Regex>,
    pub path: Option<Regex>,
    allow: Vec<CompiledAllow>,
}

#[derive(Debug)]
struct CompiledAllow {
    paths: Vec<Regex>,
    patterns: Vec<Regex>,
    target: AllowTarget,
    stop_words: Vec<Vec<u8>>,
    all: bool,
}

const fn default_before() -> usize {
    128
}

const fn default_after() -> usize {
    512
}

fn default_revoke() -> String {
    "whoever issued it".to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Bytes that a compiled pattern may take: a rule file is a user's, and may be hostile.
const PATTERN_BYTES: usize = 4 << 20;
/// A rule looks at fewer bytes than this around a keyword: bounds the time of one match, and
/// is what a reader of streams has to keep.
pub const WINDOW_BYTES: usize = 24 << 10;
/// How much of a line [`AllowTarget::Line`] looks at on each side of a match, in bytes.
const LINE_BYTES: usize = 1 << 10;

/// Why a rule can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The file is no TOML of the expected shape.
    #[error("cannot read secret rules: {0}")]
    Syntax(String),
    /// One rule is wrong.
    #[error("secret rule `{id}`: {message}")]
    Rule {
        /// Its id.
        id: String,
        /// What is wrong.
        message: String,
    },
}

/// A rule file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Ids of rules that are not to be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disable: Vec<String>,
    /// The rules.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

/// Reads a rule file and checks each rule's shape. Patterns are compiled later.
pub fn parse(text: &str) -> Result<Vec<Rule>, RuleError> {
    parse_file(text).map(|file| file.rule)
}

/// The same, with what else the file says.
pub fn parse_file(text: &str) -> Result<RuleFile, RuleError> {
    let file: RuleFile =
        toml::from_str(text).map_err(|error| RuleError::Syntax(without_source(text, &error)))?;
    for rule in &file.rule {
        rule.check_shape()?;
    }
    Ok(file)
}

/// What is wrong with a TOML text and on which line, but nothing of the text itself: its values
/// may be secrets.
pub(crate) fn without_source(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', ", ");
    // "invalid type: string \"…\", expected a sequence" quotes the value.
    let message = match (message.find('"'), message.rfind('"')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}…{}", &message[..=start], &message[end..])
        }
        _ => message,
    };
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

impl Rule {
    /// A rule of that name without anything in it.
    pub(crate) fn empty(id: String) -> Rule {
        Rule {
            id,
            summary: String::new(),
            severity: Severity::Medium,
            keywords: Vec::new(),
            pattern: String::new(),
            secret_group: None,
            anywhere: false,
            path: None,
            entropy: None,
            check: Check::None,
            before: default_before(),
            after: default_after(),
            assigned: false,
            needs: None,
            reference: String::new(),
            revoke: default_revoke(),
            allow: Vec::new(),
            positive: Vec::new(),
            negative: Vec::new(),
            compiled: OnceLock::new(),
        }
    }

    fn check_shape(&self) -> Result<(), RuleError> {
        let error = |message: String| {
            Err(RuleError::Rule {
                id: self.id.clone(),
                message,
            })
        };
        if self.id.is_empty() || self.id.len() > 128 {
            return error("its id is empty or too long".into());
        }
        if self.pattern.is_empty() {
            return match self.path {
                Some(_) => Ok(()),
                None => error("has neither a pattern nor a path".into()),
            };
        }
        if self.keywords.is_empty() && !self.anywhere {
            return error(
                "has no keyword: it would be tried on every byte\n  hint: if that is meant, say \
                 `anywhere = true`"
                    .into(),
            );
        }
        if let Some(short) = self.keywords.iter().find(|k| k.len() < MIN_KEYWORD) {
            return error(format!(
                "keyword `{short}` is shorter than {MIN_KEYWORD} bytes"
            ));
        }
        if self.before.saturating_add(self.after) >= WINDOW_BYTES {
            return error(format!("its window has not less than {WINDOW_BYTES} bytes"));
        }
        Ok(())
    }

    /// The compiled patterns; `None` where they can't be compiled, which [`Rule::validate`]
    /// says.
    pub(crate) fn compiled(&self) -> Option<&Compiled> {
        self.compiled.get_or_init(|| self.compile().ok()).as_ref()
    }

    /// Compiles the patterns and reports why they can't be.
    ///
    /// # Errors
    ///
    /// A pattern with a syntax error, look-around, or too large.
    pub fn validate(&self) -> Result<(), RuleError> {
        self.compile().map(drop).map_err(|error| RuleError::Rule {
            id: self.id.clone(),
            message: error.to_string(),
        })
    }

    fn compile(&self) -> Result<Compiled, regex::Error> {
        let all = |patterns: &[String]| -> Result<Vec<Regex>, regex::Error> {
            patterns.iter().map(|text| build(text)).collect()
        };
        Ok(Compiled {
            regex: match self.pattern.is_empty() {
                true => None,
                false => Some(build(&self.pattern)?),
            },
            path: self.path.as_deref().map(build).transpose()?,
            allow: self
                .allow
                .iter()
                .map(|allow| {
                    Ok(CompiledAllow {
                        paths: all(&allow.paths)?,
                        patterns: all(&allow.patterns)?,
                        target: allow.target,
                        stop_words: allow
                            .stop_words
                            .iter()
                            .map(|word| word.to_ascii_lowercase().into_bytes())
                            .collect(),
                        all: allow.all,
                    })
                })
                .collect::<Result<_, regex::Error>>()?,
        })
    }

    /// The part of a match that is the value.
    pub(crate) fn value<'h>(&self, captures: &Captures<'h>) -> Option<Match<'h>> {
        if let Some(named) = captures.name("secret") {
            return Some(named);
        }
        match self.secret_group {
            None => captures.get(0),
            Some(0) => captures
                .iter()
                .skip(1)
                .flatten()
                .find(|group| !group.is_empty())
                .or_else(|| captures.get(0)),
            Some(number) => captures.get(number).or_else(|| captures.get(0)),
        }
    }
}

impl Compiled {
    /// Whether one of the rule's own exceptions takes a match. Without a path those of paths
    /// do not hold.
    pub(crate) fn allows(
        &self,
        text: &[u8],
        whole: &Match<'_>,
        value: &[u8],
        path: Option<&str>,
    ) -> bool {
        self.allow.iter().any(|allow| {
            let by_path =
                || path.is_some_and(|path| allow.paths.iter().any(|p| p.is_match(path.as_bytes())));
            let by_pattern = || {
                let seen = match allow.target {
                    AllowTarget::Secret => value,
                    AllowTarget::Match => whole.as_bytes(),
                    AllowTarget::Line => lines(text, whole.start(), whole.end()),
                };
                allow.patterns.iter().any(|pattern| pattern.is_match(seen))
            };
            let by_word = || {
                let folded = value.to_ascii_lowercase();
                allow
                    .stop_words
                    .iter()
                    .any(|word| memchr::memmem::find(&folded, word).is_some())
            };
            let mut held = [
                (!allow.paths.is_empty()).then(by_path),
                (!allow.patterns.is_empty()).then(by_pattern),
                (!allow.stop_words.is_empty()).then(by_word),
            ]
            .into_iter()
            .flatten()
            .peekable();
            match allow.all {
                true => held.peek().is_some() && held.all(|holds| holds),
                false => held.any(|holds| holds),
            }
        })
    }
}

/// The lines that a range touches, up to a length.
fn lines(text: &[u8], start: usize, end: usize) -> &[u8] {
    let from = start.saturating_sub(LINE_BYTES);
    let before = text.get(from..start).unwrap_or_default();
    let from = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(from, |at| from + at + 1);
    let to = end.saturating_add(LINE_BYTES).min(text.len());
    let after = text.get(end..to).unwrap_or_default();
    let to = after
        .iter()
        .position(|b| *b == b'\n')
        .map_or(to, |at| end + at);
    text.get(from..to).unwrap_or_default()
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
        .build()
}
