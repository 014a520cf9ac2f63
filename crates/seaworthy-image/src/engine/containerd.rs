//! Images of an engine whose store is containerd's: every manifest, configuration and
//! compressed layer is a file named by its digest.
//!
//! ```text
//! ROOT/io.containerd.content.v1.content/blobs/sha256/HEX
//! ```
//!
//! `ROOT` is `DATA-ROOT/containerd/daemon` when the engine runs containerd itself (moby,
//! `daemon/command`), else the system's. Which digest a name stands for is asked of the
//! engine: containerd's own database is its alone. Blobs may be missing, because unpacked
//! layers can be discarded or a platform was never pulled; then the engine has to export.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seaworthy_core::{Digest, Platform};

use super::api::Info;
use super::overlay2::WhyNot;
use crate::manifest::{
    Descriptor, Document, Manifest, choose_manifest, manifest_layers, parse_config, parse_document,
};
use crate::store::{DirStore, Store, read_small};
use crate::{Image, SourceKind, WalkContext, digest_of};

/// Where containerd keeps content when it is a service of its own.
const SYSTEM_ROOT: &str = "/var/lib/containerd";
const CONTENT: &str = "io.containerd.content.v1.content";

/// Opens the image that `target`, an index or manifest, stands for.
pub(super) fn open(
    info: &Info,
    target: &Digest,
    platform: Option<&Platform>,
    ctx: &WalkContext,
) -> Result<Image, WhyNot> {
    let content = Content::find(info, target)?;
    let (digest, manifest) = content.find_manifest(target, platform, ctx)?;
    let image_id = manifest.config.digest.clone();
    let bytes = content.read(&image_id, ctx.limits.config_bytes)?;
    let mut parsed = parse_config(&bytes).map_err(|error| error.to_string())?;
    parsed.config.annotations = manifest.annotations.clone();
    let mut missing = None;
    let (layers, problems) = manifest_layers(&manifest, &parsed, &ctx.limits, &mut |layer| {
        content.blob(layer).map_err(|why| {
            missing = Some(why.clone());
            seaworthy_core::Problem::new(seaworthy_core::ProblemKind::Unreadable, why)
        })
    });
    if let Some(why) = missing {
        return Err(why);
    }
    Ok(Image {
        reference: String::new(),
        source: SourceKind::Docker,
        names: Vec::new(),
        manifest_digest: Some(digest),
        image_id: Some(image_id),
        platform: parsed.platform,
        config: parsed.config,
        layers,
        problems,
    })
}

/// A content store that holds at least the target.
struct Content(DirStore);

impl Content {
    fn find(info: &Info, target: &Digest) -> Result<Content, WhyNot> {
        let own = Path::new(&info.docker_root_dir).join("containerd/daemon");
        let mut why = String::new();
        for root in [own, PathBuf::from(SYSTEM_ROOT)] {
            if !root.is_absolute() {
                continue;
            }
            let folder = root.join(CONTENT);
            let found = DirStore::open(&folder).and_then(|store| {
                store.blob(&path_of(target))?;
                Ok(store)
            });
            match found {
                Ok(store) => return Ok(Content(store)),
                Err(error) => why = format!("`{}`: {error}", folder.display()),
            }
        }
        Err(why)
    }

    fn find_manifest(
        &self,
        target: &Digest,
        platform: Option<&Platform>,
        ctx: &WalkContext,
    ) -> Result<(Digest, Manifest), WhyNot> {
        let mut digest = target.clone();
        for _ in 0..=ctx.limits.index_depth {
            let bytes = self.read(&digest, ctx.limits.manifest_bytes)?;
            match parse_document(&bytes).map_err(|error| error.to_string())? {
                Document::Manifest(manifest) => return Ok((digest, manifest)),
                Document::Index(index) => {
                    let chosen =
                        choose_manifest(&index, platform).map_err(|error| error.to_string())?;
                    digest = chosen.digest.clone();
                }
            }
        }
        Err("its indexes are nested too deeply".into())
    }

    /// A small document, proved by its digest.
    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, WhyNot> {
        let bytes = read_small(&self.0, &path_of(digest), limit)
            .map_err(|error| format!("{digest}: {error}"))?;
        if digest_of(digest.algorithm(), &bytes) != *digest {
            return Err(format!("{digest} is not what its name says"));
        }
        Ok(bytes)
    }

    fn blob(&self, layer: &Descriptor) -> Result<Arc<dyn crate::Blob>, WhyNot> {
        self.0
            .blob(&path_of(&layer.digest))
            .map_err(|error| format!("layer {}: {error}", layer.digest.short()))
    }
}

fn path_of(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm_name(), digest.hex())
}
