//! Detached signatures of databases and their increments: `name-version.cvd.sign`.
//!
//! ```text
//! #clamsign-1.0
//! min level:max level:pkcs7-pem:base64 of a PKCS#7 message, on one line
//! ```
//!
//! A message is CMS signed data (RFC 5652) without content: the signature is over the whole
//! file beside it. Lines for other engine levels are passed over, the first line that verifies
//! under a trusted certificate is the answer, and a line whose signature is *wrong* refuses
//! the file at once. RSA with SHA-256, SHA-384 or SHA-512 is known, nothing weaker.
//!
//! There is no clock here: the times of the signer's certificate are given to the caller.
//! Revocation lists are not read; the publisher has none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};

use crate::clamav::{FUNCTIONALITY_LEVEL, lines};
use crate::der::{BIT_STRING, INTEGER, OBJECT, OCTET_STRING, Reader, SEQUENCE, SET, Value};

/// Longest signature file, in bytes; real ones have some five thousand.
const MAX_SIGN: usize = 1 << 20;
/// Certificates between the signer's and a trusted one.
const MAX_CHAIN: usize = 6;
/// Certificates that are read of one message.
const MAX_CERTIFICATES: usize = 32;

const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 2.16.840.1.101.3.4.2 and the number of the digest.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// 1.2.840.113549.1.1 and the number of the scheme.
const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];

/// Why a detached signature is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// It is no such file, or not for this engine.
    #[error("no usable signature in the signature file")]
    NotASignature,
    /// A message can't be read.
    #[error("the signature file is broken: {0}")]
    Broken(&'static str),
    /// The signature is not over this file.
    #[error("the digital signature does not fit the file")]
    Wrong,
    /// It fits, but nobody trusted made it.
    #[error(
        "the digital signature is by nobody who is trusted\n  hint: put the publisher's root certificate into the folder of certificates"
    )]
    Untrusted,
    /// A certificate can't be read.
    #[error("not a certificate")]
    NotACertificate,
}

/// A certificate that is trusted to vouch for databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    whole: Vec<u8>,
    signed: Vec<u8>,
    serial: Vec<u8>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    key: Vec<u8>,
    scheme: Option<Digest>,
    signature: Vec<u8>,
    authority: bool,
    signer: Signer,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Common name of the certificate.
    pub name: String,
    /// From when the certificate is valid, in seconds since 1970.
    pub valid_from: i64,
    /// Until when.
    pub valid_until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    fn algorithm(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Digest::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            Digest::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
            Digest::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
        }
    }

    fn of(self, bytes: &[u8]) -> ring::digest::Digest {
        let algorithm = match self {
            Digest::Sha256 => &ring::digest::SHA256,
            Digest::Sha384 => &ring::digest::SHA384,
            Digest::Sha512 => &ring::digest::SHA512,
        };
        ring::digest::digest(algorithm, bytes)
    }

    /// The digest of an algorithm identifier: of a digest, or of RSA with a digest.
    fn named(algorithm: Value<'_>) -> Option<Digest> {
        let name = algorithm.reader().expect(OBJECT)?.content;
        let number = |family: &[u8]| match name.strip_prefix(family) {
            Some([number]) => Some(*number),
            _ => None,
        };
        match (number(SHA2), number(PKCS1)) {
            (Some(1), _) | (_, Some(11)) => Some(Digest::Sha256),
            (Some(2), _) | (_, Some(12)) => Some(Digest::Sha384),
            (Some(3), _) | (_, Some(13)) => Some(Digest::Sha512),
            _ => None,
        }
    }
}

impl Certificate {
    /// Reads all certificates of a PEM file.
    ///
    /// # Errors
    /// There is none, or one is broken.
    pub fn from_pem(text: &str) -> Result<Vec<Certificate>, SignError> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        const END: &str = "-----END CERTIFICATE-----";
        let mut all = Vec::new();
        for part in text.split(BEGIN).skip(1).take(MAX_CERTIFICATES) {
            let (body, _) = part.split_once(END).ok_or(SignError::NotACertificate)?;
            let body: String = body.split_ascii_whitespace().collect();
            let der = STANDARD
                .decode(body)
                .map_err(|_| SignError::NotACertificate)?;
            all.push(Certificate::from_der(&der)?);
        }
        if all.is_empty() {
            return Err(SignError::NotACertificate);
        }
        Ok(all)
    }

    /// Reads one certificate.
    ///
    /// # Errors
    /// It is none, or its key is no RSA key.
    pub fn from_der(der: &[u8]) -> Result<Certificate, SignError> {
        read_certificate(der).ok_or(SignError::NotACertificate)
    }

    /// Whether this one's key made the signature of `other`.
    fn vouches_for(&self, other: &Certificate) -> bool {
        self.subject == other.issuer
            && other
                .scheme
                .is_some_and(|scheme| fits(scheme, &self.key, &other.signed, &other.signature))
    }
}

/// Verifies the detached signature `sign` over `bytes`.
///
/// # Errors
/// See [`SignError`]; only [`SignError::Wrong`] says that the file was changed.
pub fn verify(bytes: &[u8], sign: &str, trusted: &[Certificate]) -> Result<Signer, SignError> {
    let first = lines_of(sign);
    if sign.len() > MAX_SIGN || first != Some("#clamsign-1.0") {
        return Err(SignError::NotASignature);
    }
    let mut problem = SignError::NotASignature;
    for line in lines(sign.as_bytes()) {
        let line = std::str::from_utf8(line).map_err(|_| SignError::Broken("no text"))?;
        let fields: Vec<&str> = line.splitn(4, ':').collect();
        let [min, max, "pkcs7-pem", message] = fields.as_slice() else {
            continue;
        };
        let level = |text: &str, default: u32| match text {
            "" => Ok(default),
            text => text.parse().map_err(|_| SignError::Broken("level")),
        };
        if !(level(min, 0)?..=level(max, u32::MAX)?).contains(&FUNCTIONALITY_LEVEL) {
            continue;
        }
        let message = STANDARD
            .decode(message.trim())
            .map_err(|_| SignError::Broken("base64"))?;
        match verify_message(bytes, &message, trusted) {
            Ok(signer) => return Ok(signer),
            Err(SignError::Wrong) => return Err(SignError::Wrong),
            Err(other) => problem = other,
        }
    }
    Err(problem)
}

fn lines_of(sign: &str) -> Option<&str> {
    sign.lines().next().map(str::trim_end)
}

fn fits(digest: Digest, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(digest.algorithm(), key)
        .verify(message, signature)
        .is_ok()
}

/// What a message says of its signature.
struct Message<'b> {
    certificates: Vec<Certificate>,
    issuer: &'b [u8],
    serial: &'b [u8],
    digest: Digest,
    attributes: Option<Value<'b>>,
    signature: &'b [u8],
}

fn verify_message(
    bytes: &[u8],
    message: &[u8],
    trusted: &[Certificate],
) -> Result<Signer, SignError> {
    let message = read_message(message).ok_or(SignError::Broken("message"))?;
    let signer = message
        .certificates
        .iter()
        .chain(trusted)
        .find(|one| one.issuer == message.issuer && one.serial == message.serial)
        .ok_or(SignError::Broken("the signer's certificate is missing"))?;
    let right = match message.attributes {
        None => fits(message.digest, &signer.key, bytes, message.signature),
        Some(attributes) => {
            let digest = message.digest.of(bytes);
            // Signed is the set of attributes with the tag of a set.
            let mut set = attributes.whole.to_vec();
            if let Some(tag) = set.first_mut() {
                *tag = SET;
            }
            digest_attribute(attributes) == Some(digest.as_ref())
                && fits(message.digest, &signer.key, &set, message.signature)
        }
    };
    if !right {
        return Err(SignError::Wrong);
    }
    let mut at = signer;
    for _ in 0..MAX_CHAIN {
        if trusted
            .iter()
            .any(|anchor| anchor.whole == at.whole || anchor.vouches_for(at))
        {
            return Ok(signer.signer.clone());
        }
        let next = message
            .certificates
            .iter()
            .find(|one| one.authority && one.whole != at.whole && one.vouches_for(at));
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    Err(SignError::Untrusted)
}

fn read_message(der: &[u8]) -> Option<Message<'_>> {
    let mut outer = Reader::new(der).expect(SEQUENCE)?.reader();
    if outer.expect(OBJECT)?.content != SIGNED_DATA {
        return None;
    }
    let mut data = outer.expect(0xa0)?.reader().expect(SEQUENCE)?.reader();
    data.expect(INTEGER)?;
    data.expect(SET)?;
    data.expect(SEQUENCE)?;
    let mut certificates = Vec::new();
    while let Some(tag @ (0xa0 | 0xa1)) = data.peek() {
        let set = data.value()?;
        let mut reader = set.reader();
        while let (0xa0, Some(value)) = (tag, reader.value()) {
            if certificates.len() >= MAX_CERTIFICATES {
                return None;
            }
            // One with a key that is not RSA is of no use, and no harm.
            certificates.extend(read_certificate(value.whole));
        }
    }
    let mut signer = data.expect(SET)?.reader().expect(SEQUENCE)?.reader();
    signer.expect(INTEGER)?;
    let mut sid = signer.expect(SEQUENCE)?.reader();
    let (issuer, serial) = (sid.expect(SEQUENCE)?.whole, sid.expect(INTEGER)?.content);
    let digest = Digest::named(signer.expect(SEQUENCE)?)?;
    let attributes = signer.expect(0xa0);
    let scheme = signer.expect(SEQUENCE)?;
    let name = scheme.reader().expect(OBJECT)?.content;
    if name != RSA && Digest::named(scheme) != Some(digest) {
        return None;
    }
    Some(Message {
        certificates,
        issuer,
        serial,
        digest,
        attributes,
        signature: signer.expect(OCTET_STRING)?.content,
    })
}

fn digest_attribute(attributes: Value<'_>) -> Option<&[u8]> {
    let mut reader = attributes.reader();
    while let Some(attribute) = reader.expect(SEQUENCE) {
        let mut attribute = attribute.reader();
        if attribute.expect(OBJECT)?.content == MESSAGE_DIGEST {
            let value = attribute.expect(SET)?.reader().expect(OCTET_STRING)?;
            return Some(value.content);
        }
    }
    None
}

fn read_certificate(der: &[u8]) -> Option<Certificate> {
    let whole = Reader::new(der).expect(SEQUENCE)?;
    let mut outer = whole.reader();
    let signed = outer.expect(SEQUENCE)?;
    let scheme = Digest::named(outer.expect(SEQUENCE)?);
    let signature = bits(outer.expect(BIT_STRING)?)?.to_vec();
    let mut fields = signed.reader();
    fields.expect(0xa0);
    let serial = fields.expect(INTEGER)?.content;
    fields.expect(SEQUENCE)?;
    let issuer = fields.expect(SEQUENCE)?.whole;
    let mut times = fields.expect(SEQUENCE)?.reader();
    let (from, until) = (time(times.value()?)?, time(times.value()?)?);
    let subject = fields.expect(SEQUENCE)?;
    let mut key = fields.expect(SEQUENCE)?.reader();
    if key.expect(SEQUENCE)?.reader().expect(OBJECT)?.content != RSA {
        return None;
    }
    let key = bits(key.expect(BIT_STRING)?)?.to_vec();
    let mut authority = false;
    while let Some(field) = fields.value() {
        if field.tag == 0xa3 {
            authority = is_authority(field).unwrap_or(false);
        }
    }
    Some(Certificate {
        whole: whole.whole.to_vec(),
        signed: signed.whole.to_vec(),
        serial: serial.to_vec(),
        issuer: issuer.to_vec(),
        subject: subject.whole.to_vec(),
        key,
        scheme,
        signature,
        authority,
        signer: Signer {
            name: common_name(subject).unwrap_or_default(),
            valid_from: from,
            valid_until: until,
        },
    })
}

fn bits(value: Value<'_>) -> Option<&[u8]> {
    match value.content.split_first()? {
        (0, bits) => Some(bits),
        _ => None,
    }
}

fn is_authority(extensions: Value<'_>) -> Option<bool> {
    let mut list = extensions.reader().expect(SEQUENCE)?.reader();
    while let Some(extension) = list.expect(SEQUENCE) {
        let mut extension = extension.reader();
        if extension.expect(OBJECT)?.content != BASIC_CONSTRAINTS {
            continue;
        }
        // Whether it is critical stands between.
        extension.expect(1);
        let value = extension.expect(OCTET_STRING)?;
        let mut constraints = value.reader().expect(SEQUENCE)?.reader();
        return Some(constraints.expect(1).is_some_and(|ca| ca.content != [0]));
    }
    None
}

fn common_name(name: Value<'_>) -> Option<String> {
    let mut reader = name.reader();
    while let Some(set) = reader.expect(SET) {
        let mut pair = set.reader().expect(SEQUENCE)?.reader();
        if pair.expect(OBJECT)?.content == COMMON_NAME {
            let text = pair.value()?.content;
            return Some(String::from_utf8_lossy(text.get(..text.len().min(200))?).into_owned());
        }
    }
    None
}

/// `UTCTime` or `GeneralizedTime` in universal time, as seconds since 1970.
fn time(value: Value<'_>) -> Option<i64> {
    let text = std::str::from_utf8(value.content).ok()?.strip_suffix('Z')?;
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, rest) = match (value.tag, text.len()) {
        (0x17, 12) => {
            let year = number(0..2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        (0x18, 14) => (number(0..4)?, 4),
        _ => return None,
    };
    let part = |at: usize| number(rest + 2 * at..rest + 2 * at + 2);
    let (month, day) = (part(0)?, part(1)?);
    // Days since 1970 with years that start in March.
    let (shifted, from_march) = (year - i64::from(month <= 2), (month + 9) % 12);
    let days = 365 * shifted + shifted.div_euclid(4) - shifted.div_euclid(100)
        + shifted.div_euclid(400)
        + (153 * from_march + 2) / 5
        + day
        - 1
        - 719_468;
    Some(((days * 24 + part(2)?) * 60 + part(3)?) * 60 + part(4)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds() {
        let of = |tag, text: &'static str| {
            time(Value {
                tag,
                content: text.as_bytes(),
                whole: b"",
            })
        };
        assert_eq!(of(0x17, "700101000000Z"), Some(0));
        assert_eq!(of(0x17, "250326175633Z"), Some(1_743_011_793));
        assert_eq!(of(0x18, "20240229120000Z"), Some(1_709_208_000));
        assert_eq!(of(0x17, "250326175633"), None);
    }

    #[test]
    fn what_is_no_signature_is_said_so() {
        let of = |sign: &str| verify(b"file", sign, &[]);
        assert_eq!(of(""), Err(SignError::NotASignature));
        assert_eq!(of("#clamsign-1.0\n"), Err(SignError::NotASignature));
        let old = "#clamsign-1.0\n1:200:pkcs7-pem:AAAA\n";
        assert_eq!(of(old), Err(SignError::NotASignature));
        let broken = "#clamsign-1.0\n230::pkcs7-pem:AAAA\n";
        assert_eq!(of(broken), Err(SignError::Broken("message")));
        let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(Certificate::from_pem(text), Err(SignError::NotACertificate));
    }
}
