//! Facts and checks against a real Docker Engine.
//!
//! Run with `SEAWORTHY_SYSTEM_TESTS=1` as root and `SEAWORTHY_TEST_DOCKER_HOST`: `unix://…`
//! of an engine of the test's own (`cargo xtask test` starts one, without a bridge), and
//! `docker`, the client, in `PATH`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests; skipping has to be said"
)]

use std::path::Path;
use std::process::Command;

use seaworthy_host::facts::{CollectRequest, Fact, Facts, collect};
use seaworthy_host::rules::{Outcome, rules};
use seaworthy_image::{Cancel, Environment};

/// Containers of a test, removed when it ends.
struct Rig {
    host: String,
    folder: tempfile::TempDir,
}

impl Rig {
    fn find(test: &str) -> Option<Rig> {
        if std::env::var("SEAWORTHY_SYSTEM_TESTS").as_deref() != Ok("1") {
            println!(
                "{test}: skipped: set `SEAWORTHY_SYSTEM_TESTS=1` and `SEAWORTHY_TEST_DOCKER_HOST` (`cargo xtask test` does)"
            );
            return None;
        }
        let host = std::env::var("SEAWORTHY_TEST_DOCKER_HOST")
            .unwrap_or_else(|_| panic!("{test}: set `SEAWORTHY_TEST_DOCKER_HOST`"));
        let rig = Rig {
            host,
            folder: tempfile::tempdir().unwrap(),
        };
        rig.import();
        Some(rig)
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker")
            .arg("--config")
            .arg(self.folder.path())
            .args(["-H", &self.host])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "docker {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// An image of this machine's `sleep` and the libraries it needs.
    fn import(&self) {
        let tree = self.folder.path().join("tree");
        let mut files = vec!["/bin/sleep".to_owned()];
        let linked = Command::new("ldd").arg("/bin/sleep").output().unwrap();
        for word in String::from_utf8_lossy(&linked.stdout).split_whitespace() {
            if word.starts_with('/') {
                files.push(word.to_owned());
            }
        }
        for file in files {
            let target = tree.join(file.trim_start_matches('/'));
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::copy(&file, &target).unwrap();
        }
        let archive = self.folder.path().join("tree.tar");
        let tar = Command::new("tar")
            .args([
                "-C",
                tree.to_str().unwrap(),
                "-cf",
                archive.to_str().unwrap(),
                ".",
            ])
            .status();
        assert!(tar.unwrap().success());
        self.docker(&["import", archive.to_str().unwrap(), "seaworthy-audit:1"]);
    }

    /// Starts, or with `create` only makes, a container without a network.
    fn run(&self, verb: &str, name: &str, flags: &[&str]) {
        let mut arguments = vec![verb];
        if verb == "run" {
            arguments.push("--detach");
        }
        arguments.extend(["--name", name]);
        if !flags.contains(&"--network") {
            arguments.extend(["--network", "none"]);
        }
        arguments.extend(flags);
        arguments.extend(["seaworthy-audit:1", "/bin/sleep", "600"]);
        self.docker(&arguments);
    }

    fn facts(&self) -> Facts {
        let request = CollectRequest {
            engine: Some(self.host.clone()),
            environment: Environment::default(),
            ..CollectRequest::default()
        };
        collect(&request, &Cancel::default())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let ours = self.docker(&["ps", "--all", "--quiet", "--filter", "name=audit-"]);
        for id in ours.split_whitespace() {
            self.docker(&["rm", "--force", id]);
        }
    }
}

/// Whether a check speaks against a container.
fn accuses(facts: &Facts, id: &str, container: &str) -> bool {
    let rule = rules()
        .find(|rule| rule.cis == id || rule.meta.id == id)
        .unwrap();
    match (rule.check)(facts) {
        Outcome::Fail(evidence) => evidence
            .iter()
            .any(|e| e.certain && e.target.name() == container),
        _ => false,
    }
}

#[test]
fn planted_faults_are_found_and_a_hardened_container_is_left_alone() {
    let Some(rig) = Rig::find("planted_faults_are_found_and_a_hardened_container_is_left_alone")
    else {
        return;
    };
    let socket = rig.host.trim_start_matches("unix://").to_owned();
    let parent = Path::new(&socket).parent().unwrap().to_str().unwrap();
    let profile = rig.folder.path().join("open.json");
    std::fs::write(&profile, r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap();
    let open = format!("seccomp={}", profile.display());
    rig.run(
        "run",
        "audit-hard",
        &[
            "--user",
            "65532:65532",
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "--memory",
            "64m",
            "--cpus",
            "0.5",
            "--pids-limit",
            "50",
            "--ulimit",
            "nofile=64:64",
            "--log-opt",
            "max-size=1m",
            "--cgroupns",
            "private",
            "--health-cmd",
            "true",
        ],
    );
    rig.run("create", "audit-privileged", &["--privileged"]);
    rig.run("run", "audit-admin", &["--cap-add", "SYS_ADMIN"]);
    rig.run("run", "audit-open", &["--security-opt", &open]);
    rig.run(
        "run",
        "audit-off",
        &["--security-opt", "seccomp=unconfined"],
    );
    rig.run(
        "run",
        "audit-paths",
        &["--security-opt", "systempaths=unconfined"],
    );
    rig.run(
        "run",
        "audit-host",
        &[
            "--network",
            "host",
            "--pid",
            "host",
            "--ipc",
            "host",
            "--uts",
            "host",
        ],
    );
    rig.run("run", "audit-root", &["--volume", "/:/host:ro"]);
    rig.run(
        "run",
        "audit-socket",
        &["--volume", &format!("{parent}:/x:ro")],
    );
    rig.run("run", "audit-group", &["--user", "0:1000"]);
    let facts = rig.facts();
    for (check, container) in [
        ("5.5", "audit-privileged"),
        ("5.4", "audit-privileged"),
        ("5.4", "audit-admin"),
        ("5.22", "audit-open"),
        ("5.22", "audit-off"),
        ("kernel-paths-unmasked", "audit-paths"),
        ("5.10", "audit-host"),
        ("5.16", "audit-host"),
        ("5.17", "audit-host"),
        ("5.21", "audit-host"),
        ("5.6", "audit-root"),
        ("engine-and-kernel-disagree", "audit-root"),
        ("5.32", "audit-root"),
        ("5.32", "audit-socket"),
        ("4.1", "audit-group"),
        ("5.11", "audit-admin"),
    ] {
        assert!(
            accuses(&facts, check, container),
            "{check} misses {container}"
        );
    }
    for rule in rules() {
        let name = if rule.cis.is_empty() {
            rule.meta.id
        } else {
            rule.cis
        };
        assert!(
            !accuses(&facts, name, "audit-hard"),
            "{name} accuses the hardened container"
        );
    }
    let hard = facts
        .containers()
        .iter()
        .find(|c| c.name == "audit-hard")
        .unwrap();
    let limits = hard.limits.known().unwrap();
    assert_eq!(limits.memory, Fact::Known(Some(64 << 20)));
    assert_eq!(limits.pids, Fact::Known(Some(50)));
    assert_eq!(limits.cpu_millis, Fact::Known(Some(500)));
    assert!(hard.disagreements.is_empty(), "{:?}", hard.disagreements);
    // The commands that are printed are run as they are.
    for command in [
        "docker update --memory 64m --memory-swap 64m audit-admin",
        "docker update --pids-limit 20 audit-admin",
    ] {
        let arguments: Vec<&str> = command.split(' ').skip(1).collect();
        rig.docker(&arguments);
    }
    let facts = rig.facts();
    assert!(!accuses(&facts, "5.11", "audit-admin") && !accuses(&facts, "5.29", "audit-admin"));
}
