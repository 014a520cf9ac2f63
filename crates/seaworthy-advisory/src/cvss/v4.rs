//! CVSS 4.0 (FIRST, "CVSS v4.0 Specification Document", revision 1.2, section 8).
//!
//! Metric values put a vector into a macrovector: one level in each of six equivalence
//! classes. Experts gave each macrovector a score (the table below, section 8.2). Within a
//! macrovector the score falls towards the next lower one in proportion to the vector's
//! distance from the worst vectors in it. Classes 3 and 6 depend on each other and are
//! treated as one class of five levels.
//!
//! Version 4.0 has one score, which the threat and environmental metrics in the vector
//! take part in where they are given.

use super::metrics::{Metric, Metrics};

/// Names and values in the order of the specification; values from worst to mildest where
/// severity distances are counted.
pub(super) const METRICS: &[Metric] = &[
    Metric::base("AV", &["N", "A", "L", "P"]),
    Metric::base("AC", &["L", "H"]),
    Metric::base("AT", &["N", "P"]),
    Metric::base("PR", &["N", "L", "H"]),
    Metric::base("UI", &["N", "P", "A"]),
    Metric::base("VC", &["H", "L", "N"]),
    Metric::base("VI", &["H", "L", "N"]),
    Metric::base("VA", &["H", "L", "N"]),
    Metric::base("SC", &["S", "H", "L", "N"]).without_first(),
    Metric::base("SI", &["S", "H", "L", "N"]).without_first(),
    Metric::base("SA", &["S", "H", "L", "N"]).without_first(),
    Metric::optional("E", &["A", "P", "U", "X"]),
    Metric::optional("CR", &["H", "M", "L", "X"]),
    Metric::optional("IR", &["H", "M", "L", "X"]),
    Metric::optional("AR", &["H", "M", "L", "X"]),
    Metric::optional("MAV", &["N", "A", "L", "P", "X"]),
    Metric::optional("MAC", &["L", "H", "X"]),
    Metric::optional("MAT", &["N", "P", "X"]),
    Metric::optional("MPR", &["N", "L", "H", "X"]),
    Metric::optional("MUI", &["N", "P", "A", "X"]),
    Metric::optional("MVC", &["H", "L", "N", "X"]),
    Metric::optional("MVI", &["H", "L", "N", "X"]),
    Metric::optional("MVA", &["H", "L", "N", "X"]),
    Metric::optional("MSC", &["S", "H", "L", "N", "X"]).without_first(),
    Metric::optional("MSI", &["S", "H", "L", "N", "X"]),
    Metric::optional("MSA", &["S", "H", "L", "N", "X"]),
    Metric::optional("S", &["X", "N", "P"]),
    Metric::optional("AU", &["X", "N", "Y"]),
    Metric::optional("R", &["X", "A", "U", "I"]),
    Metric::optional("V", &["X", "D", "C"]),
    Metric::optional("RE", &["X", "L", "M", "H"]),
    Metric::optional("U", &["X", "Clear", "Green", "Amber", "Red"]),
];

/// A vector's levels: classes 1, 2, 3 with 6, 4 and 5, from 0, the worst.
#[derive(Clone, Copy)]
struct MacroVector {
    eq1: usize,
    eq2: usize,
    eq36: usize,
    eq4: usize,
    eq5: usize,
}

impl MacroVector {
    /// The expert score in tenths; `None` below the lowest level of a class.
    fn score(self) -> Option<f64> {
        let column = self.eq4 * 3 + self.eq5;
        if self.eq4 > 2 || self.eq5 > 2 {
            return None;
        }
        let row = SCORES.get(self.eq1)?.get(self.eq2)?.get(self.eq36)?;
        row.get(column).map(|score| f64::from(*score))
    }
}

/// The values that count, as steps from the worst one.
struct Effective {
    av: u8,
    ac: u8,
    at: u8,
    pr: u8,
    ui: u8,
    /// Confidentiality, integrity, availability of the vulnerable system.
    vulnerable: [u8; 3],
    /// The same of subsequent systems, 0 being `S` (safety).
    subsequent: [u8; 3],
    /// The requirements for the same.
    required: [u8; 3],
    exploit: u8,
}

impl Effective {
    fn new(metrics: &Metrics) -> Effective {
        // A modified metric replaces its base metric, unless it is `X`. An absent threat or
        // requirement metric counts as the worst (section 8.2).
        let value = |name: &str, modified: &str| {
            metrics
                .index(METRICS, modified, "X")
                .or_else(|| metrics.index(METRICS, name, "X"))
                .unwrap_or(0)
        };
        let optional = |name: &str| metrics.index(METRICS, name, "X").unwrap_or(0);
        Effective {
            av: value("AV", "MAV"),
            ac: value("AC", "MAC"),
            at: value("AT", "MAT"),
            pr: value("PR", "MPR"),
            ui: value("UI", "MUI"),
            vulnerable: [value("VC", "MVC"), value("VI", "MVI"), value("VA", "MVA")],
            subsequent: [value("SC", "MSC"), value("SI", "MSI"), value("SA", "MSA")],
            required: [optional("CR"), optional("IR"), optional("AR")],
            exploit: optional("E"),
        }
    }

    fn macro_vector(&self) -> MacroVector {
        let eq1 = match (self.av, self.pr, self.ui) {
            (0, 0, 0) => 0,
            (av, pr, ui) if av != 3 && (av == 0 || pr == 0 || ui == 0) => 1,
            _ => 2,
        };
        let eq2 = usize::from((self.ac, self.at) != (0, 0));
        let eq3 = match self.vulnerable {
            [0, 0, _] => 0,
            values if values.contains(&0) => 1,
            _ => 2,
        };
        let [_, integrity, availability] = self.subsequent;
        let eq4 = if integrity == 0 || availability == 0 {
            0
        } else if self.subsequent.contains(&1) {
            1
        } else {
            2
        };
        let worst_where_required = self
            .vulnerable
            .iter()
            .zip(self.required)
            .any(|(impact, requirement)| (*impact, requirement) == (0, 0));
        let eq36 = match (eq3, worst_where_required) {
            (0, true) => 0,
            (0, false) => 1,
            (1, true) => 2,
            (1, false) => 3,
            _ => 4,
        };
        MacroVector {
            eq1,
            eq2,
            eq36,
            eq4,
            eq5: usize::from(self.exploit),
        }
    }
}

/// The score, 0.0 to 10.0 in tenths.
pub(super) fn score(metrics: &Metrics) -> f64 {
    let vector = Effective::new(metrics);
    if vector.vulnerable == [2; 3] && vector.subsequent == [3; 3] {
        return 0.0;
    }
    let here = vector.macro_vector();
    let Some(top) = here.score() else {
        return 0.0;
    };
    let mut sum = 0.0;
    let mut classes = 0.0;
    // (the next lower macrovector's score, distance from the worst, depth of the level)
    let steps = [
        (
            MacroVector {
                eq1: here.eq1 + 1,
                ..here
            }
            .score(),
            distance(&WORST_EQ1, here.eq1, &[vector.av, vector.pr, vector.ui]),
            DEPTH_EQ1.get(here.eq1),
        ),
        (
            MacroVector {
                eq2: here.eq2 + 1,
                ..here
            }
            .score(),
            distance(&WORST_EQ2, here.eq2, &[vector.ac, vector.at]),
            DEPTH_EQ2.get(here.eq2),
        ),
        (
            below_eq36(here),
            {
                let [c, i, a] = vector.vulnerable;
                let [cr, ir, ar] = vector.required;
                distance(&WORST_EQ36, here.eq36, &[c, i, a, cr, ir, ar])
            },
            DEPTH_EQ36.get(here.eq36),
        ),
        (
            MacroVector {
                eq4: here.eq4 + 1,
                ..here
            }
            .score(),
            distance(&WORST_EQ4, here.eq4, &vector.subsequent),
            DEPTH_EQ4.get(here.eq4),
        ),
        // Class 5 has one metric, so every vector is the worst of its level.
        (
            MacroVector {
                eq5: here.eq5 + 1,
                ..here
            }
            .score(),
            0,
            Some(&1),
        ),
    ];
    for (below, distance, depth) in steps {
        if let (Some(below), Some(depth)) = (below, depth) {
            classes += 1.0;
            sum += (top - below) * f64::from(distance) / f64::from(*depth);
        }
    }
    let tenths = if classes > 0.0 {
        top - sum / classes
    } else {
        top
    };
    // Halves round up; the small term undoes what binary fractions take away.
    (tenths.clamp(0.0, 100.0) + 0.5 + 1e-9).floor() / 10.0
}

/// The highest of the scores one level below in class 3 or in class 6.
fn below_eq36(here: MacroVector) -> Option<f64> {
    let at = |eq36| MacroVector { eq36, ..here }.score();
    match here.eq36 {
        0 => Some(f64::max(at(1)?, at(2)?)),
        1 | 2 => at(3),
        3 => at(4),
        _ => None,
    }
}

/// How many steps the values are below the first of the level's worst vectors that is at
/// least as bad in every metric.
fn distance<const N: usize>(worst: &[&[[u8; N]]], level: usize, values: &[u8; N]) -> u8 {
    worst
        .get(level)
        .into_iter()
        .copied()
        .flatten()
        .find_map(|top| {
            values
                .iter()
                .zip(top)
                .map(|(value, top)| value.checked_sub(*top))
                .sum::<Option<u8>>()
        })
        .unwrap_or(0)
}

/// Section 8.3: the worst vectors of each level, as steps: AV, PR, UI.
const WORST_EQ1: [&[[u8; 3]]; 3] = [
    &[[0, 0, 0]],
    &[[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    &[[3, 0, 0], [1, 1, 1]],
];
/// AC, AT.
const WORST_EQ2: [&[[u8; 2]]; 2] = [&[[0, 0]], &[[1, 0], [0, 1]]];
/// VC, VI, VA, CR, IR, AR.
const WORST_EQ36: [&[[u8; 6]]; 5] = [
    &[[0, 0, 0, 0, 0, 0]],
    &[[0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1]],
    &[[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]],
    &[
        [1, 0, 1, 0, 1, 0],
        [1, 0, 0, 0, 1, 1],
        [0, 1, 0, 1, 0, 1],
        [0, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 0, 1],
    ],
    &[[1, 1, 1, 0, 0, 0]],
];
/// SC, SI, SA.
const WORST_EQ4: [&[[u8; 3]]; 3] = [&[[1, 0, 0]], &[[1, 1, 1]], &[[2, 2, 2]]];

/// Section 8.3: how many steps each level is deep.
const DEPTH_EQ1: [u8; 3] = [1, 4, 5];
const DEPTH_EQ2: [u8; 2] = [1, 2];
const DEPTH_EQ36: [u8; 5] = [7, 6, 8, 8, 10];
const DEPTH_EQ4: [u8; 3] = [6, 5, 4];

/// Section 8.2: the score of each macrovector in tenths, by class 1, class 2, classes 3 and
/// 6 (00, 01, 10, 11, 21), then class 4 times three plus class 5.
const SCORES: [[[[u8; 9]; 5]; 2]; 3] = [
    [
        [
            [100, 98, 95, 100, 93, 91, 93, 89, 81],
            [99, 95, 92, 96, 87, 81, 90, 80, 68],
            [98, 95, 90, 93, 89, 81, 88, 78, 69],
            [95, 92, 84, 92, 81, 65, 80, 70, 48],
            [92, 82, 72, 79, 69, 50, 69, 55, 27],
        ],
        [
            [99, 95, 92, 95, 90, 84, 92, 82, 72],
            [97, 92, 85, 91, 83, 71, 81, 71, 53],
            [95, 92, 85, 92, 80, 70, 84, 71, 50],
            [93, 85, 73, 82, 72, 59, 70, 52, 30],
            [86, 75, 52, 71, 52, 29, 63, 29, 17],
        ],
    ],
    [
        [
            [98, 94, 91, 94, 86, 77, 87, 74, 63],
            [95, 87, 81, 89, 74, 64, 75, 63, 49],
            [94, 88, 76, 86, 74, 59, 72, 57, 52],
            [89, 77, 67, 76, 58, 50, 57, 52, 25],
            [83, 70, 54, 65, 58, 26, 53, 21, 13],
        ],
        [
            [95, 88, 76, 90, 75, 61, 77, 68, 52],
            [90, 76, 70, 77, 62, 53, 66, 59, 30],
            [89, 76, 62, 74, 57, 47, 61, 57, 24],
            [78, 67, 58, 59, 57, 23, 52, 29, 16],
            [71, 59, 30, 58, 26, 15, 23, 13, 6],
        ],
    ],
    [
        [
            [93, 86, 75, 86, 74, 56, 70, 52, 40],
            [87, 72, 58, 74, 61, 34, 54, 40, 22],
            [85, 74, 62, 72, 55, 46, 53, 34, 19],
            [75, 55, 51, 57, 41, 19, 36, 19, 8],
            [64, 51, 20, 47, 21, 11, 24, 9, 4],
        ],
        [
            [88, 73, 60, 73, 59, 41, 54, 45, 20],
            [75, 53, 50, 55, 40, 20, 43, 22, 11],
            [75, 58, 40, 61, 48, 20, 46, 17, 8],
            [55, 45, 21, 51, 18, 9, 18, 7, 2],
            [53, 24, 14, 24, 12, 5, 10, 3, 1],
        ],
    ],
];
