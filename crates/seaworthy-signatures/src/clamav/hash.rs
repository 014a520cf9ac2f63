//! Hash signatures: `digest:size:name`, or `size:digest:name` for program sections, with an
//! optional range of engine levels. The algorithm shows in the number of hexadecimal digits.

use super::{Reason, level_fits, unhex};

/// The digest algorithms of signature files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 16 bytes.
    Md5,
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
}

/// One hash signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashSignature {
    /// How the digest was made.
    pub algorithm: Algorithm,
    /// The digest: 16, 20 or 32 bytes.
    pub digest: Vec<u8>,
    /// Size in bytes of what was digested; `None` for any size.
    pub size: Option<u32>,
    /// Name of the signature.
    pub name: String,
}

/// The lowest engine level a signature for any size must ask for.
const ANY_SIZE_LEVEL: u32 = 73;

/// Reads one line; `size_first` for section hashes. Allow lists (`strict_size` false) may
/// leave the level away for any size.
///
/// # Errors
/// The line is not of this format, or for another engine.
pub fn parse(line: &[u8], size_first: bool, strict_size: bool) -> Result<HashSignature, Reason> {
    let line = std::str::from_utf8(line).map_err(|_| Reason::Malformed)?;
    let fields: Vec<&str> = line.split(':').collect();
    let (first, second, name, min, max) = match fields.as_slice() {
        [a, b, name] => (a, b, name, None, None),
        [a, b, name, min] => (a, b, name, Some(*min), None),
        [a, b, name, min, max] => (a, b, name, Some(*min), Some(*max)),
        _ => return Err(Reason::Malformed),
    };
    let (digest, size) = if size_first {
        (second, first)
    } else {
        (first, second)
    };
    level_fits(min, max)?;
    let digest = unhex(digest).ok_or(Reason::Malformed)?;
    let algorithm = match digest.len() {
        16 => Algorithm::Md5,
        20 => Algorithm::Sha1,
        32 => Algorithm::Sha256,
        _ => return Err(Reason::Malformed),
    };
    let size = if *size == "*" {
        let level: u32 = min.and_then(|min| min.parse().ok()).unwrap_or(0);
        if strict_size && level < ANY_SIZE_LEVEL {
            return Err(Reason::Malformed);
        }
        None
    } else {
        match size.parse::<u32>() {
            Ok(size) if size != 0 && size != u32::MAX => Some(size),
            _ => return Err(Reason::Malformed),
        }
    };
    if name.is_empty() {
        return Err(Reason::Malformed);
    }
    Ok(HashSignature {
        algorithm,
        digest,
        size,
        name: (*name).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_algorithm_is_told_by_the_length() {
        for (digits, algorithm) in [
            (32, Algorithm::Md5),
            (40, Algorithm::Sha1),
            (64, Algorithm::Sha256),
        ] {
            let line = format!("{}:12:Name", "ab".repeat(digits / 2));
            let signature = parse(line.as_bytes(), false, true).unwrap();
            assert_eq!(signature.algorithm, algorithm);
            assert_eq!(signature.size, Some(12));
        }
        let odd = format!("{}:12:Name", "ab".repeat(17));
        assert_eq!(parse(odd.as_bytes(), false, true), Err(Reason::Malformed));
    }

    #[test]
    fn any_size_needs_a_level_and_zero_is_no_size() {
        let digest = "ab".repeat(16);
        let parse = |rest: &str| parse(format!("{digest}:{rest}").as_bytes(), false, true);
        assert_eq!(parse("*:N:73").unwrap().size, None);
        assert_eq!(parse("*:N"), Err(Reason::Malformed));
        assert_eq!(parse("0:N"), Err(Reason::Malformed));
        assert_eq!(parse("4294967295:N"), Err(Reason::Malformed));
        assert_eq!(parse("1:N:300"), Err(Reason::OtherEngineLevel));
    }

    #[test]
    fn section_hashes_start_with_the_size() {
        let line = format!("512:{}:Name", "ab".repeat(16));
        assert_eq!(parse(line.as_bytes(), true, true).unwrap().size, Some(512));
    }
}
