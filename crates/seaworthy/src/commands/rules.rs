use anyhow::{Result, anyhow};
use clap::Args;
use seaworthy_engine::secret_rules;
use seaworthy_policy::nearest;

use super::SUCCESS;
use crate::output;
use crate::session::Session;

/// List the rules that find secrets, or show one: what it finds, and where to revoke that.
#[derive(Args)]
pub struct RulesArgs {
    /// Show this rule
    #[arg(value_name = "RULE")]
    rule: Option<String>,
}

pub fn run(args: &RulesArgs, _: &Session) -> Result<u8> {
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
