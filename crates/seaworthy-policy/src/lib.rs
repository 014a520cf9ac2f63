//! Findings, policy and exceptions to a verdict.
//!
//! A [`Policy`] is what `seaworthy.toml` and the command line ask for; [`evaluate`] holds
//! findings, coverage gaps and problems against it and gives a [`Verdict`]. Both are pure:
//! the text of the file and the day are handed in.
//!
//! Three outcomes: [`Outcome::Seaworthy`], [`Outcome::Unseaworthy`], and
//! [`Outcome::Incomplete`] where nothing speaks against the image but something could not
//! be judged. An absence of findings is only worth something where the looking was whole.
//!
//! What is absent: where a finding came from. Policy sees severities, ids, packages, paths
//! and certainties; nothing here knows of layers, databases or hosts.

mod evaluate;
mod file;
mod policy;
mod suggest;
mod words;

pub use evaluate::{Judgement, Note, Outcome, Reason, Verdict, evaluate};
pub use file::PolicyError;
pub use policy::{Ignore, Policy};
pub use suggest::nearest;
pub use words::{parse_word, words_of};
