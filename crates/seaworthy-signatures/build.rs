//! Puts our YARA rules into one file that the program carries. They are masked: a program
//! that carries them as they are would be what they look for, to us and to other scanners.

use std::path::{Path, PathBuf};

/// The same as in `src/yara/builtin.rs`, whose tests read what is written here.
fn mask(bytes: &mut [u8]) {
    let mut key = 0x5du8;
    for byte in bytes {
        *byte ^= key;
        key = key.wrapping_mul(5).wrapping_add(17);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let folder = root.join("rules/yara");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yar") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut packed = Vec::new();
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for part in [name.as_bytes(), std::fs::read(&path)?.as_slice()] {
            packed.extend(u32::try_from(part.len())?.to_le_bytes());
            packed.extend(part);
        }
    }
    mask(&mut packed);
    std::fs::write(
        Path::new(&std::env::var("OUT_DIR")?).join("yara_rules.bin"),
        packed,
    )?;
    Ok(())
}
