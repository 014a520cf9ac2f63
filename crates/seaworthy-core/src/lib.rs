//! The shared nouns of Seaworthy.
//!
//! Every other crate speaks in these types: what an image holds ([`Package`],
//! [`Distro`], [`LayerEvidence`], [`ImageEvidence`]), what that means
//! ([`Finding`], [`CoverageGap`]) and what went wrong on the way ([`Problem`]).
//!
//! What is absent, on purpose: input and output, clocks, async, and knowledge of any
//! wire format. The types derive serde traits because evidence is cached and findings
//! are reported, but which bytes that gives is the business of the crates that do it.

mod digest;
mod distro;
mod evidence;
mod finding;
mod gap;
mod malware;
mod package;
mod path;
mod platform;
mod problem;
mod rule;
mod secret;
mod severity;

pub use digest::{Digest, DigestAlgorithm, DigestError};
pub use distro::Distro;
pub use evidence::{
    ConfigSecret, EvidenceItem, FileEvidence, ImageEvidence, LayerEvidence, LayerInfo, LayerStats,
    OwnedFile, OwnedFiles, PathSet, PrivateKeyFacts, PublicKeyEvidence, PublicKeyKind,
    SecretEvidence, SecretNature, TracedItem, WebTokenFacts,
};
pub use finding::{
    Certainty, CvssScore, Detail, Epss, Finding, FindingEvidence, Fingerprint, FixStatus, Kev,
    Location, MatchTrace, Remediation, SecretDetail, SecretFix, SecretState, Subject,
    VulnerabilityDetail,
};
pub use gap::{CoverageGap, GapKind};
pub use malware::{
    DetectionEngine, DetectionEvidence, ExecutableEvidence, ExecutableKind, ImageStart,
    MalwareBasis, MalwareDetail, StartedBy, StarterEvidence, StarterKind, SuspicionEvidence,
};
pub use package::{Package, PackageRole, PackageType, SourcePackage};
pub use path::ImagePath;
pub use platform::{Platform, PlatformError};
pub use problem::{Problem, ProblemKind};
pub use rule::{Meta, RuleId};
pub use secret::{Secret, SecretAllow};
pub use severity::Severity;
