//! `oci:`, an OCI image layout (image-spec image-layout.md): `index.json`, `oci-layout` and
//! `blobs/ALGORITHM/HEX`, in a directory or a tar. Every document's digest is verified when
//! it is read, every layer's while it is walked.

use std::collections::BTreeMap;
use std::path::Path;

use seaworthy_core::{Digest, Platform, Problem, ProblemKind};

use crate::hash::digest_of;
use crate::manifest::{
    Descriptor, Document, Index, choose_manifest, is_attestation, manifest_layers, parse_config,
    parse_document,
};
use crate::spool::{Opened, open_archive};
use crate::store::{DirStore, Store, TarStore, read_small};
use crate::{Attestation, Image, ImageError, ImageSource, SourceKind, WalkContext};

/// The annotations that name an image in an index.
const NAME_ANNOTATIONS: [&str; 2] = [
    "io.containerd.image.name",
    "org.opencontainers.image.ref.name",
];

/// Opens `PATH`, `PATH:TAG` or `PATH@DIGEST`.
#[derive(Debug, Clone, Copy)]
pub struct OciSource;

impl ImageSource for OciSource {
    fn open(
        &self,
        reference: &str,
        platform: Option<&Platform>,
        ctx: &WalkContext,
    ) -> Result<Image, ImageError> {
        let (path, name) = split_name(reference);
        let mut image = if Path::new(path).is_dir() {
            let store = DirStore::open(Path::new(path)).map_err(|error| {
                ImageError::new(format!("cannot open the directory `{path}`")).caused_by(error)
            })?;
            open_store(&store, name, platform, path, ctx)?
        } else {
            let Opened { file, problem } = open_archive(path, ctx)?;
            let store = TarStore::index(file, ctx).map_err(|error| {
                ImageError::new(format!("cannot read the archive `{path}`")).caused_by(error)
            })?;
            if let Some(what) = &store.fault {
                return Err(ImageError::new(format!(
                    "`{path}` is no archive of an OCI layout: {what}"
                )));
            }
            let mut image = open_store(&store, name, platform, path, ctx)?;
            image.problems.extend(problem);
            image.problems.extend(store.problems);
            image
        };
        image.reference = reference.to_owned();
        Ok(image)
    }
}

/// `PATH:TAG` or `PATH@DIGEST`, unless the whole is a path.
fn split_name(reference: &str) -> (&str, Option<&str>) {
    if std::fs::symlink_metadata(reference).is_ok() {
        return (reference, None);
    }
    if let Some((path, digest)) = reference.rsplit_once('@') {
        return (path, Some(digest));
    }
    match reference.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (reference, None),
    }
}

/// Opens an image of a layout, whatever holds it.
pub(crate) fn open_store(
    store: &dyn Store,
    name: Option<&str>,
    platform: Option<&Platform>,
    path: &str,
    ctx: &WalkContext,
) -> Result<Image, ImageError> {
    let limits = &ctx.limits;
    let bytes = read_small(store, "index.json", limits.manifest_bytes).map_err(|error| {
        ImageError::new(format!(
            "`{path}` is no OCI layout: cannot read its `index.json`"
        ))
        .caused_by(error)
        .hint("an OCI layout has the files `oci-layout` and `index.json` and a folder `blobs`")
    })?;
    let Document::Index(index) = parse_document(&bytes)? else {
        return Err(ImageError::new(format!(
            "the `index.json` of `{path}` is no index"
        )));
    };
    let mut names = Vec::new();
    let mut annotations = BTreeMap::new();
    let mut statements: Vec<Descriptor> = Vec::new();
    let mut problems_of_statements = Vec::new();
    let mut note_statements = |index: &Index| {
        let all = index.manifests.iter().filter(|entry| is_attestation(entry));
        statements.extend(all.take(MAX_STATEMENTS).cloned());
    };
    note_statements(&index);
    let mut current = pick(&index, name, platform, path)?.clone();
    for _ in 0..=limits.index_depth {
        annotations.extend(current.annotations.clone());
        for key in NAME_ANNOTATIONS {
            names.extend(current.annotations.get(key).cloned());
        }
        let bytes = read_verified(store, &current.digest, limits.manifest_bytes, "manifest")?;
        match parse_document(&bytes)? {
            Document::Index(index) => {
                note_statements(&index);
                current = choose_manifest(&index, platform)?.clone();
            }
            Document::Manifest(manifest) => {
                let config_digest = &manifest.config.digest;
                let bytes = read_verified(
                    store,
                    config_digest,
                    limits.config_bytes,
                    "image configuration",
                )?;
                let mut config = parse_config(&bytes)?;
                annotations.extend(manifest.annotations.clone());
                config.config.annotations = annotations;
                config.config.attestations = attestations(
                    store,
                    &statements,
                    &current.digest,
                    limits.manifest_bytes,
                    &mut problems_of_statements,
                );
                let mut fetch = |descriptor: &Descriptor| {
                    let blob = store.blob(&blob_path(&descriptor.digest));
                    blob.map_err(|error| {
                        Problem::new(
                            ProblemKind::Unreadable,
                            format!(
                                "layer not inspected: cannot open {}: {error}",
                                descriptor.digest
                            ),
                        )
                    })
                };
                let (layers, mut problems) =
                    manifest_layers(&manifest, &config, limits, &mut fetch);
                problems.extend(problems_of_statements);
                names.dedup();
                return Ok(Image {
                    reference: String::new(),
                    source: SourceKind::Oci,
                    names,
                    manifest_digest: Some(current.digest),
                    image_id: Some(manifest.config.digest),
                    platform: config.platform,
                    config: config.config,
                    layers,
                    problems,
                });
            }
        }
    }
    Err(ImageError::new(format!(
        "`{path}` has more than {} indexes inside each other",
        limits.index_depth
    )))
}

/// Statements about one image that are read.
const MAX_STATEMENTS: usize = 32;

/// The statements that BuildKit puts beside an image: manifests in the index that point at it
/// (docs.docker.com/build/metadata/attestations/attestation-storage), whose layers are in-toto
/// statements. What can't be read is a notice: nothing else depends on it.
fn attestations(
    store: &dyn Store,
    manifests: &[Descriptor],
    image: &Digest,
    cap: u64,
    problems: &mut Vec<Problem>,
) -> Vec<Attestation> {
    let mut found = Vec::new();
    let about_it = manifests.iter().filter(|entry| {
        let subject = entry.annotations.get("vnd.docker.reference.digest");
        subject.is_none_or(|subject| *subject == image.to_string())
    });
    for entry in about_it {
        let manifest = read_verified(store, &entry.digest, cap, "attestation manifest")
            .and_then(|bytes| parse_document(&bytes));
        let layers = match manifest {
            Ok(Document::Manifest(manifest)) => manifest.layers,
            Ok(Document::Index(_)) => continue,
            Err(error) => {
                problems.push(Problem::new(ProblemKind::Notice, error.message));
                continue;
            }
        };
        for layer in layers.into_iter().flatten() {
            if !layer.media_type.contains("in-toto") || found.len() >= MAX_STATEMENTS {
                continue;
            }
            match read_verified(store, &layer.digest, cap, "attestation") {
                Ok(bytes) => found.push(Attestation {
                    predicate_type: layer
                        .annotations
                        .get("in-toto.io/predicate-type")
                        .cloned()
                        .unwrap_or_default(),
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                }),
                Err(error) => problems.push(Problem::new(ProblemKind::Notice, error.message)),
            }
        }
    }
    found
}

/// The entry of a name, or the one for the platform where all entries have the same.
fn pick<'i>(
    index: &'i Index,
    name: Option<&str>,
    platform: Option<&Platform>,
    path: &str,
) -> Result<&'i Descriptor, ImageError> {
    let named = |descriptor: &Descriptor, wanted: &str| {
        descriptor.digest.to_string() == wanted
            || NAME_ANNOTATIONS.iter().any(|key| {
                descriptor.annotations.get(*key).is_some_and(|name| {
                    name == wanted
                        || name
                            .strip_suffix(wanted)
                            .is_some_and(|rest| rest.ends_with([':', '/']))
                })
            })
    };
    let shown = |descriptor: &Descriptor| {
        let mut names = NAME_ANNOTATIONS
            .iter()
            .rev()
            .filter_map(|key| descriptor.annotations.get(*key));
        names.next().cloned()
    };
    let mut offered: Vec<String> = index.manifests.iter().filter_map(shown).collect();
    offered.sort();
    offered.dedup();
    let narrowed = match name {
        Some(wanted) => {
            let found: Vec<Descriptor> = index
                .manifests
                .iter()
                .filter(|descriptor| named(descriptor, wanted))
                .cloned()
                .collect();
            if found.is_empty() {
                return Err(
                    ImageError::new(format!("`{path}` holds no image `{wanted}`")).hint(
                        match offered[..] {
                            [] => "its images have no names: leave the tag out".to_owned(),
                            _ => format!("it holds: {}", offered.join(", ")),
                        },
                    ),
                );
            }
            Index { manifests: found }
        }
        None if offered.len() > 1 => {
            return Err(ImageError::new(format!(
                "`{path}` holds {} images: {}",
                offered.len(),
                offered.join(", ")
            ))
            .hint(format!("choose one: `oci:{path}:TAG`")));
        }
        None => index.clone(),
    };
    let chosen = choose_manifest(&narrowed, platform)?.digest.clone();
    index
        .manifests
        .iter()
        .find(|descriptor| {
            descriptor.digest == chosen && name.is_none_or(|name| named(descriptor, name))
        })
        .ok_or_else(|| ImageError::new("the index holds no image"))
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm_name(), digest.hex())
}

fn read_verified(
    store: &dyn Store,
    digest: &Digest,
    cap: u64,
    what: &str,
) -> Result<Vec<u8>, ImageError> {
    let bytes = read_small(store, &blob_path(digest), cap).map_err(|error| {
        ImageError::new(format!("cannot read the {what} {digest}")).caused_by(error)
    })?;
    let found = digest_of(digest.algorithm(), &bytes);
    if found != *digest {
        return Err(ImageError::new(format!(
            "the {what} has digest {found}, but {digest} was promised"
        ))
        .hint("the layout is damaged or was tampered with: fetch the image again"));
    }
    Ok(bytes)
}
