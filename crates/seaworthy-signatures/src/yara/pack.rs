//! Compiled rules: the only place that knows the engine.
//!
//! boreal compiles rules one at a time into one scanner, which shares its tables between
//! threads and is cloned, cheaply, to set the variables of a file.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use boreal::compiler::{Compiler, CompilerBuilder, CompilerParams};
use boreal::scanner::{EvaluatedRule, ScanError, ScanParams};
use boreal::{Metadata, MetadataValue, Scanner};
use xxhash_rust::xxh3::Xxh3;

use super::{ScanLimits, YaraFile, YaraMatch, YaraRule, YaraScan};
use crate::file_type::FileType;

/// Counts how this file runs rules: raised when the same rules may answer differently. The
/// engine's version is part of it.
const REVISION: &[u8] = b"boreal-1.4/1";
/// Most rules in a set.
pub const MAX_RULES: usize = 100_000;
/// How often the time may be up before a set of the user's rules is left out.
const MAX_TIMEOUTS: u32 = 3;
/// Most bytes of a metadata value that are kept.
const MAX_META: usize = 2048;

/// Variables that packs in use expect from outside.
const VARIABLES: [&str; 5] = ["filename", "filepath", "extension", "filetype", "owner"];

/// What a rule that does not compile says.
pub struct Complaint {
    /// Byte in the text it is about.
    pub at: usize,
    /// What is wrong.
    pub reason: String,
}

/// Rules that are being compiled.
pub struct PackBuilder {
    compiler: Compiler,
    hash: Xxh3,
    rules: usize,
}

impl PackBuilder {
    pub fn new() -> PackBuilder {
        let mut compiler = CompilerBuilder::new().build();
        // The defaults bound depth and number of strings; files are ours to open.
        compiler.set_params(CompilerParams::default().disable_includes(true));
        for name in VARIABLES {
            compiler.define_symbol(name, "");
        }
        let mut hash = Xxh3::new();
        hash.update(REVISION);
        PackBuilder {
            compiler,
            hash,
            rules: 0,
        }
    }

    /// Compiles one rule or import. Those of one namespace see each other, in their order.
    pub fn add(&mut self, namespace: &str, text: &str) -> Result<(), Complaint> {
        if self.rules >= MAX_RULES {
            return Err(Complaint {
                at: 0,
                reason: format!("more than {MAX_RULES} rules"),
            });
        }
        match self.compiler.add_rules_str_in_namespace(text, namespace) {
            Ok(_) => {
                self.rules += 1;
                for part in [namespace, text] {
                    self.hash.update(&(part.len() as u64).to_le_bytes());
                    self.hash.update(part.as_bytes());
                }
                Ok(())
            }
            Err(error) => {
                let diagnostic = error.to_diagnostic();
                let label = diagnostic.labels.first();
                let mut reason = diagnostic.message.clone();
                if let Some(label) = label.filter(|label| !label.message.is_empty()) {
                    reason = format!("{reason}: {}", label.message);
                }
                Err(Complaint {
                    at: label.map_or(0, |label| label.range.start),
                    reason,
                })
            }
        }
    }

    pub fn finish(self, limits: ScanLimits, prefix: &'static str) -> Pack {
        let mut scanner = self.compiler.finalize();
        scanner.set_scan_params(
            ScanParams::default()
                .timeout_duration(Some(limits.timeout))
                .match_max_length(1),
        );
        let mut hash = self.hash;
        hash.update(prefix.as_bytes());
        hash.update(&limits.timeout.as_nanos().to_le_bytes());
        hash.update(&(limits.max_bytes as u64).to_le_bytes());
        Pack {
            scanner,
            limits,
            prefix: Arc::from(prefix),
            revision: hash.digest(),
            timeouts: Arc::default(),
        }
    }
}

/// Compiled rules.
#[derive(Clone)]
pub struct Pack {
    scanner: Scanner,
    limits: ScanLimits,
    prefix: Arc<str>,
    revision: u64,
    /// How often the time was up.
    timeouts: Arc<AtomicU32>,
}

impl Pack {
    /// Whether the time was up so often that another file is not worth it: one hostile or
    /// careless rule costs its time for every file otherwise.
    pub fn is_too_slow(&self) -> bool {
        self.timeouts.load(Ordering::Relaxed) >= MAX_TIMEOUTS
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn rules(&self) -> BTreeSet<YaraRule> {
        self.scanner
            .rules()
            .filter(|rule| !rule.is_private)
            .map(|rule| YaraRule {
                name: format!("{}{}", self.prefix, rule.name),
                namespace: rule.namespace.to_owned(),
                tags: rule
                    .tags
                    .iter()
                    .map(|tag| self.scanner.get_string_symbol(*tag).to_owned())
                    .collect(),
                meta: self.meta(rule.metadatas),
            })
            .collect()
    }

    pub fn scan(&self, bytes: &[u8], file: &YaraFile<'_>, scan: &mut YaraScan) {
        let looked_at = bytes
            .get(..bytes.len().min(self.limits.max_bytes))
            .unwrap_or_default();
        scan.limited |= looked_at.len() < bytes.len();
        let mut scanner = self.scanner.clone();
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let extension = name
            .rfind('.')
            .and_then(|dot| name.get(dot..))
            .unwrap_or_default();
        let file_type = file.file_type.unwrap_or_else(|| FileType::detect(bytes));
        let values = [
            name,
            file.path,
            extension,
            type_name(file_type, bytes),
            file.owner,
        ];
        for (variable, value) in VARIABLES.into_iter().zip(values) {
            // All five were defined, as text, when the rules were compiled.
            let _ = scanner.define_symbol(variable, value);
        }
        // What was found before the time was up counts.
        let (result, in_time) = match scanner.scan_mem(looked_at) {
            Ok(result) => (result, true),
            Err((error, result)) => {
                if matches!(error, ScanError::Timeout) {
                    self.timeouts.fetch_add(1, Ordering::Relaxed);
                }
                (result, false)
            }
        };
        scan.limited |= !in_time;
        scan.matches
            .extend(result.rules.iter().map(|rule| self.told(rule)));
    }

    fn told(&self, rule: &EvaluatedRule<'_>) -> YaraMatch {
        let first = rule
            .matches
            .iter()
            .filter_map(|string| {
                let first = string.matches.iter().map(|found| found.offset).min()?;
                Some((first, string.name))
            })
            .min();
        let note = match first {
            Some((offset, "")) => format!("a string at byte {offset}"),
            Some((offset, name)) => format!("string `${name}` at byte {offset}"),
            None => "its condition holds".to_owned(),
        };
        YaraMatch {
            rule: format!("{}{}", self.prefix, rule.name),
            namespace: rule.namespace.to_owned(),
            tags: rule
                .tags
                .iter()
                .map(|tag| self.scanner.get_string_symbol(*tag).to_owned())
                .collect(),
            meta: self.meta(rule.metadatas),
            offset: first.map(|(offset, _)| offset as u64),
            note,
        }
    }

    fn meta(&self, meta: &[Metadata]) -> Vec<(String, String)> {
        let text = |value: &MetadataValue| match value {
            MetadataValue::Bytes(symbol) => {
                let bytes = self.scanner.get_bytes_symbol(*symbol);
                let bytes = bytes.get(..bytes.len().min(MAX_META)).unwrap_or_default();
                String::from_utf8_lossy(bytes).into_owned()
            }
            MetadataValue::Integer(number) => number.to_string(),
            MetadataValue::Boolean(value) => value.to_string(),
        };
        meta.iter()
            .map(|meta| {
                let name = self.scanner.get_string_symbol(meta.name).to_owned();
                (name, text(&meta.value))
            })
            .collect()
    }
}

/// The word rules compare `filetype` with, as the scanners that know this variable fill it.
fn type_name(file_type: FileType, bytes: &[u8]) -> &'static str {
    const MAGIC: [(&[u8], &str); 8] = [
        (b"GIF8", "GIF"),
        (b"\x89PNG", "PNG"),
        (b"\xff\xd8\xff", "JPEG"),
        (b"PK\x03\x04", "ZIP"),
        (b"\x1f\x8b", "GZIP"),
        (b"Rar!", "RAR"),
        (b"7z\xbc\xaf\x27\x1c", "7ZIP"),
        (b"L\0\0\0\x01\x14\x02\0", "LNK"),
    ];
    if let Some((_, name)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return name;
    }
    match file_type {
        FileType::Pe => "EXE",
        FileType::Elf => "ELF",
        FileType::MachO => "MACHO",
        FileType::Pdf => "PDF",
        FileType::Ole2 => "OLE",
        FileType::Html => "HTML",
        FileType::Mail => "EML",
        FileType::Flash => "SWF",
        FileType::JavaClass => "JAVACLASS",
        FileType::Graphics | FileType::Text | FileType::Other => "",
    }
}
