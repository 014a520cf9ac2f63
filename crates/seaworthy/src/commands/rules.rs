use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use seaworthy_core::Severity;
use seaworthy_engine::{RuleKind, RuleRow, import_gitleaks, rules};
use seaworthy_policy::nearest;
use serde::Serialize;

use super::SUCCESS;
use super::signatures::show::write_json;
use crate::options::read_text;
use crate::output;
use crate::session::Session;

const FORMAT: &str = "\
Rules of your own (`--secret-rules FILE`):
  disable = [\"json-web-token\"]           # rules of ours you do not want

  [[rule]]
  id = \"harbour-pass\"
  summary = \"Pass of the harbour\"
  severity = \"high\"
  keywords = [\"hbr_\"]                   # near every match, four letters or more
  pattern = '\\bhbr_(?<secret>[A-Za-z0-9]{24})\\b'
  entropy = 3.0                           # optional, least bits a letter
  path = '\\.ya?ml$'                      # optional, only in such files
  revoke = \"the harbour master\"         # optional
  positive = [\"hbr_q8Zr2LmX0vTn5KdYq8Zr2LmX\"]   # must give exactly one match
  negative = [\"hbr_short\"]                      # must give none

Examples:
  seaworthy rules aws-access-key-id
  seaworthy rules --kind malware --format json
  seaworthy rules import gitleaks.toml > rules.toml";

/// List the rules that find secrets and malware, or show one: what it finds and what to do then.
#[derive(Args)]
#[command(after_long_help = FORMAT, args_conflicts_with_subcommands = true)]
pub struct RulesArgs {
    /// Show this rule
    #[arg(value_name = "RULE")]
    rule: Option<String>,
    /// List rules of this kind alone
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    /// How to write them
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(subcommand)]
    action: Option<RulesAction>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Keys, tokens and passwords
    Secret,
    /// What files do, where they lie, what packages recorded of them
    Malware,
    /// YARA rules of ours
    Yara,
}

impl Kind {
    const fn of(self) -> RuleKind {
        match self {
            Kind::Secret => RuleKind::Secret,
            Kind::Malware => RuleKind::Malware,
            Kind::Yara => RuleKind::Yara,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    kind: &'static str,
    severity: Severity,
    summary: &'a str,
    advice: &'a str,
    references: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    attack: Option<&'static str>,
}

impl<'a> Row<'a> {
    fn of(rule: &'a RuleRow) -> Row<'a> {
        Row {
            id: &rule.id,
            kind: rule.kind.as_str(),
            severity: rule.severity,
            summary: &rule.summary,
            advice: &rule.advice,
            references: &rule.references,
            attack: rule.attack,
        }
    }
}

#[derive(Subcommand)]
enum RulesAction {
    /// Write a gitleaks configuration as rules of ours to standard output; what can't be taken is
    /// said on standard error, by rule
    Import {
        /// The configuration
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

fn import(file: &Path, session: &Session) -> Result<u8> {
    let text = read_text(file, "gitleaks configuration")?;
    let import = import_gitleaks(&text.text)?;
    let rules = toml::to_string(&import.file).context("cannot write the rules as TOML")?;
    output::write(None, |out| out.write_all(rules.as_bytes()))?;
    for note in &import.notes {
        session.warn(&seaworthy_report::printable(note));
    }
    let counted = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    };
    session.say(&format!(
        "{} taken, {}",
        counted(import.file.rule.len(), "rule"),
        counted(import.notes.len(), "remark")
    ));
    Ok(SUCCESS)
}

pub fn run(args: &RulesArgs, session: &Session) -> Result<u8> {
    if let Some(RulesAction::Import { file }) = &args.action {
        return import(file, session);
    }
    let mut rules = rules()?;
    if let Some(kind) = args.kind {
        rules.retain(|rule| rule.kind == kind.of());
    }
    let Some(wanted) = &args.rule else {
        return list(&rules, args.format);
    };
    let Some(rule) = rules.iter().find(|rule| rule.id == *wanted) else {
        let ids = rules.iter().map(|rule| rule.id.as_str());
        let hint = match nearest(wanted, ids) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`seaworthy rules` lists them".to_owned(),
        };
        return Err(anyhow!(
            "no rule `{}`\n  hint: {hint}",
            wanted.escape_debug()
        ));
    };
    output::write(None, |out| {
        if args.format == Format::Json {
            return write_json(&Row::of(rule), out);
        }
        writeln!(out, "{}", rule.id)?;
        writeln!(out, "  kind       {}", rule.kind.as_str())?;
        writeln!(out, "  finds      {}", rule.summary)?;
        writeln!(out, "  severity   {}", rule.severity)?;
        writeln!(out, "  then       {}", rule.advice)?;
        if let Some(attack) = rule.attack {
            writeln!(out, "  attack     {attack}")?;
        }
        for reference in &rule.references {
            writeln!(out, "  read more  {reference}")?;
        }
        Ok(())
    })?;
    Ok(SUCCESS)
}

fn list(rules: &[RuleRow], format: Format) -> Result<u8> {
    let column = rules
        .iter()
        .map(|rule| rule.id.chars().count())
        .max()
        .unwrap_or(0);
    output::write(None, |out| {
        if format == Format::Json {
            let rows: Vec<Row<'_>> = rules.iter().map(Row::of).collect();
            return write_json(&rows, out);
        }
        for rule in rules {
            writeln!(
                out,
                "{:column$}  {:7}  {:10}  {}",
                rule.id,
                rule.kind.as_str(),
                rule.severity,
                rule.summary
            )?;
        }
        Ok(())
    })?;
    Ok(SUCCESS)
}
