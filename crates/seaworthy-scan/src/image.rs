//! All layers of an image, in parallel, with those that are known taken from the cache.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use seaworthy_core::{Digest, ImageEvidence, LayerEvidence, Problem, ProblemKind};
use seaworthy_image::{Image, Layer, LayerError, WalkContext};

use crate::layer::scan_layer_checked;
use crate::{AnalyzerSet, EvidenceCache, coalesce, content};

/// What the scan of an image gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedImage {
    /// What the image holds.
    pub evidence: ImageEvidence,
    /// How many of its layers came from the cache.
    pub cached_layers: usize,
}

/// Scans every layer that the cache does not know, on up to `threads` threads, the largest
/// first, and puts the image together. The result is the same for any number of threads,
/// with or without a cache.
///
/// A layer that can't be opened is an incomplete layer with a problem, not an error.
///
/// # Errors
///
/// [`LayerError::Cancelled`] when the user cancels.
pub fn scan_image(
    image: &Image,
    analyzers: &AnalyzerSet,
    cache: Option<&EvidenceCache>,
    ctx: &WalkContext,
    threads: usize,
) -> Result<ScannedImage, LayerError> {
    let layers = &image.layers;
    let mut results: Vec<Option<LayerEvidence>> = vec![None; layers.len()];
    let mut cached_layers = 0;
    // Images may hold the same layer twice (an empty one mostly): it is read once.
    let mut first_of: HashMap<&Digest, usize> = HashMap::new();
    let mut work = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        if let Some(diff_id) = layer.diff_id() {
            if first_of.contains_key(diff_id) {
                continue;
            }
            first_of.insert(diff_id, index);
            if let Some(evidence) = cache.and_then(|cache| cache.get(diff_id, analyzers)) {
                cached_layers += 1;
                results[index] = Some(evidence);
                continue;
            }
        }
        work.push(index);
    }
    let size_of = |layer: &dyn Layer| layer.size_hint().unwrap_or(u64::MAX);
    work.sort_by_key(|&index| Reverse(size_of(&*layers[index])));
    let total = work.iter().fold(0_u64, |sum, &index| {
        sum.saturating_add(size_of(&*layers[index]))
    });
    let threads = threads.max(1);

    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, LayerEvidence)>> = Mutex::new(Vec::new());
    let notices: Mutex<Vec<Problem>> = Mutex::new(Vec::new());
    let worker = || {
        while let Some(&index) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let layer = &*layers[index];
            let mut ctx = ctx.clone();
            // While other layers keep the other threads busy, helpers of this one would only
            // be in their way.
            let share = size_of(layer).saturating_mul(threads as u64);
            ctx.single_thread |= threads == 1 || share <= total;
            let (evidence, is_verified) = match scan_layer_checked(layer, analyzers, &ctx, threads)
            {
                Ok(scanned) => scanned,
                Err(LayerError::Cancelled) => return,
                Err(error) => (unreadable(layer, &error), false),
            };
            if let Some(cache) = cache.filter(|_| is_verified)
                && let Err(error) = cache.put(&evidence, analyzers)
            {
                let notice = Problem::new(ProblemKind::Notice, error.to_string());
                lock(&notices).push(notice);
            }
            lock(&done).push((index, evidence));
        }
    };
    let workers = threads.min(work.len());
    if workers <= 1 {
        worker();
    } else {
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(worker);
            }
        });
    }
    if ctx.cancel.is_cancelled() {
        return Err(LayerError::Cancelled);
    }
    for (index, evidence) in lock(&done).drain(..) {
        results[index] = Some(evidence);
    }
    for (index, layer) in layers.iter().enumerate() {
        if results[index].is_none()
            && let Some(&first) = layer.diff_id().and_then(|diff_id| first_of.get(diff_id))
        {
            results[index] = results[first].clone();
        }
    }
    // Only a cancelled worker leaves a gap; the layer then was not cancelled by `ctx`.
    let Some(results) = results.into_iter().collect::<Option<Vec<_>>>() else {
        return Err(LayerError::Cancelled);
    };
    let config = content::config::read(&image.config, layers.len(), analyzers.tools());
    let mut evidence = coalesce(&results, &config.created_by);
    evidence.config_secrets = config.secrets;
    evidence.start = config.start;
    evidence.problems.extend(image.problems.iter().cloned());
    let mut notices = std::mem::take(&mut *lock(&notices));
    notices.sort_unstable();
    notices.dedup();
    evidence.problems.extend(notices);
    Ok(ScannedImage {
        evidence,
        cached_layers,
    })
}

fn unreadable(layer: &dyn Layer, error: &LayerError) -> LayerEvidence {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    LayerEvidence {
        diff_id: layer.diff_id().cloned(),
        problems: vec![Problem::new(ProblemKind::Unreadable, message)],
        ..LayerEvidence::default()
    }
}

/// A poisoned lock means a worker panicked while it pushed; what is in the list is whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
