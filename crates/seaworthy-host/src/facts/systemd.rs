//! systemd units and their drop-ins, as far as they decide how the engine runs.
//!
//! `systemd.unit(5)`, `systemd.syntax(7)`: sections, `Key=value`, lines continued with a
//! backslash, `#` and `;` comments, an empty assignment clears a list. The first folder of
//! the search path that has the unit wins; drop-ins of all folders are merged in the order
//! of their names, and one of the same name in an earlier folder hides the later.
//! Left out: specifiers (`%i`), templates, generators' conditions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fact, HostRoot};

/// Where units of the system are looked for, first wins.
const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// Bytes of one unit file.
const MAX_BYTES: u64 = 1 << 20;
/// Assignments kept of one unit.
const MAX_SETTINGS: usize = 4096;

/// A unit with its drop-ins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Unit {
    /// Where its file is.
    pub path: String,
    /// Files that change it, in the order in which they apply.
    pub drop_ins: Vec<String>,
    /// `Section.Key` and its values, as they add up.
    pub settings: BTreeMap<String, Vec<String>>,
    /// Files that could not be read.
    pub unread: Vec<String>,
}

impl Unit {
    /// The value that counts where a key has one.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.settings.get(key)?.last().map(String::as_str)
    }
}

/// Finds and reads a unit.
pub fn read(root: &HostRoot, name: &str) -> Fact<Unit> {
    let mut unit = Unit::default();
    let mut unknown = None;
    for folder in FOLDERS {
        let path = format!("{folder}/{name}");
        match root.text(&path, MAX_BYTES) {
            Fact::Known(text) => {
                unit.path = path;
                apply(&text, &mut unit.settings);
                break;
            }
            Fact::Unknown(why) => {
                unknown = Some(why);
                break;
            }
            Fact::Absent => {}
        }
    }
    if let Some(why) = unknown {
        return Fact::Unknown(why);
    }
    if unit.path.is_empty() {
        return Fact::Absent;
    }
    let mut drop_ins: BTreeMap<String, String> = BTreeMap::new();
    for folder in FOLDERS {
        let folder = format!("{folder}/{name}.d");
        for file in root.names(&folder).known().into_iter().flatten() {
            if file.ends_with(".conf") && drop_ins.len() < 256 {
                drop_ins
                    .entry(file.clone())
                    .or_insert_with(|| format!("{folder}/{file}"));
            }
        }
    }
    for path in drop_ins.into_values() {
        match root.text(&path, MAX_BYTES) {
            Fact::Known(text) => {
                apply(&text, &mut unit.settings);
                unit.drop_ins.push(path);
            }
            Fact::Absent => {}
            Fact::Unknown(_) => unit.unread.push(path),
        }
    }
    Fact::Known(unit)
}

/// Reads one file of a unit into what is known of it so far.
pub fn apply(text: &str, settings: &mut BTreeMap<String, Vec<String>>) {
    let mut section = String::new();
    let mut pending = String::new();
    let mut count: usize = settings.values().map(Vec::len).sum();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(start) = line.strip_suffix('\\') {
            pending.push_str(start);
            pending.push(' ');
            continue;
        }
        pending.push_str(line);
        let whole = std::mem::take(&mut pending);
        let whole = whole.trim();
        if let Some(name) = whole.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = whole.split_once('=') {
            let values = settings
                .entry(format!("{section}.{}", key.trim()))
                .or_default();
            let value = value.trim();
            if value.is_empty() {
                values.clear();
            } else if count < MAX_SETTINGS {
                count += 1;
                values.push(value.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(tree: &std::path::Path, path: &str, text: &str) {
        let path = tree.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn drop_ins_add_clear_and_hide_each_other_by_name() {
        let tree = tempfile::tempdir().unwrap();
        let t = tree.path();
        write(
            t,
            "/lib/systemd/system/docker.service",
            "[Service]\n# c\nExecStart=/usr/bin/dockerd \\\n  -H fd://\nEnvironment=A=1\n",
        );
        write(
            t,
            "/etc/systemd/system/docker.service.d/20-tcp.conf",
            "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H tcp://0.0.0.0:2375\n",
        );
        write(
            t,
            "/lib/systemd/system/docker.service.d/20-tcp.conf",
            "[Service]\nExecStart=/hidden\n",
        );
        write(
            t,
            "/run/systemd/system/docker.service.d/10-env.conf",
            "[Service]\nEnvironment=B=2\n",
        );
        let unit = read(&HostRoot::new(t), "docker.service");
        let unit = unit.known().unwrap();
        assert_eq!(
            unit.value("Service.ExecStart"),
            Some("/usr/bin/dockerd -H tcp://0.0.0.0:2375")
        );
        assert_eq!(unit.settings["Service.Environment"], ["A=1", "B=2"]);
        assert_eq!(unit.drop_ins.len(), 2);
        assert_eq!(read(&HostRoot::new(t), "docker.socket"), Fact::Absent);
    }
}
