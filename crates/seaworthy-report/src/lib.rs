//! The versioned report document and its renderings.
//!
//! [`Report`] is a promise to others: its JSON form follows the schema committed at
//! `schema/report-v1.schema.json`. Within major version 1 fields are only added; readers
//! skip those they do not know. The types here are kept apart from those of
//! `seaworthy-core`, so that a change inside the house is no change of the promise.
//!
//! A rendering is one file and one line in [`reporters`]. The same report gives the same
//! bytes, always: nothing here looks at a clock, the environment or the terminal.

mod actions;
mod build;
mod document;
mod explain;
mod finding;
mod inventory;
mod json;
mod reporters;
mod schema;
mod table;
mod text;

pub use actions::{Action, actions};
pub use build::{ReportParts, image_of, packages_of};
pub use document::{
    Counts, Database, DatabaseKind, Distro, Gap, Image, Layer, MalwareEngine, Outcome,
    PackageCounts, PolicyUsed, Problem, Reason, Report, SCHEMA_VERSION, SeverityCount, Suppressed,
    Timings, Tool, Verdict,
};
pub use explain::explain;
pub use finding::{
    Certainty, CvssScore, Detail, Epss, Evidence, Finding, FixStatus, Ignored, Judgement, Kev,
    Location, Malware, Remediation, Secret, SecretFix, SecretState, Severity, StartedBy, Subject,
    Trace, Vulnerability,
};
pub use inventory::{Inventory, InventoryPackage};
pub use reporters::{RenderOptions, Reporter, reporter, reporters};
pub use schema::{inventory_schema, report_schema};
pub use text::printable;
