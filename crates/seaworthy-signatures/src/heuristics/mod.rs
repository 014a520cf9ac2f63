//! What no signature knows: one file is looked at by name, place, mode, header and content.
//!
//! Pure: bytes in, evidence out. What a suspicion means in the image it lies in, with package
//! records, other files and the configuration beside it, is judged by
//! [`findings`](crate::findings). A rule is a row: its constant stands with its code, and
//! [`RULES`] is the list of them.
//!
//! Order of work, cheap first: name and place; then the first bytes decide between ELF (header,
//! segments and sections only) and text, which one search for rare words keeps away from most
//! rules. Nothing else is read. Left out: content of binaries, which is what signatures and YARA
//! rules are for.

mod accounts;
mod elf;
mod exploit;
mod hooks;
mod keccak;
mod miner;
mod placement;
mod prefilter;
mod remote;
mod rule;
mod shell;
mod starters;
mod text;
mod wallet;

use seaworthy_core::{
    EvidenceItem, ExecutableEvidence, ExecutableKind, ImagePath, StarterKind, SuspicionEvidence,
};

use prefilter::TextKind;

pub(crate) use placement::is_package_place;
pub use rule::{HeuristicRule, Sample, Scope};
pub(crate) use shell::{Command, parse as parse_shell};
pub(crate) use text::is_mostly_text;

/// Raised whenever the same file gives other evidence: part of the cache key of layers.
pub const REVISION: u32 = 2;

/// All rules, in the order of the lists people read.
pub const RULES: &[HeuristicRule] = &[
    miner::CONFIGURATION,
    miner::COMMAND_LINE,
    miner::WALLET,
    miner::POOL,
    miner::TUNING,
    miner::RIVALS,
    remote::REVERSE_SHELL,
    remote::FETCH_AND_RUN,
    remote::DECODE_AND_RUN,
    accounts::SECOND_ROOT,
    accounts::EMPTY_PASSWORD,
    accounts::AUTHORIZED_KEY,
    accounts::SUDO,
    accounts::SSH_SERVER,
    accounts::PAM_PERMIT,
    accounts::PAM_EXEC,
    hooks::PRELOAD_FILE,
    hooks::PRELOAD_VARIABLE,
    hooks::PYTHON_START,
    hooks::NPM_INSTALL,
    hooks::SHELL_TRAP,
    exploit::RUNTIME_ESCAPE,
    exploit::CGROUP_ESCAPE,
    exploit::DEVICE_FILE,
    elf::PACKED,
    elf::ENCRYPTED,
    elf::KERNEL_MODULE,
    placement::SETUID_SHELL,
    placement::ODD_PLACE,
    placement::MASQUERADE,
    placement::HIDDEN_NAME,
    placement::MINER_NAME,
    crate::findings::integrity::TAMPERED,
    crate::findings::integrity::UNOWNED,
    crate::findings::integrity::UNOWNED_SETUID,
    crate::findings::integrity::UNOWNED_PAM,
    crate::findings::integrity::UNOWNED_NSS,
    crate::findings::start::PRELOADED,
    crate::findings::start::START_IN_PROC,
    crate::findings::start::DOWNLOADS,
    crate::findings::KNOWN_MALWARE,
];

/// The rule with this id.
pub fn rule(id: &str) -> Option<&'static HeuristicRule> {
    RULES.iter().find(|rule| rule.meta.id == id)
}

/// What is known of a file before its content.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts<'a> {
    /// Where it lies in the layer: the outermost file, for one inside an archive.
    pub path: &'a ImagePath,
    /// The way into archives, joined by `!/`; `None` for the file itself.
    pub inside: Option<&'a str>,
    /// Permission bits with set-user-id, set-group-id and sticky. Of hard links, those of the
    /// first that the layer holds.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Whole size in bytes, also where fewer are at hand.
    pub size: u64,
}

impl FileFacts<'_> {
    /// The name that the content rules go by: of the innermost file.
    fn name(&self) -> &str {
        let inner = self.inside.unwrap_or(self.path.as_str());
        inner.rsplit('/').next().unwrap_or(inner)
    }

    fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }
}

/// Suspicions of one file that are kept; a file with more has said enough.
const SUSPICIONS: usize = 32;

/// Where the rules put what they see.
struct Seen<'o> {
    inside: Option<Box<str>>,
    count: usize,
    /// The byte from which offsets lack what was left out, and how much that is.
    gap: Option<(u64, u64)>,
    out: &'o mut Vec<EvidenceItem>,
}

impl Seen<'_> {
    fn add(&mut self, rule: &HeuristicRule, offset: Option<u64>, note: String) {
        if self.count < SUSPICIONS {
            self.count += 1;
            let offset = offset.map(|at| match self.gap {
                Some((from, left_out)) if at >= from => at.saturating_add(left_out),
                _ => at,
            });
            self.out.push(EvidenceItem::Suspicion(SuspicionEvidence {
                rule: rule.meta.id.to_owned(),
                inside: self.inside.clone(),
                offset,
                note,
            }));
        }
    }
}

/// Looks at one file. `bytes` is its content from the start, whole or cut off (then shorter
/// than [`FileFacts::size`]); rules that need the end keep silent about a file that is cut off.
///
/// Gives [`EvidenceItem::Suspicion`] and [`EvidenceItem::Starter`], and
/// [`EvidenceItem::Executable`] without digests for files that can be run and for which
/// [`wants_digests`] says nothing.
pub fn examine(file: &FileFacts<'_>, bytes: &[u8], out: &mut Vec<EvidenceItem>) {
    let kind = executable_kind(file, bytes);
    if file.inside.is_none() {
        let is_elf = bytes.starts_with(elf::MAGIC);
        let notable = is_elf
            || file.mode & 0o6000 != 0
            || kind == Some(ExecutableKind::KernelModule)
            || (kind == Some(ExecutableKind::Script) && file.is_executable());
        if let Some(kind) = kind
            && notable
            && wants_digests(file, bytes).is_none()
        {
            out.push(EvidenceItem::Executable(ExecutableEvidence {
                kind,
                mode: file.mode,
                uid: file.uid,
                gid: file.gid,
                size: file.size,
                digests: Vec::new(),
            }));
        }
    }
    let mut seen = Seen {
        inside: file.inside.map(Into::into),
        count: 0,
        gap: None,
        out,
    };
    if file.inside.is_none() {
        placement::examine(file, bytes, kind, &mut seen);
        exploit::examine_place(file, &mut seen);
    }
    if bytes.starts_with(elf::MAGIC) {
        elf::examine(file, bytes, kind, &mut seen);
        return;
    }
    if !is_read(file, bytes) {
        return;
    }
    let text::Readable { bytes, gap } = text::readable(bytes);
    let bytes = bytes.as_ref();
    seen.gap = gap;
    content(file, bytes, &mut seen);
    if file.inside.is_none()
        && let Some(starter) = starters::examine(file, bytes)
    {
        out.push(EvidenceItem::Starter(starter));
    }
}

/// Whether the content rules read a file that is no ELF file. What some program surely reads as
/// text is read whatever bytes stand in it and however long it is: one control byte, or a
/// megabyte of spaces, changes nothing for that program.
fn is_read(file: &FileFacts<'_>, head: &[u8]) -> bool {
    let is_for_program = head.starts_with(b"#!")
        || accounts::is_known(file)
        || starters::kind(file).is_some()
        || file.path.as_str() == "etc/environment";
    (is_for_program && !head.is_empty())
        || (is_mostly_text(head)
            && (file.size <= text::TEXT_CAP as u64 || prefilter::is_code(file.name())))
}

fn content(file: &FileFacts<'_>, bytes: &[u8], seen: &mut Seen<'_>) {
    if file.inside.is_none() {
        accounts::examine(file, bytes, seen);
        hooks::examine(file, bytes, seen);
    } else {
        hooks::examine_inner(file, bytes, seen);
    }
    let path = file.path.as_str();
    if prefilter::is_documentation(path, file.name()) {
        return;
    }
    let starter = starters::kind(file);
    let interpreter = text::shebang(bytes);
    let is_shell = starter.is_some_and(|kind| kind != StarterKind::Interpreter)
        || file.name().ends_with(".sh")
        || interpreter.as_deref().is_some_and(text::is_shell)
        || (interpreter.is_none()
            && file.name().starts_with('.')
            && !file.name().contains("ignore"));
    let kind = if is_shell {
        TextKind::Shell
    } else if interpreter.is_some() || prefilter::is_code(file.name()) {
        TextKind::Code
    } else {
        TextKind::Data
    };
    exploit::examine_start(bytes, seen);
    let mut families = prefilter::families(bytes, kind);
    if is_shell && !families.remote {
        // What the shell reads as one word may be written in pieces: `/d""ev/t""cp/`.
        let unquoted = text::without_quotes(bytes);
        families.remote = prefilter::families(&unquoted, kind).remote;
    }
    if families.is_empty() {
        return;
    }
    let commands = is_shell.then(|| shell::parse(&starters::commands_of(file, bytes)));
    if families.miner {
        miner::examine(bytes, commands.as_deref(), seen);
    }
    if families.code {
        remote::examine_code(bytes, seen);
    }
    let Some(commands) = commands else { return };
    if families.host {
        miner::examine_script(bytes, seen);
        exploit::examine_script(bytes, &commands, seen);
    }
    if families.remote {
        remote::examine_shell(&commands, seen);
    }
}

/// Whether the content of a file is of use to [`examine`]: if not, an empty slice serves as
/// well. `head` is its first bytes, 1 KiB or all it has.
pub fn wants_content(file: &FileFacts<'_>, head: &[u8]) -> bool {
    head.starts_with(elf::MAGIC) || is_read(file, head)
}

/// Whether the digests of a file are of use: it can be run or loaded and lies where packages
/// install. The caller then makes `md5`, `sha1` and `sha256` and adds the evidence itself.
/// `head` is its first bytes, 64 or more where it has them.
pub fn wants_digests(file: &FileFacts<'_>, head: &[u8]) -> Option<ExecutableKind> {
    if file.inside.is_some() || !is_package_place(file.path.as_str()) {
        return None;
    }
    executable_kind(file, head)
}

fn executable_kind(file: &FileFacts<'_>, head: &[u8]) -> Option<ExecutableKind> {
    if head.starts_with(elf::MAGIC) {
        return Some(elf::kind(file.name(), head));
    }
    if elf::is_compressed_module(file.name()) {
        return Some(ExecutableKind::KernelModule);
    }
    if head.starts_with(b"#!") {
        return Some(ExecutableKind::Script);
    }
    let is_code = prefilter::is_loaded_code(file.name()) || hooks::is_pth(file.name());
    (file.size > 0 && (file.is_executable() || is_code)).then_some(ExecutableKind::Other)
}

/// What a command of an image's configuration is up to.
pub(crate) struct UpTo {
    /// The rule that knows.
    pub rule: &'static HeuristicRule,
    /// How, in a few words.
    pub note: String,
}

/// The line that a command gives to a shell.
pub(crate) fn shell_line(command: &Command) -> Option<&str> {
    let (name, arguments) = command.program()?;
    text::is_shell(name)
        .then(|| shell::inline_code(arguments))
        .flatten()
}

/// Looks at the commands of an image's configuration.
pub(crate) fn examine_commands(commands: &[Command]) -> Vec<UpTo> {
    let mut found = Vec::new();
    if let Some((_, note)) = shell::runs_foreign_code(commands) {
        found.push(UpTo {
            rule: &crate::findings::start::DOWNLOADS,
            note,
        });
    }
    if let Some(how) = remote::network_shell(commands) {
        found.push(UpTo {
            rule: &remote::REVERSE_SHELL,
            note: how.to_owned(),
        });
    }
    if let Some(program) = commands.iter().find_map(miner::command_line) {
        found.push(UpTo {
            rule: &miner::COMMAND_LINE,
            note: format!("`{program}` is given a pool and an account"),
        });
    }
    found
}

#[cfg(test)]
mod tests;
