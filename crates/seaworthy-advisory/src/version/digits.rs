//! Numbers of any length, as text.

use std::cmp::Ordering;

/// Orders two runs of ASCII digits by value; an empty run is 0.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (strip_zeros(a), strip_zeros(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Orders two lists of numbers joined by dots, as if the shorter were padded with zeros.
pub(super) fn compare_dotted(a: &[u8], b: &[u8]) -> Ordering {
    let mut a = a.split(|c| *c == b'.');
    let mut b = b.split(|c| *c == b'.');
    loop {
        let (x, y) = (a.next(), b.next());
        if x.is_none() && y.is_none() {
            return Ordering::Equal;
        }
        let order = compare(x.unwrap_or_default(), y.unwrap_or_default());
        if order.is_ne() {
            return order;
        }
    }
}

/// The digits without leading zeros; empty for 0.
pub(super) fn strip_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

/// Whether there is at least one byte and all are ASCII digits.
pub(super) fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Splits off the longest start whose bytes satisfy the test.
pub(super) fn split_while(text: &[u8], test: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().take_while(|b| test(**b)).count();
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_counts_and_not_length_of_the_text() {
        assert_eq!(compare(b"007", b"7"), Ordering::Equal);
        assert_eq!(compare(b"", b"0"), Ordering::Equal);
        assert_eq!(compare(b"10", b"9"), Ordering::Greater);
        assert_eq!(
            compare(b"18446744073709551616", b"18446744073709551617"),
            Ordering::Less
        );
    }

    #[test]
    fn a_shorter_list_is_padded_with_zeros() {
        assert_eq!(compare_dotted(b"1.2", b"1.2.0"), Ordering::Equal);
        assert_eq!(compare_dotted(b"1.10", b"1.9.9"), Ordering::Greater);
        assert_eq!(compare_dotted(b"1", b"1.0.1"), Ordering::Less);
    }
}
