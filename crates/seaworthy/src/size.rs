//! Sizes as people write them: `500M`, `64GiB`, `1024`.

/// Reads a number of bytes. Suffixes are powers of 1024, with or without `B` or `iB`,
/// in either case: for limits the difference to powers of 1000 decides nothing.
///
/// # Errors
///
/// What is wrong with the text, for the line under the usage error.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "write it as a whole number of bytes, or like `500M` or `64GiB`".to_owned())?;
    let shift = match suffix.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        other => {
            return Err(format!(
                "unknown suffix `{}`: use K, M, G or T",
                other.escape_debug()
            ));
        }
    };
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "that is more than a file can hold".to_owned())
}

/// Writes a number of bytes with three digits that matter.
pub fn format_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Exactness is not wanted here, only magnitude.
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let unit = UNITS[unit];
    if value < 10.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_powers_of_1024() {
        assert_eq!(parse_size("1024"), Ok(1024));
        assert_eq!(parse_size("500M"), Ok(500 << 20));
        assert_eq!(parse_size("64 GiB"), Ok(64 << 30));
        assert_eq!(parse_size("2kb"), Ok(2048));
    }

    #[test]
    fn nonsense_and_overflow_are_errors() {
        for text in [
            "",
            "M",
            "-1",
            "1.5G",
            "5X",
            "99999999999999999999",
            "20000000T",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_read_back_in_a_word() {
        assert_eq!(format_size(17), "17 B");
        assert_eq!(format_size(1536), "1.5 KiB");
        assert_eq!(format_size(64 << 30), "64 GiB");
        assert_eq!(format_size(u64::MAX), "16384 PiB");
    }
}
