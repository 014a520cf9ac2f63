use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand};
use seaworthy_engine::{import_gitleaks, secret_rules};
use seaworthy_policy::nearest;

use super::SUCCESS;
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
  seaworthy rules import gitleaks.toml > rules.toml";

/// List the rules that find secrets, or show one: what it finds, and where to revoke that.
#[derive(Args)]
#[command(after_long_help = FORMAT, args_conflicts_with_subcommands = true)]
pub struct RulesArgs {
    /// Show this rule
    #[arg(value_name = "RULE")]
    rule: Option<String>,
    #[command(subcommand)]
    action: Option<RulesAction>,
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
    let rules = secret_rules()?;
    let Some(wanted) = &args.rule else {
        let column = rules
            .iter()
            .map(|rule| rule.id.chars().count())
            .max()
            .unwrap_or(0);
        output::write(None, |out| {
            for rule in &rules {
                writeln!(
                    out,
                    "{:column$}  {:8}  {}",
                    rule.id, rule.severity, rule.summary
                )?;
            }
            Ok(())
        })?;
        return Ok(SUCCESS);
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
        writeln!(out, "{}", rule.id)?;
        writeln!(out, "  finds      {}", rule.summary)?;
        writeln!(out, "  severity   {}", rule.severity)?;
        writeln!(out, "  revoke at  {}", rule.revoke)?;
        writeln!(out, "  read more  {}", rule.reference)
    })?;
    Ok(SUCCESS)
}
