//! Escape paths for people: each container's worst path as a story, and what cuts it.

use std::io::{self, Write};

use seaworthy_host::escape::{Certainty, Cut, EscapeGraph, EscapePath, EscapeReport};
use seaworthy_report::{RenderOptions, printable};

use super::table::{BOLD, GREEN, Paint, RED, YELLOW, write_some};

/// Writes all paths: containers with any, worst first, then the host. Foreign text is made
/// safe to print.
///
/// # Errors
///
/// When `out` can't be written to.
pub fn write_escape_table(
    graph: &EscapeGraph,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let paint = Paint {
        colour: options.colour,
    };
    let certain = graph.containers.iter().filter(|r| r.worst().is_some());
    writeln!(
        out,
        "\n{}  {} containers with a path to the host, {} with a possible one, {} with none, {} not known",
        paint.with(BOLD, "escape paths"),
        certain.clone().count(),
        graph.containers.len() - certain.count(),
        graph.without_path.len(),
        graph.unknown.len()
    )?;
    write_some(graph.containers.len(), options, out, |index, out| {
        write_report(&graph.containers[index], options, &paint, out)
    })?;
    match &graph.host {
        Some(host) => write_report(host, options, &paint, out),
        None => Ok(()),
    }
}

fn write_report(
    report: &EscapeReport,
    options: &RenderOptions,
    paint: &Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    let goals = |certainty: Certainty| -> Vec<&str> {
        let paths = report.paths.iter().filter(|p| p.certainty == certainty);
        paths.map(|path| path.goal.title()).collect()
    };
    let (sure, maybe) = (goals(Certainty::Certain), goals(Certainty::Possible));
    writeln!(out, "  {}", paint.with(BOLD, &printable(&report.name)))?;
    if !sure.is_empty() {
        writeln!(out, "    reaches {}", paint.with(RED, &sure.join(", ")))?;
    }
    if !maybe.is_empty() {
        let line = format!("undetermined: {}", maybe.join(", "));
        writeln!(out, "    {}", paint.with(YELLOW, &line))?;
    }
    let is_shown = |path: &&EscapePath| options.details || path.certainty == Certainty::Certain;
    let shown: Vec<&EscapePath> = report.paths.iter().filter(is_shown).collect();
    let count = if options.details { shown.len() } else { 1 };
    for path in shown.into_iter().take(count) {
        write_path(path, out)?;
    }
    write_cut("cheapest cut", &report.cut, paint, out)?;
    if report.full_cut != report.cut && (options.details || sure.is_empty()) {
        write_cut("with undetermined paths", &report.full_cut, paint, out)?;
    }
    Ok(())
}

fn write_path(path: &EscapePath, out: &mut dyn Write) -> io::Result<()> {
    let word = match path.certainty {
        Certainty::Certain => "path",
        Certainty::Possible => "possible path",
    };
    writeln!(out, "    {word} to {}:", path.goal.title())?;
    for (number, step) in path.steps.iter().enumerate() {
        let attack = if step.attack.is_empty() {
            String::new()
        } else {
            format!("  [{}]", step.attack.join(", "))
        };
        writeln!(out, "      {}. {}{attack}", number + 1, step.story)?;
        for ground in &step.grounds {
            writeln!(
                out,
                "         {} {}: {}",
                if ground.is_certain { "-" } else { "?" },
                printable(&ground.place),
                printable(&ground.found)
            )?;
        }
    }
    Ok(())
}

fn write_cut(title: &str, cut: &Cut, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    if cut.changes.is_empty() && cut.still_open.is_empty() {
        return Ok(());
    }
    let bound = if cut.at_least < cut.cost {
        format!(", none costs less than {}", cut.at_least)
    } else {
        String::new()
    };
    writeln!(out, "    {title} (cost {}{bound}):", cut.cost)?;
    for advice in &cut.changes {
        let place = if advice.is_on_host { "host: " } else { "" };
        writeln!(
            out,
            "      {} {place}{}  (lost: {})",
            paint.with(GREEN, "+"),
            printable(&advice.how),
            printable(&advice.loses)
        )?;
    }
    for goal in &cut.still_open {
        writeln!(
            out,
            "      nothing here closes the path to {}",
            goal.title()
        )?;
    }
    Ok(())
}
