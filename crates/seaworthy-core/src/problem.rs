use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ImagePath;

/// What kind of thing went wrong, which decides what it means for the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// Bytes that do not follow their format: the rest of that file or layer is unknown.
    Malformed,
    /// A limit was reached; what lies behind it was not looked at.
    LimitReached,
    /// Something could not be read: permission, missing file, broken connection.
    Unreadable,
    /// A format or feature this program does not understand.
    Unsupported,
    /// A name or link that points out of the image; it was not followed.
    UnsafePath,
    /// Content whose digest is not the one that was promised.
    DigestMismatch,
    /// Worth knowing, but nothing was lost: the result is still complete.
    Notice,
}

impl ProblemKind {
    /// The kebab-case word used in documents and policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            ProblemKind::Malformed => "malformed",
            ProblemKind::LimitReached => "limit-reached",
            ProblemKind::Unreadable => "unreadable",
            ProblemKind::Unsupported => "unsupported",
            ProblemKind::UnsafePath => "unsafe-path",
            ProblemKind::DigestMismatch => "digest-mismatch",
            ProblemKind::Notice => "notice",
        }
    }
}

/// Something that went wrong and did not stop the run.
///
/// Problems are never dropped: they reach the report, and any kind but
/// [`ProblemKind::Notice`] makes the verdict "incomplete".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// What kind it is.
    pub kind: ProblemKind,
    /// The layer it happened in, counted from 0 at the base; `None` outside of layers.
    pub layer: Option<u32>,
    /// The file inside the image, where there is one.
    pub path: Option<ImagePath>,
    /// What happened, lower case, without a full stop.
    pub message: String,
}

impl Problem {
    /// A problem with no place yet.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Problem {
        Problem {
            kind,
            layer: None,
            path: None,
            message: message.into(),
        }
    }

    /// The same problem, at a path.
    #[must_use]
    pub fn at(mut self, path: &ImagePath) -> Problem {
        self.path = Some(path.clone());
        self
    }

    /// The same problem, in a layer.
    #[must_use]
    pub fn in_layer(mut self, index: u32) -> Problem {
        self.layer = Some(index);
        self
    }

    /// Whether something may have been missed because of it.
    pub fn makes_incomplete(&self) -> bool {
        self.kind != ProblemKind::Notice
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "layer {layer}: ")?;
        }
        if let Some(path) = &self.path {
            write!(f, "`{path}`: ")?;
        }
        f.write_str(&self.message)
    }
}
