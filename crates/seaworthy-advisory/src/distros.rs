//! Facts about distributions: their releases, code names, and when each stops getting
//! security fixes that everybody can have.
//!
//! The dates are the publishers' own, written down from the page named beside each row;
//! where support is sold longer (Ubuntu Pro, LTSS, ELTS, EUS) the free end counts, and for
//! Debian the end of its free long-term support. A release without a date has none
//! published; a rolling distribution has no rows.

use seaworthy_core::Distro;

/// What is known of a distribution.
#[derive(Debug)]
pub struct DistroFacts {
    /// os-release's `ID`.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// Its releases, oldest first; empty for rolling ones.
    pub releases: &'static [Release],
}

/// A release of a distribution.
#[derive(Debug)]
pub struct Release {
    /// The leading parts of os-release's `VERSION_ID` that name it.
    pub version: &'static str,
    /// Code name, where it has one; else empty.
    pub codename: &'static str,
    /// Last day of security fixes, `YYYY-MM-DD`.
    pub end_of_life: Option<&'static str>,
}

impl Release {
    /// Whether the release gets no more fixes at the given time.
    pub fn is_past_end(&self, now_unix: i64) -> bool {
        let Some(date) = self
            .end_of_life
            .and_then(|date| date.parse::<jiff::civil::Date>().ok())
        else {
            return false;
        };
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC);
        // The last day still counts.
        midnight.is_ok_and(|end| end.timestamp().as_second().saturating_add(86_400) <= now_unix)
    }
}

/// What is known of the distribution, and of the release where it is a known one.
pub fn facts_of(distro: &Distro) -> Option<(&'static DistroFacts, Option<&'static Release>)> {
    let facts = DISTROS.iter().find(|facts| facts.id == distro.id)?;
    let by_version = |release: &&Release| {
        let parts = release.version.split('.').count();
        distro.version_prefix(parts).as_deref() == Some(release.version)
    };
    let by_codename = |release: &&Release| {
        !release.codename.is_empty() && distro.codename.as_deref() == Some(release.codename)
    };
    let release = facts
        .releases
        .iter()
        .find(by_version)
        .or_else(|| facts.releases.iter().find(by_codename));
    Some((facts, release))
}

const fn release(
    version: &'static str,
    codename: &'static str,
    end_of_life: Option<&'static str>,
) -> Release {
    Release {
        version,
        codename,
        end_of_life,
    }
}

/// All known distributions.
pub static DISTROS: &[DistroFacts] = &[
    // https://www.debian.org/releases/ and https://wiki.debian.org/LTS (the end of LTS)
    DistroFacts {
        id: "debian",
        name: "Debian",
        releases: &[
            release("3.0", "woody", Some("2006-06-30")),
            release("3.1", "sarge", Some("2008-03-31")),
            release("4.0", "etch", Some("2010-02-15")),
            release("5.0", "lenny", Some("2012-02-06")),
            release("6.0", "squeeze", Some("2016-02-29")),
            release("7", "wheezy", Some("2018-05-31")),
            release("8", "jessie", Some("2020-06-30")),
            release("9", "stretch", Some("2022-06-30")),
            release("10", "buster", Some("2024-06-30")),
            release("11", "bullseye", Some("2026-08-31")),
            release("12", "bookworm", Some("2028-06-30")),
            release("13", "trixie", Some("2030-06-30")),
            release("14", "forky", None),
        ],
    },
    // https://ubuntu.com/about/release-cycle (standard security maintenance)
    DistroFacts {
        id: "ubuntu",
        name: "Ubuntu",
        releases: &[
            release("14.04", "trusty", Some("2019-04-25")),
            release("16.04", "xenial", Some("2021-04-30")),
            release("18.04", "bionic", Some("2023-05-31")),
            release("20.04", "focal", Some("2025-05-31")),
            release("22.04", "jammy", Some("2027-06-01")),
            release("22.10", "kinetic", Some("2023-07-20")),
            release("23.04", "lunar", Some("2024-01-25")),
            release("23.10", "mantic", Some("2024-07-11")),
            release("24.04", "noble", Some("2029-05-31")),
            release("24.10", "oracular", Some("2025-07-10")),
            release("25.04", "plucky", Some("2026-01-15")),
            release("25.10", "questing", Some("2026-07-09")),
            release("26.04", "resolute", Some("2031-05-29")),
        ],
    },
    // https://alpinelinux.org/releases/
    DistroFacts {
        id: "alpine",
        name: "Alpine Linux",
        releases: &[
            release("3.2", "", Some("2017-05-01")),
            release("3.3", "", Some("2017-11-01")),
            release("3.4", "", Some("2018-05-01")),
            release("3.5", "", Some("2018-11-01")),
            release("3.6", "", Some("2019-05-01")),
            release("3.7", "", Some("2019-11-01")),
            release("3.8", "", Some("2020-05-01")),
            release("3.9", "", Some("2020-11-01")),
            release("3.10", "", Some("2021-05-01")),
            release("3.11", "", Some("2021-11-01")),
            release("3.12", "", Some("2022-05-01")),
            release("3.13", "", Some("2022-11-01")),
            release("3.14", "", Some("2023-05-01")),
            release("3.15", "", Some("2023-11-01")),
            release("3.16", "", Some("2024-05-23")),
            release("3.17", "", Some("2024-11-22")),
            release("3.18", "", Some("2025-05-09")),
            release("3.19", "", Some("2025-11-01")),
            release("3.20", "", Some("2026-04-01")),
            release("3.21", "", Some("2026-11-01")),
            release("3.22", "", Some("2027-05-01")),
            release("3.23", "", Some("2027-11-01")),
        ],
    },
    // https://wiki.almalinux.org/release-notes/
    DistroFacts {
        id: "almalinux",
        name: "AlmaLinux",
        releases: &[
            release("8", "", Some("2029-05-31")),
            release("9", "", Some("2032-05-31")),
            release("10", "", Some("2035-05-31")),
        ],
    },
    // https://wiki.rockylinux.org/rocky/version/
    DistroFacts {
        id: "rocky",
        name: "Rocky Linux",
        releases: &[
            release("8", "", Some("2029-05-31")),
            release("9", "", Some("2032-05-31")),
            release("10", "", Some("2035-05-31")),
        ],
    },
    // https://access.redhat.com/support/policy/updates/errata (maintenance support)
    DistroFacts {
        id: "rhel",
        name: "Red Hat Enterprise Linux",
        releases: &[
            release("5", "", Some("2017-03-31")),
            release("6", "", Some("2020-11-30")),
            release("7", "", Some("2024-06-30")),
            release("8", "", Some("2029-05-31")),
            release("9", "", Some("2032-05-31")),
            release("10", "", Some("2035-05-31")),
        ],
    },
    // https://www.centos.org/ (8: CentOS Linux; 9 and later: Stream)
    DistroFacts {
        id: "centos",
        name: "CentOS",
        releases: &[
            release("6", "", Some("2020-11-30")),
            release("7", "", Some("2024-06-30")),
            release("8", "", Some("2021-12-31")),
            release("9", "", Some("2027-05-31")),
            release("10", "", Some("2030-05-31")),
        ],
    },
    // https://docs.fedoraproject.org/en-US/releases/eol/
    DistroFacts {
        id: "fedora",
        name: "Fedora Linux",
        releases: &[
            release("35", "", Some("2022-12-13")),
            release("36", "", Some("2023-05-16")),
            release("37", "", Some("2023-12-05")),
            release("38", "", Some("2024-05-21")),
            release("39", "", Some("2024-11-26")),
            release("40", "", Some("2025-05-13")),
            release("41", "", Some("2025-12-15")),
            release("42", "", Some("2026-05-13")),
            release("43", "", Some("2026-12-02")),
        ],
    },
    // https://aws.amazon.com/linux/
    DistroFacts {
        id: "amzn",
        name: "Amazon Linux",
        releases: &[
            release("2018.03", "", Some("2023-12-31")),
            release("2", "", Some("2026-06-30")),
            release("2023", "", Some("2029-06-30")),
        ],
    },
    // https://www.oracle.com/a/ocom/docs/elsp-lifetime-069338.pdf (premier support)
    DistroFacts {
        id: "ol",
        name: "Oracle Linux",
        releases: &[
            release("6", "", Some("2021-03-31")),
            release("7", "", Some("2024-12-31")),
            release("8", "", Some("2029-07-31")),
            release("9", "", Some("2032-06-30")),
            release("10", "", Some("2035-06-30")),
        ],
    },
    // https://www.suse.com/lifecycle (general support)
    DistroFacts {
        id: "sles",
        name: "SUSE Linux Enterprise Server",
        releases: &[
            release("12.5", "", Some("2024-10-31")),
            release("15.1", "", Some("2021-01-31")),
            release("15.2", "", Some("2021-12-31")),
            release("15.3", "", Some("2022-12-31")),
            release("15.4", "", Some("2023-12-31")),
            release("15.5", "", Some("2024-12-31")),
            release("15.6", "", Some("2025-12-31")),
            release("15.7", "", Some("2031-07-31")),
        ],
    },
    // https://en.opensuse.org/Lifetime
    DistroFacts {
        id: "opensuse-leap",
        name: "openSUSE Leap",
        releases: &[
            release("15.0", "", Some("2019-12-03")),
            release("15.1", "", Some("2021-02-02")),
            release("15.2", "", Some("2022-01-04")),
            release("15.3", "", Some("2022-12-31")),
            release("15.4", "", Some("2023-12-07")),
            release("15.5", "", Some("2024-12-31")),
            release("15.6", "", Some("2026-04-30")),
            release("16.0", "", Some("2027-10-31")),
        ],
    },
    // https://en.opensuse.org/Portal:Tumbleweed
    DistroFacts {
        id: "opensuse-tumbleweed",
        name: "openSUSE Tumbleweed",
        releases: &[],
    },
    // https://github.com/vmware/photon/wiki (support schedule)
    DistroFacts {
        id: "photon",
        name: "VMware Photon OS",
        releases: &[
            release("1.0", "", Some("2022-02-28")),
            release("2.0", "", Some("2022-12-31")),
            release("3.0", "", Some("2024-03-01")),
            release("4.0", "", None),
            release("5.0", "", None),
        ],
    },
    // https://github.com/microsoft/azurelinux (support lifecycle)
    DistroFacts {
        id: "mariner",
        name: "CBL-Mariner",
        releases: &[
            release("1.0", "", Some("2023-07-31")),
            release("2.0", "", Some("2025-07-31")),
        ],
    },
    // https://github.com/microsoft/azurelinux (support lifecycle)
    DistroFacts {
        id: "azurelinux",
        name: "Azure Linux",
        releases: &[release("3.0", "", Some("2027-07-31"))],
    },
    // https://github.com/wolfi-dev (rolling)
    DistroFacts {
        id: "wolfi",
        name: "Wolfi",
        releases: &[],
    },
    // https://www.chainguard.dev (rolling)
    DistroFacts {
        id: "chainguard",
        name: "Chainguard OS",
        releases: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_release_is_its_release() {
        let (facts, release) = facts_of(&Distro::new("alpine", Some("3.20.3"))).unwrap();
        assert_eq!(
            (facts.name, release.unwrap().version),
            ("Alpine Linux", "3.20")
        );
        assert!(facts_of(&Distro::new("slackware", None)).is_none());
        let (_, unknown) = facts_of(&Distro::new("debian", Some("99"))).unwrap();
        assert!(unknown.is_none());
    }

    #[test]
    fn the_last_day_of_a_release_is_not_past_its_end() {
        let (_, buster) = facts_of(&Distro::new("debian", Some("10"))).unwrap();
        let buster = buster.unwrap();
        // 2024-06-30T23:59:59Z and one second later.
        assert!(!buster.is_past_end(1_719_791_999));
        assert!(buster.is_past_end(1_719_792_000));
    }

    #[test]
    fn every_date_is_a_date_and_ids_are_unique() {
        let mut ids: Vec<_> = DISTROS.iter().map(|facts| facts.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), DISTROS.len());
        for release in DISTROS.iter().flat_map(|facts| facts.releases) {
            if let Some(date) = release.end_of_life {
                assert!(date.parse::<jiff::civil::Date>().is_ok(), "{date}");
            }
        }
    }
}
