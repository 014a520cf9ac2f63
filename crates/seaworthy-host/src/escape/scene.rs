//! From facts to what supports a premise.
//!
//! A premise is supported by any of several facts: `--privileged` and `--cap-add` both give a
//! capability, and taking one away leaves the other. Where a container runs, the kernel's
//! word goes before the engine's. What could not be told supports a premise as possible.

use std::collections::BTreeMap;

use super::change::Change;
use super::flaws::{self, Component, FLAWS, Verdict};
use super::graph::Level;
use super::rules::{DeviceKind, Place, Premise};
use crate::facts::capability::CapSet;
use crate::facts::container::{ContainerFacts, Declared, DeclaredMount};
use crate::facts::kernel::{CgroupVersion, SelinuxMode};
use crate::facts::mountinfo::{Mount, below, mount_of};
use crate::facts::process::Status;
use crate::facts::reach::real_source;
use crate::facts::seccomp::{Allowed, SeccompChoice, SeccompProfile};
use crate::facts::{Fact, Facts};

/// Mounts of a container that are looked at; hostile ones may declare thousands.
const MAX_MOUNTS: usize = 256;
/// Facts that support one premise.
const MAX_SUPPORTS: usize = 64;
/// Containers followed from one to the next by shared namespaces.
const MAX_CHAIN: usize = 8;

/// A fact that supports a premise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Support {
    /// The same fact under several premises has the same key.
    pub key: String,
    /// How sure it is.
    pub level: Level,
    /// Where it stands.
    pub place: String,
    /// What is there, or why it could not be told.
    pub found: String,
    /// Changes, each of which makes it false.
    pub cuts: Vec<Change>,
}

fn fact(
    key: impl Into<String>,
    place: impl Into<String>,
    found: impl Into<String>,
    cuts: Vec<Change>,
) -> Support {
    Support {
        key: key.into(),
        level: Level::Certain,
        place: place.into(),
        found: found.into(),
        cuts,
    }
}

impl Support {
    fn possible(mut self) -> Support {
        self.level = Level::Possible;
        self
    }

    fn assumed(mut self) -> Support {
        self.level = Level::Assumed;
        self
    }
}

/// What is the same for all containers, found once.
pub(super) struct HostIndex<'f> {
    facts: &'f Facts,
    flaws: BTreeMap<&'static str, Vec<Support>>,
    neighbours: BTreeMap<String, usize>,
    by_name: BTreeMap<&'f str, &'f ContainerFacts>,
    engine: Option<(u32, u32, u32)>,
}

impl<'f> HostIndex<'f> {
    pub fn new(facts: &'f Facts) -> HostIndex<'f> {
        let mut flaws = BTreeMap::new();
        for flaw in FLAWS {
            flaws.insert(flaw.id, flaw_supports(facts, flaw.id));
        }
        let mut neighbours = BTreeMap::new();
        let mut by_name = BTreeMap::new();
        for container in facts.containers() {
            by_name.insert(container.id.as_str(), container);
            by_name.insert(container.name.as_str(), container);
            if let (true, Some(declared)) = (container.state.running, container.declared.known()) {
                for network in networks(declared) {
                    *neighbours.entry(network).or_insert(0) += 1;
                }
            }
        }
        HostIndex {
            facts,
            flaws,
            neighbours,
            by_name,
            engine: facts.engine.info.known().and_then(|info| {
                let mut parts = info.version.split(['.', '-', '+', '~']);
                let mut next = || parts.next()?.parse().ok();
                Some((next()?, next()?, next().unwrap_or(0)))
            }),
        }
    }

    /// Supports of a premise that speaks of the host alone.
    pub fn host_supports(&self, premise: &Premise) -> Vec<Support> {
        match premise {
            Premise::EngineTcp { is_loopback } => self.engine_tcp(*is_loopback),
            Premise::GroupMember => self.group_members(),
            _ => Vec::new(),
        }
    }

    fn engine_tcp(&self, is_loopback: bool) -> Vec<Support> {
        let daemon = &self.facts.daemon;
        let verified = daemon.switch("tlsverify", false);
        if verified == Ok(true) {
            return Vec::new();
        }
        let mut found = Vec::new();
        match daemon.option("hosts") {
            Fact::Known(option) => {
                for host in option.values.iter().filter(|h| h.starts_with("tcp://")) {
                    let address = host.trim_start_matches("tcp://");
                    let is_local = address.starts_with("127.")
                        || address.starts_with("localhost")
                        || address.starts_with("[::1]");
                    if is_local == is_loopback {
                        let support = fact(
                            format!("engine-tcp:{host}"),
                            option.origin.as_str(),
                            format!("`{host}` without `tlsverify`"),
                            vec![Change::VerifyClients],
                        );
                        found.push(match &verified {
                            Ok(_) => support,
                            Err(why) => Support {
                                found: format!("`{host}`; whether clients are verified: {why}"),
                                ..support.possible()
                            },
                        });
                    }
                }
            }
            Fact::Absent => {}
            Fact::Unknown(why) => found.push(
                fact(
                    "engine-tcp",
                    "addresses of the engine",
                    why,
                    vec![Change::VerifyClients],
                )
                .possible(),
            ),
        }
        found
    }

    fn group_members(&self) -> Vec<Support> {
        let group = match self.facts.daemon.option("group") {
            Fact::Known(option) => option.values.last().cloned().unwrap_or_default(),
            _ => "docker".to_owned(),
        };
        match &self.facts.accounts {
            Fact::Known(accounts) => accounts
                .groups
                .get(&group)
                .into_iter()
                .flat_map(|found| &found.members)
                .filter(|member| accounts.users.get(*member) != Some(&0))
                .take(MAX_SUPPORTS)
                .map(|member| {
                    fact(
                        format!("member:{member}"),
                        "/etc/group",
                        format!("`{member}` is in the group `{group}`"),
                        vec![Change::LeaveGroup(member.clone(), group.clone())],
                    )
                })
                .collect(),
            Fact::Absent => Vec::new(),
            Fact::Unknown(why) => {
                vec![fact("member", "/etc/group", why, Vec::new()).possible()]
            }
        }
    }
}

fn flaw_supports(facts: &Facts, id: &'static str) -> Vec<Support> {
    let Some(flaw) = flaws::by_id(id) else {
        return Vec::new();
    };
    let name = flaw.component.name();
    let place = match flaw.component {
        Component::Kernel => "release of the kernel".to_owned(),
        _ => format!("version of {name}"),
    };
    let cut = Change::Upgrade {
        component: name.to_owned(),
        version: flaws::mended_version(flaw.component).to_owned(),
    };
    let support = |text: &str| fact(id, place, format!("{id}: {text}"), vec![cut]);
    match flaws::judge(facts, flaw) {
        Verdict::Affected(version) => vec![support(&version)],
        Verdict::Undetermined(why) => vec![support(&why).possible()],
        Verdict::Free => Vec::new(),
    }
}

/// Networks by what a container asks for.
fn networks(declared: &Declared) -> Vec<String> {
    let mut names: Vec<String> = match declared.network_mode.as_str() {
        "none" | "host" | "own" => Vec::new(),
        mode if mode.starts_with("container:") => Vec::new(),
        "" | "default" => vec!["bridge".to_owned()],
        other => vec![other.to_owned()],
    };
    let attached = declared.networks.iter().map(|a| a.network.clone());
    names.extend(attached.filter(|name| !matches!(name.as_str(), "none" | "host" | "default")));
    if declared.networks.iter().any(|a| a.network != "bridge") && declared.network_mode.is_empty() {
        names.retain(|name| name != "bridge");
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// A mount of the host's files.
struct HostMount<'f> {
    declared: &'f DeclaredMount,
    source: String,
}

/// A container, looked at.
pub(super) struct Scene<'f> {
    index: &'f HostIndex<'f>,
    container: &'f ContainerFacts,
    declared: &'f Declared,
    status: Option<&'f Status>,
    mount_table: Option<&'f [Mount]>,
    mounts: Vec<HostMount<'f>>,
}

impl<'f> Scene<'f> {
    /// `None` where the engine said nothing of it that could be understood.
    pub fn new(index: &'f HostIndex<'f>, container: &'f ContainerFacts) -> Option<Scene<'f>> {
        let declared = container.declared.known()?;
        let view = container.kernel.known();
        let volumes = index
            .facts
            .engine
            .volumes
            .known()
            .map_or(&[][..], Vec::as_slice);
        let mounts = declared
            .mounts
            .iter()
            .take(MAX_MOUNTS)
            .filter(|mount| matches!(mount.kind.as_str(), "bind" | "volume" | ""))
            .filter_map(|mount| {
                let source = real_source(mount.source_real.known(), &mount.name, volumes)
                    .unwrap_or(mount.source.as_str());
                let is_volume = mount.kind == "volume" && source == mount.source;
                let named = mount.kind == "volume" && source.contains("/volumes/");
                (!source.is_empty() && !is_volume && !named).then(|| HostMount {
                    declared: mount,
                    source: plain_path(source),
                })
            })
            .collect();
        Some(Scene {
            index,
            container,
            declared,
            status: view.and_then(|view| view.status.known()),
            mount_table: view.and_then(|view| view.mounts.known()).map(Vec::as_slice),
            mounts,
        })
    }

    /// What supports a premise; nothing where it is false.
    pub fn supports(&self, premise: &Premise) -> Vec<Support> {
        let mut found = match premise {
            Premise::Has(_) | Premise::GroupMember => Vec::new(),
            Premise::UserIsRoot => self.user_is_root(),
            Premise::WayBackToRoot => self.way_back(),
            Premise::RootIsRoot => self.root_is_root(),
            Premise::Capability(name) => self.capability(name),
            Premise::HostNamespace(name) => self.host_namespace(name),
            Premise::NoSecurityModule => self.no_security_module(),
            Premise::Call(name) => self.call(name),
            Premise::CgroupVersion1 => self.cgroup_version_1(),
            Premise::Writes(place) => self.mounts(*place, true),
            Premise::Reads(place) => self.mounts(*place, false),
            Premise::SharedPropagation => self.shared_propagation(),
            Premise::Socket(services) => self.sockets(services),
            Premise::EngineGroup => self.engine_group(),
            Premise::Device(kind, is_written) => self.devices(*kind, *is_written),
            Premise::KernelSettings => self.kernel_paths("/proc/sys", true),
            Premise::KernelObjects => self.privileged(),
            Premise::KernelMemoryFile => self.kernel_paths("/proc/kcore", false),
            Premise::EngineTcp { is_loopback } => self.index.engine_tcp(*is_loopback),
            Premise::Network => self.network(),
            Premise::Neighbours => self.neighbours(),
            Premise::NoLimit(name) => self.no_limit(name),
            Premise::Flaw(id) => self.index.flaws.get(id).cloned().unwrap_or_default(),
            Premise::UserNamespaces => self.user_namespaces(),
            Premise::OpenBpf => self.sysctl("kernel.unprivileged_bpf_disabled", "0", "1"),
            Premise::OpenIoUring => {
                match self.index.facts.kernel.sysctl("kernel.io_uring_disabled") {
                    // A kernel without the setting has no way to switch it off.
                    Fact::Absent => vec![fact(
                        "io-uring",
                        "kernel",
                        "`io_uring` can't be switched off",
                        Vec::new(),
                    )],
                    _ => self.sysctl("kernel.io_uring_disabled", "0", "2"),
                }
            }
            Premise::WorkingDirectoryInProc => self.working_directory(),
        };
        found.truncate(MAX_SUPPORTS);
        found
    }

    fn privileged(&self) -> Vec<Support> {
        let is_privileged = self.declared.privileged;
        is_privileged
            .then(|| {
                fact(
                    "privileged",
                    "HostConfig.Privileged",
                    "true",
                    vec![Change::DropPrivileged],
                )
            })
            .into_iter()
            .collect()
    }

    fn user_is_root(&self) -> Vec<Support> {
        let root =
            |place: &str, found: String| vec![fact("user", place, found, vec![Change::RunAsUser])];
        if let Some(status) = self.status
            && let Some(uid) = status.uid.get(1)
        {
            let outside = self
                .container
                .kernel
                .known()
                .map(|view| view.outside_uid(0));
            return match outside.flatten() {
                Some(Some(outside)) if outside == *uid => {
                    root("/proc/PID/status Uid", format!("{uid} is root inside"))
                }
                Some(_) => Vec::new(),
                None if *uid == 0 => root("/proc/PID/status Uid", "0".to_owned()),
                None => root(
                    "/proc/PID/uid_map",
                    format!("user {uid}; which user that is inside could not be read"),
                )
                .into_iter()
                .map(Support::possible)
                .collect(),
            };
        }
        let user = self.declared.user.split(':').next().unwrap_or_default();
        if self
            .declared
            .malformed
            .iter()
            .any(|m| m.contains("Config.User"))
        {
            return vec![
                fact(
                    "user",
                    "Config.User",
                    "the image's user is not known",
                    vec![Change::RunAsUser],
                )
                .possible(),
            ];
        }
        if matches!(user, "" | "root") || user.parse::<u64>() == Ok(0) {
            let shown = if user.is_empty() {
                "none, which is root"
            } else {
                user
            };
            return root("Config.User", shown.to_owned());
        }
        // Numbers of 2^31 and more became 0 in old runtimes: CVE-2024-40635.
        if user.parse::<u64>().is_ok_and(|uid| uid > 0x7fff_ffff) {
            return root("Config.User", format!("{user} overflows"))
                .into_iter()
                .map(Support::possible)
                .collect();
        }
        Vec::new()
    }

    fn way_back(&self) -> Vec<Support> {
        let no_new = match self.status.and_then(|status| status.no_new_privs) {
            Some(flag) => Ok(flag),
            None => match self.declared.no_new_privileges() {
                Some(flag) => Ok(flag),
                None => self.index.facts.daemon.switch("no-new-privileges", false),
            },
        };
        if no_new == Ok(true) {
            return Vec::new();
        }
        let cuts = vec![Change::NoNewPrivileges];
        let scan = self.index.facts.scans.get(&self.container.image_id);
        match scan.and_then(|scan| scan.setuid_files.as_ref()) {
            Some(files) => match files.first() {
                Some(first) => vec![fact(
                    "setuid",
                    "files of the image",
                    format!("`{first}` is setuid ({} in all), and programs may gain privileges", files.len()),
                    cuts,
                )],
                None => Vec::new(),
            },
            None => vec![
                fact(
                    "setuid",
                    "files of the image",
                    "whether it holds setuid programs is not known, and programs may gain privileges",
                    cuts,
                )
                .assumed(),
            ],
        }
    }

    fn root_is_root(&self) -> Vec<Support> {
        let facts = self.index.facts;
        // Remapping refuses privileged containers and host namespaces.
        let can_remap = !self.declared.privileged
            && self.declared.pid_mode != "host"
            && self.declared.network_mode != "host"
            && self.declared.userns_mode != "host";
        let cuts = if can_remap {
            vec![Change::RemapUsers]
        } else if self.declared.userns_mode == "host" {
            vec![Change::OwnNamespace("user".into())]
        } else {
            Vec::new()
        };
        let view = self.container.kernel.known();
        if let Some(is_root) = view.and_then(|view| view.root_is_root()) {
            return if is_root {
                vec![fact(
                    "root-is-root",
                    "/proc/PID/uid_map",
                    "root inside is root outside",
                    cuts,
                )]
            } else {
                Vec::new()
            };
        }
        match &facts.engine.info {
            Fact::Known(info) => {
                let is_mapped = info.has_security_option("rootless")
                    || info.has_security_option("userns") && self.declared.userns_mode != "host";
                if is_mapped {
                    return Vec::new();
                }
                // What is unmapped without an option has the option as its cut.
                let cuts = if info.has_security_option("userns") {
                    vec![Change::OwnNamespace("user".into())]
                } else {
                    cuts
                };
                vec![fact(
                    "root-is-root",
                    "engine's SecurityOptions",
                    "users are not remapped",
                    cuts,
                )]
            }
            other => vec![
                fact(
                    "root-is-root",
                    "engine's SecurityOptions",
                    other.why_unknown().unwrap_or("the engine does not say"),
                    cuts,
                )
                .possible(),
            ],
        }
    }

    fn capability(&self, name: &str) -> Vec<Support> {
        let cut = vec![Change::DropCapability(name.to_owned())];
        let own = CapSet::of_flags(false, &self.declared.cap_add, &self.declared.cap_drop);
        if let Some(status) = self.status {
            if !status.cap_bounding.has(name) {
                return Vec::new();
            }
            let mut found = self.privileged();
            if own.has(name) || found.is_empty() {
                found.push(fact(
                    format!("cap:{name}"),
                    "/proc/PID/status CapBnd",
                    name,
                    cut,
                ));
            }
            return found;
        }
        let mut found = self.privileged();
        if own.has(name) {
            let place = if CapSet::DOCKER_DEFAULT.has(name) {
                "the engine's default capabilities"
            } else {
                "HostConfig.CapAdd"
            };
            found.push(fact(format!("cap:{name}"), place, name, cut));
        }
        found
    }

    fn host_namespace(&self, name: &str) -> Vec<Support> {
        let cut = vec![Change::OwnNamespace(name.to_owned())];
        let key = format!("ns:{name}");
        match self.container.host_namespaces.get(name) {
            Some(Fact::Known(true)) => {
                return vec![fact(key, format!("/proc/PID/ns/{name}"), "the host's", cut)];
            }
            Some(Fact::Known(false)) => return Vec::new(),
            _ => {}
        }
        let mode = |declared: &'f Declared| match name {
            "pid" => ("HostConfig.PidMode", declared.pid_mode.as_str()),
            "net" => ("HostConfig.NetworkMode", declared.network_mode.as_str()),
            "ipc" => ("HostConfig.IpcMode", declared.ipc_mode.as_str()),
            "uts" => ("HostConfig.UTSMode", declared.uts_mode.as_str()),
            "user" => ("HostConfig.UsernsMode", declared.userns_mode.as_str()),
            _ => ("HostConfig.CgroupnsMode", declared.cgroupns_mode.as_str()),
        };
        let mut declared = self.declared;
        for _ in 0..MAX_CHAIN {
            let (field, word) = mode(declared);
            if word == "host" {
                return vec![fact(key, field, "host", cut)];
            }
            let Some(other) = word.strip_prefix("container:") else {
                return Vec::new();
            };
            match self
                .index
                .by_name
                .get(other)
                .and_then(|c| c.declared.known())
            {
                Some(next) => declared = next,
                None => {
                    let found = "that of a container which is not there";
                    return vec![fact(key, field, found, cut).possible()];
                }
            }
        }
        vec![fact(key, "namespaces", "shared in a circle", cut).possible()]
    }

    fn no_security_module(&self) -> Vec<Support> {
        let kernel = &self.index.facts.kernel;
        let mut found = self.privileged();
        let off = |place: &str, text: &str| fact("no-mac", place, text, vec![Change::DefaultMac]);
        let label = self.container.kernel.known().map(|view| &view.label);
        let has_option = |start: &str| {
            self.declared
                .security_options
                .iter()
                .any(|option| option.starts_with(start))
        };
        match (&kernel.apparmor, &kernel.selinux) {
            (Fact::Known(true), _) => match label {
                Some(Fact::Known(label)) if !label.starts_with("unconfined") => found.clear(),
                Some(Fact::Known(label)) if found.is_empty() => {
                    found.push(off("/proc/PID/attr/current", label));
                }
                Some(Fact::Known(_)) => {}
                _ if self.declared.apparmor_profile == "unconfined"
                    || has_option("apparmor=unconfined") =>
                {
                    found.push(off("AppArmorProfile", "unconfined"));
                }
                _ => {}
            },
            (_, Fact::Known(SelinuxMode::Enforcing)) => {
                if has_option("label=disable") && found.is_empty() {
                    found.push(off("HostConfig.SecurityOpt", "label=disable"));
                }
            }
            (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => found.push(
                fact(
                    "no-mac-host",
                    "security modules of the kernel",
                    why,
                    vec![Change::SecurityModule],
                )
                .possible(),
            ),
            _ => found.push(fact(
                "no-mac-host",
                "security modules of the kernel",
                "neither AppArmor nor SELinux confines anything",
                vec![Change::SecurityModule],
            )),
        }
        found
    }

    fn call(&self, name: &str) -> Vec<Support> {
        let mut found = self.privileged();
        let off =
            |place: &str, text: String| fact("seccomp", place, text, vec![Change::DefaultSeccomp]);
        let is_off = self.status.and_then(|status| status.seccomp) == Some(0);
        if is_off && found.is_empty() {
            // A daemon without a profile is the reason that a change on the host takes away.
            let of_daemon = match self.declared.seccomp {
                SeccompChoice::Default => self.daemon_call(name, CapSet(0)),
                _ => Vec::new(),
            };
            if of_daemon
                .iter()
                .any(|support| support.key == "seccomp-daemon")
            {
                return of_daemon;
            }
            return vec![off("/proc/PID/status Seccomp", "0, no filter".into())];
        }
        let capabilities = self.container.capabilities().unwrap_or(CapSet::ALL);
        match &self.declared.seccomp {
            SeccompChoice::Unconfined => {
                found.push(off("HostConfig.SecurityOpt", "seccomp=unconfined".into()));
            }
            SeccompChoice::Custom(profile) => {
                found.extend(custom(profile, name, capabilities).map(|level| Support {
                    level,
                    ..off(
                        "HostConfig.SecurityOpt",
                        format!("its seccomp profile allows `{name}`"),
                    )
                }));
            }
            SeccompChoice::Unreadable(why) => {
                found.push(
                    off(
                        "HostConfig.SecurityOpt",
                        format!("its seccomp profile: {why}"),
                    )
                    .possible(),
                );
            }
            SeccompChoice::Default => found.extend(self.daemon_call(name, capabilities)),
        }
        found
    }

    /// What the daemon's own profile lets through.
    fn daemon_call(&self, name: &str, capabilities: CapSet) -> Vec<Support> {
        let facts = self.index.facts;
        let daemon = |found: &str| {
            fact(
                "seccomp-daemon",
                "seccomp profile of the daemon",
                found,
                vec![Change::DaemonSeccomp],
            )
        };
        if let Fact::Known(profile) = &facts.daemon_seccomp {
            return custom(profile, name, capabilities)
                .map(|level| Support {
                    level,
                    ..daemon(&format!("it allows `{name}`"))
                })
                .into_iter()
                .collect();
        }
        if let Fact::Known(info) = &facts.engine.info
            && !info.security_options.is_empty()
        {
            match info.security_option("seccomp") {
                None => return vec![daemon("the engine has none")],
                Some(rest) if rest.contains("unconfined") => return vec![daemon("unconfined")],
                Some(_) => {}
            }
        }
        self.builtin_call(name)
    }

    /// The engine's own profile: what it ties to which capability, and what it let through
    /// before which version.
    fn builtin_call(&self, name: &str) -> Vec<Support> {
        let gates: &[&str] = match name {
            "mount" | "setns" | "unshare" | "fsconfig" => &["SYS_ADMIN"],
            "bpf" => &["SYS_ADMIN", "BPF"],
            "perf_event_open" => &["SYS_ADMIN", "PERFMON"],
            "open_by_handle_at" => &["DAC_READ_SEARCH"],
            "finit_module" => &["SYS_MODULE"],
            "iopl" => &["SYS_RAWIO"],
            "reboot" => &["SYS_BOOT"],
            "ptrace" => {
                return vec![fact(
                    "seccomp-ptrace",
                    "the engine's seccomp profile",
                    "it allows `ptrace` (Linux 4.8)",
                    Vec::new(),
                )];
            }
            "io_uring_setup" => return self.allowed_before(name, (25, 0, 0)),
            "socket:alg" => return self.allowed_before("socket(AF_ALG)", (29, 4, 2)),
            _ => &[],
        };
        gates
            .iter()
            .flat_map(|gate| self.capability(gate))
            .filter(|support| support.key != "privileged")
            .collect()
    }

    fn allowed_before(&self, what: &str, version: (u32, u32, u32)) -> Vec<Support> {
        let key = format!("seccomp-before-{}", version.0);
        let cut = vec![Change::Upgrade {
            component: Component::Engine.name().to_owned(),
            version: flaws::mended_version(Component::Engine).to_owned(),
        }];
        let place = "the engine's seccomp profile";
        match self.index.engine {
            Some(engine) if engine >= version => Vec::new(),
            Some(engine) => vec![fact(
                key,
                place,
                format!(
                    "engine {}.{}.{} allows `{what}`",
                    engine.0, engine.1, engine.2
                ),
                cut,
            )],
            None => vec![
                fact(
                    key,
                    place,
                    format!("whether it allows `{what}`: the engine's version is not known"),
                    cut,
                )
                .possible(),
            ],
        }
    }

    fn cgroup_version_1(&self) -> Vec<Support> {
        let version = match &self.index.facts.kernel.cgroup {
            Fact::Known(version) => Fact::Known(*version != CgroupVersion::Two),
            other => match self
                .index
                .facts
                .engine
                .info
                .known()
                .map(|i| i.cgroup_version.as_str())
            {
                Some("2") => Fact::Known(false),
                Some("1") => Fact::Known(true),
                _ => Fact::Unknown(other.why_unknown().unwrap_or("not known").to_owned()),
            },
        };
        let cuts = vec![Change::CgroupVersion2];
        match version {
            Fact::Known(true) => vec![fact("cgroup-v1", "/sys/fs/cgroup", "version 1", cuts)],
            Fact::Unknown(why) => vec![fact("cgroup-v1", "/sys/fs/cgroup", why, cuts).possible()],
            _ => Vec::new(),
        }
    }

    /// Mounts that reach a place, by what they show: the place, a parent, or a part of it.
    fn mounts(&self, place: Place, is_written: bool) -> Vec<Support> {
        let mut found = Vec::new();
        for mount in &self.mounts {
            let reached = self.paths_of(place).into_iter().find(|(path, inside)| {
                below(path, &mount.source).is_some()
                    && !(mount.source == "/" && matches!(place, Place::SharedMemory | Place::Proc))
                    || *inside && below(&mount.source, path).is_some()
            });
            let Some((path, _)) = reached else { continue };
            let at = &mount.declared.destination;
            let source = &mount.source;
            if !is_written {
                found.push(fact(
                    format!("mount:{at}"),
                    format!("mount at `{at}`"),
                    format!("`{source}`, which shows `{path}`"),
                    vec![Change::RemoveMount(at.clone())],
                ));
                continue;
            }
            let cuts = vec![
                Change::ReadOnlyMount(at.clone()),
                Change::RemoveMount(at.clone()),
            ];
            let support = fact(
                format!("mount-rw:{at}"),
                format!("mount at `{at}`"),
                format!("`{source}`, writable, which shows `{path}`"),
                cuts,
            );
            match self.is_writable(mount) {
                Written::Yes(None) => found.push(support),
                Written::Yes(Some(how)) => found.push(Support {
                    found: format!("`{source}` {how}"),
                    ..support
                }),
                Written::Maybe(why) => found.push(Support {
                    found: format!("`{source}`: {why}"),
                    ..support.possible()
                }),
                Written::No => {}
            }
        }
        found
    }

    fn paths_of(&self, place: Place) -> Vec<(String, bool)> {
        let mut paths: Vec<(String, bool)> = place
            .paths()
            .iter()
            .map(|(path, inside)| ((*path).to_owned(), *inside))
            .collect();
        if place == Place::EngineData
            && let Some(info) = self.index.facts.engine.info.known()
            && info.data_root.starts_with('/')
            && info.data_root != "/"
        {
            paths.push((plain_path(&info.data_root), true));
        }
        paths
    }

    fn is_writable(&self, mount: &HostMount<'_>) -> Written {
        let at = mount.declared.destination.trim_end_matches('/');
        if let Some(table) = self.mount_table {
            let covering = mount_of(table, &mount.declared.destination);
            if covering.is_some_and(Mount::is_writable) {
                return Written::Yes(None);
            }
            return match table.iter().find(|inner| {
                !at.is_empty()
                    && below(&inner.point, at).is_some_and(|rest| !rest.is_empty())
                    && inner.is_writable()
            }) {
                Some(inner) => Written::Yes(Some(format!(
                    "is read-only, but `{}` below it can be written",
                    inner.point
                ))),
                None => Written::No,
            };
        }
        if mount.declared.writable {
            return Written::Yes(None);
        }
        // Engines before 25 leave mounts below a read-only one writable.
        let request = self
            .declared
            .mount_requests
            .iter()
            .find(|request| request.target == mount.declared.destination);
        if request.is_some_and(|r| r.read_only_force_recursive || r.non_recursive) {
            return Written::No;
        }
        let is_shallow = request.is_some_and(|r| r.read_only_non_recursive);
        match self.index.engine {
            Some(version) if version >= (25, 0, 0) && !is_shallow => return Written::No,
            _ => {}
        }
        match &self.index.facts.mounts {
            Fact::Known(host) => match host.iter().find(|on| {
                below(&on.point, &mount.source).is_some_and(|rest| !rest.is_empty())
                    && on.is_writable()
                    && !matches!(on.fs_type.as_str(), "proc" | "sysfs" | "devpts" | "mqueue")
            }) {
                Some(on) => Written::Yes(Some(format!(
                    "is read-only, but `{}` is mounted below it and stays writable",
                    on.point
                ))),
                None => Written::No,
            },
            Fact::Absent => Written::No,
            Fact::Unknown(why) if self.index.engine.is_some() || mount.source == "/" => {
                Written::Maybe(format!("what is mounted below it: {why}"))
            }
            Fact::Unknown(_) => Written::No,
        }
    }

    fn shared_propagation(&self) -> Vec<Support> {
        self.mounts
            .iter()
            .filter(|mount| mount.declared.propagation.ends_with("shared"))
            .map(|mount| {
                let at = &mount.declared.destination;
                fact(
                    format!("propagation:{at}"),
                    format!("mount at `{at}`"),
                    format!("propagation `{}`", mount.declared.propagation),
                    vec![
                        Change::PrivatePropagation(at.clone()),
                        Change::RemoveMount(at.clone()),
                    ],
                )
            })
            .collect()
    }

    fn sockets(&self, services: &[&str]) -> Vec<Support> {
        let sockets = match &self.container.sockets {
            Fact::Known(sockets) => sockets,
            Fact::Absent => return Vec::new(),
            Fact::Unknown(_) if self.mounts.is_empty() => return Vec::new(),
            Fact::Unknown(why) => {
                return vec![fact("sockets", "sockets in reach", why, Vec::new()).possible()];
            }
        };
        sockets
            .iter()
            .filter(|socket| services.contains(&socket.service.as_str()))
            .map(|socket| {
                let mount = self
                    .declared
                    .mounts
                    .iter()
                    .filter(|m| below(&socket.container_path, &m.destination).is_some())
                    .max_by_key(|m| m.destination.len());
                let cuts: Vec<Change> = mount
                    .map(|mount| Change::RemoveMount(mount.destination.clone()))
                    .into_iter()
                    .collect();
                let support = fact(
                    format!("socket:{}", socket.container_path),
                    format!("socket `{}`", socket.container_path),
                    format!(
                        "{}, `{}` of the host, through {}",
                        socket.service, socket.host_path, socket.through
                    ),
                    cuts,
                );
                if socket.listening == Some(false) {
                    support.possible()
                } else {
                    support
                }
            })
            .collect()
    }

    fn engine_group(&self) -> Vec<Support> {
        let gid = match &self.index.facts.accounts {
            Fact::Known(accounts) => accounts.groups.get("docker").map(|group| group.gid),
            _ => None,
        };
        let first = self.declared.user.split_once(':').map(|(_, group)| group);
        self.declared
            .group_add
            .iter()
            .map(String::as_str)
            .chain(first)
            .filter(|group| *group == "docker" || gid.is_some_and(|gid| group.parse() == Ok(gid)))
            .map(|group| {
                fact(
                    format!("group:{group}"),
                    "HostConfig.GroupAdd",
                    group,
                    vec![Change::RemoveGroup(group.to_owned())],
                )
            })
            .collect()
    }

    fn devices(&self, kind: DeviceKind, is_written: bool) -> Vec<Support> {
        let mut found = if kind == DeviceKind::Driver {
            Vec::new()
        } else {
            self.privileged()
        };
        for device in self.declared.devices.iter().take(MAX_SUPPORTS) {
            let permissions = device.permissions.as_str();
            let is_allowed =
                permissions.is_empty() || permissions.contains(if is_written { 'w' } else { 'r' });
            if device_kind(&device.host) == Some(kind) && is_allowed {
                found.push(fact(
                    format!("device:{}", device.host),
                    "HostConfig.Devices",
                    format!("`{}` {permissions}", device.host),
                    vec![Change::RemoveDevice(device.host.clone())],
                ));
            }
        }
        for rule in &self.declared.device_cgroup_rules {
            let mut words = rule.split_whitespace();
            let (of, number, access) = (words.next(), words.next(), words.next());
            let is_disk = matches!(of, Some("a" | "b"));
            let is_all = number.is_some_and(|n| n.ends_with(":*"));
            let letter = if is_written { 'w' } else { 'r' };
            // The node must be made, or be there by a mount of `/dev`.
            let can_make = !self.capability("MKNOD").is_empty();
            if kind == DeviceKind::Disk
                && is_disk
                && is_all
                && can_make
                && access.is_none_or(|access| access.contains(letter))
            {
                found.push(fact(
                    "device-rules",
                    "HostConfig.DeviceCgroupRules",
                    rule.as_str(),
                    vec![
                        Change::RemoveDeviceRules,
                        Change::DropCapability("MKNOD".into()),
                    ],
                ));
            }
        }
        found
    }

    /// Kernel paths that the engine hides or protects.
    fn kernel_paths(&self, path: &str, is_written: bool) -> Vec<Support> {
        let mut found = self.privileged();
        let (field, list) = if is_written {
            ("HostConfig.ReadonlyPaths", &self.declared.read_only_paths)
        } else {
            ("HostConfig.MaskedPaths", &self.declared.masked_paths)
        };
        // What is mounted over the path protects it, whatever the engine says.
        let is_covered = self.mount_table.is_some_and(|table| {
            table
                .iter()
                .any(|mount| mount.point == path && !(is_written && mount.is_writable()))
        });
        if is_covered {
            return Vec::new();
        }
        if let Some(list) = list
            && !list.iter().any(|covered| below(path, covered).is_some())
        {
            found.push(fact(
                format!("paths:{path}"),
                field,
                format!("`{path}` is not among them"),
                vec![Change::DefaultSystemPaths],
            ));
        }
        found
    }

    fn network(&self) -> Vec<Support> {
        match self.declared.network_mode.as_str() {
            "none" => Vec::new(),
            mode => vec![fact(
                "network",
                "HostConfig.NetworkMode",
                if mode.is_empty() { "default" } else { mode },
                vec![Change::NoNetwork],
            )],
        }
    }

    fn neighbours(&self) -> Vec<Support> {
        let all = self.index.facts.engine.networks.known();
        networks(self.declared)
            .into_iter()
            .filter_map(|name| {
                let others = self.index.neighbours.get(&name).copied().unwrap_or(0);
                let others = others.saturating_sub(usize::from(self.container.state.running));
                if others == 0 {
                    return None;
                }
                let network = all.and_then(|all| all.iter().find(|n| n.name == name));
                let passes = match network {
                    Some(network) if network.driver == "bridge" => network.inter_container(),
                    Some(network) => network.driver != "ipvlan",
                    None => true,
                };
                if !passes {
                    return None;
                }
                let mut cuts = vec![Change::OwnNetwork];
                if network.is_none_or(|network| network.driver == "bridge") {
                    cuts.push(Change::NoInterContainer(name.clone()));
                }
                let support = fact(
                    format!("neighbours:{name}"),
                    format!("network `{name}`"),
                    format!("{others} other containers on it"),
                    cuts,
                );
                Some(if network.is_none() {
                    support.possible()
                } else {
                    support
                })
            })
            .collect()
    }

    fn no_limit(&self, name: &str) -> Vec<Support> {
        let limits = self.container.limits.known();
        let (field, in_force, declared, cut) = match name {
            "memory" => (
                "HostConfig.Memory",
                limits.map(|limits| &limits.memory),
                self.declared.limits.memory > 0,
                Change::LimitMemory,
            ),
            _ => (
                "HostConfig.PidsLimit",
                limits.map(|limits| &limits.pids),
                self.declared.limits.pids.is_some_and(|pids| pids > 0),
                Change::LimitPids,
            ),
        };
        let key = format!("limit:{name}");
        match in_force {
            Some(Fact::Known(Some(_))) => Vec::new(),
            Some(Fact::Known(None)) => vec![fact(key, "control group", "no limit", vec![cut])],
            _ if declared => Vec::new(),
            _ => vec![fact(key, field, "no limit", vec![cut])],
        }
    }

    fn sysctl(&self, name: &str, open: &str, safe: &str) -> Vec<Support> {
        let cuts = vec![Change::Sysctl(name.to_owned(), safe.to_owned())];
        match self.index.facts.kernel.sysctl(name) {
            Fact::Known(value) if value == open => {
                vec![fact(format!("sysctl:{name}"), name, value, cuts)]
            }
            Fact::Known(_) | Fact::Absent => Vec::new(),
            Fact::Unknown(why) => {
                vec![fact(format!("sysctl:{name}"), name, why, cuts).possible()]
            }
        }
    }

    fn user_namespaces(&self) -> Vec<Support> {
        let kernel = &self.index.facts.kernel;
        let is = |name: &str, value: &str| kernel.sysctl(name).known().is_some_and(|v| v == value);
        if is("user.max_user_namespaces", "0")
            || is("kernel.unprivileged_userns_clone", "0")
            || is("kernel.apparmor_restrict_unprivileged_userns", "1")
        {
            return Vec::new();
        }
        let name = "user.max_user_namespaces";
        let cuts = vec![Change::Sysctl(name.to_owned(), "0".to_owned())];
        match kernel.sysctl(name) {
            Fact::Known(value) => vec![fact("user-namespaces", name, value, cuts)],
            Fact::Absent => Vec::new(),
            Fact::Unknown(why) => vec![fact("user-namespaces", name, why, cuts).possible()],
        }
    }

    fn working_directory(&self) -> Vec<Support> {
        let directory = &self.declared.working_dir;
        let is_inside = ["/proc/self/fd", "/proc/self/cwd", "/proc/1/"]
            .iter()
            .any(|start| directory.starts_with(start));
        is_inside
            .then(|| {
                fact(
                    "working-directory",
                    "Config.WorkingDir",
                    directory.as_str(),
                    vec![Change::PlainWorkingDirectory],
                )
            })
            .into_iter()
            .collect()
    }
}

enum Written {
    Yes(Option<String>),
    Maybe(String),
    No,
}

fn custom(profile: &SeccompProfile, name: &str, capabilities: CapSet) -> Option<Level> {
    let call = name.split(':').next().unwrap_or(name);
    match profile.allows(call, capabilities) {
        Allowed::Yes => Some(Level::Certain),
        Allowed::Sometimes => Some(Level::Possible),
        Allowed::No => None,
    }
}

fn device_kind(path: &str) -> Option<DeviceKind> {
    let name = path.strip_prefix("/dev/").unwrap_or(path);
    let starts = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    if starts(&["mem", "kmem", "port"]) {
        Some(DeviceKind::Memory)
    } else if starts(&[
        "sd", "hd", "vd", "xvd", "nvme", "dm-", "mapper/", "md", "mmcblk", "disk/", "loop", "nbd",
        "sr", "block",
    ]) {
        Some(DeviceKind::Disk)
    } else if name.starts_with("tty") || starts(&["console", "uinput", "input/"]) {
        Some(DeviceKind::Terminal)
    } else if starts(&["kvm", "vhost", "dri", "nvidia", "bus/usb", "hidraw"]) {
        Some(DeviceKind::Driver)
    } else {
        None
    }
}

/// A path without `//`, `.`, `..` and a slash at its end; `/var/run` is `/run`.
pub(super) fn plain_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let joined = format!("/{}", parts.join("/"));
    match below(&joined, "/var/run") {
        Some(rest) => format!("/run{rest}"),
        None => joined,
    }
}
