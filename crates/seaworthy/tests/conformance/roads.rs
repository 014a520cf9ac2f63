//! The roads to one image, made with real tools: `tar`, `docker`, a registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use seaworthy_testkit as testkit;
use serde_json::Value;

/// The command under test with a home of its own.
pub struct Program {
    home: PathBuf,
}

impl Program {
    /// The built command, with its database at `<home>/db`.
    pub fn new(home: &Path) -> Program {
        Program {
            home: home.to_path_buf(),
        }
    }

    /// A command line, not yet started.
    pub fn run(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
        command
            .args(words)
            .env("HOME", &self.home)
            .env_remove("DOCKER_HOST");
        if let Some(host) = docker_host() {
            command.env("DOCKER_HOST", host);
        }
        command
    }

    /// Runs it with `--format json` and reads what it prints; any exit status that stands
    /// for a report is fine.
    pub fn json(&self, words: &[&str], flags: &[String]) -> Value {
        let mut command = self.run(words);
        command.args(flags).args(["--format", "json", "--quiet"]);
        if words.first() == Some(&"scan") {
            command.arg("--db").arg(self.home.join("db"));
        }
        let output = command.output().expect("the program starts");
        assert!(
            matches!(output.status.code(), Some(0 | 1 | 3)),
            "{words:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("the report is JSON")
    }
}

/// The real engine to use, where one was started.
fn docker_host() -> Option<String> {
    std::env::var("SEAWORTHY_TEST_DOCKER_HOST").ok()
}

/// One image on all roads that this machine has.
pub struct Roads {
    folder: tempfile::TempDir,
    /// The published OCI layout itself, for those that come as one.
    original: Option<PathBuf>,
    tag: String,
    on_engine: bool,
    container: Option<String>,
    registry: Option<String>,
}

impl Roads {
    /// Lays out the image of one corpus file: a root filesystem as a compressed tar, or
    /// an OCI layout as a tar.
    pub fn of(file: &Path) -> Roads {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let path = |part: &str| folder.path().join(part);
        let original = name.contains("oci-layout").then(|| file.to_path_buf());
        match &original {
            Some(layout) => unpack_only_layer(layout, &path("rootfs.tar")),
            None => decompress(file, &path("rootfs.tar")),
        }
        fs::create_dir(path("rootfs")).expect("a folder");
        // Devices and owners need root, which tests need not have: packages do not.
        shell(
            "tar",
            &[
                "--extract",
                "--no-same-owner",
                "--no-same-permissions",
                "--exclude=dev/*",
            ],
            &[
                ("--file", &path("rootfs.tar")),
                ("--directory", &path("rootfs")),
            ],
        );
        let layer = fs::read(path("rootfs.tar")).expect("the layer");
        testkit::ImageBuilder::new()
            .layer(&testkit::LayerBuilder::new().bytes(&layer).without_end())
            .write_oci_layout(&path("oci"))
            .expect("an OCI layout");

        let short: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .collect();
        let tag = format!("conformance-{}:1", short.trim_matches('-'));
        let mut roads = Roads {
            folder,
            original,
            tag,
            on_engine: false,
            container: None,
            registry: None,
        };
        roads.import();
        roads
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// Puts the image into the engine and, through it, into the registry.
    fn import(&mut self) {
        if docker_host().is_none() {
            println!("no test engine: roads through it are left out");
            return;
        }
        let rootfs = self.path("rootfs.tar");
        docker(&["import", &rootfs.to_string_lossy(), &self.tag]);
        self.on_engine = true;
        let saved = self.path("saved.tar");
        docker(&["save", "--output", &saved.to_string_lossy(), &self.tag]);
        self.container = Some(
            docker(&["create", "--network=none", &self.tag, "/bin/true"])
                .trim()
                .to_owned(),
        );
        if let Ok(registry) = std::env::var("SEAWORTHY_TEST_REGISTRY") {
            let remote = format!("{registry}/{}", self.tag);
            docker(&["tag", &self.tag, &remote]);
            docker(&["push", "--quiet", &remote]);
            self.registry = Some(remote);
        }
    }

    /// Name of the road, reference, and flags that go with it.
    pub fn references(&self) -> Vec<(&'static str, String, Vec<String>)> {
        let mut all = vec![
            ("oci", format!("oci:{}", self.path("oci").display()), vec![]),
            (
                "dir",
                format!("dir:{}", self.path("rootfs").display()),
                vec![],
            ),
        ];
        if let Some(layout) = &self.original {
            all.push(("oci-original", format!("oci:{}", layout.display()), vec![]));
        }
        if self.on_engine {
            let flag = |access: &str| vec!["--engine-access".to_owned(), access.to_owned()];
            all.push((
                "archive",
                format!("archive:{}", self.path("saved.tar").display()),
                vec![],
            ));
            all.push((
                "docker-direct",
                format!("docker:{}", self.tag),
                flag("direct"),
            ));
            all.push((
                "docker-export",
                format!("docker:{}", self.tag),
                flag("export"),
            ));
        }
        if let Some(container) = &self.container {
            all.push(("container", format!("container:{container}"), vec![]));
        }
        if let Some(remote) = &self.registry {
            all.push(("registry", format!("registry:{remote}"), vec![]));
        }
        all
    }
}

impl Drop for Roads {
    fn drop(&mut self) {
        if let Some(container) = &self.container {
            docker(&["rm", container]);
        }
    }
}

/// Writes the only layer of an OCI layout tar, uncompressed.
fn unpack_only_layer(layout: &Path, to: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    shell(
        "tar",
        &["--extract"],
        &[("--file", layout), ("--directory", folder.path())],
    );
    let root = find_layout(folder.path());
    let json = |path: &Path| -> Value {
        serde_json::from_slice(&fs::read(path).expect("a blob")).expect("JSON")
    };
    let blob = |digest: &Value| {
        let hex = digest
            .as_str()
            .and_then(|d| d.strip_prefix("sha256:"))
            .expect("a digest");
        root.join("blobs/sha256").join(hex)
    };
    let mut manifest = json(&root.join("index.json"));
    while let Some(next) = manifest["manifests"]
        .as_array()
        .and_then(|list| list.first())
    {
        manifest = json(&blob(&next["digest"]));
    }
    let layers = manifest["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 1, "the corpus layouts have one layer");
    let stored = to.with_extension("tar.gz");
    fs::copy(blob(&layers[0]["digest"]), &stored).expect("the layer blob");
    decompress(&stored, to);
}

fn find_layout(folder: &Path) -> PathBuf {
    if folder.join("oci-layout").exists() {
        return folder.to_path_buf();
    }
    fs::read_dir(folder)
        .expect("a folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.join("oci-layout").exists())
        .expect("an OCI layout inside the tar")
}

/// Decompresses with the tool that its name asks for.
fn decompress(file: &Path, to: &Path) {
    let program = match file.extension().and_then(|end| end.to_str()) {
        Some("gz") => "gzip",
        Some("xz") => "xz",
        Some("zst") => "zstd",
        other => panic!("unknown compression {other:?}"),
    };
    let mut command = Command::new(program);
    if program == "zstd" {
        command.arg("--long=27");
    }
    let status = command
        .args(["--decompress", "--stdout", "--quiet"])
        .arg(file)
        .stdout(fs::File::create(to).expect("a file"))
        .status()
        .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    assert!(status.success(), "{program} failed on {}", file.display());
}

fn shell(program: &str, flags: &[&str], paths: &[(&str, &Path)]) {
    let mut command = Command::new(program);
    command.args(flags);
    for (flag, path) in paths {
        command.arg(flag).arg(path);
    }
    assert!(
        command.status().expect("the tool starts").success(),
        "{program} failed"
    );
}

fn docker(words: &[&str]) -> String {
    let output = Command::new("docker")
        .args(words)
        .env("DOCKER_HOST", docker_host().unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .expect("docker starts");
    assert!(
        output.status.success(),
        "docker {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
