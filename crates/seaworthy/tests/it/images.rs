//! Images that are there, broken, or missing.

use crate::program::Program;

#[test]
fn a_fit_image_is_seaworthy_once_the_gap_is_accepted() {
    let program = Program::new();
    program.debian_rootfs("rootfs", &[("base-files", "12.4+deb12u11")]);
    let run = program.run(&["scan", "dir:rootfs", "--builtin"]);
    assert!(
        run.check(3).stdout.starts_with("INCOMPLETE\n"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("seaworthy db update"), "{}", run.stdout);
    let run = program.run(&[
        "scan",
        "dir:rootfs",
        "--builtin",
        "--accept-gap",
        "embedded-database-only",
    ]);
    assert!(
        run.check(0).stdout.starts_with("SEAWORTHY\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_second_scan_takes_layers_from_the_cache_and_says_the_same() {
    let program = Program::new();
    program.debian_rootfs("rootfs", &[("curl", "7.88.1-10+deb12u3")]);
    let first = program.run(&["scan", "dir:rootfs", "--builtin"]);
    let second = program.run(&["scan", "dir:rootfs", "--builtin"]);
    assert!(first.check(1).stdout.contains("CVE-2023-38545"));
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn an_explanation_shows_the_record_and_the_comparison() {
    let program = Program::new();
    program.debian_rootfs("rootfs", &[("curl", "7.88.1-10+deb12u3")]);
    let run = program.run(&["explain", "dir:rootfs", "CVE-2023-38545", "--builtin"]);
    for word in [
        "/var/lib/dpkg/status",
        "record",
        "comparison",
        "7.88.1-10+deb12u3",
    ] {
        assert!(run.check(0).stdout.contains(word), "{word}: {}", run.stdout);
    }
    let run = program.run(&["explain", "dir:rootfs", "CVE-2023-38454", "--builtin"]);
    assert!(
        run.check(2)
            .stderr
            .contains("did you mean `CVE-2023-38545`?"),
        "{}",
        run.stderr
    );
}

#[test]
fn packages_are_listed_without_judgement() {
    let program = Program::new();
    program.debian_rootfs(
        "rootfs",
        &[("curl", "7.88.1-10+deb12u3"), ("bash", "5.2.15-2")],
    );
    let run = program.run(&["packages", "dir:rootfs"]);
    assert!(
        run.check(0)
            .stdout
            .contains("2 packages on Debian GNU/Linux 12 (bookworm)")
    );
    let json = program
        .run(&["packages", "dir:rootfs", "--format", "json"])
        .json();
    assert_eq!(
        json["packages"][0]["purl"],
        "pkg:deb/debian/bash@5.2.15-2?arch=amd64&distro=debian-12"
    );
    assert_eq!(json["counts"]["total"], 2);
}

#[test]
fn a_missing_image_is_an_error_that_names_it() {
    let program = Program::new();
    for reference in [
        "archive:no-such-file.tar",
        "dir:no-such-folder",
        "oci:no-such-layout",
    ] {
        let run = program.run(&["scan", reference]);
        let name = reference.split(':').nth(1).expect("a name");
        assert!(run.check(2).stderr.starts_with("error: "), "{}", run.stderr);
        assert!(run.stderr.contains(name), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_truncated_archive_is_an_error_or_an_incomplete_report_but_never_clean() {
    let program = Program::new();
    program.write("broken.tar", [b'x'; 700]);
    let run = program.run(&["scan", "archive:broken.tar"]);
    assert!(run.check(2).stderr.contains("broken.tar"), "{}", run.stderr);
}

#[test]
fn an_empty_root_filesystem_is_incomplete_and_not_clean() {
    let program = Program::new();
    program.write("rootfs/etc/hostname", "box\n");
    let run = program.run(&[
        "scan",
        "dir:rootfs",
        "--builtin",
        "--accept-gap",
        "embedded-database-only",
    ]);
    assert!(
        run.check(3).stdout.contains("no-package-database"),
        "{}",
        run.stdout
    );
}
