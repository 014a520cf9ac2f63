//! Which package, in which revision, the engine's parts and the kernel came from.
//!
//! Distributions mend old versions: engine `20.10.24+dfsg1-1+deb12u1` is not the engine
//! 20.10.24 of its makers. What a version means can only be told with this beside it.
//! Read: dpkg's `status`, apk's `installed`. Left out: the rpm database, which is said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fact, HostRoot};

/// Bytes of a package database.
const MAX_BYTES: u64 = 64 << 20;

/// Packages that matter to a container host, by the starts of their names.
const WANTED: &[&str] = &[
    "docker.io",
    "docker-ce",
    "docker-engine",
    "docker-compose",
    "docker-buildx",
    "moby-engine",
    "moby-",
    "containerd",
    "runc",
    "crun",
    "buildkit",
    "podman",
    "cri-o",
    "nvidia-container-toolkit",
    "libnvidia-container",
    "kubelet",
    "apparmor",
    "auditd",
    "linux-image-",
    "linux-virt",
    "linux-lts",
];

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct InstalledPackage {
    /// Its version with the distribution's revision.
    pub version: String,
    /// The source it was built from, where that is another name.
    pub source: Option<String>,
}

/// Reads what is installed of the packages that matter.
pub fn read(root: &HostRoot) -> Fact<BTreeMap<String, InstalledPackage>> {
    match root.text("/var/lib/dpkg/status", MAX_BYTES) {
        Fact::Known(text) => return Fact::Known(parse_dpkg(&text)),
        Fact::Unknown(why) => return Fact::Unknown(why),
        Fact::Absent => {}
    }
    match root.text("/lib/apk/db/installed", MAX_BYTES) {
        Fact::Known(text) => return Fact::Known(parse_apk(&text)),
        Fact::Unknown(why) => return Fact::Unknown(why),
        Fact::Absent => {}
    }
    for folder in ["/var/lib/rpm", "/usr/lib/sysimage/rpm"] {
        if root.names(folder).known().is_some_and(|n| !n.is_empty()) {
            return Fact::Unknown(format!("the rpm database in `{folder}` is not read"));
        }
    }
    Fact::Absent
}

fn is_wanted(name: &str) -> bool {
    WANTED.iter().any(|start| name.starts_with(start))
}

/// Reads dpkg's `status`.
pub fn parse_dpkg(text: &str) -> BTreeMap<String, InstalledPackage> {
    let mut found = BTreeMap::new();
    for paragraph in text.split("\n\n") {
        let field = |name: &str| {
            paragraph
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let (Some(name), Some(version)) = (field("Package"), field("Version")) else {
            continue;
        };
        let is_installed = field("Status").is_some_and(|status| status.ends_with(" installed"));
        if is_wanted(name) && is_installed && found.len() < 1024 {
            found.insert(
                name.to_owned(),
                InstalledPackage {
                    version: version.to_owned(),
                    source: field("Source").map(str::to_owned),
                },
            );
        }
    }
    found
}

/// Reads apk's `installed`.
pub fn parse_apk(text: &str) -> BTreeMap<String, InstalledPackage> {
    let mut found = BTreeMap::new();
    for paragraph in text.split("\n\n") {
        let field = |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name));
        if let (Some(name), Some(version)) = (field("P:"), field("V:"))
            && is_wanted(name)
            && found.len() < 1024
        {
            found.insert(
                name.to_owned(),
                InstalledPackage {
                    version: version.to_owned(),
                    source: field("o:").map(str::to_owned),
                },
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_that_matter_are_kept_with_their_revision() {
        let found = parse_dpkg(
            "Package: docker.io\nStatus: install ok installed\nVersion: 20.10.24+dfsg1-1+deb12u1\n\nPackage: runc\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: bash\nStatus: install ok installed\nVersion: 5\n\nPackage: containerd\nStatus: install ok installed\nSource: containerd (1.6)\nVersion: 1.6.20~ds1-1+b1\n",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found["docker.io"].version, "20.10.24+dfsg1-1+deb12u1");
        let found = parse_apk("P:runc\nV:1.1.12-r2\n\nP:musl\nV:1\n");
        assert_eq!(found["runc"].version, "1.1.12-r2");
    }
}
