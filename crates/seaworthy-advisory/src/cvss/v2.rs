//! CVSS 2.0 base score (FIRST, "A Complete Guide to the Common Vulnerability Scoring
//! System Version 2.0", section 3.2.1). Temporal and environmental metrics are read and
//! left out of the score.

use super::metrics::{Metric, Metrics};

pub(super) const METRICS: &[Metric] = &[
    Metric::base("AV", &["L", "A", "N"]),
    Metric::base("AC", &["H", "M", "L"]),
    Metric::base("Au", &["M", "S", "N"]),
    Metric::base("C", &["N", "P", "C"]),
    Metric::base("I", &["N", "P", "C"]),
    Metric::base("A", &["N", "P", "C"]),
    Metric::optional("E", &["U", "POC", "F", "H", "ND"]),
    Metric::optional("RL", &["OF", "TF", "W", "U", "ND"]),
    Metric::optional("RC", &["UC", "UR", "C", "ND"]),
    Metric::optional("CDP", &["N", "L", "LM", "MH", "H", "ND"]),
    Metric::optional("TD", &["N", "L", "M", "H", "ND"]),
    Metric::optional("CR", &["L", "M", "H", "ND"]),
    Metric::optional("IR", &["L", "M", "H", "ND"]),
    Metric::optional("AR", &["L", "M", "H", "ND"]),
];

/// The base score, 0.0 to 10.0 in tenths.
pub(super) fn base_score(metrics: &Metrics) -> f64 {
    let weight = |name, weights: &[f64; 3]| metrics.weight(METRICS, name, weights);
    const IMPACT: [f64; 3] = [0.0, 0.275, 0.660];
    let impact = 10.41
        * (1.0
            - (1.0 - weight("C", &IMPACT))
                * (1.0 - weight("I", &IMPACT))
                * (1.0 - weight("A", &IMPACT)));
    let exploitability = 20.0
        * weight("AV", &[0.395, 0.646, 1.0])
        * weight("AC", &[0.35, 0.61, 0.71])
        * weight("Au", &[0.45, 0.56, 0.704]);
    let factor = if impact == 0.0 { 0.0 } else { 1.176 };
    let score = (0.6 * impact + 0.4 * exploitability - 1.5) * factor;
    (score.clamp(0.0, 10.0) * 10.0).round() / 10.0
}
