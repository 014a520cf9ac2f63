//! Section 5: containers, running and stopped. Where a container runs, the kernel's word
//! counts before the engine's.

use seaworthy_core::Severity::{Critical, High, Low, Medium};

use super::Mode::{Manual, Scored};
use super::daemon::with_info;
use super::outcome::{Outcome, Tally, Target, each_container, each_running, quote};
use super::{HostRule, Section, rule};
use crate::facts::capability::CapSet;
use crate::facts::container::{ContainerFacts, Declared, DeclaredMount};
use crate::facts::mountinfo::below;
use crate::facts::reach::real_source;
use crate::facts::seccomp::SeccompChoice;
use crate::facts::{Fact, Facts};

const S: Section = Section::Containers;

pub(super) const RULES: &[HostRule] = &[
    rule(
        S,
        "5.1",
        "needless-swarm",
        1,
        Manual,
        Low,
        (
            "swarm mode is on",
            "leave it if you don't need it: `docker swarm leave --force`",
        ),
        |facts| {
            with_info(facts, |info| match info.swarm_state.as_str() {
                "active" | "pending" | "error" | "locked" => Outcome::fail(
                    Target::Daemon,
                    "Swarm.LocalNodeState",
                    info.swarm_state.as_str(),
                ),
                state => Outcome::Pass(format!(
                    "`LocalNodeState` is {}",
                    if state.is_empty() { "not set" } else { state }
                )),
            })
        },
    ),
    rule(
        S,
        "5.2",
        "no-apparmor-profile",
        1,
        Scored,
        Medium,
        (
            "containers run without an AppArmor profile",
            "remove `--security-opt apparmor=unconfined`; the default is `docker-default`",
        ),
        apparmor,
    ),
    rule(
        S,
        "5.3",
        "no-selinux-label",
        2,
        Scored,
        Medium,
        (
            "containers run without an SELinux label",
            "set `\"selinux-enabled\": true` in `daemon.json`, and remove `--security-opt label=disable`",
        ),
        selinux,
    ),
    rule(
        S,
        "5.4",
        "added-capabilities",
        1,
        Scored,
        High,
        (
            "containers have capabilities beyond the engine's default",
            "start them with `--cap-drop ALL` and add back what they need",
        ),
        capabilities,
    ),
    rule(
        S,
        "5.5",
        "privileged-container",
        1,
        Scored,
        Critical,
        (
            "containers are privileged: they are root on this host",
            "remove `--privileged`, and give the one capability or device it is needed for",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                let effective = container
                    .kernel
                    .known()
                    .and_then(|v| v.status.known())
                    .is_some_and(|status| {
                        CapSet::ALL.without(status.cap_bounding).0 == 0 && status.seccomp == Some(0)
                    })
                    && container.kernel.known().and_then(|v| v.root_is_root()) != Some(false);
                if declared.privileged {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.Privileged",
                        "true",
                    );
                } else if effective {
                    tally.fail(
                        Target::container(container),
                        "/proc/PID/status",
                        "all capabilities and no seccomp filter, as if privileged",
                    );
                }
            })
        },
    ),
    rule(
        S,
        "5.6",
        "sensitive-host-directory",
        1,
        Scored,
        High,
        (
            "containers have directories of the host that decide who controls it",
            "mount only the files that are needed, and those read-only",
        ),
        sensitive_mounts,
    ),
    rule(
        S,
        "5.7",
        "sshd-in-container",
        1,
        Scored,
        Medium,
        (
            "an SSH server runs in a container",
            "remove it, and use `docker exec`",
        ),
        |facts| {
            each_running(facts, |container, _, tally| match &container.processes {
                Fact::Known(processes) => {
                    for process in processes
                        .iter()
                        .filter(|p| matches!(p.name.as_str(), "sshd" | "dropbear" | "sshd-session"))
                    {
                        tally.fail(
                            Target::container(container),
                            format!("process {}", process.pid),
                            process.name.as_str(),
                        );
                    }
                }
                other => tally.unsure(
                    Target::container(container),
                    other.why_unknown().unwrap_or("its processes are not known"),
                ),
            })
        },
    ),
    rule(
        S,
        "5.8",
        "privileged-ports",
        1,
        Scored,
        Low,
        (
            "containers are published on privileged ports",
            "publish on a port from 1024 upwards, unless clients expect the other",
        ),
        privileged_ports,
    ),
    rule(
        S,
        "5.9",
        "undeclared-ports",
        1,
        Manual,
        Low,
        (
            "containers publish ports that their images don't declare",
            "publish only what the image declares, and declare what it serves",
        ),
        undeclared_ports,
    ),
    rule(
        S,
        "5.10",
        "host-network",
        1,
        Scored,
        High,
        (
            "containers share the host's network",
            "remove `--network host`, and publish the ports that are needed",
        ),
        |facts| shared(facts, "net", "HostConfig.NetworkMode", |d| &d.network_mode),
    ),
    rule(
        S,
        "5.11",
        "no-memory-limit",
        1,
        Scored,
        Medium,
        (
            "containers may use all memory",
            "set a limit: `--memory 512m`",
        ),
        memory,
    ),
    rule(
        S,
        "5.12",
        "no-cpu-limit",
        1,
        Scored,
        Low,
        (
            "containers may use all processors",
            "set a limit or a weight: `--cpus 1`",
        ),
        cpu,
    ),
    rule(
        S,
        "5.13",
        "writable-root",
        1,
        Scored,
        Medium,
        (
            "containers can write to their root file system",
            "start them with `--read-only --tmpfs /tmp`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                if !declared.read_only_root {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.ReadonlyRootfs",
                        "false",
                    );
                }
            })
        },
    ),
    rule(
        S,
        "5.14",
        "ports-on-all-addresses",
        1,
        Scored,
        Medium,
        (
            "containers are published on every address of the host",
            "name the address: `--publish 127.0.0.1:8080:80`",
        ),
        wildcard_ports,
    ),
    rule(
        S,
        "5.15",
        "unbounded-restarts",
        1,
        Scored,
        Low,
        (
            "containers are restarted without end",
            "bound it: `--restart on-failure:5`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                let name = quote(&container.name);
                match (declared.restart_policy.as_str(), declared.restart_retries) {
                    (policy @ ("always" | "unless-stopped"), _) => tally.fail_fix(
                        Target::container(container),
                        "HostConfig.RestartPolicy",
                        policy,
                        format!("docker update --restart on-failure:5 {name}"),
                    ),
                    ("on-failure", retries) if retries == 0 || retries > 5 => tally.fail_fix(
                        Target::container(container),
                        "HostConfig.RestartPolicy",
                        format!("on-failure:{retries}"),
                        format!("docker update --restart on-failure:5 {name}"),
                    ),
                    _ => {}
                }
            })
        },
    ),
    rule(
        S,
        "5.16",
        "host-pid-namespace",
        1,
        Scored,
        High,
        (
            "containers see and signal the host's processes",
            "remove `--pid host`",
        ),
        |facts| shared(facts, "pid", "HostConfig.PidMode", |d| &d.pid_mode),
    ),
    rule(
        S,
        "5.17",
        "host-ipc-namespace",
        1,
        Scored,
        High,
        (
            "containers share the host's memory segments and queues",
            "remove `--ipc host`",
        ),
        |facts| shared(facts, "ipc", "HostConfig.IpcMode", |d| &d.ipc_mode),
    ),
    rule(
        S,
        "5.18",
        "host-devices",
        1,
        Manual,
        High,
        (
            "containers have devices of the host",
            "remove `--device`, or narrow it to the letters it needs: `--device /dev/x:/dev/x:r`",
        ),
        devices,
    ),
    rule(
        S,
        "5.19",
        "no-ulimits",
        1,
        Manual,
        Low,
        (
            "containers have no limits for files and processes of their own, and the daemon has no default",
            "set them where they are needed: `--ulimit nofile=1024:1024`",
        ),
        |facts| match facts.daemon.option("default-ulimits") {
            Fact::Known(_) => Outcome::Pass("the daemon has defaults".into()),
            default => each_container(facts, |container, declared, tally| {
                if declared.limits.ulimits.is_empty() {
                    match &default {
                        Fact::Unknown(why) => {
                            tally.unsure(Target::container(container), why.as_str())
                        }
                        _ => tally.fail(Target::container(container), "HostConfig.Ulimits", "none"),
                    }
                }
            }),
        },
    ),
    rule(
        S,
        "5.20",
        "shared-propagation",
        1,
        Scored,
        High,
        (
            "mounts made in a container show up on the host",
            "remove `shared` and `rshared` from the mount's options",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                for mount in &declared.mounts {
                    if matches!(mount.propagation.as_str(), "shared" | "rshared") {
                        tally.fail(
                            Target::container(container),
                            format!("mount at `{}`", mount.destination),
                            format!("propagation {}", mount.propagation),
                        );
                    }
                }
                for mount in container
                    .kernel
                    .known()
                    .and_then(|v| v.mounts.known())
                    .into_iter()
                    .flatten()
                {
                    if mount.is_shared()
                        && !declared.mounts.iter().any(|d| {
                            below(&mount.point, &d.destination).is_some()
                                && matches!(d.propagation.as_str(), "shared" | "rshared")
                        })
                    {
                        tally.fail(
                            Target::container(container),
                            format!("mount at `{}`", mount.point),
                            "shared, as the kernel says",
                        );
                    }
                }
            })
        },
    ),
    rule(
        S,
        "5.21",
        "host-uts-namespace",
        1,
        Scored,
        Medium,
        ("containers share the host's name", "remove `--uts host`"),
        |facts| shared(facts, "uts", "HostConfig.UTSMode", |d| &d.uts_mode),
    ),
    rule(
        S,
        "5.22",
        "no-seccomp-profile",
        1,
        Scored,
        High,
        (
            "containers may use every system call, or dangerous ones",
            "remove `--security-opt seccomp=…`; the default profile serves nearly all",
        ),
        seccomp,
    ),
    rule(
        S,
        "5.23",
        "privileged-exec",
        2,
        Scored,
        High,
        (
            "a privileged command runs in a container",
            "end it, and use `docker exec` without `--privileged`",
        ),
        |facts| {
            execs(facts, |_, exec| {
                exec.privileged.then(|| "privileged".to_owned())
            })
        },
    ),
    rule(
        S,
        "5.24",
        "root-exec",
        2,
        Manual,
        Medium,
        (
            "a command runs as root in a container that is not",
            "use `docker exec --user` with the container's own user",
        ),
        |facts| {
            execs(facts, |declared, exec| {
                let is_root = |user: &str| matches!(user.split(':').next(), Some("0" | "root"));
                let own = declared.user.as_str();
                (is_root(&exec.user) && !own.is_empty() && !is_root(own))
                    .then(|| format!("as `{}`", exec.user))
            })
        },
    ),
    rule(
        S,
        "5.25",
        "own-cgroup",
        1,
        Scored,
        Low,
        (
            "containers run in another control group than the engine's",
            "remove `--cgroup-parent` unless that group has limits of its own",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                if !matches!(
                    declared.cgroup_parent.as_str(),
                    "" | "/docker" | "docker" | "system.slice" | "docker.slice"
                ) {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.CgroupParent",
                        declared.cgroup_parent.as_str(),
                    );
                }
            })
        },
    ),
    rule(
        S,
        "5.26",
        "new-privileges",
        1,
        Scored,
        Medium,
        (
            "programs in containers can gain privileges through setuid files",
            "start them with `--security-opt no-new-privileges`",
        ),
        new_privileges,
    ),
    rule(
        S,
        "5.27",
        "no-health-check",
        1,
        Scored,
        Low,
        (
            "containers have no health check",
            "give them one: `--health-cmd`, or `HEALTHCHECK` in the image",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                if declared.healthcheck.is_empty()
                    || declared.healthcheck.first().is_some_and(|w| w == "NONE")
                {
                    tally.fail(Target::container(container), "Config.Healthcheck", "none");
                }
            })
        },
    ),
    rule(
        S,
        "5.28",
        "stale-image",
        1,
        Manual,
        Low,
        (
            "containers run an image that its name no longer stands for",
            "make them anew from the current image",
        ),
        stale,
    ),
    rule(
        S,
        "5.29",
        "no-pids-limit",
        1,
        Scored,
        Medium,
        (
            "containers may make any number of processes",
            "set a limit: `--pids-limit 200`",
        ),
        pids,
    ),
    rule(
        S,
        "5.30",
        "default-bridge",
        2,
        Manual,
        Low,
        (
            "containers are on the default bridge",
            "make a network for what belongs together: `docker network create`",
        ),
        |facts| {
            each_container(facts, |container, declared, tally| {
                if matches!(declared.network_mode.as_str(), "default" | "bridge" | "")
                    || declared.networks.iter().any(|n| n.network == "bridge")
                {
                    tally.fail(
                        Target::container(container),
                        "HostConfig.NetworkMode",
                        "the default bridge",
                    );
                }
            })
        },
    ),
    rule(
        S,
        "5.31",
        "host-user-namespace",
        1,
        Scored,
        High,
        (
            "containers opt out of the daemon's user namespace",
            "remove `--userns host`",
        ),
        userns,
    ),
    rule(
        S,
        "5.32",
        "control-socket-in-container",
        1,
        Scored,
        Critical,
        (
            "containers reach a socket that gives control over the host; a read-only mount does not help",
            "remove the mount, or put a proxy with an allow-list before the socket",
        ),
        sockets,
    ),
];

/// Whether a namespace is shared with the host, by the kernel or by declaration.
fn shared(facts: &Facts, name: &str, field: &str, mode: impl Fn(&Declared) -> &str) -> Outcome {
    each_container(facts, |container, declared, tally| {
        let target = || Target::container(container);
        if mode(declared) == "host" {
            tally.fail(target(), field, "host");
        } else if container.host_namespaces.get(name) == Some(&Fact::Known(true)) {
            tally.fail(
                target(),
                format!("/proc/PID/ns/{name}"),
                format!("the same as that of {}", facts.namespaces.origin),
            );
        }
    })
}

fn apparmor(facts: &Facts) -> Outcome {
    match facts.kernel.apparmor {
        Fact::Known(true) => {}
        Fact::Known(false) | Fact::Absent => {
            return Outcome::NotApplicable("the kernel has no AppArmor".into());
        }
        Fact::Unknown(ref why) => return Outcome::Undetermined(why.clone()),
    }
    each_container(facts, |container, declared, tally| {
        let target = Target::container(container);
        match container.kernel.known().map(|view| &view.label) {
            Some(Fact::Known(label)) if label == "unconfined" => {
                tally.fail(target, "/proc/PID/attr/current", "unconfined")
            }
            Some(Fact::Known(_)) => {}
            Some(Fact::Unknown(why)) => tally.unsure(target, why.as_str()),
            _ if declared.privileged || declared.apparmor_profile == "unconfined" => {
                tally.fail(target, "AppArmorProfile", "unconfined")
            }
            _ => {}
        }
    })
}

fn selinux(facts: &Facts) -> Outcome {
    match &facts.kernel.selinux {
        Fact::Known(_) => {}
        Fact::Absent => return Outcome::NotApplicable("SELinux is not on".into()),
        Fact::Unknown(why) => return Outcome::Undetermined(why.clone()),
    }
    each_container(facts, |container, declared, tally| {
        let disabled = declared
            .security_options
            .iter()
            .any(|o| o == "label=disable");
        if declared.process_label.is_empty() || disabled {
            tally.fail(
                Target::container(container),
                "ProcessLabel",
                if disabled { "label=disable" } else { "none" },
            );
        }
    })
}

fn capabilities(facts: &Facts) -> Outcome {
    each_container(facts, |container, declared, tally| {
        let Some(has) = container.capabilities() else {
            return;
        };
        let more = has.without(CapSet::DOCKER_DEFAULT);
        if more.0 != 0 {
            let place = if container.kernel.known().is_some() {
                "/proc/PID/status, CapBnd"
            } else {
                "HostConfig.CapAdd"
            };
            let found = if more == CapSet::ALL.without(CapSet::DOCKER_DEFAULT) {
                "all of them".to_owned()
            } else {
                more.to_string()
            };
            let drops: Vec<String> = declared
                .cap_add
                .iter()
                .map(|cap| format!("--cap-add {}", quote(cap)))
                .collect();
            let fix = if declared.privileged {
                "remove `--privileged`".to_owned()
            } else {
                format!("remove `{}`", drops.join(" "))
            };
            tally.fail_fix(Target::container(container), place, found, fix);
        }
    })
}

/// Paths of the host that decide who controls it, and what is to be had there.
const SENSITIVE: &[(&str, &str)] = &[
    ("/", "the whole host"),
    ("/boot", "the kernel"),
    ("/dev", "devices"),
    ("/etc", "accounts and configuration"),
    ("/lib", "programs of the host"),
    ("/lib64", "programs of the host"),
    ("/bin", "programs of the host"),
    ("/sbin", "programs of the host"),
    ("/usr", "programs of the host"),
    ("/proc", "kernel settings"),
    ("/sys", "kernel settings"),
    ("/root", "root's own files"),
    ("/home", "users' keys and start-up files"),
    ("/run", "sockets of the host's services"),
    ("/var/run", "sockets of the host's services"),
    ("/var/lib/docker", "all images, containers and volumes"),
    ("/var/lib/containerd", "all images and containers"),
    ("/var/lib/kubelet", "pods and their secrets"),
    ("/var/lib/rancher", "the cluster's keys"),
    ("/var/spool/cron", "commands that the host runs"),
    (
        "/var/log",
        "logs, and through links what their readers may read",
    ),
    ("/opt", "programs of the host"),
    ("/srv", "data of the host's services"),
];

/// Single files that engines and people mount and that give nothing away.
const HARMLESS: &[&str] = &[
    "/etc/localtime",
    "/etc/timezone",
    "/etc/ssl/certs",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/hostname",
    "/usr/share/zoneinfo",
    "/etc/machine-id",
    "/dev/null",
    "/dev/zero",
    "/dev/shm",
    "/dev/log",
];

/// What a source on the host gives, by the place it lies in.
pub(super) fn sensitive(source: &str, data_root: &str) -> Option<&'static str> {
    if HARMLESS.iter().any(|path| below(source, path).is_some()) {
        return None;
    }
    // A volume of the engine's own is meant to be mounted.
    let volumes = format!("{}/volumes/", data_root.trim_end_matches('/'));
    if !data_root.is_empty() && source.starts_with(&volumes) {
        return None;
    }
    let is_around = |outer: &str, inner: &str| below(inner, outer).is_some();
    if !data_root.is_empty()
        && source != "/"
        && (is_around(data_root, source) || is_around(source, data_root))
    {
        return Some("all images, containers and volumes");
    }
    // A parent of a sensitive folder holds it: `/var` holds `/var/lib/docker`.
    let source = if source.len() > 1 {
        source.trim_end_matches('/')
    } else {
        source
    };
    SENSITIVE
        .iter()
        .filter(|(path, _)| *path == source || (*path != "/" && below(source, path).is_some()))
        .max_by_key(|(path, _)| path.len())
        .or_else(|| {
            SENSITIVE.iter().find(|(path, _)| {
                source != "/" && below(path, source).is_some_and(|rest| !rest.is_empty())
            })
        })
        .map(|(_, what)| *what)
}

fn sensitive_mounts(facts: &Facts) -> Outcome {
    let data_root = facts
        .engine
        .info
        .known()
        .map_or("/var/lib/docker", |info| info.data_root.as_str());
    let volumes = facts.engine.volumes.known().map_or(&[][..], Vec::as_slice);
    each_container(facts, |container, declared, tally| {
        for mount in &declared.mounts {
            if mount.kind == "tmpfs" {
                continue;
            }
            let source = real_source(mount.source_real.known(), &mount.name, volumes)
                .unwrap_or(&mount.source);
            let Some(what) = sensitive(source, data_root) else {
                continue;
            };
            let writable = writable_below(container, mount);
            let found = match (mount.writable, &writable) {
                (true, _) => format!("`{source}`, writable: {what}"),
                (false, Some(point)) => {
                    format!("`{source}`, read-only, but `{point}` below it is writable: {what}")
                }
                (false, None) => format!("`{source}`, read-only: {what}"),
            };
            tally.fail(
                Target::container(container),
                format!("mount at `{}`", mount.destination),
                found,
            );
        }
    })
}

/// A mount below a declared read-only one that can be written, as the kernel says.
fn writable_below(container: &ContainerFacts, mount: &DeclaredMount) -> Option<String> {
    container
        .kernel
        .known()?
        .mounts
        .known()?
        .iter()
        .find(|inner| below(&inner.point, &mount.destination).is_some() && inner.is_writable())
        .map(|inner| inner.point.clone())
}

fn host_ports(
    declared: &Declared,
) -> impl Iterator<Item = &crate::facts::container::PublishedPort> {
    // What is published now where it runs, else what was asked for.
    if declared.ports.is_empty() {
        declared.port_bindings.iter()
    } else {
        declared.ports.iter()
    }
}

fn privileged_ports(facts: &Facts) -> Outcome {
    let first = match facts.kernel.sysctl("net.ipv4.ip_unprivileged_port_start") {
        Fact::Known(text) => text.parse().unwrap_or(1024),
        Fact::Absent | Fact::Unknown(_) => 1024,
    };
    each_container(facts, |container, declared, tally| {
        for port in host_ports(declared) {
            match port.host_port.parse::<u32>() {
                Ok(number) if number > 0 && number < first => tally.fail(
                    Target::container(container),
                    format!("port {}", port.container),
                    format!("host port {number}"),
                ),
                Err(_) if !port.host_port.is_empty() => tally.unsure(
                    Target::container(container),
                    format!("host port `{}` is no number", port.host_port),
                ),
                _ => {}
            }
        }
    })
}

fn undeclared_ports(facts: &Facts) -> Outcome {
    each_container(facts, |container, declared, tally| {
        let images = facts.engine.images.known();
        let image = images.and_then(|all| all.iter().find(|i| i.id == container.image_id));
        for port in host_ports(declared) {
            match image {
                Some(image) if image.exposed_ports.contains(&port.container) => {}
                Some(_) => tally.fail(
                    Target::container(container),
                    format!("port {}", port.container),
                    "its image does not declare it",
                ),
                None => tally.unsure(
                    Target::container(container),
                    "its image is not there to compare with",
                ),
            }
        }
    })
}

fn wildcard_ports(facts: &Facts) -> Outcome {
    each_container(facts, |container, declared, tally| {
        for port in host_ports(declared).filter(|p| p.is_on_all_addresses()) {
            let address = if port.host_ip.is_empty() {
                "every address"
            } else {
                &port.host_ip
            };
            tally.fail_fix(
                Target::container(container),
                format!("port {}", port.container),
                format!("published on {address}, port {}", port.host_port),
                format!("--publish 127.0.0.1:{}:{}", port.host_port, port.container),
            );
        }
    })
}

fn memory(facts: &Facts) -> Outcome {
    each_container(facts, |container, declared, tally| {
        let in_force = container.limits.known().map(|limits| &limits.memory);
        let missing = match in_force {
            Some(Fact::Known(limit)) => limit.is_none(),
            _ => declared.limits.memory <= 0,
        };
        if missing {
            tally.fail_fix(
                Target::container(container),
                "HostConfig.Memory",
                "no limit",
                format!(
                    "docker update --memory 512m --memory-swap 512m {}",
                    quote(&container.name)
                ),
            );
        }
    })
}

fn cpu(facts: &Facts) -> Outcome {
    each_container(facts, |container, declared, tally| {
        let limits = &declared.limits;
        let has = limits.nano_cpus > 0
            || limits.cpu_quota > 0
            || !limits.cpuset.is_empty()
            || limits.cpu_shares > 0 && limits.cpu_shares != 1024
            || matches!(
                container.limits.known().map(|l| &l.cpu_millis),
                Some(Fact::Known(Some(_)))
            );
        if !has {
            tally.fail_fix(
                Target::container(container),
                "HostConfig.NanoCpus",
                "neither limit nor weight",
                format!("docker update --cpus 1 {}", quote(&container.name)),
            );
        }
    })
}

fn pids(facts: &Facts) -> Outcome {
    each_container(facts, |container, declared, tally| {
        let in_force = container.limits.known().map(|limits| &limits.pids);
        let missing = match in_force {
            Some(Fact::Known(limit)) => limit.is_none(),
            _ => declared.limits.pids.is_none_or(|limit| limit <= 0),
        };
        if missing {
            tally.fail_fix(
                Target::container(container),
                "HostConfig.PidsLimit",
                "no limit",
                format!("docker update --pids-limit 200 {}", quote(&container.name)),
            );
        }
    })
}

fn devices(facts: &Facts) -> Outcome {
    each_container(facts, |container, declared, tally| {
        let target = || Target::container(container);
        for device in &declared.devices {
            tally.fail(
                target(),
                "HostConfig.Devices",
                format!("`{}` ({})", device.host, device.permissions),
            );
        }
        for rule in &declared.device_cgroup_rules {
            tally.fail(target(), "HostConfig.DeviceCgroupRules", rule.as_str());
        }
        for request in &declared.device_requests {
            tally.fail(
                target(),
                "HostConfig.DeviceRequests",
                format!("{} {}", request.driver, request.capabilities.join(",")),
            );
        }
        let granted = container.limits.known().and_then(|l| l.devices.known());
        if granted.is_some_and(|rules| rules.iter().any(|rule| rule.starts_with("a *:*")))
            && !declared.privileged
        {
            tally.fail(target(), "devices.list", "every device, as the kernel says");
        }
        if declared.privileged {
            tally.fail(target(), "HostConfig.Privileged", "every device");
        }
    })
}

fn seccomp(facts: &Facts) -> Outcome {
    each_container(facts, |container, declared, tally| {
        let target = || Target::container(container);
        let status = container.kernel.known().and_then(|v| v.status.known());
        let capabilities = container.capabilities().unwrap_or(CapSet::DOCKER_DEFAULT);
        match (status.and_then(|s| s.seccomp), &declared.seccomp) {
            (Some(0), _) => tally.fail(target(), "/proc/PID/status, Seccomp", "0: no filter"),
            (_, SeccompChoice::Unconfined) => {
                tally.fail(target(), "HostConfig.SecurityOpt", "seccomp=unconfined")
            }
            (None, _) if declared.privileged => tally.fail(
                target(),
                "HostConfig.Privileged",
                "no filter when it starts",
            ),
            (_, SeccompChoice::Custom(profile)) => {
                let dangerous = profile.dangerous(capabilities);
                if !dangerous.is_empty() {
                    tally.fail(
                        target(),
                        "HostConfig.SecurityOpt",
                        format!(
                            "its own profile lets {} through",
                            dangerous.into_iter().collect::<Vec<_>>().join(", ")
                        ),
                    );
                }
            }
            (_, SeccompChoice::Unreadable(why)) => {
                tally.unsure(target(), format!("its seccomp profile: {why}"))
            }
            (None, SeccompChoice::Default) if container.state.running => tally.unsure(
                target(),
                "the kernel's word on its filter could not be read",
            ),
            (_, SeccompChoice::Default) => {}
        }
    })
}

fn new_privileges(facts: &Facts) -> Outcome {
    let by_default = facts.daemon.switch("no-new-privileges", false);
    each_container(facts, |container, declared, tally| {
        let target = Target::container(container);
        let kernel = container
            .kernel
            .known()
            .and_then(|v| v.status.known())
            .and_then(|s| s.no_new_privs);
        match (kernel, declared.no_new_privileges(), &by_default) {
            (Some(true), _, _) => {}
            (Some(false), _, _) => tally.fail(target, "/proc/PID/status, NoNewPrivs", "0"),
            (None, Some(true), _) => {}
            (None, Some(false), _) => {
                tally.fail(target, "HostConfig.SecurityOpt", "no-new-privileges=false")
            }
            (None, None, Ok(true)) => {}
            (None, None, Ok(false)) => {
                tally.fail(target, "HostConfig.SecurityOpt", "no `no-new-privileges`")
            }
            (None, None, Err(why)) => {
                tally.unsure(target, format!("whether it is the daemon's default: {why}"))
            }
        }
    })
}

fn execs(
    facts: &Facts,
    bad: impl Fn(&Declared, &crate::facts::container::ExecFacts) -> Option<String>,
) -> Outcome {
    let outcome = each_container(facts, |container, declared, tally| match &container.execs {
        Fact::Known(execs) => {
            for exec in execs.iter().filter(|e| e.running) {
                if let Some(found) = bad(declared, exec) {
                    tally.fail(
                        Target::container(container),
                        format!("exec {}", exec.id.chars().take(12).collect::<String>()),
                        found,
                    );
                }
            }
        }
        other => tally.unsure(
            Target::container(container),
            other.why_unknown().unwrap_or("its execs are not known"),
        ),
    });
    match outcome {
        Outcome::Pass(_) => Outcome::Undetermined("none runs now; ended ones leave no trace here, only in the audit log and the engine's events".into()),
        other => other,
    }
}

fn stale(facts: &Facts) -> Outcome {
    each_container(facts, |container, _, tally| {
        let target = Target::container(container);
        let Some(images) = facts.engine.images.known() else {
            tally.unsure(
                target,
                facts
                    .engine
                    .images
                    .why_unknown()
                    .unwrap_or("the images are not known"),
            );
            return;
        };
        let wanted = if container.image.contains(':') {
            container.image.clone()
        } else {
            format!("{}:latest", container.image)
        };
        match images.iter().find(|image| image.tags.contains(&wanted)) {
            Some(image) if image.id == container.image_id => {}
            Some(_) => tally.fail(
                target,
                "Image",
                format!("`{wanted}` now stands for another image"),
            ),
            None if images.iter().any(|i| i.id == container.image_id)
                && container
                    .image_id
                    .ends_with(container.image.trim_start_matches("sha256:")) => {}
            None => tally.unsure(target, format!("no image here is called `{wanted}`")),
        }
    })
}

fn userns(facts: &Facts) -> Outcome {
    each_container(facts, |container, declared, tally| {
        if declared.userns_mode == "host" {
            tally.fail(
                Target::container(container),
                "HostConfig.UsernsMode",
                "host",
            );
        }
    })
}

fn sockets(facts: &Facts) -> Outcome {
    each_container(facts, |container, _, tally: &mut Tally| {
        match &container.sockets {
            Fact::Known(sockets) => {
                for socket in sockets {
                    tally.fail(
                        Target::container(container),
                        format!("`{}`", socket.container_path),
                        format!(
                            "{}'s socket `{}`, through {}",
                            socket.service, socket.host_path, socket.through
                        ),
                    );
                }
            }
            other => tally.unsure(
                Target::container(container),
                other.why_unknown().unwrap_or("its mounts are not known"),
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::container::PublishedPort;
    use crate::facts::seccomp::SeccompProfile;

    fn check(cis: &str, change: impl FnOnce(&mut Declared)) -> Outcome {
        let mut declared = Declared {
            user: "1000".into(),
            ..Declared::default()
        };
        change(&mut declared);
        let facts = Facts {
            containers: Fact::Known(vec![ContainerFacts {
                name: "c".into(),
                declared: Fact::Known(declared),
                kernel: Fact::Absent,
                limits: Fact::Absent,
                sockets: Fact::Known(Vec::new()),
                execs: Fact::Known(Vec::new()),
                ..ContainerFacts::default()
            }]),
            ..Facts::default()
        };
        (RULES.iter().find(|r| r.cis == cis).unwrap().check)(&facts)
    }

    fn fails(cis: &str, change: impl FnOnce(&mut Declared)) -> bool {
        matches!(check(cis, change), Outcome::Fail(_))
    }

    #[test]
    fn stopped_containers_are_judged_too() {
        assert!(fails("5.5", |d| d.privileged = true));
        assert!(fails("5.4", |d| d.cap_add = vec!["SYS_ADMIN".into()]));
        assert!(!fails("5.4", |d| d.cap_drop = vec!["ALL".into()]));
        assert!(fails("5.16", |d| d.pid_mode = "host".into()));
        assert!(fails("5.12", |_| ()) && !fails("5.12", |d| d.limits.cpu_quota = 5000));
        assert!(fails("5.26", |d| d.security_options =
            vec!["no-new-privileges=false".into()]));
        assert!(!fails("5.26", |d| d.security_options =
            vec!["no-new-privileges".into()]));
    }

    #[test]
    fn a_profile_that_allows_everything_is_no_profile() {
        let open = SeccompProfile::parse(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap();
        assert!(fails("5.22", |d| d.seccomp = SeccompChoice::Custom(open)));
        assert!(!fails("5.22", |_| ()));
        let broken = SeccompChoice::Unreadable("x".into());
        assert!(matches!(
            check("5.22", |d| d.seccomp = broken),
            Outcome::Undetermined(_)
        ));
    }

    #[test]
    fn ports_on_ipv6_wildcards_count_and_1024_is_not_privileged() {
        let port = |ip: &str, number: &str| PublishedPort {
            container: "80/tcp".into(),
            host_ip: ip.into(),
            host_port: number.into(),
        };
        assert!(fails("5.14", |d| d.ports = vec![port("::", "8080")]));
        assert!(!fails("5.14", |d| d.ports = vec![port("10.0.0.1", "8080")]));
        assert!(!fails("5.8", |d| d.ports = vec![port("", "1024")]));
        assert!(fails("5.8", |d| d.ports = vec![port("", "1023")]));
    }

    #[test]
    fn sensitive_places_are_prefixes_and_parents() {
        for (path, bad) in [
            ("/", true),
            ("/etc/cron.d", true),
            ("/var", true),
            ("/var/run", true),
            ("/data/docker/overlay2", true),
            ("/data/docker/volumes/x/_data", false),
            ("/etcetera", false),
            ("/etc/localtime", false),
            ("/data", true),
            ("/mnt/media", false),
            ("/home/ann/.ssh", true),
        ] {
            let found = sensitive(path, "/data/docker").is_some();
            assert_eq!(found, bad, "{path}");
        }
    }

    #[test]
    fn a_malformed_inspection_never_passes() {
        let outcome = check("5.5", |d| {
            d.malformed = vec!["`HostConfig.Privileged` is no truth value".into()]
        });
        assert!(matches!(outcome, Outcome::Undetermined(_)));
    }
}
