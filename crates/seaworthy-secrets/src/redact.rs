//! What may be shown and kept of a secret: never its value.

use sha2::{Digest, Sha256};

/// A value as people may see it: its first characters where those are a public prefix of the
/// format, its length, nothing else.
///
/// At most four characters and at most a quarter of the value are shown; bytes that do not
/// print are shown as dots.
pub fn redact(value: &[u8]) -> String {
    let shown = (value.len() / 4).min(4);
    let head: String = value[..shown]
        .iter()
        .map(|b| {
            if b.is_ascii_graphic() {
                char::from(*b)
            } else {
                '.'
            }
        })
        .collect();
    format!("{head}... ({} characters)", value.len())
}

/// Makes fingerprints of secrets that mean something only to who holds the key, so that a
/// report or a cache can say "the same secret" without letting anybody test guesses.
#[derive(Clone, PartialEq, Eq)]
pub struct FingerprintKey([u8; 32]);

impl FingerprintKey {
    /// A key from 32 random bytes, kept by the installation.
    pub fn new(key: [u8; 32]) -> FingerprintKey {
        FingerprintKey(key)
    }

    /// Tells keys apart without giving anything of them away.
    pub fn id(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"seaworthy fingerprint key")
            .chain_update(self.0)
            .finalize()
            .into()
    }

    /// HMAC-SHA-256 (RFC 2104) of the value, its first 16 bytes as hexadecimal.
    pub fn fingerprint(&self, value: &[u8]) -> String {
        use std::fmt::Write as _;
        let pad = |byte: u8| {
            let mut block = [byte; 64];
            for (to, from) in block.iter_mut().zip(&self.0) {
                *to ^= from;
            }
            block
        };
        let inner = Sha256::new()
            .chain_update(pad(0x36))
            .chain_update(value)
            .finalize();
        let outer = Sha256::new()
            .chain_update(pad(0x5c))
            .chain_update(inner)
            .finalize();
        let mut text = String::with_capacity(32);
        for byte in outer.iter().take(16) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_hmac_sha256() {
        // RFC 4231 test case 2: the key is padded with zeros there too.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            FingerprintKey::new(key).fingerprint(b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c7"
        );
    }

    #[test]
    fn little_of_a_value_is_shown_and_nothing_of_a_short_one() {
        assert_eq!(redact(b"ghp_0123456789abcdef"), "ghp_... (20 characters)");
        assert_eq!(redact(b"abc"), "... (3 characters)");
    }
}
