//! PuTTY's `.ppk`, versions 2 and 3 (appendix C of its manual).

use seaworthy_core::PrivateKeyFacts;

use super::{armour, ssh};

/// Base64 lines of one half: an RSA key of 16384 bits has some 190.
const LINES: usize = 400;

pub(super) fn parse(text: &[u8]) -> Option<PrivateKeyFacts> {
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.trim_ascii_end());
    let mut encrypted = None;
    let mut public = None;
    while let Some(line) = lines.next() {
        let Some(colon) = memchr::memmem::find(line, b": ") else {
            continue;
        };
        let (name, value) = (line.get(..colon)?, line.get(colon + 2..)?);
        let mut block = || {
            let count: usize = std::str::from_utf8(value).ok()?.parse().ok()?;
            let letters: Vec<u8> = lines
                .by_ref()
                .take(count.min(LINES))
                .flatten()
                .copied()
                .collect();
            armour::base64(&letters)
        };
        match name {
            b"Encryption" => encrypted = Some(value != b"none"),
            b"Public-Lines" => public = ssh::public(&block()?),
            b"Private-Lines" => {
                let secret = block()?;
                let public = public?;
                return (secret.len() >= 16).then_some(PrivateKeyFacts {
                    algorithm: public.algorithm,
                    bits: Some(public.bits),
                    encrypted: encrypted?,
                    public: Some(public.spki),
                });
            }
            _ => {}
        }
    }
    None
}
