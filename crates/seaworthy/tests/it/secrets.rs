//! Secrets in images: found wherever they stand, shown nowhere.

use std::fs;
use std::path::Path;

use seaworthy_testkit::{Compression, ImageBuilder, LayerBuilder};
use serde_json::{Value, json};

use crate::program::{Program, Run};

const FILE: &str = "q8Zr2LmX0vTn5KdYq8Zr";
const BUILD_ARGUMENT: &str = "Zb7Yt4Rw9Qp2Lk6Jh3Gf";
const ENVIRONMENT: &str = "mW5xNc8Vu1Ea7Bi4Sd0R";

const SCAN: &[&str] = &["scan", "archive:image.tar", "--builtin"];

fn base() -> LayerBuilder {
    LayerBuilder::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
        .file("var/lib/dpkg/status", "")
}

/// One secret in two layers and deleted from both, one in a build argument, one in the
/// environment.
fn leaky() -> Program {
    let program = Program::new();
    program.write("image.tar", leaky_image().docker_archive());
    program
}

fn leaky_image() -> ImageBuilder {
    let env = format!("API_TOKEN={FILE}\n");
    ImageBuilder::new()
        .tag("leaky:1")
        .layer(&base())
        .layer_with(
            &LayerBuilder::new().file("app/.env", &env),
            Compression::Gzip,
            "COPY . /app # buildkit",
        )
        .layer_with(
            &LayerBuilder::new().file("backup/.env", &env),
            Compression::Gzip,
            &format!("RUN |1 NPM_TOKEN={BUILD_ARGUMENT} /bin/sh -c cp -r /app /backup # buildkit"),
        )
        .layer_with(
            &LayerBuilder::new().whiteout("app/.env").whiteout("backup"),
            Compression::Gzip,
            "RUN rm /app/.env",
        )
        .config(
            "Env",
            json!(["PATH=/bin", format!("DB_PASSWORD={ENVIRONMENT}")]),
        )
}

fn scan(program: &Program, more: &[&str]) -> Run {
    program.run(&[SCAN, more].concat())
}

fn secrets(report: &Value) -> Vec<&Value> {
    report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|finding| finding["detail"]["kind"] == "secret")
        .collect()
}

fn one<'r>(report: &'r Value, state: &str) -> &'r Value {
    let of_state = |finding: &&&Value| finding["detail"]["state"] == state;
    let found = secrets(report);
    assert_eq!(
        found.iter().filter(of_state).count(),
        1 + usize::from(state == "configuration")
    );
    found
        .into_iter()
        .find(|finding| finding["detail"]["state"] == state)
        .expect("one")
}

#[test]
fn a_deleted_secret_of_two_layers_is_one_buried_finding_with_both_places() {
    let report = scan(&leaky(), &["--format", "json"]).json();
    let finding = one(&report, "buried");
    let places: Vec<(&str, u64, u64)> = finding["evidence"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|evidence| {
            let place = &evidence["location"];
            (
                place["path"].as_str().expect("a path"),
                place["layer"].as_u64().expect("a layer"),
                place["removed_by"].as_u64().expect("a layer"),
            )
        })
        .collect();
    assert_eq!(places, [("/app/.env", 1, 3), ("/backup/.env", 2, 3)]);
    assert_eq!(
        finding["remediation"]["command"],
        "echo '**/.env' >> .dockerignore"
    );
}

#[test]
fn environment_and_build_arguments_are_searched() {
    let report = scan(&leaky(), &["--format", "json"]).json();
    let mut titles: Vec<&str> = secrets(&report)
        .iter()
        .filter(|finding| finding["subject"]["kind"] == "image")
        .map(|finding| finding["title"].as_str().expect("a title"))
        .collect();
    titles.sort_unstable();
    assert_eq!(
        titles,
        [
            "Secret by the name it is given to in environment variable `DB_PASSWORD`",
            "Secret by the name it is given to in history line 3",
        ]
    );
    assert_eq!(report["counts"]["secrets"], 3);
}

/// All files below a folder.
fn files(folder: &Path, out: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.file_name().is_some_and(|name| name != "image.tar") {
            out.push(fs::read(&path).expect("a file"));
        }
    }
}

#[test]
fn no_value_is_in_any_output_or_in_the_cache() {
    let program = leaky();
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for words in [
        &[SCAN, &["--format", "json", "--output", "report.json"]].concat()[..],
        &[SCAN, &["--details", "--verbose"]].concat(),
        &[
            "explain",
            "archive:image.tar",
            "generic-secret-assignment",
            "--builtin",
        ],
        &["packages", "archive:image.tar", "--format", "json"],
    ] {
        let run = program.run(words);
        outputs.push(run.stdout.into_bytes());
        outputs.push(run.stderr.into_bytes());
    }
    files(&program.path(""), &mut outputs);
    // The report, the key, and one entry for each layer.
    assert!(outputs.len() >= 8 + 6, "{}", outputs.len());
    for value in [FILE, BUILD_ARGUMENT, ENVIRONMENT] {
        for part in [&value[..6], &value[8..16]] {
            for output in &outputs {
                assert!(
                    !output
                        .windows(part.len())
                        .any(|text| text == part.as_bytes()),
                    "{}",
                    String::from_utf8_lossy(output)
                );
            }
        }
    }
}

#[test]
fn the_second_scan_says_the_same_from_the_cache() {
    let program = leaky();
    let first = scan(&program, &["--details"]).stdout;
    assert!(first.contains("\nSecrets\n"), "{first}");
    assert_eq!(scan(&program, &["--details"]).stdout, first);
}

#[test]
fn exceptions_name_a_secret_by_fingerprint_or_by_rule_and_path() {
    let program = leaky();
    let lenient = &["--fail-on", "low", "--accept-gap", "embedded-database-only"];
    scan(&program, lenient).check(1);
    let report = scan(&program, &["--format", "json"]).json();
    let configured: Vec<&str> = secrets(&report)
        .into_iter()
        .filter(|finding| finding["subject"]["kind"] == "image")
        .map(|finding| finding["fingerprint"].as_str().expect("a fingerprint"))
        .collect();
    let buried =
        "[[ignore]]\nid = \"generic-secret-assignment\"\npath = \"app\"\nreason = \"revoked\"\n";
    let mut policy = buried.to_owned();
    for fingerprint in configured {
        policy.push_str(&format!(
            "[[ignore]]\nid = \"{fingerprint}\"\nreason = \"of the test server\"\nexpires = 2999-12-31\n"
        ));
    }
    program.write("seaworthy.toml", &policy);
    scan(&program, lenient).check(0);
    program.write("seaworthy.toml", policy.replace("\"app\"", "\"srv\""));
    scan(&program, lenient).check(1);
}

#[test]
fn without_secrets_nothing_is_searched_and_no_key_is_made() {
    let program = leaky();
    let report = scan(&program, &["--no-secrets", "--format", "json"]).json();
    assert_eq!(secrets(&report).len(), 0);
    assert!(!program.path(".local").exists());
}

#[test]
fn the_demonstration_has_a_buried_key_and_explains_it() {
    let program = Program::new();
    let report = program.run(&["demo", "--format", "json"]).json();
    assert_eq!(one(&report, "buried")["rule"], "rsa-private-key");
    let run = program.run(&["demo", "--explain", "rsa-private-key"]);
    for word in [
        "/srv/app/.ssh/id_rsa",
        "removed again by layer 5",
        ".dockerignore",
    ] {
        assert!(run.check(0).stdout.contains(word), "{word}: {}", run.stdout);
    }
}

#[test]
fn rules_are_listed_and_shown() {
    let program = Program::new();
    let list = program.run(&["rules"]);
    assert!(list.check(0).stdout.lines().count() > 250);
    let one = program.run(&["rules", "aws-access-key-id"]);
    assert!(one.check(0).stdout.contains("IAM"), "{}", one.stdout);
    let none = program.run(&["rules", "aws-acces-key-id"]);
    assert!(
        none.check(2)
            .stderr
            .contains("did you mean `aws-access-key-id`?")
    );
}

#[test]
fn rules_about_malware_are_listed_beside_those_about_secrets() {
    let program = Program::new();
    let list = program.run(&["rules", "--kind", "malware"]);
    for id in [
        "tampered-file",
        "miner-wallet",
        "unverifiable-files",
        "malicious-package",
    ] {
        let lines = list.check(0).stdout.lines();
        let mut found = lines.filter(|line| line.split_whitespace().next() == Some(id));
        let words: Vec<&str> = found.next().expect(id).split_whitespace().collect();
        assert!(words[1] == "malware" && words.len() > 4, "{words:?}");
    }
    let all = program.run(&["rules", "--format", "json"]).json();
    let of_kind = |kind: &str| {
        let rules = all.as_array().unwrap().iter();
        rules.filter(|rule| rule["kind"] == kind).count()
    };
    let counts = ["secret", "malware", "yara"].map(of_kind);
    assert_eq!(counts.iter().sum::<usize>(), all.as_array().unwrap().len());
    assert_eq!(counts[1], list.stdout.lines().count());
    let one = program.run(&["rules", "shell_decode_run", "--format", "json"]);
    let one = one.json();
    assert_eq!(one["kind"], "yara");
    assert_eq!(one["severity"], "high");
    let none = program.run(&["rules", "tampered-file", "--kind", "secret"]);
    assert!(none.check(2).stderr.contains("no rule `tampered-file`"));
}

/// A source tree with a secret of its own, and a Dockerfile that holds another.
fn sources() -> Program {
    let program = Program::new();
    program.write("src/app/.env", format!("API_TOKEN={FILE}\n"));
    program.write(
        "src/ok.py",
        format!("token = '{ENVIRONMENT}'  # gitleaks:allow\n"),
    );
    let dockerfile = format!(
        "FROM node:20\nARG NPM_TOKEN={BUILD_ARGUMENT}\nRUN npm config set t ${{NPM_TOKEN}}\nCOPY app /app\n"
    );
    program.write("src/Dockerfile", dockerfile);
    program
}

#[test]
fn source_trees_fail_on_a_secret_and_count_what_a_comment_allows() {
    let program = sources();
    let run = program.run(&["secrets", "src", "--format", "json"]);
    let report = run.check(1).json();
    assert_eq!(secrets(&report).len(), 2, "{report}");
    assert_eq!(report["suppressed"][0]["reason"], "secret-allowed");
    assert_eq!(report["suppressed"][0]["count"], 1);
    program.write("clean/a.txt", "nothing\n");
    program.run(&["secrets", "clean"]).check(0);
    program.run(&["secrets", "nowhere"]).check(2);
}

#[test]
fn a_baseline_makes_what_is_there_known_on_every_machine() {
    let program = sources();
    let write = ["secrets", "src", "--write-baseline", "known.toml"];
    program.run(&write).check(1);
    let scan = [
        "secrets",
        "src",
        "--secret-baseline",
        "known.toml",
        "--format",
        "json",
    ];
    let report = program.run(&scan).check(0).json();
    assert_eq!(report["counts"]["ignored"], 2);
    // Another installation has another key.
    let _ = fs::remove_dir_all(program.path(".local"));
    program.run(&scan).check(0);
    program.write("src/new.env", format!("X_PASSWORD={ENVIRONMENT}\n"));
    let report = program.run(&scan).check(1).json();
    assert_eq!(report["counts"]["secrets"], 1);
    // A reason is kept when it is written again.
    let text = fs::read_to_string(program.path("known.toml")).expect("written");
    let reasoned = text.replacen("hash = ", "reason = \"of the test server\"\nhash = ", 1);
    program.write("known.toml", &reasoned);
    program.run(&write);
    let again = fs::read_to_string(program.path("known.toml")).expect("written");
    assert!(again.contains("of the test server"), "{again}");
}

#[test]
fn allow_lists_set_secrets_aside_by_path_and_by_value() {
    let program = sources();
    program.write(
        "allow.toml",
        "[[secret-allow]]\npath = \"app/*\"\nreason = \"made up\"\n[[secret-allow]]\npath = \
         \"Dockerfile\"\npattern = \"^Zb7\"\nreason = \"old\"\nexpires = 2999-01-01\n",
    );
    let scan = [
        "secrets",
        "src",
        "--secret-allow",
        "allow.toml",
        "--format",
        "json",
    ];
    let report = program.run(&scan).check(0).json();
    assert_eq!(report["suppressed"].as_array().map(Vec::len), Some(3));
    program.write("allow.toml", "[[secret-allow]]\nreason = \"everything\"\n");
    let run = program.run(&scan);
    assert!(
        run.check(2).stderr.contains("no condition"),
        "{}",
        run.stderr
    );
}

#[test]
fn own_rules_and_gitleaks_files_are_used_and_bad_samples_refused() {
    let program = Program::new();
    program.write("src/a.txt", "pass hbr_q8zr2lmx0vtn5kdy\n");
    program.write(
        "gitleaks.toml",
        "[[rules]]\nid = \"harbour-pass\"\nregex = 'hbr_[a-z0-9]{16}'\nkeywords = [\"hbr_\"]\n",
    );
    let scan = |rules: &str| {
        let words = ["secrets", "src", "--format", "json", "--secret-rules"];
        program.run(&[&words[..], &[rules]].concat())
    };
    let report = scan("gitleaks.toml").check(1).json();
    assert_eq!(secrets(&report)[0]["rule"], "harbour-pass");
    let imported = program.run(&["rules", "import", "gitleaks.toml"]);
    let mine = &imported.check(0).stdout;
    program.write("mine.toml", mine);
    scan("mine.toml").check(1);
    let bad = mine.replace("positive = []", "positive = [\"hbr_short\"]");
    program.write("bad.toml", bad);
    let run = scan("bad.toml");
    let said = &run.check(2).stderr;
    assert!(
        said.contains("`harbour-pass`") && said.contains("positive sample"),
        "{said}"
    );
}

#[test]
fn fixes_are_written_out_for_the_dockerfile_of_an_image() {
    let program = leaky();
    program.write(
        "Dockerfile",
        "FROM debian:12\nARG NPM_TOKEN\nCOPY . /app\nRUN cp -r /app /backup\nENV DB_PASSWORD=x\n",
    );
    let report = scan(
        &program,
        &["--format", "json", "--dockerfile", "Dockerfile"],
    )
    .json();
    let fixes: Vec<(&str, &str)> = secrets(&report)
        .iter()
        .filter_map(|finding| finding["detail"]["fixes"].as_array())
        .flatten()
        .filter_map(|fix| Some((fix["file"].as_str()?, fix["after"].as_str()?)))
        .collect();
    for wanted in [
        (".dockerignore", "**/.env"),
        ("Dockerfile", "# NPM_TOKEN is not declared"),
        ("Dockerfile", "# DB_PASSWORD is set when the container runs"),
    ] {
        assert!(fixes.contains(&wanted), "{wanted:?}: {fixes:#?}");
    }
}

#[test]
fn no_value_is_in_any_output_of_sources_baselines_and_fixes() {
    let program = sources();
    program.write("image.tar", leaky_image().docker_archive());
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for words in [
        "secrets src --details --verbose --dockerfile src/Dockerfile",
        "secrets src --format json --dockerfile src/Dockerfile",
        "secrets src --write-baseline known.toml",
        "secrets src --secret-baseline known.toml --details",
        "scan archive:image.tar --builtin --details --dockerfile src/Dockerfile",
        "scan archive:image.tar --builtin --format json --dockerfile src/Dockerfile \
         --write-baseline known.toml",
    ] {
        let words: Vec<&str> = words.split_whitespace().collect();
        let run = program.run(&words);
        outputs.push(run.stdout.into_bytes());
        outputs.push(run.stderr.into_bytes());
    }
    fs::remove_dir_all(program.path("src")).expect("there");
    files(&program.path(""), &mut outputs);
    assert!(outputs.len() > 12, "{}", outputs.len());
    for value in [FILE, BUILD_ARGUMENT, ENVIRONMENT] {
        for part in [&value[..6], &value[8..16]] {
            for output in &outputs {
                let text = String::from_utf8_lossy(output);
                assert!(!text.contains(part), "{part}: {text}");
            }
        }
    }
}
