use std::fmt;

/// A value that must not be seen: a password, a token, a found secret.
///
/// It has no serde traits and prints as `[redacted]`, so that it cannot reach a report,
/// a cache or a message by accident. [`Secret::expose`] is the one way to the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<Box<str>>) -> Secret {
        Secret(value.into())
    }

    /// The value itself, for the one place that has to send or compare it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// An entry of an allow list: secrets that are known and meant to be where they are. All
/// conditions it has must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretAllow {
    /// Files at this path: a glob, in which `*` stands for any text in one component and `**`
    /// for any number of components.
    pub path: Option<String>,
    /// Findings of this rule.
    pub rule: Option<String>,
    /// The secret with this keyed hash, as this installation's reports name it.
    pub fingerprint: Option<String>,
    /// The value with this SHA-256, hexadecimal.
    pub sha256: Option<String>,
    /// Values in which this regular expression matches.
    pub pattern: Option<String>,
    /// Values that hold this word, in any case.
    pub stop_word: Option<String>,
    /// Why it is set aside; never empty.
    pub reason: String,
    /// The last day (UTC) on which the entry applies, `YYYY-MM-DD`.
    pub expires: Option<String>,
    /// The line of the file it begins on; 0 where that is not known.
    #[serde(skip)]
    pub line: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_its_value() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
    }
}
