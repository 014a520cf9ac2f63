//! The engine's word against the kernel's.
//!
//! What the engine tells of a container is what it was asked for when it was made. Mounts
//! below a read-only one stay writable, a process outside of the engine may have changed
//! control groups, another runtime may apply less than it is told. Each difference that
//! leaves the container with more than the engine says is one [`Disagreement`].

use std::collections::BTreeMap;

use super::Fact;
use super::container::{CgroupLimits, ContainerFacts, Declared, Disagreement};
use super::mountinfo::{Mount, below};
use super::process::Status;
use super::seccomp::SeccompChoice;

/// Paths that the engine itself mounts into every container.
const ENGINE_MOUNTS: [&str; 6] = [
    "/etc/resolv.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/dev",
    "/proc",
    "/sys",
];
/// Disagreements kept of one container.
const MAX_DISAGREEMENTS: usize = 64;

/// Compares what is known of a running container from both sides.
///
/// `host` are the host's mounts; `default_seccomp_off` says that the daemon confines nobody.
pub fn compare(
    container: &ContainerFacts,
    host: Option<&[Mount]>,
    default_seccomp_off: bool,
) -> Vec<Disagreement> {
    let (Some(declared), Some(view)) = (container.declared.known(), container.kernel.known())
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if let Some(status) = view.status.known() {
        privileges(declared, status, default_seccomp_off, &mut found);
        if !declared.apparmor_profile.is_empty()
            && declared.apparmor_profile != "unconfined"
            && matches!(&view.label, Fact::Known(label) if label == "unconfined")
        {
            push(
                &mut found,
                "AppArmor",
                format!("profile `{}`", declared.apparmor_profile),
                "unconfined",
            );
        }
    }
    if let Some(mounts) = view.mounts.known() {
        compare_mounts(declared, mounts, host, &mut found);
    }
    namespaces(declared, &container.host_namespaces, &mut found);
    if let Some(limits) = container.limits.known() {
        compare_limits(declared, limits, &mut found);
    }
    found.truncate(MAX_DISAGREEMENTS);
    found
}

fn push(
    found: &mut Vec<Disagreement>,
    about: &str,
    engine: impl Into<String>,
    kernel: impl Into<String>,
) {
    found.push(Disagreement {
        about: about.to_owned(),
        engine: engine.into(),
        kernel: kernel.into(),
    });
}

fn privileges(
    declared: &Declared,
    status: &Status,
    default_seccomp_off: bool,
    found: &mut Vec<Disagreement>,
) {
    let more = status.cap_bounding.without(declared.capabilities());
    if more.0 != 0 {
        push(
            found,
            "capabilities",
            format!("{}", declared.capabilities()),
            format!("{more} on top"),
        );
    }
    let should_filter = !declared.privileged
        && matches!(
            declared.seccomp,
            SeccompChoice::Default | SeccompChoice::Custom(_)
        )
        && !(default_seccomp_off && declared.seccomp == SeccompChoice::Default);
    if should_filter && status.seccomp == Some(0) {
        push(found, "seccomp", "a profile", "no filter");
    }
    if declared.no_new_privileges() == Some(true) && status.no_new_privs == Some(false) {
        push(found, "no-new-privileges", "on", "off");
    }
    let user = declared.user.split(':').next().unwrap_or_default();
    let declared_root = matches!(user, "" | "root") || user.parse::<u32>() == Ok(0);
    if !declared_root && status.uid.get(1) == Some(&0) {
        push(
            found,
            "user",
            format!("`{}`", declared.user),
            "its first process is root",
        );
    }
}

fn compare_mounts(
    declared: &Declared,
    mounts: &[Mount],
    host: Option<&[Mount]>,
    found: &mut Vec<Disagreement>,
) {
    for declared_mount in &declared.mounts {
        let destination = declared_mount.destination.trim_end_matches('/');
        if declared_mount.writable || destination.is_empty() {
            continue;
        }
        let writable: Vec<&Mount> = mounts
            .iter()
            .filter(|mount| below(&mount.point, destination).is_some() && mount.is_writable())
            .collect();
        if let Some(first) = writable.first() {
            push(
                found,
                "mount",
                format!("`{destination}` is read-only"),
                match writable.len() {
                    1 => format!("`{}` can be written", first.point),
                    more => format!(
                        "{more} mounts there can be written, `{}` among them",
                        first.point
                    ),
                },
            );
        }
    }
    let Some(host) = host else { return };
    let is_declared = |point: &str| {
        let declared_ones = declared.mounts.iter().map(|m| m.destination.as_str());
        let tmpfs = declared.tmpfs.keys().map(String::as_str);
        declared_ones
            .chain(tmpfs)
            .chain(ENGINE_MOUNTS)
            .any(|destination| below(point, destination).is_some())
    };
    for mount in mounts {
        let from_host = host
            .iter()
            .any(|on| on.device == mount.device && !is_kernel_made(&on.fs_type));
        if mount.point != "/" && from_host && !is_declared(&mount.point) {
            push(
                found,
                "mount",
                "none declared",
                format!(
                    "`{}` shows `{}` of file system {}",
                    mount.point, mount.root, mount.device
                ),
            );
        }
    }
}

/// Whether a kind of file system holds no files of the host.
fn is_kernel_made(fs_type: &str) -> bool {
    matches!(
        fs_type,
        "proc" | "sysfs" | "cgroup" | "cgroup2" | "devpts" | "mqueue" | "overlay" | "nsfs"
    )
}

fn namespaces(
    declared: &Declared,
    shared: &BTreeMap<String, Fact<bool>>,
    found: &mut Vec<Disagreement>,
) {
    let modes = [
        ("pid", declared.pid_mode.as_str(), ""),
        ("net", declared.network_mode.as_str(), "host"),
        ("ipc", declared.ipc_mode.as_str(), ""),
        ("uts", declared.uts_mode.as_str(), ""),
    ];
    for (name, mode, _) in modes {
        let is_shared = shared.get(name).and_then(Fact::known) == Some(&true);
        // A container may share it with another, which is shared with the host in turn.
        if is_shared && mode != "host" && !mode.starts_with("container:") {
            push(
                found,
                "namespace",
                format!("{name} namespace of its own"),
                format!("the host's {name} namespace"),
            );
        }
    }
}

fn compare_limits(declared: &Declared, limits: &CgroupLimits, found: &mut Vec<Disagreement>) {
    if declared.limits.memory > 0 && limits.memory == Fact::Known(None) {
        push(
            found,
            "memory limit",
            format!("{} bytes", declared.limits.memory),
            "none",
        );
    }
    if declared.limits.pids.is_some_and(|pids| pids > 0) && limits.pids == Fact::Known(None) {
        push(
            found,
            "limit of processes",
            declared.limits.pids.unwrap_or(0).to_string(),
            "none",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::capability::CapSet;
    use super::super::container::DeclaredMount;
    use super::super::mountinfo::parse;
    use super::super::process::ProcessView;
    use super::*;

    #[test]
    fn a_read_only_mount_with_a_writable_one_below_is_told() {
        let (mounts, _) = parse(
            "1 0 0:9 / / rw - overlay o rw\n2 1 8:1 / /host ro - ext4 a rw\n3 2 0:5 / /host/run rw - tmpfs t rw\n4 1 8:1 /x /sneaked rw - ext4 a rw\n",
        );
        let (host, _) = parse("1 0 8:1 / / rw - ext4 a rw\n");
        let container = ContainerFacts {
            declared: Fact::Known(Declared {
                mounts: vec![DeclaredMount {
                    destination: "/host".into(),
                    ..DeclaredMount::default()
                }],
                ..Declared::default()
            }),
            kernel: Fact::Known(ProcessView {
                mounts: Fact::Known(mounts),
                status: Fact::Known(Status {
                    cap_bounding: CapSet(CapSet::DOCKER_DEFAULT.0 | 1 << 21),
                    seccomp: Some(0),
                    ..Status::default()
                }),
                ..ProcessView::default()
            }),
            ..ContainerFacts::default()
        };
        let found = compare(&container, Some(&host), false);
        let kernel: Vec<&str> = found.iter().map(|d| d.kernel.as_str()).collect();
        assert_eq!(
            kernel,
            [
                "SYS_ADMIN on top",
                "no filter",
                "`/host/run` can be written",
                "`/sneaked` shows `/x` of file system 8:1"
            ]
        );
    }
}
