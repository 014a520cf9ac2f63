use seaworthy_advisory::ecosystems::ECOSYSTEMS;
use seaworthy_scan::AnalyzerSet;

/// One kind of thing the program can handle, with all it knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportGroup {
    /// What they are.
    pub title: &'static str,
    /// The things.
    pub rows: Vec<SupportRow>,
}

/// One thing the program can handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportRow {
    /// Its name.
    pub id: String,
    /// One sentence about it.
    pub summary: String,
}

/// Everything this build can handle, taken from the lists that do the work.
pub fn supported() -> Vec<SupportGroup> {
    let row = |id: &str, summary: &str| SupportRow {
        id: id.to_owned(),
        summary: summary.to_owned(),
    };
    vec![
        SupportGroup {
            title: "Image sources",
            rows: seaworthy_image::SOURCES
                .iter()
                .map(|source| {
                    let id = format!("{}:{}", source.kind.as_str(), source.syntax);
                    row(&id, source.summary)
                })
                .collect(),
        },
        SupportGroup {
            title: "Package records in images",
            rows: AnalyzerSet::builtin()
                .analyzers()
                .iter()
                .map(|analyzer| row(analyzer.meta.id, analyzer.meta.summary))
                .collect(),
        },
        SupportGroup {
            title: "Content of files in images",
            rows: seaworthy_scan::content::ENGINES
                .iter()
                .map(|engine| engine.meta)
                .chain(
                    seaworthy_scan::content::KEY_ANALYZERS
                        .iter()
                        .map(|row| row.meta),
                )
                .map(|meta| row(meta.id, meta.summary))
                .collect(),
        },
        SupportGroup {
            title: "Advisories",
            rows: ECOSYSTEMS
                .iter()
                .map(|ecosystem| {
                    let kind = format!(
                        "{} packages, versions in {} order",
                        ecosystem.package_type,
                        ecosystem.scheme.name()
                    );
                    row(ecosystem.name, &kind)
                })
                .collect(),
        },
        SupportGroup {
            title: "Report formats",
            rows: seaworthy_report::reporters()
                .iter()
                .map(|reporter| row(reporter.meta.id, reporter.meta.summary))
                .collect(),
        },
    ]
}
