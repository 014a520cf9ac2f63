use std::path::PathBuf;

use seaworthy_core::{Problem, ProblemKind};
use seaworthy_scan::EvidenceCache;

/// Bytes the evidence cache may hold before the oldest entries go: some thousands of
/// layers, since the evidence of a big one is a few hundred kilobytes.
pub const DEFAULT_CACHE_BYTES: u64 = 1 << 30;

/// Whether layer evidence is kept for the next scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheChoice {
    /// Nothing is kept and nothing known is used.
    Off,
    /// In this folder, up to so many bytes.
    Folder {
        /// The folder; made when missing.
        path: PathBuf,
        /// Bound on its size in bytes.
        max_bytes: u64,
    },
}

/// Opens the cache. A cache that can't be opened costs time and not the result: it is a
/// notice in the report.
pub fn open_cache(choice: &CacheChoice) -> (Option<EvidenceCache>, Option<Problem>) {
    let CacheChoice::Folder { path, max_bytes } = choice else {
        return (None, None);
    };
    match EvidenceCache::open(path, *max_bytes) {
        Ok(cache) => (Some(cache), None),
        Err(error) => (
            None,
            Some(Problem::new(
                ProblemKind::Notice,
                format!("the cache at `{}` is not used: {error}", path.display()),
            )),
        ),
    }
}
