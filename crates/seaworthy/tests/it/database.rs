//! The advisory database: missing, damaged, built.

use crate::program::Program;

#[test]
fn a_database_that_was_named_must_be_there() {
    let program = Program::new();
    program.debian_rootfs("rootfs", &[("bash", "5.2.15-2")]);
    let run = program.run(&["scan", "dir:rootfs", "--db", "none"]);
    assert!(
        run.check(2)
            .stderr
            .contains("there is no advisory database at `none`"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("hint: `seaworthy db update`"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_damaged_database_is_never_replaced_by_the_built_in_set_silently() {
    let program = Program::new();
    program.debian_rootfs("rootfs", &[("bash", "5.2.15-2")]);
    program.write(".local/share/seaworthy/db/current", "garbage");
    let run = program.run(&["scan", "dir:rootfs"]);
    assert!(
        run.check(2)
            .stderr
            .contains("cannot use the advisory database"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("--builtin"), "{}", run.stderr);
    program
        .run(&[
            "scan",
            "dir:rootfs",
            "--builtin",
            "--accept-gap",
            "embedded-database-only",
        ])
        .check(0);
}

#[test]
fn status_tells_that_only_the_built_in_set_is_there() {
    let run = Program::new().run(&["db", "status"]);
    assert!(
        run.check(0)
            .stdout
            .contains("the small set built into the program")
    );
    assert!(run.stderr.contains("seaworthy db update"), "{}", run.stderr);
}

#[test]
fn nothing_to_verify_is_an_error() {
    let run = Program::new().run(&["db", "verify"]);
    assert!(
        run.check(2)
            .stderr
            .contains("no advisory database is installed"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_folder_that_is_none_can_not_be_built_from() {
    let run = Program::new().run(&["db", "build", "--from", "none"]);
    assert!(
        run.check(2).stderr.contains("there is no directory `none`"),
        "{}",
        run.stderr
    );
}
