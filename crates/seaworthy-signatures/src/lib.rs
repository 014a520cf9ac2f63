//! Malware signatures: ClamAV databases read natively, compiled, and matched.
//!
//! [`clamav`] reads the signature formats.

pub mod clamav;
pub mod cvd;
pub mod rsa;
