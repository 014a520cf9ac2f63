//! Getting knowledge onto this machine: advisories, signatures.
//!
//! [`Fetcher`] fetches files over HTTP so that nothing is lost when it is interrupted;
//! [`Generations`] keeps what was made of them so that a reader always meets a whole one.
//! What the files are, and whether they are to be believed, is the caller's.
//!
//! What is absent: registries of images, which speak a protocol of their own, and the clock,
//! which the caller looks at.

mod cool_down;
mod files;
mod generations;
mod http;

pub use cool_down::CoolDown;
pub use files::{hash_file, hex, link_or_copy, lock_folder};
pub use generations::{FolderError, Generations, Staging};
pub use http::{Event, FetchError, Fetched, Fetcher, HttpOptions, Outcome, Wanted};
