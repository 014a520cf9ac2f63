//! Where data goes: standard output, or a file that is replaced in one step.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

/// Writes data to the file, or to standard output where there is none.
///
/// A reader that closes the pipe early (`| head`) has what it wanted: no error.
pub fn write(
    target: Option<&Path>,
    produce: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let Some(path) = target else {
        let mut out = BufWriter::new(io::stdout().lock());
        return match produce(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(error).context("cannot write to standard output")
            }
            result => {
                // Whatever is left in the buffer has no reader: do not try again on drop.
                if result.is_err() {
                    let _ = out.into_parts();
                }
                Ok(())
            }
        };
    };
    replace(path, produce).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Finds out before a long scan whether the file could be written at its end.
pub fn check_target(target: Option<&Path>) -> Result<()> {
    let Some(path) = target else { return Ok(()) };
    let folder = folder_of(path);
    if path.is_dir() {
        return Err(anyhow!(
            "`{}` is a directory\n  hint: give `--output` the name of a file",
            path.display()
        ));
    }
    if !folder.is_dir() {
        return Err(anyhow!(
            "there is no directory `{}`\n  hint: make it first, or write elsewhere with `--output FILE`",
            folder.display()
        ));
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes beside the target and renames: whoever reads the file sees the old content or
/// the new one, never half of it, and a failure leaves the old one.
fn replace(path: &Path, produce: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // A device or a pipe (`/dev/stdout`) is written to, not replaced.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let mut out = BufWriter::new(File::options().write(true).open(path)?);
        produce(&mut out)?;
        return out.flush();
    }
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it has no file name"))?;
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}.tmp", std::process::id()));
    let temporary = Temporary(folder_of(path).join(temporary_name));
    let mut out = BufWriter::new(File::create_new(&temporary.0)?);
    produce(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&temporary.0, path)
}

/// A file that is gone when nobody renamed it.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write(Some(&path), |out| out.write_all(b"old")).unwrap();
        let failed = write(Some(&path), |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("full"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write(Some(&path), |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_target_that_can_not_work_is_refused_before_the_scan() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_target(Some(folder.path())).is_err());
        assert!(check_target(Some(&folder.path().join("no/report.json"))).is_err());
        assert!(check_target(Some(&folder.path().join("report.json"))).is_ok());
        assert!(check_target(Some(Path::new("report.json"))).is_ok());
    }
}
