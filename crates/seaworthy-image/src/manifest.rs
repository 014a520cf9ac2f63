//! Manifests, indexes and image configurations (OCI image-spec v1.1 manifest.md,
//! image-index.md, config.md; Docker "Image Manifest V 2, Schema 2").
//!
//! Read leniently: an odd or missing field is left empty, as long as what matters can't be
//! mistaken. Keys are matched as Go's JSON reader matches them, ignoring case, because that
//! is what the engines do; where two keys differ in nothing else the document is refused.
//! Schema 1 is refused: its layers have no digests of their content.

use std::collections::BTreeMap;
use std::sync::Arc;

use seaworthy_core::{Digest, Platform, Problem, ProblemKind};
use serde_json::{Map, Value};

use crate::{
    Blob, BlobLayer, HistoryEntry, ImageConfig, ImageError, Layer, Limits, UnavailableLayer,
};

/// Media types of the documents this module reads, for an `Accept` header.
pub const MANIFEST_MEDIA_TYPES: &[&str] = &[
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// Points at content by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What the content claims to be; may be empty.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Bytes of the content, where it says so.
    pub size: Option<u64>,
    /// What it is for, in an index.
    pub platform: Option<Platform>,
    /// Free words.
    pub annotations: BTreeMap<String, String>,
}

/// Several manifests, for several platforms or under several names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// The manifests, or indexes again.
    pub manifests: Vec<Descriptor>,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The image configuration.
    pub config: Descriptor,
    /// The layers, base first; an error says what is wrong with that descriptor.
    pub layers: Vec<Result<Descriptor, String>>,
    /// Free words.
    pub annotations: BTreeMap<String, String>,
}

/// What a manifest document turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Several manifests.
    Index(Index),
    /// One image.
    Manifest(Manifest),
}

/// An image configuration and what else its document says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParsedConfig {
    /// How to run the image.
    pub config: ImageConfig,
    /// What it runs on.
    pub platform: Option<Platform>,
    /// Digest of each uncompressed layer, base first; `None` for an unreadable one.
    pub diff_ids: Vec<Option<Digest>>,
}

/// Reads a manifest or index.
///
/// # Errors
///
/// When it is neither, is of schema 1, or could be read in two ways.
pub fn parse_document(bytes: &[u8]) -> Result<Document, ImageError> {
    let value = json(bytes, "manifest")?;
    let map = object(&value, "manifest")?;
    refuse_ambiguous(map, "manifest")?;
    let media_type = text(field(map, "mediaType"));
    if field(map, "schemaVersion").and_then(Value::as_u64) == Some(1)
        || media_type.contains("manifest.v1+")
            && media_type.starts_with("application/vnd.docker.distribution")
    {
        return Err(
            ImageError::new("the manifest is of schema 1, which is not supported")
                .hint("push the image again with a current client, which writes schema 2 or OCI"),
        );
    }
    let layers = field(map, "layers");
    let manifests = field(map, "manifests");
    let is_index = match (manifests.is_some(), layers.is_some()) {
        (true, false) => true,
        (false, true) => false,
        (true, true) => {
            return Err(ImageError::new(
                "the manifest has both `layers` and `manifests`: it could be read in two ways",
            ));
        }
        // Artefacts may have no layers at all.
        (false, false) if field(map, "config").is_some() => false,
        (false, false) => {
            return Err(ImageError::new(
                "the manifest has neither `layers` nor `manifests`",
            ));
        }
    };
    if is_index {
        let manifests = list(manifests).iter().filter_map(|v| descriptor(v).ok());
        return Ok(Document::Index(Index {
            manifests: manifests.collect(),
        }));
    }
    let config = field(map, "config")
        .ok_or("it has none".to_owned())
        .and_then(descriptor)
        .map_err(|what| ImageError::new(format!("the manifest's `config` is unusable: {what}")))?;
    Ok(Document::Manifest(Manifest {
        config,
        layers: list(layers).iter().map(descriptor).collect(),
        annotations: string_map(field(map, "annotations")),
    }))
}

/// Chooses the manifest for a platform from an index: the wished one; without a wish the
/// host's, or the only one there is. Attestations are no images and never chosen.
///
/// # Errors
///
/// When there is none, or no wish and several; the message lists what there is.
pub fn choose_manifest<'i>(
    index: &'i Index,
    wish: Option<&Platform>,
) -> Result<&'i Descriptor, ImageError> {
    let images: Vec<&Descriptor> = index
        .manifests
        .iter()
        .filter(|descriptor| !is_attestation(descriptor))
        .collect();
    let host = Platform::host();
    let wanted = wish.unwrap_or(&host);
    let exact = images.iter().find(|d| d.platform.as_ref() == Some(wanted));
    let accepted = images
        .iter()
        .find(|d| d.platform.as_ref().is_some_and(|p| wanted.accepts(p)));
    if let Some(found) = exact.or(accepted) {
        return Ok(found);
    }
    match images[..] {
        [] => Err(ImageError::new("the index holds no image")),
        // What does not say its platform can't be told apart from the wished one.
        [only] if wish.is_none() || only.platform.is_none() => Ok(only),
        _ => {
            let offered: Vec<String> = images
                .iter()
                .take(20)
                .map(|d| {
                    d.platform
                        .as_ref()
                        .map_or("unnamed".into(), Platform::to_string)
                })
                .collect();
            Err(
                ImageError::new(format!("the image is not there for `{wanted}`")).hint(format!(
                    "choose with `--platform` one of: {}",
                    offered.join(", ")
                )),
            )
        }
    }
}

/// Whether an index entry is a statement about an image and not one itself.
pub(crate) fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor
        .platform
        .as_ref()
        .is_some_and(|p| p.os == "unknown" && p.architecture == "unknown")
        || descriptor
            .annotations
            .get("vnd.docker.reference.type")
            .is_some_and(|kind| kind == "attestation-manifest")
}

/// Reads an image configuration.
///
/// # Errors
///
/// When it is no JSON object, or could be read in two ways.
pub fn parse_config(bytes: &[u8]) -> Result<ParsedConfig, ImageError> {
    let what = "image configuration";
    let value = json(bytes, what)?;
    let map = object(&value, what)?;
    refuse_ambiguous(map, what)?;
    let empty = Map::new();
    let run = field(map, "config")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let rootfs = field(map, "rootfs")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    for part in [run, rootfs] {
        refuse_ambiguous(part, what)?;
    }
    let word = |map: &Map<String, Value>, key: &str| {
        Some(text(field(map, key))).filter(|word| !word.is_empty())
    };
    let keys = |key: &str| -> Vec<String> {
        let map = field(run, key).and_then(Value::as_object);
        map.map(|map| map.keys().cloned().collect())
            .unwrap_or_default()
    };
    let healthcheck = field(run, "Healthcheck").and_then(Value::as_object);
    let history = list(field(map, "history")).iter().map(|entry| {
        let entry = entry.as_object().unwrap_or(&empty);
        HistoryEntry {
            created_by: word(entry, "created_by"),
            created: word(entry, "created"),
            comment: word(entry, "comment"),
            empty_layer: field(entry, "empty_layer").and_then(Value::as_bool) == Some(true),
        }
    });
    Ok(ParsedConfig {
        platform: platform(map),
        diff_ids: list(field(rootfs, "diff_ids"))
            .iter()
            .map(|id| id.as_str().and_then(|id| id.parse().ok()))
            .collect(),
        config: ImageConfig {
            created: word(map, "created"),
            author: word(map, "author"),
            user: word(run, "User"),
            env: words(field(run, "Env")),
            entrypoint: words(field(run, "Entrypoint")),
            cmd: words(field(run, "Cmd")),
            working_dir: word(run, "WorkingDir"),
            exposed_ports: keys("ExposedPorts"),
            volumes: keys("Volumes"),
            labels: string_map(field(run, "Labels")),
            healthcheck: words(healthcheck.and_then(|check| field(check, "Test"))),
            on_build: words(field(run, "OnBuild")),
            history: history.collect(),
            annotations: BTreeMap::new(),
            attestations: Vec::new(),
        },
    })
}

/// Finds the bytes of a descriptor, or says why they can't be had.
pub type FetchBlob<'a> = dyn FnMut(&Descriptor) -> Result<Arc<dyn Blob>, Problem> + 'a;

/// Makes the layers of a manifest. `fetch` finds the bytes of a descriptor, or says why they
/// can't be had; that layer then carries the problem. Layers that lie elsewhere by intent, or
/// are encrypted, are not asked for.
pub fn manifest_layers(
    manifest: &Manifest,
    config: &ParsedConfig,
    limits: &Limits,
    fetch: &mut FetchBlob<'_>,
) -> (Vec<Arc<dyn Layer>>, Vec<Problem>) {
    let mut problems = count_problems(manifest.layers.len(), config, limits);
    let mut layers: Vec<Arc<dyn Layer>> = Vec::new();
    for (index, layer) in manifest.layers.iter().take(limits.layers).enumerate() {
        let diff_id = config.diff_ids.get(index).cloned().flatten();
        let blob = match layer {
            Ok(descriptor) => match not_inspected(&descriptor.media_type) {
                Some(why) => Err(Problem::new(
                    ProblemKind::Unsupported,
                    format!("layer not inspected: {why}"),
                )),
                None => fetch(descriptor).map(|blob| (blob, descriptor.digest.clone())),
            },
            Err(what) => Err(Problem::new(
                ProblemKind::Malformed,
                format!("layer not inspected: its descriptor is unusable: {what}"),
            )),
        };
        layers.push(match blob {
            Ok((blob, digest)) => Arc::new(BlobLayer::new(blob, diff_id, Some(digest))),
            Err(problem) => Arc::new(UnavailableLayer::new(diff_id, problem)),
        });
    }
    problems.dedup();
    (layers, problems)
}

/// What is wrong with the number of layers, as manifest and configuration have it.
pub(crate) fn count_problems(
    layers: usize,
    config: &ParsedConfig,
    limits: &Limits,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if layers > limits.layers {
        problems.push(Problem::new(
            ProblemKind::LimitReached,
            format!(
                "the image has {layers} layers; only the first {} are looked at",
                limits.layers
            ),
        ));
    }
    if layers != config.diff_ids.len() {
        problems.push(Problem::new(
            ProblemKind::Malformed,
            format!(
                "the manifest has {layers} layers, but the image configuration {}",
                config.diff_ids.len()
            ),
        ));
    }
    if config.diff_ids.iter().any(Option::is_none) {
        problems.push(Problem::new(
            ProblemKind::Malformed,
            "a diff ID of the image configuration is no digest",
        ));
    }
    problems
}

fn not_inspected(media_type: &str) -> Option<&'static str> {
    if media_type.contains(".foreign.") || media_type.contains(".nondistributable.") {
        Some("it lies outside of the registry, at an address of the image's choice")
    } else if media_type.ends_with("+encrypted") {
        Some("it is encrypted")
    } else {
        None
    }
}

fn json(bytes: &[u8], what: &str) -> Result<Value, ImageError> {
    serde_json::from_str(&String::from_utf8_lossy(bytes)).map_err(|error| {
        ImageError::new(format!("the {what} is not readable JSON")).caused_by(error)
    })
}

fn object<'v>(value: &'v Value, what: &str) -> Result<&'v Map<String, Value>, ImageError> {
    value
        .as_object()
        .ok_or_else(|| ImageError::new(format!("the {what} is no JSON object")))
}

fn refuse_ambiguous(map: &Map<String, Value>, what: &str) -> Result<(), ImageError> {
    let mut seen = std::collections::HashSet::new();
    for key in map.keys() {
        if !seen.insert(key.to_ascii_lowercase()) {
            return Err(ImageError::new(format!(
                "the {what} has keys that differ only in case (`{}`): it could be read in two ways",
                key.escape_debug()
            )));
        }
    }
    Ok(())
}

pub(crate) fn field<'v>(map: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    map.get(key)
        .or_else(|| {
            map.iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))
                .map(|(_, value)| value)
        })
        .filter(|value| !value.is_null())
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A list of words; old documents have a single one without a list.
pub(crate) fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(word)) => vec![word.clone()],
        value => list(value)
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    }
}

fn string_map(value: Option<&Value>) -> BTreeMap<String, String> {
    let map = value.and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn platform(map: &Map<String, Value>) -> Option<Platform> {
    let word = |key| Some(text(field(map, key))).filter(|word: &String| !word.is_empty());
    Some(Platform {
        os: word("os")?,
        architecture: word("architecture")?,
        variant: word("variant"),
    })
}

fn descriptor(value: &Value) -> Result<Descriptor, String> {
    let map = value.as_object().ok_or("it is no JSON object")?;
    refuse_ambiguous(map, "descriptor").map_err(|error| error.message)?;
    let digest = text(field(map, "digest"));
    Ok(Descriptor {
        media_type: text(field(map, "mediaType")),
        digest: digest
            .parse()
            .map_err(|error: seaworthy_core::DigestError| error.to_string())?,
        size: field(map, "size").and_then(Value::as_u64),
        platform: field(map, "platform")
            .and_then(Value::as_object)
            .and_then(platform),
        annotations: string_map(field(map, "annotations")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digest(n: u8) -> String {
        format!("sha256:{}", format!("{n:02x}").repeat(32))
    }

    fn parse(value: &Value) -> Result<Document, ImageError> {
        parse_document(value.to_string().as_bytes())
    }

    fn index(platforms: &[&str]) -> Index {
        let manifests = (0..).zip(platforms).map(|(n, platform)| {
            let parts: Vec<&str> = platform.split('/').collect();
            json!({
                "digest": digest(n),
                "platform": {"os": parts[0], "architecture": parts[1], "variant": parts.get(2)},
            })
        });
        match parse(&json!({"manifests": manifests.collect::<Vec<_>>()})) {
            Ok(Document::Index(index)) => index,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn check_choice(platforms: &[&str], wish: &str, expected: Option<u8>) {
        let index = index(platforms);
        let wish = wish.parse().ok();
        let chosen = choose_manifest(&index, wish.as_ref());
        assert_eq!(
            chosen.ok().map(|d| d.digest.to_string()),
            expected.map(digest)
        );
    }

    #[test]
    fn a_platform_is_chosen_and_attestations_never() {
        let both = ["linux/amd64", "unknown/unknown", "linux/arm64/v8"];
        check_choice(&both, "linux/amd64", Some(0));
        check_choice(&both, "linux/arm64", Some(2));
        check_choice(&both, "linux/s390x", None);
        check_choice(&["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7", Some(1));
        check_choice(&["linux/arm/v6", "linux/arm/v7"], "linux/arm", Some(0));
        check_choice(&["plan9/mips", "unknown/unknown"], "", Some(0));
        check_choice(&["plan9/mips", "plan9/vax"], "", None);
        check_choice(&["unknown/unknown"], "", None);
        check_choice(&[], "", None);
    }

    #[test]
    fn a_refused_choice_lists_what_there_is() {
        let wish = "linux/s390x".parse().unwrap();
        let offered = index(&["linux/amd64", "linux/arm/v7"]);
        let error = choose_manifest(&offered, Some(&wish));
        let hint = error.unwrap_err().hint.unwrap();
        assert!(hint.ends_with("linux/amd64, linux/arm/v7"), "{hint}");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let config = json!({"digest": digest(1)});
        for (bad, part) in [
            (json!({"schemaVersion": 1, "fsLayers": []}), "schema 1"),
            (
                json!({"layers": [], "manifests": [], "config": config}),
                "two ways",
            ),
            (
                json!({"layers": [], "Layers": [], "config": config}),
                "two ways",
            ),
            (json!({"schemaVersion": 2}), "neither"),
            (json!({"layers": []}), "config"),
            (json!([]), "object"),
        ] {
            let error = parse(&bad).unwrap_err();
            assert!(error.message.contains(part), "{}", error.message);
        }
        assert!(parse_document(b"{").is_err());
        assert!(parse_document(&[b'['; 100_000]).is_err());
    }

    #[test]
    fn keys_are_matched_as_engines_do() {
        let document = parse(&json!({
            "LAYERS": [{"Digest": digest(2), "mediatype": "x"}, {"digest": "md5:x"}],
            "Config": {"digest": digest(1)},
        }));
        let Ok(Document::Manifest(manifest)) = document else {
            panic!("{document:?}");
        };
        assert_eq!(manifest.layers[0].as_ref().unwrap().media_type, "x");
        assert!(manifest.layers[1].is_err());
    }

    #[test]
    fn a_configuration_with_odd_fields_keeps_the_others() {
        let parsed = parse_config(
            json!({
                "os": "linux", "architecture": "arm", "variant": "v7", "created": 7,
                "config": {
                    "User": null, "Env": ["A=1", 2], "Cmd": "sh", "Entrypoint": ["/init"],
                    "ExposedPorts": {"80/tcp": {}}, "Labels": {"a": "b", "c": 1},
                    "Healthcheck": {"Test": ["CMD", "true"]}, "Volumes": [],
                },
                "rootfs": {"diff_ids": [digest(3), "nonsense"]},
                "history": [{"created_by": "RUN x"}, {"empty_layer": true}, 5],
            })
            .to_string()
            .as_bytes(),
        )
        .unwrap();
        assert_eq!(parsed.platform.unwrap().to_string(), "linux/arm/v7");
        assert_eq!(parsed.config.env, ["A=1"]);
        assert_eq!(parsed.config.cmd, ["sh"]);
        assert_eq!(parsed.config.exposed_ports, ["80/tcp"]);
        assert_eq!(parsed.config.labels.len(), 1);
        assert_eq!(parsed.config.healthcheck, ["CMD", "true"]);
        assert_eq!(parsed.config.history.len(), 3);
        assert!(parsed.config.created.is_none() && parsed.config.user.is_none());
        assert_eq!(parsed.diff_ids[0].as_ref().unwrap().to_string(), digest(3));
        assert!(parsed.diff_ids[1].is_none());
    }

    #[test]
    fn foreign_and_encrypted_layers_are_not_fetched() {
        let layer = |media_type: &str| json!({"digest": digest(2), "mediaType": media_type});
        let document = parse(&json!({
            "config": {"digest": digest(1)},
            "layers": [
                layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
                layer("application/vnd.oci.image.layer.nondistributable.v1.tar"),
                layer("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
                {"digest": "nonsense"},
            ],
        }));
        let Ok(Document::Manifest(manifest)) = document else {
            panic!("{document:?}");
        };
        let mut fetch = |_: &Descriptor| -> Result<Arc<dyn Blob>, Problem> { panic!("fetched") };
        let (layers, problems) = manifest_layers(
            &manifest,
            &ParsedConfig::default(),
            &Limits::default(),
            &mut fetch,
        );
        assert_eq!(problems.len(), 1);
        for layer in layers {
            let outcome = layer
                .walk(&crate::WalkContext::default(), &mut |_| {
                    Ok(crate::Flow::Continue)
                })
                .unwrap();
            assert!(!outcome.complete && outcome.problems.len() == 1);
        }
    }
}
