//! Names of members as text that is safe to show.
//!
//! A name is what the archive says and nothing is done with it but showing it: `..` stays.
//! Control characters, and the ones that turn the direction of text around, are escaped, so
//! that a name can neither steer a terminal nor pretend to be another.

use std::fmt::Write;

/// The most bytes of a name that are kept: what Linux allows for a path.
const MAX_NAME: usize = 4096;

/// The text of a stored name, without a leading `/` or `./`; `content` if nothing is left.
pub(crate) fn clean(raw: &[u8]) -> String {
    let mut raw = raw;
    loop {
        raw = match raw {
            [b'.', b'/', rest @ ..] | [b'/', rest @ ..] => rest,
            _ => break,
        };
    }
    let cut = raw.get(..MAX_NAME).unwrap_or(raw);
    let mut text = String::with_capacity(cut.len());
    for chunk in cut.utf8_chunks() {
        for char in chunk.valid().chars() {
            if shows_as_itself(char) {
                text.push(char);
            } else {
                // Writing to a string can't fail.
                let _ = write!(text, "{}", char.escape_unicode());
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    if text.is_empty() {
        text.push_str("content");
    }
    text
}

fn shows_as_itself(char: char) -> bool {
    !char.is_control()
        && !matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn control_and_direction_characters_are_escaped() {
        assert_eq!(clean(b"a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(clean("x\u{202e}txt.exe".as_bytes()), "x\\u{202e}txt.exe");
        assert_eq!(clean(b"caf\xe9"), "caf\\xe9");
    }

    #[test]
    fn the_way_up_stays_text() {
        assert_eq!(clean(b"./../../etc/passwd"), "../../etc/passwd");
        assert_eq!(clean(b"//etc/passwd"), "etc/passwd");
        assert_eq!(clean(b"./"), "content");
    }

    #[test]
    fn endless_names_are_cut() {
        assert_eq!(clean(&[b'a'; 10_000]).len(), 4096);
    }
}
