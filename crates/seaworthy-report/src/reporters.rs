use std::io::{self, Write};

use seaworthy_core::Meta;

use crate::{Report, json, table};

/// How a rendering for people looks. Renderings for machines do not listen to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderOptions {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether escape sequences for colours are welcome.
    pub colour: bool,
    /// Whether the terminal shows more than ASCII.
    pub unicode: bool,
    /// Whether everything is listed, however long.
    pub details: bool,
}

impl Default for RenderOptions {
    fn default() -> RenderOptions {
        RenderOptions {
            width: 80,
            colour: false,
            unicode: true,
            details: false,
        }
    }
}

/// A rendering of reports.
pub struct Reporter {
    /// What it is; the id is what `--format` takes.
    pub meta: Meta,
    /// Whether people read it, so that width, colour and a pager make sense.
    pub for_people: bool,
    /// Writes a report.
    pub write: fn(&Report, &RenderOptions, &mut dyn Write) -> io::Result<()>,
}

static REPORTERS: &[Reporter] = &[
    Reporter {
        meta: Meta {
            id: "table",
            revision: 1,
            summary: "verdict, what to do, and findings by package, for people",
            references: &[],
        },
        for_people: true,
        write: table::write,
    },
    Reporter {
        meta: Meta {
            id: "json",
            revision: 1,
            summary: "the whole report, versioned, for machines",
            references: &["crates/seaworthy-report/schema/report-v1.schema.json"],
        },
        for_people: false,
        write: json::write,
    },
];

/// All renderings, the default first.
pub fn reporters() -> &'static [Reporter] {
    REPORTERS
}

/// The rendering of that name.
pub fn reporter(id: &str) -> Option<&'static Reporter> {
    REPORTERS.iter().find(|reporter| reporter.meta.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_every_row_is_described() {
        let ids: BTreeSet<_> = reporters().iter().map(|row| row.meta.id).collect();
        assert_eq!(ids.len(), reporters().len());
        for row in reporters() {
            assert!(!row.meta.summary.is_empty() && row.meta.revision > 0);
            assert!(reporter(row.meta.id).is_some());
        }
    }
}
