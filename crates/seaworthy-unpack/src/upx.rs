//! Programs packed by UPX: recognised, so that they are reported as unreadable; not unpacked.
//!
//! UPX (`stub/src/include/linux.h` in its sources) writes behind the program headers of an ELF file:
//!
//! ```text
//! l_info  0 checksum u32 | 4 "UPX!" | 8 loader size u16 | 10 version u8 | 11 format u8
//! p_info 12 program id u32 | 16 unpacked size u32 | 20 block size u32
//! ```
//!
//! in the file's byte order, and "UPX!" again in the pack header near its end. Packers of
//! malware overwrite one or both to defeat `upx -d`: those are left to entropy and missing sections.

use memchr::memmem;

use crate::bytes::{Cursor, size};

const MARK: &[u8] = b"UPX!";

/// How far from the end UPX's own reader looks for the pack header.
const TAIL: usize = 4096;

/// What UPX says in a program it packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpxInfo {
    /// Where the first marker stands.
    pub offset: u64,
    /// UPX's format version (13 in programs of 3.91 and 3.95 for ten processors); `None` where
    /// only the marker at the end is left.
    pub version: Option<u8>,
    /// UPX's number for the kind of executable.
    pub format: Option<u8>,
    /// Bytes of the program before it was packed, as it says itself.
    pub unpacked_bytes: Option<u32>,
    /// Whether the marker near the end is there too: without it `upx -d` refuses.
    pub has_pack_header: bool,
    /// Whether there is a section table: UPX leaves none in a program, and keeps it in a
    /// shared object.
    pub has_sections: bool,
}

/// Recognises an ELF file packed by UPX. A file that only speaks of UPX (its own program,
/// a scanner's rules) has no marker where the packer puts it.
pub fn upx(bytes: &[u8]) -> Option<UpxInfo> {
    let [0x7f, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2), ..] = *bytes else {
        return None;
    };
    let (wide, little) = (class == 2, order == 1);
    let u16_at = |at: usize| -> Option<u16> {
        let pair = Cursor::at(bytes, at).array().ok()?;
        Some(if little {
            u16::from_le_bytes(pair)
        } else {
            u16::from_be_bytes(pair)
        })
    };
    let u32_at = |at: usize| -> Option<u32> {
        let quad = Cursor::at(bytes, at).array().ok()?;
        Some(if little {
            u32::from_le_bytes(quad)
        } else {
            u32::from_be_bytes(quad)
        })
    };
    let u64_at = |at: usize| -> Option<u64> {
        let eight = Cursor::at(bytes, at).array().ok()?;
        Some(if little {
            u64::from_le_bytes(eight)
        } else {
            u64::from_be_bytes(eight)
        })
    };
    let (headers, entry_size, count, sections) = if wide {
        (
            size(u64_at(0x20)?).ok()?,
            u16_at(0x36)?,
            u16_at(0x38)?,
            u16_at(0x3c)?,
        )
    } else {
        (
            size(u64::from(u32_at(0x1c)?)).ok()?,
            u16_at(0x2a)?,
            u16_at(0x2c)?,
            u16_at(0x30)?,
        )
    };
    let behind = headers.checked_add(usize::from(entry_size) * usize::from(count))?;
    let tail_at = bytes
        .len()
        .saturating_sub(TAIL)
        .max(behind.saturating_add(36));
    let tail = bytes.get(tail_at..).unwrap_or_default();
    let has_pack_header = memmem::find(tail, MARK);
    let mark = behind.checked_add(4)?;
    let found = bytes.get(mark..)?.starts_with(MARK);
    // Shared objects keep their sections' headers in front, and the marker a little behind.
    let near = bytes.get(behind..behind.saturating_add(1024).min(bytes.len()));
    let mark = if found {
        Some(mark)
    } else {
        near.and_then(|near| memmem::find(near, MARK))
            .map(|at| behind + at)
    };
    let info = match mark {
        Some(mark) => UpxInfo {
            offset: u64::try_from(mark).ok()?,
            version: bytes.get(mark + 6).copied(),
            format: bytes.get(mark + 7).copied(),
            unpacked_bytes: u32_at(mark + 12),
            has_pack_header: has_pack_header.is_some(),
            has_sections: sections > 0,
        },
        None => UpxInfo {
            offset: u64::try_from(tail_at.checked_add(has_pack_header?)?).ok()?,
            version: None,
            format: None,
            unpacked_bytes: None,
            has_pack_header: true,
            has_sections: sections > 0,
        },
    };
    // One marker alone is trusted only in a file without sections.
    let both = mark.is_some() && info.has_pack_header;
    (both || !info.has_sections).then_some(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 64-bit program as UPX writes it: two program headers, no sections.
    fn packed() -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 3];
        bytes.resize(64, 0);
        bytes[0x20] = 64;
        bytes[0x36] = 56;
        bytes[0x38] = 2;
        bytes.resize(64 + 112, 0);
        bytes.extend([1, 2, 3, 4]);
        bytes.extend(b"UPX!");
        bytes.extend([0x20, 8, 14, 22]);
        bytes.extend([0; 4]);
        bytes.extend(123_456_u32.to_le_bytes());
        bytes.extend(123_456_u32.to_le_bytes());
        bytes.extend(vec![0xa5; 6000]);
        bytes.extend(b"UPX!");
        bytes.extend([14, 22, 8, 9]);
        bytes.extend([0; 28]);
        bytes
    }

    #[test]
    fn a_packed_program_tells_its_version_and_size() {
        let info = upx(&packed()).unwrap();
        assert_eq!(info.offset, 64 + 112 + 4);
        assert_eq!((info.version, info.format), (Some(14), Some(22)));
        assert_eq!(info.unpacked_bytes, Some(123_456));
        assert!(info.has_pack_header && !info.has_sections);
    }

    #[test]
    fn one_marker_wiped_is_still_recognised() {
        let mut bytes = packed();
        let mark = 64 + 112 + 4;
        bytes[mark..mark + 4].copy_from_slice(b"YTS\x99");
        let info = upx(&bytes).unwrap();
        assert_eq!(info.version, None);
        assert!(info.has_pack_header);
        let mut bytes = packed();
        let end = bytes.len() - 36;
        bytes[end..end + 4].copy_from_slice(b"YTS\x99");
        assert!(!upx(&bytes).unwrap().has_pack_header);
    }

    #[test]
    fn a_program_that_speaks_of_upx_is_not_packed() {
        let mut bytes = packed();
        bytes[0x3c] = 30;
        let mark = 64 + 112 + 4;
        bytes[mark..mark + 4].copy_from_slice(b"    ");
        assert_eq!(upx(&bytes), None);
        assert_eq!(upx(b"UPX! is a packer"), None);
        assert_eq!(upx(b"\x7fELF\x02\x01"), None);
    }
}
