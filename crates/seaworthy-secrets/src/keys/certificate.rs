//! X.509 certificates (RFC 5280, section 4.1): whose public key it is.

use seaworthy_core::{PublicKeyEvidence, PublicKeyKind};

use super::der::{INTEGER, OBJECT_ID, Reader, SET};
use super::public::name_of;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANISATION: &[u8] = &[0x55, 4, 10];

/// Subject and public key; `None` for what is no certificate.
pub(super) fn read(bytes: &[u8]) -> Option<PublicKeyEvidence> {
    let mut signed = Reader::new(bytes).sequence()?.sequence()?;
    signed.optional(0xa0);
    signed.take(INTEGER)?;
    signed.sequence()?;
    signed.sequence()?;
    signed.sequence()?;
    let subject = signed.sequence()?;
    let key = signed.any()?;
    let mut inner = Reader::new(key.content);
    inner.sequence()?.take(OBJECT_ID)?;
    Some(PublicKeyEvidence {
        kind: PublicKeyKind::Certificate,
        spki_sha256: name_of(key.whole),
        name: name(subject, COMMON_NAME)
            .map(|text| format!("CN={text}"))
            .or_else(|| name(subject, ORGANISATION).map(|text| format!("O={text}"))),
    })
}

fn name(mut subject: Reader<'_>, wanted: &[u8]) -> Option<String> {
    while let Some(part) = subject.take(SET) {
        let mut pair = Reader::new(part).sequence()?;
        let id = pair.take(OBJECT_ID)?;
        let value = pair.any()?;
        if id == wanted {
            let text = String::from_utf8_lossy(value.content);
            return Some(text.chars().filter(|c| !c.is_control()).take(80).collect());
        }
    }
    None
}
