//! Arguments, help, and what is generated from them.

use crate::program::{Program, names_in};

#[test]
fn help_teaches_with_examples_and_exit_status() {
    let program = Program::new();
    let help = program.run(&["--help"]);
    insta::assert_snapshot!("help", program.neutral(&help.check(0).stdout));
    let scan = program.run(&["scan", "--help"]);
    insta::assert_snapshot!("help_scan", program.neutral(&scan.check(0).stdout));
}

#[test]
fn the_version_is_one_line() {
    let program = Program::new();
    let run = program.run(&["--version"]);
    assert_eq!(program.neutral(&run.check(0).stdout), "seaworthy VERSION\n");
    // Nothing is set up for it.
    assert_eq!(names_in(&program.path("")), [""; 0]);
}

#[test]
fn wrong_arguments_are_an_error_with_a_way_out() {
    let program = Program::new();
    for (words, expected) in [
        (&["scna"][..], "similar subcommand exists: 'scan'"),
        (&["scan"], "<REF>"),
        (
            &["scan", "x", "--fail-on", "hihg"],
            "similar value exists: 'high'",
        ),
        (
            &["scan", "x", "--max-layer-bytes", "5X"],
            "unknown suffix `x`",
        ),
        (
            &["scan", "x", "--platform", "linux"],
            "`linux` is not a platform",
        ),
        (&["scan", "x", "--format", "xml"], "table, json"),
        (
            &["scan", "x", "--accept-gap", "nothing"],
            "embedded-database-only",
        ),
        (&["scan", "x", "--threads", "0"], "1..=1024"),
        (
            &["scan", "x", "--quiet", "--verbose"],
            "cannot be used with",
        ),
    ] {
        let run = program.run(words);
        assert!(
            run.check(2).stderr.contains(expected),
            "{words:?}: {}",
            run.stderr
        );
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn formats_are_listed_from_the_rows_that_do_the_work() {
    let program = Program::new();
    let run = program.run(&["formats"]);
    for word in ["Image sources", "registry", "dpkg", "Debian", "json"] {
        assert!(run.check(0).stdout.contains(word), "{word}: {}", run.stdout);
    }
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let program = Program::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = program.run(&["completions", shell]);
        assert!(run.check(0).stdout.contains("seaworthy"), "{shell}");
    }
    program.run(&["man", "man"]).check(0);
    let pages = names_in(&program.path("man"));
    for page in ["seaworthy.1", "seaworthy-scan.1", "seaworthy-db-update.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
}

#[test]
fn the_cache_is_shown_and_cleared() {
    let program = Program::new();
    assert!(
        program
            .run(&["cache"])
            .check(0)
            .stdout
            .contains("no cache yet")
    );
    // Looking at it did not make it.
    assert_eq!(names_in(&program.path("")), [""; 0]);
}
