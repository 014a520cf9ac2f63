//! Rules of the kernel's audit system: the live ones where `auditctl` tells them, else the
//! files they are loaded from.
//!
//! `audit.rules(7)`. Watches are `-w PATH -p rwxa` or `-a always,exit -F path=PATH` and
//! `-F dir=PATH`, with `-F perm=`. A watch on a directory covers what lies below it.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::mountinfo::below;
use super::{Fact, HostRoot};

/// Bytes of rules that are read.
const MAX_BYTES: u64 = 4 << 20;
/// Watches kept.
const MAX_WATCHES: usize = 100_000;

/// A watched file or directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Watch {
    /// The path.
    pub path: String,
    /// Whether it is meant with all below it. `-w` decides by what the path is, so it
    /// counts as both.
    pub recursive: bool,
    /// Which accesses: letters of `rwxa`.
    pub permissions: String,
}

/// All watches, and where they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct AuditRules {
    /// `auditctl -l` or the files.
    pub origin: String,
    /// The watches.
    pub watches: Vec<Watch>,
}

impl AuditRules {
    /// The watch that covers writes to a path and changes of its attributes.
    pub fn covering(&self, path: &str) -> Option<&Watch> {
        self.watches.iter().find(|watch| {
            let reaches = match below(path, &watch.path) {
                Some("") => true,
                Some(_) => watch.recursive,
                None => false,
            };
            reaches && watch.permissions.contains('w') && watch.permissions.contains('a')
        })
    }
}

/// Reads the rules.
pub fn read(root: &HostRoot) -> Fact<AuditRules> {
    if root.is_live()
        && let Some(text) = live()
    {
        return Fact::Known(AuditRules {
            origin: "`auditctl -l`".to_owned(),
            watches: parse(&text),
        });
    }
    let mut rules = AuditRules {
        origin: "`/etc/audit`".to_owned(),
        watches: Vec::new(),
    };
    let mut found = false;
    let mut paths = vec!["/etc/audit/audit.rules".to_owned()];
    match root.names("/etc/audit/rules.d") {
        Fact::Known(names) => paths.extend(
            names
                .iter()
                .filter(|name| name.ends_with(".rules"))
                .take(256)
                .map(|name| format!("/etc/audit/rules.d/{name}")),
        ),
        Fact::Absent => {}
        Fact::Unknown(why) => return Fact::Unknown(why),
    }
    for path in paths {
        match root.text(&path, MAX_BYTES) {
            Fact::Known(text) => {
                found = true;
                rules.watches.extend(parse(&text));
            }
            Fact::Absent => {}
            Fact::Unknown(why) => return Fact::Unknown(why),
        }
    }
    if found {
        Fact::Known(rules)
    } else {
        Fact::Absent
    }
}

/// What `auditctl -l` says within two seconds.
fn live() -> Option<String> {
    let program = ["/usr/sbin/auditctl", "/sbin/auditctl"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())?;
    let mut child = Command::new(program)
        .arg("-l")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.take(MAX_BYTES).read_to_end(&mut text);
        text
    });
    let start = Instant::now();
    let ended_well = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if start.elapsed() < Duration::from_secs(2) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
        }
    };
    let text = reader.join().ok()?;
    ended_well.then(|| String::from_utf8_lossy(&text).into_owned())
}

/// Watches in a text of rules.
pub fn parse(text: &str) -> Vec<Watch> {
    let mut watches = Vec::new();
    for line in text.lines().take(MAX_WATCHES) {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().take(256).collect();
        let after = |flag: &str| {
            words
                .iter()
                .position(|word| *word == flag)
                .and_then(|at| words.get(at + 1))
                .copied()
        };
        let all = "rwxa".to_owned();
        if let Some(path) = after("-w") {
            watches.push(Watch {
                path: path.to_owned(),
                recursive: true,
                permissions: after("-p").map_or(all, str::to_owned),
            });
            continue;
        }
        // `-a never,exit` switches off.
        if !after("-a").is_some_and(|list| list.contains("always")) {
            continue;
        }
        let field = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let permissions = field("perm=").map_or(all, str::to_owned);
        if let Some(path) = field("path=") {
            watches.push(Watch {
                path: path.to_owned(),
                recursive: false,
                permissions,
            });
        } else if let Some(path) = field("dir=") {
            watches.push(Watch {
                path: path.to_owned(),
                recursive: true,
                permissions,
            });
        }
    }
    watches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_covers_its_directory_and_needs_writes_and_attributes() {
        let rules = AuditRules {
            origin: String::new(),
            watches: parse(
                "# -w /etc/docker\n-w /var/lib/docker -p wa -k docker\n-a always,exit -F path=/usr/bin/dockerd -F perm=wa\n-w /etc/docker -p r\n-a never,exit -F path=/usr/bin/runc\n",
            ),
        };
        assert!(rules.covering("/var/lib/docker/overlay2").is_some());
        assert!(rules.covering("/usr/bin/dockerd").is_some());
        assert!(rules.covering("/etc/docker").is_none());
        assert!(rules.covering("/usr/bin/runc").is_none());
        assert!(rules.covering("/var/lib/docker2").is_none());
    }
}
