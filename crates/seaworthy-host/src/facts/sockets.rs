//! What listens on the host: `/proc/net/{tcp,tcp6,unix}`, and which process holds it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::{Fact, HostRoot};

/// Bytes of one table.
const MAX_BYTES: u64 = 64 << 20;
/// Listeners kept of one table.
const MAX_LISTENERS: usize = 65_536;

/// A TCP listener.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TcpListener {
    /// Address it is bound to.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Inode of the socket.
    pub inode: u64,
}

impl TcpListener {
    /// Whether only this host itself can reach it.
    pub fn is_loopback(&self) -> bool {
        match self.address {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(address) => {
                address.is_loopback() || address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
            }
        }
    }
}

/// A listening Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnixListener {
    /// Its path, or `@name` in the abstract space.
    pub path: String,
    /// Inode of the socket.
    pub inode: u64,
}

/// Listeners of the network namespace that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Listeners {
    /// TCP over IPv4 and IPv6.
    pub tcp: Fact<Vec<TcpListener>>,
    /// Unix sockets. They belong to the network namespace too, but a path reaches them from
    /// any.
    pub unix: Fact<Vec<UnixListener>>,
}

/// Reads the listeners that the process `pid` sees (`self` for our own).
pub fn read(root: &HostRoot, pid: &str) -> Listeners {
    let four = root.text(&format!("/proc/{pid}/net/tcp"), MAX_BYTES);
    let six = root.text(&format!("/proc/{pid}/net/tcp6"), MAX_BYTES);
    let tcp = four.and_then(|four| {
        let mut all = parse_tcp(&four);
        match six {
            Fact::Known(six) => all.extend(parse_tcp(&six)),
            // A kernel without IPv6 has no such table.
            Fact::Absent => {}
            Fact::Unknown(why) => return Fact::Unknown(why),
        }
        all.sort();
        Fact::Known(all)
    });
    let unix = root
        .text(&format!("/proc/{pid}/net/unix"), MAX_BYTES)
        .map(|text| parse_unix(&text));
    Listeners { tcp, unix }
}

/// Listeners of `/proc/net/tcp` or `tcp6`: state `0A`.
pub fn parse_tcp(text: &str) -> Vec<TcpListener> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let local = fields.nth(1)?;
            let state = fields.nth(1)?;
            let inode = fields.nth(5)?;
            if state != "0A" {
                return None;
            }
            let (address, port) = local.split_once(':')?;
            Some(TcpListener {
                address: parse_address(address)?,
                port: u16::from_str_radix(port, 16).ok()?,
                inode: inode.parse().ok()?,
            })
        })
        .take(MAX_LISTENERS)
        .collect()
}

/// Words of 32 bits in the byte order of the machine, in hexadecimal digits.
fn parse_address(digits: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(digits.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match digits.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0_u8; 16];
            for (index, chunk) in bytes.chunks_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

/// Listeners of `/proc/net/unix`: flag `__SO_ACCEPTCON` (0x10000).
pub fn parse_unix(text: &str) -> Vec<UnixListener> {
    let mut listeners: Vec<UnixListener> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
            let inode = fields.nth(2)?.parse().ok()?;
            let path = fields.next()?;
            (flags & 0x10000 != 0).then(|| UnixListener {
                path: path.chars().take(256).collect(),
                inode,
            })
        })
        .take(MAX_LISTENERS)
        .collect();
    listeners.sort();
    listeners
}

/// Inodes of the sockets that a process holds.
pub fn inodes_of(root: &HostRoot, pid: u32) -> Fact<Vec<u64>> {
    let folder = format!("/proc/{pid}/fd");
    root.names(&folder).map(|names| {
        names
            .iter()
            .filter_map(|name| {
                let target = root.link(&format!("{folder}/{name}"));
                let inode = target
                    .known()?
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?;
                inode.parse().ok()
            })
            .collect()
    })
}

/// Addresses of the host's own control planes, by the paths they are known to use; what the
/// running daemons hold comes on top.
pub fn known_control_sockets() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("/run/docker.sock", "docker"),
        ("/run/containerd/containerd.sock", "containerd"),
        ("/run/docker/containerd/containerd.sock", "containerd"),
        ("/run/crio/crio.sock", "cri-o"),
        ("/run/podman/podman.sock", "podman"),
        ("/run/buildkit/buildkitd.sock", "buildkit"),
        ("/run/cri-dockerd.sock", "cri-dockerd"),
        ("/run/dockershim.sock", "dockershim"),
        ("/run/systemd/private", "systemd"),
        ("/run/dbus/system_bus_socket", "dbus"),
        ("/run/snapd.socket", "snapd"),
        ("/run/libvirt/libvirt-sock", "libvirt"),
        ("/var/lib/lxd/unix.socket", "lxd"),
        ("/var/lib/incus/unix.socket", "incus"),
        ("/var/lib/kubelet/pod-resources/kubelet.sock", "kubelet"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listeners_are_taken_and_addresses_are_read() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:0947 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n   1: 00000000:0016 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\nbroken\n";
        let found = parse_tcp(text);
        assert_eq!(found.len(), 1);
        assert!(found[0].is_loopback());
        assert_eq!((found[0].port, found[0].inode), (2375, 4711));
        let six = "h\n 0: 00000000000000000000000000000000:0947 x 0A a b c 0 0 9 1\n";
        // Columns before the inode are counted, whatever is in them.
        assert!(parse_tcp(six).is_empty() || parse_tcp(six)[0].port == 2375);
    }

    #[test]
    fn unix_listeners_have_a_path_and_accept() {
        let text = "Num RefCount Protocol Flags Type St Inode Path\n0: 00000002 00000000 00010000 0001 01 77 /run/docker.sock\n0: 00000002 00000000 00000000 0001 03 78 /run/docker.sock\n0: 00000002 00000000 00010000 0001 01 79\n";
        let found = parse_unix(text);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].path.as_str(), found[0].inode),
            ("/run/docker.sock", 77)
        );
    }
}
