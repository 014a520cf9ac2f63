//! The honest answers of an OCI registry with one repository, for [`crate::http::FakeServer`].
//! Tests wrap them where the registry is to lie, stall or die.

use std::collections::BTreeMap;

use serde_json::json;

use crate::http::{Reply, Request};
use crate::sha256;

/// Media type of an OCI manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of a Docker schema 2 manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What a repository holds.
#[derive(Debug, Clone, Default)]
pub struct RegistryContent {
    repository: String,
    blobs: BTreeMap<String, Vec<u8>>,
    /// By tag and by digest: media type and bytes.
    manifests: BTreeMap<String, (String, Vec<u8>)>,
}

impl RegistryContent {
    /// An empty repository.
    pub fn new(repository: &str) -> RegistryContent {
        RegistryContent {
            repository: repository.into(),
            ..RegistryContent::default()
        }
    }

    /// Adds a blob and gives its digest.
    pub fn blob(&mut self, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        self.blobs.insert(digest.clone(), bytes);
        digest
    }

    /// Every blob, manifest and index with its digest: what a content store would hold.
    pub fn everything(&self) -> Vec<(String, Vec<u8>)> {
        let manifests = self.manifests.values().map(|(_, bytes)| bytes);
        self.blobs
            .values()
            .chain(manifests)
            .map(|bytes| (sha256(bytes), bytes.clone()))
            .collect()
    }

    /// Adds a manifest or index, by digest and by tag, and gives its digest.
    pub fn manifest(&mut self, tag: &str, media_type: &str, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        for name in [tag, &digest] {
            self.manifests
                .insert(name.into(), (media_type.into(), bytes.clone()));
        }
        digest
    }

    /// Bytes of a manifest, by tag or digest.
    pub fn manifest_size(&self, name: &str) -> Option<usize> {
        self.manifests.get(name).map(|(_, bytes)| bytes.len())
    }

    /// Adds a whole image for linux/amd64 with uncompressed layers; gives its manifest's
    /// digest.
    pub fn image(&mut self, tag: &str, layers: &[Vec<u8>]) -> String {
        let diff_ids: Vec<String> = layers.iter().map(|layer| sha256(layer)).collect();
        let history: Vec<_> = (0..layers.len())
            .map(|index| json!({"created_by": format!("layer {index}")}))
            .collect();
        let config = json!({
            "os": "linux",
            "architecture": "amd64",
            "config": {"User": "sailor"},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        })
        .to_string();
        let descriptors: Vec<_> = layers
            .iter()
            .map(|layer| {
                json!({
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": self.blob(layer.clone()),
                    "size": layer.len(),
                })
            })
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": self.blob(config.clone()),
                "size": config.len(),
            },
            "layers": descriptors,
        });
        self.manifest(tag, OCI_MANIFEST, manifest.to_string())
    }

    /// What an honest registry answers, ranges included.
    pub fn answer(&self, request: &Request) -> Reply {
        let path = request.path();
        if path == "/v2/" {
            return Reply::ok("{}");
        }
        let Some(rest) = path
            .strip_prefix("/v2/")
            .and_then(|rest| rest.strip_prefix(self.repository.as_str()))
        else {
            return error(404, "NAME_UNKNOWN", "repository name not known to registry");
        };
        if let Some(name) = rest.strip_prefix("/manifests/") {
            return match self.manifests.get(name) {
                Some((media_type, bytes)) => Reply::ok(bytes.clone())
                    .header("Content-Type", media_type)
                    .header("Docker-Content-Digest", sha256(bytes)),
                None => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            };
        }
        let blob = rest
            .strip_prefix("/blobs/")
            .and_then(|digest| self.blobs.get(digest));
        match blob {
            Some(bytes) => ranged(request, bytes),
            None => error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
        }
    }
}

/// An error as registries write it.
pub fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::status(status)
        .header("Content-Type", "application/json")
        .body(json!({"errors": [{"code": code, "message": message}]}).to_string())
}

fn ranged(request: &Request, bytes: &[u8]) -> Reply {
    let from = request
        .header("range")
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.strip_suffix('-'))
        .and_then(|from| from.parse::<usize>().ok());
    match from {
        None => Reply::ok(bytes),
        Some(from) if from < bytes.len() => Reply::status(206)
            .header(
                "Content-Range",
                format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()),
            )
            .body(&bytes[from..]),
        Some(_) => Reply::status(416),
    }
}
