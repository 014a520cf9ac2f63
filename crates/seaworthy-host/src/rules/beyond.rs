//! Checks that the benchmark does not have.

use std::collections::BTreeMap;

use seaworthy_core::Severity::{Critical, High, Low, Medium};

use super::Mode::Scored;
use super::daemon::{option_unset, with_info};
use super::host::unknown;
use super::outcome::{Outcome, Tally, Target, each_container, each_running, quote};
use super::{HostRule, Section, rule};
use crate::exposure;
use crate::facts::kernel::CgroupVersion;
use crate::facts::{Fact, Facts};

const S: Section = Section::Beyond;

pub(super) const RULES: &[HostRule] = &[
    rule(
        S,
        "",
        "engine-and-kernel-disagree",
        1,
        Scored,
        High,
        (
            "the kernel gives containers more than the engine says",
            "trust the kernel; make the container anew, and find out who changed it",
        ),
        |facts| {
            each_running(facts, |container, _, tally| {
                if let Fact::Unknown(why) = &container.kernel {
                    tally.unsure(Target::container(container), why.as_str());
                }
                for one in &container.disagreements {
                    tally.fail(
                        Target::container(container),
                        one.about.as_str(),
                        format!("engine: {}; kernel: {}", one.engine, one.kernel),
                    );
                }
            })
        },
    ),
    rule(
        S,
        "",
        "kernel-paths-unmasked",
        1,
        Scored,
        High,
        (
            "containers see or write kernel files that the engine hides",
            "remove `--security-opt systempaths=unconfined`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                if declared.privileged {
                    return;
                }
                for (field, paths) in [
                    ("MaskedPaths", &declared.masked_paths),
                    ("ReadonlyPaths", &declared.read_only_paths),
                ] {
                    if paths.as_ref().is_some_and(Vec::is_empty) {
                        tally.fail(
                            Target::container(container),
                            format!("HostConfig.{field}"),
                            "empty",
                        );
                    }
                }
            })
        },
    ),
    rule(
        S,
        "",
        "host-cgroup-namespace",
        1,
        Scored,
        Low,
        (
            "containers see the host's control groups",
            "set `\"default-cgroupns-mode\": \"private\"` in `daemon.json`, or `--cgroupns private`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                if declared.cgroupns_mode == "host"
                    || container.host_namespaces.get("cgroup") == Some(&Fact::Known(true))
                {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.CgroupnsMode",
                        "host",
                    );
                }
            })
        },
    ),
    rule(
        S,
        "",
        "shared-with-container",
        1,
        Scored,
        Low,
        (
            "containers share namespaces with another container",
            "give each its own, and let them talk over a network",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                for (field, mode) in [
                    ("NetworkMode", &declared.network_mode),
                    ("PidMode", &declared.pid_mode),
                    ("IpcMode", &declared.ipc_mode),
                ] {
                    if mode.starts_with("container:") {
                        tally.fail(
                            Target::container(container),
                            format!("HostConfig.{field}"),
                            mode.as_str(),
                        );
                    }
                }
            })
        },
    ),
    rule(
        S,
        "",
        "arp-spoofing-neighbours",
        1,
        Scored,
        Medium,
        (
            "containers can pose as their neighbours on the same bridge",
            "start them with `--cap-drop NET_RAW`, or put them on networks of their own",
        ),
        spoofing,
    ),
    rule(
        S,
        "",
        "secrets-in-environment",
        1,
        Scored,
        High,
        (
            "containers have secrets in their environment",
            "give them as files: a secret mount or `--env NAME_FILE`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                for variable in declared.env.iter().filter(|v| v.is_secret) {
                    tally.fail(
                        Target::container(container),
                        "Config.Env",
                        format!("`{}`", variable.name),
                    );
                }
            })
        },
    ),
    rule(
        S,
        "",
        "writable-shared-volume",
        1,
        Scored,
        Low,
        (
            "several containers write to the same volume",
            "mount it read-only where it is only read",
        ),
        shared_volumes,
    ),
    rule(
        S,
        "",
        "every-device-rule",
        1,
        Scored,
        Critical,
        (
            "containers may use every device",
            "remove `--device-cgroup-rule 'a *:* rwm'`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                for rule in declared
                    .device_cgroup_rules
                    .iter()
                    .filter(|r| r.starts_with("a ") || r.contains("*:*"))
                {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.DeviceCgroupRules",
                        rule.as_str(),
                    );
                }
            })
        },
    ),
    rule(
        S,
        "",
        "engine-group-in-container",
        1,
        Scored,
        High,
        (
            "containers run with the number of the engine's group",
            "remove `--group-add` of that group",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                let known = match &facts.accounts {
                    Fact::Known(accounts) => accounts.groups.get("docker").map(|g| g.gid),
                    _ => None,
                };
                for group in &declared.group_add {
                    if matches!(group.as_str(), "docker" | "disk" | "shadow")
                        || known.is_some_and(|gid| group.parse() == Ok(gid))
                    {
                        tally.fail(
                            Target::container(container),
                            "HostConfig.GroupAdd",
                            group.as_str(),
                        );
                    }
                }
            })
        },
    ),
    rule(
        S,
        "",
        "container-sysctls",
        1,
        Scored,
        Low,
        (
            "containers change kernel settings",
            "remove `--sysctl` where it is not needed",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                let harmless = ["net.ipv4.ip_unprivileged_port_start", "net.core.somaxconn"];
                for (name, value) in declared
                    .sysctls
                    .iter()
                    .filter(|(name, _)| !harmless.contains(&name.as_str()))
                {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.Sysctls",
                        format!("{name}={value}"),
                    );
                }
            })
        },
    ),
    rule(
        S,
        "",
        "tmpfs-with-suid",
        1,
        Scored,
        Low,
        (
            "temporary file systems honour setuid files",
            "give them `nosuid`: `--tmpfs /tmp:rw,noexec,nosuid`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                for (path, options) in declared.tmpfs.iter().filter(|(_, o)| {
                    o.split(',')
                        .any(|w| w == "suid" || w == "exec" || w == "dev")
                }) {
                    tally.fail(
                        Target::container(container),
                        format!("tmpfs at `{path}`"),
                        options.as_str(),
                    );
                }
            })
        },
    ),
    rule(
        S,
        "",
        "no-logs",
        1,
        Scored,
        Low,
        (
            "containers leave no log",
            "use a log driver other than `none`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                if declared.log_driver == "none" {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.LogConfig.Type",
                        "none",
                    );
                }
            })
        },
    ),
    rule(
        S,
        "",
        "unbounded-logs",
        1,
        Scored,
        Low,
        (
            "logs of containers grow without bound",
            "set `\"log-opts\": {\"max-size\": \"10m\", \"max-file\": \"3\"}` in `daemon.json`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                if declared.log_driver == "json-file"
                    && !declared.log_options.contains_key("max-size")
                {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.LogConfig",
                        "json-file without `max-size`",
                    );
                }
            })
        },
    ),
    rule(
        S,
        "",
        "oom-killer-off",
        1,
        Scored,
        Medium,
        (
            "containers are spared when memory runs out",
            "remove `--oom-kill-disable` and negative `--oom-score-adj`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                if declared.limits.oom_kill_disable {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.OomKillDisable",
                        "true",
                    );
                }
                if declared.limits.oom_score_adj < 0 {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.OomScoreAdj",
                        declared.limits.oom_score_adj.to_string(),
                    );
                }
            })
        },
    ),
    rule(
        S,
        "",
        "default-cgroupns-host",
        1,
        Scored,
        Low,
        (
            "the daemon gives containers the host's control group namespace",
            "remove `default-cgroupns-mode` from `daemon.json`",
        ),
        |facts| option_unset(facts, "default-cgroupns-mode", |v| v == "host"),
    ),
    rule(
        S,
        "",
        "default-ipc-shared",
        1,
        Scored,
        Medium,
        (
            "the daemon gives containers shared memory that others can join",
            "remove `default-ipc-mode` from `daemon.json`",
        ),
        |facts| option_unset(facts, "default-ipc-mode", |v| v != "private"),
    ),
    rule(
        S,
        "",
        "metrics-for-everyone",
        1,
        Scored,
        Medium,
        (
            "the daemon's metrics or diagnostics answer on the network",
            "bind them to `127.0.0.1`",
        ),
        metrics,
    ),
    rule(
        S,
        "",
        "proxy-password-in-configuration",
        1,
        Scored,
        Medium,
        (
            "the daemon's configuration holds a password in the clear",
            "take the password out of the proxy's address",
        ),
        |facts| match facts.daemon.option("proxies") {
            Fact::Known(option)
                if option
                    .values
                    .iter()
                    .any(|v| v.contains(crate::facts::redact::HIDDEN)) =>
            {
                Outcome::fail(Target::Daemon, "proxies", option.origin.as_str())
            }
            Fact::Unknown(why) => Outcome::Undetermined(why),
            _ => Outcome::Pass("no password in `proxies`".into()),
        },
    ),
    rule(
        S,
        "",
        "builder-entitlements",
        1,
        Scored,
        High,
        (
            "builds may ask for the host's network or all privileges",
            "remove `security-insecure` and `network-host` from `builder.entitlements`",
        ),
        |facts| {
            option_unset(facts, "builder", |v| {
                v.starts_with("Entitlements.")
                    || v.to_ascii_lowercase()
                        .starts_with("entitlements.security-insecure=true")
                    || v.to_ascii_lowercase()
                        .starts_with("entitlements.network-host=true")
            })
        },
    ),
    rule(
        S,
        "",
        "direct-routing",
        1,
        Scored,
        Medium,
        (
            "containers answer from outside without being published",
            "remove `allow-direct-routing` and `ip-forward-no-drop` from `daemon.json`",
        ),
        |facts| match option_unset(facts, "allow-direct-routing", |v| v == "true") {
            Outcome::Pass(_) => option_unset(facts, "ip-forward-no-drop", |v| v == "true"),
            other => other,
        },
    ),
    rule(
        S,
        "",
        "published-everywhere-by-default",
        1,
        Scored,
        Low,
        (
            "ports are published on every address unless one is named",
            "set `\"ip\": \"127.0.0.1\"` in `daemon.json`",
        ),
        |facts| match facts.daemon.option("ip") {
            Fact::Known(option)
                if option
                    .values
                    .iter()
                    .all(|v| !matches!(v.as_str(), "0.0.0.0" | "::")) =>
            {
                Outcome::Pass(format!("`ip` is {}", option.values.join(", ")))
            }
            Fact::Unknown(why) => Outcome::Undetermined(why),
            _ => Outcome::fail(Target::Daemon, "ip", "0.0.0.0"),
        },
    ),
    rule(
        S,
        "",
        "ancient-api",
        1,
        Scored,
        Low,
        (
            "the engine still speaks very old versions of its API",
            "set `\"min-api-version\"` in `daemon.json`",
        ),
        |facts| {
            with_info(facts, |info| {
                let minor = info
                    .min_api_version
                    .split_once('.')
                    .and_then(|(_, minor)| minor.parse::<u32>().ok());
                match minor {
                    Some(minor) if minor < 24 => Outcome::fail(
                        Target::Daemon,
                        "MinAPIVersion",
                        info.min_api_version.as_str(),
                    ),
                    Some(_) => {
                        Outcome::Pass(format!("`MinAPIVersion` is {}", info.min_api_version))
                    }
                    None => Outcome::Undetermined("the engine does not tell its oldest API".into()),
                }
            })
        },
    ),
    rule(
        S,
        "",
        "broad-engine-group",
        1,
        Scored,
        High,
        (
            "the engine's socket is open to a group that ordinary users are in",
            "name a group of its own in `group`",
        ),
        |facts| {
            option_unset(facts, "group", |v| {
                matches!(
                    v,
                    "users" | "staff" | "wheel" | "adm" | "sudo" | "nogroup" | "everyone"
                )
            })
        },
    ),
    rule(
        S,
        "",
        "writable-runtime",
        1,
        Scored,
        Critical,
        (
            "a runtime's program can be replaced by others than root",
            "give it to root and take the write permission away",
        ),
        runtimes,
    ),
    rule(
        S,
        "",
        "client-passwords-in-clear",
        1,
        Scored,
        Medium,
        (
            "root's Docker client keeps passwords of registries in the clear",
            "use a credential helper: `credsStore` in `~/.docker/config.json`",
        ),
        |facts| match &facts.client_passwords {
            Fact::Known(true) => Outcome::fail(
                Target::Host,
                "/root/.docker/config.json",
                "passwords in `auths`",
            ),
            Fact::Known(false) => Outcome::Pass("no passwords in `auths`".into()),
            Fact::Absent => Outcome::NotApplicable("root has no client configuration".into()),
            other => unknown(other),
        },
    ),
    rule(
        S,
        "",
        "cgroup-v1",
        1,
        Scored,
        Medium,
        (
            "the host uses version 1 of control groups, which a container with SYS_ADMIN escapes through",
            "boot with `systemd.unified_cgroup_hierarchy=1`",
        ),
        |facts| match &facts.kernel.cgroup {
            Fact::Known(CgroupVersion::Two) => Outcome::Pass("version 2".into()),
            Fact::Known(version) => Outcome::fail(
                Target::Host,
                "/sys/fs/cgroup",
                match version {
                    CgroupVersion::Hybrid => "version 1 beside 2",
                    _ => "version 1",
                },
            ),
            other => unknown(other),
        },
    ),
    rule(
        S,
        "",
        "no-mandatory-access-control",
        1,
        Scored,
        Medium,
        (
            "neither AppArmor nor SELinux is on",
            "boot a kernel with one of them on",
        ),
        |facts| match (&facts.kernel.apparmor, &facts.kernel.selinux) {
            (Fact::Known(true), _) => Outcome::Pass("AppArmor is on".into()),
            (_, Fact::Known(_)) => Outcome::Pass("SELinux is on".into()),
            (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Outcome::Undetermined(why.clone()),
            _ => Outcome::fail(Target::Host, "/sys/kernel/security", "neither"),
        },
    ),
    rule(
        S,
        "",
        "user-namespaces-for-everyone",
        1,
        Scored,
        Low,
        (
            "any user of the host can make user namespaces, which many kernel flaws need",
            "set `kernel.unprivileged_userns_clone=0` or `user.max_user_namespaces=0`, unless the engine is rootless",
        ),
        |facts| match (
            facts.kernel.sysctl("user.max_user_namespaces"),
            facts.kernel.sysctl("kernel.unprivileged_userns_clone"),
        ) {
            (Fact::Known(max), _) if max == "0" => {
                Outcome::Pass("`user.max_user_namespaces` is 0".into())
            }
            (_, Fact::Known(clone)) if clone == "0" => {
                Outcome::Pass("`kernel.unprivileged_userns_clone` is 0".into())
            }
            (Fact::Known(max), _) => Outcome::fail(Target::Host, "user.max_user_namespaces", max),
            (Fact::Absent, _) => {
                Outcome::NotApplicable("this kernel has no user namespaces".into())
            }
            (other, _) => unknown(&other),
        },
    ),
    rule(
        S,
        "",
        "core-dump-handler",
        1,
        Scored,
        Low,
        (
            "a program runs as root for every crash, with a name the crashed process chose in part",
            "set `kernel.core_pattern=core` unless you need the handler",
        ),
        |facts| match facts.kernel.sysctl("kernel.core_pattern") {
            Fact::Known(pattern) if pattern.starts_with('|') => {
                Outcome::fail(Target::Host, "kernel.core_pattern", pattern)
                    .fixed_by("sysctl -w kernel.core_pattern=core")
            }
            Fact::Known(pattern) => Outcome::Pass(format!("`{pattern}`")),
            other => unknown(&other),
        },
    ),
];

fn spoofing(facts: &Facts) -> Outcome {
    /// Names told of one container.
    const SHOWN: usize = 5;
    if facts.containers.known().is_none() {
        return unknown(&facts.containers);
    }
    if facts.engine.networks.known().is_none() {
        return unknown(&facts.engine.networks);
    }
    let table = exposure::table(facts);
    let by_id: BTreeMap<&str, &exposure::ExposureRow> =
        table.iter().map(|row| (row.id.as_str(), row)).collect();
    each_container(facts, |container, _, tally| {
        let Some(row) = by_id.get(container.id.as_str()) else {
            return;
        };
        match &row.can_spoof {
            Fact::Known(victims) if !victims.is_empty() => {
                let names: Vec<String> = victims
                    .iter()
                    .take(SHOWN)
                    .map(|name| format!("`{name}`"))
                    .collect();
                let more = match victims.len().saturating_sub(SHOWN) {
                    0 => String::new(),
                    n => format!(" and {n} more"),
                };
                tally.fail_fix(
                    Target::container(container),
                    "NET_RAW on a shared bridge",
                    format!("can pose as {}{more}", names.join(", ")),
                    format!(
                        "docker run --cap-drop NET_RAW … {}",
                        quote(&container.image)
                    ),
                );
            }
            Fact::Unknown(why) => tally.unsure(Target::container(container), why.as_str()),
            _ => {}
        }
    })
}

fn shared_volumes(facts: &Facts) -> Outcome {
    if facts.containers.known().is_none() {
        return unknown(&facts.containers);
    }
    let mut writers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for container in facts.containers() {
        for mount in container
            .declared
            .known()
            .into_iter()
            .flat_map(|d| &d.mounts)
        {
            if mount.writable && mount.kind == "volume" && !mount.name.is_empty() {
                writers
                    .entry(&mount.name)
                    .or_default()
                    .push(&container.name);
            }
        }
    }
    each_container(facts, |container, declared, tally| {
        for mount in declared
            .mounts
            .iter()
            .filter(|m| m.writable && m.kind == "volume")
        {
            let others: Vec<String> = writers
                .get(mount.name.as_str())
                .into_iter()
                .flatten()
                .filter(|n| **n != container.name)
                .map(|n| format!("`{n}`"))
                .collect();
            if !others.is_empty() {
                tally.fail(
                    Target::container(container),
                    format!("volume `{}`", mount.name),
                    format!("{} write to it too", others.join(", ")),
                );
            }
        }
    })
}

fn metrics(facts: &Facts) -> Outcome {
    let open = |value: &str| {
        let host = value.rsplit_once(':').map_or(value, |(host, _)| host);
        !matches!(host, "127.0.0.1" | "localhost" | "[::1]")
    };
    match option_unset(facts, "metrics-addr", open) {
        Outcome::Pass(_) => option_unset(facts, "network-diagnostic-port", |v| v != "0"),
        other => other,
    }
}

fn runtimes(facts: &Facts) -> Outcome {
    with_info(facts, |info| {
        let mut tally = Tally::default();
        for (name, path) in &info.runtimes {
            // A bare name is looked up in the daemon's own path.
            let path = if path.starts_with('/') {
                Some(path.clone())
            } else {
                facts.files.program(path)
            };
            let Some(path) = path else { continue };
            match facts.files.get(&path) {
                Fact::Known(file) => {
                    tally.saw();
                    if file.uid != 0 || file.mode & 0o022 != 0 {
                        tally.fail_fix(
                            Target::Host,
                            path.as_str(),
                            format!(
                                "runtime `{name}`: owner {}, mode {:04o}",
                                file.uid, file.mode
                            ),
                            format!("chown root:root {0} && chmod go-w {0}", quote(&path)),
                        );
                    }
                }
                Fact::Absent => {}
                Fact::Unknown(why) => tally.unsure(Target::Host, why),
            }
        }
        tally.finish("the runtimes' programs are not on this machine", |n| {
            format!("{n} runtimes")
        })
    })
}
