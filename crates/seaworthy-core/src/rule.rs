use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The stable name of a rule, in kebab case, named after what it finds
/// (`vulnerable-package`, `end-of-life-distro`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(Cow<'static, str>);

impl RuleId {
    /// A rule id known when the program is built.
    pub const fn new(id: &'static str) -> RuleId {
        RuleId(Cow::Borrowed(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for RuleId {
    fn from(id: String) -> RuleId {
        RuleId(Cow::Owned(id))
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How a row in a list (analyzer, feed, rule, reporter) describes itself.
///
/// Help pages, support tables, documentation and cache keys are derived from it, so a
/// row is the only place where any of this is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Unique in its list, kebab case.
    pub id: &'static str,
    /// Raised whenever the same input gives another result; part of cache keys.
    pub revision: u32,
    /// One sentence for people.
    pub summary: &'static str,
    /// Specifications or sources it follows.
    pub references: &'static [&'static str],
}
