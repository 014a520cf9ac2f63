//! Secrets, worst first: what, where, and how much of it may be seen.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::{DIM, Pen, counted, findings};
use crate::text::{printable, wrap};
use crate::{Finding, Report, Secret, SecretFix};

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
    let mut said = BTreeSet::new();
    for (finding, secret) in listed.iter().take(most) {
        row(finding, secret, &mut said, pen, out)?;
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

fn row(
    finding: &Finding,
    secret: &Secret,
    said: &mut BTreeSet<Vec<String>>,
    pen: &Pen,
    out: &mut dyn Write,
) -> io::Result<()> {
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
        for fix in &secret.fixes {
            let lines = fix_lines(fix);
            // Two secrets of one instruction are mended by one change, which is said once.
            if said.insert(lines.clone()) {
                texts.extend(lines);
            }
        }
    }
    for text in texts {
        for line in wrap(&printable(&text), room) {
            writeln!(out, "{:INDENT$}{}", "", pen.paint(DIM, &line))?;
        }
    }
    Ok(())
}

/// A fix as lines: a change of several lines keeps them, each made safe by itself later.
fn fix_lines(fix: &SecretFix) -> Vec<String> {
    let place = match fix.line {
        Some(line) => format!("{}:{line}:", fix.file),
        None => format!("{}: add", fix.file),
    };
    if !fix.after.contains('\n') {
        return vec![format!("{place} {} ({})", fix.after, fix.note)];
    }
    let mut lines = vec![format!("{place} {}:", fix.note)];
    lines.extend(fix.after.split('\n').map(str::to_owned));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_several_lines_is_shown_as_lines_and_each_is_made_safe() {
        let fix = SecretFix {
            file: "Dockerfile".to_owned(),
            line: Some(3),
            before: None,
            after: "FROM x AS y\nRUN \u{1b}[31mmake".to_owned(),
            note: "or".to_owned(),
        };
        let lines: Vec<String> = fix_lines(&fix)
            .iter()
            .map(|line| printable(line).into_owned())
            .collect();
        assert_eq!(lines[..2], ["Dockerfile:3: or:", "FROM x AS y"]);
        assert!(
            !lines[2].contains('\u{1b}') && lines.len() == 3,
            "{lines:?}"
        );
    }
}
