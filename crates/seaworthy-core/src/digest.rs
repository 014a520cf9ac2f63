use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The hash functions a digest may be made with (OCI image-spec, descriptor.md,
/// "Registered algorithms").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestAlgorithm {
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
}

impl DigestAlgorithm {
    const fn name(self) -> &'static str {
        match self {
            DigestAlgorithm::Sha256 => "sha256",
            DigestAlgorithm::Sha512 => "sha512",
        }
    }

    const fn hex_len(self) -> usize {
        match self {
            DigestAlgorithm::Sha256 => 64,
            DigestAlgorithm::Sha512 => 128,
        }
    }
}

/// A content digest, `algorithm:hex`, as registries and engines name bytes.
///
/// The invariant that makes it safe as a file name: the algorithm is a known one and the
/// rest is lower-case hexadecimal of exactly its length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: DigestAlgorithm,
    hex: Box<str>,
}

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestError {
    text: String,
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a digest (expected `sha256:` and 64 hexadecimal digits, or `sha512:` and 128)",
            self.text.escape_debug()
        )
    }
}

impl std::error::Error for DigestError {}

impl Digest {
    /// The digest whose 32 raw bytes are given.
    pub fn from_sha256(bytes: [u8; 32]) -> Digest {
        Digest {
            algorithm: DigestAlgorithm::Sha256,
            hex: hex(&bytes),
        }
    }

    /// The digest whose 64 raw bytes are given.
    pub fn from_sha512(bytes: [u8; 64]) -> Digest {
        Digest {
            algorithm: DigestAlgorithm::Sha512,
            hex: hex(&bytes),
        }
    }

    /// Which hash function it was made with.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The name of the hash function, `sha256` or `sha512`.
    pub fn algorithm_name(&self) -> &'static str {
        self.algorithm.name()
    }

    /// The hexadecimal part, lower case.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The first 12 hexadecimal digits: what engines print for people.
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }
}

fn hex(bytes: &[u8]) -> Box<str> {
    use fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.into_boxed_str()
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // An attacker-long text is cut before it gets into a message.
        let error = || DigestError {
            text: text.chars().take(160).collect(),
        };
        let (name, hex) = text.split_once(':').ok_or_else(error)?;
        let algorithm = match name {
            "sha256" => DigestAlgorithm::Sha256,
            "sha512" => DigestAlgorithm::Sha512,
            _ => return Err(error()),
        };
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() != algorithm.hex_len() || !hex.bytes().all(is_hex) {
            return Err(error());
        }
        Ok(Digest {
            algorithm,
            hex: hex.into(),
        })
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_algorithms_with_full_lower_case_hex_are_digests() {
        let good = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(
            good.parse::<Digest>().map(|d| d.to_string()),
            Ok(good.clone())
        );
        for bad in [
            "",
            "sha256:",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            &good.to_uppercase(),
            &good[..good.len() - 1],
            &format!("sha256:../../{}", "0".repeat(58)),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
