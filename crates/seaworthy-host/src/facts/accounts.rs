//! Users and groups of the host: `passwd(5)`, `group(5)`. Only local files; accounts of a
//! directory service are not asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fact, HostRoot};

/// Bytes of one file.
const MAX_BYTES: u64 = 16 << 20;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Group {
    /// Its number.
    pub gid: u32,
    /// Its members, those whose first group it is among them, sorted.
    pub members: Vec<String>,
}

/// Users and groups by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Accounts {
    /// Number of each user.
    pub users: BTreeMap<String, u32>,
    /// Groups.
    pub groups: BTreeMap<String, Group>,
}

impl Accounts {
    /// The name of a group's number.
    pub fn group_name(&self, gid: u32) -> Option<&str> {
        self.groups
            .iter()
            .find(|(_, group)| group.gid == gid)
            .map(|(name, _)| name.as_str())
    }
}

/// Reads both files.
pub fn read(root: &HostRoot) -> Fact<Accounts> {
    let group = root.text("/etc/group", MAX_BYTES);
    root.text("/etc/passwd", MAX_BYTES)
        .and_then(|passwd| group.map(|group| parse(&passwd, &group)))
}

/// Reads the texts of both files; lines that don't follow the format are skipped.
pub fn parse(passwd: &str, group: &str) -> Accounts {
    let mut accounts = Accounts::default();
    let mut first_groups: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(uid), Some(gid)) = (
            fields.next(),
            fields.nth(1).and_then(|n| n.parse().ok()),
            fields.next().and_then(|n| n.parse().ok()),
        ) else {
            continue;
        };
        accounts.users.insert(name.to_owned(), uid);
        first_groups.entry(gid).or_default().push(name.to_owned());
    }
    for line in group.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(gid)) = (
            fields.next(),
            fields.nth(1).and_then(|n| n.parse::<u32>().ok()),
        ) else {
            continue;
        };
        let listed = fields.next().unwrap_or_default();
        let mut members: Vec<String> = listed
            .split(',')
            .filter(|member| !member.is_empty())
            .map(str::to_owned)
            .chain(first_groups.get(&gid).into_iter().flatten().cloned())
            .collect();
        members.sort_unstable();
        members.dedup();
        accounts
            .groups
            .insert(name.to_owned(), Group { gid, members });
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_those_listed_and_those_whose_first_group_it_is() {
        let accounts = parse(
            "root:x:0:0::/root:/bin/sh\nann:x:1000:998::/:/bin/sh\nbroken\n",
            "root:x:0:\ndocker:x:998:bob,ann\n:\n",
        );
        assert_eq!(accounts.groups["docker"].members, ["ann", "bob"]);
        assert_eq!(accounts.group_name(998), Some("docker"));
        assert_eq!(accounts.users["ann"], 1000);
    }
}
