//! The part of the process environment that the network sources obey.
//!
//! Sources are handed an [`Environment`] instead of asking the process, so that a test
//! can give them a home of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Environment variables by name. Empty ones count as absent, as they do for Docker.
///
/// Its `Debug` shows names only: `HTTPS_PROXY` may hold a password.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// The variables that any network source looks at; nothing else is copied.
const OBEYED: &[&str] = &[
    "ALL_PROXY",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "PATH",
    "REGISTRY_AUTH_FILE",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

impl Environment {
    /// That of the running process. Values that are no UTF-8 count as absent.
    pub fn of_process() -> Environment {
        OBEYED
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
            .collect()
    }

    /// The value of a variable, unless it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Where the Docker client keeps its configuration: `$DOCKER_CONFIG` or `~/.docker`.
    pub(crate) fn docker_config_dir(&self) -> Option<PathBuf> {
        match self.get("DOCKER_CONFIG") {
            Some(dir) => Some(PathBuf::from(dir)),
            None => Some(PathBuf::from(self.get("HOME")?).join(".docker")),
        }
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Environment {
        Environment(variables.into_iter().collect())
    }
}
