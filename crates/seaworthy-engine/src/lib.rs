//! Facade over image, scan, advisory, policy and report: all that a front end needs.
//!
//! [`scan`] goes the whole way from a reference to a [`Report`]; [`inventory`] stops at
//! the packages. Both say how far they are through an [`Observer`], and end early and
//! clean when [`Cancel`] asks. [`Folders`] knows where cache and database live.
//!
//! What is absent: terminals, flags and exit codes. The clock is looked at in one place,
//! by whoever fills [`ScanRequest::now`].

pub mod audit;
mod cache;
mod error;
mod folders;
mod knowledge;
mod observe;
mod scan;
mod secrets;
mod supported;

pub use cache::{CacheChoice, DEFAULT_CACHE_BYTES, open_cache};
pub use error::EngineError;
pub use folders::Folders;
pub use knowledge::{DatabaseChoice, Knowledge, open_database};
pub use observe::{Observer, Silent, Stage};
pub use scan::{ScanRequest, inventory, inventory_of, scan, scan_opened};
pub use secrets::{SecretRule, SecretsChoice, secret_rules};
pub use supported::{SupportGroup, SupportRow, supported};

pub use seaworthy_image::{Cancel, Limits};
pub use seaworthy_report::{Inventory, Report};
pub use seaworthy_scan::{EvidenceCache, MemoryLayer};
pub use seaworthy_secrets::redact::FingerprintKey;

/// Version of the program, as reports name it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
