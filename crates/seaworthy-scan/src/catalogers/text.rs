//! Small helpers for line-based formats.

/// The longest name, version or other single value that is believed, in bytes.
const MAX_VALUE: usize = 4096;

/// The lines of a text file, without line ends, bytes that are not UTF-8 replaced.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    bytes
        .split(|&b| b == b'\n')
        .map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)))
}

/// The value with white space cut at both ends, if it can be one: not empty, not endless,
/// and without control characters, which would reach someone's terminal.
pub(crate) fn value(text: &str) -> Option<&str> {
    let text = text.trim();
    let fine = !text.is_empty() && text.len() <= MAX_VALUE && !text.chars().any(char::is_control);
    fine.then_some(text)
}
