//! ar: Debian packages and static libraries.
//!
//! Layout: `!<arch>\n`, then for each member 60 bytes of text (name 16, time 12, owner 6,
//! group 6, mode 8 octal, size 10, "`\n") and its bytes, on even offsets. Long names come
//! from GNU's `//` member or, in BSD's `#1/N`, from the first bytes of the member itself.

use crate::bytes::size;
use crate::format::Format;
use crate::limits::Incomplete;
use crate::names::clean;
use crate::walk::{Entry, Step, Walk};

/// Walks the members. Symbol tables are passed over.
pub(crate) fn read(walk: &mut Walk<'_>, bytes: &[u8]) -> Step {
    let mut at = 8_usize;
    let mut long_names = &[][..];
    while at < bytes.len() {
        walk.check_time()?;
        let Some(header) = bytes.get(at..at.saturating_add(60)) else {
            return Err(Incomplete::TRUNCATED.into());
        };
        if header.get(58..) != Some(b"`\n".as_slice()) {
            return Err(Incomplete::Damaged("not an ar header").into());
        }
        let length = header.get(48..58).and_then(decimal);
        let Some(length) = length.and_then(|length| size(length).ok()) else {
            return Err(Incomplete::Damaged("size of a member is no number").into());
        };
        let start = at + 60;
        let end = start.checked_add(length).ok_or(Incomplete::TRUNCATED)?;
        let whole = bytes.get(start..end);
        let mut body = whole.unwrap_or_else(|| bytes.get(start..).unwrap_or_default());
        at = end.saturating_add(end % 2);
        let field = header.get(..16).unwrap_or_default().trim_ascii_end();
        let raw = match field {
            b"/" | b"/SYM64/" => continue,
            b"//" => {
                long_names = body;
                continue;
            }
            [b'#', b'1', b'/', digits @ ..] => {
                let length = decimal(digits).and_then(|length| size(length).ok());
                let split = length.and_then(|length| body.split_at_checked(length));
                let Some((name, rest)) = split else {
                    return Err(Incomplete::Damaged("name of a member").into());
                };
                body = rest;
                name.split(|&b| b == 0).next().unwrap_or_default()
            }
            [b'/', digits @ ..] => {
                let from = decimal(digits).and_then(|from| size(from).ok());
                let name = from
                    .and_then(|from| long_names.get(from..))
                    .unwrap_or_default();
                let end = memchr::memchr(b'\n', name).unwrap_or(name.len());
                let name = name.get(..end).unwrap_or_default();
                name.strip_suffix(b"/").unwrap_or(name)
            }
            short => short.strip_suffix(b"/").unwrap_or(short),
        };
        let name = clean(raw);
        let entry = Entry {
            container: Format::Ar,
            name: &name,
            mode: header.get(40..48).and_then(octal),
        };
        if whole.is_none() {
            walk.report_member(&name, &Incomplete::TRUNCATED);
        }
        walk.stored(&entry, body, whole.is_some())?;
    }
    Ok(())
}

fn decimal(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field.trim_ascii()).ok()?.parse().ok()
}

fn octal(field: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(field.trim_ascii()).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use crate::testing::{ar_member, eicar, gzip, tar, walk, walk_whole};

    #[test]
    fn a_debian_package_opens_to_its_files() {
        let data = gzip(&tar(&[("./usr/bin/x", &eicar())]), None);
        let mut bytes = b"!<arch>\n".to_vec();
        bytes.extend(ar_member("debian-binary", b"2.0\n"));
        bytes.extend(ar_member("data.tar.gz", &data));
        let seen = walk_whole(&bytes);
        assert_eq!(
            seen.names(),
            [
                "debian-binary",
                "data.tar.gz",
                "data.tar.gz!/content",
                "data.tar.gz!/usr/bin/x"
            ]
        );
        assert_eq!(seen.bytes_of("data.tar.gz!/usr/bin/x"), eicar());
    }

    #[test]
    fn long_names_of_gnu_and_bsd() {
        let mut bytes = b"!<arch>\n".to_vec();
        bytes.extend(ar_member("/", b"symbols"));
        bytes.extend(ar_member(
            "//",
            b"first-long-object-name.o/\nsecond-long-object-name.o/\n",
        ));
        bytes.extend(ar_member("/26", b"two"));
        bytes.extend(ar_member("#1/12", b"bsd-name.o\0\0one"));
        bytes.extend(ar_member("short.o/", b"odd"));
        let seen = walk_whole(&bytes);
        assert_eq!(
            seen.names(),
            ["second-long-object-name.o", "bsd-name.o", "short.o"]
        );
        assert_eq!(seen.bytes_of("bsd-name.o"), b"one");
    }

    #[test]
    fn what_breaks_off_is_named() {
        let mut bytes = b"!<arch>\n".to_vec();
        bytes.extend(ar_member("a", b"abc"));
        bytes.extend(&ar_member("b", &[1; 100])[..80]);
        let seen = walk(&bytes);
        assert_eq!(seen.faults(), ["b: damaged: data breaks off"]);
        assert_eq!(seen.bytes_of("b"), [1; 20]);
    }
}
