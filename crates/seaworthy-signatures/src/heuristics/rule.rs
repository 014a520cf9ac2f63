//! How a rule describes itself.

use seaworthy_core::{MalwareBasis, Meta, Severity};

/// What a rule needs to see before it can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One file alone.
    File,
    /// The package records of the whole image.
    Image,
    /// The image's configuration.
    Start,
}

/// One rule: a row in [`RULES`](super::RULES), which help pages and documentation are made of.
#[derive(Debug, Clone, Copy)]
pub struct HeuristicRule {
    /// Id, revision, summary, references.
    pub meta: Meta,
    /// How bad it is in the final view, before what starts it is known.
    pub severity: Severity,
    /// What its findings rest on.
    pub basis: MalwareBasis,
    /// MITRE ATT&CK technique.
    pub attack: &'static str,
    /// What it needs to see.
    pub scope: Scope,
    /// What to do about a finding, beyond removing the file.
    pub advice: &'static str,
    /// It speaks about these.
    pub positive: &'static [Sample],
    /// And keeps silent about these, which look alike.
    pub negative: &'static [Sample],
}

/// A small thing that a rule is tried on.
#[derive(Debug, Clone, Copy)]
pub enum Sample {
    /// A file.
    File {
        /// Where it lies, without a leading slash.
        path: &'static str,
        /// Permission bits.
        mode: u32,
        /// Its content.
        content: &'static [u8],
    },
    /// A live executable file beside a package's record of it.
    Installed {
        /// Where it lies.
        path: &'static str,
        /// Permission bits.
        mode: u32,
        /// The digest the package recorded; `None`: no package owns the file.
        recorded: Option<&'static str>,
        /// The digest it has.
        actual: &'static str,
    },
    /// A command of an image, with what its environment preloads.
    Start {
        /// Entrypoint or command, as words.
        words: &'static [&'static str],
        /// `LD_PRELOAD`.
        preload: &'static [&'static str],
    },
}

/// A text file that nobody may execute.
pub(crate) const fn text(path: &'static str, content: &'static str) -> Sample {
    Sample::File {
        path,
        mode: 0o644,
        content: content.as_bytes(),
    }
}

/// An executable text file.
pub(crate) const fn script(path: &'static str, content: &'static str) -> Sample {
    Sample::File {
        path,
        mode: 0o755,
        content: content.as_bytes(),
    }
}

/// An executable that begins like an ELF program, and has no more than a header.
pub(crate) const fn program(path: &'static str) -> Sample {
    Sample::File {
        path,
        mode: 0o755,
        content: PROGRAM,
    }
}

/// The header of a 64-bit x86 program with a section table that says nothing.
pub(crate) const PROGRAM: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0\
    \0\0\x40\0\0\0\0\0\x40\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\
    \0\0\0\0\x40\0\x38\0\0\0\x40\0\x01\0\0\0";
