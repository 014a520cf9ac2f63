//! Archives that can't be read at random places are written to a file without a name first:
//! standard input and pipes, and archives that are compressed as a whole.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use crate::decompress::{Compression, Sniffed, sniff};
use crate::{ImageError, WalkContext, fault};
use seaworthy_core::Problem;

/// An archive that can be read at random places.
pub(crate) struct Opened {
    pub file: Arc<File>,
    /// What broke its stream off, if something did; what came before is in the file.
    pub problem: Option<Problem>,
}

/// Opens an archive for random access; `-` is standard input.
pub(crate) fn open_archive(path: &str, ctx: &WalkContext) -> Result<Opened, ImageError> {
    let file = if path == "-" {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(
                ImageError::new("standard input is a terminal, not an archive")
                    .hint("pipe an archive into it: `docker save IMAGE | seaworthy scan -`"),
            );
        }
        let fd = stdin.as_fd().try_clone_to_owned();
        File::from(fd.map_err(|error| cannot("read standard input", error))?)
    } else {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
        let fd = rustix::fs::open(path, flags, Mode::empty());
        File::from(fd.map_err(|error| cannot(&format!("open `{path}`"), error.into()))?)
    };
    let shown = if path == "-" { "standard input" } else { path };
    let meta = file
        .metadata()
        .map_err(|error| cannot(&format!("read `{shown}`"), error))?;
    if meta.is_dir() {
        return Err(
            ImageError::new(format!("`{shown}` is a directory, not an archive")).hint(format!(
                "for a root filesystem write `dir:{path}`, for an OCI layout `oci:{path}`"
            )),
        );
    }
    if meta.is_file() {
        let mut at_start = &file;
        let position = at_start
            .stream_position()
            .map_err(|error| cannot(&format!("read `{shown}`"), error))?;
        let mut head = [0; 8];
        let count = std::os::unix::fs::FileExt::read_at(&file, &mut head, 0)
            .map_err(|error| cannot(&format!("read `{shown}`"), error))?;
        if position == 0 && sniff(&head[..count]) == Compression::None {
            return Ok(Opened {
                file: Arc::new(file),
                problem: None,
            });
        }
    }
    let spooled = spool(Box::new(file), ctx, &std::env::temp_dir());
    spooled.map_err(|error| match error {
        SpoolError::Read(error) => {
            let unsupported = sniff_hint(&error);
            let error = cannot(&format!("read `{shown}`"), error);
            match unsupported {
                Some(hint) => error.hint(hint),
                None => error,
            }
        }
        SpoolError::Write(error) => {
            let dir = std::env::temp_dir();
            let message = format!("write a temporary copy of `{shown}` to `{}`", dir.display());
            cannot(&message, error).hint(
                "set `TMPDIR` to a folder with room for the uncompressed archive, or decompress it to a file and scan that",
            )
        }
    })
}

enum SpoolError {
    Read(io::Error),
    Write(io::Error),
}

/// Copies a stream, decompressed, into a file without a name.
fn spool(raw: Box<dyn Read + Send>, ctx: &WalkContext, dir: &Path) -> Result<Opened, SpoolError> {
    let mut decoded = Sniffed::new(raw)
        .and_then(|sniffed| sniffed.decode(&ctx.limits, None))
        .map_err(SpoolError::Read)?;
    let mut file = unnamed_file(dir).map_err(SpoolError::Write)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut problem = None;
    let mut written = 0_u64;
    loop {
        if ctx.cancel.is_cancelled() {
            return Err(SpoolError::Read(fault::cancelled()));
        }
        let count = match decoded.reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => match fault::to_problem(&error) {
                // A part is better than nothing, as long as it is told.
                Some(found) if written > 0 => {
                    problem = Some(found);
                    break;
                }
                _ => return Err(SpoolError::Read(error)),
            },
        };
        file.write_all(&buffer[..count])
            .map_err(SpoolError::Write)?;
        written += count as u64;
    }
    Ok(Opened {
        file: Arc::new(file),
        problem,
    })
}

/// A file that is gone when it is closed, whatever happens (`O_TMPFILE`, Linux 3.11; file
/// systems without it get a name for a moment).
///
/// # Errors
///
/// What the system says: no room, no permission.
pub fn unnamed_file(dir: &Path) -> io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags | OFlags::TMPFILE, mode) {
        Ok(fd) => return Ok(File::from(fd)),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR | rustix::io::Errno::NOENT) => {
        }
        Err(error) => return Err(error.into()),
    }
    for attempt in 0..100 {
        let path = dir.join(format!(".seaworthy-{}-{attempt}", std::process::id()));
        match rustix::fs::open(&path, flags | OFlags::CREATE | OFlags::EXCL, mode) {
            Ok(fd) => {
                std::fs::remove_file(&path)?;
                return Ok(File::from(fd));
            }
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other("all names for a temporary file are taken"))
}

fn sniff_hint(error: &io::Error) -> Option<&'static str> {
    let text = error.to_string();
    text.contains("xz")
        .then_some("decompress it on the way: `xz -dc FILE | seaworthy scan -`")
        .or_else(|| {
            text.contains("bzip2")
                .then_some("decompress it on the way: `bzip2 -dc FILE | seaworthy scan -`")
        })
}

fn cannot(what: &str, error: io::Error) -> ImageError {
    ImageError::new(format!("cannot {what}")).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, SeekFrom};

    #[test]
    fn a_spooled_file_is_decompressed_and_has_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let raw = zstd::encode_all(&b"content"[..], 1).unwrap();
        let ctx = WalkContext::default();
        let Ok(opened) = spool(Box::new(Cursor::new(raw)), &ctx, dir.path()) else {
            panic!("not spooled");
        };
        let mut file = &*opened.file;
        file.seek(SeekFrom::Start(0)).unwrap();
        assert_eq!(io::read_to_string(file).unwrap(), "content");
        assert!(opened.problem.is_none());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_is_an_error_of_writing() {
        // No files can be made in /proc.
        let raw = Box::new(Cursor::new(b"content".to_vec()));
        let spooled = spool(raw, &WalkContext::default(), Path::new("/proc"));
        assert!(matches!(spooled, Err(SpoolError::Write(_))));
    }
}
