//! The law of coalescing: an image's items are exactly the unbroken runs of the items one
//! sees by scanning the flattened tree after each layer.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use seaworthy_core::{EvidenceItem, ImagePath, TracedItem};
use seaworthy_scan::{AnalyzerSet, MemoryLayer, coalesce};

use crate::support::{LINES, scan};

#[derive(Debug, Clone)]
enum Step {
    File(String, BTreeSet<u8>),
    Directory(String),
    Whiteout(String),
    Opaque(String),
}

/// What extraction would make: files with their content, directories with none.
type Tree = BTreeMap<String, Option<BTreeSet<u8>>>;

fn content(packages: &BTreeSet<u8>) -> String {
    packages
        .iter()
        .map(|n| format!("p{}={n}\n", n % 3))
        .collect()
}

fn parents(path: &str) -> Vec<&str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).collect()
}

/// As diffs of overlayfs do, every file brings the directories above it along.
fn to_layer(steps: &[Step]) -> MemoryLayer {
    let mut layer = MemoryLayer::new();
    for step in steps {
        layer = match step {
            Step::File(path, packages) => {
                for parent in parents(path) {
                    layer = layer.directory(parent);
                }
                layer.file(path, content(packages))
            }
            Step::Directory(path) => {
                for parent in parents(path) {
                    layer = layer.directory(parent);
                }
                layer.directory(path)
            }
            Step::Whiteout(path) => layer.whiteout(path),
            Step::Opaque(path) => layer.opaque(path),
        };
    }
    layer
}

fn remove(tree: &mut Tree, path: &str, with_itself: bool) {
    let below = format!("{path}/");
    tree.retain(|name, _| !(name.starts_with(&below) || (with_itself && name == path)));
}

fn make_directory(tree: &mut Tree, path: &str) {
    for directory in parents(path).into_iter().chain([path]) {
        if tree.get(directory).is_some_and(Option::is_some) {
            tree.remove(directory);
        }
        tree.entry(directory.to_owned()).or_insert(None);
    }
}

fn extract(tree: &mut Tree, steps: &[Step]) {
    // Deletions concern the layers below, wherever in the archive they stand.
    for step in steps {
        match step {
            Step::Whiteout(path) => remove(tree, path, true),
            Step::Opaque(path) => remove(tree, path, false),
            _ => {}
        }
    }
    for step in steps {
        match step {
            Step::File(path, packages) => {
                if let Some((parent, _)) = path.rsplit_once('/') {
                    make_directory(tree, parent);
                }
                remove(tree, path, true);
                tree.insert(path.clone(), Some(packages.clone()));
            }
            Step::Directory(path) => make_directory(tree, path),
            _ => {}
        }
    }
}

fn scan_tree(tree: &Tree, analyzers: &AnalyzerSet) -> BTreeSet<(ImagePath, EvidenceItem)> {
    let mut layer = MemoryLayer::new();
    for (path, packages) in tree {
        layer = match packages {
            Some(packages) => layer.file(path, content(packages)),
            None => layer.directory(path),
        };
    }
    let files = scan(&layer, analyzers).files.into_iter();
    files
        .flat_map(|file| {
            file.items
                .into_iter()
                .map(move |item| (file.path.clone(), item))
        })
        .collect()
}

/// The runs of every item over the flattened views.
fn runs(views: &[BTreeSet<(ImagePath, EvidenceItem)>]) -> Vec<TracedItem> {
    let mut open: BTreeMap<&(ImagePath, EvidenceItem), u32> = BTreeMap::new();
    let mut found = Vec::new();
    let mut end = |key: &(ImagePath, EvidenceItem), layer, removed_by| {
        found.push(TracedItem {
            path: key.0.clone(),
            item: key.1.clone(),
            layer,
            removed_by,
            owner: None,
        });
    };
    for (index, view) in (0_u32..).zip(views) {
        open.retain(|key, layer| {
            let stays = view.contains(*key);
            if !stays {
                end(key, *layer, Some(index));
            }
            stays
        });
        for key in view {
            open.entry(key).or_insert(index);
        }
    }
    for (key, layer) in open {
        end(key, layer, None);
    }
    found.sort();
    found
}

fn a_path() -> impl Strategy<Value = String> {
    let component = prop::sample::select(vec!["a", "b", "pkg", "pkg"]);
    prop::collection::vec(component, 1..4).prop_map(|parts| parts.join("/"))
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (a_path(), prop::collection::btree_set(0..6_u8, 0..4)).prop_map(|(p, c)| Step::File(p, c)),
        1 => a_path().prop_map(Step::Directory),
        2 => a_path().prop_map(Step::Whiteout),
        1 => a_path().prop_map(Step::Opaque),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]
    #[test]
    fn coalescing_layers_equals_scanning_the_flattened_tree(
        layers in prop::collection::vec(prop::collection::vec(a_step(), 0..7), 1..6)
    ) {
        let analyzers = AnalyzerSet::new(const { &[LINES] });
        let mut tree = Tree::new();
        let mut views = Vec::new();
        let mut evidence = Vec::new();
        for steps in &layers {
            extract(&mut tree, steps);
            views.push(scan_tree(&tree, &analyzers));
            evidence.push(scan(&to_layer(steps), &analyzers));
        }
        let image = coalesce(&evidence, &[]);
        prop_assert_eq!(image.items, runs(&views));
        prop_assert_eq!(image.layers.len(), layers.len());
        prop_assert!(image.problems.is_empty());
    }

    #[test]
    fn a_layer_reads_the_same_from_memory_and_from_a_stream(
        steps in prop::collection::vec(a_step(), 0..12)
    ) {
        let analyzers = AnalyzerSet::new(const { &[LINES] });
        let layer = to_layer(&steps);
        prop_assert_eq!(scan(&layer, &analyzers), scan(&layer.clone().streamed(), &analyzers));
    }
}
