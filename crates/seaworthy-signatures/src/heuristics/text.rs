//! What the content rules share: telling text from bytes, lines, words that name programs.

use std::borrow::Cow;
use std::collections::BTreeSet;

use regex::bytes::Regex;

/// Longest text that the content rules read, in bytes: scripts and configuration are far
/// smaller, and what is bigger is data.
pub(super) const TEXT_CAP: usize = 1 << 20;

/// One of our own patterns, over bytes and ASCII: its letters and spaces are those of programs.
#[expect(
    clippy::unwrap_used,
    reason = "the patterns are ours, and the samples of the rules make every one"
)]
pub(super) fn pattern(pattern: &str) -> Regex {
    Regex::new(&format!("(?-u){pattern}")).unwrap()
}

/// Bytes that decide whether a file is text.
const SNIFF: usize = 1024;

/// Whether the first bytes look like text in an ASCII-compatible encoding. A few odd bytes among
/// them do not count: no interpreter minds them in a comment.
pub(crate) fn is_mostly_text(bytes: &[u8]) -> bool {
    let head = bytes.get(..SNIFF).unwrap_or(bytes);
    let odd = head
        .iter()
        .filter(|&&b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
        .count();
    !head.is_empty() && odd * 20 <= head.len()
}

/// A file as the content rules read it.
pub(super) struct Readable<'b> {
    /// Its text, without NULs; of a long one its start and its end.
    pub bytes: Cow<'b, [u8]>,
    /// The byte from which offsets lack what was left out, and how much that is.
    pub gap: Option<(u64, u64)>,
}

/// Makes a file readable: shells and other readers pass over NULs, and what is longer than the
/// cap is read at both ends, because padding has no other place than between or beside them.
pub(super) fn readable(bytes: &[u8]) -> Readable<'_> {
    let half = TEXT_CAP / 2;
    let tail = bytes.len().saturating_sub(half - 1);
    let (mut text, gap) = match (bytes.get(..half), bytes.get(tail..)) {
        (Some(head), Some(end)) if bytes.len() > TEXT_CAP => {
            // A line of its own between them, so that no rule sees the two as neighbours.
            let joined = [head, b"\n", end].concat();
            let left_out = tail.saturating_sub(half + 1);
            (Cow::Owned(joined), Some((half as u64 + 1, left_out as u64)))
        }
        _ => (Cow::Borrowed(bytes), None),
    };
    if memchr::memchr(0, &text).is_some() {
        for byte in text.to_mut() {
            if *byte == 0 {
                *byte = b' ';
            }
        }
    }
    Readable { bytes: text, gap }
}

/// Shell text without quotes, escapes and the ends of lines that go on.
pub(super) fn without_quotes(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().peekable();
    while let Some(&byte) = rest.next() {
        match byte {
            b'"' | b'\'' => {}
            b'\\' => {
                rest.next_if(|next| **next == b'\n');
            }
            _ => out.push(byte),
        }
    }
    out
}

/// The interpreter that the `#!` line names, without its folder: `sh` for `#!/bin/sh -e`,
/// `python3` for `#!/usr/bin/env python3`.
pub(super) fn shebang(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let line = bytes.strip_prefix(b"#!")?;
    let end = line.iter().take(256).position(|&b| b == b'\n');
    let line = match end {
        Some(end) => line.get(..end)?,
        None => line.get(..256).unwrap_or(line),
    };
    let text = String::from_utf8_lossy(line);
    let mut words = text
        .split_whitespace()
        .map(|word| word.rsplit('/').next().unwrap_or(word));
    let mut first = words.next()?;
    if first == "env" || first == "busybox" {
        first = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    }
    Some(Cow::Owned(first.to_owned()))
}

/// Whether a program's name is that of a shell.
pub(super) fn is_shell(name: &str) -> bool {
    matches!(
        name,
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "mksh" | "csh" | "tcsh" | "fish" | "rbash"
    )
}

/// Whether a program's name is that of something that runs code from its standard input.
pub(super) fn is_interpreter(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    is_shell(name)
        || matches!(
            stem,
            "python" | "perl" | "ruby" | "node" | "nodejs" | "php" | "lua"
        )
}

/// Lines with the byte at which each begins.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    bytes.split(|&b| b == b'\n').map(move |line| {
        let start = at;
        at += line.len() + 1;
        (start, line.strip_suffix(b"\r").unwrap_or(line))
    })
}

/// Text that may hold bytes that are no UTF-8, up to the cap.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.get(..TEXT_CAP).unwrap_or(bytes))
}

/// An offset as evidence keeps it.
pub(super) fn offset(at: usize) -> Option<u64> {
    u64::try_from(at).ok()
}

/// Whether a word is a path or a program's name and nothing else: no value of a secret is.
pub(super) fn is_name(word: &str) -> bool {
    let path = word.strip_prefix('/');
    let body = path.unwrap_or(word);
    (2..=256).contains(&word.len())
        && (path.is_some() || word.len() <= 40)
        && body.bytes().any(|b| b.is_ascii_alphabetic() || b == b'.')
        && body
            .chars()
            .all(|c| c.is_alphanumeric() || "/._+-@:[]%".contains(c))
}

/// At most this many words of one starter are kept.
const WORDS: usize = 512;

/// A bounded set of names that a starter starts.
#[derive(Default)]
pub(super) struct Names(BTreeSet<Box<str>>);

impl Names {
    /// Adds a word that may be a path or name; anything else is passed over.
    pub(super) fn add(&mut self, word: &str) {
        let word = word.trim_matches(|c| matches!(c, '"' | '\'' | ',' | ';' | '(' | ')'));
        if self.0.len() < WORDS && is_name(word) {
            self.0.insert(word.into());
        }
    }

    /// Sorted, each once.
    pub(super) fn finish(self) -> Vec<Box<str>> {
        self.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shebang_names_the_interpreter_even_through_env() {
        assert_eq!(shebang(b"#!/bin/sh -e\n").as_deref(), Some("sh"));
        assert_eq!(
            shebang(b"#!/usr/bin/env -S python3 -u\n").as_deref(),
            Some("python3")
        );
        assert_eq!(shebang(b"#\n"), None);
        assert_eq!(shebang(b"#!"), None);
    }

    #[test]
    fn values_are_no_names() {
        assert!(
            is_name("/usr/bin/x") && is_name("xmrig") && is_name("/a b".trim_end_matches(" b"))
        );
        assert!(!is_name("PASS=abc") && !is_name("$HOME/x") && !is_name("123"));
    }
}
