//! Puts layers together to images, in the forms engines and registries keep them.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::layer::{BuiltLayer, Compression, LayerBuilder, sha256};
use crate::tar::{TarHeader, push_end, push_member};

/// An image in the making.
#[derive(Debug, Clone)]
pub struct ImageBuilder {
    layers: Vec<BuiltLayer>,
    tags: Vec<String>,
    platform: (String, String, Option<String>),
    run: Map<String, Value>,
    history: Vec<Value>,
}

/// An image as a registry has it: documents and blobs, each with its digest.
#[derive(Debug, Clone)]
pub struct OciParts {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// `sha256:…` of the manifest.
    pub manifest_digest: String,
    /// The image configuration.
    pub config: Vec<u8>,
    /// `sha256:…` of the configuration: the image id.
    pub config_digest: String,
    /// The layers, base first.
    pub layers: Vec<BuiltLayer>,
}

impl Default for ImageBuilder {
    fn default() -> ImageBuilder {
        ImageBuilder::new()
    }
}

impl ImageBuilder {
    /// An image without layers for `linux/amd64`.
    pub fn new() -> ImageBuilder {
        ImageBuilder {
            layers: Vec::new(),
            tags: Vec::new(),
            platform: ("linux".into(), "amd64".into(), None),
            run: Map::new(),
            history: Vec::new(),
        }
    }

    /// Adds a layer on top, stored with gzip, and a history line for it.
    #[must_use]
    pub fn layer(self, layer: &LayerBuilder) -> ImageBuilder {
        self.layer_with(layer, Compression::Gzip, "ADD layer")
    }

    /// Adds a layer on top.
    #[must_use]
    pub fn layer_with(
        mut self,
        layer: &LayerBuilder,
        compression: Compression,
        created_by: &str,
    ) -> ImageBuilder {
        self.layers.push(layer.build(compression));
        self.history.push(json!({"created_by": created_by}));
        self
    }

    /// Adds a history line that has no layer.
    #[must_use]
    pub fn empty_layer(mut self, created_by: &str) -> ImageBuilder {
        self.history
            .push(json!({"created_by": created_by, "empty_layer": true}));
        self
    }

    /// Gives it a name, `repository:tag`.
    #[must_use]
    pub fn tag(mut self, name: &str) -> ImageBuilder {
        self.tags.push(name.into());
        self
    }

    /// What it runs on.
    #[must_use]
    pub fn platform(mut self, os: &str, architecture: &str, variant: Option<&str>) -> ImageBuilder {
        self.platform = (os.into(), architecture.into(), variant.map(str::to_owned));
        self
    }

    /// Sets a field of the configuration's `config` object: `User`, `Env`, `Entrypoint` …
    #[must_use]
    pub fn config(mut self, key: &str, value: Value) -> ImageBuilder {
        self.run.insert(key.into(), value);
        self
    }

    fn config_bytes(&self) -> Vec<u8> {
        let (os, architecture, variant) = &self.platform;
        let diff_ids: Vec<&str> = self.layers.iter().map(|l| l.diff_id.as_str()).collect();
        let mut config = json!({
            "created": "2024-01-01T00:00:00Z",
            "os": os,
            "architecture": architecture,
            "config": self.run,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": self.history,
        });
        if let Some(variant) = variant {
            config["variant"] = json!(variant);
        }
        config.to_string().into_bytes()
    }

    /// The documents and blobs.
    pub fn oci_parts(&self) -> OciParts {
        let config = self.config_bytes();
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|layer| {
                json!({
                    "mediaType": layer.media_type,
                    "digest": layer.digest,
                    "size": layer.bytes.len(),
                })
            })
            .collect();
        let config_digest = sha256(&config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config_digest,
                "size": config.len(),
            },
            "layers": layers,
        })
        .to_string()
        .into_bytes();
        OciParts {
            manifest_digest: sha256(&manifest),
            manifest,
            config,
            config_digest,
            layers: self.layers.clone(),
        }
    }

    /// The platform as an index has it.
    fn platform_json(&self) -> Value {
        let (os, architecture, variant) = &self.platform;
        match variant {
            Some(variant) => json!({"os": os, "architecture": architecture, "variant": variant}),
            None => json!({"os": os, "architecture": architecture}),
        }
    }

    /// What `docker save` wrote before version 25: a folder for each layer, the layers
    /// uncompressed, a repeated layer as a link to the first.
    pub fn docker_archive_legacy(&self) -> Vec<u8> {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let mut links: Vec<(String, String)> = Vec::new();
        let mut paths: Vec<String> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let path = format!("{:064x}/layer.tar", index + 1);
            let earlier = self.layers[..index]
                .iter()
                .position(|other| other.diff_id == layer.diff_id);
            match earlier {
                Some(first) => links.push((path.clone(), format!("../{}", paths[first]))),
                None => files.push((path.clone(), uncompressed(layer))),
            }
            paths.push(path);
        }
        let config = self.config_bytes();
        let name = format!("{}.json", &sha256(&config)[7..]);
        files.push((name.clone(), config));
        let manifest = json!([{"Config": name, "RepoTags": self.tags, "Layers": paths}]);
        files.push(("manifest.json".into(), manifest.to_string().into_bytes()));
        let mut out = Vec::new();
        for (path, target) in &links {
            let mut header = TarHeader::new(path, b'2', 0);
            header.link = target.clone().into_bytes();
            push_member(&mut out, &header, b"");
        }
        push_files(&mut out, &files);
        out
    }

    /// What `docker save` writes since version 25: an OCI layout with a `manifest.json`, the
    /// layers uncompressed.
    pub fn docker_archive(&self) -> Vec<u8> {
        let mut plain = self.clone();
        for layer in &mut plain.layers {
            layer.bytes = uncompressed(layer);
            layer.digest = layer.diff_id.clone();
            layer.media_type = "application/vnd.oci.image.layer.v1.tar";
        }
        let parts = plain.oci_parts();
        let blob = |digest: &str| format!("blobs/{}", digest.replacen(':', "/", 1));
        let layers: Vec<String> = parts.layers.iter().map(|l| blob(&l.digest)).collect();
        let manifest = json!([{
            "Config": blob(&parts.config_digest),
            "RepoTags": self.tags,
            "Layers": layers,
        }]);
        let mut files = plain.layout_files();
        files.push(("manifest.json".into(), manifest.to_string().into_bytes()));
        let mut out = Vec::new();
        push_files(&mut out, &files);
        out
    }

    /// An OCI layout as a tar.
    pub fn oci_layout_tar(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_files(&mut out, &self.layout_files());
        out
    }

    /// An OCI layout in an existing directory.
    ///
    /// # Errors
    ///
    /// When a file can't be written.
    pub fn write_oci_layout(&self, dir: &Path) -> io::Result<()> {
        write_files(dir, &self.layout_files())
    }

    fn layout_files(&self) -> Vec<(String, Vec<u8>)> {
        layout_files(std::slice::from_ref(self))
    }
}

/// The files of an OCI layout of several images, in one index.
pub fn layout_files(images: &[ImageBuilder]) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![(
        "oci-layout".to_owned(),
        br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
    )];
    let mut entries = Vec::new();
    for image in images {
        let parts = image.oci_parts();
        let mut entry = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": parts.manifest_digest,
            "size": parts.manifest.len(),
            "platform": image.platform_json(),
        });
        if let Some(tag) = image.tags.first() {
            let short = tag.rsplit(':').next().unwrap_or(tag);
            entry["annotations"] = json!({
                "io.containerd.image.name": tag,
                "org.opencontainers.image.ref.name": short,
            });
        }
        entries.push(entry);
        let mut blob = |digest: &str, bytes: Vec<u8>| {
            files.push((format!("blobs/{}", digest.replacen(':', "/", 1)), bytes));
        };
        blob(&parts.manifest_digest, parts.manifest);
        blob(&parts.config_digest, parts.config);
        for layer in parts.layers {
            blob(&layer.digest, layer.bytes);
        }
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": entries,
    });
    files.push(("index.json".into(), index.to_string().into_bytes()));
    files
}

/// Writes files below a directory, making folders as needed.
///
/// # Errors
///
/// When a file can't be written.
pub fn write_files(dir: &Path, files: &[(String, Vec<u8>)]) -> io::Result<()> {
    for (path, bytes) in files {
        let path = dir.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// Appends files to an archive, and the end marker.
pub fn push_files(out: &mut Vec<u8>, files: &[(String, Vec<u8>)]) {
    for (path, bytes) in files {
        let header = TarHeader::new(path, b'0', bytes.len() as u64);
        push_member(out, &header, bytes);
    }
    push_end(out);
}

fn uncompressed(layer: &BuiltLayer) -> Vec<u8> {
    use std::io::Read as _;
    let mut out = Vec::new();
    let result = match layer.media_type {
        kind if kind.ends_with("+gzip") => {
            flate2::read::MultiGzDecoder::new(&layer.bytes[..]).read_to_end(&mut out)
        }
        kind if kind.ends_with("+zstd") => {
            return zstd::decode_all(&layer.bytes[..]).expect("it was compressed here");
        }
        _ => return layer.bytes.clone(),
    };
    result.expect("it was compressed here");
    out
}
