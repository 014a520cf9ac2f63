//! The rules that ship with the program: one TOML file a group, one line each here.

use crate::rule::{self, Rule, RuleError};

/// Name and text of each group, specific formats before general ones: of two rules that match
/// the same bytes the earlier one names them.
pub const GROUPS: &[(&str, &str)] = &[
    ("vcs", include_str!("../rules/vcs.toml")),
    ("cloud", include_str!("../rules/cloud.toml")),
    ("chat", include_str!("../rules/chat.toml")),
    ("payment", include_str!("../rules/payment.toml")),
    ("registry", include_str!("../rules/registry.toml")),
    ("ai", include_str!("../rules/ai.toml")),
    ("saas", include_str!("../rules/saas.toml")),
    ("keys", include_str!("../rules/keys.toml")),
    ("connection", include_str!("../rules/connection.toml")),
];

/// All rules that ship with the program.
///
/// # Errors
///
/// Never for the files as committed: a test reads them all.
pub fn rules() -> Result<Vec<Rule>, RuleError> {
    let mut all = Vec::new();
    for (_, text) in GROUPS {
        all.extend(rule::parse(text)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::assignment::Quotes;
    use crate::engine::{Engine, MatchKind};

    #[test]
    fn every_rule_has_its_own_id_compiles_and_cites_its_source() {
        let mut ids = BTreeSet::new();
        for rule in rules().unwrap() {
            assert!(
                ids.insert(rule.id.clone()),
                "two rules are called {}",
                rule.id
            );
            rule.validate().unwrap();
            assert!(rule.reference.starts_with("https://"), "{}", rule.id);
            assert!(
                !rule.revoke.is_empty() && !rule.summary.is_empty(),
                "{}",
                rule.id
            );
        }
    }

    #[test]
    fn every_rule_finds_its_positive_samples_and_none_of_its_negative_ones() {
        let engine = Engine::new(rules().unwrap());
        let mut wrong = Vec::new();
        for (number, rule) in engine.rules().iter().enumerate() {
            assert!(
                !rule.positive.is_empty() && !rule.negative.is_empty(),
                "{}",
                rule.id
            );
            let count = |text: &str| {
                engine
                    .scan(text.as_bytes(), Quotes::Required)
                    .iter()
                    .filter(|found| found.kind == MatchKind::Rule(number))
                    .count()
            };
            let samples = rule.positive.iter().map(|text| (text, 1));
            for (text, expected) in samples.chain(rule.negative.iter().map(|text| (text, 0))) {
                if count(text) != expected {
                    wrong.push(format!("{}: {} matches in {text}", rule.id, count(text)));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
