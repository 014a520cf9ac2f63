//! `container:NAME`: a container of a Docker Engine, running or not: the layers of its
//! image, what the engine put between (mount points), and what the container itself wrote.
//!
//! Where that can't be read in place, the engine exports the whole file system as one
//! layer (`GET /containers/ID/export`), streamed and never stored; then it is no longer
//! known which layer brought what, and a notice says so. Volumes and other mounts are not
//! part of a container's file system and are left out both ways.

use std::io::{self, Read};
use std::sync::Arc;

use seaworthy_core::{Problem, ProblemKind};

use super::api::{ContainerInspect, Info};
use super::client::Engine;
use super::overlay2::{Overlay2, WhyNot};
use super::source::{EngineAccess, EngineOptions, cannot_read_in_place};
use crate::manifest::parse_config;
use crate::{
    Blob, BlobLayer, Image, ImageConfig, ImageError, ImageSource, Layer, SourceKind, WalkContext,
};

/// The containers of a Docker Engine.
#[derive(Debug, Clone, Default)]
pub struct ContainerSource {
    /// Which engine, and how.
    pub options: EngineOptions,
}

impl ImageSource for ContainerSource {
    /// `platform` has no meaning for a container: it has the one it runs on.
    fn open(
        &self,
        reference: &str,
        _: Option<&seaworthy_core::Platform>,
        ctx: &WalkContext,
    ) -> Result<Image, ImageError> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        let name = reference.strip_prefix('/').unwrap_or(reference);
        if name.is_empty() || !name.bytes().all(good) || name.starts_with('.') {
            return Err(ImageError::new(format!(
                "`{}` is no container's name or id",
                reference
                    .chars()
                    .take(100)
                    .flat_map(char::escape_debug)
                    .collect::<String>()
            ))
            .hint("`docker ps -a` lists the containers there are"));
        }
        let options = &self.options;
        let engine = Engine::connect(options.host.as_deref(), &options.environment, &ctx.cancel)?;
        let inspect: ContainerInspect =
            engine
                .json(&format!("/containers/{name}/json"))
                .map_err(|error| {
                    if error.is_not_found() {
                        ImageError::new(format!("the Docker engine has no container `{name}`"))
                            .hint("`docker ps -a` lists the containers there are")
                    } else {
                        error.into()
                    }
                })?;
        let mut image = Image {
            reference: reference.to_owned(),
            source: SourceKind::Container,
            names: vec![inspect.name.trim_start_matches('/').to_owned()],
            manifest_digest: None,
            image_id: inspect.image.parse().ok(),
            platform: None,
            config: config_of(&inspect),
            layers: Vec::new(),
            problems: Vec::new(),
        };
        if options.access != EngineAccess::Export {
            match read_in_place(&engine, &inspect, &mut image, ctx) {
                Ok(()) => return Ok(image),
                Err(why) if options.access == EngineAccess::Direct => {
                    return Err(cannot_read_in_place("container", name, &why));
                }
                Err(_) => {}
            }
        }
        if inspect.id.is_empty() || !inspect.id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ImageError::new(format!(
                "the Docker engine gives no id for container `{name}`"
            )));
        }
        let blob = ContainerExport {
            engine: Arc::new(engine),
            id: inspect.id,
        };
        image.layers = vec![Arc::new(BlobLayer::new(Arc::new(blob), None, None))];
        image.config.history = Vec::new();
        image.problems.push(Problem::new(
            ProblemKind::Notice,
            "the engine exported the container as one layer: which layer brought what is not known",
        ));
        Ok(image)
    }
}

/// Fills in layers and what only the image's own configuration knows.
fn read_in_place(
    engine: &Engine,
    inspect: &ContainerInspect,
    image: &mut Image,
    ctx: &WalkContext,
) -> Result<(), WhyNot> {
    if !engine.endpoint().is_local() {
        return Err("the engine may be on another machine".into());
    }
    let info: Info = engine.json("/info").map_err(|error| error.to_string())?;
    let store = Overlay2::open(&info)?;
    let parts = store.container(&inspect.id, ctx.limits.layers)?;
    let mut layers: Vec<Arc<dyn Layer>> = Vec::new();
    for layer in store.layers(&parts.diff_ids)? {
        layers.push(Arc::new(layer));
    }
    if let Some(init) = parts.init {
        layers.push(Arc::new(init));
    }
    layers.push(Arc::new(parts.upper));
    // The image may have been removed by force; its history is then lost, its layers not.
    if let Some(id) = &image.image_id
        && let Ok(bytes) = store.config(id, ctx.limits.config_bytes)
        && let Ok(parsed) = parse_config(&bytes)
    {
        image.platform = parsed.platform;
        image.config.history = parsed.config.history;
        image.config.author = parsed.config.author;
    }
    image.layers = layers;
    Ok(())
}

fn config_of(inspect: &ContainerInspect) -> ImageConfig {
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let config = &inspect.config;
    ImageConfig {
        created: filled(&inspect.created),
        author: None,
        user: filled(&config.user),
        env: config.env.clone(),
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        working_dir: filled(&config.working_dir),
        exposed_ports: config.exposed_ports.keys().cloned().collect(),
        volumes: config.volumes.keys().cloned().collect(),
        labels: config.labels.clone(),
        healthcheck: config.healthcheck.test.clone(),
        on_build: Vec::new(),
        history: Vec::new(),
        ..ImageConfig::default()
    }
}

/// A container's file system as the engine packs it when asked.
struct ContainerExport {
    engine: Arc<Engine>,
    id: String,
}

impl Blob for ContainerExport {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        self.engine
            .stream(&format!("/containers/{}/export", self.id))
            .map_err(io::Error::other)
    }

    fn len(&self) -> Option<u64> {
        None
    }

    fn name(&self) -> String {
        format!(
            "export of container {}",
            self.id.get(..12).unwrap_or(&self.id)
        )
    }
}
