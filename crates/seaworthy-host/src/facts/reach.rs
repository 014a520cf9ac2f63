//! Which control sockets of the host a container can reach through its mounts.
//!
//! A mount of `/var/run` holds the engine's socket as much as a mount of the socket does,
//! and so does a volume whose driver binds it. Two mounts show the same file where their
//! file system (`major:minor`) is the same and the path inside that file system is: so the
//! kernel's mount tables of host and container are compared, and names don't matter. A
//! read-only mount does not keep anybody from connecting.

use serde::{Deserialize, Serialize};

use super::container::{Declared, ReachableSocket};
use super::engine::VolumeFacts;
use super::mountinfo::{Mount, below, mount_of};

/// A socket of the host that gives control over something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ControlSocket {
    /// What answers there.
    pub service: String,
    /// Where, links resolved.
    pub path: String,
    /// Whether something listens; `None` where that could not be told.
    pub listening: Option<bool>,
}

/// Where a path of the host is inside a container, by the mount tables of both.
pub fn container_path<'m>(
    host: &[Mount],
    container: &'m [Mount],
    host_path: &str,
) -> Option<(String, &'m Mount)> {
    let on = mount_of(host, host_path)?;
    let inside = join(&on.root, below(host_path, &on.point)?);
    container.iter().find_map(|mount| {
        if mount.device != on.device {
            return None;
        }
        let path = join(&mount.point, below(&inside, &mount.root)?);
        // A later mount may cover it.
        let top = mount_of(container, &path)?;
        (top.id == mount.id).then_some((path, mount))
    })
}

/// Sockets that a running container reaches.
pub fn by_mount_tables(
    sockets: &[ControlSocket],
    host: &[Mount],
    container: &[Mount],
) -> Vec<ReachableSocket> {
    sockets
        .iter()
        .filter_map(|socket| {
            let (container_path, mount) = container_path(host, container, &socket.path)?;
            Some(ReachableSocket {
                service: socket.service.clone(),
                host_path: socket.path.clone(),
                container_path,
                through: format!("the mount at `{}`", mount.point),
                listening: socket.listening,
            })
        })
        .collect()
}

/// Sockets that a container would reach once it is started, by what is declared.
pub fn by_declaration(
    sockets: &[ControlSocket],
    declared: &Declared,
    volumes: &[VolumeFacts],
) -> Vec<ReachableSocket> {
    let mut found = Vec::new();
    for mount in &declared.mounts {
        let source = real_source(mount.source_real.known(), &mount.name, volumes)
            .unwrap_or(mount.source.as_str());
        if source.is_empty() {
            continue;
        }
        for socket in sockets {
            if let Some(rest) = below(&socket.path, source) {
                found.push(ReachableSocket {
                    service: socket.service.clone(),
                    host_path: socket.path.clone(),
                    container_path: join(&mount.destination, rest),
                    through: format!("the declared mount of `{source}`"),
                    listening: socket.listening,
                });
            }
        }
    }
    found
}

/// Where a mount really comes from: a volume with `o=bind` is a bind mount in disguise.
pub fn real_source<'f>(
    resolved: Option<&'f String>,
    volume: &str,
    volumes: &'f [VolumeFacts],
) -> Option<&'f str> {
    let disguised = volumes
        .iter()
        .find(|v| !volume.is_empty() && v.name == volume);
    if let Some(volume) = disguised
        && volume
            .options
            .get("o")
            .is_some_and(|o| o.split(',').any(|word| word == "bind" || word == "rbind"))
        && let Some(device) = volume.options.get("device")
    {
        return Some(device);
    }
    resolved.map(String::as_str)
}

fn join(folder: &str, rest: &str) -> String {
    let joined = format!("{}{rest}", folder.trim_end_matches('/'));
    if joined.is_empty() {
        "/".to_owned()
    } else {
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::super::Fact;
    use super::super::container::DeclaredMount;
    use super::super::mountinfo::parse;
    use super::*;

    fn docker() -> Vec<ControlSocket> {
        vec![ControlSocket {
            service: "docker".into(),
            path: "/run/docker.sock".into(),
            listening: Some(true),
        }]
    }

    fn reached(container: &str) -> Vec<String> {
        let (host, _) = parse("1 0 8:1 / / rw - ext4 a rw\n2 1 0:20 / /run rw - tmpfs t rw\n");
        let (container, broken) = parse(container);
        assert_eq!(broken, 0);
        by_mount_tables(&docker(), &host, &container)
            .into_iter()
            .map(|socket| socket.container_path)
            .collect()
    }

    #[test]
    fn a_parent_folder_reaches_the_socket_read_only_or_not() {
        let root = "1 0 0:50 / / rw - overlay o rw\n";
        assert_eq!(
            reached(&format!("{root}2 1 0:20 / /host/run ro - tmpfs t rw\n")),
            ["/host/run/docker.sock"]
        );
        assert_eq!(
            reached(&format!(
                "{root}2 1 0:20 /docker.sock /d.sock ro - tmpfs t rw\n"
            )),
            ["/d.sock"]
        );
        assert!(reached(&format!("{root}2 1 0:20 /lock /l rw - tmpfs t rw\n")).is_empty());
        assert!(reached(root).is_empty());
    }

    #[test]
    fn a_mount_on_top_hides_it() {
        assert!(
            reached("1 0 0:50 / / rw - overlay o rw\n2 1 0:20 / /r rw - tmpfs t rw\n3 2 0:99 / /r/docker.sock rw - tmpfs n rw\n")
                .is_empty()
        );
    }

    #[test]
    fn a_volume_that_binds_is_seen_through() {
        let declared = Declared {
            mounts: vec![DeclaredMount {
                kind: "volume".into(),
                name: "v".into(),
                source: "/var/lib/docker/volumes/v/_data".into(),
                source_real: Fact::Known("/var/lib/docker/volumes/v/_data".into()),
                destination: "/data".into(),
                ..DeclaredMount::default()
            }],
            ..Declared::default()
        };
        let volume = VolumeFacts {
            name: "v".into(),
            options: [("o", "bind"), ("device", "/run"), ("type", "none")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            ..VolumeFacts::default()
        };
        let found = by_declaration(&docker(), &declared, &[volume]);
        assert_eq!(found[0].container_path, "/data/docker.sock");
        assert!(by_declaration(&docker(), &declared, &[]).is_empty());
    }
}
