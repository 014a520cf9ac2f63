//! Keys, tokens and passwords in files and in what archives hold.
//!
//! A huge file is seen in windows that overlap by twice what a rule looks at. A match in the last
//! part of a window is put back until the next window or the end decides: there it is seen
//! with all that belongs to it, and so it counts once, by its place in the file.
//!
//! What is packed in archives is shown to it by the caller.

use std::collections::HashMap;
use std::sync::Arc;

use seaworthy_core::{EvidenceItem, Meta, ProblemKind, SecretEvidence};
use seaworthy_secrets::assignment::Quotes;
use seaworthy_secrets::engine::MatchKind;
use seaworthy_secrets::file_kind::quotes_of;
use seaworthy_secrets::rule::WINDOW_BYTES;
use seaworthy_secrets::scanner::SecretScanner;

use super::Engine;
use crate::{FileMeta, Sink, StreamReader, Tools};

/// The row of the list of engines.
pub const ENGINE: Engine = Engine {
    meta: Meta {
        id: "secrets",
        revision: 4,
        summary: "Keys, tokens and passwords in every file of every layer",
        references: &["https://cwe.mitre.org/data/definitions/798.html"],
    },
    revision: |tools| Some(tools.secrets.as_ref()?.revision()),
};

/// What a rule looks at may lie on both sides of a match's start.
pub(super) const OVERLAP: usize = 2 * WINDOW_BYTES;
/// A NUL in the first bytes makes a file a binary, as `grep` and `git` have it.
const TEXT_HEAD: usize = 8 << 10;
/// Secrets kept of one file.
const MAX_SECRETS: usize = 10_000;
/// Secrets of one rule kept of one file: a dump of a thousand tokens is said well enough by the
/// first, and hides no key of another kind behind them.
const MAX_OF_RULE: usize = 200;

/// How many secrets a file may still give.
#[derive(Default)]
pub(super) struct Room {
    count: usize,
    /// By the rule's number; `None` for assignments.
    by_rule: HashMap<Option<usize>, usize>,
    /// Whether anything was left out.
    is_full: bool,
}

impl Room {
    /// Whether there is room for one more of the kind, which is then taken.
    fn take(&mut self, kind: MatchKind) -> bool {
        let rule = match kind {
            MatchKind::Rule(number) => Some(number),
            MatchKind::Assignment => None,
        };
        let of_rule = self.by_rule.entry(rule).or_default();
        if self.count >= MAX_SECRETS || *of_rule >= MAX_OF_RULE {
            self.is_full = true;
            return false;
        }
        *of_rule += 1;
        self.count += 1;
        true
    }

    /// Says that something was left out.
    pub(super) fn tell(&self, sink: &mut Sink) {
        if self.is_full {
            let message = format!(
                "holds more than {MAX_OF_RULE} secrets of a kind, or more than {MAX_SECRETS} in \
                 all; the rest is not listed"
            );
            sink.problem(ProblemKind::LimitReached, message);
        }
    }
}

/// Looks at a whole file, or at a whole member of an archive: `name` decides how bare values
/// count, `inside` is the way to the member. `room` is how many secrets the file may still give.
pub(super) fn look(
    scanner: &Arc<SecretScanner>,
    name: &str,
    inside: Option<&str>,
    bytes: &[u8],
    room: &mut Room,
    sink: &mut Sink,
) {
    let size = bytes.len() as u64;
    let mut reader = SecretReader::new(Some(scanner.clone()), name, size);
    reader.inside = inside.map(Into::into);
    reader.room = std::mem::take(room);
    reader.window(0, bytes, sink);
    *room = reader.end(sink);
}

/// Begins with a file that is seen window by window.
pub(super) fn start(file: &FileMeta<'_>, tools: &Tools) -> Box<dyn StreamReader> {
    let name = file.path.as_str();
    Box::new(SecretReader::new(
        tools.secrets.clone(),
        name,
        file.entry.size,
    ))
}

impl SecretReader {
    fn new(scanner: Option<Arc<SecretScanner>>, name: &str, size: u64) -> SecretReader {
        SecretReader {
            by_path: scanner
                .as_ref()
                .map(|scanner| scanner.by_path(name))
                .unwrap_or_default(),
            path: name.into(),
            scanner,
            inside: None,
            size,
            quotes: quotes_of(name),
            is_text: true,
            decided_to: 0,
            newlines: 0,
            counted_to: 0,
            put_back: Vec::new(),
            room: Room::default(),
        }
    }

    fn end(self, sink: &mut Sink) -> Room {
        for mut evidence in self.put_back.into_iter().chain(self.by_path) {
            evidence.inside = join(self.inside.as_deref(), evidence.inside);
            sink.push(EvidenceItem::Secret(evidence));
        }
        self.room
    }
}

/// The way to a member, and from there into an encoding.
fn join(outer: Option<&str>, inner: Option<Box<str>>) -> Option<Box<str>> {
    match (outer, inner) {
        (Some(outer), Some(inner)) => Some(format!("{outer}!/{inner}").into()),
        (outer, inner) => inner.or_else(|| outer.map(Into::into)),
    }
}

struct SecretReader {
    /// Where the file is, or the member in its archive.
    path: Box<str>,
    /// What the path alone tells.
    by_path: Vec<SecretEvidence>,
    scanner: Option<Arc<SecretScanner>>,
    inside: Option<Box<str>>,
    size: u64,
    quotes: Quotes,
    is_text: bool,
    /// Byte of the file before which every match was decided.
    decided_to: u64,
    /// Newlines before `counted_to`.
    newlines: u64,
    counted_to: u64,
    /// Matches of the last window that the next one may see better.
    put_back: Vec<SecretEvidence>,
    room: Room,
}

impl SecretReader {
    /// The line of a byte, which lies in the window. Bytes must be asked for in order.
    fn line(&mut self, offset: u64, bytes: &[u8], at: usize) -> Option<u64> {
        if !self.is_text {
            return None;
        }
        let from = usize::try_from(self.counted_to.checked_sub(offset)?).ok()?;
        if let Some(new) = bytes.get(from..at) {
            self.newlines += memchr::memchr_iter(b'\n', new).count() as u64;
            self.counted_to = offset + at as u64;
        }
        Some(self.newlines + 1)
    }
}

impl StreamReader for SecretReader {
    fn window(&mut self, offset: u64, bytes: &[u8], sink: &mut Sink) {
        let Some(scanner) = self.scanner.clone() else {
            return;
        };
        if offset == 0
            && let Some(head) = bytes.get(..bytes.len().min(TEXT_HEAD))
            && memchr::memchr(0, head).is_some()
        {
            self.is_text = false;
            self.quotes = Quotes::Never;
        }
        self.put_back.clear();
        let end = offset + bytes.len() as u64;
        let is_last = end >= self.size;
        let undecided = if is_last {
            end
        } else {
            end.saturating_sub(WINDOW_BYTES as u64)
        };
        for found in scanner.find_at(bytes, self.quotes, &self.path) {
            let at = offset + found.range.start as u64;
            if at < self.decided_to {
                continue;
            }
            if at < undecided {
                if !self.room.take(found.kind) {
                    continue;
                }
                let line = self.line(offset, bytes, found.range.start);
                let mut evidence = scanner.evidence(bytes, &found, offset, line);
                evidence.inside = join(self.inside.as_deref(), evidence.inside);
                self.decided_to = offset + found.range.end as u64;
                sink.push(EvidenceItem::Secret(evidence));
            } else {
                // Its line is told when it is decided; at the end of a file that is shorter
                // than it should be, by its byte.
                self.put_back
                    .push(scanner.evidence(bytes, &found, offset, None));
            }
        }
        self.decided_to = self.decided_to.max(undecided);
        if !is_last {
            let next = usize::try_from(undecided.saturating_sub(offset)).unwrap_or(0);
            self.line(offset, bytes, next.min(bytes.len()));
        }
    }

    fn wants_more(&self) -> bool {
        self.scanner.is_some()
    }

    fn finish(self: Box<Self>, sink: &mut Sink) {
        self.end(sink).tell(sink);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use seaworthy_core::ImagePath;
    use seaworthy_image::EntryMeta;
    use seaworthy_secrets::redact::FingerprintKey;

    use super::*;

    const VALUE: &str = "q8Zr2LmX0vTn5KdYq8Zr";

    fn tools() -> Tools {
        let key = FingerprintKey::new([1; 32]);
        Tools {
            secrets: Some(Arc::new(SecretScanner::builtin(key).unwrap())),
            ..Tools::default()
        }
    }

    /// Reads a file of `size` bytes in windows with `new` new bytes each.
    fn read(
        path: &str,
        content: &[u8],
        new: usize,
        size: u64,
        tools: &Tools,
    ) -> Vec<SecretEvidence> {
        let path = ImagePath::new(path);
        let entry = EntryMeta {
            size,
            ..EntryMeta::default()
        };
        let meta = FileMeta { path: &path, entry };
        let mut reader = start(&meta, tools);
        let mut sink = Sink::default();
        let mut at = 0;
        while at < content.len() {
            let end = content.len().min(at + new);
            let from = at.saturating_sub(OVERLAP);
            reader.window(from as u64, &content[from..end], &mut sink);
            at = end;
        }
        reader.finish(&mut sink);
        sink.items()
            .iter()
            .map(|item| match item {
                EvidenceItem::Secret(secret) => secret.clone(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn check(content: &str, expected: &[(u64, u64)]) {
        let tools = tools();
        for new in [64 << 10, 100_001, 1 << 20] {
            let found = read(
                "app/.env",
                content.as_bytes(),
                new,
                content.len() as u64,
                &tools,
            );
            let places: Vec<(u64, u64)> = found
                .iter()
                .map(|secret| (secret.offset, secret.line.unwrap()))
                .collect();
            assert_eq!(places, expected, "windows of {new}");
        }
    }

    #[test]
    fn a_secret_at_any_place_of_a_long_file_is_found_once_with_its_line() {
        let filler = "a line of text\n".repeat(4300);
        let secret = format!("PASSWORD={VALUE}\n");
        let content = format!("{filler}{secret}{filler}{secret}{filler}{secret}");
        let one = (filler.len() + 9) as u64;
        let step = (filler.len() + secret.len()) as u64;
        check(
            &content,
            &[(one, 4301), (one + step, 8602), (one + 2 * step, 12903)],
        );
    }

    #[test]
    fn a_file_shorter_than_it_says_still_gives_its_last_secret() {
        let content = format!("PASSWORD={VALUE}");
        let found = read(".env", content.as_bytes(), 1 << 20, 1 << 30, &tools());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].offset, found[0].line), (9, None));
    }

    #[test]
    fn in_a_binary_formats_count_and_names_do_not() {
        let key = "AKIAQ3EGWT5RLMZ7XYPK";
        let content = format!("\0\0password=\"{VALUE}\"\0\0{key}\0");
        let found = read(
            "bin/app",
            content.as_bytes(),
            1 << 20,
            content.len() as u64,
            &tools(),
        );
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].rule.as_str(), found[0].line),
            ("aws-access-key-id", None)
        );
    }

    #[test]
    fn bare_values_count_in_configuration_only() {
        let content = format!("password={VALUE}\n");
        let count = |path| {
            read(
                path,
                content.as_bytes(),
                1 << 20,
                content.len() as u64,
                &tools(),
            )
            .len()
        };
        assert_eq!((count("etc/app.conf"), count("app/main.py")), (1, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
        /// The law of windows: however a file is cut, the same is found.
        #[test]
        fn windows_of_any_size_find_the_same(
            gaps in prop::collection::vec(0_usize..60_000, 1..6),
            new in OVERLAP + 1..200_000_usize,
        ) {
            let tools = tools();
            let mut content = String::new();
            for gap in gaps {
                content.push_str(&"x\n".repeat(gap));
                content.push_str(&format!("TOKEN={VALUE}\n"));
            }
            let size = content.len() as u64;
            let whole = read(".env", content.as_bytes(), usize::MAX >> 1, size, &tools);
            prop_assert_eq!(read(".env", content.as_bytes(), new, size, &tools), whole);
        }
    }
}
