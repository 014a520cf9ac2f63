//! Layers where a Docker Engine with graph driver overlay2 keeps them.
//!
//! ```text
//! DATA-ROOT/image/overlay2/imagedb/content/sha256/IMAGE-ID     the configuration
//! DATA-ROOT/image/overlay2/layerdb/sha256/CHAIN-ID/diff        the layer's diff ID
//!                                                 /cache-id    its folder's name
//!                                                 /parent      chain ID below it
//! DATA-ROOT/image/overlay2/layerdb/mounts/CONTAINER/mount-id   its folder's name
//!                                                  /init-id    same, for what the engine adds
//!                                                  /parent     chain ID of its image
//! DATA-ROOT/overlay2/FOLDER/diff/                              the files
//! ```
//!
//! Observed with engines 20.10 and read in moby's `layer/filestore.go`. The layout is no
//! promise of Docker's, so everything is checked on the way (the configuration by its
//! digest, each layer's `diff` file against the diff ID), and whatever does not fit is a
//! reason to export instead, not an error. The files themselves can't be checked against
//! the diff ID here. No name that is used comes from an image, and no link is followed
//! below the data root.

use std::fs;
use std::path::{Path, PathBuf};

use seaworthy_core::{Digest, DigestAlgorithm};

use super::api::Info;
use crate::files::open_regular;
use crate::{DirectoryLayer, DirectoryMode, digest_of};

/// Bytes of the small files of the layer database.
const MAX_NOTE: u64 = 1024;
/// `CAP_SYS_ADMIN`, without which attributes `trusted.*` are invisible.
const CAP_SYS_ADMIN: u32 = 21;

/// Why the layers can't be read in place: the end of a sentence.
pub(super) type WhyNot = String;

/// The data root of an engine with overlay2.
pub(super) struct Overlay2 {
    root: PathBuf,
}

/// What a container consists of.
pub(super) struct ContainerLayers {
    /// Diff IDs of its image's layers, base first.
    pub diff_ids: Vec<Digest>,
    /// Mount points the engine adds between image and container.
    pub init: Option<DirectoryLayer>,
    /// What the container wrote.
    pub upper: DirectoryLayer,
}

impl Overlay2 {
    /// Finds the data root, if it is here and can be understood.
    pub(super) fn open(info: &Info) -> Result<Overlay2, WhyNot> {
        if info.driver != "overlay2" {
            return Err(format!("its storage driver is `{}`", info.driver));
        }
        // Then a directory may have been renamed by a mark that only the kernel follows.
        if info.driver_status("Native Overlay Diff") == Some("false") {
            return Err("its overlay folders are no plain differences".into());
        }
        // Without these attributes a directory that hides what is below it looks plain.
        if info.driver_status("userxattr") != Some("true") && !sees_trusted_attributes() {
            return Err("reading the marks of deleted files needs `CAP_SYS_ADMIN`".into());
        }
        let root = Path::new(&info.docker_root_dir);
        if !root.is_absolute() {
            return Err("it does not say where its data lies".into());
        }
        let root = root
            .canonicalize()
            .map_err(|error| format!("`{}`: {error}", root.display()))?;
        let store = Overlay2 { root };
        store.inside(&["image", "overlay2", "layerdb", "sha256"])?;
        store.inside(&["overlay2"])?;
        Ok(store)
    }

    /// The configuration of an image, proved by its digest.
    pub(super) fn config(&self, id: &Digest, limit: u64) -> Result<Vec<u8>, WhyNot> {
        let folder = self.inside(&["image", "overlay2", "imagedb", "content"])?;
        let path = folder.join(id.algorithm_name()).join(id.hex());
        let bytes = read_file(&path, limit)?;
        if digest_of(id.algorithm(), &bytes) != *id {
            return Err(format!("`{}` is not what its name says", path.display()));
        }
        Ok(bytes)
    }

    /// The layers with those diff IDs, base first.
    pub(super) fn layers(&self, diff_ids: &[Digest]) -> Result<Vec<DirectoryLayer>, WhyNot> {
        let mut layers = Vec::with_capacity(diff_ids.len());
        for (diff_id, chain_id) in diff_ids.iter().zip(chain_ids(diff_ids)) {
            let noted = self.note(&chain_id, "diff")?;
            if noted != diff_id.to_string() {
                return Err(format!("its layer {} is another one", diff_id.short()));
            }
            let cache_id = self.note(&chain_id, "cache-id")?;
            let folder = self.folder(&cache_id)?;
            layers.push(DirectoryLayer::new(
                folder,
                DirectoryMode::OverlayDiff,
                Some(diff_id.clone()),
            ));
        }
        Ok(layers)
    }

    /// The layers of a container, which may have outlived its image's name.
    pub(super) fn container(&self, id: &str, max_layers: usize) -> Result<ContainerLayers, WhyNot> {
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("its id is no hexadecimal number".into());
        }
        let mount = self.inside(&["image", "overlay2", "layerdb", "mounts", id])?;
        let upper = self.folder(&read_note(&mount.join("mount-id"))?)?;
        let init = match fs::symlink_metadata(mount.join("init-id")) {
            Ok(_) => Some(self.folder(&read_note(&mount.join("init-id"))?)?),
            Err(_) => None,
        };
        let parent = mount.join("parent");
        let mut diff_ids = Vec::new();
        // A container from an empty image has no parent.
        let mut above = match fs::symlink_metadata(&parent) {
            Ok(_) => Some(read_note(&parent)?),
            Err(_) => None,
        };
        while let Some(chain) = above {
            if diff_ids.len() >= max_layers {
                return Err(format!("it has more than {max_layers} layers"));
            }
            let chain: Digest = chain
                .parse()
                .map_err(|_| "its layer database is damaged".to_owned())?;
            let diff = self.note(&chain, "diff")?;
            diff_ids.push(
                diff.parse()
                    .map_err(|_| "its layer database is damaged".to_owned())?,
            );
            above = match fs::symlink_metadata(self.entry(&chain)?.join("parent")) {
                Ok(_) => Some(self.note(&chain, "parent")?),
                Err(_) => None,
            };
        }
        diff_ids.reverse();
        let plain = |root| DirectoryLayer::new(root, DirectoryMode::OverlayDiff, None);
        Ok(ContainerLayers {
            diff_ids,
            init: init.map(plain),
            upper: plain(upper),
        })
    }

    /// The layer database's folder for a chain ID.
    fn entry(&self, chain_id: &Digest) -> Result<PathBuf, WhyNot> {
        self.inside(&[
            "image",
            "overlay2",
            "layerdb",
            chain_id.algorithm_name(),
            chain_id.hex(),
        ])
    }

    fn note(&self, chain_id: &Digest, name: &str) -> Result<String, WhyNot> {
        read_note(&self.entry(chain_id)?.join(name))
    }

    /// The files below a folder id: 64 hexadecimal digits or what older engines made up,
    /// with `-init` for the engine's own.
    fn folder(&self, id: &str) -> Result<PathBuf, WhyNot> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if id.is_empty() || id.len() > 128 || !id.bytes().all(good) {
            return Err("its layer database is damaged".into());
        }
        self.inside(&["overlay2", id, "diff"])
    }

    /// A directory below the data root, reached through directories only.
    fn inside(&self, parts: &[&str]) -> Result<PathBuf, WhyNot> {
        let mut path = self.root.clone();
        for part in parts {
            path.push(part);
            let meta = fs::symlink_metadata(&path)
                .map_err(|error| format!("`{}`: {error}", path.display()))?;
            if !meta.is_dir() {
                return Err(format!("`{}` is no directory", path.display()));
            }
        }
        Ok(path)
    }
}

/// Chain IDs of the layers with those diff IDs (OCI image-spec config.md, "Layer ChainID").
pub(super) fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let next = match chain.last() {
            None => diff_id.clone(),
            Some(below) => digest_of(
                DigestAlgorithm::Sha256,
                format!("{below} {diff_id}").as_bytes(),
            ),
        };
        chain.push(next);
    }
    chain
}

fn read_note(path: &Path) -> Result<String, WhyNot> {
    let bytes = read_file(path, MAX_NOTE)?;
    String::from_utf8(bytes)
        .map(|text| text.trim().to_owned())
        .map_err(|_| format!("`{}` is no text", path.display()))
}

pub(super) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, WhyNot> {
    use std::io::Read;

    let why = |error: std::io::Error| format!("`{}`: {error}", path.display());
    let meta = fs::symlink_metadata(path).map_err(why)?;
    if !meta.is_file() {
        return Err(format!("`{}` is no regular file", path.display()));
    }
    let mut bytes = Vec::new();
    open_regular(path)
        .map_err(why)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(why)?;
    if bytes.len() as u64 > limit {
        return Err(format!("`{}` is longer than {limit} bytes", path.display()));
    }
    Ok(bytes)
}

/// Whether this process sees `trusted.*` attributes: the capability counts only in the
/// first user namespace (capabilities(7), xattr(7)).
fn sees_trusted_attributes() -> bool {
    let first_namespace = fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| {
        let words: Vec<&str> = map.split_whitespace().collect();
        words == ["0", "0", "4294967295"]
    });
    let capable = fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_some_and(|mask| mask & (1 << CAP_SYS_ADMIN) != 0)
    });
    first_namespace && capable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_ids_follow_the_specification() {
        let diff = |byte: &str| format!("sha256:{}", byte.repeat(32)).parse().unwrap();
        let ids = chain_ids(&[diff("aa"), diff("bb"), diff("cc")]);
        assert_eq!(ids[0], diff("aa"));
        // printf 'sha256:aa… sha256:bb…' | sha256sum
        assert_eq!(
            ids[1].hex(),
            "ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c"
        );
        assert_eq!(
            ids[2].hex(),
            "c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588"
        );
    }
}
