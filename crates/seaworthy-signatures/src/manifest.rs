//! What an installed set of signatures is made of: `manifest.json` beside the compiled file.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::BuildReport;
use crate::clamav::Reason;
use crate::cvd::Verified;
use crate::yara::YaraReport;

/// Name of the file.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Name of the compiled signatures beside it.
pub const COMPILED_FILE: &str = "signatures.bin";
/// Folder beside it with the YARA rules that came along.
pub const YARA_FOLDER: &str = "yara";

/// Version of the layout; a reader takes exactly its own.
pub const MANIFEST_FORMAT: u32 = 1;
/// Most bytes of a manifest that are read.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;
/// Most signatures that are kept out, and files of unknown kind, named one by one.
const MAX_NAMED: usize = 1000;
/// YARA rules that are named even where other signatures have taken all that room.
const MAX_NAMED_RULES: usize = 100;

/// Everything that is known of an installed set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub format: u32,
    /// Which program compiled it.
    pub builder: String,
    /// [`crate::FORMAT_VERSION`] of the compiled file.
    pub compiled_format: u32,
    /// When it was compiled.
    #[serde(with = "moment")]
    pub built_at: Timestamp,
    /// The compiled file's own checksum, sixteen digits: see [`crate::SignatureSet::revision`].
    pub revision: String,
    /// SHA-256 of the compiled file.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// Digest of the names and contents of all files it was made of: the same digest and the
    /// same program give the same set.
    pub fingerprint: String,
    /// Signatures that were read.
    pub parsed: u64,
    /// Those that are looked for.
    pub active: u64,
    /// Those among them that are YARA rules.
    #[serde(default)]
    pub yara_rules: u64,
    /// Those among them that are tried on every file, for want of a literal.
    pub always_tried: u64,
    /// The files they come from, in the order they were read.
    pub sources: Vec<Source>,
    /// Counts by kind of signature.
    pub kinds: Vec<KindCount>,
    /// How many are kept out, by reason, the commonest first.
    pub inactive: Vec<ReasonCount>,
    /// The first of them by name.
    pub inactive_named: Vec<NamedInactive>,
    /// Files that are no signature files by their name.
    pub unknown_files: Vec<String>,
    /// Files that could not be used.
    pub problems: Vec<SourceProblem>,
    /// Files of YARA rules that lie in the folder [`YARA_FOLDER`].
    pub yara: Vec<YaraFile>,
}

/// A file that signatures come from: a container, or a loose one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name; below a folder that was added, the path in it.
    pub name: String,
    /// Version of a container.
    pub version: Option<u32>,
    /// When a container was made.
    #[serde(with = "optional_moment")]
    pub published_at: Option<Timestamp>,
    /// Who vouches for it.
    pub trust: Trust,
    /// Signatures it holds.
    pub parsed: u64,
    /// Those that are looked for.
    pub active: u64,
    /// Bytes.
    pub size: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// Who vouches for a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Nobody: a loose file, or a container without a signature.
    Unsigned,
    /// The publisher's old signature over an MD5 alone, which is weak by today's measure.
    Weak,
    /// The publisher's signature over the SHA-256 of all files.
    Signed,
    /// A detached signature over the container, under a certificate that the user trusts.
    Certified,
}

impl Trust {
    /// From what fitted in a container.
    pub const fn of(verified: Verified) -> Trust {
        if verified.list_signature {
            Trust::Signed
        } else if verified.header_signature && verified.digest {
            Trust::Weak
        } else {
            Trust::Unsigned
        }
    }

    /// The kebab-case word of documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Trust::Unsigned => "unsigned",
            Trust::Weak => "weak",
            Trust::Signed => "signed",
            Trust::Certified => "certified",
        }
    }
}

/// Counts of one kind of signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindCount {
    /// Which, in words.
    pub kind: String,
    /// How many were read.
    pub parsed: u64,
    /// How many are looked for.
    pub active: u64,
}

/// How many signatures are kept out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// Why, in words.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// A signature that is kept out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedInactive {
    /// File it stands in.
    pub file: String,
    /// Line from 1, where it is known: of YARA rules.
    #[serde(default)]
    pub line: Option<usize>,
    /// Its name.
    pub name: String,
    /// Why, in words.
    pub reason: String,
}

/// A file or folder that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceProblem {
    /// Its path on the machine that compiled.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A file of YARA rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct YaraFile {
    /// Path below [`YARA_FOLDER`].
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Describes a build; what is known only of the written file stays empty.
    pub(crate) fn describe(
        report: &BuildReport,
        mut sources: Vec<Source>,
        builder: &str,
        now: Timestamp,
    ) -> Manifest {
        let mut kinds: BTreeMap<_, (u64, u64)> = BTreeMap::new();
        let of_source: BTreeMap<String, usize> = sources
            .iter()
            .enumerate()
            .map(|(number, source)| (source.name.clone(), number))
            .collect();
        for count in &report.files {
            let (parsed, active) = (count.parsed as u64, count.active as u64);
            let kind = kinds.entry(count.kind).or_default();
            *kind = (kind.0 + parsed, kind.1 + active);
            // A member of a container, or the file itself.
            let source = of_source.get(&count.file).or_else(|| {
                let (container, _) = count.file.rsplit_once('/')?;
                of_source.get(container)
            });
            if let Some(source) = source.and_then(|number| sources.get_mut(*number)) {
                source.parsed += parsed;
                source.active += active;
            }
        }
        let mut inactive: Vec<ReasonCount> = report
            .inactive_by_reason()
            .into_iter()
            .map(|(reason, count)| ReasonCount {
                reason: reason.as_str().to_owned(),
                count: count as u64,
            })
            .collect();
        inactive.sort_by_key(|row| std::cmp::Reverse(row.count));
        Manifest {
            format: MANIFEST_FORMAT,
            builder: builder.to_owned(),
            compiled_format: crate::FORMAT_VERSION,
            built_at: now,
            revision: String::new(),
            sha256: String::new(),
            size: 0,
            fingerprint: String::new(),
            parsed: report.parsed as u64,
            active: report.active as u64,
            yara_rules: 0,
            always_tried: report.always_tried as u64,
            sources,
            kinds: kinds
                .into_iter()
                .filter(|(_, (parsed, _))| *parsed > 0)
                .map(|(kind, (parsed, active))| KindCount {
                    kind: kind.as_str().to_owned(),
                    parsed,
                    active,
                })
                .collect(),
            inactive,
            inactive_named: report
                .inactive
                .iter()
                .take(MAX_NAMED)
                .map(|inactive| NamedInactive {
                    file: inactive.file.clone(),
                    line: None,
                    name: inactive.name.clone(),
                    reason: inactive.reason.as_str().to_owned(),
                })
                .collect(),
            unknown_files: report
                .unknown_files
                .iter()
                .take(MAX_NAMED)
                .cloned()
                .collect(),
            problems: Vec::new(),
            yara: Vec::new(),
        }
    }

    /// Counts the YARA rules among the signatures, and names those that can't be used.
    pub(crate) fn take_rules(&mut self, report: &YaraReport) {
        let (active, refused) = (report.rules as u64, report.refused_count as u64);
        let parsed = active.saturating_add(refused);
        if parsed == 0 {
            return;
        }
        self.yara_rules = active;
        self.parsed = self.parsed.saturating_add(parsed);
        self.active = self.active.saturating_add(active);
        self.kinds.push(KindCount {
            kind: Reason::Yara.as_str().to_owned(),
            parsed,
            active,
        });
        if refused > 0 {
            self.inactive.push(ReasonCount {
                reason: "yara rule that does not compile".to_owned(),
                count: refused,
            });
            self.inactive
                .sort_by_key(|row| std::cmp::Reverse(row.count));
        }
        let active = report.rules_by_file.iter();
        let active = active.map(|(file, count)| (file, *count as u64, true));
        let refused = report.refused.iter().map(|row| (&row.file, 1, false));
        let of_source: BTreeMap<String, usize> = self
            .sources
            .iter()
            .enumerate()
            .map(|(number, source)| (source.name.clone(), number))
            .collect();
        for (file, count, is_active) in active.chain(refused) {
            let number = of_source.get(file).or_else(|| {
                let (container, _) = file.rsplit_once('/')?;
                of_source.get(container)
            });
            if let Some(source) = number.and_then(|number| self.sources.get_mut(*number)) {
                source.parsed += count;
                source.active += if is_active { count } else { 0 };
            }
        }
        let room = MAX_NAMED.saturating_sub(self.inactive_named.len());
        let named = report.refused.iter().take(room.max(MAX_NAMED_RULES));
        self.inactive_named.extend(named.map(|row| NamedInactive {
            file: row.file.clone(),
            line: row.line,
            name: row.rule.clone().unwrap_or_else(|| "(no rule)".to_owned()),
            reason: row.reason.clone(),
        }));
    }

    /// The revision as a number.
    pub fn revision_number(&self) -> Option<u64> {
        u64::from_str_radix(&self.revision, 16).ok()
    }

    /// When the newest container was made: how old the knowledge is. Loose files don't say, so
    /// `None` where most signatures are from such.
    pub fn newest(&self) -> Option<Timestamp> {
        let dated = self.sources.iter();
        let dated = dated.filter(|source| source.published_at.is_some());
        let dated: u64 = dated.map(|source| source.parsed).sum();
        if dated.saturating_mul(2) < self.parsed {
            return None;
        }
        self.sources
            .iter()
            .filter_map(|source| source.published_at)
            .max()
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// It can't be read, or is none of this version.
    pub(crate) fn read(path: &Path) -> std::io::Result<Manifest> {
        use std::io::{Error, Read as _};
        let mut text = Vec::new();
        std::fs::File::open(path)?
            .take(MAX_MANIFEST_BYTES)
            .read_to_end(&mut text)?;
        let manifest: Manifest = serde_json::from_slice(&text)?;
        if manifest.format != MANIFEST_FORMAT {
            return Err(Error::other(format!(
                "it has format {}, this program reads {MANIFEST_FORMAT}",
                manifest.format
            )));
        }
        Ok(manifest)
    }
}

mod moment {
    use super::{Deserialize, Timestamp};

    pub(super) fn serialize<S: serde::Serializer>(
        moment: &Timestamp,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_str(moment)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

mod optional_moment {
    use super::{Deserialize, Timestamp};

    pub(super) fn serialize<S: serde::Serializer>(
        moment: &Option<Timestamp>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        match moment {
            Some(moment) => out.collect_str(moment),
            None => out.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        match Option::<std::borrow::Cow<str>>::deserialize(from)? {
            Some(text) => text.parse().map(Some).map_err(serde::de::Error::custom),
            None => Ok(None),
        }
    }
}
