//! From what an image holds to findings.
pub mod range;
