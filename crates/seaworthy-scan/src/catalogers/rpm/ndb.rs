//! The "ndb" format, as SUSE uses it (`Packages.db`).
//!
//! Followed: rpm `lib/backend/ndb/rpmpkg.c`, checked against a SLE 15 database. All
//! numbers are little-endian:
//!
//! ```text
//! header   "RpmP", version u32 (0), generation u32, slot pages u32, next package u32, …
//! slot     "Slot", package u32 (0: free), block u32, blocks u32; 16 bytes each, packed
//!          in pages of 4096 bytes; the header takes the place of the first two
//! blob     at block × 16: "BlbS", package u32, generation u32, length u32, the header
//!          blob, padding, then adler32 u32 of all before, length u32, "BlbE"
//! ```
//!
//! Left out: the index file `Index.db`, which serves look-ups only.

use seaworthy_core::ProblemKind;

use super::Blobs;
use super::header::MAX_DATA;
use crate::bytes::{Endian, slice};

const LE: Endian = Endian::Little;
const PAGE: usize = 4096;
const SLOT: usize = 16;
const BLOCK: usize = 16;
const BLOB_HEAD: usize = 16;
const BLOB_TAIL: usize = 12;
/// 2,048 slot pages are room for half a million packages; rpm has no limit of its own.
const MAX_SLOT_PAGES: usize = 2048;

/// Whether the bytes start an ndb file.
pub(super) fn is_ndb(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RpmP")
}

/// Gives the header blob of every package.
pub(super) fn read(bytes: &[u8], out: &mut Blobs) {
    let (Some(version), Some(slot_pages)) = (LE.u32(bytes, 4), LE.usize32(bytes, 12)) else {
        out.malformed("the file ends in its header");
        return;
    };
    if version != 0 {
        out.unsupported(format!("ndb version {version} is not known"));
        return;
    }
    let mut table_len = slot_pages.min(MAX_SLOT_PAGES) * PAGE;
    if slot_pages > MAX_SLOT_PAGES {
        out.problems().push(
            ProblemKind::LimitReached,
            format!("the database claims {slot_pages} slot pages"),
        );
    }
    if table_len > bytes.len() {
        out.malformed("the file ends in its slot pages");
        table_len = bytes.len();
    }
    // Blobs do not overlap, so together they are no larger than the file: forged slots
    // that share one blob stop here.
    let mut left = bytes.len();
    let table = bytes.get(2 * SLOT..table_len).unwrap_or_default();
    for slot in table.chunks_exact(SLOT) {
        if !slot.starts_with(b"Slot") {
            out.malformed("a slot lacks its mark");
            return;
        }
        let (Some(package), Some(block), Some(blocks)) =
            (LE.u32(slot, 4), LE.usize32(slot, 8), LE.usize32(slot, 12))
        else {
            return;
        };
        if package == 0 {
            continue;
        }
        let span = block
            .checked_mul(BLOCK)
            .zip(blocks.checked_mul(BLOCK))
            .and_then(|(start, len)| slice(bytes, start, len));
        let Some(span) = span else {
            out.malformed(format!("package {package} lies outside of the file"));
            continue;
        };
        let Some(rest) = left.checked_sub(span.len()) else {
            out.malformed("packages overlap");
            return;
        };
        left = rest;
        match blob(span, package) {
            Ok((blob, intact)) => {
                if !intact {
                    out.malformed(format!("package {package} does not match its checksum"));
                }
                if !out.visit(blob) {
                    return;
                }
            }
            Err(what) => out.malformed(format!("package {package}: {what}")),
        }
    }
}

/// The header blob, and whether its checksum is right.
fn blob(span: &[u8], package: u32) -> Result<(&[u8], bool), &'static str> {
    if !span.starts_with(b"BlbS") || LE.u32(span, 4) != Some(package) {
        return Err("its blob lacks the mark");
    }
    let len = LE.usize32(span, 12).ok_or("its blob is cut short")?;
    if len > MAX_DATA {
        return Err("its blob is too long");
    }
    let blob = slice(span, BLOB_HEAD, len).ok_or("its blob is longer than its room")?;
    let tail_at = span.len().saturating_sub(BLOB_TAIL);
    let intact = tail_at >= BLOB_HEAD + len
        && LE.u32(span, tail_at) == Some(adler32(span.get(..tail_at).unwrap_or_default()))
        && LE.usize32(span, tail_at + 4) == Some(len)
        && slice(span, tail_at + 8, 4) == Some(b"BlbE");
    Ok((blob, intact))
}

/// Adler-32 (RFC 1950, section 8.2).
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    let (mut a, mut b) = (1u32, 0u32);
    // 5552 additions are the most that fit 32 bits before a reduction.
    for chunk in bytes.chunks(5552) {
        for byte in chunk {
            a += u32::from(*byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adler32_of_the_known_example() {
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
        assert_eq!(adler32(b""), 1);
    }
}
