//! Holds our own rules to their form and to their samples.
//!
//! Samples lie in `rules/yara/samples/*.toml`, inert: texts are written in ROT13, so that
//! neither other scanners nor ours find them in the repository (`tr A-Za-z N-ZA-Mn-za-m`
//! shows them). `elf = true` puts a header before them and zeros between their lines; `head`
//! is bytes in hex that stand before.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::builtin::sources;
use super::{FileClass, RuleEngine, YaraFile, YaraRules};

#[derive(Deserialize)]
struct Samples {
    sample: Vec<Sample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    rule: String,
    /// Name of the file.
    path: String,
    #[serde(default)]
    elf: bool,
    #[serde(default)]
    head: String,
    /// A file the rule is for.
    matches: String,
    /// One that looks like it and is not.
    clean: String,
}

impl Sample {
    fn bytes(&self, text: &str) -> Vec<u8> {
        let plain = text.bytes().map(|byte| match byte {
            b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
            b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
            other => other,
        });
        let mut bytes: Vec<u8> = self
            .head
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        if self.elf {
            bytes.extend(b"\x7fELF\x02\x01\x01\0");
            bytes.extend(plain.map(|byte| if byte == b'\n' { 0 } else { byte }));
        } else {
            bytes.extend(plain);
        }
        bytes
    }
}

fn samples() -> Vec<Sample> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yara/samples");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            toml::from_str::<Samples>(&text).unwrap().sample
        })
        .collect()
}

fn found(path: &str, bytes: &[u8]) -> Vec<String> {
    let file = YaraFile {
        path,
        ..YaraFile::default()
    };
    let scan = YaraRules::builtin().scan(bytes, &file);
    assert!(!scan.limited);
    scan.matches.into_iter().map(|found| found.rule).collect()
}

#[test]
fn every_rule_has_samples_and_they_hold() {
    let mut wrong = Vec::new();
    let mut sampled = BTreeSet::new();
    for sample in samples() {
        let positive = found(&sample.path, &sample.bytes(&sample.matches));
        if !positive.contains(&sample.rule) {
            wrong.push(format!("{}: not found; found {positive:?}", sample.rule));
        }
        let negative = found(&sample.path, &sample.bytes(&sample.clean));
        if negative.contains(&sample.rule) {
            wrong.push(format!("{}: found in a clean sample", sample.rule));
        }
        sampled.insert(sample.rule);
    }
    let names: BTreeSet<String> = rules().into_keys().collect();
    wrong.extend(
        names
            .difference(&sampled)
            .map(|name| format!("{name}: no sample")),
    );
    wrong.extend(
        sampled
            .difference(&names)
            .map(|name| format!("{name}: no such rule")),
    );
    assert_eq!(wrong, Vec::<String>::new());
}

/// Rules by name, with their metadata.
fn rules() -> BTreeMap<String, Vec<(String, String)>> {
    let builtin = YaraRules::builtin();
    builtin
        .rules()
        .into_iter()
        .map(|rule| (rule.name, rule.meta))
        .collect()
}

#[test]
fn every_rule_compiles_and_describes_itself() {
    let rules = rules();
    assert_eq!(rules.len(), sources().len());
    let mut ids = BTreeSet::new();
    for (name, meta) in &rules {
        let keys: Vec<&str> = meta.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            ["id", "summary", "severity", "reference", "applies"],
            "{name}"
        );
        let value = |at: usize| meta[at].1.as_str();
        assert_eq!(value(0), name.replace('_', "-"), "{name}");
        assert!(ids.insert(value(0)), "{name}");
        assert!(!value(1).ends_with('.') && value(1).len() > 15, "{name}");
        assert!(
            ["critical", "high", "medium", "low"].contains(&value(2)),
            "{name}"
        );
        assert!(value(3).starts_with("https://"), "{name}");
        for word in value(4).split(' ') {
            assert!(
                FileClass::ALL.iter().any(|class| class.is_meant_by(word)),
                "{name}: {word}"
            );
        }
    }
}

/// What the prefilter rests on: without a key there is no match.
#[test]
fn no_rule_matches_without_a_key() {
    for source in sources() {
        assert!(!source.keys.is_empty(), "{}", source.text);
        for key in &source.keys {
            assert!(key.bytes.len() >= 3, "{key:?}");
        }
        let (strings, condition) = source.text.split_once("condition:").unwrap();
        let declared = strings.matches("$key").count();
        assert_eq!(declared, source.keys.len(), "{strings}");
        let condition = condition.trim().trim_end_matches('}').trim();
        let rest = condition.strip_prefix("any of ($key*) and (").unwrap();
        // The parenthesis that opens there closes at the end, so that nothing stands beside.
        let mut depth = 1;
        for (at, character) in rest.char_indices() {
            depth += match character {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            assert!(depth > 0 || at + 1 == rest.len(), "{condition}");
        }
        assert_eq!(depth, 0, "{condition}");
    }
}

/// Masking is what keeps a scan of an image with Seaworthy in it clean.
#[test]
fn our_own_program_is_not_what_our_rules_look_for() {
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(found("usr/bin/seaworthy", &program), Vec::<String>::new());
}
