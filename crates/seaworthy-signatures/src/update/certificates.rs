use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::sign::{Certificate, SignError};

/// Bytes of one file.
const MAX_BYTES: u64 = 1 << 20;
/// Files of one folder.
const MAX_FILES: usize = 256;

/// Why certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// A file or folder can't be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error(
        "cannot use `{}`: {source}\n  hint: certificates are in PEM form, with `-----BEGIN CERTIFICATE-----`",
        path.display()
    )]
    Broken {
        /// Which.
        path: PathBuf,
        /// Why.
        source: SignError,
    },
}

/// Reads the certificates of a PEM file, or of all `.crt` and `.pem` files of a folder.
///
/// # Errors
///
/// A file can't be read or holds none: whoever is trusted must not depend on luck.
pub fn read_certificates(path: &Path) -> Result<Vec<Certificate>, CertificatesError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| CertificatesError::Unreadable { path, source }
    };
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(unreadable(path))? {
            let file = entry.map_err(unreadable(path))?.path();
            let extension = file.extension().unwrap_or_default();
            if files.len() < MAX_FILES && (extension == "crt" || extension == "pem") {
                files.push(file);
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let mut all = Vec::new();
    for file in files {
        let mut text = String::new();
        File::open(&file)
            .and_then(|opened| opened.take(MAX_BYTES).read_to_string(&mut text))
            .map_err(unreadable(&file))?;
        let found = Certificate::from_pem(&text);
        all.extend(found.map_err(|source| CertificatesError::Broken { path: file, source })?);
    }
    Ok(all)
}
