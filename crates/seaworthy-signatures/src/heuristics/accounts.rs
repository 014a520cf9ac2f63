//! Accounts and ways to log in: passwd(5), shadow(5), sudoers(5), sshd_config(5),
//! authorized_keys (sshd(8)), pam.d(5).
//!
//! Never in the evidence: hashes, keys, or anything else of a line but names.

use seaworthy_core::{MalwareBasis, Meta, Severity};

use super::rule::{HeuristicRule, Scope, text};
use super::text::{lines, lossy, offset};
use super::{FileFacts, Seen};

macro_rules! rule {
    ($name:ident, $doc:literal, $id:literal, $summary:literal, $severity:ident, $attack:literal, $reference:literal, $advice:literal, $positive:expr, $negative:expr) => {
        #[doc = $doc]
        pub(super) const $name: HeuristicRule = HeuristicRule {
            meta: Meta {
                id: $id,
                revision: 1,
                summary: $summary,
                references: &[$reference],
            },
            severity: Severity::$severity,
            basis: MalwareBasis::Behaviour,
            attack: $attack,
            scope: Scope::File,
            advice: $advice,
            positive: $positive,
            negative: $negative,
        };
    };
}

rule!(
    SECOND_ROOT,
    "An account besides root with its powers.",
    "second-root-account",
    "account besides root with user id 0",
    High,
    "T1136.001",
    "https://manpages.debian.org/bookworm/passwd/passwd.5.en.html",
    "remove the account's line; give administrators `sudo` where they need it",
    &[text(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nsys2:x:0:0::/:/bin/sh\n"
    )],
    &[text(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nsync:x:5:0:sync:/sbin:/bin/sync\n# x:x:0:0\n"
    )]
);

rule!(
    EMPTY_PASSWORD,
    "An account that needs no password.",
    "empty-password",
    "account with an empty password",
    Medium,
    "T1078.003",
    "https://manpages.debian.org/bookworm/passwd/shadow.5.en.html",
    "lock the account: `passwd -l NAME`",
    &[
        text("etc/shadow", "root::19000:0:99999:7:::\n"),
        text("etc/passwd", "guest::1000:1000::/home/guest:/bin/sh\n"),
    ],
    &[
        text(
            "etc/shadow",
            "root:*:19000:0:99999:7:::\ndaemon:!:19000::::::\nbin:!!:1::::::\n"
        ),
        text(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/ash\nnobody::65534:65534::/:/usr/sbin/nologin\n"
        ),
    ]
);

rule!(
    AUTHORIZED_KEY,
    "A key that opens an account.",
    "authorized-key",
    "SSH key that may log in to every container of the image",
    Medium,
    "T1098.004",
    "https://manpages.debian.org/bookworm/openssh-server/authorized_keys.5.en.html",
    "mount the file when the container runs, or let orchestration tools reach containers without SSH",
    &[text(
        "root/.ssh/authorized_keys",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5yh4D5Zb3uGqzLwB1bJ8p0mVtQ3oV2aBcDeFgHiJkL ops\n"
    )],
    &[
        text("root/.ssh/authorized_keys", "# ssh-ed25519 AAAA\n\n"),
        text(
            "root/.ssh/known_hosts",
            "h ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\n"
        )
    ]
);

rule!(
    SUDO,
    "Everything without a password.",
    "sudo-without-password",
    "account that may do everything without a password",
    Low,
    "T1548.003",
    "https://manpages.debian.org/bookworm/sudo/sudoers.5.en.html",
    "name the commands that the account needs, or run as the user who may",
    &[text("etc/sudoers.d/x", "www-data ALL=(ALL) NOPASSWD:ALL\n")],
    &[
        text(
            "etc/sudoers",
            "root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n# %wheel ALL=(ALL) NOPASSWD: ALL\nroot ALL=(ALL) NOPASSWD: ALL\n"
        ),
        text(
            "etc/sudoers.d/y",
            "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl restart app\n"
        ),
    ]
);

rule!(
    SSH_SERVER,
    "A lax SSH server.",
    "ssh-server-lets-in",
    "SSH server that lets in root or empty passwords",
    Low,
    "T1021.004",
    "https://manpages.debian.org/bookworm/openssh-server/sshd_config.5.en.html",
    "set `PermitRootLogin prohibit-password` and `PermitEmptyPasswords no`, or leave the server out",
    &[
        text("etc/ssh/sshd_config", "Port 22\nPermitEmptyPasswords yes\n"),
        text("etc/ssh/sshd_config.d/a.conf", "permitrootlogin  yes\n")
    ],
    &[text(
        "etc/ssh/sshd_config",
        "#PermitRootLogin yes\nPermitRootLogin prohibit-password\nPermitEmptyPasswords no\n"
    )]
);

rule!(
    PAM_PERMIT,
    "PAM that asks nothing.",
    "pam-permits-everybody",
    "PAM configuration that lets everybody in",
    High,
    "T1556.003",
    "https://manpages.debian.org/bookworm/libpam-runtime/pam.d.5.en.html",
    "restore the file from its package",
    &[text(
        "etc/pam.d/sshd",
        "auth sufficient pam_permit.so\n@include common-auth\n"
    )],
    &[text(
        "etc/pam.d/common-auth",
        "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\naccount sufficient pam_permit.so\n"
    )]
);

rule!(
    PAM_EXEC,
    "PAM that hands passwords to a program.",
    "pam-runs-program",
    "PAM configuration that runs a program at log-in",
    Medium,
    "T1556.003",
    "https://manpages.debian.org/bookworm/libpam-modules/pam_exec.8.en.html",
    "read the program: with `expose_authtok` it is given every password",
    &[text(
        "etc/pam.d/common-auth",
        "auth optional pam_exec.so quiet expose_authtok /usr/lib/.log.sh\n"
    )],
    &[text(
        "etc/pam.d/common-session",
        "# session optional pam_exec.so /x\nsession required pam_unix.so\n"
    )]
);

/// Looks at the files of accounts, by their path.
pub(super) fn examine(file: &FileFacts<'_>, bytes: &[u8], seen: &mut Seen<'_>) {
    match file.path.as_str() {
        "etc/passwd" => passwd(bytes, seen),
        "etc/shadow" => shadow(bytes, seen),
        "etc/sudoers" => sudoers(bytes, seen),
        "etc/ssh/sshd_config" => sshd(bytes, seen),
        path if path.starts_with("etc/sudoers.d/") => sudoers(bytes, seen),
        path if path.starts_with("etc/ssh/sshd_config.d/") && path.ends_with(".conf") => {
            sshd(bytes, seen)
        }
        path if path.starts_with("etc/pam.d/") || path == "etc/pam.conf" => pam(bytes, seen),
        path if is_authorized_keys(path) => authorized_keys(bytes, seen),
        _ => {}
    }
}

/// Whether [`examine`] reads the file.
pub(super) fn is_known(file: &FileFacts<'_>) -> bool {
    let path = file.path.as_str();
    let is_fixed = matches!(
        path,
        "etc/passwd" | "etc/shadow" | "etc/sudoers" | "etc/ssh/sshd_config" | "etc/pam.conf"
    );
    let folders = ["etc/sudoers.d/", "etc/ssh/sshd_config.d/", "etc/pam.d/"];
    file.inside.is_none()
        && (is_fixed
            || folders.iter().any(|folder| path.starts_with(folder))
            || is_authorized_keys(path))
}

/// Of home directories and of the server's own; not samples and test data elsewhere.
fn is_authorized_keys(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "authorized_keys" | "authorized_keys2")
        && (path.contains(".ssh/") || path.starts_with("etc/ssh/"))
        && !path.contains("/test")
}

fn fields(line: &[u8]) -> Vec<&[u8]> {
    line.split(|&b| b == b':').take(8).collect()
}

fn name(field: &[u8]) -> String {
    String::from_utf8_lossy(field.get(..32).unwrap_or(field))
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}

fn passwd(bytes: &[u8], seen: &mut Seen<'_>) {
    for (at, line) in lines(bytes) {
        if line.starts_with(b"#") || line.starts_with(b"+") || line.starts_with(b"-") {
            continue;
        }
        if let [user, password, uid, _, _, _, shell, ..] = *fields(line) {
            let zero = !uid.is_empty() && uid.iter().all(|&b| b == b'0');
            if zero && user != b"root" {
                seen.add(
                    &SECOND_ROOT,
                    offset(at),
                    format!("account `{}`", name(user)),
                );
            }
            let can_log_in = !shell.ends_with(b"nologin") && !shell.ends_with(b"false");
            if password.is_empty() && can_log_in {
                seen.add(
                    &EMPTY_PASSWORD,
                    offset(at),
                    format!("account `{}`", name(user)),
                );
            }
        }
    }
}

fn shadow(bytes: &[u8], seen: &mut Seen<'_>) {
    for (at, line) in lines(bytes) {
        if let [user, password, _, ..] = *fields(line)
            && password.is_empty()
            && !user.is_empty()
            && !user.starts_with(b"#")
        {
            seen.add(
                &EMPTY_PASSWORD,
                offset(at),
                format!("account `{}`", name(user)),
            );
        }
    }
}

fn sudoers(bytes: &[u8], seen: &mut Seen<'_>) {
    for (at, line) in lines(bytes) {
        let line = lossy(line);
        let line = line.split('#').next().unwrap_or_default();
        let Some((who, rest)) = line.trim().split_once(char::is_whitespace) else {
            continue;
        };
        let Some((_, commands)) = rest.split_once("NOPASSWD:") else {
            continue;
        };
        let everything = commands.split(',').any(|command| {
            let command = command.trim().rsplit(':').next().unwrap_or_default().trim();
            command == "ALL"
        });
        if everything && who != "root" && !who.starts_with("Defaults") {
            seen.add(&SUDO, offset(at), format!("`{}`", name(who.as_bytes())));
        }
    }
}

fn sshd(bytes: &[u8], seen: &mut Seen<'_>) {
    for (at, line) in lines(bytes) {
        let line = lossy(line);
        let mut words = line
            .split(|c: char| c.is_whitespace() || c == '=')
            .filter(|word| !word.is_empty());
        if let (Some(option), Some("yes")) = (words.next(), words.next()) {
            for known in ["PermitRootLogin", "PermitEmptyPasswords"] {
                if option.eq_ignore_ascii_case(known) {
                    seen.add(&SSH_SERVER, offset(at), format!("`{known} yes`"));
                }
            }
        }
    }
}

fn pam(bytes: &[u8], seen: &mut Seen<'_>) {
    for (at, line) in lines(bytes) {
        let line = lossy(line);
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        let is_auth = line.trim_start_matches('-').starts_with("auth")
            || line.split_whitespace().nth(1) == Some("auth");
        let passes = line.contains("sufficient")
            || line.contains("success=done")
            || line.contains("success=end");
        if is_auth && passes && line.contains("pam_permit.so") {
            seen.add(
                &PAM_PERMIT,
                offset(at),
                "`pam_permit.so` is sufficient".to_owned(),
            );
        }
        if line.contains("pam_exec.so") {
            let what = if line.contains("expose_authtok") {
                "`pam_exec.so` with `expose_authtok`"
            } else {
                "`pam_exec.so`"
            };
            seen.add(&PAM_EXEC, offset(at), what.to_owned());
        }
    }
}

fn authorized_keys(bytes: &[u8], seen: &mut Seen<'_>) {
    const KINDS: &[&str] = &[
        "ssh-rsa ",
        "ssh-dss ",
        "ssh-ed25519 ",
        "ecdsa-sha2-",
        "sk-ssh-",
        "sk-ecdsa-",
        "ssh-ed448 ",
    ];
    let mut count = 0_u32;
    let mut first = None;
    for (at, line) in lines(bytes) {
        let line = lossy(line);
        if !line.trim_start().starts_with('#') && KINDS.iter().any(|kind| line.contains(kind)) {
            first.get_or_insert(at);
            count += 1;
        }
    }
    if let Some(first) = first {
        let note = if count == 1 {
            "1 key".to_owned()
        } else {
            format!("{count} keys")
        };
        seen.add(&AUTHORIZED_KEY, offset(first), note);
    }
}
