//! Signatures of what archives say of their members:
//! `name:container:container size:pattern:packed size:size:encrypted:position:res1:res2`, with
//! an optional range of engine levels. `*` is anything; numbers may be ranges `a-b`. Checksums
//! (`res1`) are not compared: signatures that ask for one are refused.

use serde::{Deserialize, Serialize};

use super::{Reason, level_fits};
use crate::set::Member;

/// Most bytes a compiled pattern may take.
const MAX_COMPILED: usize = 1 << 20;

/// A range of numbers, ends included; `None` for any.
type Range = Option<(u64, u64)>;

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberSignature {
    /// Name of the signature.
    pub name: String,
    /// Type of the archive; `None` for any.
    pub container: Option<String>,
    /// Bytes of the archive.
    pub container_size: Range,
    /// Extended regular expression that stands in the member's name.
    pub pattern: String,
    /// Bytes in the archive.
    pub packed_size: Range,
    /// Bytes unpacked.
    pub size: Range,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// Its number in the archive.
    pub position: Range,
}

/// Reads one line.
///
/// # Errors
/// The line is not of this format, for another engine, or asks for a checksum.
pub fn parse(line: &[u8]) -> Result<MemberSignature, Reason> {
    let line = std::str::from_utf8(line).map_err(|_| Reason::Malformed)?;
    let fields = split(line);
    let [
        name,
        container,
        container_size,
        pattern,
        packed,
        size,
        encrypted,
        position,
        checksum,
        _,
        levels @ ..,
    ] = fields.as_slice()
    else {
        return Err(Reason::Malformed);
    };
    if name.is_empty() || levels.len() > 2 {
        return Err(Reason::Malformed);
    }
    level_fits(levels.first().copied(), levels.get(1).copied())?;
    if *checksum != "*" {
        return Err(Reason::MemberMetadata);
    }
    // `*` for a name is any.
    let pattern = if *pattern == "*" { "" } else { pattern };
    compile(pattern)?;
    Ok(MemberSignature {
        name: (*name).to_owned(),
        container: match *container {
            "*" | "CL_TYPE_ANY" => None,
            container => Some(container.to_owned()),
        },
        container_size: range(container_size)?,
        pattern: pattern.to_owned(),
        packed_size: range(packed)?,
        size: range(size)?,
        encrypted: match *encrypted {
            "*" => None,
            "0" => Some(false),
            "1" => Some(true),
            _ => return Err(Reason::Malformed),
        },
        position: range(position)?,
    })
}

/// Cuts a line at colons, but not at those of `[:alpha:]` and the like.
fn split(line: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let (mut start, mut inside) = (0, false);
    let bytes = line.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let next = bytes.get(at + 1);
        match byte {
            b'[' if next == Some(&b':') => inside = true,
            b':' if inside && next == Some(&b']') => inside = false,
            b':' if !inside => {
                fields.extend(line.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.extend(line.get(start..));
    fields
}

fn range(text: &str) -> Result<Range, Reason> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| Reason::Malformed);
    match text.split_once('-') {
        _ if text == "*" => Ok(None),
        None => number(text).map(|n| Some((n, n))),
        Some((low, high)) => Ok(Some((number(low)?, number(high)?))),
    }
}

/// Compiles the pattern of a name.
///
/// # Errors
/// It is not understood.
pub fn compile(pattern: &str) -> Result<regex::bytes::Regex, Reason> {
    regex::bytes::RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|_| Reason::RegularExpression)
}

impl MemberSignature {
    /// Whether all but the name fits.
    pub fn fits(&self, member: &Member<'_>, container: Option<&str>) -> bool {
        let inside = |range: Range, value: Option<u64>| {
            range.is_none_or(|(low, high)| value.is_some_and(|value| (low..=high).contains(&value)))
        };
        self.container
            .as_deref()
            .is_none_or(|wanted| container == Some(wanted))
            && inside(self.container_size, member.archive_size)
            && inside(self.packed_size, member.packed_size)
            && inside(self.size, member.size)
            && self
                .encrypted
                .is_none_or(|wanted| wanted == member.encrypted)
            && inside(self.position, member.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_nonsense_is_refused() {
        let line = b"N:CL_TYPE_RAR:1-9:^[[:alpha:]]+\\.exe$:*:7:1:3:*:*:60:250";
        let signature = parse(line).unwrap();
        assert_eq!(signature.container.as_deref(), Some("CL_TYPE_RAR"));
        assert_eq!(signature.pattern, "^[[:alpha:]]+\\.exe$");
        assert_eq!(
            (signature.container_size, signature.size, signature.position),
            (Some((1, 9)), Some((7, 7)), Some((3, 3)))
        );
        for (line, reason) in [
            ("N:*:*:a:*:*:*:*", Reason::Malformed),
            ("N:*:*:(:*:*:*:*:*:*", Reason::RegularExpression),
            ("N:*:*:a:*:x:*:*:*:*", Reason::Malformed),
            ("N:*:*:a:*:*:*:*:1234:*", Reason::MemberMetadata),
            ("N:*:*:a:*:*:*:*:*:*:300", Reason::OtherEngineLevel),
        ] {
            assert_eq!(parse(line.as_bytes()), Err(reason), "{line}");
        }
    }
}
