//! Common Vulnerability Scoring System: from a vector to its score.
//!
//! Advisories carry vectors, reports need a number. All four versions in use are read:
//! 2.0, 3.0, 3.1 and 4.0 (FIRST.org). Vectors come from strangers, so reading is strict
//! and bounded: an unknown, repeated or missing metric is an error and never a guess.
//!
//! For 2.0 and 3.x the score is the base score; temporal and environmental metrics are
//! checked and have no part in it, because they describe a moment or a place. 4.0 defines
//! one score only, in which every metric given takes part.

mod metrics;
mod v2;
mod v3;
mod v4;

use std::fmt;

use seaworthy_core::{CvssScore, Severity};

use metrics::Metrics;

/// The longest vector that is read, in bytes; a full 4.0 vector has about 200.
pub const MAX_VECTOR_LEN: usize = 512;

/// The versions of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CvssVersion {
    /// 2.0 (2007).
    V2,
    /// 3.0 (2015).
    V30,
    /// 3.1 (2019).
    V31,
    /// 4.0 (2023).
    V40,
}

impl fmt::Display for CvssVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CvssVersion::V2 => "2.0",
            CvssVersion::V30 => "3.0",
            CvssVersion::V31 => "3.1",
            CvssVersion::V40 => "4.0",
        })
    }
}

/// Why a text is no CVSS vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CvssError {
    /// Longer than [`MAX_VECTOR_LEN`].
    #[error("the CVSS vector is longer than any real one")]
    TooLong,
    /// Neither a known prefix nor a 2.0 vector.
    #[error("the CVSS vector is of an unknown version")]
    UnknownVersion,
    /// A part that is not `NAME:VALUE`.
    #[error("the CVSS vector has a part that is not `NAME:VALUE`")]
    Malformed,
    /// A name the version does not have.
    #[error("the CVSS vector has a metric its version does not know")]
    UnknownMetric,
    /// A value the metric does not have.
    #[error("the CVSS vector has a value its metric does not know")]
    UnknownValue,
    /// The same metric twice.
    #[error("the CVSS vector has a metric twice")]
    Repeated,
    /// A base metric is not there.
    #[error("the CVSS vector lacks the metric `{0}`")]
    Missing(&'static str),
}

/// A vector that was read, and its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Cvss {
    /// Which version it is written in.
    pub version: CvssVersion,
    /// 0.0 to 10.0, in tenths.
    pub score: f32,
}

impl Cvss {
    /// Reads a vector: `CVSS:3.1/AV:N/…`, or for 2.0 without a prefix (`AV:N/AC:L/…`), also
    /// in parentheses.
    ///
    /// # Errors
    ///
    /// When it is not a whole and correct vector of a known version.
    pub fn parse(vector: &str) -> Result<Cvss, CvssError> {
        if vector.len() > MAX_VECTOR_LEN {
            return Err(CvssError::TooLong);
        }
        let (version, score) = if let Some(rest) = vector.strip_prefix("CVSS:4.0/") {
            let metrics = Metrics::parse(rest, v4::METRICS)?;
            (CvssVersion::V40, v4::score(&metrics))
        } else if let Some(rest) = vector.strip_prefix("CVSS:3.1/") {
            let metrics = Metrics::parse(rest, v3::METRICS)?;
            (CvssVersion::V31, v3::base_score(&metrics))
        } else if let Some(rest) = vector.strip_prefix("CVSS:3.0/") {
            let metrics = Metrics::parse(rest, v3::METRICS)?;
            (CvssVersion::V30, v3::base_score(&metrics))
        } else if vector.starts_with("CVSS:") {
            return Err(CvssError::UnknownVersion);
        } else {
            let rest = vector
                .strip_prefix('(')
                .and_then(|inner| inner.strip_suffix(')'))
                .unwrap_or(vector);
            let metrics = Metrics::parse(rest, v2::METRICS)?;
            (CvssVersion::V2, v2::base_score(&metrics))
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "tenths between 0 and 10 keep their meaning as f32"
        )]
        let score = score as f32;
        Ok(Cvss { version, score })
    }

    /// The rating in words. Version 2.0 knows no "critical": its 7.0 and above are "high"
    /// (NVD, "Vulnerability Metrics").
    pub fn severity(&self) -> Severity {
        let severity = Severity::from_cvss_score(self.score);
        match self.version {
            CvssVersion::V2 => severity.min(Severity::High),
            _ => severity,
        }
    }

    /// The vector with its score, as findings carry it.
    ///
    /// # Errors
    ///
    /// As [`Cvss::parse`].
    pub fn scored(vector: &str) -> Result<CvssScore, CvssError> {
        Ok(CvssScore {
            score: Cvss::parse(vector)?.score,
            vector: vector.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(vector: &str, expected: f32) {
        let cvss = Cvss::parse(vector).map_err(|error| format!("{vector}: {error}"));
        assert_eq!(cvss.map(|cvss| cvss.score), Ok(expected), "{vector}");
    }

    #[test]
    fn v2_scores_of_the_guide_and_of_well_known_flaws() {
        // The guide's examples: CVE-2002-0392, CVE-2003-0818, CVE-2003-0062.
        check("AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8);
        check("AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0);
        check("AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2);
        // Heartbleed, and the same in NVD's parentheses.
        check("AV:N/AC:L/Au:N/C:P/I:N/A:N", 5.0);
        check("(AV:N/AC:L/Au:N/C:P/I:N/A:N)", 5.0);
        check("AV:N/AC:L/Au:N/C:N/I:N/A:N", 0.0);
        check(
            "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:H",
            7.8,
        );
    }

    #[test]
    fn v3_scores_of_well_known_flaws() {
        check("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0); // Log4Shell
        check("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5); // Heartbleed
        check("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8); // Shellshock
        check("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8); // Baron Samedit
        check("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H", 8.1); // regreSSHion
        check("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1); // reflected XSS
        check("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:L", 1.6);
        check("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0);
        check(
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N/E:P/MAV:L/CR:H",
            7.5,
        );
    }

    #[test]
    fn v4_scores_of_the_published_examples() {
        // CVSS v4.0 Examples document: CVE-2022-41741, CVE-2020-3549, CVE-2014-0160,
        // CVE-2021-44228.
        check(
            "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
            7.3,
        );
        check(
            "CVSS:4.0/AV:N/AC:H/AT:N/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
            7.7,
        );
        check(
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N",
            8.7,
        );
        check(
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H",
            10.0,
        );
        check(
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N",
            0.0,
        );
        // Threat and environment take part; supplemental metrics do not.
        check(
            "CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/CR:H/IR:H/AR:H",
            7.3,
        );
        let log4shell = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H";
        check(
            &format!("{log4shell}/E:X/S:P/AU:Y/R:I/V:C/RE:H/U:Amber"),
            10.0,
        );
        check(
            &format!("{log4shell}/MVC:N/MVI:N/MVA:N/MSC:N/MSI:N/MSA:N"),
            0.0,
        );
    }

    #[test]
    fn only_whole_vectors_of_a_known_version_are_read() {
        let good = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N";
        assert!(Cvss::parse(good).is_ok());
        let long = format!("{good}/{}", "E:X/".repeat(200));
        for (vector, error) in [
            ("", CvssError::Malformed),
            ("CVSS:5.0/AV:N", CvssError::UnknownVersion),
            (
                "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N",
                CvssError::Missing("A"),
            ),
            (
                "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N/",
                CvssError::Malformed,
            ),
            (
                "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
                CvssError::Repeated,
            ),
            (
                "CVSS:3.1/AV:Z/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
                CvssError::UnknownValue,
            ),
            (
                "CVSS:3.1/av:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
                CvssError::UnknownMetric,
            ),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:S/SI:H/SA:H",
                CvssError::UnknownValue,
            ),
            (&long, CvssError::TooLong),
        ] {
            assert_eq!(Cvss::parse(vector), Err(error), "{vector}");
        }
    }

    #[test]
    fn v2_is_never_critical() {
        let v2 = Cvss::parse("AV:N/AC:L/Au:N/C:C/I:C/A:C").map(|cvss| cvss.severity());
        assert_eq!(v2, Ok(Severity::High));
        let v3 = Cvss::parse("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H");
        assert_eq!(v3.map(|cvss| cvss.severity()), Ok(Severity::Critical));
    }
}
