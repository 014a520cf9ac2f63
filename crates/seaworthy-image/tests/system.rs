//! The network sources against the real thing: a Docker Engine and registries of Debian's
//! `docker-registry`.
//!
//! Run with `SEAWORTHY_SYSTEM_TESTS=1` as root, and
//!
//! * `SEAWORTHY_TEST_DOCKER_HOST`: `unix://…` of an engine of the test's own with storage
//!   driver overlay2, whose data root lies on this machine;
//! * `SEAWORTHY_TEST_REGISTRY`: `127.0.0.1:PORT` of an open registry;
//! * `SEAWORTHY_TEST_REGISTRY_AUTH`: the same of one with user `sailor`, password `harbour`;
//! * `docker`, the client, in `PATH`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests; skipping has to be said"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use seaworthy_core::ImagePath;
use seaworthy_image::engine::{ContainerSource, EngineAccess, EngineOptions, EngineSource};
use seaworthy_image::registry::{RegistryOptions, RegistrySource};
use seaworthy_image::{
    EntryKind, Environment, Flow, Image, ImageSource, Layer, OpenOptions, WalkContext, open_image,
};
use seaworthy_testkit::{Compression, ImageBuilder, LayerBuilder};

/// What the tests need, or `None` after saying what is missing.
struct Rig {
    docker_host: String,
    registry: String,
    registry_auth: String,
    /// The Docker client's configuration, with the login to the second registry.
    home: tempfile::TempDir,
}

impl Rig {
    fn find(test: &str) -> Option<Rig> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let names = [
            "SEAWORTHY_TEST_DOCKER_HOST",
            "SEAWORTHY_TEST_REGISTRY",
            "SEAWORTHY_TEST_REGISTRY_AUTH",
        ];
        if variable("SEAWORTHY_SYSTEM_TESTS").as_deref() != Some("1") {
            println!(
                "{test}: skipped: set `SEAWORTHY_SYSTEM_TESTS=1` and {} (`cargo xtask test` does)",
                names.join(", ")
            );
            return None;
        }
        let [docker_host, registry, registry_auth] =
            names.map(|name| variable(name).unwrap_or_else(|| panic!("{test}: set `{name}`")));
        Some(Rig {
            docker_host,
            registry,
            registry_auth,
            home: tempfile::tempdir().unwrap(),
        })
    }

    /// Runs the Docker client and gives its output.
    fn docker(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("docker")
            .arg("--config")
            .arg(self.home.path())
            .args(["-H", &self.docker_host])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The client warns of the password that the test itself wrote.
            .stderr(Stdio::null())
            .spawn()
            .expect("`docker` is in PATH");
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let mut output = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut output)
            .unwrap();
        feeder.join().unwrap();
        assert!(child.wait().unwrap().success(), "docker {arguments:?}");
        output.trim().to_owned()
    }

    fn environment(&self) -> Environment {
        [(
            "DOCKER_CONFIG".to_owned(),
            self.home.path().to_str().unwrap().to_owned(),
        )]
        .into_iter()
        .collect()
    }

    fn engine(&self, access: EngineAccess) -> EngineOptions {
        EngineOptions {
            host: Some(self.docker_host.clone()),
            access,
            environment: self.environment(),
        }
    }

    fn open(&self, name: &str, access: EngineAccess) -> Image {
        let options = self.engine(access);
        EngineSource { options }
            .open(name, None, &WalkContext::default())
            .unwrap()
    }

    fn registry_source(&self) -> RegistrySource {
        RegistrySource {
            options: RegistryOptions {
                environment: self.environment(),
                ..RegistryOptions::default()
            },
        }
    }

    /// Loads a three-layer image with everything that layers may do to each other.
    fn load(&self, name: &str) {
        let image = ship(name);
        self.docker(&["load", "-q"], &image.docker_archive_legacy());
    }
}

/// A base, a middle that deletes, replaces and links, and a top that deletes from both.
fn ship(name: &str) -> ImageBuilder {
    let base = LayerBuilder::new()
        .dir("bin")
        .file_with_mode("bin/su", 0o4755, "su")
        .file("bin/tool", "tool")
        .hardlink("bin/tool2", "bin/tool")
        .dir("etc")
        .file("etc/a", "a")
        .file("etc/b", "b")
        .symlink("etc/link", "../../../../etc/shadow")
        .dir("opt")
        .dir("opt/old")
        .file("opt/old/x", "x")
        .file("opt/y", "y");
    let middle = LayerBuilder::new()
        .owner(1000, 1001)
        .dir("etc")
        .whiteout("etc/a")
        .dir("opt")
        .opaque("opt")
        .file("opt/z", "z")
        .dir("usr")
        .file("usr/one", vec![b'1'; 300_000])
        .hardlink("usr/two", "usr/one")
        .fifo("usr/pipe");
    let top = LayerBuilder::new()
        .dir("etc")
        .file("etc/b", "b, again")
        .dir("usr")
        .whiteout("usr/one")
        .whiteout("bin");
    ImageBuilder::new()
        .layer_with(&base, Compression::None, "ADD base")
        .layer_with(&middle, Compression::None, "RUN middle")
        .empty_layer("CMD nothing")
        .layer_with(&top, Compression::None, "RUN top")
        .config("Cmd", serde_json::json!(["/bin/tool"]))
        .tag(name)
}

/// What a layer holds, by path; hard links count as the file that they are. Directories
/// that only lead to others are left out: not every road mentions them.
fn content(layer: &dyn Layer) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut links: Vec<(ImagePath, ImagePath)> = Vec::new();
    let outcome = layer
        .walk(&WalkContext::default(), &mut |mut entry| {
            let meta = entry.meta;
            let path = entry.path.to_string();
            match entry.kind {
                EntryKind::HardLink(target) => links.push((entry.path, target)),
                EntryKind::File => {
                    let mut buffer = Vec::new();
                    let content = entry.body.read_up_to(1 << 20, &mut buffer)?;
                    let digest = seaworthy_testkit::sha256(content);
                    found.insert(
                        path,
                        format!(
                            "file {:o} {}:{} {} {} {digest}",
                            meta.mode, meta.uid, meta.gid, meta.mtime, meta.size
                        ),
                    );
                }
                EntryKind::Directory => {}
                EntryKind::OpaqueDirectory => {
                    found.insert(format!("{path}/"), "opaque".into());
                }
                kind => {
                    found.insert(path, format!("{kind:?}"));
                }
            }
            Ok(Flow::Continue)
        })
        .unwrap();
    assert!(outcome.complete, "{:?}", outcome.problems);
    assert_eq!(outcome.problems, [], "problems");
    for (link, target) in links {
        let file = found
            .get(&target.to_string())
            .expect("the target is in the layer");
        found.insert(link.to_string(), file.clone());
    }
    found
}

fn contents(image: &Image) -> Vec<BTreeMap<String, String>> {
    image
        .layers
        .iter()
        .map(|layer| content(layer.as_ref()))
        .collect()
}

/// The view from inside: what deleted things hid is gone.
fn flattened(image: &Image) -> BTreeMap<String, String> {
    let mut view: BTreeMap<String, String> = BTreeMap::new();
    for layer in contents(image) {
        for (path, what) in &layer {
            let below = if what == "opaque" {
                path.clone()
            } else {
                format!("{path}/")
            };
            if what == "opaque" || what == "Whiteout" {
                view.retain(|other, _| other != path && !other.starts_with(&below));
            }
        }
        for (path, what) in layer {
            if what != "opaque" && what != "Whiteout" {
                view.insert(path, what);
            }
        }
    }
    view
}

fn diff_ids(image: &Image) -> Vec<String> {
    let id = |layer: &std::sync::Arc<dyn Layer>| layer.diff_id().map(ToString::to_string);
    image.layers.iter().filter_map(id).collect()
}

#[test]
fn an_image_is_the_same_in_place_exported_and_from_a_registry() {
    let Some(rig) = Rig::find("an_image_is_the_same_in_place_exported_and_from_a_registry") else {
        return;
    };
    let name = format!("{}/fleet/same:1", rig.registry);
    rig.load(&name);
    rig.docker(&["push", "-q", &name], b"");

    let direct = rig.open(&name, EngineAccess::Direct);
    let exported = rig.open(&name, EngineAccess::Export);
    let pulled = rig
        .registry_source()
        .open(&name, None, &WalkContext::default())
        .unwrap();

    let expected = contents(&direct);
    assert_eq!(expected.len(), 3);
    assert_eq!(expected[1]["/etc/a"], "Whiteout");
    assert_eq!(expected[1]["/opt/"], "opaque");
    assert_eq!(expected[1]["/usr/one"], expected[1]["/usr/two"]);
    assert!(expected[1]["/usr/one"].contains("1000:1001"));
    assert!(expected[0]["/bin/su"].starts_with("file 4755 0:0"));
    assert_eq!(expected[0]["/bin/tool"], expected[0]["/bin/tool2"]);
    assert_eq!(expected[2]["/bin"], "Whiteout");
    for image in [&exported, &pulled] {
        assert_eq!(contents(image), expected);
        assert_eq!(diff_ids(image), diff_ids(&direct));
        assert_eq!(image.config, direct.config);
        assert_eq!(image.platform, direct.platform);
        assert_eq!(image.image_id, direct.image_id);
    }
    let history = direct.config.layer_history(3);
    assert_eq!(history[2].unwrap().created_by.as_deref(), Some("RUN top"));

    let digest = pulled.manifest_digest.unwrap();
    let by_digest = format!("{}/fleet/same@{digest}", rig.registry);
    let pinned = rig
        .registry_source()
        .open(&by_digest, None, &WalkContext::default())
        .unwrap();
    assert_eq!(contents(&pinned), expected);
    rig.docker(&["rmi", &name], b"");
}

#[test]
fn a_container_is_its_image_and_what_was_written_into_it() {
    let Some(rig) = Rig::find("a_container_is_its_image_and_what_was_written_into_it") else {
        return;
    };
    rig.load("fleet-container:1");
    let id = rig.docker(
        &[
            "create",
            "--network=none",
            "-e",
            "ADDED=1",
            "fleet-container:1",
            "/bin/tool",
        ],
        b"",
    );
    let files = LayerBuilder::new().file("written", "by hand").tar();
    rig.docker(&["cp", "-", &format!("{id}:/etc")], &files);
    let open = |access| {
        let options = rig.engine(access);
        ContainerSource { options }
            .open(&id[..12], None, &WalkContext::default())
            .unwrap()
    };
    let direct = open(EngineAccess::Direct);
    assert_eq!(
        direct.layers.len(),
        5,
        "three of the image, the engine's, its own"
    );
    let own = content(direct.layers[4].as_ref());
    assert!(own["/etc/written"].starts_with("file "), "{own:?}");
    assert!(direct.config.env.contains(&"ADDED=1".to_owned()));
    assert_eq!(
        direct.config.layer_history(5)[1]
            .unwrap()
            .created_by
            .as_deref(),
        Some("RUN middle")
    );

    let exported = open(EngineAccess::Export);
    assert_eq!(exported.layers.len(), 1);
    assert_eq!(flattened(&exported), flattened(&direct));
    assert!(!flattened(&direct).contains_key("/etc/a"));
    assert!(exported.problems[0].message.contains("as one layer"));

    // The image may be taken away by force; the container still can be read.
    rig.docker(&["rmi", "-f", "fleet-container:1"], b"");
    assert_eq!(flattened(&open(EngineAccess::Direct)), flattened(&direct));
    rig.docker(&["rm", "-f", &id], b"");
}

#[test]
fn a_registry_with_passwords_lets_in_who_logged_in() {
    let Some(rig) = Rig::find("a_registry_with_passwords_lets_in_who_logged_in") else {
        return;
    };
    let name = format!("{}/fleet/secret:1", rig.registry_auth);
    rig.load(&name);
    let ctx = WalkContext::default();

    let error = rig.registry_source().open(&name, None, &ctx).err().unwrap();
    assert!(error.message.contains("wants a login"), "{error}");
    assert_eq!(
        error.hint.unwrap(),
        format!("run `docker login {}`", rig.registry_auth)
    );

    rig.docker(
        &[
            "login",
            "-u",
            "sailor",
            "--password-stdin",
            &rig.registry_auth,
        ],
        b"harbour",
    );
    rig.docker(&["push", "-q", &name], b"");
    let pulled = rig.registry_source().open(&name, None, &ctx).unwrap();
    assert_eq!(
        contents(&pulled),
        contents(&rig.open(&name, EngineAccess::Direct))
    );

    let absent = format!("{}/fleet/absent:1", rig.registry_auth);
    let error = rig
        .registry_source()
        .open(&absent, None, &ctx)
        .err()
        .unwrap();
    assert!(
        error.message.contains("has no `1` in `fleet/absent`"),
        "{error}"
    );
    rig.docker(&["rmi", &name], b"");
}

#[test]
fn a_bare_name_is_looked_for_in_the_engine_and_then_in_the_registry() {
    let Some(rig) = Rig::find("a_bare_name_is_looked_for_in_the_engine_and_then_in_the_registry")
    else {
        return;
    };
    // Another name each time: what an earlier run pushed is still there.
    let name = format!("{}/fleet/bare:{}", rig.registry, std::process::id());
    let options = OpenOptions {
        engine: rig.engine(EngineAccess::Auto),
        registry: rig.registry_source().options,
        ..OpenOptions::default()
    };
    let open = || open_image(&name, &options, &WalkContext::default());

    let error = open().err().unwrap().to_string();
    assert!(
        error.contains("docker: the Docker engine has no image"),
        "{error}"
    );
    assert!(error.contains("registry: registry `127.0.0.1:"), "{error}");

    rig.load(&name);
    assert_eq!(open().unwrap().source.as_str(), "docker");
    rig.docker(&["push", "-q", &name], b"");
    rig.docker(&["rmi", &name], b"");
    assert_eq!(open().unwrap().source.as_str(), "registry");
}
