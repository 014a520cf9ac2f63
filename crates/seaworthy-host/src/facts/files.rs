//! Owners and modes of the files that decide who controls the engine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reader::FileFact;
use super::{Fact, HostRoot};

/// Paths that are always looked at. Programs are looked for in each folder.
const FIXED: &[&str] = &[
    "/",
    "/etc/default/docker",
    "/etc/docker",
    "/etc/docker/daemon.json",
    "/etc/containerd",
    "/etc/containerd/config.toml",
    "/etc/sysconfig/docker",
    "/run/containerd",
    "/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/var/lib/docker",
    "/var/lib/containerd",
];
/// Programs, looked for in [`PROGRAM_FOLDERS`].
pub const PROGRAMS: &[&str] = &[
    "dockerd",
    "containerd",
    "containerd-shim",
    "containerd-shim-runc-v1",
    "containerd-shim-runc-v2",
    "runc",
];
/// Where programs lie.
pub const PROGRAM_FOLDERS: &[&str] =
    &["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
/// Certificates looked at below `/etc/docker/certs.d`.
const MAX_CERTIFICATES: usize = 1024;

/// Files by path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct FileFacts {
    /// What each path is. Paths that were not asked for are missing.
    pub paths: BTreeMap<String, Fact<FileFact>>,
    /// Certificates and keys of registries, below `/etc/docker/certs.d`.
    pub registry_certificates: Fact<Vec<String>>,
}

impl FileFacts {
    /// What a path is.
    pub fn get(&self, path: &str) -> Fact<&FileFact> {
        match self.paths.get(path) {
            Some(found) => found.as_ref(),
            None => Fact::default(),
        }
    }

    /// Where a program lies.
    pub fn program(&self, name: &str) -> Option<String> {
        PROGRAM_FOLDERS
            .iter()
            .map(|folder| format!("{folder}/{name}"))
            .find(|path| self.get(path).known().is_some())
    }

    /// Looks at more paths.
    pub fn add<'p>(&mut self, root: &HostRoot, paths: impl IntoIterator<Item = &'p str>) {
        for path in paths {
            if path.starts_with('/') && self.paths.len() < 8192 {
                self.paths
                    .entry(path.to_owned())
                    .or_insert_with(|| root.stat(path));
            }
        }
    }
}

/// Looks at all of them.
pub fn read(root: &HostRoot) -> FileFacts {
    let mut files = FileFacts::default();
    files.add(root, FIXED.iter().copied());
    for folder in PROGRAM_FOLDERS {
        for name in PROGRAMS {
            files.add(root, [format!("{folder}/{name}").as_str()]);
        }
    }
    files.registry_certificates = certificates(root);
    if let Fact::Known(found) = files.registry_certificates.clone() {
        files.add(root, found.iter().map(String::as_str));
    }
    files
}

fn certificates(root: &HostRoot) -> Fact<Vec<String>> {
    const FOLDER: &str = "/etc/docker/certs.d";
    root.names(FOLDER).and_then(|registries| {
        let mut found = Vec::new();
        for registry in registries {
            let folder = format!("{FOLDER}/{registry}");
            match root.names(&folder) {
                Fact::Known(names) => found.extend(
                    names
                        .iter()
                        .filter(|name| {
                            [".crt", ".cert", ".key", ".pem"]
                                .iter()
                                .any(|end| name.ends_with(end))
                        })
                        .map(|name| format!("{folder}/{name}")),
                ),
                Fact::Absent => {}
                Fact::Unknown(why) => return Fact::Unknown(why),
            }
            if found.len() > MAX_CERTIFICATES {
                return Fact::Unknown(format!("over {MAX_CERTIFICATES} files in `{FOLDER}`"));
            }
        }
        Fact::Known(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_of_every_registry_are_looked_at() {
        let tree = tempfile::tempdir().unwrap();
        let folder = tree.path().join("etc/docker/certs.d/r:5000");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("ca.crt"), "").unwrap();
        std::fs::write(folder.join("client.key"), "").unwrap();
        std::fs::write(folder.join("note"), "").unwrap();
        let files = read(&HostRoot::new(tree.path()));
        assert_eq!(
            files.registry_certificates,
            Fact::Known(vec![
                "/etc/docker/certs.d/r:5000/ca.crt".into(),
                "/etc/docker/certs.d/r:5000/client.key".into()
            ])
        );
        assert!(
            files
                .get("/etc/docker/certs.d/r:5000/client.key")
                .known()
                .is_some()
        );
        assert_eq!(files.get("/run/docker.sock"), Fact::Absent);
        assert!(files.get("/never/asked").why_unknown().is_some());
    }
}
