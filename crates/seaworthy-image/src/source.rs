use std::sync::Arc;

use seaworthy_core::{Digest, Platform, Problem};

use crate::{ImageConfig, Layer, WalkContext};

/// The kinds of place an image can come from. The words are the reference prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// `docker:`, a Docker Engine.
    Docker,
    /// `registry:`, a registry without any engine.
    Registry,
    /// `archive:`, what `docker save` writes.
    Archive,
    /// `oci:`, an OCI image layout, directory or tar.
    Oci,
    /// `dir:`, a root filesystem.
    Directory,
    /// `container:`, a container of a Docker Engine with its writable layer.
    Container,
}

impl SourceKind {
    /// The prefix without its colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            SourceKind::Docker => "docker",
            SourceKind::Registry => "registry",
            SourceKind::Archive => "archive",
            SourceKind::Oci => "oci",
            SourceKind::Directory => "dir",
            SourceKind::Container => "container",
        }
    }
}

/// An opened image: everything but the layers' content is in memory.
pub struct Image {
    /// The reference as the user wrote it.
    pub reference: String,
    /// Where it came from.
    pub source: SourceKind,
    /// Names it goes by there, `debian:12`; empty where it has none.
    pub names: Vec<String>,
    /// Digest of the platform's manifest, where there is one.
    pub manifest_digest: Option<Digest>,
    /// Digest of the image configuration: Docker's image id.
    pub image_id: Option<Digest>,
    /// What it runs on.
    pub platform: Option<Platform>,
    /// How to run it.
    pub config: ImageConfig,
    /// The layers, base first.
    pub layers: Vec<Arc<dyn Layer>>,
    /// What was wrong with it so far.
    pub problems: Vec<Problem>,
}

/// Why an image could not be opened. Every message names what was tried on what; `hint`
/// says what to do, for the line under the error.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ImageError {
    /// What was tried, on what, and why it failed, lower case, without a full stop.
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// What the system or the server said.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ImageError {
    /// An error without hint or source.
    pub fn new(message: impl Into<String>) -> ImageError {
        ImageError {
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> ImageError {
        self.hint = Some(hint.into());
        self
    }

    /// The same with what the system said.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ImageError {
        self.source = Some(source.into());
        self
    }
}

/// A place that images can be opened from.
pub trait ImageSource {
    /// Opens the image that `reference` (without prefix) names.
    ///
    /// `platform` chooses from a multi-platform index; `None` means the host's, or the
    /// only one there is.
    ///
    /// # Errors
    ///
    /// When there is no such image, or its manifest or configuration can't be read. A
    /// single unreadable layer is no error here.
    fn open(
        &self,
        reference: &str,
        platform: Option<&Platform>,
        ctx: &WalkContext,
    ) -> Result<Image, ImageError>;
}
