//! Packages of the distribution that nobody has upgraded for years: Heartbleed, Shellshock,
//! the backdoor in xz and more.

use seaworthy_engine::MemoryLayer;

use super::Threat;

pub const THREAT: Threat = Threat {
    summary: "Debian packages with Heartbleed, Shellshock, the xz backdoor and other classics",
    created_by: "ADD rootfs.tar / # a base image nobody rebuilt",
    plant,
    env: &[],
};

const OS_RELEASE: &str = "\
PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"
NAME=\"Debian GNU/Linux\"
VERSION_ID=\"12\"
VERSION_CODENAME=bookworm
ID=debian
";

/// Name, version, source package where it has another name.
const PACKAGES: &[(&str, &str, Option<&str>)] = &[
    ("openssl", "1.0.1e-2", None),
    ("libssl1.0.0", "1.0.1e-2", Some("openssl")),
    ("bash", "4.2+dfsg-0.1", None),
    ("liblzma5", "5.6.0-0.2", Some("xz-utils")),
    ("libc6", "2.36-9+deb12u1", Some("glibc")),
    ("sudo", "1.8.27-1", None),
    ("openssh-server", "1:9.2p1-2+deb12u1", Some("openssh")),
    ("curl", "7.88.1-10+deb12u3", None),
    ("base-files", "12.4+deb12u5", None),
];

fn plant(layer: MemoryLayer) -> MemoryLayer {
    let mut status = String::new();
    for (name, version, source) in PACKAGES {
        status.push_str(&format!("Package: {name}\nStatus: install ok installed\n"));
        if let Some(source) = source {
            status.push_str(&format!("Source: {source}\n"));
        }
        status.push_str(&format!(
            "Maintainer: Debian <debian@example.org>\nArchitecture: amd64\nVersion: {version}\n\n"
        ));
    }
    layer
        .file("etc/os-release", OS_RELEASE)
        .file("var/lib/dpkg/status", status)
}
