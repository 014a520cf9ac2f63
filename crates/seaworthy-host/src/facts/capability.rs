//! Sets of Linux capabilities (`capabilities(7)`), as the kernel numbers them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// All capabilities by number, without `CAP_`. The last came with Linux 5.9.
pub const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// A set of capabilities, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct CapSet(pub u64);

impl CapSet {
    /// What the Docker Engine leaves a container that nothing was said about: `a80425fb`.
    pub const DOCKER_DEFAULT: CapSet = CapSet(0xa804_25fb);
    /// All that this program knows.
    pub const ALL: CapSet = CapSet((1 << 41) - 1);

    /// Whether a capability is in it, by its name with or without `CAP_`.
    pub fn has(self, name: &str) -> bool {
        bit(name).is_some_and(|bit| self.0 & (1 << bit) != 0)
    }

    /// Names in it, in the kernel's order; numbers that have no name yet are left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 & (1 << bit) != 0)
            .map(|(_, name)| *name)
    }

    /// What is in it and not in `other`.
    #[must_use]
    pub fn without(self, other: CapSet) -> CapSet {
        CapSet(self.0 & !other.0)
    }

    /// What the engine makes of `--privileged`, `--cap-add` and `--cap-drop`.
    pub fn of_flags(privileged: bool, add: &[String], drop: &[String]) -> CapSet {
        let is_all = |name: &String| name.eq_ignore_ascii_case("all");
        if privileged {
            return CapSet::ALL;
        }
        // As in the engine: `ALL` in one list starts from that end, and the names in the
        // other list are exceptions from it.
        let mut set = if add.iter().any(is_all) {
            CapSet::ALL
        } else if drop.iter().any(is_all) {
            CapSet(0)
        } else {
            CapSet::DOCKER_DEFAULT
        };
        for bit in drop.iter().filter_map(|name| bit(name)) {
            set.0 &= !(1 << bit);
        }
        for bit in add.iter().filter_map(|name| bit(name)) {
            set.0 |= 1 << bit;
        }
        set
    }
}

impl fmt::Display for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// The number of a capability.
fn bit(name: &str) -> Option<usize> {
    let upper = name.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    NAMES.iter().position(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_mean_what_the_engine_makes_of_them() {
        let set = |add: &[&str], drop: &[&str]| {
            let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
            CapSet::of_flags(false, &own(add), &own(drop))
        };
        assert_eq!(set(&[], &[]), CapSet::DOCKER_DEFAULT);
        assert_eq!(set(&["NET_ADMIN"], &["ALL"]).to_string(), "NET_ADMIN");
        assert!(!set(&["all"], &["cap_sys_admin"]).has("SYS_ADMIN"));
        assert!(set(&["ALL"], &["SYS_ADMIN"]).has("CAP_BPF"));
        assert!(set(&[], &[]).has("NET_RAW"));
        assert_eq!(CapSet::DOCKER_DEFAULT.names().count(), 14);
    }
}
