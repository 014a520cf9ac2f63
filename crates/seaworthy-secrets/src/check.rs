//! Structural checks: what a value must satisfy beyond its pattern. No network, ever.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::jwt::web_token;
use crate::keys::private_key;

/// A check a rule can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Nothing beyond pattern and entropy.
    #[default]
    None,
    /// The last six characters are the CRC-32 of the random part in base 62, as GitHub and npm
    /// make their tokens (GitHub blog 2021-04-05, "Behind GitHub's new authentication token
    /// formats").
    Crc32Base62,
    /// A JSON web token that can be read (RFC 7519).
    Jwt,
    /// A private key that holds together inside its armour.
    PrivateKey,
    /// Base64 that decodes, with or without padding.
    Base64,
    /// At least one letter and one digit: keeps words and numbers out.
    LettersAndDigits,
    /// An AWS access key id: the twelve characters after the prefix decode as base 32.
    AwsKeyId,
}

impl Check {
    /// Whether the value passes.
    pub fn passes(self, value: &[u8]) -> bool {
        match self {
            Check::None => true,
            Check::Crc32Base62 => crc32_base62(value),
            Check::Jwt => web_token(value).is_some(),
            Check::PrivateKey => private_key(value).is_some(),
            Check::Base64 => {
                let trimmed = value.trim_ascii_end();
                let end = trimmed
                    .iter()
                    .rposition(|b| *b != b'=')
                    .map_or(0, |i| i + 1);
                STANDARD_NO_PAD.decode(&trimmed[..end]).is_ok()
                    || URL_SAFE_NO_PAD.decode(&trimmed[..end]).is_ok()
            }
            Check::LettersAndDigits => {
                value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic)
            }
            Check::AwsKeyId => value.get(4..).is_some_and(|rest| {
                rest.len() == 16 && rest.iter().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7'))
            }),
        }
    }
}

/// Digits before upper before lower case: the order these tokens use.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn crc32_base62(value: &[u8]) -> bool {
    // `ghp_` + 30 random + 6 checksum; `npm_` is built alike.
    let Some(start) = value.iter().position(|b| *b == b'_') else {
        return false;
    };
    let body = &value[start + 1..];
    let Some((random, sum)) = body.split_last_chunk::<6>() else {
        return false;
    };
    let mut rest = crc32fast::hash(random);
    let mut expected = [b'0'; 6];
    for place in expected.iter_mut().rev() {
        *place = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    expected == *sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_checksum(prefix: &str, random: &str) -> String {
        let mut rest = crc32fast::hash(random.as_bytes());
        let mut sum = Vec::new();
        for _ in 0..6 {
            sum.insert(0, BASE62[(rest % 62) as usize]);
            rest /= 62;
        }
        format!("{prefix}_{random}{}", String::from_utf8_lossy(&sum))
    }

    #[test]
    fn a_checksummed_token_with_one_changed_letter_fails() {
        let token = with_checksum("ghp", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1");
        assert!(Check::Crc32Base62.passes(token.as_bytes()));
        assert!(!Check::Crc32Base62.passes(token.replace('B', "C").as_bytes()));
    }

    #[test]
    fn a_jwt_has_two_json_objects() {
        assert!(Check::Jwt.passes(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"));
        assert!(!Check::Jwt.passes(b"eyJhbGciOiJIUzI1NiJ9.bm90anNvbg.c2ln"));
    }
}
