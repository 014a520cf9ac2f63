//! Files that start others by themselves, and the names they start.
//!
//! Followed: crontab(5) and the layouts of Debian, Alpine and Fedora, systemd.unit(5),
//! init.d, OpenRC, runit, s6-overlay and supervisord, bash(1) and zsh(1), ld.so(8), pam.d(5),
//! deb-postinst(5), githooks(5), npm "scripts", Python's `site`, modules-load.d(5).
//!
//! A script is [`StarterKind::Script`]: it starts what it names once something starts it, so
//! that the judging can follow an entrypoint through one script.

use std::borrow::Cow;

use seaworthy_core::{StarterEvidence, StarterKind};

use super::shell;
use super::text::{self, Names, lossy};
use super::{FileFacts, hooks};

/// Largest script that is read for what it starts.
const SCRIPT: u64 = 256 << 10;

/// By which way a file starts things, told by its path and name.
pub(super) fn kind(file: &FileFacts<'_>) -> Option<StarterKind> {
    let path = file.path.as_str();
    let name = file.path.file_name();
    if file.inside.is_some() {
        return None;
    }
    let in_any = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
    if name.starts_with(".placeholder") || name == "README" {
        return None;
    }
    if let Some(rest) = path.strip_prefix("etc/") {
        let first = rest.split('/').next().unwrap_or_default();
        let kind = match first {
            "crontab" | "anacrontab" | "cron.d" | "cron.hourly" | "cron.daily" | "cron.weekly"
            | "cron.monthly" | "cron.yearly" | "crontabs" | "periodic" => Some(StarterKind::Cron),
            "systemd" if is_unit(name) || path.contains("-generators/") => {
                Some(StarterKind::Systemd)
            }
            "init.d" | "rc.local" | "rc.d" | "inittab" | "init" | "inetd.conf" | "xinetd.d"
            | "sv" | "service" | "services.d" | "s6-overlay" | "cont-init.d" | "cont-finish.d"
            | "supervisor" | "supervisord.conf" | "supervisord.d" | "supervisor.d" | "local.d"
            | "my_init.d" | "rc.conf" => Some(StarterKind::Init),
            "profile" | "profile.d" | "bash.bashrc" | "bashrc" | "zsh" | "zshrc" | "zshenv"
            | "zprofile" | "csh.cshrc" | "csh.login" | "skel" | "update-motd.d"
            | "bash.bash_logout" => Some(StarterKind::ShellProfile),
            "ssh" if rest == "ssh/sshrc" => Some(StarterKind::ShellProfile),
            "ld.so.preload" => Some(StarterKind::Loader),
            "pam.d" | "pam.conf" => Some(StarterKind::Pam),
            "apt" if rest.starts_with("apt/apt.conf") => Some(StarterKind::PackageHook),
            "dpkg" if rest.starts_with("dpkg/dpkg.cfg") => Some(StarterKind::PackageHook),
            "apk" if rest.starts_with("apk/commit_hooks.d") => Some(StarterKind::PackageHook),
            "modules" | "modules-load.d" | "modprobe.d" => Some(StarterKind::KernelModules),
            _ => None,
        };
        if kind.is_some() {
            return kind;
        }
    }
    if in_any(&["var/spool/cron/", "var/spool/at/", "var/spool/anacron/"]) {
        return Some(StarterKind::Cron);
    }
    if in_any(&["usr/lib/systemd/", "lib/systemd/", "usr/local/lib/systemd/"])
        || path.contains("/.config/systemd/user/")
    {
        return (is_unit(name) || path.contains("-generators/")).then_some(StarterKind::Systemd);
    }
    if in_any(&[
        "docker-entrypoint.d/",
        "docker-entrypoint-initdb.d/",
        "entrypoint.d/",
    ]) {
        return Some(StarterKind::Init);
    }
    if in_any(&["usr/lib/pam.d/", "lib/pam.d/"]) {
        return Some(StarterKind::Pam);
    }
    if in_any(&["usr/lib/modules-load.d/", "lib/modules-load.d/"]) {
        return Some(StarterKind::KernelModules);
    }
    if path.starts_with("var/lib/dpkg/info/")
        && ["postinst", "preinst", "prerm", "postrm", "config"]
            .iter()
            .any(|end| name.rsplit('.').next() == Some(end))
    {
        return Some(StarterKind::PackageHook);
    }
    if path.contains(".git/hooks/") && !name.ends_with(".sample") {
        return Some(StarterKind::PackageHook);
    }
    let profile = matches!(
        name,
        ".bashrc"
            | ".profile"
            | ".bash_profile"
            | ".bash_login"
            | ".bash_logout"
            | ".bash_aliases"
            | ".zshrc"
            | ".zprofile"
            | ".zshenv"
            | ".zlogin"
            | ".login"
            | ".cshrc"
            | ".kshrc"
            | ".xsessionrc"
            | "config.fish"
    ) || path.ends_with(".ssh/rc");
    if profile && in_any(&["root/", "home/", "var/", "opt/", "usr/", "srv/", "."]) {
        return Some(StarterKind::ShellProfile);
    }
    if matches!(name, "sitecustomize.py" | "usercustomize.py") {
        return Some(StarterKind::Interpreter);
    }
    None
}

fn is_unit(name: &str) -> bool {
    [".service", ".timer", ".path", ".socket", ".conf", ".mount"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// The text of a starter as shell commands: crontab lines without their times, units without
/// all but what they run.
pub(super) fn commands_of<'b>(file: &FileFacts<'_>, bytes: &'b [u8]) -> Cow<'b, str> {
    let text = lossy(bytes);
    match kind(file) {
        Some(StarterKind::Cron) if is_crontab(file.path.as_str()) => {
            let has_user = file.path.as_str().starts_with("etc/cron")
                && !file.path.as_str().starts_with("etc/crontabs/");
            Cow::Owned(
                text.lines()
                    .filter_map(|line| cron_command(line, has_user))
                    .collect::<Vec<_>>()
                    .join("\n"),
            )
        }
        Some(StarterKind::Systemd) if !text.starts_with("#!") => Cow::Owned(unit_commands(&text)),
        Some(StarterKind::Init) if file.path.as_str() == "etc/inittab" => Cow::Owned(
            text.lines()
                .filter(|line| !line.trim_start().starts_with('#'))
                .filter_map(|line| line.splitn(4, ':').nth(3))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        Some(StarterKind::Init) if file.path.as_str().contains("supervisor") => Cow::Owned(
            text.lines()
                .filter_map(|line| line.trim().strip_prefix("command"))
                .filter_map(|line| line.trim_start().strip_prefix('='))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        Some(StarterKind::PackageHook) if file.path.as_str().starts_with("etc/apt/") => Cow::Owned(
            // `DPkg::Post-Invoke { "command"; };`
            text.lines()
                .filter(|line| {
                    !line.trim_start().starts_with("//") && !line.trim_start().starts_with('#')
                })
                .filter(|line| line.contains("Invoke") || line.trim_start().starts_with('"'))
                .filter_map(|line| line.split('"').nth(1).map(str::to_owned))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        _ => text,
    }
}

fn is_crontab(path: &str) -> bool {
    [
        "etc/crontab",
        "etc/cron.d/",
        "etc/crontabs/",
        "var/spool/cron/",
        "etc/anacrontab",
    ]
    .iter()
    .any(|place| path.starts_with(place))
}

fn cron_command(line: &str, has_user: bool) -> Option<String> {
    let line = line.trim();
    let first = line.split_whitespace().next()?;
    if line.starts_with('#') || (first.contains('=') && !first.starts_with('@')) {
        return None;
    }
    let times = if first.starts_with('@') { 1 } else { 5 };
    let mut rest = line;
    for _ in 0..times + usize::from(has_user) {
        rest = rest.trim_start().split_once(char::is_whitespace)?.1;
    }
    Some(rest.trim_start().to_owned())
}

fn unit_commands(text: &str) -> String {
    // A line that ends in a backslash goes on.
    let joined = text.replace("\\\n", " ");
    joined
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with("Exec"))
        .filter_map(|line| line.split_once('='))
        .map(|(_, command)| command.trim_start_matches(['-', '@', ':', '+', '!', '|', ' ']))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What a file starts, if it starts anything.
pub(super) fn examine(file: &FileFacts<'_>, bytes: &[u8]) -> Option<StarterEvidence> {
    let name = file.path.file_name();
    let mut names = Names::default();
    let kind = match kind(file) {
        Some(kind) => kind,
        None if hooks::is_pth(name) => {
            let text = lossy(bytes);
            let mut code = text.lines().filter(|line| line.starts_with("import "));
            let first = code.next()?;
            first
                .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
                .skip(1)
                .take(16)
                .for_each(|word| names.add(word));
            return Some(StarterEvidence {
                kind: StarterKind::Interpreter,
                starts: names.finish(),
            });
        }
        None if name == "package.json" => {
            let scripts = hooks::npm_scripts(bytes);
            if scripts.is_empty() {
                return None;
            }
            for (_, line) in scripts {
                shell_names(&line, &mut names);
            }
            return Some(StarterEvidence {
                kind: StarterKind::PackageHook,
                starts: names.finish(),
            });
        }
        None if is_script(file, bytes) => StarterKind::Script,
        None => return None,
    };
    match kind {
        StarterKind::Loader => lossy(bytes)
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default())
            .flat_map(|line| line.split([' ', '\t', ':']))
            .for_each(|word| names.add(word)),
        StarterKind::Pam => lossy(bytes)
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(str::split_whitespace)
            .filter(|word| word.ends_with(".so") || word.starts_with('/'))
            .for_each(|word| names.add(word)),
        StarterKind::KernelModules => lossy(bytes)
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#') && !line.starts_with("blacklist"))
            .flat_map(str::split_whitespace)
            .for_each(|word| names.add(word)),
        StarterKind::Interpreter => {}
        _ if file.size <= SCRIPT => shell_names(&commands_of(file, bytes), &mut names),
        _ => {}
    }
    Some(StarterEvidence {
        kind,
        starts: names.finish(),
    })
}

/// Scripts of people: not those of packages, unless they are called like entrypoints.
fn is_script(file: &FileFacts<'_>, bytes: &[u8]) -> bool {
    let Some(interpreter) = text::shebang(bytes) else {
        return false;
    };
    if file.size > SCRIPT || !text::is_shell(&interpreter) {
        return false;
    }
    if !super::placement::is_package_place(file.path.as_str()) {
        return !file.path.as_str().contains("node_modules/");
    }
    let name = file.path.file_name();
    [
        "entrypoint",
        "start",
        "run",
        "init",
        "boot",
        "cmd",
        "launch",
    ]
    .iter()
    .any(|part| name.contains(part))
}

/// Programs and absolute paths of shell text.
fn shell_names(text: &str, names: &mut Names) {
    for command in shell::parse(text) {
        if let Some(program) = command.program_word()
            && !is_builtin(program)
        {
            names.add(program);
        }
        for word in &command.words {
            for part in word.split(['=', ',', ':']) {
                if part.starts_with('/') && !part.starts_with("/dev/") {
                    names.add(part);
                }
            }
        }
        if let Some((name, arguments)) = command.program()
            && text::is_interpreter(name)
            && let Some(code) = shell::inline_code(arguments)
            && code.len() < 1 << 12
        {
            for inner in shell::parse(code) {
                if let Some(program) = inner.program_word() {
                    names.add(program);
                }
            }
        }
        // `python app.py` and `./run` name files of the working directory.
        if let Some((name, arguments)) = command.program()
            && text::is_interpreter(name)
            && let Some(file) = arguments.iter().find(|word| !word.starts_with('-'))
        {
            names.add(file);
        }
    }
}

fn is_builtin(word: &str) -> bool {
    matches!(
        word,
        "echo"
            | "exit"
            | "return"
            | "set"
            | "shift"
            | "export"
            | "unset"
            | "test"
            | "["
            | "[["
            | "fi"
            | "done"
            | "esac"
            | "case"
            | "for"
            | "local"
            | "readonly"
            | "true"
            | "false"
            | "cd"
            | "umask"
            | "trap"
            | "eval"
            | "read"
            | "printf"
            | "break"
            | "continue"
            | "function"
            | "}"
            | "alias"
            | "unalias"
            | "shopt"
            | "complete"
            | "wait"
            | "ulimit"
            | "in"
    )
}
