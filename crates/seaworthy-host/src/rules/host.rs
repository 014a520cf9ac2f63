//! Section 1: the host.

use seaworthy_core::Severity::{High, Low, Medium};

use super::Mode::{Manual, Scored};
use super::outcome::{Outcome, Tally, Target, quote};
use super::{HostRule, Section, rule};
use crate::facts::mountinfo::mount_of;
use crate::facts::{Fact, Facts};

const S: Section = Section::Host;
const WATCH: &str = "watch it with the audit system, so that changes leave a trace: put the rule into `/etc/audit/rules.d/docker.rules` and run `augenrules --load`";

pub(super) const RULES: &[HostRule] = &[
    rule(
        S,
        "1.1.1",
        "data-root-on-shared-partition",
        1,
        Scored,
        Medium,
        (
            "container data shares a file system with the rest of the host",
            "give the engine's data a file system of its own and mount it there before the engine starts",
        ),
        data_root,
    ),
    rule(
        S,
        "1.1.2",
        "docker-group-members",
        1,
        Scored,
        High,
        (
            "members of the engine's group are root on this host",
            "remove everybody who does not need it; membership is as good as root",
        ),
        group_members,
    ),
    rule(
        S,
        "1.1.3",
        "unaudited-dockerd",
        1,
        Scored,
        Low,
        (
            "the daemon's program is not watched by the audit system",
            WATCH,
        ),
        |facts| program(facts, "dockerd"),
    ),
    rule(
        S,
        "1.1.4",
        "unaudited-run-containerd",
        1,
        Scored,
        Low,
        (
            "`/run/containerd` is not watched by the audit system",
            WATCH,
        ),
        |facts| path(facts, "/run/containerd"),
    ),
    rule(
        S,
        "1.1.5",
        "unaudited-data-root",
        1,
        Scored,
        Low,
        (
            "the engine's data is not watched by the audit system",
            WATCH,
        ),
        |facts| match facts.engine.info.known() {
            Some(info) => path(facts, &info.data_root),
            None => path(facts, "/var/lib/docker"),
        },
    ),
    rule(
        S,
        "1.1.6",
        "unaudited-etc-docker",
        1,
        Scored,
        Low,
        ("`/etc/docker` is not watched by the audit system", WATCH),
        |facts| path(facts, "/etc/docker"),
    ),
    rule(
        S,
        "1.1.7",
        "unaudited-docker-service",
        1,
        Scored,
        Low,
        ("`docker.service` is not watched by the audit system", WATCH),
        |facts| unit(facts, "docker.service"),
    ),
    rule(
        S,
        "1.1.8",
        "unaudited-containerd-socket",
        1,
        Scored,
        Low,
        (
            "containerd's socket is not watched by the audit system",
            WATCH,
        ),
        containerd_socket,
    ),
    rule(
        S,
        "1.1.9",
        "unaudited-docker-socket-unit",
        1,
        Scored,
        Low,
        ("`docker.socket` is not watched by the audit system", WATCH),
        |facts| unit(facts, "docker.socket"),
    ),
    rule(
        S,
        "1.1.10",
        "unaudited-etc-default-docker",
        1,
        Scored,
        Low,
        (
            "`/etc/default/docker` is not watched by the audit system",
            WATCH,
        ),
        |facts| path(facts, "/etc/default/docker"),
    ),
    rule(
        S,
        "1.1.11",
        "unaudited-daemon-json",
        1,
        Scored,
        Low,
        (
            "the daemon's configuration is not watched by the audit system",
            WATCH,
        ),
        |facts| path(facts, config_path(facts)),
    ),
    rule(
        S,
        "1.1.12",
        "unaudited-containerd-config",
        1,
        Scored,
        Low,
        (
            "containerd's configuration is not watched by the audit system",
            WATCH,
        ),
        |facts| path(facts, "/etc/containerd/config.toml"),
    ),
    rule(
        S,
        "1.1.13",
        "unaudited-sysconfig-docker",
        1,
        Scored,
        Low,
        (
            "`/etc/sysconfig/docker` is not watched by the audit system",
            WATCH,
        ),
        |facts| path(facts, "/etc/sysconfig/docker"),
    ),
    rule(
        S,
        "1.1.14",
        "unaudited-containerd",
        1,
        Scored,
        Low,
        (
            "containerd's program is not watched by the audit system",
            WATCH,
        ),
        |facts| program(facts, "containerd"),
    ),
    rule(
        S,
        "1.1.15",
        "unaudited-containerd-shim",
        1,
        Scored,
        Low,
        (
            "`containerd-shim` is not watched by the audit system",
            WATCH,
        ),
        |facts| program(facts, "containerd-shim"),
    ),
    rule(
        S,
        "1.1.16",
        "unaudited-containerd-shim-v1",
        1,
        Scored,
        Low,
        (
            "`containerd-shim-runc-v1` is not watched by the audit system",
            WATCH,
        ),
        |facts| program(facts, "containerd-shim-runc-v1"),
    ),
    rule(
        S,
        "1.1.17",
        "unaudited-containerd-shim-v2",
        1,
        Scored,
        Low,
        (
            "`containerd-shim-runc-v2` is not watched by the audit system",
            WATCH,
        ),
        |facts| program(facts, "containerd-shim-runc-v2"),
    ),
    rule(
        S,
        "1.1.18",
        "unaudited-runc",
        1,
        Scored,
        Low,
        (
            "the runtime's program is not watched by the audit system",
            WATCH,
        ),
        |facts| program(facts, "runc"),
    ),
    rule(
        S,
        "1.2.1",
        "unhardened-host",
        1,
        Manual,
        Medium,
        (
            "the kernel's own protections are off",
            "set them in `/etc/sysctl.d/90-hardening.conf` and run `sysctl --system`",
        ),
        hardened,
    ),
    rule(
        S,
        "1.2.2",
        "outdated-engine",
        1,
        Manual,
        High,
        (
            "the engine has flaws that later versions mend",
            "upgrade the engine's packages",
        ),
        version,
    ),
];

fn data_root(facts: &Facts) -> Outcome {
    let Some(info) = facts.engine.info.known() else {
        return unknown(&facts.engine.info);
    };
    let root = &info.data_root;
    let (here, above) = match (
        facts.files.get(root),
        facts.files.get(&format!("{root}/..")),
    ) {
        (Fact::Known(here), Fact::Known(above)) => (here, above),
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => return Outcome::Undetermined(why),
        _ => return Outcome::Undetermined(format!("`{root}` is not on this machine")),
    };
    // A mount point alone says nothing: dockerd binds its own data root onto itself.
    if here.device != above.device {
        return Outcome::Pass(format!("`{root}` lies on a device of its own"));
    }
    let on = facts
        .mounts
        .known()
        .and_then(|mounts| mount_of(mounts, root))
        .map_or(String::new(), |mount| {
            format!(" ({} from `{}`)", mount.fs_type, mount.source)
        });
    Outcome::fail(
        Target::Host,
        root.as_str(),
        format!("it lies on the same device as its parent{on}"),
    )
}

fn group_members(facts: &Facts) -> Outcome {
    let accounts = match &facts.accounts {
        Fact::Known(accounts) => accounts,
        Fact::Absent => return Outcome::Undetermined("there is no `/etc/group`".into()),
        Fact::Unknown(why) => return Outcome::Undetermined(why.clone()),
    };
    let named = facts
        .daemon
        .options
        .get("group")
        .and_then(|o| o.values.last());
    let mut tally = Tally::default();
    for name in ["docker"].into_iter().chain(named.map(String::as_str)) {
        let Some(group) = accounts.groups.get(name) else {
            continue;
        };
        tally.saw();
        for member in group.members.iter().filter(|m| *m != "root") {
            tally.fail_fix(
                Target::Host,
                format!("group `{name}`"),
                format!("`{member}` is a member"),
                format!("gpasswd --delete {} {}", quote(member), quote(name)),
            );
        }
    }
    tally.finish("there is no such group", |_| "it has no members".to_owned())
}

fn config_path(facts: &Facts) -> &str {
    match facts.daemon.config_path.as_str() {
        "" => "/etc/docker/daemon.json",
        path => path,
    }
}

fn path(facts: &Facts, path: &str) -> Outcome {
    match facts.files.get(path) {
        Fact::Known(file) => watched(facts, &[path, &file.real_path]),
        Fact::Absent => Outcome::NotApplicable(format!("there is no `{path}`")),
        Fact::Unknown(why) => Outcome::Undetermined(why),
    }
}

fn program(facts: &Facts, name: &str) -> Outcome {
    if facts.files.paths.is_empty() {
        return Outcome::Undetermined("no files were looked at".to_owned());
    }
    let running = facts
        .daemon
        .process
        .known()
        .filter(|_| name == "dockerd")
        .and_then(|process| process.program.known().cloned());
    match running.or_else(|| facts.files.program(name)) {
        Some(found) => path(facts, &found),
        None => Outcome::NotApplicable(format!("there is no `{name}` in the usual places")),
    }
}

fn unit(facts: &Facts, name: &str) -> Outcome {
    match facts.units.get(name) {
        Some(Fact::Known(unit)) => path(facts, &unit.path),
        Some(Fact::Absent) => Outcome::NotApplicable(format!("there is no unit `{name}`")),
        Some(Fact::Unknown(why)) => Outcome::Undetermined(why.clone()),
        None => Outcome::Undetermined("units were not looked at".to_owned()),
    }
}

fn containerd_socket(facts: &Facts) -> Outcome {
    if facts.files.paths.is_empty() {
        return Outcome::Undetermined("no files were looked at".to_owned());
    }
    let mut found = facts
        .control_sockets
        .iter()
        .filter(|socket| socket.service == "containerd");
    let Some(first) = found.next() else {
        return Outcome::NotApplicable("there is no socket of containerd".to_owned());
    };
    let mut tally = Tally::default();
    for socket in std::iter::once(first).chain(found) {
        tally.saw();
        match watched(facts, &[&socket.path]) {
            Outcome::Fail(evidence) => {
                for one in evidence {
                    tally.fail_fix(
                        one.target,
                        one.place,
                        one.found,
                        one.fix.unwrap_or_default(),
                    );
                }
            }
            Outcome::Undetermined(why) => tally.unsure(Target::Host, why),
            Outcome::Pass(_) | Outcome::NotApplicable(_) => {}
        }
    }
    tally.finish("", |_| "every socket is watched".to_owned())
}

/// Whether any name of a file is watched.
fn watched(facts: &Facts, names: &[&str]) -> Outcome {
    let name = names.first().copied().unwrap_or_default();
    let missing = |found: String| {
        Outcome::fail(Target::Host, name, found)
            .fixed_by(format!("echo '-w {name} -p rwxa -k docker' >> /etc/audit/rules.d/docker.rules && augenrules --load"))
    };
    match &facts.audit {
        Fact::Known(rules) => match names.iter().find_map(|name| rules.covering(name)) {
            Some(watch) => Outcome::Pass(format!("{} watches `{}`", rules.origin, watch.path)),
            None => missing(format!("no rule in {} covers it", rules.origin)),
        },
        Fact::Absent => missing("this host has no audit rules".to_owned()),
        Fact::Unknown(why) => Outcome::Undetermined(why.clone()),
    }
}

/// A kernel setting, whether a value of it is good, and a good value.
type Setting = (&'static str, fn(&str) -> bool, &'static str);

/// The core of a hardened host; what a benchmark of the distribution asks for comes on top.
const SETTINGS: &[Setting] = &[
    ("kernel.kptr_restrict", |v| v != "0", "1"),
    ("kernel.dmesg_restrict", |v| v != "0", "1"),
    ("kernel.unprivileged_bpf_disabled", |v| v != "0", "1"),
    ("kernel.yama.ptrace_scope", |v| v != "0", "1"),
    ("kernel.randomize_va_space", |v| v == "2", "2"),
    ("fs.protected_hardlinks", |v| v == "1", "1"),
    ("fs.protected_symlinks", |v| v == "1", "1"),
    ("fs.suid_dumpable", |v| v != "1", "0"),
    ("net.core.bpf_jit_harden", |v| v != "0", "1"),
];

fn hardened(facts: &Facts) -> Outcome {
    if facts.kernel.sysctls.is_empty() {
        return Outcome::Undetermined("no kernel settings were read".to_owned());
    }
    let mut tally = Tally::default();
    for (name, is_good, better) in SETTINGS {
        match facts.kernel.sysctl(name) {
            Fact::Known(value) => {
                tally.saw();
                if !is_good(&value) {
                    tally.fail_fix(
                        Target::Host,
                        *name,
                        format!("it is {value}"),
                        format!("sysctl -w {name}={better}"),
                    );
                }
            }
            // A kernel built without it has nothing to set.
            Fact::Absent => {}
            Fact::Unknown(why) => tally.unsure(Target::Host, format!("`{name}`: {why}")),
        }
    }
    tally.finish("this kernel has none of the settings", |n| {
        format!("{n} kernel settings")
    })
}

/// Major, minor and patch.
type Version = (u32, u32, u32);

/// Flaws of the engine by the first versions that mend them, newest first: engines below
/// the version of their line have the flaw. Ranges as its makers published them.
const ENGINE_FLAWS: &[(&str, &[Version])] = &[
    ("CVE-2026-41567", &[(29, 5, 1)]),
    ("CVE-2026-34040", &[(29, 3, 1)]),
    (
        "CVE-2024-41110",
        &[(23, 0, 15), (25, 0, 6), (26, 1, 5), (27, 1, 1)],
    ),
    ("CVE-2024-24557", &[(24, 0, 9), (25, 0, 2)]),
    ("CVE-2021-41091", &[(20, 10, 9)]),
];

fn version(facts: &Facts) -> Outcome {
    let Some(info) = facts.engine.info.known() else {
        return unknown(&facts.engine.info);
    };
    let Some(version) = number(&info.version) else {
        return Outcome::Undetermined(format!("version `{}` can't be compared", info.version));
    };
    let flaws: Vec<&str> = ENGINE_FLAWS
        .iter()
        .filter(|(_, mended)| {
            // A line without a fixed version of its own is mended by the next line's.
            !mended
                .iter()
                .any(|fix| fix.0 == version.0 && version >= *fix)
                && mended.iter().max().is_some_and(|last| version < *last)
        })
        .map(|(id, _)| *id)
        .collect();
    if flaws.is_empty() {
        return Outcome::Pass(format!(
            "engine {} has none of the flaws in our list",
            info.version
        ));
    }
    let list = flaws.join(", ");
    // A distribution mends old versions: its own word counts, and that is not known here.
    let package = facts.packages.known().and_then(|packages| {
        packages
            .iter()
            .find(|(name, _)| matches!(name.as_str(), "docker.io" | "moby-engine" | "docker"))
    });
    match package {
        Some((name, package)) => Outcome::Undetermined(format!(
            "engine {} is in the range of {list}, but package `{name}` {} may have them mended: ask the distribution",
            info.version, package.version
        )),
        None if facts.packages.why_unknown().is_some() || info.version.contains(['+', '~']) => {
            Outcome::Undetermined(format!(
                "engine {} is in the range of {list}, and which package it came from is not known",
                info.version
            ))
        }
        None => Outcome::fail(
            Target::Daemon,
            "ServerVersion",
            format!("{}: {list}", info.version),
        ),
    }
}

fn number(text: &str) -> Option<Version> {
    let plain = text.split(['+', '-', '~', ' ']).next()?;
    let mut parts = plain.split('.').map(str::parse);
    Some((
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next().and_then(Result::ok).unwrap_or(0),
    ))
}

/// Undetermined, for the reason of a fact that is not known.
pub(super) fn unknown<T>(fact: &Fact<T>) -> Outcome {
    Outcome::Undetermined(fact.why_unknown().unwrap_or("it is not there").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::audit_rules::{self, AuditRules};
    use crate::facts::engine::EngineInfo;
    use crate::facts::reader::FileFact;

    fn engine(version: &str) -> Facts {
        let mut facts = Facts::default();
        facts.engine.info = Fact::Known(EngineInfo {
            version: version.into(),
            data_root: "/data".into(),
            ..EngineInfo::default()
        });
        facts
    }

    #[test]
    fn versions_are_judged_by_their_line_and_backports_are_undetermined() {
        let mut facts = engine("29.5.1");
        facts.packages = Fact::Absent;
        assert!(matches!(version(&facts), Outcome::Pass(_)));
        let mut facts = engine("27.1.1");
        facts.packages = Fact::Absent;
        let Outcome::Fail(evidence) = version(&facts) else {
            panic!()
        };
        assert!(evidence[0].found.contains("41567") && !evidence[0].found.contains("41110"));
        assert!(matches!(
            version(&engine("20.10.24+dfsg1")),
            Outcome::Undetermined(_)
        ));
        assert!(matches!(
            version(&engine("library")),
            Outcome::Undetermined(_)
        ));
    }

    #[test]
    fn a_bind_mount_on_the_same_device_is_no_partition() {
        let mut facts = engine("1.0.0");
        let on = |device| {
            Fact::Known(FileFact {
                device,
                ..FileFact::default()
            })
        };
        facts.files.paths.insert("/data".into(), on(1));
        facts.files.paths.insert("/data/..".into(), on(1));
        assert!(matches!(data_root(&facts), Outcome::Fail(_)));
        facts.files.paths.insert("/data".into(), on(2));
        assert!(matches!(data_root(&facts), Outcome::Pass(_)));
    }

    #[test]
    fn a_watch_on_the_real_path_counts() {
        let mut facts = Facts::default();
        facts.files.paths.insert(
            "/run/containerd".into(),
            Fact::Known(FileFact {
                real_path: "/r".into(),
                ..FileFact::default()
            }),
        );
        facts.audit = Fact::Known(AuditRules {
            origin: "x".into(),
            watches: audit_rules::parse("-w /r -p rwxa"),
        });
        assert!(matches!(path(&facts, "/run/containerd"), Outcome::Pass(_)));
        facts.audit = Fact::Absent;
        assert!(matches!(path(&facts, "/run/containerd"), Outcome::Fail(_)));
    }
}
