//! From what the user wrote to an opened image.
//!
//! `PREFIX:REST` names its source. Without a prefix a path that exists is told apart by what
//! lies there, `-` is an archive on standard input, and anything else is the name of an
//! image, for which the sources that know names are tried in their order.

use std::path::Path;

use seaworthy_core::Platform;

use crate::archive::ArchiveSource;
use crate::engine::{ContainerSource, EngineOptions, EngineSource};
use crate::oci_layout::OciSource;
use crate::registry::{RegistryOptions, RegistrySource};
use crate::rootfs::RootFsSource;
use crate::{Image, ImageError, ImageSource, SourceKind, WalkContext};

/// What an image is opened with besides its reference.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Chooses from a multi-platform index; the host's when not given.
    pub platform: Option<Platform>,
    /// Which engine is asked, and how its layers are reached.
    pub engine: EngineOptions,
    /// How registries are talked to.
    pub registry: RegistryOptions,
}

/// Opens the rest of a reference behind its prefix.
pub type OpenFn = fn(&str, &OpenOptions, &WalkContext) -> Result<Image, ImageError>;

/// A source of images: a row for help, support tables and the choice by prefix.
#[derive(Debug, Clone, Copy)]
pub struct SourceRow {
    /// What it is; its word is the prefix.
    pub kind: SourceKind,
    /// What may follow the prefix.
    pub syntax: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Whether it is tried for a name without prefix, in the order of the rows.
    pub takes_names: bool,
    /// Opens an image.
    pub open: OpenFn,
}

/// Every source there is, in the order they are told and tried.
pub const SOURCES: &[SourceRow] = &[
    SourceRow {
        kind: SourceKind::Docker,
        syntax: "NAME[:TAG|@DIGEST]",
        summary: "an image of a Docker Engine, read where the engine keeps it if that is allowed",
        takes_names: true,
        open: |rest, options, ctx| {
            let source = EngineSource {
                options: options.engine.clone(),
            };
            source.open(rest, options.platform.as_ref(), ctx)
        },
    },
    SourceRow {
        kind: SourceKind::Registry,
        syntax: "[HOST/]NAME[:TAG|@DIGEST]",
        summary: "an image of a registry, without any engine",
        takes_names: true,
        open: |rest, options, ctx| {
            let source = RegistrySource {
                options: options.registry.clone(),
            };
            source.open(rest, options.platform.as_ref(), ctx)
        },
    },
    SourceRow {
        kind: SourceKind::Container,
        syntax: "NAME|ID",
        summary: "a container of a Docker Engine, running or not, with what it wrote",
        takes_names: false,
        open: |rest, options, ctx| {
            let source = ContainerSource {
                options: options.engine.clone(),
            };
            source.open(rest, options.platform.as_ref(), ctx)
        },
    },
    SourceRow {
        kind: SourceKind::Archive,
        syntax: "FILE[#NAME]",
        summary: "an archive from `docker save`, compressed or not; `-` is standard input",
        takes_names: false,
        open: |rest, options, ctx| ArchiveSource.open(rest, options.platform.as_ref(), ctx),
    },
    SourceRow {
        kind: SourceKind::Oci,
        syntax: "PATH[:TAG|@DIGEST]",
        summary: "an OCI image layout, as a directory or a tar",
        takes_names: false,
        open: |rest, options, ctx| OciSource.open(rest, options.platform.as_ref(), ctx),
    },
    SourceRow {
        kind: SourceKind::Directory,
        syntax: "PATH",
        summary: "a root filesystem in a directory",
        takes_names: false,
        open: |rest, options, ctx| RootFsSource.open(rest, options.platform.as_ref(), ctx),
    },
];

/// Opens the image that `reference` names.
///
/// # Errors
///
/// When no source has it; the message names each that was tried, and why it failed.
pub fn open_image(
    reference: &str,
    options: &OpenOptions,
    ctx: &WalkContext,
) -> Result<Image, ImageError> {
    open_with(SOURCES, reference, options, ctx)
}

/// The same over other sources, for tests.
pub(crate) fn open_with(
    sources: &[SourceRow],
    reference: &str,
    options: &OpenOptions,
    ctx: &WalkContext,
) -> Result<Image, ImageError> {
    if reference.trim().is_empty() {
        return Err(ImageError::new("the image reference is empty").hint(prefixes(sources)));
    }
    let found = match prefix_of(sources, reference) {
        Some((row, "")) => {
            let prefix = row.kind.as_str();
            return Err(
                ImageError::new(format!("nothing follows the prefix `{prefix}:`"))
                    .hint(format!("write `{prefix}:{}`", row.syntax)),
            );
        }
        Some((row, rest)) => (row.open)(rest, options, ctx),
        None => match recognise(reference) {
            Some(kind) => match sources.iter().find(|row| row.kind == kind) {
                Some(row) => (row.open)(reference, options, ctx),
                None => Err(ImageError::new(format!(
                    "`{reference}` can't be opened here: there is no source for it"
                ))),
            },
            None => open_by_name(sources, reference, options, ctx),
        },
    };
    found.map(|image| Image {
        reference: reference.to_owned(),
        ..image
    })
}

fn prefix_of<'s, 'r>(
    sources: &'s [SourceRow],
    reference: &'r str,
) -> Option<(&'s SourceRow, &'r str)> {
    let (prefix, rest) = reference.split_once(':')?;
    let row = sources.iter().find(|row| row.kind.as_str() == prefix)?;
    Some((row, rest))
}

/// What lies at a path, by its own marks; `None` when nothing does.
fn recognise(reference: &str) -> Option<SourceKind> {
    if reference == "-" {
        return Some(SourceKind::Archive);
    }
    let path = Path::new(reference);
    let exists = |path: &Path| std::fs::metadata(path).ok();
    match exists(path) {
        Some(meta) if meta.is_dir() => {
            let is_layout = path.join("oci-layout").is_file() && path.join("index.json").is_file();
            Some(if is_layout {
                SourceKind::Oci
            } else {
                SourceKind::Directory
            })
        }
        // Archives of OCI layouts are opened by the archive source too, by what they hold.
        Some(_) => Some(SourceKind::Archive),
        None => {
            let (file, _) = reference.rsplit_once('#')?;
            exists(Path::new(file))?;
            Some(SourceKind::Archive)
        }
    }
}

/// Tries each source that knows names.
fn open_by_name(
    sources: &[SourceRow],
    reference: &str,
    options: &OpenOptions,
    ctx: &WalkContext,
) -> Result<Image, ImageError> {
    if looks_like_path(reference) {
        return Err(
            ImageError::new(format!("there is nothing at `{reference}`")).hint(
                match nearest_parent(Path::new(reference)) {
                    Some(parent) => format!("check the path; `{parent}` exists"),
                    None => "check the path".to_owned(),
                },
            ),
        );
    }
    let mut tried = Vec::new();
    let mut hint = None;
    for row in sources.iter().filter(|row| row.takes_names) {
        match (row.open)(reference, options, ctx) {
            Ok(image) => return Ok(image),
            Err(error) => {
                let mut message = format!("{}: {error}", row.kind.as_str());
                let mut cause = std::error::Error::source(&error);
                while let Some(inner) = cause {
                    message = format!("{message}: {inner}");
                    cause = inner.source();
                }
                tried.push(message);
                hint = error.hint.or(hint);
            }
        }
    }
    if tried.is_empty() {
        return Err(ImageError::new(format!(
            "`{reference}` is no file or directory, and no source knows images by name"
        ))
        .hint(prefixes(sources)));
    }
    Err(ImageError {
        message: format!(
            "no source has the image `{reference}`; tried\n    {}",
            tried.join("\n    ")
        ),
        hint: hint.or_else(|| Some(prefixes(sources))),
        source: None,
    })
}

/// Names of images start with a letter or digit and never end like a file.
fn looks_like_path(reference: &str) -> bool {
    let endings = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz"];
    reference.starts_with(['/', '.', '~'])
        || endings.iter().any(|ending| reference.ends_with(ending))
}

fn nearest_parent(path: &Path) -> Option<String> {
    path.ancestors()
        .skip(1)
        .find(|parent| !parent.as_os_str().is_empty() && parent.exists())
        .map(|parent| parent.display().to_string())
}

fn prefixes(sources: &[SourceRow]) -> String {
    let list: Vec<String> = sources
        .iter()
        .map(|row| format!("`{}:{}`", row.kind.as_str(), row.syntax))
        .collect();
    format!("name the source: {}", list.join(", "))
}
