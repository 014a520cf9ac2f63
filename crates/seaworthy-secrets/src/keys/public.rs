//! Public keys and certificates, each with the one name that all formats share.

use seaworthy_core::{PublicKeyEvidence, PublicKeyKind};
use sha2::{Digest, Sha256};

use super::armour::{Armour, base64};
use super::der::{BIT_STRING, NULL, OBJECT_ID, Reader, SEQUENCE, element, number};
use super::private::{DSA, EC, ED25519, RSA};
use super::{certificate, ssh};

/// Public keys kept of one file: what holds more certificates is a store of roots, whose
/// private keys are elsewhere.
const KEYS_OF_A_FILE: usize = 64;

/// The name of a SubjectPublicKeyInfo: SHA-256 as hexadecimal.
pub(super) fn name_of(spki: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(spki);
    let mut text = String::with_capacity(64);
    for byte in digest {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn spki(algorithm: &[&[u8]], key: &[u8]) -> String {
    name_of(&element(
        SEQUENCE,
        &[
            &element(SEQUENCE, algorithm),
            &element(BIT_STRING, &[&[0], key]),
        ],
    ))
}

pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> String {
    let key = element(SEQUENCE, &[&number(modulus), &number(exponent)]);
    spki(&[&element(OBJECT_ID, &[RSA]), &element(NULL, &[])], &key)
}

pub(super) fn ec(curve: &[u8], point: &[u8]) -> String {
    spki(
        &[&element(OBJECT_ID, &[EC]), &element(OBJECT_ID, &[curve])],
        point,
    )
}

pub(super) fn ed25519(point: &[u8; 32]) -> String {
    spki(&[&element(OBJECT_ID, &[ED25519])], point)
}

pub(super) fn dsa(p: &[u8], q: &[u8], g: &[u8], y: &[u8]) -> String {
    let parameters = element(SEQUENCE, &[&number(p), &number(q), &number(g)]);
    spki(&[&element(OBJECT_ID, &[DSA]), &parameters], &number(y))
}

/// The public keys and certificates in a file: PEM blocks, lines of `authorized_keys` and
/// `.pub` files, or one certificate in DER.
pub fn public_keys(content: &[u8]) -> Vec<PublicKeyEvidence> {
    let mut found = Vec::new();
    if content.first() == Some(&SEQUENCE) {
        found.extend(certificate::read(content));
        return found;
    }
    let mut rest = content;
    let mut blocks = 0;
    // Blocks that say nothing cost too.
    while blocks < 4 * KEYS_OF_A_FILE
        && found.len() < KEYS_OF_A_FILE
        && let Some((armour, behind)) = Armour::next(rest)
    {
        blocks += 1;
        rest = behind;
        found.extend(block(&armour));
    }
    for line in content.split(|byte| *byte == b'\n').take(4096) {
        if found.len() >= KEYS_OF_A_FILE {
            break;
        }
        found.extend(ssh_line(line));
    }
    found
}

fn block(armour: &Armour<'_>) -> Option<PublicKeyEvidence> {
    match armour.label {
        b"CERTIFICATE" | b"X509 CERTIFICATE" | b"TRUSTED CERTIFICATE" => {
            certificate::read(&armour.content()?)
        }
        b"PUBLIC KEY" => {
            let content = armour.content()?;
            let whole = Reader::new(&content).any()?;
            let mut inner = Reader::new(whole.content);
            inner.sequence()?.take(OBJECT_ID)?;
            inner.take(BIT_STRING)?;
            Some(PublicKeyEvidence {
                kind: PublicKeyKind::PublicKey,
                spki_sha256: name_of(whole.whole),
                name: None,
            })
        }
        b"RSA PUBLIC KEY" => {
            let content = armour.content()?;
            let mut key = Reader::new(&content).sequence()?;
            Some(PublicKeyEvidence {
                kind: PublicKeyKind::PublicKey,
                spki_sha256: rsa(key.number()?, key.number()?),
                name: None,
            })
        }
        _ => None,
    }
}

/// `options ssh-ed25519 AAAA… comment`. The comment is the key's name, mostly `user@host`.
fn ssh_line(line: &[u8]) -> Option<PublicKeyEvidence> {
    const TYPES: &[&[u8]] = &[b"ssh-", b"ecdsa-sha2-nistp"];
    if line.len() > 16 << 10 || line.starts_with(b"#") {
        return None;
    }
    let mut words = line
        .split(|byte| byte.is_ascii_whitespace())
        .filter(|word| !word.is_empty());
    words.find(|word| TYPES.iter().any(|kind| word.starts_with(kind)))?;
    let blob = words.next().filter(|word| word.starts_with(b"AAAA"))?;
    let key = ssh::public(&base64(blob)?)?;
    let comment = words.next().and_then(|word| std::str::from_utf8(word).ok());
    Some(PublicKeyEvidence {
        kind: PublicKeyKind::SshKey,
        spki_sha256: key.spki,
        name: comment.map(|text| text.chars().take(64).collect()),
    })
}
