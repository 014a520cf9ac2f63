//! Keys made in code: they have the form of keys, and nobody trusts them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::der::{
    BIT_STRING, INTEGER, NULL, OBJECT_ID, OCTET_STRING, SEQUENCE, SET, element, number,
};
use super::private::{EC, ED25519, RSA};

/// Digits that look random and are the same each time.
pub fn digits(count: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed).wrapping_add(77);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0] | 1
        })
        .collect()
}

/// Modulus, and the two numbers that stand for its primes.
fn modulus(bytes: usize) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (mut p, mut q) = (digits(bytes / 2, 1), digits(bytes / 2, 2));
    p[0] |= 0xc0;
    q[0] |= 0xc0;
    let mut product = vec![0_u8; bytes];
    for (i, a) in p.iter().rev().enumerate() {
        let mut carry = 0_u32;
        for (j, b) in q.iter().rev().enumerate() {
            let place = bytes - 1 - i - j;
            let sum = u32::from(product[place]) + u32::from(*a) * u32::from(*b) + carry;
            product[place] = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        if let Some(place) = (bytes - 1 - i).checked_sub(q.len()) {
            product[place] = u8::try_from(carry).unwrap_or_default();
        }
    }
    (product, p, q)
}

pub fn rsa() -> Vec<u8> {
    let (n, p, q) = modulus(256);
    let d = digits(255, 3);
    let half = digits(127, 4);
    element(
        SEQUENCE,
        &[
            &number(&[0]),
            &number(&n),
            &number(&[1, 0, 1]),
            &number(&d),
            &number(&p),
            &number(&q),
            &number(&half),
            &number(&half),
            &number(&half),
        ],
    )
}

fn rsa_spki() -> Vec<u8> {
    let (n, ..) = modulus(256);
    let key = element(SEQUENCE, &[&number(&n), &number(&[1, 0, 1])]);
    element(
        SEQUENCE,
        &[
            &element(
                SEQUENCE,
                &[&element(OBJECT_ID, &[RSA]), &element(NULL, &[])],
            ),
            &element(BIT_STRING, &[&[0], &key]),
        ],
    )
}

/// A certificate for the RSA key.
pub fn certificate(common_name: &str) -> Vec<u8> {
    let name = element(
        SEQUENCE,
        &[&element(
            SET,
            &[&element(
                SEQUENCE,
                &[
                    &element(OBJECT_ID, &[&[0x55, 4, 3]]),
                    &element(0x0c, &[common_name.as_bytes()]),
                ],
            )],
        )],
    );
    let algorithm = element(SEQUENCE, &[&element(OBJECT_ID, &[RSA])]);
    let signed = element(
        SEQUENCE,
        &[
            &element(0xa0, &[&element(INTEGER, &[&[2]])]),
            &number(&[9]),
            &algorithm,
            &name,
            &element(SEQUENCE, &[]),
            &name,
            &rsa_spki(),
        ],
    );
    element(
        SEQUENCE,
        &[&signed, &algorithm, &element(BIT_STRING, &[&[0, 1]])],
    )
}

pub fn ec() -> Vec<u8> {
    let curve = element(OBJECT_ID, &[super::private::CURVES[0].0]);
    let mut point = vec![0, 4];
    point.extend(digits(64, 5));
    element(
        SEQUENCE,
        &[
            &number(&[1]),
            &element(OCTET_STRING, &[&digits(32, 6)]),
            &element(0xa0, &[&curve]),
            &element(0xa1, &[&element(BIT_STRING, &[&point])]),
        ],
    )
}

pub fn pkcs8(algorithm: &[&[u8]], key: &[u8]) -> Vec<u8> {
    element(
        SEQUENCE,
        &[
            &number(&[0]),
            &element(SEQUENCE, algorithm),
            &element(OCTET_STRING, &[key]),
        ],
    )
}

pub fn pkcs8_rsa() -> Vec<u8> {
    pkcs8(&[&element(OBJECT_ID, &[RSA]), &element(NULL, &[])], &rsa())
}

pub fn pkcs8_ec() -> Vec<u8> {
    let curve = element(OBJECT_ID, &[super::private::CURVES[0].0]);
    pkcs8(&[&element(OBJECT_ID, &[EC]), &curve], &ec())
}

pub fn pkcs8_ed25519() -> Vec<u8> {
    pkcs8(
        &[&element(OBJECT_ID, &[ED25519])],
        &element(OCTET_STRING, &[&[7; 32]]),
    )
}

/// The public half of [`pkcs8_ed25519`], as an SSH blob.
pub fn ssh_public() -> Vec<u8> {
    let point = ed25519_dalek::SigningKey::from_bytes(&[7; 32])
        .verifying_key()
        .to_bytes();
    [string(b"ssh-ed25519"), string(&point)].concat()
}

pub fn string(text: &[u8]) -> Vec<u8> {
    [
        &u32::try_from(text.len()).unwrap_or_default().to_be_bytes()[..],
        text,
    ]
    .concat()
}

pub fn openssh(cipher: &str) -> Vec<u8> {
    [
        b"openssh-key-v1\0".to_vec(),
        string(cipher.as_bytes()),
        string(b"none"),
        string(b""),
        vec![0, 0, 0, 1],
        string(&ssh_public()),
        string(&[[9; 8].to_vec(), digits(120, 8)].concat()),
    ]
    .concat()
}

pub fn putty(encryption: &str) -> String {
    format!(
        "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: {encryption}\r\nComment: c\r\n\
         Public-Lines: 1\r\n{}\r\nPrivate-Lines: 1\r\n{}\r\n",
        STANDARD.encode(ssh_public()),
        STANDARD.encode(digits(48, 9))
    )
}

/// A secret key packet of version 4; `usage` 0 is in clear, 254 under a passphrase.
pub fn pgp(usage: u8) -> Vec<u8> {
    let (n, ..) = modulus(256);
    let body = [
        vec![4, 1, 2, 3, 4, 1],
        vec![8, 0],
        n,
        vec![0, 17, 1, 0, 1],
        vec![usage],
        digits(200, 10),
    ]
    .concat();
    [
        vec![0x95],
        u16::try_from(body.len())
            .unwrap_or_default()
            .to_be_bytes()
            .to_vec(),
        body,
    ]
    .concat()
}

pub fn armoured(label: &str, content: &[u8]) -> String {
    let letters = STANDARD.encode(content);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in letters.as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).unwrap_or_default());
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
