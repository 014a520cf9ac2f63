//! Secret rules and engine: finds leaked keys, tokens and passwords in bytes.
//!
//! A library others could use alone: bytes in, places out. It opens no file and calls nobody;
//! whether a secret still works is never tried out.

pub mod assignment;
pub mod builtin;
pub mod check;
pub mod engine;
pub mod entropy;
pub mod file_kind;
pub mod findings;
pub mod placeholder;
pub mod prefilter;
pub mod redact;
pub mod rule;
pub mod scanner;
