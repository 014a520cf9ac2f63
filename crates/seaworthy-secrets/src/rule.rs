//! Secret rules: data in TOML, each with its own positive and negative samples.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use seaworthy_core::Severity;
use serde::Deserialize;

use crate::check::Check;
use crate::prefilter::MIN_KEYWORD;

/// One kind of secret: what it looks like and what to do about it.
#[derive(Debug, Deserialize)]
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
    pub keywords: Vec<String>,
    /// The pattern. A group named `secret` is the value; without one the whole match is.
    pub pattern: String,
    /// Least Shannon entropy of the value, in bits per byte.
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
    #[serde(default)]
    pub assigned: bool,
    /// A byte that every match holds behind the keyword, such as the `@` of a URL with a
    /// password: the pattern is tried only where it stands on the same line.
    pub needs: Option<char>,
    /// Where the format is documented.
    pub reference: String,
    /// Where to revoke one, for a person in a hurry.
    pub revoke: String,
    /// Texts that hold exactly one match.
    pub positive: Vec<String>,
    /// Texts that hold none, though they look like it.
    pub negative: Vec<String>,
    /// The pattern, compiled when a keyword of the rule is first seen.
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

const fn default_before() -> usize {
    128
}

const fn default_after() -> usize {
    512
}

/// Bytes that a compiled pattern may take: a rule file is a user's, and may be hostile.
const PATTERN_BYTES: usize = 4 << 20;
/// A rule looks at fewer bytes than this around a keyword: bounds the time of one match, and
/// is what a reader of streams has to keep.
pub const WINDOW_BYTES: usize = 24 << 10;

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rule: Vec<Rule>,
}

/// Reads a rule file and checks each rule's shape. Patterns are compiled later.
pub fn parse(text: &str) -> Result<Vec<Rule>, RuleError> {
    let file: RuleFile =
        toml::from_str(text).map_err(|error| RuleError::Syntax(error.to_string()))?;
    for rule in &file.rule {
        let error = |message: String| {
            Err(RuleError::Rule {
                id: rule.id.clone(),
                message,
            })
        };
        if rule.keywords.is_empty() {
            return error("has no keyword: it would be tried on every byte".into());
        }
        if let Some(short) = rule.keywords.iter().find(|k| k.len() < MIN_KEYWORD) {
            return error(format!(
                "keyword `{short}` is shorter than {MIN_KEYWORD} bytes"
            ));
        }
        if rule.before.saturating_add(rule.after) >= WINDOW_BYTES {
            return error(format!("its window has not less than {WINDOW_BYTES} bytes"));
        }
    }
    Ok(file.rule)
}

impl Rule {
    /// The compiled pattern; `None` where it can't be compiled, which [`Rule::validate`] says.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| self.compile().ok()).as_ref()
    }

    /// Compiles the pattern and reports why it can't be.
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

    fn compile(&self) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&self.pattern)
            .unicode(false)
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(PATTERN_BYTES)
            .build()
    }
}
