//! YARA: rules of ours, and rule files of others that are loaded at run time.
//!
//! YARA is a language of rules, each with strings to look for and a condition over them
//! (<https://yara.readthedocs.io>). The engine behind [`RuleEngine`] is `boreal`, which is
//! pure Rust and handed nothing but bytes; it is named in `pack` alone, so that another can
//! take its place.
//!
//! [`YaraRules::builtin`] holds our own rules, `rules/yara/*.yar`, sorted by the class of file
//! they are for and behind a prefilter, so that they cost a clean file next to nothing.
//! [`YaraRules::load_dir`] reads folders of others' rules: what does not compile is reported
//! rule by rule and the rest is used. Rules see the external variables `filename`, `filepath`,
//! `extension`, `filetype` and `owner`, which the packs in use ask for.
//!
//! A fault of boreal 1.4.0 to know of: where an alternative of a regular expression has a gap
//! of varying length before its best literal, and another such gap follows the alternatives,
//! matches can be missed (`/(abcd *efgh|ijklmnop) *q/` in `abcdefghq`). Our rules are held to
//! their samples; a comparison with YARA 4.2.3 over strings made from all expressions of our
//! rules and of four packs in use found no difference.
//!
//! Left out: the modules `cuckoo` and `magic`, which need a sandbox's report and a C library,
//! checking signatures of Windows programs, and scanning the memory of processes.

mod builtin;
mod class;
mod load;
mod pack;
#[cfg(test)]
mod sample_tests;
mod split;

use std::collections::BTreeSet;
use std::time::Duration;

pub use class::FileClass;
pub use load::{LoadError, Refused, RuleFiles, YaraReport, clamav_files, is_rule_file};

use crate::file_type::FileType;
use pack::Pack;

/// What rules may ask about a file besides its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct YaraFile<'f> {
    /// Its path, from which `filename`, `filepath` and `extension` are made; may be empty.
    pub path: &'f str,
    /// Its type, if the caller knows better than its first bytes.
    pub file_type: Option<FileType>,
    /// Name of the user who owns it, or empty.
    pub owner: &'f str,
}

/// A rule that matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct YaraMatch {
    /// Name of the rule; of a rule from a ClamAV database with that engine's prefix.
    pub rule: String,
    /// The file it comes from, below the folder that was loaded.
    pub namespace: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata in the order they stand there, numbers and truth values as text.
    pub meta: Vec<(String, String)>,
    /// The first byte of the first string found, where the rule has strings that are.
    pub offset: Option<u64>,
    /// What matched, in a few words.
    pub note: String,
}

impl YaraMatch {
    /// The first metadata of that name.
    pub fn meta(&self, name: &str) -> Option<&str> {
        value_of(&self.meta, name)
    }
}

/// What a scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct YaraScan {
    /// Rules that match, private ones left out, in order of name and namespace.
    pub matches: Vec<YaraMatch>,
    /// Whether a bound on time or size kept something from being looked at: no match then does
    /// not mean clean, and the caller says so.
    pub limited: bool,
}

/// Something that holds rules and tells which of them a file matches.
pub trait RuleEngine: Send + Sync {
    /// Looks for all rules in a file's bytes.
    fn scan(&self, bytes: &[u8], file: &YaraFile<'_>) -> YaraScan;
    /// A number that changes with any rule and with how they are run: part of cache keys.
    fn revision(&self) -> u64;
}

/// What a scan may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanLimits {
    /// Time for one file and one set of rules, kept roughly.
    pub timeout: Duration,
    /// Bytes of one file that are looked at.
    pub max_bytes: usize,
}

impl Default for ScanLimits {
    fn default() -> Self {
        ScanLimits {
            timeout: Duration::from_secs(30),
            max_bytes: 256 << 20,
        }
    }
}

/// A rule, for lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct YaraRule {
    /// Its name.
    pub name: String,
    /// The file it comes from.
    pub namespace: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata.
    pub meta: Vec<(String, String)>,
}

impl YaraRule {
    /// The first metadata of that name; our own rules have `id`, `summary`, `severity`,
    /// `reference` and `applies`.
    pub fn meta(&self, name: &str) -> Option<&str> {
        value_of(&self.meta, name)
    }
}

/// Sets of rules that are run together. Cheap to clone, and shared by threads.
#[derive(Clone, Default)]
pub struct YaraRules {
    packs: Vec<Pack>,
    builtin: Option<builtin::Builtin>,
}

impl YaraRules {
    /// Both sets together.
    #[must_use]
    pub fn joined(mut self, other: YaraRules) -> YaraRules {
        self.packs.extend(other.packs);
        self.builtin = self.builtin.or(other.builtin);
        self
    }

    /// How many rules there are, private ones left out.
    pub fn len(&self) -> usize {
        self.rules().len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rules but the private ones, in order of name and namespace, each once.
    pub fn rules(&self) -> Vec<YaraRule> {
        let packs = self.packs.iter();
        let packs = packs.chain(self.builtin.iter().flat_map(builtin::Builtin::packs));
        let rules: BTreeSet<YaraRule> = packs.flat_map(Pack::rules).collect();
        rules.into_iter().collect()
    }
}

impl RuleEngine for YaraRules {
    fn scan(&self, bytes: &[u8], file: &YaraFile<'_>) -> YaraScan {
        let mut scan = YaraScan::default();
        if let Some(builtin) = &self.builtin {
            builtin.scan(bytes, file, &mut scan);
        }
        for pack in &self.packs {
            if pack.is_too_slow() {
                scan.limited = true;
            } else {
                pack.scan(bytes, file, &mut scan);
            }
        }
        scan.matches.sort();
        scan.matches
            .dedup_by(|a, b| a.rule == b.rule && a.namespace == b.namespace);
        scan
    }

    fn revision(&self) -> u64 {
        let mut revisions: Vec<u64> = self.packs.iter().map(Pack::revision).collect();
        revisions.extend(self.builtin.iter().map(builtin::Builtin::revision));
        revisions.sort_unstable();
        let bytes: Vec<u8> = revisions
            .iter()
            .flat_map(|revision| revision.to_le_bytes())
            .collect();
        xxhash_rust::xxh3::xxh3_64(&bytes)
    }
}

fn value_of<'m>(meta: &'m [(String, String)], name: &str) -> Option<&'m str> {
    meta.iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
