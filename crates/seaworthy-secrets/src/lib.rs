//! Secret rules and engine: finds leaked keys, tokens and passwords in bytes.
//!
//! A library others could use alone: bytes in, places out. It opens no file and calls nobody;
//! whether a secret still works is never tried out.

pub mod allow;
pub mod assignment;
pub mod baseline;
pub mod builtin;
pub mod check;
pub mod custom;
mod decode;
pub mod engine;
pub mod entropy;
pub mod file_kind;
pub mod findings;
pub mod gitleaks;
pub mod jwt;
pub mod keys;
pub mod placeholder;
pub mod prefilter;
mod re2;
pub mod redact;
pub mod rule;
pub mod scanner;
