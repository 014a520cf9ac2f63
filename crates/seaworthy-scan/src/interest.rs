//! All analyzers' interests, compiled into tables that are asked once per file.
//!
//! Each glob goes into the table of the strongest fixed text it has: the whole path, the
//! directory, the file name or the extension. A file costs at most one hash and one look-up
//! per table, and mostly none; a glob itself is only tried on a file that hit it there. Globs
//! without any such text (`**/prefix*`) are tried on every file: keep them few.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use seaworthy_core::PathSet;

use crate::{Analyzer, Interest};

/// Number of an analyzer in its list.
pub(crate) type AnalyzerIndex = u16;

/// The compiled interests of a list of analyzers.
pub(crate) struct InterestSet {
    globs: Vec<Glob>,
    by_path: Table,
    by_directory: Table,
    by_name: Table,
    by_extension: Table,
    on_every_path: Vec<u32>,
    /// Magic bytes by their first byte.
    magics: Vec<Vec<(&'static [u8], AnalyzerIndex)>>,
    longest_magic: usize,
    every_file: Vec<AnalyzerIndex>,
}

struct Glob {
    pattern: &'static str,
    analyzer: AnalyzerIndex,
}

/// Glob numbers by the hash of a text. Two texts with one hash do no harm: the glob
/// itself decides.
#[derive(Default)]
struct Table {
    by_hash: HashMap<u64, Vec<u32>, BuildHasherDefault<AlreadyHashed>>,
    /// Lengths of the texts, one bit each, the last for all longer ones: together with the
    /// last bytes this spares most files the hash.
    lengths: u64,
    /// Last bytes of the texts, one bit each, modulo 64.
    last_bytes: u64,
}

impl Table {
    fn filter_bits(text: &str) -> (u64, u64) {
        let last = text.as_bytes().last().copied().unwrap_or_default();
        (1 << text.len().min(63), 1 << (last % 64))
    }

    fn insert(&mut self, text: &str, number: u32) {
        let (length, last_byte) = Table::filter_bits(text);
        self.lengths |= length;
        self.last_bytes |= last_byte;
        let numbers = self.by_hash.entry(PathSet::hash(text)).or_default();
        numbers.push(number);
    }

    /// The numbers under `text`, or none. `hash` is asked only where the text may be there.
    fn get(&self, text: &str, hash: impl FnOnce() -> u64) -> &[u32] {
        let (length, last_byte) = Table::filter_bits(text);
        if self.lengths & length == 0 || self.last_bytes & last_byte == 0 {
            return &[];
        }
        self.by_hash.get(&hash()).map_or(&[], Vec::as_slice)
    }
}

impl InterestSet {
    pub(crate) fn new(analyzers: &[Analyzer]) -> InterestSet {
        let mut set = InterestSet {
            globs: Vec::new(),
            by_path: Table::default(),
            by_directory: Table::default(),
            by_name: Table::default(),
            by_extension: Table::default(),
            on_every_path: Vec::new(),
            magics: vec![Vec::new(); 256],
            longest_magic: 0,
            every_file: Vec::new(),
        };
        for (index, analyzer) in (0..).zip(analyzers) {
            match analyzer.interest {
                Interest::Paths(patterns) => {
                    for pattern in patterns {
                        set.add_glob(pattern, index);
                    }
                }
                Interest::Magic(magics) => {
                    for magic in magics {
                        if let Some(first) = magic.first() {
                            set.magics[usize::from(*first)].push((magic, index));
                            set.longest_magic = set.longest_magic.max(magic.len());
                        }
                    }
                }
                Interest::EveryRegularFile => set.every_file.push(index),
            }
        }
        set
    }

    fn add_glob(&mut self, pattern: &'static str, analyzer: AnalyzerIndex) {
        let number = u32::try_from(self.globs.len()).unwrap_or(u32::MAX);
        self.globs.push(Glob { pattern, analyzer });
        let (directory, name) = split_name(pattern);
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        let (table, key) = if !pattern.contains('*') {
            (&mut self.by_path, pattern)
        } else if !directory.contains('*') && name != "**" {
            (&mut self.by_directory, directory)
        } else if !name.contains('*') {
            (&mut self.by_name, name)
        } else if let Some(extension) = extension.filter(|text| !text.contains('*')) {
            (&mut self.by_extension, extension)
        } else {
            self.on_every_path.push(number);
            return;
        };
        table.insert(key, number);
    }

    /// Adds the analyzers that want the file at `path` because of its path, in the order
    /// of the list. `path_hash` is [`PathSet::hash`] of it: callers need it anyway.
    pub(crate) fn wanted_by_path(&self, path: &str, path_hash: u64, out: &mut Vec<AnalyzerIndex>) {
        let before = out.len();
        let (directory, name) = split_name(path);
        for (table, key) in [(&self.by_directory, directory), (&self.by_name, name)] {
            self.try_globs(table.get(key, || PathSet::hash(key)), path, out);
        }
        self.try_globs(self.by_path.get(path, || path_hash), path, out);
        if let Some((_, extension)) = name.rsplit_once('.') {
            let numbers = self
                .by_extension
                .get(extension, || PathSet::hash(extension));
            self.try_globs(numbers, path, out);
        }
        self.try_globs(&self.on_every_path, path, out);
        if out.len() > before + 1 {
            out[before..].sort_unstable();
            out.dedup();
        }
    }

    fn try_globs(&self, numbers: &[u32], path: &str, out: &mut Vec<AnalyzerIndex>) {
        for &number in numbers {
            if let Some(glob) = self.globs.get(number as usize)
                && glob_matches(glob.pattern, path)
            {
                out.push(glob.analyzer);
            }
        }
    }

    /// How many first bytes of a file [`InterestSet::wanted_by_magic`] needs.
    pub(crate) fn magic_len(&self) -> usize {
        self.longest_magic
    }

    /// Adds the analyzers that want a file beginning with `head`.
    pub(crate) fn wanted_by_magic(&self, head: &[u8], out: &mut Vec<AnalyzerIndex>) {
        let Some(first) = head.first() else { return };
        for (magic, analyzer) in &self.magics[usize::from(*first)] {
            if head.starts_with(magic) && out.last() != Some(analyzer) {
                out.push(*analyzer);
            }
        }
    }

    /// The analyzers that want every file.
    pub(crate) fn wanted_always(&self) -> &[AnalyzerIndex] {
        &self.every_file
    }
}

/// Directory and last component.
fn split_name(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whether the glob stands for the path (see [`Interest::Paths`]).
fn glob_matches(pattern: &str, path: &str) -> bool {
    // Only the last `**` ever needs another try: what an earlier one could give up, the
    // last one can take. So the time is at most the product of both lengths.
    let mut pattern = Some(pattern);
    let mut path = Some(path);
    let mut retry: Option<(Option<&str>, &str)> = None;
    while let Some(path_rest) = path {
        let (component, after) = split_first(path_rest);
        if let Some(pattern_rest) = pattern {
            let (wish, after_wish) = split_first(pattern_rest);
            if wish == "**" {
                retry = Some((after_wish, path_rest));
                pattern = after_wish;
                continue;
            }
            if component_matches(wish.as_bytes(), component.as_bytes()) {
                pattern = after_wish;
                path = after;
                continue;
            }
        }
        let Some((after_stars, from)) = retry else {
            return false;
        };
        let Some(from) = split_first(from).1 else {
            // The stars have taken the whole path.
            return after_stars.is_none();
        };
        retry = Some((after_stars, from));
        pattern = after_stars;
        path = Some(from);
    }
    pattern.is_none_or(|rest| rest.split('/').all(|wish| wish == "**"))
}

fn split_first(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    }
}

/// The same for one component and `*`.
fn component_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p) == text.get(t) {
            p += 1;
            t += 1;
        } else if let Some((after_star, from)) = retry {
            retry = Some((after_star, from + 1));
            p = after_star;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|&b| b == b'*')
}

/// Passes a 64-bit key through: it is a hash already.
#[derive(Default)]
pub(crate) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;
    use seaworthy_core::Meta;

    use super::*;
    use crate::Reader;

    const fn row(interest: Interest) -> Analyzer {
        Analyzer {
            meta: Meta {
                id: "row",
                revision: 1,
                summary: "",
                references: &[],
            },
            interest,
            reader: Reader::Whole {
                cap: 1,
                parse: |_, _, _| {},
            },
        }
    }

    #[track_caller]
    fn check(pattern: &'static str, path: &str, expected: bool) {
        assert_eq!(glob_matches(pattern, path), expected, "{pattern} {path}");
        let analyzers = [row(Interest::Paths(Vec::leak(vec![pattern])))];
        let mut out = Vec::new();
        InterestSet::new(&analyzers).wanted_by_path(path, PathSet::hash(path), &mut out);
        assert_eq!(!out.is_empty(), expected, "compiled {pattern} {path}");
    }

    #[test]
    fn globs_match_whole_components() {
        check("lib/apk/db/installed", "lib/apk/db/installed", true);
        check("lib/apk/db/installed", "usr/lib/apk/db/installed", false);
        check("var/lib/dpkg/info/*.list", "var/lib/dpkg/info/a.list", true);
        check(
            "var/lib/dpkg/info/*.list",
            "var/lib/dpkg/info/x/a.list",
            false,
        );
        check(
            "var/lib/dpkg/status.d/*",
            "var/lib/dpkg/status.d/base",
            true,
        );
        check("**/*.dist-info/METADATA", "a-1.dist-info/METADATA", true);
        check(
            "**/*.dist-info/METADATA",
            "x/y/a-1.dist-info/METADATA",
            true,
        );
        check("**/*.dist-info/METADATA", "x/dist-info/METADATA", false);
        check(
            "**/node_modules/**/package.json",
            "node_modules/package.json",
            true,
        );
        check(
            "**/node_modules/**/package.json",
            "a/node_modules/@b/c/package.json",
            true,
        );
        check(
            "**/node_modules/**/package.json",
            "a/modules/@b/c/package.json",
            false,
        );
        check("**/*.tar.gz", "a/b.tar.gz", true);
        check("**/*.tar.gz", "a/b.gz", false);
        check("**/lib*so*", "usr/lib/libc.so.6", true);
        check("opt/**", "opt/a/b", true);
        check("opt/**", "usr/opt", false);
        check("**", "anything/at/all", true);
        check("a/**/b/**/c", "a/b/x/b/c", true);
        check("a/**/b/**/c", "a/x/c", false);
    }

    #[test]
    fn magic_is_what_a_file_begins_with() {
        let analyzers = [
            row(Interest::Magic(&[b"\x7fELF", b"MZ"])),
            row(Interest::Magic(&[b"PK\x03\x04"])),
            row(Interest::EveryRegularFile),
        ];
        let set = InterestSet::new(&analyzers);
        let wanted = |head: &[u8]| {
            let mut out = Vec::new();
            set.wanted_by_magic(head, &mut out);
            out
        };
        assert_eq!(set.magic_len(), 4);
        assert_eq!(wanted(b"\x7fELF\x02"), [0]);
        assert_eq!(wanted(b"PK\x03\x04"), [1]);
        assert_eq!(wanted(b"\x7fEL"), [0; 0]);
        assert_eq!(wanted(b""), [0; 0]);
        assert_eq!(set.wanted_always(), [2]);
    }

    #[test]
    fn an_analyzer_is_named_once_however_many_of_its_globs_match() {
        let analyzers = [
            row(Interest::Paths(&["**/b", "a/*", "a/b"])),
            row(Interest::Paths(&["a/b"])),
        ];
        let mut out = Vec::new();
        InterestSet::new(&analyzers).wanted_by_path("a/b", PathSet::hash("a/b"), &mut out);
        assert_eq!(out, [0, 1]);
    }

    /// The obvious definition, by recursion.
    fn slow_match(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((&"**", rest)), _) if slow_match(rest, path) => true,
            (Some((&"**", _)), Some((_, path_rest))) => slow_match(pattern, path_rest),
            (Some((wish, rest)), Some((name, path_rest))) => {
                component_matches(wish.as_bytes(), name.as_bytes()) && slow_match(rest, path_rest)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_fast_glob_agrees_with_the_obvious_one(
            pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "a*", "**"]), 1..6),
            path in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 1..7),
        ) {
            prop_assert_eq!(
                glob_matches(&pattern.join("/"), &path.join("/")),
                slow_match(&pattern, &path)
            );
        }
    }

    #[test]
    #[ignore = "a measurement: run it with --release --nocapture"]
    fn time_per_path() {
        let set = InterestSet::new(crate::catalogers::ANALYZERS);
        let paths: Vec<String> = (0..10_000)
            .map(|i| {
                format!(
                    "usr/lib/python3/dist-packages/package{}/module{i}.py",
                    i % 97
                )
            })
            .collect();
        let mut out = Vec::new();
        let rounds = 200;
        let start = Instant::now();
        for _ in 0..rounds {
            for path in &paths {
                set.wanted_by_path(path, PathSet::hash(path), &mut out);
            }
        }
        let total = u32::try_from(paths.len() * rounds).expect("small");
        println!("{:?} per path, {} hits", start.elapsed() / total, out.len());
    }
}
