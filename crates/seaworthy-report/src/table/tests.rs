use seaworthy_core as core;
use seaworthy_core::{
    CoverageGap, FindingEvidence, GapKind, ImageEvidence, ImagePath, LayerInfo, LayerStats,
    Package, PackageType, RuleId, TracedItem,
};
use seaworthy_policy::{Ignore, Policy};

use crate::*;

/// A finding in few words: `(id, package, source, severity, fixed)`.
fn flaw(
    id: &str,
    package: &str,
    source: Option<&str>,
    severity: core::Severity,
    fixed: Option<&str>,
) -> core::Finding {
    let rule = RuleId::new("vulnerable-package");
    core::Finding {
        fingerprint: core::Fingerprint::of(&rule, [id, package]),
        rule,
        subject: core::Subject::Package {
            purl: format!("pkg:deb/debian/{package}@1.1.1n-0"),
        },
        severity,
        severity_origin: "debian".into(),
        certainty: core::Certainty::Confirmed,
        title: format!("{id} in {package}"),
        evidence: vec![FindingEvidence {
            location: Some(core::Location {
                path: ImagePath::new("var/lib/dpkg/status"),
                layer: Some(0),
                diff_id: Some(core::Digest::from_sha256([7; 32])),
                created_by: Some("ADD rootfs.tar.xz / # buildkit".into()),
                removed_by: None,
            }),
            note: "installed".into(),
        }],
        remediation: None,
        references: vec!["https://example.org/advisory".into()],
        detail: core::Detail::Vulnerability(Box::new(core::VulnerabilityDetail {
            id: id.into(),
            aliases: vec!["DSA-1-1".into()],
            package_type: "deb".into(),
            package: package.into(),
            source_package: source.map(str::to_owned),
            installed: "1.1.1n-0".into(),
            fixed: fixed.map(str::to_owned),
            status: fixed.map_or(core::FixStatus::Affected, |_| core::FixStatus::Fixed),
            cvss: vec![core::CvssScore {
                vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N".into(),
                score: 7.5,
            }],
            epss: None,
            kev: None,
            published: Some("2014-04-07".into()),
            traces: vec![core::MatchTrace {
                record: format!("DEBIAN-{id}"),
                shard: "Debian:11".into(),
                looked_up: format!("source {}", source.unwrap_or(package)),
                range: "< 1.1.1w-0".into(),
                comparison: "dpkg: 1.1.1n-0 < 1.1.1w-0".into(),
            }],
        })),
    }
}

fn detail(finding: &mut core::Finding) -> &mut core::VulnerabilityDetail {
    let core::Detail::Vulnerability(detail) = &mut finding.detail else {
        panic!("no vulnerability")
    };
    detail
}

fn evidence(packages: &[&str]) -> ImageEvidence {
    ImageEvidence {
        layers: vec![LayerInfo {
            index: 0,
            diff_id: Some(core::Digest::from_sha256([7; 32])),
            created_by: Some("ADD rootfs.tar.xz / # buildkit".into()),
            stats: LayerStats {
                entries: 12,
                files: 10,
                bytes: 4096,
            },
            complete: true,
        }],
        distro: Some(core::Distro {
            pretty_name: Some("Debian GNU/Linux 11 (bullseye)".into()),
            ..core::Distro::new("debian", Some("11"))
        }),
        items: packages
            .iter()
            .map(|name| TracedItem {
                path: ImagePath::new("var/lib/dpkg/status"),
                item: core::EvidenceItem::Package(Package::new(
                    PackageType::DEB,
                    *name,
                    "1.1.1n-0",
                )),
                layer: 0,
                removed_by: None,
                owner: None,
            })
            .collect(),
        ..ImageEvidence::default()
    }
}

fn report(
    findings: Vec<core::Finding>,
    gaps: &[CoverageGap],
    problems: &[core::Problem],
    policy: &Policy,
) -> Report {
    let now = "2026-06-15T12:00:00Z".parse().unwrap();
    let evidence = evidence(&["openssl", "libssl1.1", "bash"]);
    let verdict = seaworthy_policy::evaluate(&findings, gaps, problems, policy, now);
    let image = Image {
        reference: "debian:11".into(),
        source: "docker".into(),
        names: vec!["debian:11".into()],
        image_id: Some(core::Digest::from_sha256([3; 32]).to_string()),
        manifest_digest: None,
        platform: Some("linux/amd64".into()),
        created: Some("2024-05-01T08:00:00Z".into()),
        layers: Vec::new(),
    };
    // An image with flaws also has a kernel package, which is told and not judged.
    let suppressed = findings
        .first()
        .map(|_| Suppressed {
            reason: "kernel-package".into(),
            summary: "the host's kernel is what runs".into(),
            count: 1,
            examples: vec!["linux-libc-dev".into()],
        })
        .into_iter()
        .collect();
    Report::new(ReportParts {
        tool_version: "0.0.0",
        scanned_at: now.to_string(),
        image: image_of(image, &evidence),
        evidence: &evidence,
        database: Database {
            kind: DatabaseKind::Installed,
            serial: 12,
            built_at: Some("2026-06-14T00:00:00Z".into()),
            expires_at: Some("2026-06-21T00:00:00Z".into()),
            advisories: 31_234,
        },
        malware: vec![
            MalwareEngine {
                engine: "signatures".into(),
                count: Some(8_712_345),
                version: None,
                published_at: Some("2026-06-14T09:00:00Z".into()),
                age_days: Some(1),
            },
            MalwareEngine {
                engine: "rules".into(),
                count: Some(80),
                version: None,
                published_at: None,
                age_days: None,
            },
        ],
        findings,
        gaps,
        suppressed,
        problems,
        policy,
        verdict: &verdict,
        compare: &|_, a, b| Some(a.cmp(b)),
        timings: None,
    })
}

/// A miner in a file that a later layer removed.
fn miner() -> core::Finding {
    let rule = RuleId::new("miner-configuration");
    core::Finding {
        fingerprint: core::Fingerprint::of(&rule, ["opt/x/config.json"]),
        rule,
        subject: core::Subject::File {
            path: ImagePath::new("opt/x/config.json"),
        },
        severity: core::Severity::Critical,
        severity_origin: "rule".into(),
        certainty: core::Certainty::Confirmed,
        title: "Miner configuration in `/opt/x/config.json`".into(),
        evidence: vec![FindingEvidence {
            location: Some(core::Location {
                path: ImagePath::new("opt/x/config.json"),
                layer: Some(3),
                diff_id: None,
                created_by: Some("COPY x /opt/x # buildkit".into()),
                removed_by: Some(5),
            }),
            note: "a pool's address".into(),
        }],
        remediation: None,
        references: Vec::new(),
        detail: core::Detail::Malware(Box::new(core::MalwareDetail {
            summary: "miner configuration".into(),
            basis: core::MalwareBasis::Behaviour,
            names: vec!["signatures: Multios.Coinminer.Miner-1".into()],
            started_by: vec![core::StartedBy {
                kind: core::StarterKind::Cron,
                path: Some(ImagePath::new("etc/cron.d/x")),
            }],
            in_final_view: false,
            places: 1,
        })),
    }
}

#[test]
fn malware_says_layer_history_and_what_starts_it_and_explains_itself() {
    let report = report(vec![miner()], &[], &[], &Policy::default());
    assert_eq!((report.counts.malware, report.verdict.exit_status), (1, 1));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let table = words(&render(&report, &RenderOptions::default()));
    for part in [
        "1 malware Malware",
        "Miner configuration in `/opt/x/config.json`",
        "layer 3",
        "buried, layer 5 removed it",
        "started by cron /etc/cron.d/x",
        "brought by: COPY x /opt/x # buildkit",
        "Multios.Coinminer.Miner-1",
        "8712345 signatures of 2026-06-14",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    for id in ["miner-configuration", "Multios.Coinminer.Miner-1"] {
        let mut out = Vec::new();
        let count = explain(&report, id, &RenderOptions::default(), &mut out).unwrap();
        let text = words(&String::from_utf8(out).unwrap());
        assert_eq!(count, 1, "{id}");
        assert!(text.contains("removed again by layer 5"), "{text}");
        assert!(text.contains("started by cron /etc/cron.d/x"), "{text}");
    }
}

fn full_report() -> Report {
    let mut heartbleed = flaw(
        "CVE-2014-0160",
        "libssl1.1",
        Some("openssl"),
        core::Severity::Critical,
        Some("1.1.1w-0+deb11u1"),
    );
    detail(&mut heartbleed).kev = Some(core::Kev {
        date_added: "2022-05-04".into(),
        ransomware: false,
    });
    detail(&mut heartbleed).epss = Some(core::Epss {
        probability: 0.944,
        percentile: 0.999,
    });
    let mut unsure = flaw("CVE-2021-9", "bash", None, core::Severity::High, None);
    unsure.certainty = core::Certainty::Unverified;
    let mut wont = flaw("CVE-2021-3", "bash", None, core::Severity::Medium, None);
    detail(&mut wont).status = core::FixStatus::WillNotFix;
    let policy = Policy {
        ignore: vec![
            Ignore {
                subject: None,
                id: "CVE-2020-1".into(),
                package: None,
                path: None,
                reason: "input is signed".into(),
                expires: Some(jiff::civil::date(2026, 12, 31)),
                line: 4,
            },
            Ignore {
                subject: None,
                id: "CVE-2019-1".into(),
                package: None,
                path: None,
                reason: "old".into(),
                expires: None,
                line: 9,
            },
        ],
        ..Policy::default()
    };
    report(
        vec![
            heartbleed,
            flaw(
                "CVE-2022-0778",
                "openssl",
                Some("openssl"),
                core::Severity::High,
                Some("1.1.1t-0"),
            ),
            unsure,
            wont,
            flaw("CVE-2020-1", "bash", None, core::Severity::High, None),
            flaw("CVE-2005-1", "bash", None, core::Severity::Negligible, None),
            flaw("CVE-2026-1", "bash", None, core::Severity::Unknown, None),
        ],
        &[CoverageGap {
            kind: GapKind::EndOfLifeRelease,
            subject: "Debian 11".into(),
            message: "Debian 11 gets no advisories since 2026-08-31: silence says nothing".into(),
            packages: Some(3),
        }],
        &[core::Problem::new(
            core::ProblemKind::Malformed,
            "the tar header at byte 512 is damaged",
        )
        .in_layer(0)],
        &policy,
    )
}

fn render(report: &Report, options: &RenderOptions) -> String {
    let mut out = Vec::new();
    super::write(report, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn an_unfit_image_reads_from_verdict_to_next_step() {
    insta::assert_snapshot!(render(&full_report(), &RenderOptions::default()));
}

#[test]
fn a_fit_image_is_called_so_in_few_lines() {
    let text = render(
        &report(Vec::new(), &[], &[], &Policy::default()),
        &RenderOptions::default(),
    );
    insta::assert_snapshot!(text);
    assert!(text.lines().count() <= 12);
}

#[test]
fn an_ascii_terminal_gets_ascii_and_a_narrow_one_narrow_lines() {
    let text = render(
        &full_report(),
        &RenderOptions {
            width: 60,
            unicode: false,
            ..RenderOptions::default()
        },
    );
    assert!(text.is_ascii(), "{text}");
    for line in text.lines() {
        assert!(
            line.len() <= 60 || line.contains("hint"),
            "{}: {line}",
            line.len()
        );
    }
}

#[test]
fn colour_only_repeats_what_the_words_say() {
    let plain = render(&full_report(), &RenderOptions::default());
    let coloured = render(
        &full_report(),
        &RenderOptions {
            colour: true,
            ..RenderOptions::default()
        },
    );
    assert!(coloured.contains("\x1b["));
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        stripped.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
}

#[test]
fn hostile_names_reach_no_terminal() {
    let mut finding = flaw(
        "CVE-\x1b]0;owned\x07",
        "evil\x1b[2J\u{202e}",
        None,
        core::Severity::Critical,
        Some("1\n2"),
    );
    detail(&mut finding).installed = "\u{9b}31m".into();
    let gap = CoverageGap {
        kind: GapKind::UncoveredPackages,
        subject: "\x1b[1m".into(),
        message: "\x1b[1m".into(),
        packages: None,
    };
    let problem = core::Problem::new(core::ProblemKind::Malformed, "\x1b[1m");
    let report = report(vec![finding], &[gap], &[problem], &Policy::default());
    for details in [false, true] {
        let text = render(
            &report,
            &RenderOptions {
                details,
                ..RenderOptions::default()
            },
        );
        assert!(
            !text
                .chars()
                .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{text:?}"
        );
        assert!(text.contains("evil\\u{1b}[2J\\u{202e}"), "{text}");
    }
}

#[test]
fn long_lists_collapse_and_details_show_them_all() {
    let mut findings = Vec::new();
    for package in 0..20 {
        for id in 0..10 {
            findings.push(flaw(
                &format!("CVE-2020-{package:02}{id:02}"),
                &format!("package{package:02}"),
                None,
                core::Severity::High,
                Some("2"),
            ));
        }
    }
    let report = report(findings, &[], &[], &Policy::default());
    let short = render(&report, &RenderOptions::default());
    assert!(
        short.contains("5 more packages with 50 findings: see them with `--details`"),
        "{short}"
    );
    assert!(short.contains("4 more: 4 high"), "{short}");
    let long = render(
        &report,
        &RenderOptions {
            details: true,
            ..RenderOptions::default()
        },
    );
    assert_eq!(long.matches("CVE-2020-").count(), 200 + 1);
}

#[test]
fn an_explanation_names_file_layer_record_range_and_comparison() {
    let mut out = Vec::new();
    let report = full_report();
    let options = RenderOptions::default();
    assert_eq!(
        explain(&report, "cve-2014-0160", &options, &mut out).unwrap(),
        1
    );
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
    assert_eq!(
        explain(&report, "CVE-0000-0", &options, &mut Vec::new()).unwrap(),
        0
    );
    let fingerprint = &report.findings[0].fingerprint[..8];
    assert_eq!(
        explain(&report, fingerprint, &options, &mut Vec::new()).unwrap(),
        1
    );
    // An alias names every finding that bears it.
    assert_eq!(
        explain(&report, "DSA-1-1", &options, &mut Vec::new()).unwrap(),
        7
    );
}

#[test]
fn the_document_follows_its_schema_and_comes_back_the_same() {
    let report = full_report();
    let json = serde_json::to_value(&report).unwrap();
    let validator = jsonschema::validator_for(&report_schema()).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&json)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [""; 0]);
    assert_eq!(
        serde_json::from_value::<Report>(json.clone()).unwrap(),
        report
    );
    assert_eq!(json["findings"][0]["detail"]["kind"], "vulnerability");
    assert_eq!(json["verdict"]["exit_status"], 1);

    let mut broken = json;
    broken["findings"][0]["severity"] = "dreadful".into();
    assert!(!validator.is_valid(&broken));
}

#[test]
fn an_inventory_follows_its_schema_and_lists_every_package() {
    let report = full_report();
    let evidence = evidence(&["openssl", "bash"]);
    let inventory = Inventory::new("0.0.0", report.image.clone(), &evidence, &[]);
    let json = serde_json::to_value(&inventory).unwrap();
    assert!(
        jsonschema::validator_for(&inventory_schema())
            .unwrap()
            .is_valid(&json)
    );
    let mut out = Vec::new();
    inventory
        .write_table(&RenderOptions::default(), &mut out)
        .unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn the_advice_never_promises_a_version_that_can_not_be_compared() {
    let report = full_report();
    let incomparable = actions(&report.findings, &|_, _, _| None);
    let openssl = &incomparable[0];
    assert_eq!((openssl.removes, openssl.remain), (1, 1));
    let known = actions(&report.findings, &|_, a, b| Some(a.cmp(b)));
    assert_eq!(known[0].to, "1.1.1w-0+deb11u1");
    assert_eq!((known[0].removes, known[0].remain), (2, 0));
}
