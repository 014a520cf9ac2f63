//! rpm databases, in every format and with all that a record holds.

use seaworthy_core::{EvidenceItem, OwnedFile, Package, PackageType, SourcePackage};
use seaworthy_scan::ProblemList;
use seaworthy_scan::catalogers::rpm;
use seaworthy_testkit::rpmdb::{self, RpmHeader};

use crate::catalog::{items, messages, names, scan_file};

pub const FILE: u16 = 0o100_644;
pub const DIRECTORY: u16 = 0o040_755;
pub const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub fn openssl() -> RpmHeader {
    RpmHeader::new("openssl-libs", "3.0.7", "1.el9")
        .epoch(1)
        .built("x86_64", "openssl-3.0.7-1.el9.src.rpm", "Red Hat, Inc.")
        .number(5011, 8)
        .file("/usr/", "lib64", DIRECTORY, "")
        .file("/usr/lib64/", "libssl.so.3", FILE, SHA256)
        .file("/usr/lib64/", "libssl.so", 0o120_777, "")
}

pub fn nodejs() -> RpmHeader {
    RpmHeader::new("nodejs", "16.20.2", "2.module_el8")
        .built("x86_64", "nodejs-16.20.2-2.module_el8.src.rpm", "AlmaLinux")
        .string(5096, "nodejs:16:8080020230906:63b34585")
}

/// A header too large for any page of the fixtures.
pub fn large() -> RpmHeader {
    (0..60).fold(RpmHeader::new("large", "1", "1"), |header, i| {
        header.file("/usr/share/large/", &format!("file-{i}"), FILE, "")
    })
}

pub fn key() -> RpmHeader {
    RpmHeader::new("gpg-pubkey", "8483c65d", "5ccc5b19")
}

pub fn blobs() -> Vec<Vec<u8>> {
    [openssl(), nodejs(), large(), key()]
        .map(|header| header.build())
        .to_vec()
}

pub type Database = (&'static str, &'static str, Vec<u8>);

/// The same packages in every format.
pub fn databases() -> Vec<Database> {
    let blobs = blobs();
    vec![
        (
            "var/lib/rpm/Packages",
            "rpm-bdb",
            rpmdb::bdb(&blobs, false, true),
        ),
        (
            "var/lib/rpm/Packages",
            "rpm-bdb",
            rpmdb::bdb(&blobs, true, false),
        ),
        (
            "usr/lib/sysimage/rpm/Packages.db",
            "rpm-ndb",
            rpmdb::ndb(&blobs),
        ),
        (
            "usr/share/rpm/rpmdb.sqlite",
            "rpm-sqlite",
            rpmdb::sqlite(&blobs, 512),
        ),
        (
            "var/lib/rpm/rpmdb.sqlite",
            "rpm-sqlite",
            rpmdb::sqlite(&blobs, 65536),
        ),
    ]
}

#[test]
fn every_rpm_format_gives_the_same_packages() {
    for (path, format, bytes) in databases() {
        let evidence = scan_file(path, bytes);
        assert_eq!(messages(&evidence.problems), [""; 0], "{format}");
        assert_eq!(
            names(&evidence),
            [
                "openssl-libs 1:3.0.7-1.el9",
                "nodejs 16.20.2-2.module_el8",
                "large 1-1"
            ],
            "{format}"
        );
        assert!(items(&evidence).contains(&&EvidenceItem::PackageDatabase(format.into())));
    }
}

#[test]
fn an_rpm_package_keeps_source_module_vendor_and_files() {
    let mut problems = ProblemList::default();
    let mut budget = rpm::PathBudget::default();
    let mut read = |header: RpmHeader| {
        let record = rpm::parse_header(&header.build(), &mut budget, &mut problems);
        rpm::evidence(record.expect("a record"), &mut problems)
    };
    let openssl = read(openssl());
    let [
        EvidenceItem::OwnedFiles(owned),
        EvidenceItem::Package(package),
    ] = &openssl[..]
    else {
        panic!("files and package: {openssl:?}");
    };
    assert_eq!(
        package,
        &Package {
            arch: Some("x86_64".into()),
            source: Some(SourcePackage {
                name: "openssl".into(),
                version: Some("3.0.7-1.el9".into()),
            }),
            vendor: Some("Red Hat, Inc.".into()),
            ..Package::new(PackageType::RPM, "openssl-libs", "1:3.0.7-1.el9")
        }
    );
    let file = |path: &str, digest: Option<String>| OwnedFile {
        path: seaworthy_core::ImagePath::new(path),
        digest: digest.map(Into::into),
    };
    assert_eq!(
        owned.files,
        [
            file("usr/lib64/libssl.so.3", Some(format!("sha256:{SHA256}"))),
            file("usr/lib64/libssl.so", None),
        ]
    );
    let nodejs = read(nodejs());
    let [EvidenceItem::Package(package)] = &nodejs[..] else {
        panic!("a package without files: {nodejs:?}");
    };
    assert_eq!(
        package.module.as_deref(),
        Some("nodejs:16:8080020230906:63b34585")
    );
    assert!(problems.is_empty());
}

#[test]
fn a_digest_without_algorithm_is_md5() {
    let md5 = "d41d8cd98f00b204e9800998ecf8427e";
    let header = RpmHeader::new("old", "1", "1").file("/etc/", "old.conf", FILE, md5);
    let mut problems = ProblemList::default();
    let record = rpm::parse_header(&header.build(), &mut Default::default(), &mut problems);
    let files = record.expect("a record").files;
    assert_eq!(
        files[0].digest.as_deref(),
        Some(format!("md5:{md5}").as_str())
    );
}

#[test]
fn a_dribble_overrides_the_region_and_old_headers_have_none() {
    let mut problems = ProblemList::default();
    let header = RpmHeader::new("a", "1", "1")
        .string(1011, "in the region")
        .dribble(1011, "behind it");
    let record = rpm::parse_header(&header.build(), &mut Default::default(), &mut problems);
    assert_eq!(
        record.and_then(|record| record.vendor).as_deref(),
        Some("behind it")
    );
    let record = rpm::parse_header(
        &openssl().legacy().build(),
        &mut Default::default(),
        &mut problems,
    );
    assert_eq!(
        record.map(|record| record.name).as_deref(),
        Some("openssl-libs")
    );
    assert!(problems.is_empty());
}

#[test]
fn source_rpm_names_are_cut_from_the_end() {
    let source = |name: &str, version: &str| {
        Some(SourcePackage {
            name: name.into(),
            version: Some(version.into()),
        })
    };
    assert_eq!(
        rpm::source_package("util-linux-2.32.1-42.el8.src.rpm"),
        source("util-linux", "2.32.1-42.el8")
    );
    assert_eq!(
        rpm::source_package("a-b-1-2.nosrc.rpm"),
        source("a-b", "1-2")
    );
    assert_eq!(rpm::source_package("nonsense"), None);
    assert_eq!(rpm::source_package("-1-2.src.rpm"), None);
}

#[test]
fn azure_distroless_lists_are_a_database() {
    let list = "filesystem\t1.1-20.cm2\t1\t2\tMicrosoft Corporation\t(none)\t3\tx86_64\t0\tfilesystem-1.1-20.cm2.src.rpm\n";
    let evidence = scan_file("var/lib/rpmmanifest/container-manifest-2", list.into());
    assert_eq!(names(&evidence), ["filesystem 1.1-20.cm2"]);
    assert!(items(&evidence).contains(&&EvidenceItem::PackageDatabase("rpm-manifest".into())));
}

#[test]
fn a_log_beside_the_database_is_said() {
    let mut log = vec![0; 600];
    log[16..24].copy_from_slice(b"saltsalt");
    log[40..48].copy_from_slice(b"saltsalt");
    let evidence = scan_file("var/lib/rpm/rpmdb.sqlite-wal", log);
    assert!(
        evidence.problems[0]
            .message
            .contains("packages may be missing")
    );
    assert_eq!(
        scan_file("var/lib/rpm/rpmdb.sqlite-wal", Vec::new()).problems,
        []
    );
}

#[test]
fn something_else_under_the_name_of_a_database_is_a_problem() {
    let evidence = scan_file("var/lib/rpm/Packages", b"hello".to_vec());
    assert!(items(&evidence).is_empty());
    assert_eq!(
        messages(&evidence.problems),
        ["this is no rpm database of a known format"]
    );
}
