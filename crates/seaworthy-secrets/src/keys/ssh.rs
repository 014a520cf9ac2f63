//! Keys of OpenSSH: `openssh-key-v1` (PROTOCOL.key) and public keys (RFC 4253, section 6.6).

use seaworthy_core::PrivateKeyFacts;

use super::der::bits;
use super::private::CURVES;
use super::public;

/// Length-prefixed strings, one after the other.
pub(super) struct Strings<'a>(pub &'a [u8]);

impl<'a> Strings<'a> {
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (text, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    /// A number without its leading zeros.
    fn number(&mut self) -> Option<&'a [u8]> {
        let digits = self.next()?;
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        digits.get(zeros..)
    }
}

/// A public key: algorithm, bits, and its one name.
pub(super) struct SshPublic {
    pub algorithm: String,
    pub bits: u32,
    pub spki: String,
}

/// Reads the blob of a public key.
pub(super) fn public(blob: &[u8]) -> Option<SshPublic> {
    let mut strings = Strings(blob);
    let made = |algorithm: &str, bits, spki| SshPublic {
        algorithm: algorithm.to_owned(),
        bits,
        spki,
    };
    match strings.next()? {
        b"ssh-rsa" => {
            let exponent = strings.number()?;
            let modulus = strings.number()?;
            let size = bits(modulus);
            (size >= 512).then(|| made("RSA", size, public::rsa(modulus, exponent)))
        }
        b"ssh-ed25519" => {
            let point: &[u8; 32] = strings.next()?.try_into().ok()?;
            Some(made("Ed25519", 256, public::ed25519(point)))
        }
        b"ssh-dss" => {
            let [p, q, g, y] = [
                strings.number()?,
                strings.number()?,
                strings.number()?,
                strings.number()?,
            ];
            Some(made("DSA", bits(p), public::dsa(p, q, g, y)))
        }
        name => {
            let curve = name.strip_prefix(b"ecdsa-sha2-nistp")?;
            let (id, name, size) = CURVES
                .iter()
                .find(|(_, name, _)| name.strip_prefix("P-").map(str::as_bytes) == Some(curve))?;
            strings.next()?;
            let point = strings.next()?;
            Some(made(&format!("EC {name}"), *size, public::ec(id, point)))
        }
    }
}

/// Reads `openssh-key-v1`. Its public half stands there in clear, also of an encrypted key.
pub(super) fn private(bytes: &[u8]) -> Option<PrivateKeyFacts> {
    let mut strings = Strings(bytes.strip_prefix(b"openssh-key-v1\0")?);
    let cipher = strings.next()?;
    strings.next()?;
    strings.next()?;
    let (count, rest) = strings.0.split_first_chunk::<4>()?;
    if u32::from_be_bytes(*count) == 0 {
        return None;
    }
    strings.0 = rest;
    let public = public(strings.next()?)?;
    let secret = strings.next()?;
    let encrypted = cipher != b"none";
    // Two equal check numbers stand before keys in clear.
    let is_whole = match secret.get(..8)?.split_at(4) {
        (one, two) if !encrypted => one == two,
        _ => secret.len() >= 32,
    };
    is_whole.then_some(PrivateKeyFacts {
        algorithm: public.algorithm,
        bits: Some(public.bits),
        encrypted,
        public: Some(public.spki),
    })
}
