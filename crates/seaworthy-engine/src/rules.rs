//! All rules the program judges by, as they describe themselves: for lists and help.

use std::str::FromStr;

use seaworthy_advisory::{MALICIOUS_PACKAGE, MALICIOUS_PACKAGE_SEVERITY};
use seaworthy_core::Severity;
use seaworthy_signatures::findings::UNVERIFIABLE_FILES;
use seaworthy_signatures::heuristics::RULES;
use seaworthy_signatures::yara::YaraRules;

use crate::{EngineError, secret_rules};

/// What a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// Finds keys, tokens and passwords.
    Secret,
    /// Finds malware by what a file does, where it lies, or what packages recorded.
    Malware,
    /// A YARA rule of ours.
    Yara,
}

impl RuleKind {
    /// The kebab-case word of documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            RuleKind::Secret => "secret",
            RuleKind::Malware => "malware",
            RuleKind::Yara => "yara",
        }
    }
}

/// A rule, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRow {
    /// Its id, unique in its kind: what findings and policies name it by. YARA rules are named by
    /// their findings' evidence; the finding's own rule is then `known-malware`.
    pub id: String,
    /// What it is for.
    pub kind: RuleKind,
    /// How bad a finding is at most before its place in the image is known.
    pub severity: Severity,
    /// What it finds.
    pub summary: String,
    /// What to do about a finding.
    pub advice: String,
    /// Where to read more.
    pub references: Vec<String>,
    /// MITRE ATT&CK technique, of rules about malware.
    pub attack: Option<&'static str>,
}

/// All rules built into the program: secrets, malware, YARA, each in the order of its list.
///
/// # Errors
///
/// Never for the rules as committed.
pub fn rules() -> Result<Vec<RuleRow>, EngineError> {
    let secrets = secret_rules()?.into_iter().map(|rule| RuleRow {
        id: rule.id,
        kind: RuleKind::Secret,
        severity: rule.severity,
        summary: rule.summary,
        advice: format!("revoke it at {}", rule.revoke),
        references: vec![rule.reference],
        attack: None,
    });
    let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    let heuristics = RULES.iter().map(|rule| RuleRow {
        id: rule.meta.id.to_owned(),
        kind: RuleKind::Malware,
        severity: rule.severity,
        summary: rule.meta.summary.to_owned(),
        advice: rule.advice.to_owned(),
        references: owned(rule.meta.references),
        attack: Some(rule.attack),
    });
    let judged = [
        RuleRow {
            id: UNVERIFIABLE_FILES.id.to_owned(),
            kind: RuleKind::Malware,
            severity: Severity::Negligible,
            summary: UNVERIFIABLE_FILES.summary.to_owned(),
            advice: "reinstall the packages, or check the files against the package archive"
                .to_owned(),
            references: owned(UNVERIFIABLE_FILES.references),
            attack: None,
        },
        RuleRow {
            id: MALICIOUS_PACKAGE.id.to_owned(),
            kind: RuleKind::Malware,
            severity: MALICIOUS_PACKAGE_SEVERITY,
            summary: MALICIOUS_PACKAGE.summary.to_owned(),
            advice: "take the package out, rebuild without the cache, and rotate every credential \
                     it could reach"
                .to_owned(),
            references: owned(MALICIOUS_PACKAGE.references),
            attack: Some("T1195.002"),
        },
    ];
    let yara = YaraRules::builtin().rules().into_iter().map(|rule| {
        let meta = |name: &str| rule.meta(name).unwrap_or_default().to_owned();
        RuleRow {
            id: rule.name.clone(),
            kind: RuleKind::Yara,
            severity: Severity::from_str(&meta("severity")).unwrap_or(Severity::Unknown),
            summary: meta("summary"),
            advice: "take the file out, and find out how it came into the image".to_owned(),
            references: vec![meta("reference")],
            attack: None,
        }
    });
    Ok(secrets
        .chain(heuristics)
        .chain(judged)
        .chain(yara)
        .collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_says_what_it_finds_how_bad_that_is_and_where_to_read_more() {
        let rules = rules().unwrap();
        let mut seen = BTreeSet::new();
        for rule in &rules {
            assert!(seen.insert(&rule.id), "{}", rule.id);
            assert!(
                !rule.summary.is_empty() && !rule.advice.is_empty(),
                "{rule:?}"
            );
            assert_ne!(rule.severity, Severity::Unknown, "{rule:?}");
            let readable = rule
                .references
                .iter()
                .all(|text| text.starts_with("https://"));
            assert!(readable, "{rule:?}");
        }
        for kind in [RuleKind::Secret, RuleKind::Malware, RuleKind::Yara] {
            let count = rules.iter().filter(|rule| rule.kind == kind).count();
            assert!(count > 40, "{kind:?}: {count}");
        }
    }
}
