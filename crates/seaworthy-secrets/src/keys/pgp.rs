//! OpenPGP secret keys (RFC 9580, sections 4.2 and 5.5.3): the first packet tells enough.

use seaworthy_core::PrivateKeyFacts;

use super::der::bits;

pub(super) fn private(bytes: &[u8]) -> Option<PrivateKeyFacts> {
    let body = secret_packet(bytes)?;
    let (&version, rest) = body.split_first()?;
    // Four bytes of time stand before the algorithm; from version 5 on four of length behind.
    let (&algorithm, rest) = rest.get(4..)?.split_first()?;
    let mut rest = match version {
        4 => rest,
        5 | 6 => rest.get(4..)?,
        _ => return None,
    };
    let number = |rest: &mut &[u8]| {
        let (size, behind) = rest.split_first_chunk::<2>()?;
        let size = usize::from(u16::from_be_bytes(*size));
        let (digits, behind) = behind.split_at_checked(size.div_ceil(8))?;
        *rest = behind;
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        Some(bits(digits.get(zeros..)?))
    };
    let (name, size) = match algorithm {
        1..=3 => {
            let size = number(&mut rest)?;
            number(&mut rest)?;
            ("RSA", size)
        }
        16 | 17 => {
            let size = number(&mut rest)?;
            for _ in 0..if algorithm == 16 { 2 } else { 3 } {
                number(&mut rest)?;
            }
            (if algorithm == 16 { "ElGamal" } else { "DSA" }, size)
        }
        18 | 19 | 22 => {
            let (&length, behind) = rest.split_first()?;
            rest = behind.get(usize::from(length)..)?;
            let size = number(&mut rest)?;
            if algorithm == 18 {
                let (&length, behind) = rest.split_first()?;
                rest = behind.get(usize::from(length)..)?;
            }
            (if algorithm == 22 { "EdDSA" } else { "EC" }, size)
        }
        25 | 27 => {
            rest = rest.get(32..)?;
            (if algorithm == 27 { "Ed25519" } else { "X25519" }, 256)
        }
        26 | 28 => {
            rest = rest.get(if algorithm == 28 { 57 } else { 56 }..)?;
            (if algorithm == 28 { "Ed448" } else { "X448" }, 448)
        }
        _ => return None,
    };
    let usage = *rest.first()?;
    // GNU's dummy: the secret half lies on a card (doc/DETAILS of GnuPG, "GNU extensions").
    if usage >= 253 && rest.get(2..).is_some_and(|s2k| s2k.starts_with(&[101])) {
        return None;
    }
    let has_secret = rest.len() > 8;
    (has_secret && size > 0).then(|| PrivateKeyFacts {
        algorithm: format!("PGP {name}"),
        bits: Some(size),
        encrypted: usage != 0,
        public: None,
    })
}

/// The body of the first packet, which must be a secret key (tag 5).
fn secret_packet(bytes: &[u8]) -> Option<&[u8]> {
    let (&head, rest) = bytes.split_first()?;
    if head & 0xc0 == 0xc0 {
        if head & 0x3f != 5 {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..192 => (usize::from(first), rest),
            192..224 => {
                let (&second, rest) = rest.split_first()?;
                (
                    (usize::from(first) - 192) * 256 + usize::from(second) + 192,
                    rest,
                )
            }
            255 => {
                let (digits, rest) = rest.split_first_chunk::<4>()?;
                (usize::try_from(u32::from_be_bytes(*digits)).ok()?, rest)
            }
            _ => return None,
        };
        return rest.get(..length);
    }
    if head & 0xfc != 0x94 {
        return None;
    }
    let (length, rest) = match head & 3 {
        0 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        1 => {
            let (digits, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*digits)), rest)
        }
        2 => {
            let (digits, rest) = rest.split_first_chunk::<4>()?;
            (usize::try_from(u32::from_be_bytes(*digits)).ok()?, rest)
        }
        _ => (rest.len(), rest),
    };
    rest.get(..length)
}
