//! A reader of DER, as far as certificates and detached signatures need it: definite lengths
//! of at most four bytes, tags of one byte. Every value is a slice of what was given.

/// `INTEGER`.
pub const INTEGER: u8 = 0x02;
/// `BIT STRING`.
pub const BIT_STRING: u8 = 0x03;
/// `OCTET STRING`.
pub const OCTET_STRING: u8 = 0x04;
/// `OBJECT IDENTIFIER`.
pub const OBJECT: u8 = 0x06;
/// `SEQUENCE`.
pub const SEQUENCE: u8 = 0x30;
/// `SET`.
pub const SET: u8 = 0x31;

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'b> {
    /// Its tag.
    pub tag: u8,
    /// What it holds.
    pub content: &'b [u8],
    /// The value with its tag and length.
    pub whole: &'b [u8],
}

impl<'b> Value<'b> {
    /// A reader of the values inside.
    pub fn reader(self) -> Reader<'b> {
        Reader { rest: self.content }
    }
}

/// Reads values one behind the other.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    /// A reader of bytes.
    pub fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader { rest: bytes }
    }

    /// The tag of the next value.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value.
    pub fn value(&mut self) -> Option<Value<'b>> {
        let (tag, rest) = self.rest.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = digits
                    .iter()
                    .fold(0u64, |length, digit| length << 8 | u64::from(*digit));
                (usize::try_from(length).ok()?, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = self.rest.get(..self.rest.len() - rest.len())?;
        self.rest = rest;
        Some(Value {
            tag: *tag,
            content,
            whole,
        })
    }

    /// The next value, if it has this tag.
    pub fn expect(&mut self, tag: u8) -> Option<Value<'b>> {
        if self.peek()? == tag {
            self.value()
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_in_each_other_and_cuts_give_nothing() {
        let bytes = [0x30, 0x81, 0x06, 0x02, 0x01, 0x05, 0x04, 0x01, 0xff];
        let mut inner = Reader::new(&bytes).expect(SEQUENCE).unwrap().reader();
        assert_eq!(inner.expect(INTEGER).unwrap().content, [5]);
        assert_eq!(inner.expect(INTEGER), None);
        assert_eq!(inner.expect(OCTET_STRING).unwrap().whole, [4, 1, 0xff]);
        assert_eq!(inner.value(), None);
        for cut in 0..bytes.len() {
            assert_eq!(Reader::new(&bytes[..cut]).value(), None, "{cut}");
        }
        assert_eq!(Reader::new(&[0x30, 0x80, 0, 0]).value(), None);
        assert_eq!(Reader::new(&[0x3f, 0x01, 0]).value(), None);
    }
}
