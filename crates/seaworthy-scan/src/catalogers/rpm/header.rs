//! The header blob that every rpm database back end stores for a package.
//!
//! Followed: rpm's `lib/header.c` and `docs/manual/format_header.md`. All numbers are
//! big-endian:
//!
//! ```text
//! u32 il                 number of entries
//! u32 dl                 bytes of data
//! il × { u32 tag, u32 type, i32 offset, u32 count }
//! dl bytes of data
//! ```
//!
//! A current header starts with a region tag (61, 62 or 63) whose data is a 16-byte
//! trailer; entries behind the region are "dribbles" that were added at installation and
//! override entries of the same tag. Version 3 headers have no region. Reading by tag
//! needs nothing of that but the order: the last entry of a tag wins.
//!
//! Left out: signatures and the immutable region's digest, which say whether the package
//! was genuine when installed and not what is installed.

use seaworthy_core::{ImagePath, OwnedFile, ProblemKind};

use crate::bytes::{Endian, c_string, slice, text};
use crate::catalogers::text::value;
use crate::problems::ProblemList;

const BE: Endian = Endian::Big;
const ENTRY_SIZE: usize = 16;
/// rpm refuses headers with more entries (`hdrchkTags`, lib/header_internal.h).
const MAX_ENTRIES: usize = 0xffff;
/// rpm refuses headers with more data (`hdrchkData`): 256 MiB.
pub(super) const MAX_DATA: usize = 256 << 20;
/// Longest path kept, `PATH_MAX` on Linux.
const MAX_PATH: usize = 4096;

const TAG_NAME: u32 = 1000;
const TAG_VERSION: u32 = 1001;
const TAG_RELEASE: u32 = 1002;
const TAG_EPOCH: u32 = 1003;
const TAG_VENDOR: u32 = 1011;
const TAG_ARCH: u32 = 1022;
const TAG_OLD_FILE_NAMES: u32 = 1027;
const TAG_FILE_MODES: u32 = 1030;
const TAG_FILE_DIGESTS: u32 = 1035;
const TAG_SOURCE_RPM: u32 = 1044;
const TAG_DIR_INDEXES: u32 = 1116;
const TAG_BASE_NAMES: u32 = 1117;
const TAG_DIR_NAMES: u32 = 1118;
const TAG_FILE_DIGEST_ALGO: u32 = 5011;
const TAG_MODULARITY_LABEL: u32 = 5096;

const WANTED: [u32; 15] = [
    TAG_NAME,
    TAG_VERSION,
    TAG_RELEASE,
    TAG_EPOCH,
    TAG_VENDOR,
    TAG_ARCH,
    TAG_OLD_FILE_NAMES,
    TAG_FILE_MODES,
    TAG_FILE_DIGESTS,
    TAG_SOURCE_RPM,
    TAG_DIR_INDEXES,
    TAG_BASE_NAMES,
    TAG_DIR_NAMES,
    TAG_FILE_DIGEST_ALGO,
    TAG_MODULARITY_LABEL,
];

const TYPE_INT16: u32 = 3;
const TYPE_INT32: u32 = 4;
const TYPE_STRING: u32 = 6;
const TYPE_STRING_ARRAY: u32 = 8;
const TYPE_I18N_STRING: u32 = 9;

/// What a header says of its package, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RpmRecord {
    /// Name.
    pub name: String,
    /// Epoch, where the header has one.
    pub epoch: Option<u32>,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture; some `gpg-pubkey` records have none.
    pub arch: Option<String>,
    /// File name of the source rpm.
    pub source_rpm: Option<String>,
    /// Who built it.
    pub vendor: Option<String>,
    /// `name:stream:version:context` of a module's package.
    pub modularity_label: Option<String>,
    /// Its files and links without directories, in the header's order.
    pub files: Vec<OwnedFile>,
}

/// What may still be spent on paths of owned files. Directory names are stored once and
/// multiplied by the number of files, so a small header could ask for any amount.
#[derive(Debug, Clone, Copy)]
pub struct PathBudget {
    /// Bytes of path text left.
    pub bytes: usize,
}

impl Default for PathBudget {
    /// 256 MiB: ten times what the largest distribution image needs.
    fn default() -> PathBudget {
        PathBudget { bytes: 256 << 20 }
    }
}

/// Reads a header blob. `None`, with a problem, where not even name, version and release
/// can be read; a header cut short gives what is left of it, and a problem.
pub fn parse_header(
    blob: &[u8],
    budget: &mut PathBudget,
    problems: &mut ProblemList,
) -> Option<RpmRecord> {
    let header = Header::new(blob, problems)?;
    let (Some(name), Some(version), Some(release)) = (
        header.string(TAG_NAME),
        header.string(TAG_VERSION),
        header.string(TAG_RELEASE),
    ) else {
        problems.push(
            ProblemKind::Malformed,
            "an rpm header has no readable name, version or release",
        );
        return None;
    };
    let mut record = RpmRecord {
        name,
        version,
        release,
        epoch: header.numbers32(TAG_EPOCH).and_then(|mut all| all.next()),
        arch: header.string(TAG_ARCH),
        source_rpm: header
            .string(TAG_SOURCE_RPM)
            .filter(|name| name != "(none)"),
        vendor: header.string(TAG_VENDOR),
        modularity_label: header
            .string(TAG_MODULARITY_LABEL)
            .filter(|label| label != "(none)"),
        files: Vec::new(),
    };
    record.files = header.files(&record.name, budget, problems);
    Some(record)
}

#[derive(Clone, Copy, Default)]
struct TagEntry {
    kind: u32,
    offset: usize,
    count: usize,
}

struct Header<'a> {
    data: &'a [u8],
    /// Beside [`WANTED`], the last entry of that tag.
    entries: [Option<TagEntry>; WANTED.len()],
}

impl<'a> Header<'a> {
    fn new(blob: &'a [u8], problems: &mut ProblemList) -> Option<Header<'a>> {
        let mut malformed = |message: String| problems.push(ProblemKind::Malformed, message);
        let (Some(count), Some(data_len)) = (BE.usize32(blob, 0), BE.usize32(blob, 4)) else {
            malformed(format!("an rpm header has only {} bytes", blob.len()));
            return None;
        };
        if count == 0 || count > MAX_ENTRIES || data_len >= MAX_DATA {
            malformed(format!(
                "an rpm header claims {count} entries and {data_len} bytes of data"
            ));
            return None;
        }
        // Both are small after the check above: no overflow on any platform.
        let data_start = 8 + count * ENTRY_SIZE;
        let Some(index) = blob.get(8..data_start) else {
            malformed(format!(
                "an rpm header of {} bytes is too short for its {count} entries",
                blob.len()
            ));
            return None;
        };
        let rest = blob.get(data_start..).unwrap_or_default();
        let data = rest.get(..data_len).unwrap_or_else(|| {
            malformed(format!(
                "an rpm header has {} bytes of data instead of {data_len}",
                rest.len()
            ));
            rest
        });
        let mut entries = [None; WANTED.len()];
        for entry in index.chunks_exact(ENTRY_SIZE) {
            let (Some(tag), Some(kind), Some(offset), Some(count)) = (
                BE.u32(entry, 0),
                BE.u32(entry, 4),
                BE.usize32(entry, 8),
                BE.usize32(entry, 12),
            ) else {
                continue;
            };
            if let Some(slot) = WANTED.iter().position(|wanted| *wanted == tag)
                && let Some(place) = entries.get_mut(slot)
            {
                *place = Some(TagEntry {
                    kind,
                    offset,
                    count,
                });
            }
        }
        Some(Header { data, entries })
    }

    fn entry(&self, tag: u32) -> Option<TagEntry> {
        let slot = WANTED.iter().position(|wanted| *wanted == tag)?;
        *self.entries.get(slot)?
    }

    /// A string, or the first of several. Empty and unprintable ones count as absent.
    fn string(&self, tag: u32) -> Option<String> {
        let entry = self.entry(tag)?;
        if !matches!(
            entry.kind,
            TYPE_STRING | TYPE_STRING_ARRAY | TYPE_I18N_STRING
        ) {
            return None;
        }
        let text = text(c_string(self.data, entry.offset)?);
        value(&text).map(str::to_owned)
    }

    /// The strings of an array; ends early where the data does.
    fn strings(&self, tag: u32) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        let entry = self.entry(tag)?;
        if !matches!(
            entry.kind,
            TYPE_STRING | TYPE_STRING_ARRAY | TYPE_I18N_STRING
        ) {
            return None;
        }
        let data = self.data;
        let mut at = entry.offset;
        Some((0..entry.count).map_while(move |_| {
            let one = c_string(data, at)?;
            at += one.len() + 1;
            Some(one)
        }))
    }

    fn numbers32(&self, tag: u32) -> Option<impl Iterator<Item = u32> + use<'a>> {
        let entry = self.entry(tag)?;
        let raw = self.array(entry, TYPE_INT32, 4)?;
        Some(raw.chunks_exact(4).filter_map(|raw| BE.u32(raw, 0)))
    }

    fn numbers16(&self, tag: u32) -> Option<impl Iterator<Item = u16> + use<'a>> {
        let entry = self.entry(tag)?;
        let raw = self.array(entry, TYPE_INT16, 2)?;
        Some(raw.chunks_exact(2).filter_map(|raw| BE.u16(raw, 0)))
    }

    fn array(&self, entry: TagEntry, kind: u32, size: usize) -> Option<&'a [u8]> {
        if entry.kind != kind {
            return None;
        }
        slice(self.data, entry.offset, entry.count.checked_mul(size)?)
    }

    fn files(
        &self,
        package: &str,
        budget: &mut PathBudget,
        problems: &mut ProblemList,
    ) -> Vec<OwnedFile> {
        let mut collector = Files {
            modes: self.numbers16(TAG_FILE_MODES).map(Iterator::collect),
            algorithm: digest_algorithm(
                self.numbers32(TAG_FILE_DIGEST_ALGO)
                    .and_then(|mut all| all.next()),
            ),
            files: Vec::new(),
            package,
            budget,
            problems,
        };
        let digests: Vec<&[u8]> = self
            .strings(TAG_FILE_DIGESTS)
            .map(Iterator::collect)
            .unwrap_or_default();
        if let Some(base_names) = self.strings(TAG_BASE_NAMES) {
            let directories: Vec<&[u8]> = self
                .strings(TAG_DIR_NAMES)
                .map(Iterator::collect)
                .unwrap_or_default();
            let indexes: Vec<u32> = self
                .numbers32(TAG_DIR_INDEXES)
                .map(Iterator::collect)
                .unwrap_or_default();
            let mut read = 0;
            for (i, base) in base_names.enumerate() {
                read = i + 1;
                let directory = indexes
                    .get(i)
                    .and_then(|index| directories.get(usize::try_from(*index).ok()?));
                let Some(directory) = directory else {
                    collector.malformed("file without directory");
                    break;
                };
                if !collector.add(i, directory, base, digests.get(i).copied()) {
                    break;
                }
            }
            if self
                .entry(TAG_BASE_NAMES)
                .is_some_and(|entry| read < entry.count)
            {
                collector.malformed("file list cut short");
            }
        } else if let Some(names) = self.strings(TAG_OLD_FILE_NAMES) {
            // Before rpm 4 (1999) paths were stored whole.
            for (i, name) in names.enumerate() {
                if !collector.add(i, b"", name, digests.get(i).copied()) {
                    break;
                }
            }
        }
        collector.files
    }
}

struct Files<'a> {
    modes: Option<Vec<u16>>,
    algorithm: Option<&'static str>,
    files: Vec<OwnedFile>,
    package: &'a str,
    budget: &'a mut PathBudget,
    problems: &'a mut ProblemList,
}

impl Files<'_> {
    /// Adds a file; false where the budget is spent.
    fn add(&mut self, i: usize, directory: &[u8], base: &[u8], digest: Option<&[u8]>) -> bool {
        let mode = self.modes.as_ref().and_then(|modes| modes.get(i));
        if mode.is_some_and(|mode| mode & 0o170_000 == 0o040_000) {
            return true;
        }
        let len = directory.len() + base.len();
        if len > MAX_PATH {
            self.malformed("file path is too long");
            return true;
        }
        let Some(left) = self.budget.bytes.checked_sub(len) else {
            self.problems.push(
                ProblemKind::LimitReached,
                format!(
                    "file lists of packages from `{}` on are too large",
                    self.package
                ),
            );
            return false;
        };
        self.budget.bytes = left;
        let raw = [directory, base].concat();
        let Some(path) = ImagePath::from_bytes(&raw) else {
            self.problems.push(
                ProblemKind::UnsafePath,
                format!(
                    "package `{}` claims a file outside of the root",
                    self.package
                ),
            );
            return true;
        };
        // A link or a special file has an empty digest.
        let digest = digest
            .filter(|hex| !hex.is_empty() && hex.len() <= 128)
            .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        self.files.push(OwnedFile {
            path,
            digest: match (self.algorithm, digest) {
                (Some(algorithm), Some(hex)) => {
                    Some(format!("{algorithm}:{}", text(hex).to_ascii_lowercase()).into())
                }
                _ => None,
            },
        });
        true
    }

    fn malformed(&mut self, what: &str) {
        self.problems.push(
            ProblemKind::Malformed,
            format!("package `{}`: {what}", self.package),
        );
    }
}

/// Hash numbers of RFC 4880 section 9.4, which rpm uses; MD5 where the header names none.
fn digest_algorithm(number: Option<u32>) -> Option<&'static str> {
    match number {
        None | Some(1) => Some("md5"),
        Some(2) => Some("sha1"),
        Some(8) => Some("sha256"),
        Some(9) => Some("sha384"),
        Some(10) => Some("sha512"),
        Some(11) => Some("sha224"),
        Some(_) => None,
    }
}
