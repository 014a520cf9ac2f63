//! Keys that should not be in an image: one copied in and deleted again, which hides nothing,
//! and a pair in the environment.
//!
//! All are made up: they have the form of keys and open nothing.

use seaworthy_engine::MemoryLayer;

use super::Threat;

pub const COPIED: Threat = Threat {
    summary: "an SSH key that came in with the sources, and an AWS key pair in the environment",
    created_by: "COPY . /srv/app # with the .ssh folder in it",
    plant: copy,
    env: &[
        concat!("AWS_ACCESS_KEY_ID=AKIA", "Q3EGWT5R", "LMZ7XYPK"),
        concat!(
            "AWS_SECRET_ACCESS_KEY=",
            "hT7vQ2mZr9Kc4Xw1",
            "Lb8NpYd6Gs3Jf5Ua0EoRiVkB"
        ),
    ],
};

pub const DELETED: Threat = Threat {
    summary: "a later layer that deletes the SSH key, and so only hides it",
    created_by: "RUN rm -r /srv/app/.ssh",
    plant: delete,
    env: &[],
};

const KEY: &str = "srv/app/.ssh/id_rsa";

fn copy(layer: MemoryLayer) -> MemoryLayer {
    layer.file(KEY, private_key())
}

fn delete(layer: MemoryLayer) -> MemoryLayer {
    layer.whiteout(KEY)
}

/// A private key that has the form of one (RFC 8017, A.1.2) and whose numbers a counter made.
fn private_key() -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 0x5ea_u32;
    let mut number = |bytes: usize| -> Vec<u8> {
        let next = std::iter::repeat_with(|| {
            // A linear congruential generator (Numerical Recipes): its high bits are mixed well.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        let mut digits: Vec<u8> = next.take(bytes).collect();
        // Neither negative nor short nor even.
        digits[0] = digits[0] & 0x7f | 0x40;
        digits[bytes - 1] |= 1;
        digits
    };
    let (mut modulus, p, q) = (number(256), number(128), number(128));
    // The last digits of the product of the two, which is all that anybody checks.
    let last = |digits: &[u8]| {
        let tail = digits.iter().skip(digits.len() - 8);
        tail.fold(0_u64, |sum, digit| sum << 8 | u64::from(*digit))
    };
    let product = last(&p).wrapping_mul(last(&q)).to_be_bytes();
    modulus.splice(248.., product);
    let rest = [number(256), p, q, number(128), number(128), number(128)];
    let numbers = [vec![0], modulus, vec![1, 0, 1]].into_iter().chain(rest);
    let body: Vec<u8> = numbers.flat_map(|digits| der(0x02, &digits)).collect();
    let key = der(0x30, &body);
    let mut letters = String::new();
    for three in key.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, place| {
            bits << 8 | u32::from(three.get(place).copied().unwrap_or(0))
        });
        for place in 0..=three.len() {
            letters.push(char::from(
                LETTERS[(bits >> (18 - 6 * place) & 63) as usize],
            ));
        }
    }
    while !letters.len().is_multiple_of(4) {
        letters.push('=');
    }
    let mut text = String::from("-----BEGIN RSA PRIVATE KEY-----\n");
    for (place, letter) in letters.chars().enumerate() {
        text.push(letter);
        if place % 64 == 63 {
            text.push('\n');
        }
    }
    text.push_str("\n-----END RSA PRIVATE KEY-----\n");
    text
}

/// Tag, length and content (ITU-T X.690).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let head = match (high, low) {
        (0, 0..128) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&head, content].concat()
}
