//! Real Dockerfiles: each must be read whole, with a FROM and nothing that is no instruction.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use seaworthy_lint::dockerfile::parse;

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn corpus() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("SEAWORTHY_CORPUS").map_or(default, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no corpus");
    None
}

/// Name and content of the regular files of a tar; long names are cut, which does not matter.
fn files(tar: &[u8]) -> Vec<(String, &[u8])> {
    let mut files = Vec::new();
    let mut at = 0;
    while let Some(header) = tar.get(at..at + 512) {
        let text = |range: std::ops::Range<usize>| {
            let text = String::from_utf8_lossy(&header[range]).into_owned();
            text.trim_matches(['\0', ' ']).to_owned()
        };
        let size = usize::from_str_radix(&text(124..136), 8).unwrap_or(0);
        let start = at + 512;
        if header[156] == b'0' {
            let content = tar.get(start..start + size).unwrap_or_default();
            files.push((text(0..100), content));
        }
        at = start + size.div_ceil(512) * 512;
    }
    files
}

#[test]
fn real_dockerfiles_are_understood_to_the_last_line() {
    let Some(corpus) = corpus() else { return };
    let packed = std::fs::read(corpus.join("lint/dockerfiles-compose.tar.zst")).expect("there");
    let mut tar = Vec::new();
    zstd::stream::read::Decoder::new(&*packed)
        .and_then(|mut decoder| decoder.read_to_end(&mut tar))
        .expect("whole");
    let mut count = 0;
    let mut wrong = Vec::new();
    for (name, content) in files(&tar) {
        let folded = name.to_ascii_lowercase();
        let last = folded.rsplit('/').next().unwrap_or_default();
        if !last.contains("dockerfile") || last.contains("ignore") || content.is_empty() {
            continue;
        }
        let file = parse(&String::from_utf8_lossy(content));
        count += 1;
        let has_from = file.instructions.iter().any(|i| i.keyword == "FROM");
        if !has_from || !file.problems.is_empty() {
            wrong.push(format!(
                "{name}: FROM {has_from}, {:?}",
                file.problems.first()
            ));
        }
    }
    assert!(count > 300, "{count}");
    // Templates and fragments are no Dockerfiles yet.
    assert!(
        wrong.len() * 20 <= count,
        "{} of {count}: {wrong:#?}",
        wrong.len()
    );
}
