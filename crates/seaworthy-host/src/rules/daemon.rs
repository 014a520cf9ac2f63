//! Section 2: the daemon.

use seaworthy_core::Severity::{Critical, High, Low, Medium};

use super::Mode::{Manual, Scored};
use super::host::unknown;
use super::outcome::{Outcome, Tally, Target};
use super::{HostRule, Section, rule};
use crate::facts::engine::EngineInfo;
use crate::facts::{Fact, Facts};

const S: Section = Section::Daemon;

pub(super) const RULES: &[HostRule] = &[
    rule(
        S,
        "2.1",
        "rootful-daemon",
        1,
        Manual,
        Low,
        (
            "the daemon runs as root",
            "run the engine without root: `dockerd-rootless-setuptool.sh install` as an ordinary user",
        ),
        |facts| {
            with_info(facts, |info| match info.has_security_option("rootless") {
                true => Outcome::Pass("`/info` says rootless".into()),
                false => match facts.daemon.process.known().and_then(|p| p.uid) {
                    Some(uid) if uid != 0 => Outcome::Pass(format!("dockerd runs as user {uid}")),
                    _ => Outcome::fail(Target::Daemon, "SecurityOptions", "no `name=rootless`"),
                },
            })
        },
    ),
    rule(
        S,
        "2.2",
        "default-bridge-icc",
        1,
        Scored,
        Medium,
        (
            "containers on the default bridge can talk to each other",
            "set `\"icc\": false` in `daemon.json`, and put what belongs together on a network of its own",
        ),
        icc,
    ),
    rule(
        S,
        "2.3",
        "daemon-log-level",
        1,
        Scored,
        Low,
        (
            "the daemon does not log at level info",
            "set `\"log-level\": \"info\"` and no `debug` in `daemon.json`",
        ),
        log_level,
    ),
    rule(
        S,
        "2.4",
        "daemon-without-iptables",
        1,
        Scored,
        Medium,
        (
            "the daemon may not set firewall rules",
            "remove `\"iptables\": false` and `\"ip6tables\": false` from `daemon.json`",
        ),
        |facts| switch(facts, "iptables", true, true),
    ),
    rule(
        S,
        "2.5",
        "insecure-registries",
        1,
        Scored,
        High,
        (
            "registries are spoken to without verified TLS",
            "remove them from `insecure-registries` and give them a certificate in `/etc/docker/certs.d`",
        ),
        insecure_registries,
    ),
    rule(
        S,
        "2.6",
        "aufs-driver",
        1,
        Scored,
        Medium,
        (
            "the storage driver is aufs",
            "set `\"storage-driver\": \"overlay2\"` in `daemon.json`",
        ),
        |facts| {
            with_info(facts, |info| match info.driver.as_str() {
                "aufs" => Outcome::fail(Target::Daemon, "Driver", "aufs"),
                other => Outcome::Pass(format!("`Driver` is {other}")),
            })
        },
    ),
    rule(
        S,
        "2.7",
        "tcp-without-client-certificates",
        1,
        Scored,
        Critical,
        (
            "the API listens on TCP without asking for client certificates: whoever reaches it is root",
            "remove the `tcp://` address, or set `tlsverify`, `tlscacert`, `tlscert` and `tlskey`",
        ),
        tcp_listeners,
    ),
    rule(
        S,
        "2.8",
        "no-default-ulimits",
        1,
        Manual,
        Low,
        (
            "containers have no default limits for files and processes",
            "set `\"default-ulimits\": {\"nofile\": {\"Name\": \"nofile\", \"Soft\": 64000, \"Hard\": 64000}}` in `daemon.json`",
        ),
        |facts| option_set(facts, "default-ulimits"),
    ),
    rule(
        S,
        "2.9",
        "no-user-namespaces",
        2,
        Scored,
        Medium,
        (
            "root in a container is root on the host",
            "set `\"userns-remap\": \"default\"` in `daemon.json`, or run rootless",
        ),
        |facts| {
            with_info(facts, |info| {
                match ["userns", "rootless"]
                    .into_iter()
                    .find(|o| info.has_security_option(o))
                {
                    Some(option) => Outcome::Pass(format!("`/info` says {option}")),
                    None => Outcome::fail(
                        Target::Daemon,
                        "SecurityOptions",
                        "neither `userns` nor `rootless`",
                    ),
                }
            })
        },
    ),
    rule(
        S,
        "2.10",
        "changed-cgroup-parent",
        2,
        Scored,
        Low,
        (
            "containers run below another control group than the default",
            "remove `cgroup-parent` from `daemon.json` unless that group has limits of its own",
        ),
        |facts| option_unset(facts, "cgroup-parent", |_| true),
    ),
    rule(
        S,
        "2.11",
        "changed-base-size",
        2,
        Scored,
        Low,
        (
            "the base size of devicemapper was changed",
            "remove `dm.basesize` from `storage-opts`",
        ),
        |facts| option_unset(facts, "storage-opts", |value| value.contains("dm.basesize")),
    ),
    rule(
        S,
        "2.12",
        "no-authorization-plugin",
        2,
        Scored,
        Medium,
        (
            "whoever may ask the API may ask for everything",
            "install an authorization plugin and name it in `authorization-plugins`",
        ),
        |facts| {
            with_info(facts, |info| match info.authorization_plugins.as_slice() {
                [] => Outcome::fail(Target::Daemon, "Plugins.Authorization", "none"),
                plugins => Outcome::Pass(plugins.join(", ")),
            })
        },
    ),
    rule(
        S,
        "2.13",
        "local-logs-only",
        2,
        Scored,
        Low,
        (
            "container logs stay on this host",
            "set `log-driver` to a central one (`journald` with forwarding, `syslog`, `fluentd`, …) in `daemon.json`",
        ),
        |facts| {
            with_info(facts, |info| match info.logging_driver.as_str() {
                driver @ ("json-file" | "local" | "none" | "") => {
                    Outcome::fail(Target::Daemon, "LoggingDriver", driver)
                }
                driver => Outcome::Pass(format!("`LoggingDriver` is {driver}")),
            })
        },
    ),
    rule(
        S,
        "2.14",
        "new-privileges-by-default",
        1,
        Scored,
        Medium,
        (
            "programs in containers can gain privileges by default",
            "set `\"no-new-privileges\": true` in `daemon.json`",
        ),
        |facts| switch(facts, "no-new-privileges", false, true),
    ),
    rule(
        S,
        "2.15",
        "no-live-restore",
        1,
        Scored,
        Low,
        (
            "containers stop with the daemon",
            "set `\"live-restore\": true` in `daemon.json`",
        ),
        |facts| {
            with_info(facts, |info| {
                match (info.live_restore, info.swarm_state.as_str()) {
                    (true, _) => Outcome::Pass("`LiveRestoreEnabled` is true".into()),
                    (false, "active") => {
                        Outcome::NotApplicable("a node of a swarm can't have it".into())
                    }
                    (false, _) => Outcome::fail(Target::Daemon, "LiveRestoreEnabled", "false"),
                }
            })
        },
    ),
    rule(
        S,
        "2.16",
        "userland-proxy",
        1,
        Scored,
        Low,
        (
            "published ports go through a proxy in user space",
            "set `\"userland-proxy\": false` in `daemon.json`",
        ),
        |facts| switch(facts, "userland-proxy", true, false),
    ),
    rule(
        S,
        "2.17",
        "daemon-seccomp-profile",
        2,
        Manual,
        High,
        (
            "the daemon's own seccomp profile is off or lets dangerous calls through",
            "remove `seccomp-profile` from `daemon.json`, or tighten the profile it names",
        ),
        seccomp,
    ),
    rule(
        S,
        "2.18",
        "experimental-features",
        1,
        Scored,
        Low,
        (
            "experimental features are on",
            "remove `\"experimental\": true` from `daemon.json`",
        ),
        |facts| {
            with_info(facts, |info| match info.experimental {
                true => Outcome::fail(Target::Daemon, "ExperimentalBuild", "true"),
                false => Outcome::Pass("`ExperimentalBuild` is false".into()),
            })
        },
    ),
];

/// Judges by `/info`, where it is known.
pub(super) fn with_info(facts: &Facts, judge: impl FnOnce(&EngineInfo) -> Outcome) -> Outcome {
    match &facts.engine.info {
        Fact::Known(info) => judge(info),
        other => unknown(other),
    }
}

/// Passes where a switch is as it should be.
pub(super) fn switch(facts: &Facts, key: &str, default: bool, wanted: bool) -> Outcome {
    match facts.daemon.switch(key, default) {
        Err(why) => Outcome::Undetermined(why),
        Ok(value) => {
            let place = facts.daemon.options.get(key).map_or_else(
                || format!("`{key}` is left at its default"),
                |option| option.origin.clone(),
            );
            if value == wanted {
                Outcome::Pass(format!("{place}: {value}"))
            } else {
                Outcome::fail(Target::Daemon, key, format!("{value}, {place}"))
            }
        }
    }
}

fn option_set(facts: &Facts, key: &str) -> Outcome {
    match facts.daemon.option(key) {
        Fact::Known(option) if !option.values.is_empty() => {
            Outcome::Pass(format!("{}: {}", option.origin, option.values.join(", ")))
        }
        Fact::Known(_) | Fact::Absent => Outcome::fail(Target::Daemon, key, "not set"),
        Fact::Unknown(why) => Outcome::Undetermined(why),
    }
}

/// Passes where no value of an option is as `bad` says.
pub(super) fn option_unset(facts: &Facts, key: &str, bad: impl Fn(&str) -> bool) -> Outcome {
    match facts.daemon.option(key) {
        Fact::Known(option) => match option.values.iter().find(|value| bad(value)) {
            Some(value) => {
                Outcome::fail(Target::Daemon, key, format!("{value}, {}", option.origin))
            }
            None => Outcome::Pass(format!("{}: {}", option.origin, option.values.join(", "))),
        },
        Fact::Absent => Outcome::Pass(format!("`{key}` is left at its default")),
        Fact::Unknown(why) => Outcome::Undetermined(why),
    }
}

fn icc(facts: &Facts) -> Outcome {
    let networks = match &facts.engine.networks {
        Fact::Known(networks) => networks,
        other => return unknown(other),
    };
    match networks.iter().find(|network| network.name == "bridge") {
        None => Outcome::NotApplicable("there is no default bridge".into()),
        Some(bridge) if bridge.inter_container() => Outcome::fail(
            Target::Network {
                name: "bridge".into(),
            },
            "com.docker.network.bridge.enable_icc",
            "true",
        ),
        Some(_) => Outcome::Pass("`enable_icc` of network `bridge` is false".into()),
    }
}

fn log_level(facts: &Facts) -> Outcome {
    match facts.daemon.switch("debug", false) {
        Ok(true) => return Outcome::fail(Target::Daemon, "debug", "true"),
        Ok(false) => {}
        Err(why) => return Outcome::Undetermined(why),
    }
    option_unset(facts, "log-level", |level| level != "info")
}

fn insecure_registries(facts: &Facts) -> Outcome {
    with_info(facts, |info| {
        let mut tally = Tally::default();
        tally.saw();
        for registry in &info.insecure_registries {
            if !matches!(registry.as_str(), "127.0.0.0/8" | "::1/128") {
                tally.fail(Target::Daemon, "insecure-registries", registry.as_str());
            }
        }
        tally.finish("", |_| "none but this host itself".to_owned())
    })
}

fn tcp_listeners(facts: &Facts) -> Outcome {
    let process = match &facts.daemon.process {
        Fact::Known(process) => process,
        Fact::Absent => {
            return Outcome::Undetermined("the daemon's process is not to be seen here".into());
        }
        other => return unknown(other),
    };
    let listeners = match &process.tcp {
        Fact::Known(listeners) => listeners,
        other => return unknown(other),
    };
    let hosts = facts
        .daemon
        .options
        .get("hosts")
        .map_or(&[][..], |o| o.values.as_slice());
    let named: Vec<&String> = hosts
        .iter()
        .filter(|host| host.starts_with("tcp://"))
        .collect();
    // Metrics and swarm have ports of their own.
    let other_ports = [2377, 7946, 4789];
    let metrics = facts
        .daemon
        .options
        .get("metrics-addr")
        .and_then(|o| o.values.last());
    let api: Vec<String> = listeners
        .iter()
        .filter(|l| !other_ports.contains(&l.port))
        .filter(|l| metrics.is_none_or(|m| !m.ends_with(&format!(":{}", l.port))))
        .map(|l| format!("{}:{}", l.address, l.port))
        .collect();
    if api.is_empty() && named.is_empty() {
        return Outcome::Pass("the API listens on no TCP port".into());
    }
    match facts.daemon.switch("tlsverify", false) {
        Ok(true) if facts.daemon.options.contains_key("tlscacert") || !named.is_empty() => {
            Outcome::Pass("`tlsverify` is on".into())
        }
        Ok(_) => {
            let mut tally = Tally::default();
            for address in &api {
                tally.fail(
                    Target::Daemon,
                    "listener of dockerd",
                    format!("{address} without `tlsverify`"),
                );
            }
            for host in named.iter().filter(|_| api.is_empty()) {
                tally.fail(
                    Target::Daemon,
                    "hosts",
                    format!("{host} without `tlsverify`"),
                );
            }
            tally.finish("", |_| String::new())
        }
        Err(why) => Outcome::Undetermined(why),
    }
}

fn seccomp(facts: &Facts) -> Outcome {
    match facts.daemon.option("seccomp-profile") {
        Fact::Known(option) if option.values.iter().any(|v| v == "unconfined") => Outcome::fail(
            Target::Daemon,
            "seccomp-profile",
            format!("unconfined, {}", option.origin),
        ),
        Fact::Known(_) => match &facts.daemon_seccomp {
            Fact::Known(profile) => {
                let dangerous = profile.dangerous(crate::facts::capability::CapSet::DOCKER_DEFAULT);
                match dangerous.is_empty() {
                    true => {
                        Outcome::Pass("the custom profile lets no dangerous call through".into())
                    }
                    false => Outcome::fail(
                        Target::Daemon,
                        "seccomp-profile",
                        format!(
                            "lets {} through",
                            dangerous.into_iter().collect::<Vec<_>>().join(", ")
                        ),
                    ),
                }
            }
            Fact::Absent => Outcome::Pass("the built-in profile".into()),
            other => unknown(other),
        },
        Fact::Unknown(why) => match facts
            .engine
            .info
            .known()
            .and_then(|i| i.security_option("seccomp"))
        {
            Some(rest) if rest.contains("default") || rest.contains("builtin") => {
                Outcome::Pass(format!("`/info` says {rest}"))
            }
            _ => Outcome::Undetermined(why),
        },
        Fact::Absent => with_info(facts, |info| match info.security_option("seccomp") {
            Some(_) => Outcome::Pass("the built-in profile".into()),
            None => Outcome::fail(
                Target::Daemon,
                "SecurityOptions",
                "the kernel or the engine has no seccomp",
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::daemon::{DaemonOption, DaemonProcess};
    use crate::facts::sockets::TcpListener;

    fn with_option(key: &str, value: &str) -> Facts {
        let mut facts = Facts::default();
        facts.daemon.config = Fact::Absent;
        facts.daemon.process = Fact::Known(DaemonProcess::default());
        facts.daemon.options.insert(
            key.into(),
            DaemonOption {
                values: vec![value.into()],
                origin: "flag".into(),
            },
        );
        facts
    }

    #[test]
    fn the_value_of_a_switch_counts_and_not_its_presence() {
        let check = |value| {
            switch(
                &with_option("no-new-privileges", value),
                "no-new-privileges",
                false,
                true,
            )
        };
        assert!(matches!(check("true"), Outcome::Pass(_)));
        assert!(matches!(check("false"), Outcome::Fail(_)));
        assert!(matches!(check("maybe"), Outcome::Undetermined(_)));
    }

    #[test]
    fn a_listener_without_verification_fails_whatever_the_flags_say() {
        let mut facts = with_option("tlsverify", "true");
        let process = DaemonProcess {
            tcp: Fact::Known(vec![TcpListener {
                address: "0.0.0.0".parse().unwrap(),
                port: 2375,
                inode: 1,
            }]),
            ..DaemonProcess::default()
        };
        facts.daemon.process = Fact::Known(process);
        assert!(matches!(tcp_listeners(&facts), Outcome::Fail(_)));
        facts
            .daemon
            .options
            .insert("tlscacert".into(), DaemonOption::default());
        assert!(matches!(tcp_listeners(&facts), Outcome::Pass(_)));
    }
}
