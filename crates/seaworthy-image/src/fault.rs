//! Errors that travel through `std::io::Read` and keep what they mean.

use std::fmt;
use std::io;

use seaworthy_core::{Problem, ProblemKind};

/// The inside of an `io::Error` whose meaning is known.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// What kind of problem it is, and its message.
    Problem(ProblemKind, String),
    /// The user asked to stop.
    Cancelled,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Problem(_, message) => f.write_str(message),
            Fault::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Fault {}

/// An error that will be a problem of this kind.
pub(crate) fn problem(kind: ProblemKind, message: impl Into<String>) -> io::Error {
    io::Error::other(Fault::Problem(kind, message.into()))
}

/// The error that stops everything.
pub(crate) fn cancelled() -> io::Error {
    io::Error::other(Fault::Cancelled)
}

/// The meaning inside, where there is one.
pub(crate) fn meaning(error: &io::Error) -> Option<&Fault> {
    error.get_ref()?.downcast_ref()
}

/// A second error of the same meaning.
pub(crate) fn copy_of(error: &io::Error) -> io::Error {
    match meaning(error) {
        Some(fault) => io::Error::new(error.kind(), fault.clone()),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// The problem an error is; `None` for a wish to stop.
pub(crate) fn to_problem(error: &io::Error) -> Option<Problem> {
    match meaning(error) {
        Some(Fault::Problem(kind, message)) => Some(Problem::new(*kind, message.clone())),
        Some(Fault::Cancelled) => None,
        None => Some(Problem::new(ProblemKind::Unreadable, error.to_string())),
    }
}
