use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;
use seaworthy_engine::VERSION;
use seaworthy_signatures::install::InstallDir;
use seaworthy_signatures::update::{UpdateOptions, build};

use super::show::{self, Done};
use super::{CertificateArgs, Format};
use crate::commands::{INCOMPLETE, SUCCESS};
use crate::output;
use crate::progress::Progress;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  seaworthy signatures build --from /var/lib/clamav
  seaworthy signatures build --from ./rules --signatures ./set
  seaworthy signatures test --signatures ./set FILE

Read are containers (.cvd .cld .cud), hashes (.hdb .hsb .mdb .msb), body and logical signatures
(.ndb .ldb), allow and ignore lists (.fp .sfp .ign .ign2), and YARA rules (.yar .yara). Other kinds
ClamAV has are counted as kept out. Files whose name begins with a dot, and folders behind links,
are passed over. A container that is broken or not its publisher's is not used at all.

Files in the folder `extra` of the installation are part of every build and update. The same files
give the same signatures, byte for byte.

Exit status: 0, or 3 where a file could not be used; 2 for an error.";

/// Compile a folder of signature files and install the result.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct BuildArgs {
    /// The folder of signature files, or one file
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Another file or folder of signatures to take in; may be given more than once
    #[arg(long, value_name = "PATH")]
    add: Vec<PathBuf>,
    #[command(flatten)]
    certificates: CertificateArgs,
    /// Compile also when nothing has changed
    #[arg(long)]
    force: bool,
    /// How to write what the signatures are made of
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

pub fn run(args: &BuildArgs, place: &InstallDir, session: &Session) -> Result<u8> {
    check_paths(std::iter::once(&args.from).chain(&args.add))?;
    let builder = format!("seaworthy {VERSION}");
    let mut options = UpdateOptions::new(PathBuf::new(), &builder, session.now);
    options.added.clone_from(&args.add);
    options.certificates = args.certificates.read(place)?;
    options.force = args.force;
    let progress = Progress::start(session);
    let done = build(place, &args.from, &options, &mut |event| {
        show::tell(&event, &progress);
    });
    progress.finish();
    let done = done?;
    let lost = show::tell_problems(&done.installed.manifest.problems, session);
    let manifest = &done.installed.manifest;
    output::write(None, |out| match args.format {
        Format::Table => show::write_tables(manifest, session, out),
        Format::Json => show::write_json(
            &Done {
                changed: done.changed,
                files: Vec::new(),
                installed: manifest,
            },
            out,
        ),
    })?;
    show::tell_installed(&done.installed, done.changed, session);
    Ok(if lost { INCOMPLETE } else { SUCCESS })
}

/// A path that was given must be there: a typing error is not a problem with one file.
pub fn check_paths<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Result<()> {
    for path in paths {
        if !path.exists() {
            return Err(anyhow!(
                "there is no file or directory `{}`\n  hint: give a folder of signature files, or one such file",
                path.display()
            ));
        }
    }
    Ok(())
}
