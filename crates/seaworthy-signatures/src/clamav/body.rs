//! The pattern language of body signatures.
//!
//! ```text
//! hex digits     bytes; `?` in place of a digit is any value of that half
//! *              any gap            {n} {n-m} {-m} {n-}   a gap of that many bytes
//! [n-m]          a gap of at most 32 bytes
//! (aa|bbcc)      one of; nested alternatives allowed      !(aa|bb)   none of, same lengths
//! (B) (L) (W)    a word, line, or non-alphanumeric boundary; negated by `!`
//! ```

use serde::{Deserialize, Serialize};

use super::{Reason, nibble};

/// A kind of boundary. A `Word` boundary is the file's edge or a byte no word is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Boundary {
    /// `(B)`.
    Word,
    /// `(L)`.
    Line,
    /// `(W)`.
    NonAlphanumeric,
}

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Token {
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// One byte whose masked bits have this value.
    Masked {
        /// The bits that count.
        mask: u8,
        /// Their value.
        value: u8,
    },
    /// This many bytes of any value.
    Any(u32),
    /// Between `min` and `max` bytes of any value; no `max` is without end.
    Gap {
        /// Fewest bytes.
        min: u32,
        /// Most bytes.
        max: Option<u32>,
    },
    /// One of these.
    OneOf(Vec<Vec<Token>>),
    /// As many bytes as each choice has, and none of the choices.
    NoneOf(Vec<Vec<u8>>),
    /// A place between bytes, or the byte there, see [`Boundary`].
    Boundary {
        /// Which.
        kind: Boundary,
        /// Whether there must be none.
        negated: bool,
    },
}

/// A pattern: its tokens in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pattern {
    /// At least one of them holds fixed bytes.
    pub tokens: Vec<Token>,
}

/// Alternatives in alternatives, deepest.
const MAX_DEPTH: u32 = 8;
/// Most tokens in a pattern, all alternatives counted.
const MAX_TOKENS: usize = 1 << 16;
/// Longest gap in brackets, in bytes.
const MAX_BRACKET: u32 = 32;

/// Reads a pattern.
///
/// # Errors
/// It does not follow the language, uses macros, or has no fixed byte.
pub fn parse(text: &str) -> Result<Pattern, Reason> {
    let mut reader = Reader {
        text: text.trim().as_bytes(),
        at: 0,
        tokens: 0,
    };
    let tokens = reader.sequence(0)?;
    if reader.at != reader.text.len() {
        return Err(Reason::Malformed);
    }
    if !has_bytes(&tokens) {
        return Err(Reason::NoFixedBytes);
    }
    Ok(Pattern { tokens })
}

fn has_bytes(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| match token {
        Token::Bytes(bytes) => !bytes.is_empty(),
        Token::Masked { .. } | Token::NoneOf(_) => true,
        Token::OneOf(choices) => choices.iter().all(|choice| has_bytes(choice)),
        _ => false,
    })
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    tokens: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Reads until the end, or until a `|` or `)` inside of alternatives.
    fn sequence(&mut self, depth: u32) -> Result<Vec<Token>, Reason> {
        let mut tokens = Vec::new();
        while let Some(byte) = self.peek() {
            self.tokens += 1;
            // A gap parts a pattern; inside of alternatives it would part it in many ways.
            if self.tokens > MAX_TOKENS || (depth > 0 && matches!(byte, b'*' | b'{' | b'[')) {
                return Err(Reason::Malformed);
            }
            match byte {
                b'|' | b')' if depth > 0 => break,
                b'*' => {
                    self.at += 1;
                    tokens.push(Token::Gap { min: 0, max: None });
                }
                b'{' => {
                    let gap = self.gap(b'}')?;
                    push_gap(&mut tokens, gap);
                }
                b'[' => {
                    let gap = self.gap(b']')?;
                    if gap.1.is_none_or(|max| max > MAX_BRACKET) {
                        return Err(Reason::Malformed);
                    }
                    push_gap(&mut tokens, gap);
                }
                b'!' => {
                    self.at += 1;
                    let token = self.group(depth, true)?;
                    tokens.push(token);
                }
                b'(' => {
                    let token = self.group(depth, false)?;
                    tokens.push(token);
                }
                b'$' => return Err(Reason::Macro),
                _ => self.byte(&mut tokens)?,
            }
        }
        Ok(tokens)
    }

    fn byte(&mut self, tokens: &mut Vec<Token>) -> Result<(), Reason> {
        let Some([high, low, ..]) = self.text.get(self.at..) else {
            return Err(Reason::Malformed);
        };
        self.at += 2;
        let half = |digit: u8| match digit {
            b'?' => Some((0, 0)),
            digit => Some((0xf, nibble(digit)?)),
        };
        let (high_mask, high) = half(*high).ok_or(Reason::Malformed)?;
        let (low_mask, low) = half(*low).ok_or(Reason::Malformed)?;
        let (mask, value) = (high_mask << 4 | low_mask, high << 4 | low);
        match (mask, tokens.last_mut()) {
            (0xff, Some(Token::Bytes(bytes))) => bytes.push(value),
            (0xff, _) => tokens.push(Token::Bytes(vec![value])),
            (0, Some(Token::Any(count))) => *count = count.saturating_add(1),
            (0, _) => tokens.push(Token::Any(1)),
            _ => tokens.push(Token::Masked { mask, value }),
        }
        Ok(())
    }

    fn gap(&mut self, end: u8) -> Result<(u32, Option<u32>), Reason> {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| *byte == end)
            .ok_or(Reason::Malformed)?;
        let inner = rest.get(..length).unwrap_or_default();
        let inner = std::str::from_utf8(inner).map_err(|_| Reason::Malformed)?;
        self.at += length + 2;
        let number = |text: &str| text.parse::<u32>().map_err(|_| Reason::Malformed);
        let (min, max) = match inner.split_once('-') {
            None => {
                let exact = number(inner)?;
                (exact, Some(exact))
            }
            Some(("", "")) => return Err(Reason::Malformed),
            Some(("", max)) => (0, Some(number(max)?)),
            Some((min, "")) => (number(min)?, None),
            Some((min, max)) => (number(min)?, Some(number(max)?)),
        };
        if max.is_some_and(|max| max < min) {
            return Err(Reason::Malformed);
        }
        Ok((min, max))
    }

    fn group(&mut self, depth: u32, negated: bool) -> Result<Token, Reason> {
        if self.peek() != Some(b'(') || depth >= MAX_DEPTH {
            return Err(Reason::Malformed);
        }
        if let Some([_, letter @ (b'B' | b'L' | b'W'), b')', ..]) = self.text.get(self.at..) {
            let kind = match letter {
                b'B' => Boundary::Word,
                b'L' => Boundary::Line,
                _ => Boundary::NonAlphanumeric,
            };
            self.at += 3;
            return Ok(Token::Boundary { kind, negated });
        }
        self.at += 1;
        let mut choices = Vec::new();
        loop {
            choices.push(self.sequence(depth + 1)?);
            self.at += 1;
            match self.text.get(self.at - 1) {
                Some(b'|') => {}
                Some(b')') => break,
                _ => return Err(Reason::Malformed),
            }
        }
        if choices.iter().any(Vec::is_empty) {
            return Err(Reason::Malformed);
        }
        if !negated {
            return Ok(Token::OneOf(choices));
        }
        let fixed: Option<Vec<Vec<u8>>> = choices
            .iter()
            .map(|choice| match choice.as_slice() {
                [Token::Bytes(bytes)] => Some(bytes.clone()),
                _ => None,
            })
            .collect();
        let fixed = fixed.ok_or(Reason::Malformed)?;
        let same = fixed
            .windows(2)
            .all(|pair| pair.first().map(Vec::len) == pair.last().map(Vec::len));
        same.then_some(Token::NoneOf(fixed))
            .ok_or(Reason::Malformed)
    }
}

fn push_gap(tokens: &mut Vec<Token>, (min, max): (u32, Option<u32>)) {
    if max != Some(0) {
        tokens.push(Token::Gap { min, max });
    }
}

impl Pattern {
    /// The pattern with a zero byte behind every byte: text as Windows keeps it.
    pub fn wide(&self) -> Pattern {
        Pattern {
            tokens: widen(&self.tokens),
        }
    }
}

fn widen(tokens: &[Token]) -> Vec<Token> {
    let mut wide = Vec::with_capacity(tokens.len() * 2);
    for token in tokens {
        match token {
            Token::Bytes(bytes) => {
                wide.push(Token::Bytes(
                    bytes.iter().flat_map(|byte| [*byte, 0]).collect(),
                ));
            }
            Token::Masked { mask, value } => {
                wide.push(Token::Masked {
                    mask: *mask,
                    value: *value,
                });
                wide.push(Token::Bytes(vec![0]));
            }
            Token::Any(count) => {
                for _ in 0..*count {
                    wide.push(Token::Any(1));
                    wide.push(Token::Bytes(vec![0]));
                }
            }
            // Gaps count bytes of the file, as observed on the reference scanner.
            Token::Gap { .. } => wide.push(token.clone()),
            Token::OneOf(choices) => {
                wide.push(Token::OneOf(
                    choices.iter().map(|choice| widen(choice)).collect(),
                ));
            }
            Token::NoneOf(choices) => wide.push(Token::NoneOf(
                choices
                    .iter()
                    .map(|choice| choice.iter().flat_map(|byte| [*byte, 0]).collect())
                    .collect(),
            )),
            Token::Boundary { .. } => wide.push(token.clone()),
        }
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        parse(text).unwrap().tokens
    }

    #[test]
    fn bytes_wildcards_and_nibbles() {
        assert_eq!(
            tokens("4D5a??????a??b{2}"),
            [
                Token::Bytes(vec![0x4d, 0x5a]),
                Token::Any(3),
                Token::Masked {
                    mask: 0xf0,
                    value: 0xa0
                },
                Token::Masked {
                    mask: 0x0f,
                    value: 0x0b
                },
                Token::Gap {
                    min: 2,
                    max: Some(2)
                },
            ]
        );
    }

    #[test]
    fn gaps_of_every_form() {
        assert_eq!(
            tokens("aa*bb{3-}cc{-4}dd{1-2}ee[0-32]ff"),
            [
                Token::Bytes(vec![0xaa]),
                Token::Gap { min: 0, max: None },
                Token::Bytes(vec![0xbb]),
                Token::Gap { min: 3, max: None },
                Token::Bytes(vec![0xcc]),
                Token::Gap {
                    min: 0,
                    max: Some(4)
                },
                Token::Bytes(vec![0xdd]),
                Token::Gap {
                    min: 1,
                    max: Some(2)
                },
                Token::Bytes(vec![0xee]),
                Token::Gap {
                    min: 0,
                    max: Some(32)
                },
                Token::Bytes(vec![0xff]),
            ]
        );
        for bad in [
            "aa{4-2}bb",
            "aa{}bb",
            "aa{-}bb",
            "aa[1-33]bb",
            "aa{1",
            "aab",
        ] {
            assert_eq!(parse(bad), Err(Reason::Malformed), "{bad}");
        }
    }

    #[test]
    fn alternatives_nest_and_negate() {
        let nested = tokens("aa(bb|cc(dd|ee??)ff)(B)!(L)!(aabb|ccdd)");
        assert_eq!(nested.len(), 5);
        assert_eq!(
            nested[4],
            Token::NoneOf(vec![vec![0xaa, 0xbb], vec![0xcc, 0xdd]])
        );
        assert_eq!(
            nested[3],
            Token::Boundary {
                kind: Boundary::Line,
                negated: true
            }
        );
        assert_eq!(parse("!(aa|bbcc)"), Err(Reason::Malformed));
        assert_eq!(parse("aa(bb|)"), Err(Reason::Malformed));
        assert_eq!(parse("????*"), Err(Reason::NoFixedBytes));
        assert_eq!(parse(&"(aa|".repeat(50)), Err(Reason::Malformed));
    }
}
