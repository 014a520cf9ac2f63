use std::io::{self, Read};

use seaworthy_core::{Digest, ImagePath, Problem};

use crate::WalkContext;

/// What an entry of a layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file; the only kind with a body.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, with its target as written: reported, never followed.
    Symlink(Vec<u8>),
    /// Another name for a file of the same layer, by that file's path.
    HardLink(ImagePath),
    /// Deletes this path from the layers below. The path is the deleted one, not the
    /// marker's (`.wh.name`, OCI image-spec layer.md "Whiteouts"; a 0:0 character device
    /// in overlayfs).
    Whiteout,
    /// Hides everything the layers below have in this directory (`.wh..wh..opq`).
    OpaqueDirectory,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket: only in directories, archives have none.
    Socket,
}

/// Owner and mode of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EntryMeta {
    /// Permission bits with setuid, setgid and sticky: the lower 12 bits of the mode.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Bytes of content; 0 for anything but files.
    pub size: u64,
    /// Whether the file carries a `security.capability` attribute.
    pub has_capabilities: bool,
}

/// The content of a regular file during the walk.
pub enum Body<'a> {
    /// The whole content, lying in memory already.
    Slice(&'a [u8]),
    /// The content as a stream of exactly `meta.size` bytes. What the visitor leaves
    /// unread is skipped.
    Reader(&'a mut dyn Read),
}

impl Body<'_> {
    /// The first bytes of the content, at most `cap` of them, through `buffer` where they
    /// do not lie in memory. After it a `Reader` stands behind those bytes.
    pub fn read_up_to<'b>(
        &'b mut self,
        cap: usize,
        buffer: &'b mut Vec<u8>,
    ) -> io::Result<&'b [u8]> {
        match self {
            Body::Slice(bytes) => Ok(&bytes[..bytes.len().min(cap)]),
            Body::Reader(reader) => {
                buffer.clear();
                reader.take(cap as u64).read_to_end(buffer)?;
                Ok(buffer)
            }
        }
    }
}

/// One entry of a layer, valid during the visit.
pub struct Entry<'a> {
    /// Normalised path; an entry whose name leaves the root never gets here.
    pub path: ImagePath,
    /// What it is.
    pub kind: EntryKind,
    /// Owner and mode.
    pub meta: EntryMeta,
    /// The content; empty for anything but files.
    pub body: Body<'a>,
}

/// What the visitor wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The next entry.
    Continue,
    /// Nothing more of this layer.
    Stop,
}

/// Why a layer could not be walked at all. What breaks in its middle is a [`Problem`] in
/// the [`WalkOutcome`] instead.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The user asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The layer's bytes could not be opened.
    #[error("cannot open layer {layer}")]
    Open {
        /// Digest or file name of the layer.
        layer: String,
        /// What the system or the server said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The visitor failed.
    #[error("cannot examine layer {layer}")]
    Visit {
        /// Digest or file name of the layer.
        layer: String,
        /// What the visitor said.
        #[source]
        source: io::Error,
    },
}

/// How a walk ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WalkOutcome {
    /// Everything that was wrong on the way, without layer numbers.
    pub problems: Vec<Problem>,
    /// Whether the walk reached the end of the layer. A visitor's [`Flow::Stop`] makes
    /// it false.
    pub complete: bool,
    /// Entries visited.
    pub entries: u64,
    /// Uncompressed bytes that passed.
    pub bytes: u64,
    /// Digest of the uncompressed bytes, where the walk read all of them and made one.
    /// A difference to [`Layer::diff_id`] is already among the problems.
    pub diff_id: Option<Digest>,
}

/// One layer of an image.
pub trait Layer: Send + Sync {
    /// The digest of the uncompressed layer, as the image configuration promises it;
    /// `None` for a directory or a container's writable layer.
    fn diff_id(&self) -> Option<&Digest>;

    /// Whether the diff ID holds although the walk does not compare it with the bytes,
    /// because the layer lies where an engine keeps what it has verified. Without that, or
    /// [`WalkOutcome::diff_id`], nothing learned may be kept under the diff ID: any image
    /// can claim another's.
    fn vouches_for_diff_id(&self) -> bool {
        false
    }

    /// Bytes to read, compressed or not, where that is known: for progress and for
    /// starting the longest first.
    fn size_hint(&self) -> Option<u64>;

    /// Walks the layer once, in its own order, giving every entry to `visit`.
    ///
    /// # Errors
    ///
    /// When the layer can't be opened, the user cancels or `visit` fails. A layer that
    /// breaks in its middle gives `Ok` with the problem and `complete: false`.
    fn walk(
        &self,
        ctx: &WalkContext,
        visit: &mut dyn FnMut(Entry<'_>) -> io::Result<Flow>,
    ) -> Result<WalkOutcome, LayerError>;
}
