//! A registry that behaves, and every way of not doing so, over real sockets.

use std::io::Read;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use seaworthy_core::ProblemKind;
use seaworthy_testkit::LayerBuilder;
use seaworthy_testkit::http::{FakeServer, Reply, Request};
use seaworthy_testkit::registry::{
    DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, RegistryContent, error,
};

use super::{RegistryOptions, RegistrySource};
use crate::{Environment, Flow, Image, ImageError, ImageSource, WalkContext, WalkOutcome};

/// A layer with one file.
fn layer(name: &str, content: &[u8]) -> Vec<u8> {
    LayerBuilder::new().file(name, content).tar()
}

/// A repository `fleet/ship` with a two-layer image tagged `v1`, and its manifest's digest.
fn ship() -> (RegistryContent, String) {
    let mut content = RegistryContent::new("fleet/ship");
    let digest = content.image("v1", &[layer("a", b"one"), layer("b", b"two")]);
    (content, digest)
}

fn options(environment: Environment) -> RegistryOptions {
    RegistryOptions {
        stall: Duration::from_millis(400),
        back_off: Duration::from_millis(5),
        tries: 3,
        longest_wait: Duration::from_secs(2),
        environment,
        ..RegistryOptions::default()
    }
}

/// A home whose Docker configuration logs in to `host`.
fn home(host: &str, entry: &str) -> (tempfile::TempDir, Environment) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("config.json"),
        format!(r#"{{"auths":{{"{host}":{entry}}}}}"#),
    )
    .unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    let environment = [("DOCKER_CONFIG".to_owned(), path)].into_iter().collect();
    (dir, environment)
}

fn open(server: &FakeServer, name: &str, environment: Environment) -> Result<Image, ImageError> {
    let source = RegistrySource {
        options: options(environment),
    };
    let reference = format!("{}/{name}", server.address());
    source.open(&reference, None, &WalkContext::default())
}

fn refused(server: &FakeServer, name: &str) -> (String, String) {
    let error = open(server, name, Environment::default()).err().unwrap();
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        message = format!("{message}: {inner}");
        cause = inner.source();
    }
    (message, error.hint.unwrap_or_default())
}

/// Walks a layer and gives the names it has.
fn walk(image: &Image, index: usize) -> (Vec<String>, WalkOutcome) {
    let mut names = Vec::new();
    let outcome = image.layers[index]
        .walk(&WalkContext::default(), &mut |entry| {
            names.push(entry.path.to_string());
            Ok(Flow::Continue)
        })
        .unwrap();
    (names, outcome)
}

fn targets(server: &FakeServer) -> Vec<String> {
    server
        .requests()
        .into_iter()
        .map(|request| format!("{} {}", request.method, request.target))
        .collect()
}

const LOGIN: &str = r#"{"auth":"c2FpbG9yOmhhcmJvdXI="}"#;
const BASIC: &str = "Basic c2FpbG9yOmhhcmJvdXI=";

#[test]
fn an_image_is_opened_by_tag_and_by_digest_and_streamed_layer_by_layer() {
    let (content, digest) = ship();
    let server = FakeServer::start(move |request: &Request| content.answer(request));
    for name in ["fleet/ship:v1".to_owned(), format!("fleet/ship@{digest}")] {
        let image = open(&server, &name, Environment::default()).unwrap();
        assert_eq!(image.manifest_digest.as_ref().unwrap().to_string(), digest);
        assert_eq!(image.config.user.as_deref(), Some("sailor"));
        assert_eq!(image.platform.as_ref().unwrap().to_string(), "linux/amd64");
        assert_eq!(image.layers.len(), 2);
        assert_eq!(image.problems, []);
        let (names, outcome) = walk(&image, 1);
        assert_eq!(names, ["/b"]);
        assert!(outcome.complete, "{:?}", outcome.problems);
        assert_eq!(outcome.diff_id.as_ref(), image.layers[1].diff_id());
    }
}

#[test]
fn the_tag_is_resolved_by_a_head_request_that_costs_no_pull() {
    let (content, digest) = ship();
    let server = FakeServer::start(move |request: &Request| content.answer(request));
    open(&server, "fleet/ship:v1", Environment::default()).unwrap();
    let asked = targets(&server);
    assert_eq!(asked[0], "GET /v2/");
    assert_eq!(asked[1], "HEAD /v2/fleet/ship/manifests/v1");
    assert_eq!(asked[2], format!("GET /v2/fleet/ship/manifests/{digest}"));
    let accept = server.requests()[2].header("accept").unwrap().to_owned();
    for kind in [OCI_INDEX, OCI_MANIFEST, DOCKER_MANIFEST] {
        assert!(accept.contains(kind), "{accept}");
    }
}

#[test]
fn a_registry_without_head_is_asked_with_get() {
    let (content, digest) = ship();
    let server = FakeServer::start(move |request: &Request| {
        if request.method == "HEAD" {
            Reply::status(405)
        } else {
            content.answer(request)
        }
    });
    let image = open(&server, "fleet/ship:v1", Environment::default()).unwrap();
    assert_eq!(image.manifest_digest.unwrap().to_string(), digest);
}

#[test]
fn an_index_gives_the_wanted_platform_and_no_attestation() {
    let (mut content, digest) = ship();
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[
            {{"mediaType":"{OCI_MANIFEST}","digest":"sha256:{}","size":1,"platform":{{"os":"unknown","architecture":"unknown"}}}},
            {{"mediaType":"{OCI_MANIFEST}","digest":"sha256:{}","size":1,"platform":{{"os":"linux","architecture":"arm64"}}}},
            {{"mediaType":"{OCI_MANIFEST}","digest":"{digest}","size":1,"platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#,
        "0".repeat(64),
        "1".repeat(64),
    );
    // The size is checked where it is promised, so promise the true one.
    let true_size = content
        .manifest_size(&digest)
        .expect("the image was just made");
    let index = index.replace(
        &format!(r#""{digest}","size":1"#),
        &format!(r#""{digest}","size":{true_size}"#),
    );
    content.manifest("multi", OCI_INDEX, index);
    let server = FakeServer::start(move |request: &Request| content.answer(request));
    let source = RegistrySource {
        options: options(Environment::default()),
    };
    let reference = format!("{}/fleet/ship:multi", server.address());
    let amd64 = "linux/amd64".parse().unwrap();
    let image = source
        .open(&reference, Some(&amd64), &WalkContext::default())
        .unwrap();
    assert_eq!(image.manifest_digest.unwrap().to_string(), digest);
    let s390x = "linux/s390x".parse().unwrap();
    let error = source
        .open(&reference, Some(&s390x), &WalkContext::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("linux/s390x"), "{error}");
}

#[test]
fn a_bearer_challenge_is_answered_once_for_all_layers() {
    let (content, _) = ship();
    let address = Arc::new(Mutex::new(String::new()));
    let realm = Arc::clone(&address);
    let server = FakeServer::start(move |request: &Request| {
        if request.path() == "/token" {
            return Reply::ok(r#"{"token":"sesame","expires_in":300}"#);
        }
        if request.header("authorization") == Some("Bearer sesame") {
            return content.answer(request);
        }
        let realm = realm.lock().unwrap().clone();
        error(401, "UNAUTHORIZED", "authentication required").header(
            "WWW-Authenticate",
            format!(r#"Bearer realm="http://{realm}/token",service="harbour",scope="repository:fleet/ship:pull,push""#),
        )
    });
    *address.lock().unwrap() = server.address();
    let (_home, environment) = home(&server.address(), LOGIN);
    let image = open(&server, "fleet/ship:v1", environment).unwrap();
    walk(&image, 0);
    walk(&image, 1);
    let tokens: Vec<Request> = server
        .requests()
        .into_iter()
        .filter(|request| request.path() == "/token")
        .collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(
        tokens[0].target,
        "/token?scope=repository%3Afleet%2Fship%3Apull&service=harbour"
    );
    assert_eq!(tokens[0].header("authorization"), Some(BASIC));
}

#[test]
fn an_expired_token_is_replaced_and_an_identity_token_is_posted() {
    let (content, _) = ship();
    let address = Arc::new(Mutex::new(String::new()));
    let realm = Arc::clone(&address);
    let given = AtomicU32::new(0);
    let newest = AtomicU32::new(0);
    let server = FakeServer::start(move |request: &Request| {
        if request.path() == "/token" {
            let number = given.fetch_add(1, Ordering::SeqCst) + 1;
            newest.store(number, Ordering::SeqCst);
            return Reply::ok(format!(
                r#"{{"access_token":"t{number}","expires_in":300}}"#
            ));
        }
        // The second token is wanted from the first blob on: the registry revoked the first.
        let wanted = if request.path().contains("/blobs/") {
            2
        } else {
            1
        };
        let sent = request.header("authorization").unwrap_or_default();
        if sent == format!("Bearer t{wanted}") || sent == "Bearer t2" {
            return content.answer(request);
        }
        let realm = realm.lock().unwrap().clone();
        error(401, "UNAUTHORIZED", "expired").header(
            "WWW-Authenticate",
            format!(r#"Bearer realm="http://{realm}/token""#),
        )
    });
    *address.lock().unwrap() = server.address();
    let (_home, environment) = home(&server.address(), r#"{"identitytoken":"id"}"#);
    open(&server, "fleet/ship:v1", environment).unwrap();
    let tokens: Vec<Request> = server
        .requests()
        .into_iter()
        .filter(|request| request.path() == "/token")
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0].method, "POST");
    assert!(tokens[0].header("authorization").is_none());
    let form = String::from_utf8(tokens[0].body.clone()).unwrap();
    assert!(form.ends_with("&refresh_token=id"), "{form}");
}

#[test]
fn a_basic_challenge_takes_the_stored_password() {
    let (content, _) = ship();
    let server = FakeServer::start(move |request: &Request| {
        if request.header("authorization") == Some(BASIC) {
            content.answer(request)
        } else {
            error(401, "UNAUTHORIZED", "authentication required")
                .header("WWW-Authenticate", r#"Basic realm="harbour""#)
        }
    });
    let (_home, environment) = home(&server.address(), LOGIN);
    let image = open(&server, "fleet/ship:v1", environment).unwrap();
    assert!(walk(&image, 0).1.complete);
    let (message, hint) = refused(&server, "fleet/ship:v1");
    assert!(message.contains("wants a login"), "{message}");
    assert_eq!(hint, format!("run `docker login {}`", server.address()));
}

#[test]
fn a_wrong_password_is_not_hammered_and_never_printed() {
    let server = FakeServer::start(|_: &Request| {
        error(401, "UNAUTHORIZED", "authentication required")
            .header("WWW-Authenticate", r#"Basic realm="harbour""#)
    });
    let (_home, environment) = home(&server.address(), LOGIN);
    let error = open(&server, "fleet/ship:v1", environment).err().unwrap();
    let shown = format!("{error} {error:?} {}", error.hint.as_deref().unwrap());
    assert!(shown.contains("gives no access to `fleet/ship`"), "{shown}");
    assert!(shown.contains("with an account that may pull"), "{shown}");
    assert!(
        !shown.contains("harbour\"") && !shown.contains("c2FpbG9y"),
        "{shown}"
    );
    let tries = server
        .requests()
        .iter()
        .filter(|request| request.header("authorization").is_some())
        .count();
    // The HEAD and the GET that asks for the reason.
    assert!(tries <= 2, "{tries}");
}

#[test]
fn a_redirected_blob_is_fetched_without_credentials() {
    let (content, _) = ship();
    let stored = content.clone();
    let storage = FakeServer::start(move |request: &Request| stored.answer(request));
    let elsewhere = storage.address();
    let server = FakeServer::start(move |request: &Request| {
        if request.header("authorization") != Some(BASIC) {
            return error(401, "UNAUTHORIZED", "authentication required")
                .header("WWW-Authenticate", r#"Basic realm="harbour""#);
        }
        if request.path().contains("/blobs/") {
            let url = format!("http://{elsewhere}{}?signature=abc", request.path());
            return Reply::status(307).header("Location", url);
        }
        content.answer(request)
    });
    let (_home, environment) = home(&server.address(), LOGIN);
    let image = open(&server, "fleet/ship:v1", environment).unwrap();
    assert!(walk(&image, 0).1.complete);
    let seen = storage.requests();
    assert!(seen.len() >= 2, "the configuration and a layer");
    assert!(
        seen.iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[test]
fn endless_redirects_and_odd_ones_are_refused() {
    let around = FakeServer::start(|request: &Request| {
        Reply::status(302).header("Location", request.target.clone())
    });
    assert!(
        refused(&around, "fleet/ship:v1")
            .0
            .contains("redirects more than 5 times")
    );
    let odd = FakeServer::start(|request: &Request| match request.path() {
        "/v2/" => Reply::ok("{}"),
        _ => Reply::status(302).header("Location", "file:///etc/passwd"),
    });
    assert!(
        refused(&odd, "fleet/ship:v1")
            .0
            .contains("a redirect that can't be used")
    );
}

#[test]
fn a_rate_limit_is_waited_out_if_it_is_short() {
    let (content, _) = ship();
    let asked = AtomicU32::new(0);
    let server = FakeServer::start(move |request: &Request| {
        if request.path().contains("/manifests/") && asked.fetch_add(1, Ordering::SeqCst) == 0 {
            return Reply::status(429).header("Retry-After", "1");
        }
        content.answer(request)
    });
    let start = Instant::now();
    open(&server, "fleet/ship:v1", Environment::default()).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(900));

    let busy = FakeServer::start(|request: &Request| match request.path() {
        "/v2/" => Reply::ok("{}"),
        _ => error(429, "TOOMANYREQUESTS", "pull rate limit").header("Retry-After", "21600"),
    });
    let start = Instant::now();
    let (message, hint) = refused(&busy, "fleet/ship:v1");
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(message.contains("limits the rate of requests"), "{message}");
    assert!(
        message.contains("TOOMANYREQUESTS: pull rate limit"),
        "{message}"
    );
    assert!(hint.contains("21600 seconds"), "{hint}");
}

#[test]
fn passing_server_errors_are_tried_again_and_lasting_ones_end() {
    let (content, _) = ship();
    let asked = AtomicU32::new(0);
    let server = FakeServer::start(move |request: &Request| {
        if asked.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
            Reply::status(503)
        } else {
            content.answer(request)
        }
    });
    open(&server, "fleet/ship:v1", Environment::default()).unwrap();

    let broken = FakeServer::start(|_: &Request| Reply::status(500));
    let (message, _) = refused(&broken, "fleet/ship:v1");
    assert!(message.contains("answers 500"), "{message}");
}

#[test]
fn absence_and_refusal_say_what_to_do() {
    let (content, _) = ship();
    let server = FakeServer::start(move |request: &Request| content.answer(request));
    let (message, hint) = refused(&server, "fleet/ship:v9");
    assert!(
        message.contains("has no `v9` in `fleet/ship` (MANIFEST_UNKNOWN: manifest unknown)"),
        "{message}"
    );
    assert!(
        hint.contains(&format!("docker login {}", server.address())),
        "{hint}"
    );

    let forbidding = FakeServer::start(|request: &Request| match request.path() {
        "/v2/" => Reply::ok("{}"),
        _ => error(403, "DENIED", "no\u{1b}[31m"),
    });
    let (message, hint) = refused(&forbidding, "fleet/ship:v1");
    assert!(
        message.contains("forbids reading `fleet/ship`"),
        "{message}"
    );
    assert!(!message.contains('\u{1b}'));
    assert!(hint.contains("docker login"), "{hint}");
}

#[test]
fn a_manifest_that_is_not_the_promised_one_is_refused() {
    let (content, digest) = ship();
    let other = layer("x", b"");
    let lying = content.clone();
    let evil = other.clone();
    let server = FakeServer::start(move |request: &Request| {
        if request.method == "GET" && request.path().contains("/manifests/") {
            Reply::ok(evil.clone()).header("Content-Type", OCI_MANIFEST)
        } else {
            lying.answer(request)
        }
    });
    for name in ["fleet/ship:v1".to_owned(), format!("fleet/ship@{digest}")] {
        let (message, _) = refused(&server, &name);
        assert!(message.contains("digest"), "{message}");
    }
}

#[test]
fn a_configuration_with_another_digest_is_refused_and_a_layer_is_a_problem() {
    let (content, _) = ship();
    let honest = content.clone();
    let server = FakeServer::start(move |request: &Request| {
        if request.path().contains("/blobs/") {
            Reply::ok("{}")
        } else {
            honest.answer(request)
        }
    });
    let (message, _) = refused(&server, "fleet/ship:v1");
    assert!(
        message.contains("digest") || message.contains("size"),
        "{message}"
    );

    let first = layer("a", b"one");
    let mut forged = first.clone();
    forged[512] ^= 1;
    let server = FakeServer::start(move |request: &Request| {
        let reply = content.answer(request);
        if request.path().ends_with(&seaworthy_testkit::sha256(&first)) {
            return Reply::ok(forged.clone());
        }
        reply
    });
    let image = open(&server, "fleet/ship:v1", Environment::default()).unwrap();
    let (_, outcome) = walk(&image, 0);
    assert!(!outcome.complete);
    assert!(
        outcome
            .problems
            .iter()
            .any(|p| p.kind == ProblemKind::DigestMismatch)
    );
    assert!(walk(&image, 1).1.complete, "the other layer is unharmed");
}

#[test]
fn a_blob_that_breaks_half_way_is_resumed() {
    for knows_ranges in [true, false] {
        let mut content = RegistryContent::new("fleet/ship");
        let big: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        content.image("v1", &[layer("big", &big)]);
        let breaks = AtomicU32::new(0);
        let server = FakeServer::start(move |request: &Request| {
            let mut request = request.clone();
            if !knows_ranges {
                request.headers.retain(|(name, _)| name != "range");
            }
            let reply = content.answer(&request);
            if request.path().contains("/blobs/") {
                match breaks.fetch_add(1, Ordering::SeqCst) {
                    // The configuration, and the third try of the layer.
                    0 | 3 => reply,
                    1 => reply.cut_after(150_000),
                    _ => reply.stall_after(170_000, Duration::from_secs(2)),
                }
            } else {
                reply
            }
        });
        let image = open(&server, "fleet/ship:v1", Environment::default()).unwrap();
        let (names, outcome) = walk(&image, 0);
        assert_eq!(names, ["/big"]);
        assert!(outcome.complete, "{:?}", outcome.problems);
        let ranges: Vec<String> = server
            .requests()
            .iter()
            .filter_map(|request| request.header("range").map(str::to_owned))
            .collect();
        assert_eq!(ranges[0], "bytes=150000-");
        assert_eq!(ranges.len(), 2);
    }
}

#[test]
fn a_blob_that_never_gets_whole_is_a_problem_of_its_layer() {
    let (content, _) = ship();
    let first = seaworthy_testkit::sha256(&layer("a", b"one"));
    let server = FakeServer::start(move |request: &Request| {
        let reply = content.answer(request);
        if request.path().ends_with(&first) {
            return Reply::ok(vec![0; 2048]).cut_after(0);
        }
        reply
    });
    let image = open(&server, "fleet/ship:v1", Environment::default()).unwrap();
    let (_, outcome) = walk(&image, 0);
    assert!(!outcome.complete);
    assert!(
        outcome
            .problems
            .iter()
            .any(|p| p.message.contains("broke 3 times")),
        "{:?}",
        outcome.problems
    );
    assert!(walk(&image, 1).1.complete);
}

#[test]
fn a_silent_registry_is_given_up() {
    let server = FakeServer::start(|request: &Request| match request.path() {
        "/v2/" => Reply::ok("{}"),
        _ => Reply::ok("{}").stall_before(Duration::from_secs(20)),
    });
    let start = Instant::now();
    let (message, hint) = refused(&server, "fleet/ship:v1");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(message.contains("cannot talk to"), "{message}");
    assert!(hint.contains("check the network"), "{hint}");
}

#[test]
fn a_huge_manifest_is_cut_off() {
    let server = FakeServer::start(|request: &Request| match request.path() {
        "/v2/" => Reply::ok("{}"),
        _ if request.method == "HEAD" => Reply::status(404),
        _ => Reply::ok(vec![b' '; 20 << 20]),
    });
    let (message, _) = refused(&server, "fleet/ship:v1");
    assert!(message.contains("longer than"), "{message}");
}

#[test]
fn schema_one_and_what_is_no_manifest_are_told_apart() {
    for (media_type, body, why) in [
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            r#"{"schemaVersion":1,"fsLayers":[]}"#,
            "schema 1",
        ),
        (OCI_MANIFEST, "<html>", "manifest"),
        (
            OCI_MANIFEST,
            r#"{"schemaVersion":2,"layers":7}"#,
            "manifest",
        ),
    ] {
        let mut content = RegistryContent::new("fleet/ship");
        content.manifest("v1", media_type, body);
        let server = FakeServer::start(move |request: &Request| content.answer(request));
        let (message, _) = refused(&server, "fleet/ship:v1");
        assert!(message.contains(why), "{body}: {message}");
    }
}

#[test]
fn a_foreign_layer_is_not_followed_but_told() {
    let (mut content, _) = ship();
    let kept = layer("a", b"one");
    let foreign = FakeServer::start(|_: &Request| Reply::ok("secret"));
    let config = r#"{"os":"windows","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["@1","@2"]}}"#
        .replace("@1", &format!("sha256:{}", "1".repeat(64)))
        .replace("@2", &seaworthy_testkit::sha256(&kept));
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{DOCKER_MANIFEST}",
            "config":{{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"{}","size":{}}},
            "layers":[
              {{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"sha256:{}","size":6,"urls":["http://{}/layer"]}},
              {{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","digest":"{}","size":{}}}]}}"#,
        content.blob(config.clone()),
        config.len(),
        "2".repeat(64),
        foreign.address(),
        content.blob(kept.clone()),
        kept.len(),
    );
    content.manifest("windows", DOCKER_MANIFEST, manifest);
    let server = FakeServer::start(move |request: &Request| content.answer(request));
    let image = open(&server, "fleet/ship:windows", Environment::default()).unwrap();
    assert_eq!(image.layers.len(), 2);
    let (names, outcome) = walk(&image, 0);
    assert!(names.is_empty() && !outcome.complete);
    assert!(
        outcome.problems[0].message.contains("not inspected"),
        "{:?}",
        outcome.problems
    );
    assert!(walk(&image, 1).1.complete);
    assert_eq!(foreign.requests().len(), 0);
}

#[test]
fn a_proxy_is_asked_to_connect_and_sees_no_credentials() {
    let proxy = FakeServer::start(|_: &Request| Reply::status(503));
    let (_home, _) = home("ship.example", LOGIN);
    let environment = [
        (
            "HTTPS_PROXY".to_owned(),
            format!("http://{}", proxy.address()),
        ),
        (
            "DOCKER_CONFIG".to_owned(),
            _home.path().to_str().unwrap().to_owned(),
        ),
    ]
    .into_iter()
    .collect();
    let source = RegistrySource {
        options: options(environment),
    };
    let error = source
        .open("ship.example/fleet/ship:v1", None, &WalkContext::default())
        .err()
        .unwrap();
    assert!(
        error.hint.as_deref().unwrap().contains("HTTPS_PROXY"),
        "{error:?}"
    );
    let seen = proxy.requests();
    assert_eq!(seen[0].method, "CONNECT");
    assert_eq!(seen[0].target, "ship.example:443");
    assert!(
        seen.iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[test]
fn cancelling_ends_a_stream() {
    let (content, _) = ship();
    let server = FakeServer::start(move |request: &Request| content.answer(request));
    let ctx = WalkContext::default();
    let source = RegistrySource {
        options: options(Environment::default()),
    };
    let reference = format!("{}/fleet/ship:v1", server.address());
    let image = source.open(&reference, None, &ctx).unwrap();
    ctx.cancel.cancel();
    let result = image.layers[0].walk(&ctx, &mut |mut entry| {
        if let crate::Body::Reader(reader) = &mut entry.body {
            std::io::copy(&mut reader.take(10), &mut std::io::sink())?;
        }
        Ok(Flow::Continue)
    });
    assert!(result.is_err());
}
