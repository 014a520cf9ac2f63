//! Increments of databases: `.cdiff`.
//!
//! ```text
//! ClamAV-Diff:version:length: gzip of commands, one a line, `length` bytes in all  [:signature]
//! OPEN name   ADD line   DEL number start   XCHG number start line   CLOSE
//! MOVE from to number start number start    UNLINK [name]
//! ```
//!
//! Numbers are of lines in the file as it was opened, `start` is how that line begins: an
//! increment that does not fit the files is refused whole. The signature is over the SHA-256
//! of all before its colon, by a key of its own; newer increments also have a
//! detached one, see [`crate::sign`].

use std::collections::BTreeMap;
use std::io::Read;

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use crate::rsa;

/// Most bytes of commands.
const MAX_COMMANDS: u64 = 512 << 20;
/// Most files.
const MAX_FILES: usize = 4096;

/// Why an increment can't be applied.
#[derive(Debug, thiserror::Error)]
pub enum CdiffError {
    /// Not an increment.
    #[error("not an increment of a signature database")]
    NotACdiff,
    /// It can't be unpacked.
    #[error("cannot unpack the increment: {0}")]
    Unpack(#[from] std::io::Error),
    /// It carries no signature, and the caller has verified none either.
    #[error("the increment is not signed")]
    Unsigned,
    /// Its signature is wrong.
    #[error("the increment's digital signature does not fit")]
    Signature,
    /// A command that is none.
    #[error("the increment's line {0} is no command")]
    Command(usize),
    /// A command that does not fit the files.
    #[error(
        "the increment's line {0} does not fit the database\n  hint: fetch the whole database again"
    )]
    Mismatch(usize),
}

/// An increment that was read and verified.
#[derive(Debug)]
pub struct Cdiff {
    /// The version that it leads to.
    pub version: u32,
    commands: Vec<u8>,
}

/// The files of a database, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

impl Cdiff {
    /// Reads an increment. Its own signature must fit if it has one; it may be without only if
    /// `verified` says that a detached one did fit.
    ///
    /// # Errors
    /// It is broken or its signature does not fit.
    pub fn read(bytes: &[u8], verified: bool) -> Result<Cdiff, CdiffError> {
        let head = bytes.get(..bytes.len().min(64)).unwrap_or_default();
        let mut colons = head.iter().enumerate().filter(|(_, byte)| **byte == b':');
        let end = colons
            .nth(2)
            .map(|(at, _)| at)
            .ok_or(CdiffError::NotACdiff)?;
        let fields = std::str::from_utf8(head.get(..end).unwrap_or_default())
            .map_err(|_| CdiffError::NotACdiff)?;
        let fields: Vec<&str> = fields.split(':').collect();
        let ["ClamAV-Diff", version, length] = fields.as_slice() else {
            return Err(CdiffError::NotACdiff);
        };
        let version = version.parse().map_err(|_| CdiffError::NotACdiff)?;
        let length: u64 = length.parse().map_err(|_| CdiffError::NotACdiff)?;
        if length > MAX_COMMANDS {
            return Err(CdiffError::NotACdiff);
        }
        let packed = bytes.get(end + 1..).unwrap_or_default();
        let mut decoder = GzDecoder::new(packed);
        let mut commands = Vec::new();
        decoder
            .by_ref()
            .take(length + 1)
            .read_to_end(&mut commands)?;
        if commands.len() as u64 != length {
            return Err(CdiffError::NotACdiff);
        }
        let rest = decoder.into_inner();
        match rest.split_first() {
            None if verified => {}
            None => return Err(CdiffError::Unsigned),
            Some((b':', signature)) => {
                let signed = bytes.len() - rest.len();
                let digest = Sha256::digest(bytes.get(..signed).unwrap_or_default()).into();
                let signature =
                    std::str::from_utf8(signature).map_err(|_| CdiffError::Signature)?;
                if !rsa::increment_signature_fits(&digest, signature.trim_end()) {
                    return Err(CdiffError::Signature);
                }
            }
            Some(_) => return Err(CdiffError::Signature),
        }
        Ok(Cdiff { version, commands })
    }

    /// The files as they are after the increment.
    ///
    /// # Errors
    /// A command does not fit the files; they are not changed then.
    pub fn apply(&self, files: &Files) -> Result<Files, CdiffError> {
        let mut files = files.clone();
        let mut open: Option<Edits<'_>> = None;
        let commands = self.commands.split(|byte| *byte == b'\n').enumerate();
        for (number, line) in commands {
            let number = number + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let wrong = || CdiffError::Command(number);
            let mismatch = || CdiffError::Mismatch(number);
            let (command, rest) = word(line);
            match (command, &mut open) {
                (b"OPEN", none @ None) => {
                    *none = Some(Edits {
                        name: name(rest).ok_or_else(wrong)?,
                        added: Vec::new(),
                        changed: BTreeMap::new(),
                        gone: false,
                    });
                }
                (b"ADD", Some(edits)) => edits.added.push(rest),
                (b"DEL", Some(edits)) => {
                    let (line, start) = word(rest);
                    let line = line_number(line).ok_or_else(wrong)?;
                    edits.changed.insert(line, (number, start, None));
                }
                (b"XCHG", Some(edits)) => {
                    let (line, rest) = word(rest);
                    let (start, new) = word(rest);
                    let line = line_number(line).ok_or_else(wrong)?;
                    edits.changed.insert(line, (number, start, Some(new)));
                }
                (b"CLOSE", edits @ Some(_)) => {
                    if let Some(edits) = edits.take() {
                        edits.apply(&mut files)?;
                    }
                }
                (b"MOVE", None) => move_lines(&mut files, rest, number)?,
                (b"UNLINK", Some(edits)) => edits.gone = true,
                (b"UNLINK", None) => {
                    let name = name(rest).ok_or_else(wrong)?;
                    files.remove(&name).ok_or_else(mismatch)?;
                }
                _ => return Err(wrong()),
            }
            if files.len() > MAX_FILES {
                return Err(wrong());
            }
        }
        // The last command closes what is open.
        match open {
            None => Ok(files),
            Some(_) => Err(CdiffError::Command(0)),
        }
    }
}

/// The command's line, how the line begins, and the new line, or none to delete it.
type Change<'c> = (usize, &'c [u8], Option<&'c [u8]>);

/// What happens to the file that is open.
struct Edits<'c> {
    name: String,
    added: Vec<&'c [u8]>,
    /// By line.
    changed: BTreeMap<usize, Change<'c>>,
    /// Whether the file is removed.
    gone: bool,
}

impl Edits<'_> {
    fn apply(self, files: &mut Files) -> Result<(), CdiffError> {
        // A file that is not there yet is made by its first lines.
        let old = files.remove(&self.name).unwrap_or_default();
        if self.gone {
            return Ok(());
        }
        let mut new = Vec::with_capacity(old.len());
        let mut changed = self.changed.into_iter().peekable();
        for (number, line) in (1..).zip(lines(&old)) {
            match changed.next_if(|(at, _)| *at == number) {
                None => push(&mut new, line),
                Some((_, (command, start, replaced))) => {
                    if !line.starts_with(start) {
                        return Err(CdiffError::Mismatch(command));
                    }
                    if let Some(line) = replaced {
                        push(&mut new, line);
                    }
                }
            }
        }
        if let Some((_, (command, ..))) = changed.next() {
            return Err(CdiffError::Mismatch(command));
        }
        for line in self.added {
            push(&mut new, line);
        }
        files.insert(self.name, new);
        Ok(())
    }
}

fn move_lines(files: &mut Files, rest: &[u8], number: usize) -> Result<(), CdiffError> {
    let wrong = || CdiffError::Command(number);
    let mismatch = || CdiffError::Mismatch(number);
    let words: Vec<&[u8]> = rest.split(|byte| *byte == b' ').collect();
    let [from, to, first, first_start, last, last_start] = words.as_slice() else {
        return Err(wrong());
    };
    let (from, to) = name(from).zip(name(to)).ok_or_else(wrong)?;
    let (first, last) = line_number(first)
        .zip(line_number(last))
        .ok_or_else(wrong)?;
    let source = files.get(&from).ok_or_else(mismatch)?;
    let (mut kept, mut moved, mut seen) = (Vec::new(), Vec::new(), 0);
    for (at, line) in (1..).zip(lines(source)) {
        let edge = (at == first && !line.starts_with(first_start))
            || (at == last && !line.starts_with(last_start));
        if edge {
            return Err(mismatch());
        }
        if (first..=last).contains(&at) {
            push(&mut moved, line);
        } else {
            push(&mut kept, line);
        }
        seen = at;
    }
    if first > last || last > seen {
        return Err(mismatch());
    }
    files.insert(from, kept);
    files.entry(to).or_default().extend(moved);
    Ok(())
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .strip_suffix(b"\n")
        .or((!bytes.is_empty()).then_some(bytes))
        .into_iter()
        .flat_map(|bytes| bytes.split(|byte| *byte == b'\n'))
}

fn push(to: &mut Vec<u8>, line: &[u8]) {
    to.extend_from_slice(line);
    to.push(b'\n');
}

fn word(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| *byte == b' ') {
        Some(at) => (
            line.get(..at).unwrap_or_default(),
            line.get(at + 1..).unwrap_or_default(),
        ),
        None => (line, &[]),
    }
}

fn line_number(digits: &[u8]) -> Option<usize> {
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number > 0).then_some(number)
}

/// A plain file name: an increment writes nowhere else.
fn name(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (!name.is_empty() && name.len() < 100 && !name.starts_with('.') && name.bytes().all(plain))
        .then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(of: &[(&str, &str)]) -> Files {
        of.iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    fn apply(commands: &str, old: &[(&str, &str)]) -> Result<Files, CdiffError> {
        let cdiff = Cdiff {
            version: 2,
            commands: commands.as_bytes().to_vec(),
        };
        cdiff.apply(&files(old))
    }

    #[test]
    fn lines_are_added_deleted_exchanged_and_moved() {
        let old = [
            ("a.ndb", "one\ntwo\nthree\n"),
            ("b.ndb", "four\n"),
            ("c.hdb", "x\n"),
        ];
        let commands = "OPEN a.ndb\nDEL 1 on\nXCHG 3 thr drei vier\nADD five\nCLOSE\n\
            MOVE a.ndb b.ndb 1 two 2 drei\nUNLINK c.hdb\nOPEN d.hdb\nADD new\nCLOSE\n";
        let expected = [
            ("a.ndb", "five\n"),
            ("b.ndb", "four\ntwo\ndrei vier\n"),
            ("d.hdb", "new\n"),
        ];
        assert_eq!(apply(commands, &old).unwrap(), files(&expected));
    }

    #[test]
    fn what_does_not_fit_is_refused_by_its_line() {
        let old = [("a.ndb", "one\ntwo\n")];
        for (commands, line) in [
            ("OPEN a.ndb\nDEL 1 two\nCLOSE\n", 2),
            ("OPEN a.ndb\nADD x\nDEL 3 x\nCLOSE\n", 3),
            ("MOVE a.ndb b.ndb 2 two 5 x\n", 1),
            ("UNLINK b.ndb\n", 1),
        ] {
            let Err(CdiffError::Mismatch(at)) = apply(commands, &old) else {
                panic!("{commands}")
            };
            assert_eq!(at, line, "{commands}");
        }
        for commands in [
            "OPEN ../a.ndb\nCLOSE\n",
            "OPEN .hidden\nCLOSE\n",
            "ADD x\n",
            "OPEN a.ndb\n",
            "OPEN a.ndb\nDEL 0 x\nCLOSE\n",
            "DANCE\n",
        ] {
            let result = apply(commands, &old);
            assert!(matches!(result, Err(CdiffError::Command(_))), "{commands}");
        }
    }
}
