//! The evidence of known layers, on disk.
//!
//! A directory with one file per layer and analyzer set, named
//! `sha256-HEX.REVISIONS.evidence`:
//!
//! ```text
//! 0   8  magic `SWEVID` and format version, u16 little-endian
//! 8   8  analyzer revisions, u64 little-endian ([`AnalyzerSet::revision_key`])
//! 16  8  length of the evidence before compression, u64 little-endian
//! 24  8  XXH3-64 of what follows, with the first 24 bytes as its front
//! 32     the evidence: postcard, compressed with zstd
//! ```
//!
//! Any number of processes may read, write, evict and clear at once, and any of them may
//! be killed at any time: an entry is written under a name of its own and renamed when it
//! is whole, and readers believe nothing whose checksum, revisions or diff ID is not what
//! they asked for. Two writers of one entry write the same bytes, so the order does not
//! matter. Entries are not flushed to the disk before the rename: after a power cut the
//! checksum turns a torn entry into a miss, which costs one scan, where a flush would cost
//! every layer some milliseconds.
//!
//! Why no database: redb takes an exclusive lock, so that a second scan would wait or go
//! without; LMDB needs a fixed map size and trusts the bytes of its file, which makes a
//! damaged one undefined behaviour; SQLite brings a C library and its locks for what is a
//! map from a name to bytes.
//!
//! The checksum guards against accidents, not against someone who can write here: the
//! directory must belong to the user and be closed to others.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use seaworthy_core::{Digest, LayerEvidence, ProblemKind};
use xxhash_rust::xxh3::Xxh3;

use crate::AnalyzerSet;

const MAGIC: &[u8; 6] = b"SWEVID";
const FORMAT: u16 = 1;
const HEADER: usize = 32;
/// Evidence of one layer before compression; a layer with more is scanned each time.
const MAX_EVIDENCE: u64 = 512 << 20;
/// Fast, and evidence is mostly names that repeat.
const ZSTD_LEVEL: i32 = 1;
/// Old enough that whoever wrote a temporary file is dead.
const STALE_TEMPORARY: Duration = Duration::from_secs(3600);
/// A hit moves an entry to the front of the queue at most this often.
const TOUCH_AFTER: Duration = Duration::from_secs(60);
const ENTRY_SUFFIX: &str = ".evidence";
const TEMPORARY_SUFFIX: &str = ".evidence-tmp";

/// A cache of layer evidence in a directory.
#[derive(Debug)]
pub struct EvidenceCache {
    dir: PathBuf,
    max_bytes: u64,
    /// What the directory is thought to hold: exact when opened, then with what this
    /// handle wrote. Others write too, so eviction counts anew.
    bytes: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    damaged: AtomicU64,
    temporaries: AtomicU64,
}

/// What a cache holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheStatus {
    /// Where it is.
    pub dir: PathBuf,
    /// Layers in it; one counts once for each analyzer set that scanned it.
    pub entries: u64,
    /// Bytes of those entries.
    pub bytes: u64,
    /// Bytes it may grow to.
    pub max_bytes: u64,
    /// Look-ups of this handle that found something.
    pub hits: u64,
    /// Look-ups of this handle that found nothing.
    pub misses: u64,
    /// Damaged entries this handle met and removed.
    pub damaged: u64,
    /// Files in the directory that are not the cache's; they are left alone.
    pub foreign: u64,
}

/// Why the cache could not be used. The scan goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory could not be made, read or written.
    #[error("cannot {action} the evidence cache `{}`: {source}", dir.display())]
    Io {
        /// What was tried: open, write to, clear.
        action: &'static str,
        /// The cache's directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Someone else could put false evidence there.
    #[error(
        "the evidence cache `{}` is owned or writable by others\n  hint: remove it, or choose another directory",
        dir.display()
    )]
    Unsafe {
        /// The cache's directory.
        dir: PathBuf,
    },
    /// The evidence could not be put into bytes.
    #[error("cannot encode evidence for the cache: {0}")]
    Encode(#[source] postcard::Error),
}

impl EvidenceCache {
    /// Opens the cache in `dir`, which is made (for this user alone) where it is missing.
    /// It may grow to `max_bytes`.
    ///
    /// # Errors
    ///
    /// When the directory can't be made or read, or others may write to it.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<EvidenceCache, CacheError> {
        let cache = EvidenceCache {
            dir: dir.to_owned(),
            max_bytes,
            bytes: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            temporaries: AtomicU64::new(0),
        };
        let open_error = |source| cache.io_error("open", source);
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(open_error)?;
        let meta = fs::metadata(dir).map_err(open_error)?;
        if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
            return Err(CacheError::Unsafe {
                dir: dir.to_owned(),
            });
        }
        let listing = cache.list().map_err(open_error)?;
        for stale in &listing.stale {
            let _ = fs::remove_file(stale);
        }
        cache.bytes.store(listing.bytes(), Ordering::Relaxed);
        Ok(cache)
    }

    /// The evidence of a layer, if it is there and whole. A damaged entry is removed and
    /// counted.
    pub fn get(&self, diff_id: &Digest, analyzers: &AnalyzerSet) -> Option<LayerEvidence> {
        let key = analyzers.revision_key();
        let path = self.entry_path(diff_id, key);
        let evidence = match read_entry(&path, diff_id, key) {
            Ok(evidence) => Some(evidence),
            Err(Miss::Absent) => None,
            Err(Miss::Damaged) => {
                let _ = fs::remove_file(&path);
                self.damaged.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        let counter = if evidence.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        counter.fetch_add(1, Ordering::Relaxed);
        evidence
    }

    /// Keeps the evidence of a layer. Incomplete evidence, evidence without diff ID, of
    /// bytes that do not have the digest they should, or with a file that could not be
    /// read this time is not kept, which is no error. That the diff ID is the right one is
    /// the caller's to know: [`crate::scan_image`] puts nothing whose diff ID was neither
    /// compared with the bytes nor vouched for by the layer.
    ///
    /// # Errors
    ///
    /// When it can't be written, for instance to a full disk. The cache is as before then.
    pub fn put(&self, evidence: &LayerEvidence, analyzers: &AnalyzerSet) -> Result<(), CacheError> {
        let Some(diff_id) = evidence.diff_id.as_ref().filter(|_| is_lasting(evidence)) else {
            return Ok(());
        };
        let key = analyzers.revision_key();
        let Some(bytes) = encode(evidence, key)? else {
            return Ok(());
        };
        let size = bytes.len() as u64;
        if size > self.max_bytes {
            return Ok(());
        }
        let temporary = self.temporary_path();
        let written = write_new(&temporary, &bytes)
            .and_then(|()| fs::rename(&temporary, self.entry_path(diff_id, key)));
        if let Err(source) = written {
            let _ = fs::remove_file(&temporary);
            return Err(self.io_error("write to", source));
        }
        let before = self.bytes.fetch_add(size, Ordering::Relaxed);
        if before.saturating_add(size) > self.max_bytes {
            self.evict()
                .map_err(|source| self.io_error("shrink", source))?;
        }
        Ok(())
    }

    /// What it holds now.
    ///
    /// # Errors
    ///
    /// When the directory can't be read.
    pub fn status(&self) -> Result<CacheStatus, CacheError> {
        let listing = self
            .list()
            .map_err(|source| self.io_error("read", source))?;
        Ok(CacheStatus {
            dir: self.dir.clone(),
            entries: listing.entries.len() as u64,
            bytes: listing.bytes(),
            max_bytes: self.max_bytes,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            damaged: self.damaged.load(Ordering::Relaxed),
            foreign: listing.foreign,
        })
    }

    /// Removes every entry and every temporary file; files that are not the cache's stay.
    /// Gives the number of entries.
    ///
    /// # Errors
    ///
    /// When the directory can't be read or an entry not removed.
    pub fn clear(&self) -> Result<u64, CacheError> {
        let clear_error = |source| self.io_error("clear", source);
        let listing = self.list().map_err(clear_error)?;
        let mut removed = 0;
        for entry in &listing.entries {
            removed += u64::from(remove(&entry.path).map_err(clear_error)?);
        }
        for path in listing.stale.iter().chain(&listing.fresh_temporaries) {
            remove(path).map_err(clear_error)?;
        }
        self.bytes.store(0, Ordering::Relaxed);
        Ok(removed)
    }

    /// Removes the entries that were used longest ago until nine tenths are left.
    fn evict(&self) -> io::Result<()> {
        let mut listing = self.list()?;
        let mut bytes = listing.bytes();
        if bytes > self.max_bytes {
            let goal = self.max_bytes / 10 * 9;
            listing.entries.sort_unstable_by_key(|entry| entry.used);
            for entry in &listing.entries {
                if bytes <= goal {
                    break;
                }
                remove(&entry.path)?;
                bytes = bytes.saturating_sub(entry.bytes);
            }
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn list(&self) -> io::Result<Listing> {
        let mut listing = Listing::default();
        let now = SystemTime::now();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let kind = FileKind::of(&name);
            // An entry that another process removed meanwhile is simply not there.
            let Some(meta) = entry.metadata().ok().filter(fs::Metadata::is_file) else {
                listing.foreign += 1;
                continue;
            };
            let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            match kind {
                FileKind::Entry => listing.entries.push(Listed {
                    path: entry.path(),
                    bytes: meta.len(),
                    used,
                }),
                FileKind::Temporary => {
                    let age = now.duration_since(used).unwrap_or_default();
                    let list = if age > STALE_TEMPORARY {
                        &mut listing.stale
                    } else {
                        &mut listing.fresh_temporaries
                    };
                    list.push(entry.path());
                }
                FileKind::Foreign => listing.foreign += 1,
            }
        }
        Ok(listing)
    }

    fn entry_path(&self, diff_id: &Digest, key: u64) -> PathBuf {
        let (algorithm, hex) = (diff_id.algorithm_name(), diff_id.hex());
        self.dir
            .join(format!("{algorithm}-{hex}.{key:016x}{ENTRY_SUFFIX}"))
    }

    /// A name no other living process or thread uses: process ids are unique on a host,
    /// and the time keeps containers that share the directory apart.
    fn temporary_path(&self) -> PathBuf {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let nanos = time.unwrap_or_default().as_nanos();
        let process = std::process::id();
        self.dir
            .join(format!("{process}-{nanos}-{number}{TEMPORARY_SUFFIX}"))
    }

    fn io_error(&self, action: &'static str, source: io::Error) -> CacheError {
        CacheError::Io {
            action,
            dir: self.dir.clone(),
            source,
        }
    }
}

/// Why a look-up gave nothing.
#[derive(Debug, PartialEq, Eq)]
enum Miss {
    Absent,
    Damaged,
}

#[derive(Default)]
struct Listing {
    entries: Vec<Listed>,
    stale: Vec<PathBuf>,
    fresh_temporaries: Vec<PathBuf>,
    foreign: u64,
}

struct Listed {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl Listing {
    fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
}

enum FileKind {
    Entry,
    Temporary,
    Foreign,
}

impl FileKind {
    fn of(name: &OsStr) -> FileKind {
        let Some(name) = name.to_str() else {
            return FileKind::Foreign;
        };
        if name.ends_with(TEMPORARY_SUFFIX) {
            return FileKind::Temporary;
        }
        let digest = name
            .strip_suffix(ENTRY_SUFFIX)
            .and_then(|name| name.rsplit_once('.'))
            .and_then(|(digest, _)| digest.replacen('-', ":", 1).parse::<Digest>().ok());
        if digest.is_some() {
            FileKind::Entry
        } else {
            FileKind::Foreign
        }
    }
}

/// Whether a new scan of the same bytes would say the same.
fn is_lasting(evidence: &LayerEvidence) -> bool {
    let fleeting = [ProblemKind::Unreadable, ProblemKind::DigestMismatch];
    evidence.complete
        && !evidence
            .problems
            .iter()
            .any(|problem| fleeting.contains(&problem.kind))
}

/// The bytes of an entry; `None` when there is too much evidence.
fn encode(evidence: &LayerEvidence, key: u64) -> Result<Option<Vec<u8>>, CacheError> {
    let plain = postcard::to_stdvec(evidence).map_err(CacheError::Encode)?;
    if plain.len() as u64 > MAX_EVIDENCE {
        return Ok(None);
    }
    let Ok(packed) = zstd::bulk::compress(&plain, ZSTD_LEVEL) else {
        return Ok(None);
    };
    let mut bytes = Vec::with_capacity(HEADER + packed.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&key.to_le_bytes());
    bytes.extend_from_slice(&(plain.len() as u64).to_le_bytes());
    let checksum = checksum(&bytes, &packed);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(&packed);
    Ok(Some(bytes))
}

/// Reads the bytes of an entry, whoever wrote them: the evidence, if they are whole and
/// belong to this layer and these analyzer revisions.
pub fn decode(bytes: &[u8], diff_id: &Digest, key: u64) -> Option<LayerEvidence> {
    let (front, rest) = bytes.split_at_checked(24)?;
    let (checksum_bytes, packed) = rest.split_at_checked(8)?;
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
    let plain_len = number(front.get(16..24)?)?;
    if front.get(..6)? != MAGIC
        || front.get(6..8)? != FORMAT.to_le_bytes()
        || number(front.get(8..16)?)? != key
        || plain_len > MAX_EVIDENCE
        || number(checksum_bytes)? != checksum(front, packed)
    {
        return None;
    }
    let plain = zstd::bulk::decompress(packed, usize::try_from(plain_len).ok()?).ok()?;
    if plain.len() as u64 != plain_len {
        return None;
    }
    let (evidence, left) = postcard::take_from_bytes::<LayerEvidence>(&plain).ok()?;
    let fits = left.is_empty() && evidence.complete && evidence.diff_id.as_ref() == Some(diff_id);
    fits.then_some(evidence)
}

fn checksum(front: &[u8], packed: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(front);
    hasher.update(packed);
    hasher.digest()
}

fn read_entry(path: &Path, diff_id: &Digest, key: u64) -> Result<LayerEvidence, Miss> {
    // Never through a link, and never waiting for a pipe that lies in a file's place.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Miss::Absent),
        Err(_) => return Err(Miss::Damaged),
    };
    let meta = file.metadata().map_err(|_| Miss::Damaged)?;
    let limit = MAX_EVIDENCE + HEADER as u64;
    if !meta.is_file() || meta.len() > limit {
        return Err(Miss::Damaged);
    }
    let mut bytes = Vec::new();
    (&file)
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|_| Miss::Damaged)?;
    let evidence = decode(&bytes, diff_id, key).ok_or(Miss::Damaged)?;
    touch(&file, &meta);
    Ok(evidence)
}

/// Marks an entry as used. A cache that can't be written to is still a good one to read.
fn touch(file: &File, meta: &fs::Metadata) {
    let now = SystemTime::now();
    let used = meta.modified().unwrap_or(now);
    if now.duration_since(used).is_ok_and(|age| age > TOUCH_AFTER) {
        let _ = file.set_modified(now);
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

/// Whether it was there. Another process may have been faster.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::Problem;
    use tempfile::TempDir;

    use super::*;
    use crate::{MemoryLayer, scan_layer};

    fn digest(number: u8) -> Digest {
        Digest::from_sha256([number; 32])
    }

    fn evidence(number: u8, analyzers: &AnalyzerSet) -> LayerEvidence {
        let status: String = (0..200)
            .map(|i| format!("Package: p{i}-{number}\nVersion: {i}.{number}\n\n"))
            .collect();
        let layer = MemoryLayer::new()
            .with_diff_id(digest(number))
            .file("var/lib/dpkg/status", status);
        scan_layer(&layer, analyzers, &Default::default()).expect("a memory layer opens")
    }

    fn fixture() -> (TempDir, EvidenceCache, AnalyzerSet) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let cache = EvidenceCache::open(&dir.path().join("cache"), 1 << 20).expect("opens");
        (dir, cache, AnalyzerSet::builtin())
    }

    #[test]
    fn a_hit_is_what_was_put() {
        let (_dir, cache, analyzers) = fixture();
        let evidence = evidence(1, &analyzers);
        assert_eq!(cache.get(&digest(1), &analyzers), None);
        cache.put(&evidence, &analyzers).expect("written");
        assert_eq!(cache.get(&digest(1), &analyzers), Some(evidence));
        let status = cache.status().expect("status");
        assert_eq!((status.entries, status.hits, status.misses), (1, 1, 1));
        assert!(status.bytes > HEADER as u64);
    }

    #[test]
    fn other_analyzers_do_not_see_it() {
        let (_dir, cache, analyzers) = fixture();
        cache
            .put(&evidence(1, &analyzers), &analyzers)
            .expect("written");
        let fewer = AnalyzerSet::new(&crate::catalogers::ANALYZERS[..1]);
        assert_eq!(cache.get(&digest(1), &fewer), None);
    }

    #[test]
    fn evidence_that_a_new_scan_might_change_is_not_kept() {
        let (_dir, cache, analyzers) = fixture();
        let good = evidence(1, &analyzers);
        let mut incomplete = good.clone();
        incomplete.complete = false;
        let mut nameless = good.clone();
        nameless.diff_id = None;
        let mut unreadable = good.clone();
        unreadable
            .problems
            .push(Problem::new(ProblemKind::Unreadable, "x"));
        let mut lying = good;
        lying
            .problems
            .push(Problem::new(ProblemKind::DigestMismatch, "x"));
        for evidence in [incomplete, nameless, unreadable, lying] {
            cache.put(&evidence, &analyzers).expect("no error");
        }
        assert_eq!(cache.status().expect("status").entries, 0);
    }

    #[test]
    fn every_damaged_byte_and_every_cut_is_a_miss_and_is_cleared_away() {
        let (_dir, cache, analyzers) = fixture();
        cache
            .put(&evidence(1, &analyzers), &analyzers)
            .expect("written");
        let path = cache.entry_path(&digest(1), analyzers.revision_key());
        let whole = fs::read(&path).expect("readable");
        let mut damaged = 0;
        for place in (0..whole.len()).step_by(7) {
            let mut flipped = whole.clone();
            flipped[place] ^= 0x40;
            for bytes in [&flipped[..], &whole[..place]] {
                fs::write(&path, bytes).expect("written");
                assert_eq!(cache.get(&digest(1), &analyzers), None, "at {place}");
                assert!(!path.exists());
                damaged += 1;
            }
        }
        assert_eq!(cache.status().expect("status").damaged, damaged);
    }

    #[test]
    fn an_entry_under_another_layers_name_is_a_miss() {
        let (_dir, cache, analyzers) = fixture();
        cache
            .put(&evidence(1, &analyzers), &analyzers)
            .expect("written");
        let key = analyzers.revision_key();
        fs::rename(
            cache.entry_path(&digest(1), key),
            cache.entry_path(&digest(2), key),
        )
        .expect("renamed");
        assert_eq!(cache.get(&digest(2), &analyzers), None);
    }

    #[test]
    fn an_entry_that_claims_to_be_huge_is_refused_before_memory_is_taken() {
        let packed = zstd::bulk::compress(&vec![0; 8 << 20], 1).expect("compressed");
        for claimed in [8_u64 << 20, u64::MAX, 16] {
            let mut bytes = Vec::new();
            bytes.extend_from_slice(MAGIC);
            bytes.extend_from_slice(&FORMAT.to_le_bytes());
            bytes.extend_from_slice(&7_u64.to_le_bytes());
            bytes.extend_from_slice(&claimed.to_le_bytes());
            let sum = checksum(&bytes, &packed);
            bytes.extend_from_slice(&sum.to_le_bytes());
            bytes.extend_from_slice(&packed);
            assert_eq!(decode(&bytes, &digest(1), 7), None);
        }
    }

    #[test]
    fn a_full_cache_drops_what_was_used_longest_ago() {
        let (dir, cache, analyzers) = fixture();
        cache
            .put(&evidence(0, &analyzers), &analyzers)
            .expect("written");
        let entry = cache.status().expect("status").bytes;
        let small = EvidenceCache::open(&dir.path().join("cache"), entry * 5).expect("opens");
        let now = SystemTime::now();
        for number in 1..20_u8 {
            small
                .put(&evidence(number, &analyzers), &analyzers)
                .expect("written");
            let path = small.entry_path(&digest(number), analyzers.revision_key());
            let used = now - Duration::from_secs(10_000 - u64::from(number));
            File::options()
                .write(true)
                .open(path)
                .and_then(|f| f.set_modified(used))
                .expect("touched");
            // The first is used all the time, so it is never the oldest.
            assert!(
                small.get(&digest(0), &analyzers).is_some(),
                "after {number}"
            );
        }
        let status = small.status().expect("status");
        assert!(status.bytes <= entry * 5, "{status:?}");
        assert!(status.entries >= 3);
        assert!(small.get(&digest(19), &analyzers).is_some());
        assert!(small.get(&digest(1), &analyzers).is_none());
    }

    #[test]
    fn foreign_files_are_counted_and_left_alone_even_by_clear() {
        let (dir, cache, analyzers) = fixture();
        cache
            .put(&evidence(1, &analyzers), &analyzers)
            .expect("written");
        let precious = dir.path().join("cache/thesis.txt");
        fs::write(&precious, "years of work").expect("written");
        fs::write(dir.path().join("cache/1-2-3.evidence-tmp"), "half").expect("written");
        assert_eq!(cache.status().expect("status").foreign, 1);
        assert_eq!(cache.clear().expect("cleared"), 1);
        assert!(precious.exists());
        assert_eq!(
            fs::read_dir(dir.path().join("cache"))
                .expect("readable")
                .count(),
            1
        );
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("set");
        let error = EvidenceCache::open(dir.path(), 1).expect_err("refused");
        assert!(matches!(error, CacheError::Unsafe { .. }));
    }

    #[test]
    fn files_are_for_their_owner_alone() {
        let (dir, cache, analyzers) = fixture();
        cache
            .put(&evidence(1, &analyzers), &analyzers)
            .expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!(mode(&dir.path().join("cache")), 0o700);
        assert_eq!(
            mode(&cache.entry_path(&digest(1), analyzers.revision_key())),
            0o600
        );
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error_and_leaves_nothing() {
        let (dir, cache, analyzers) = fixture();
        fs::remove_dir_all(dir.path().join("cache")).expect("removed");
        let error = cache
            .put(&evidence(1, &analyzers), &analyzers)
            .expect_err("no directory");
        assert!(
            error
                .to_string()
                .starts_with("cannot write to the evidence cache"),
            "{error}"
        );
    }
}
