//! One walk over one layer.
//!
//! What the layer does to those below it (deletions, replacements) is noted for
//! [`crate::coalesce`]; what its files say is asked of the analyzers. Inside the layer the
//! last entry of a name wins, as it would on extraction; a whiteout concerns the layers
//! below and never an entry of its own layer (OCI image-spec layer.md, "Whiteouts").
//!
//! Left out on purpose: names that lead through a symbolic link of the image. Links are
//! never followed, so such an entry keeps the name it was written under.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::BuildHasherDefault;
use std::ops::Bound;
use std::thread;

use seaworthy_core::{
    EvidenceItem, FileEvidence, ImagePath, LayerEvidence, LayerStats, PathSet, Problem, ProblemKind,
};
use seaworthy_image::{Body, Entry, EntryKind, EntryMeta, Flow, Layer, LayerError, WalkContext};

use crate::interest::{AlreadyHashed, AnalyzerIndex};
use crate::pool::{Batch, Job, Piece, Pool, Shared};
use crate::read::{Content, ContentReader};
use crate::{AnalyzerSet, FileMeta, MAX_EXAMINED, Sink};

/// Bytes of evidence kept of one layer. The largest real ones stay below 50 MB.
const EVIDENCE_BUDGET: usize = 512 << 20;

/// Walks a layer once and gives what all analyzers found in it.
///
/// A second walk is made only where a hard link with an interesting name points at a file
/// whose own name is not: its content has gone by before anyone knew.
///
/// # Errors
///
/// When the layer can't be opened or the user cancels. What is wrong inside it is in the
/// evidence's `problems`.
pub fn scan_layer(
    layer: &dyn Layer,
    analyzers: &AnalyzerSet,
    ctx: &WalkContext,
) -> Result<LayerEvidence, LayerError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    scan_layer_checked(layer, analyzers, ctx, threads).map(|(evidence, _)| evidence)
}

/// The same, and whether the diff ID is known to be that of the bytes, so that the evidence
/// may be kept under it.
pub(crate) fn scan_layer_checked(
    layer: &dyn Layer,
    analyzers: &AnalyzerSet,
    ctx: &WalkContext,
    threads: usize,
) -> Result<(LayerEvidence, bool), LayerError> {
    let workers = if ctx.single_thread {
        0
    } else {
        threads.saturating_sub(1)
    };
    let examiner = analyzers.examiner().filter(|_| workers > 0);
    let Some(examiner) = examiner else {
        return walk(layer, Pass::new(analyzers, None), ctx);
    };
    let shared = Shared::new(analyzers);
    thread::scope(|scope| {
        let hands = Hands {
            pool: Pool::new(&shared, scope, workers),
            examiner,
            batch: Batch::default(),
            open: Vec::new(),
            given: VecDeque::new(),
        };
        let _close = CloseOnDrop(&shared);
        walk(layer, Pass::new(analyzers, Some(hands)), ctx)
    })
}

/// Ends the workers also where the walk panics: the scope waits for them.
struct CloseOnDrop<'s, 'a>(&'s Shared<'a>);

impl Drop for CloseOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn walk(
    layer: &dyn Layer,
    mut pass: Pass<'_, '_, '_>,
    ctx: &WalkContext,
) -> Result<(LayerEvidence, bool), LayerError> {
    let mut outcome = layer.walk(ctx, &mut |mut entry| {
        if ctx.cancel.is_cancelled() {
            return Ok(Flow::Stop);
        }
        pass.visit(&mut entry);
        Ok(Flow::Continue)
    })?;
    if ctx.cancel.is_cancelled() {
        return Err(LayerError::Cancelled);
    }
    pass.settle_all();
    if !pass.links.is_empty() {
        let mut again = LinkPass::new(&mut pass);
        layer.walk(ctx, &mut |mut entry| {
            let wanted = !ctx.cancel.is_cancelled() && again.visit(&mut entry);
            Ok(if wanted { Flow::Continue } else { Flow::Stop })
        })?;
        if ctx.cancel.is_cancelled() {
            return Err(LayerError::Cancelled);
        }
        again.finish();
    }
    let mut evidence = pass.finish(&mut outcome.problems);
    let is_verified = match (layer.diff_id(), &outcome.diff_id) {
        (Some(promised), Some(found)) => promised == found,
        (Some(_), None) => layer.vouches_for_diff_id(),
        (None, _) => true,
    };
    evidence.diff_id = layer.diff_id().cloned().or(outcome.diff_id);
    evidence.stats.entries = outcome.entries;
    evidence.complete = outcome.complete;
    Ok((evidence, is_verified))
}

/// What the analyzers said about one file.
#[derive(Default)]
struct Found {
    /// By analyzer. Those that wanted it for its path are there even without an item, so
    /// that a hard link to the file knows that they have looked.
    by: Vec<(AnalyzerIndex, Vec<EvidenceItem>)>,
    problems: Vec<Problem>,
}

/// A hard link that analyzers want for its name, and that has no evidence yet.
struct PendingLink {
    target: ImagePath,
    /// Number of the link's own entry: the target is what had that name before it.
    position: u64,
    wanted: Vec<AnalyzerIndex>,
}

/// Files whose content other threads look at.
struct Hands<'scope, 'env> {
    pool: Pool<'scope, 'env>,
    examiner: AnalyzerIndex,
    /// What is handed over next, and the files in it.
    batch: Batch,
    open: Vec<Pending>,
    /// What was handed over, in order.
    given: VecDeque<(u64, Vec<Pending>)>,
}

/// A file under way.
struct Pending {
    path: ImagePath,
    hash: u64,
    /// What the other analyzers said.
    found: Found,
    /// Whether a later entry replaced it.
    is_replaced: bool,
}

impl Hands<'_, '_> {
    fn pending(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.given
            .iter_mut()
            .flat_map(|(_, files)| files)
            .chain(&mut self.open)
    }

    fn give(&mut self) {
        if !self.open.is_empty() {
            let next = Batch {
                buffer: self.pool.buffer(),
                ..Batch::default()
            };
            let number = self.pool.give(std::mem::replace(&mut self.batch, next));
            self.given
                .push_back((number, std::mem::take(&mut self.open)));
        }
    }
}

struct Pass<'a, 'scope, 'env> {
    analyzers: &'a AnalyzerSet,
    reader: ContentReader<'a>,
    hands: Option<Hands<'scope, 'env>>,
    found: BTreeMap<ImagePath, Found>,
    links: BTreeMap<ImagePath, PendingLink>,
    /// Hashes of the paths in `found` and `links` and of all their ancestors: tells in one
    /// look-up that an entry replaces nothing of interest.
    tracked: HashSet<u64, BuildHasherDefault<AlreadyHashed>>,
    whiteouts: Vec<ImagePath>,
    opaque_dirs: Vec<ImagePath>,
    non_dirs: Vec<u64>,
    dirs: Vec<u64>,
    stats: LayerStats,
    position: u64,
    evidence_bytes: usize,
    wanted: Vec<AnalyzerIndex>,
}

impl<'a, 'scope, 'env> Pass<'a, 'scope, 'env> {
    fn new(
        analyzers: &'a AnalyzerSet,
        hands: Option<Hands<'scope, 'env>>,
    ) -> Pass<'a, 'scope, 'env> {
        Pass {
            analyzers,
            reader: ContentReader::new(analyzers),
            hands,
            found: BTreeMap::new(),
            links: BTreeMap::new(),
            tracked: HashSet::default(),
            whiteouts: Vec::new(),
            opaque_dirs: Vec::new(),
            non_dirs: Vec::new(),
            dirs: Vec::new(),
            stats: LayerStats::default(),
            position: 0,
            evidence_bytes: 0,
            wanted: Vec::new(),
        }
    }

    fn visit(&mut self, entry: &mut Entry<'_>) {
        self.position += 1;
        match entry.kind {
            EntryKind::Whiteout => {
                self.whiteouts.push(entry.path.clone());
                return;
            }
            EntryKind::OpaqueDirectory => {
                self.opaque_dirs.push(entry.path.clone());
                return;
            }
            _ => {}
        }
        let hash = PathSet::hash(entry.path.as_str());
        let is_directory = entry.kind == EntryKind::Directory;
        if self.tracked.contains(&hash) {
            self.forget(&entry.path, is_directory);
        }
        if is_directory {
            self.dirs.push(hash);
            return;
        }
        self.non_dirs.push(hash);
        match &entry.kind {
            EntryKind::File => {
                self.stats.files += 1;
                self.stats.bytes += entry.meta.size;
                self.file(&entry.path, hash, entry.meta, &mut entry.body);
            }
            EntryKind::HardLink(target) => self.hard_link(&entry.path, hash, target),
            _ => {}
        }
    }

    /// Drops what an earlier entry of this layer gave and this one replaces.
    fn forget(&mut self, path: &ImagePath, is_directory: bool) {
        self.found.remove(path);
        self.links.remove(path);
        if let Some(hands) = &mut self.hands {
            for pending in hands.pending() {
                pending.is_replaced |= pending.path == *path
                    || (!is_directory && pending.path.is_within(path.as_str()));
            }
        }
        if !is_directory {
            remove_below(&mut self.found, path.as_str());
            remove_below(&mut self.links, path.as_str());
        }
    }

    fn file(&mut self, path: &ImagePath, hash: u64, entry: EntryMeta, body: &mut Body<'_>) {
        let interests = self.analyzers.interests();
        self.wanted.clear();
        interests.wanted_by_path(path.as_str(), hash, &mut self.wanted);
        let by_path = self.wanted.len();
        let mut content = self.reader.content(body, entry.size);
        if interests.magic_len() > 0 {
            interests.wanted_by_magic(content.head(interests.magic_len()), &mut self.wanted);
        }
        self.wanted.extend_from_slice(interests.wanted_always());
        if self.wanted.is_empty() {
            return;
        }
        let meta = FileMeta { path, entry };
        let examiner = self.hands.as_ref().map(|hands| hands.examiner);
        let Some(examiner) = examiner.filter(|_| content.size() <= MAX_EXAMINED) else {
            let found = analyse(&mut content, &meta, &self.wanted, by_path);
            self.keep(path, hash, found);
            return;
        };
        self.wanted.retain(|index| *index != examiner);
        let mut sink = Sink::default();
        // Before streams that would let go of what they have seen.
        content.gather(&mut sink);
        let mut found = match self.wanted.is_empty() {
            true => Found::default(),
            false => analyse(&mut content, &meta, &self.wanted, by_path),
        };
        let Some(hands) = &mut self.hands else { return };
        let piece = content.take(&mut hands.batch.buffer, || hands.pool.buffer(), &mut sink);
        found.problems.extend(sink.into_parts().1);
        let Some(piece) = piece else {
            self.keep(path, hash, found);
            return;
        };
        if let Piece::Own(bytes) = &piece {
            hands.batch.own_bytes += bytes.len();
        }
        hands.batch.jobs.push(Job {
            path: path.clone(),
            entry,
            analyzer: examiner,
            piece,
        });
        hands.open.push(Pending {
            path: path.clone(),
            hash,
            found,
            is_replaced: false,
        });
        if hands.batch.is_full() {
            hands.give();
        }
        self.track(path, hash);
        self.settle();
    }

    /// Takes the results that are there, in order.
    fn settle(&mut self) {
        while let Some(hands) = &mut self.hands
            && let Some((number, _)) = hands.given.front()
            && let Some(sinks) = hands.pool.take(*number)
            && let Some((_, files)) = hands.given.pop_front()
        {
            self.take_results(files, sinks);
        }
    }

    /// Waits for all that is under way.
    fn settle_all(&mut self) {
        if let Some(hands) = &mut self.hands {
            hands.give();
        }
        while let Some(hands) = &mut self.hands
            && let Some((number, files)) = hands.given.pop_front()
        {
            let sinks = hands.pool.finish(number);
            self.take_results(files, sinks);
        }
    }

    fn take_results(&mut self, files: Vec<Pending>, sinks: Vec<Sink>) {
        let Some(examiner) = self.hands.as_ref().map(|hands| hands.examiner) else {
            return;
        };
        for (mut file, sink) in files.into_iter().zip(sinks) {
            if file.is_replaced {
                continue;
            }
            let (items, problems) = sink.into_parts();
            if !items.is_empty() {
                file.found.by.push((examiner, items));
                file.found.by.sort_by_key(|(analyzer, _)| *analyzer);
            }
            file.found.problems.extend(problems);
            self.keep(&file.path, file.hash, file.found);
        }
    }

    fn keep(&mut self, path: &ImagePath, hash: u64, mut found: Found) {
        if found.by.is_empty() && found.problems.is_empty() {
            return;
        }
        let bytes: usize = found
            .by
            .iter()
            .flat_map(|(_, items)| items)
            .map(size_of_item)
            .sum();
        if self.evidence_bytes.saturating_add(bytes) > EVIDENCE_BUDGET {
            found.by.clear();
            found.problems.push(Problem::new(
                ProblemKind::LimitReached,
                "the layer holds too much evidence; what this file says was dropped",
            ));
        } else {
            self.evidence_bytes += bytes;
        }
        self.track(path, hash);
        self.found.insert(path.clone(), found);
    }

    fn track(&mut self, path: &ImagePath, hash: u64) {
        self.tracked.insert(hash);
        for ancestor in path.ancestors() {
            // Whoever tracked this one has tracked those above it too.
            if !self.tracked.insert(PathSet::hash(ancestor)) {
                break;
            }
        }
    }

    /// A hard link has the content of an entry before it, and so its evidence.
    fn hard_link(&mut self, path: &ImagePath, hash: u64, target: &ImagePath) {
        let mut wanted = Vec::new();
        let interests = self.analyzers.interests();
        interests.wanted_by_path(path.as_str(), hash, &mut wanted);
        let mut copy = Found::default();
        let under_way = self
            .hands
            .as_mut()
            .is_some_and(|hands| hands.pending().any(|pending| pending.path == *target));
        if under_way {
            self.settle_all();
        }
        if let Some(found) = self.found.get(target) {
            for (analyzer, items) in &found.by {
                let by_path = wanted.contains(analyzer);
                if by_path || !wants_by_path(self.analyzers, *analyzer) {
                    copy.by.push((*analyzer, items.clone()));
                    wanted.retain(|other| other != analyzer);
                }
            }
        }
        self.keep(path, hash, copy);
        if !wanted.is_empty() {
            self.track(path, hash);
            let link = PendingLink {
                target: target.clone(),
                position: self.position,
                wanted,
            };
            self.links.insert(path.clone(), link);
        }
    }

    fn finish(self, walk_problems: &mut Vec<Problem>) -> LayerEvidence {
        let mut problems = std::mem::take(walk_problems);
        let mut files = Vec::new();
        for (path, found) in self.found {
            problems.extend(found.problems.into_iter().map(|problem| problem.at(&path)));
            let items: Vec<EvidenceItem> =
                found.by.into_iter().flat_map(|(_, items)| items).collect();
            if !items.is_empty() {
                files.push(FileEvidence { path, items });
            }
        }
        for (path, link) in self.links {
            let message = format!(
                "a hard link to `{}`, which this layer does not hold before it; its content is unknown",
                link.target
            );
            problems.push(Problem::new(ProblemKind::Malformed, message).at(&path));
        }
        problems.sort_unstable();
        problems.dedup();
        LayerEvidence {
            diff_id: None,
            files,
            whiteouts: sorted(self.whiteouts),
            opaque_dirs: sorted(self.opaque_dirs),
            non_dirs: PathSet::from_hashes(self.non_dirs),
            dirs: PathSet::from_hashes(self.dirs),
            problems,
            stats: self.stats,
            complete: false,
        }
    }
}

/// The second walk: reads the targets of the links that are still without evidence.
struct LinkPass<'p, 'a, 'scope, 'env> {
    pass: &'p mut Pass<'a, 'scope, 'env>,
    /// Links by target.
    by_target: BTreeMap<ImagePath, Vec<ImagePath>>,
    /// By link. A later entry of the target's name replaces what an earlier one gave.
    resolved: BTreeMap<ImagePath, Found>,
    last_position: u64,
    position: u64,
}

impl<'p, 'a, 'scope, 'env> LinkPass<'p, 'a, 'scope, 'env> {
    fn new(pass: &'p mut Pass<'a, 'scope, 'env>) -> LinkPass<'p, 'a, 'scope, 'env> {
        let mut by_target: BTreeMap<ImagePath, Vec<ImagePath>> = BTreeMap::new();
        let mut last_position = 0;
        for (path, link) in &pass.links {
            let links = by_target.entry(link.target.clone()).or_default();
            links.push(path.clone());
            last_position = last_position.max(link.position);
        }
        LinkPass {
            pass,
            by_target,
            resolved: BTreeMap::new(),
            last_position,
            position: 0,
        }
    }

    /// Whether there may be more to see.
    fn visit(&mut self, entry: &mut Entry<'_>) -> bool {
        self.position += 1;
        if entry.kind == EntryKind::File
            && let Some(links) = self.by_target.get(&entry.path)
        {
            let size = entry.meta.size;
            let mut content = self.pass.reader.content(&mut entry.body, size);
            for path in links {
                let Some(link) = self.pass.links.get(path) else {
                    continue;
                };
                // A stream may have used the content up for the link before: that one's
                // neighbours then stay unresolved, which is reported.
                if link.position <= self.position || !content.is_intact() {
                    continue;
                }
                let meta = FileMeta {
                    path,
                    entry: entry.meta,
                };
                let found = analyse(&mut content, &meta, &link.wanted, link.wanted.len());
                self.resolved.insert(path.clone(), found);
            }
        }
        self.position < self.last_position
    }

    fn finish(self) {
        for (path, mut found) in self.resolved {
            self.pass.links.remove(&path);
            if let Some(earlier) = self.pass.found.remove(&path) {
                found.by.extend(earlier.by);
                found.problems.extend(earlier.problems);
                found.by.sort_by_key(|(analyzer, _)| *analyzer);
            }
            let hash = PathSet::hash(path.as_str());
            self.pass.keep(&path, hash, found);
        }
    }
}

/// Runs the analyzers over one content. The first `by_path` of `wanted` are noted even if
/// they find nothing.
fn analyse(
    content: &mut Content<'_, '_>,
    meta: &FileMeta<'_>,
    wanted: &[AnalyzerIndex],
    by_path: usize,
) -> Found {
    let mut found = Found::default();
    for (place, (analyzer, sink)) in content.analyse(meta, wanted).into_iter().enumerate() {
        let (items, problems) = sink.into_parts();
        if place < by_path || !items.is_empty() {
            found.by.push((analyzer, items));
        }
        found.problems.extend(problems);
    }
    found.by.sort_by_key(|(analyzer, _)| *analyzer);
    found
}

fn wants_by_path(analyzers: &AnalyzerSet, index: AnalyzerIndex) -> bool {
    analyzers
        .get(index)
        .is_some_and(|analyzer| matches!(analyzer.interest, crate::Interest::Paths(_)))
}

fn sorted(mut paths: Vec<ImagePath>) -> Vec<ImagePath> {
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// Removes every key below the directory, in time proportional to what is removed.
fn remove_below<V>(map: &mut BTreeMap<ImagePath, V>, directory: &str) {
    if directory.is_empty() {
        map.clear();
        return;
    }
    let below = format!("{directory}/");
    loop {
        let key = map
            .range::<str, _>((Bound::Excluded(below.as_str()), Bound::Unbounded))
            .next()
            .map(|(key, _)| key)
            .filter(|key| key.as_str().starts_with(&below))
            .cloned();
        let Some(key) = key else { return };
        map.remove(&key);
    }
}

/// About how many bytes of memory an item takes.
fn size_of_item(item: &EvidenceItem) -> usize {
    let inside = |way: &Option<Box<str>>| way.as_ref().map_or(0, |way| way.len());
    let text = match item {
        EvidenceItem::Package(package) => {
            let source = package.source.as_ref();
            package.name.len()
                + package.version.len()
                + source.map_or(0, |source| source.name.len())
                + package.vendor.as_ref().map_or(0, String::len)
        }
        EvidenceItem::OwnedFiles(owned) => owned
            .files
            .iter()
            .map(|file| 64 + file.path.as_str().len() + file.digest.as_ref().map_or(0, |d| d.len()))
            .sum(),
        EvidenceItem::Secret(secret) => {
            secret.rule.len()
                + secret.redacted.len()
                + secret.fingerprint.len()
                + inside(&secret.inside)
                + 4 * secret.allowed_by.len()
                + secret.nature.as_ref().map_or(0, |_| 256)
        }
        EvidenceItem::PublicKey(key) => {
            key.spki_sha256.len() + key.name.as_ref().map_or(0, String::len)
        }
        EvidenceItem::Detection(found) => {
            found.name.len() + found.note.len() + inside(&found.inside)
        }
        EvidenceItem::Suspicion(seen) => seen.rule.len() + seen.note.len() + inside(&seen.inside),
        EvidenceItem::Executable(file) => file.digests.iter().map(|d| 16 + d.len()).sum(),
        EvidenceItem::Starter(starter) => starter.starts.iter().map(|s| 16 + s.len()).sum(),
        EvidenceItem::Distro(_) | EvidenceItem::PackageDatabase(_) => 0,
    };
    size_of::<EvidenceItem>() + text
}
