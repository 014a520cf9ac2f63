//! Secrets in what an image says about itself: environment, labels, history, commands.
//!
//! Whoever can see the image can read these without unpacking a layer (`docker inspect`,
//! `docker history`). Build arguments are in the history too, as the classic builder
//! (`|1 TOKEN=value /bin/sh -c …`) and BuildKit (`RUN |1 TOKEN=value …`) write it.
//!
//! The history lines that go on into the report are cut: a report must not spread what it
//! warns of.

use std::borrow::Cow;

use seaworthy_core::{ConfigSecret, ImageStart};
use seaworthy_image::ImageConfig;
use seaworthy_secrets::scanner::SecretScanner;
use serde_json::Value;

use crate::Tools;

/// Words kept of one command, and parts of one list.
const MAX_WORDS: usize = 4096;
/// Secrets kept of one image's configuration.
const MAX_SECRETS: usize = 1000;

/// What a configuration gave.
#[derive(Debug, Default)]
pub struct ConfigEvidence {
    /// The secrets in it.
    pub secrets: Vec<ConfigSecret>,
    /// The history line of each layer, base first, without its secrets.
    pub created_by: Vec<Option<String>>,
    /// What it starts, without secrets.
    pub start: ImageStart,
}

/// Reads a configuration. Secrets are cut out of what goes on whether or not they are reported.
/// Without any tool that knows them the history stays as it is, and what the image starts is left
/// out.
pub fn read(config: &ImageConfig, layers: usize, tools: &Tools) -> ConfigEvidence {
    let Some(scanner) = tools.secrets.as_ref().or(tools.redactor.as_ref()) else {
        return ConfigEvidence {
            created_by: config
                .layer_history(layers)
                .into_iter()
                .map(|line| line.and_then(|line| line.created_by.clone()))
                .collect(),
            ..ConfigEvidence::default()
        };
    };
    let mut evidence = search(config, layers, scanner);
    if tools.secrets.is_none() {
        evidence.secrets.clear();
    }
    evidence
}

fn search(config: &ImageConfig, layers: usize, scanner: &SecretScanner) -> ConfigEvidence {
    let mut created_by: Vec<Option<String>> = config
        .layer_history(layers)
        .into_iter()
        .map(|line| line.and_then(|line| line.created_by.clone()))
        .collect();
    let mut secrets = Vec::new();
    let mut look = |place: String, layer: Option<u32>, text: &str| {
        let (kept, found) = scanner.cut_out(text);
        for secret in found {
            if secrets.len() < MAX_SECRETS {
                secrets.push(ConfigSecret {
                    place: place.clone(),
                    layer,
                    secret,
                });
            }
        }
        kept.into_owned()
    };
    for variable in &config.env {
        let name = variable.split_once('=').map_or("", |(name, _)| name);
        look(
            format!("environment variable `{}`", shown(name)),
            None,
            variable,
        );
    }
    for (name, value) in &config.labels {
        look(
            format!("label `{}`", shown(name)),
            None,
            &format!("{name}={value}"),
        );
    }
    for (name, value) in &config.annotations {
        let place = format!("annotation `{}`", shown(name));
        look(place, None, &format!("{name}={value}"));
    }
    for statement in &config.attestations {
        // What is no JSON is looked at as it is.
        match serde_json::from_str::<Value>(&statement.text) {
            Ok(value) => statements(&value, &mut |name, text| {
                let argument = name.strip_prefix("build-arg:").unwrap_or(name);
                let place = format!("build attestation, `{}`", shown(name));
                look(place, None, &format!("{argument}={text}"));
            }),
            Err(_) => {
                look("build attestation".to_owned(), None, &statement.text);
            }
        }
    }
    for (what, words) in [
        ("entrypoint", &config.entrypoint),
        ("command", &config.cmd),
        ("health check", &config.healthcheck),
        ("build trigger", &config.on_build),
    ] {
        look(what.to_owned(), None, &words.join(" "));
    }
    let mut layer = 0_u32;
    for (number, entry) in (1_u32..).zip(&config.history) {
        let own = (!entry.empty_layer).then_some(layer);
        layer += u32::from(!entry.empty_layer);
        if let Some(text) = &entry.created_by {
            let kept = look(format!("history line {number}"), own, text);
            if let Some(line) = own.and_then(|layer| created_by.get_mut(layer as usize)) {
                *line = Some(kept);
            }
        }
        if let Some(text) = &entry.comment {
            look(format!("comment of history line {number}"), own, text);
        }
    }
    ConfigEvidence {
        secrets,
        created_by,
        start: start_of(config, scanner),
    }
}

/// What the configuration starts. Words that are secrets, or hold some, are cut.
fn start_of(config: &ImageConfig, scanner: &SecretScanner) -> ImageStart {
    let words = |words: &[String]| -> Vec<String> {
        // Together first: in `--password VALUE` the secret is a word of its own.
        let whole = words.join(" ");
        if let Cow::Borrowed(_) = scanner.cut_out(&whole).0 {
            return words.iter().take(MAX_WORDS).cloned().collect();
        }
        let cut: Vec<String> = words
            .iter()
            .map(|word| scanner.cut_out(word).0.into_owned())
            .collect();
        match scanner.cut_out(&cut.join(" ")).0 {
            Cow::Borrowed(_) => cut,
            // One word that is a command line; how it was parted is lost, its programs are not.
            Cow::Owned(line) => line.split(' ').map(str::to_owned).collect(),
        }
        .into_iter()
        .take(MAX_WORDS)
        .collect()
    };
    let variable = |name: &str| {
        let value = config.env.iter().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key == name).then_some(value)
        });
        scanner.cut_out(value.unwrap_or_default()).0.into_owned()
    };
    let parts = |list: &str, separators: &[char]| -> Vec<String> {
        list.split(separators)
            .filter(|part| !part.is_empty())
            .take(MAX_WORDS)
            .map(str::to_owned)
            .collect()
    };
    ImageStart {
        entrypoint: words(&config.entrypoint),
        command: words(&config.cmd),
        health_check: words(&config.healthcheck),
        on_build: words(&config.on_build),
        user: config.user.clone().unwrap_or_default(),
        working_dir: config.working_dir.clone().unwrap_or_default(),
        path: parts(&variable("PATH"), &[':']),
        preload: parts(&variable("LD_PRELOAD"), &[':', ' ']),
    }
}

/// Calls `found` with each text in a JSON document and the name it stands under. Depth is
/// bounded by the reader of JSON, and number by the size of the document.
fn statements(value: &Value, found: &mut impl FnMut(&str, &str)) {
    let mut waiting = vec![("", value)];
    while let Some((name, value)) = waiting.pop() {
        match value {
            Value::String(text) => found(name, text),
            Value::Array(list) => waiting.extend(list.iter().map(|inner| (name, inner))),
            Value::Object(map) => {
                waiting.extend(map.iter().map(|(name, inner)| (name.as_str(), inner)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A name from the configuration, short enough for a title.
fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use seaworthy_image::HistoryEntry;
    use seaworthy_secrets::redact::FingerprintKey;
    use seaworthy_secrets::scanner::SecretScanner;

    use super::*;

    const VALUE: &str = "q8Zr2LmX0vTn5KdYq8Zr";

    fn read_config(config: &ImageConfig, layers: usize) -> ConfigEvidence {
        let scanner = SecretScanner::builtin(FingerprintKey::new([1; 32])).unwrap();
        let tools = Tools {
            secrets: Some(Arc::new(scanner)),
            ..Tools::default()
        };
        let evidence = read(config, layers, &tools);
        assert!(!format!("{evidence:?}").contains(VALUE), "{evidence:?}");
        evidence
    }

    fn places(evidence: &ConfigEvidence) -> Vec<(&str, Option<u32>)> {
        evidence
            .secrets
            .iter()
            .map(|found| (found.place.as_str(), found.layer))
            .collect()
    }

    #[test]
    fn environment_labels_and_commands_are_looked_at() {
        let config = ImageConfig {
            env: vec!["PATH=/usr/bin".into(), format!("DB_PASSWORD={VALUE}")],
            labels: [("api-token".to_owned(), VALUE.to_owned())].into(),
            cmd: vec!["serve".into(), format!("--auth-token={VALUE}")],
            ..ImageConfig::default()
        };
        assert_eq!(
            places(&read_config(&config, 0)),
            [
                ("environment variable `DB_PASSWORD`", None),
                ("label `api-token`", None),
                ("command", None),
            ]
        );
    }

    #[test]
    fn what_the_image_starts_is_kept_without_secrets() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        let config = ImageConfig {
            env: vec![
                "PATH=/usr/bin:/bin".into(),
                "LD_PRELOAD=/lib/a.so /lib/b.so".into(),
            ],
            entrypoint: words("/bin/tini --"),
            cmd: vec!["serve".into(), format!("--auth-token={VALUE}")],
            user: Some("app".into()),
            ..ImageConfig::default()
        };
        let start = read_config(&config, 0).start;
        assert_eq!(start.entrypoint, ["/bin/tini", "--"]);
        assert_eq!(start.command.first().map(String::as_str), Some("serve"));
        assert_eq!(start.path, ["/usr/bin", "/bin"]);
        assert_eq!(start.preload, ["/lib/a.so", "/lib/b.so"]);
        assert_eq!(start.user, "app");
    }

    #[test]
    fn history_is_cut_even_where_nobody_wants_secrets_reported() {
        let config = ImageConfig {
            history: vec![HistoryEntry {
                created_by: Some(format!("RUN API_TOKEN={VALUE} make")),
                ..HistoryEntry::default()
            }],
            ..ImageConfig::default()
        };
        let scanner = SecretScanner::builtin(FingerprintKey::new([1; 32])).unwrap();
        let tools = Tools {
            redactor: Some(Arc::new(scanner)),
            ..Tools::default()
        };
        let evidence = read(&config, 1, &tools);
        assert_eq!(evidence.secrets.len(), 0);
        assert!(!format!("{evidence:?}").contains(VALUE), "{evidence:?}");
    }

    #[test]
    fn annotations_and_build_attestations_are_looked_at() {
        let statement = format!(
            r#"{{"predicate":{{"invocation":{{"parameters":{{"args":{{"build-arg:NPM_TOKEN":"{VALUE}"}}}}}}}}}}"#
        );
        let config = ImageConfig {
            annotations: [("org.example.api-token".to_owned(), VALUE.to_owned())].into(),
            attestations: vec![seaworthy_image::Attestation {
                predicate_type: String::new(),
                text: statement,
            }],
            ..ImageConfig::default()
        };
        assert_eq!(
            places(&read_config(&config, 0)),
            [
                ("annotation `org.example.api-token`", None),
                ("build attestation, `build-arg:NPM_TOKEN`", None),
            ]
        );
    }

    #[test]
    fn build_arguments_are_found_in_the_history_and_cut_out_of_it() {
        let line = |created_by: String, empty_layer| HistoryEntry {
            created_by: Some(created_by),
            empty_layer,
            ..HistoryEntry::default()
        };
        let config = ImageConfig {
            history: vec![
                line("ADD rootfs.tar /".into(), false),
                line(format!("ENV TOKEN={VALUE}"), true),
                line(
                    format!("RUN |1 API_TOKEN={VALUE} /bin/sh -c make # buildkit"),
                    false,
                ),
            ],
            ..ImageConfig::default()
        };
        let evidence = read_config(&config, 2);
        assert_eq!(
            places(&evidence),
            [("history line 2", None), ("history line 3", Some(1))]
        );
        assert_eq!(
            evidence.created_by,
            [
                Some("ADD rootfs.tar /".to_owned()),
                Some(
                    "RUN |1 API_TOKEN=[q8Zr... (20 characters)] /bin/sh -c make # buildkit"
                        .to_owned()
                ),
            ]
        );
    }
}
