//! Secrets, worst first: what, where, and how much of it may be seen.

use std::io::{self, Write};

use super::{DIM, Pen, counted, findings};
use crate::text::{printable, wrap};
use crate::{Finding, Report, Secret};

/// Secrets listed before `--details` is needed.
const SECRETS: usize = 10;
/// Columns before the text: margin 2, mark 1, space 1, severity 10, space 1.
const INDENT: usize = 15;

pub(super) fn write(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let listed: Vec<(&Finding, &Secret)> = report
        .findings
        .iter()
        .filter(|finding| !finding.is_ignored() && findings::is_listed(report, finding))
        .filter_map(|finding| Some((finding, finding.secret()?)))
        .collect();
    if listed.is_empty() {
        return Ok(());
    }
    pen.heading("Secrets", out)?;
    let most = if pen.details || listed.len() <= SECRETS + 1 {
        usize::MAX
    } else {
        SECRETS
    };
    for (finding, secret) in listed.iter().take(most) {
        row(finding, secret, pen, out)?;
    }
    let left = listed.len().saturating_sub(most);
    if left > 0 {
        writeln!(
            out,
            "  {}: see them with `--details`",
            counted(left as u64, "more secret")
        )?;
    }
    Ok(())
}

fn row(finding: &Finding, secret: &Secret, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let room = pen.width.saturating_sub(INDENT).max(20);
    let mark = findings::mark(finding, pen);
    let severity = findings::severity(finding, pen);
    for (place, line) in wrap(&printable(&finding.title), room).iter().enumerate() {
        if place == 0 {
            writeln!(out, "  {mark} {severity} {line}")?;
        } else {
            writeln!(out, "{:INDENT$}{line}", "")?;
        }
    }
    let mut facts = vec![printable(&secret.redacted).into_owned()];
    let layer = finding
        .evidence
        .iter()
        .find_map(|evidence| evidence.location.as_ref()?.layer);
    let state = secret.state.as_str();
    facts.push(match layer {
        Some(layer) => format!("{state}, layer {layer}"),
        None => state.to_owned(),
    });
    facts.extend(
        secret
            .facts
            .iter()
            .take(3)
            .map(|fact| printable(fact).into_owned()),
    );
    let id: String = finding.fingerprint.chars().take(8).collect();
    facts.push(id);
    let mut texts = vec![facts.join(pen.dot())];
    if pen.details {
        for evidence in &finding.evidence {
            texts.push(match &evidence.location {
                Some(place) => format!("{}: {}", place.path, evidence.note),
                None => evidence.note.clone(),
            });
        }
        texts.extend(
            finding
                .remediation
                .as_ref()
                .map(|fix| format!("fix: {}", fix.summary)),
        );
    }
    if pen.details || secret.fixes.len() == 1 {
        texts.extend(secret.fixes.iter().map(|fix| match fix.line {
            Some(line) => format!("{}:{line}: {} ({})", fix.file, fix.after, fix.note),
            None => format!("{}: add {} ({})", fix.file, fix.after, fix.note),
        }));
    }
    for text in texts {
        for line in wrap(&printable(&text), room) {
            writeln!(out, "{:INDENT$}{}", "", pen.paint(DIM, &line))?;
        }
    }
    Ok(())
}
