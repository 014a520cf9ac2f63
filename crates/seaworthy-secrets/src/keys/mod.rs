//! Private and public keys as the files of an image hold them: PEM, OpenSSH, PGP, PuTTY, DER.
//!
//! Followed: RFC 7468 (PEM), RFC 8017 (PKCS #1), RFC 5915 (SEC 1), RFC 5958 (PKCS #8), RFC 5280
//! (certificates), PROTOCOL.key of OpenSSH, RFC 9580 (OpenPGP), appendix C of the PuTTY manual.
//! A key is read for what tells how bad its leak is: whether a passphrase protects it, how
//! strong it is, and which public key belongs to it. What has the armour of a key and does not
//! hold together inside is no key.
//!
//! Every public key gets one name, whatever format it comes in: the SHA-256 of its
//! SubjectPublicKeyInfo. So an SSH key is matched with a certificate.
//!
//! The structures are walked with a small reader of our own ([`der`]) instead of the
//! RustCrypto crates for each format: no number is computed with but the point of an Ed25519
//! key, and ten crates more would be built for it. Left out: decryption, and the public half
//! of keys that do not carry it and would need other curves' arithmetic.

mod armour;
mod certificate;
pub(crate) mod der;
mod files;
mod pgp;
mod private;
mod public;
mod putty;
mod ssh;

use seaworthy_core::PrivateKeyFacts;

pub use files::{KeyFile, is_trust_store, key_file};
pub use public::public_keys;

/// Bytes of one key: RSA with 16384 bits takes 14 KB.
const KEY_BYTES: usize = 24 << 10;

/// What a private key's text tells; `None` for what is none or is broken.
///
/// Takes PEM (line breaks may be written `\n`), PEM in base64, and PuTTY files.
pub fn private_key(text: &[u8]) -> Option<PrivateKeyFacts> {
    if text.len() > KEY_BYTES {
        return None;
    }
    if text.starts_with(b"PuTTY-User-Key-File-") {
        return putty::parse(text);
    }
    if text.starts_with(b"LS0tLS1CRUdJTi") {
        let decoded = armour::base64(text)?;
        return decoded
            .starts_with(b"-----BEGIN ")
            .then(|| private_key(&decoded))
            .flatten();
    }
    let armour = armour::Armour::read(text)?;
    match armour.label {
        b"RSA PRIVATE KEY" | b"EC PRIVATE KEY" | b"DSA PRIVATE KEY" if armour.is_encrypted() => {
            private::encrypted_legacy(&armour)
        }
        b"RSA PRIVATE KEY" => private::rsa(&armour.content()?),
        b"EC PRIVATE KEY" => private::ec(&armour.content()?, None),
        b"DSA PRIVATE KEY" => private::dsa(&armour.content()?),
        b"PRIVATE KEY" => private::pkcs8(&armour.content()?),
        b"ENCRYPTED PRIVATE KEY" => private::encrypted_pkcs8(&armour.content()?),
        b"OPENSSH PRIVATE KEY" => ssh::private(&armour.content()?),
        b"PGP PRIVATE KEY BLOCK" => pgp::private(&armour.content()?),
        _ => None,
    }
}

/// Whether a text begins as [`private_key`] takes it.
pub fn is_armoured(text: &[u8]) -> bool {
    text.starts_with(b"-----BEGIN ")
        || text.starts_with(b"PuTTY-User-Key-File-")
        || text.starts_with(b"LS0tLS1CRUdJTi")
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
