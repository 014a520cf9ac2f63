//! Line formats with damage: never a crash, whatever the bytes, and no item that could
//! write control characters to someone's terminal.

use proptest::prelude::*;
use seaworthy_core::{EvidenceItem, ImagePath};
use seaworthy_image::EntryMeta;
use seaworthy_scan::catalogers::{apk, dpkg, os_release};
use seaworthy_scan::{FileMeta, Sink};

type Parse = fn(&FileMeta<'_>, &[u8], &mut Sink);

const SEEDS: &[(&str, Parse, &str)] = &[
    (
        "var/lib/dpkg/status",
        dpkg::parse,
        "Package: a\nStatus: install ok installed\nVersion: 1:2-3\nSource: b (2-3)\n more\n\nPackage: c\nVersion: 1\n",
    ),
    (
        "var/lib/dpkg/info/a:amd64.list",
        dpkg::parse,
        "/.\n/usr\n/usr/bin\n/usr/bin/a\n",
    ),
    (
        "var/lib/dpkg/info/a.md5sums",
        dpkg::parse,
        "d41d8cd98f00b204e9800998ecf8427e  usr/bin/a\n",
    ),
    (
        "lib/apk/db/installed",
        apk::parse,
        "P:a\nV:1-r0\no:b\nF:bin\nR:a\nZ:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\n\nP:c\nV:2\n",
    ),
    (
        "etc/os-release",
        os_release::parse,
        "ID=\"a\\\"b\"\nVERSION_ID='1'\nID_LIKE=\"x y\"\nPRETTY_NAME=A\n",
    ),
    (
        "etc/lsb-release",
        os_release::parse,
        "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n",
    ),
    (
        "etc/redhat-release",
        os_release::parse,
        "CentOS Linux release 7.9.2009 (Core)\n",
    ),
    (
        "etc/SuSE-release",
        os_release::parse,
        "openSUSE 13.1 (x86_64)\nVERSION = 13.1\nPATCHLEVEL = 2\n",
    ),
    ("etc/debian_version", os_release::parse, "t/sid\n"),
];

fn texts(item: &EvidenceItem) -> Vec<&str> {
    match item {
        EvidenceItem::Package(package) => {
            let mut texts = vec![
                package.name.as_str(),
                &package.version,
                package.source_name(),
            ];
            texts.extend(package.arch.as_deref());
            texts.extend(package.vendor.as_deref());
            texts.push(package.source_version());
            texts
        }
        EvidenceItem::Distro(distro) => {
            let mut texts = vec![distro.id.as_str()];
            texts.extend(distro.version_id.as_deref());
            texts.extend(distro.codename.as_deref());
            texts.extend(distro.pretty_name.as_deref());
            texts
        }
        EvidenceItem::OwnedFiles(owned) => owned
            .files
            .iter()
            .map(|file| file.path.as_str())
            .chain([owned.package.as_str()])
            .collect(),
        EvidenceItem::PackageDatabase(format) => vec![format],
        EvidenceItem::Secret(secret) => vec![&secret.rule, &secret.redacted, &secret.fingerprint],
        EvidenceItem::PublicKey(key) => {
            let mut texts = vec![key.spki_sha256.as_str()];
            texts.extend(key.name.as_deref());
            texts
        }
        EvidenceItem::Detection(found) => vec![&found.name, &found.note],
        EvidenceItem::Suspicion(seen) => vec![&seen.rule, &seen.note],
        EvidenceItem::Executable(file) => file.digests.iter().map(|digest| &**digest).collect(),
        EvidenceItem::Starter(starter) => starter.starts.iter().map(|start| &**start).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]
    #[test]
    fn damaged_files_never_crash_and_give_only_printable_texts(
        seed in prop::sample::select(SEEDS.to_vec()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..6)), 0..6),
    ) {
        let (path, parse, text) = seed;
        let mut bytes = text.as_bytes().to_vec();
        for (place, new) in damage {
            let at = place.index(bytes.len() + 1);
            let end = bytes.len().min(at + new.len() / 2);
            bytes.splice(at..end, new);
        }
        let path = ImagePath::new(path);
        let entry = EntryMeta::default();
        let mut sink = Sink::default();
        parse(&FileMeta { path: &path, entry }, &bytes, &mut sink);
        for item in sink.items() {
            for text in texts(item) {
                prop_assert!(!text.is_empty() && !text.chars().any(char::is_control), "{:?}", text);
            }
        }
    }
}
