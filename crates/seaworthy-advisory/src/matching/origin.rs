//! Whether a distribution made a package, or somebody else did.
//!
//! A distribution's advisories say nothing about packages that others built, even under
//! the same name, so such packages are a gap in coverage and not judged. For rpm the
//! vendor tells; dpkg has the maintainer only, who may be anybody at Debian, so there only
//! well-known outside publishers are recognised.

use seaworthy_core::{Distro, Package, PackageType};

/// Words in the rpm vendor by which a distribution calls itself.
const VENDORS: &[(&str, &[&str])] = &[
    ("almalinux", &["almalinux"]),
    ("rocky", &["rocky"]),
    ("rhel", &["red hat"]),
    ("centos", &["centos", "red hat"]),
    ("sles", &["suse"]),
    ("sled", &["suse"]),
    ("sles_sap", &["suse"]),
    ("opensuse-leap", &["suse"]),
    ("opensuse-tumbleweed", &["suse"]),
];

/// Mail domains of publishers who ship their own debs.
const OUTSIDE_MAINTAINERS: &[&str] = &[
    "@docker.com",
    "@nodesource.com",
    "@nginx.com",
    "@hashicorp.com",
    "@elastic.co",
    "@mongodb.com",
    "@grafana.com",
    "@gitlab.com",
    "@datadoghq.com",
    "@microsoft.com",
    "@nvidia.com",
];

/// Marks that outside archives put into dpkg versions.
const OUTSIDE_VERSIONS: &[&str] = &[
    "nodesource",
    ".pgdg",
    "~pgdg",
    "+pgdg",
    "deb.sury.org",
    "+sury",
];

/// Whether somebody other than the distribution built the package.
pub(super) fn is_third_party(distro: &Distro, package: &Package) -> bool {
    let vendor = package.vendor.as_deref().unwrap_or("").to_lowercase();
    if package.kind == PackageType::RPM {
        let words = VENDORS
            .iter()
            .find(|(id, _)| *id == distro.id)
            .map(|(_, words)| *words);
        // No vendor at all: nothing speaks against the distribution.
        return match words {
            Some(words) if !vendor.is_empty() => !words.iter().any(|word| vendor.contains(word)),
            _ => false,
        };
    }
    if package.kind == PackageType::DEB {
        return OUTSIDE_MAINTAINERS
            .iter()
            .any(|domain| vendor.contains(domain))
            || OUTSIDE_VERSIONS
                .iter()
                .any(|mark| package.version.contains(mark));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_publishers_are_told_from_the_distribution() {
        let check = |distro: &str, kind, version: &str, vendor: Option<&str>| {
            let mut package = Package::new(kind, "x", version);
            package.vendor = vendor.map(str::to_owned);
            is_third_party(&Distro::new(distro, None), &package)
        };
        assert!(!check(
            "almalinux",
            PackageType::RPM,
            "1-1",
            Some("AlmaLinux")
        ));
        assert!(check(
            "almalinux",
            PackageType::RPM,
            "1-1",
            Some("Fedora Project")
        ));
        assert!(!check("almalinux", PackageType::RPM, "1-1", None));
        assert!(check("debian", PackageType::DEB, "18.1-1nodesource1", None));
        assert!(check(
            "debian",
            PackageType::DEB,
            "1-1",
            Some("Docker <support@docker.com>")
        ));
        assert!(!check(
            "debian",
            PackageType::DEB,
            "1-1",
            Some("Jo Doe <jo@example.org>")
        ));
    }
}
