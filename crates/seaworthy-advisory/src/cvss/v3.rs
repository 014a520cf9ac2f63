//! CVSS 3.0 and 3.1 base score (FIRST, "CVSS v3.1 Specification Document", section 7.1
//! and appendix A; 3.0 differs only in how it rounds up). Temporal and environmental
//! metrics are read and left out of the score.

use super::metrics::{Metric, Metrics};

pub(super) const METRICS: &[Metric] = &[
    Metric::base("AV", &["N", "A", "L", "P"]),
    Metric::base("AC", &["L", "H"]),
    Metric::base("PR", &["N", "L", "H"]),
    Metric::base("UI", &["N", "R"]),
    Metric::base("S", &["U", "C"]),
    Metric::base("C", &["H", "L", "N"]),
    Metric::base("I", &["H", "L", "N"]),
    Metric::base("A", &["H", "L", "N"]),
    Metric::optional("E", &["X", "H", "F", "P", "U"]),
    Metric::optional("RL", &["X", "U", "W", "T", "O"]),
    Metric::optional("RC", &["X", "C", "R", "U"]),
    Metric::optional("CR", &["X", "H", "M", "L"]),
    Metric::optional("IR", &["X", "H", "M", "L"]),
    Metric::optional("AR", &["X", "H", "M", "L"]),
    Metric::optional("MAV", &["X", "N", "A", "L", "P"]),
    Metric::optional("MAC", &["X", "L", "H"]),
    Metric::optional("MPR", &["X", "N", "L", "H"]),
    Metric::optional("MUI", &["X", "N", "R"]),
    Metric::optional("MS", &["X", "U", "C"]),
    Metric::optional("MC", &["X", "H", "L", "N"]),
    Metric::optional("MI", &["X", "H", "L", "N"]),
    Metric::optional("MA", &["X", "H", "L", "N"]),
];

/// The base score, 0.0 to 10.0 in tenths.
pub(super) fn base_score(metrics: &Metrics) -> f64 {
    let weight = |name, weights: &[f64]| metrics.weight(METRICS, name, weights);
    let changed = metrics.index(METRICS, "S", "U").is_some();
    const IMPACT: [f64; 3] = [0.56, 0.22, 0.0];
    let iss = 1.0
        - (1.0 - weight("C", &IMPACT))
            * (1.0 - weight("I", &IMPACT))
            * (1.0 - weight("A", &IMPACT));
    let impact = if changed {
        7.52 * (iss - 0.029) - 3.25 * (iss - 0.02).powi(15)
    } else {
        6.42 * iss
    };
    if impact <= 0.0 {
        return 0.0;
    }
    let privileges: [f64; 3] = if changed {
        [0.85, 0.68, 0.5]
    } else {
        [0.85, 0.62, 0.27]
    };
    let exploitability = 8.22
        * weight("AV", &[0.85, 0.62, 0.55, 0.2])
        * weight("AC", &[0.77, 0.44])
        * weight("PR", &privileges)
        * weight("UI", &[0.85, 0.62]);
    let factor = if changed { 1.08 } else { 1.0 };
    round_up((factor * (impact + exploitability)).min(10.0))
}

/// The smallest tenth that is not below the value, where the value is first rounded to five
/// places so that binary fractions do not lift 4.0 to 4.1. 3.1 says so in appendix A; 3.0
/// only says "round up", and its published scores agree with this reading.
fn round_up(value: f64) -> f64 {
    let hundred_thousandths = (value * 100_000.0).round();
    (hundred_thousandths / 10_000.0).ceil() / 10.0
}
