//! Why a finding is there: file, layer, record, range and comparison.

use std::io::{self, Write};

use crate::table::Pen;
use crate::text::{pad, printable};
use crate::{
    Detail, Finding, Judgement, Malware, RenderOptions, Report, Secret, SecretState, Vulnerability,
};

/// Writes the reasons of every finding that `id` names: a vulnerability's id or alias, the
/// rule of a secret or of malware, a signature's name, or a fingerprint (or its first 8 digits and more). Returns how many there
/// were.
///
/// # Errors
///
/// What `out` says.
pub fn explain(
    report: &Report,
    id: &str,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> io::Result<usize> {
    let pen = Pen {
        width: options.width.clamp(40, 200),
        colour: options.colour,
        unicode: options.unicode,
        details: true,
    };
    let mut found = 0;
    for finding in report
        .findings
        .iter()
        .filter(|finding| is_named(finding, id))
    {
        if found > 0 {
            writeln!(out)?;
        }
        found += 1;
        write_finding(finding, report, &pen, out)?;
    }
    Ok(found)
}

fn is_named(finding: &Finding, id: &str) -> bool {
    let same = |known: &str| known.eq_ignore_ascii_case(id);
    let by_fingerprint = id.len() >= 8
        && finding
            .fingerprint
            .get(..id.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(id));
    by_fingerprint
        || finding
            .secret()
            .is_some_and(|secret| same(&finding.rule) || same(&secret.secret))
        || finding.malware().is_some_and(|malware| {
            let without_engine =
                |name: &String| name.split_once(": ").is_some_and(|(_, name)| same(name));
            same(&finding.rule)
                || malware
                    .names
                    .iter()
                    .any(|name| same(name) || without_engine(name))
        })
        || finding.vulnerability().is_some_and(|flaw| {
            same(&flaw.id)
                || flaw.aliases.iter().any(|alias| same(alias))
                || flaw.traces.iter().any(|trace| same(&trace.record))
        })
}

fn write_finding(
    finding: &Finding,
    report: &Report,
    pen: &Pen,
    out: &mut dyn Write,
) -> io::Result<()> {
    let line = |label: &str, text: &str, out: &mut dyn Write| {
        pen.paragraph(&format!("  {}", pad(label, 13)), &printable(text), out)
    };
    writeln!(
        out,
        "{}",
        pen.paint(crate::table::BOLD, &printable(&finding.title))
    )?;
    match &finding.detail {
        Detail::Vulnerability(flaw) => flaw_facts(flaw, finding, &line, out)?,
        Detail::Secret(secret) => secret_facts(secret, finding, &line, out)?,
        Detail::Malware(malware) => malware_facts(malware, finding, pen, &line, out)?,
    }
    places(finding, report, &line, out)?;
    for trace in finding.vulnerability().map_or(&[][..], |flaw| &flaw.traces) {
        line(
            "record",
            &format!("{} in {}", trace.record, trace.shard),
            out,
        )?;
        line("looked up", &trace.looked_up, out)?;
        line("range", &trace.range, out)?;
        line("comparison", &trace.comparison, out)?;
    }
    line("fix", &fix_words(finding), out)?;
    if let Some(command) = finding
        .remediation
        .as_ref()
        .and_then(|what| what.command.as_ref())
    {
        line("command", command, out)?;
    }
    line("policy", &policy_words(finding), out)?;
    for reference in finding.references.iter().take(8) {
        line("read more", reference, out)?;
    }
    line("fingerprint", &finding.fingerprint, out)
}

/// Writes a label and a text.
type Line<'a> = &'a dyn Fn(&str, &str, &mut dyn Write) -> io::Result<()>;

fn secret_facts(
    secret: &Secret,
    finding: &Finding,
    line: Line<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    line(
        "rule",
        &format!("{}: {}", finding.rule, secret.summary),
        out,
    )?;
    line("value", &secret.redacted, out)?;
    line(
        "severity",
        &format!(
            "{}, by {}",
            finding.severity.as_str(),
            finding.severity_origin
        ),
        out,
    )?;
    let state = match secret.state {
        SecretState::Visible => "visible in the final image",
        SecretState::Buried => "buried: removed by a later layer, but still part of the image",
        SecretState::Configuration => "in the image's configuration, which anyone can inspect",
    };
    line("state", state, out)?;
    for fact in &secret.facts {
        line("known", fact, out)?;
    }
    for fix in &secret.fixes {
        let place = match fix.line {
            Some(number) => format!("{}, line {number}", fix.file),
            None => format!("{}, a new line", fix.file),
        };
        line("change", &place, out)?;
        if let Some(before) = &fix.before {
            line("  from", before, out)?;
        }
        for (number, text) in fix.after.split('\n').enumerate() {
            line(if number == 0 { "  to" } else { "" }, text, out)?;
        }
        line("  because", &fix.note, out)?;
    }
    line("revoke at", &secret.revoke, out)?;
    line("same secret", &secret.secret, out)
}

fn malware_facts(
    malware: &Malware,
    finding: &Finding,
    pen: &Pen,
    line: Line<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    line(
        "rule",
        &format!("{}: {}", finding.rule, malware.summary),
        out,
    )?;
    line(
        "severity",
        &format!(
            "{}, by {}",
            finding.severity.as_str(),
            finding.severity_origin
        ),
        out,
    )?;
    line("rests on", &malware.basis, out)?;
    if !malware.names.is_empty() {
        line("matched by", &malware.names.join(", "), out)?;
    }
    let state = match malware.in_final_view {
        true => "in the final image",
        false => "buried: removed by a later layer, but still part of the image",
    };
    line("state", state, out)?;
    line(
        "starts",
        &crate::table::started(&malware.started_by, pen),
        out,
    )
}

fn flaw_facts(
    flaw: &Vulnerability,
    finding: &Finding,
    line: Line<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    if !flaw.aliases.is_empty() {
        line("also called", &flaw.aliases.join(", "), out)?;
    }
    let source = flaw
        .source_package
        .as_ref()
        .map_or_else(String::new, |source| format!(", built from {source}"));
    line(
        "package",
        &format!(
            "{} {} ({}){source}",
            flaw.package, flaw.installed, flaw.package_type
        ),
        out,
    )?;
    let scores: String = flaw
        .cvss
        .iter()
        .map(|cvss| format!("; CVSS {:.1} {}", cvss.score, cvss.vector))
        .collect();
    line(
        "severity",
        &format!(
            "{}, by {}{scores}",
            finding.severity.as_str(),
            finding.severity_origin
        ),
        out,
    )?;
    if let Some(kev) = &flaw.kev {
        let ransomware = if kev.ransomware {
            ", by ransomware too"
        } else {
            ""
        };
        line(
            "exploited",
            &format!("known since {}{ransomware}", kev.date_added),
            out,
        )?;
    }
    if let Some(epss) = &flaw.epss {
        line(
            "likelihood",
            &format!(
                "{:.1}% to be exploited within 30 days, more than {:.1}% of all others",
                epss.probability * 100.0,
                epss.percentile * 100.0
            ),
            out,
        )?;
    }
    Ok(())
}

fn places(
    finding: &Finding,
    report: &Report,
    line: Line<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    for evidence in &finding.evidence {
        let Some(place) = &evidence.location else {
            line("seen", &evidence.note, out)?;
            continue;
        };
        line("file", &format!("{} ({})", place.path, evidence.note), out)?;
        let mut layer = place.layer.map_or_else(
            || "not known".to_owned(),
            |layer| format!("{layer} of {}", report.image.layers.len()),
        );
        if let Some(diff_id) = &place.diff_id {
            layer.push_str(&format!(", {diff_id}"));
        }
        if let Some(removed) = place.removed_by {
            layer.push_str(&format!(", removed again by layer {removed}"));
        }
        line("layer", &layer, out)?;
        if let Some(created_by) = &place.created_by {
            line("made by", created_by, out)?;
        }
    }
    Ok(())
}

fn fix_words(finding: &Finding) -> String {
    let stated = finding
        .remediation
        .as_ref()
        .map(|what| what.summary.clone());
    stated
        .or_else(|| {
            let fixed = finding.vulnerability()?.fixed.as_ref()?;
            Some(format!("upgrade to {fixed}"))
        })
        .unwrap_or_else(|| "none yet".to_owned())
}

fn policy_words(finding: &Finding) -> String {
    match (&finding.judgement, &finding.ignored) {
        (Judgement::Fails, _) => "against the policy".to_owned(),
        (Judgement::Passes, _) => "let pass".to_owned(),
        (Judgement::Undetermined, _) => {
            "would be against the policy if it could be verified".to_owned()
        }
        (Judgement::Ignored, None) => "ignored".to_owned(),
        (Judgement::Ignored, Some(ignored)) => match &ignored.expires {
            Some(day) => format!("ignored until {day}: {}", ignored.reason),
            None => format!("ignored: {}", ignored.reason),
        },
    }
}
