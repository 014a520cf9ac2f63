use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How bad a finding is, in the order users filter and fail on.
///
/// `Negligible` is what distributions call "unimportant" or "negligible": tracked,
/// real, and not going to be acted on. `Unknown` sorts lowest so that a threshold never
/// includes it by accident; reports always count it separately.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody has rated it yet.
    #[default]
    Unknown,
    /// Real but without practical consequence, by the vendor's word.
    Negligible,
    /// Hard to exploit or of little consequence.
    Low,
    /// Worth fixing in the ordinary course of work.
    Medium,
    /// Fix soon.
    High,
    /// Fix now.
    Critical,
}

impl Severity {
    /// All severities, worst first: the order in which reports list them.
    pub const WORST_FIRST: [Severity; 6] = [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Negligible,
        Severity::Unknown,
    ];

    /// The lower-case word used on the command line and in every document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Unknown => "unknown",
            Severity::Negligible => "negligible",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The qualitative rating of a CVSS base score, 0.0 to 10.0 (CVSS v3.1 section 5,
    /// v4.0 section 6). A score of 0.0 is "None" there and `Negligible` here.
    pub fn from_cvss_score(score: f32) -> Severity {
        match score {
            s if s >= 9.0 => Severity::Critical,
            s if s >= 7.0 => Severity::High,
            s if s >= 4.0 => Severity::Medium,
            s if s > 0.0 => Severity::Low,
            _ => Severity::Negligible,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Severity::WORST_FIRST
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| {
                format!(
                    "unknown severity `{word}`\n  hint: use critical, high, medium, low, negligible or unknown"
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_order_is_by_badness() {
        for severity in Severity::WORST_FIRST {
            assert_eq!(severity.as_str().parse::<Severity>(), Ok(severity));
        }
        assert!(Severity::WORST_FIRST.is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn cvss_ratings_change_at_the_published_boundaries() {
        let rating = |score| Severity::from_cvss_score(score);
        assert_eq!(rating(0.0), Severity::Negligible);
        assert_eq!(rating(3.9), Severity::Low);
        assert_eq!(rating(4.0), Severity::Medium);
        assert_eq!(rating(7.0), Severity::High);
        assert_eq!(rating(9.0), Severity::Critical);
    }
}
