//! Files that are a key or hold keys and are no text: known by their first bytes.

use seaworthy_core::PrivateKeyFacts;

use super::der::{INTEGER, OBJECT_ID, SEQUENCE};
use super::{pgp, private};

/// What a binary file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The rule that reports it.
    pub rule: &'static str,
    /// What parsing it told, where it is a single key.
    pub facts: Option<PrivateKeyFacts>,
}

/// `pkcs7-data` and `pkcs7-signedData`: what a PKCS #12 store wraps.
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];

/// Tells private keys in DER, PKCS #12 stores, Java key stores, KeePass databases and binary
/// PGP keys. `content` is the whole file or its beginning.
pub fn key_file(content: &[u8]) -> Option<KeyFile> {
    let store = |rule| Some(KeyFile { rule, facts: None });
    match content {
        [0xfe, 0xed, 0xfe, 0xed, ..] => return java_store(content),
        [0xce, 0xce, 0xce, 0xce, ..] => return store("java-key-store"),
        // KeePass 2 and 1.
        [0x03, 0xd9, 0xa2, 0x9a, 0x67 | 0x65, 0xfb, 0x4b, 0xb5, ..] => {
            return store("keepass-database");
        }
        _ => {}
    }
    if is_pkcs12(content) {
        return store("pkcs12-key-store");
    }
    if let Some(facts) = private::bare(content).or_else(|| private::encrypted_bare(content)) {
        return Some(KeyFile {
            rule: "der-private-key",
            facts: Some(facts),
        });
    }
    if matches!(content.first(), Some(0x94..=0x97 | 0xc5)) {
        let facts = pgp::private(content)?;
        return Some(KeyFile {
            rule: "pgp-private-key",
            facts: Some(facts),
        });
    }
    None
}

/// Whether a file's name says that it holds what is trusted, and no key.
pub fn is_trust_store(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    name.contains("cacert") || name.contains("trust")
}

/// A Java store counts if it holds a private key: entries of tag 1, trusted certificates have
/// tag 2. Only the first entry is looked at.
fn java_store(content: &[u8]) -> Option<KeyFile> {
    let entry: &[u8; 4] = content.get(12..16)?.try_into().ok()?;
    (u32::from_be_bytes(*entry) == 1).then_some(KeyFile {
        rule: "java-key-store",
        facts: None,
    })
}

/// `PFX` (RFC 7292, section 4): version 3, then wrapped content. The file may be cut.
fn is_pkcs12(content: &[u8]) -> bool {
    // Lengths may be indefinite, and the end may lie behind what was read: the first bytes
    // decide.
    let Some(content) = content.strip_prefix(&[SEQUENCE]) else {
        return false;
    };
    let skip = match content.first() {
        Some(length @ 0x81..=0x84) => usize::from(length & 0x7f) + 1,
        Some(_) => 1,
        None => return false,
    };
    let Some(rest) = content.get(skip..) else {
        return false;
    };
    let Some(rest) = rest.strip_prefix(&[INTEGER, 1, 3, SEQUENCE]) else {
        return false;
    };
    let head = rest.get(..rest.len().min(24)).unwrap_or_default();
    head.windows(PKCS7.len() + 2).any(|window| {
        window.first() == Some(&OBJECT_ID) && window.get(2..).is_some_and(|id| id == PKCS7)
    })
}
