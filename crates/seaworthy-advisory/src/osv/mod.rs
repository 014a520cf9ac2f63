//! Open Source Vulnerability records: one JSON document per advisory.
//!
//! Follows the OSV schema 1.x (ossf/osv-schema, `validation/schema.json`) and the public
//! bucket's layout, `<Ecosystem>/all.zip` with one document per entry. Reading is tolerant
//! where publishers are sloppy (a number where a text belongs is taken for absent, unknown
//! fields are skipped) and strict where memory is at stake: every list has a cap.
//!
//! Left out: credits, git ranges (they need a repository to evaluate) and anything in
//! `database_specific` or `ecosystem_specific` that no publisher's interpreter reads.

mod archive;
mod lenient;
mod record;

pub use archive::{ArchiveError, ArchiveLimits, OsvArchive};
pub use lenient::{List, Text, Words};
pub use record::{
    MAX_RECORD_BYTES, OsvAffected, OsvDatabaseSpecific, OsvEcosystemSpecific, OsvEvent, OsvPackage,
    OsvRange, OsvRecord, OsvReference, OsvSeverity, RecordError,
};
