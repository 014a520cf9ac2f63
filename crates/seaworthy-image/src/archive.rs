//! `archive:`, what `docker save` writes (Docker Image Specification v1.2, "Combined Image
//! JSON + Filesystem Changeset Format"): a tar with a `manifest.json` that names, for each
//! image, its configuration and its layers. Docker 25 and later write an OCI layout into the
//! same tar, with the same `manifest.json`; podman, kaniko and bazel their own file names.
//! A tar with neither is taken as a root filesystem.
//!
//! The names inside are the archive's own: they are looked up in it and nowhere else.

use std::sync::Arc;

use seaworthy_core::{Digest, DigestAlgorithm, Platform, Problem, ProblemKind};
use serde_json::Value;

use crate::hash::digest_of;
use crate::manifest::{ParsedConfig, count_problems, field, parse_config, words};
use crate::oci_layout::open_store;
use crate::spool::{Opened, open_archive};
use crate::store::{Store, TarStore, read_small};
use crate::{
    BlobLayer, FileRangeBlob, Image, ImageConfig, ImageError, ImageSource, Layer, SourceKind,
    UnavailableLayer, WalkContext,
};

/// Opens `FILE` or `FILE#NAME`; `-` is standard input.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveSource;

impl ImageSource for ArchiveSource {
    fn open(
        &self,
        reference: &str,
        platform: Option<&Platform>,
        ctx: &WalkContext,
    ) -> Result<Image, ImageError> {
        let (path, name) = split_name(reference);
        let Opened { file, problem } = open_archive(path, ctx)?;
        let mut image = open_file(file, name, platform, path, ctx)?;
        image.problems.extend(problem);
        image.reference = reference.to_owned();
        Ok(image)
    }
}

/// Opens an image of an archive that can be read at random places; `path` is for messages.
pub(crate) fn open_file(
    file: Arc<std::fs::File>,
    name: Option<&str>,
    platform: Option<&Platform>,
    path: &str,
    ctx: &WalkContext,
) -> Result<Image, ImageError> {
    let store = TarStore::index(Arc::clone(&file), ctx).map_err(|error| {
        ImageError::new(format!("cannot read the archive `{path}`")).caused_by(error)
    })?;
    if store.count == 0 {
        let what = store.fault.as_deref().unwrap_or("it has no members");
        return Err(
            ImageError::new(format!("`{path}` is no image archive: {what}"))
                .hint("make one with `docker save -o image.tar IMAGE`"),
        );
    }
    let mut image = if store.has("manifest.json") {
        open_saved(&store, name, path, ctx)?
    } else if store.has("index.json") {
        open_store(&store, name, platform, path, ctx)?
    } else if store.has("repositories") {
        return Err(ImageError::new(format!(
            "`{path}` was saved by an engine before Docker 1.10, which is not supported"
        ))
        .hint("load it into a current engine and save it again"));
    } else if store.looks_saved() {
        return Err(ImageError::new(format!(
            "the image archive `{path}` has no `manifest.json` and no `index.json`"
        ))
        .hint("they come last, so it was probably cut short: save or copy it again"));
    } else {
        root_filesystem(Arc::clone(&file), path)
    };
    if store.overflow {
        image.problems.push(Problem::new(
            ProblemKind::LimitReached,
            "the archive has more members than a saved image can have; some were not looked up",
        ));
    }
    image.problems.extend(store.problems);
    Ok(image)
}

/// `FILE#NAME`, unless a file is called like the whole.
fn split_name(reference: &str) -> (&str, Option<&str>) {
    match reference.rsplit_once('#') {
        Some((path, name)) if std::fs::symlink_metadata(reference).is_err() => (path, Some(name)),
        _ => (reference, None),
    }
}

/// One image of a `manifest.json`.
struct Saved {
    config: String,
    names: Vec<String>,
    layers: Vec<String>,
}

fn open_saved(
    store: &TarStore,
    name: Option<&str>,
    path: &str,
    ctx: &WalkContext,
) -> Result<Image, ImageError> {
    let limits = &ctx.limits;
    let broken = |what: &str| ImageError::new(format!("cannot read {what} of `{path}`"));
    let bytes = read_small(store, "manifest.json", limits.manifest_bytes)
        .map_err(|error| broken("the `manifest.json`").caused_by(error))?;
    let images = parse_saved(&bytes).ok_or_else(|| {
        broken("the `manifest.json`").hint("the archive may be damaged: save it again")
    })?;
    let saved = choose(&images, name, path)?;
    let mut problems = Vec::new();
    let bytes = read_small(store, &saved.config, limits.config_bytes)
        .map_err(|error| broken("the image configuration").caused_by(error))?;
    let image_id = digest_of(DigestAlgorithm::Sha256, &bytes);
    if let Some(promised) = digest_in_name(&saved.config)
        && promised != image_id
    {
        problems.push(Problem::new(
            ProblemKind::DigestMismatch,
            format!("the image configuration has digest {image_id}, but {promised} was promised"),
        ));
    }
    let config = parse_config(&bytes)?;
    problems.extend(count_problems(saved.layers.len(), &config, limits));
    let layers = saved.layers.iter().take(limits.layers).enumerate();
    let layers = layers.map(|(index, name)| layer(store, name, index, &config));
    Ok(Image {
        reference: String::new(),
        source: SourceKind::Archive,
        names: saved.names.clone(),
        manifest_digest: None,
        image_id: Some(image_id),
        layers: layers.collect(),
        platform: config.platform,
        config: config.config,
        problems,
    })
}

fn layer(store: &TarStore, name: &str, index: usize, config: &ParsedConfig) -> Arc<dyn Layer> {
    let diff_id = config.diff_ids.get(index).cloned().flatten();
    match store.blob(name) {
        // Only OCI's blobs are named by the digest of their stored bytes.
        Ok(blob) => {
            let digest = name
                .starts_with("blobs/")
                .then(|| digest_in_name(name))
                .flatten();
            Arc::new(BlobLayer::new(blob, diff_id, digest))
        }
        Err(error) => Arc::new(UnavailableLayer::new(
            diff_id,
            Problem::new(
                ProblemKind::Unreadable,
                format!("layer not inspected: {error}"),
            ),
        )),
    }
}

/// `blobs/ALGORITHM/HEX`, `HEX.json`.
fn digest_in_name(name: &str) -> Option<Digest> {
    match name.strip_prefix("blobs/") {
        Some(rest) => rest.replacen('/', ":", 1).parse().ok(),
        None => {
            let hex = name.strip_suffix(".json")?;
            format!("sha256:{hex}").parse().ok()
        }
    }
}

fn parse_saved(bytes: &[u8]) -> Option<Vec<Saved>> {
    let value: Value = serde_json::from_str(&String::from_utf8_lossy(bytes)).ok()?;
    let images = value.as_array()?.iter().map(|image| {
        let map = image.as_object()?;
        Some(Saved {
            config: field(map, "Config")?.as_str()?.to_owned(),
            names: words(field(map, "RepoTags")),
            layers: words(field(map, "Layers")),
        })
    });
    images.collect()
}

/// The image of a name or id, or the only one there is.
fn choose<'s>(
    images: &'s [Saved],
    name: Option<&str>,
    path: &str,
) -> Result<&'s Saved, ImageError> {
    let all = || {
        let list = images
            .iter()
            .take(50)
            .map(|image| match image.names.first() {
                Some(name) => name.clone(),
                None => image.config.clone(),
            });
        list.collect::<Vec<_>>().join(", ")
    };
    let Some(name) = name else {
        return match images {
            [only] => Ok(only),
            [] => Err(ImageError::new(format!("`{path}` holds no image"))),
            _ => Err(
                ImageError::new(format!("`{path}` holds {} images: {}", images.len(), all()))
                    .hint(format!("choose one: `archive:{path}#NAME`")),
            ),
        };
    };
    let wanted = familiar(name);
    images
        .iter()
        .find(|image| {
            image.names.iter().any(|tag| familiar(tag) == wanted)
                || digest_in_name(&image.config).is_some_and(|id| {
                    id.to_string() == name || (name.len() >= 12 && id.hex().starts_with(name))
                })
        })
        .ok_or_else(|| {
            ImageError::new(format!("`{path}` holds no image `{name}`"))
                .hint(format!("it holds: {}", all()))
        })
}

/// A name without what goes without saying: `docker.io/library/`, and with `:latest`.
fn familiar(name: &str) -> String {
    let short = name.strip_prefix("docker.io/").unwrap_or(name);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let last = short.rsplit('/').next().unwrap_or(short);
    if last.contains(':') || last.contains('@') {
        short.to_owned()
    } else {
        format!("{short}:latest")
    }
}

fn root_filesystem(file: Arc<std::fs::File>, path: &str) -> Image {
    let length = file.metadata().map_or(0, |meta| meta.len());
    let blob = FileRangeBlob::new(file, 0, length, path);
    Image {
        reference: path.to_owned(),
        source: SourceKind::Archive,
        names: Vec::new(),
        manifest_digest: None,
        image_id: None,
        platform: None,
        config: ImageConfig::default(),
        layers: vec![Arc::new(BlobLayer::new(Arc::new(blob), None, None))],
        problems: vec![Problem::new(
            ProblemKind::Notice,
            "the archive has no `manifest.json` and no `index.json`: it was taken as a root filesystem",
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_what_goes_without_saying() {
        for same in ["debian", "debian:latest", "docker.io/library/debian:latest"] {
            assert_eq!(familiar(same), "debian:latest");
        }
        assert_eq!(familiar("localhost:5000/x"), "localhost:5000/x:latest");
    }
}
