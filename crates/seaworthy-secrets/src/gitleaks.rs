//! Rule files of gitleaks (README "Configuration", as of 8.30), taken over as our own rules.
//!
//! What a rule there says and ours can't is named with its reason; nothing is dropped in
//! silence. What differs by design: gitleaks tries a pattern on a whole file once a keyword is
//! in it, we try it in a window around the keyword that is as wide as the pattern can reach; a
//! rule whose keywords are missing or shorter than ours may be is tried on every byte, which
//! is slow and said.

use seaworthy_core::Severity;
use serde::Deserialize;
use toml::Value;

use crate::prefilter::MIN_KEYWORD;
use crate::re2::translate;
use crate::rule::{AllowTarget, Rule, RuleAllow, RuleFile, WINDOW_BYTES, without_source};

/// Rules of one file.
const MAX_RULES: usize = 5000;
/// How far from its keyword a match of unbounded length may reach, in bytes.
const REACH: usize = 4 << 10;

/// What an import gave.
#[derive(Debug, Default)]
pub struct Import {
    /// What could be taken.
    pub file: RuleFile,
    /// What could not, or not quite: by rule, in a sentence.
    pub notes: Vec<String>,
    /// Rules that could not be taken: id and reason. They are in the notes too.
    pub refused: Vec<(String, String)>,
}

/// Why a file could not be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the gitleaks configuration: {0}")]
pub struct ImportError(String);

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    extend: Option<Extend>,
    #[serde(default)]
    rules: Vec<Value>,
    #[serde(default)]
    allowlist: Option<Allow>,
    #[serde(default)]
    allowlists: Vec<Allow>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Extend {
    #[serde(default)]
    use_default: bool,
    path: Option<String>,
    url: Option<String>,
    #[serde(default)]
    disabled_rules: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GitleaksRule {
    id: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    regex: String,
    #[serde(default)]
    secret_group: usize,
    entropy: Option<f32>,
    path: Option<String>,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    skip_report: bool,
    #[serde(default)]
    required: Vec<Value>,
    #[serde(default)]
    allowlist: Option<Allow>,
    #[serde(default)]
    allowlists: Vec<Allow>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase")]
struct Allow {
    #[serde(default)]
    condition: String,
    #[serde(default)]
    commits: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    regexes: Vec<String>,
    #[serde(default)]
    regex_target: String,
    #[serde(default)]
    stopwords: Vec<String>,
    #[serde(default)]
    target_rules: Vec<String>,
}

/// Whether a text is a configuration of gitleaks rather than a rule file of ours.
pub fn is_gitleaks(text: &str) -> bool {
    let Ok(table) = toml::from_str::<toml::Table>(text) else {
        return false;
    };
    let is_ours = table.contains_key("rule") || table.contains_key("disable");
    let keys = ["rules", "allowlist", "allowlists", "extend"];
    !is_ours && keys.iter().any(|key| table.contains_key(*key))
}

/// Takes a configuration over.
///
/// # Errors
///
/// Where the text as a whole can't be read. One bad rule is a note.
pub fn import(text: &str) -> Result<Import, ImportError> {
    let config: Config =
        toml::from_str(text).map_err(|error| ImportError(without_source(text, &error)))?;
    let mut import = Import::default();
    if let Some(extend) = &config.extend {
        extended(extend, &mut import);
    }
    let global: Vec<(Vec<String>, RuleAllow)> = config
        .allowlist
        .iter()
        .chain(&config.allowlists)
        .enumerate()
        .filter_map(|(number, allow)| {
            let name = format!("global allow list {}", number + 1);
            let taken = allowed(allow, &name, &mut import.notes)?;
            Some((allow.target_rules.clone(), taken))
        })
        .collect();
    if config.rules.len() > MAX_RULES {
        let more = config.rules.len() - MAX_RULES;
        import.notes.push(format!(
            "{more} rules behind the first {MAX_RULES} are not taken"
        ));
    }
    for (number, value) in config.rules.into_iter().take(MAX_RULES).enumerate() {
        let id = value
            .get("id")
            .and_then(Value::as_str)
            .map_or_else(|| format!("number {}", number + 1), str::to_owned);
        let taken = match value.try_into::<GitleaksRule>() {
            Ok(rule) => taken(rule, &global, &mut import.notes),
            Err(error) => Err(format!(
                "its table can't be read: {}",
                without_source("", &error)
            )),
        };
        match taken {
            Ok(rule) => import.file.rule.push(rule),
            Err(reason) => {
                let id = id.escape_debug().to_string();
                import
                    .notes
                    .push(format!("rule `{id}` is not taken: {reason}"));
                import.refused.push((id, reason));
            }
        }
    }
    if import.file.rule.is_empty() && !global.is_empty() {
        import.notes.push(
            "the global allow lists are not taken: there is no rule here that they could belong \
             to, and rules that ship with the program are not changed"
                .to_owned(),
        );
    }
    Ok(import)
}

fn extended(extend: &Extend, import: &mut Import) {
    if let Some(path) = extend.path.as_ref().or(extend.url.as_ref()) {
        import.notes.push(format!(
            "`extend` of `{}` is not followed: give that file too",
            path.escape_debug()
        ));
    }
    if extend.use_default {
        import.notes.push(
            "`extend.useDefault`: the rules that ship with this program take the place of \
             gitleaks' own"
                .to_owned(),
        );
    }
    let known: Vec<String> = crate::builtin::rules()
        .map(|rules| rules.into_iter().map(|rule| rule.id).collect())
        .unwrap_or_default();
    for id in &extend.disabled_rules {
        if known.contains(id) {
            import.file.disable.push(id.clone());
        } else {
            import.notes.push(format!(
                "`disabledRules` names `{}`, and no rule is called so here",
                id.escape_debug()
            ));
        }
    }
}

fn taken(
    from: GitleaksRule,
    global: &[(Vec<String>, RuleAllow)],
    notes: &mut Vec<String>,
) -> Result<Rule, String> {
    if from.skip_report {
        return Err("`skipReport`: it exists only for rules that require it".to_owned());
    }
    if !from.required.is_empty() {
        return Err("`required`: it counts only together with other rules".to_owned());
    }
    let mut rule = Rule::empty(from.id);
    rule.summary = match from.description.trim() {
        "" => rule.id.clone(),
        text => text.chars().take(120).collect(),
    };
    // gitleaks has no severities; what it reports fails a build.
    rule.severity = Severity::High;
    rule.reference = "https://github.com/gitleaks/gitleaks".to_owned();
    rule.path = from.path.as_deref().map(translate).transpose()?;
    if from.regex.is_empty() {
        if rule.path.is_none() {
            return Err("it has neither `regex` nor `path`".to_owned());
        }
        rule.severity = Severity::Medium;
    } else {
        rule.pattern = translate(&from.regex)?;
        rule.secret_group = match from.secret_group {
            0 => (groups(&rule.pattern) > 0).then_some(0),
            number => Some(number),
        };
        if from.secret_group > groups(&rule.pattern) {
            return Err(format!("it has no group {}", from.secret_group));
        }
        rule.entropy = from.entropy.filter(|floor| *floor > 0.0);
        keywords(&mut rule, from.keywords, notes);
    }
    for (number, allow) in from.allowlist.iter().chain(&from.allowlists).enumerate() {
        let name = format!("allow list {} of rule `{}`", number + 1, rule.id);
        rule.allow.extend(allowed(allow, &name, notes));
    }
    let concerns = |targets: &[String]| targets.is_empty() || targets.contains(&rule.id);
    rule.allow.extend(
        global
            .iter()
            .filter(|(targets, _)| concerns(targets))
            .map(|(_, allow)| allow.clone()),
    );
    rule.validate().map_err(|error| match error {
        crate::rule::RuleError::Rule { message, .. } => message,
        error => error.to_string(),
    })?;
    Ok(rule)
}

fn keywords(rule: &mut Rule, keywords: Vec<String>, notes: &mut Vec<String>) {
    let short = keywords
        .iter()
        .any(|word| word.len() < MIN_KEYWORD || !word.is_ascii());
    let reach = longest_match(&rule.pattern)
        .unwrap_or(REACH)
        .min(WINDOW_BYTES / 2 - 1);
    (rule.before, rule.after) = (reach, reach);
    if keywords.is_empty() || short {
        rule.anywhere = true;
        notes.push(format!(
            "rule `{}` is tried on every byte, which is slow: {}",
            rule.id,
            match short {
                true => format!("it has a keyword shorter than {MIN_KEYWORD} letters"),
                false => "it has no keyword".to_owned(),
            }
        ));
    } else {
        rule.keywords = keywords;
    }
}

fn allowed(allow: &Allow, name: &str, notes: &mut Vec<String>) -> Option<RuleAllow> {
    let all = matches!(allow.condition.to_ascii_uppercase().as_str(), "AND" | "&&");
    if !allow.commits.is_empty() {
        notes.push(format!(
            "commits in the {name} are not taken: an image has none"
        ));
        if all {
            return None;
        }
    }
    let mut refused = false;
    let mut patterns = |texts: &[String]| -> Vec<String> {
        let mut taken = Vec::new();
        for text in texts {
            let translated = translate(text).and_then(|pattern| {
                let mut probe = Rule::empty("probe".to_owned());
                probe.path = Some(pattern.clone());
                probe
                    .validate()
                    .map(|()| pattern)
                    .map_err(|e| e.to_string())
            });
            match translated {
                Ok(pattern) => taken.push(pattern),
                Err(error) => {
                    refused = true;
                    notes.push(format!(
                        "the pattern `{}` in the {name} is not taken: {error}",
                        text.escape_debug()
                    ));
                }
            }
        }
        taken
    };
    let taken = RuleAllow {
        paths: patterns(&allow.paths),
        patterns: patterns(&allow.regexes),
        target: match allow.regex_target.as_str() {
            "match" => AllowTarget::Match,
            "line" => AllowTarget::Line,
            _ => AllowTarget::Secret,
        },
        stop_words: allow.stopwords.clone(),
        all,
    };
    // With a condition missing, "all of these" would allow more than was meant.
    if refused && all {
        return None;
    }
    (!taken.paths.is_empty() || !taken.patterns.is_empty() || !taken.stop_words.is_empty())
        .then_some(taken)
}

/// Capturing groups of a pattern.
fn groups(pattern: &str) -> usize {
    regex::bytes::RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(4 << 20)
        .build()
        .map_or(0, |regex| regex.captures_len() - 1)
}

/// The longest match a pattern can have, in bytes, where that has an end.
fn longest_match(pattern: &str) -> Option<usize> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(pattern)
        .ok()?
        .properties()
        .maximum_len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::Quotes;
    use crate::engine::Engine;

    const CONFIG: &str = r##"
title = "a house's own"
[extend]
useDefault = true
disabledRules = ["json-web-token", "no-such-rule"]

[[rules]]
id = "harbour-pass"
description = "Pass of the harbour"
regex = '''(?i)\b(hbr_[a-z0-9]{16})(?:['"\s;]|$)'''
entropy = 3
keywords = ["hbr_"]
[[rules.allowlists]]
regexTarget = "line"
regexes = ['''^\s*//''']
[[rules.allowlists]]
condition = "AND"
paths = ['''\.md$''']
stopwords = ["q8zr"]

[[rules]]
id = "second-group"
regex = '''(dock)=([a-z]{8})'''
secretGroup = 2
keywords = ["dock"]

[[rules]]
id = "short-keyword"
regex = '''\bqz-[0-9]{9}\b'''
keywords = ["qz-"]

[[rules]]
id = "key-file"
path = '''(?i)\.ppk$'''

[[rules]]
id = "greek"
regex = '''\p{Greek}+'''
keywords = ["alpha"]

[[rules]]
id = "composite"
regex = '''aaaa'''
keywords = ["aaaa"]
[[rules.required]]
id = "other"

[allowlist]
commits = ["abc"]
paths = ['''^vendor/''']
"##;

    fn found(import: Import, text: &str, path: &str) -> Vec<String> {
        Engine::new(import.file.rule)
            .scan_at(text.as_bytes(), Quotes::Never, Some(path))
            .into_iter()
            .map(|found| text[found.range].to_owned())
            .collect()
    }

    #[test]
    fn rules_find_what_they_find_there() {
        assert!(is_gitleaks(CONFIG));
        let text =
            "x = hbr_q8zr2lmx0vtn5kdy;\n  // hbr_q8zr2lmx0vtn5kdz;\ndock=abcdefgh qz-927451830";
        let values = found(import(CONFIG).unwrap(), text, "app/a.js");
        assert_eq!(values, ["hbr_q8zr2lmx0vtn5kdy", "qz-927451830"]);
        let text = "dock=ahqwertz";
        assert_eq!(found(import(CONFIG).unwrap(), text, "a"), ["ahqwertz"]);
    }

    #[test]
    fn allow_lists_of_paths_and_of_several_conditions_hold() {
        let text = "hbr_q8zr2lmx0vtn5kdy ";
        assert_eq!(found(import(CONFIG).unwrap(), text, "doc/a.md").len(), 0);
        assert_eq!(found(import(CONFIG).unwrap(), text, "vendor/a.js").len(), 0);
        assert_eq!(found(import(CONFIG).unwrap(), text, "a.js").len(), 1);
    }

    #[test]
    fn what_is_not_taken_is_said_with_its_reason() {
        let import = import(CONFIG).unwrap();
        let ids: Vec<&str> = import.file.rule.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(
            ids,
            ["harbour-pass", "second-group", "short-keyword", "key-file"]
        );
        assert_eq!(import.file.disable, ["json-web-token"]);
        let notes = import.notes.join("\n");
        for word in [
            "useDefault",
            "no-such-rule",
            "`greek` is not taken",
            "`composite`",
            "commits",
            "every byte",
        ] {
            assert!(notes.contains(word), "{word}: {notes}");
        }
    }

    #[test]
    fn an_import_is_a_rule_file_of_ours() {
        let import = import(CONFIG).unwrap();
        let text = toml::to_string(&import.file).unwrap();
        let back = crate::rule::parse_file(&text).unwrap();
        assert_eq!(back.rule.len(), import.file.rule.len());
        assert_eq!(back.rule[0].allow, import.file.rule[0].allow);
        assert!(!is_gitleaks(&text));
    }

    #[test]
    fn nonsense_is_an_error_or_a_note() {
        assert!(import("rules = 3").is_err());
        assert!(import("[[").is_err());
        let import = import("[[rules]]\nid = 3\n[[rules]]\nid = \"a\"\nregex = \"(\"").unwrap();
        assert_eq!(
            (import.file.rule.len(), import.notes.len()),
            (0, 3),
            "{:?}",
            import.notes
        );
    }
}
