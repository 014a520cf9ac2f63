//! Logical signatures: `name;description;logic;sub0;sub1;...`, at most 64 sub-signatures.
//!
//! A sub-signature is a body pattern `[offset:]hex[::modifiers]`, a regular expression with
//! its trigger `[offset:]logic/expression/flags`, or a comparison of bytes near another
//! one's match `sub(>>offset#options#compare)`. Macros and image hashes are recognised and refused.

use serde::{Deserialize, Serialize};

use super::body::{self, Pattern};
use super::logic::Logic;
use super::ndb::parse_target;
use super::offset::Offset;
use super::{FUNCTIONALITY_LEVEL, Reason};

/// Most sub-signatures.
const MAX_SUBS: usize = 64;
/// Most containers that a description names.
const MAX_INTERMEDIATES: usize = 16;

/// What a file must be for the signature to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Description {
    /// Type of file; 0 is any.
    pub target: u8,
    /// Range of file sizes, in bytes.
    pub file_size: Option<(u32, u32)>,
    /// Range of entry points, as file offsets.
    pub entry_point: Option<(u32, u32)>,
    /// Range of numbers of sections.
    pub sections: Option<(u32, u32)>,
    /// Type of the container the file comes from, as `CL_TYPE_ZIP`.
    pub container: Option<String>,
    /// Types of the containers around the file, the outermost first, the last of them its own.
    pub intermediates: Vec<String>,
}

/// One sub-signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sub {
    /// A pattern of bytes.
    Body(BodySub),
    /// A regular expression.
    Regex(RegexSub),
    /// A comparison of bytes.
    ByteCompare(ByteCompare),
}

/// A pattern and how it is to be matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodySub {
    /// Where it may start.
    pub offset: Offset,
    /// Its forms: as written, with zero bytes between, or both.
    pub patterns: Vec<Pattern>,
    /// Whether the case of ASCII letters is of no matter.
    pub ignore_case: bool,
    /// Whether no letter or digit may stand at its ends.
    pub full_word: bool,
}

/// A regular expression, only tried when its trigger holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegexSub {
    /// Where it may start.
    pub offset: Offset,
    /// What must hold of the other sub-signatures first.
    pub trigger: Logic,
    /// The expression, in Perl's syntax.
    pub expression: String,
    /// Letters behind it.
    pub flags: String,
}

/// How a number is written in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NumberForm {
    /// Hexadecimal digits.
    Hex,
    /// Decimal digits.
    Decimal,
    /// Digits, hexadecimal if they start with `0x`.
    Auto,
    /// The bytes are the number.
    Binary,
}

/// A comparison of a number that stands near a match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteCompare {
    /// The sub-signature whose last match is counted from.
    pub anchor: u8,
    /// Bytes from the start of that match.
    pub offset: i64,
    /// How the number is written.
    pub form: NumberForm,
    /// Whether the first byte is the lowest.
    pub little_endian: bool,
    /// Whether all the digits must be there.
    pub exact: bool,
    /// How many bytes hold it.
    pub length: u8,
    /// All must hold.
    pub comparisons: Vec<CompareTo>,
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// `<`
    Less,
    /// `=`
    Equal,
    /// `>`
    More,
}

/// One comparison of [`ByteCompare`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompareTo {
    /// `<`, `=` or `>`.
    pub order: Order,
    /// With what.
    pub value: u64,
}

/// One logical signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogicalSignature {
    /// Name of the signature.
    pub name: String,
    /// What the file must be.
    pub description: Description,
    /// What must be found.
    pub logic: Logic,
    /// What to look for.
    pub subs: Vec<Sub>,
}

/// Reads one line.
///
/// # Errors
/// The line is not of this format, or needs what this engine has not.
pub fn parse(line: &[u8]) -> Result<LogicalSignature, Reason> {
    let line = std::str::from_utf8(line).map_err(|_| Reason::Malformed)?;
    let mut fields = split(line).into_iter();
    let (Some(name), Some(description), Some(logic)) =
        (fields.next(), fields.next(), fields.next())
    else {
        return Err(Reason::Malformed);
    };
    let description = parse_description(description)?;
    let logic = Logic::parse(logic)?;
    let texts: Vec<&str> = fields.collect();
    if texts.is_empty() || texts.len() > MAX_SUBS || usize::from(logic.highest()) >= texts.len() {
        return Err(Reason::Malformed);
    }
    let subs = texts
        .iter()
        .map(|text| parse_sub(text, texts.len()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(LogicalSignature {
        name: name.to_owned(),
        description,
        logic,
        subs,
    })
}

/// Cuts a line at semicolons, but not within the slashes of a regular expression.
fn split(line: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let (mut start, mut inside, mut escaped) = (0, false, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'/' if !escaped => inside = !inside,
            b';' if !inside => {
                fields.extend(line.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    fields.extend(line.get(start..));
    fields
}

fn parse_description(text: &str) -> Result<Description, Reason> {
    let mut description = Description::default();
    let mut target = None;
    for field in text.split(',') {
        let (key, value) = field.split_once(':').ok_or(Reason::Malformed)?;
        match key {
            "Engine" => {
                let (min, max) = range(value)?;
                if min > FUNCTIONALITY_LEVEL || max < FUNCTIONALITY_LEVEL {
                    return Err(Reason::OtherEngineLevel);
                }
            }
            "Target" => target = Some(parse_target(value)?),
            "FileSize" => description.file_size = Some(range(value)?),
            "EntryPoint" => description.entry_point = Some(range(value)?),
            "NumberOfSections" => description.sections = Some(range(value)?),
            "Container" => description.container = Some(value.to_owned()),
            "IconGroup1" | "IconGroup2" => return Err(Reason::Icon),
            "HandlerType" => return Err(Reason::Handler),
            "Intermediates" => {
                description.intermediates = value.split('>').map(str::to_owned).collect();
                if description.intermediates.len() > MAX_INTERMEDIATES {
                    return Err(Reason::Malformed);
                }
            }
            _ => return Err(Reason::UnknownDescription),
        }
    }
    description.target = target.ok_or(Reason::Malformed)?;
    Ok(description)
}

/// Reads `n` or `n-m`.
fn range(text: &str) -> Result<(u32, u32), Reason> {
    let number = |text: &str| text.trim().parse::<u32>().map_err(|_| Reason::Malformed);
    match text.split_once('-') {
        None => number(text).map(|n| (n, n)),
        Some((min, max)) => Ok((number(min)?, number(max)?)),
    }
}

fn parse_sub(text: &str, subs: usize) -> Result<Sub, Reason> {
    if text.starts_with("${") {
        return Err(Reason::Macro);
    }
    if text.starts_with("fuzzy_img#") {
        return Err(Reason::FuzzyImage);
    }
    let known = |logic: Logic| {
        (usize::from(logic.highest()) < subs)
            .then_some(logic)
            .ok_or(Reason::Malformed)
    };
    if let Some((head, rest)) = text.split_once('/') {
        let (expression, flags) = rest.rsplit_once('/').ok_or(Reason::Malformed)?;
        let (offset, trigger) = match head.rsplit_once(':') {
            Some((offset, trigger)) => (Offset::parse(offset)?, trigger),
            None => (Offset::ANY, head),
        };
        return Ok(Sub::Regex(RegexSub {
            offset,
            trigger: known(Logic::parse(trigger)?)?,
            expression: expression.to_owned(),
            flags: flags.to_owned(),
        }));
    }
    if let Some(compare) = parse_byte_compare(text)? {
        return (usize::from(compare.anchor) < subs)
            .then_some(Sub::ByteCompare(compare))
            .ok_or(Reason::Malformed);
    }
    let (rest, modifiers) = match text.split_once("::") {
        Some((rest, modifiers)) => (rest, modifiers),
        None => (text, ""),
    };
    let (offset, pattern) = match rest.split_once(':') {
        Some((offset, pattern)) => (Offset::parse(offset)?, pattern),
        None => (Offset::ANY, rest),
    };
    let pattern = body::parse(pattern)?;
    let has = |letter| modifiers.contains(letter);
    if !modifiers.chars().all(|letter| "iwaf".contains(letter)) {
        return Err(Reason::Malformed);
    }
    let patterns = match (has('w'), has('a')) {
        (true, true) => vec![pattern.clone(), pattern.wide()],
        (true, false) => vec![pattern.wide()],
        _ => vec![pattern],
    };
    Ok(Sub::Body(BodySub {
        offset,
        patterns,
        ignore_case: has('i'),
        full_word: has('f'),
    }))
}

/// Reads `sub(>>offset#options length#compare[,compare])`; `None` when it is no such thing.
fn parse_byte_compare(text: &str) -> Result<Option<ByteCompare>, Reason> {
    let Some((anchor, rest)) = text.split_once('(') else {
        return Ok(None);
    };
    if !rest.contains('#') {
        return Ok(None);
    }
    let rest = rest.strip_suffix(')').ok_or(Reason::Malformed)?;
    let fields: Vec<&str> = rest.split('#').collect();
    let [offset, options, compares] = fields.as_slice() else {
        return Err(Reason::Malformed);
    };
    let offset = if let Some(after) = offset.strip_prefix(">>") {
        i64::from(value(after)?.try_into().unwrap_or(u32::MAX))
    } else if let Some(before) = offset.strip_prefix("<<") {
        -i64::from(value(before)?.try_into().unwrap_or(u32::MAX))
    } else {
        return Err(Reason::Malformed);
    };
    let digits = options
        .find(|c: char| c.is_ascii_digit())
        .ok_or(Reason::Malformed)?;
    let (letters, length) = options.split_at_checked(digits).ok_or(Reason::Malformed)?;
    let mut compare = ByteCompare {
        anchor: anchor.trim().parse().map_err(|_| Reason::Malformed)?,
        offset,
        form: NumberForm::Auto,
        little_endian: false,
        exact: false,
        length: length.parse().map_err(|_| Reason::Malformed)?,
        comparisons: Vec::new(),
    };
    for letter in letters.chars() {
        match letter {
            'h' => compare.form = NumberForm::Hex,
            'd' => compare.form = NumberForm::Decimal,
            'a' => compare.form = NumberForm::Auto,
            'i' => compare.form = NumberForm::Binary,
            'l' => compare.little_endian = true,
            'b' => compare.little_endian = false,
            'e' => compare.exact = true,
            _ => return Err(Reason::Malformed),
        }
    }
    let most = if compare.form == NumberForm::Binary {
        8
    } else {
        20
    };
    if compare.length == 0 || compare.length > most {
        return Err(Reason::Malformed);
    }
    for text in compares.split(',') {
        let (sign, number) = text.split_at_checked(1).ok_or(Reason::Malformed)?;
        let order = match sign {
            "<" => Order::Less,
            "=" => Order::Equal,
            ">" => Order::More,
            _ => return Err(Reason::Malformed),
        };
        compare.comparisons.push(CompareTo {
            order,
            value: value(number)?,
        });
    }
    Ok(Some(compare))
}

/// Reads a number, hexadecimal behind `0x`.
fn value(text: &str) -> Result<u64, Reason> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| Reason::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_sub_signature_is_told_apart() {
        let line = b"N;Engine:51-255,Target:6,FileSize:10-20;0&1&2;EP+2:414243::iw;0/a\\/b/is;0(>>4#hb2#>0x10,<99)";
        let signature = parse(line).unwrap();
        assert_eq!(signature.description.target, 6);
        assert_eq!(signature.description.file_size, Some((10, 20)));
        let Sub::Body(body) = &signature.subs[0] else {
            panic!("{signature:?}")
        };
        assert!(body.ignore_case && !body.full_word);
        assert_eq!(
            body.patterns[0].tokens,
            [body::Token::Bytes(b"A\0B\0C\0".to_vec())]
        );
        let Sub::Regex(regex) = &signature.subs[1] else {
            panic!("{signature:?}")
        };
        assert_eq!(
            (regex.expression.as_str(), regex.flags.as_str()),
            ("a\\/b", "is")
        );
        let Sub::ByteCompare(compare) = &signature.subs[2] else {
            panic!("{signature:?}")
        };
        assert_eq!(
            (compare.offset, compare.length, compare.comparisons.len()),
            (4, 2, 2)
        );
    }

    #[test]
    fn what_is_out_of_reach_has_its_reason() {
        let reason = |line: &str| parse(line.as_bytes()).unwrap_err();
        assert_eq!(
            reason("N;Engine:300-400,Target:0;0;aabb"),
            Reason::OtherEngineLevel
        );
        assert_eq!(reason("N;Target:1,IconGroup1:x;0;aabb"), Reason::Icon);
        assert_eq!(
            reason("N;Target:0;0;fuzzy_img#af2ad01ed42993c7#0"),
            Reason::FuzzyImage
        );
        assert_eq!(reason("N;Target:0;0;${6-7}12$"), Reason::Macro);
        assert_eq!(
            reason("N;Target:0,New:1;0;aabb"),
            Reason::UnknownDescription
        );
        assert_eq!(reason("N;Target:0;0&1;aabb"), Reason::Malformed);
        assert_eq!(reason("N;Engine:1-2"), Reason::Malformed);
    }
}
