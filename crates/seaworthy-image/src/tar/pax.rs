//! Extended headers: `LENGTH KEY=VALUE\n` records (POSIX.1-2024 pax, "pax Extended
//! Header"), with the keys of GNU tar and star that change what a member is.

use super::sparse::Extent;

/// What an extended header says of the member behind it.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub path: Option<Vec<u8>>,
    pub link_path: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: Option<i64>,
    pub has_capabilities: bool,
    pub sparse: PaxSparse,
    /// A value that had to be a number and was none.
    pub bad_number: Option<&'static str>,
}

/// GNU.sparse.* in its three versions (GNU tar manual, "Storing Sparse Files").
#[derive(Debug, Default)]
pub(super) struct PaxSparse {
    /// The real name; `path` is only a stand-in for readers that know no sparse files.
    pub name: Option<Vec<u8>>,
    pub major: Option<u64>,
    pub minor: Option<u64>,
    pub real_size: Option<u64>,
    /// The map of versions 0.0 and 0.1.
    pub extents: Vec<Extent>,
    /// An offset of version 0.0 that waits for its length.
    pending_offset: Option<u64>,
    pub has_map: bool,
}

/// The most extents one member may have: a map is no larger than a header may be.
pub(super) const MAX_EXTENTS: usize = 64 * 1024;

impl Pax {
    /// Takes the records of a header. An error names what does not follow the format; what
    /// came before it counts.
    pub fn parse(&mut self, data: &[u8]) -> Result<(), &'static str> {
        for record in records(data) {
            let (key, value) = record?;
            self.take(key, value)?;
        }
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        // An empty value takes an earlier one back (POSIX).
        let set = |value: &[u8]| (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => self.path = set(value),
            b"GNU.sparse.name" => self.sparse.name = set(value),
            b"linkpath" => self.link_path = set(value),
            b"size" => {
                self.size = decimal(value);
                if self.size.is_none() && !value.is_empty() {
                    self.bad_number = Some("size");
                }
            }
            b"uid" => self.uid = decimal(value),
            b"gid" => self.gid = decimal(value),
            b"mtime" => self.mtime = seconds(value),
            b"SCHILY.xattr.security.capability" => self.has_capabilities = !value.is_empty(),
            b"GNU.sparse.major" => self.sparse.major = decimal(value),
            b"GNU.sparse.minor" => self.sparse.minor = decimal(value),
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => {
                self.sparse.real_size = decimal(value);
            }
            b"GNU.sparse.offset" => self.sparse.pending_offset = decimal(value),
            b"GNU.sparse.numbytes" => {
                let (Some(offset), Some(length)) =
                    (self.sparse.pending_offset.take(), decimal(value))
                else {
                    return Err("a sparse length without an offset");
                };
                self.push_extent(Extent { offset, length })?;
            }
            b"GNU.sparse.map" => {
                self.sparse.extents.clear();
                self.sparse.has_map = true;
                let mut numbers = value.split(|&b| b == b',').filter(|part| !part.is_empty());
                while let Some(offset) = numbers.next() {
                    let length = numbers.next().and_then(decimal);
                    let (Some(offset), Some(length)) = (decimal(offset), length) else {
                        return Err("a sparse map with something that is no number");
                    };
                    self.push_extent(Extent { offset, length })?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn push_extent(&mut self, extent: Extent) -> Result<(), &'static str> {
        if self.sparse.extents.len() >= MAX_EXTENTS {
            return Err("a sparse map with more than 65536 extents");
        }
        self.sparse.has_map = true;
        self.sparse.extents.push(extent);
        Ok(())
    }
}

/// Whether a global header sets what would change names or sizes.
pub(super) fn sets_name_or_size(data: &[u8]) -> bool {
    records(data).flatten().any(|(key, _)| {
        matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse.")
    })
}

type Record<'a> = Result<(&'a [u8], &'a [u8]), &'static str>;

fn records(mut data: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut broken = false;
    std::iter::from_fn(move || {
        if data.is_empty() || broken {
            return None;
        }
        match split_record(data) {
            Some((key, value, rest)) => {
                data = rest;
                Some(Ok((key, value)))
            }
            None => {
                broken = true;
                Some(Err(
                    "an extended header record that does not follow the format",
                ))
            }
        }
    })
}

fn split_record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // 20 digits are more than any length that fits.
    let space = data.iter().take(20).position(|&b| b == b' ')?;
    let length = usize::try_from(decimal(&data[..space])?).ok()?;
    if length <= space + 1 || length > data.len() {
        return None;
    }
    let (record, rest) = data.split_at(length);
    let body = record[space + 1..].strip_suffix(b"\n")?;
    let equals = body.iter().position(|&b| b == b'=')?;
    if equals == 0 {
        return None;
    }
    Some((&body[..equals], &body[equals + 1..], rest))
}

/// Decimal digits only; `None` for anything else and for what is over `i64::MAX`, so that
/// sizes can be added to offsets.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for &digit in text {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))?;
    }
    (value <= i64::MAX.cast_unsigned()).then_some(value)
}

/// A time in seconds, possibly negative, possibly with a fraction, which is dropped.
fn seconds(text: &[u8]) -> Option<i64> {
    let text = text.split(|&b| b == b'.').next()?;
    match text.strip_prefix(b"-") {
        Some(digits) => Some(-decimal(digits)?.cast_signed()),
        None => Some(decimal(text)?.cast_signed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &str) -> Vec<u8> {
        let body = format!(" {key}={value}\n");
        let mut length = body.len() + 1;
        while length != body.len() + length.to_string().len() {
            length = body.len() + length.to_string().len();
        }
        format!("{length}{body}").into_bytes()
    }

    #[test]
    fn records_set_what_they_say() {
        let data = [
            record("path", "a=b\nc"),
            record("size", "12345678901"),
            record("mtime", "-3.5"),
            record("SCHILY.xattr.security.capability", "\u{1}"),
        ]
        .concat();
        let mut pax = Pax::default();
        assert_eq!(pax.parse(&data), Ok(()));
        assert_eq!(pax.path.as_deref(), Some(&b"a=b\nc"[..]));
        assert_eq!(pax.size, Some(12_345_678_901));
        assert_eq!(pax.mtime, Some(-3));
        assert!(pax.has_capabilities);
    }

    #[test]
    fn a_broken_record_keeps_those_before_it() {
        for broken in [
            &b"999 path=x\n"[..],
            b"5 path=x\n",
            b"x",
            b"99999999999999999999999 a=b\n",
            b"6 =xy\n",
            b"0 a=b\n",
            b"3 \n",
        ] {
            let data = [record("uid", "7"), broken.to_vec()].concat();
            let mut pax = Pax::default();
            assert!(pax.parse(&data).is_err(), "{broken:?}");
            assert_eq!(pax.uid, Some(7));
        }
    }
}
