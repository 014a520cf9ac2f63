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
mod detectors;
mod error;
mod fixes;
mod folders;
mod knowledge;
mod malware;
mod observe;
mod rules;
mod scan;
mod secrets;
mod signatures;
mod sources;
mod supported;

pub use cache::{CacheChoice, DEFAULT_CACHE_BYTES, open_cache};
pub use detectors::{MalwareChoice, MalwareOptions};
pub use error::EngineError;
pub use folders::Folders;
pub use knowledge::{DatabaseChoice, Knowledge, open_database};
pub use malware::{
    FileProblem, FilesOptions, FilesScan, MalwareScan, MalwareScanner, ScannedFile, scan_files,
};
pub use observe::{Observer, Silent, Stage};
pub use rules::{RuleKind, RuleRow, rules};
pub use scan::{ScanRequest, inventory, inventory_of, scan, scan_opened};
pub use secrets::{
    NamedText, SecretOptions, SecretRule, SecretsChoice, new_baseline, secret_rules,
};
pub use signatures::{
    STALE_SIGNATURE_DAYS, Signatures, SignaturesChoice, SignaturesDescription, SignaturesKind,
    open_signatures,
};
pub use sources::{SourceRequest, scan_sources};
pub use supported::{SupportGroup, SupportRow, supported};

pub use seaworthy_image::{Cancel, Limits};
pub use seaworthy_report::{Inventory, Report};
pub use seaworthy_scan::{EvidenceCache, MemoryLayer};
pub use seaworthy_secrets::allow::parse as parse_secret_allow;
pub use seaworthy_secrets::baseline::Baseline;
pub use seaworthy_secrets::gitleaks::{import as import_gitleaks, is_gitleaks};
pub use seaworthy_secrets::redact::FingerprintKey;
pub use seaworthy_unpack::Limits as UnpackLimits;

/// Version of the program, as reports name it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
