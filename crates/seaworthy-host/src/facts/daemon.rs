//! How the Docker daemon was configured: its real command line, `daemon.json`, and which of
//! them says what.
//!
//! dockerd refuses to start when an option is both a flag and in the file (lists of hosts
//! among them), so the union of both is what counts. A recorded command line is redacted;
//! values of proxies with passwords are too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sockets::{self, Listeners, TcpListener, UnixListener};
use super::{Fact, HostRoot, redact};

/// Where dockerd looks unless `--config-file` says otherwise.
const DEFAULT_CONFIG: &str = "/etc/docker/daemon.json";
/// Bytes of `daemon.json`.
const MAX_CONFIG: u64 = 4 << 20;
/// Levels of objects and lists in it that are flattened.
const MAX_DEPTH: usize = 8;

/// Flags that take no value without `=`.
const SWITCHES: &[&str] = &[
    "allow-direct-routing",
    "cri-containerd",
    "debug",
    "disable-legacy-registry",
    "experimental",
    "icc",
    "init",
    "ip-forward",
    "ip-forward-no-drop",
    "ip-masq",
    "ip6tables",
    "iptables",
    "ipv6",
    "live-restore",
    "no-new-privileges",
    "raw-logs",
    "rootless",
    "selinux-enabled",
    "tls",
    "tlsverify",
    "userland-proxy",
    "validate",
    "version",
];

/// Flags whose key in the file is another word.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("H", "hosts"),
    ("host", "hosts"),
    ("D", "debug"),
    ("l", "log-level"),
    ("s", "storage-driver"),
    ("g", "data-root"),
    ("graph", "data-root"),
    ("G", "group"),
    ("b", "bridge"),
    ("p", "pidfile"),
    ("add-runtime", "runtimes"),
    ("authorization-plugin", "authorization-plugins"),
    ("default-address-pool", "default-address-pools"),
    ("default-network-opt", "default-network-opts"),
    ("default-ulimit", "default-ulimits"),
    ("exec-opt", "exec-opts"),
    ("host-gateway-ip", "host-gateway-ips"),
    ("insecure-registry", "insecure-registries"),
    ("label", "labels"),
    ("log-opt", "log-opts"),
    ("registry-mirror", "registry-mirrors"),
    ("storage-opt", "storage-opts"),
];

/// The running daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct DaemonProcess {
    /// Its number.
    pub pid: u32,
    /// Its program.
    pub program: Fact<String>,
    /// Its command line, redacted.
    pub arguments: Vec<String>,
    /// Its effective user.
    pub uid: Option<u32>,
    /// TCP addresses it listens on.
    pub tcp: Fact<Vec<TcpListener>>,
    /// Unix sockets it listens on.
    pub unix: Fact<Vec<UnixListener>>,
    /// Its namespaces: the host's, unless it runs in a container itself.
    pub namespaces: BTreeMap<String, Fact<u64>>,
}

/// An option of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct DaemonOption {
    /// Its values; `true` and `false` for switches, `key=value` for members of objects.
    pub values: Vec<String>,
    /// `--icc` or `/etc/docker/daemon.json`.
    pub origin: String,
}

/// How the daemon was configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct DaemonFacts {
    /// The process.
    pub process: Fact<DaemonProcess>,
    /// Where its configuration file is.
    pub config_path: String,
    /// Whether the file could be read and understood; absent where there is none.
    pub config: Fact<()>,
    /// Options that were set, by their key in the file.
    pub options: BTreeMap<String, DaemonOption>,
}

impl DaemonFacts {
    /// An option, or [`Fact::Absent`] where it was left at its default. Unknown where
    /// neither the command line nor the file could be read.
    pub fn option(&self, key: &str) -> Fact<&DaemonOption> {
        if let Some(option) = self.options.get(key) {
            return Fact::Known(option);
        }
        if let Fact::Unknown(why) = &self.config {
            return Fact::Unknown(why.clone());
        }
        match &self.process {
            Fact::Known(_) => Fact::Absent,
            Fact::Absent => Fact::Unknown("the daemon's process is not to be seen here".into()),
            Fact::Unknown(why) => Fact::Unknown(why.clone()),
        }
    }

    /// A switch, or its default.
    ///
    /// # Errors
    ///
    /// Why it can't be told.
    pub fn switch(&self, key: &str, default: bool) -> Result<bool, String> {
        match self.option(key) {
            Fact::Known(option) => match option.values.last().map(String::as_str) {
                Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(true),
                Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(false),
                _ => Err(format!("`{key}` is neither true nor false")),
            },
            Fact::Absent => Ok(default),
            Fact::Unknown(why) => Err(why),
        }
    }
}

/// Finds the daemon and reads how it was configured.
///
/// `socket` is where the engine answered: of several daemons, the one that listens there is
/// meant. `pids` are all processes by number and name.
pub fn read(
    root: &HostRoot,
    pids: &[(u32, String)],
    listeners: &Listeners,
    socket: Option<&str>,
) -> DaemonFacts {
    let process = find(root, pids, listeners, socket);
    let raw = process
        .known()
        .map(|process| command_line(root, process.pid));
    let mut facts = DaemonFacts {
        config_path: DEFAULT_CONFIG.to_owned(),
        ..DaemonFacts::default()
    };
    facts.process = match (process, raw) {
        (Fact::Known(mut process), Some(Fact::Known(arguments))) => {
            for (key, values) in parse_arguments(arguments.get(1..).unwrap_or_default()) {
                if key == "config-file" {
                    if let Some(path) = values.last() {
                        facts.config_path.clone_from(path);
                    }
                    continue;
                }
                let values = values
                    .iter()
                    .map(|value| redact::value_of(&key, value))
                    .collect();
                let origin = format!("command line of dockerd, option `{key}`");
                facts.options.insert(key, DaemonOption { values, origin });
            }
            process.arguments = redact::arguments(&arguments);
            Fact::Known(process)
        }
        (Fact::Known(_), Some(Fact::Unknown(why))) => Fact::Unknown(why),
        (Fact::Known(_), _) => Fact::Unknown("the daemon ended while it was looked at".into()),
        (other, _) => other,
    };
    facts.config = match root.text(&facts.config_path, MAX_CONFIG) {
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
        Fact::Known(text) => match parse_config(&text) {
            Err(why) => Fact::Unknown(format!(
                "`{}` can't be understood: {why}",
                super::reader::shown(&facts.config_path)
            )),
            Ok(options) => {
                for (key, values) in options {
                    let option = facts.options.entry(key).or_default();
                    option.values.extend(values);
                    if option.origin.is_empty() {
                        option.origin.clone_from(&facts.config_path);
                    }
                }
                Fact::Known(())
            }
        },
    };
    facts
}

fn find(
    root: &HostRoot,
    pids: &[(u32, String)],
    listeners: &Listeners,
    socket: Option<&str>,
) -> Fact<DaemonProcess> {
    let candidates: Vec<u32> = pids
        .iter()
        .filter(|(_, name)| name == "dockerd" || name == "dockerd-rootless")
        .map(|(pid, _)| *pid)
        .collect();
    if candidates.is_empty() {
        return Fact::Absent;
    }
    let wanted: Vec<u64> = match (socket, listeners.unix.known()) {
        (Some(socket), Some(all)) => {
            let real = root.resolve(socket);
            all.iter()
                .filter(|listener| {
                    listener.path == socket
                        || real.known().is_some()
                            && root.resolve(&listener.path).known() == real.known()
                })
                .map(|listener| listener.inode)
                .collect()
        }
        _ => Vec::new(),
    };
    let mut unreadable = None;
    let mut others = Vec::new();
    for pid in candidates {
        let inodes = match sockets::inodes_of(root, pid) {
            Fact::Known(inodes) => inodes,
            Fact::Absent => continue,
            Fact::Unknown(why) => {
                unreadable = Some(why);
                others.push((pid, Vec::new()));
                continue;
            }
        };
        if inodes.iter().any(|inode| wanted.contains(inode)) {
            return Fact::Known(describe(root, pid, &inodes, listeners));
        }
        others.push((pid, inodes));
    }
    if !wanted.is_empty() && unreadable.is_none() {
        return Fact::Unknown(
            "a dockerd runs here, but another process answers at the engine's socket".into(),
        );
    }
    match others.as_slice() {
        [(pid, inodes)] => {
            let mut process = describe(root, *pid, inodes, listeners);
            if let Some(why) = unreadable {
                process.tcp = Fact::Unknown(why.clone());
                process.unix = Fact::Unknown(why);
            }
            Fact::Known(process)
        }
        [] => Fact::Absent,
        many => Fact::Unknown(format!(
            "{} daemons run here, and none could be told to be the engine's",
            many.len()
        )),
    }
}

fn describe(root: &HostRoot, pid: u32, inodes: &[u64], listeners: &Listeners) -> DaemonProcess {
    let status = root.text(&format!("/proc/{pid}/status"), 256 << 10);
    DaemonProcess {
        pid,
        program: root.link(&format!("/proc/{pid}/exe")),
        arguments: Vec::new(),
        uid: status
            .known()
            .and_then(|text| super::process::parse_status(text).uid.get(1).copied()),
        tcp: listeners.tcp.clone().map(|all| {
            all.into_iter()
                .filter(|listener| inodes.contains(&listener.inode))
                .collect()
        }),
        unix: listeners.unix.clone().map(|all| {
            all.into_iter()
                .filter(|listener| inodes.contains(&listener.inode))
                .collect()
        }),
        namespaces: super::process::namespaces(root, &pid.to_string()),
    }
}

/// A process's arguments, program first.
pub fn command_line(root: &HostRoot, pid: u32) -> Fact<Vec<String>> {
    root.bytes(&format!("/proc/{pid}/cmdline"), 1 << 20)
        .map(|bytes| {
            bytes
                .split(|byte| *byte == 0)
                .map(|argument| String::from_utf8_lossy(argument).into_owned())
                .filter(|argument| !argument.is_empty())
                .take(4096)
                .collect()
        })
}

/// Flags of dockerd by their keys in the file, as `pflag` reads them.
pub fn parse_arguments(arguments: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut options: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut rest = arguments.iter().take(4096).peekable();
    while let Some(argument) = rest.next() {
        let is_long = argument.starts_with("--");
        let flag = argument.trim_start_matches('-');
        if flag.len() == argument.len() || flag.is_empty() {
            continue;
        }
        let (name, attached) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            // `-Hunix:///x`: a one-letter flag with its value attached.
            None if !is_long && flag.chars().count() > 1 => {
                let (name, value) = flag.split_at(flag.chars().next().map_or(0, char::len_utf8));
                (name, Some(value.to_owned()))
            }
            None => (flag, None),
        };
        let key = OTHER_WORDS
            .iter()
            .find(|(word, _)| *word == name)
            .map_or(name, |(_, key)| key);
        let value = match attached {
            Some(value) => value,
            None if SWITCHES.contains(&key) => "true".to_owned(),
            None => rest.next().cloned().unwrap_or_default(),
        };
        options.entry(key.to_owned()).or_default().push(value);
    }
    options
}

/// The keys of `daemon.json` and their values as texts, redacted.
///
/// # Errors
///
/// Why it is no configuration: no JSON, or no object.
pub fn parse_config(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    if text.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Value::Object(members) = value else {
        return Err("it is no object".to_owned());
    };
    let mut options = BTreeMap::new();
    for (key, value) in members.iter().take(1024) {
        let mut values = Vec::new();
        flatten(key, "", value, 0, &mut values);
        options.insert(key.clone(), values);
    }
    Ok(options)
}

fn flatten(key: &str, prefix: &str, value: &Value, depth: usize, out: &mut Vec<String>) {
    if depth > MAX_DEPTH || out.len() >= 4096 {
        return;
    }
    let mut push = |text: &str| {
        let name = if prefix.is_empty() { key } else { prefix };
        let text = redact::value_of(name, text);
        out.push(if prefix.is_empty() {
            text
        } else {
            format!("{prefix}={text}")
        });
    };
    match value {
        Value::Null => {}
        Value::Bool(flag) => push(if *flag { "true" } else { "false" }),
        Value::Number(number) => push(&number.to_string()),
        Value::String(text) => push(text),
        Value::Array(items) => {
            for item in items {
                flatten(key, prefix, item, depth + 1, out);
            }
        }
        Value::Object(members) => {
            for (name, item) in members {
                let name = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(key, &name, item, depth + 1, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn flags_are_read_as_the_daemon_reads_them() {
        let options = parse_arguments(&own(&[
            "-H",
            "unix:///a",
            "--host=tcp://0.0.0.0:2375",
            "-Htcp://x",
            "--icc=false",
            "--live-restore",
            "--insecure-registry",
            "a:5000",
            "-D",
            "stray",
        ]));
        assert_eq!(
            options["hosts"],
            ["unix:///a", "tcp://0.0.0.0:2375", "tcp://x"]
        );
        assert_eq!(options["icc"], ["false"]);
        assert_eq!(options["live-restore"], ["true"]);
        assert_eq!(options["insecure-registries"], ["a:5000"]);
        assert_eq!(options["debug"], ["true"]);
    }

    #[test]
    fn the_file_is_flattened_and_its_passwords_are_left_out() {
        let options = parse_config(
            r#"{"icc":false,"hosts":["unix:///a"],"proxies":{"http-proxy":"http://u:pw@p:1"},"default-ulimits":{"nofile":{"Hard":1}}}"#,
        )
        .unwrap();
        assert_eq!(options["icc"], ["false"]);
        assert_eq!(options["proxies"], ["http-proxy=[redacted]"]);
        assert_eq!(options["default-ulimits"], ["nofile.Hard=1"]);
        assert!(parse_config("[1]").is_err());
        assert!(parse_config("{").is_err());
        assert!(parse_config(" \n").unwrap().is_empty());
    }

    #[test]
    fn a_broken_file_makes_options_unknown_and_not_default() {
        let tree = tempfile::tempdir().unwrap();
        let folder = tree.path().join("etc/docker");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("daemon.json"), "{broken").unwrap();
        let root = HostRoot::new(tree.path());
        let facts = read(&root, &[], &Listeners::default(), None);
        assert!(facts.switch("icc", true).is_err());
    }
}
