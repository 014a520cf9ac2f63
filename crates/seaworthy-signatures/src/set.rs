//! The compiled set of signatures and scanning with it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::build::{BuildError, BuildReport, Builder};
use crate::clamav::cdb::{self, MemberSignature};
use crate::clamav::hash::Algorithm;
use crate::clamav::ldb::Sub;
use crate::compiled::{OpenError, Sections};
use crate::file_type::{FileType, MAX_NORMALISED, normalise_text};
use crate::hash_store::{HashTable, table_number, unpack_name};
use crate::html;
use crate::matching::body::View;
use crate::matching::evaluate::{self, Record};
use crate::matching::prefilter::{Anchor, Prefilter};
use crate::matching::regular::{self, Compiled};
use crate::program::Program;

pub(crate) const SECTION_RECORD_ENDS: usize = 0;
pub(crate) const SECTION_RECORDS: usize = 1;
pub(crate) const SECTION_ANCHORS: usize = 2;
pub(crate) const SECTION_LITERALS: usize = 3;
pub(crate) const SECTION_ALWAYS: usize = 4;
pub(crate) const SECTION_NAMES: usize = 5;
/// The first of nine tables: three uses of three algorithms.
pub(crate) const SECTION_HASHES: usize = 6;
pub(crate) const SECTION_MEMBERS: usize = SECTION_HASHES + 9;
pub(crate) const SECTIONS: usize = SECTION_MEMBERS + 1;

const ANCHOR_LEN: usize = 24;
/// Most patterns that are kept unpacked.
const MAX_KEPT: usize = 8192;
/// Target numbers are below this.
const TARGETS: usize = 16;
/// Bytes from which digests of a file are not computed for sections, to bound the work.
const MAX_SECTION_BYTES: u64 = 256 << 20;

/// What digests are looked up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    File = 0,
    Section = 1,
    Allowed = 2,
}

/// What the caller knows of the bytes.
#[derive(Debug, Clone, Default)]
pub struct Context<'c> {
    /// Their type, if the caller knows better than their first bytes.
    pub file_type: Option<FileType>,
    /// The type of the archive they come from, as `CL_TYPE_ZIP`.
    pub container: Option<&'c str>,
    /// The types of all archives around, the nearest first; if empty, `container` alone.
    pub chain: &'c [&'c str],
    /// What the archive says of its member.
    pub member: Option<Member<'c>>,
    /// Digests that were made on the way.
    pub digests: Digests,
    /// Whether to look only where the reference scanner looks: it sees web pages normalised,
    /// not as they are and not as text, and so no web shell that has some markup around its
    /// code. Off unless answers are to be compared.
    pub as_reference: bool,
}

/// A member of an archive as the archive describes it, for signatures of container metadata.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Member<'c> {
    /// Its name as it stands in the archive, with folders.
    pub name: &'c [u8],
    /// Bytes of the archive.
    pub archive_size: Option<u64>,
    /// Bytes it takes in the archive.
    pub packed_size: Option<u64>,
    /// Bytes it has unpacked.
    pub size: Option<u64>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Its number in the archive, the first being 1.
    pub position: Option<u64>,
}

impl<'c> Context<'c> {
    /// The types of the archives around, the nearest first.
    pub(crate) fn surroundings(&self) -> Vec<&'c str> {
        if self.chain.is_empty() {
            self.container.into_iter().collect()
        } else {
            self.chain.to_vec()
        }
    }
}

/// Digests of a file, as far as they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digests {
    /// MD5.
    pub md5: Option<[u8; 16]>,
    /// SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// SHA-256.
    pub sha256: Option<[u8; 32]>,
}

/// How a signature matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DetectionKind {
    /// The digest of the whole file.
    FileHash,
    /// The digest of a section of a Windows program.
    SectionHash,
    /// A body signature.
    Body,
    /// A logical signature, or one of what an archive says of its member (offset zero).
    Logical,
}

/// A signature that matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Detection {
    /// Name of the signature.
    pub name: String,
    /// How it matched.
    pub kind: DetectionKind,
    /// Where the first find stands, in bytes; zero for digests of the whole file.
    pub offset: usize,
    /// Whether the offset counts in the normalised view of a text, not in the file.
    pub normalised: bool,
}

/// What a scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// Signatures that match, each name once, in order of kind and name.
    pub detections: Vec<Detection>,
    /// The name of the allow-list entry for this very file. Nothing is looked for in it then,
    /// and a caller that unpacks drops what it found in what the file was unpacked from.
    pub allowed: Option<String>,
    /// Whether a bound on time or memory kept something from being looked at: no detection
    /// then does not mean clean, and the caller says so.
    pub limited: bool,
}

fn kind_of(record: &Record) -> DetectionKind {
    if record.logical {
        DetectionKind::Logical
    } else {
        DetectionKind::Body
    }
}

/// The detection of a signature.
pub(crate) fn describe(record: &Record, offset: usize, normalised: bool) -> Detection {
    Detection {
        name: record.name.clone(),
        kind: kind_of(record),
        offset,
        normalised,
    }
}

/// The targets whose signatures look at a file as it is, and at its normalised text. Text has
/// its signatures in the normalised view, a web page too; those for any file look at both.
pub(crate) fn targets(file_type: FileType) -> (u8, Option<u8>) {
    match file_type {
        FileType::Text => (0, Some(FileType::Text.target())),
        FileType::Html => (0, Some(file_type.target())),
        _ => (file_type.target(), None),
    }
}

/// Compiled expressions by record and sub-signature; none for one that does not compile.
type Expressions = HashMap<(u32, u8), Option<Arc<Compiled>>>;

/// Compiled signatures.
pub struct SignatureSet {
    sections: Sections,
    matchers: [OnceLock<Prefilter>; TARGETS],
    always: OnceLock<Vec<(u32, Record)>>,
    regexes: Mutex<Expressions>,
    kept: Mutex<HashMap<u32, Arc<Record>>>,
    members: OnceLock<Vec<(MemberSignature, regex::bytes::Regex)>>,
}

impl SignatureSet {
    /// Compiles all signature files and containers in a folder.
    ///
    /// # Errors
    /// A file can't be read, or a container is not the publisher's. Lines that can't be used
    /// are no error: the report lists them.
    pub fn build(folder: &Path) -> Result<(SignatureSet, BuildReport), BuildError> {
        let mut builder = Builder::default();
        builder.add_folder(folder, 4)?;
        SignatureSet::finish(builder)
    }

    /// Compiles signature files that are in memory, each with its name.
    ///
    /// # Errors
    /// There are too many for one file.
    pub fn build_from<'f>(
        files: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> Result<(SignatureSet, BuildReport), BuildError> {
        let mut builder = Builder::default();
        for (name, bytes) in files {
            builder.add_file(name, bytes.to_vec());
        }
        SignatureSet::finish(builder)
    }

    pub(crate) fn finish(builder: Builder) -> Result<(SignatureSet, BuildReport), BuildError> {
        let (bytes, report) = builder.compile()?;
        let sections =
            Sections::from_bytes(bytes).map_err(|error| BuildError::Pack(error.to_string()))?;
        Ok((SignatureSet::new(sections), report))
    }

    /// Maps a compiled file.
    ///
    /// # Errors
    /// It can't be read, or is not what this version wrote.
    pub fn open(path: &Path) -> Result<SignatureSet, OpenError> {
        Sections::map(path).map(SignatureSet::new)
    }

    /// Takes the bytes of a compiled file.
    ///
    /// # Errors
    /// They are not what this version wrote.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<SignatureSet, OpenError> {
        Sections::from_bytes(bytes).map(SignatureSet::new)
    }

    /// The bytes to keep as a file for [`SignatureSet::open`]. Write them under another name
    /// and rename: a file that is mapped must never change.
    pub fn as_bytes(&self) -> &[u8] {
        self.sections.bytes()
    }

    /// A checksum of the compiled signatures: another one for another set, for the keys of
    /// caches. Nothing to rely on against somebody who wants two sets to look the same.
    pub fn revision(&self) -> u64 {
        self.sections.hash()
    }

    fn new(sections: Sections) -> SignatureSet {
        SignatureSet {
            sections,
            matchers: std::array::from_fn(|_| OnceLock::new()),
            always: OnceLock::new(),
            regexes: Mutex::new(HashMap::new()),
            kept: Mutex::new(HashMap::new()),
            members: OnceLock::new(),
        }
    }

    /// Looks for all signatures in a file's bytes.
    pub fn scan(&self, bytes: &[u8], context: &Context<'_>) -> Scan {
        let mut digests = context.digests;
        if let Some(allowed) = self.find_digest(Usage::Allowed, bytes, &mut digests) {
            return Scan {
                detections: Vec::new(),
                allowed: Some(allowed),
                limited: false,
            };
        }
        if bytes.is_empty() {
            // Nothing is not malicious, whatever a signature says of absence.
            return Scan::default();
        }
        let mut found = BTreeSet::new();
        self.make_digests(Usage::File, bytes, &mut digests);
        for name in self.find_all(Usage::File, &digests, bytes.len() as u64) {
            found.insert((DetectionKind::FileHash, self.name(name), 0, false));
        }
        let file_type = context.file_type.unwrap_or_else(|| FileType::detect(bytes));
        let program = Program::read(bytes);
        if let (FileType::Pe, Some(program)) = (file_type, &program) {
            self.scan_sections(bytes, program, &mut found);
        }
        let view = View::new(bytes, program.as_ref());
        let chain = context.surroundings();
        if let Some(member) = &context.member {
            for name in self.find_members(member, &chain) {
                found.insert((DetectionKind::Logical, name, 0, false));
            }
        }
        let (raw, text) = targets(file_type);
        if !(context.as_reference && file_type == FileType::Html) {
            self.scan_view(&view, raw, &chain, false, &mut found);
        }
        let mut limited = view.is_limited();
        if let Some(target) = text {
            let views = if file_type == FileType::Html {
                let page = html::normalise(bytes);
                vec![page.page, page.words]
            } else {
                vec![normalise_text(bytes)]
            };
            for normalised in &views {
                // The reference's allow lists may name the normalised form too.
                if let Some(name) =
                    self.find_digest(Usage::Allowed, normalised, &mut Digests::default())
                {
                    return Scan {
                        allowed: Some(name),
                        ..Scan::default()
                    };
                }
                let view = View::new(normalised, None);
                self.scan_view(&view, target, &chain, true, &mut found);
                limited |= view.is_limited();
            }
            // A script with some markup is a page to the reference; here it stays text as well.
            if file_type == FileType::Html && !context.as_reference {
                let normalised = normalise_text(bytes);
                let view = View::new(&normalised, None);
                let target = FileType::Text.target();
                self.scan_view(&view, target, &chain, true, &mut found);
                limited |= view.is_limited();
            }
            limited |= bytes.len() > MAX_NORMALISED;
        }
        let mut detections: Vec<Detection> = Vec::new();
        for (kind, name, offset, normalised) in found {
            if !detections
                .iter()
                .any(|detection| detection.kind == kind && detection.name == name)
            {
                detections.push(Detection {
                    name,
                    kind,
                    offset,
                    normalised,
                });
            }
        }
        Scan {
            detections,
            allowed: None,
            limited,
        }
    }

    /// Whether a file with these digests and this size in bytes is known as malicious, by hash
    /// signatures alone. Digests that are not given are not looked up.
    pub fn knows(&self, digests: &Digests, size_bytes: u64) -> bool {
        self.find_known(Usage::File, digests, size_bytes).is_some()
    }

    fn scan_view(
        &self,
        view: &View<'_>,
        target: u8,
        chain: &[&str],
        normalised: bool,
        found: &mut BTreeSet<(DetectionKind, String, usize, bool)>,
    ) {
        // The anchored sub-signatures that were seen, as bits, for each candidate.
        let mut candidates: HashMap<u32, u64> = HashMap::new();
        self.matcher(target)
            .find(view.bytes, view.base(), |record, sub, _| {
                *candidates.entry(record).or_default() |= 1 << (sub & 63);
            });
        let mut candidates: Vec<(u32, u64)> = candidates.into_iter().collect();
        candidates.sort_unstable();
        for (number, seen) in candidates {
            if let Some(record) = self.kept_record(number) {
                self.try_record((number, seen), &record, view, chain, normalised, found);
            }
        }
        for (number, record) in self.always() {
            if matches!(record.description.target, 0) || record.description.target == target {
                self.try_record((*number, 0), record, view, chain, normalised, found);
            }
        }
    }

    fn try_record(
        &self,
        (number, seen): (u32, u64),
        record: &Record,
        view: &View<'_>,
        chain: &[&str],
        normalised: bool,
        found: &mut BTreeSet<(DetectionKind, String, usize, bool)>,
    ) {
        if let Some(offset) = evaluate::matches(record, seen, view, chain, &|id| {
            self.regex(number, id, record)
        }) {
            let kind = kind_of(record);
            found.insert((kind, record.name.clone(), offset, normalised));
        }
    }

    /// A compiled expression, kept for the next time.
    pub(crate) fn regex(&self, number: u32, id: u8, record: &Record) -> Option<Arc<Compiled>> {
        let mut kept = self
            .regexes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.entry((number, id))
            .or_insert_with(|| match record.subs.get(usize::from(id)) {
                Some(Sub::Regex(sub)) => regular::compile(sub).ok().map(Arc::new),
                _ => None,
            })
            .clone()
    }

    fn scan_sections(
        &self,
        bytes: &[u8],
        program: &Program,
        found: &mut BTreeSet<(DetectionKind, String, usize, bool)>,
    ) {
        let mut budget = MAX_SECTION_BYTES;
        for (start, size) in &program.sections {
            let range = usize::try_from(*start)
                .ok()
                .zip(usize::try_from(*size).ok());
            let section =
                range.and_then(|(start, size)| bytes.get(start..start.checked_add(size)?));
            let Some(section) = section.filter(|section| !section.is_empty()) else {
                continue;
            };
            let Some(left) = budget.checked_sub(*size) else {
                break;
            };
            budget = left;
            let mut digests = Digests::default();
            self.make_digests(Usage::Section, section, &mut digests);
            for name in self.find_all(Usage::Section, &digests, *size) {
                let at = usize::try_from(*start).unwrap_or(0);
                found.insert((DetectionKind::SectionHash, self.name(name), at, false));
            }
        }
    }

    pub(crate) fn hash_table(&self, usage: Usage, algorithm: Algorithm) -> Option<HashTable<'_>> {
        let number = SECTION_HASHES + table_number(usage as u32, algorithm) as usize;
        HashTable::read(self.sections.section(number))
    }

    /// Makes the digests of bytes that can be found.
    fn make_digests(&self, usage: Usage, bytes: &[u8], digests: &mut Digests) {
        let size = bytes.len() as u64;
        let wants = |algorithm| {
            self.hash_table(usage, algorithm)
                .is_some_and(|table| table.wants_size(size))
        };
        if wants(Algorithm::Md5) {
            digests.md5.get_or_insert_with(|| Md5::digest(bytes).into());
        }
        if wants(Algorithm::Sha1) {
            digests
                .sha1
                .get_or_insert_with(|| Sha1::digest(bytes).into());
        }
        if wants(Algorithm::Sha256) {
            digests
                .sha256
                .get_or_insert_with(|| Sha256::digest(bytes).into());
        }
    }

    /// Looks bytes up by their digests.
    fn find_digest(&self, usage: Usage, bytes: &[u8], digests: &mut Digests) -> Option<String> {
        self.make_digests(usage, bytes, digests);
        let name = self.find_known(usage, digests, bytes.len() as u64)?;
        Some(self.name(name))
    }

    /// The number of the first name for digests that are known.
    pub(crate) fn find_known(&self, usage: Usage, digests: &Digests, size: u64) -> Option<u32> {
        self.find_all(usage, digests, size).next()
    }

    /// The numbers of all names for digests that are known: with this size, and with any.
    pub(crate) fn find_all(
        &self,
        usage: Usage,
        digests: &Digests,
        size: u64,
    ) -> impl Iterator<Item = u32> {
        let find = |algorithm, digest: Option<&[u8]>| {
            let table = digest.and_then(|_| self.hash_table(usage, algorithm));
            table
                .zip(digest)
                .map_or([None; 2], |(table, digest)| table.find_both(digest, size))
        };
        [
            find(Algorithm::Md5, digests.md5.as_ref().map(|d| d.as_slice())),
            find(Algorithm::Sha1, digests.sha1.as_ref().map(|d| d.as_slice())),
            find(
                Algorithm::Sha256,
                digests.sha256.as_ref().map(|d| d.as_slice()),
            ),
        ]
        .into_iter()
        .flatten()
        .flatten()
    }

    pub(crate) fn name(&self, number: u32) -> String {
        unpack_name(self.sections.section(SECTION_NAMES), number)
            .unwrap_or_else(|| "unnamed".to_owned())
    }

    /// The matcher for files of a type: signatures for it and for any.
    pub(crate) fn matcher(&self, target: u8) -> &Prefilter {
        let slot = usize::from(target).min(TARGETS - 1);
        let [first, ..] = &self.matchers;
        self.matchers.get(slot).unwrap_or(first).get_or_init(|| {
            let literals = self.sections.section(SECTION_LITERALS);
            let anchors = self
                .sections
                .section(SECTION_ANCHORS)
                .chunks_exact(ANCHOR_LEN);
            Prefilter::new(
                anchors
                    .filter_map(|row| {
                        let [length, ignore_case, of, sub, place, ..] = *row.last_chunk::<8>()?;
                        if of != 0 && of != target {
                            return None;
                        }
                        let record = u32::from_le_bytes(*row.first_chunk()?);
                        let start = u32::from_le_bytes(*row.get(4..)?.first_chunk()?) as usize;
                        let literal = literals.get(start..start + usize::from(length))?.to_vec();
                        let low = u32::from_le_bytes(*row.get(8..)?.first_chunk()?);
                        let high = u32::from_le_bytes(*row.get(12..)?.first_chunk()?);
                        Some(Anchor {
                            literal,
                            ignore_case: ignore_case != 0,
                            record,
                            sub,
                            place,
                            low,
                            high,
                        })
                    })
                    .collect(),
            )
        })
    }

    pub(crate) fn record(&self, number: u32) -> Option<Record> {
        let ends = self.sections.section(SECTION_RECORD_ENDS);
        let word = |number: usize| {
            ends.get(number * 4..)
                .and_then(|rest| rest.first_chunk().copied())
                .map(u32::from_le_bytes)
        };
        let number = number as usize;
        let start = number.checked_sub(1).map_or(Some(0), word)? as usize;
        let end = word(number)? as usize;
        postcard::from_bytes(self.sections.section(SECTION_RECORDS).get(start..end)?).ok()
    }

    /// A record, unpacked once as long as there is room.
    pub(crate) fn kept_record(&self, number: u32) -> Option<Arc<Record>> {
        let mut kept = self
            .kept
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(record) = kept.get(&number) {
            return Some(Arc::clone(record));
        }
        let record = Arc::new(self.record(number)?);
        if kept.len() < MAX_KEPT {
            kept.insert(number, Arc::clone(&record));
        }
        Some(record)
    }

    /// The signatures that have no anchor, read once.
    fn always(&self) -> &[(u32, Record)] {
        self.always.get_or_init(|| {
            let numbers = self.sections.section(SECTION_ALWAYS).chunks_exact(4);
            numbers
                .filter_map(|number| {
                    let number = u32::from_le_bytes(*number.first_chunk()?);
                    Some((number, self.record(number)?))
                })
                .collect()
        })
    }

    /// The signatures without an anchor that look at a view of this target.
    pub(crate) fn unanchored(&self, target: u8) -> impl Iterator<Item = u32> {
        let all = self.always().iter();
        all.filter(move |(_, record)| [0, target].contains(&record.description.target))
            .map(|(number, _)| *number)
    }

    /// The signatures of archive members that one fits.
    fn find_members(&self, member: &Member<'_>, chain: &[&str]) -> Vec<String> {
        let members = self.members.get_or_init(|| {
            let packed = self.sections.section(SECTION_MEMBERS);
            let read: Vec<MemberSignature> = postcard::from_bytes(packed).unwrap_or_default();
            let compiled = |signature: MemberSignature| {
                let pattern = cdb::compile(&signature.pattern).ok()?;
                Some((signature, pattern))
            };
            read.into_iter().filter_map(compiled).collect()
        });
        members
            .iter()
            .filter(|(signature, pattern)| {
                signature.fits(member, chain.first().copied()) && pattern.is_match(member.name)
            })
            .map(|(signature, _)| signature.name.clone())
            .collect()
    }

    /// How many signatures for a type of file have no anchor, and are tried on each.
    pub fn always_tried(&self, file_type: FileType) -> usize {
        let wanted = [0, file_type.target()];
        self.always()
            .iter()
            .filter(|(_, record)| wanted.contains(&record.description.target))
            .count()
    }

    /// How many body and logical signatures there are.
    pub fn pattern_count(&self) -> usize {
        self.sections.section(SECTION_RECORD_ENDS).len() / 4
    }

    /// How many digests there are, of files, sections and allowed files together.
    pub fn digest_count(&self) -> usize {
        (SECTION_HASHES..SECTION_MEMBERS)
            .filter_map(|number| HashTable::read(self.sections.section(number)))
            .map(|table| table.len())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    fn set(files: &[(&str, String)]) -> (SignatureSet, BuildReport) {
        SignatureSet::build_from(files.iter().map(|(name, text)| (*name, text.as_bytes()))).unwrap()
    }

    fn names(set: &SignatureSet, bytes: &[u8]) -> Vec<String> {
        set.scan(bytes, &Context::default())
            .detections
            .into_iter()
            .map(|d| d.name)
            .collect()
    }

    #[test]
    fn a_bound_that_is_reached_is_told() {
        let (set, _) = set(&[("a.ndb", format!("Test.Late:7:*:{}", hex("needle")))]);
        let mut text = vec![b'a'; MAX_NORMALISED];
        assert!(!set.scan(&text, &Context::default()).limited);
        text.extend_from_slice(b" needle");
        assert!(set.scan(&text, &Context::default()).limited);
    }

    #[test]
    fn each_kind_of_signature_is_found_and_survives_being_written() {
        let content = b"\x00\x01 some bytes of a needle \x00";
        let digest: String = Md5::digest(content)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let (built, report) = set(&[
            ("a.hdb", format!("{digest}:{}:By.Hash", content.len())),
            ("a.ndb", format!("By.Body:0:*:{}", hex("needle"))),
            (
                "a.ldb",
                format!("By.Logic;Target:0;0&1;{};0/by.es/", hex("some")),
            ),
            ("a.cbc", "program".to_owned()),
            ("a.txt", String::new()),
        ]);
        assert_eq!((report.parsed, report.active), (4, 3));
        assert_eq!(report.inactive[0].reason, Reason::Bytecode);
        assert_eq!(report.unknown_files, ["a.txt"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        std::fs::write(&path, built.as_bytes()).unwrap();
        let opened = SignatureSet::open(&path).unwrap();
        for set in [&built, &opened] {
            assert_eq!(names(set, content), ["By.Hash", "By.Body", "By.Logic"]);
            assert_eq!(names(set, b"\x00nothing here"), Vec::<String>::new());
        }
        assert_eq!((opened.pattern_count(), opened.digest_count()), (2, 1));
    }

    #[test]
    fn the_same_signatures_give_the_same_bytes() {
        let files = [
            ("b.ndb", format!("B:0:*:{}", hex("needle"))),
            ("a.hdb", format!("{}:9:N", "ab".repeat(16))),
        ];
        assert_eq!(set(&files).0.as_bytes(), set(&files).0.as_bytes());
    }

    #[test]
    fn an_allowed_file_is_never_reported() {
        let content = b"\x00needle";
        let digest: String = Sha256::digest(content)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let (set, _) = set(&[
            ("a.ndb", format!("B:0:*:{}", hex("needle"))),
            ("a.sfp", format!("{digest}:{}:known-good", content.len())),
        ]);
        let scan = set.scan(content, &Context::default());
        assert_eq!(
            (scan.detections.len(), scan.allowed.as_deref()),
            (0, Some("known-good"))
        );
        assert_eq!(names(&set, b"\x00\x00needle"), ["B"]);
    }

    #[test]
    fn ignored_and_unwanted_signatures_are_counted_and_off() {
        let (set, report) = set(&[
            ("a.ndb", format!("B:0:*:{}", hex("needle"))),
            ("a.ndu", format!("PUA.B:0:*:{}", hex("needle"))),
            ("z.ign2", "B".to_owned()),
        ]);
        assert_eq!(names(&set, b"\x00needle"), Vec::<String>::new());
        let reasons = report.inactive_by_reason();
        assert_eq!(
            (
                reasons[&Reason::Ignored],
                reasons[&Reason::PotentiallyUnwanted]
            ),
            (1, 1)
        );
    }

    #[test]
    fn signatures_for_text_match_the_normalised_view_only() {
        let (set, _) = set(&[(
            "a.ndb",
            format!("T:7:*:{}\nE:6:*:{}", hex("eval ($x)"), hex("eval")),
        )]);
        let scan = set.scan(b"<?php EVAL\n\t($X);", &Context::default());
        assert_eq!(scan.detections.len(), 1);
        assert!(scan.detections[0].normalised);
        assert_eq!(names(&set, b"\x00eval ($x)"), Vec::<String>::new());
        assert_eq!(names(&set, b"\x7fELF\x02 eval"), ["E"]);
    }

    #[test]
    fn the_chain_of_containers_is_asked_for() {
        let (set, _) = set(&[(
            "a.ldb",
            format!(
                "Z;Intermediates:CL_TYPE_ZIP>CL_TYPE_7Z,Target:0;0;{}",
                hex("needle")
            ),
        )]);
        let scan = |chain: &[&str]| {
            let context = Context {
                chain,
                ..Context::default()
            };
            set.scan(b"\x00needle", &context).detections.len()
        };
        assert_eq!(scan(&["CL_TYPE_7Z", "CL_TYPE_ZIP"]), 1);
        assert_eq!(scan(&["CL_TYPE_7Z", "CL_TYPE_ZIP", "CL_TYPE_MAIL"]), 1);
        assert_eq!(scan(&["CL_TYPE_ZIP", "CL_TYPE_7Z"]), 0);
        assert_eq!(scan(&["CL_TYPE_7Z"]), 0);
    }

    #[test]
    fn a_member_is_found_by_what_the_archive_says_of_it() {
        let lines = "Double:CL_TYPE_ZIP:*:\\.pdf\\.exe$:*:10-20:0:1:*:*\nLocked:*:*:^a:*:*:1:*:*:*";
        let (set, report) = set(&[("a.cdb", lines.to_owned())]);
        assert_eq!((report.active, report.inactive.len()), (2, 0));
        let scan = |name: &'static str, size, encrypted| {
            let context = Context {
                container: Some("CL_TYPE_ZIP"),
                member: Some(Member {
                    name: name.as_bytes(),
                    size: Some(size),
                    position: Some(1),
                    encrypted,
                    ..Member::default()
                }),
                ..Context::default()
            };
            let found = set.scan(b"content", &context).detections;
            found.into_iter().map(|d| d.name).collect::<Vec<_>>()
        };
        assert_eq!(scan("b/bill.pdf.exe", 15, false), ["Double"]);
        assert_eq!(scan("b/bill.pdf.exe", 25, false), Vec::<String>::new());
        assert_eq!(scan("archive", 15, true), ["Locked"]);
    }

    #[test]
    fn a_container_is_asked_for() {
        let (set, _) = set(&[(
            "a.ldb",
            format!("Z;Container:CL_TYPE_ZIP,Target:0;0;{}", hex("needle")),
        )]);
        let scan = |container| {
            set.scan(
                b"\x00needle",
                &Context {
                    container,
                    ..Context::default()
                },
            )
            .detections
            .len()
        };
        assert_eq!(
            (
                scan(Some("CL_TYPE_ZIP")),
                scan(Some("CL_TYPE_7Z")),
                scan(None)
            ),
            (1, 0, 0)
        );
    }

    use crate::clamav::Reason;
}
