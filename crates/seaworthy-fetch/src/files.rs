use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// SHA-256, in lower-case hexadecimal, and size in bytes of a file.
///
/// # Errors
///
/// It can't be read.
pub fn hash_file(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Ok((hex(&hasher.finalize()), size));
        };
        hasher.update(bytes);
        size += count as u64;
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The same file under a second name. Not every file system has hard links.
///
/// # Errors
///
/// It can't be read, or the second name can't be made.
pub fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::hard_link(from, to).or_else(|_| std::fs::copy(from, to).map(|_| ()))
}

/// Makes the folder and locks it for one update at a time, as long as the file lives;
/// `None` when another process has it.
///
/// # Errors
///
/// The folder can't be made or written to.
pub fn lock_folder(folder: &Path) -> io::Result<Option<File>> {
    std::fs::create_dir_all(folder)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("update.lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
