//! `docker:NAME`: an image of a Docker Engine, its layers read where they lie when that is
//! possible, and from an export otherwise. Both give the same image.

use std::sync::Arc;

use seaworthy_core::{Digest, Platform};

use super::api::{ImageInspect, Info};
use super::client::{ApiVersion, Engine};
use super::overlay2::{Overlay2, WhyNot};
use super::{containerd, export};
use crate::archive::open_file;
use crate::manifest::parse_config;
use crate::{Environment, Image, ImageError, ImageSource, Layer, SourceKind, WalkContext};

/// How the layers of an engine's image are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineAccess {
    /// In place if possible, else by export.
    #[default]
    Auto,
    /// In place, or not at all.
    Direct,
    /// By export, even where they could be read in place.
    Export,
}

/// Which engine is asked, and how.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The engine's address; `None` means the one the Docker client would use.
    pub host: Option<String>,
    /// How layers are reached.
    pub access: EngineAccess,
    /// Where the engine's address and the temporary folder are found.
    pub environment: Environment,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            host: None,
            access: EngineAccess::Auto,
            environment: Environment::of_process(),
        }
    }
}

/// The images of a Docker Engine.
#[derive(Debug, Clone, Default)]
pub struct EngineSource {
    /// Which engine, and how.
    pub options: EngineOptions,
}

impl ImageSource for EngineSource {
    fn open(
        &self,
        reference: &str,
        platform: Option<&Platform>,
        ctx: &WalkContext,
    ) -> Result<Image, ImageError> {
        let name = checked_name(reference)?;
        let options = &self.options;
        let engine = Engine::connect(options.host.as_deref(), &options.environment, &ctx.cancel)?;
        let inspect = inspect(&engine, name, platform)?;
        let id: Digest = inspect.id.parse().map_err(|error| {
            ImageError::new(format!("the Docker engine gives no usable id for `{name}`"))
                .caused_by(error)
        })?;
        let info: Info = engine.json("/info")?;
        let image = Wanted {
            reference,
            name,
            id,
            inspect,
            info,
            platform,
        };
        if !image.info.uses_containerd_store() {
            image.check_platform()?;
        }
        if options.access != EngineAccess::Export {
            match image.in_place(&engine, ctx) {
                Ok(found) => return Ok(found),
                Err(why) if options.access == EngineAccess::Direct => {
                    return Err(cannot_read_in_place("image", name, &why));
                }
                Err(_) => {}
            }
        }
        image.exported(&engine, options, ctx)
    }
}

/// What was asked for, and what the engine says about it.
struct Wanted<'a> {
    reference: &'a str,
    name: &'a str,
    id: Digest,
    inspect: ImageInspect,
    info: Info,
    platform: Option<&'a Platform>,
}

impl Wanted<'_> {
    /// Without containerd's store, the engine has one platform of an image.
    fn check_platform(&self) -> Result<(), ImageError> {
        let (Some(wanted), Some(offered)) = (self.platform, self.inspect.platform()) else {
            return Ok(());
        };
        if wanted.accepts(&offered) {
            return Ok(());
        }
        Err(ImageError::new(format!(
            "the Docker engine has `{}` for {offered}, not for {wanted}",
            self.name
        ))
        .hint(format!(
            "`docker pull --platform {wanted} {}`, or scan it from the registry: `registry:{}`",
            self.name, self.name
        )))
    }

    fn in_place(&self, engine: &Engine, ctx: &WalkContext) -> Result<Image, WhyNot> {
        if !engine.endpoint().is_local() {
            return Err("the engine may be on another machine".into());
        }
        if self.info.uses_containerd_store() {
            let mut image = containerd::open(&self.info, &self.target(), self.platform, ctx)?;
            self.label(&mut image);
            return Ok(image);
        }
        let store = Overlay2::open(&self.info)?;
        let bytes = store.config(&self.id, ctx.limits.config_bytes)?;
        let parsed = parse_config(&bytes).map_err(|error| error.to_string())?;
        if parsed.diff_ids.len() > ctx.limits.layers {
            return Err(format!("it has more than {} layers", ctx.limits.layers));
        }
        let diff_ids: Option<Vec<Digest>> = parsed.diff_ids.into_iter().collect();
        let diff_ids = diff_ids.ok_or("a diff ID of its configuration is no digest")?;
        let mut layers: Vec<Arc<dyn Layer>> = Vec::new();
        for layer in store.layers(&diff_ids)? {
            layers.push(Arc::new(layer));
        }
        let mut image = Image {
            reference: String::new(),
            source: SourceKind::Docker,
            names: Vec::new(),
            manifest_digest: None,
            image_id: Some(self.id.clone()),
            platform: parsed.platform,
            config: parsed.config,
            layers,
            problems: Vec::new(),
        };
        self.label(&mut image);
        Ok(image)
    }

    fn exported(
        &self,
        engine: &Engine,
        options: &EngineOptions,
        ctx: &WalkContext,
    ) -> Result<Image, ImageError> {
        // By id: the name could mean another image by now.
        let mut path = format!("/images/{}/get", self.id);
        if let Some(platform) = self.platform
            && engine.api_version() >= ApiVersion::one_dot(48)
        {
            path.push_str(&platform_query(platform));
        }
        let mut stream = engine.stream(&path)?;
        let file = export::to_temporary_file(&mut stream, &options.environment, ctx)?;
        let mut image = open_file(Arc::new(file), None, self.platform, "the export", ctx)?;
        if !self.info.uses_containerd_store() && image.image_id.as_ref() != Some(&self.id) {
            return Err(ImageError::new(format!(
                "the Docker engine exported another image than `{}`",
                self.name
            ))
            .hint("try again; if it stays so, the engine's storage is damaged"));
        }
        self.label(&mut image);
        Ok(image)
    }

    /// The digest of the index or manifest that the name stands for in containerd's store.
    fn target(&self) -> Digest {
        self.inspect
            .descriptor
            .as_ref()
            .and_then(|descriptor| descriptor.digest.parse().ok())
            .unwrap_or_else(|| self.id.clone())
    }

    fn label(&self, image: &mut Image) {
        image.reference = self.reference.to_owned();
        image.source = SourceKind::Docker;
        image.names = self
            .inspect
            .repo_tags
            .iter()
            .filter(|name| *name != "<none>:<none>")
            .cloned()
            .collect();
    }
}

pub(super) fn cannot_read_in_place(what: &str, name: &str, why: &str) -> ImageError {
    ImageError::new(format!(
        "cannot read {what} `{name}` where the engine keeps it: {why}"
    ))
    .hint("run as root on the engine's host, or let the engine export it")
}

fn inspect(
    engine: &Engine,
    name: &str,
    platform: Option<&Platform>,
) -> Result<ImageInspect, ImageError> {
    let mut path = format!("/images/{name}/json");
    // Since 1.49; older engines have one platform per image anyway.
    if let Some(platform) = platform
        && engine.api_version() >= ApiVersion::one_dot(49)
    {
        path.push_str(&platform_query(platform));
    }
    engine.json(&path).map_err(|error| {
        if error.is_not_found() {
            ImageError::new(format!("the Docker engine has no image `{name}`")).hint(format!(
                "`docker pull {name}`, or scan it from the registry: `registry:{name}`"
            ))
        } else {
            error.into()
        }
    })
}

/// `?platform={"os":…}`, percent-encoded. The words of a [`Platform`] hold nothing that
/// JSON would have to escape.
fn platform_query(platform: &Platform) -> String {
    let mut query = format!(
        "?platform=%7B%22os%22%3A%22{}%22%2C%22architecture%22%3A%22{}%22",
        platform.os, platform.architecture
    );
    if let Some(variant) = &platform.variant {
        query.push_str(&format!("%2C%22variant%22%3A%22{variant}%22"));
    }
    query.push_str("%7D");
    query
}

/// A name that can stand in the path of a request: `debian:12`, an id, `host:5000/a@sha256:…`.
fn checked_name(reference: &str) -> Result<&str, ImageError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._/:@-".contains(&b);
    let fits = !reference.is_empty()
        && reference.len() <= 512
        && reference.bytes().all(good)
        && reference
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    if fits {
        return Ok(reference);
    }
    Err(ImageError::new(format!(
        "`{}` is no image name",
        reference
            .chars()
            .take(300)
            .flat_map(char::escape_debug)
            .collect::<String>()
    ))
    .hint("`docker image ls` lists the images there are"))
}
