use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an image runs on: `os/architecture[/variant]`, in Go's words as the OCI
/// image-spec has them (`linux/amd64`, `linux/arm64`, `linux/arm/v7`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system, `linux` for nearly all.
    pub os: String,
    /// Architecture in Go's words: `amd64`, `arm64`, `s390x` …
    pub architecture: String,
    /// Variant of the architecture, such as `v7`.
    pub variant: Option<String>,
}

/// Why a text names no platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformError(String);

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a platform\n  hint: write it as `linux/amd64` or `linux/arm/v7`",
            self.0.escape_debug()
        )
    }
}

impl std::error::Error for PlatformError {}

impl Platform {
    /// The platform of the running program.
    pub fn host() -> Platform {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Platform {
            os: "linux".into(),
            architecture: architecture.into(),
            variant: None,
        }
    }

    /// Whether an image of platform `offered` satisfies a wish for `self`: a wish without
    /// variant takes any.
    pub fn accepts(&self, offered: &Platform) -> bool {
        self.os == offered.os
            && self.architecture == offered.architecture
            && (self.variant.is_none()
                || self.variant == offered.variant
                // arm64 has one variant in practice, written or not.
                || (self.architecture == "arm64" && offered.variant.is_none()))
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || PlatformError(text.chars().take(80).collect());
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|p| {
            p.is_empty()
                || !p
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        }) {
            return Err(error());
        }
        let architecture = |word: &str| {
            match word {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                word => word,
            }
            .to_owned()
        };
        match parts.as_slice() {
            [os, arch] => Ok(Platform {
                os: (*os).into(),
                architecture: architecture(arch),
                variant: None,
            }),
            [os, arch, variant] => Ok(Platform {
                os: (*os).into(),
                architecture: architecture(arch),
                variant: Some((*variant).into()),
            }),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_without_variant_takes_any_variant() {
        let wish: Platform = "linux/arm".parse().unwrap();
        let exact: Platform = "linux/arm/v7".parse().unwrap();
        assert!(wish.accepts(&exact));
        assert!(!exact.accepts(&wish));
        assert!("linux".parse::<Platform>().is_err());
    }
}
