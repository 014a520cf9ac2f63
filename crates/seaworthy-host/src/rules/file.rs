//! Section 3: owners and modes of the daemon's files. Modes are bits: a mode is as strict as
//! a limit where it has no bit that the limit lacks, whatever the numbers' order.

use seaworthy_core::Severity::{self, Critical, High, Medium};

use super::Mode::Scored;
use super::host::unknown;
use super::outcome::{Outcome, Tally, Target, quote};
use super::{HostRule, Section, rule};
use crate::facts::reader::{FileFact, FileKind};
use crate::facts::{Fact, Facts};

const OWNER: &str = "only its owner may decide what is in it: give it the owner shown";
const MODE: &str = "take away the permissions that it should not have";

/// A row on a file's owner.
const fn owner(
    cis: &'static str,
    id: &'static str,
    severity: Severity,
    summary: &'static str,
    check: fn(&Facts) -> Outcome,
) -> HostRule {
    rule(
        Section::Files,
        cis,
        id,
        1,
        Scored,
        severity,
        (summary, OWNER),
        check,
    )
}

/// A row on a file's mode.
const fn mode(
    cis: &'static str,
    id: &'static str,
    severity: Severity,
    summary: &'static str,
    check: fn(&Facts) -> Outcome,
) -> HostRule {
    rule(
        Section::Files,
        cis,
        id,
        1,
        Scored,
        severity,
        (summary, MODE),
        check,
    )
}

pub(super) const RULES: &[HostRule] = &[
    owner(
        "3.1",
        "docker-service-owner",
        High,
        "`docker.service` belongs to another than root",
        |f| judge(f, unit(f, "docker.service"), Want::ROOT),
    ),
    mode(
        "3.2",
        "docker-service-mode",
        High,
        "`docker.service` can be changed by others",
        |f| judge(f, unit(f, "docker.service"), Want::Mode(0o644)),
    ),
    owner(
        "3.3",
        "docker-socket-unit-owner",
        High,
        "`docker.socket` belongs to another than root",
        |f| judge(f, unit(f, "docker.socket"), Want::ROOT),
    ),
    mode(
        "3.4",
        "docker-socket-unit-mode",
        High,
        "`docker.socket` can be changed by others",
        |f| judge(f, unit(f, "docker.socket"), Want::Mode(0o644)),
    ),
    owner(
        "3.5",
        "etc-docker-owner",
        High,
        "`/etc/docker` belongs to another than root",
        |f| judge(f, one("/etc/docker"), Want::ROOT),
    ),
    mode(
        "3.6",
        "etc-docker-mode",
        High,
        "`/etc/docker` can be changed by others",
        |f| judge(f, one("/etc/docker"), Want::Mode(0o755)),
    ),
    owner(
        "3.7",
        "registry-certificate-owner",
        Medium,
        "certificates of registries belong to another than root",
        |f| judge(f, registries(f), Want::ROOT),
    ),
    mode(
        "3.8",
        "registry-certificate-mode",
        Medium,
        "certificates of registries can be changed",
        |f| judge(f, registries(f), Want::Mode(0o444)),
    ),
    owner(
        "3.9",
        "tls-ca-owner",
        High,
        "the CA of the API belongs to another than root",
        |f| judge(f, option(f, "tlscacert"), Want::ROOT),
    ),
    mode(
        "3.10",
        "tls-ca-mode",
        High,
        "the CA of the API can be changed",
        |f| judge(f, option(f, "tlscacert"), Want::Mode(0o444)),
    ),
    owner(
        "3.11",
        "tls-certificate-owner",
        Medium,
        "the certificate of the API belongs to another than root",
        |f| judge(f, option(f, "tlscert"), Want::ROOT),
    ),
    mode(
        "3.12",
        "tls-certificate-mode",
        Medium,
        "the certificate of the API can be changed",
        |f| judge(f, option(f, "tlscert"), Want::Mode(0o444)),
    ),
    owner(
        "3.13",
        "tls-key-owner",
        High,
        "the key of the API belongs to another than root",
        |f| judge(f, option(f, "tlskey"), Want::ROOT),
    ),
    mode(
        "3.14",
        "tls-key-mode",
        High,
        "the key of the API can be read or changed",
        |f| judge(f, option(f, "tlskey"), Want::Mode(0o400)),
    ),
    owner(
        "3.15",
        "docker-socket-owner",
        Critical,
        "a socket of the engine belongs to another than root and its group",
        |f| judge(f, sockets(f, "docker"), Want::Owner("docker")),
    ),
    mode(
        "3.16",
        "docker-socket-mode",
        Critical,
        "a socket of the engine is open to others: they are root",
        |f| judge(f, sockets(f, "docker"), Want::Mode(0o660)),
    ),
    owner(
        "3.17",
        "daemon-json-owner",
        High,
        "the daemon's configuration belongs to another than root",
        |f| judge(f, config(f), Want::ROOT),
    ),
    mode(
        "3.18",
        "daemon-json-mode",
        High,
        "the daemon's configuration can be changed by others",
        |f| judge(f, config(f), Want::Mode(0o644)),
    ),
    owner(
        "3.19",
        "etc-default-docker-owner",
        High,
        "`/etc/default/docker` belongs to another than root",
        |f| judge(f, one("/etc/default/docker"), Want::ROOT),
    ),
    mode(
        "3.20",
        "etc-default-docker-mode",
        High,
        "`/etc/default/docker` can be changed by others",
        |f| judge(f, one("/etc/default/docker"), Want::Mode(0o644)),
    ),
    mode(
        "3.21",
        "etc-sysconfig-docker-mode",
        High,
        "`/etc/sysconfig/docker` can be changed by others",
        |f| judge(f, one("/etc/sysconfig/docker"), Want::Mode(0o644)),
    ),
    owner(
        "3.22",
        "etc-sysconfig-docker-owner",
        High,
        "`/etc/sysconfig/docker` belongs to another than root",
        |f| judge(f, one("/etc/sysconfig/docker"), Want::ROOT),
    ),
    owner(
        "3.23",
        "containerd-socket-owner",
        Critical,
        "a socket of containerd belongs to another than root",
        |f| judge(f, sockets(f, "containerd"), Want::ROOT),
    ),
    mode(
        "3.24",
        "containerd-socket-mode",
        Critical,
        "a socket of containerd is open to others: they are root",
        |f| judge(f, sockets(f, "containerd"), Want::Mode(0o660)),
    ),
];

/// How a file should be.
#[derive(Clone, Copy)]
enum Want {
    /// Of root, and of this group.
    Owner(&'static str),
    /// No bit that this lacks.
    Mode(u32),
}

impl Want {
    const ROOT: Want = Want::Owner("root");
}

/// Paths to judge, or why there are none.
type Paths = Result<Vec<String>, Outcome>;

fn one(path: &str) -> Paths {
    Ok(vec![path.to_owned()])
}

fn config(facts: &Facts) -> Paths {
    match facts.daemon.config_path.as_str() {
        "" => Err(Outcome::Undetermined(
            "the daemon's configuration was not looked for".into(),
        )),
        path => one(path),
    }
}

fn unit(facts: &Facts, name: &str) -> Paths {
    match facts.units.get(name) {
        Some(Fact::Known(unit)) => Ok(std::iter::once(&unit.path)
            .chain(&unit.drop_ins)
            .cloned()
            .collect()),
        Some(Fact::Absent) => Err(Outcome::NotApplicable(format!("there is no unit `{name}`"))),
        Some(other) => Err(unknown(other)),
        None => Err(Outcome::Undetermined("units were not looked at".into())),
    }
}

fn registries(facts: &Facts) -> Paths {
    match &facts.files.registry_certificates {
        Fact::Known(paths) if !paths.is_empty() => Ok(paths.clone()),
        Fact::Known(_) | Fact::Absent => Err(Outcome::NotApplicable(
            "there are no certificates of registries".into(),
        )),
        other => Err(unknown(other)),
    }
}

fn option(facts: &Facts, key: &str) -> Paths {
    match facts.daemon.option(key) {
        Fact::Known(option) => Ok(option.values.clone()),
        Fact::Absent => Err(Outcome::NotApplicable(format!("`{key}` is not set"))),
        Fact::Unknown(why) => Err(Outcome::Undetermined(why)),
    }
}

fn sockets(facts: &Facts, service: &str) -> Paths {
    if facts.files.paths.is_empty() {
        return Err(Outcome::Undetermined("no files were looked at".into()));
    }
    let found: Vec<String> = facts
        .control_sockets
        .iter()
        .filter(|s| s.service == service)
        .map(|s| s.path.clone())
        .collect();
    if found.is_empty() {
        return Err(Outcome::NotApplicable(format!(
            "there is no socket of {service} on this host"
        )));
    }
    Ok(found)
}

fn judge(facts: &Facts, paths: Paths, want: Want) -> Outcome {
    let paths = match paths {
        Ok(paths) => paths,
        Err(outcome) => return outcome,
    };
    let mut tally = Tally::default();
    let mut absent = None;
    for path in &paths {
        match look(facts, path) {
            Fact::Known(file) => {
                tally.saw();
                compare(facts, path, file, want, &mut tally);
            }
            Fact::Absent => absent = Some(path),
            Fact::Unknown(why) => tally.unsure(Target::Host, why),
        }
    }
    let none = absent.map_or(String::new(), |path| format!("there is no `{path}`"));
    tally.finish(&none, |n| match n {
        1 => format!("`{}`", paths.first().map_or("", String::as_str)),
        n => format!("{n} files"),
    })
}

/// A path as it was looked at, by itself or by the name it resolves to.
fn look<'f>(facts: &'f Facts, path: &str) -> Fact<&'f FileFact> {
    if facts.files.paths.contains_key(path) {
        return facts.files.get(path);
    }
    facts
        .files
        .paths
        .values()
        .filter_map(Fact::known)
        .find(|f| f.real_path == path)
        .map_or_else(Fact::default, Fact::Known)
}

fn compare(facts: &Facts, path: &str, file: &FileFact, want: Want, tally: &mut Tally) {
    match want {
        Want::Owner(group) => {
            let group_id = if group == "root" {
                Ok(0)
            } else {
                match &facts.accounts {
                    Fact::Known(accounts) => Ok(accounts.groups.get(group).map_or(0, |g| g.gid)),
                    other => Err(other
                        .why_unknown()
                        .unwrap_or("there is no `/etc/group`")
                        .to_owned()),
                }
            };
            match group_id {
                // Root's own group is stricter than the engine's.
                Ok(gid) if file.uid == 0 && (file.gid == gid || file.gid == 0) => {}
                Ok(_) => tally.fail_fix(
                    Target::Host,
                    path,
                    format!("owner {}, group {}", file.uid, file.gid),
                    format!("chown root:{group} {}", quote(path)),
                ),
                Err(why) => tally.unsure(Target::Host, why),
            }
        }
        Want::Mode(limit) => {
            let too_much = file.mode & !limit & 0o7777;
            if too_much & 0o777 != 0 || (file.kind != FileKind::Directory && too_much != 0) {
                tally.fail_fix(
                    Target::Host,
                    path,
                    format!("mode {:04o}, not within {limit:04o}", file.mode),
                    format!("chmod {:04o} {}", file.mode & limit, quote(path)),
                );
            } else if file.has_acl == Some(true) {
                tally.fail_fix(
                    Target::Host,
                    path,
                    "an access control list beside its mode",
                    format!("setfacl --remove-all {}", quote(path)),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(mode: u32, uid: u32) -> Facts {
        let mut facts = Facts::default();
        facts.files.paths.insert(
            "/etc/docker".into(),
            Fact::Known(FileFact {
                mode,
                uid,
                kind: FileKind::Socket,
                ..FileFact::default()
            }),
        );
        facts
    }

    #[test]
    fn modes_are_judged_by_bits_and_not_as_numbers() {
        for (found, good) in [
            (0o660, true),
            (0o600, true),
            (0o606, false),
            (0o622, false),
            (0o577, false),
            (0o4660, false),
        ] {
            let outcome = judge(&with(found, 0), one("/etc/docker"), Want::Mode(0o660));
            assert_eq!(
                matches!(outcome, Outcome::Pass(_)),
                good,
                "{found:o}: {outcome:?}"
            );
        }
        let Outcome::Fail(evidence) = judge(&with(0o606, 0), one("/etc/docker"), Want::Mode(0o660))
        else {
            panic!()
        };
        assert_eq!(evidence[0].fix.as_deref(), Some("chmod 0600 /etc/docker"));
    }

    #[test]
    fn absent_files_do_not_apply_and_unread_ones_are_undetermined() {
        let mut facts = with(0o600, 5);
        assert!(matches!(
            judge(&facts, one("/etc/docker"), Want::ROOT),
            Outcome::Fail(_)
        ));
        facts.files.paths.insert("/x".into(), Fact::Absent);
        assert!(matches!(
            judge(&facts, one("/x"), Want::ROOT),
            Outcome::NotApplicable(_)
        ));
        assert!(matches!(
            judge(&facts, one("/unasked"), Want::ROOT),
            Outcome::Undetermined(_)
        ));
    }
}
