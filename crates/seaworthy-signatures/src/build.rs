//! Compiling folders of signature files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::clamav::cdb::{self, MemberSignature};
use crate::clamav::hash::{self, HashSignature};
use crate::clamav::ignore::IgnoreList;
use crate::clamav::ldb::{BodySub, Description, Sub};
use crate::clamav::logic::Logic;
use crate::clamav::ndb::name_of;
use crate::clamav::{FileKind, MAX_LINE, Reason, ldb, lines, ndb};
use crate::compiled;
use crate::cvd::{Container, CvdError};
use crate::hash_store;
use crate::matching::evaluate::Record;
use crate::matching::prefilter::grams_place;
use crate::matching::{anchor, regular};
use crate::set::{
    SECTION_ALWAYS, SECTION_ANCHORS, SECTION_HASHES, SECTION_LITERALS, SECTION_MEMBERS,
    SECTION_NAMES, SECTION_RECORD_ENDS, SECTION_RECORDS, SECTIONS, Usage,
};

/// Why nothing could be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file or folder can't be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A container is broken or not the publisher's.
    #[error(
        "cannot use `{path}`: {source}\n  hint: fetch it again; a container is used whole or not at all"
    )]
    Container {
        /// Which.
        path: PathBuf,
        /// Why.
        source: CvdError,
    },
    /// Something can't be packed.
    #[error("cannot pack the signatures: {0}")]
    Pack(String),
}

/// A signature that is kept out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inactive {
    /// File it stands in.
    pub file: String,
    /// Its name, or the start of its line.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// What one signature file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCount {
    /// Its name; that of a container and a slash before it where it comes from one.
    pub file: String,
    /// What kind of signatures.
    pub kind: FileKind,
    /// How many.
    pub parsed: usize,
    /// How many of them are in the compiled set.
    pub active: usize,
}

/// What a build read and kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildReport {
    /// Lines that hold a signature.
    pub parsed: usize,
    /// Signatures that are in the compiled set.
    pub active: usize,
    /// Signatures without any literal long enough to be searched for: tried on every file.
    pub always_tried: usize,
    /// Those that are not, in the order they were read.
    pub inactive: Vec<Inactive>,
    /// Files whose kind is not known, and so were not read.
    pub unknown_files: Vec<String>,
    /// Files that hold signatures, in the order they were read.
    pub files: Vec<FileCount>,
}

impl BuildReport {
    /// How many are kept out, by reason.
    pub fn inactive_by_reason(&self) -> BTreeMap<Reason, usize> {
        let mut counts = BTreeMap::new();
        for inactive in &self.inactive {
            *counts.entry(inactive.reason).or_default() += 1;
        }
        counts
    }
}

/// Everything read so far.
#[derive(Default)]
pub(crate) struct Builder {
    files: Vec<(String, Vec<u8>)>,
    report: BuildReport,
}

impl Builder {
    /// Reads all files of a folder and of folders in it, in the order of their names.
    pub(crate) fn add_folder(&mut self, folder: &Path, depth: u32) -> Result<(), BuildError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| BuildError::Unreadable { path, source }
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
            paths.push(entry.map_err(unreadable(folder))?.path());
        }
        paths.sort();
        for path in paths {
            if path.is_dir() {
                if depth > 0 {
                    self.add_folder(&path, depth - 1)?;
                }
                continue;
            }
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let extension = path
                .extension()
                .and_then(|extension| extension.to_str())
                .unwrap_or_default();
            if matches!(extension, "cvd" | "cld" | "cud") {
                let bytes = std::fs::read(&path).map_err(unreadable(&path))?;
                let container =
                    Container::read(&bytes).map_err(|source| BuildError::Container {
                        path: path.clone(),
                        source,
                    })?;
                for (member, bytes) in container.members {
                    self.add_file(&format!("{name}/{member}"), bytes);
                }
            } else {
                let bytes = std::fs::read(&path).map_err(unreadable(&path))?;
                self.add_file(&name, bytes);
            }
        }
        Ok(())
    }

    /// Takes one signature file.
    pub(crate) fn add_file(&mut self, name: &str, bytes: Vec<u8>) {
        if FileKind::of_name(name).is_some() {
            self.files.push((name.to_owned(), bytes));
        } else {
            self.report.unknown_files.push(name.to_owned());
        }
    }

    /// Compiles all that was read.
    pub(crate) fn compile(mut self) -> Result<(Vec<u8>, BuildReport), BuildError> {
        let mut ignored = IgnoreList::default();
        for (name, bytes) in &self.files {
            if let Some((FileKind::Ignore, _)) = FileKind::of_name(name) {
                for line in lines(bytes) {
                    if !ignored.add(line) {
                        self.report.parsed += 1;
                        self.report.inactive.push(Inactive {
                            file: name.clone(),
                            name: name_of(line, b':'),
                            reason: Reason::Malformed,
                        });
                    }
                }
            }
        }
        let mut hashes: BTreeMap<u32, Vec<HashSignature>> = BTreeMap::new();
        let mut records: Vec<Record> = Vec::new();
        let mut members: Vec<MemberSignature> = Vec::new();
        for (file, bytes) in std::mem::take(&mut self.files) {
            let Some((kind, unwanted)) = FileKind::of_name(&file) else {
                continue;
            };
            if matches!(kind, FileKind::Ignore | FileKind::Information) {
                continue;
            }
            let before = (self.report.parsed, self.report.active);
            for line in whole(kind, &bytes) {
                self.report.parsed += 1;
                match read(kind, unwanted, line, &ignored) {
                    Ok(Signature::Hash(table, signature)) => {
                        hashes.entry(table).or_default().push(signature)
                    }
                    Ok(Signature::Record(record)) => records.push(record),
                    Ok(Signature::Member(member)) => members.push(member),
                    Err(reason) => {
                        let separator = if matches!(kind, FileKind::Logical) {
                            b';'
                        } else {
                            b':'
                        };
                        let name = name_of(line, separator);
                        self.report.inactive.push(Inactive {
                            file: file.clone(),
                            name,
                            reason,
                        });
                        continue;
                    }
                }
                self.report.active += 1;
            }
            self.report.files.push(FileCount {
                file,
                kind,
                parsed: self.report.parsed - before.0,
                active: self.report.active - before.1,
            });
        }
        let file = pack(&hashes, records, &members, &mut self.report)?;
        Ok((file, self.report))
    }
}

/// The signatures of a file; of a kind without lines the file is one.
fn whole(kind: FileKind, bytes: &[u8]) -> Vec<&[u8]> {
    match kind {
        FileKind::Unsupported(Reason::Bytecode | Reason::Yara) => {
            vec![bytes.get(..bytes.len().min(64)).unwrap_or_default()]
        }
        _ => lines(bytes).collect(),
    }
}

enum Signature {
    Hash(u32, HashSignature),
    Record(Record),
    Member(MemberSignature),
}

fn read(
    kind: FileKind,
    unwanted: bool,
    line: &[u8],
    ignored: &IgnoreList,
) -> Result<Signature, Reason> {
    if line.len() > MAX_LINE {
        return Err(Reason::Malformed);
    }
    let hash = |usage: Usage, size_first, strict| {
        let signature = hash::parse(line, size_first, strict)?;
        Ok(Signature::Hash(
            hash_store::table_number(usage as u32, signature.algorithm),
            signature,
        ))
    };
    let signature = match kind {
        FileKind::FileHashes => hash(Usage::File, false, true),
        FileKind::SectionHashes => hash(Usage::Section, true, true),
        FileKind::AllowedHashes => hash(Usage::Allowed, false, false),
        FileKind::Bodies => ndb::parse(line).map(|body| {
            let sub = BodySub {
                offset: body.offset,
                patterns: vec![body.pattern],
                ignore_case: false,
                full_word: false,
            };
            Signature::Record(Record {
                name: body.name,
                logical: false,
                description: Description {
                    target: body.target,
                    ..Description::default()
                },
                logic: Logic::Sub(0, None),
                subs: vec![Sub::Body(sub)],
                anchored: 0,
            })
        }),
        FileKind::Logical => ldb::parse(line).map(|logical| {
            Signature::Record(Record {
                name: logical.name,
                logical: true,
                description: logical.description,
                logic: logical.logic,
                subs: logical.subs,
                anchored: 0,
            })
        }),
        FileKind::Members => cdb::parse(line).map(Signature::Member),
        FileKind::Unsupported(reason) => Err(reason),
        FileKind::Ignore | FileKind::Information => Err(Reason::Configuration),
    }?;
    let name = match &signature {
        Signature::Hash(_, signature) => &signature.name,
        Signature::Record(record) => &record.name,
        Signature::Member(member) => &member.name,
    };
    if ignored.ignores(name, line) {
        return Err(Reason::Ignored);
    }
    if unwanted {
        return Err(Reason::PotentiallyUnwanted);
    }
    if let Signature::Record(record) = &signature {
        for sub in &record.subs {
            if let Sub::Regex(sub) = sub {
                regular::compile(sub)?;
            }
        }
    }
    Ok(signature)
}

fn pack(
    hashes: &BTreeMap<u32, Vec<HashSignature>>,
    records: Vec<Record>,
    members: &[MemberSignature],
    report: &mut BuildReport,
) -> Result<Vec<u8>, BuildError> {
    let word = |value: usize| {
        u32::try_from(value)
            .map_err(|_| BuildError::Pack("too many signatures for one file".to_owned()))
    };
    let mut sections = vec![Vec::new(); SECTIONS];
    let names: BTreeSet<&str> = hashes
        .values()
        .flatten()
        .map(|signature| signature.name.as_str())
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let packed =
        hash_store::pack_names(&names).map_err(|error| BuildError::Pack(error.to_string()))?;
    put(&mut sections, SECTION_NAMES, &packed);
    for (table, signatures) in hashes {
        let signatures: Vec<&HashSignature> = signatures.iter().collect();
        put(
            &mut sections,
            SECTION_HASHES + *table as usize,
            &hash_store::build(&signatures, &names, *table / 3 == Usage::Allowed as u32),
        );
    }
    let packed =
        postcard::to_allocvec(members).map_err(|error| BuildError::Pack(error.to_string()))?;
    put(&mut sections, SECTION_MEMBERS, &packed);
    let mut literals = Vec::new();
    let mut end = 0usize;
    for (number, record) in records.into_iter().enumerate() {
        let anchors = anchor::choose(&record.logic, &record.subs);
        let record = Record {
            anchored: anchors
                .iter()
                .flatten()
                .fold(0, |all, anchor| all | 1 << (anchor.sub & 63)),
            ..record
        };
        let bytes =
            postcard::to_allocvec(&record).map_err(|error| BuildError::Pack(error.to_string()))?;
        end += bytes.len();
        put(&mut sections, SECTION_RECORDS, &bytes);
        put(
            &mut sections,
            SECTION_RECORD_ENDS,
            &word(end)?.to_le_bytes(),
        );
        let number = word(number)?;
        let Some(anchors) = anchors else {
            report.always_tried += 1;
            put(&mut sections, SECTION_ALWAYS, &number.to_le_bytes());
            continue;
        };
        for anchor in anchors {
            // record(u32) start(u32) low(u32) high(u32) length(u8) ignore case(u8) target(u8) sub(u8)
            // place(u8) 0 0 0
            put(&mut sections, SECTION_ANCHORS, &number.to_le_bytes());
            put(
                &mut sections,
                SECTION_ANCHORS,
                &word(literals.len())?.to_le_bytes(),
            );
            put(&mut sections, SECTION_ANCHORS, &anchor.low.to_le_bytes());
            put(&mut sections, SECTION_ANCHORS, &anchor.high.to_le_bytes());
            let length = u8::try_from(anchor.bytes.len()).unwrap_or(u8::MAX);
            put(
                &mut sections,
                SECTION_ANCHORS,
                &[
                    length,
                    u8::from(anchor.ignore_case),
                    record.description.target,
                    anchor.sub,
                    grams_place(&anchor.bytes),
                    0,
                    0,
                    0,
                ],
            );
            literals.extend_from_slice(&anchor.bytes);
        }
    }
    put(&mut sections, SECTION_LITERALS, &literals);
    Ok(compiled::write(&sections))
}

fn put(sections: &mut [Vec<u8>], number: usize, bytes: &[u8]) {
    if let Some(section) = sections.get_mut(number) {
        section.extend_from_slice(bytes);
    }
}
