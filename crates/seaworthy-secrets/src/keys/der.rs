//! Enough of DER (ITU-T X.690) to walk through keys and certificates: tag, length, content.
//!
//! A cursor over borrowed bytes: nothing is copied, a length that leaves its surroundings ends
//! the walk, and depth is that of the caller's own code. Left out: indefinite lengths and tags
//! above 30, which no key has.

/// Tags that keys and certificates are made of.
pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const NULL: u8 = 0x05;
pub const OBJECT_ID: u8 = 0x06;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// What is left to read of one level.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// One element: its tag, its content, and all its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    pub whole: &'a [u8],
}

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The next element, whatever it is.
    pub fn any(&mut self) -> Option<Element<'a>> {
        let (&tag, after_tag) = self.rest.split_first()?;
        let (&first, mut rest) = after_tag.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let mut length = usize::from(first);
        if first >= 0x80 {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let (digits, behind) = rest.split_at_checked(count)?;
            length = digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            rest = behind;
        }
        let (content, behind) = rest.split_at_checked(length)?;
        let whole = self.rest.get(..self.rest.len() - behind.len())?;
        self.rest = behind;
        Some(Element {
            tag,
            content,
            whole,
        })
    }

    /// The content of the next element, which must have this tag.
    pub fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let element = self.any()?;
        (element.tag == tag).then_some(element.content)
    }

    /// The content of the next element if it has this tag; else nothing is read.
    pub fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        (self.rest.first() == Some(&tag))
            .then(|| self.take(tag))
            .flatten()
    }

    /// A level below.
    pub fn sequence(&mut self) -> Option<Reader<'a>> {
        self.take(SEQUENCE).map(Reader::new)
    }

    /// A non-negative number without its leading zeros; `None` for an empty or negative one.
    pub fn number(&mut self) -> Option<&'a [u8]> {
        let digits = self.take(INTEGER)?;
        if digits.first()? & 0x80 != 0 {
            return None;
        }
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        digits.get(zeros..)
    }
}

/// Writes an element.
pub fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let digits = (length as u64).to_be_bytes();
            let zeros = digits.iter().take_while(|digit| **digit == 0).count();
            let digits = digits.get(zeros..).unwrap_or_default();
            // At most eight digits.
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
            out.extend_from_slice(digits);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Writes a non-negative number.
pub fn number(digits: &[u8]) -> Vec<u8> {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    match digits.first() {
        None => element(INTEGER, &[&[0]]),
        Some(first) if first & 0x80 != 0 => element(INTEGER, &[&[0], digits]),
        Some(_) => element(INTEGER, &[digits]),
    }
}

/// How many bits a number without leading zeros has.
pub fn bits(number: &[u8]) -> u32 {
    number.first().map_or(0, |first| {
        let whole = u32::try_from(number.len()).unwrap_or(u32::MAX / 8);
        whole.saturating_mul(8) - first.leading_zeros()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let long = vec![7; 300];
        let text = element(
            SEQUENCE,
            &[&number(&[0, 0x80]), &element(OCTET_STRING, &[&long])],
        );
        let mut reader = Reader::new(&text).sequence().unwrap();
        assert_eq!(reader.number(), Some(&[0x80][..]));
        assert_eq!(reader.take(OCTET_STRING), Some(&long[..]));
        assert!(reader.any().is_none());
        assert_eq!(bits(&[1, 0]), 9);
    }

    #[test]
    fn a_length_that_leaves_its_surroundings_gives_nothing() {
        for text in [
            &[0x30, 5, 1][..],
            &[0x30, 0x80],
            &[0x30, 0x85, 0, 0, 0, 0, 1],
            &[0x30],
            &[0x1f, 0],
        ] {
            assert!(Reader::new(text).any().is_none(), "{text:?}");
        }
    }
}
