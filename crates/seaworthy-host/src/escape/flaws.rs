//! Flaws of runtime, engine and kernel that lead out of a container, by version.
//!
//! Ranges of runc, containerd and the engine are those of their makers' advisories as the Go
//! vulnerability database publishes them; fixed stable kernels are those of the stable
//! releases. A distribution mends old versions without changing their numbers: a package of a
//! distribution in an affected range is undetermined, never affected, and a version that
//! can't be read is undetermined too.

use crate::facts::Facts;

/// What a flaw is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Component {
    Runc,
    Containerd,
    Engine,
    Kernel,
}

impl Component {
    pub const fn name(self) -> &'static str {
        match self {
            Runc => "runc",
            Containerd => "containerd",
            Engine => "engine",
            Kernel => "kernel",
        }
    }
}

/// A flaw.
#[derive(Debug)]
pub(super) struct Flaw {
    /// Its id.
    pub id: &'static str,
    /// Where.
    pub component: Component,
    /// First version with it; empty for all.
    pub since: &'static str,
    /// First version without it of each line that was mended, in order.
    pub mended: &'static [&'static str],
}

const fn flaw(
    id: &'static str,
    component: Component,
    since: &'static str,
    mended: &'static [&'static str],
) -> Flaw {
    Flaw {
        id,
        component,
        since,
        mended,
    }
}

use Component::{Containerd, Engine, Kernel, Runc};

/// All of them.
pub(super) static FLAWS: &[Flaw] = &[
    flaw("CVE-2019-5736", Runc, "", &["1.0.0-rc7"]),
    flaw("CVE-2021-30465", Runc, "", &["1.0.0-rc95"]),
    flaw("CVE-2024-21626", Runc, "1.0.0-rc93", &["1.1.12"]),
    flaw("CVE-2025-31133", Runc, "", &["1.2.8", "1.3.3", "1.4.0-rc3"]),
    flaw(
        "CVE-2025-52565",
        Runc,
        "1.0.0-rc3",
        &["1.2.8", "1.3.3", "1.4.0-rc3"],
    ),
    flaw("CVE-2025-52881", Runc, "", &["1.2.8", "1.3.3", "1.4.0-rc3"]),
    flaw("CVE-2026-41579", Runc, "", &["1.3.6", "1.4.3", "1.5.0-rc3"]),
    flaw("CVE-2020-15257", Containerd, "", &["1.3.9", "1.4.3"]),
    flaw("CVE-2019-14271", Engine, "19.03.0", &["19.03.1"]),
    flaw("CVE-2026-41567", Engine, "", &["29.5.1"]),
    flaw("CVE-2024-23651", Engine, "18.9.0", &["24.0.9", "25.0.2"]),
    flaw(
        "CVE-2016-5195",
        Kernel,
        "2.6.22",
        &["4.4.26", "4.7.9", "4.8.3"],
    ),
    flaw("CVE-2017-5123", Kernel, "4.13", &["4.13.7"]),
    flaw(
        "CVE-2022-0847",
        Kernel,
        "5.8",
        &["5.10.102", "5.15.25", "5.16.11"],
    ),
    flaw(
        "CVE-2022-0995",
        Kernel,
        "5.8",
        &["5.10.106", "5.15.29", "5.16.15"],
    ),
    flaw(
        "CVE-2023-3269",
        Kernel,
        "6.1",
        &["6.1.37", "6.3.11", "6.4.1"],
    ),
    flaw("CVE-2026-31431", Kernel, "4.14", &["6.18.22", "6.19.12"]),
    flaw(
        "CVE-2020-14386",
        Kernel,
        "4.6",
        &["4.9.239", "4.14.201", "4.19.150", "5.4.64", "5.8.8"],
    ),
    flaw(
        "CVE-2017-7308",
        Kernel,
        "3.2",
        &["4.4.62", "4.9.23", "4.10.11"],
    ),
    flaw("CVE-2021-41073", Kernel, "5.10", &["5.10.68", "5.14.7"]),
    flaw(
        "CVE-2022-29582",
        Kernel,
        "5.1",
        &["5.10.111", "5.15.34", "5.17.3"],
    ),
    flaw(
        "CVE-2022-2602",
        Kernel,
        "5.1",
        &["5.10.150", "5.15.75", "6.0.3"],
    ),
    flaw("CVE-2023-2598", Kernel, "6.3", &["6.3.2"]),
    flaw("CVE-2024-0582", Kernel, "6.4", &["6.6.5"]),
    flaw(
        "CVE-2021-3490",
        Kernel,
        "5.7",
        &["5.10.37", "5.11.21", "5.12.4"],
    ),
    flaw(
        "CVE-2022-23222",
        Kernel,
        "5.8",
        &["5.10.92", "5.15.15", "5.16.1"],
    ),
    flaw(
        "CVE-2023-2163",
        Kernel,
        "5.4",
        &["5.10.179", "5.15.109", "6.1.26"],
    ),
    flaw(
        "CVE-2021-22555",
        Kernel,
        "2.6.19",
        &["5.4.113", "5.10.31", "5.11.15"],
    ),
    flaw("CVE-2022-1015", Kernel, "5.12", &["5.15.32"]),
    flaw("CVE-2022-32250", Kernel, "4.1", &["5.10.120", "5.15.45"]),
    flaw("CVE-2022-34918", Kernel, "5.8", &["5.10.130", "5.15.54"]),
    flaw("CVE-2023-0179", Kernel, "5.5", &["5.10.164", "6.1.7"]),
    flaw(
        "CVE-2023-32233",
        Kernel,
        "5.1",
        &["5.10.180", "5.15.111", "6.1.28"],
    ),
    flaw(
        "CVE-2024-1086",
        Kernel,
        "3.15",
        &[
            "5.4.269", "5.10.210", "5.15.149", "6.1.76", "6.6.15", "6.7.3",
        ],
    ),
    flaw(
        "CVE-2022-0185",
        Kernel,
        "5.1",
        &["5.4.173", "5.10.93", "5.15.16", "5.16.2"],
    ),
    flaw(
        "CVE-2022-0492",
        Kernel,
        "2.6.24",
        &[
            "4.9.301", "4.14.266", "4.19.229", "5.4.177", "5.10.97", "5.15.20", "5.16.6",
        ],
    ),
    flaw("CVE-2023-0386", Kernel, "5.11", &["5.15.91", "6.1.9"]),
];

/// A flaw of the list.
pub(super) fn by_id(id: &str) -> Option<&'static Flaw> {
    FLAWS.iter().find(|flaw| flaw.id == id)
}

/// A version in which all flaws of a part are mended.
pub(super) fn mended_version(component: Component) -> &'static str {
    FLAWS
        .iter()
        .filter(|flaw| flaw.component == component)
        .flat_map(|flaw| flaw.mended)
        .filter(|version| !version.contains('-'))
        .max_by_key(|version| parse(version))
        .copied()
        .unwrap_or("")
}

/// What is known of a flaw here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is here: the version.
    Affected(String),
    /// It is not.
    Free,
    /// It could not be told: why.
    Undetermined(String),
}

/// Major, minor, patch, release candidate; a release comes after its candidates.
type Version = (u32, u32, u32, u32);

/// Reads a version; what follows its number and candidate is left out.
fn parse(text: &str) -> Option<Version> {
    let text = text.trim().trim_start_matches('v');
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let mut parts = number.trim_end_matches('.').split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    let patch = parts.next().map_or(Some(0), |part| part.parse().ok())?;
    let rest = rest.trim_start_matches(['-', '~', '.']);
    let candidate = match rest.strip_prefix("rc") {
        Some(digits) => digits
            .trim_start_matches(['.', '-'])
            .chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap_or(0),
        None => u32::MAX,
    };
    Some((major, minor, patch, candidate))
}

fn in_range(flaw: &Flaw, version: Version) -> bool {
    if parse(flaw.since).is_some_and(|since| version < since) {
        return false;
    }
    let mended: Vec<Version> = flaw.mended.iter().filter_map(|text| parse(text)).collect();
    let line = |v: &Version| (v.0, v.1);
    match mended.iter().find(|fix| line(fix) == line(&version)) {
        Some(fix) => version < *fix,
        // A line that was never mended, unless it came after the last that was.
        None => mended.iter().max().is_some_and(|last| version < *last),
    }
}

/// Judges a flaw by the versions in the facts.
pub(super) fn judge(facts: &Facts, flaw: &Flaw) -> Verdict {
    match flaw.component {
        Kernel => kernel(facts, flaw),
        component => part(facts, flaw, component),
    }
}

fn part(facts: &Facts, flaw: &Flaw, component: Component) -> Verdict {
    let info = match &facts.engine.info {
        crate::facts::Fact::Known(info) => info,
        other => {
            let why = other.why_unknown().unwrap_or("there is no engine");
            return Verdict::Undetermined(format!("version of {}: {why}", component.name()));
        }
    };
    let text = match component {
        Engine if !info.version.is_empty() => Some(info.version.as_str()),
        _ => info.component(component.name()),
    };
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Verdict::Undetermined(format!(
            "the engine names no version of {}",
            component.name()
        ));
    };
    let Some(version) = parse(text) else {
        return Verdict::Undetermined(format!("version `{text}` can't be compared"));
    };
    if !in_range(flaw, version) {
        return Verdict::Free;
    }
    // Packages of the makers themselves have versions of theirs; of others, their own word
    // counts, and that is not known here.
    let names: &[&str] = match component {
        Runc => &["runc", "crun"],
        Containerd => &["containerd"],
        _ => &["docker.io", "moby-engine", "docker"],
    };
    match &facts.packages {
        crate::facts::Fact::Known(packages) => {
            if let Some((name, package)) =
                names.iter().find_map(|name| packages.get_key_value(*name))
            {
                return Verdict::Undetermined(format!(
                    "{text} is in the range, and package `{name}` {} may have it mended",
                    package.version
                ));
            }
        }
        other => {
            if let Some(why) = other.why_unknown() {
                return Verdict::Undetermined(format!(
                    "{text} is in the range, and who packaged it is not known: {why}"
                ));
            }
        }
    }
    if text.contains(['+', '~']) {
        return Verdict::Undetermined(format!(
            "{text} is in the range, and was changed by a distribution"
        ));
    }
    Verdict::Affected(text.to_owned())
}

fn kernel(facts: &Facts, flaw: &Flaw) -> Verdict {
    let release = match &facts.kernel.release {
        crate::facts::Fact::Known(release) => release,
        other => {
            let why = other.why_unknown().unwrap_or("there is none");
            return Verdict::Undetermined(format!("release of the kernel: {why}"));
        }
    };
    let Some(version) = parse(release) else {
        return Verdict::Undetermined(format!("release `{release}` can't be compared"));
    };
    if !in_range(flaw, version) {
        return Verdict::Free;
    }
    // Debian tells the stable release it took in `uname -v`: `#1 SMP Debian 6.1.76-1`.
    let stable = facts
        .kernel
        .version
        .known()
        .and_then(|text| text.split_once("Debian ")?.1.split(' ').next())
        .and_then(parse);
    if stable.is_some_and(|stable| !in_range(flaw, stable)) {
        return Verdict::Free;
    }
    let is_plain = release.chars().all(|c| c.is_ascii_digit() || c == '.');
    if is_plain {
        Verdict::Affected(release.clone())
    } else {
        Verdict::Undetermined(format!(
            "{release} is in the range, and its distribution may have it mended"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Fact;
    use crate::facts::engine::{Component as Part, EngineInfo};

    fn verdict(id: &str, runc: &str, kernel: &str) -> Verdict {
        let mut facts = Facts::default();
        facts.engine.info = Fact::Known(EngineInfo {
            components: vec![Part {
                name: "runc".into(),
                version: runc.into(),
            }],
            ..EngineInfo::default()
        });
        facts.packages = Fact::Absent;
        facts.kernel.release = Fact::Known(kernel.into());
        judge(&facts, by_id(id).unwrap())
    }

    #[test]
    fn every_line_has_its_own_fix() {
        let free = |id, runc: &str| verdict(id, runc, "") == Verdict::Free;
        assert!(!free("CVE-2025-31133", "1.1.15") && !free("CVE-2025-31133", "1.3.2"));
        assert!(free("CVE-2025-31133", "1.2.8") && free("CVE-2025-31133", "1.3.3"));
        assert!(!free("CVE-2025-31133", "1.4.0-rc.2") && free("CVE-2025-31133", "1.4.0-rc.3"));
        assert!(free("CVE-2024-21626", "1.0.0-rc92") && !free("CVE-2024-21626", "1.0.0-rc93"));
        assert!(free("CVE-2024-21626", "1.1.12") && free("CVE-2024-21626", "1.2.0"));
        assert!(matches!(
            verdict("CVE-2024-21626", "master", ""),
            Verdict::Undetermined(_)
        ));
        assert!(matches!(
            verdict("CVE-2024-21626", "1.1.5+ds1", ""),
            Verdict::Undetermined(_)
        ));
    }

    #[test]
    fn kernels_of_distributions_in_a_range_are_undetermined() {
        let of = |release: &str| verdict("CVE-2022-0847", "", release);
        assert_eq!(of("5.15.24"), Verdict::Affected("5.15.24".into()));
        assert_eq!(of("5.15.25"), Verdict::Free);
        assert_eq!(of("5.12.1"), Verdict::Affected("5.12.1".into()));
        assert_eq!(of("5.4.0-90-generic"), Verdict::Free);
        assert!(matches!(of("5.15.0-91-generic"), Verdict::Undetermined(_)));
        assert_eq!(of("6.1.0-18-amd64"), Verdict::Free);
        assert!(matches!(of("custom"), Verdict::Undetermined(_)));
    }

    #[test]
    fn ranges_are_written_well_and_ids_are_unique() {
        let mut ids = std::collections::BTreeSet::new();
        for flaw in FLAWS {
            assert!(ids.insert(flaw.id), "{}", flaw.id);
            assert!(
                flaw.since.is_empty() || parse(flaw.since).is_some(),
                "{}",
                flaw.id
            );
            let fixes: Vec<_> = flaw
                .mended
                .iter()
                .map(|text| parse(text).unwrap())
                .collect();
            assert!(fixes.is_sorted() && !fixes.is_empty(), "{}", flaw.id);
            let clean = parse(mended_version(flaw.component)).unwrap();
            assert!(!in_range(flaw, clean), "{} in {clean:?}", flaw.id);
        }
    }
}
