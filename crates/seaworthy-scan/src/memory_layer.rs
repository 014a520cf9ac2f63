//! A layer made of entries in memory: for tests and demonstrations, without an archive.

use std::io;
use std::sync::atomic::Ordering;

use seaworthy_core::{Digest, ImagePath};
use seaworthy_image::{
    Body, Entry, EntryKind, EntryMeta, Flow, Layer, LayerError, WalkContext, WalkOutcome,
};

/// A layer made of entries in memory, walked in the order they were added.
#[derive(Debug, Clone, Default)]
pub struct MemoryLayer {
    diff_id: Option<Digest>,
    entries: Vec<(ImagePath, EntryKind, Vec<u8>, u32)>,
    streamed: bool,
}

impl MemoryLayer {
    /// A layer without entries and without a diff ID.
    pub fn new() -> MemoryLayer {
        MemoryLayer::default()
    }

    /// Gives it a diff ID. That it is the right one is up to the caller.
    #[must_use]
    pub fn with_diff_id(mut self, diff_id: Digest) -> MemoryLayer {
        self.diff_id = Some(diff_id);
        self
    }

    /// Gives file contents as [`Body::Reader`] instead of [`Body::Slice`].
    #[must_use]
    pub fn streamed(mut self) -> MemoryLayer {
        self.streamed = true;
        self
    }

    /// Adds a regular file.
    #[must_use]
    pub fn file(self, path: &str, content: impl Into<Vec<u8>>) -> MemoryLayer {
        self.entry(path, EntryKind::File, content)
    }

    /// Adds a regular file with these permission bits; others have 0644.
    #[must_use]
    pub fn file_with_mode(
        mut self,
        path: &str,
        mode: u32,
        content: impl Into<Vec<u8>>,
    ) -> MemoryLayer {
        self.entries
            .push((ImagePath::new(path), EntryKind::File, content.into(), mode));
        self
    }

    /// Adds a directory.
    #[must_use]
    pub fn directory(self, path: &str) -> MemoryLayer {
        self.entry(path, EntryKind::Directory, Vec::new())
    }

    /// Adds another name for an earlier file.
    #[must_use]
    pub fn hard_link(self, path: &str, target: &str) -> MemoryLayer {
        self.entry(
            path,
            EntryKind::HardLink(ImagePath::new(target)),
            Vec::new(),
        )
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> MemoryLayer {
        self.entry(path, EntryKind::Symlink(target.into()), Vec::new())
    }

    /// Deletes a path of the layers below.
    #[must_use]
    pub fn whiteout(self, path: &str) -> MemoryLayer {
        self.entry(path, EntryKind::Whiteout, Vec::new())
    }

    /// Hides what the layers below have in a directory.
    #[must_use]
    pub fn opaque(self, path: &str) -> MemoryLayer {
        self.entry(path, EntryKind::OpaqueDirectory, Vec::new())
    }

    /// Adds an entry of any kind; only files show their content.
    #[must_use]
    pub fn entry(
        mut self,
        path: &str,
        kind: EntryKind,
        content: impl Into<Vec<u8>>,
    ) -> MemoryLayer {
        self.entries
            .push((ImagePath::new(path), kind, content.into(), 0o644));
        self
    }

    /// The paths of its regular files, in order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let files = self
            .entries
            .iter()
            .filter(|(_, kind, ..)| *kind == EntryKind::File);
        files.map(|(path, ..)| path.as_str())
    }
}

impl Layer for MemoryLayer {
    fn diff_id(&self) -> Option<&Digest> {
        self.diff_id.as_ref()
    }

    fn vouches_for_diff_id(&self) -> bool {
        true
    }

    fn size_hint(&self) -> Option<u64> {
        Some(
            self.entries
                .iter()
                .map(|(_, _, content, _)| content.len() as u64)
                .sum(),
        )
    }

    fn walk(
        &self,
        ctx: &WalkContext,
        visit: &mut dyn FnMut(Entry<'_>) -> io::Result<Flow>,
    ) -> Result<WalkOutcome, LayerError> {
        let mut outcome = WalkOutcome::default();
        for (path, kind, content, mode) in &self.entries {
            if ctx.cancel.is_cancelled() {
                return Err(LayerError::Cancelled);
            }
            let content: &[u8] = if *kind == EntryKind::File {
                content
            } else {
                &[]
            };
            let mut reader = content;
            outcome.entries += 1;
            outcome.bytes += content.len() as u64;
            ctx.bytes_seen
                .fetch_add(content.len() as u64, Ordering::Relaxed);
            let flow = visit(Entry {
                path: path.clone(),
                kind: kind.clone(),
                meta: EntryMeta {
                    mode: *mode,
                    size: content.len() as u64,
                    ..EntryMeta::default()
                },
                body: if self.streamed {
                    Body::Reader(&mut reader)
                } else {
                    Body::Slice(content)
                },
            })
            .map_err(|source| LayerError::Visit {
                layer: "in memory".to_owned(),
                source,
            })?;
            if flow == Flow::Stop {
                return Ok(outcome);
            }
        }
        outcome.complete = true;
        Ok(outcome)
    }
}
