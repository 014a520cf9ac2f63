//! What the kernel says of one process: `/proc/<pid>/{status,ns,uid_map,gid_map,cgroup,
//! mountinfo,attr/current}` (`proc(5)`).
//!
//! A process may end while it is read, and its number may go to another. The start time in
//! `/proc/<pid>/stat` is read first and last: if it changed, nothing that was read counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::capability::CapSet;
use super::mountinfo::{self, Mount};
use super::{Fact, HostRoot};

/// Namespaces that are compared.
pub const NAMESPACES: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

/// `/proc/<pid>/status`, as far as it decides what a process may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Status {
    /// Name of the program.
    pub name: String,
    /// Real, effective, saved and file system user, in our user namespace.
    pub uid: Vec<u32>,
    /// The same of groups.
    pub gid: Vec<u32>,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// What it can do now.
    pub cap_effective: CapSet,
    /// What it can take.
    pub cap_permitted: CapSet,
    /// What any program it starts can ever get.
    pub cap_bounding: CapSet,
    /// What its programs inherit.
    pub cap_inheritable: CapSet,
    /// What survives an `execve` without file capabilities.
    pub cap_ambient: CapSet,
    /// Whether `execve` can never add privileges.
    pub no_new_privs: Option<bool>,
    /// 0 off, 1 strict, 2 filter.
    pub seccomp: Option<u32>,
    /// How many filters; Linux 5.9.
    pub seccomp_filters: Option<u32>,
}

/// A line of `uid_map` or `gid_map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct IdRange {
    /// First id inside the namespace.
    pub inside: u32,
    /// First id outside.
    pub outside: u32,
    /// How many.
    pub length: u32,
}

/// A line of `/proc/<pid>/cgroup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct CgroupLine {
    /// Controllers, empty for version 2.
    pub controllers: String,
    /// Path in the hierarchy.
    pub path: String,
}

/// A process as the kernel sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ProcessView {
    /// Its number, in our PID namespace.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
    /// Identity and privileges.
    pub status: Fact<Status>,
    /// Inode of each namespace, by name.
    pub namespaces: BTreeMap<String, Fact<u64>>,
    /// User ids of its user namespace.
    pub uid_map: Fact<Vec<IdRange>>,
    /// Group ids.
    pub gid_map: Fact<Vec<IdRange>>,
    /// Control groups.
    pub cgroups: Fact<Vec<CgroupLine>>,
    /// Its mounts.
    pub mounts: Fact<Vec<Mount>>,
    /// Label of the security module: an AppArmor profile or an SELinux context. Absent
    /// where no module gives one.
    pub label: Fact<String>,
}

impl ProcessView {
    /// Whether root inside is root outside; `None` where the map could not be read.
    pub fn root_is_root(&self) -> Option<bool> {
        Some(self.outside_uid(0)? == Some(0))
    }

    /// The user outside for one inside: outer `None` where the map could not be read, inner
    /// where it has no such user.
    pub fn outside_uid(&self, inside: u32) -> Option<Option<u32>> {
        let map = self.uid_map.known()?;
        Some(map.iter().find_map(|range| {
            let offset = inside.checked_sub(range.inside)?;
            (offset < range.length).then(|| range.outside.checked_add(offset))?
        }))
    }
}

/// Looks at a process. [`Fact::Absent`] where there is none of that number.
pub fn read(root: &HostRoot, pid: u32) -> Fact<ProcessView> {
    let path = |name: &str| format!("/proc/{pid}/{name}");
    let started = match start_time(root, pid) {
        Fact::Known(started) => started,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let view = ProcessView {
        pid,
        started,
        status: root
            .text(&path("status"), 256 << 10)
            .map(|text| parse_status(&text)),
        namespaces: namespaces(root, &pid.to_string()),
        uid_map: root
            .text(&path("uid_map"), 64 << 10)
            .map(|t| parse_id_map(&t)),
        gid_map: root
            .text(&path("gid_map"), 64 << 10)
            .map(|t| parse_id_map(&t)),
        cgroups: root
            .text(&path("cgroup"), 1 << 20)
            .map(|t| parse_cgroup(&t)),
        mounts: mounts(root, &pid.to_string()),
        label: match root.line(&path("attr/current")) {
            Fact::Known(label) => {
                let label = label.trim_end_matches('\0');
                if label.is_empty() {
                    Fact::Absent
                } else {
                    Fact::Known(label.chars().take(512).collect())
                }
            }
            // Without a module that gives labels the kernel answers EINVAL.
            Fact::Unknown(why) if why.contains("os error 22") => Fact::Absent,
            other => other,
        },
    };
    match start_time(root, pid) {
        Fact::Known(now) if now == started => Fact::Known(view),
        _ => Fact::Unknown(format!("process {pid} ended while it was looked at")),
    }
}

/// The mount table a process sees.
pub fn mounts(root: &HostRoot, pid: &str) -> Fact<Vec<Mount>> {
    root.text(&format!("/proc/{pid}/mountinfo"), mountinfo::MAX_BYTES)
        .and_then(|text| match mountinfo::parse(&text) {
            (mounts, 0) => Fact::Known(mounts),
            (_, broken) => Fact::Unknown(format!(
                "{broken} lines of process {pid}'s mount table can't be understood"
            )),
        })
}

/// Namespaces of a process.
pub fn namespaces(root: &HostRoot, pid: &str) -> BTreeMap<String, Fact<u64>> {
    NAMESPACES
        .iter()
        .map(|name| {
            let link = root.link(&format!("/proc/{pid}/ns/{name}"));
            let inode = link.and_then(|text| {
                let inode = text
                    .split_once(":[")
                    .and_then(|(_, rest)| rest.strip_suffix(']')?.parse().ok());
                inode.map_or_else(
                    || Fact::Unknown(format!("namespace `{name}` reads unlike any kernel's")),
                    Fact::Known,
                )
            });
            ((*name).to_owned(), inode)
        })
        .collect()
}

/// Field 22 of `/proc/<pid>/stat`; the name in field 2 may hold blanks and parentheses.
fn start_time(root: &HostRoot, pid: u32) -> Fact<u64> {
    root.text(&format!("/proc/{pid}/stat"), 64 << 10)
        .and_then(|text| {
            text.rsplit_once(')')
                .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19)?.parse().ok())
                .map_or_else(
                    || Fact::Unknown(format!("`/proc/{pid}/stat` reads unlike any kernel's")),
                    Fact::Known,
                )
        })
}

/// Reads `/proc/<pid>/status`.
pub fn parse_status(text: &str) -> Status {
    let mut status = Status::default();
    let numbers = |value: &str| {
        value
            .split_ascii_whitespace()
            .filter_map(|number| number.parse().ok())
            .take(65_536)
            .collect::<Vec<u32>>()
    };
    let set = |value: &str| CapSet(u64::from_str_radix(value, 16).unwrap_or(0));
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key {
            "Name" => status.name = value.to_owned(),
            "Uid" => status.uid = numbers(value),
            "Gid" => status.gid = numbers(value),
            "Groups" => status.groups = numbers(value),
            "CapInh" => status.cap_inheritable = set(value),
            "CapPrm" => status.cap_permitted = set(value),
            "CapEff" => status.cap_effective = set(value),
            "CapBnd" => status.cap_bounding = set(value),
            "CapAmb" => status.cap_ambient = set(value),
            "NoNewPrivs" => status.no_new_privs = value.parse::<u32>().ok().map(|bit| bit != 0),
            "Seccomp" => status.seccomp = value.parse().ok(),
            "Seccomp_filters" => status.seccomp_filters = value.parse().ok(),
            _ => {}
        }
    }
    status
}

fn parse_id_map(text: &str) -> Vec<IdRange> {
    text.lines()
        .take(512)
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            Some(IdRange {
                inside: fields.next()?.parse().ok()?,
                outside: fields.next()?.parse().ok()?,
                length: fields.next()?.parse().ok()?,
            })
        })
        .collect()
}

/// Reads `/proc/<pid>/cgroup`.
pub fn parse_cgroup(text: &str) -> Vec<CgroupLine> {
    text.lines()
        .take(256)
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            fields.next()?;
            Some(CgroupLine {
                controllers: fields.next()?.to_owned(),
                path: fields.next()?.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process in a tree.
    pub(crate) fn plant(tree: &std::path::Path, pid: u32) {
        let folder = tree.join(format!("proc/{pid}"));
        std::fs::create_dir_all(folder.join("ns")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        let fields = (3..=30)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(" ");
        write("stat", &format!("{pid} (a) b) {fields}\n"));
        write(
            "status",
            "Name:\tsh\nUid:\t0\t0\t0\t0\nGroups:\t0 998 \nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n",
        );
        write("uid_map", "         0     100000      65536\n");
        write("gid_map", "0 0 4294967295\n");
        write("cgroup", "0::/system.slice/docker-abc.scope\n");
        write("mountinfo", "1 0 0:1 / / rw - overlay overlay rw\n");
        std::os::unix::fs::symlink("net:[4026531840]", folder.join("ns/net")).unwrap();
    }

    #[test]
    fn a_process_is_read_as_the_kernel_tells_it() {
        let tree = tempfile::tempdir().unwrap();
        plant(tree.path(), 42);
        let root = HostRoot::new(tree.path());
        let view = read(&root, 42);
        let view = view.known().unwrap();
        assert_eq!(view.started, 22);
        let status = view.status.known().unwrap();
        assert_eq!(status.cap_effective, CapSet::DOCKER_DEFAULT);
        assert_eq!((status.no_new_privs, status.seccomp), (Some(true), Some(2)));
        assert_eq!(status.groups, [0, 998]);
        assert_eq!(view.outside_uid(1000), Some(Some(101_000)));
        assert_eq!(view.root_is_root(), Some(false));
        assert_eq!(view.namespaces["net"], Fact::Known(4_026_531_840));
        assert_eq!(view.namespaces["pid"], Fact::Absent);
        assert_eq!(read(&root, 43), Fact::Absent);
    }
}
