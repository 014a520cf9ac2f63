use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use seaworthy_engine::Report;
use seaworthy_engine::audit::{
    AuditRequest, Profile, audit, scan_of, write_escape_table, write_table,
};
use seaworthy_host::escape::{self, EscapeGraph};
use seaworthy_host::facts::{CollectRequest, Facts, HostRoot, collect};
use seaworthy_report::RenderOptions;

use crate::cli::EXIT_STATUS;
use crate::options::PolicyArgs;
use crate::output;
use crate::session::Session;

/// Recorded facts of thousands of containers are some tens of megabytes.
const MAX_FACTS: u64 = 1 << 30;
/// A scan's report.
const MAX_REPORT: u64 = 256 << 20;

const EXAMPLES: &str = "\
Examples:
  sudo seaworthy audit                          this host and its Docker Engine
  seaworthy audit --details                     with every check and the commands that mend
  seaworthy audit --profile level1 --format json
  sudo seaworthy audit --write-facts host.json  record what there is
  seaworthy audit --facts host.json             judge the record, anywhere
  seaworthy audit --scan-report app.json        let scans answer the checks on images
  seaworthy audit --what-if cap_drop=NET_RAW,pid=private --container web
                                                escape paths as they would be then
  seaworthy audit --plan 'docker run --privileged alpine'
                                                escape paths of what is not started yet
  seaworthy audit --format dot | dot -Tsvg      draw the escape paths

Exceptions stand in the policy file, with a reason:
  [[ignore]]
  id = \"5.5\"               # or the check's name, `privileged-container`
  subject = \"builder\"      # a container, image or network; without it, all of them
  reason = \"builds images; the host is a build host\"";

/// Audit this host, its Docker Engine and its containers.
///
/// Holds them against the CIS Docker Benchmark (by its ids) and more, tells who reaches whom
/// and what is not limited. Works without root or engine with what it can read, and says what
/// it could not. Changes nothing.
#[derive(Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}"))]
pub struct AuditArgs {
    /// Which checks
    #[arg(long, value_name = "PROFILE", default_value = "level2")]
    profile: ProfileArg,
    /// The engine's address [default: the one the Docker client would use]
    #[arg(long, value_name = "ADDRESS")]
    engine: Option<String>,
    /// Ask no engine
    #[arg(long, conflicts_with = "engine")]
    no_engine: bool,
    /// A directory that stands for `/`, such as a host's root mounted into a container
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Judge recorded facts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["engine", "no_engine", "root"])]
    facts: Option<PathBuf>,
    /// Record the facts; values of secrets are left out
    #[arg(long, value_name = "FILE")]
    write_facts: Option<PathBuf>,
    /// A report of `seaworthy scan --format json` on an image of this host; may be given more
    /// than once
    #[arg(long, value_name = "FILE")]
    scan_report: Vec<PathBuf>,
    /// Show the escape paths as they would be after changes: `cap_drop=NET_RAW,pid=private`
    #[arg(long, value_name = "CHANGES")]
    what_if: Option<String>,
    /// Make the changes of `--what-if` in this container only
    #[arg(long, value_name = "NAME", requires = "what_if")]
    container: Option<String>,
    /// Show the escape paths of a container before it is started: `docker run …`
    #[arg(long, value_name = "COMMAND")]
    plan: Option<String>,
    /// How to write the audit
    #[arg(
        long,
        short,
        value_name = "FORMAT",
        default_value = "table",
        help_heading = "Output"
    )]
    format: FormatArg,
    /// Where to write it instead of standard output; replaced in one step
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// List every check, all evidence and the commands that mend it
    #[arg(long, help_heading = "Output")]
    details: bool,
    #[command(flatten)]
    policy: PolicyArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ProfileArg {
    /// Checks of level 1
    Level1,
    /// Checks of level 1 and 2
    Level2,
    /// All but the checks on swarms
    Server,
    /// All
    Swarm,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormatArg {
    /// For people
    Table,
    /// For machines
    Json,
    /// The escape paths as Graphviz draws them
    Dot,
}

pub fn run(args: &AuditArgs, session: &Session) -> Result<u8> {
    let policy = args.policy.policy(session)?;
    output::check_target(args.output.as_deref())?;
    let mut facts = match &args.facts {
        Some(path) => Facts::from_json(&read(path, MAX_FACTS)?)
            .map_err(|error| anyhow!("`{}`: {error}", path.display()))?,
        None => take(args, session),
    };
    for path in &args.scan_report {
        let bytes = read(path, MAX_REPORT)?;
        let report: Report = serde_json::from_slice(&bytes).with_context(|| {
            format!(
                "`{}` is no report\n  hint: make one with `seaworthy scan --format json --output FILE IMAGE`",
                path.display()
            )
        })?;
        let (id, scan) = scan_of(&report).ok_or_else(|| {
            anyhow!(
                "the report `{}` does not name its image by id\n  hint: scan the engine's own image, `docker:NAME`",
                path.display()
            )
        })?;
        facts.scans.insert(id, scan);
    }
    if let Some(path) = &args.write_facts {
        output::write(Some(path), |out| {
            serde_json::to_writer(&mut *out, &facts)?;
            writeln!(out)
        })?;
    }
    if args.what_if.is_some() || args.plan.is_some() || args.format == FormatArg::Dot {
        return paths(args, &facts, session);
    }
    let audit = audit(&AuditRequest {
        facts,
        profile: match args.profile {
            ProfileArg::Level1 => Profile::Level1,
            ProfileArg::Level2 => Profile::Level2,
            ProfileArg::Server => Profile::Server,
            ProfileArg::Swarm => Profile::Swarm,
        },
        policy,
        now: session.now,
    });
    let target = args.output.as_deref();
    let options = RenderOptions {
        details: args.details,
        ..session.render_options(target.is_some())
    };
    output::write(target, |out| match args.format {
        FormatArg::Json => {
            serde_json::to_writer_pretty(&mut *out, &audit)?;
            writeln!(out)
        }
        FormatArg::Table if session.quiet && target.is_none() => {
            let mut whole = Vec::new();
            write_table(&audit, &options, &mut whole)?;
            let end = whole.iter().position(|byte| *byte == b'\n');
            out.write_all(&whole[..end.map_or(whole.len(), |end| end + 1)])
        }
        // Dot is written by `paths`.
        FormatArg::Table | FormatArg::Dot => write_table(&audit, &options, out),
    })?;
    Ok(audit.exit_status)
}

/// The escape paths alone: as they are, after changes, or of a container that is not there
/// yet.
fn paths(args: &AuditArgs, facts: &Facts, session: &Session) -> Result<u8> {
    let (mut facts, planned) = match &args.plan {
        Some(command) => {
            let plan = escape::parse_plan(command).map_err(|error| anyhow!("{error}"))?;
            let (facts, container) = escape::with_plan(facts, &plan);
            (facts, Some(container.id))
        }
        None => (facts.clone(), None),
    };
    if let Some(text) = &args.what_if {
        let changes = escape::parse_changes(text).map_err(|error| anyhow!("{error}"))?;
        let only = args.container.as_deref();
        let is_there = |name: &str| {
            facts
                .containers()
                .iter()
                .any(|c| c.name == name || c.id == name)
        };
        if let Some(name) = only.filter(|name| !is_there(name)) {
            return Err(anyhow!(
                "there is no container `{name}`\n  hint: `docker ps --all` lists them"
            ));
        }
        facts = escape::what_if(&facts, &changes, only);
    }
    let mut graph: EscapeGraph = escape::analyse(&facts);
    if let Some(id) = planned {
        let name = facts
            .containers()
            .iter()
            .find(|c| c.id == id)
            .map(|c| c.name.clone());
        graph.containers.retain(|report| report.id == id);
        graph
            .without_path
            .retain(|other| Some(other) == name.as_ref());
        graph.unknown.clear();
        graph.host = None;
    }
    let target = args.output.as_deref();
    let options = RenderOptions {
        details: args.details,
        ..session.render_options(target.is_some())
    };
    output::write(target, |out| match args.format {
        FormatArg::Json => {
            serde_json::to_writer_pretty(&mut *out, &graph)?;
            writeln!(out)
        }
        FormatArg::Dot => escape::write_dot(&graph, out),
        FormatArg::Table => write_escape_table(&graph, &options, out),
    })?;
    let reports = || graph.containers.iter().chain(&graph.host);
    Ok(if reports().any(|report| report.worst().is_some()) {
        1
    } else if reports().next().is_some() || !graph.unknown.is_empty() {
        3
    } else {
        0
    })
}

fn take(args: &AuditArgs, session: &Session) -> Facts {
    let request = CollectRequest {
        root: HostRoot::new(&args.root),
        engine: args.engine.clone(),
        ask_engine: !args.no_engine,
        ..CollectRequest::default()
    };
    let facts = collect(&request, session.cancel_on_signals());
    if facts.euid != 0 {
        session.warn("not run as root: what only root may read is undetermined");
    }
    facts
}

fn read(path: &Path, cap: u64) -> Result<Vec<u8>> {
    let shown = path.display();
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(cap + 1).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read `{shown}`"))?;
    if bytes.len() as u64 > cap {
        return Err(anyhow!(
            "`{shown}` is over {} MiB\n  hint: is it the right file?",
            cap >> 20
        ));
    }
    Ok(bytes)
}
