//! From facts about a host to its audit: checks, exceptions, scores and a verdict.
//!
//! [`audit`] is pure: facts, policy and the day are handed in. [`write_table`] renders the
//! document for people; its serde form is the one for machines.

mod document;
mod escape;
mod judge;
mod table;

pub use document::{
    AUDIT_SCHEMA_VERSION, Audit, AuditOutcome, Check, Excepted, HostSummary, SectionScore, Status,
};
pub use escape::write_escape_table;
pub use judge::{AuditRequest, Profile, audit, scan_of};
pub use table::write_table;
