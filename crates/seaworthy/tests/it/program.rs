use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The command in a home of its own, with an environment that says nothing else.
pub struct Program {
    home: tempfile::TempDir,
}

/// What a run of the command gave.
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn new() -> Program {
        Program {
            home: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// A path in the home, which is the working directory too.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file below the home.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Program {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it lies below the home")).expect("a folder");
        fs::write(path, content).expect("a file");
        self
    }

    /// A root filesystem at `name` with the given Debian packages.
    pub fn debian_rootfs(&self, name: &str, packages: &[(&str, &str)]) -> &Program {
        let status: String = packages
            .iter()
            .map(|(package, version)| {
                format!(
                    "Package: {package}\nStatus: install ok installed\nMaintainer: Debian <d@debian.org>\n\
                     Architecture: amd64\nVersion: {version}\n\n"
                )
            })
            .collect();
        self.write(
            &format!("{name}/etc/os-release"),
            "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
        );
        self.write(&format!("{name}/var/lib/dpkg/status"), status)
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
        command
            .args(words)
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin")
            // Nothing listens there: a bare name must not find an engine of this machine.
            .env(
                "DOCKER_HOST",
                format!("unix://{}/no.sock", self.home.path().display()),
            )
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[&str]) -> Run {
        run(&mut self.command(words))
    }

    /// Output with the home's path and the version taken out, for snapshots.
    pub fn neutral(&self, text: &str) -> String {
        text.replace(&self.home.path().display().to_string(), "HOME")
            .replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }
}

pub fn run(command: &mut Command) -> Run {
    let output = command.output().expect("the program starts");
    Run {
        status: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

impl Run {
    #[track_caller]
    pub fn check(&self, status: i32) -> &Run {
        assert_eq!(
            self.status, status,
            "standard output:\n{}\nstandard error:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).expect("a JSON document on standard output")
    }
}

/// Names in a folder, sorted.
pub fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
