//! Where data goes and how it looks, shown with the demonstration image.

use std::process::Stdio;

use crate::program::{Program, names_in, run};

#[test]
fn the_demonstration_finds_the_classics_and_is_the_same_each_time() {
    let program = Program::new();
    let first = program.run(&["demo", "--details"]);
    for id in ["CVE-2021-44228", "CVE-2021-4034", "CVE-2023-4911"] {
        assert!(first.check(1).stdout.contains(id), "{id}: {}", first.stdout);
    }
    assert!(first.stdout.starts_with("UNSEAWORTHY\n"));
    assert!(first.stderr.contains("made in memory"), "{}", first.stderr);
    assert_eq!(program.run(&["demo", "--details"]).stdout, first.stdout);
    // Neither cache nor database were made.
    assert_eq!(names_in(&program.path("")), [""; 0]);
}

#[test]
fn the_demonstration_explains_itself() {
    let run = Program::new().run(&["demo", "--explain", "CVE-2021-44228"]);
    assert!(
        run.check(0).stdout.contains("/var/lib/dpkg/status"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_demonstration_has_findings_of_every_kind_of_package() {
    let report = Program::new().run(&["demo", "--format", "json"]).json();
    for kind in ["deb", "pypi", "npm", "golang"] {
        let found = report["findings"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|finding| finding["detail"]["package_type"] == kind)
            .count();
        assert!(found > 0, "{kind}");
    }
    assert_eq!(report["image"]["source"], "memory");
}

#[test]
fn json_follows_the_committed_schema() {
    let program = Program::new();
    let report = program.run(&["demo", "--format", "json"]).json();
    let schema: serde_json::Value = serde_json::from_str(include_str!(
        "../../../seaworthy-report/schema/report-v1.schema.json"
    ))
    .expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [""; 0]);
}

#[test]
fn quiet_leaves_one_line_and_verbose_tells_the_stages() {
    let program = Program::new();
    let quiet = program.run(&["demo", "--quiet"]);
    assert_eq!(quiet.check(1).stdout, "UNSEAWORTHY\n");
    assert_eq!(quiet.stderr, "");
    let verbose = program.run(&["demo", "--verbose"]);
    assert!(
        verbose.stderr.contains("reading 11 layers"),
        "{}",
        verbose.stderr
    );
    // What a machine reads is whole under both.
    let json = program.run(&["demo", "--quiet", "--format", "json"]);
    assert_eq!(json.json()["verdict"]["outcome"], "unseaworthy");
}

#[test]
fn a_file_is_written_whole_and_standard_output_stays_empty() {
    let program = Program::new();
    program.write("report.json", "old");
    let run = program.run(&["demo", "--format", "json", "--output", "report.json"]);
    assert_eq!(run.check(1).stdout, "");
    let text = std::fs::read_to_string(program.path("report.json")).expect("a file");
    assert!(text.starts_with('{') && text.ends_with("}\n"));
    assert_eq!(names_in(&program.path("")), ["report.json"]);
}

#[test]
fn a_target_that_can_not_work_is_refused_with_a_hint() {
    let program = Program::new();
    program.debian_rootfs("rootfs", &[("bash", "5.2.15-2+b7")]);
    let run = program.run(&[
        "scan",
        "dir:rootfs",
        "--output",
        "no/such/folder/report.json",
    ]);
    assert!(
        run.check(2)
            .stderr
            .contains("there is no directory `no/such/folder`")
    );
    assert!(run.stderr.contains("  hint: "), "{}", run.stderr);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let program = Program::new();
    let mut child = program
        .command(&["demo", "--format", "json", "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_pipe_gets_no_colours_unless_asked() {
    let program = Program::new();
    assert!(!program.run(&["demo"]).stdout.contains('\x1b'));
    assert!(
        program
            .run(&["demo", "--color", "always"])
            .stdout
            .contains('\x1b')
    );
    let forced = run(program.command(&["demo"]).env("CLICOLOR_FORCE", "1"));
    assert!(forced.stdout.contains('\x1b'));
    let never = run(program
        .command(&["demo", "--color", "never"])
        .env("CLICOLOR_FORCE", "1"));
    assert!(!never.stdout.contains('\x1b'));
}

#[test]
fn an_ascii_locale_gets_ascii() {
    let program = Program::new();
    let run = run(program.command(&["demo"]).env("LC_ALL", "C"));
    assert!(run.stdout.is_ascii(), "{}", run.stdout);
}
