//! The file formats of ClamAV's signature databases, read natively.
//!
//! Followed are the public manual of the format ("Signatures" chapter) and what the reference
//! scanner was observed to do with small files. One line is one signature; `#` starts a
//! comment. Every reader here gives, for each line, either a signature or the [`Reason`] why
//! it can't be used: nothing is dropped in silence.
//!
//! Left out, and counted as such: bytecode programs, icon and image hashes, phishing lists,
//! Authenticode trust lists, file-type magics. YARA files are another engine's.

pub mod body;
pub mod cdb;
pub mod hash;
pub mod ignore;
pub mod ldb;
pub mod logic;
pub mod ndb;
pub mod offset;

use std::fmt;

use serde::{Deserialize, Serialize};

/// The level of engine features that signatures may ask for. A signature that starts above
/// this or ends below it is for another engine.
pub const FUNCTIONALITY_LEVEL: u32 = 240;

/// Longest line that is read, in bytes; real ones reach some tens of kilobytes.
pub const MAX_LINE: usize = 1 << 20;

/// Why a signature is kept out of the compiled set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// The line does not follow its format.
    Malformed,
    /// It is for an older or newer engine.
    OtherEngineLevel,
    /// An ignore list names it.
    Ignored,
    /// It marks a potentially unwanted application; these are off unless asked for.
    PotentiallyUnwanted,
    /// A description field this engine does not know.
    UnknownDescription,
    /// It needs the icons of a Windows program.
    Icon,
    /// It needs a perceptual hash of a picture.
    FuzzyImage,
    /// It needs the version resource of a Windows program.
    VersionInformation,
    /// It uses macro groups.
    Macro,
    /// It only asks for the file to be read again as another type.
    Handler,
    /// Its regular expression is not understood.
    RegularExpression,
    /// It has nothing fixed to search for, not even one byte.
    NoFixedBytes,
    /// It asks for the checksum that an archive keeps of its member.
    MemberMetadata,
    /// It is the hash of a Windows import table.
    ImportTable,
    /// A program for ClamAV's virtual machine.
    Bytecode,
    /// An icon hash.
    IconDatabase,
    /// A list of links for mail filtering.
    PhishingList,
    /// Trusted or blocked Windows certificates.
    CertificateList,
    /// A table of file-type magics.
    FileTypes,
    /// A YARA rule: for the YARA engine.
    Yara,
    /// Engine configuration or archive passwords.
    Configuration,
}

impl Reason {
    /// The words for reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Malformed => "malformed line",
            Reason::OtherEngineLevel => "for another engine level",
            Reason::Ignored => "named by an ignore list",
            Reason::PotentiallyUnwanted => "potentially unwanted application",
            Reason::UnknownDescription => "unknown target description",
            Reason::Icon => "needs the icons of a windows program",
            Reason::FuzzyImage => "needs a perceptual image hash",
            Reason::VersionInformation => "needs windows version information",
            Reason::Macro => "uses macro groups",
            Reason::Handler => "only re-reads the file as another type",
            Reason::RegularExpression => "regular expression not understood",
            Reason::NoFixedBytes => "has no fixed byte",
            Reason::MemberMetadata => "asks for the checksum of an archive member",
            Reason::ImportTable => "hash of a windows import table",
            Reason::Bytecode => "bytecode program",
            Reason::IconDatabase => "icon hash",
            Reason::PhishingList => "list of links for mail",
            Reason::CertificateList => "windows certificate list",
            Reason::FileTypes => "table of file types",
            Reason::Yara => "yara rule",
            Reason::Configuration => "configuration or passwords",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a signature file holds, by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// Digests of whole files (`hdb`, `hsb`).
    FileHashes,
    /// Digests of the sections of Windows programs (`mdb`, `msb`).
    SectionHashes,
    /// Digests of files that are never to be reported (`fp`, `sfp`).
    AllowedHashes,
    /// Body signatures (`ndb`).
    Bodies,
    /// Logical signatures (`ldb`).
    Logical,
    /// Descriptions of archive members (`cdb`).
    Members,
    /// Names of signatures to leave out (`ign`, `ign2`).
    Ignore,
    /// A kind whose every signature is out of reach, for one reason.
    Unsupported(Reason),
    /// Text about the database: no signatures.
    Information,
}

impl FileKind {
    /// The words for reports; for what is out of reach, the reason says more.
    pub const fn as_str(self) -> &'static str {
        match self {
            FileKind::FileHashes => "file hashes",
            FileKind::SectionHashes => "section hashes",
            FileKind::AllowedHashes => "allowed hashes",
            FileKind::Bodies => "body signatures",
            FileKind::Logical => "logical signatures",
            FileKind::Members => "archive members",
            FileKind::Ignore => "ignore lists",
            FileKind::Information => "information",
            FileKind::Unsupported(reason) => reason.as_str(),
        }
    }

    /// The kind of a file name and whether its signatures are about potentially unwanted
    /// applications; `None` when the name is of no signature file.
    pub fn of_name(name: &str) -> Option<(FileKind, bool)> {
        let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
        let unwanted = matches!(
            extension.as_str(),
            "hdu" | "hsu" | "mdu" | "msu" | "ndu" | "ldu"
        );
        let kind = match extension.as_str() {
            "hdb" | "hsb" | "hdu" | "hsu" => FileKind::FileHashes,
            "mdb" | "msb" | "mdu" | "msu" => FileKind::SectionHashes,
            "fp" | "sfp" => FileKind::AllowedHashes,
            "ndb" | "ndu" => FileKind::Bodies,
            "ldb" | "ldu" => FileKind::Logical,
            "ign" | "ign2" => FileKind::Ignore,
            "info" => FileKind::Information,
            "imp" => FileKind::Unsupported(Reason::ImportTable),
            "cdb" => FileKind::Members,
            "cbc" => FileKind::Unsupported(Reason::Bytecode),
            "idb" => FileKind::Unsupported(Reason::IconDatabase),
            "pdb" | "wdb" | "gdb" => FileKind::Unsupported(Reason::PhishingList),
            "crb" | "cat" => FileKind::Unsupported(Reason::CertificateList),
            "ftm" => FileKind::Unsupported(Reason::FileTypes),
            "yar" | "yara" => FileKind::Unsupported(Reason::Yara),
            "cfg" | "pwdb" | "ioc" | "zmd" | "rmd" => FileKind::Unsupported(Reason::Configuration),
            _ => return None,
        };
        Some((kind, unwanted))
    }
}

/// The lines of a signature file that hold something: no comments, no line ends.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.trim_ascii_end())
        .filter(|line| !line.is_empty() && line.first() != Some(&b'#'))
}

/// Whether a range of engine levels, given as the two last optional fields, includes ours.
pub(crate) fn level_fits(min: Option<&str>, max: Option<&str>) -> Result<(), Reason> {
    let parse = |text: Option<&str>| match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => text.parse::<u32>().map(Some).map_err(|_| Reason::Malformed),
    };
    let fits = parse(min)?.is_none_or(|min| min <= FUNCTIONALITY_LEVEL)
        && parse(max)?.is_none_or(|max| max >= FUNCTIONALITY_LEVEL);
    fits.then_some(()).ok_or(Reason::OtherEngineLevel)
}

/// Reads hexadecimal digits into bytes.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
            _ => None,
        })
        .collect()
}

/// The value of one hexadecimal digit.
pub(crate) const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_empty_lines_and_line_ends_are_no_signatures() {
        let text = b"# note\r\n\r\none\r\ntwo\n\n#x\nthree";
        let lines: Vec<&[u8]> = lines(text).collect();
        assert_eq!(lines, [b"one".as_slice(), b"two", b"three"]);
    }

    #[test]
    fn a_range_of_levels_includes_its_ends() {
        assert_eq!(level_fits(Some("240"), Some("240")), Ok(()));
        assert_eq!(level_fits(None, None), Ok(()));
        assert_eq!(level_fits(Some("241"), None), Err(Reason::OtherEngineLevel));
        assert_eq!(
            level_fits(Some("1"), Some("239")),
            Err(Reason::OtherEngineLevel)
        );
        assert_eq!(level_fits(Some("x"), None), Err(Reason::Malformed));
    }
}
