//! Findings by package: those with a fix first, worst first among them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::{BOLD, DIM, Pen, RED, counted, severity_style};
use crate::text::{fit, pad, printable};
use crate::{Certainty, Finding, FixStatus, Judgement, Report, Severity, Vulnerability};

/// Packages listed before `--details` is needed.
const GROUPS: usize = 15;
/// Rows of one package listed before `--details` is needed.
const ROWS: usize = 6;

/// All findings about one installed thing: a source package's binaries count as one.
struct Group<'a> {
    package_type: &'a str,
    name: &'a str,
    installed: &'a str,
    binaries: BTreeSet<&'a str>,
    layers: BTreeSet<u32>,
    /// One row a vulnerability, worst first.
    rows: Vec<(&'a Finding, &'a Vulnerability)>,
    /// How many findings (one a binary package) a row stands for, by vulnerability.
    repeats: BTreeMap<&'a str, u64>,
}

pub(super) fn write(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let groups = group(report);
    let most = if pen.details { usize::MAX } else { GROUPS };
    for group in groups.iter().take(most) {
        write_group(group, pen, out)?;
    }
    let left: Vec<&Group<'_>> = groups.iter().skip(most).collect();
    if !left.is_empty() {
        let rows: u64 = left.iter().map(|group| group.rows.len() as u64).sum();
        writeln!(
            out,
            "\n{} with {}: see them with `--details`",
            counted(left.len() as u64, "more package"),
            counted(rows, "finding")
        )?;
    }
    hidden(report, pen, out)
}

/// Whether the policy wants the finding listed. What fails is listed whatever `show` says:
/// a verdict must not rest on something unseen. What nobody has rated is listed as if it
/// were medium: whole distributions publish no ratings, and their flaws are no trifles.
pub(super) fn is_listed(report: &Report, finding: &Finding) -> bool {
    let weight = match finding.severity {
        Severity::Unknown => Severity::Medium,
        severity => severity,
    };
    weight >= report.policy.show
        || matches!(
            finding.judgement,
            Judgement::Fails | Judgement::Undetermined
        )
}

fn group(report: &Report) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(&str, &str, &str), Group<'_>> = BTreeMap::new();
    for finding in &report.findings {
        let Some(flaw) = finding.vulnerability() else {
            continue;
        };
        if finding.is_ignored() || !is_listed(report, finding) {
            continue;
        }
        let name = flaw.source_package.as_deref().unwrap_or(&flaw.package);
        let group = groups
            .entry((&flaw.package_type, name, &flaw.installed))
            .or_insert_with(|| Group {
                package_type: &flaw.package_type,
                name,
                installed: &flaw.installed,
                binaries: BTreeSet::new(),
                layers: BTreeSet::new(),
                rows: Vec::new(),
                repeats: BTreeMap::new(),
            });
        group.binaries.insert(&flaw.package);
        let places = finding
            .evidence
            .iter()
            .filter_map(|evidence| evidence.location.as_ref());
        group.layers.extend(places.filter_map(|place| place.layer));
        let repeats = group.repeats.entry(&flaw.id).or_default();
        *repeats += 1;
        if *repeats == 1 {
            group.rows.push((finding, flaw));
        }
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    for group in &mut groups {
        // Stable: within the same severity the report's own order stays.
        group.rows.sort_by_key(|(finding, flaw)| {
            (
                flaw.fixed.is_none(),
                std::cmp::Reverse(finding.severity),
                flaw.kev.is_none(),
            )
        });
    }
    groups.sort_by_key(|group| {
        let worst = group.rows.iter().map(|(finding, _)| finding.severity).max();
        let exploited = group.rows.iter().any(|(_, flaw)| flaw.kev.is_some());
        let fixable = group.rows.iter().any(|(_, flaw)| flaw.fixed.is_some());
        (
            !fixable,
            std::cmp::Reverse(worst),
            !exploited,
            std::cmp::Reverse(group.rows.len()),
        )
    });
    groups
}

fn write_group(group: &Group<'_>, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let layers: Vec<String> = group.layers.iter().take(3).map(u32::to_string).collect();
    let place = match layers.len() {
        0 => String::new(),
        1 => format!("layer {}", layers.join("")),
        _ => format!("layers {}", layers.join(", ")),
    };
    let mut about = printable(group.package_type).into_owned();
    if group.binaries.len() > 1 || !group.binaries.contains(group.name) {
        let names: Vec<&str> = group.binaries.iter().copied().collect();
        about.push_str(&format!(": {}", printable(&names.join(", "))));
    }
    let title = format!("{} {}", printable(group.name), printable(group.installed));
    let title = fit(
        &title,
        pen.width.saturating_sub(place.len() + 2),
        pen.unicode,
    );
    let room = pen.width.saturating_sub(width(&title) + place.len() + 6);
    let about = if room >= 8 {
        format!(" ({})", fit(&about, room, pen.unicode))
    } else {
        String::new()
    };
    let filled = pad(
        &about,
        pen.width.saturating_sub(width(&title) + place.len()),
    );
    writeln!(
        out,
        "\n{}{}",
        pen.paint(BOLD, &title),
        format!("{filled}{place}").trim_end()
    )?;

    let most = if pen.details { usize::MAX } else { ROWS };
    // One row more than the limit is listed rather than counted.
    let most = if group.rows.len() <= most.saturating_add(1) {
        usize::MAX
    } else {
        most
    };
    let id_width = group
        .rows
        .iter()
        .take(most)
        .map(|(_, flaw)| width(&printable(&flaw.id)))
        .max()
        .unwrap_or(0)
        .min(pen.width / 3);
    for (finding, flaw) in group.rows.iter().take(most) {
        let repeats = group.repeats.get(flaw.id.as_str()).copied().unwrap_or(1);
        write_row(finding, flaw, repeats, id_width, pen, out)?;
    }
    let left = group.rows.len().saturating_sub(most);
    if left > 0 {
        let rest = &group.rows[group.rows.len() - left..];
        writeln!(
            out,
            "    {}",
            pen.paint(
                DIM,
                &format!(
                    "{left} more: {}",
                    severities(rest.iter().map(|(finding, _)| finding.severity))
                )
            )
        )?;
    }
    Ok(())
}

fn write_row(
    finding: &Finding,
    flaw: &Vulnerability,
    repeats: u64,
    id_width: usize,
    pen: &Pen,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mark = mark(finding, pen);
    let severity = severity(finding, pen);
    let fix = match (&flaw.fixed, flaw.status) {
        (Some(fixed), _) => format!("{} {}", pen.glyph("→", "->"), printable(fixed)),
        (None, FixStatus::WillNotFix) => "will not be fixed".to_owned(),
        (None, FixStatus::FixDeferred) => "fix put off".to_owned(),
        (None, FixStatus::EndOfLife) => "end of life".to_owned(),
        (None, FixStatus::UnderInvestigation) => "being looked into".to_owned(),
        (None, FixStatus::Affected | FixStatus::Fixed) => "no fix yet".to_owned(),
    };
    let mut marks = Vec::new();
    if finding.certainty == Certainty::Unverified {
        marks.push("unverified".to_owned());
    }
    if let Some(kev) = &flaw.kev {
        marks.push(
            if kev.ransomware {
                "KEV ransomware"
            } else {
                "KEV"
            }
            .to_owned(),
        );
    }
    if let Some(epss) = &flaw.epss
        && epss.probability >= 0.01
    {
        marks.push(format!("EPSS {:.0}%", epss.probability * 100.0));
    }
    if repeats > 1 {
        marks.push(format!("{}{repeats} packages", pen.glyph("×", "x")));
    }
    let marks = marks.join(" ");
    let id = pad(&fit(&printable(&flaw.id), id_width, pen.unicode), id_width);
    // Columns before the fix: margin 2, mark 1, space 1, severity 10, space 1, id, 2 spaces.
    let taken = 17 + id_width;
    let room = pen
        .width
        .saturating_sub(
            taken
                + if marks.is_empty() {
                    0
                } else {
                    width(&marks) + 2
                },
        )
        .max(8);
    let fix = fit(&fix, room, pen.unicode);
    let tail = if marks.is_empty() {
        fix
    } else {
        // Marks line up where there is room for a long version before them.
        format!("{}  {marks}", pad(&fix, room.min(28)))
    };
    writeln!(out, "  {mark} {severity} {id}  {tail}")
}

/// Whether the finding fails, in one column.
pub(super) fn mark(finding: &Finding, pen: &Pen) -> String {
    match finding.judgement {
        Judgement::Fails => pen.paint(RED, pen.glyph("✗", "x")),
        Judgement::Undetermined => "?".to_owned(),
        Judgement::Passes | Judgement::Ignored => pen.glyph("·", "-").to_owned(),
    }
}

/// The severity, in ten columns.
pub(super) fn severity(finding: &Finding, pen: &Pen) -> String {
    pen.paint(
        severity_style(finding.severity),
        &pad(finding.severity.as_str(), 10),
    )
}

/// `2 high, 1 low`.
fn severities(severities: impl Iterator<Item = Severity>) -> String {
    let mut counts: BTreeMap<std::cmp::Reverse<Severity>, u64> = BTreeMap::new();
    for severity in severities {
        *counts.entry(std::cmp::Reverse(severity)).or_default() += 1;
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(severity, count)| format!("{count} {}", severity.0.as_str()))
        .collect();
    parts.join(", ")
}

/// Says how many findings `show` keeps from the list.
fn hidden(report: &Report, pen: &Pen, out: &mut dyn Write) -> io::Result<()> {
    let unlisted: Vec<Severity> = report
        .findings
        .iter()
        .filter(|finding| !finding.is_ignored() && !is_listed(report, finding))
        .map(|finding| finding.severity)
        .collect();
    let Some(lowest) = unlisted.iter().min() else {
        return Ok(());
    };
    let text = format!(
        "not listed: {} (`--show {}` lists them)",
        severities(unlisted.iter().copied()),
        lowest.as_str()
    );
    writeln!(out)?;
    for line in crate::text::wrap(&text, pen.width) {
        writeln!(out, "{}", pen.paint(DIM, &line))?;
    }
    Ok(())
}

fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}
