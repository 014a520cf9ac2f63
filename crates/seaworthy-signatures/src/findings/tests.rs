use seaworthy_core::{
    DetectionEngine, ExecutableKind, ImageStart, LayerInfo, LayerStats, OwnedFile, Package,
};

use super::*;
use crate::heuristics::{RULES, Sample};

const A: &str = "md5:0000000000000000000000000000000a";
const B: &str = "md5:0000000000000000000000000000000b";

fn traced(path: &str, item: EvidenceItem) -> TracedItem {
    TracedItem {
        path: ImagePath::new(path),
        item,
        layer: 1,
        removed_by: None,
        owner: None,
    }
}

fn suspicion(path: &str, rule: &str) -> TracedItem {
    traced(
        path,
        EvidenceItem::Suspicion(SuspicionEvidence {
            rule: rule.to_owned(),
            inside: None,
            offset: None,
            note: "seen".to_owned(),
        }),
    )
}

fn detection(path: &str, engine: DetectionEngine, name: &str) -> TracedItem {
    traced(
        path,
        EvidenceItem::Detection(DetectionEvidence {
            engine,
            name: name.to_owned(),
            inside: None,
            note: "body signature at byte 0".to_owned(),
        }),
    )
}

fn starter(path: &str, kind: StarterKind, starts: &[&str]) -> TracedItem {
    traced(
        path,
        EvidenceItem::Starter(StarterEvidence {
            kind,
            starts: starts.iter().map(|&word| word.into()).collect(),
        }),
    )
}

fn executable(path: &str, kind: ExecutableKind, mode: u32, digests: &[&str]) -> TracedItem {
    traced(
        path,
        EvidenceItem::Executable(ExecutableEvidence {
            kind,
            mode,
            uid: 0,
            gid: 0,
            size: 100,
            digests: digests.iter().map(|&digest| digest.into()).collect(),
        }),
    )
}

fn program(path: &str, digest: &str) -> TracedItem {
    executable(path, ExecutableKind::Program, 0o755, &[digest])
}

fn owned(path: &str, digest: Option<&str>) -> (OwnedFile, String) {
    let file = OwnedFile {
        path: ImagePath::new(path),
        digest: digest.map(Into::into),
    };
    (file, "coreutils".to_owned())
}

fn buried(mut item: TracedItem, by: u32) -> TracedItem {
    item.removed_by = Some(by);
    item
}

/// An image of three layers with what a scan would give in this order.
fn image(mut items: Vec<TracedItem>, mut owned_files: Vec<(OwnedFile, String)>) -> ImageEvidence {
    let layer = |index, line: &str| LayerInfo {
        index,
        diff_id: None,
        created_by: Some(line.to_owned()),
        stats: LayerStats::default(),
        complete: true,
    };
    owned_files.sort();
    for item in &mut items {
        let other = merged_usr_alias(item.path.as_str());
        item.owner = owned_files
            .iter()
            .find(|(file, _)| {
                file.path == item.path || Some(file.path.as_str()) == other.as_deref()
            })
            .map(|(_, owner)| owner.clone());
    }
    items.push(traced(
        "var/lib/dpkg/status",
        EvidenceItem::Package(Package::new(PackageType::DEB, "coreutils", "9.1-1")),
    ));
    items.sort();
    ImageEvidence {
        layers: vec![
            layer(0, "/bin/sh -c #(nop) ADD file:1 in / "),
            layer(1, "RUN curl http://a.example.com | sh"),
            layer(2, "RUN rm -rf /opt"),
        ],
        items,
        owned_files,
        ..ImageEvidence::default()
    }
}

/// Owned, intact programs, so that the records are about the image.
fn system() -> (Vec<TracedItem>, Vec<(OwnedFile, String)>) {
    let names = ["cat", "cp", "ls", "mv"];
    let path = |name: &str| format!("usr/bin/{name}");
    (
        names.iter().map(|name| program(&path(name), A)).collect(),
        names
            .iter()
            .map(|name| owned(&path(name), Some(A)))
            .collect(),
    )
}

fn with_system(more: Vec<TracedItem>, more_owned: Vec<(OwnedFile, String)>) -> ImageEvidence {
    let (mut items, mut owned_files) = system();
    items.extend(more);
    owned_files.extend(more_owned);
    image(items, owned_files)
}

fn detail(finding: &Finding) -> &MalwareDetail {
    match &finding.detail {
        Detail::Malware(detail) => detail,
        other => panic!("{other:?}"),
    }
}

fn one(image: &ImageEvidence) -> Finding {
    let found = findings(image).findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

fn lines(image: &ImageEvidence) -> Vec<String> {
    findings(image)
        .findings
        .iter()
        .map(|finding| format!("{} {}: {}", finding.severity, finding.rule, finding.title))
        .collect()
}

#[test]
fn image_and_start_rules_speak_about_their_positive_samples_only() {
    for rule in RULES {
        for (samples, expected) in [(rule.positive, true), (rule.negative, false)] {
            for sample in samples {
                let image = match *sample {
                    Sample::File { .. } => continue,
                    Sample::Installed {
                        path,
                        mode,
                        recorded,
                        actual,
                    } => {
                        let kind = if path.contains(".so") {
                            ExecutableKind::Library
                        } else {
                            ExecutableKind::Program
                        };
                        with_system(
                            vec![executable(path, kind, mode, &[actual])],
                            recorded
                                .map(|recorded| owned(path, Some(recorded)))
                                .into_iter()
                                .collect(),
                        )
                    }
                    Sample::Start { words, preload } => ImageEvidence {
                        start: ImageStart {
                            command: words.iter().map(|&word| word.to_owned()).collect(),
                            preload: preload.iter().map(|&word| word.to_owned()).collect(),
                            ..ImageStart::default()
                        },
                        ..ImageEvidence::default()
                    },
                };
                // `ls` of the system and the sample are the same path in one case.
                let mut image = image;
                image.items.dedup_by(|a, b| {
                    a.path == b.path && matches!(a.item, EvidenceItem::Executable(_))
                });
                let found = findings(&image).findings;
                let speaks = found
                    .iter()
                    .any(|finding| finding.rule.as_str() == rule.meta.id);
                assert_eq!(speaks, expected, "{}: {sample:?}: {found:#?}", rule.meta.id);
            }
        }
    }
}

#[test]
fn a_changed_program_is_told_with_both_digests_and_the_way_back() {
    let found = one(&with_system(
        vec![program("usr/bin/du", B)],
        vec![owned("usr/bin/du", Some(A))],
    ));
    assert_eq!(found.rule.as_str(), "tampered-file");
    assert_eq!(found.severity, Severity::High);
    assert!(found.evidence[0].note.contains(A) && found.evidence[0].note.contains(B));
    assert_eq!(
        found.remediation.unwrap().command.as_deref(),
        Some("apt-get install --reinstall coreutils")
    );
}

#[test]
fn a_language_package_that_was_upgraded_in_place_is_one_low_finding() {
    let path = |n: u32| format!("usr/lib/node_modules/npm/lib/{n}.js");
    let image = with_system(
        (0..9)
            .map(|n| executable(&path(n), ExecutableKind::Other, 0o644, &[B]))
            .collect(),
        (0..9).map(|n| owned(&path(n), Some(A))).collect(),
    );
    let found = one(&image);
    assert_eq!(found.severity, Severity::Low);
    assert_eq!(detail(&found).places, 9);
}

#[test]
fn a_record_by_the_other_name_of_a_merged_usr_counts() {
    let changed = with_system(
        vec![program("usr/bin/du", B)],
        vec![owned("bin/du", Some(A))],
    );
    assert_eq!(one(&changed).rule.as_str(), "tampered-file");
    let right = with_system(
        vec![program("usr/bin/du", A)],
        vec![owned("bin/du", Some(A))],
    );
    assert_eq!(lines(&right), Vec::<String>::new());
}

#[test]
fn what_an_upgrade_replaced_is_compared_with_the_new_record_only() {
    let image = with_system(
        vec![
            buried(program("usr/bin/du", B), 2),
            program("usr/bin/du", A),
        ],
        vec![owned("usr/bin/du", Some(A))],
    );
    assert_eq!(lines(&image), Vec::<String>::new());
}

#[test]
fn a_file_without_a_digest_to_compare_is_unverified_and_never_right_or_wrong() {
    let found = one(&with_system(
        vec![program("usr/bin/du", B)],
        vec![owned("usr/bin/du", None)],
    ));
    assert_eq!(found.rule.as_str(), "unverifiable-files");
    assert_eq!(found.certainty, Certainty::Unverified);
    // Two packages say they own it, and one has no digest (a diversion).
    let mut other = owned("usr/bin/du", None);
    other.1 = "zz".to_owned();
    let found = one(&with_system(
        vec![program("usr/bin/du", B)],
        vec![owned("usr/bin/du", Some(A)), other],
    ));
    assert_eq!(found.rule.as_str(), "unverifiable-files");
}

#[test]
fn an_image_whose_records_are_not_about_its_files_accuses_nobody() {
    let strangers = (0..9)
        .map(|n| program(&format!("usr/bin/{n}"), B))
        .collect();
    let image = with_system(strangers, Vec::new());
    assert_eq!(lines(&image), Vec::<String>::new());
    let counts = findings(&image).integrity;
    assert!(!counts.unowned_fit && counts.unowned > counts.intact);
    assert_eq!(lines(&image_without_records()), Vec::<String>::new());
}

#[test]
fn who_plants_a_thousand_programs_does_not_hide_the_one_that_was_changed() {
    let planted = || (0..1000).map(|n| program(&format!("usr/bin/{n}"), B));
    let changed = planted().chain([program("usr/bin/du", B)]).collect();
    let image = with_system(changed, vec![owned("usr/bin/du", Some(A))]);
    let found = one(&image);
    assert_eq!(found.rule.as_str(), "tampered-file");
    let counts = findings(&image).integrity;
    assert!(counts.records_fit && !counts.unowned_fit);
    assert_eq!(counts.unowned, 1000);
    // Records of another system: next to nothing is what they say.
    let others: Vec<_> = (0..9)
        .map(|n| owned(&format!("usr/bin/{n}"), Some(A)))
        .collect();
    let image = with_system(planted().collect(), others);
    assert!(!findings(&image).integrity.records_fit);
    assert_eq!(lines(&image), Vec::<String>::new());
}

fn image_without_records() -> ImageEvidence {
    let mut evidence = image(
        vec![executable(
            "bin/busybox",
            ExecutableKind::Program,
            0o4755,
            &[B],
        )],
        Vec::new(),
    );
    evidence.owned_files.clear();
    evidence
}

#[test]
fn a_copy_of_an_owned_program_is_no_stranger() {
    let image = with_system(vec![program("usr/bin/dir", A)], Vec::new());
    assert_eq!(lines(&image), Vec::<String>::new());
}

#[test]
fn engines_and_copies_join_into_one_finding() {
    let sha = "sha256:00000000000000000000000000000000000000000000000000000000000000ff";
    let found = one(&image(
        vec![
            detection("opt/a", DetectionEngine::Signatures, "Unix.Trojan.X-1"),
            detection("opt/a", DetectionEngine::Yara, "linux_trojan_x"),
            executable("opt/a", ExecutableKind::Program, 0o755, &[sha]),
            detection("opt/b", DetectionEngine::Signatures, "Unix.Trojan.X-1"),
            detection("opt/b", DetectionEngine::Yara, "linux_trojan_x"),
            executable("opt/b", ExecutableKind::Program, 0o755, &[sha]),
        ],
        Vec::new(),
    ));
    assert_eq!(
        found.title,
        "known malware `Unix.Trojan.X-1` (and 1 more names) in `/opt/a` and 1 more"
    );
    assert_eq!(
        detail(&found).names,
        ["signatures: Unix.Trojan.X-1", "yara: linux_trojan_x"]
    );
    assert_eq!(detail(&found).places, 2);
    assert_eq!(found.severity, Severity::High);
}

#[test]
fn malware_that_the_entrypoints_script_names_is_critical() {
    let mut image = image(
        vec![
            detection("opt/bot", DetectionEngine::Signatures, "X"),
            starter(
                "docker-entrypoint.sh",
                StarterKind::Script,
                &["/opt/bot", "exec"],
            ),
        ],
        Vec::new(),
    );
    image.start.entrypoint = vec!["/docker-entrypoint.sh".to_owned()];
    let found = one(&image);
    assert_eq!(found.severity, Severity::Critical);
    assert_eq!(
        detail(&found).started_by,
        [StartedBy {
            kind: StarterKind::Entrypoint,
            path: Some(ImagePath::new("docker-entrypoint.sh"))
        }]
    );
    assert!(
        found
            .title
            .ends_with("started by the entrypoint through `/docker-entrypoint.sh`")
    );
}

#[test]
fn commands_are_found_by_path_and_working_directory() {
    let started = |path: &str, words: &[&str], working_dir: &str| {
        let mut image = image(
            vec![detection(path, DetectionEngine::Yara, "X")],
            Vec::new(),
        );
        image.start.command = words.iter().map(|&word| word.to_owned()).collect();
        image.start.working_dir = working_dir.to_owned();
        !detail(&one(&image)).started_by.is_empty()
    };
    assert!(started("usr/local/bin/app", &["app"], ""));
    assert!(started("srv/app", &["./app"], "/srv"));
    assert!(started("srv/app.py", &["python3", "app.py"], "/srv"));
    assert!(started("bin/x", &["/usr/bin/x"], ""));
    assert!(started(
        "opt/x",
        &["/bin/sh", "-c", "cd /data && exec /opt/x --flag"],
        ""
    ));
    assert!(!started("opt/app", &["app"], "/srv"));
    assert!(!started("opt/y", &["echo", "/opt/x"], ""));
}

#[test]
fn what_only_a_lower_layer_holds_is_lower_and_says_so() {
    let found = one(&image(
        vec![buried(
            detection("opt/a", DetectionEngine::Signatures, "X"),
            2,
        )],
        Vec::new(),
    ));
    assert_eq!(found.severity, Severity::Medium);
    assert!(!detail(&found).in_final_view);
    assert!(
        found
            .title
            .ends_with("removed by layer 2 but still in layer 1"),
        "{}",
        found.title
    );
    let location = found.evidence[0].location.as_ref().unwrap();
    assert_eq!(
        location.created_by.as_deref(),
        Some("RUN curl http://a.example.com | sh")
    );
    assert_eq!(location.removed_by, Some(2));
}

#[test]
fn a_signature_on_an_intact_package_file_is_passed_on_unverified() {
    let found = one(&with_system(
        vec![detection("usr/bin/ls", DetectionEngine::Signatures, "X")],
        Vec::new(),
    ));
    assert_eq!(found.certainty, Certainty::Unverified);
    assert_eq!(found.severity, Severity::High);
}

#[test]
fn rules_of_ours_keep_silent_about_intact_package_files() {
    let image = with_system(vec![suspicion("usr/bin/ls", "reverse-shell")], Vec::new());
    let found = findings(&image);
    assert!(found.findings.is_empty());
    assert_eq!(found.in_os_packages, 1);
}

#[test]
fn a_download_in_a_script_weighs_what_starts_it() {
    let severity = |items: Vec<TracedItem>| one(&image(items, Vec::new())).severity;
    assert_eq!(
        severity(vec![suspicion("opt/i.sh", "runs-download")]),
        Severity::Low
    );
    assert_eq!(
        severity(vec![
            suspicion("etc/cron.d/x", "runs-download"),
            starter("etc/cron.d/x", StarterKind::Cron, &[]),
        ]),
        Severity::High
    );
}

#[test]
fn a_copied_program_that_the_image_is_for_stays_low() {
    let mut image = with_system(vec![program("usr/bin/tini", B)], Vec::new());
    image.start.entrypoint = vec!["tini".to_owned()];
    let found = one(&image);
    assert_eq!(found.severity, Severity::Low);
    assert_eq!(detail(&found).started_by.len(), 1);
}

#[test]
fn placements_that_agree_weigh_more_and_support_what_is_surer() {
    let placed = vec![
        suspicion("tmp/.x/xmrig", "program-in-odd-place"),
        suspicion("tmp/.x/xmrig", "miner-program"),
    ];
    let found = one(&image(placed.clone(), Vec::new()));
    assert_eq!(found.severity, Severity::High);
    assert_eq!(detail(&found).names.len(), 2);
    let mut both = placed;
    both.push(detection(
        "tmp/.x/xmrig",
        DetectionEngine::Signatures,
        "Miner",
    ));
    let found = one(&image(both, Vec::new()));
    assert_eq!(found.rule.as_str(), "known-malware");
    assert_eq!(found.evidence.len(), 3);
}

#[test]
fn fingerprints_do_not_follow_messages_or_layers() {
    let first = image(vec![suspicion("opt/i.sh", "reverse-shell")], Vec::new());
    let mut second = first.clone();
    second.layers[1].created_by = None;
    for item in &mut second.items {
        item.layer = 0;
        if let EvidenceItem::Suspicion(suspicion) = &mut item.item {
            suspicion.note = "other words".to_owned();
        }
    }
    assert_eq!(one(&first).fingerprint, one(&second).fingerprint);
}

#[test]
fn an_image_with_several_starters_is_judged_as_a_whole() {
    let mut image = with_system(
        vec![
            detection(
                "usr/lib/.x/kdevtmpfsi",
                DetectionEngine::Signatures,
                "Unix.Coinminer.X",
            ),
            suspicion("usr/lib/.x/kdevtmpfsi", "program-in-odd-place"),
            suspicion("usr/lib/.x/kdevtmpfsi", "packed-program"),
            starter(
                "etc/cron.d/x",
                StarterKind::Cron,
                &["/usr/lib/.x/kdevtmpfsi"],
            ),
            suspicion("etc/cron.d/x", "runs-download"),
            suspicion("etc/ld.so.preload", "preload-file"),
            starter(
                "etc/ld.so.preload",
                StarterKind::Loader,
                &["/usr/lib/libhide.so"],
            ),
            executable("usr/lib/libhide.so", ExecutableKind::Library, 0o644, &[B]),
            program("usr/bin/du", B),
            buried(suspicion("opt/conf.json", "miner-configuration"), 2),
            suspicion("root/.ssh/authorized_keys", "authorized-key"),
        ],
        vec![owned("usr/bin/du", Some(A))],
    );
    image.start.command = vec![
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        "du; exec ls".to_owned(),
    ];
    assert_eq!(
        lines(&image),
        [
            "critical known-malware: known malware `Unix.Coinminer.X` in `/usr/lib/.x/kdevtmpfsi`, started by cron through `/etc/cron.d/x`",
            "high tampered-file: file that differs from what its package installed: `/usr/bin/du`, started by the command",
            "high preload-file: library that the loader puts into every program: `/etc/ld.so.preload`, started by the loader",
            "high unowned-program: program that no package installed, where packages install: `/usr/lib/libhide.so`, started by the loader through `/etc/ld.so.preload`",
            "high runs-download: script that runs what it downloads: `/etc/cron.d/x`, started by cron",
            "medium authorized-key: SSH key that may log in to every container of the image: `/root/.ssh/authorized_keys`",
            "medium miner-configuration: configuration of a cryptocurrency miner: `/opt/conf.json`, removed by layer 2 but still in layer 1",
        ]
    );
}

#[test]
fn evidence_of_a_newer_version_is_passed_over() {
    assert_eq!(
        lines(&image(vec![suspicion("a", "rule-of-tomorrow")], Vec::new())),
        Vec::<String>::new()
    );
}
