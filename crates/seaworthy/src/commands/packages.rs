use anyhow::Result;
use clap::Args;
use seaworthy_engine::{MalwareChoice, SecretsChoice, inventory};
use seaworthy_policy::Policy;
use seaworthy_report::RenderOptions;

use super::{INCOMPLETE, SUCCESS};
use crate::options::ScanOptions;
use crate::output;
use crate::progress::Progress;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  seaworthy packages debian:12
  seaworthy packages --format json oci:build/image

Exit status: 0 for a whole list, 3 where a part of the image could not be read, 2 for an error.";

/// List the packages of an image.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct PackagesArgs {
    /// The image, as for `seaworthy scan`
    #[arg(value_name = "REF")]
    reference: String,
    /// How to write the list
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// Where to write it instead of standard output; replaced in one step
    #[arg(long, short, value_name = "FILE")]
    output: Option<std::path::PathBuf>,
    /// Cut no line
    #[arg(long)]
    details: bool,
    #[command(flatten)]
    options: ScanOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One line a package, for people
    Table,
    /// The versioned inventory document, for machines
    Json,
}

pub fn run(args: &PackagesArgs, session: &Session) -> Result<u8> {
    let mut request = args
        .options
        .request(&args.reference, Policy::default(), session)?;
    // What is in the files does not change which packages there are.
    request.secrets = SecretsChoice::Off;
    request.malware = MalwareChoice::Off;
    output::check_target(args.output.as_deref())?;
    let progress = Progress::start(session);
    let list = inventory(&request, &progress, session.cancel_on_signals());
    progress.finish();
    let list = list?;
    let target = args.output.as_deref();
    output::write(target, |out| match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &list)?;
            out.write_all(b"\n")
        }
        Format::Table => {
            let options = RenderOptions {
                details: args.details,
                ..session.render_options(target.is_some())
            };
            list.write_table(&options, out)
        }
    })?;
    for problem in &list.problems {
        let place = problem.path.as_deref().map_or_else(String::new, |path| {
            format!("`{}`: ", seaworthy_report::printable(path))
        });
        let message = seaworthy_report::printable(&problem.message);
        session.warn(&format!("{place}{message}"));
    }
    let whole = !list.problems.iter().any(|problem| problem.incomplete);
    Ok(if whole { SUCCESS } else { INCOMPLETE })
}
