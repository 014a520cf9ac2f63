//! Ignore lists: signatures by name that are not to be used. `name`, or `name:md5 of the
//! signature's line`, or three fields whose last is the name.

use std::collections::HashMap;

use md5::{Digest, Md5};

use super::unhex;

/// The names to leave out.
#[derive(Debug, Default)]
pub struct IgnoreList {
    names: HashMap<String, Option<Vec<u8>>>,
}

impl IgnoreList {
    /// Adds one line; `false` when it says nothing.
    pub fn add(&mut self, line: &[u8]) -> bool {
        let Ok(line) = std::str::from_utf8(line) else {
            return false;
        };
        let fields: Vec<&str> = line.split(':').collect();
        let (name, digest) = match fields.as_slice() {
            [name] => (*name, None),
            [name, digest] => match unhex(digest) {
                Some(digest) if digest.len() == 16 => (*name, Some(digest)),
                _ => return false,
            },
            [_, _, name] => (*name, None),
            _ => return false,
        };
        if name.is_empty() {
            return false;
        }
        self.names.insert(name.to_owned(), digest);
        true
    }

    /// Whether the signature `name`, standing on `line`, is to be left out.
    pub fn ignores(&self, name: &str, line: &[u8]) -> bool {
        let name = name.strip_suffix(".UNOFFICIAL").unwrap_or(name);
        match self.names.get(name) {
            None => false,
            Some(None) => true,
            Some(Some(digest)) => Md5::digest(line).as_slice() == digest.as_slice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_limits_the_entry_to_one_line() {
        let mut list = IgnoreList::default();
        assert!(list.add(b"Plain.Name"));
        assert!(list.add(b"daily.ndb:12:Old.Form"));
        let digest: String = Md5::digest(b"the line")
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert!(list.add(format!("Only.This:{digest}").as_bytes()));
        assert!(!list.add(b"a:b:c:d"));
        assert!(list.ignores("Plain.Name", b"whatever"));
        assert!(list.ignores("Old.Form", b""));
        assert!(list.ignores("Only.This", b"the line"));
        assert!(!list.ignores("Only.This", b"a newer line"));
    }
}
