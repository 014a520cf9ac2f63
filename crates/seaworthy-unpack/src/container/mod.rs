//! Readers of archives: files with names in a file. Each walks a slice and hands what it
//! finds to [`crate::walk::Walk`].

mod ar;
pub(crate) mod cpio;
mod rpm;
mod sevenz;
mod squashfs;
pub(crate) mod tar;
pub(crate) mod zip;

use crate::format::Format;
use crate::limits::Incomplete;
use crate::walk::{Step, Walk};

/// Walks an archive.
pub(crate) fn read(walk: &mut Walk<'_>, bytes: &[u8], format: Format) -> Step {
    match format {
        Format::Ar => ar::read(walk, bytes),
        Format::Cpio => cpio::read(walk, bytes),
        Format::Rpm => rpm::read(walk, bytes),
        Format::SevenZip => sevenz::read(walk, bytes),
        Format::Squashfs => squashfs::read(walk, bytes),
        Format::Tar => tar::read(walk, bytes),
        Format::Zip => zip::read(walk, bytes),
        other => Err(Incomplete::unsupported(other.as_str()).into()),
    }
}
