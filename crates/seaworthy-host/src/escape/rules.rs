//! What a route out of a container is made of. The table of them is `routes.rs`.
//!
//! A row is a conjunction of premises over facts and of states that other rows give. Where
//! the routes come from: kernel and engine documentation, published exploits and advisories,
//! named in the references. ATT&CK ids are of the matrix for containers and Linux.

use serde::{Deserialize, Serialize};

/// What an attacker who runs code in a container has, or is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Commands on the host with all rights.
    HostRoot,
    /// Code in the kernel.
    KernelCode,
    /// Writes files of the host.
    HostWrite,
    /// Reads files of the host that are not meant for it.
    HostRead,
    /// Reads or changes other containers.
    OtherContainers,
    /// Sees or redirects traffic of the host or of neighbours.
    NetworkPosition,
    /// Takes the host down or starves it.
    HostDenial,
    /// Is root in the container. No goal of its own.
    ContainerRoot,
    /// Commands the engine. No goal of its own.
    EngineApi,
}

impl State {
    /// All, goals first, worst first.
    pub const ALL: [State; 9] = [
        State::HostRoot,
        State::KernelCode,
        State::HostWrite,
        State::HostRead,
        State::OtherContainers,
        State::NetworkPosition,
        State::HostDenial,
        State::ContainerRoot,
        State::EngineApi,
    ];
    /// Those that paths are drawn to.
    pub const GOALS: [State; 7] = [
        State::HostRoot,
        State::KernelCode,
        State::HostWrite,
        State::HostRead,
        State::OtherContainers,
        State::NetworkPosition,
        State::HostDenial,
    ];

    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            State::HostRoot => "root on the host",
            State::KernelCode => "code in the kernel",
            State::HostWrite => "writing files of the host",
            State::HostRead => "reading files of the host",
            State::OtherContainers => "other containers",
            State::NetworkPosition => "a position on the network",
            State::HostDenial => "denial of service of the host",
            State::ContainerRoot => "root in the container",
            State::EngineApi => "command of the engine",
        }
    }

    /// Its place in [`State::ALL`].
    pub(super) fn index(self) -> usize {
        State::ALL
            .iter()
            .position(|state| *state == self)
            .unwrap_or(0)
    }
}

/// Places of the host that a mount can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Files that decide who is root and what root runs.
    Control,
    /// Programs and libraries.
    Programs,
    /// Homes of users.
    Homes,
    /// Secrets: password hashes, keys.
    Secrets,
    /// Data of engine and containerd.
    EngineData,
    /// Data and credentials of kubelet and its like.
    Kubelet,
    /// The host's `/proc`.
    Proc,
    /// The host's `/sys`.
    Sys,
    /// Control groups.
    Cgroup,
    /// The host's `/dev`.
    Dev,
    /// Shared memory of the host.
    SharedMemory,
    /// Logs of the host.
    Logs,
}

impl Place {
    /// Paths, and whether every path below one counts as much.
    pub const fn paths(self) -> &'static [(&'static str, bool)] {
        match self {
            Place::Control => &[
                ("/etc/passwd", false),
                ("/etc/shadow", false),
                ("/etc/group", false),
                ("/etc/sudoers", false),
                ("/etc/sudoers.d", true),
                ("/etc/cron.d", true),
                ("/etc/cron.daily", true),
                ("/etc/cron.hourly", true),
                ("/etc/crontab", false),
                ("/etc/ld.so.preload", false),
                ("/etc/ld.so.conf.d", true),
                ("/etc/profile.d", true),
                ("/etc/pam.d", true),
                ("/etc/systemd", true),
                ("/etc/init.d", true),
                ("/etc/docker", true),
                ("/etc/ssh", true),
                ("/etc/udev", true),
                ("/var/spool/cron", true),
                ("/run/systemd", true),
                ("/run/udev", true),
                ("/root", true),
            ],
            Place::Programs => &[
                ("/usr/bin", true),
                ("/usr/sbin", true),
                ("/usr/lib", true),
                ("/usr/local/bin", true),
                ("/usr/local/sbin", true),
                ("/bin", true),
                ("/sbin", true),
                ("/lib", true),
                ("/boot", true),
            ],
            Place::Homes => &[("/home", true)],
            Place::Secrets => &[
                ("/etc/shadow", false),
                ("/etc/ssh", true),
                ("/etc/ssl/private", true),
                ("/etc/docker/key.json", false),
                ("/root", true),
                ("/home", true),
            ],
            Place::EngineData => &[
                ("/var/lib/docker", true),
                ("/var/lib/containerd", true),
                ("/run/containerd", true),
                ("/run/docker", true),
            ],
            Place::Kubelet => &[
                ("/var/lib/kubelet", true),
                ("/etc/kubernetes", true),
                ("/var/lib/rancher", true),
                ("/etc/rancher", true),
            ],
            Place::Proc => &[("/proc", false), ("/proc/sys", true)],
            Place::Sys => &[
                ("/sys", false),
                ("/sys/kernel", true),
                ("/sys/firmware", true),
            ],
            Place::Cgroup => &[("/sys/fs/cgroup", true)],
            Place::Dev => &[("/dev", false)],
            Place::SharedMemory => &[("/dev/shm", true)],
            Place::Logs => &[("/var/log", true)],
        }
    }
}

/// Kinds of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DeviceKind {
    /// Disks and what stands on them.
    Disk,
    /// Memory and ports.
    Memory,
    /// Terminals and input.
    Terminal,
    /// Drivers with a wide surface: virtual machines, graphics, USB, FUSE.
    Driver,
}

/// A fact that a route stands on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Premise {
    /// A state that another row gives.
    Has(State),
    /// Its processes are root inside.
    UserIsRoot,
    /// A setuid program of the image makes one root again.
    WayBackToRoot,
    /// Root inside is root outside.
    RootIsRoot,
    /// A capability is in the bounding set.
    Capability(&'static str),
    /// A namespace is the host's.
    HostNamespace(&'static str),
    /// No security module confines it.
    NoSecurityModule,
    /// A system call goes through.
    Call(&'static str),
    /// Control groups of version 1.
    CgroupVersion1,
    /// A mount lets it write there.
    Writes(Place),
    /// A mount lets it read there.
    Reads(Place),
    /// Mounts made inside show on the host.
    SharedPropagation,
    /// A control socket of one of these services is in reach.
    Socket(&'static [&'static str]),
    /// It has the number of the engine's group.
    EngineGroup,
    /// It has a device: of this kind, and whether it is written.
    Device(DeviceKind, bool),
    /// Kernel settings can be written.
    KernelSettings,
    /// Kernel objects below `/sys` can be written.
    KernelObjects,
    /// Hidden kernel files can be read.
    KernelMemoryFile,
    /// The engine listens on TCP without verifying clients; on loopback only, or on more.
    EngineTcp {
        /// Whether only the host itself reaches it.
        is_loopback: bool,
    },
    /// It has a network.
    Network,
    /// Others are on the same segment, which passes frames.
    Neighbours,
    /// A limit is missing: `memory`, `pids`.
    NoLimit(&'static str),
    /// A flaw is here.
    Flaw(&'static str),
    /// User namespaces can be made by anybody.
    UserNamespaces,
    /// BPF is open to anybody.
    OpenBpf,
    /// `io_uring` is not switched off.
    OpenIoUring,
    /// The working directory lies in `/proc/self/fd`, as an image chose.
    WorkingDirectoryInProc,
    /// Somebody is in the engine's group (host).
    GroupMember,
}

/// A route.
#[derive(Debug)]
pub(super) struct EscapeRule {
    /// Unique, kebab case.
    pub id: &'static str,
    /// What the attacker does, in a sentence.
    pub story: &'static str,
    /// All of it.
    pub needs: &'static [Premise],
    /// What it gives.
    pub gives: State,
    /// How hard it is, 1 to 5.
    pub effort: u32,
    /// ATT&CK techniques.
    pub attack: &'static [&'static str],
    /// Documents.
    pub references: &'static [&'static str],
}
