//! rpm packages: a lead, two headers, a compressed cpio archive.
//!
//! ```text
//! lead       96 bytes, ED AB EE DB
//! signature  8E AD E8 01, 4 reserved, entries u32, bytes u32, entries * 16, bytes; padded to 8
//! header     the same, not padded
//! payload    cpio in gzip, xz, zstd, lzma, bzip2 or nothing, told by its own first bytes
//! ```
//!
//! Numbers are big-endian. Members are the package's files; the payload is none. Scripts
//! stand in the header as plain text, which the package's own bytes show.

use crate::bytes::{Cursor, size};
use crate::container::cpio;
use crate::format::Format;
use crate::limits::Incomplete;
use crate::stream;
use crate::walk::{Step, Walk};

/// Walks the files of the payload.
pub(crate) fn read(walk: &mut Walk<'_>, bytes: &[u8]) -> Step {
    let mut cursor = Cursor::at(bytes, 96);
    skip_header(&mut cursor)?;
    let at = cursor.position();
    cursor.skip(at.next_multiple_of(8) - at)?;
    skip_header(&mut cursor)?;
    let payload = cursor.rest();
    match Format::of(payload) {
        Some(Format::Cpio) => cpio::read_as(walk, payload, Format::Rpm),
        Some(format) if format.is_compressor() => {
            let mut out = walk.block_output(payload.len())?;
            let done = stream::decode(walk, payload, format, &mut out);
            walk.spend(out.bytes.len());
            if let Err(why) = done {
                // What is out of the payload is an archive that breaks off there, too.
                walk.report(&why);
            }
            if out.bytes.is_empty() {
                return Ok(());
            }
            cpio::read_as(walk, &out.bytes, Format::Rpm)
        }
        _ if payload.is_empty() => Err(Incomplete::TRUNCATED.into()),
        _ => Err(Incomplete::unsupported("rpm payload").into()),
    }
}

fn skip_header(cursor: &mut Cursor<'_>) -> Result<(), Incomplete> {
    if cursor.take(4)? != [0x8e, 0xad, 0xe8, 1] {
        return Err(Incomplete::Damaged("not an rpm header"));
    }
    cursor.skip(4)?;
    let (entries, length) = (cursor.u32_be()?, cursor.u32_be()?);
    cursor.skip(size(u64::from(entries) * 16 + u64::from(length))?)
}

#[cfg(test)]
mod tests {
    use crate::Format;
    use crate::testing::{cpio_newc, eicar, gzip, rpm, walk, walk_whole};

    #[test]
    fn files_of_the_payload_are_the_members() {
        let payload = cpio_newc("070701", &[("./usr/bin/x", &eicar())]);
        for payload in [
            payload.clone(),
            gzip(&payload, None),
            zstd::encode_all(&payload[..], 3).unwrap(),
        ] {
            let seen = walk_whole(&rpm(&payload));
            assert_eq!(seen.names(), ["usr/bin/x"]);
            assert_eq!(seen.bytes_of("usr/bin/x"), eicar());
            assert_eq!(seen.seen[0].container, Format::Rpm);
        }
    }

    #[test]
    fn a_payload_that_is_none_is_told() {
        assert_eq!(
            walk(&rpm(b"something else")).faults(),
            ["itself: unsupported method: rpm payload"]
        );
        assert_eq!(
            walk(&rpm(b"")).faults(),
            ["itself: damaged: data breaks off"]
        );
    }
}
