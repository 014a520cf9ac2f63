//! The header of the build info, in both its forms (see the [parent module](super)).

use super::BuildInfo;
use crate::bytes::Endian;

pub(super) const HEADER: usize = 32;
/// Go versions with all their suffixes are shorter.
pub(super) const MAX_VERSION: usize = 256;
/// The largest known module text has about 200 KB.
pub(super) const MAX_TEXT: usize = 8 << 20;

/// What the bytes from a magic on are.
pub(super) enum Header {
    /// The form since Go 1.18, whole.
    Inline {
        info: BuildInfo,
        /// Whether the module text ends too early, and was left out.
        cut_short: bool,
    },
    /// The form before.
    Pointers(Pointers),
    /// Could be one, but ends too early.
    CutShort,
    /// Something else.
    Invalid,
}

/// A header of the older form.
pub(super) struct Pointers {
    pub(super) size: usize,
    pub(super) endian: Endian,
    pub(super) version: u64,
    pub(super) modules: u64,
}

impl Pointers {
    pub(super) fn word(&self, bytes: &[u8], at: usize) -> Option<u64> {
        match self.size {
            4 => self.endian.u32(bytes, at).map(u64::from),
            _ => self.endian.u64(bytes, at),
        }
    }
}

/// Reads a header; where nothing more will come, a module text cut short is left out.
pub(super) fn read_header(bytes: &[u8], complete: bool) -> Header {
    let Some([size, flags]) = bytes.get(14..16) else {
        return Header::CutShort;
    };
    let (size, flags) = (usize::from(*size), *flags);
    if bytes.len() < HEADER {
        return Header::CutShort;
    }
    if flags & 2 != 0 {
        let rest = bytes.get(HEADER..).unwrap_or_default();
        let version = match varint_text(rest, MAX_VERSION) {
            Ok(version) => version,
            Err(header) => return header,
        };
        let Some(go_version) = go_version(version.text) else {
            return Header::Invalid;
        };
        let modules = match varint_text(version.rest, MAX_TEXT) {
            Ok(modules) => Some(modules.text.to_vec()),
            Err(_) if complete => None,
            Err(header) => return header,
        };
        return Header::Inline {
            cut_short: modules.is_none(),
            info: BuildInfo {
                go_version: Some(go_version),
                modules: modules.unwrap_or_default(),
            },
        };
    }
    let mut pointers = Pointers {
        size,
        endian: if flags & 1 == 0 {
            Endian::Little
        } else {
            Endian::Big
        },
        version: 0,
        modules: 0,
    };
    if flags > 1 || !matches!(size, 4 | 8) {
        return Header::Invalid;
    }
    let words = (pointers.word(bytes, 16), pointers.word(bytes, 16 + size));
    match words {
        (Some(version), Some(modules)) if version != 0 => {
            pointers.version = version;
            pointers.modules = modules;
            Header::Pointers(pointers)
        }
        _ => Header::Invalid,
    }
}

struct VarintText<'a> {
    text: &'a [u8],
    rest: &'a [u8],
}

/// A text behind its length, which is written in groups of 7 bits, lowest first.
fn varint_text(bytes: &[u8], most: usize) -> Result<VarintText<'_>, Header> {
    let mut len = 0usize;
    for (i, byte) in bytes.iter().take(5).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            if len > most {
                return Err(Header::Invalid);
            }
            let rest = bytes.get(i + 1..).unwrap_or_default();
            return rest
                .split_at_checked(len)
                .map(|(text, rest)| VarintText { text, rest })
                .ok_or(Header::CutShort);
        }
    }
    Err(if bytes.len() < 5 {
        Header::CutShort
    } else {
        Header::Invalid
    })
}

/// A text that is a Go version: `go1.22.1`, `devel go1.23-abc`.
pub(super) fn go_version(bytes: &[u8]) -> Option<String> {
    let plain = bytes.iter().all(|b| (b' '..=b'~').contains(b));
    let begins = bytes.starts_with(b"go") || bytes.starts_with(b"devel");
    (plain && begins).then(|| String::from_utf8_lossy(bytes).into_owned())
}
