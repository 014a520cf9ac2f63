//! The ecosystems whose advisories are matched: what OSV calls them, how their packages
//! are named, and which installed distribution they judge.
//!
//! Adding one is a row here (and, where a publisher is new, a file in `publishers/`).
//! Names of ecosystems follow the OSV schema, "Defined ecosystems"; the part after the
//! colon is a release, and what publishers write there differs (`Debian:12`,
//! `Alpine:v3.20`, `Ubuntu:24.04:LTS`, `Red Hat:enterprise_linux:9::baseos`,
//! `SUSE:Linux Enterprise Server 15 SP5`).

use std::borrow::Cow;

use seaworthy_core::{Distro, PackageType};

use crate::distros;
use crate::version::VersionScheme;

/// Which name of an installed package an advisory speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameKind {
    /// The source (Debian), origin (Alpine) or source rpm name.
    Source,
    /// The name of the installed package itself.
    Binary,
    /// Either: the feed lists both.
    Either,
}

/// An ecosystem that is matched.
#[derive(Debug)]
pub struct Ecosystem {
    /// OSV's name, without release.
    pub name: &'static str,
    /// purl type of its packages.
    pub package_type: PackageType,
    /// How its versions are ordered.
    pub scheme: VersionScheme,
    /// Brings a name into the form under which it is stored and looked up.
    pub normalise: fn(&str) -> Cow<'_, str>,
    /// The names its advisories use, unless a publisher's interpreter says otherwise.
    pub names: NameKind,
    /// Values of os-release's `ID` that it judges; empty for language ecosystems.
    pub distro_ids: &'static [&'static str],
    /// The shard for the part after the colon in an advisory; `None` for a release or
    /// product that is not matched.
    pub shard_of_release: fn(&str) -> Option<String>,
    /// The shard for an installed distribution.
    pub shard_of_distro: fn(&Distro) -> Option<String>,
}

/// All of them, distributions first.
pub static ECOSYSTEMS: &[Ecosystem] = &[
    Ecosystem {
        name: "Debian",
        package_type: PackageType::DEB,
        scheme: VersionScheme::Dpkg,
        normalise: as_is,
        names: NameKind::Source,
        distro_ids: &["debian"],
        shard_of_release: |release| plain("Debian", release),
        shard_of_distro: |distro| {
            // Testing images have a code name and no version.
            let release = distros::facts_of(distro).and_then(|(_, release)| release);
            let version = match (&distro.version_id, release) {
                (_, Some(release)) => release.version.to_owned(),
                (Some(_), None) => distro.version_prefix(1)?,
                (None, None) => return None,
            };
            Some(format!("Debian:{version}"))
        },
    },
    Ecosystem {
        name: "Ubuntu",
        package_type: PackageType::DEB,
        scheme: VersionScheme::Dpkg,
        normalise: as_is,
        names: NameKind::Source,
        distro_ids: &["ubuntu"],
        shard_of_release: ubuntu_release,
        shard_of_distro: |distro| Some(format!("Ubuntu:{}", distro.version_prefix(2)?)),
    },
    Ecosystem {
        name: "Alpine",
        package_type: PackageType::APK,
        scheme: VersionScheme::Apk,
        normalise: as_is,
        names: NameKind::Source,
        distro_ids: &["alpine"],
        shard_of_release: |release| plain("Alpine", release),
        shard_of_distro: |distro| {
            let version = distro.version_id.as_deref()?;
            // `3.21_alpha20240807` is what edge calls itself.
            if version.contains("_alpha") || version == "edge" {
                return Some("Alpine:edge".to_owned());
            }
            Some(format!("Alpine:v{}", distro.version_prefix(2)?))
        },
    },
    Ecosystem {
        name: "Wolfi",
        package_type: PackageType::APK,
        scheme: VersionScheme::Apk,
        normalise: as_is,
        names: NameKind::Either,
        distro_ids: &["wolfi"],
        shard_of_release: |release| rolling("Wolfi", release),
        shard_of_distro: |_| Some("Wolfi".to_owned()),
    },
    Ecosystem {
        name: "Chainguard",
        package_type: PackageType::APK,
        scheme: VersionScheme::Apk,
        normalise: as_is,
        names: NameKind::Either,
        distro_ids: &["chainguard"],
        shard_of_release: |release| rolling("Chainguard", release),
        shard_of_distro: |_| Some("Chainguard".to_owned()),
    },
    Ecosystem {
        name: "AlmaLinux",
        package_type: PackageType::RPM,
        scheme: VersionScheme::Rpm,
        normalise: as_is,
        names: NameKind::Binary,
        distro_ids: &["almalinux"],
        shard_of_release: |release| plain("AlmaLinux", release),
        shard_of_distro: |distro| Some(format!("AlmaLinux:{}", distro.version_prefix(1)?)),
    },
    Ecosystem {
        name: "Rocky Linux",
        package_type: PackageType::RPM,
        scheme: VersionScheme::Rpm,
        normalise: as_is,
        names: NameKind::Source,
        distro_ids: &["rocky"],
        shard_of_release: |release| plain("Rocky Linux", release),
        shard_of_distro: |distro| Some(format!("Rocky Linux:{}", distro.version_prefix(1)?)),
    },
    Ecosystem {
        name: "Red Hat",
        package_type: PackageType::RPM,
        scheme: VersionScheme::Rpm,
        normalise: as_is,
        names: NameKind::Binary,
        // CentOS rebuilt the same sources with the same versions.
        distro_ids: &["rhel", "centos"],
        shard_of_release: red_hat_release,
        shard_of_distro: |distro| Some(format!("Red Hat:{}", distro.version_prefix(1)?)),
    },
    Ecosystem {
        name: "SUSE",
        package_type: PackageType::RPM,
        scheme: VersionScheme::Rpm,
        normalise: as_is,
        names: NameKind::Source,
        distro_ids: &["sles", "sled", "sles_sap"],
        shard_of_release: suse_release,
        shard_of_distro: |distro| Some(format!("SUSE:{}", distro.version_prefix(2)?)),
    },
    Ecosystem {
        name: "openSUSE",
        package_type: PackageType::RPM,
        scheme: VersionScheme::Rpm,
        normalise: as_is,
        names: NameKind::Source,
        distro_ids: &["opensuse-leap", "opensuse-tumbleweed"],
        shard_of_release: |release| plain("openSUSE", release),
        shard_of_distro: |distro| match distro.id.as_str() {
            "opensuse-tumbleweed" => Some("openSUSE:Tumbleweed".to_owned()),
            _ => Some(format!("openSUSE:Leap {}", distro.version_prefix(2)?)),
        },
    },
    Ecosystem {
        name: "PyPI",
        package_type: PackageType::PYPI,
        scheme: VersionScheme::Pep440,
        normalise: pep503,
        names: NameKind::Binary,
        distro_ids: &[],
        shard_of_release: |release| rolling("PyPI", release),
        shard_of_distro: |_| None,
    },
    Ecosystem {
        name: "npm",
        package_type: PackageType::NPM,
        scheme: VersionScheme::Npm,
        normalise: lower_case,
        names: NameKind::Binary,
        distro_ids: &[],
        shard_of_release: |release| rolling("npm", release),
        shard_of_distro: |_| None,
    },
    Ecosystem {
        name: "Go",
        package_type: PackageType::GOLANG,
        scheme: VersionScheme::Go,
        normalise: as_is,
        names: NameKind::Binary,
        distro_ids: &[],
        shard_of_release: |release| rolling("Go", release),
        shard_of_distro: |_| None,
    },
];

/// Ecosystems of the OSV schema whose advisories are not matched yet. Their records are
/// read for the scores they carry, and counted.
pub static NOT_YET: &[&str] = &[
    "Alpaquita",
    "Android",
    "Azure Linux",
    "BellSoft Hardened Containers",
    "Bioconductor",
    "Bitnami",
    "CleanStart",
    "ConanCenter",
    "CRAN",
    "crates.io",
    "Docker Hardened Images",
    "Echo",
    "FreeBSD",
    "GHC",
    "GIT",
    "GitHub Actions",
    "Hackage",
    "Hex",
    "Julia",
    "Kubernetes",
    "Linux",
    "Mageia",
    "Maven",
    "MinimOS",
    "NuGet",
    "opam",
    "openEuler",
    "OSS-Fuzz",
    "Packagist",
    "Photon OS",
    "Pub",
    "Root",
    "RubyGems",
    "SwiftURL",
    "TuxCare",
    "VSCode",
];

/// The ecosystem of an OSV name, which may carry a release (`Debian:12`).
pub fn by_osv_name(name: &str) -> Option<&'static Ecosystem> {
    let base = base_name(name);
    ECOSYSTEMS.iter().find(|row| row.name == base)
}

/// The name without its release.
pub fn base_name(name: &str) -> &str {
    name.split_once(':').map_or(name, |(base, _)| base)
}

/// The shard in which an advisory for this OSV ecosystem belongs: `Debian:12` for
/// `Debian:12`, `Red Hat:9` for `Red Hat:enterprise_linux:9::baseos`. `None` where the
/// ecosystem, release or product is not matched.
pub fn shard_of(osv_name: &str) -> Option<(&'static Ecosystem, String)> {
    let ecosystem = by_osv_name(osv_name)?;
    let release = osv_name.split_once(':').map_or("", |(_, release)| release);
    Some((ecosystem, (ecosystem.shard_of_release)(release)?))
}

/// The ecosystem that judges the packages of a distribution.
pub fn of_distro(distro: &Distro) -> Option<&'static Ecosystem> {
    ECOSYSTEMS
        .iter()
        .find(|row| row.distro_ids.contains(&distro.id.as_str()))
}

/// The language ecosystem of a purl type.
pub fn of_package_type(kind: &PackageType) -> Option<&'static Ecosystem> {
    of_package_type_name(kind.as_str())
}

/// The language ecosystem of a purl type's name.
pub fn of_package_type_name(kind: &str) -> Option<&'static Ecosystem> {
    ECOSYSTEMS
        .iter()
        .find(|row| row.distro_ids.is_empty() && row.package_type.as_str() == kind)
}

fn plain(base: &str, release: &str) -> Option<String> {
    (!release.is_empty()).then(|| format!("{base}:{release}"))
}

fn rolling(base: &str, release: &str) -> Option<String> {
    release.is_empty().then(|| base.to_owned())
}

/// `24.04:LTS`, `24.10`, `Pro:24.04:LTS`. Kernel, FIPS, real-time and BlueField products
/// of Ubuntu Pro are no part of an ordinary image.
fn ubuntu_release(release: &str) -> Option<String> {
    match release.split(':').collect::<Vec<_>>().as_slice() {
        [version] | [version, "LTS"] if is_version(version) => Some(format!("Ubuntu:{version}")),
        ["Pro", version] | ["Pro", version, "LTS"] if is_version(version) => {
            Some(format!("Ubuntu:Pro:{version}"))
        }
        _ => None,
    }
}

/// `enterprise_linux:9::baseos`: only the plain product. The streams with longer support
/// (`rhel_eus`, `rhel_aus` …) get other fixes and need the image's content sets.
fn red_hat_release(release: &str) -> Option<String> {
    let rest = release.strip_prefix("enterprise_linux:")?;
    let major = rest.split([':', '.']).next()?;
    is_version(major).then(|| format!("Red Hat:{major}"))
}

/// `Linux Enterprise Server 15 SP5`, `Linux Enterprise Module for Basesystem 15 SP5`: the
/// modules of one service pack share their packages, so they share a shard. Streams with
/// longer support (LTSS, ESPOS) are left out: an image doesn't say that it gets them.
fn suse_release(release: &str) -> Option<String> {
    if release.contains("LTSS") || release.contains("ESPOS") {
        return None;
    }
    let words: Vec<&str> = release.split([' ', '-']).collect();
    for (i, word) in words.iter().enumerate() {
        if !is_version(word) {
            continue;
        }
        let pack = words
            .get(i + 1)
            .and_then(|next| next.strip_prefix("SP"))
            .filter(|pack| is_version(pack));
        return Some(match pack {
            Some(pack) => format!("SUSE:{word}.{pack}"),
            None => format!("SUSE:{word}"),
        });
    }
    None
}

fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn as_is(name: &str) -> Cow<'_, str> {
    Cow::Borrowed(name)
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if name.chars().any(char::is_uppercase) {
        Cow::Owned(name.to_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// PEP 503: lower case, runs of `-`, `_` and `.` are one `-`.
fn pep503(name: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            if !out.ends_with('-') {
                out.push('-');
            }
        } else {
            out.extend(c.to_lowercase());
        }
    }
    if out == name {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn advisory(osv: &str, expected: Option<&str>) {
        assert_eq!(
            shard_of(osv).map(|(_, shard)| shard).as_deref(),
            expected,
            "{osv}"
        );
    }

    #[test]
    fn every_publishers_spelling_of_a_release_finds_its_shard() {
        advisory("Debian:12", Some("Debian:12"));
        advisory("Ubuntu:24.04:LTS", Some("Ubuntu:24.04"));
        advisory("Ubuntu:24.10", Some("Ubuntu:24.10"));
        advisory("Ubuntu:Pro:18.04:LTS", Some("Ubuntu:Pro:18.04"));
        advisory("Ubuntu:Pro:FIPS:18.04:LTS", None);
        advisory("Alpine:v3.20", Some("Alpine:v3.20"));
        advisory("Red Hat:enterprise_linux:9::baseos", Some("Red Hat:9"));
        advisory("Red Hat:rhel_eus:9.2::baseos", None);
        advisory(
            "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
            Some("SUSE:15.5"),
        );
        advisory("SUSE:Linux Enterprise Server 15 SP3-LTSS", None);
        advisory("SUSE:Linux Enterprise Micro 5.5", Some("SUSE:5.5"));
        advisory("npm", Some("npm"));
        advisory("crates.io", None);
    }

    #[track_caller]
    fn installed(id: &str, version: Option<&str>, expected: Option<&str>) {
        let distro = Distro::new(id, version);
        let shard = of_distro(&distro).and_then(|row| (row.shard_of_distro)(&distro));
        assert_eq!(shard.as_deref(), expected, "{id} {version:?}");
    }

    #[test]
    fn an_installed_release_finds_its_shard() {
        installed("debian", Some("12"), Some("Debian:12"));
        installed("debian", None, None);
        installed("ubuntu", Some("24.04"), Some("Ubuntu:24.04"));
        installed("alpine", Some("3.20.3"), Some("Alpine:v3.20"));
        installed("alpine", Some("3.21_alpha20240807"), Some("Alpine:edge"));
        installed("almalinux", Some("9.4"), Some("AlmaLinux:9"));
        installed("rocky", Some("9.3"), Some("Rocky Linux:9"));
        installed("rhel", Some("8.10"), Some("Red Hat:8"));
        installed("sles", Some("15.5"), Some("SUSE:15.5"));
        installed("opensuse-leap", Some("15.5"), Some("openSUSE:Leap 15.5"));
        installed("wolfi", Some("20230201"), Some("Wolfi"));
        installed("arch", None, None);
        let trixie = Distro {
            id: "debian".into(),
            codename: Some("trixie".into()),
            ..Distro::default()
        };
        let row = of_distro(&trixie).unwrap();
        assert_eq!((row.shard_of_distro)(&trixie).as_deref(), Some("Debian:13"));
    }

    #[test]
    fn names_are_brought_into_one_form() {
        assert_eq!(pep503("Flask__Cors.x"), "flask-cors-x");
        assert_eq!(lower_case("JSONStream"), "jsonstream");
    }
}
