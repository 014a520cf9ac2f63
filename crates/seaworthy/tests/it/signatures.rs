//! Malware signatures: none, built, fetched, damaged, tried on files.

use std::io::Write as _;
use std::process::Stdio;

use seaworthy_testkit::cvd::container;
use seaworthy_testkit::http_files::{Fault, FileServer};

use crate::program::Program;

const NEEDLE: &str = "Test.Needle:0:*:6e6565646c65";

/// Numbers that differ from run to run, taken out for snapshots.
fn steady(program: &Program, text: &str) -> String {
    let mut out = String::new();
    for line in program.neutral(text).lines() {
        let line = match line
            .split_once("  ")
            .map(|(word, rest)| (word, rest.trim_start()))
        {
            Some(("built", rest)) => {
                let by = rest.split_once(" by ").map_or("", |(_, by)| by);
                format!("built       TIME by {by}")
            }
            Some(("newest", rest)) => {
                let time = rest.split(' ').next().unwrap_or_default();
                format!("newest      {time} (N days old)")
            }
            // They change with the layout of what is compiled.
            Some(("size", _)) => "size        SIZE".to_owned(),
            Some(("revision", _)) => "revision    REVISION".to_owned(),
            _ => line.to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

fn old_database(name: &str, version: u32, text: &str) -> Vec<u8> {
    let file = format!("{name}.ndb");
    container(
        name,
        version,
        "22 Jun 2021 21-34 -0400",
        &[(&file, text.as_bytes())],
    )
}

/// A folder with something of everything.
fn sources(program: &Program) {
    // Most signatures are in a database with a date, so that the age is known.
    let web: String = (0..10)
        .map(|number| format!("Web.Thing-{number}:0:*:7468696e673{number}\n"))
        .collect();
    program
        .write("from/own.ndb", format!("{NEEDLE}\nTest.Broken:0:*:xyz\n"))
        .write("from/pua.ndu", "PUA.Needle:0:*:6e6565646c65")
        .write(
            "from/own.ldb",
            "Test.Both;Target:0;0&1;6e6565646c65;68617973",
        )
        .write("from/web.cvd", old_database("web", 12, &web))
        .write("from/rules/x.yar", "rule x { condition: false }")
        .write("from/prog.cbc", "ClamBC")
        .write("from/README", "about");
}

#[test]
fn help_teaches() {
    let program = Program::new();
    for action in ["update", "build", "status", "test"] {
        let run = program.run(&["signatures", action, "--help"]);
        insta::assert_snapshot!(
            format!("help_signatures_{action}"),
            program.neutral(&run.check(0).stdout)
        );
    }
}

#[test]
fn without_any_the_status_says_how_to_get_some() {
    let program = Program::new();
    let run = program.run(&["signatures", "status"]);
    assert!(run.check(0).stdout.contains("built in"), "{}", run.stdout);
    assert!(
        run.stderr.contains("seaworthy signatures update"),
        "{}",
        run.stderr
    );
    let json = program
        .run(&["signatures", "status", "--format", "json"])
        .json();
    assert_eq!(json["installed"], serde_json::Value::Null);
}

#[test]
fn a_folder_is_built_shown_and_tried() {
    let program = Program::new();
    sources(&program);
    let built = program.run(&["signatures", "build", "--from", "from"]);
    assert!(
        built.check(0).stderr.contains("installed revision "),
        "{}",
        built.stderr
    );
    let status = program.run(&["signatures", "status"]);
    insta::assert_snapshot!(
        "signatures_status",
        steady(&program, &status.check(0).stdout)
    );
    // The database in it is of 2021.
    assert!(status.stderr.contains("days old"), "{}", status.stderr);
    assert!(
        status.stdout.contains(built.stdout.trim()),
        "{}",
        built.stdout
    );
    let again = program.run(&["signatures", "build", "--from", "from"]);
    assert!(
        again.check(0).stderr.contains("nothing has changed"),
        "{}",
        again.stderr
    );

    program
        .write("files/clean", "hay")
        .write("files/deep/both", "haystack with a needle");
    let run = program.run(&["signatures", "test", "files"]);
    let lines: Vec<&str> = run.check(1).stdout.lines().collect();
    assert!(
        lines[0].starts_with("files/deep/both (22 B in "),
        "{}",
        run.stdout
    );
    assert_eq!(
        lines[1..],
        [
            "  Test.Needle  signatures: body signature at byte 16",
            "  Test.Both  signatures: logical signature at byte 0",
        ]
    );
    assert!(
        run.stderr.contains("1 of 2 files match; 25 B in "),
        "{}",
        run.stderr
    );
    program.run(&["signatures", "test", "files/clean"]).check(0);
    let json = program
        .run(&["signatures", "test", "files", "--format", "json"])
        .json();
    assert_eq!(json["found"][0]["detections"][0]["name"], "Test.Needle");
    assert_eq!(json["signatures"]["versions"][0]["version"], 12);
}

#[test]
fn a_file_that_can_not_be_used_makes_a_build_incomplete() {
    let program = Program::new();
    sources(&program);
    program.write("from/broken.cvd", "no container");
    let run = program.run(&["signatures", "build", "--from", "from", "--format", "json"]);
    assert!(
        run.check(3)
            .stderr
            .contains("`from/broken.cvd` is not used: not a signature database container"),
        "{}",
        run.stderr
    );
    let json = run.json();
    assert_eq!(json["changed"], true);
    assert_eq!(
        json["installed"]["sources"].as_array().map(Vec::len),
        Some(6)
    );
    assert_eq!(json["installed"]["problems"][0]["path"], "from/broken.cvd");
    // And the same is told when nothing is left to do.
    program
        .run(&["signatures", "build", "--from", "from"])
        .check(3);
}

#[test]
fn a_folder_without_signatures_is_an_error_with_a_reason() {
    let program = Program::new();
    program
        .write("empty/README", "nothing")
        .write("bad/main.cvd", "x");
    for (from, reason) in [
        ("none", "there is no file or directory `none`"),
        ("empty", "no signature file holds one"),
        ("bad", "not a signature database container"),
    ] {
        let run = program.run(&["signatures", "build", "--from", from]);
        assert!(run.check(2).stderr.contains(reason), "{}", run.stderr);
        assert!(run.stderr.contains("hint: "), "{}", run.stderr);
    }
}

#[test]
fn own_signatures_and_standard_input_are_tried_without_installing() {
    let program = Program::new();
    sources(&program);
    program.write("file", "a needle");
    let words = ["signatures", "test", "--signature", NEEDLE, "file"];
    program.run(&words).check(1);
    program
        .run(&["signatures", "test", "--from", "from/own.ndb", "file"])
        .check(1);
    let run = program.run(&["signatures", "test", "--signature", "nonsense", "file"]);
    assert!(
        run.check(2)
            .stderr
            .contains("cannot use the signature `nonsense`"),
        "{}",
        run.stderr
    );

    let mut child = program
        .command(&["signatures", "test", "--signature", NEEDLE, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"one needle").expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.starts_with(b"- (10 B in "));
}

#[test]
fn what_can_not_be_read_is_told_and_a_match_weighs_more() {
    let program = Program::new();
    program.write("file", "a needle").write("clean", "hay");
    let test = |files: &[&str]| {
        program.run(&[&["signatures", "test", "--signature", NEEDLE], files].concat())
    };
    let run = test(&["clean", "none"]);
    assert!(
        run.check(3).stderr.contains("`none`: it cannot be read"),
        "{}",
        run.stderr
    );
    test(&["file", "none"]).check(1);
    let run = test(&["clean", "--max-file-size", "2"]);
    assert!(
        run.check(3).stderr.contains("larger than 2 bytes"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_update_fetches_verifies_and_says_what_failed() {
    let program = Program::new();
    let server = FileServer::start();
    server.put("/main.cvd", old_database("main", 1, NEEDLE), "1");
    server.put(
        "/daily.cvd",
        old_database("daily", 7, "Test.Hay:0:*:686179"),
        "7",
    );
    let update = |more: &[&str]| {
        let words = ["signatures", "update", "--mirror", server.base()];
        program.run(&[&words, more].concat())
    };
    let run = update(&[]);
    assert!(
        run.check(2)
            .stderr
            .contains("carries no signature of the publisher"),
        "{}",
        run.stderr
    );
    let run = update(&["--allow-unsigned"]);
    assert!(
        run.check(0)
            .stderr
            .contains("(main.cvd 1, daily.cvd 7): 2 of 2 signatures active"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("the mirror may have stopped"),
        "{}",
        run.stderr
    );
    program
        .write("file", "hay")
        .run(&["signatures", "test", "file"])
        .check(1);

    server.fault("/main.cvd", Fault::Status(403, Vec::new()));
    let run = update(&["--allow-unsigned", "--format", "json"]);
    assert!(
        run.check(3).stderr.contains("is left alone until"),
        "{}",
        run.stderr
    );
    let json = run.json();
    assert_eq!(json["changed"], false);
    assert_eq!(json["files"][0]["outcome"], "failed");
    let run = update(&["--database", "../etc/passwd"]);
    assert!(
        run.check(2).stderr.contains("is not the name of"),
        "{}",
        run.stderr
    );
}

#[test]
fn damaged_signatures_are_an_error_and_not_an_empty_set() {
    let program = Program::new();
    sources(&program);
    program
        .run(&["signatures", "build", "--from", "from"])
        .check(0);
    let current = ".local/share/seaworthy/signatures/current/signatures.bin";
    let mut bytes = std::fs::read(program.path(current)).expect("it is installed");
    *bytes.last_mut().expect("it is not empty") ^= 1;
    program.write(current, bytes).write("file", "hay");
    let run = program.run(&["signatures", "status"]);
    assert!(
        run.check(2).stdout.contains("whole       no"),
        "{}",
        run.stdout
    );
    let run = program.run(&["signatures", "test", "file"]);
    assert!(
        run.check(2)
            .stderr
            .contains("cannot use the malware signatures"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("hint: "), "{}", run.stderr);
    program
        .run(&["signatures", "build", "--from", "from"])
        .check(0);
    program.run(&["signatures", "test", "file"]).check(0);
}
