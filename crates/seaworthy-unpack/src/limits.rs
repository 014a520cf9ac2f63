//! What bounds an unpacking, and why something was not unpacked.

use std::time::Duration;

/// How much is unpacked of one outermost file before giving up on a part of it.
///
/// Passing a limit is an [`Incomplete::Limit`] that names the place; what was unpacked
/// before it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Containers in one another: 1 opens the outermost file only. A tar or cpio archive in a
    /// compressed file is one with it.
    pub depth: u8,
    /// Unpacked bytes of one member. Of a larger one the beginning is shown.
    pub member_bytes: u64,
    /// Unpacked bytes of all members of one outermost file, and so the bound on memory.
    /// Members that lie in their archive as they are (tar, ar, cpio) take no memory and are
    /// not counted.
    pub total_bytes: u64,
    /// Members of one outermost file, over all depths.
    pub members: u64,
    /// Unpacked bytes per packed byte, of a compressed stream and of an archive with all
    /// that lies in it, judged once `ratio_floor_bytes` are out.
    pub ratio: u32,
    /// Bytes that anything may unpack to before the ratio counts: small files of zeros are
    /// common.
    pub ratio_floor_bytes: u64,
    /// Time for one outermost file, visitor included; `None`: as long as it takes.
    pub time: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth: 8,
            member_bytes: 256 << 20,
            total_bytes: 1 << 30,
            members: 100_000,
            ratio: 250,
            ratio_floor_bytes: 64 << 20,
            time: Some(Duration::from_secs(120)),
        }
    }
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::depth`].
    #[error("nesting depth")]
    Depth,
    /// [`Limits::member_bytes`].
    #[error("bytes of one member")]
    MemberBytes,
    /// [`Limits::total_bytes`].
    #[error("bytes of all members")]
    TotalBytes,
    /// [`Limits::members`].
    #[error("number of members")]
    Members,
    /// [`Limits::ratio`].
    #[error("ratio of unpacked to packed bytes")]
    Ratio,
    /// [`Limits::time`].
    #[error("time")]
    Time,
    /// A decoder would need more memory than it is given (Zstandard's window).
    #[error("memory of a decoder")]
    Memory,
}

/// Why something was not unpacked, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Incomplete {
    /// A limit was reached.
    #[error("limit reached: {0}")]
    Limit(Limit),
    /// It needs a password.
    #[error("encrypted")]
    Encrypted,
    /// It contradicts its format, breaks off, or has another checksum than it says.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// A method that is not decoded here, named.
    #[error("unsupported method: {0}")]
    Unsupported(String),
}

impl Incomplete {
    pub(crate) const TRUNCATED: Incomplete = Incomplete::Damaged("data breaks off");

    pub(crate) fn unsupported(method: impl Into<String>) -> Incomplete {
        Incomplete::Unsupported(method.into())
    }
}
