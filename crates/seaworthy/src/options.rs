//! Flags that several commands share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use clap::builder::PossibleValuesParser;
use seaworthy_core::{GapKind, Platform, ProblemKind, Severity};
use seaworthy_engine::{
    Baseline, CacheChoice, DEFAULT_CACHE_BYTES, DatabaseChoice, Limits, MalwareChoice,
    MalwareOptions, NamedText, ScanRequest, SecretOptions, SecretsChoice, SignaturesChoice,
    new_baseline, parse_secret_allow,
};
use seaworthy_image::OpenOptions;
use seaworthy_image::engine::EngineAccess;
use seaworthy_policy::{Policy, parse_word, words_of};
use seaworthy_report::{Reporter, reporter, reporters};
use serde::Deserialize;

use crate::session::Session;
use crate::size::parse_size;

/// Name of the policy file that is used when it lies in the working directory.
const POLICY_FILE: &str = "seaworthy.toml";
/// A policy is a page of text; what is longer is some other file.
const MAX_POLICY_BYTES: u64 = 4 << 20;

#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How to write the report
    #[arg(long, short, value_name = "FORMAT", default_value = reporters()[0].meta.id, value_parser = PossibleValuesParser::new(reporters().iter().map(|row| row.meta.id)))]
    format: String,
    /// Where to write it instead of standard output; replaced in one step
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// List everything, however long
    #[arg(long)]
    pub details: bool,
    /// Say in the report how long things took
    #[arg(long)]
    pub timings: bool,
}

impl OutputArgs {
    pub fn reporter(&self) -> &'static Reporter {
        // The parser admits no other names.
        reporter(&self.format).unwrap_or(&reporters()[0])
    }
}

#[derive(Args)]
#[command(next_help_heading = "Policy")]
pub struct PolicyArgs {
    /// The policy file [default: `seaworthy.toml` in the working directory, if it is there]
    #[arg(
        long,
        value_name = "FILE",
        visible_alias = "config",
        env = "SEAWORTHY_POLICY"
    )]
    policy: Option<PathBuf>,
    /// Findings of this severity or worse are against the policy; `none` for no severity
    /// [default: high]
    #[arg(long, value_name = "SEVERITY", value_parser = severity_or_none())]
    fail_on: Option<String>,
    /// List findings of this severity or worse, unrated ones like medium ones; what fails is
    /// always listed [default: low]
    #[arg(long, value_name = "SEVERITY", value_parser = words_parser::<Severity>())]
    show: Option<String>,
    /// Let flaws pass that no version fixes yet
    #[arg(long)]
    pass_unfixed: bool,
    /// A gap that does not make the verdict incomplete; may be given more than once
    #[arg(long, value_name = "GAP", value_parser = words_parser::<GapKind>())]
    accept_gap: Vec<String>,
    /// A kind of problem that does not make the verdict incomplete; may be given more than once
    #[arg(long, value_name = "KIND", value_parser = words_parser::<ProblemKind>())]
    accept_problem: Vec<String>,
}

fn words_parser<T: for<'de> Deserialize<'de>>() -> PossibleValuesParser {
    PossibleValuesParser::new(words_of::<T>().iter().copied())
}

fn severity_or_none() -> PossibleValuesParser {
    let words = words_of::<Severity>().iter().rev().copied();
    PossibleValuesParser::new(words.chain(["none"]))
}

impl PolicyArgs {
    /// The same for sources, where any secret fails unless somebody says otherwise.
    pub fn strict_policy(&self, session: &Session) -> Result<Policy> {
        let mut policy = self.policy(session)?;
        let is_default =
            self.fail_on.is_none() && self.policy.is_none() && !Path::new(POLICY_FILE).exists();
        if is_default {
            policy.fail_on = Some(Severity::Low);
        }
        Ok(policy)
    }

    /// The policy of the file, with the flags on top.
    pub fn policy(&self, session: &Session) -> Result<Policy> {
        let mut policy = match &self.policy {
            Some(path) => read_policy(path)?,
            None if Path::new(POLICY_FILE).exists() => {
                session.detail(&format!("policy: {POLICY_FILE}"));
                read_policy(Path::new(POLICY_FILE))?
            }
            None => Policy::default(),
        };
        // The parser admits no other words.
        if let Some(word) = &self.fail_on {
            policy.fail_on = parse_word(word).ok();
        }
        if let Some(show) = self.show.as_ref().and_then(|word| parse_word(word).ok()) {
            policy.show = show;
        }
        if self.pass_unfixed {
            policy.fail_on_unfixed = false;
        }
        policy
            .accept_gaps
            .extend(admitted::<GapKind>(&self.accept_gap));
        policy
            .accept_problems
            .extend(admitted::<ProblemKind>(&self.accept_problem));
        Ok(policy)
    }
}

/// Words that the parser let through.
fn admitted<T: for<'de> Deserialize<'de>>(words: &[String]) -> impl Iterator<Item = T> {
    words.iter().filter_map(|word| parse_word(word).ok())
}

fn read_policy(path: &Path) -> Result<Policy> {
    use std::io::Read as _;
    let shown = path.display();
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_POLICY_BYTES + 1).read_to_string(&mut text))
        .with_context(|| format!("cannot read the policy `{shown}`"))?;
    if text.len() as u64 > MAX_POLICY_BYTES {
        return Err(anyhow!(
            "the policy `{shown}` is over {} MiB\n  hint: is it the right file?",
            MAX_POLICY_BYTES >> 20
        ));
    }
    Policy::from_toml(&text).with_context(|| format!("the policy `{shown}` is not right"))
}

/// How an image is opened and read, and what it is judged by.
#[derive(Args)]
pub struct ScanOptions {
    /// Which image of a multi-platform one, such as `linux/arm64` [default: this machine's]
    #[arg(long, value_name = "PLATFORM", help_heading = "Image")]
    platform: Option<Platform>,
    /// How layers are read from a Docker Engine: where they lie (`direct`), through the engine
    /// (`export`), or directly where that is allowed (`auto`)
    #[arg(
        long,
        value_name = "WAY",
        default_value = "auto",
        help_heading = "Image"
    )]
    engine_access: EngineWay,
    /// A registry, `HOST[:PORT]`, that may speak plain HTTP or show a certificate nobody vouches
    /// for; may be given more than once
    #[arg(long, value_name = "HOST", help_heading = "Image")]
    insecure_registry: Vec<String>,
    /// The folder of the advisory database [default: ~/.local/share/seaworthy/db]
    #[arg(
        long,
        value_name = "DIR",
        env = "SEAWORTHY_DB",
        help_heading = "Advisories"
    )]
    db: Option<PathBuf>,
    /// Judge by the small set of advisories built into the program
    #[arg(long, conflicts_with = "db", help_heading = "Advisories")]
    builtin: bool,
    /// Look for no secrets: files, environment and history are not searched
    #[arg(long, help_heading = "Image")]
    no_secrets: bool,
    /// Look for no malware: files are neither unpacked for it nor searched
    #[arg(long, help_heading = "Malware", conflicts_with_all = ["signatures", "yara", "clamd"])]
    no_malware: bool,
    /// Look for the signatures of this file, or of all signature files in this folder, in ClamAV's
    /// formats, instead of the installed ones
    #[arg(long, value_name = "PATH", help_heading = "Malware")]
    signatures: Option<PathBuf>,
    /// Look for the YARA rules of this file or folder too; may be given more than once
    #[arg(long, value_name = "PATH", help_heading = "Malware")]
    yara: Vec<PathBuf>,
    /// Ask a ClamAV daemon too: the path of its socket, or `HOST:PORT`
    #[arg(long, value_name = "ADDRESS", help_heading = "Malware")]
    clamd: Option<String>,
    #[command(flatten)]
    secret_args: SecretArgs,
    /// Neither use nor keep what is known of layers
    #[arg(long, help_heading = "Speed")]
    no_cache: bool,
    /// The folder of the cache [default: ~/.cache/seaworthy/evidence]
    #[arg(
        long,
        value_name = "DIR",
        env = "SEAWORTHY_CACHE_DIR",
        help_heading = "Speed"
    )]
    cache_dir: Option<PathBuf>,
    /// Bound on the size of the cache
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "Speed")]
    cache_size: Option<u64>,
    /// How many layers are read at the same time [default: one per processor]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Speed")]
    threads: Option<u16>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// What secrets are looked for and judged by.
#[derive(Args)]
#[command(next_help_heading = "Secrets")]
pub struct SecretArgs {
    /// Rules of your own, in the format `seaworthy help rules` shows, or a gitleaks
    /// configuration; may be given more than once
    #[arg(long, value_name = "FILE")]
    secret_rules: Vec<PathBuf>,
    /// Secrets that are set aside: `[[secret-allow]]` tables as in the policy file; may be given
    /// more than once
    #[arg(long, value_name = "FILE")]
    secret_allow: Vec<PathBuf>,
    /// A baseline: secrets that stand in it are known and do not fail
    #[arg(long, value_name = "FILE")]
    secret_baseline: Option<PathBuf>,
    /// Write a baseline of the secrets that are found; one that is there keeps its key and the
    /// reasons in it
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// The Dockerfile that it is built from: it is searched too, and what to change in it is
    /// written out for each secret
    #[arg(long, value_name = "FILE")]
    dockerfile: Option<PathBuf>,
}

/// Rule files, allow lists, baselines and Dockerfiles are pages of text.
const MAX_TEXT_BYTES: u64 = 32 << 20;

impl SecretArgs {
    pub fn options(&self) -> Result<SecretOptions> {
        let texts = |paths: &[PathBuf], what: &str| -> Result<Vec<NamedText>> {
            paths.iter().map(|path| read_text(path, what)).collect()
        };
        let mut allow = Vec::new();
        for file in texts(&self.secret_allow, "allow list")? {
            let parsed = parse_secret_allow(&file.text)
                .with_context(|| format!("the allow list `{}` is not right", file.name))?;
            allow.extend(parsed);
        }
        let baseline = |path: &Path| -> Result<Baseline> {
            let file = read_text(path, "baseline")?;
            Baseline::parse(&file.text).with_context(|| format!("`{}`", file.name))
        };
        let baseline = match (&self.secret_baseline, &self.write_baseline) {
            (Some(path), _) => Some(baseline(path)?),
            (None, Some(path)) if path.exists() => Some(baseline(path)?),
            (None, Some(_)) => {
                Some(new_baseline().context("cannot get random bytes for the baseline's key")?)
            }
            (None, None) => None,
        };
        Ok(SecretOptions {
            rules: texts(&self.secret_rules, "rule file")?,
            allow,
            baseline: baseline.map(Arc::new),
            write_baseline: self.write_baseline.clone(),
            dockerfile: self
                .dockerfile
                .as_deref()
                .map(|path| read_text(path, "Dockerfile"))
                .transpose()?,
        })
    }
}

/// Reads a text that the user names; a Dockerfile or rule file that is no UTF-8 is read with
/// what is none replaced.
pub fn read_text(path: &Path, what: &str) -> Result<NamedText> {
    use std::io::Read as _;
    let shown = path.display();
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read the {what} `{shown}`"))?;
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        return Err(anyhow!(
            "the {what} `{shown}` is over {} MiB\n  hint: is it the right file?",
            MAX_TEXT_BYTES >> 20
        ));
    }
    Ok(NamedText {
        name: shown.to_string(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

/// The key of fingerprints that this installation keeps.
pub fn secret_key(session: &Session) -> SecretsChoice {
    match session.folders.secret_key() {
        Some(path) => SecretsChoice::KeyAt(path),
        None => SecretsChoice::KeyOnce,
    }
}

/// How many threads are asked for; one per processor without a wish.
pub fn thread_count(wanted: Option<u16>) -> usize {
    wanted.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    )
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EngineWay {
    Auto,
    Direct,
    Export,
}

/// Bounds on hostile images. What lies behind one is not looked at, and the report says so.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Uncompressed bytes of one layer, such as `500M` or `64G`
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_layer_bytes: Option<u64>,
    /// Entries of one layer
    #[arg(long, value_name = "NUMBER")]
    max_layer_entries: Option<u64>,
    /// Uncompressed bytes for each compressed one
    #[arg(long, value_name = "NUMBER")]
    max_ratio: Option<u64>,
    /// Layers of one image
    #[arg(long, value_name = "NUMBER")]
    max_layers: Option<usize>,
    /// Directories inside directories
    #[arg(long, value_name = "NUMBER")]
    max_path_depth: Option<usize>,
    /// Bytes of a manifest or index
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_manifest_bytes: Option<u64>,
}

impl LimitArgs {
    fn limits(&self) -> Limits {
        let standard = Limits::default();
        Limits {
            layer_bytes: self.max_layer_bytes.unwrap_or(standard.layer_bytes),
            layer_entries: self.max_layer_entries.unwrap_or(standard.layer_entries),
            ratio: self.max_ratio.unwrap_or(standard.ratio),
            layers: self.max_layers.unwrap_or(standard.layers),
            path_depth: self.max_path_depth.unwrap_or(standard.path_depth),
            manifest_bytes: self.max_manifest_bytes.unwrap_or(standard.manifest_bytes),
            ..standard
        }
    }
}

impl ScanOptions {
    pub fn request(
        &self,
        reference: &str,
        policy: Policy,
        session: &Session,
    ) -> Result<ScanRequest> {
        Ok(ScanRequest {
            reference: reference.to_owned(),
            open: self.open(),
            limits: self.limits.limits(),
            database: database_choice(self.db.as_deref(), self.builtin, session),
            cache: self.cache(session),
            secrets: match self.no_secrets {
                true => SecretsChoice::Off,
                false => secret_key(session),
            },
            malware: self.malware(session),
            secret_options: self.secret_args.options()?,
            policy,
            threads: thread_count(self.threads),
            now: session.now,
            timings: false,
        })
    }

    fn malware(&self, session: &Session) -> MalwareChoice {
        if self.no_malware {
            return MalwareChoice::Off;
        }
        let signatures = match (&self.signatures, session.folders.signatures()) {
            (Some(path), _) => SignaturesChoice::From(path.clone()),
            (None, Some(folder)) => SignaturesChoice::Installed(folder),
            (None, None) => SignaturesChoice::BuiltIn,
        };
        MalwareChoice::On(Box::new(MalwareOptions {
            yara: self.yara.clone(),
            clamd: self.clamd.clone(),
            ..MalwareOptions::new(signatures)
        }))
    }

    fn open(&self) -> OpenOptions {
        let mut open = OpenOptions {
            platform: self.platform.clone(),
            ..OpenOptions::default()
        };
        open.engine.access = match self.engine_access {
            EngineWay::Auto => EngineAccess::Auto,
            EngineWay::Direct => EngineAccess::Direct,
            EngineWay::Export => EngineAccess::Export,
        };
        open.registry.insecure.clone_from(&self.insecure_registry);
        open
    }

    fn cache(&self, session: &Session) -> CacheChoice {
        if self.no_cache {
            return CacheChoice::Off;
        }
        match self
            .cache_dir
            .clone()
            .or_else(|| session.folders.evidence())
        {
            Some(path) => CacheChoice::Folder {
                path,
                max_bytes: self.cache_size.unwrap_or(DEFAULT_CACHE_BYTES),
            },
            None => CacheChoice::Off,
        }
    }
}

fn database_choice(db: Option<&Path>, builtin: bool, session: &Session) -> DatabaseChoice {
    match (db, session.folders.database()) {
        _ if builtin => DatabaseChoice::Embedded,
        (Some(folder), _) => DatabaseChoice::At(folder.to_owned()),
        (None, Some(folder)) => DatabaseChoice::InstalledOrEmbedded(folder),
        (None, None) => DatabaseChoice::Embedded,
    }
}
