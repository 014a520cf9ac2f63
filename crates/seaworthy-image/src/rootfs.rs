//! `dir:`, a root filesystem that lies unpacked in a directory.

use std::path::Path;
use std::sync::Arc;

use seaworthy_core::Platform;

use crate::{
    DirectoryLayer, DirectoryMode, Image, ImageConfig, ImageError, ImageSource, SourceKind,
    WalkContext,
};

/// Opens a directory as an image of one layer, without a configuration.
#[derive(Debug, Clone, Copy)]
pub struct RootFsSource;

impl ImageSource for RootFsSource {
    fn open(
        &self,
        reference: &str,
        _: Option<&Platform>,
        _: &WalkContext,
    ) -> Result<Image, ImageError> {
        let path = Path::new(reference);
        let listed = std::fs::read_dir(path);
        if let Err(error) = listed {
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound => "check the path",
                std::io::ErrorKind::NotADirectory => {
                    "for a saved image write `archive:FILE`, for a directory leave out the file"
                }
                _ => "run as a user who may read it, such as root",
            };
            return Err(
                ImageError::new(format!("cannot read the directory `{reference}`"))
                    .caused_by(error)
                    .hint(hint),
            );
        }
        let layer = DirectoryLayer::new(path, DirectoryMode::RootFs, None);
        Ok(Image {
            reference: reference.to_owned(),
            source: SourceKind::Directory,
            names: Vec::new(),
            manifest_digest: None,
            image_id: None,
            platform: None,
            config: ImageConfig::default(),
            layers: vec![Arc::new(layer)],
            problems: Vec::new(),
        })
    }
}
