//! Rules and key together: from bytes to what may be kept of the secrets in them.

use std::borrow::Cow;
use std::ops::Range;

use seaworthy_core::{SecretEvidence, Severity};
use sha2::{Digest, Sha256};

use crate::assignment::Quotes;
use crate::builtin;
use crate::engine::{Engine, Match, MatchKind};
use crate::redact::{FingerprintKey, redact};
use crate::rule::{Rule, RuleError};

/// Raised when the engine, and no rule, finds something else in the same bytes.
const ENGINE_REVISION: u32 = 1;

/// The rule for values that only a name makes suspicious.
pub const GENERIC_RULE: RuleInfo<'static> = RuleInfo {
    id: "generic-secret-assignment",
    summary: "Secret by the name it is given to",
    severity: Severity::Medium,
    revoke: "whoever issued it",
    reference: "https://cwe.mitre.org/data/definitions/798.html",
};

/// What a finding says about the rule that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleInfo<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it finds, in a few words.
    pub summary: &'a str,
    /// How bad that is.
    pub severity: Severity,
    /// Where to revoke it.
    pub revoke: &'a str,
    /// Where the format is documented.
    pub reference: &'a str,
}

/// Finds secrets and gives what may be kept of them.
pub struct SecretScanner {
    engine: Engine,
    key: FingerprintKey,
    revision: u64,
}

impl SecretScanner {
    /// The rules that ship with the program.
    ///
    /// # Errors
    ///
    /// Never for the rules as committed: a test reads them all.
    pub fn builtin(key: FingerprintKey) -> Result<SecretScanner, RuleError> {
        let mut hasher = Sha256::new();
        hasher.update(ENGINE_REVISION.to_le_bytes());
        for (_, text) in builtin::GROUPS {
            hasher.update(text.as_bytes());
        }
        hasher.update(key.id());
        let digest: [u8; 32] = hasher.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Ok(SecretScanner {
            engine: Engine::new(builtin::rules()?),
            key,
            revision: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        })
    }

    /// A number that differs when the same bytes give other evidence: it covers the rules, the
    /// engine and the key, because fingerprints of two keys must not be compared.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// All rules, the generic one last.
    pub fn rules(&self) -> impl Iterator<Item = RuleInfo<'_>> {
        self.engine
            .rules()
            .iter()
            .map(info)
            .chain(std::iter::once(GENERIC_RULE))
    }

    /// Where secrets lie in a text, sorted by place, without overlaps.
    pub fn find(&self, text: &[u8], quotes: Quotes) -> Vec<Match> {
        self.engine.scan(text, quotes)
    }

    /// What may be kept of a match in `text`. `offset` is where `text` begins in its file.
    pub fn evidence(
        &self,
        text: &[u8],
        found: &Match,
        offset: u64,
        line: Option<u64>,
    ) -> SecretEvidence {
        let value = text.get(found.range.clone()).unwrap_or_default();
        let rule = match found.kind {
            MatchKind::Rule(number) => self.engine.rules().get(number).map(info),
            MatchKind::Assignment => None,
        };
        SecretEvidence {
            inside: None,
            offset: offset.saturating_add(found.range.start as u64),
            line,
            rule: rule.unwrap_or(GENERIC_RULE).id.to_owned(),
            redacted: redact(value),
            fingerprint: self.key.fingerprint(value),
        }
    }

    /// A text of configuration with its secrets cut out, and what may be kept of them.
    pub fn cut_out<'t>(&self, text: &'t str) -> (Cow<'t, str>, Vec<SecretEvidence>) {
        let found = self.find(text.as_bytes(), Quotes::Optional);
        if found.is_empty() {
            return (Cow::Borrowed(text), Vec::new());
        }
        let evidence = found
            .iter()
            .map(|found| self.evidence(text.as_bytes(), found, 0, None))
            .collect();
        let ranges: Vec<Range<usize>> = found.into_iter().map(|found| found.range).collect();
        (Cow::Owned(without(text, &ranges)), evidence)
    }
}

fn info(rule: &Rule) -> RuleInfo<'_> {
    RuleInfo {
        id: &rule.id,
        summary: &rule.summary,
        severity: rule.severity,
        revoke: &rule.revoke,
        reference: &rule.reference,
    }
}

/// The text with each range replaced by what may be seen of it. A character that a range cuts
/// goes with it.
fn without(text: &str, ranges: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        let start = text.floor_char_boundary(range.start).max(at);
        let end = text.ceil_char_boundary(range.end).max(start);
        out.push_str(&text[at..start]);
        out.push('[');
        out.push_str(&redact(&text.as_bytes()[range.start..range.end]));
        out.push(']');
        at = end;
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    const VALUE: &str = "q8Zr2LmX0vTn5KdYq8Zr";

    fn scanner(key: u8) -> SecretScanner {
        SecretScanner::builtin(FingerprintKey::new([key; 32])).unwrap()
    }

    #[test]
    fn evidence_holds_place_and_fingerprint_and_never_the_value() {
        let scanner = scanner(1);
        let text = format!("first\nDB_PASSWORD={VALUE}\n");
        let found = scanner.find(text.as_bytes(), Quotes::Optional);
        assert_eq!(found.len(), 1);
        let evidence = scanner.evidence(text.as_bytes(), &found[0], 100, Some(2));
        assert_eq!(evidence.offset, 118);
        assert_eq!(evidence.rule, GENERIC_RULE.id);
        assert_eq!(evidence.redacted, "q8Zr... (20 characters)");
        assert!(!format!("{evidence:?}").contains(&VALUE[4..]));
    }

    #[test]
    fn another_key_gives_other_fingerprints_and_another_revision() {
        let text = format!("DB_PASSWORD={VALUE}");
        let (one, two) = (scanner(1), scanner(2));
        assert_ne!(one.revision(), two.revision());
        assert_ne!(one.cut_out(&text).1, two.cut_out(&text).1);
        assert_eq!(one.cut_out(&text).1, scanner(1).cut_out(&text).1);
    }

    #[test]
    fn a_text_loses_its_secrets_and_keeps_the_rest() {
        let text = format!("|1 TOKEN={VALUE} /bin/sh -c make ü");
        let (cut, evidence) = scanner(1).cut_out(&text);
        assert_eq!(evidence.len(), 1);
        assert_eq!(cut, "|1 TOKEN=[q8Zr... (20 characters)] /bin/sh -c make ü");
        assert_eq!(scanner(1).cut_out("RUN make").0, "RUN make");
    }

    static SAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let rules = builtin::rules().unwrap();
        rules.into_iter().flat_map(|rule| rule.positive).collect()
    });
    static SCANNER: LazyLock<SecretScanner> = LazyLock::new(|| scanner(1));

    proptest! {
        /// Cut, damaged and run into each other: places stay in order and inside the text.
        #[test]
        fn damaged_samples_give_places_in_order_and_evidence_without_values(
            parts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..80, any::<char>()), 1..6),
        ) {
            let mut text = String::new();
            for (sample, cut, damage) in parts {
                let sample = sample.get(&SAMPLES);
                text.push_str(&sample[sample.floor_char_boundary(cut)..]);
                text.push(damage);
            }
            let mut end = 0;
            for found in SCANNER.find(text.as_bytes(), Quotes::Optional) {
                prop_assert!(end <= found.range.start && found.range.end <= text.len());
                end = found.range.end;
                let value = &text.as_bytes()[found.range.clone()];
                let evidence = SCANNER.evidence(text.as_bytes(), &found, 0, None);
                let shown = format!("{evidence:?}");
                prop_assert!(!shown.contains(&*String::from_utf8_lossy(value)), "{}", shown);
            }
            let (cut, evidence) = SCANNER.cut_out(&text);
            prop_assert_eq!(evidence.is_empty(), cut == text);
        }
    }
}
