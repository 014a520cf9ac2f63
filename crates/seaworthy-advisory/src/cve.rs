//! CVE numbers, small enough to be a key: `CVE-2024-3094` is (2024, 3094).

use std::fmt;

/// A CVE number (CVE Record Format, `cveId`: four digits of year, four or more digits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CveNumber {
    /// The year.
    pub year: u16,
    /// The number within the year.
    pub number: u32,
}

impl CveNumber {
    /// Reads an id; `None` for everything that is no CVE number in plain form.
    pub fn parse(id: &str) -> Option<CveNumber> {
        let (year, number) = id.strip_prefix("CVE-")?.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || number.is_empty() || !digits(year) || !digits(number) {
            return None;
        }
        Some(CveNumber {
            year: year.parse().ok()?,
            number: number.parse().ok()?,
        })
    }
}

impl fmt::Display for CveNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CVE-{:04}-{:04}", self.year, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_cves() {
        let cve = CveNumber::parse("CVE-2014-0160");
        assert_eq!(
            cve.map(|cve| cve.to_string()).as_deref(),
            Some("CVE-2014-0160")
        );
        for bad in [
            "CVE-2014",
            "CVE-14-1",
            "CVE-2014-",
            "CVE-2014-x",
            "cve-2014-1",
            "CVE-2014-99999999999",
        ] {
            assert_eq!(CveNumber::parse(bad), None, "{bad}");
        }
    }
}
