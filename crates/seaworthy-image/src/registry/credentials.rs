//! Who we are to a registry, from the files the Docker client and Podman keep.
//!
//! Looked at in order, the first hit wins: `$REGISTRY_AUTH_FILE`, the Docker client's
//! `config.json`, Podman's `$XDG_RUNTIME_DIR/containers/auth.json`. In each of them a
//! credential helper for the host (`credHelpers`) wins over the general store
//! (`credsStore`), and that over inline `auths`. A helper is authoritative: when it runs
//! and knows nothing, the answer is "nobody". Inline credentials count only where no
//! helper is configured or it can't be run.
//!
//! Helper protocol: `docker-credential-NAME get`, the registry on standard input, JSON on
//! standard output (docker-credential-helpers project). Its output and time are bounded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use seaworthy_core::Secret;
use serde::Deserialize;

use super::name::RegistryReference;
use crate::Environment;

/// What Docker Hub's credentials are filed under.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// Bytes of a credential file.
const MAX_FILE: u64 = 4 << 20;
/// Bytes of a helper's answer.
const MAX_ANSWER: u64 = 256 << 10;
/// How long a helper may think: some ask a person for a PIN.
const HELPER_TIME: Duration = Duration::from_secs(60);

/// A proof of identity for one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// User name and password.
    Password {
        /// The user's name.
        user: String,
        /// Their password.
        password: Secret,
    },
    /// An OAuth refresh token, to be changed into access tokens.
    IdentityToken(Secret),
    /// An access token to be sent as it is.
    AccessToken(Secret),
}

/// What was found, and what went wrong on the way, for the message in case access fails.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The credential, if any.
    pub credential: Option<Credential>,
    /// Troubles with files and helpers, without any secret.
    pub troubles: Vec<String>,
}

#[derive(Deserialize, Default)]
struct AuthFile {
    #[serde(default)]
    auths: BTreeMap<String, AuthEntry>,
    #[serde(rename = "credsStore")]
    creds_store: Option<String>,
    #[serde(rename = "credHelpers", default)]
    cred_helpers: BTreeMap<String, String>,
}

/// No `Debug`: it holds secrets in the clear for the moment between reading and wrapping.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct AuthEntry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

#[derive(Deserialize)]
struct HelperAnswer {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// Looks up the credential for an image's registry.
pub(crate) fn find_credential(image: &RegistryReference, environment: &Environment) -> Found {
    let mut found = Found::default();
    for path in auth_files(environment) {
        let file = match read_file(&path) {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(why) => {
                found.troubles.push(format!("`{}` {why}", path.display()));
                continue;
            }
        };
        match from_file(&file, image, environment, &mut found.troubles) {
            Answer::Credential(credential) => {
                found.credential = Some(credential);
                return found;
            }
            Answer::Nobody => return found,
            Answer::Unknown => {}
        }
    }
    found
}

fn auth_files(environment: &Environment) -> Vec<PathBuf> {
    let explicit = environment.get("REGISTRY_AUTH_FILE").map(PathBuf::from);
    let docker = environment
        .docker_config_dir()
        .map(|dir| dir.join("config.json"));
    let podman = environment
        .get("XDG_RUNTIME_DIR")
        .map(|dir| Path::new(dir).join("containers/auth.json"));
    [explicit, docker, podman].into_iter().flatten().collect()
}

fn read_file(path: &Path) -> Result<Option<AuthFile>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    // The parser's message could quote the file, and the file holds secrets.
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| format!("is damaged in line {}", error.line()))
}

enum Answer {
    Credential(Credential),
    /// A helper is in charge and knows nobody.
    Nobody,
    /// Nothing here; ask elsewhere.
    Unknown,
}

fn from_file(
    file: &AuthFile,
    image: &RegistryReference,
    environment: &Environment,
    troubles: &mut Vec<String>,
) -> Answer {
    let host = image.host.as_str();
    let key = if host == "docker.io" { HUB_KEY } else { host };
    let helper = file
        .cred_helpers
        .iter()
        .find(|(name, _)| canonical(name) == host)
        .map(|(_, helper)| helper)
        .or(file.creds_store.as_ref())
        .filter(|helper| !helper.is_empty());
    if let Some(helper) = helper {
        match ask_helper(helper, key, environment) {
            Ok(Some(credential)) => return Answer::Credential(credential),
            Ok(None) => return Answer::Nobody,
            Err(why) => troubles.push(format!(
                "credential helper `{}` {why}",
                helper.escape_debug()
            )),
        }
    }
    match inline(file, image) {
        Some(entry) => entry
            .credential()
            .map_or(Answer::Unknown, Answer::Credential),
        None => Answer::Unknown,
    }
}

/// The entry for the image: Podman files them by repository too, so the longest key that
/// is a prefix of whole components wins.
fn inline<'a>(file: &'a AuthFile, image: &RegistryReference) -> Option<&'a AuthEntry> {
    let full = format!("{}/{}", image.host, image.repository);
    file.auths
        .iter()
        .filter_map(|(key, entry)| {
            let key = canonical(key);
            let fits = full.strip_prefix(key.as_str())?;
            (fits.is_empty() || fits.starts_with('/')).then_some((key.len(), entry))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, entry)| entry)
}

/// A key of an auth file as a host or host and path: `https://index.docker.io/v1/` is
/// `docker.io`.
fn canonical(key: &str) -> String {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key)
        .trim_end_matches('/');
    let key = key
        .strip_suffix("/v1")
        .or_else(|| key.strip_suffix("/v2"))
        .unwrap_or(key);
    match key {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        key => key.to_owned(),
    }
}

impl AuthEntry {
    fn credential(&self) -> Option<Credential> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = filled(&self.identitytoken) {
            return Some(Credential::IdentityToken(Secret::new(token)));
        }
        if let Some(token) = filled(&self.registrytoken) {
            return Some(Credential::AccessToken(Secret::new(token)));
        }
        let (user, password) = match filled(&self.auth) {
            Some(auth) => {
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(auth.trim())
                    .ok()?;
                let text = String::from_utf8(bytes).ok()?;
                let (user, password) = text.split_once(':')?;
                (user.to_owned(), password.trim_end_matches('\0').to_owned())
            }
            None => (filled(&self.username)?, filled(&self.password)?),
        };
        Some(Credential::Password {
            user,
            password: Secret::new(password),
        })
    }
}

/// Runs a helper. `Ok(None)` when it knows nobody; an error says, without the helper's
/// output, why it could not be asked.
fn ask_helper(
    helper: &str,
    key: &str,
    environment: &Environment,
) -> Result<Option<Credential>, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if !helper.bytes().all(good) {
        return Err("has an impossible name".into());
    }
    let program = find_program(&format!("docker-credential-{helper}"), environment)
        .ok_or("is not in `PATH`")?;
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot be run: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input answers anyway or fails below.
        let _ = stdin.write_all(key.as_bytes());
    }
    let (sender, answer) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(MAX_ANSWER).read_to_end(&mut bytes);
            let _ = sender.send(read.map(|_| bytes));
        });
    }
    let deadline = Instant::now() + HELPER_TIME;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!(
                    "gave no answer in {} seconds",
                    HELPER_TIME.as_secs()
                ));
            }
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    };
    // A grandchild may hold the pipe open, so this wait is bounded too.
    let bytes = answer
        .recv_timeout(Duration::from_secs(2))
        .map_err(|_| "did not close its output")?
        .map_err(|error| format!("cannot be read: {error}"))?;
    if !status.success() {
        // The one failure that means "I know nobody"; helpers say it on standard output.
        let text = String::from_utf8_lossy(&bytes);
        return if text.contains("credentials not found") {
            Ok(None)
        } else {
            Err(format!("failed ({status})"))
        };
    }
    let answer: HelperAnswer =
        serde_json::from_slice(&bytes).map_err(|_| "answered what is no JSON")?;
    if answer.secret.is_empty() {
        return Ok(None);
    }
    let secret = Secret::new(answer.secret);
    Ok(Some(if answer.username == "<token>" {
        Credential::IdentityToken(secret)
    } else {
        Credential::Password {
            user: answer.username,
            password: secret,
        }
    }))
}

fn find_program(name: &str, environment: &Environment) -> Option<PathBuf> {
    environment
        .get("PATH")?
        .split(':')
        .filter(|dir| dir.starts_with('/'))
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn password(user: &str, password: &str) -> Option<Credential> {
        Some(Credential::Password {
            user: user.into(),
            password: Secret::new(password),
        })
    }

    /// Looks `image` up with `config` as the Docker client's and `helpers` in the path.
    fn lookup(config: &str, image: &str, helpers: &[(&str, &str)]) -> Found {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        for (name, script) in helpers {
            let path = dir.path().join(format!("docker-credential-{name}"));
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let dir = dir.path().to_str().unwrap().to_owned();
        let environment = [("DOCKER_CONFIG", dir.clone()), ("PATH", dir)]
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect();
        find_credential(&RegistryReference::parse(image).unwrap(), &environment)
    }

    #[test]
    fn inline_credentials_are_found_under_every_spelling_of_the_host() {
        // "sailor:harbour"
        let auth = "c2FpbG9yOmhhcmJvdXI=";
        for (key, image) in [
            ("https://index.docker.io/v1/", "debian"),
            ("docker.io", "docker.io/library/debian"),
            ("ship.example", "ship.example/a"),
            ("https://ship.example/v2/", "ship.example/a"),
            ("ship.example:5000", "ship.example:5000/a"),
            ("ship.example/fleet", "ship.example/fleet/a"),
        ] {
            let config = format!(r#"{{"auths":{{"{key}":{{"auth":"{auth}"}}}}}}"#);
            assert_eq!(
                lookup(&config, image, &[]).credential,
                password("sailor", "harbour"),
                "{key}"
            );
        }
        for (key, image) in [
            ("ship.example", "ship.example.org/a"),
            ("ship.example", "ship.example:5000/a"),
            ("ship.example/fleet", "ship.example/fleets/a"),
        ] {
            let config = format!(r#"{{"auths":{{"{key}":{{"auth":"{auth}"}}}}}}"#);
            assert_eq!(lookup(&config, image, &[]), Found::default(), "{key}");
        }
    }

    #[test]
    fn the_longest_key_wins() {
        let config = r#"{"auths":{
            "ship.example":{"username":"a","password":"1"},
            "ship.example/fleet":{"username":"b","password":"2"}}}"#;
        assert_eq!(
            lookup(config, "ship.example/fleet/x", &[]).credential,
            password("b", "2")
        );
        assert_eq!(
            lookup(config, "ship.example/other", &[]).credential,
            password("a", "1")
        );
    }

    #[test]
    fn identity_tokens_are_kept_apart_from_passwords() {
        let config = r#"{"auths":{"ship.example":{"auth":"eDo=","identitytoken":"idtoken"}}}"#;
        assert_eq!(
            lookup(config, "ship.example/a", &[]).credential,
            Some(Credential::IdentityToken(Secret::new("idtoken")))
        );
    }

    #[test]
    fn a_helper_is_asked_with_the_key_and_is_authoritative() {
        let echo = r#"read key; [ "$key" = ship.example ] || exit 3; echo '{"Username":"h","Secret":"s"}'"#;
        let inline = r#""auths":{"ship.example":{"username":"a","password":"1"}}"#;
        let config =
            format!(r#"{{{inline},"credHelpers":{{"ship.example":"echo"}},"credsStore":"other"}}"#);
        assert_eq!(
            lookup(&config, "ship.example/a", &[("echo", echo)]).credential,
            password("h", "s")
        );

        let store = format!(r#"{{{inline},"credsStore":"none"}}"#);
        let none = "echo 'credentials not found in native keychain'; exit 1";
        assert_eq!(
            lookup(&store, "ship.example/a", &[("none", none)]),
            Found::default()
        );

        let token = r#"echo '{"Username":"<token>","Secret":"t"}'"#;
        assert_eq!(
            lookup(r#"{"credsStore":"t"}"#, "debian", &[("t", token)]).credential,
            Some(Credential::IdentityToken(Secret::new("t")))
        );
    }

    #[test]
    fn a_helper_that_cannot_be_asked_is_told_and_inline_credentials_serve() {
        let inline = r#""auths":{"ship.example":{"username":"a","password":"1"}}"#;
        for (helper, script, why) in [
            ("gone", "", "is not in `PATH`"),
            ("../evil", "", "impossible name"),
            ("fails", "echo hunter2; exit 4", "failed"),
            ("junk", "echo hunter2", "no JSON"),
        ] {
            let config = format!(r#"{{{inline},"credsStore":"{helper}"}}"#);
            let scripts: &[(&str, &str)] = if script.is_empty() {
                &[]
            } else {
                &[(helper, script)]
            };
            let found = lookup(&config, "ship.example/a", scripts);
            assert_eq!(found.credential, password("a", "1"), "{helper}");
            assert!(found.troubles[0].contains(why), "{:?}", found.troubles);
            assert!(!found.troubles[0].contains("hunter2"));
        }
    }

    #[test]
    fn a_damaged_file_is_told_without_its_content() {
        let found = lookup(r#"{"auths":{"a":{"auth": hunter2}}}"#, "debian", &[]);
        assert_eq!(found.credential, None);
        assert!(found.troubles[0].contains("is damaged in line 1"));
        assert!(!found.troubles[0].contains("hunter2"));
    }

    #[test]
    fn podmans_file_serves_where_docker_knows_nobody() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("containers")).unwrap();
        std::fs::write(
            dir.path().join("containers/auth.json"),
            r#"{"auths":{"ship.example":{"auth":"c2FpbG9yOmhhcmJvdXI="}}}"#,
        )
        .unwrap();
        let runtime = dir.path().to_str().unwrap().to_owned();
        let environment = [("XDG_RUNTIME_DIR".to_owned(), runtime)]
            .into_iter()
            .collect();
        let image = RegistryReference::parse("ship.example/a").unwrap();
        assert_eq!(
            find_credential(&image, &environment).credential,
            password("sailor", "harbour")
        );
    }
}
