//! The first screen: verdict, identity, counts, what to do first.

use std::io::{self, Write};

use super::{GREEN, Pen, RED, YELLOW, counted, severity_style};
use crate::text::{fit, pad, printable};
use crate::{DatabaseKind, Outcome, Report};

/// How many upgrades are advised before `--details` is needed.
const ACTIONS: usize = 5;

pub(super) fn write(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    verdict(report, pen, out)?;
    writeln!(out)?;
    identity(report, pen, out)?;
    actions(report, pen, out)
}

/// The verdict's word, coloured.
pub(super) fn word(report: &Report, pen: &Pen) -> String {
    match report.verdict.outcome {
        Outcome::Seaworthy => pen.paint(GREEN, "SEAWORTHY"),
        Outcome::Incomplete => pen.paint(YELLOW, "INCOMPLETE"),
        Outcome::Unseaworthy => pen.paint(RED, "UNSEAWORTHY"),
    }
}

fn verdict(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let reasons = |failure: bool| -> Vec<String> {
        report
            .verdict
            .reasons
            .iter()
            .filter(|reason| reason.failure == failure)
            .map(|reason| printable(&reason.message).into_owned())
            .collect()
    };
    let (against, unknown) = (reasons(true), reasons(false));
    let why = match report.verdict.outcome {
        Outcome::Seaworthy => "everything was judged, and nothing is against the policy".to_owned(),
        Outcome::Incomplete => format!(
            "nothing found is against the policy, but {}",
            unknown.join("; ")
        ),
        Outcome::Unseaworthy => against.join("; "),
    };
    writeln!(out, "{}", word(report, pen))?;
    pen.paragraph("  ", &why, out)?;
    if report.verdict.outcome == Outcome::Unseaworthy && !unknown.is_empty() {
        pen.paragraph(
            "  ",
            &format!("also incomplete: {}", unknown.join("; ")),
            out,
        )?;
    }
    Ok(())
}

fn identity(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let dot = pen.dot();
    let image = &report.image;
    let line =
        |label: &str, text: &str, out: &mut dyn Write| pen.paragraph(&pad(label, 12), text, out);
    line(
        "image",
        &format!(
            "{} ({})",
            printable(&image.reference),
            printable(&image.source)
        ),
        out,
    )?;
    let mut facts = Vec::new();
    if let Some(id) = image
        .image_id
        .as_deref()
        .or(image.manifest_digest.as_deref())
    {
        facts.push(id.chars().take(19).collect::<String>());
    }
    if let Some(platform) = &image.platform {
        facts.push(printable(platform).into_owned());
    }
    if let Some(created) = &image.created {
        // The day is enough: `2024-05-01T12:00:00Z`.
        let day: String = printable(created).chars().take(10).collect();
        facts.push(format!("built {day}"));
    }
    facts.push(counted(image.layers.len() as u64, "layer"));
    line("", &facts.join(dot), out)?;

    if report.database.kind == DatabaseKind::NotUsed {
        line("looked for", "secrets only", out)?;
    } else {
        knowledge_lines(report, dot, line, out)?;
    }
    severities(report, pen, out)?;
    let mut marks = Vec::new();
    let totals = &report.counts;
    for (count, word) in [
        (totals.fixable, "fixable"),
        (totals.known_exploited, "known exploited"),
        (totals.unverified, "unverified"),
        (totals.ignored, "ignored"),
    ] {
        if count > 0 {
            marks.push(format!("{count} {word}"));
        }
    }
    if totals.malware > 0 {
        marks.push(format!("{} malware", totals.malware));
    }
    if totals.secrets > 0 {
        marks.push(counted(totals.secrets, "secret"));
    }
    if !marks.is_empty() {
        line("", &marks.join(dot), out)?;
    }
    Ok(())
}

/// What the image is built on, and what it was judged by.
fn knowledge_lines(
    report: &Report,
    dot: &str,
    line: impl Fn(&str, &str, &mut dyn Write) -> io::Result<()>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let kinds: Vec<String> = report
        .packages
        .by_type
        .iter()
        .map(|(kind, count)| format!("{count} {}", printable(kind)))
        .collect();
    let mut system = report.distro.as_ref().map_or_else(
        || "no distribution".to_owned(),
        |distro| printable(&distro.name).into_owned(),
    );
    system.push_str(dot);
    system.push_str(&counted(report.packages.total, "package"));
    if kinds.len() > 1 {
        system.push_str(&format!(": {}", kinds.join(", ")));
    }
    line("system", &system, out)?;

    let database = &report.database;
    let mut knowledge = match database.kind {
        DatabaseKind::Installed => format!("database {}", database.serial),
        DatabaseKind::Embedded => "built-in set only".to_owned(),
        DatabaseKind::NotUsed => return Ok(()),
    };
    if let (DatabaseKind::Installed, Some(built)) = (database.kind, &database.built_at) {
        knowledge.push_str(&format!(
            " of {}",
            built.chars().take(10).collect::<String>()
        ));
    }
    knowledge.push_str(dot);
    knowledge.push_str(&counted(database.advisories, "record"));
    line("advisories", &knowledge, out)?;
    line("malware", &malware(report, dot), out)?;
    Ok(())
}

/// What malware was looked for with.
fn malware(report: &Report, dot: &str) -> String {
    if report.malware.is_empty() {
        return "not looked for".to_owned();
    }
    let engines: Vec<String> = report
        .malware
        .iter()
        .map(|engine| {
            let word = match engine.engine.as_str() {
                "signatures" => "signature",
                "yara" => "YARA rule",
                "rules" => "own rule",
                other => other,
            };
            let mut text = match (engine.count, &engine.version) {
                (Some(count), _) => counted(count, word),
                (None, Some(version)) => format!("{word} {}", printable(version)),
                (None, None) => word.to_owned(),
            };
            if let Some(day) = &engine.published_at {
                let day: String = printable(day).chars().take(10).collect();
                text.push_str(&format!(" of {day}"));
            }
            text
        })
        .collect();
    engines.join(dot)
}

/// The counts by severity. Escape sequences have no width, so this line is broken here.
fn severities(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let label = pad("findings", 12);
    let mut line = label.clone();
    let mut used = 0;
    for count in report
        .counts
        .by_severity
        .iter()
        .filter(|count| count.total > 0)
    {
        let text = format!("{} {}", count.total, count.severity.as_str());
        if used > 0 && label.len() + used + text.len() + 3 > pen.width {
            writeln!(out, "{line}")?;
            line = pad("", label.len());
            used = 0;
        }
        if used > 0 {
            line.push_str(pen.dot());
            used += 3;
        }
        used += text.len();
        line.push_str(&pen.paint(severity_style(count.severity), &text));
    }
    if used == 0 {
        line.push_str("none");
    }
    writeln!(out, "{line}")
}

fn actions(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    if report.actions.is_empty() {
        return Ok(());
    }
    pen.heading("What to do first", out)?;
    let most = if pen.details { usize::MAX } else { ACTIONS };
    let shown: Vec<_> = report.actions.iter().take(most).collect();
    let gains: Vec<String> = shown
        .iter()
        .map(|action| {
            format!(
                "{}{} ({})",
                pen.glyph("−", "-"),
                counted(action.removes, "finding"),
                action.worst.as_str()
            )
        })
        .collect();
    let room = pen.width.saturating_sub(
        4 + gains
            .iter()
            .map(|gain| gain.chars().count())
            .max()
            .unwrap_or(0),
    );
    let texts: Vec<String> = shown
        .iter()
        .map(|action| {
            let text = format!(
                "upgrade {} to {}",
                printable(&action.package),
                printable(&action.to)
            );
            fit(&text, room, pen.unicode)
        })
        .collect();
    let column = texts
        .iter()
        .map(|text| unicode_width::UnicodeWidthStr::width(text.as_str()))
        .max()
        .unwrap_or(0);
    for (text, gain) in texts.iter().zip(&gains) {
        writeln!(out, "  {}  {gain}", pad(text, column))?;
    }
    let more = report.actions.len().saturating_sub(shown.len());
    if more > 0 {
        writeln!(out, "  and {}", counted(more as u64, "more upgrade"))?;
    }
    Ok(())
}
