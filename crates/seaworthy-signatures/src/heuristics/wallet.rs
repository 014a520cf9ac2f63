//! Addresses of cryptocurrency wallets, believed only when their checksum is right.
//!
//! * Monero: base58 in blocks of 8 bytes (11 characters), network byte, two keys, the first
//!   four bytes of Keccak-256; 95 characters, 106 with a payment id (Monero "Standard
//!   addresses", CryptoNote standard 007).
//! * Bitcoin, Litecoin, Dogecoin, Dash, Zcash (transparent), Ravencoin: base58check, 25 or 26
//!   bytes, double SHA-256.
//! * Bitcoin, Litecoin: bech32 and bech32m (BIP 173, BIP 350).
//! * Ethereum and its kin: the mixed-case checksum of EIP-55; an address in one case has none
//!   and is passed over.

use sha2::{Digest as _, Sha256};

use super::keccak::keccak256;

/// The coin of the address that `word` is, if it is one and its checksum is right.
pub(super) fn coin(word: &str) -> Option<&'static str> {
    match word.len() {
        95 | 106 if word.is_ascii() => monero(word),
        42 if word.starts_with("0x") => ethereum(word),
        42 | 62 if word.starts_with("bc1") || word.starts_with("BC1") => {
            bech32(word).then_some("Bitcoin")
        }
        43 | 63 if word.starts_with("ltc1") => bech32(word).then_some("Litecoin"),
        26..=35 => base58_check(word),
        _ => None,
    }
}

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

fn digit(b: u8) -> Option<u64> {
    let at = ALPHABET.iter().position(|&known| known == b)?;
    u64::try_from(at).ok()
}

fn monero(word: &str) -> Option<&'static str> {
    // Nearly every word of this length fails here.
    if !word.starts_with(['4', '8']) {
        return None;
    }
    let mut bytes = Vec::with_capacity(80);
    for block in word.as_bytes().chunks(11) {
        let mut number: u128 = 0;
        for &b in block {
            number = number * 58 + u128::from(digit(b)?);
        }
        let size = match block.len() {
            11 => 8,
            7 => 5,
            _ => return None,
        };
        let encoded = number.to_be_bytes();
        let (zeros, rest) = encoded.split_at(16 - size);
        if zeros.iter().any(|&b| b != 0) {
            return None;
        }
        bytes.extend_from_slice(rest);
    }
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    // Network byte of the main net: address, with payment id, sub-address.
    (matches!(body.first(), Some(18 | 19 | 42)) && keccak256(body).get(..4) == Some(checksum))
        .then_some("Monero")
}

fn base58_check(word: &str) -> Option<&'static str> {
    if !word.starts_with(['1', '3', 'L', 'M', 'D', 'A', '9', 'X', 't', 'R']) {
        return None;
    }
    // A number of 26 bytes, base 256, least significant first.
    let mut bytes = [0_u8; 26];
    for b in word.bytes() {
        let mut carry = digit(b)?;
        for byte in &mut bytes {
            carry += u64::from(*byte) * 58;
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        if carry != 0 {
            return None;
        }
    }
    bytes.reverse();
    let body = match bytes.first() {
        Some(0) => bytes.get(1..)?,
        _ => &bytes,
    };
    let (body, checksum) = body.split_at_checked(body.len() - 4)?;
    if Sha256::digest(Sha256::digest(body)).get(..4) != Some(checksum) {
        return None;
    }
    match *body {
        [0 | 5, ..] if body.len() == 21 => Some("Bitcoin"),
        [0x30 | 0x32, ..] if body.len() == 21 => Some("Litecoin"),
        [0x1e | 0x16, ..] if body.len() == 21 => Some("Dogecoin"),
        [0x4c, ..] if body.len() == 21 => Some("Dash"),
        [0x3c | 0x7a, ..] if body.len() == 21 => Some("Ravencoin"),
        [0x1c, 0xb8 | 0xbd, ..] if body.len() == 22 => Some("Zcash"),
        _ => None,
    }
}

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fn bech32(word: &str) -> bool {
    let is_lower = !word.bytes().any(|b| b.is_ascii_uppercase());
    let is_upper = !word.bytes().any(|b| b.is_ascii_lowercase());
    if !is_lower && !is_upper {
        return false;
    }
    let word = word.to_ascii_lowercase();
    let Some((prefix, data)) = word.rsplit_once('1') else {
        return false;
    };
    let mut check: u32 = 1;
    let mut step = |value: u32| {
        let top = check >> 25;
        check = (check & 0x01ff_ffff) << 5 ^ value;
        for (bit, generator) in [
            0x3b6a_57b2_u32,
            0x2650_8e6d,
            0x1ea1_19fa,
            0x3d42_33dd,
            0x2a14_62b3,
        ]
        .into_iter()
        .enumerate()
        {
            if top >> bit & 1 == 1 {
                check ^= generator;
            }
        }
    };
    prefix.bytes().for_each(|b| step(u32::from(b >> 5)));
    step(0);
    prefix.bytes().for_each(|b| step(u32::from(b & 31)));
    for b in data.bytes() {
        let Some(value) = (0_u32..).zip(BECH32).find(|(_, known)| **known == b) else {
            return false;
        };
        step(value.0);
    }
    check == 1 || check == 0x2bc8_30a3
}

fn ethereum(word: &str) -> Option<&'static str> {
    let hex = word.strip_prefix("0x")?;
    let mixed =
        hex.bytes().any(|b| b.is_ascii_uppercase()) && hex.bytes().any(|b| b.is_ascii_lowercase());
    if !mixed || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let hash = keccak256(hex.to_ascii_lowercase().as_bytes());
    let right = hex.bytes().enumerate().all(|(at, b)| {
        let byte = hash.get(at / 2).copied().unwrap_or_default();
        let nibble = if at % 2 == 0 { byte >> 4 } else { byte & 15 };
        b.is_ascii_digit() || b.is_ascii_uppercase() == (nibble >= 8)
    });
    right.then_some("Ethereum")
}

/// The first wallet address in a text, with its byte. A word may have a worker's name, a coin
/// or an amount after it (`ADDRESS.worker`, `XMR:ADDRESS`).
pub(super) fn find(text: &str) -> Option<(usize, &'static str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let is_word = |b: &u8| b.is_ascii_alphanumeric();
        let len = bytes.get(at..)?.iter().take_while(|b| is_word(b)).count();
        if (26..=106).contains(&len)
            && let Some(coin) = text.get(at..at + len).and_then(coin)
        {
            return Some((at, coin));
        }
        at += len + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    // The addresses in the specifications and the donation addresses of the projects.
    const MONERO: &str = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A";

    #[test]
    fn published_addresses_are_recognised() {
        assert_eq!(coin(MONERO), Some("Monero"));
        assert_eq!(coin("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"), Some("Bitcoin"));
        assert_eq!(coin("3P14159f73E4gFr7JterCCQh9QjiTjiZrG"), Some("Bitcoin"));
        assert_eq!(
            coin("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
            Some("Bitcoin")
        );
        assert_eq!(
            coin("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"),
            Some("Bitcoin")
        );
        assert_eq!(
            coin("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
            Some("Ethereum")
        );
    }

    #[test]
    fn one_wrong_character_is_no_address() {
        for good in [
            MONERO,
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        ] {
            for at in 4..good.len() {
                let mut bad = good.as_bytes().to_vec();
                bad[at] = match bad[at] {
                    b'a' => b'b',
                    b'A' => b'B',
                    b if b.is_ascii_lowercase() => b'a',
                    b if b.is_ascii_uppercase() => b'A',
                    b'2' => b'3',
                    _ => b'2',
                };
                let bad = String::from_utf8(bad).unwrap();
                assert_eq!(coin(&bad), None, "{bad}");
            }
        }
    }

    #[test]
    fn a_worker_name_does_not_hide_the_address() {
        let text = format!("user = \"XMR:{MONERO}.rig1\"");
        assert_eq!(find(&text), Some((12, "Monero")));
        assert_eq!(find("0123456789abcdef0123456789abcdef"), None);
    }
}
