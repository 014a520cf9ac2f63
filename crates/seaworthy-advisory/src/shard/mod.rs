//! The files of the advisory database: ours, read-only, memory-mapped.
//!
//! A database is a folder of shards, one per distribution release or language ecosystem,
//! so that a scan touches only the few it needs; texts and decorations (scores, EPSS,
//! KEV) are shards of their own, because they are big or change daily. The same input
//! gives the same bytes: everything is sorted and no clock is read.
//!
//! ```text
//! file      := header section-table section*        little-endian, no padding
//! header    := magic(8) version(u32) kind(u8) scheme(u8) sections(u16)
//!              length(u64) created(i64, Unix seconds) hash(u64)
//! table     := { id(u32) length(u64) hash(u64) } per section, in file order
//! hash      := xxh3 of the header before it and the table; of the section's bytes
//! ```
//!
//! Readers trust nothing: the header's hash and all lengths are checked when a file is
//! opened, section hashes before their bytes are used (texts: block by block), and every
//! offset inside a section at each use. A damaged file is an error, never a wrong answer.
//! The hashes find accidents; that a file is the publisher's is the manifest's signature.

mod advisories;
mod bytes;
mod codec;
mod container;
mod decorations;
mod pool;
mod text;
mod writer;

pub use advisories::{AdvisoryShard, AdvisoryView, PackageRow, RangeSet};
pub use bytes::ShardBytes;
#[doc(hidden)]
pub use container::rehash;
pub use container::{FORMAT_VERSION, ShardError, ShardKind};
pub use decorations::{
    CvssShard, CvssWriter, EpssRow, EpssShard, KevRow, KevShard, write_epss, write_kev,
};
pub use text::{TextCache, TextRecord, TextShard, TextWriter};
pub use writer::AdvisoryShardWriter;

#[cfg(test)]
mod damage_tests;
