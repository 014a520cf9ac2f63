//! Malware signatures: getting them, looking at them, trying them.

mod build;
pub(super) mod show;
mod status;
mod test;
mod update;

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use seaworthy_signatures::install::InstallDir;
use seaworthy_signatures::sign::Certificate;
use seaworthy_signatures::update::read_certificates;

use crate::session::Session;

/// Get malware signatures, look at them, try them on files.
///
/// Signatures are in ClamAV's formats: its official databases, those of others, your own.
/// They are compiled once into one file that is mapped, so that a scan starts at once.
/// Without installed signatures only the test file of anti-virus programs (EICAR) is known.
#[derive(Args)]
pub struct SignaturesArgs {
    #[command(subcommand)]
    action: Action,
    /// The folder of the signatures [default: ~/.local/share/seaworthy/signatures]
    #[arg(long, global = true, value_name = "DIR", env = "SEAWORTHY_SIGNATURES")]
    signatures: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    Update(update::UpdateArgs),
    Build(build::BuildArgs),
    Status(status::StatusArgs),
    Test(test::TestArgs),
}

/// Whose detached signatures count.
#[derive(Args)]
pub struct CertificateArgs {
    /// A certificate (PEM), or a folder of them, that vouches for databases by signature files
    /// (`main-62.cvd.sign`): where there is such a file, it must be right then [default: the
    /// folder `certificates` of the installation]
    #[arg(long, value_name = "PATH", env = "SEAWORTHY_SIGNATURES_CERTIFICATES")]
    certificates: Option<PathBuf>,
}

impl CertificateArgs {
    fn read(&self, place: &InstallDir) -> Result<Vec<Certificate>> {
        let folder = place.certificates_folder();
        Ok(match &self.certificates {
            Some(path) => read_certificates(path)?,
            None if folder.is_dir() => read_certificates(&folder)?,
            None => Vec::new(),
        })
    }
}

/// How to write what was found out.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

pub fn run(args: &SignaturesArgs, session: &Session) -> Result<u8> {
    let folder = args
        .signatures
        .clone()
        .or_else(|| session.folders.signatures())
        .ok_or_else(|| {
            anyhow!("there is no place for signatures\n  hint: set HOME or give `--signatures DIR`")
        })?;
    let place = InstallDir::new(folder);
    match &args.action {
        Action::Update(args) => update::run(args, &place, session),
        Action::Build(args) => build::run(args, &place, session),
        Action::Status(args) => status::run(args, &place, session),
        Action::Test(args) => test::run(args, &place, session),
    }
}
