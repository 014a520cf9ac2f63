//! Body signatures: `name:target:offset:pattern[:min level[:max level]]`.

use super::body::{self, Pattern};
use super::offset::Offset;
use super::{Reason, level_fits};

/// One body signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodySignature {
    /// Name of the signature.
    pub name: String,
    /// The type of file it is for: 0 any, 6 ELF, 7 text, and so on.
    pub target: u8,
    /// Where it may start.
    pub offset: Offset,
    /// What to find.
    pub pattern: Pattern,
}

/// Reads one line.
///
/// # Errors
/// The line is not of this format, or needs what this engine has not.
pub fn parse(line: &[u8]) -> Result<BodySignature, Reason> {
    let line = std::str::from_utf8(line).map_err(|_| Reason::Malformed)?;
    let fields: Vec<&str> = line.split(':').collect();
    let (name, target, offset, pattern, min, max) = match fields.as_slice() {
        [name, target, offset, pattern] => (name, target, offset, pattern, None, None),
        [name, target, offset, pattern, min] => (name, target, offset, pattern, Some(*min), None),
        [name, target, offset, pattern, min, max] => {
            (name, target, offset, pattern, Some(*min), Some(*max))
        }
        _ => return Err(Reason::Malformed),
    };
    level_fits(min, max)?;
    let target = parse_target(target)?;
    Ok(BodySignature {
        name: (*name).to_owned(),
        target,
        offset: Offset::parse(offset)?,
        pattern: body::parse(pattern)?,
    })
}

/// Reads a target number; `*` is any.
pub(crate) fn parse_target(text: &str) -> Result<u8, Reason> {
    match text.trim() {
        "*" => Ok(0),
        text => match text.parse::<u8>() {
            Ok(target) if target <= 14 => Ok(target),
            _ => Err(Reason::Malformed),
        },
    }
}

/// The name on a line of any format, for ignore lists and for reports of what can't be read.
pub fn name_of(line: &[u8], separator: u8) -> String {
    let name = line
        .split(|byte| *byte == separator)
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(name.get(..name.len().min(200)).unwrap_or(name)).into_owned()
}
