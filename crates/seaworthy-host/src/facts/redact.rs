//! Facts are written to files and sent to colleagues: what looks like a secret in an
//! environment, a command or a label is left out when they are taken, not when they are
//! shown.

use serde::{Deserialize, Serialize};

/// What stands in the place of a value.
pub const HIDDEN: &str = "[redacted]";

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value, only for the names that rules ask for (see [`SHOWN`]); everything else
    /// stays out of the facts.
    pub value: Option<String>,
    /// Whether it is set to something.
    pub is_set: bool,
    /// Whether by its name and shape the value is a password, key or token in the clear.
    pub is_secret: bool,
}

/// Variables whose values change what a container can do; none of them is a secret.
pub const SHOWN: &[&str] = &[
    "DOCKER_HOST",
    "DOCKER_TLS_CERTDIR",
    "GCONV_PATH",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_VISIBLE_DEVICES",
    "PATH",
];

/// Parts of names whose values are secrets.
const SECRET_NAMES: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "CREDENTIAL",
    "_PWD",
];
/// Ends of names that say where a secret is, or something about it, and not what it is.
const NOT_THE_SECRET: &[&str] = &[
    "_FILE", "_PATH", "_DIR", "_TTL", "_EXPIRY", "_LENGTH", "_NAME",
];

impl EnvVar {
    /// Reads `NAME=value`.
    pub fn parse(line: &str) -> EnvVar {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        EnvVar {
            name: name.chars().take(256).collect(),
            value: SHOWN
                .contains(&name)
                .then(|| value.chars().take(4096).collect()),
            is_set: !value.is_empty(),
            is_secret: is_secret_name(name) && is_secret_value(value) || has_userinfo(value),
        }
    }
}

/// Whether a name promises a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    SECRET_NAMES.iter().any(|part| name.contains(part))
        && !NOT_THE_SECRET.iter().any(|end| name.ends_with(end))
}

/// Whether a value can be a secret at all: a path, a switch or a reference is none.
fn is_secret_value(value: &str) -> bool {
    let word = value.trim().to_ascii_lowercase();
    word.len() >= 3
        && !value.starts_with('/')
        && !value.starts_with("${")
        && ![
            "true",
            "false",
            "yes",
            "no",
            "none",
            "null",
            "changeme-later",
            "off",
            "on",
        ]
        .contains(&word.as_str())
}

/// Whether a text holds a URL with a password: `scheme://user:password@host`.
pub fn has_userinfo(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let rest = text.get(at + 3..).unwrap_or_default();
        let authority = rest.split(['/', ' ', '?', '#']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty())
    })
}

/// A value of something with a name, such as a label, as far as it may be kept.
pub fn value_of(name: &str, value: &str) -> String {
    if is_secret_name(name) && is_secret_value(value) || has_userinfo(value) {
        HIDDEN.to_owned()
    } else {
        value.chars().take(1024).collect()
    }
}

/// Arguments of a command, as far as they may be kept: `--password=x`, `--token x` and
/// URLs with passwords lose their values.
pub fn arguments(arguments: &[String]) -> Vec<String> {
    let mut follows_secret = false;
    arguments
        .iter()
        .take(512)
        .map(|argument| {
            let hide = std::mem::take(&mut follows_secret);
            if hide && !argument.starts_with('-') {
                return HIDDEN.to_owned();
            }
            if has_userinfo(argument) {
                return HIDDEN.to_owned();
            }
            match argument.split_once('=') {
                Some((name, value)) if is_secret_name(name) && is_secret_value(value) => {
                    format!("{name}={HIDDEN}")
                }
                None if argument.starts_with("--") && is_secret_name(argument) => {
                    follows_secret = true;
                    argument.clone()
                }
                _ => argument.chars().take(4096).collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_from_references_to_them() {
        for secret in [
            "DB_PASSWORD=hunter2",
            "API_TOKEN=abc123",
            "URL=postgres://u:p@db/x",
        ] {
            let variable = EnvVar::parse(secret);
            assert!(variable.is_secret && variable.value.is_none(), "{secret}");
        }
        for other in [
            "DB_PASSWORD_FILE=/run/secrets/db",
            "PASSWORD=",
            "ALLOW_EMPTY_PASSWORD=yes",
            "TOKEN=${TOKEN}",
            "URL=https://example.org:80/@x",
        ] {
            assert!(!EnvVar::parse(other).is_secret, "{other}");
        }
        assert_eq!(
            EnvVar::parse("LD_PRELOAD=/x.so").value.as_deref(),
            Some("/x.so")
        );
    }

    #[test]
    fn arguments_lose_their_secrets_only() {
        let given = ["run", "--token", "abc", "--password=abc", "--port=80"].map(String::from);
        assert_eq!(
            arguments(&given),
            [
                "run",
                "--token",
                HIDDEN,
                "--password=[redacted]",
                "--port=80"
            ]
        );
    }
}
