//! Names of images in registries: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
//!
//! The rules are those of the Docker client (distribution project, package `reference`):
//! the first component is a host when it holds a dot or a colon or is `localhost`;
//! otherwise the host is `docker.io`, where a name of one component lives in `library/`.

use std::fmt;

use seaworthy_core::Digest;

use crate::ImageError;

/// The longest repository name a registry takes.
const MAX_REPOSITORY: usize = 255;

/// An image's name, normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryReference {
    /// Host with its port as written; `docker.io` for Docker Hub.
    pub host: String,
    /// Repository inside the registry, `library/debian`.
    pub repository: String,
    /// Tag; `latest` when neither tag nor digest is given.
    pub tag: Option<String>,
    /// Digest of the manifest or index; it wins over the tag.
    pub digest: Option<Digest>,
}

impl RegistryReference {
    /// Reads a reference (without `registry:`).
    ///
    /// # Errors
    ///
    /// When it breaks the grammar; the message says where.
    pub fn parse(text: &str) -> Result<RegistryReference, ImageError> {
        let bad = |why: &str| {
            let shown: String = text
                .chars()
                .take(300)
                .flat_map(char::escape_debug)
                .collect();
            ImageError::new(format!("`{shown}` is no image name: {why}"))
                .hint("write it as `debian:12`, `HOST/PATH:TAG` or `HOST/PATH@sha256:…`")
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (
                name,
                Some(digest.parse::<Digest>().map_err(|e| bad(&e.to_string()))?),
            ),
            None => (text, None),
        };
        let (host, rest) = match name.split_once('/') {
            Some((first, rest)) if is_host(first) => (first, rest),
            _ => ("docker.io", name),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        if !valid_host(host) {
            return Err(bad("the host is malformed"));
        }
        if let Some(tag) = tag
            && !valid_tag(tag)
        {
            return Err(bad("the tag is malformed"));
        }
        let host = match host {
            "index.docker.io" | "registry-1.docker.io" => "docker.io",
            host => host,
        };
        let repository = if host == "docker.io" && !path.contains('/') && !path.is_empty() {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        if repository.len() > MAX_REPOSITORY {
            return Err(bad("it is too long"));
        }
        if repository.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(bad("the path must be in lower case"));
        }
        if !repository.split('/').all(valid_component) {
            return Err(bad("a component of the path is malformed"));
        }
        Ok(RegistryReference {
            host: host.to_owned(),
            repository,
            tag: match (tag, &digest) {
                (Some(tag), _) => Some(tag.to_owned()),
                (None, Some(_)) => None,
                (None, None) => Some("latest".to_owned()),
            },
            digest,
        })
    }

    /// The host that answers the registry protocol: Docker Hub's is not the one in names.
    pub(crate) fn api_host(&self) -> &str {
        match self.host.as_str() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        }
    }

    /// What to ask the registry for: the digest or else the tag.
    pub(crate) fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl fmt::Display for RegistryReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Splits `HOST:PORT`, `[V6]:PORT` or a host alone; the host without brackets.
pub(crate) fn split_host(host: &str) -> (&str, Option<&str>) {
    if let Some(rest) = host.strip_prefix('[')
        && let Some((address, rest)) = rest.split_once(']')
    {
        return (address, rest.strip_prefix(':'));
    }
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => (name, Some(port)),
        _ => (host, None),
    }
}

/// Whether a registry host is this machine: `localhost`, 127.0.0.0/8 or `::1`.
pub(crate) fn is_loopback(host: &str) -> bool {
    let (name, _) = split_host(host);
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn is_host(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn valid_host(host: &str) -> bool {
    let bracketed = host.starts_with('[');
    let (name, port) = split_host(host);
    let port_fits = match port {
        Some(port) => port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit()),
        None => !host.ends_with(':'),
    };
    let name_fits = if bracketed {
        name.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        !name.is_empty()
            && name.len() <= 255
            && name.split('.').all(|label| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            })
    };
    // What follows a bracket must be a port and nothing else.
    let shape_fits = !bracketed || host.ends_with(']') || port.is_some();
    port_fits && name_fits && shape_fits
}

fn valid_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// Lower-case letters and digits, with `.`, `_`, `__` or dashes between them.
fn valid_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends_fit = bytes.first().copied().is_some_and(alphanumeric)
        && bytes.last().copied().is_some_and(alphanumeric);
    ends_fit
        && bytes
            .split(|b| alphanumeric(*b))
            .all(|run| matches!(run, b"" | b"." | b"_" | b"__") || run.iter().all(|b| *b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_the_docker_client_does() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, full) in [
            ("debian", "docker.io/library/debian:latest".to_owned()),
            ("debian:12", "docker.io/library/debian:12".to_owned()),
            ("grafana/loki", "docker.io/grafana/loki:latest".to_owned()),
            (
                "index.docker.io/debian",
                "docker.io/library/debian:latest".to_owned(),
            ),
            ("localhost/a", "localhost/a:latest".to_owned()),
            ("127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c".to_owned()),
            ("[::1]:5000/a", "[::1]:5000/a:latest".to_owned()),
            ("ghcr.io/a__b/c-d.e", "ghcr.io/a__b/c-d.e:latest".to_owned()),
            (
                &format!("quay.io/a@{digest}"),
                format!("quay.io/a@{digest}"),
            ),
            (
                &format!("quay.io/a:v1@{digest}"),
                format!("quay.io/a:v1@{digest}"),
            ),
        ] {
            assert_eq!(RegistryReference::parse(text).unwrap().to_string(), full);
        }
    }

    #[test]
    fn what_could_leave_the_path_of_the_request_is_no_name() {
        for bad in [
            "",
            ":tag",
            "/a",
            "a/",
            "a//b",
            "../a",
            "host.example/../a",
            "a?x=y",
            "a#b",
            "a b",
            "a%2fb",
            "a\r\nHost: evil",
            "Debian",
            "a:-tag",
            "a:",
            "a@sha256:zz",
            "a_-b",
            "host:port/a",
            "[::1/a",
            "[::1]x/a",
            "user@host.example/a",
            &"a".repeat(300),
        ] {
            let error = RegistryReference::parse(bad).unwrap_err();
            assert!(error.message.contains("is no image name"), "{bad}");
            assert!(!error.message.contains('\n'));
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, loopback) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.8.9.1:80", true),
            ("[::1]:5000", true),
            ("127.0.0.1.example.org", false),
            ("localhost.example.org:5000", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(host), loopback, "{host}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_accepted_name_reads_the_same_again(text in "[a-zA-D0-3._:/@\\[\\]-]{1,24}") {
            if let Ok(name) = RegistryReference::parse(&text) {
                let again = RegistryReference::parse(&name.to_string());
                proptest::prop_assert_eq!(again.ok(), Some(name));
            }
        }
    }
}
