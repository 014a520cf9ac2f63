//! Rules and key together: from bytes to what may be kept of the secrets in them.

use std::borrow::Cow;
use std::ops::Range;

use seaworthy_core::{EvidenceItem, SecretEvidence, SecretNature, Severity};
use sha2::{Digest, Sha256};

use crate::allow::{AllowList, is_allowed_inline};
use crate::assignment::Quotes;
use crate::builtin;
use crate::custom::CustomRules;
use crate::engine::{Engine, Match, MatchKind};
use crate::jwt::web_token;
use crate::keys;
use crate::redact::{FingerprintKey, redact};
use crate::rule::{Rule, RuleError};

/// Raised when the engine, and no rule, finds something else in the same bytes.
const ENGINE_REVISION: u32 = 2;

/// The rule for values that only a name makes suspicious.
pub const GENERIC_RULE: RuleInfo<'static> = RuleInfo {
    id: "generic-secret-assignment",
    summary: "Secret by the name it is given to",
    severity: Severity::Medium,
    revoke: "whoever issued it",
    reference: "https://cwe.mitre.org/data/definitions/798.html",
};

/// The rule for instructions of a Dockerfile that copy a file which holds secrets by its name.
pub const COPIED_FILE_RULE: &str = "secret-file-copied";

/// Rules for files that hold keys and are no text, told by their first bytes, and for what a
/// Dockerfile copies.
pub const FILE_RULES: [RuleInfo<'static>; 5] = [
    RuleInfo {
        id: "der-private-key",
        summary: "Private key (DER)",
        severity: Severity::Critical,
        revoke: "Replace the key pair everywhere its public half is trusted",
        reference: "https://www.rfc-editor.org/rfc/rfc5958",
    },
    RuleInfo {
        id: "pkcs12-key-store",
        summary: "Key store (PKCS #12)",
        severity: Severity::Medium,
        revoke: "Replace the keys in it where its password is weak or in the image",
        reference: "https://www.rfc-editor.org/rfc/rfc7292",
    },
    RuleInfo {
        id: "java-key-store",
        summary: "Java key store with a private key",
        severity: Severity::Medium,
        revoke: "Replace the keys in it where its password is weak or in the image",
        reference: "https://docs.oracle.com/en/java/javase/21/docs/specs/man/keytool.html",
    },
    RuleInfo {
        id: "keepass-database",
        summary: "KeePass database",
        severity: Severity::Medium,
        revoke: "Change what is stored in it where its password is weak",
        reference: "https://keepass.info/help/kb/kdbx.html",
    },
    RuleInfo {
        id: COPIED_FILE_RULE,
        summary: "File that holds secrets by its name, copied into the image",
        severity: Severity::Medium,
        revoke: "whoever issued what is in the file",
        reference: "https://docs.docker.com/build/building/secrets/",
    },
];

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
    allow: AllowList,
    revision: u64,
}

impl SecretScanner {
    /// The rules that ship with the program.
    ///
    /// # Errors
    ///
    /// Never for the rules as committed: a test reads them all.
    pub fn builtin(key: FingerprintKey) -> Result<SecretScanner, RuleError> {
        SecretScanner::with(key, CustomRules::default(), AllowList::default())
    }

    /// The same with a user's own rules before them, and an allow list.
    ///
    /// # Errors
    ///
    /// Never for the rules as committed.
    pub fn with(
        key: FingerprintKey,
        custom: CustomRules,
        allow: AllowList,
    ) -> Result<SecretScanner, RuleError> {
        let mut hasher = Sha256::new();
        hasher.update(ENGINE_REVISION.to_le_bytes());
        for (_, text) in builtin::GROUPS {
            hasher.update(text.as_bytes());
        }
        hasher.update(key.id());
        hasher.update(custom.digest());
        for condition in allow.value_conditions() {
            hasher.update(condition.as_bytes());
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        let mut rules = custom.rules;
        for rule in builtin::rules()? {
            if rules.iter().all(|own| own.id != rule.id) {
                rules.push(rule);
            }
        }
        rules.retain(|rule| !custom.disabled.contains(&rule.id));
        Ok(SecretScanner {
            engine: Engine::new(rules),
            key,
            allow,
            revision: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        })
    }

    /// The allow list.
    pub fn allow_list(&self) -> &AllowList {
        &self.allow
    }

    /// A number that differs when the same bytes give other evidence: it covers the rules, the
    /// engine and the key, because fingerprints of two keys must not be compared.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// All rules, those for key files and the generic one last.
    pub fn rules(&self) -> impl Iterator<Item = RuleInfo<'_>> {
        self.engine
            .rules()
            .iter()
            .map(info)
            .chain(FILE_RULES)
            .chain(std::iter::once(GENERIC_RULE))
    }

    /// Where secrets lie in a text, sorted by place, without overlaps.
    pub fn find(&self, text: &[u8], quotes: Quotes) -> Vec<Match> {
        self.engine.scan(text, quotes)
    }

    /// The same in a file at `path`, which some rules and exceptions of users ask for.
    pub fn find_at(&self, text: &[u8], quotes: Quotes, path: &str) -> Vec<Match> {
        self.engine.scan_at(text, quotes, Some(path))
    }

    /// What a file's path alone tells; only rules of users look at that.
    pub fn by_path(&self, path: &str) -> Vec<SecretEvidence> {
        self.engine
            .by_path(path)
            .filter_map(|number| self.engine.rules().get(number))
            .map(|rule| SecretEvidence {
                redacted: "the file by its name".to_owned(),
                ..self.made(rule.id.clone(), path.as_bytes())
            })
            .collect()
    }

    /// What the content of a key file tells: public keys and certificates, and private keys
    /// that are no text. `content` may be cut.
    pub fn key_file(&self, path: &str, content: &[u8]) -> Vec<EvidenceItem> {
        let mut items: Vec<EvidenceItem> = keys::public_keys(content)
            .into_iter()
            .map(EvidenceItem::PublicKey)
            .collect();
        if let Some(file) = keys::key_file(content)
            && (file.facts.is_some() || !keys::is_trust_store(path))
        {
            items.push(EvidenceItem::Secret(SecretEvidence {
                redacted: format!("a binary of {} bytes", content.len()),
                nature: file
                    .facts
                    .map(|facts| Box::new(SecretNature::PrivateKey(facts))),
                ..self.made(file.rule.to_owned(), content)
            }));
        }
        items
    }

    /// Evidence of a rule about something that has no value of its own. `what` is shown.
    pub fn by_name(&self, rule: &str, what: &str, line: u64) -> SecretEvidence {
        SecretEvidence {
            redacted: what.to_owned(),
            line: Some(line),
            ..self.made(rule.to_owned(), what.as_bytes())
        }
    }

    fn made(&self, rule: String, value: &[u8]) -> SecretEvidence {
        SecretEvidence {
            inside: None,
            offset: 0,
            line: None,
            rule,
            redacted: redact(value),
            fingerprint: self.key.fingerprint(value),
            nature: None,
            allowed_inline: false,
            allowed_by: self.allow.by_value(value),
        }
    }

    /// What may be kept of a match in `text`. `offset` is where `text` begins in its file.
    pub fn evidence(
        &self,
        text: &[u8],
        found: &Match,
        offset: u64,
        line: Option<u64>,
    ) -> SecretEvidence {
        let decoded = found.decoded.as_deref();
        let value = match decoded {
            Some(decoded) => &decoded.value,
            None => text.get(found.range.clone()).unwrap_or_default(),
        };
        let rule = match found.kind {
            MatchKind::Rule(number) => self.engine.rules().get(number).map(info),
            MatchKind::Assignment => None,
        };
        SecretEvidence {
            inside: decoded.map(|decoded| decoded.way.as_str().into()),
            offset: offset.saturating_add(found.range.start as u64),
            line,
            nature: nature(value).map(Box::new),
            allowed_inline: is_allowed_inline(text, &found.range),
            ..self.made(rule.unwrap_or(GENERIC_RULE).id.to_owned(), value)
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

fn nature(value: &[u8]) -> Option<SecretNature> {
    if keys::is_armoured(value) {
        keys::private_key(value).map(SecretNature::PrivateKey)
    } else if value.starts_with(b"eyJ") {
        web_token(value).map(SecretNature::WebToken)
    } else {
        None
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

    #[test]
    fn a_bearer_token_that_no_rule_knows_is_found_and_cut_out_of_history() {
        let token = [VALUE, "w3Hs7Jb9Qf4Gc6Ra1Pe8"].concat();
        for scheme in ["Bearer", "Basic", "token"] {
            let line = format!("RUN /bin/sh -c curl -H \"Authorization: {scheme} {token}\" x.io");
            let (cut, evidence) = scanner(1).cut_out(&line);
            assert!(!cut.contains(&token[4..]), "{cut}");
            assert_eq!(evidence[0].rule, "authorization-header");
        }
        let scanner = scanner(1);
        let rule = scanner
            .rules()
            .find(|rule| rule.id == "authorization-header")
            .unwrap();
        assert_eq!(rule.severity, Severity::Medium);
        for harmless in [
            "$TOKEN_OF_THE_HARBOUR_1",
            "{{ token_of_the_harbour_1 }}",
            "<token>",
        ] {
            let line = format!("RUN curl -H \"Authorization: Bearer {harmless}\" x.io");
            assert_eq!(scanner.cut_out(&line).0, line);
        }
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
