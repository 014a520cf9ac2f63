//! Comparing a number that stands near a match.

use crate::clamav::ldb::{ByteCompare, NumberForm, Order};

/// Whether the number at the compare's distance from `anchor` fits.
pub fn holds(compare: &ByteCompare, bytes: &[u8], anchor: usize) -> bool {
    let place = i64::try_from(anchor)
        .ok()
        .and_then(|anchor| anchor.checked_add(compare.offset));
    let Some(at) = place.and_then(|at| usize::try_from(at).ok()) else {
        return false;
    };
    let Some(there) = bytes
        .get(at..)
        .and_then(|rest| rest.get(..usize::from(compare.length)))
    else {
        return false;
    };
    let Some(number) = read(compare, there) else {
        return false;
    };
    compare.comparisons.iter().all(|to| match to.order {
        Order::Less => number < to.value,
        Order::Equal => number == to.value,
        Order::More => number > to.value,
    })
}

fn read(compare: &ByteCompare, there: &[u8]) -> Option<u64> {
    let radix = match compare.form {
        NumberForm::Binary => {
            let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
            return Some(if compare.little_endian {
                there.iter().rev().fold(0, fold)
            } else {
                there.iter().fold(0, fold)
            });
        }
        NumberForm::Hex => 16,
        NumberForm::Decimal => 10,
        NumberForm::Auto if there.starts_with(b"0x") || there.starts_with(b"0X") => 16,
        NumberForm::Auto => 10,
    };
    let text = there.trim_ascii_start();
    let text = match text {
        [b'0', b'x' | b'X', digits @ ..] if radix == 16 => digits,
        text => text,
    };
    let digits = text
        .iter()
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count();
    if digits == 0 || (compare.exact && digits != there.len()) {
        return None;
    }
    let digits = std::str::from_utf8(text.get(..digits)?).ok()?;
    let number = u64::from_str_radix(digits, radix).ok()?;
    // Digits of a little-endian hexadecimal number are swapped by pairs.
    if compare.little_endian && radix == 16 && digits.len().is_multiple_of(2) {
        let bytes = number.to_be_bytes();
        let used = bytes.get(8 - (digits.len() / 2).min(8)..)?;
        return Some(
            used.iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
        );
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clamav::ldb::{Sub, parse};

    fn check(compare: &str, bytes: &[u8], anchor: usize) -> bool {
        let line = format!("N;Target:0;0&1;6162;0({compare})");
        let signature = parse(line.as_bytes()).unwrap();
        let Sub::ByteCompare(compare) = &signature.subs[1] else {
            panic!("{signature:?}")
        };
        holds(compare, bytes, anchor)
    }

    #[test]
    fn numbers_are_read_in_every_form() {
        assert!(check(">>2#ib2#=258", b"ab\x01\x02", 0));
        assert!(check(">>2#il2#=0x201", b"ab\x01\x02", 0));
        assert!(check(">>2#de3#>122,<124", b"ab123", 0));
        assert!(check(">>2#hb2#=0xff", b"abff", 0));
        assert!(check("<<2#ib1#=7", b"\x07-ab", 2));
        assert!(!check(">>2#de3#=12", b"ab12x", 0));
        assert!(!check("<<9#ib1#=7", b"ab", 0));
        assert!(!check(">>9#ib1#=7", b"ab", 0));
    }
}
