//! Walks over the real images of the shared corpus.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use seaworthy_image::{Flow, OpenOptions, SourceKind, WalkContext, open_image};

fn corpus() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let path = std::env::var_os("SEAWORTHY_CORPUS").map_or(default, PathBuf::from);
    path.join("images").is_dir().then(|| path.join("images"))
}

#[test]
fn every_archive_of_the_corpus_is_walked_to_its_end() {
    let Some(images) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(images).unwrap() {
        let mut path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.contains(".tar") {
            continue;
        }
        if name.ends_with(".xz") {
            let Ok(output) = Command::new("xz").arg("-dc").arg(&path).output() else {
                println!("skipped {name}: no `xz` command");
                continue;
            };
            path = scratch.path().join(name.trim_end_matches(".xz"));
            fs::write(&path, output.stdout).unwrap();
        }
        let ctx = WalkContext::default();
        let image = open_image(&path.display().to_string(), &OpenOptions::default(), &ctx);
        let image = image.unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_layout = name.contains("oci-layout");
        assert_eq!(image.source == SourceKind::Oci, is_layout, "{name}");
        assert!(
            image.problems.iter().all(|p| !p.makes_incomplete()),
            "{name}"
        );
        for layer in &image.layers {
            let mut entries = 0;
            let outcome = layer
                .walk(&ctx, &mut |_| {
                    entries += 1;
                    Ok(Flow::Continue)
                })
                .unwrap();
            assert!(outcome.complete, "{name}: {:?}", outcome.problems);
            assert!(
                outcome.problems.is_empty(),
                "{name}: {:?}",
                outcome.problems
            );
            assert!(entries > 1, "{name}");
            println!("{name}: {entries} entries, {} bytes", outcome.bytes);
        }
        seen += 1;
    }
    assert!(seen > 0);
}
