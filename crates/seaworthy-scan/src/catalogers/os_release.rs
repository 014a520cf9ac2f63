//! Which distribution an image is built on.
//!
//! `os-release` (os-release(5), freedesktop.org) where there is one; else the older files
//! of single distributions: `alpine-release`, `debian_version`, the `*-release` lines of
//! the Red Hat family, `lsb-release`, `SuSE-release`. Which file counts when several are
//! there is decided in [`crate::coalesce`] by the order of [`PATHS`].
//!
//! `os-release` is a shell fragment of assignments only: `NAME=value`, values bare, in
//! single quotes, or in double quotes with backslash escapes. Nothing is expanded.
//!
//! Left out: Alpine's release by `etc/apk/repositories`, and guessing a distribution from
//! its packages.

use seaworthy_core::{Distro, EvidenceItem, Meta, ProblemKind};

use super::text;
use crate::{Analyzer, FileMeta, Interest, Reader, Sink};

/// The row.
pub const ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "os-release",
        revision: 1,
        summary: "the distribution, from os-release or a distribution's own release file",
        references: &["https://www.freedesktop.org/software/systemd/man/latest/os-release.html"],
    },
    interest: Interest::Paths(PATHS),
    reader: Reader::Whole {
        cap: 256 << 10,
        parse,
    },
};

/// The files, the most trusted first: the standard's own, then those that only one family
/// writes, then those that derived distributions inherit and forget to change.
pub const PATHS: &[&str] = &[
    "etc/os-release",
    "usr/lib/os-release",
    "etc/alpine-release",
    "etc/oracle-release",
    "etc/almalinux-release",
    "etc/rocky-release",
    "etc/centos-release",
    "etc/fedora-release",
    "etc/photon-release",
    "etc/mariner-release",
    "etc/azurelinux-release",
    "etc/SuSE-release",
    "etc/system-release",
    "etc/redhat-release",
    "etc/lsb-release",
    "etc/debian_version",
];

/// Reads any of [`PATHS`], told apart by the file's name.
pub fn parse(file: &FileMeta<'_>, bytes: &[u8], sink: &mut Sink) {
    let distro = match file.path.file_name() {
        "os-release" => os_release(bytes, sink),
        "lsb-release" => lsb_release(bytes, sink),
        "alpine-release" => first_value(bytes).map(|version| Distro::new("alpine", Some(&version))),
        "debian_version" => first_value(bytes).map(|version| debian_version(&version)),
        "SuSE-release" => suse_release(bytes),
        _ => release_line(bytes, sink),
    };
    sink_distro(distro, sink);
}

fn sink_distro(distro: Option<Distro>, sink: &mut Sink) {
    if let Some(distro) = distro {
        sink.push(EvidenceItem::Distro(distro));
    }
}

fn os_release(bytes: &[u8], sink: &mut Sink) -> Option<Distro> {
    let mut distro = Distro::default();
    let mut name = None;
    for (key, value) in assignments(bytes, sink) {
        match key.as_str() {
            "ID" => distro.id = value.to_lowercase(),
            "VERSION_ID" => distro.version_id = Some(value),
            "VERSION_CODENAME" => distro.codename = Some(value),
            "UBUNTU_CODENAME" => distro.codename = distro.codename.or(Some(value)),
            "ID_LIKE" => {
                let words = value.to_lowercase();
                distro.id_like = words
                    .split_whitespace()
                    .take(16)
                    .map(str::to_owned)
                    .collect();
            }
            "NAME" => name = Some(value),
            "PRETTY_NAME" => distro.pretty_name = Some(value),
            "VARIANT_ID" => distro.variant_id = Some(value),
            "CPE_NAME" => distro.cpe_name = Some(value),
            _ => {}
        }
    }
    // Distroless images keep Debian's id and tell themselves apart by this name alone.
    if distro.pretty_name.as_deref() == Some("Distroless") && distro.variant_id.is_none() {
        distro.variant_id = Some("distroless".to_owned());
    }
    if distro.id.is_empty() {
        // os-release(5): the default is `linux`, which names nobody. Some old images have
        // only a name of one word.
        distro.id = name
            .as_deref()
            .and_then(id_of_line)
            .unwrap_or_default()
            .to_owned();
    }
    if distro.id.is_empty() {
        if bytes.iter().any(|b| !b.is_ascii_whitespace()) {
            sink.problem(ProblemKind::Malformed, "no `ID` tells the distribution");
        }
        return None;
    }
    Some(distro)
}

fn lsb_release(bytes: &[u8], sink: &mut Sink) -> Option<Distro> {
    let mut distro = Distro::default();
    for (key, value) in assignments(bytes, sink) {
        match key.as_str() {
            "DISTRIB_ID" => {
                let known = id_of_line(&value).map(str::to_owned);
                distro.id = known.unwrap_or_else(|| value.to_lowercase().replace(' ', "-"));
            }
            "DISTRIB_RELEASE" => distro.version_id = Some(value),
            "DISTRIB_CODENAME" => distro.codename = Some(value),
            "DISTRIB_DESCRIPTION" => distro.pretty_name = Some(value),
            _ => {}
        }
    }
    (!distro.id.is_empty()).then_some(distro)
}

/// `12.5` of a release, `trixie/sid` before it.
fn debian_version(version: &str) -> Distro {
    if version.starts_with(|c: char| c.is_ascii_digit()) {
        return Distro::new("debian", version.split('.').next());
    }
    let codename = version
        .split('/')
        .next()
        .and_then(text::value)
        .map(str::to_owned);
    Distro {
        codename,
        ..Distro::new("debian", None)
    }
}

/// `SUSE Linux Enterprise Server 11 (x86_64)`, then `VERSION = 11` and `PATCHLEVEL = 4`;
/// openSUSE's `VERSION` is whole.
fn suse_release(bytes: &[u8]) -> Option<Distro> {
    let title = first_value(bytes)?;
    let id = id_of_line(&title)?;
    let mut version = None;
    let mut patch_level = None;
    for line in text::lines(bytes) {
        if let Some((key, value)) = line.split_once('=') {
            let value = text::value(value).map(str::to_owned);
            match key.trim() {
                "VERSION" => version = value,
                "PATCHLEVEL" => patch_level = value.filter(|level| level != "0"),
                _ => {}
            }
        }
    }
    if let (Some(version), Some(patch_level)) = (&mut version, patch_level)
        && !version.contains('.')
    {
        version.push('.');
        version.push_str(&patch_level);
    }
    Some(Distro::new(id, version.as_deref()))
}

/// `CentOS Linux release 7.9.2009 (Core)`: a name, a version, perhaps a codename.
fn release_line(bytes: &[u8], sink: &mut Sink) -> Option<Distro> {
    let line = first_value(bytes)?;
    let Some(id) = id_of_line(&line) else {
        sink.problem(
            ProblemKind::Notice,
            format!("unknown distribution `{}`", line.escape_debug()),
        );
        return None;
    };
    let version = line.split_whitespace().find_map(|word| {
        let version = word.trim_start_matches(['v', 'V']);
        version
            .starts_with(|c: char| c.is_ascii_digit())
            .then_some(version)
    });
    let mut distro = Distro::new(id, version);
    distro.pretty_name = Some(line);
    Some(distro)
}

/// Names as release lines begin with, and the `ID` of their `os-release`.
const IDS_BY_NAME: &[(&str, &str)] = &[
    ("Alma", "almalinux"),
    ("Alpine", "alpine"),
    ("Amazon Linux", "amzn"),
    ("CBL-Mariner", "mariner"),
    ("CentOS", "centos"),
    ("Chainguard", "chainguard"),
    ("Common Base Linux Mariner", "mariner"),
    ("Debian", "debian"),
    ("Fedora", "fedora"),
    ("Microsoft Azure Linux", "azurelinux"),
    ("Azure Linux", "azurelinux"),
    ("Oracle Linux", "ol"),
    ("Photon", "photon"),
    ("VMware Photon", "photon"),
    ("Red Hat Enterprise Linux", "rhel"),
    ("Rocky Linux", "rocky"),
    ("SUSE Linux Enterprise Server", "sles"),
    ("SUSE Linux Enterprise Desktop", "sled"),
    ("openSUSE", "opensuse"),
    ("Ubuntu", "ubuntu"),
    ("Wolfi", "wolfi"),
];

fn id_of_line(line: &str) -> Option<&'static str> {
    let line = line.trim();
    IDS_BY_NAME.iter().find_map(|(name, id)| {
        let start = line.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then_some(*id)
    })
}

fn first_value(bytes: &[u8]) -> Option<String> {
    text::lines(bytes).find_map(|line| text::value(&line).map(str::to_owned))
}

/// The assignments of a file like `os-release`, in order; empty values left out.
fn assignments(bytes: &[u8], sink: &mut Sink) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in text::lines(bytes) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, raw)) = line.split_once('=') else {
            sink.problem(ProblemKind::Malformed, "a line that is no assignment");
            continue;
        };
        let unquoted = unquote(raw.trim());
        if let Some(value) = text::value(&unquoted) {
            found.push((key.trim().to_owned(), value.to_owned()));
        } else if !unquoted.trim().is_empty() {
            let message = "a value with control characters or of absurd length";
            sink.problem(ProblemKind::Malformed, message);
        }
    }
    found
}

/// A shell word without its quotes: `'…'` keeps all, in `"…"` and outside a backslash
/// takes the next character as it is. A missing end quote is forgiven.
fn unquote(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut quote = None;
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None | Some('"'), '\\') => text.extend(chars.next()),
            // A bare value ends at white space: what follows is a comment or a mistake.
            (None, c) if c.is_whitespace() => break,
            (_, c) => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use seaworthy_core::ImagePath;
    use seaworthy_image::EntryMeta;

    use super::*;

    fn read(path: &str, content: &str) -> (Option<Distro>, usize) {
        let mut sink = Sink::default();
        let meta = FileMeta {
            path: &ImagePath::new(path),
            entry: EntryMeta::default(),
        };
        parse(&meta, content.as_bytes(), &mut sink);
        let (items, problems) = sink.into_parts();
        let distro = items.into_iter().find_map(|item| match item {
            EvidenceItem::Distro(distro) => Some(distro),
            _ => None,
        });
        (distro, problems.len())
    }

    #[track_caller]
    fn check(path: &str, content: &str, id: &str, version: Option<&str>, codename: Option<&str>) {
        let (distro, problems) = read(path, content);
        let distro = distro.expect("a distribution");
        assert_eq!(distro.id, id);
        assert_eq!(distro.version_id.as_deref(), version);
        assert_eq!(distro.codename.as_deref(), codename);
        assert_eq!(problems, 0);
    }

    #[test]
    fn os_release_of_each_family() {
        let path = "etc/os-release";
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\n\
             VERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        check(path, debian, "debian", Some("12"), Some("bookworm"));
        let sid = "PRETTY_NAME=\"Debian GNU/Linux trixie/sid\"\nNAME=\"Debian GNU/Linux\"\n\
             VERSION_CODENAME=trixie\nID=debian\n";
        check(path, sid, "debian", None, Some("trixie"));
        let ubuntu = "NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\nID=ubuntu\n\
             ID_LIKE=debian\nUBUNTU_CODENAME=noble\n";
        check(path, ubuntu, "ubuntu", Some("24.04"), Some("noble"));
        let alpine = "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.20.3\n";
        check(path, alpine, "alpine", Some("3.20.3"), None);
        let wolfi = "ID=wolfi\nNAME=\"Wolfi\"\nVERSION_ID=\"20230201\"\n";
        check(path, wolfi, "wolfi", Some("20230201"), None);
        check(
            path,
            "ID=chainguard\nVERSION_ID=\"20230214\"\n",
            "chainguard",
            Some("20230214"),
            None,
        );
        check(
            path,
            "ID=\"almalinux\"\r\nVERSION_ID=\"9.3\"\r\n",
            "almalinux",
            Some("9.3"),
            None,
        );
        check(
            path,
            "ID=\"rocky\"\nVERSION_ID='8.9'\n",
            "rocky",
            Some("8.9"),
            None,
        );
        check(
            path,
            "ID=fedora\nVERSION_ID=39\nVARIANT_ID=container\n",
            "fedora",
            Some("39"),
            None,
        );
        check(
            path,
            "ID=\"amzn\"\nVERSION_ID=\"2023\"\n",
            "amzn",
            Some("2023"),
            None,
        );
        check(
            path,
            "ID=\"ol\"\nVERSION_ID=\"9.3\"\n",
            "ol",
            Some("9.3"),
            None,
        );
        check(
            path,
            "ID=\"opensuse-leap\"\nVERSION_ID=\"15.5\"\n",
            "opensuse-leap",
            Some("15.5"),
            None,
        );
        check(
            path,
            "ID=photon\nVERSION_ID=5.0\n",
            "photon",
            Some("5.0"),
            None,
        );
        check(
            path,
            "ID=mariner\nVERSION_ID=\"2.0\"\n",
            "mariner",
            Some("2.0"),
            None,
        );
        check(
            path,
            "ID=azurelinux\nVERSION_ID=\"3.0\"\n",
            "azurelinux",
            Some("3.0"),
            None,
        );
    }

    #[test]
    fn os_release_keeps_what_advisories_are_keyed_by() {
        let (distro, _) = read(
            "usr/lib/os-release",
            "ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n\
             PRETTY_NAME=\"Red Hat Enterprise Linux 9.4 (Plow)\"\n\
             CPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"\n",
        );
        let distro = distro.expect("a distribution");
        assert_eq!(distro.id_like, ["fedora"]);
        assert_eq!(
            distro.cpe_name.as_deref(),
            Some("cpe:/o:redhat:enterprise_linux:9::baseos")
        );
        assert_eq!(distro.to_string(), "Red Hat Enterprise Linux 9.4 (Plow)");
    }

    #[test]
    fn distroless_is_a_variant_of_debian() {
        let (distro, _) = read(
            "etc/os-release",
            "PRETTY_NAME=\"Distroless\"\nNAME=\"Debian GNU/Linux\"\nID=\"debian\"\nVERSION_ID=\"12\"\n",
        );
        let distro = distro.expect("a distribution");
        assert_eq!(
            (distro.id.as_str(), distro.variant_id.as_deref()),
            ("debian", Some("distroless"))
        );
    }

    #[test]
    fn older_release_files_of_each_family() {
        let redhat = "etc/redhat-release";
        check(
            "etc/alpine-release",
            "3.4.6\n",
            "alpine",
            Some("3.4.6"),
            None,
        );
        check("etc/debian_version", "6.0.10\n", "debian", Some("6"), None);
        check(
            "etc/debian_version",
            "trixie/sid\n",
            "debian",
            None,
            Some("trixie"),
        );
        check(
            redhat,
            "CentOS release 6.10 (Final)\n",
            "centos",
            Some("6.10"),
            None,
        );
        check(
            redhat,
            "CentOS Linux release 7.9.2009 (Core)\n",
            "centos",
            Some("7.9.2009"),
            None,
        );
        let rhel = "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n";
        check(redhat, rhel, "rhel", Some("6.10"), None);
        check(
            "etc/oracle-release",
            "Oracle Linux Server release 6.10\n",
            "ol",
            Some("6.10"),
            None,
        );
        check(
            "etc/system-release",
            "Amazon Linux AMI release 2018.03\n",
            "amzn",
            Some("2018.03"),
            None,
        );
        check(
            "etc/photon-release",
            "VMware Photon OS 4.0\n",
            "photon",
            Some("4.0"),
            None,
        );
        check(
            "etc/mariner-release",
            "CBL-Mariner 2.0.20240112\n",
            "mariner",
            Some("2.0.20240112"),
            None,
        );
        let lsb = "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=12.04\nDISTRIB_CODENAME=precise\n\
             DISTRIB_DESCRIPTION=\"Ubuntu 12.04.5 LTS\"\n";
        check(
            "etc/lsb-release",
            lsb,
            "ubuntu",
            Some("12.04"),
            Some("precise"),
        );
        let sles = "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n";
        check("etc/SuSE-release", sles, "sles", Some("11.4"), None);
        let suse = "openSUSE 13.1 (x86_64)\nVERSION = 13.1\nCODENAME = Bottle\n";
        check("etc/SuSE-release", suse, "opensuse", Some("13.1"), None);
    }

    #[test]
    fn a_file_that_names_nobody_is_a_problem_and_an_empty_one_is_not() {
        assert_eq!(read("etc/os-release", "VERSION_ID=1\n"), (None, 1));
        assert_eq!(read("etc/os-release", "\n"), (None, 0));
        let (distro, problems) = read("etc/os-release", "garbage\nID=alpine\nVERSION_ID=\x1b[2J\n");
        assert_eq!(distro, Some(Distro::new("alpine", None)));
        assert_eq!(problems, 2);
    }
}
