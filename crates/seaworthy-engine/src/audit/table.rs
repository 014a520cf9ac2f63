//! The audit for people: the verdict, what failed by part, who reaches whom, limits.

use std::io::{self, Write};

use seaworthy_core::Severity;
use seaworthy_host::rules::{Evidence, Target};
use seaworthy_report::{RenderOptions, printable};

use super::document::{Audit, AuditOutcome, Check, Status};

/// Pieces of evidence shown of one check.
const SHOWN_EVIDENCE: usize = 4;
/// Rows shown of a table.
const SHOWN_ROWS: usize = 20;

/// Writes the document as a table. Foreign text is made safe to print.
///
/// # Errors
///
/// When `out` can't be written to.
pub fn write_table(audit: &Audit, options: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint {
        colour: options.colour,
    };
    let (word, colour) = match audit.outcome {
        AuditOutcome::Seaworthy => ("SEAWORTHY", GREEN),
        AuditOutcome::Unseaworthy => ("UNSEAWORTHY", RED),
        AuditOutcome::Incomplete => ("INCOMPLETE", YELLOW),
    };
    write!(out, "{}", paint.with(colour, word))?;
    if !audit.reasons.is_empty() {
        write!(out, ": {}", audit.reasons.join(", "))?;
    }
    writeln!(out)?;
    let host = &audit.host;
    writeln!(
        out,
        "host {}, {}, kernel {}, engine {}, {} containers ({} running), {} images",
        or_dash(&host.name),
        or_dash(&host.distro),
        or_dash(&host.kernel),
        or_dash(&host.engine),
        host.containers,
        host.running,
        host.images
    )?;
    for note in &audit.notes {
        writeln!(out, "note: {}", printable(note))?;
    }
    for score in &audit.sections {
        let percent = score
            .score_percent
            .map_or(String::new(), |percent| format!("  {percent} %"));
        writeln!(
            out,
            "\n{}  {} failed, {} undetermined, {} passed, {} not applicable, {} excepted{percent}",
            paint.with(BOLD, score.section.title()),
            score.failed,
            score.undetermined,
            score.passed,
            score.not_applicable,
            score.excepted
        )?;
        for check in audit.checks.iter().filter(|c| c.section == score.section) {
            let is_open = matches!(check.status, Status::Fail | Status::Undetermined);
            if is_open || options.details {
                write_check(check, options, &paint, out)?;
            }
        }
    }
    super::escape::write_escape_table(&audit.escape, options, out)?;
    write_exposure(audit, options, &paint, out)?;
    write_resources(audit, options, &paint, out)?;
    if !audit.unknown.is_empty() {
        writeln!(out, "\n{}", paint.with(BOLD, "could not be looked at"))?;
        write_some(audit.unknown.len(), options, out, |index, out| {
            writeln!(out, "  {}", printable(&audit.unknown[index]))
        })?;
    }
    Ok(())
}

fn or_dash(text: &str) -> std::borrow::Cow<'_, str> {
    printable(if text.is_empty() { "-" } else { text })
}

fn write_check(
    check: &Check,
    options: &RenderOptions,
    paint: &Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (word, colour) = match check.status {
        Status::Fail => (
            "FAIL",
            if check.severity >= Severity::High {
                RED
            } else {
                YELLOW
            },
        ),
        Status::Undetermined => ("?   ", YELLOW),
        Status::Excepted => ("exc ", GREEN),
        Status::Pass => ("pass", GREEN),
        Status::NotApplicable => ("n/a ", ""),
    };
    let number = if check.cis.is_empty() { "-" } else { check.cis };
    writeln!(
        out,
        "  {} {number:6} {:8} {}  {}",
        paint.with(colour, word),
        check.severity.as_str(),
        check.id,
        match check.status {
            Status::Fail => check.summary.to_owned(),
            _ => printable(&check.note).into_owned(),
        }
    )?;
    if check.status != Status::Fail {
        return Ok(());
    }
    let shown = if options.details {
        check.evidence.len()
    } else {
        SHOWN_EVIDENCE
    };
    for evidence in check.evidence.iter().take(shown) {
        write_evidence(evidence, options, out)?;
    }
    if check.evidence.len() > shown {
        writeln!(
            out,
            "              … and {} more (`--details`)",
            check.evidence.len() - shown
        )?;
    }
    writeln!(out, "              do: {}", check.remedy)
}

fn write_evidence(
    evidence: &Evidence,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let target = match &evidence.target {
        Target::Host => String::new(),
        Target::Daemon => String::new(),
        Target::Container { name } | Target::Network { name } => format!("{}: ", printable(name)),
        Target::Image { name } => format!("image {}: ", printable(name)),
    };
    let place = printable(&evidence.place);
    let gap = if place.is_empty() { "" } else { ": " };
    let doubt = if evidence.certain { "" } else { "(?) " };
    writeln!(
        out,
        "              {doubt}{target}{place}{gap}{}",
        printable(&evidence.found)
    )?;
    if let Some(fix) = evidence.fix.as_ref().filter(|_| options.details) {
        writeln!(out, "                $ {}", printable(fix))?;
    }
    Ok(())
}

fn write_exposure(
    audit: &Audit,
    options: &RenderOptions,
    paint: &Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    if audit.exposure.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", paint.with(BOLD, "network"))?;
    writeln!(
        out,
        "  {:24} {:16} {:>10} {:>9}  published",
        "container", "mode", "neighbours", "can spoof"
    )?;
    write_some(audit.exposure.len(), options, out, |index, out| {
        let row = &audit.exposure[index];
        let spoof = match row.can_spoof.known() {
            Some(victims) => victims.len().to_string(),
            None => "?".to_owned(),
        };
        let ports: Vec<String> = row
            .ports
            .iter()
            .take(8)
            .map(|port| {
                let address = match port.host_ip.as_str() {
                    "" => "*",
                    address => address,
                };
                format!("{address}:{}→{}", port.host_port, port.container)
            })
            .collect();
        writeln!(
            out,
            "  {:24} {:16} {:>10} {spoof:>9}  {}",
            cut(&row.container, 24),
            cut(&row.mode, 16),
            row.neighbours.len(),
            printable(&ports.join(" "))
        )
    })
}

fn write_resources(
    audit: &Audit,
    options: &RenderOptions,
    paint: &Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    let resources = &audit.resources;
    if resources.rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", paint.with(BOLD, "limits"))?;
    writeln!(
        out,
        "  running containers that alone could use up: memory {}, processors {}, processes {}, disk {}",
        resources.can_exhaust_memory,
        resources.can_exhaust_cpu,
        resources.can_exhaust_pids,
        resources.can_exhaust_disk
    )?;
    writeln!(
        out,
        "  {:24} {:>10} {:>6} {:>8}  missing",
        "container", "memory", "cpus", "pids"
    )?;
    write_some(resources.rows.len(), options, out, |index, out| {
        let row = &resources.rows[index];
        let dash = || "-".to_owned();
        writeln!(
            out,
            "  {:24} {:>10} {:>6} {:>8}  {}",
            cut(&row.container, 24),
            row.memory_bytes
                .map_or_else(dash, |bytes| format!("{} MiB", bytes >> 20)),
            row.cpu_millis.map_or_else(dash, |millis| format!(
                "{}.{:02}",
                millis / 1000,
                millis % 1000 / 10
            )),
            row.pids.map_or_else(dash, |pids| pids.to_string()),
            row.missing.join(" ")
        )
    })
}

/// The first rows of a table, or all with `--details`.
pub(super) fn write_some(
    count: usize,
    options: &RenderOptions,
    out: &mut dyn Write,
    mut row: impl FnMut(usize, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let shown = if options.details {
        count
    } else {
        count.min(SHOWN_ROWS)
    };
    for index in 0..shown {
        row(index, out)?;
    }
    if count > shown {
        writeln!(out, "  … and {} more (`--details`)", count - shown)?;
    }
    Ok(())
}

/// A name in a column, safe and cut.
fn cut(text: &str, columns: usize) -> String {
    let safe = printable(text);
    if safe.chars().count() <= columns {
        return safe.into_owned();
    }
    let mut short: String = safe.chars().take(columns.saturating_sub(1)).collect();
    short.push('…');
    short
}

pub(super) const RED: &str = "31;1";
pub(super) const GREEN: &str = "32";
pub(super) const YELLOW: &str = "33";
pub(super) const BOLD: &str = "1";

pub(super) struct Paint {
    pub(super) colour: bool,
}

impl Paint {
    pub(super) fn with(&self, code: &str, text: &str) -> String {
        if self.colour && !code.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_host::facts::container::{ContainerFacts, Declared};
    use seaworthy_host::facts::{Fact, Facts};
    use seaworthy_policy::Policy;

    use super::super::{AuditRequest, Profile, audit};
    use super::*;

    #[test]
    fn hostile_names_are_printed_harmlessly_and_failures_come_first() {
        let facts = Facts {
            containers: Fact::Known(vec![ContainerFacts {
                name: "a\x1b[2Jb".into(),
                declared: Fact::Known(Declared {
                    privileged: true,
                    ..Declared::default()
                }),
                kernel: Fact::Absent,
                ..ContainerFacts::default()
            }]),
            ..Facts::default()
        };
        let found = audit(&AuditRequest {
            facts,
            profile: Profile::default(),
            policy: Policy::default(),
            now: "2026-06-15T12:00:00Z".parse().unwrap(),
        });
        let mut text = Vec::new();
        write_table(&found, &RenderOptions::default(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("UNSEAWORTHY"), "{text}");
        assert!(!text.contains('\x1b'));
        let fail = text.find("privileged-container").unwrap();
        let open = text.find("needless-swarm").unwrap();
        assert!(fail < open, "{text}");
        assert!(text.contains("a\\u{1b}[2Jb: HostConfig.Privileged: true"));
    }
}
