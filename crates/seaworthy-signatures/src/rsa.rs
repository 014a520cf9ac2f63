//! The public-key checks of ClamAV's database containers.
//!
//! Numbers are written in base 64 with the alphabet `a-z A-Z 0-9 + /`, lowest digit first.
//! The old check decodes to the MD5 of the payload without padding, which is weak by today's
//! measure; the others are RSA-PSS with SHA-256 over
//! the container's list of files, and over an increment. The newer
//! detached `.sign` files (PKCS#7) are [`crate::sign`]'s.

use sha2::{Digest, Sha256};

/// The modulus for container headers, in decimal (1024 bits).
const HEADER_MODULUS: &str = "118640995551645342603070001658453189751527774412027743746599405743243142607464144767361060640655844749760788890022283424922762488917565551002467771109669598189410434699034532232228621591089508178591428456220796841621637175567590476666928698770143328137383952820383197532047771780196576957695822641224262693037";
const HEADER_EXPONENT: u32 = 100_001_027;
/// The modulus for file lists, in decimal (2048 bits).
const LIST_MODULUS: &str = "11088894983048545473659556106627194923928941791795047620591658697413581043322715912172496806525381055880964520618400224333320534660299233983755341740679502866829909679955734391392668378361221524205396631090105151641270857277080310734320951653700508941717419168723942507890702904702707587451621691050754307850383399865346487203798464178537392211402786481359824461197231102895415093770394216666324484593935762408468516826633192140826667923494822045805347809932848454845886971706424360558667862775876072059437703365380209101697738577515476935085469455279994113145977994084618328482151013142393373316337519977244732747977";
const LIST_EXPONENT: u32 = 100_002_049;
/// The modulus for increments, in decimal (2048 bits).
const INCREMENT_MODULUS: &str = "14783905874077467090262228516557917570254599638376203532031989214105552847269687489771975792123442185817287694951949800908791527542017115600501303394778618535864845235700041590056318230102449612217458549016089313306591388590790796515819654102320725712300822356348724011232654837503241736177907784198700834440681124727060540035754699658105895050096576226753008596881698828185652424901921668758326578462003247906470982092298106789657211905488986281078346361469524484829559560886227198091995498440676639639830463593211386055065360288422394053998134458623712540683294034953818412458362198117811990006021989844180721010947";
const INCREMENT_EXPONENT: u32 = 100_002_053;

/// Limbs of a 2048-bit number and one to spare, lowest first.
const LIMBS: usize = 65;
/// Longest signature text: 2048 bits at six a letter.
const MAX_TEXT: usize = 342;

type Number = [u32; LIMBS];

/// Whether `signature` is the publisher's for a payload with this MD5.
pub fn header_signature_fits(md5: &[u8; 16], signature: &str) -> bool {
    plain(signature, HEADER_MODULUS, HEADER_EXPONENT).is_some_and(|bytes| {
        // The number is the digest alone; anything above it would be another number.
        let (rest, digest) = bytes.split_at(bytes.len() - 16);
        digest == md5 && rest.iter().all(|byte| *byte == 0)
    })
}

/// Whether `signature` is the publisher's for a list of files with this SHA-256.
pub fn list_signature_fits(sha256: &[u8; 32], signature: &str) -> bool {
    padded_fits(sha256, plain(signature, LIST_MODULUS, LIST_EXPONENT))
}

/// Whether `signature` is the publisher's for an increment with this SHA-256.
pub fn increment_signature_fits(sha256: &[u8; 32], signature: &str) -> bool {
    padded_fits(
        sha256,
        plain(signature, INCREMENT_MODULUS, INCREMENT_EXPONENT),
    )
}

/// Whether a decrypted signature is over a message with this SHA-256.
fn padded_fits(sha256: &[u8; 32], bytes: Option<Vec<u8>>) -> bool {
    const BLOCK: usize = 256 - 32 - 1;
    let Some(bytes) = bytes else {
        return false;
    };
    let Some((masked, rest)) = bytes.split_at_checked(BLOCK) else {
        return false;
    };
    let Some((digest, [0xbc])) = rest.split_at_checked(32) else {
        return false;
    };
    let mut block = Vec::with_capacity(BLOCK + 32);
    for round in 0u32.. {
        if block.len() >= BLOCK {
            break;
        }
        block.extend_from_slice(
            &Sha256::new()
                .chain_update(digest)
                .chain_update(round.to_be_bytes())
                .finalize(),
        );
    }
    block.truncate(BLOCK);
    for (byte, mask) in block.iter_mut().zip(masked) {
        *byte ^= mask;
    }
    if let Some(first) = block.first_mut() {
        *first &= 0x7f;
    }
    let Some((padding, salt)) = block.split_at_checked(BLOCK - 32) else {
        return false;
    };
    let Some(([1], zeros)) = padding.split_last().map(|(last, zeros)| ([*last], zeros)) else {
        return false;
    };
    zeros.iter().all(|byte| *byte == 0)
        && Sha256::new()
            .chain_update([0; 8])
            .chain_update(sha256)
            .chain_update(salt)
            .finalize()
            .as_slice()
            == digest
}

/// The signature's number to the power of `exponent`, as 256 bytes, highest first.
fn plain(signature: &str, modulus: &str, exponent: u32) -> Option<Vec<u8>> {
    let modulus = from_decimal(modulus)?;
    let cipher = decode(signature)?;
    if !less(&cipher, &modulus) {
        return None;
    }
    let mut power = [0; LIMBS];
    power[0] = 1;
    for bit in (0..32).rev() {
        power = multiply(&power, &power, &modulus);
        if exponent >> bit & 1 == 1 {
            power = multiply(&power, &cipher, &modulus);
        }
    }
    Some(
        power
            .iter()
            .take(64)
            .rev()
            .flat_map(|limb| limb.to_be_bytes())
            .collect(),
    )
}

fn decode(text: &str) -> Option<Number> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return None;
    }
    let mut number = [0; LIMBS];
    for (at, letter) in text.bytes().enumerate() {
        let digit = match letter {
            b'a'..=b'z' => letter - b'a',
            b'A'..=b'Z' => letter - b'A' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        let wide = u64::from(digit) << (at * 6 % 32);
        let [low, high] = halves(wide);
        *number.get_mut(at * 6 / 32)? |= low;
        *number.get_mut(at * 6 / 32 + 1)? |= high;
    }
    Some(number)
}

fn from_decimal(text: &str) -> Option<Number> {
    let mut number = [0; LIMBS];
    for digit in text.bytes() {
        let mut carry = u64::from(digit.checked_sub(b'0')?);
        for limb in &mut number {
            let [low, high] = halves(u64::from(*limb) * 10 + carry);
            *limb = low;
            carry = u64::from(high);
        }
    }
    Some(number)
}

/// Both numbers are below the modulus, which is below 2^2048, so that sums fit.
fn multiply(left: &Number, right: &Number, modulus: &Number) -> Number {
    let mut product = [0; LIMBS];
    for limb in left.iter().rev() {
        for bit in (0..32).rev() {
            product = add(&product, &product, modulus);
            if limb >> bit & 1 == 1 {
                product = add(&product, right, modulus);
            }
        }
    }
    product
}

fn add(left: &Number, right: &Number, modulus: &Number) -> Number {
    let mut sum = [0; LIMBS];
    let mut carry = 0;
    for ((sum, left), right) in sum.iter_mut().zip(left).zip(right) {
        let [low, high] = halves(u64::from(*left) + u64::from(*right) + u64::from(carry));
        (*sum, carry) = (low, high);
    }
    if less(&sum, modulus) {
        return sum;
    }
    let mut borrow = false;
    for (limb, less) in sum.iter_mut().zip(modulus) {
        let (first, under) = limb.overflowing_sub(*less);
        let (second, again) = first.overflowing_sub(u32::from(borrow));
        *limb = second;
        borrow = under || again;
    }
    sum
}

fn less(left: &Number, right: &Number) -> bool {
    left.iter().rev().lt(right.iter().rev())
}

/// The low and high 32 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the two halves are what is asked for"
)]
const fn halves(wide: u64) -> [u32; 2] {
    [wide as u32, (wide >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_lowest_digit_first() {
        let number = decode("ba/").unwrap();
        assert_eq!(number[0], 1 + (63 << 12));
        assert_eq!(decode("a!"), None);
        assert_eq!(decode(&"a".repeat(343)), None);
    }

    #[test]
    fn a_power_modulo_a_number_is_what_arithmetic_says() {
        // 5^3 mod 97 = 28
        let bytes = plain("f", "97", 3).unwrap();
        assert_eq!(bytes.last(), Some(&28));
    }

    #[test]
    fn nonsense_fits_nothing() {
        assert!(!header_signature_fits(&[0; 16], "b"));
        assert!(!list_signature_fits(&[0; 32], "b"));
        assert!(!list_signature_fits(&[0; 32], ""));
    }
}
