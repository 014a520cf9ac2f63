//! Files too large for memory, scanned as they pass by.
//!
//! A file is fed in pieces of any size and looked at in windows that overlap. Each place
//! belongs to one window, so that finds are counted once; what a signature found is added up
//! over the windows, and its logic is asked at the end. A signature is followed from the
//! window where its anchor is first seen: what its other parts did before that is not known.
//! [`FileScan::again`] says when a second reading would settle such a case; without one, the
//! scan is `limited`.
//!
//! What windows can't do, and what then makes the scan `limited`: patterns that reach further
//! than the overlap are missed; offsets from sections of a program whose table stands behind
//! the first window; hashes of sections. A tag of a web page that lies across two windows is
//! cut, and a page this large is not looked at as text too. Memory is two windows, whatever
//! the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::clamav::hash::Algorithm;
use crate::clamav::ldb::Sub;
use crate::clamav::offset::Base;
use crate::file_type::{FileType, normalise_text};
use crate::html;
use crate::matching::body::View;
use crate::matching::evaluate::{self, Record, Tally};
use crate::program::Program;
use crate::set::{
    Context, Detection, DetectionKind, Digests, Scan, SignatureSet, Usage, describe, targets,
};

/// Bytes looked at in one go.
const WINDOW: usize = 8 << 20;
/// Bytes of a window that the next one sees again: the longest reach of a pattern that is
/// surely found.
const OVERLAP: usize = 256 << 10;

/// A scan under way, see [`SignatureSet::stream`].
pub struct FileScan<'s> {
    set: &'s SignatureSet,
    file_type: Option<FileType>,
    chain: Vec<String>,
    given: Digests,
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
    /// The window being filled, and where it starts in the file.
    buffer: Vec<u8>,
    base: u64,
    /// Where the window starts in the normalised text.
    text_base: u64,
    windows: u32,
    program: Option<Program>,
    followed: BTreeMap<(bool, u32), Followed>,
    /// Size of the file in bytes, once it is known.
    size: Option<u64>,
    second: bool,
    closed: bool,
    limited: bool,
}

/// A signature of which something was seen.
struct Followed {
    record: Arc<Record>,
    tally: Tally,
    /// Anchored sub-signatures that were seen, as bits.
    seen: u64,
    /// Whether something may have been missed.
    uncertain: bool,
}

impl SignatureSet {
    /// Starts the scan of a file that is fed piece by piece.
    pub fn stream(&self, context: &Context<'_>) -> FileScan<'_> {
        let wanted = |algorithm, given: bool| {
            let tables = [Usage::File, Usage::Allowed];
            let mut tables = tables
                .iter()
                .filter_map(|usage| self.hash_table(*usage, algorithm));
            !given && tables.any(|table| !table.is_empty())
        };
        let given = context.digests;
        FileScan {
            set: self,
            file_type: context.file_type,
            chain: context
                .surroundings()
                .iter()
                .map(|s| (*s).to_owned())
                .collect(),
            given,
            md5: wanted(Algorithm::Md5, given.md5.is_some()).then(Md5::new),
            sha1: wanted(Algorithm::Sha1, given.sha1.is_some()).then(Sha1::new),
            sha256: wanted(Algorithm::Sha256, given.sha256.is_some()).then(Sha256::new),
            buffer: Vec::new(),
            base: 0,
            text_base: 0,
            windows: 0,
            program: None,
            followed: BTreeMap::new(),
            size: None,
            second: false,
            closed: false,
            limited: false,
        }
    }
}

impl FileScan<'_> {
    /// Takes the next bytes of the file.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.second {
            if let Some(md5) = &mut self.md5 {
                md5.update(bytes);
            }
            if let Some(sha1) = &mut self.sha1 {
                sha1.update(bytes);
            }
            if let Some(sha256) = &mut self.sha256 {
                sha256.update(bytes);
            }
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = WINDOW - self.buffer.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.buffer.extend_from_slice(now);
            rest = later;
            if self.buffer.len() == WINDOW {
                self.look(false);
            }
        }
    }

    /// Says that the whole file was fed, and whether feeding it once more from its start would
    /// make the answer certain. A caller that can't just goes on to [`FileScan::finish`].
    pub fn again(&mut self) -> bool {
        self.close();
        if self.second || !self.followed.values().any(|one| self.is_open(one)) {
            return false;
        }
        self.second = true;
        self.closed = false;
        (self.base, self.text_base, self.windows) = (0, 0, 0);
        for one in self.followed.values_mut().filter(|one| one.uncertain) {
            one.tally = Tally::new(&one.record);
        }
        true
    }

    /// The answer.
    pub fn finish(mut self) -> Scan {
        self.close();
        let size = self.size.unwrap_or(0);
        let digests = Digests {
            md5: self
                .given
                .md5
                .or(self.md5.take().map(|md5| md5.finalize().into())),
            sha1: self
                .given
                .sha1
                .or(self.sha1.take().map(|sha1| sha1.finalize().into())),
            sha256: self
                .given
                .sha256
                .or(self.sha256.take().map(|sha| sha.finalize().into())),
        };
        if let Some(name) = self.set.find_known(Usage::Allowed, &digests, size) {
            return Scan {
                allowed: Some(self.set.name(name)),
                ..Scan::default()
            };
        }
        let mut detections: Vec<Detection> = Vec::new();
        for name in self.set.find_all(Usage::File, &digests, size) {
            detections.push(Detection {
                name: self.set.name(name),
                kind: DetectionKind::FileHash,
                offset: 0,
                normalised: false,
            });
        }
        let mut limited = self.limited;
        for ((normalised, _), one) in &self.followed {
            let known = self.second || !one.uncertain;
            let holds = self.size_fits(&one.record) && one.tally.holds(&one.record);
            if holds && (known || !one.record.logic.can_be_undone()) {
                detections.push(describe(&one.record, one.tally.first(), *normalised));
            } else if !known && self.is_open(one) {
                limited = true;
            }
        }
        detections.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        detections.dedup_by(|a, b| a.kind == b.kind && a.name == b.name);
        Scan {
            detections,
            allowed: None,
            limited,
        }
    }

    fn close(&mut self) {
        if !self.closed {
            self.size = Some(self.base + self.buffer.len() as u64);
            self.look(true);
            self.buffer = Vec::new();
            self.closed = true;
        }
    }

    fn size_fits(&self, record: &Record) -> bool {
        record.description.file_size.is_none_or(|(min, max)| {
            self.size
                .is_some_and(|size| (u64::from(min)..=u64::from(max)).contains(&size))
        })
    }

    /// Whether a signature may hold although it was not seen to, or the other way round.
    fn is_open(&self, one: &Followed) -> bool {
        let absent = one.record.anchored & !one.seen;
        one.uncertain && self.size_fits(&one.record) && one.record.logic.possible(absent)
    }

    /// Looks at the window.
    fn look(&mut self, last: bool) {
        let buffer = std::mem::take(&mut self.buffer);
        if self.windows == 0 && !self.second {
            let file_type = self.file_type.unwrap_or_else(|| FileType::detect(&buffer));
            self.file_type = Some(file_type);
            self.program = Program::read(&buffer);
            self.limited |= !last && file_type == FileType::Pe;
        }
        let kept = if last { 0 } else { OVERLAP.min(buffer.len()) };
        let (own, next) = buffer.split_at(buffer.len() - kept);
        let (raw, text) = targets(self.file_type.unwrap_or(FileType::Other));
        let program = self.program.take();
        let view = View::window(&buffer, own.len(), self.base, self.size, program.as_ref());
        self.look_at(&view, raw, false);
        if let Some(target) = text {
            let normal_form = |bytes: &[u8]| match self.file_type {
                Some(FileType::Html) => html::normalise(bytes).page,
                _ => normalise_text(bytes),
            };
            let mut normal = normal_form(own);
            let length = normal.len();
            normal.extend(normal_form(next));
            let view = View::window(&normal, length, self.text_base, None, None);
            self.look_at(&view, target, true);
            self.text_base += length as u64;
        }
        self.program = program;
        self.base += own.len() as u64;
        self.windows += 1;
        self.buffer = next.to_vec();
        self.buffer.reserve(WINDOW - self.buffer.len());
    }

    fn look_at(&mut self, view: &View<'_>, target: u8, normalised: bool) {
        let set = self.set;
        if !self.second {
            let mut seen: BTreeMap<u32, u64> = BTreeMap::new();
            if self.windows == 0 {
                seen.extend(set.unanchored(target).map(|number| (number, 0)));
            }
            set.matcher(target)
                .find(view.bytes, view.base(), |record, sub, _| {
                    *seen.entry(record).or_default() |= 1 << (sub & 63);
                });
            for (number, seen) in seen {
                if let Some(one) = self.followed.get_mut(&(normalised, number)) {
                    one.seen |= seen;
                } else if let Some(record) = set.kept_record(number) {
                    let chain: Vec<&str> = self.chain.iter().map(String::as_str).collect();
                    if !evaluate::fits(&record, None, view.program, &chain) {
                        continue;
                    }
                    let one = Followed {
                        tally: Tally::new(&record),
                        seen,
                        uncertain: self.windows > 0 && misses_something(&record),
                        record,
                    };
                    self.followed.insert((normalised, number), one);
                }
            }
        }
        for ((of_text, number), one) in &mut self.followed {
            if *of_text != normalised || (self.second && !one.uncertain) {
                continue;
            }
            // A place counted from the end is only known once the end is.
            one.uncertain |=
                self.size.is_none() && has_base(&one.record, |base| matches!(base, Base::End(_)));
            self.limited |= self.size.is_none()
                && self.file_type == Some(FileType::Elf)
                && has_base(&one.record, |base| {
                    matches!(
                        base,
                        Base::Section(..) | Base::WithinSection(_) | Base::LastSection(_)
                    )
                });
            one.tally
                .add(&one.record, view, &|id| set.regex(*number, id, &one.record));
        }
        self.limited |= view.is_limited();
    }
}

/// Whether a signature that is followed from the middle of a file may have been there before:
/// all its sub-signatures have anchors, or not.
fn misses_something(record: &Record) -> bool {
    (0u8..)
        .zip(&record.subs)
        .any(|(id, sub)| !matches!(sub, Sub::Body(_)) || record.anchored >> (id & 63) & 1 == 0)
}

fn has_base(record: &Record, is: impl Fn(Base) -> bool) -> bool {
    record.subs.iter().any(|sub| match sub {
        Sub::Body(body) => is(body.offset.base),
        Sub::Regex(regex) => is(regex.offset.base),
        Sub::ByteCompare(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A large file of zeros with words in it.
    fn file(length: usize, words: &[(usize, &str)]) -> Vec<u8> {
        let mut file = vec![0; length];
        for (at, word) in words {
            file[*at..at + word.len()].copy_from_slice(word.as_bytes());
        }
        file
    }

    fn scan(set: &SignatureSet, file: &[u8], twice: bool) -> (Vec<String>, bool) {
        let mut scan = set.stream(&Context::default());
        file.chunks(1 << 20).for_each(|piece| scan.feed(piece));
        if twice && scan.again() {
            file.chunks(777_777).for_each(|piece| scan.feed(piece));
            assert!(!scan.again());
        }
        let scan = scan.finish();
        (
            scan.detections.into_iter().map(|d| d.name).collect(),
            scan.limited,
        )
    }

    const LENGTH: usize = 3 * WINDOW;

    fn lines(of: &[(&str, String)]) -> SignatureSet {
        let files = of.iter().map(|(name, text)| (*name, text.as_bytes()));
        SignatureSet::build_from(files).unwrap().0
    }

    #[test]
    fn a_large_file_gives_what_it_gives_in_one_piece() {
        let set = lines(&[
            (
                "a.ndb",
                format!(
                    "Any:0:*:{}\nPlace:0:{}:{}\nEnd:0:EOF-6:{}\nNot:0:7:{}",
                    hex("needle"),
                    2 * WINDOW,
                    hex("placed"),
                    hex("ending"),
                    hex("needle")
                ),
            ),
            (
                "a.ldb",
                format!(
                    "Both;Target:0;0&1;{0};{1}\nThrice;Target:0;0>2;{0}\nTwice;Target:0;0=2;{0}\nWithout;Target:0;0&1=0;{0};{1}",
                    hex("needle"),
                    hex("thread")
                ),
            ),
        ]);
        // One needle across the border of two windows, one in the part that both see.
        let border = WINDOW - 3;
        let file = file(
            LENGTH,
            &[
                (5, "thread"),
                (border, "needle"),
                (WINDOW - OVERLAP + 10, "needle"),
                (2 * WINDOW, "placed"),
                (LENGTH - 6, "ending"),
            ],
        );
        let whole = set.scan(&file, &Context::default());
        let mut names: Vec<String> = whole.detections.into_iter().map(|d| d.name).collect();
        names.sort();
        assert_eq!(names, ["Any", "Both", "End", "Place", "Twice"]);
        for twice in [false, true] {
            let (mut found, limited) = scan(&set, &file, twice);
            found.sort();
            assert_eq!((found, limited), (names.clone(), false), "{twice}");
        }
    }

    #[test]
    fn what_was_before_the_anchor_needs_a_second_reading() {
        // The second word has no anchor of its own: the first is the rarer.
        let line = format!("Both;Target:0;0&1;{};{}", hex("qzxjvk"), hex("the tion of"));
        let set = lines(&[("a.ldb", line)]);
        let file = file(LENGTH, &[(9, "the tion of"), (2 * WINDOW, "qzxjvk")]);
        assert_eq!(scan(&set, &file, false), (Vec::new(), true));
        assert_eq!(scan(&set, &file, true), (vec!["Both".to_owned()], false));
    }

    #[test]
    fn digests_are_of_the_whole_file_and_an_allowed_one_is_clean() {
        let file = file(LENGTH, &[(9, "needle")]);
        let digest: String = Sha256::digest(&file)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let hsb = ("a.hsb", format!("{digest}:{LENGTH}:By.Hash"));
        let ndb = ("a.ndb", format!("Any:0:*:{}", hex("needle")));
        let found = scan(&lines(&[hsb.clone(), ndb.clone()]), &file, false).0;
        assert_eq!(found, ["By.Hash", "Any"]);
        let sfp = ("a.sfp", format!("{digest}:{LENGTH}:Good"));
        assert_eq!(
            scan(&lines(&[hsb, ndb, sfp]), &file, false).0,
            Vec::<String>::new()
        );
    }

    #[test]
    fn text_is_normalised_window_by_window() {
        let set = lines(&[("a.ndb", format!("T:7:*:{}", hex("eval ($x)")))]);
        let mut text = vec![b'a'; LENGTH];
        text[WINDOW - 4..WINDOW + 8].copy_from_slice(b"EVAL \n\t ($X)");
        assert_eq!(scan(&set, &text, false), (vec!["T".to_owned()], false));
    }
}
