use seaworthy_core::{
    Certainty, Detail, Distro, EvidenceItem, FixStatus, GapKind, ImageEvidence, ImagePath,
    LayerInfo, LayerStats, Package, PackageRole, PackageType, Severity, SourcePackage, TracedItem,
    VulnerabilityDetail,
};

use super::*;

/// 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600;

fn db(records: &[&str]) -> AdvisoryDb {
    let documents: Vec<&[u8]> = records.iter().map(|record| record.as_bytes()).collect();
    let (db, problems) = AdvisoryDb::of_documents(&documents).unwrap();
    assert_eq!(problems, []);
    db
}

fn affected(ecosystem: &str, name: &str, events: &str) -> String {
    format!(
        r#"{{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},"ranges":[{{"type":"ECOSYSTEM","events":[{events}]}}]}}"#
    )
}

fn record(id: &str, extra: &str, affected: &str) -> String {
    format!(r#"{{"id":"{id}",{extra},"affected":[{affected}]}}"#)
}

fn before(fixed: &str) -> String {
    format!(r#"{{"introduced":"0"}},{{"fixed":"{fixed}"}}"#)
}

fn item(package: Package) -> TracedItem {
    TracedItem {
        path: ImagePath::new("var/lib/dpkg/status"),
        item: EvidenceItem::Package(package),
        layer: 0,
        removed_by: None,
        owner: None,
    }
}

fn image(distro: Option<(&str, &str)>, items: Vec<TracedItem>) -> ImageEvidence {
    ImageEvidence {
        layers: vec![LayerInfo {
            index: 0,
            diff_id: None,
            created_by: Some("ADD rootfs.tar /".into()),
            stats: LayerStats::default(),
            complete: true,
        }],
        distro: distro.map(|(id, version)| Distro::new(id, Some(version))),
        items,
        ..ImageEvidence::default()
    }
}

fn deb(name: &str, version: &str, source: Option<(&str, Option<&str>)>) -> Package {
    let mut package = Package::new(PackageType::DEB, name, version);
    package.source = source.map(|(name, version)| SourcePackage {
        name: name.into(),
        version: version.map(str::to_owned),
    });
    package
}

fn detail(finding: &Finding) -> &VulnerabilityDetail {
    let Detail::Vulnerability(detail) = &finding.detail else {
        panic!("no vulnerability: {finding:?}")
    };
    detail
}

fn ids(outcome: &MatchOutcome) -> Vec<&str> {
    outcome
        .findings
        .iter()
        .map(|finding| detail(finding).id.as_str())
        .collect()
}

const BOOKWORM: Option<(&str, &str)> = Some(("debian", "12"));

#[test]
fn a_binary_rebuild_is_judged_by_its_source_version() {
    let dsa = record(
        "DSA-1-1",
        r#""upstream":["CVE-2024-1"]"#,
        &affected("Debian:12", "curl", &before("7.88.1-10+deb12u5")),
    );
    let db = db(&[&dsa]);
    let rebuilt = deb(
        "libcurl4",
        "7.88.1-10+deb12u5+b1",
        Some(("curl", Some("7.88.1-10+deb12u5"))),
    );
    assert_eq!(
        ids(&match_image(
            &db,
            &image(BOOKWORM, vec![item(rebuilt)]),
            NOW
        )),
        [""; 0]
    );
    let old = deb(
        "libcurl4",
        "7.88.1-10+b1",
        Some(("curl", Some("7.88.1-10"))),
    );
    let outcome = match_image(&db, &image(BOOKWORM, vec![item(old)]), NOW);
    assert_eq!(ids(&outcome), ["CVE-2024-1"]);
    let finding = &outcome.findings[0];
    assert_eq!(detail(finding).aliases, ["DSA-1-1"]);
    assert_eq!(detail(finding).traces[0].looked_up, "source curl");
    assert_eq!(
        finding.evidence[0]
            .location
            .as_ref()
            .unwrap()
            .created_by
            .as_deref(),
        Some("ADD rootfs.tar /")
    );
    let command = finding.remediation.as_ref().unwrap().command.as_deref();
    assert_eq!(
        command,
        Some("apt-get update && apt-get install --only-upgrade -y libcurl4")
    );
}

#[test]
fn a_flaw_told_by_several_records_is_one_finding_with_the_highest_fix() {
    let db = db(&[
        &record(
            "DEBIAN-CVE-2024-1",
            r#""upstream":["CVE-2024-1"]"#,
            &affected("Debian:12", "a", &before("1.2")),
        ),
        &record(
            "DSA-1-1",
            r#""upstream":["CVE-2024-1","CVE-2024-2"]"#,
            &affected("Debian:12", "a", &before("1.1")),
        ),
        &record(
            "DSA-2-1",
            r#""upstream":["CVE-2024-1"]"#,
            &affected("Debian:12", "a", &before("1.3")),
        ),
    ]);
    let outcome = match_image(
        &db,
        &image(BOOKWORM, vec![item(deb("a", "1.0", None))]),
        NOW,
    );
    assert_eq!(ids(&outcome), ["CVE-2024-1", "CVE-2024-2"]);
    assert_eq!(detail(&outcome.findings[0]).fixed.as_deref(), Some("1.3"));
    assert_eq!(detail(&outcome.findings[1]).fixed.as_deref(), Some("1.1"));
}

#[test]
fn aliases_join_records_of_different_publishers() {
    let vector =
        r#""severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]"#;
    let db = db(&[
        &record(
            "GHSA-a",
            r#""aliases":["CVE-2024-1"],"database_specific":{"severity":"MODERATE"}"#,
            &affected("PyPI", "X.y", &before("2.0")),
        ),
        &record(
            "PYSEC-1",
            &format!(r#""aliases":["GHSA-a"],{vector}"#),
            &affected("PyPI", "x-y", &before("2.0")),
        ),
    ]);
    let outcome = match_image(
        &db,
        &image(
            None,
            vec![item(Package::new(PackageType::PYPI, "X_Y", "1.0"))],
        ),
        NOW,
    );
    assert_eq!(ids(&outcome), ["CVE-2024-1"]);
    let finding = &outcome.findings[0];
    assert_eq!(detail(finding).aliases, ["GHSA-a", "PYSEC-1"]);
    // The vendor's word comes before the score.
    assert_eq!(
        (finding.severity, finding.severity_origin.as_str()),
        (Severity::Medium, "github")
    );
    assert!((detail(finding).cvss[0].score - 9.8).abs() < 0.01);
}

#[test]
fn a_version_that_cannot_be_read_is_unverified_and_not_dropped() {
    let db = db(&[&record(
        "PYSEC-1",
        r#""aliases":["CVE-2024-1"]"#,
        &affected("PyPI", "x", &before("2.0")),
    )]);
    let outcome = match_image(
        &db,
        &image(
            None,
            vec![item(Package::new(PackageType::PYPI, "x", "not a version"))],
        ),
        NOW,
    );
    assert_eq!(outcome.findings[0].certainty, Certainty::Unverified);
    assert!(
        detail(&outcome.findings[0]).traces[0]
            .comparison
            .contains("not a version")
    );
}

#[test]
fn unfixed_flaws_tell_what_the_publisher_means_to_do() {
    let open = |status: &str| {
        let affected = format!(
            r#"{{"package":{{"ecosystem":"Debian:12","name":"a"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}}]}}],"database_specific":{{"status":"{status}"}}}}"#
        );
        let db = db(&[&record("DEBIAN-CVE-2024-1", r#""details":"""#, &affected)]);
        let outcome = match_image(&db, &image(BOOKWORM, vec![item(deb("a", "1", None))]), NOW);
        detail(&outcome.findings[0]).status
    };
    assert_eq!(open("ignored"), FixStatus::WillNotFix);
    assert_eq!(open("postponed"), FixStatus::FixDeferred);
    assert_eq!(open("unfixed"), FixStatus::Affected);
}

#[test]
fn what_a_distribution_installed_is_not_judged_twice() {
    let db = db(&[
        &record(
            "PYSEC-1",
            r#""aliases":["CVE-2024-1"]"#,
            &affected("PyPI", "requests", &before("2.0")),
        ),
        &record(
            "DSA-1-1",
            r#""upstream":["CVE-2024-9"]"#,
            &affected("Debian:12", "other", &before("2")),
        ),
    ]);
    let mut owned = item(Package::new(PackageType::PYPI, "requests", "1.0"));
    owned.owner = Some("python3-requests".into());
    let system = item(deb(
        "python3-requests",
        "2.28.1+dfsg-1",
        Some(("requests", None)),
    ));
    let outcome = match_image(
        &db,
        &image(BOOKWORM, vec![owned.clone(), system.clone()]),
        NOW,
    );
    assert_eq!(ids(&outcome), [""; 0]);
    assert_eq!(outcome.suppressed[0].reason, SuppressReason::OwnedByDistro);
    // A third-party package's content is nobody's but the language ecosystem's.
    let mut outside = system;
    if let EvidenceItem::Package(package) = &mut outside.item {
        package.vendor = Some("X <x@docker.com>".into());
    }
    let outcome = match_image(&db, &image(BOOKWORM, vec![owned, outside]), NOW);
    assert_eq!(ids(&outcome), ["CVE-2024-1"]);
    assert!(
        outcome
            .gaps
            .iter()
            .any(|gap| gap.kind == GapKind::UncoveredPackages)
    );
}

#[test]
fn kernels_and_placeholder_versions_are_counted_and_not_reported() {
    let db = db(&[
        &record(
            "DSA-1-1",
            r#""upstream":["CVE-2024-1"]"#,
            &affected("Debian:12", "linux", &before("99")),
        ),
        &record(
            "GO-1",
            r#""aliases":["CVE-2024-2"]"#,
            &affected("Go", "example.org/tool", &before("1.0.0")),
        ),
    ]);
    let mut main = Package::new(PackageType::GOLANG, "example.org/tool", "(devel)");
    main.role = PackageRole::Main;
    let headers = deb("linux-libc-dev", "6.1", Some(("linux", None)));
    let outcome = match_image(&db, &image(BOOKWORM, vec![item(headers), item(main)]), NOW);
    assert_eq!(ids(&outcome), [""; 0]);
    let reasons: Vec<_> = outcome
        .suppressed
        .iter()
        .map(|s| (s.reason, s.count))
        .collect();
    assert_eq!(
        reasons,
        [
            (SuppressReason::KernelPackage, 1),
            (SuppressReason::MeaninglessVersion, 1)
        ]
    );
}

#[test]
fn fixes_for_subscribers_are_flaws_that_will_not_be_fixed_here() {
    let db = db(&[
        &record(
            "UBUNTU-CVE-2024-1",
            r#""upstream":["CVE-2024-1"]"#,
            &affected("Ubuntu:Pro:20.04:LTS", "vim", &before("2:8.1-esm2")),
        ),
        &record(
            "USN-1-1",
            r#""upstream":["CVE-2024-2"]"#,
            &format!(
                "{},{}",
                affected("Ubuntu:20.04:LTS", "vim", &before("2:8.0")),
                affected("Ubuntu:Pro:20.04:LTS", "vim", &before("2:9"))
            ),
        ),
    ]);
    let focal = Some(("ubuntu", "20.04"));
    let outcome = match_image(
        &db,
        &image(focal, vec![item(deb("vim", "2:8.1-1", None))]),
        NOW,
    );
    // CVE-2024-2 has an open fix, which is installed.
    assert_eq!(ids(&outcome), ["CVE-2024-1"]);
    assert_eq!(detail(&outcome.findings[0]).status, FixStatus::WillNotFix);
    let attached = match_image(
        &db,
        &image(focal, vec![item(deb("vim", "2:8.1-esm1", None))]),
        NOW,
    );
    assert_eq!(
        detail(&attached.findings[0]).fixed.as_deref(),
        Some("2:8.1-esm2")
    );
}

#[test]
fn what_cannot_be_judged_is_said() {
    let empty = db(&[&record(
        "DSA-1-1",
        r#""upstream":["CVE-2024-9"]"#,
        &affected("Debian:12", "x", &before("2")),
    )]);
    let kinds = |image: &ImageEvidence| -> Vec<GapKind> {
        match_image(&empty, image, NOW)
            .gaps
            .into_iter()
            .map(|gap| gap.kind)
            .collect()
    };
    let package = || vec![item(deb("a", "1", None))];
    assert_eq!(kinds(&image(None, vec![])), [GapKind::NoPackageDatabase]);
    assert_eq!(
        kinds(&image(BOOKWORM, vec![])),
        [GapKind::NoPackageDatabase]
    );
    assert_eq!(kinds(&image(None, package())), [GapKind::UnknownDistro]);
    assert_eq!(
        kinds(&image(Some(("slackware", "15")), package())),
        [GapKind::NoAdvisorySource]
    );
    assert_eq!(
        kinds(&image(Some(("debian", "9")), package())),
        [GapKind::EndOfLifeRelease, GapKind::NoAdvisorySource]
    );
    assert_eq!(kinds(&image(BOOKWORM, package())), []);
    let gem = vec![
        item(Package::new(PackageType::new("gem"), "rails", "1")),
        item(deb("a", "1", None)),
    ];
    assert_eq!(kinds(&image(BOOKWORM, gem)), [GapKind::NoAdvisorySource]);
}

#[test]
fn removed_packages_are_not_judged_and_fingerprints_outlive_upgrades() {
    let dsa = record(
        "DSA-1-1",
        r#""upstream":["CVE-2024-1"]"#,
        &affected("Debian:12", "a", &before("9")),
    );
    let db = db(&[&dsa]);
    let mut removed = item(deb("a", "1", None));
    removed.removed_by = Some(1);
    assert_eq!(
        ids(&match_image(&db, &image(BOOKWORM, vec![removed]), NOW)),
        [""; 0]
    );
    let print = |version: &str| {
        let outcome = match_image(
            &db,
            &image(BOOKWORM, vec![item(deb("a", version, None))]),
            NOW,
        );
        outcome.findings[0].fingerprint.clone()
    };
    assert_eq!(print("1"), print("2"));
}

#[test]
fn a_source_rpm_has_no_epoch_and_its_advisory_does() {
    let rlsa = record(
        "RLSA-2024:1",
        r#""related":["CVE-2024-1"]"#,
        &affected("Rocky Linux:9", "openssl", &before("1:3.0.7-25.el9")),
    );
    let db = db(&[&rlsa]);
    let find = |version: &str| {
        let mut package = Package::new(PackageType::RPM, "openssl-libs", format!("1:{version}"));
        package.source = Some(SourcePackage {
            name: "openssl".into(),
            version: Some(version.into()),
        });
        match_image(
            &db,
            &image(Some(("rocky", "9.3")), vec![item(package)]),
            NOW,
        )
        .findings
        .len()
    };
    assert_eq!((find("3.0.7-24.el9"), find("3.0.7-25.el9")), (1, 0));
}

#[test]
fn a_malicious_package_is_malware_in_every_layer_and_no_vulnerability() {
    let db = db(&[
        &record(
            "MAL-2024-1",
            r#""summary":"evil""#,
            &affected("npm", "evil", r#"{"introduced":"0"}"#),
        ),
        &record(
            "MAL-2024-2",
            r#""summary":"evil""#,
            r#"{"package":{"ecosystem":"npm","name":"taken"},"versions":["1.0.1"]}"#,
        ),
    ]);
    let npm = |name: &str, version: &str| item(Package::new(PackageType::NPM, name, version));
    let mut removed = npm("evil", "2.0.0");
    removed.removed_by = Some(1);
    let outcome = match_image(
        &db,
        &image(
            None,
            vec![
                npm("evil", "1.0.0"),
                removed,
                npm("taken", "1.0.0"),
                npm("taken", "1.0.1"),
            ],
        ),
        NOW,
    );
    let found: Vec<(&str, Severity, &str)> = outcome
        .findings
        .iter()
        .map(|finding| {
            (
                finding.rule.as_str(),
                finding.severity,
                finding.title.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                "malicious-package",
                Severity::Critical,
                "malicious package `evil 1.0.0` (MAL-2024-1)"
            ),
            (
                "malicious-package",
                Severity::Critical,
                "malicious package `taken 1.0.1` (MAL-2024-2)"
            ),
            (
                "malicious-package",
                Severity::High,
                "malicious package `evil 2.0.0` (MAL-2024-1), removed by layer 1 but still in layer 0"
            ),
        ]
    );
    let Detail::Malware(detail) = &outcome.findings[0].detail else {
        panic!("{:?}", outcome.findings[0].detail)
    };
    assert_eq!(detail.names, ["advisory: MAL-2024-1"]);
}
