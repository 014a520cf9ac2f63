use std::fmt;

use serde::{Deserialize, Serialize};

/// The distribution an image is built on, as `os-release` describes it (os-release(5)).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Distro {
    /// `ID`: lower case, such as `debian`, `alpine`, `rhel`, `opensuse-leap`.
    pub id: String,
    /// `VERSION_ID`: `12`, `3.20.3`, `9.4`; `None` for rolling ones.
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`: `bookworm`, `noble`.
    pub codename: Option<String>,
    /// `ID_LIKE`, split at white space: the families it descends from, nearest first.
    pub id_like: Vec<String>,
    /// `PRETTY_NAME`: what a person reads, and what SUSE's advisories are keyed by.
    pub pretty_name: Option<String>,
    /// `VARIANT_ID`, such as `distroless` or `container`.
    pub variant_id: Option<String>,
    /// `CPE_NAME`: scopes Red Hat's advisories.
    pub cpe_name: Option<String>,
}

impl Distro {
    /// A distribution known by id and version alone.
    pub fn new(id: &str, version_id: Option<&str>) -> Distro {
        Distro {
            id: id.to_owned(),
            version_id: version_id.map(str::to_owned),
            ..Distro::default()
        }
    }

    /// The first `count` dot-separated numbers of the version: `3.20` of `3.20.3` for 2.
    pub fn version_prefix(&self, count: usize) -> Option<String> {
        let version = self.version_id.as_deref()?;
        Some(version.split('.').take(count).collect::<Vec<_>>().join("."))
    }
}

impl fmt::Display for Distro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pretty) = &self.pretty_name {
            return f.write_str(pretty);
        }
        match &self.version_id {
            Some(version) => write!(f, "{} {version}", self.id),
            None => f.write_str(&self.id),
        }
    }
}
