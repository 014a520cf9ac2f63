//! Policy files, flags, and what they do to the exit status.

use crate::program::Program;

/// An image with one famous flaw, and a policy file.
fn program(policy: &str) -> Program {
    let program = Program::new();
    program.debian_rootfs("rootfs", &[("curl", "7.88.1-10+deb12u3")]);
    program.write("seaworthy.toml", policy);
    program
}

const SCAN: &[&str] = &["scan", "dir:rootfs", "--builtin"];

#[test]
fn what_fails_and_what_is_shown_are_set_apart() {
    let program =
        program("accept-gaps = [\"embedded-database-only\"]\nfail-on-known-exploited = false");
    program.run(SCAN).check(1);
    let lenient = program.run(&[SCAN, &["--fail-on", "none"]].concat());
    assert!(
        lenient.check(0).stdout.contains("CVE-2023-38545"),
        "{}",
        lenient.stdout
    );
}

#[test]
fn an_exception_with_a_reason_applies_until_it_expires() {
    let ids = |program: &Program| -> Vec<String> {
        let report = program.run(&[SCAN, &["--format", "json"]].concat()).json();
        let findings = report["findings"].as_array().expect("a list").clone();
        findings
            .iter()
            .map(|finding| finding["detail"]["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let all = ids(&program(""));
    let ignore = |expires: &str| -> String {
        let mut text = "accept-gaps = [\"embedded-database-only\"]\n".to_owned();
        for id in &all {
            text.push_str(&format!(
                "[[ignore]]\nid = \"{id}\"\npackage = \"curl\"\nreason = \"TLS is not used\"\nexpires = {expires}\n"
            ));
        }
        text
    };
    let valid = program(&ignore("2999-12-31"));
    let run = valid.run(SCAN);
    assert!(
        run.check(0)
            .stdout
            .contains("TLS is not used (until 2999-12-31)"),
        "{}",
        run.stdout
    );
    let report = valid.run(&[SCAN, &["--format", "json"]].concat()).json();
    assert_eq!(report["findings"][0]["judgement"], "ignored");
    assert_eq!(report["counts"]["ignored"], all.len());

    let lapsed = program(&ignore("2020-01-01")).run(SCAN);
    assert!(
        lapsed.check(1).stdout.contains("expired on 2020-01-01"),
        "{}",
        lapsed.stdout
    );
}

#[test]
fn a_wrong_policy_is_an_error_that_names_file_line_and_nearest_key() {
    let run = program("show = \"low\"\nfail_on = \"high\"\n").run(SCAN);
    assert_eq!(
        run.check(2).stderr,
        "error: the policy `seaworthy.toml` is not right: line 2: unknown key `fail_on`\n  hint: did you mean `fail-on`?\n"
    );
}

#[test]
fn an_unreadable_policy_is_an_error() {
    let program = program("");
    let run = program.run(&[SCAN, &["--policy", "none.toml"]].concat());
    assert!(
        run.check(2)
            .stderr
            .contains("cannot read the policy `none.toml`"),
        "{}",
        run.stderr
    );
    program.write("binary.toml", [0xff, 0xfe, 0x00]);
    let run = program.run(&[SCAN, &["--policy", "binary.toml"]].concat());
    assert!(
        run.check(2).stderr.contains("binary.toml"),
        "{}",
        run.stderr
    );
}
