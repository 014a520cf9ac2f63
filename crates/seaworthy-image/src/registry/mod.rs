//! Images of registries, without any engine (OCI distribution-spec 1.1).

mod address;
mod auth;
mod credentials;
mod name;
mod proxy;
mod session;

use std::time::Duration;

pub use name::RegistryReference;

use crate::Environment;

/// How registries are talked to.
#[derive(Clone)]
pub struct RegistryOptions {
    /// Hosts (with their port, as in image names) that may speak plain HTTP or show a
    /// certificate nobody vouches for. This machine may always speak plain HTTP.
    pub insecure: Vec<String>,
    /// Silence after which a connection counts as broken.
    pub stall: Duration,
    /// How often a request is tried in all before giving up.
    pub tries: u32,
    /// The wait before the second try; it doubles with each further one.
    pub back_off: Duration,
    /// The longest wait a registry may ask for (`Retry-After`); beyond it is an error.
    pub longest_wait: Duration,
    /// Where logins and proxies are found.
    pub environment: Environment,
}

impl Default for RegistryOptions {
    fn default() -> RegistryOptions {
        RegistryOptions {
            insecure: Vec::new(),
            stall: Duration::from_secs(60),
            tries: 4,
            back_off: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            environment: Environment::of_process(),
        }
    }
}
