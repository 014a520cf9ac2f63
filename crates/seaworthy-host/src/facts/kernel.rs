//! The kernel and the distribution: release, build configuration, settings, security modules.

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::mountinfo::Mount;
use super::{Fact, HostRoot};

/// Settings that checks and the escape graph ask for, below `/proc/sys`.
pub const SYSCTLS: &[&str] = &[
    "fs.protected_hardlinks",
    "fs.protected_symlinks",
    "fs.suid_dumpable",
    "kernel.core_pattern",
    "kernel.dmesg_restrict",
    "kernel.io_uring_disabled",
    "kernel.kexec_load_disabled",
    "kernel.kptr_restrict",
    "kernel.apparmor_restrict_unprivileged_userns",
    "kernel.modprobe",
    "kernel.modules_disabled",
    "kernel.perf_event_paranoid",
    "kernel.randomize_va_space",
    "kernel.unprivileged_bpf_disabled",
    "kernel.unprivileged_userns_clone",
    "kernel.yama.ptrace_scope",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_unprivileged_port_start",
    "net.core.bpf_jit_harden",
    "user.max_user_namespaces",
    "vm.unprivileged_userfaultfd",
];

/// Options of the kernel's build that are kept.
const OPTIONS: &[&str] = &[
    "CONFIG_AF_ALG",
    "CONFIG_BPF_SYSCALL",
    "CONFIG_BPF_UNPRIV_DEFAULT_OFF",
    "CONFIG_CRYPTO_USER_API",
    "CONFIG_CRYPTO_USER_API_AEAD",
    "CONFIG_CRYPTO_USER_API_SKCIPHER",
    "CONFIG_DEVMEM",
    "CONFIG_HARDENED_USERCOPY",
    "CONFIG_IO_URING",
    "CONFIG_KALLSYMS",
    "CONFIG_KEXEC",
    "CONFIG_LEGACY_TIOCSTI",
    "CONFIG_MODULES",
    "CONFIG_MODULE_SIG_FORCE",
    "CONFIG_NF_TABLES",
    "CONFIG_OVERLAY_FS",
    "CONFIG_PROC_KCORE",
    "CONFIG_RANDOMIZE_BASE",
    "CONFIG_SECCOMP",
    "CONFIG_SECCOMP_FILTER",
    "CONFIG_SECURITY_APPARMOR",
    "CONFIG_SECURITY_LOCKDOWN_LSM",
    "CONFIG_SECURITY_SELINUX",
    "CONFIG_SECURITY_YAMA",
    "CONFIG_STACKPROTECTOR_STRONG",
    "CONFIG_STRICT_DEVMEM",
    "CONFIG_STRICT_KERNEL_RWX",
    "CONFIG_USER_NS",
    "CONFIG_VSOCKETS",
];

/// Which hierarchy of control groups the host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CgroupVersion {
    /// Version 1, one hierarchy for each controller.
    One,
    /// Version 1 with a version 2 hierarchy that holds no controllers.
    Hybrid,
    /// Version 2 only.
    Two,
}

/// What SELinux does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelinuxMode {
    /// It denies.
    Enforcing,
    /// It only writes down.
    Permissive,
}

/// The kernel and the distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct KernelFacts {
    /// `uname -r`.
    pub release: Fact<String>,
    /// `uname -v`: distributions put their build's revision here.
    pub version: Fact<String>,
    /// Build options: `y`, `m` or a value; options that are not set are missing.
    pub config: Fact<BTreeMap<String, String>>,
    /// Settings, by dotted name. [`Fact::Absent`] is a setting this kernel does not have.
    pub sysctls: BTreeMap<String, Fact<String>>,
    /// Active security modules, `lockdown,capability,apparmor`.
    pub lsms: Fact<Vec<String>>,
    /// Kernel lockdown: `none`, `integrity`, `confidentiality`.
    pub lockdown: Fact<String>,
    /// Whether AppArmor is on.
    pub apparmor: Fact<bool>,
    /// What SELinux does; absent where it is not on.
    pub selinux: Fact<SelinuxMode>,
    /// Version of the control groups.
    pub cgroup: Fact<CgroupVersion>,
    /// Memory of the machine in bytes.
    pub memory_bytes: Fact<u64>,
    /// Processors.
    pub processors: Fact<u32>,
    /// `ID` of os-release.
    pub distro: Fact<String>,
    /// `VERSION_ID`.
    pub distro_version: Fact<String>,
    /// `PRETTY_NAME`.
    pub distro_name: Fact<String>,
}

impl KernelFacts {
    /// A setting.
    pub fn sysctl(&self, name: &str) -> Fact<String> {
        self.sysctls.get(name).cloned().unwrap_or_default()
    }
}

/// Reads all of it. `mounts` are the host's.
pub fn read(root: &HostRoot, mounts: &Fact<Vec<Mount>>) -> KernelFacts {
    let release = root.line("/proc/sys/kernel/osrelease");
    let os_release = match root.text("/etc/os-release", 64 << 10) {
        Fact::Absent => root.text("/usr/lib/os-release", 64 << 10),
        found => found,
    };
    let field = |name: &str| {
        os_release.as_ref().and_then(|text| {
            match text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            {
                Some(value) => Fact::Known(value.trim().trim_matches(['"', '\'']).to_owned()),
                None => Fact::Absent,
            }
        })
    };
    KernelFacts {
        config: config(root, release.known().map(String::as_str)),
        version: root.line("/proc/sys/kernel/version"),
        sysctls: SYSCTLS
            .iter()
            .map(|name| {
                let path = format!("/proc/sys/{}", name.replace('.', "/"));
                ((*name).to_owned(), root.line(&path))
            })
            .collect(),
        lsms: root.line("/sys/kernel/security/lsm").map(|line| {
            line.split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        }),
        lockdown: root.line("/sys/kernel/security/lockdown").and_then(|line| {
            let chosen = line
                .split_once('[')
                .and_then(|(_, rest)| Some(rest.split_once(']')?.0.to_owned()));
            chosen.map_or(
                Fact::Unknown("`/sys/kernel/security/lockdown` reads unlike any kernel's".into()),
                Fact::Known,
            )
        }),
        apparmor: match root.line("/sys/module/apparmor/parameters/enabled") {
            Fact::Absent => Fact::Known(false),
            found => found.map(|word| word == "Y"),
        },
        selinux: root
            .line("/sys/fs/selinux/enforce")
            .map(|digit| match digit.as_str() {
                "1" => SelinuxMode::Enforcing,
                _ => SelinuxMode::Permissive,
            }),
        cgroup: mounts.as_ref().and_then(|mounts| {
            let of = |kind: &str| {
                mounts
                    .iter()
                    .any(|m| m.fs_type == kind && m.point.starts_with("/sys/fs/cgroup"))
            };
            match (of("cgroup"), of("cgroup2")) {
                (true, true) => Fact::Known(CgroupVersion::Hybrid),
                (true, false) => Fact::Known(CgroupVersion::One),
                (false, true) => Fact::Known(CgroupVersion::Two),
                (false, false) => Fact::Unknown("no control groups are mounted".to_owned()),
            }
        }),
        memory_bytes: root.text("/proc/meminfo", 64 << 10).and_then(|text| {
            let kib = text
                .lines()
                .find_map(|line| line.strip_prefix("MemTotal:"))
                .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
                .and_then(|kib| kib.checked_mul(1024));
            kib.map_or(
                Fact::Unknown("`/proc/meminfo` has no `MemTotal`".to_owned()),
                Fact::Known,
            )
        }),
        processors: root.text("/proc/cpuinfo", 4 << 20).map(|text| {
            let count = text
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count();
            u32::try_from(count).unwrap_or(u32::MAX)
        }),
        distro: field("ID"),
        distro_version: field("VERSION_ID"),
        distro_name: field("PRETTY_NAME"),
        release,
    }
}

/// The options of the running kernel's build, wherever it tells them.
fn config(root: &HostRoot, release: Option<&str>) -> Fact<BTreeMap<String, String>> {
    let packed = root.bytes("/proc/config.gz", 4 << 20);
    if let Fact::Known(bytes) = &packed
        && let Some(text) = gunzip(bytes)
    {
        return Fact::Known(parse_config(&text));
    }
    let Some(release) = release else {
        return Fact::Unknown("the kernel's release is not known".to_owned());
    };
    for path in [
        format!("/boot/config-{release}"),
        format!("/usr/lib/modules/{release}/config"),
        format!("/lib/modules/{release}/config"),
    ] {
        match root.text(&path, 4 << 20) {
            Fact::Known(text) => return Fact::Known(parse_config(&text)),
            Fact::Unknown(why) => return Fact::Unknown(why),
            Fact::Absent => {}
        }
    }
    Fact::Unknown("the kernel's build configuration is nowhere to be found".to_owned())
}

fn gunzip(bytes: &[u8]) -> Option<String> {
    const MAX_TEXT: u64 = 8 << 20;
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .take(MAX_TEXT)
        .read_to_end(&mut text)
        .ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn parse_config(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            OPTIONS
                .contains(&name)
                .then(|| (name.to_owned(), value.chars().take(64).collect()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_gives_the_facts_and_what_it_lacks_is_absent_or_unknown() {
        let tree = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
        write("proc/sys/kernel/core_pattern", "|/usr/bin/handler %p\n");
        write(
            "boot/config-6.1.0-18-amd64",
            "CONFIG_USER_NS=y\n# CONFIG_KEXEC is not set\n",
        );
        write("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
        write(
            "sys/kernel/security/lockdown",
            "none [integrity] confidentiality\n",
        );
        write("proc/meminfo", "MemTotal:  1024 kB\n");
        let (mounts, _) =
            super::super::mountinfo::parse("1 0 0:1 / /sys/fs/cgroup rw - cgroup2 c rw\n");
        let facts = read(&HostRoot::new(tree.path()), &Fact::Known(mounts));
        assert_eq!(facts.release, Fact::Known("6.1.0-18-amd64".into()));
        assert_eq!(facts.lockdown, Fact::Known("integrity".into()));
        assert_eq!(facts.distro_version, Fact::Known("12".into()));
        assert_eq!(facts.cgroup, Fact::Known(CgroupVersion::Two));
        assert_eq!(facts.memory_bytes, Fact::Known(1 << 20));
        assert_eq!(facts.sysctl("kernel.kptr_restrict"), Fact::Absent);
        let config = facts.config.known().unwrap();
        assert_eq!(config.get("CONFIG_USER_NS").map(String::as_str), Some("y"));
        assert!(!config.contains_key("CONFIG_KEXEC"));
        assert_eq!(facts.selinux, Fact::Absent);
    }
}
