//! Rules that a user brings: our TOML or a configuration of gitleaks, told apart by shape.

use sha2::{Digest, Sha256};

use crate::assignment::Quotes;
use crate::engine::{Engine, MatchKind};
use crate::rule::{Rule, RuleError, parse_file};
use crate::{gitleaks, rule::RuleFile};

/// Rules from files, ready for [`crate::scanner::SecretScanner::with`].
#[derive(Debug, Default)]
pub struct CustomRules {
    /// The rules, in the order of the files. They stand before those of the program, and
    /// replace those with the same id.
    pub rules: Vec<Rule>,
    /// Ids of rules that are not to be used.
    pub disabled: Vec<String>,
    /// What could not be taken, or not quite.
    pub notes: Vec<String>,
    /// Rules that are not used: id and reason in a line. What they would find is not looked for.
    pub refused: Vec<(String, String)>,
    digest: Vec<u8>,
}

impl CustomRules {
    /// Adds a file. Every pattern must compile, and every sample must do as it should: a rule
    /// that does not find what it was written for is worse than none.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with the rule's id.
    pub fn add(&mut self, text: &str) -> Result<(), RuleError> {
        let file = if gitleaks::is_gitleaks(text) {
            let import =
                gitleaks::import(text).map_err(|error| RuleError::Syntax(error.to_string()))?;
            let is_refusal = |note: &String| {
                import
                    .refused
                    .iter()
                    .any(|(id, _)| note.starts_with(&format!("rule `{id}` is not taken: ")))
            };
            self.notes.extend(
                import
                    .notes
                    .iter()
                    .filter(|note| !is_refusal(note))
                    .cloned(),
            );
            self.refused.extend(
                import
                    .refused
                    .iter()
                    .map(|(id, reason)| (id.clone(), in_a_line(reason))),
            );
            import.file
        } else {
            parse_file(text)?
        };
        let RuleFile { disable, rule } = file;
        for rule in rule {
            let error = |message: String| RuleError::Rule {
                id: rule.id.clone(),
                message,
            };
            if self.rules.iter().any(|known| known.id == rule.id) {
                return Err(error("two rules have this id".to_owned()));
            }
            if let Err(RuleError::Rule { id, message }) = rule.validate() {
                let id = id.escape_debug().to_string();
                self.refused.push((id, in_a_line(&message)));
                continue;
            }
            let rule = check_samples(rule)?;
            self.rules.push(rule);
        }
        self.disabled.extend(disable);
        self.digest.extend_from_slice(&Sha256::digest(text));
        Ok(())
    }

    /// What decides on the result, for keys of caches.
    pub(crate) fn digest(&self) -> &[u8] {
        &self.digest
    }
}

/// Why a pattern is refused, without the drawing of the place that the pattern's parser makes.
fn in_a_line(reason: &str) -> String {
    if reason.contains("look-around") {
        return "look-ahead and look-behind are not supported".to_owned();
    }
    let last = reason.lines().rfind(|line| !line.trim().is_empty());
    let last = last.unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Tries a rule's samples; gives the rule back.
fn check_samples(rule: Rule) -> Result<Rule, RuleError> {
    if rule.positive.is_empty() && rule.negative.is_empty() {
        return Ok(rule);
    }
    let engine = Engine::new(vec![rule]);
    let mut wrong = None;
    for rule in engine.rules() {
        let samples = [(&rule.positive, 1), (&rule.negative, 0)];
        for (kind, (texts, expected)) in ["positive", "negative"].into_iter().zip(samples) {
            for (number, text) in (1..).zip(texts) {
                let count = engine
                    .scan(text.as_bytes(), Quotes::Never)
                    .iter()
                    .filter(|found| found.kind == MatchKind::Rule(0))
                    .count();
                if count != expected {
                    wrong.get_or_insert(RuleError::Rule {
                        id: rule.id.clone(),
                        message: format!(
                            "its {kind} sample {number} gives {count} matches instead of {expected}"
                        ),
                    });
                }
            }
        }
    }
    match (wrong, engine.into_rules().pop()) {
        (None, Some(rule)) => Ok(rule),
        (Some(error), _) => Err(error),
        (None, None) => Err(RuleError::Syntax("a rule was lost".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(positive: &str) -> String {
        format!(
            "disable = [\"json-web-token\"]\n[[rule]]\nid = \"harbour-pass\"\nsummary = \"Pass\"\n\
             severity = \"high\"\nkeywords = [\"hbr_\"]\npattern = '\\bhbr_[a-z0-9]{{12}}\\b'\n\
             positive = [\"{positive}\"]\nnegative = [\"hbr_x\"]\n"
        )
    }

    #[test]
    fn a_rule_is_taken_with_its_samples_right() {
        let mut rules = CustomRules::default();
        rules.add(&file("hbr_q8zr2lmx0vtn")).unwrap();
        assert_eq!(rules.rules.len(), 1);
        assert_eq!(rules.disabled, ["json-web-token"]);
    }

    #[test]
    fn a_rule_whose_own_sample_fails_is_an_error_that_names_it() {
        let error = CustomRules::default().add(&file("hbr_SHORT")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "secret rule `harbour-pass`: its positive sample 1 gives 0 matches instead of 1"
        );
    }

    #[test]
    fn a_rule_that_can_not_be_taken_is_named_with_its_reason_and_the_others_are_used() {
        let good = file("hbr_q8zr2lmx0vtn");
        let bad = |pattern: &str| {
            format!(
                "\n[[rule]]\nid = \"bad\"\nsummary = \"x\"\nseverity = \"high\"\nkeywords = \
                 [\"hbr_\"]\npattern = '{pattern}'\n"
            )
        };
        for (pattern, reason) in [
            ("hbr_(?=x)", "look-ahead"),
            ("hbr_(", "unclosed group"),
            ("hbr_(\\w{1000}){1000}", "size"),
        ] {
            let mut rules = CustomRules::default();
            rules.add(&format!("{good}{}", bad(pattern))).unwrap();
            assert_eq!(rules.rules.len(), 1);
            let (id, said) = &rules.refused[0];
            assert!(id == "bad" && said.contains(reason), "{said}");
            assert!(!said.contains('\n'));
            let theirs =
                format!("[[rules]]\nid = \"bad\"\nregex = '{pattern}'\nkeywords = [\"hbr_\"]\n");
            let mut rules = CustomRules::default();
            rules.add(&theirs).unwrap();
            assert_eq!(rules.refused.len(), 1);
            assert!(
                rules
                    .notes
                    .iter()
                    .all(|note| !note.contains("is not taken"))
            );
        }
    }

    #[test]
    fn a_second_rule_of_one_id_is_an_error() {
        let mut rules = CustomRules::default();
        rules.add(&file("hbr_q8zr2lmx0vtn")).unwrap();
        assert!(rules.add(&file("hbr_q8zr2lmx0vtn")).is_err());
    }
}
