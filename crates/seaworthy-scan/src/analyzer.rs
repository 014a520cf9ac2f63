//! What an analyzer is: a row that says what it wants to see and how it reads it.

use std::sync::Arc;

use seaworthy_core::{EvidenceItem, ImagePath, Meta, Problem, ProblemKind};
use seaworthy_image::EntryMeta;
use seaworthy_secrets::scanner::SecretScanner;
use seaworthy_signatures::SignatureSet;
use seaworthy_signatures::yara::RuleEngine;
use seaworthy_unpack::Limits;

use crate::content::clamd::ClamdTool;

/// One row of the list of analyzers. Everything about it is in the row: the compiled
/// interest, help texts, support tables and cache keys are derived.
#[derive(Clone, Copy)]
pub struct Analyzer {
    /// Name, revision, summary and references. The revision is part of the cache key:
    /// raise it whenever the same file gives another result.
    pub meta: Meta,
    /// Which files it wants to see.
    pub interest: Interest,
    /// How it reads them.
    pub reader: Reader,
}

/// Which regular files an analyzer wants to see.
#[derive(Clone, Copy)]
pub enum Interest {
    /// Files whose whole path matches one of these globs, without a leading slash. `*`
    /// stands for any text inside one component, `**` for any number of whole
    /// components, none included; nothing else is special.
    Paths(&'static [&'static str]),
    /// Files that begin with one of these bytes, whatever they are called.
    Magic(&'static [&'static [u8]]),
    /// Every regular file.
    EveryRegularFile,
}

/// How an analyzer reads a file. The content is read once, however many analyzers want it.
#[derive(Clone, Copy)]
pub enum Reader {
    /// The whole file at once.
    Whole {
        /// The largest file it takes, in bytes; a larger one gives a
        /// [`ProblemKind::LimitReached`] instead.
        cap: usize,
        /// Reads the content. It gives what it understood and says what was wrong.
        parse: fn(&FileMeta<'_>, &[u8], &mut Sink),
    },
    /// Window by window, whatever the size.
    Stream {
        /// Bytes at the end of a window that the next one begins with, at most
        /// [`MAX_OVERLAP`]: what it looks for is not cut at a border if it is shorter.
        overlap: usize,
        /// Begins with a file.
        start: fn(&FileMeta<'_>, &Tools) -> Box<dyn StreamReader>,
    },
    /// The whole file in one piece up to [`MAX_EXAMINED`]: without a copy where it is in
    /// memory already, in a buffer up to a few megabytes, in a mapped file without a name above
    /// that. A larger one window by window.
    Examine {
        /// Looks at the whole content.
        look: fn(&FileMeta<'_>, &[u8], &Tools, &mut Sink),
        /// As in [`Reader::Stream`], for files above the bound.
        overlap: usize,
        /// Begins with a file above the bound.
        start: fn(&FileMeta<'_>, &Tools) -> Box<dyn StreamReader>,
    },
}

/// The largest file that [`Reader::Examine`] sees in one piece, in bytes.
pub const MAX_EXAMINED: u64 = 4 << 30;

/// What readers need that is made when the program runs: compiled rules, keys. Rows are plain
/// data known when the program is built, so that tables can be derived from them; what has
/// state belongs to the [`crate::AnalyzerSet`], which lends it to each reader, instead of to a
/// global that two scans of one process would have to share.
#[derive(Clone, Default)]
pub struct Tools {
    /// Finds secrets; `None` where nobody wants them looked for.
    pub secrets: Option<Arc<SecretScanner>>,
    /// Cuts secrets out of the history and commands that a report shows, whether or not they are
    /// reported. Without it `secrets` does that.
    pub redactor: Option<Arc<SecretScanner>>,
    /// Malware signatures; `None` where nobody wants them, or none are installed.
    pub signatures: Option<Arc<SignatureSet>>,
    /// YARA rules; `None` where nobody wants any.
    pub yara: Option<Arc<dyn RuleEngine>>,
    /// A ClamAV daemon; `None` where nobody wants one asked.
    pub clamd: Option<Arc<ClamdTool>>,
    /// Whether our own rules about malware are asked.
    pub heuristics: bool,
    /// How much is unpacked of one file.
    pub unpack: Limits,
}

impl Tools {
    /// Whether any of them looks into files.
    pub fn look_into_files(&self) -> bool {
        self.secrets.is_some()
            || self.signatures.is_some()
            || self.yara.is_some()
            || self.clamd.is_some()
            || self.heuristics
    }
}

/// The largest overlap of windows, in bytes; a greater wish is cut to it.
pub const MAX_OVERLAP: usize = 1 << 20;

/// The file an analyzer is asked about.
#[derive(Clone, Copy)]
pub struct FileMeta<'a> {
    /// Where it is.
    pub path: &'a ImagePath,
    /// Its size, owner and mode. A hard link shows those of its target.
    pub entry: EntryMeta,
}

/// An analyzer in the middle of one file.
pub trait StreamReader {
    /// The next part of the file. `bytes` begins `offset` bytes into the file; its first
    /// bytes, up to the overlap, are the last ones of the window before.
    fn window(&mut self, offset: u64, bytes: &[u8], sink: &mut Sink);

    /// Whether it wants to see more of this file. Once every reader of a file says no, the
    /// rest of it is skipped.
    fn wants_more(&self) -> bool {
        true
    }

    /// The file has ended.
    fn finish(self: Box<Self>, sink: &mut Sink);
}

/// Where an analyzer puts what one file says and what was wrong with it.
///
/// Bounded: a hostile file can't make it grow without end. What goes over a bound is
/// dropped and said once as a [`ProblemKind::LimitReached`].
#[derive(Debug, Default)]
pub struct Sink {
    items: Vec<EvidenceItem>,
    problems: Vec<Problem>,
    items_dropped: u64,
    problems_dropped: u64,
}

/// Items of one file: real package databases hold some thousands.
const MAX_ITEMS: usize = 250_000;
/// Problems of one file: enough to see what is wrong with it.
const MAX_PROBLEMS: usize = 32;

impl Sink {
    /// Adds what the file says.
    pub fn push(&mut self, item: EvidenceItem) {
        if self.items.len() < MAX_ITEMS {
            self.items.push(item);
        } else {
            self.items_dropped += 1;
        }
    }

    /// Adds what is wrong with the file. The path is added by the caller.
    pub fn problem(&mut self, kind: ProblemKind, message: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::new(kind, message));
        } else {
            self.problems_dropped += 1;
        }
    }

    /// What was added so far, in that order.
    pub fn items(&self) -> &[EvidenceItem] {
        &self.items
    }

    /// The items and the problems, with what was dropped said.
    pub fn into_parts(mut self) -> (Vec<EvidenceItem>, Vec<Problem>) {
        if self.items_dropped > 0 {
            self.problems.push(Problem::new(
                ProblemKind::LimitReached,
                format!(
                    "the file says more than {MAX_ITEMS} things; {} were dropped",
                    self.items_dropped
                ),
            ));
        }
        if self.problems_dropped > 0 {
            self.problems.push(Problem::new(
                ProblemKind::LimitReached,
                format!("{} more problems in this file", self.problems_dropped),
            ));
        }
        (self.items, self.problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_full_of_faults_gives_few_problems_and_their_count() {
        let mut sink = Sink::default();
        for _ in 0..1000 {
            sink.problem(ProblemKind::Malformed, "bad line");
        }
        let (_, problems) = sink.into_parts();
        assert_eq!(problems.len(), MAX_PROBLEMS + 1);
        assert_eq!(
            problems.last().map(|p| p.message.as_str()),
            Some("968 more problems in this file")
        );
    }
}
