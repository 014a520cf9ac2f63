//! Where a file lies and what it is called.

use seaworthy_core::{ExecutableKind, MalwareBasis, Meta, Severity};

use super::rule::{HeuristicRule, Sample, Scope, program, script, text};
use super::{FileFacts, Seen, miner};

/// A shell that makes anybody root.
pub(super) const SETUID_SHELL: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "setuid-shell",
        revision: 1,
        summary: "shell or interpreter that makes whoever runs it root",
        references: &["https://attack.mitre.org/techniques/T1548/001/"],
    },
    severity: Severity::High,
    basis: MalwareBasis::Placement,
    attack: "T1548.001",
    scope: Scope::File,
    advice: "take the file out, or its bit: `chmod u-s FILE`",
    positive: &[Sample::File {
        path: "usr/bin/bash",
        mode: 0o4755,
        content: super::rule::PROGRAM,
    }],
    negative: &[
        program("usr/bin/bash"),
        Sample::File {
            path: "usr/bin/sudo",
            mode: 0o4755,
            content: super::rule::PROGRAM,
        },
    ],
};

/// A program where none belongs.
pub(super) const ODD_PLACE: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "program-in-odd-place",
        revision: 1,
        summary: "program in a place where none belongs",
        references: &[
            "https://attack.mitre.org/techniques/T1564/001/",
            "https://attack.mitre.org/techniques/T1036/008/",
        ],
    },
    severity: Severity::Medium,
    basis: MalwareBasis::Placement,
    attack: "T1564.001",
    scope: Scope::File,
    advice: "put programs where they belong, and take out what you did not put there",
    positive: &[
        program("tmp/x"),
        program("usr/lib/.x/y"),
        program("var/www/html/a.png"),
        program("dev/shm/z"),
        program("etc/w"),
    ],
    negative: &[
        program("usr/bin/x"),
        program("root/.cargo/bin/cargo"),
        program("opt/app/.venv/lib/x.so"),
        program("srv/app/server"),
        text("tmp/x.txt", "text\n"),
    ],
};

/// A borrowed name.
pub(super) const MASQUERADE: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "borrowed-name",
        revision: 1,
        summary: "program with the name of a kernel thread or system program",
        references: &["https://attack.mitre.org/techniques/T1036/005/"],
    },
    severity: Severity::Medium,
    basis: MalwareBasis::Placement,
    attack: "T1036.005",
    scope: Scope::File,
    advice: "find out what it is: names of kernel threads keep it out of sight in `ps`",
    positive: &[
        program("usr/bin/[kworker]"),
        program("opt/kdevtmpfs"),
        program("root/sshd"),
        script("usr/lib/kthreadd", "#!/bin/sh\n"),
    ],
    negative: &[
        program("usr/sbin/sshd"),
        program("opt/conda/bin/dbus-daemon"),
        program("usr/bin/["),
        text("usr/share/doc/kworker", "x\n"),
    ],
};

/// A name that people overlook.
pub(super) const HIDDEN_NAME: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "hiding-name",
        revision: 1,
        summary: "name made to be overlooked or read wrongly",
        references: &[
            "https://attack.mitre.org/techniques/T1036/002/",
            "https://attack.mitre.org/techniques/T1564/001/",
        ],
    },
    severity: Severity::Medium,
    basis: MalwareBasis::Placement,
    attack: "T1564.001",
    scope: Scope::File,
    advice: "look at the layer with a tool that shows every character of names",
    positive: &[
        text("tmp/.../x", "x"),
        program("usr/bin/ls "),
        text("usr/bin/ex\u{202e}gpj.sh", "x"),
        text("opt/.. /x", "x"),
    ],
    negative: &[
        text("usr/share/fonts/a b.txt", "x"),
        text(
            "usr/share/ca-certificates/F\u{151}tan\u{fa}s\u{ed}tv\u{e1}ny.crt",
            "x",
        ),
        text("srv/..data/x", "x"),
        text("app/a ", "x"),
    ],
};

/// The name of a miner.
pub(super) const MINER_NAME: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "miner-program",
        revision: 1,
        summary: "program with the name of a cryptocurrency miner",
        references: &["https://attack.mitre.org/techniques/T1496/"],
    },
    severity: Severity::Medium,
    basis: MalwareBasis::Placement,
    attack: "T1496",
    scope: Scope::File,
    advice: "whoever runs the image pays for the mining: take the program out",
    positive: &[
        program("opt/xmrig-6.21.0/xmrig"),
        program("usr/bin/kdevtmpfsi"),
    ],
    negative: &[script("opt/xmrig", "#!/bin/sh\n"), program("opt/examiner")],
};

/// Whether packages install into the place of this file.
pub(crate) fn is_package_place(path: &str) -> bool {
    let Some((top, rest)) = path.split_once('/') else {
        return false;
    };
    match top {
        "bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32" => true,
        "usr" => rest.split_once('/').is_some_and(|(second, _)| {
            matches!(
                second,
                "bin"
                    | "sbin"
                    | "lib"
                    | "lib32"
                    | "lib64"
                    | "libx32"
                    | "libexec"
                    | "games"
                    | "share"
            )
        }),
        _ => false,
    }
}

/// Looks at place, name and mode.
pub(super) fn examine(
    file: &FileFacts<'_>,
    bytes: &[u8],
    kind: Option<ExecutableKind>,
    seen: &mut Seen<'_>,
) {
    let path = file.path.as_str();
    let name = file.path.file_name();
    if let Some(how) = hiding(path, kind.is_some()) {
        seen.add(&HIDDEN_NAME, None, how.to_owned());
    }
    let is_elf = bytes.starts_with(super::elf::MAGIC) && kind != Some(ExecutableKind::Other);
    if is_elf && file.mode & 0o4000 != 0 && file.uid == 0 && is_shell_program(name) {
        seen.add(
            &SETUID_SHELL,
            None,
            "the set-user-id bit of root".to_owned(),
        );
    }
    let runs = is_elf || (kind == Some(ExecutableKind::Script) && file.is_executable());
    if runs && let Some(how) = borrowed(path, name) {
        seen.add(&MASQUERADE, None, how.to_owned());
    }
    if !is_elf {
        return;
    }
    if kind != Some(ExecutableKind::KernelModule)
        && let Some(how) = odd_place(path, name)
    {
        seen.add(&ODD_PLACE, None, how.to_owned());
    }
    let lower = name.to_ascii_lowercase();
    let stem = lower.split(['_', '.']).next().unwrap_or_default();
    let stem = match stem.split_once("-") {
        Some((start, rest)) if rest.starts_with(|c: char| c.is_ascii_digit()) => start,
        _ => stem,
    };
    if miner::KNOWN_MINERS.contains(&stem) {
        seen.add(&MINER_NAME, None, format!("named `{stem}`"));
    }
}

/// Programs that give a shell to whoever runs them with its owner's rights.
fn is_shell_program(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    super::text::is_shell(stem)
        || matches!(
            stem,
            "python"
                | "perl"
                | "ruby"
                | "node"
                | "php"
                | "lua"
                | "vim"
                | "vi"
                | "find"
                | "env"
                | "awk"
                | "gawk"
                | "mawk"
                | "gdb"
                | "nmap"
                | "tclsh"
                | "less"
                | "tar"
                | "cp"
                | "dd"
                | "nano"
        )
}

fn hiding(path: &str, runs: bool) -> Option<&'static str> {
    // Nearly every path is plain.
    let plain =
        path.is_ascii() && !path.contains("..") && !path.contains(' ') && !path.contains("\\x");
    if plain {
        return None;
    }
    for component in path.split('/') {
        if component.len() >= 2 && component.chars().all(|c| c == '.' || c == ' ') {
            return Some("dots and spaces, like the names of directories");
        }
        if runs
            && (component.ends_with(' ')
                || component.starts_with(' ')
                || component.ends_with('\u{a0}'))
        {
            return Some("a space at the edge");
        }
        if component
            .chars()
            .any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        {
            return Some("a mark that turns the direction of writing");
        }
        if component
            .chars()
            .any(|c| matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{00ad}'))
        {
            return Some("a character without width");
        }
        // Control characters are escaped in paths.
        if runs
            && ["\\x0", "\\x1", "\\x7f"]
                .iter()
                .any(|escape| component.contains(escape))
        {
            return Some("a control character");
        }
    }
    None
}

fn borrowed(path: &str, name: &str) -> Option<&'static str> {
    const THREADS: &[&str] = &[
        "kthreadd",
        "kworker",
        "ksoftirqd",
        "kswapd0",
        "kdevtmpfs",
        "khugepaged",
        "kcompactd0",
        "kblockd",
        "rcu_sched",
        "rcu_preempt",
        "kintegrityd",
        "kauditd",
        "khungtaskd",
        "oom_reaper",
        "kthrotld",
        "scsi_eh_0",
        "jbd2",
        "ksmd",
        "kdmflush",
        "netns",
        "writeback",
        "cpuhp",
        "migration",
    ];
    const SYSTEM: &[&str] = &[
        "sshd",
        "systemd",
        "init",
        "cron",
        "crond",
        "rsyslogd",
        "udevd",
        "systemd-udevd",
        "systemd-journald",
        "agetty",
        "getty",
        "dbus-daemon",
        "dockerd",
        "containerd",
        "containerd-shim",
        "runc",
        "login",
        "su",
        "sudo",
        "ps",
        "netstat",
        "lsof",
        "top",
    ];
    const BORROWERS: &[&str] = &[
        "tmp/",
        "var/tmp/",
        "dev/",
        "root/",
        "home/",
        "etc/",
        "run/",
        "var/run/",
        "var/www/",
        "usr/share/",
        "var/lib/.",
        "var/spool/",
        "usr/include/",
    ];
    let bare = name
        .strip_prefix('[')
        .map(|rest| rest.trim_end_matches(']'));
    if name.len() > 2 && bare.is_some() && name.ends_with(']') {
        return Some("a name in brackets, as `ps` shows kernel threads");
    }
    let thread = name.split([':', '/']).next().unwrap_or(name);
    if THREADS.contains(&thread) && !path.contains("/netns") {
        return Some("the name of a kernel thread");
    }
    let odd = BORROWERS.iter().any(|place| path.starts_with(place)) || path.contains("/.");
    // Tools of a home directory have their own bin.
    (odd && SYSTEM.contains(&name)
        && !path.contains("/bin/")
        && !path.contains("/sbin/")
        && odd_home(path))
    .then_some("the name of a system program, elsewhere")
}

fn odd_home(path: &str) -> bool {
    !known_hidden(path)
}

/// Hidden directories of well-known tools.
fn known_hidden(path: &str) -> bool {
    const KNOWN: &[&str] = &[
        ".cargo",
        ".rustup",
        ".local",
        ".nvm",
        ".npm",
        ".cache",
        ".venv",
        ".virtualenvs",
        ".pyenv",
        ".rbenv",
        ".gem",
        ".bundle",
        ".dotnet",
        ".nuget",
        ".vscode-server",
        ".vscode",
        ".vscode-remote",
        ".cursor-server",
        ".bun",
        ".deno",
        ".asdf",
        ".sdkman",
        ".jenv",
        ".conda",
        ".mamba",
        ".pixi",
        ".rye",
        ".uv",
        ".poetry",
        ".yarn",
        ".pnpm-store",
        ".pnpm",
        ".bin",
        ".build",
        ".build-id",
        ".dwz",
        ".libs",
        ".dylibs",
        ".terraform",
        ".terraform.d",
        ".kube",
        ".krew",
        ".helm",
        ".docker",
        ".config",
        ".java",
        ".gradle",
        ".m2",
        ".ivy2",
        ".sbt",
        ".cabal",
        ".ghcup",
        ".stack",
        ".opam",
        ".nix-profile",
        ".linuxbrew",
        ".ansible",
        ".fzf",
        ".tmux",
        ".vim",
        ".emacs.d",
        ".git",
        ".wine",
        ".mozilla",
        ".julia",
        ".juliaup",
        ".TinyTeX",
        ".foundry",
        ".solana",
        ".next",
        ".output",
        ".nuxt",
        ".svelte-kit",
        ".serverless",
        ".chef",
        ".rvm",
        ".pulumi",
        ".volta",
        ".fnm",
        ".proto",
        ".swiftly",
        ".elan",
        ".wasmer",
        ".wasmtime",
        ".local-browsers",
        ".local-chromium",
        ".cypress",
        ".pgrx",
        ".mix",
        ".hex",
        ".ollama",
        ".lmstudio",
        ".android",
        ".pub-cache",
        ".dart",
        ".flutter",
        ".claude",
        ".codex",
        ".gradle-cache",
        ".tox",
        ".nox",
        ".eggs",
        ".mypy_cache",
        ".aws-sam",
        ".azure",
        ".kotlin",
        ".konan",
        // What perf(1) keeps.
        ".debug",
    ];
    let mut hidden = path
        .split('/')
        .filter(|part| part.starts_with('.'))
        .peekable();
    hidden.peek().is_some() && hidden.next().is_some_and(|first| KNOWN.contains(&first))
}

fn odd_place(path: &str, name: &str) -> Option<&'static str> {
    const MEDIA: &[&str] = &[
        "png", "jpg", "jpeg", "gif", "ico", "svg", "webp", "bmp", "txt", "pdf", "html", "htm",
        "css", "md", "mp3", "mp4", "zip", "gz", "log", "xml", "json", "woff", "woff2", "ttf",
        "conf", "cfg", "ini", "pid", "lock", "bak", "php", "jsp",
    ];
    let end = name
        .rsplit_once('.')
        .map(|(stem, end)| (stem, end.to_ascii_lowercase()));
    if let Some((stem, end)) = end
        && !stem.is_empty()
        && MEDIA.contains(&end.as_str())
    {
        return Some("a program with the name of a document or picture");
    }
    if path.starts_with("tmp/") || path.starts_with("var/tmp/") {
        return Some("a directory for temporary files");
    }
    if path.starts_with("dev/")
        || path.starts_with("run/")
        || path.starts_with("var/run/")
        || path.starts_with("proc/")
    {
        return Some("a directory that is not of the disk");
    }
    if ["etc/", "var/log/", "var/spool/", "var/mail/", "usr/share/man/", "usr/share/fonts/", "usr/share/icons/", "usr/share/pixmaps/", "usr/share/locale/", "usr/share/zoneinfo/", "usr/include/"]
        .iter()
        .any(|place| path.starts_with(place))
        // Plug-ins and generators are put below etc by some.
        && !path.starts_with("etc/alternatives/")
        && !path.starts_with("etc/cni/")
    {
        return Some("a directory for other things than programs");
    }
    // A profiler's or debugger's copies are named like that; a library beside its program isn't.
    (path.split('/').any(|part| part.starts_with('.')) && !known_hidden(path))
        .then_some("a hidden directory or name")
}
