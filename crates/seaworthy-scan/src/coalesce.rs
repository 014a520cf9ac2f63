//! Layers become an image: what the final root filesystem holds, which layer brought it,
//! and what was taken away on the way.
//!
//! A layer takes a path from those below it when it has a whiteout for it or for a
//! directory above it, an opaque directory above it, an entry that is no directory at it
//! or above it, or a directory where a file was. What a file still says after it was
//! rewritten keeps its origin: a package database that layer 3 rewrote attributes the base
//! packages to layer 0.

use std::collections::{BTreeMap, HashSet};

use seaworthy_core::{
    Distro, EvidenceItem, FileEvidence, ImageEvidence, ImagePath, LayerEvidence, LayerInfo,
    OwnedFile, TracedItem,
};

use crate::catalogers::os_release;

/// Puts the layers, base first, together. `created_by` holds the history line of each
/// layer; it may be shorter or longer than the list of layers.
pub fn coalesce(layers: &[LayerEvidence], created_by: &[Option<String>]) -> ImageEvidence {
    let mut image = ImageEvidence::default();
    let mut view = View::default();
    for (index, layer) in (0_u32..).zip(layers) {
        view.apply(index, layer);
        let problems = layer.problems.iter().cloned();
        image
            .problems
            .extend(problems.map(|problem| problem.in_layer(index)));
        image.layers.push(LayerInfo {
            index,
            diff_id: layer.diff_id.clone(),
            created_by: created_by.get(index as usize).cloned().flatten(),
            stats: layer.stats,
            complete: layer.complete,
        });
    }
    image.distro = choose_distro(&view);
    image.owned_files = owned_files(&view);
    image.items = view.into_items(&image.owned_files);
    image
}

/// The same path by its other name on a system where `/bin`, `/sbin` and `/lib*` are links
/// into `/usr`: `lib/x` for `usr/lib/x` and the reverse. Package managers record either.
pub fn merged_usr_alias(path: &str) -> Option<String> {
    const MERGED: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
    let is_merged = |path: &str| {
        let top = path.split_once('/').map(|(top, _)| top);
        top.is_some_and(|top| MERGED.contains(&top))
    };
    match path.strip_prefix("usr/") {
        Some(rest) => is_merged(rest).then(|| rest.to_owned()),
        None => is_merged(path).then(|| format!("usr/{path}")),
    }
}

/// The root filesystem as the layers up to now make it.
#[derive(Default)]
struct View<'a> {
    live: BTreeMap<&'a ImagePath, Vec<Live<'a>>>,
    removed: Vec<TracedItem>,
}

/// An item of the view and the layer that brought it.
struct Live<'a> {
    item: &'a EvidenceItem,
    layer: u32,
}

impl<'a> View<'a> {
    fn apply(&mut self, index: u32, layer: &'a LayerEvidence) {
        let said: BTreeMap<&ImagePath, &FileEvidence> =
            layer.files.iter().map(|file| (&file.path, file)).collect();
        let mut deletions = Deletions::new(layer);
        let touched: Vec<&ImagePath> = self
            .live
            .keys()
            .copied()
            .filter(|path| said.contains_key(path) || deletions.take(path))
            .collect();
        for path in touched {
            // A multiset: hostile databases say the same thing many times, in any order.
            let mut before: BTreeMap<&EvidenceItem, Vec<u32>> = BTreeMap::new();
            for live in self.live.remove(path).unwrap_or_default().into_iter().rev() {
                before.entry(live.item).or_default().push(live.layer);
            }
            let mut after = Vec::new();
            for item in said.get(path).iter().flat_map(|file| &file.items) {
                let origin = before.get_mut(item).and_then(Vec::pop).unwrap_or(index);
                after.push(Live {
                    item,
                    layer: origin,
                });
            }
            self.remove(path, before, index);
            if !after.is_empty() {
                self.live.insert(path, after);
            }
        }
        for (path, file) in said {
            self.live.entry(path).or_insert_with(|| {
                let live = |item| Live { item, layer: index };
                file.items.iter().map(live).collect()
            });
        }
    }

    fn remove(
        &mut self,
        path: &ImagePath,
        items: BTreeMap<&EvidenceItem, Vec<u32>>,
        removed_by: u32,
    ) {
        for (item, origins) in items {
            if matches!(item, EvidenceItem::OwnedFiles(_)) {
                continue;
            }
            self.removed
                .extend(origins.into_iter().map(|layer| TracedItem {
                    path: path.clone(),
                    item: item.clone(),
                    layer,
                    removed_by: Some(removed_by),
                    owner: None,
                }));
        }
    }

    fn into_items(self, owned: &[(OwnedFile, String)]) -> Vec<TracedItem> {
        let owner_of = |path: &str| {
            let place = owned.partition_point(|(file, _)| file.path.as_str() < path);
            let (file, package) = owned.get(place)?;
            (file.path.as_str() == path).then(|| package.clone())
        };
        let owner = |path: &ImagePath| {
            owner_of(path.as_str()).or_else(|| owner_of(&merged_usr_alias(path.as_str())?))
        };
        let mut items = self.removed;
        for item in &mut items {
            // A package that was upgraded rewrote its files: what they said is its own too.
            item.owner = owner(&item.path);
        }
        for (path, lives) in self.live {
            let mut known: Option<Option<String>> = None;
            for live in lives {
                if matches!(live.item, EvidenceItem::OwnedFiles(_)) {
                    continue;
                }
                let owner = known.get_or_insert_with(|| owner(path));
                items.push(TracedItem {
                    path: path.clone(),
                    item: live.item.clone(),
                    layer: live.layer,
                    removed_by: None,
                    owner: owner.clone(),
                });
            }
        }
        items.sort_unstable();
        items
    }
}

/// What a layer takes from those below it.
struct Deletions<'a> {
    layer: &'a LayerEvidence,
    whiteouts: HashSet<&'a str>,
    opaque: HashSet<&'a str>,
    /// The directory asked about last and whether all in it goes: paths come sorted, so
    /// that most share it with their neighbour.
    last: Option<(&'a str, bool)>,
}

impl<'a> Deletions<'a> {
    fn new(layer: &'a LayerEvidence) -> Deletions<'a> {
        Deletions {
            layer,
            whiteouts: layer.whiteouts.iter().map(ImagePath::as_str).collect(),
            opaque: layer.opaque_dirs.iter().map(ImagePath::as_str).collect(),
            last: None,
        }
    }

    /// Whether the file of a lower layer at `path` is gone.
    fn take(&mut self, path: &'a ImagePath) -> bool {
        let text = path.as_str();
        if self.whiteouts.contains(text)
            || self.layer.non_dirs.contains(text)
            || self.layer.dirs.contains(text)
        {
            return true;
        }
        let Some(parent) = path.parent() else {
            return false;
        };
        if let Some((directory, gone)) = self.last
            && directory == parent
        {
            return gone;
        }
        let gone = path.ancestors().any(|directory| {
            self.whiteouts.contains(directory)
                || self.opaque.contains(directory)
                // The root is a directory whatever a layer calls it.
                || (!directory.is_empty() && self.layer.non_dirs.contains(directory))
        });
        self.last = Some((parent, gone));
        gone
    }
}

/// The distribution: the first of its files, in order of authority, that the final view
/// holds. What that one leaves open is taken from the others if they name the same.
fn choose_distro(view: &View<'_>) -> Option<Distro> {
    let mut candidates = os_release::PATHS.iter().filter_map(|path| {
        let items = view.live.get(&ImagePath::new(path))?;
        items.iter().find_map(|live| match live.item {
            EvidenceItem::Distro(distro) => Some(distro),
            _ => None,
        })
    });
    let mut chosen = candidates.next()?.clone();
    for other in candidates.filter(|other| other.id == chosen.id) {
        chosen.version_id = chosen.version_id.or_else(|| other.version_id.clone());
        chosen.codename = chosen.codename.or_else(|| other.codename.clone());
    }
    Some(chosen)
}

/// Files of the final view's OS packages: one row per file and package, with the digest
/// where any record of that package has one.
fn owned_files(view: &View<'_>) -> Vec<(OwnedFile, String)> {
    let records = || {
        let items = view.live.values().flatten();
        items.filter_map(|live| match live.item {
            EvidenceItem::OwnedFiles(owned) => Some(owned),
            _ => None,
        })
    };
    let mut rows: Vec<(&OwnedFile, &str)> = records()
        .flat_map(|owned| {
            owned
                .files
                .iter()
                .map(|file| (file, owned.package.as_str()))
        })
        .collect();
    // `Some` sorts behind `None`: with the digest reversed the row that knows more is first.
    rows.sort_unstable_by(|(a, owner_a), (b, owner_b)| {
        (&a.path, owner_a, &b.digest).cmp(&(&b.path, owner_b, &a.digest))
    });
    rows.dedup_by(|(later, owner_later), (earlier, owner_earlier)| {
        later.path == earlier.path && owner_later == owner_earlier
    });
    rows.into_iter()
        .map(|(file, owner)| (file.clone(), owner.to_owned()))
        .collect()
}
