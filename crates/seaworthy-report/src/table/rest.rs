//! What was set aside, what could not be judged, what went wrong, and what to do next.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Pen, counted, head};
use crate::text::printable;
use crate::{Finding, Outcome, Problem, Report};

/// Lines of one section before `--details` is needed.
const LINES: usize = 5;

pub(super) fn write(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    ignored(report, pen, out)?;
    gaps(report, pen, out)?;
    suppressed(report, pen, out)?;
    problems(report, pen, out)?;
    if !report.verdict.notes.is_empty() {
        pen.heading("About the policy", out)?;
        section(
            pen,
            report
                .verdict
                .notes
                .iter()
                .map(|note| printable(note).into_owned()),
            out,
        )?;
    }
    summary(report, pen, out)
}

/// A list, collapsed where it is long.
fn section(pen: &Pen, lines: impl Iterator<Item = String>, out: &mut dyn Write) -> io::Result<()> {
    let lines: Vec<String> = lines.collect();
    let most = if pen.details || lines.len() <= LINES + 1 {
        usize::MAX
    } else {
        LINES
    };
    for line in lines.iter().take(most) {
        pen.paragraph("  ", line, out)?;
    }
    let left = lines.len().saturating_sub(most);
    if left > 0 {
        writeln!(out, "  {left} more: see them with `--details`")?;
    }
    Ok(())
}

fn ignored(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for finding in report
        .findings
        .iter()
        .filter(|finding| finding.is_ignored())
    {
        *lines.entry(ignored_line(finding)).or_default() += 1;
    }
    if lines.is_empty() {
        return Ok(());
    }
    pen.heading("Ignored by the policy", out)?;
    section(pen, lines.into_keys(), out)
}

fn ignored_line(finding: &Finding) -> String {
    let what = finding.vulnerability().map_or_else(
        || printable(&finding.title).into_owned(),
        |flaw| {
            let name = flaw.source_package.as_deref().unwrap_or(&flaw.package);
            format!("{} in {}", printable(&flaw.id), printable(name))
        },
    );
    let Some(ignored) = &finding.ignored else {
        return what;
    };
    let until = ignored
        .expires
        .as_ref()
        .map_or_else(String::new, |day| format!(" (until {day})"));
    format!("{what}: {}{until}", printable(&ignored.reason))
}

fn gaps(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    if report.gaps.is_empty() {
        return Ok(());
    }
    pen.heading("Could not be judged", out)?;
    let lines = report.gaps.iter().map(|gap| {
        let accepted = if gap.accepted {
            ", accepted by the policy"
        } else {
            ""
        };
        // A gap's message may carry a hint on a line of its own: lists are prose.
        format!(
            "{}{accepted}: {}",
            gap.kind,
            printable(
                &gap.message
                    .replace("\n  hint:", " (hint:")
                    .replace('\n', " ")
            )
        )
    });
    section(pen, lines, out)
}

fn suppressed(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    if report.suppressed.is_empty() {
        return Ok(());
    }
    pen.heading("Left out on purpose", out)?;
    let lines = report.suppressed.iter().map(|left| {
        let mut names = left.examples.join(", ");
        if left.count as usize > left.examples.len() {
            names.push_str(" and more");
        }
        format!(
            "{} {}: {} ({})",
            left.count,
            left.reason,
            left.summary,
            printable(&names)
        )
    });
    section(pen, lines, out)
}

fn problems(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let (broken, notices): (Vec<&Problem>, Vec<&Problem>) = report
        .problems
        .iter()
        .partition(|problem| problem.kind != "notice");
    if !broken.is_empty() {
        pen.heading("Problems on the way", out)?;
        section(pen, broken.into_iter().map(problem_line), out)?;
    }
    if pen.details && !notices.is_empty() {
        pen.heading("Notices", out)?;
        section(pen, notices.into_iter().map(problem_line), out)?;
    }
    Ok(())
}

fn problem_line(problem: &Problem) -> String {
    let mut line = String::new();
    if let Some(layer) = problem.layer {
        line.push_str(&format!("layer {layer}: "));
    }
    if let Some(path) = &problem.path {
        line.push_str(&format!("`{}`: ", printable(path)));
    }
    line.push_str(&printable(&problem.message));
    if !problem.incomplete && problem.kind != "notice" {
        line.push_str(" (accepted by the policy)");
    }
    line
}

/// The last lines: after a long list the verdict has scrolled away.
fn summary(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let counts = &report.counts;
    let mut parts = vec![counted(counts.total, "finding")];
    if counts.total > 0 {
        parts.push(format!("{} fixable", counts.fixable));
    }
    if counts.ignored > 0 {
        parts.push(format!("{} ignored", counts.ignored));
    }
    if let Some(timings) = &report.timings {
        parts.push(format!("{:.1} s", timings.total_ms / 1000.0));
    }
    writeln!(out, "\n{}: {}", head::word(report, pen), parts.join(", "))?;
    if let Some(line) = next_step(report) {
        pen.paragraph("  hint: ", &line, out)?;
    }
    Ok(())
}

fn next_step(report: &Report) -> Option<String> {
    let open = || {
        report
            .findings
            .iter()
            .filter(|finding| !finding.is_ignored())
    };
    let first = open()
        .find_map(|finding| Some(finding.vulnerability()?.id.clone()))
        .or_else(|| Some(open().next()?.fingerprint.chars().take(8).collect()));
    if report
        .gaps
        .iter()
        .any(|gap| gap.kind == "embedded-database-only" && !gap.accepted)
    {
        return Some(
            "get the whole advisory database with `seaworthy db update`, or build it from a folder \
             with `seaworthy db build --from DIR`"
                .to_owned(),
        );
    }
    if let Some(id) = first {
        if report.image.source == "memory" {
            // The demonstration image has no reference that could be scanned again.
            return Some(format!(
                "`seaworthy demo --explain {}` tells why a finding is there",
                printable(&id)
            ));
        }
        let plain = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b))
        };
        let reference = &report.image.reference;
        // A reference that a shell would read otherwise is not put into a command.
        let reference = if plain(reference) { reference } else { "REF" };
        return Some(format!(
            "`seaworthy explain {reference} {}` tells why a finding is there",
            printable(&id)
        ));
    }
    (report.verdict.outcome == Outcome::Incomplete).then(|| {
        "what you know and accept can be named in `seaworthy.toml`: accept-gaps, accept-problems"
            .to_owned()
    })
}
