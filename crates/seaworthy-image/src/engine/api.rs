//! The answers of the Docker Engine API that are read, as far as they are. Fields that
//! are missing or `null` are empty: engines of ten years leave out different ones.

use seaworthy_core::Platform;
use serde::{Deserialize, Deserializer};

/// `GET /info`.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Info {
    /// Where its data lies.
    #[serde(rename = "DockerRootDir", deserialize_with = "or_default")]
    pub docker_root_dir: String,
    /// Graph driver or snapshotter.
    #[serde(rename = "Driver", deserialize_with = "or_default")]
    pub driver: String,
    /// Pairs of words about it.
    #[serde(rename = "DriverStatus", deserialize_with = "or_default")]
    driver_status: Vec<Vec<String>>,
}

impl Info {
    /// What the driver says under a heading.
    pub(super) fn driver_status(&self, name: &str) -> Option<&str> {
        self.driver_status
            .iter()
            .find(|pair| pair.first().is_some_and(|n| n == name))
            .and_then(|pair| pair.get(1))
            .map(String::as_str)
    }

    /// Whether images live in containerd (its image store) and not in a graph driver.
    pub(super) fn uses_containerd_store(&self) -> bool {
        self.driver_status("driver-type") == Some("io.containerd.snapshotter.v1")
    }
}

/// `GET /images/NAME/json`.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct ImageInspect {
    /// Digest of the configuration; with containerd's store, of the index or manifest.
    #[serde(rename = "Id", deserialize_with = "or_default")]
    pub id: String,
    /// `debian:12`.
    #[serde(rename = "RepoTags", deserialize_with = "or_default")]
    pub repo_tags: Vec<String>,
    /// `debian@sha256:…`.
    #[serde(rename = "RepoDigests", deserialize_with = "or_default")]
    pub repo_digests: Vec<String>,
    /// Operating system.
    #[serde(rename = "Os", deserialize_with = "or_default")]
    pub os: String,
    /// Architecture in Go's words.
    #[serde(rename = "Architecture", deserialize_with = "or_default")]
    pub architecture: String,
    /// Its variant.
    #[serde(rename = "Variant", deserialize_with = "or_default")]
    pub variant: String,
    /// Its layers.
    #[serde(rename = "RootFS", deserialize_with = "or_default")]
    pub root_fs: RootFs,
    /// What the name stands for, since API 1.48 and only with containerd's store.
    #[serde(rename = "Descriptor")]
    pub descriptor: Option<TargetDescriptor>,
}

impl ImageInspect {
    /// What it runs on, where the engine says.
    pub(super) fn platform(&self) -> Option<Platform> {
        if self.os.is_empty() || self.architecture.is_empty() {
            return None;
        }
        Some(Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: Some(self.variant.clone()).filter(|v| !v.is_empty()),
        })
    }
}

/// `RootFS` of an image.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct RootFs {
    /// Diff IDs, base first.
    #[serde(rename = "Layers", deserialize_with = "or_default")]
    pub layers: Vec<String>,
}

/// The part of a descriptor that is used.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct TargetDescriptor {
    /// Of the index or manifest.
    #[serde(deserialize_with = "or_default")]
    pub digest: String,
}

/// `GET /containers/ID/json`.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct ContainerInspect {
    /// 64 hexadecimal digits.
    #[serde(rename = "Id", deserialize_with = "or_default")]
    pub id: String,
    /// With a leading slash.
    #[serde(rename = "Name", deserialize_with = "or_default")]
    pub name: String,
    /// Id of its image.
    #[serde(rename = "Image", deserialize_with = "or_default")]
    pub image: String,
    /// When it was made, RFC 3339.
    #[serde(rename = "Created", deserialize_with = "or_default")]
    pub created: String,
    /// How it runs.
    #[serde(rename = "Config", deserialize_with = "or_default")]
    pub config: ContainerConfig,
}

/// `Config` of a container.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct ContainerConfig {
    /// Name of its image as it was asked for.
    #[serde(rename = "Image", deserialize_with = "or_default")]
    pub image: String,
    /// Empty means root.
    #[serde(rename = "User", deserialize_with = "or_default")]
    pub user: String,
    /// `NAME=value`.
    #[serde(rename = "Env", deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// Entry point.
    #[serde(rename = "Entrypoint", deserialize_with = "or_default")]
    pub entrypoint: Vec<String>,
    /// Arguments.
    #[serde(rename = "Cmd", deserialize_with = "or_default")]
    pub cmd: Vec<String>,
    /// Working directory.
    #[serde(rename = "WorkingDir", deserialize_with = "or_default")]
    pub working_dir: String,
    /// Labels.
    #[serde(rename = "Labels", deserialize_with = "or_default")]
    pub labels: std::collections::BTreeMap<String, String>,
    /// Ports, as keys.
    #[serde(rename = "ExposedPorts", deserialize_with = "or_default")]
    pub exposed_ports: std::collections::BTreeMap<String, serde_json::Value>,
    /// Volumes, as keys.
    #[serde(rename = "Volumes", deserialize_with = "or_default")]
    pub volumes: std::collections::BTreeMap<String, serde_json::Value>,
    /// Health check.
    #[serde(rename = "Healthcheck", deserialize_with = "or_default")]
    pub healthcheck: Healthcheck,
}

/// A health check.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Healthcheck {
    /// Its command.
    #[serde(rename = "Test", deserialize_with = "or_default")]
    pub test: Vec<String>,
}

fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_missing_fields_are_empty() {
        let image: ImageInspect =
            serde_json::from_str(r#"{"Id":"x","RepoTags":null,"RootFS":{"Type":"layers"}}"#)
                .unwrap();
        assert_eq!(image.id, "x");
        assert!(image.repo_tags.is_empty() && image.root_fs.layers.is_empty());
        let info: Info = serde_json::from_str(
            r#"{"Driver":"overlayfs","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"],["odd"]]}"#,
        )
        .unwrap();
        assert!(info.uses_containerd_store());
    }
}
