//! Go programs of both forms of build info, and programs that are none.

use seaworthy_core::{PackageRole, ProblemKind};
use seaworthy_scan::ProblemList;
use seaworthy_scan::catalogers::go_binary;
use seaworthy_testkit::elf::{Elf, GoForm};

use crate::catalog::{find, mangle, messages, names, put, scan_file};

const MODULES: &str = "path\texample.com/tool/cmd\nmod\texample.com/tool\tv1.4.0\th1:a=\ndep\tgolang.org/x/net\tv0.7.0\th1:b=\n=>\texample.com/net\tv0.7.1\th1:c=\ndep\tgolang.org/x/sys\tv0.5.0\th1:d=\n";
const EXPECTED: [&str; 4] = [
    "example.com/net v0.7.1",
    "example.com/tool v1.4.0",
    "golang.org/x/sys v0.5.0",
    "stdlib 1.17.13",
];

#[test]
fn both_forms_of_go_build_info_on_every_kind_of_machine() {
    for form in [GoForm::Inline, GoForm::Pointers] {
        for wide in [true, false] {
            for big_endian in [false, true] {
                let program = Elf::go(wide, big_endian, form, "go1.17.13", MODULES).build();
                let evidence = scan_file("usr/bin/tool", program);
                assert_eq!(
                    messages(&evidence.problems),
                    [""; 0],
                    "{form:?} {wide} {big_endian}"
                );
                let mut found = names(&evidence);
                found.sort();
                assert_eq!(found, EXPECTED, "{form:?} {wide} {big_endian}");
            }
        }
    }
}

#[test]
fn go_build_info_is_found_across_windows() {
    // Window borders of 1 MiB move through the header, the texts and the variables.
    for form in [GoForm::Inline, GoForm::Pointers] {
        let program = Elf::go(true, false, form, "go1.17.13", MODULES);
        let header = find(&program.build(), b"\xff Go buildinf:");
        for cut in [0, 7, 15, 31, 33, 40, 64, 90, 200, 300] {
            let code = 256 + (1 << 20) - header - 512 + cut;
            let evidence = scan_file("usr/bin/tool", program.clone().with_code_len(code).build());
            assert_eq!(names(&evidence).len(), 4, "{form:?} {cut}");
            assert_eq!(messages(&evidence.problems), [""; 0]);
        }
        for cut in (0..1000).step_by(80) {
            let code = 256 + (1 << 20) - header - 500 + cut;
            let evidence = scan_file("usr/bin/tool", program.clone().with_code_len(code).build());
            assert_eq!(names(&evidence).len(), 4, "{form:?} {cut}");
        }
    }
}

#[test]
fn roles_of_go_packages_are_told_apart() {
    let program = Elf::go(true, false, GoForm::Inline, "go1.22.1", MODULES).build();
    let mut problems = ProblemList::default();
    let info = go_binary::parse(&program, &mut problems).expect("build info");
    let roles: Vec<PackageRole> = info
        .packages(&mut problems)
        .iter()
        .map(|p| p.role)
        .collect();
    assert_eq!(
        roles,
        [
            PackageRole::StandardLibrary,
            PackageRole::Main,
            PackageRole::Dependency,
            PackageRole::Dependency,
        ]
    );
}

#[test]
fn other_programs_have_no_go_packages() {
    let plain = scan_file("usr/bin/plain", Elf::new(true, false).build());
    assert_eq!(names(&plain), [""; 0]);
    assert_eq!(plain.problems, []);
    // A program that looks for build info holds the mark as text.
    let reader = Elf::new(true, false).with_read_only(&b"\xff Go buildinf:xxxxxx".repeat(200));
    let reader = scan_file("usr/bin/reader", reader.build());
    assert_eq!(names(&reader), [""; 0]);
    assert_eq!(reader.problems, []);
}

#[test]
fn a_packed_program_is_a_gap() {
    let mut program = Elf::new(true, false).build();
    put(&mut program, 240, b"UPX!");
    let evidence = scan_file("usr/bin/packed", program);
    assert_eq!(evidence.problems.len(), 1);
    assert_eq!(evidence.problems[0].kind, ProblemKind::Unsupported);
    assert!(evidence.problems[0].message.contains("UPX"));
}

#[test]
fn a_go_program_without_build_info_is_a_gap() {
    let evidence = scan_file("usr/bin/old", Elf::new(true, false).with_go_note().build());
    assert_eq!(names(&evidence), [""; 0]);
    assert_eq!(evidence.problems.len(), 1);
    assert_eq!(evidence.problems[0].kind, ProblemKind::Unsupported);
    let program = Elf::go(false, true, GoForm::Inline, "go1.17.13", MODULES).with_go_note();
    let evidence = scan_file("usr/bin/new", program.build());
    assert_eq!(names(&evidence).len(), 4);
    assert_eq!(messages(&evidence.problems), [""; 0]);
}

#[test]
fn a_module_list_cut_short_is_said_and_the_standard_library_kept() {
    let program = Elf::go(true, false, GoForm::Inline, "go1.17.13", MODULES).build();
    let end = find(&program, b"golang.org/x/sys");
    let evidence = scan_file("usr/bin/tool", program[..end].to_vec());
    assert_eq!(names(&evidence), ["stdlib 1.17.13"]);
    assert_eq!(
        messages(&evidence.problems),
        ["the module list of the Go build info can't be read to its end"]
    );
}

#[test]
fn a_go_program_without_modules_still_has_a_standard_library() {
    let program = Elf::go(true, false, GoForm::Inline, "go1.20.5 X:boringcrypto", "").build();
    assert_eq!(
        names(&scan_file("usr/bin/tool", program)),
        ["stdlib 1.20.5"]
    );
}

#[test]
fn truncated_and_changed_programs_never_panic() {
    for (form, wide) in [(GoForm::Inline, true), (GoForm::Pointers, false)] {
        let program = Elf::go(wide, false, form, "go1.17.13", MODULES).build();
        mangle(&program, 1, |bytes| {
            let mut problems = ProblemList::default();
            if let Some(info) = go_binary::parse(bytes, &mut problems) {
                info.packages(&mut problems);
            }
        });
    }
}
