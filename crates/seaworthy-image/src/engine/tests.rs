//! An engine on a Unix socket with a data root beside it, in every state of repair.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use seaworthy_testkit::http::{FakeServer, Reply, Request};
use seaworthy_testkit::registry::{OCI_INDEX, RegistryContent};
use seaworthy_testkit::{LayerBuilder, sha256};
use serde_json::json;

use super::{ContainerSource, EngineAccess, EngineOptions, EngineSource};
use crate::{Environment, Flow, Image, ImageError, ImageSource, WalkContext};

/// A folder with a data root, an engine's socket and the engine's export of its image.
struct Harbour {
    dir: tempfile::TempDir,
    image_id: String,
    diff_ids: Vec<String>,
    export: Vec<u8>,
}

const CONTAINER: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

impl Harbour {
    /// An image of two layers, `/base` and `/top`, kept by overlay2.
    fn new() -> Harbour {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        let layers = [
            LayerBuilder::new().file("base", "one").tar(),
            LayerBuilder::new().file("top", "two").tar(),
        ];
        let diff_ids: Vec<String> = layers.iter().map(|layer| sha256(layer)).collect();
        let config = json!({
            "os": "linux", "architecture": "amd64",
            "config": {"User": "sailor", "Env": ["A=b"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created_by": "first"}, {"created_by": "second"}],
        })
        .to_string();
        let image_id = sha256(config.as_bytes());
        write(&root, &content_path(&image_id), &config);
        let top_chain = sha256(format!("{} {}", diff_ids[0], diff_ids[1]).as_bytes());
        for (chain, diff_id, folder, file, parent) in [
            (&diff_ids[0], &diff_ids[0], "aaaa", "base", None),
            (&top_chain, &diff_ids[1], "bbbb", "top", Some(&diff_ids[0])),
        ] {
            let entry = layer_path(chain);
            write(&root, &format!("{entry}/diff"), diff_id);
            write(&root, &format!("{entry}/cache-id"), folder);
            if let Some(parent) = parent {
                write(&root, &format!("{entry}/parent"), parent);
            }
            let content = if file == "base" { "one" } else { "two" };
            write(&root, &format!("overlay2/{folder}/diff/{file}"), content);
        }
        let mount = format!("image/overlay2/layerdb/mounts/{CONTAINER}");
        write(&root, &format!("{mount}/mount-id"), "cccc");
        write(&root, &format!("{mount}/init-id"), "cccc-init");
        write(&root, &format!("{mount}/parent"), &top_chain);
        write(&root, "overlay2/cccc/diff/written", "by the container");
        write(&root, "overlay2/cccc-init/diff/.dockerenv", "");
        let export = LayerBuilder::new()
            .file(format!("{}.json", &image_id[7..]), &config)
            .file("l0/layer.tar", &layers[0])
            .file("l1/layer.tar", &layers[1])
            .file(
                "manifest.json",
                json!([{
                    "Config": format!("{}.json", &image_id[7..]),
                    "RepoTags": null,
                    "Layers": ["l0/layer.tar", "l1/layer.tar"],
                }])
                .to_string(),
            )
            .tar();
        Harbour {
            dir,
            image_id,
            diff_ids,
            export,
        }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn info(&self) -> String {
        json!({
            "Driver": "overlay2",
            "DockerRootDir": self.root(),
            // Attributes of users need no capability, so that this test needs none.
            "DriverStatus": [["userxattr", "true"]],
        })
        .to_string()
    }

    fn serve(&self, info: String) -> FakeServer {
        let inspect = json!({
            "Id": self.image_id, "RepoTags": ["ship:1", "<none>:<none>"],
            "Os": "linux", "Architecture": "amd64",
            "RootFS": {"Layers": self.diff_ids},
        })
        .to_string();
        let container = json!({
            "Id": CONTAINER, "Name": "/mate", "Image": self.image_id,
            "Config": {"User": "cook", "Env": ["C=d"], "Cmd": ["sh"], "Labels": {"a": "b"}},
        })
        .to_string();
        let export = self.export.clone();
        let image_export = format!("/v1.41/images/{}/get", self.image_id);
        FakeServer::start_unix(&self.socket(), move |request: &Request| {
            match request.path() {
                "/_ping" => Reply::ok("OK").header("Api-Version", "1.41"),
                "/v1.41/info" => Reply::ok(info.clone()),
                "/v1.41/images/ship:1/json" => Reply::ok(inspect.clone()).chunked(),
                "/v1.41/containers/mate/json" => Reply::ok(container.clone()),
                path if path == image_export => Reply::ok(export.clone()),
                path if path == format!("/v1.41/containers/{CONTAINER}/export") => Reply::ok(
                    LayerBuilder::new()
                        .file("base", "one")
                        .file("written", "by the container")
                        .tar(),
                )
                .chunked(),
                _ => Reply::status(404).body(r#"{"message":"No such thing"}"#),
            }
        })
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    fn options(&self, access: EngineAccess) -> EngineOptions {
        EngineOptions {
            host: Some(format!("unix://{}", self.socket().display())),
            access,
            environment: [(
                "TMPDIR".to_owned(),
                self.dir.path().to_str().unwrap().to_owned(),
            )]
            .into_iter()
            .collect::<Environment>(),
        }
    }

    fn open(&self, access: EngineAccess) -> Result<Image, ImageError> {
        let source = EngineSource {
            options: self.options(access),
        };
        source.open("ship:1", None, &WalkContext::default())
    }

    fn open_container(&self, access: EngineAccess) -> Result<Image, ImageError> {
        let source = ContainerSource {
            options: self.options(access),
        };
        source.open("mate", None, &WalkContext::default())
    }
}

fn content_path(digest: &str) -> String {
    format!("image/overlay2/imagedb/content/sha256/{}", &digest[7..])
}

fn layer_path(chain: &str) -> String {
    format!("image/overlay2/layerdb/sha256/{}", &chain[7..])
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Names and contents of the files of each layer.
fn files(image: &Image) -> Vec<Vec<String>> {
    image
        .layers
        .iter()
        .map(|layer| {
            let mut found = Vec::new();
            let outcome = layer
                .walk(&WalkContext::default(), &mut |mut entry| {
                    if entry.kind == crate::EntryKind::File {
                        let mut buffer = Vec::new();
                        let content = entry.body.read_up_to(100, &mut buffer)?;
                        found.push(format!(
                            "{}={}",
                            entry.path,
                            String::from_utf8_lossy(content)
                        ));
                    }
                    Ok(Flow::Continue)
                })
                .unwrap();
            assert!(outcome.complete, "{:?}", outcome.problems);
            found
        })
        .collect()
}

#[test]
fn an_image_is_the_same_in_place_and_exported() {
    let harbour = Harbour::new();
    let server = harbour.serve(harbour.info());
    let direct = harbour.open(EngineAccess::Direct).unwrap();
    let exported = harbour.open(EngineAccess::Export).unwrap();
    for image in [&direct, &exported] {
        assert_eq!(files(image), [["/base=one"], ["/top=two"]]);
        assert_eq!(image.names, ["ship:1"]);
        assert_eq!(image.config.user.as_deref(), Some("sailor"));
        assert_eq!(
            image.image_id.as_ref().unwrap().to_string(),
            harbour.image_id
        );
        let ids: Vec<String> = image
            .layers
            .iter()
            .map(|layer| layer.diff_id().unwrap().to_string())
            .collect();
        assert_eq!(ids, harbour.diff_ids);
    }
    assert_eq!(direct.config, exported.config);
    assert_eq!(direct.platform, exported.platform);
    let exports = |server: &FakeServer| {
        server
            .requests()
            .iter()
            .filter(|request| request.path().ends_with("/get"))
            .count()
    };
    assert_eq!(exports(&server), 1);
    harbour.open(EngineAccess::Auto).unwrap();
    assert_eq!(
        exports(&server),
        1,
        "what can be read in place is not exported"
    );
}

#[test]
fn a_data_root_that_does_not_fit_is_not_believed() {
    let top = |harbour: &Harbour| {
        let chain = sha256(format!("{} {}", harbour.diff_ids[0], harbour.diff_ids[1]).as_bytes());
        harbour.root().join(layer_path(&chain))
    };
    type Damage = fn(&Harbour, PathBuf);
    let damages: [(Damage, &str); 7] = [
        (
            |harbour, _| {
                write(&harbour.root(), &content_path(&harbour.image_id), "{}");
            },
            "is not what its name says",
        ),
        (
            |harbour, top| fs::write(top.join("diff"), &harbour.diff_ids[0]).unwrap(),
            "is another one",
        ),
        (
            |_, top| fs::write(top.join("cache-id"), "../../etc").unwrap(),
            "is damaged",
        ),
        (
            |_, top| fs::write(top.join("cache-id"), "gone").unwrap(),
            "No such file",
        ),
        (
            |_, top| {
                fs::remove_file(top.join("cache-id")).unwrap();
                symlink("/etc/hostname", top.join("cache-id")).unwrap();
            },
            "is no regular file",
        ),
        (
            |harbour, _| {
                let folder = harbour.root().join("overlay2/bbbb/diff");
                fs::remove_dir_all(&folder).unwrap();
                symlink("/etc", &folder).unwrap();
            },
            "is no directory",
        ),
        (
            |harbour, _| fs::remove_dir_all(harbour.root()).unwrap(),
            "No such file",
        ),
    ];
    for (damage, why) in damages {
        let harbour = Harbour::new();
        let _server = harbour.serve(harbour.info());
        damage(&harbour, top(&harbour));
        let error = harbour.open(EngineAccess::Direct).err().unwrap();
        assert!(error.message.contains(why), "{error}");
        assert!(error.hint.unwrap().contains("let the engine export it"));
        let image = harbour.open(EngineAccess::Auto).unwrap();
        assert_eq!(files(&image), [["/base=one"], ["/top=two"]], "{why}");
    }
}

#[test]
fn other_storage_is_exported() {
    for (driver, status, why) in [
        ("btrfs", json!([]), "its storage driver is `btrfs`"),
        (
            "overlay2",
            json!([["Native Overlay Diff", "false"], ["userxattr", "true"]]),
            "no plain differences",
        ),
    ] {
        let harbour = Harbour::new();
        let info =
            json!({"Driver": driver, "DockerRootDir": harbour.root(), "DriverStatus": status});
        let _server = harbour.serve(info.to_string());
        let error = harbour.open(EngineAccess::Direct).err().unwrap();
        assert!(error.message.contains(why), "{error}");
        assert_eq!(files(&harbour.open(EngineAccess::Auto).unwrap()).len(), 2);
    }
}

#[test]
fn a_container_is_its_image_and_what_it_wrote() {
    let harbour = Harbour::new();
    let _server = harbour.serve(harbour.info());
    let image = harbour.open_container(EngineAccess::Direct).unwrap();
    assert_eq!(
        files(&image),
        [
            vec!["/base=one"],
            vec!["/top=two"],
            vec!["/.dockerenv="],
            vec!["/written=by the container"]
        ]
    );
    assert_eq!(image.names, ["mate"]);
    assert_eq!(image.config.user.as_deref(), Some("cook"));
    assert_eq!(image.config.cmd, ["sh"]);
    let lines: Vec<Option<&str>> = image
        .config
        .layer_history(4)
        .into_iter()
        .map(|line| line?.created_by.as_deref())
        .collect();
    assert_eq!(lines, [Some("first"), Some("second"), None, None]);
    assert!(image.layers[3].diff_id().is_none());
}

#[test]
fn a_container_outlives_its_images_configuration() {
    let harbour = Harbour::new();
    let _server = harbour.serve(harbour.info());
    fs::remove_file(harbour.root().join(content_path(&harbour.image_id))).unwrap();
    let image = harbour.open_container(EngineAccess::Direct).unwrap();
    assert_eq!(image.layers.len(), 4);
}

#[test]
fn an_exported_container_is_one_layer_and_says_so() {
    let harbour = Harbour::new();
    let _server = harbour.serve(harbour.info());
    let image = harbour.open_container(EngineAccess::Export).unwrap();
    assert_eq!(files(&image), [["/base=one", "/written=by the container"]]);
    assert!(image.problems[0].message.contains("as one layer"));
    assert!(!image.problems[0].makes_incomplete());
    assert_eq!(image.config.user.as_deref(), Some("cook"));
}

#[test]
fn a_missing_image_or_container_says_what_to_do() {
    let harbour = Harbour::new();
    let _server = harbour.serve(harbour.info());
    let images = EngineSource {
        options: harbour.options(EngineAccess::Auto),
    };
    let ctx = WalkContext::default();
    let error = images.open("raft:2", None, &ctx).err().unwrap();
    assert_eq!(error.message, "the Docker engine has no image `raft:2`");
    assert!(error.hint.unwrap().contains("docker pull raft:2"));
    for bad in ["", "a b", "../info", "a?b", "a/../b", "a%2e"] {
        let error = images.open(bad, None, &ctx).err().unwrap();
        assert!(error.message.contains("is no image name"), "{bad}: {error}");
    }
    let containers = ContainerSource {
        options: harbour.options(EngineAccess::Auto),
    };
    let error = containers.open("raft", None, &ctx).err().unwrap();
    assert_eq!(error.message, "the Docker engine has no container `raft`");
    assert!(containers.open("../images/x", None, &ctx).is_err());
}

#[test]
fn another_platform_than_the_engine_has_is_refused() {
    let harbour = Harbour::new();
    let _server = harbour.serve(harbour.info());
    let source = EngineSource {
        options: harbour.options(EngineAccess::Auto),
    };
    let arm = "linux/arm64".parse().unwrap();
    let error = source
        .open("ship:1", Some(&arm), &WalkContext::default())
        .err()
        .unwrap();
    assert_eq!(
        error.message,
        "the Docker engine has `ship:1` for linux/amd64, not for linux/arm64"
    );
}

#[test]
fn an_engine_that_dies_during_the_export_is_told() {
    let harbour = Harbour::new();
    let export = harbour.export.clone();
    let info = harbour.info();
    let inspect = json!({"Id": harbour.image_id}).to_string();
    let _server = FakeServer::start_unix(&harbour.socket(), move |request: &Request| match request
        .path()
    {
        "/_ping" => Reply::ok("OK").header("Api-Version", "1.41"),
        "/v1.41/info" => Reply::ok(info.clone()),
        "/v1.41/images/ship:1/json" => Reply::ok(inspect.clone()),
        _ => Reply::ok(export.clone()).chunked().cut_after(2000),
    });
    let error = harbour.open(EngineAccess::Export).err().unwrap();
    assert_eq!(
        error.message,
        "the engine broke off the export of the image"
    );
}

/// A fake of Docker 29 with containerd's store: what the name stands for is an index.
#[test]
fn containerds_store_is_read_in_place_and_missing_blobs_mean_an_export() {
    let harbour = Harbour::new();
    let mut content = RegistryContent::new("x");
    let layers = [
        LayerBuilder::new().file("base", "one").tar(),
        LayerBuilder::new().file("top", "two").tar(),
    ];
    let manifest = content.image("1", &layers);
    let index = content.manifest(
        "index",
        OCI_INDEX,
        json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX,
            "manifests": [{
                "mediaType": seaworthy_testkit::registry::OCI_MANIFEST,
                "digest": manifest, "size": content.manifest_size(&manifest).unwrap(),
                "platform": {"os": "linux", "architecture": "amd64"},
            }],
        })
        .to_string(),
    );
    let store = "containerd/daemon/io.containerd.content.v1.content/blobs/sha256";
    for (digest, bytes) in content.everything() {
        let path = harbour.root().join(store).join(&digest[7..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let inspect = json!({
        "Id": index, "RepoTags": ["ship:1"], "Os": "linux", "Architecture": "amd64",
        "Descriptor": {"mediaType": OCI_INDEX, "digest": index, "size": 1},
    })
    .to_string();
    let info = json!({
        "Driver": "overlayfs", "DockerRootDir": harbour.root(),
        "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    })
    .to_string();
    let export = harbour.export.clone();
    let _server = FakeServer::start_unix(&harbour.socket(), move |request: &Request| match request
        .path()
    {
        "/_ping" => Reply::ok("OK").header("Api-Version", "1.51"),
        "/v1.51/info" => Reply::ok(info.clone()),
        "/v1.51/images/ship:1/json" => Reply::ok(inspect.clone()),
        path if path.ends_with("/get") => Reply::ok(export.clone()),
        _ => Reply::status(404).body(r#"{"message":"No such thing"}"#),
    });
    let image = harbour.open(EngineAccess::Direct).unwrap();
    assert_eq!(files(&image), [["/base=one"], ["/top=two"]]);
    assert_eq!(
        image.manifest_digest.as_ref().unwrap().to_string(),
        manifest
    );
    assert_eq!(image.names, ["ship:1"]);

    let top = harbour.root().join(store).join(&sha256(&layers[1])[7..]);
    fs::remove_file(top).unwrap();
    let error = harbour.open(EngineAccess::Direct).err().unwrap();
    assert!(
        error.message.contains("where the engine keeps it"),
        "{error}"
    );
    let image = harbour.open(EngineAccess::Auto).unwrap();
    assert_eq!(files(&image), [["/base=one"], ["/top=two"]]);
}
