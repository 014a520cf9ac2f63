//! The frame that all shards share: header, section table, hashes.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::bytes::ShardBytes;

/// Raised with every change of the layout; a reader takes exactly its own.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"SWSHARD\n";
const HEADER_LEN: usize = 40;
const TABLE_ROW_LEN: usize = 20;

/// What a shard holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShardKind {
    /// Names, ranges and advisories of one release or ecosystem.
    Advisories,
    /// Titles, descriptions and references of an ecosystem's advisories.
    Texts,
    /// Exploit prediction scores.
    Epss,
    /// Known exploited vulnerabilities.
    Kev,
    /// CVSS vectors by CVE, from whoever published one.
    Cvss,
}

impl ShardKind {
    const ALL: [ShardKind; 5] = [
        ShardKind::Advisories,
        ShardKind::Texts,
        ShardKind::Epss,
        ShardKind::Kev,
        ShardKind::Cvss,
    ];

    /// The number in the header; never changed or reused.
    const fn id(self) -> u8 {
        match self {
            ShardKind::Advisories => 1,
            ShardKind::Texts => 2,
            ShardKind::Epss => 3,
            ShardKind::Kev => 4,
            ShardKind::Cvss => 5,
        }
    }

    /// The word used in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            ShardKind::Advisories => "advisories",
            ShardKind::Texts => "texts",
            ShardKind::Epss => "epss",
            ShardKind::Kev => "kev",
            ShardKind::Cvss => "cvss",
        }
    }
}

/// Why a shard can't be used or written.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The file can't be read.
    #[error("cannot read the file: {0}")]
    Unreadable(#[from] std::io::Error),
    /// Not a shard at all.
    #[error("not a database file")]
    NotAShard,
    /// Written by another version of this program.
    #[error("database file has format {found}, this program reads {FORMAT_VERSION}")]
    WrongVersion {
        /// Format of the file.
        found: u32,
    },
    /// Bytes differ from what was written.
    #[error("database file is damaged: {0}")]
    Damaged(&'static str),
    /// Hashes fit and the content does not: written wrongly.
    #[error("database file is inconsistent: {0}")]
    Inconsistent(&'static str),
    /// A shard of another kind or name than expected.
    #[error("database file holds something else than its name says")]
    Unexpected,
    /// More data than the format can hold.
    #[error("too much data for one database file")]
    TooLarge,
}

/// A shard whose frame was checked.
#[derive(Debug)]
pub(super) struct Container {
    bytes: ShardBytes,
    pub(super) scheme: u8,
    /// Newest change of its records, in seconds since 1970.
    pub(super) created: i64,
    sections: Vec<(u32, Range<usize>, u64)>,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], ShardError> {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk::<N>())
        .copied()
        .ok_or(ShardError::Damaged("cut short"))
}

impl Container {
    /// Checks the frame: magic, version, header hash, and that the sections fill the file
    /// exactly. Section bytes are checked by [`Container::verify`].
    pub(super) fn open(bytes: ShardBytes, kind: ShardKind) -> Result<Container, ShardError> {
        if bytes.get(..MAGIC.len()) != Some(MAGIC) {
            return Err(ShardError::NotAShard);
        }
        let found = u32::from_le_bytes(array(&bytes, 8)?);
        if found != FORMAT_VERSION {
            return Err(ShardError::WrongVersion { found });
        }
        let [kind_id, scheme] = array(&bytes, 12)?;
        let count = usize::from(u16::from_le_bytes(array(&bytes, 14)?));
        let length = u64::from_le_bytes(array(&bytes, 16)?);
        let created = i64::from_le_bytes(array(&bytes, 24)?);
        let hash = u64::from_le_bytes(array(&bytes, 32)?);
        let table_end = HEADER_LEN + count * TABLE_ROW_LEN;
        let table = bytes
            .get(HEADER_LEN..table_end)
            .ok_or(ShardError::Damaged("cut short"))?;
        let mut hashed = bytes.get(..32).unwrap_or_default().to_vec();
        hashed.extend_from_slice(table);
        if xxh3_64(&hashed) != hash {
            return Err(ShardError::Damaged("header does not match its hash"));
        }
        if length != bytes.len() as u64 {
            return Err(ShardError::Damaged("length differs from the header"));
        }
        let found_kind = ShardKind::ALL.into_iter().find(|kind| kind.id() == kind_id);
        if found_kind != Some(kind) {
            return Err(ShardError::Unexpected);
        }
        let mut sections = Vec::with_capacity(count);
        let mut start = table_end;
        for row in table.chunks_exact(TABLE_ROW_LEN) {
            let id = u32::from_le_bytes(array(row, 0)?);
            let len = u64::from_le_bytes(array(row, 4)?);
            let hash = u64::from_le_bytes(array(row, 12)?);
            let end = usize::try_from(len)
                .ok()
                .and_then(|len| start.checked_add(len))
                .filter(|end| *end <= bytes.len())
                .ok_or(ShardError::Inconsistent("section outside of the file"))?;
            sections.push((id, start..end, hash));
            start = end;
        }
        if start != bytes.len() {
            return Err(ShardError::Inconsistent("bytes behind the last section"));
        }
        Ok(Container {
            bytes,
            scheme,
            created,
            sections,
        })
    }

    /// Checks the hash of one section.
    pub(super) fn verify(&self, id: u32) -> Result<(), ShardError> {
        for (section, range, hash) in &self.sections {
            if *section == id && xxh3_64(self.bytes.get(range.clone()).unwrap_or_default()) != *hash
            {
                return Err(ShardError::Damaged("section does not match its hash"));
            }
        }
        Ok(())
    }

    /// Checks the hash of every section.
    pub(super) fn verify_all(&self) -> Result<(), ShardError> {
        self.sections
            .iter()
            .try_for_each(|(id, _, _)| self.verify(*id))
    }

    /// The bytes of a section.
    pub(super) fn section(&self, id: u32) -> Result<&[u8], ShardError> {
        self.sections
            .iter()
            .find(|(section, _, _)| *section == id)
            .and_then(|(_, range, _)| self.bytes.get(range.clone()))
            .ok_or(ShardError::Inconsistent("section is missing"))
    }

    /// Size of the file in bytes.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Assembles a file.
pub(super) fn write_container(
    kind: ShardKind,
    scheme: u8,
    created: i64,
    sections: &[(u32, Vec<u8>)],
) -> Result<Vec<u8>, ShardError> {
    let count = u16::try_from(sections.len()).map_err(|_| ShardError::TooLarge)?;
    let body: usize = sections.iter().map(|(_, bytes)| bytes.len()).sum();
    let length = HEADER_LEN + sections.len() * TABLE_ROW_LEN + body;
    let mut file = Vec::with_capacity(length);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    file.push(kind.id());
    file.push(scheme);
    file.extend_from_slice(&count.to_le_bytes());
    file.extend_from_slice(&(length as u64).to_le_bytes());
    file.extend_from_slice(&created.to_le_bytes());
    let mut table = Vec::with_capacity(sections.len() * TABLE_ROW_LEN);
    for (id, bytes) in sections {
        table.extend_from_slice(&id.to_le_bytes());
        table.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        table.extend_from_slice(&xxh3_64(bytes).to_le_bytes());
    }
    let mut hashed = file.clone();
    hashed.extend_from_slice(&table);
    file.extend_from_slice(&xxh3_64(&hashed).to_le_bytes());
    file.extend_from_slice(&table);
    for (_, bytes) in sections {
        file.extend_from_slice(bytes);
    }
    Ok(file)
}

/// Makes the hashes of a damaged file fit again, as far as its table can be followed: for
/// tests and fuzzing, which would otherwise end at the first hash.
#[doc(hidden)]
pub fn rehash(file: &mut [u8]) {
    let Ok(count) = array::<2>(file, 14).map(u16::from_le_bytes) else {
        return;
    };
    let table_end = HEADER_LEN + usize::from(count) * TABLE_ROW_LEN;
    let mut start = table_end;
    for row in 0..usize::from(count) {
        let at = HEADER_LEN + row * TABLE_ROW_LEN;
        let Ok(len) = array::<8>(file, at + 4).map(u64::from_le_bytes) else {
            return;
        };
        let end = start.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
        let Some(hash) = file.get(start..end).map(xxh3_64) else {
            return;
        };
        if let Some(place) = file.get_mut(at + 12..at + 20) {
            place.copy_from_slice(&hash.to_le_bytes());
        }
        start = end;
    }
    let (Some(header), Some(table)) = (file.get(..32), file.get(HEADER_LEN..table_end)) else {
        return;
    };
    let hash = xxh3_64(&[header, table].concat());
    if let Some(place) = file.get_mut(32..40) {
        place.copy_from_slice(&hash.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let sections = [(1, b"first".to_vec()), (7, b"second".to_vec())];
        let file = write_container(ShardKind::Kev, 0, 1, &sections).unwrap();
        let open = |bytes: Vec<u8>| {
            let container = Container::open(bytes.into(), ShardKind::Kev)?;
            container.verify_all()
        };
        assert!(open(file.clone()).is_ok());
        for at in 0..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 0x10;
            assert!(open(broken).is_err(), "byte {at}");
            assert!(open(file[..at].to_vec()).is_err(), "cut at {at}");
        }
        let mut longer = file;
        longer.push(0);
        assert!(open(longer).is_err());
    }

    #[test]
    fn another_kind_or_version_is_said_so() {
        let file = write_container(ShardKind::Kev, 0, 1, &[]).unwrap();
        let wrong = Container::open(file.clone().into(), ShardKind::Epss);
        assert!(matches!(wrong, Err(ShardError::Unexpected)));
        let mut newer = file;
        newer[8] = 99;
        let newer = Container::open(newer.into(), ShardKind::Kev);
        assert!(matches!(newer, Err(ShardError::WrongVersion { found: 99 })));
    }
}
