//! Texts in other clothes: UTF-16, base64, hexadecimal, percent escapes.
//!
//! Every byte is looked at only as far as it must be. A token of base64 or hexadecimal letters
//! of at least [`TOKEN`] bytes holds one of every [`TOKEN`] positions, so only those are looked
//! at; a token is decoded only if its first letters decode to printable text, which one token
//! in thousands does by chance. What comes out is searched like a file, [`DEPTH`] times over.
//!
//! Left out: compressed texts in base64, `\uXXXX` escapes, and tokens of UTF-16 inside
//! binaries.

use std::ops::Range;

/// Shortest token that is decoded, in bytes.
const TOKEN: usize = 24;
/// Longest, in bytes; what comes behind it is left alone.
const TOKEN_BYTES: usize = 1 << 20;
/// How often what was decoded is searched for more.
pub const DEPTH: u32 = 2;
/// Letters of a token that are tried first.
const PROBE: usize = 16;
/// A decoded text up to this size is taken for configuration, where bare values count.
pub const CONFIGURATION_BYTES: usize = 1 << 10;

/// A text that was decoded, and where it came from.
pub struct Decoded {
    /// `base64`, `hex`, `percent`, `utf-16`.
    pub how: &'static str,
    pub text: Vec<u8>,
    /// Where the token lies.
    token: Range<usize>,
    /// How many encoded bytes stand for how many decoded ones.
    ratio: (usize, usize),
}

impl Decoded {
    /// The encoded bytes that a range of the decoded text came from; for wrapped base64 and
    /// percent escapes only about so.
    pub fn place(&self, range: &Range<usize>) -> Range<usize> {
        let (encoded, decoded) = self.ratio;
        let last = self.token.end.saturating_sub(1).max(self.token.start);
        let start = (self.token.start + range.start * encoded / decoded).min(last);
        let end = (self.token.start + (range.end * encoded).div_ceil(decoded)).min(self.token.end);
        start..end.max(start + 1)
    }
}

/// Calls `found` for each decoded text in the haystack, in no particular order.
pub fn texts(haystack: &[u8], mut found: impl FnMut(Decoded)) {
    if let Some(decoded) = utf16(haystack) {
        found(decoded);
        return;
    }
    tokens(haystack, &mut found);
    percent(haystack, &mut found);
}

const NONE: u8 = 255;

/// Values of base64 letters, of both alphabets.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut i = 0_u8;
    while i < 26 {
        values[(b'A' + i) as usize] = i;
        values[(b'a' + i) as usize] = i + 26;
        i += 1;
    }
    let mut i = 0_u8;
    while i < 10 {
        values[(b'0' + i) as usize] = i + 52;
        i += 1;
    }
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    values
};

fn value(byte: u8) -> u8 {
    VALUES[usize::from(byte)]
}

fn tokens(haystack: &[u8], found: &mut impl FnMut(Decoded)) {
    let mut at = TOKEN - 1;
    let mut floor = 0;
    while let Some(&byte) = haystack.get(at) {
        if value(byte) == NONE {
            at += TOKEN;
            continue;
        }
        let back = haystack[floor..at]
            .iter()
            .rev()
            .take_while(|b| value(**b) != NONE)
            .count();
        let start = at - back;
        let ahead = haystack[at..]
            .iter()
            .take(TOKEN_BYTES)
            .take_while(|b| value(**b) != NONE)
            .count();
        let mut end = at + ahead;
        if end - start >= TOKEN {
            if is_promising(&haystack[start..]) {
                end = wrapped(haystack, start, end);
                if let Some(decoded) = base64(haystack, start..end) {
                    found(decoded);
                }
            } else if let Some(decoded) = hex(haystack, start..end) {
                found(decoded);
            }
        }
        floor = end;
        at = end + TOKEN;
    }
}

/// Whether the first letters decode to printable text, or to printable text in UTF-16.
fn is_promising(token: &[u8]) -> bool {
    let Some(probe) = token.get(..PROBE) else {
        return false;
    };
    let mut zeros = 0;
    let mut place = 0;
    for four in probe.chunks_exact(4) {
        for byte in quantum(four) {
            // `p\0a\0`: little-endian UTF-16.
            if byte == 0 && place % 2 == 1 {
                zeros += 1;
            } else if !is_text(byte) {
                return false;
            }
            place += 1;
        }
    }
    zeros == 0 || zeros == PROBE / 4 * 3 / 2
}

fn quantum(four: &[u8]) -> [u8; 3] {
    let bits = four
        .iter()
        .fold(0_u32, |bits, byte| bits << 6 | u32::from(value(*byte) & 63));
    let [_, a, b, c] = bits.to_be_bytes();
    [a, b, c]
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')
}

/// The end of a token that goes on over line breaks, as `base64` writes it.
fn wrapped(haystack: &[u8], start: usize, end: usize) -> usize {
    let line = end - start;
    if line < 60 || !line.is_multiple_of(4) {
        return end;
    }
    let mut end = end;
    while end - start < TOKEN_BYTES {
        let rest = &haystack[end..];
        let blank = rest
            .iter()
            .take(34)
            .take_while(|b| b.is_ascii_whitespace())
            .count();
        let letters = rest[blank..]
            .iter()
            .take(line + 1)
            .take_while(|b| value(**b) != NONE)
            .count();
        let has_break = rest[..blank].contains(&b'\n');
        if !has_break || letters == 0 || letters > line {
            break;
        }
        end += blank + letters;
        if letters < line {
            break;
        }
    }
    end
}

fn base64(haystack: &[u8], token: Range<usize>) -> Option<Decoded> {
    let letters: Vec<u8> = haystack[token.clone()]
        .iter()
        .copied()
        .filter(|b| value(*b) != NONE)
        .collect();
    let mut text = Vec::with_capacity(letters.len() / 4 * 3);
    let mut is_wide = false;
    for (number, four) in letters.chunks(4).enumerate() {
        let mut whole = [b'A'; 4];
        whole[..four.len()].copy_from_slice(four);
        let bytes = quantum(&whole);
        let bytes = &bytes[..four.len() * 3 / 4];
        if number == 0 {
            is_wide = bytes.get(1) == Some(&0);
        }
        if !bytes
            .iter()
            .all(|b| is_text(*b) || (is_wide && *b == 0) || *b >= 0x80)
        {
            break;
        }
        text.extend_from_slice(bytes);
    }
    (text.len() >= PROBE).then_some(Decoded {
        how: "base64",
        text,
        token,
        ratio: (4, 3),
    })
}

fn hex(haystack: &[u8], token: Range<usize>) -> Option<Decoded> {
    let digits = &haystack[token.clone()];
    if digits.len() < 2 * TOKEN || !digits[..PROBE].iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut text = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks_exact(2) {
        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
            break;
        };
        let byte = high << 4 | low;
        if !is_text(byte) {
            break;
        }
        text.push(byte);
    }
    (text.len() >= PROBE).then_some(Decoded {
        how: "hex",
        text,
        token,
        ratio: (2, 1),
    })
}

/// Only around `://` in escapes: URLs with a password are what is written so.
fn percent(haystack: &[u8], found: &mut impl FnMut(Decoded)) {
    let mut end_of_last = 0;
    let mut places: Vec<usize> = Vec::new();
    for needle in [&b"%3A%2F%2F"[..], b"%3a%2f%2f"] {
        places.extend(memchr::memmem::find_iter(haystack, needle).take(1000));
    }
    places.sort_unstable();
    for at in places {
        if at < end_of_last {
            continue;
        }
        let is_inside = |b: &&u8| b.is_ascii_alphanumeric() || b"%._~+-".contains(b);
        let back = haystack[..at]
            .iter()
            .rev()
            .take(64)
            .take_while(is_inside)
            .count();
        let ahead = haystack[at..]
            .iter()
            .take(512)
            .take_while(is_inside)
            .count();
        let token = at - back..at + ahead;
        end_of_last = token.end;
        let mut text = Vec::with_capacity(token.len());
        let mut bytes = haystack[token.clone()].iter();
        while let Some(&byte) = bytes.next() {
            let escaped = bytes.as_slice().get(..2).filter(|_| byte == b'%');
            let decoded = escaped
                .and_then(|pair| std::str::from_utf8(pair).ok())
                .and_then(|pair| u8::from_str_radix(pair, 16).ok());
            match decoded {
                Some(decoded) => {
                    text.push(decoded);
                    bytes.next();
                    bytes.next();
                }
                None => text.push(byte),
            }
        }
        let ratio = (token.len().max(1), text.len().max(1));
        found(Decoded {
            how: "percent",
            text,
            token,
            ratio,
        });
    }
}

/// A text in UTF-16 of either byte order, told by the zeros in its first letters. Letters
/// beyond ASCII become question marks: no token has them.
fn utf16(haystack: &[u8]) -> Option<Decoded> {
    let head = haystack.get(..haystack.len().min(64))?;
    if head.len() < 16 {
        return None;
    }
    // A byte order mark is two bytes, so it does not change which byte is the high one.
    let zeros = |parity: usize| {
        head.iter()
            .skip(parity)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    let pairs = head.len() / 2;
    let high = match (zeros(0), zeros(1)) {
        (0 | 1, odd) if odd + 2 >= pairs => 1,
        (even, 0 | 1) if even + 2 >= pairs => 0,
        _ => return None,
    };
    let text = haystack
        .chunks_exact(2)
        .map(|pair| match (pair[high], pair[1 - high]) {
            (0, low) if low < 0x80 => low,
            _ => b'?',
        })
        .collect();
    Some(Decoded {
        how: "utf-16",
        text,
        token: 0..haystack.len(),
        ratio: (2, 1),
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "DB_PASSWORD=q8Zr2LmX0vTn5KdY\nuser=sailor";

    fn decode(haystack: &[u8]) -> Vec<(&'static str, String)> {
        let mut out = Vec::new();
        texts(haystack, |decoded| {
            out.push((
                decoded.how,
                String::from_utf8_lossy(&decoded.text).into_owned(),
            ));
        });
        out
    }

    #[test]
    fn base64_at_any_place_is_decoded_once() {
        for encoded in [STANDARD.encode(TEXT), URL_SAFE_NO_PAD.encode(TEXT)] {
            for padding in 0..50 {
                let text = format!("{}={encoded} tail", " ".repeat(padding));
                assert_eq!(
                    decode(text.as_bytes()),
                    [("base64", TEXT.to_owned())],
                    "{padding}"
                );
            }
        }
    }

    #[test]
    fn wrapped_base64_is_one_text() {
        let long = TEXT.repeat(5);
        let encoded = STANDARD.encode(&long);
        let lines: Vec<&str> = (0..encoded.len())
            .step_by(76)
            .map(|at| &encoded[at..encoded.len().min(at + 76)])
            .collect();
        assert_eq!(decode(lines.join("\n  ").as_bytes()), [("base64", long)]);
    }

    #[test]
    fn places_in_base64_are_those_of_the_letters() {
        let encoded = format!("x: {}", STANDARD.encode(TEXT));
        texts(encoded.as_bytes(), |decoded| {
            let at = decoded.place(&(12..28));
            assert_eq!(at, 3 + 16..3 + 38);
        });
    }

    #[test]
    fn hexadecimal_percent_and_utf16_are_decoded() {
        let hex: String = TEXT.bytes().map(|b| format!("{b:02x}")).collect();
        assert_eq!(decode(hex.as_bytes()), [("hex", TEXT.to_owned())]);
        assert_eq!(
            decode(b"url=mysql%3A%2F%2Fu%3Apw%40h"),
            [("percent", "mysql://u:pw@h".to_owned())]
        );
        let wide: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&wide), [("utf-16", TEXT.to_owned())]);
        let mut wide: Vec<u8> = vec![0xfe, 0xff];
        wide.extend(TEXT.encode_utf16().flat_map(u16::to_be_bytes));
        assert_eq!(decode(&wide), [("utf-16", format!("?{TEXT}"))]);
    }

    #[test]
    fn paths_names_and_random_letters_are_left_alone() {
        for text in [
            "usr/lib/python3/dist-packages/some/module/with/long/name",
            "someVeryLongIdentifierInCamelCaseThatGoesOnAndOn",
            "d41d8cd98f00b204e9800998ecf8427e2b8c9d41d8cd98f00b204e9800998ecf8427e",
        ] {
            assert_eq!(decode(text.as_bytes()), [], "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_places_inside_them(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            texts(&bytes, |decoded| {
                let place = decoded.place(&(0..decoded.text.len()));
                assert!(place.end <= bytes.len().max(1) && place.start < place.end);
            });
        }
    }
}
