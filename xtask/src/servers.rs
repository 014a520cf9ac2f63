//! The real servers that system tests talk to: a Docker Engine and two registries, in a
//! private folder, on a Unix socket and loopback ports, stopped by their process ids.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::shell;

/// User and password of the registry with basic authentication; the hash is bcrypt of
/// `harbour`, the only kind that registry takes.
const HTPASSWD: &str = "sailor:$2y$05$wue6OvtYXsmQG00VLVG/zOGYv3o4pu69UcYesXoe/cABhja0VoPQO\n";

/// Running servers. Dropping it stops them and removes their folder.
pub struct Servers {
    folder: tempfile::TempDir,
    children: Vec<(String, Child)>,
    environment: Vec<(String, String)>,
}

impl Servers {
    /// Starts the engine and both registries and waits until they answer.
    pub fn start() -> Result<Servers> {
        // Ctrl-C reaches our children by itself; we stay to clean up behind them.
        let _ = ctrlc::set_handler(|| {});
        // A short path: a Unix socket's name holds 107 bytes at most.
        let folder = tempfile::Builder::new()
            .prefix("sw-test-")
            .tempdir_in("/tmp")?;
        let mut servers = Servers {
            folder,
            children: Vec::new(),
            environment: vec![("SEAWORTHY_SYSTEM_TESTS".into(), "1".into())],
        };
        servers.start_engine()?;
        let open = servers.start_registry("registry", false)?;
        servers
            .environment
            .push(("SEAWORTHY_TEST_REGISTRY".into(), open));
        let guarded = servers.start_registry("registry-auth", true)?;
        servers
            .environment
            .push(("SEAWORTHY_TEST_REGISTRY_AUTH".into(), guarded));
        Ok(servers)
    }

    /// Tells a command where the servers are.
    pub fn apply<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs(self.environment.iter().map(|(name, value)| (name, value)))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_engine(&mut self) -> Result<()> {
        let socket = self.path("docker.sock");
        let address = format!("unix://{}", socket.display());
        let log = fs::File::create(self.path("dockerd.log"))?;
        let child = Command::new("dockerd")
            .arg("--host")
            .arg(&address)
            .arg("--data-root")
            .arg(self.path("data"))
            .arg("--exec-root")
            .arg(self.path("exec"))
            .arg("--pidfile")
            .arg(self.path("dockerd.pid"))
            .arg("--config-file")
            .arg(self.empty_config()?)
            // No bridge and no packet filter rules: containers of these tests have no network.
            .args([
                "--bridge=none",
                "--iptables=false",
                "--ip6tables=false",
                "--ip-forward=false",
            ])
            .args(["--storage-driver=overlay2", "--log-level=warn"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start `dockerd`")?;
        self.children.push(("dockerd".into(), child));
        self.wait_for("dockerd", || {
            UnixStream::connect(&socket).is_ok() && {
                shell::command("docker", ["-H", &address, "version"])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .is_ok_and(|status| status.success())
            }
        })?;
        self.environment
            .push(("SEAWORTHY_TEST_DOCKER_HOST".into(), address));
        Ok(())
    }

    fn empty_config(&self) -> Result<PathBuf> {
        let path = self.path("daemon.json");
        fs::write(&path, "{}")?;
        Ok(path)
    }

    fn start_registry(&mut self, name: &str, with_password: bool) -> Result<String> {
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        let data = self.path(name);
        fs::create_dir(&data)?;
        let mut config = format!(
            "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: {address}\n",
            data.display()
        );
        if with_password {
            let passwords = self.path("htpasswd");
            fs::write(&passwords, HTPASSWD)?;
            config.push_str(&format!(
                "auth:\n  htpasswd:\n    realm: seaworthy-test\n    path: {}\n",
                passwords.display()
            ));
        }
        let config_path = self.path(&format!("{name}.yml"));
        fs::write(&config_path, config)?;
        let log = fs::File::create(self.path(&format!("{name}.log")))?;
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config_path)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start `docker-registry`")?;
        self.children.push((name.into(), child));
        self.wait_for(name, || TcpStream::connect(&address).is_ok())?;
        Ok(address)
    }

    /// Waits until a server answers; a server that ends meanwhile is an error with its log.
    fn wait_for(&mut self, name: &str, answers: impl Fn() -> bool) -> Result<()> {
        let start = Instant::now();
        while !answers() {
            let log = || fs::read_to_string(self.folder.path().join(format!("{name}.log")));
            if let Some((_, child)) = self.children.last_mut()
                && let Some(status) = child.try_wait()?
            {
                bail!("{name} ended ({status}):\n{}", log().unwrap_or_default());
            }
            if start.elapsed() > Duration::from_secs(60) {
                bail!(
                    "{name} does not answer after a minute:\n{}",
                    log().unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for (name, child) in self.children.iter_mut().rev() {
            if let Ok(pid) = i32::try_from(child.id()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
            let start = Instant::now();
            while matches!(child.try_wait(), Ok(None)) {
                if start.elapsed() > Duration::from_secs(20) {
                    eprintln!("{name} does not stop, killing it");
                    let _ = child.kill();
                    let _ = child.wait();
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        unmount_below(self.folder.path());
    }
}

/// Undoes what a killed engine may have left mounted in its folder, so that the folder
/// can be removed.
fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let prefix = folder.display().to_string();
    let ours: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|target| target.starts_with(&prefix))
        .collect();
    for target in ours.into_iter().rev() {
        let _ = Command::new("umount").arg(target).status();
    }
}

/// A loopback port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
