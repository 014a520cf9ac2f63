//! Bounded unpacking, in memory, of archives and compressed files that lie inside image
//! layers: what a malware or secrets engine must see behind a `.tar.gz`, a `.jar`, a `.deb`.
//!
//! [`unpack`] is handed the bytes of one file and its [`Format`], and shows every regular
//! file packed in it to a [`Visitor`], parents before children, nested up to
//! [`Limits::depth`]. Nothing is written to disk, no link is followed, no name is trusted:
//! directories, links and devices are skipped, names are text with control characters
//! escaped.
//!
//! Archives are hostile by nature here. Readers of containers are our own and work on
//! slices: what an archive declares is checked before anything is allocated for it, and all
//! that is unpacked of one outermost file is at most [`Limits::total_bytes`], which is also
//! the bound on memory. LZMA, LZ4, implode and deflate64 are decoded straight into their
//! result, so that a declared dictionary of gigabytes costs nothing; DEFLATE, bzip2 and
//! Zstandard go through `flate2` (zlib-rs), `bzip2` (its pure-Rust backend) and libzstd with
//! a bounded window. What stands before a fault or a limit is shown too, and
//! [`Visitor::incomplete`] names the place and the reason.
//!
//! Left out, and so never claimed: RAR, CAB, ARJ, ISO, mail and documents; decryption;
//! archives split over several files; PPMd (7z, zip); LZO.
//!
//! ```
//! use seaworthy_unpack::{Flow, Format, Incomplete, Limits, Member, Visitor, unpack};
//!
//! struct Names(Vec<String>);
//! impl Visitor for Names {
//!     fn enter(&mut self, member: &Member<'_>, _: &[u8]) -> Flow {
//!         self.0.push(member.inside.to_owned());
//!         Flow::Continue
//!     }
//!     fn incomplete(&mut self, inside: Option<&str>, why: &Incomplete) {
//!         self.0.push(format!("{}: {why}", inside.unwrap_or("itself")));
//!     }
//! }
//!
//! let ar = b"!<arch>\nx               0           0     0     100644  3         `\nab";
//! let mut names = Names(Vec::new());
//! let format = Format::of(ar).expect("an ar archive");
//! unpack(ar, format, &Limits::default(), &mut names);
//! assert_eq!(names.0, ["x: damaged: data breaks off", "x"]);
//! ```

mod bytes;
mod codec;
mod container;
mod format;
#[cfg(test)]
mod laws;
mod limits;
mod names;
mod output;
mod stream;
#[cfg(test)]
mod testing;
mod upx;
mod walk;

pub use format::{Format, appended};
pub use limits::{Incomplete, Limit, Limits};
pub use upx::{UpxInfo, upx};
pub use walk::{Flow, Member, Visitor, unpack};
