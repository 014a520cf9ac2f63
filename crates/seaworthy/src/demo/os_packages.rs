//! Packages of the distribution that nobody has upgraded for years: Log4Shell, PwnKit, Looney
//! Tunables and more.

use seaworthy_engine::MemoryLayer;

use super::Threat;

pub const THREAT: Threat = Threat {
    summary: "Debian packages with Log4Shell, PwnKit, Looney Tunables and other classics",
    created_by: "ADD rootfs.tar / # a base image nobody rebuilt",
    plant,
    env: &[],
};

const OS_RELEASE: &str = "\
PRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"
NAME=\"Debian GNU/Linux\"
VERSION_ID=\"11\"
VERSION_CODENAME=bullseye
ID=debian
";

/// What the package `openssl` says of its program: a later layer brings another one.
const OPENSSL_DIGEST: &str = "6ae5b8be1b8ff3e5b4d9d7e4f6f0d0c3  usr/bin/openssl\n";

/// Name, version, source package where it has another name.
const PACKAGES: &[(&str, &str, Option<&str>)] = &[
    ("base-files", "11.1", None),
    ("openssl", "1.1.1k-1", None),
    ("libssl1.1", "1.1.1k-1", Some("openssl")),
    ("liblog4j2-java", "2.13.3-1", Some("apache-log4j2")),
    ("libc6", "2.31-13", Some("glibc")),
    ("policykit-1", "0.105-31", None),
    ("sudo", "1.9.5p2-3", None),
    ("curl", "7.74.0-1.3", None),
    ("zlib1g", "1:1.2.11.dfsg-2", Some("zlib")),
    ("liblzma5", "5.2.5-2", Some("xz-utils")),
    ("redis-server", "5:6.0.15-1", Some("redis")),
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
        .file("var/lib/dpkg/info/openssl.list", "/usr/bin/openssl\n")
        .file("var/lib/dpkg/info/openssl.md5sums", OPENSSL_DIGEST)
        .file("var/lib/dpkg/status", status)
}
