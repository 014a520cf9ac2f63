use std::sync::Arc;

use seaworthy_core::PathSet;
use seaworthy_secrets::scanner::SecretScanner;
use xxhash_rust::xxh3::Xxh3;

use crate::interest::{AnalyzerIndex, InterestSet};
use crate::{Analyzer, Interest, Reader, Tools, catalogers, content};

/// Raised whenever the pass itself, and no analyzer, gives another result for the same
/// layer, or the shape of the evidence changes.
const PASS_REVISION: u32 = 2;

/// A list of analyzers, compiled.
pub struct AnalyzerSet {
    analyzers: Vec<Analyzer>,
    interests: InterestSet,
    tools: Tools,
    revision_key: u64,
}

impl AnalyzerSet {
    /// Compiles a list.
    pub fn new(analyzers: &[Analyzer]) -> AnalyzerSet {
        AnalyzerSet::with_tools(analyzers.to_vec(), Tools::default())
    }

    /// All catalogers this program has.
    pub fn builtin() -> AnalyzerSet {
        AnalyzerSet::new(catalogers::ANALYZERS)
    }

    /// The same set, looking for secrets too.
    #[must_use]
    pub fn with_secrets(self, scanner: Arc<SecretScanner>) -> AnalyzerSet {
        let mut analyzers = self.analyzers;
        analyzers.push(content::secrets::ANALYZER);
        analyzers.push(content::key_files::ANALYZER);
        analyzers.push(content::git_objects::ANALYZER);
        let tools = Tools {
            secrets: Some(scanner),
        };
        AnalyzerSet::with_tools(analyzers, tools)
    }

    fn with_tools(analyzers: Vec<Analyzer>, tools: Tools) -> AnalyzerSet {
        AnalyzerSet {
            interests: InterestSet::new(&analyzers),
            revision_key: revision_key(&analyzers, &tools),
            analyzers,
            tools,
        }
    }

    /// The rows, for help and support tables.
    pub fn analyzers(&self) -> &[Analyzer] {
        &self.analyzers
    }

    /// What readers need beside their file.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// A number that differs when this set can see something else in the same layer: it
    /// covers ids, revisions, interests and caps, whatever their order, and the tools.
    pub fn revision_key(&self) -> u64 {
        self.revision_key
    }

    /// The ids of the analyzers that want the file at `path` because of its path.
    pub fn wanted_by_path(&self, path: &str) -> Vec<&'static str> {
        let mut wanted = Vec::new();
        self.interests
            .wanted_by_path(path, PathSet::hash(path), &mut wanted);
        wanted
            .into_iter()
            .filter_map(|index| self.get(index))
            .map(|analyzer| analyzer.meta.id)
            .collect()
    }

    pub(crate) fn interests(&self) -> &InterestSet {
        &self.interests
    }

    pub(crate) fn get(&self, index: AnalyzerIndex) -> Option<&Analyzer> {
        self.analyzers.get(usize::from(index))
    }
}

fn revision_key(analyzers: &[Analyzer], tools: &Tools) -> u64 {
    let mut rows: Vec<String> = analyzers
        .iter()
        .map(|analyzer| {
            let interest = match analyzer.interest {
                Interest::Paths(globs) => format!("paths {globs:?}"),
                Interest::Magic(magics) => format!("magic {magics:?}"),
                Interest::EveryRegularFile => "every".to_owned(),
            };
            let reader = match analyzer.reader {
                Reader::Whole { cap, .. } => format!("whole {cap}"),
                Reader::Stream { overlap, .. } => format!("stream {overlap}"),
            };
            let meta = analyzer.meta;
            format!("{} {} {interest} {reader}\n", meta.id, meta.revision)
        })
        .collect();
    rows.sort_unstable();
    let mut hasher = Xxh3::new();
    hasher.update(&PASS_REVISION.to_le_bytes());
    for row in rows {
        hasher.update(row.as_bytes());
    }
    if let Some(scanner) = &tools.secrets {
        hasher.update(&scanner.revision().to_le_bytes());
    }
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_describes_itself_under_its_own_id() {
        let mut ids = BTreeSet::new();
        for analyzer in catalogers::ANALYZERS.iter().chain(content::ANALYZERS) {
            let meta = analyzer.meta;
            assert!(ids.insert(meta.id), "two analyzers are called {}", meta.id);
            assert!(
                !meta.summary.is_empty() && !meta.references.is_empty(),
                "{}",
                meta.id
            );
            assert!(meta.revision > 0, "{}", meta.id);
            match analyzer.interest {
                Interest::Paths(globs) => {
                    assert!(!globs.is_empty(), "{}", meta.id);
                    for glob in globs {
                        assert!(!glob.is_empty() && !glob.starts_with('/'), "{glob}");
                    }
                }
                Interest::Magic(magics) => {
                    assert!(magics.iter().all(|magic| magic.len() >= 2), "{}", meta.id);
                }
                Interest::EveryRegularFile => {}
            }
        }
    }

    #[test]
    fn the_key_changes_with_a_revision_and_not_with_the_order() {
        let mut rows = catalogers::ANALYZERS.to_vec();
        let key = revision_key(&rows, &Tools::default());
        rows.reverse();
        assert_eq!(revision_key(&rows, &Tools::default()), key);
        rows[0].meta.revision += 1;
        assert_ne!(revision_key(&rows, &Tools::default()), key);
    }
}
