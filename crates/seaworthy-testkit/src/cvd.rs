//! ClamAV's database containers (`.cvd`), without the publisher's signature.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// A container of the database `name` in this version, with these files, made at `time`
/// (`22 Jun 2021 21-34 -0400`).
///
/// # Panics
///
/// When a file's name is longer than a tar header takes.
pub fn container(name: &str, version: u32, time: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let head = format!(
        "ClamAV-VDB:{time}:{version}:{}:81:X:X:builder:0",
        files.len()
    );
    let mut info = format!("{head}\n");
    for (file, content) in files {
        let digest: String = Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        info.push_str(&format!("{file}:{}:{digest}\n", content.len()));
    }
    let info_name = format!("{name}.info");
    let mut tar = Vec::new();
    let own = [
        ("COPYING", b"text".as_slice()),
        (&info_name, info.as_bytes()),
    ];
    for (file, content) in own.iter().chain(files) {
        let mut block = vec![0; 512];
        block[..file.len()].copy_from_slice(file.as_bytes());
        block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        block[156] = b'0';
        tar.extend(block);
        tar.extend_from_slice(content);
        tar.resize(tar.len().div_ceil(512) * 512, 0);
    }
    tar.resize(tar.len() + 1024, 0);
    let mut file = head.into_bytes();
    file.resize(512, b' ');
    let mut gzip = GzEncoder::new(file, Compression::fast());
    gzip.write_all(&tar).expect("memory takes all");
    gzip.finish().expect("memory takes all")
}
