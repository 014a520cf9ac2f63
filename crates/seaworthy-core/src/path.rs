use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A normalised path inside an image or layer: relative to the root, components joined by
/// `/`, no empty, `.` or `..` component, no leading or trailing slash. The root itself is
/// the empty path.
///
/// Bytes that are not UTF-8 and control characters are kept apart by escaping them as
/// `\xNN` (a backslash itself as `\x5c` only where it would read as such an escape), so
/// that two different names stay different and a name can be printed safely.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImagePath(Box<str>);

impl ImagePath {
    /// Normalises the raw bytes of a path from an archive or directory.
    ///
    /// Leading slashes and `.` components are dropped. Returns `None` when a `..`
    /// component would step out of the root or the name holds a NUL: such an entry is
    /// never followed, and the caller reports it.
    pub fn from_bytes(raw: &[u8]) -> Option<ImagePath> {
        if raw.contains(&0) {
            return None;
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in raw.split(|&b| b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        let mut text = String::with_capacity(raw.len());
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                text.push('/');
            }
            escape_into(part, &mut text);
        }
        Some(ImagePath(text.into_boxed_str()))
    }

    /// Normalises a path known to the program, such as one in a rule or a test.
    ///
    /// Returns the root for a path that leaves it.
    pub fn new(text: &str) -> ImagePath {
        ImagePath::from_bytes(text.as_bytes()).unwrap_or_default()
    }

    /// The path as text, without a leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component, or the empty string for the root.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The containing directory, or `None` for the root.
    pub fn parent(&self) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        Some(self.0.rsplit_once('/').map_or("", |(parent, _)| parent))
    }

    /// Whether this path is `dir` or lies below it. Everything is within the root.
    pub fn is_within(&self, dir: &str) -> bool {
        dir.is_empty()
            || self
                .0
                .strip_prefix(dir)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// All proper ancestors, nearest first, ending with the root (`""`).
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        let mut rest: Option<&str> = Some(&self.0);
        std::iter::from_fn(move || {
            let current = rest?;
            if current.is_empty() {
                rest = None;
                return None;
            }
            let parent = current.rsplit_once('/').map_or("", |(parent, _)| parent);
            rest = Some(parent);
            Some(parent)
        })
    }

    /// The containing directory as a path of its own; the root's is the root.
    #[must_use]
    pub fn parent_path(&self) -> ImagePath {
        ImagePath(self.parent().unwrap_or_default().into())
    }

    /// The same path with another last component, in the spelling of a path (escaped
    /// already). Nothing changes for a name that is no single component.
    #[must_use]
    pub fn with_file_name(&self, name: &str) -> ImagePath {
        if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
            return self.clone();
        }
        match self.parent() {
            None | Some("") => ImagePath(name.into()),
            Some(parent) => ImagePath(format!("{parent}/{name}").into()),
        }
    }

    /// The path of `name` in this directory. `name` is normalised too.
    pub fn join(&self, name: &str) -> ImagePath {
        ImagePath::new(&format!("{}/{name}", self.0))
    }
}

fn escape_into(part: &[u8], text: &mut String) {
    use fmt::Write as _;
    // Nearly every name is plain: one check, one copy.
    if let Ok(plain) = std::str::from_utf8(part)
        && !plain.chars().any(char::is_control)
        && !plain.contains("\\x")
    {
        text.push_str(plain);
        return;
    }
    for chunk in part.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' {
                let mut buffer = [0; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
}

impl Borrow<str> for ImagePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ImagePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0)
    }
}

impl fmt::Debug for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &[u8], expected: Option<&str>) {
        assert_eq!(
            ImagePath::from_bytes(raw).as_ref().map(ImagePath::as_str),
            expected
        );
    }

    #[test]
    fn every_spelling_of_a_path_is_the_same_path() {
        for raw in [
            "etc/passwd",
            "/etc/passwd",
            "./etc//passwd/",
            "etc/x/../passwd",
        ] {
            check(raw.as_bytes(), Some("etc/passwd"));
        }
        check(b"./", Some(""));
    }

    #[test]
    fn a_path_that_leaves_the_root_is_none() {
        check(b"../etc/passwd", None);
        check(b"etc/../../passwd", None);
        check(b"etc\0passwd", None);
    }

    #[test]
    fn odd_bytes_stay_distinct_and_printable() {
        check(b"a\xffb", Some("a\\xffb"));
        check(b"a\\xffb", Some("a\\x5cxffb"));
        check(b"a\nb", Some("a\\x0ab"));
        check("gr\u{fc}n".as_bytes(), Some("gr\u{fc}n"));
    }

    #[test]
    fn parts_of_an_escaped_path_are_not_escaped_again() {
        let path = ImagePath::from_bytes(b"a\xff/.wh.b\xff").unwrap();
        assert_eq!(path.parent_path().as_str(), "a\\xff");
        let name = path.file_name().strip_prefix(".wh.").unwrap();
        let expected = ImagePath::from_bytes(b"a\xff/b\xff").unwrap();
        assert_eq!(path.with_file_name(name), expected);
        assert_eq!(path.with_file_name(".."), path);
        assert_eq!(ImagePath::new("a").with_file_name("b").as_str(), "b");
    }

    #[test]
    fn ancestors_end_at_the_root() {
        let path = ImagePath::new("a/b/c");
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a/b", "a", ""]);
        assert!(path.is_within("a/b") && path.is_within("") && !path.is_within("a/bc"));
    }
}
