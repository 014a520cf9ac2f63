//! Changes that close paths: what to write, what it costs, what is lost, and what the facts
//! would be after it.
//!
//! Costs are small whole numbers of our own: 1 is a flag that hardly anything notices, 3 may
//! need the application to be looked at, 6 touches every container or needs a restart of the
//! host. A change is data and is applied to facts, so that a cut can be tried before it is
//! made (`--what-if`).

use serde::{Deserialize, Serialize};

use crate::facts::container::{ContainerFacts, Declared};
use crate::facts::kernel::CgroupVersion;
use crate::facts::process::IdRange;
use crate::facts::seccomp::SeccompChoice;
use crate::facts::{Fact, Facts};

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change", content = "of")]
pub enum Change {
    /// Take `--privileged` away.
    DropPrivileged,
    /// Drop a capability.
    DropCapability(String),
    /// Give it a namespace of its own: `pid`, `net`, `ipc`, `uts`, `user`, `cgroup`.
    OwnNamespace(String),
    /// Take away the mount at this place in the container.
    RemoveMount(String),
    /// Make the mount at this place read-only, with all below it.
    ReadOnlyMount(String),
    /// Keep mounts made at this place to the container.
    PrivatePropagation(String),
    /// Take a device away, by its path on the host.
    RemoveDevice(String),
    /// Take the rules of the device control group away.
    RemoveDeviceRules,
    /// The engine's seccomp profile.
    DefaultSeccomp,
    /// The engine's AppArmor profile or SELinux label.
    DefaultMac,
    /// Hide and protect kernel paths as the engine does.
    DefaultSystemPaths,
    /// No program gains privileges.
    NoNewPrivileges,
    /// Run as a user other than root.
    RunAsUser,
    /// Take a supplementary group away.
    RemoveGroup(String),
    /// Bound its memory.
    LimitMemory,
    /// Bound its processes.
    LimitPids,
    /// Put it on a network without neighbours.
    OwnNetwork,
    /// No network.
    NoNetwork,
    /// Another working directory than one below `/proc`.
    PlainWorkingDirectory,
    /// Host: install a version of a part in which a flaw is mended.
    Upgrade {
        /// `runc`, `containerd`, `engine`, `kernel`.
        component: String,
        /// A version without any flaw of our list.
        version: String,
    },
    /// Host: map root of containers to another user.
    RemapUsers,
    /// Host: control groups of version 2.
    CgroupVersion2,
    /// Host: no traffic between containers of a network.
    NoInterContainer(String),
    /// Host: only clients with a certificate on the engine's TCP address.
    VerifyClients,
    /// Host: a kernel setting.
    Sysctl(String, String),
    /// Host: the daemon confines containers with seccomp again.
    DaemonSeccomp,
    /// Host: a security module.
    SecurityModule,
    /// Host: take a user out of the engine's group.
    LeaveGroup(String, String),
}

/// Words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// The change.
    pub change: Change,
    /// What to write: a flag, a setting or a command.
    pub how: String,
    /// What no longer works then.
    pub loses: String,
    /// Effort and breakage, 1 to 6.
    pub cost: u32,
    /// Whether it is made on the host and counts for all containers.
    pub is_on_host: bool,
}

/// Default capabilities and those that most programs never use.
fn capability_cost(name: &str) -> u32 {
    match name {
        "NET_RAW" | "MKNOD" | "AUDIT_WRITE" | "SYS_CHROOT" | "SETFCAP" | "FSETID" => 1,
        "SYS_ADMIN" | "NET_ADMIN" => 3,
        "SETUID" | "SETGID" | "CHOWN" | "DAC_OVERRIDE" | "FOWNER" => 3,
        _ => 2,
    }
}

fn capability_loss(name: &str) -> &'static str {
    match name {
        "NET_RAW" => "ping by raw socket and packet capture; ordinary traffic goes on",
        "MKNOD" => "making device nodes",
        "SYS_ADMIN" => "mounting and most of system administration inside",
        "NET_ADMIN" => "changing addresses, routes and firewall inside",
        "SYS_PTRACE" => "debugging processes of other users",
        "SYS_MODULE" => "loading kernel modules",
        "DAC_READ_SEARCH" => "reading past file permissions",
        "SYS_RAWIO" => "direct access to ports and memory",
        "BPF" | "PERFMON" => "loading BPF programs and tracing",
        "SYS_TIME" => "setting the clock",
        "SYS_BOOT" => "restarting the machine",
        _ => "what needs this capability",
    }
}

impl Change {
    /// Effort and breakage.
    pub fn cost(&self) -> u32 {
        match self {
            Change::DropCapability(name) => capability_cost(name),
            Change::NoNewPrivileges
            | Change::DefaultSystemPaths
            | Change::RemoveGroup(_)
            | Change::LimitMemory
            | Change::LimitPids
            | Change::PrivatePropagation(_)
            | Change::PlainWorkingDirectory => 1,
            Change::DefaultSeccomp
            | Change::DefaultMac
            | Change::ReadOnlyMount(_)
            | Change::RemoveDeviceRules
            | Change::OwnNetwork
            | Change::Sysctl(_, _)
            | Change::LeaveGroup(_, _)
            | Change::NoInterContainer(_) => 2,
            Change::OwnNamespace(name) if name != "net" => 2,
            Change::DropPrivileged
            | Change::OwnNamespace(_)
            | Change::RemoveMount(_)
            | Change::RemoveDevice(_)
            | Change::DaemonSeccomp
            | Change::VerifyClients => 3,
            Change::Upgrade { component, .. } if component == "kernel" => 5,
            Change::Upgrade { .. } => 3,
            Change::RunAsUser | Change::NoNetwork | Change::SecurityModule => 5,
            Change::RemapUsers | Change::CgroupVersion2 => 6,
        }
    }

    /// Whether it is made on the host.
    pub fn is_on_host(&self) -> bool {
        matches!(
            self,
            Change::Upgrade { .. }
                | Change::RemapUsers
                | Change::CgroupVersion2
                | Change::NoInterContainer(_)
                | Change::VerifyClients
                | Change::Sysctl(_, _)
                | Change::DaemonSeccomp
                | Change::SecurityModule
                | Change::LeaveGroup(_, _)
        )
    }

    /// What to do, and what is lost.
    pub fn advice(&self) -> Advice {
        let (how, loses): (String, String) = match self {
            Change::DropPrivileged => (
                "remove `--privileged`; give single capabilities and devices where needed".into(),
                "all devices and capabilities that it does not name itself".into(),
            ),
            Change::DropCapability(name) => (
                format!("--cap-drop {name}"),
                capability_loss(name).to_owned(),
            ),
            Change::OwnNamespace(name) => match name.as_str() {
                "pid" => ("remove `--pid host`".into(), "sight of host processes".into()),
                "net" => (
                    "replace `--network host` with a network of its own, and publish ports: `--publish 127.0.0.1:PORT:PORT`".into(),
                    "the host's interfaces and services on its loopback".into(),
                ),
                "ipc" => ("--ipc private".into(), "shared memory with the host".into()),
                "uts" => ("remove `--uts host`".into(), "changing the host's name".into()),
                "user" => ("remove `--userns host`".into(), "root's rights on host files".into()),
                _ => (format!("--{name}ns private"), "sight of the host's control groups".into()),
            },
            Change::RemoveMount(at) => (
                format!("remove the mount at {}", quoted(at)),
                "what lies below it; mount only the files it needs".into(),
            ),
            Change::ReadOnlyMount(at) => (
                format!("--mount type=bind,source=…,target={},readonly,bind-recursive=readonly", quoted(at)),
                "writing there; reading goes on (engine 25, Linux 5.12)".into(),
            ),
            Change::PrivatePropagation(at) => (
                format!("--mount …,target={},bind-propagation=rprivate", quoted(at)),
                "mounts made inside no longer show on the host".into(),
            ),
            Change::RemoveDevice(path) => {
                (format!("remove `--device {}`", plain(path)), "that device".into())
            }
            Change::RemoveDeviceRules => (
                "remove `--device-cgroup-rule`".into(),
                "devices that are not named one by one".into(),
            ),
            Change::DefaultSeccomp => (
                "remove `--security-opt seccomp=…`".into(),
                "system calls outside the engine's profile".into(),
            ),
            Change::DefaultMac => (
                "remove `--security-opt apparmor=unconfined` or `label=disable`".into(),
                "mounts and writes to kernel paths".into(),
            ),
            Change::DefaultSystemPaths => (
                "remove `--security-opt systempaths=unconfined`".into(),
                "kernel settings from inside".into(),
            ),
            Change::NoNewPrivileges => (
                "--security-opt no-new-privileges".into(),
                "setuid programs inside (sudo, su, ping on old images)".into(),
            ),
            Change::RunAsUser => (
                "--user 65534:65534".into(),
                "writing files owned by root inside, and ports that only root may bind".into(),
            ),
            Change::RemoveGroup(group) => {
                (format!("remove `--group-add {}` (or the group in `--user`)", plain(group)), "that group's files".into())
            }
            Change::LimitMemory => (
                "--memory 512m".into(),
                "memory above the limit; choose one that the application needs".into(),
            ),
            Change::LimitPids => ("--pids-limit 200".into(), "more processes than that".into()),
            Change::OwnNetwork => (
                "docker network create NAME && --network NAME".into(),
                "talking to containers that are not on it".into(),
            ),
            Change::NoNetwork => ("--network none".into(), "all traffic".into()),
            Change::PlainWorkingDirectory => ("--workdir /".into(), "nothing".into()),
            Change::Upgrade { component, version } => (
                format!("upgrade {} to {} or later, or to a package in which your distribution mended it", plain(component), plain(version)),
                if component == "kernel" { "nothing; the machine restarts".into() } else { "nothing".into() },
            ),
            Change::RemapUsers => (
                "`\"userns-remap\": \"default\"` in `daemon.json`, then restart the daemon".into(),
                "images and volumes are made anew; host namespaces and `--privileged` are refused".into(),
            ),
            Change::CgroupVersion2 => (
                "boot with `systemd.unified_cgroup_hierarchy=1`".into(),
                "programs that need control groups of version 1".into(),
            ),
            Change::NoInterContainer(network) if matches!(network.as_str(), "bridge" | "") => (
                "`\"icc\": false` in `daemon.json`, then restart the daemon".into(),
                "traffic between containers on the default bridge".into(),
            ),
            Change::NoInterContainer(network) => (
                format!("docker network create -o com.docker.network.bridge.enable_icc=false {}", quoted(network)),
                "traffic between its containers".into(),
            ),
            Change::VerifyClients => (
                "`\"tlsverify\": true` with `tlscacert`, `tlscert`, `tlskey` in `daemon.json`, or remove the `tcp://` host".into(),
                "clients without a certificate".into(),
            ),
            Change::Sysctl(name, value) => (
                format!("sysctl -w {name}={value} (and in `/etc/sysctl.d`)"),
                "programs on the host that rely on it".into(),
            ),
            Change::DaemonSeccomp => (
                "remove `seccomp-profile` from `daemon.json`, then restart the daemon".into(),
                "system calls outside the engine's profile, in all containers".into(),
            ),
            Change::SecurityModule => (
                "boot with AppArmor or SELinux on (`apparmor=1 security=apparmor`)".into(),
                "what its profiles deny".into(),
            ),
            Change::LeaveGroup(user, group) => (
                format!("gpasswd -d {} {}", quoted(user), quoted(group)),
                "that user needs `sudo` for the engine".into(),
            ),
        };
        Advice {
            how,
            loses,
            cost: self.cost(),
            is_on_host: self.is_on_host(),
            change: self.clone(),
        }
    }

    /// Makes it in the facts of a container, as if the container were made anew with it.
    pub fn apply_to(&self, container: &mut ContainerFacts) {
        if self.is_on_host() {
            return;
        }
        let unmounted = match self {
            Change::RemoveMount(at) => Some(at.as_str()),
            _ => None,
        };
        if let (Some(at), Fact::Known(sockets)) = (unmounted, &mut container.sockets) {
            sockets.retain(|socket| {
                crate::facts::mountinfo::below(&socket.container_path, at).is_none()
            });
        }
        // What the kernel says is of the container as it was.
        container.kernel = Fact::Absent;
        container.limits = Fact::Absent;
        container.host_namespaces.clear();
        if let Fact::Known(declared) = &mut container.declared {
            self.apply_declared(declared);
        }
    }

    fn apply_declared(&self, declared: &mut Declared) {
        match self {
            Change::DropPrivileged => {
                declared.privileged = false;
                declared.security_options.retain(|o| o != "label=disable");
                declared.apparmor_profile.clear();
                // An empty list is what the engine notes of a privileged one.
                declared.masked_paths = None;
                declared.read_only_paths = None;
            }
            Change::DropCapability(name) => {
                let is_it = |other: &String| {
                    let upper = other.to_ascii_uppercase();
                    upper.strip_prefix("CAP_").unwrap_or(&upper) == name
                };
                declared.cap_add.retain(|other| !is_it(other));
                if !declared.cap_drop.iter().any(is_it) {
                    declared.cap_drop.push(name.clone());
                }
            }
            Change::OwnNamespace(name) => match name.as_str() {
                "pid" => declared.pid_mode.clear(),
                "net" => declared.network_mode = "own".into(),
                "ipc" => declared.ipc_mode = "private".into(),
                "uts" => declared.uts_mode.clear(),
                "user" => declared.userns_mode.clear(),
                _ => declared.cgroupns_mode = "private".into(),
            },
            Change::RemoveMount(at) => declared.mounts.retain(|m| &m.destination != at),
            Change::ReadOnlyMount(at) => {
                for mount in declared.mounts.iter_mut().filter(|m| &m.destination == at) {
                    mount.writable = false;
                }
                declared
                    .mount_requests
                    .retain(|request| &request.target != at);
                declared
                    .mount_requests
                    .push(crate::facts::container::MountRequest {
                        target: at.clone(),
                        read_only_force_recursive: true,
                        ..Default::default()
                    });
            }
            Change::PrivatePropagation(at) => {
                for mount in declared.mounts.iter_mut().filter(|m| &m.destination == at) {
                    mount.propagation = "rprivate".into();
                }
            }
            Change::RemoveDevice(path) => {
                declared.devices.retain(|device| &device.host != path);
            }
            Change::RemoveDeviceRules => declared.device_cgroup_rules.clear(),
            Change::DefaultSeccomp => declared.seccomp = SeccompChoice::Default,
            Change::DefaultMac => {
                declared.apparmor_profile.clear();
                declared
                    .security_options
                    .retain(|o| !o.starts_with("apparmor=") && !o.starts_with("label="));
            }
            Change::DefaultSystemPaths => {
                declared.masked_paths = None;
                declared.read_only_paths = None;
            }
            Change::NoNewPrivileges => {
                declared.security_options.push("no-new-privileges".into());
            }
            Change::RunAsUser => {
                declared.user = "65534:65534".into();
                declared.malformed.retain(|m| !m.contains("Config.User"));
            }
            Change::RemoveGroup(group) => {
                declared.group_add.retain(|other| other != group);
                if let Some((user, first)) = declared.user.split_once(':')
                    && first == group
                {
                    declared.user = user.to_owned();
                }
            }
            Change::LimitMemory => declared.limits.memory = 512 << 20,
            Change::LimitPids => declared.limits.pids = Some(200),
            Change::OwnNetwork => {
                declared.network_mode = "own".into();
                declared.networks.clear();
            }
            Change::NoNetwork => {
                declared.network_mode = "none".into();
                declared.networks.clear();
            }
            Change::PlainWorkingDirectory => declared.working_dir = "/".into(),
            _ => {}
        }
    }

    /// Makes it in the facts of the host.
    pub fn apply_to_host(&self, facts: &mut Facts) {
        match self {
            Change::Upgrade { component, version } => upgrade(facts, component, version),
            Change::RemapUsers => {
                if let Fact::Known(info) = &mut facts.engine.info {
                    info.security_options.push("name=userns".into());
                }
                if let Fact::Known(containers) = &mut facts.containers {
                    for view in containers.iter_mut().filter_map(|c| match &mut c.kernel {
                        Fact::Known(view) => Some(view),
                        _ => None,
                    }) {
                        view.uid_map = Fact::Known(vec![IdRange {
                            inside: 0,
                            outside: 100_000,
                            length: 65_536,
                        }]);
                        if let Fact::Known(status) = &mut view.status {
                            for uid in &mut status.uid {
                                *uid = uid.saturating_add(100_000);
                            }
                        }
                    }
                }
            }
            Change::CgroupVersion2 => facts.kernel.cgroup = Fact::Known(CgroupVersion::Two),
            Change::NoInterContainer(name) => {
                if let Fact::Known(networks) = &mut facts.engine.networks {
                    for network in networks.iter_mut().filter(|n| &n.name == name) {
                        network.options.insert(
                            "com.docker.network.bridge.enable_icc".into(),
                            "false".into(),
                        );
                    }
                }
            }
            Change::VerifyClients => {
                let option = facts.daemon.options.entry("tlsverify".into()).or_default();
                option.values = vec!["true".into()];
            }
            Change::Sysctl(name, value) => {
                facts
                    .kernel
                    .sysctls
                    .insert(name.clone(), Fact::Known(value.clone()));
            }
            Change::DaemonSeccomp => {
                facts.daemon_seccomp = Fact::Absent;
                if let Fact::Known(info) = &mut facts.engine.info {
                    info.security_options.retain(|o| !o.contains("seccomp"));
                    info.security_options
                        .push("name=seccomp,profile=builtin".into());
                }
            }
            Change::SecurityModule => facts.kernel.apparmor = Fact::Known(true),
            Change::LeaveGroup(user, group) => {
                if let Fact::Known(accounts) = &mut facts.accounts
                    && let Some(group) = accounts.groups.get_mut(group)
                {
                    group.members.retain(|member| member != user);
                }
            }
            _ => {}
        }
    }
}

fn upgrade(facts: &mut Facts, component: &str, version: &str) {
    if component == "kernel" {
        facts.kernel.release = Fact::Known(version.to_owned());
        return;
    }
    if let Fact::Known(info) = &mut facts.engine.info {
        if component == "engine" {
            info.version = version.to_owned();
        }
        for part in &mut info.components {
            if part.name.eq_ignore_ascii_case(component) {
                part.version = version.to_owned();
            }
        }
    }
}

/// Reads a list of changes: `cap_drop=NET_RAW,pid=private,user=1000`.
///
/// # Errors
///
/// Names the word that is not understood.
pub fn parse_changes(text: &str) -> Result<Vec<Change>, String> {
    let mut changes = Vec::new();
    for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        let (key, value) = word.split_once('=').unwrap_or((word, "true"));
        let key = key.trim_start_matches('-').replace('-', "_");
        let own = || value.to_owned();
        let change = match (key.as_str(), value) {
            ("privileged", "false") => Change::DropPrivileged,
            ("cap_drop", name) => {
                let upper = name.to_ascii_uppercase();
                let name = upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned();
                if name == "ALL" {
                    changes.extend(
                        crate::facts::capability::NAMES
                            .iter()
                            .map(|name| Change::DropCapability((*name).to_owned())),
                    );
                    continue;
                }
                if !crate::facts::capability::NAMES.contains(&name.as_str()) {
                    return Err(format!("there is no capability `{}`", plain(&name)));
                }
                Change::DropCapability(name)
            }
            ("pid" | "ipc" | "uts" | "cgroupns" | "userns", "private") => {
                Change::OwnNamespace(match key.as_str() {
                    "cgroupns" => "cgroup".into(),
                    "userns" => "user".into(),
                    other => other.into(),
                })
            }
            ("network" | "net", "none") => Change::NoNetwork,
            ("network" | "net", "own" | "private") => Change::OwnNetwork,
            ("seccomp", "default") => Change::DefaultSeccomp,
            ("apparmor" | "label", "default") => Change::DefaultMac,
            ("systempaths", "default") => Change::DefaultSystemPaths,
            ("no_new_privileges", "true") => Change::NoNewPrivileges,
            ("user", name) if !matches!(name, "true" | "root" | "0" | "") => Change::RunAsUser,
            ("memory", _) => Change::LimitMemory,
            ("pids_limit" | "pids", _) => Change::LimitPids,
            ("unmount", at) if at.starts_with('/') => Change::RemoveMount(own()),
            ("read_only_mount" | "ro", at) if at.starts_with('/') => Change::ReadOnlyMount(own()),
            ("remove_device", at) if at.starts_with('/') => Change::RemoveDevice(own()),
            ("group_remove", _) => Change::RemoveGroup(own()),
            ("userns_remap", "true" | "default") => Change::RemapUsers,
            ("cgroup", "2" | "v2") => Change::CgroupVersion2,
            ("icc", "false") => Change::NoInterContainer("bridge".into()),
            ("tlsverify", "true") => Change::VerifyClients,
            ("runc" | "containerd" | "engine" | "kernel", version) if value != "true" => {
                Change::Upgrade {
                    component: key.clone(),
                    version: version.to_owned(),
                }
            }
            (name, _) if name.contains('.') => Change::Sysctl(name.to_owned(), own()),
            _ => {
                return Err(format!(
                    "the change `{}` is not understood\n  hint: such as `cap_drop=NET_RAW`, `pid=private`, `privileged=false`, `user=1000`, `unmount=/path`, `ro=/path`, `seccomp=default`, `network=own`, `memory=512m`, `pids=200`, `no_new_privileges`, `runc=1.2.8`, `icc=false`",
                    plain(word)
                ));
            }
        };
        changes.push(change);
    }
    if changes.is_empty() {
        return Err("no change is named\n  hint: such as `cap_drop=NET_RAW,pid=private`".into());
    }
    Ok(changes)
}

/// Foreign text in a command that is meant for pasting.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", plain(text).replace('\'', "'\\''"))
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_and_nonsense_is_named() {
        assert_eq!(
            parse_changes("cap_drop=cap_net_raw, pid=private,user=1000").unwrap(),
            [
                Change::DropCapability("NET_RAW".into()),
                Change::OwnNamespace("pid".into()),
                Change::RunAsUser
            ]
        );
        assert_eq!(parse_changes("cap_drop=ALL").unwrap().len(), 41);
        for bad in [
            "cap_drop=FLY",
            "fly=1",
            "",
            "user=root",
            "unmount=x",
            "privileged",
        ] {
            assert!(parse_changes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn advice_is_quoted_for_a_shell() {
        let advice = Change::RemoveMount("/a'; rm -rf /\n".into()).advice();
        assert_eq!(advice.how, "remove the mount at '/a'\\''; rm -rf /'");
    }
}
