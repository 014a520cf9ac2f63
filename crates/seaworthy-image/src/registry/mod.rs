//! Images of registries, without any engine (OCI distribution-spec 1.1).

mod address;
mod auth;
mod blob;
mod credentials;
mod name;
mod proxy;
mod pull;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::Platform;

pub use name::RegistryReference;

use self::session::Session;
use crate::{Environment, Image, ImageError, ImageSource, WalkContext};

/// How registries are talked to.
#[derive(Debug, Clone)]
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

/// Images of registries.
#[derive(Debug, Clone, Default)]
pub struct RegistrySource {
    /// How registries are talked to.
    pub options: RegistryOptions,
}

impl ImageSource for RegistrySource {
    fn open(
        &self,
        reference: &str,
        platform: Option<&Platform>,
        ctx: &WalkContext,
    ) -> Result<Image, ImageError> {
        let image = RegistryReference::parse(reference)?;
        let session = Arc::new(Session::open(&image, &self.options, &ctx.cancel)?);
        pull::open(&session, reference, &image, platform, ctx)
    }
}
