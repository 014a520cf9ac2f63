//! Engines that misbehave: containers that vanish, answers of another shape, connections
//! that break off. Nothing of it may pass for an answer.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;

use seaworthy_host::facts::{CollectRequest, Facts, HostRoot, collect};
use seaworthy_host::rules::{Outcome, rules};
use seaworthy_image::{Cancel, Environment};

/// What a fake engine answers: status and body; `None` hangs up.
type Answer = fn(&str) -> Option<(u16, String)>;

/// Takes facts from a fake engine, on a host that has no files.
fn facts_from(answer: Answer) -> Facts {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("d.sock");
    serve(&socket, answer);
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let request = CollectRequest {
        root: HostRoot::new(root),
        engine: Some(format!("unix://{}", socket.display())),
        environment: Environment::default(),
        ..CollectRequest::default()
    };
    collect(&request, &Cancel::default())
}

/// The thread ends with the test's process.
fn serve(socket: &Path, answer: Answer) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut request).unwrap();
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let path = request.split(' ').nth(1).unwrap_or_default();
            let path = path.strip_prefix("/v1.41").unwrap_or(path);
            let Some((status, body)) = answer(path) else {
                continue;
            };
            // The client may have hung up.
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nApi-Version: 1.41\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
}

fn id(letter: char) -> String {
    letter.to_string().repeat(64)
}

fn usual(path: &str) -> Option<(u16, String)> {
    let good = r#"{"Config":{},"HostConfig":{"Privileged":false},"State":{"Running":false},"Name":"/good"}"#;
    let body = match path {
        "/_ping" => "OK".to_owned(),
        "/version" | "/info" | "/volumes" => "{}".to_owned(),
        "/networks" | "/images/json" | "/plugins" => "[]".to_owned(),
        "/containers/json?all=1" => {
            let ids = ['a', 'b', 'c', 'd'].map(|letter| format!(r#"{{"Id":"{}"}}"#, id(letter)));
            format!(r#"[{},{{"Id":"../../etc"}},7]"#, ids.join(","))
        }
        other if other.contains(&id('a')) => good.to_owned(),
        other if other.contains(&id('b')) => return Some((404, "{}".to_owned())),
        other if other.contains(&id('c')) => {
            r#"{"Config":7,"HostConfig":{"Privileged":"no"},"State":{}}"#.to_owned()
        }
        // The engine is restarted.
        _ => return None,
    };
    Some((200, body))
}

fn outcome(facts: &Facts, cis: &str) -> Outcome {
    let rule = rules().find(|rule| rule.cis == cis).unwrap();
    (rule.check)(facts)
}

#[test]
fn vanished_broken_and_malformed_containers_keep_checks_from_passing() {
    let facts = facts_from(usual);
    assert_eq!(facts.vanished, [id('b')]);
    let containers = facts.containers();
    assert_eq!(containers.len(), 3, "{containers:?}");
    assert!(containers.iter().any(|c| c.name == "good"));
    assert!(
        containers
            .iter()
            .any(|c| c.id == id('d') && c.declared.why_unknown().is_some())
    );
    for cis in ["5.5", "5.16", "5.31"] {
        let found = outcome(&facts, cis);
        assert!(
            matches!(found, Outcome::Undetermined(_)),
            "{cis}: {found:?}"
        );
    }
}

#[test]
fn facts_of_a_broken_engine_survive_being_recorded() {
    let facts = facts_from(usual);
    let recorded = serde_json::to_vec(&facts).unwrap();
    assert_eq!(Facts::from_json(&recorded).unwrap(), facts);
    assert!(
        Facts::from_json(b"{\"format\":99}")
            .unwrap_err()
            .contains("99")
    );
    assert!(Facts::from_json(b"{}").is_err());
}

#[test]
fn an_engine_that_is_gone_after_hello_leaves_everything_undetermined() {
    let facts = facts_from(|path| (path == "/_ping").then(|| (200, "OK".to_owned())));
    for rule in rules().filter(|rule| rule.cis.starts_with("5.")) {
        let found = (rule.check)(&facts);
        assert!(
            matches!(found, Outcome::Undetermined(_) | Outcome::NotApplicable(_)),
            "{}: {found:?}",
            rule.cis
        );
    }
}
