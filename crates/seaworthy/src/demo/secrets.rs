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

/// The armour of a private key around letters that a counter made.
fn private_key() -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 0x5ea_u32;
    let mut text = String::from("-----BEGIN RSA PRIVATE KEY-----\n");
    for _ in 0..24 {
        for _ in 0..64 {
            // A linear congruential generator (Numerical Recipes): its high bits are mixed well.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push(char::from(LETTERS[(state >> 26) as usize]));
        }
        text.push('\n');
    }
    text.push_str("-----END RSA PRIVATE KEY-----\n");
    text
}
