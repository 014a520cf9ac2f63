//! Values that stand where a secret would: examples, variables, masks.

/// Words that say "not a real one" wherever they stand in a value.
const WORDS: &[&str] = &[
    "example",
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "your_",
    "your-",
    "yourtoken",
    "yourkey",
    "yoursecret",
    "yourpassword",
    "insert",
    "replace",
    "dummy",
    "sample",
    "fixme",
    "notreal",
    "not-real",
    "redacted",
    "xxxxxx",
    "abcdefgh",
    "12345678",
    "123abc",
    "lorem",
    "foobar",
    "deadbeef",
    "mysecret",
    "my_secret",
    "my-secret",
    "somevalue",
    "testtest",
    "<",
    "${",
    "{{",
    "%(",
    "$(",
    "...",
    "****",
    "____",
    "todo",
];

/// Values that are the name of what should stand there, or a well-known default.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "secret",
    "token",
    "changeit",
    "username",
    "keypass",
    "storepass",
];

/// Whether a value is an example, a variable or a mask and no secret.
pub fn is_placeholder(value: &[u8]) -> bool {
    let folded = value.to_ascii_lowercase();
    if WORDS.iter().any(|word| contains(&folded, word.as_bytes())) {
        return true;
    }
    let is_quote = |b: &u8| matches!(b, b'"' | b'\'' | b'`' | b'$');
    let start = folded.iter().position(|b| !is_quote(b)).unwrap_or(0);
    let end = folded
        .iter()
        .rposition(|b| !is_quote(b))
        .map_or(0, |end| end + 1);
    let bare = folded.get(start..end).unwrap_or_default();
    if NAMES.iter().any(|name| bare == name.as_bytes()) {
        return true;
    }
    // The name of a variable: `DOCKER_PASSWORD`.
    if value.contains(&b'_') && value.iter().all(|b| b.is_ascii_uppercase() || *b == b'_') {
        return true;
    }
    // One or two symbols all over: masks such as `0000-0000`.
    let mut seen = [false; 256];
    for byte in value.iter().filter(|b| b.is_ascii_alphanumeric()) {
        seen[usize::from(*byte)] = true;
    }
    if seen.iter().filter(|s| **s).count() <= 2 {
        return true;
    }
    longest_run(value, |a, b| a == b) >= 6 || longest_run(value, |a, b| b == a.wrapping_add(1)) >= 8
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

/// Length of the longest run in which each byte follows its predecessor by `next`.
fn longest_run(value: &[u8], next: impl Fn(u8, u8) -> bool) -> usize {
    let (mut longest, mut run) = (0, 1);
    for pair in value.windows(2) {
        run = if next(pair[0], pair[1]) { run + 1 } else { 1 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_masks_and_sequences_are_no_secrets() {
        for value in [
            "AKIAIOSFODNN7EXAMPLE",
            "xxxxxxxxxxxx",
            "${API_TOKEN}",
            "changeme123",
            "0000-0000-0000",
            "abcdefghijklmnop",
            "1111112222",
            "DOCKER_PASSWORD",
            "\"PASSWORD\"",
            "changeit",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        assert!(!is_placeholder(b"q8Zr2LmX0vTn5KdY"));
    }
}
