//! Which engine is meant: the rules of the Docker client.
//!
//! In order: an address given by the caller, `DOCKER_HOST`, `DOCKER_CONTEXT`,
//! `currentContext` in the client's `config.json`, the default socket, and the rootless
//! socket where the default one is absent. A context is the file
//! `contexts/meta/<SHA-256 of its name>/meta.json` beside the client's configuration;
//! its TLS material lies in `contexts/tls/<the same>/docker/`.
//!
//! Left out: `ssh://`, which needs an SSH client; the error says how to tunnel instead.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::transport::{Endpoint, TlsEndpoint};
use crate::{Environment, ImageError};

/// The socket of a rootful engine.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Bytes of a client configuration or context file.
const MAX_FILE: u64 = 4 << 20;

/// An engine's address and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAddress {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Who said so, for messages: `DOCKER_HOST`, `context \`x\``, `default socket`.
    pub origin: String,
}

/// Finds the engine that the Docker client would talk to. `explicit` wins over all.
///
/// # Errors
///
/// When an address is malformed or of an unsupported kind, or a named context can't be
/// read. Whether anything listens there is not asked.
pub fn engine_address(
    explicit: Option<&str>,
    environment: &Environment,
) -> Result<EngineAddress, ImageError> {
    let named = explicit
        .map(|address| (address, "the given address"))
        .or_else(|| Some((environment.get("DOCKER_HOST")?, "`DOCKER_HOST`")));
    if let Some((address, origin)) = named {
        let tls = environment.get("DOCKER_TLS_VERIFY").map(|_| {
            environment
                .get("DOCKER_CERT_PATH")
                .map(PathBuf::from)
                .or_else(|| environment.docker_config_dir())
        });
        let tls = tls.map(|certificates| (certificates, true));
        return Ok(EngineAddress {
            endpoint: parse_address(address, tls)?,
            origin: origin.to_owned(),
        });
    }
    if let Some(name) = environment.get("DOCKER_CONTEXT") {
        return of_context(name, environment);
    }
    if let Some(name) = current_context(environment) {
        return of_context(&name, environment);
    }
    Ok(default_socket(environment, Path::new(DEFAULT_SOCKET)))
}

fn default_socket(environment: &Environment, rootful: &Path) -> EngineAddress {
    if !rootful.exists()
        && let Some(dir) = environment.get("XDG_RUNTIME_DIR")
    {
        let rootless = Path::new(dir).join("docker.sock");
        if rootless.exists() {
            return EngineAddress {
                endpoint: Endpoint::Unix(rootless),
                origin: "the rootless socket".to_owned(),
            };
        }
    }
    EngineAddress {
        endpoint: Endpoint::Unix(rootful.to_owned()),
        origin: "the default socket".to_owned(),
    }
}

#[derive(Deserialize)]
struct ClientConfig {
    #[serde(rename = "currentContext")]
    current_context: Option<String>,
}

/// A configuration that can't be read names no context; the Docker client says the same.
fn current_context(environment: &Environment) -> Option<String> {
    let bytes = read_bounded(&environment.docker_config_dir()?.join("config.json")).ok()?;
    let config: ClientConfig = serde_json::from_slice(&bytes).ok()?;
    config.current_context.filter(|name| !name.is_empty())
}

#[derive(Deserialize)]
struct ContextMeta {
    #[serde(rename = "Endpoints", default)]
    endpoints: std::collections::BTreeMap<String, ContextEndpoint>,
}

#[derive(Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

fn of_context(name: &str, environment: &Environment) -> Result<EngineAddress, ImageError> {
    if name == "default" {
        return Ok(default_socket(environment, Path::new(DEFAULT_SOCKET)));
    }
    let shown = name.escape_debug();
    let hint = "`docker context ls` lists the contexts there are; `DOCKER_HOST` overrides them";
    let contexts = environment
        .docker_config_dir()
        .ok_or_else(|| {
            ImageError::new(format!(
                "cannot look up Docker context `{shown}`: there is no home directory"
            ))
            .hint("set `HOME`, `DOCKER_CONFIG` or `DOCKER_HOST`")
        })?
        .join("contexts");
    let id: String = Sha256::digest(name.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let path = contexts.join("meta").join(&id).join("meta.json");
    let bytes = read_bounded(&path).map_err(|error| {
        ImageError::new(format!("cannot read Docker context `{shown}`"))
            .hint(hint)
            .caused_by(error)
    })?;
    let meta: ContextMeta = serde_json::from_slice(&bytes).map_err(|error| {
        ImageError::new(format!("Docker context `{shown}` is damaged"))
            .hint(hint)
            .caused_by(error)
    })?;
    let endpoint = meta
        .endpoints
        .get("docker")
        .filter(|endpoint| !endpoint.host.is_empty())
        .ok_or_else(|| {
            ImageError::new(format!("Docker context `{shown}` names no engine")).hint(hint)
        })?;
    let material = contexts.join("tls").join(&id).join("docker");
    let tls = if material.is_dir() {
        Some((Some(material), !endpoint.skip_tls_verify))
    } else if endpoint.skip_tls_verify {
        Some((None, false))
    } else {
        None
    };
    Ok(EngineAddress {
        endpoint: parse_address(&endpoint.host, tls)?,
        origin: format!("Docker context `{shown}`"),
    })
}

/// Reads `unix://PATH`, `tcp://HOST[:PORT]` and `HOST:PORT`. `tls` holds the folder of
/// certificates and whether to verify, where TLS is wanted.
fn parse_address(
    address: &str,
    tls: Option<(Option<PathBuf>, bool)>,
) -> Result<Endpoint, ImageError> {
    let shown: String = address
        .chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect();
    let bad = |why: &str| {
        ImageError::new(format!("`{shown}` is no engine address: {why}"))
            .hint("write it as `unix:///var/run/docker.sock` or `tcp://HOST:PORT`")
    };
    if let Some(path) = address.strip_prefix("unix://") {
        return if path.starts_with('/') && !path.contains('\0') {
            Ok(Endpoint::Unix(PathBuf::from(path)))
        } else {
            Err(bad("the path of the socket must be absolute"))
        };
    }
    let (scheme, rest) = address.split_once("://").unwrap_or(("tcp", address));
    let tls = match (scheme, tls) {
        ("tcp" | "http", tls) => tls,
        ("https", None) => Some((None, true)),
        ("https", tls) => tls,
        ("ssh", _) => {
            return Err(ImageError::new(format!(
                "cannot reach the engine at `{shown}`: `ssh://` is not supported"
            ))
            .hint(
                "forward the socket, `ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST`, and set `DOCKER_HOST=unix:///tmp/docker.sock`",
            ));
        }
        _ => return Err(bad("unknown kind of address")),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let default_port = if tls.is_some() { 2376 } else { 2375 };
    let (host, port) = split_authority(authority, default_port).ok_or_else(|| bad("no host"))?;
    Ok(match tls {
        Some((certificates, verify)) => Endpoint::Tls(TlsEndpoint {
            host,
            port,
            certificates,
            verify,
        }),
        None => Endpoint::Tcp { host, port },
    })
}

fn split_authority(authority: &str, default_port: u16) -> Option<(String, u16)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, rest.strip_prefix(':'))
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || b".-_:%".contains(&b);
    if host.is_empty() || !host.bytes().all(good) {
        return None;
    }
    let port = match port {
        Some(port) => port.parse().ok()?,
        None => default_port,
    };
    Some((host.to_owned(), port))
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn address(variables: &[(&str, &str)]) -> String {
        match engine_address(None, &environment(variables)) {
            Ok(found) => format!("{} from {}", found.endpoint, found.origin),
            Err(error) => format!(
                "{error}; hint: {}",
                error.hint.as_deref().unwrap_or_default()
            ),
        }
    }

    /// A Docker client's home with one context `ship`.
    fn home(host: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        // What `printf ship | sha256sum` says.
        let id = "e5d5b971139eefeb36d6edb9938fa246740c90da2003626487eb2d5d9646aec6";
        let meta = home.path().join("contexts/meta").join(id);
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(
            meta.join("meta.json"),
            format!(
                r#"{{"Name":"ship","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#
            ),
        )
        .unwrap();
        home
    }

    #[test]
    fn the_engine_is_chosen_as_the_docker_client_does() {
        let home = home("unix:///run/ship.sock");
        let dir = home.path().to_str().unwrap();
        assert_eq!(
            address(&[("DOCKER_CONFIG", dir), ("DOCKER_CONTEXT", "ship")]),
            "unix:///run/ship.sock from Docker context `ship`"
        );
        assert_eq!(
            address(&[
                ("DOCKER_CONFIG", dir),
                ("DOCKER_CONTEXT", "ship"),
                ("DOCKER_HOST", "tcp://10.0.0.1")
            ]),
            "tcp://10.0.0.1:2375 from `DOCKER_HOST`"
        );
        std::fs::write(
            home.path().join("config.json"),
            r#"{"currentContext":"ship"}"#,
        )
        .unwrap();
        assert_eq!(
            address(&[("DOCKER_CONFIG", dir)]),
            "unix:///run/ship.sock from Docker context `ship`"
        );
        assert!(
            address(&[("DOCKER_CONFIG", dir), ("DOCKER_CONTEXT", "default")])
                .ends_with("from the default socket")
        );
        let missing = address(&[("DOCKER_CONFIG", dir), ("DOCKER_CONTEXT", "raft")]);
        assert!(
            missing.starts_with("cannot read Docker context `raft`"),
            "{missing}"
        );
    }

    #[test]
    fn the_rootless_socket_serves_where_the_rootful_one_is_absent() {
        let runtime = tempfile::tempdir().unwrap();
        let environment = environment(&[("XDG_RUNTIME_DIR", runtime.path().to_str().unwrap())]);
        let rootful = runtime.path().join("rootful.sock");
        assert_eq!(
            default_socket(&environment, &rootful).endpoint,
            Endpoint::Unix(rootful.clone())
        );
        let rootless = runtime.path().join("docker.sock");
        std::fs::write(&rootless, "").unwrap();
        assert_eq!(
            default_socket(&environment, &rootful).endpoint,
            Endpoint::Unix(rootless)
        );
        std::fs::write(&rootful, "").unwrap();
        assert_eq!(
            default_socket(&environment, &rootful).endpoint,
            Endpoint::Unix(rootful)
        );
    }

    #[test]
    fn tls_is_chosen_by_the_docker_variables() {
        let found = engine_address(
            None,
            &environment(&[
                ("DOCKER_HOST", "tcp://[::1]"),
                ("DOCKER_TLS_VERIFY", "1"),
                ("DOCKER_CERT_PATH", "/certs"),
            ]),
        )
        .unwrap();
        assert_eq!(
            found.endpoint,
            Endpoint::Tls(TlsEndpoint {
                host: "::1".into(),
                port: 2376,
                certificates: Some("/certs".into()),
                verify: true,
            })
        );
    }

    #[test]
    fn unusable_addresses_say_what_to_do() {
        let ssh = address(&[("DOCKER_HOST", "ssh://me@host")]);
        assert!(
            ssh.contains("not supported; hint: forward the socket"),
            "{ssh}"
        );
        for bad in [
            "npipe:////./pipe/x",
            "unix://relative",
            "tcp://",
            "tcp://a b:1",
            "tcp://h:99999",
        ] {
            let error = address(&[("DOCKER_HOST", bad)]);
            assert!(error.contains("is no engine address"), "{bad}: {error}");
        }
    }
}
