//! Everything that looks at the content of every file, whatever it is.
//!
//! One analyzer asks all engines: a file is read once, unpacked once, and what it holds goes to
//! each of them. Off unless the [`crate::AnalyzerSet`] was given a tool for it: it costs a pass
//! over all bytes.
//!
//! To add an engine, write one file that says in an [`Engine`] what it is, add a tool to
//! [`Tools`], one line to [`ENGINES`] and one call to `examine`.

pub mod clamd;
pub mod config;
mod examine;
pub mod git_objects;
pub mod heuristics;
pub mod key_files;
pub mod secrets;
pub mod signatures;
pub mod yara;

use seaworthy_core::Meta;

pub use examine::look;

use crate::{Analyzer, Interest, Reader, Tools};

/// The row of the list of analyzers.
pub const ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "content",
        revision: 1,
        summary: "Malware, keys, tokens and passwords in every file of every layer",
        references: &["https://cwe.mitre.org/data/definitions/506.html"],
    },
    interest: Interest::EveryRegularFile,
    reader: Reader::Examine {
        look,
        overlap: secrets::OVERLAP,
        start: secrets::start,
    },
};

/// What looks at files of certain names along with the secrets.
pub const KEY_ANALYZERS: &[Analyzer] = &[key_files::ANALYZER, git_objects::ANALYZER];

/// Something that looks into files.
pub struct Engine {
    /// Id, revision of how it is asked, summary and references.
    pub meta: Meta,
    /// The revision of what it knows; `None` where the tools are without it.
    pub revision: fn(&Tools) -> Option<u64>,
}

/// All of them, for help, support tables and the cache's key.
pub const ENGINES: &[Engine] = &[
    signatures::ENGINE,
    yara::ENGINE,
    clamd::ENGINE,
    heuristics::ENGINE,
    secrets::ENGINE,
];

/// The engines that these tools have, each with a number for what it is and knows, and how much
/// they unpack.
pub(crate) fn revisions(tools: &Tools) -> impl Iterator<Item = (String, u64)> {
    let unpack = tools
        .look_into_files()
        .then(|| (format!("unpack {:?}", tools.unpack), 0));
    let engines = ENGINES.iter().filter_map(|engine| {
        let revision = (engine.revision)(tools)?;
        Some((
            format!("{} {}", engine.meta.id, engine.meta.revision),
            revision,
        ))
    });
    engines.chain(unpack)
}
