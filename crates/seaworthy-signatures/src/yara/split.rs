//! Cutting a rule file into its rules, so that one that does not compile costs only itself.
//!
//! Follows the lexical rules of YARA's grammar: outside comments, strings and regular
//! expressions, braces balance; a slash begins a comment or a regular expression and nothing
//! else. Whether a piece means anything is the compiler's to say.

/// What a piece of a rule file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `import "…"`.
    Import,
    /// `include "…"`, with the name.
    Include(Vec<u8>),
    /// A rule, with its name if it could be told.
    Rule(Option<String>),
    /// The same of a private rule.
    Private(Option<String>),
}

/// A piece of a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// Line on which it begins, from 1.
    pub line: usize,
    /// Its text, with spaces where comments were, so that places in it stay what they are.
    pub text: Vec<u8>,
}

/// Cuts a file. All of it but white space and comments is in some piece: what makes no sense
/// ends up in a piece that will not compile.
pub fn split(bytes: &[u8]) -> Vec<Piece> {
    let mut lexer = Lexer { bytes, at: 0 };
    let mut pieces = Vec::new();
    let mut line = 1;
    let mut counted = 0;
    // A byte order mark is no part of the rules.
    if bytes.starts_with(b"\xef\xbb\xbf") {
        lexer.at = 3;
    }
    loop {
        let before = lexer.at;
        lexer.skip_space();
        let start = lexer.at;
        if start >= bytes.len() {
            break;
        }
        let skipped = bytes.get(counted..start).unwrap_or_default();
        line += skipped.iter().filter(|byte| **byte == b'\n').count();
        counted = start;
        let (kind, text) = lexer.piece();
        pieces.push(Piece { kind, line, text });
        if lexer.at <= before {
            break;
        }
    }
    pieces
}

struct Lexer<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    /// Moves behind a comment that starts here, if one does.
    fn comment(&mut self) -> bool {
        match (self.peek(0), self.peek(1)) {
            (Some(b'/'), Some(b'/')) => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                true
            }
            (Some(b'/'), Some(b'*')) => {
                let rest = self.bytes.get(self.at + 2..).unwrap_or_default();
                let end = memchr::memmem::find(rest, b"*/").map_or(rest.len(), |end| end + 2);
                self.at += 2 + end;
                true
            }
            _ => false,
        }
    }

    fn skip_space(&mut self) {
        while self.peek(0).is_some_and(|byte| byte.is_ascii_whitespace()) || self.comment() {
            if self.peek(0).is_some_and(|byte| byte.is_ascii_whitespace()) {
                self.at += 1;
            }
        }
    }

    /// Moves behind what `end` closes, with `\` hiding the byte behind it. A line's end closes
    /// too: neither strings nor regular expressions span lines.
    fn quoted(&mut self, end: u8) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += match byte {
                b'\\' => 2,
                b'\n' => return,
                _ => 1,
            };
            if byte == end {
                return;
            }
        }
    }

    fn word(&self) -> &[u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
            .unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    /// Reads the piece that starts here.
    fn piece(&mut self) -> (Kind, Vec<u8>) {
        let directive = self.word().to_vec();
        let mut text = Vec::new();
        if matches!(directive.as_slice(), b"import" | b"include") {
            let start = self.at;
            self.at += directive.len();
            self.skip_space();
            let name = self.at;
            if self.peek(0) == Some(b'"') {
                self.quoted(b'"');
            } else {
                self.at += self.word().len().max(1);
            }
            let end = self.at.min(self.bytes.len());
            text.extend_from_slice(self.bytes.get(start..end).unwrap_or_default());
            let name = self.bytes.get(name + 1..end.saturating_sub(1));
            let kind = if directive == b"include" {
                Kind::Include(name.unwrap_or_default().to_vec())
            } else {
                Kind::Import
            };
            return (kind, text);
        }
        let (mut name, mut expects_name, mut depth) = (None, false, 0u32);
        let mut private = false;
        while let Some(byte) = self.peek(0) {
            let start = self.at;
            if self.comment() {
                let hidden = self
                    .bytes
                    .get(start..self.at.min(self.bytes.len()))
                    .unwrap_or_default();
                text.extend(
                    hidden
                        .iter()
                        .map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }),
                );
                continue;
            }
            let mut closed = false;
            match byte {
                b'"' | b'/' => self.quoted(byte),
                b'{' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' => {
                    depth = depth.saturating_sub(1);
                    closed = depth == 0;
                    self.at += 1;
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    let word = self.word();
                    if depth == 0 && expects_name && name.is_none() {
                        name = Some(String::from_utf8_lossy(word).into_owned());
                    }
                    private |= depth == 0 && !expects_name && word == b"private";
                    expects_name |= depth == 0 && word == b"rule";
                    self.at += word.len();
                }
                _ => self.at += 1,
            }
            self.at = self.at.min(self.bytes.len());
            text.extend_from_slice(self.bytes.get(start..self.at).unwrap_or_default());
            if closed {
                break;
            }
        }
        if private {
            return (Kind::Private(name), text);
        }
        (Kind::Rule(name), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(Kind, usize)> {
        split(text.as_bytes())
            .into_iter()
            .map(|piece| (piece.kind, piece.line))
            .collect()
    }

    fn rule(name: &str) -> Kind {
        Kind::Rule(Some(name.to_owned()))
    }

    #[test]
    fn pieces_are_told_apart_and_know_their_line() {
        let text = "// head\nimport \"pe\"\ninclude \"a.yar\" /* { */\n\nprivate global rule a : t {\n \
            condition: true }\nrule b { condition: a }";
        assert_eq!(
            shape(text),
            [
                (Kind::Import, 2),
                (Kind::Include(b"a.yar".to_vec()), 3),
                (Kind::Private(Some("a".to_owned())), 5),
                (rule("b"), 7),
            ]
        );
    }

    #[test]
    fn braces_in_strings_expressions_and_comments_do_not_count() {
        let text = r#"rule a { strings: $a = "}\"}" $b = /}\/}/ $c = { 41 [1-2] ( 42 | 43 ) }
            condition: all of them // }
            /* } */ }
            rule b { condition: false }"#;
        assert_eq!(shape(text), [(rule("a"), 1), (rule("b"), 4)]);
        let first = &split(text.as_bytes())[0];
        assert_eq!(first.text.len(), text.find("rule b").unwrap() - 13);
        assert!(!first.text.windows(2).any(|pair| pair == b"//"));
    }

    #[test]
    fn nonsense_is_a_piece_too_and_ends() {
        for text in [
            "rule",
            "}",
            "rule a {",
            "\"",
            "/",
            "import",
            "include x",
            "\\",
            "rule a } } {",
        ] {
            assert!(!shape(text).is_empty(), "{text}");
        }
        assert!(shape(" \n// only words").is_empty());
    }
}
