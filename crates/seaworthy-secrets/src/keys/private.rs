//! Private keys in DER.

use seaworthy_core::PrivateKeyFacts;

use super::armour::Armour;
use super::der::{BIT_STRING, OBJECT_ID, OCTET_STRING, Reader, SEQUENCE, bits};
use super::public;

/// Algorithms by object identifier, as DER has it.
pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
pub(super) const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
pub(super) const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
pub(super) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const OTHERS: &[(&[u8], &str, u32)] = &[
    (&[0x2b, 0x65, 0x71], "Ed448", 448),
    (&[0x2b, 0x65, 0x6e], "X25519", 256),
    (&[0x2b, 0x65, 0x6f], "X448", 448),
];

/// Curves by object identifier: name, bits.
pub(super) const CURVES: &[(&[u8], &str, u32)] = &[
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "P-256", 256),
    (&[0x2b, 0x81, 4, 0, 34], "P-384", 384),
    (&[0x2b, 0x81, 4, 0, 35], "P-521", 521),
    (&[0x2b, 0x81, 4, 0, 33], "P-224", 224),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1], "P-192", 192),
    (&[0x2b, 0x81, 4, 0, 10], "secp256k1", 256),
];

fn facts(algorithm: impl Into<String>, bits: u32, public: Option<String>) -> PrivateKeyFacts {
    PrivateKeyFacts {
        algorithm: algorithm.into(),
        bits: (bits > 0).then_some(bits),
        encrypted: false,
        public,
    }
}

/// A key of which only the wrapping can be seen.
pub(super) fn sealed(algorithm: impl Into<String>) -> PrivateKeyFacts {
    PrivateKeyFacts {
        algorithm: algorithm.into(),
        bits: None,
        encrypted: true,
        public: None,
    }
}

/// `RSAPrivateKey` (RFC 8017, A.1.2).
pub(super) fn rsa(bytes: &[u8]) -> Option<PrivateKeyFacts> {
    let mut key = Reader::new(bytes).sequence()?;
    let version = key.number()?;
    let modulus = key.number()?;
    let exponent = key.number()?;
    let rest = [key.number()?, key.number()?, key.number()?];
    let more = [key.number()?, key.number()?, key.number()?];
    let [_, p, q] = rest;
    let whole = rest.iter().chain(&more).all(|number| !number.is_empty());
    let size = bits(modulus);
    // The modulus is the product of the primes, at least in its last bits.
    let is_product = !version.is_empty() || low(p).wrapping_mul(low(q)) == low(modulus);
    if !whole || size < 512 || exponent.is_empty() || !is_product {
        return None;
    }
    Some(facts("RSA", size, Some(public::rsa(modulus, exponent))))
}

fn low(number: &[u8]) -> u64 {
    let start = number.len().saturating_sub(8);
    let digits = number.get(start..).unwrap_or_default();
    digits
        .iter()
        .fold(0, |sum, digit| sum << 8 | u64::from(*digit))
}

/// `ECPrivateKey` (RFC 5915). PKCS #8 names the curve outside.
pub(super) fn ec(bytes: &[u8], curve: Option<&[u8]>) -> Option<PrivateKeyFacts> {
    let mut key = Reader::new(bytes).sequence()?;
    if key.number()? != [1] {
        return None;
    }
    let scalar = key.take(OCTET_STRING)?;
    let own = key
        .optional(0xa0)
        .and_then(|parameters| Reader::new(parameters).take(OBJECT_ID));
    let point = key
        .optional(0xa1)
        .and_then(|outer| Reader::new(outer).take(BIT_STRING))
        .and_then(|bits| bits.strip_prefix(&[0]));
    let curve = own.or(curve);
    let named = CURVES.iter().find(|(id, ..)| Some(*id) == curve);
    let size = match named {
        Some((_, _, size)) => *size,
        None => u32::try_from(scalar.len()).ok()?.checked_mul(8)?,
    };
    let bytes = usize::try_from(size.div_ceil(8)).ok()?;
    let fits = scalar.len() <= bytes && scalar.len() >= 16 && scalar.iter().any(|b| *b != 0);
    let point_fits =
        point.is_none_or(|point| point.len() == 2 * bytes + 1 || point.len() == bytes + 1);
    if !fits || !point_fits {
        return None;
    }
    let name = named.map_or_else(|| "EC".to_owned(), |(_, name, _)| format!("EC {name}"));
    let public = curve
        .zip(point)
        .map(|(curve, point)| public::ec(curve, point));
    Some(facts(name, size, public))
}

/// What OpenSSL writes for DSA: version, p, q, g, y, x.
pub(super) fn dsa(bytes: &[u8]) -> Option<PrivateKeyFacts> {
    let mut key = Reader::new(bytes).sequence()?;
    key.number()?;
    let [p, q, g, y, x] = [
        key.number()?,
        key.number()?,
        key.number()?,
        key.number()?,
        key.number()?,
    ];
    let size = bits(p);
    if size < 512 || x.is_empty() || y.is_empty() || bits(x) > bits(q) {
        return None;
    }
    Some(facts("DSA", size, Some(public::dsa(p, q, g, y))))
}

/// `OneAsymmetricKey` (RFC 5958).
pub(super) fn pkcs8(bytes: &[u8]) -> Option<PrivateKeyFacts> {
    let mut key = Reader::new(bytes).sequence()?;
    key.number()?;
    let mut algorithm = key.sequence()?;
    let id = algorithm.take(OBJECT_ID)?;
    let inner = key.take(OCTET_STRING)?;
    match id {
        RSA | RSA_PSS => rsa(inner),
        EC => ec(inner, algorithm.optional(OBJECT_ID)),
        ED25519 => {
            let seed: &[u8; 32] = Reader::new(inner).take(OCTET_STRING)?.try_into().ok()?;
            let point = ed25519_dalek::SigningKey::from_bytes(seed)
                .verifying_key()
                .to_bytes();
            Some(facts("Ed25519", 256, Some(public::ed25519(&point))))
        }
        DSA => {
            let mut parameters = algorithm.sequence()?;
            let size = bits(parameters.number()?);
            Reader::new(inner).number()?;
            (size >= 512).then(|| facts("DSA", size, None))
        }
        other => {
            let (_, name, size) = OTHERS.iter().find(|(id, ..)| *id == other)?;
            Reader::new(inner).take(OCTET_STRING)?;
            Some(facts(*name, *size, None))
        }
    }
}

/// `EncryptedPrivateKeyInfo` (RFC 5958, section 3).
pub(super) fn encrypted_pkcs8(bytes: &[u8]) -> Option<PrivateKeyFacts> {
    let mut key = Reader::new(bytes).sequence()?;
    key.sequence()?.take(OBJECT_ID)?;
    let content = key.take(OCTET_STRING)?;
    (content.len() >= 32).then(|| sealed("PKCS #8"))
}

/// Headers and ciphertext, as OpenSSL wrote it before PKCS #8.
pub(super) fn encrypted_legacy(armour: &Armour<'_>) -> Option<PrivateKeyFacts> {
    let name = match armour.label {
        b"RSA PRIVATE KEY" => "RSA",
        b"EC PRIVATE KEY" => "EC",
        _ => "DSA",
    };
    let content = armour.content()?;
    // Ciphertext of whole blocks.
    (content.len() >= 32 && content.len() % 8 == 0).then(|| sealed(name))
}

/// A private key in bare DER.
pub(super) fn bare(bytes: &[u8]) -> Option<PrivateKeyFacts> {
    (bytes.first() == Some(&SEQUENCE)).then_some(())?;
    rsa(bytes)
        .or_else(|| pkcs8(bytes))
        .or_else(|| ec(bytes, None).filter(|key| key.public.is_some()))
}

/// An encrypted PKCS #8 key in bare DER: its algorithm is one of PKCS #5 or PKCS #12.
pub(super) fn encrypted_bare(bytes: &[u8]) -> Option<PrivateKeyFacts> {
    const PKCS5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5];
    const PKCS12: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12];
    let id = Reader::new(bytes).sequence()?.sequence()?.take(OBJECT_ID)?;
    (id.starts_with(PKCS5) || id.starts_with(PKCS12)).then_some(())?;
    encrypted_pkcs8(bytes)
}
