//! Where a shard's bytes are: mapped from a file, or in memory.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a shard.
#[derive(Debug)]
pub enum ShardBytes {
    /// A file, mapped read-only.
    Mapped(Mmap),
    /// Bytes in memory (the built-in database, tests).
    Owned(Vec<u8>),
}

impl ShardBytes {
    /// Maps a file.
    ///
    /// # Errors
    /// It can't be opened or mapped.
    pub fn map(path: &Path) -> io::Result<ShardBytes> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            // An empty file can't be mapped; it is no shard either way.
            return Ok(ShardBytes::Owned(Vec::new()));
        }
        #[expect(
            unsafe_code,
            reason = "mapping is what makes opening a database of tens of megabytes cost microseconds and share pages between processes"
        )]
        // SAFETY: the map is only ever read. A file that shrinks or changes under a map is
        // what makes this unsafe: database files are written once, into a folder of their
        // own generation, and never changed; an update installs another folder by rename
        // and leaves this one's inodes alone. Whoever can write into the folder can
        // already replace the database. Contents are validated on every use, so changed
        // bytes give wrong data at worst, not broken memory.
        let map = unsafe { Mmap::map(&file)? };
        Ok(ShardBytes::Mapped(map))
    }
}

impl Deref for ShardBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            ShardBytes::Mapped(map) => map,
            ShardBytes::Owned(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for ShardBytes {
    fn from(bytes: Vec<u8>) -> ShardBytes {
        ShardBytes::Owned(bytes)
    }
}
