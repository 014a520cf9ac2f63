//! ClamAV's database containers: `.cvd`, `.cld`, `.cud`.
//!
//! ```text
//! 0..512    ClamAV-VDB:time:version:signatures:level:md5:signature:builder:unix time   padded
//! 512..     tar; gzip-compressed unless its first member is plainly named COPYING
//! *.info    the header again, then name:size:sha256 lines, then DSIG:signature
//! ```
//!
//! Members are plain files without a slash in their name. Every signature file must be in the
//! list with its size and SHA-256; a container that breaks any of this is refused whole.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::clamav::{FileKind, lines, unhex};
use crate::rsa;
use crate::sign::{self, Certificate, SignError, Signer};

const HEADER_LEN: usize = 512;
const BLOCK: usize = 512;
/// Most bytes a container may unpack to; the official ones stay below 700 MB.
const MAX_UNPACKED: u64 = 2 << 30;
/// Most members.
const MAX_MEMBERS: usize = 4096;

/// Why a container can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CvdError {
    /// Not a container at all.
    #[error("not a signature database container")]
    NotAContainer,
    /// The header has the wrong fields.
    #[error("the container's header is broken")]
    Header,
    /// The payload can't be unpacked.
    #[error("cannot unpack the container: {0}")]
    Unpack(#[from] std::io::Error),
    /// It unpacks to more than is read.
    #[error("the container unpacks to more than {MAX_UNPACKED} bytes")]
    TooLarge,
    /// The tar breaks the rules of containers.
    #[error("the container's archive is broken: {0}")]
    Archive(&'static str),
    /// The payload's digest differs from the header's.
    #[error("the container's digest does not fit its content")]
    Digest,
    /// A signature is wrong.
    #[error("the container's digital signature does not fit: {0}")]
    Signature(&'static str),
    /// A member differs from the list.
    #[error("`{0}` differs from the container's file list")]
    Member(String),
}

/// The header's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// When it was built, as written.
    pub time: String,
    /// Version of the database.
    pub version: u32,
    /// How many signatures it says to hold.
    pub signatures: u32,
    /// Lowest engine level.
    pub level: u32,
    /// MD5 of the payload; absent in locally built ones.
    pub md5: Option<[u8; 16]>,
    /// The signature over it.
    pub signature: Option<String>,
    /// Who built it.
    pub builder: String,
}

/// What was verified of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// The payload has the header's MD5.
    pub digest: bool,
    /// The header carries the publisher's signature.
    pub header_signature: bool,
    /// The list of files carries the publisher's signature.
    pub list_signature: bool,
}

/// An unpacked container.
#[derive(Debug)]
pub struct Container {
    /// Its header.
    pub header: Header,
    /// What fits.
    pub verified: Verified,
    /// Its members, by name.
    pub members: BTreeMap<String, Vec<u8>>,
}

impl Container {
    /// Reads and checks a container. What carries a digest or a signature must fit it; what
    /// carries none (`.cud`, and `.cld`, whose header is from before its increments) is said
    /// so in [`Verified`], for the caller to decide.
    ///
    /// # Errors
    /// The container is broken, or its digest or a signature does not fit.
    pub fn read(bytes: &[u8]) -> Result<Container, CvdError> {
        let (head, payload) = bytes
            .split_at_checked(HEADER_LEN)
            .ok_or(CvdError::NotAContainer)?;
        let header = Header::parse(head)?;
        let plain = payload.starts_with(b"COPYING");
        let mut verified = Verified::default();
        if let (Some(md5), false) = (header.md5, plain) {
            if Md5::digest(payload).as_slice() != md5 {
                return Err(CvdError::Digest);
            }
            verified.digest = true;
            if let Some(signature) = &header.signature {
                if !rsa::header_signature_fits(&md5, signature) {
                    return Err(CvdError::Signature("header"));
                }
                verified.header_signature = true;
            }
        }
        let mut unpacked = Vec::new();
        let tar = if plain {
            payload
        } else {
            GzDecoder::new(payload)
                .take(MAX_UNPACKED + 1)
                .read_to_end(&mut unpacked)?;
            &unpacked
        };
        if tar.len() as u64 > MAX_UNPACKED {
            return Err(CvdError::TooLarge);
        }
        let members = read_tar(tar)?;
        verified.list_signature = check_list(&members)?;
        Ok(Container {
            header,
            verified,
            members,
        })
    }
}

impl Header {
    /// Reads the first 512 bytes.
    ///
    /// # Errors
    /// They are not a header.
    pub fn parse(head: &[u8]) -> Result<Header, CvdError> {
        if !head.starts_with(b"ClamAV-VDB:") {
            return Err(CvdError::NotAContainer);
        }
        let head = head.get(..HEADER_LEN.min(head.len())).unwrap_or_default();
        let head = std::str::from_utf8(head).map_err(|_| CvdError::Header)?;
        let fields: Vec<&str> = head
            .trim_end_matches([' ', '\0', '\n'])
            .split(':')
            .collect();
        let [
            _,
            time,
            version,
            signatures,
            level,
            md5,
            signature,
            builder,
            ..,
        ] = fields.as_slice()
        else {
            return Err(CvdError::Header);
        };
        let number = |text: &str| text.parse::<u32>().map_err(|_| CvdError::Header);
        let md5 = match md5.len() {
            32 => Some(
                unhex(md5)
                    .and_then(|md5| md5.try_into().ok())
                    .ok_or(CvdError::Header)?,
            ),
            _ => None,
        };
        Ok(Header {
            time: (*time).to_owned(),
            version: number(version)?,
            signatures: number(signatures)?,
            level: number(level)?,
            md5,
            signature: (signature.len() > 1).then(|| (*signature).to_owned()),
            builder: (*builder).to_owned(),
        })
    }
}

/// Verifies the detached signature beside a container, see [`crate::sign`].
///
/// # Errors
/// It is no signature, wrong, or by nobody trusted.
pub fn verify_sign(
    container: &[u8],
    sign: &str,
    trusted: &[Certificate],
) -> Result<Signer, SignError> {
    sign::verify(container, sign, trusted)
}

/// Packs files into a `.cld`: the container of a database that increments were applied to. The
/// header is the first line of its `.info`, the tar is plain.
///
/// # Errors
/// There is no list of files, or a name is too long.
pub fn pack_plain(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, CvdError> {
    let info = files.iter().find(|(name, _)| name.ends_with(".info"));
    let (_, info) = info.ok_or(CvdError::Archive("no list of files"))?;
    let head = lines(info).next().ok_or(CvdError::Header)?;
    if head.len() > HEADER_LEN {
        return Err(CvdError::Header);
    }
    let mut file = head.to_vec();
    file.resize(HEADER_LEN, b' ');
    // By its first member a plain tar is told from a packed one.
    let copying = files.iter().filter(|(name, _)| *name == "COPYING");
    let others = files.iter().filter(|(name, _)| *name != "COPYING");
    for (name, content) in copying.chain(others) {
        let mut block = vec![0; BLOCK];
        let mut put = |at: usize, text: &[u8]| {
            let place = block.get_mut(at..at + text.len());
            place.map(|place| place.copy_from_slice(text))
        };
        if name.len() > 99 || name.contains('/') {
            return Err(CvdError::Archive("a name that a container can't hold"));
        }
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(124, format!("{:011o}", content.len()).as_bytes());
        put(156, b"0");
        put(257, b"ustar\x0000");
        put(148, b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        if let Some(place) = block.get_mut(148..156) {
            place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        file.extend(block);
        file.extend_from_slice(content);
        file.resize(file.len().div_ceil(BLOCK) * BLOCK, 0);
    }
    file.resize(file.len() + 2 * BLOCK, 0);
    Ok(file)
}

fn read_tar(tar: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, CvdError> {
    let mut members = BTreeMap::new();
    let mut at = 0usize;
    while let Some(head) = tar.get(at..).and_then(|rest| rest.get(..BLOCK)) {
        if head.iter().all(|byte| *byte == 0) {
            break;
        }
        if members.len() >= MAX_MEMBERS {
            return Err(CvdError::Archive("too many members"));
        }
        let field = |range: std::ops::Range<usize>| {
            let field = head.get(range).unwrap_or_default();
            let end = field
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(field.len());
            std::str::from_utf8(field.get(..end).unwrap_or_default()).ok()
        };
        let name = field(0..100).ok_or(CvdError::Archive("a name is no text"))?;
        if name.is_empty() || name.contains('/') {
            return Err(CvdError::Archive("a name with a slash"));
        }
        if !matches!(head.get(156), Some(b'0' | 0)) {
            return Err(CvdError::Archive("a member that is no plain file"));
        }
        let size = field(124..136)
            .and_then(|size| usize::from_str_radix(size.trim(), 8).ok())
            .ok_or(CvdError::Archive("a size is no number"))?;
        let start = at + BLOCK;
        let content = start
            .checked_add(size)
            .and_then(|end| tar.get(start..end))
            .ok_or(CvdError::Archive("cut short"))?;
        if members.insert(name.to_owned(), content.to_vec()).is_some() {
            return Err(CvdError::Archive("a name stands twice"));
        }
        at = start + size.div_ceil(BLOCK) * BLOCK;
    }
    if members.is_empty() {
        return Err(CvdError::Archive("it is empty"));
    }
    Ok(members)
}

/// Checks all members against the list; whether the list itself is signed.
fn check_list(members: &BTreeMap<String, Vec<u8>>) -> Result<bool, CvdError> {
    let (_, info) = members
        .iter()
        .find(|(name, _)| name.ends_with(".info"))
        .ok_or(CvdError::Archive("no list of files"))?;
    let mut listed: BTreeMap<&str, (usize, Vec<u8>)> = BTreeMap::new();
    let mut signed = false;
    let mut message = Vec::new();
    for (number, line) in lines(info).enumerate() {
        let text =
            std::str::from_utf8(line).map_err(|_| CvdError::Archive("the list is no text"))?;
        if let Some(signature) = text.strip_prefix("DSIG:") {
            let digest: [u8; 32] = Sha256::digest(&message).into();
            if !rsa::list_signature_fits(&digest, signature) {
                return Err(CvdError::Signature("list of files"));
            }
            signed = true;
            break;
        }
        message.extend_from_slice(line);
        message.push(b'\n');
        if number == 0 {
            continue;
        }
        let fields: Vec<&str> = text.split(':').collect();
        let entry = match fields.as_slice() {
            [name, size, digest] => size
                .parse()
                .ok()
                .zip(unhex(digest))
                .map(|entry| (*name, entry)),
            _ => None,
        };
        let (name, entry) = entry.ok_or(CvdError::Archive("the list is broken"))?;
        listed.insert(name, entry);
    }
    for (name, content) in members {
        if name.ends_with(".info") || FileKind::of_name(name).is_none() {
            continue;
        }
        let fits = listed.get(name.as_str()).is_some_and(|(size, digest)| {
            *size == content.len() && Sha256::digest(content).as_slice() == digest.as_slice()
        });
        if !fits {
            return Err(CvdError::Member(name.clone()));
        }
    }
    Ok(signed)
}

/// Makes containers for tests: unsigned, with a right list.
#[cfg(test)]
pub(crate) fn unsigned(files: &[(&str, &[u8])], plain: bool) -> Vec<u8> {
    let head = "ClamAV-VDB:22 Jun 2021 21-34 -0400:6:14:81:X:X:builder:1624412045";
    let mut info = format!("{head}\n");
    for (name, content) in files {
        let digest: String = Sha256::digest(content)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        info.push_str(&format!("{name}:{}:{digest}\n", content.len()));
    }
    let mut tar = Vec::new();
    let all = [
        ("COPYING", b"text".as_slice()),
        ("test.info", info.as_bytes()),
    ];
    for (name, content) in all.iter().chain(files) {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        block[156] = b'0';
        tar.extend(block);
        tar.extend_from_slice(content);
        tar.resize(tar.len().div_ceil(BLOCK) * BLOCK, 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    let mut file = head.as_bytes().to_vec();
    file.resize(HEADER_LEN, b' ');
    if plain {
        file.extend(tar);
    } else {
        let mut gzip = flate2::read::GzEncoder::new(tar.as_slice(), flate2::Compression::fast());
        gzip.read_to_end(&mut file).unwrap();
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_packings_are_read_and_said_to_be_unsigned() {
        for plain in [false, true] {
            let container = Container::read(&unsigned(&[("a.ndb", b"x:0:*:aabb")], plain)).unwrap();
            assert_eq!(container.members["a.ndb"], b"x:0:*:aabb");
            assert_eq!(container.verified, Verified::default());
            assert_eq!(
                (container.header.version, container.header.signatures),
                (6, 14)
            );
        }
    }

    #[test]
    fn a_changed_member_a_slash_and_a_link_are_refused() {
        let good = unsigned(&[("a.ndb", b"x:0:*:aabb")], true);
        let at = good.windows(10).rposition(|w| w == b"x:0:*:aabb").unwrap();
        let mut changed = good.clone();
        changed[at] = b'y';
        assert!(matches!(
            Container::read(&changed),
            Err(CvdError::Member(_))
        ));
        let slash = unsigned(&[("b/a.ndb", b"")], true);
        assert!(matches!(Container::read(&slash), Err(CvdError::Archive(_))));
        let mut link = good;
        link[HEADER_LEN + 156] = b'2';
        assert!(matches!(Container::read(&link), Err(CvdError::Archive(_))));
        assert!(matches!(
            Container::read(b"zip"),
            Err(CvdError::NotAContainer)
        ));
    }

    #[test]
    fn a_wrong_digest_is_refused() {
        let mut file = unsigned(&[("a.ndb", b"")], false);
        let head = format!("ClamAV-VDB:t:1:1:1:{}:sig:me:1", "0".repeat(32));
        file[..head.len()].copy_from_slice(head.as_bytes());
        assert!(matches!(Container::read(&file), Err(CvdError::Digest)));
    }
}
