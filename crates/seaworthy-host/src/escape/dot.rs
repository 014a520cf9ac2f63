//! The graph as Graphviz reads it: containers, the facts their paths stand on, steps, goals.
//!
//! Names are foreign: every label is quoted as the DOT language wants it, and control
//! characters are left out.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Certainty, EscapeGraph, EscapeReport};

/// Writes the graph in the DOT language. Possible paths are dashed.
///
/// # Errors
///
/// When `out` can't be written to.
pub fn write_dot(graph: &EscapeGraph, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "digraph escape {{")?;
    writeln!(out, "  rankdir=LR;")?;
    writeln!(
        out,
        "  node [fontname=\"sans-serif\", shape=box, style=rounded];"
    )?;
    let reports = graph.containers.iter().chain(&graph.host);
    for (number, report) in reports.enumerate() {
        write_report(number, report, out)?;
    }
    writeln!(out, "}}")
}

fn write_report(number: usize, report: &EscapeReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  subgraph cluster_{number} {{")?;
    writeln!(out, "    label=\"{}\";", label(&report.name))?;
    writeln!(
        out,
        "    start_{number} [label=\"code in it\", shape=ellipse];"
    )?;
    // A step may stand in several paths; it is certain where any of them is.
    let mut edges: BTreeMap<(String, String), Certainty> = BTreeMap::new();
    let mut nodes: BTreeMap<String, String> = BTreeMap::new();
    for path in &report.paths {
        let mut from = format!("start_{number}");
        for step in &path.steps {
            let grounds: Vec<String> = step
                .grounds
                .iter()
                .map(|ground| format!("{}: {}", label(&ground.place), label(&ground.found)))
                .collect();
            let rule = format!("rule_{number}_{}", step.rule.replace('-', "_"));
            let state = format!("state_{number}_{:?}", step.gives);
            nodes.insert(
                rule.clone(),
                format!(
                    "label=\"{}\\n{}\", shape=note, style=solid",
                    label(&step.story),
                    grounds.join("\\n")
                ),
            );
            nodes.insert(
                state.clone(),
                format!("label=\"{}\", style=bold", step.gives.title()),
            );
            for edge in [(from.clone(), rule.clone()), (rule, state.clone())] {
                let known = edges.entry(edge).or_insert(path.certainty);
                *known = (*known).min(path.certainty);
            }
            from = state;
        }
    }
    for (id, attributes) in &nodes {
        writeln!(out, "    {id} [{attributes}];")?;
    }
    for ((from, to), certainty) in &edges {
        let style = match certainty {
            Certainty::Certain => "solid",
            Certainty::Possible => "dashed",
        };
        writeln!(out, "    {from} -> {to} [style={style}];")?;
    }
    writeln!(out, "  }}")
}

fn label(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(160)
        .flat_map(|c| match c {
            '"' => vec!['\\', '"'],
            '\\' => vec!['\\', '\\'],
            other => vec![other],
        })
        .collect()
}
