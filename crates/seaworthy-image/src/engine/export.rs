//! Images as the engine exports them: the way that works with any engine, anywhere.
//!
//! The engine sends a tar archive (`GET /images/ID/get`, what `docker save` writes) whose
//! table of contents may come last, so it is kept in an unnamed temporary file that is
//! gone when the last reader closes it, whatever happens to this process.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use crate::spool::unnamed_file;
use crate::{Environment, ImageError, WalkContext};

/// Copies an export into a temporary file, positioned anywhere.
pub(super) fn to_temporary_file(
    stream: &mut dyn Read,
    environment: &Environment,
    ctx: &WalkContext,
) -> Result<File, ImageError> {
    let folder = environment
        .get("TMPDIR")
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let mut file = unnamed_file(&folder).map_err(|error| {
        ImageError::new(format!(
            "cannot make a temporary file in `{}`",
            folder.display()
        ))
        .hint("set `TMPDIR` to a folder that can be written")
        .caused_by(error)
    })?;
    copy(stream, &mut file, ctx).map_err(|failure| match failure {
        CopyFailure::Cancelled => ImageError::new("cancelled"),
        CopyFailure::TooLong(limit) => ImageError::new(format!(
            "the engine exports more than {limit} bytes, the limit for one image"
        ))
        .hint("raise the limit of bytes of a layer if the image is to be trusted that far"),
        CopyFailure::Read(error) => {
            ImageError::new("the engine broke off the export of the image")
                .hint("look whether the engine still runs (`docker info`), and try again")
                .caused_by(error)
        }
        CopyFailure::Write { error, written } => {
            let full = matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            );
            let image_error = ImageError::new(if full {
                format!(
                    "`{}` is full after {written} bytes of the exported image",
                    folder.display()
                )
            } else {
                format!("cannot write the exported image to `{}`", folder.display())
            });
            image_error
                .hint("set `TMPDIR` to a folder with room for the whole image, or run as root on the engine's host: then nothing is exported")
                .caused_by(error)
        }
    })?;
    Ok(file)
}

#[derive(Debug)]
enum CopyFailure {
    Cancelled,
    TooLong(u64),
    Read(io::Error),
    Write { error: io::Error, written: u64 },
}

fn copy(from: &mut dyn Read, to: &mut dyn Write, ctx: &WalkContext) -> Result<(), CopyFailure> {
    let limit = ctx.limits.layer_bytes;
    let mut buffer = vec![0; 256 << 10];
    let mut written = 0;
    loop {
        if ctx.cancel.is_cancelled() {
            return Err(CopyFailure::Cancelled);
        }
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyFailure::Read(error)),
        };
        if written + count as u64 > limit {
            return Err(CopyFailure::TooLong(limit));
        }
        to.write_all(&buffer[..count])
            .map_err(|error| CopyFailure::Write { error, written })?;
        written += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct FullDisk(usize);

    impl Write for FullDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 < bytes.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0 -= bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_engine() {
        let ctx = WalkContext::default();
        let export = vec![7; 1 << 20];
        match copy(&mut export.as_slice(), &mut FullDisk(600 << 10), &ctx) {
            Err(CopyFailure::Write { error, written }) => {
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                assert_eq!(written, 512 << 10);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_endless_export_is_stopped_at_the_limit() {
        let mut ctx = WalkContext::default();
        ctx.limits.layer_bytes = 1 << 20;
        let result = copy(&mut io::repeat(0), &mut io::sink(), &ctx);
        assert!(matches!(result, Err(CopyFailure::TooLong(_))), "{result:?}");
    }

    #[test]
    fn a_missing_temporary_folder_says_what_to_set() {
        let environment = [("TMPDIR".to_owned(), "/nonexistent/folder".to_owned())]
            .into_iter()
            .collect();
        let error =
            to_temporary_file(&mut io::empty(), &environment, &WalkContext::default()).unwrap_err();
        assert!(error.message.contains("/nonexistent/folder"));
        assert!(error.hint.unwrap().contains("TMPDIR"));
    }
}
