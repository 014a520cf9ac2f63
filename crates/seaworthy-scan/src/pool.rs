//! Content work of one layer on several threads.
//!
//! Unpacking an archive and looking for signatures costs more than reading the layer does. The
//! thread that walks the layer hands copies of small files in batches, and large files one by
//! one, to workers, and takes the results in the order it gave the work: what comes out does not
//! depend on the number of threads. When too much is under way it does a share itself.
//!
//! Bounded: bytes under way are, but for the one file that a batch may be.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use memmap2::Mmap;
use seaworthy_core::ImagePath;
use seaworthy_image::EntryMeta;

use crate::interest::AnalyzerIndex;
use crate::read::run_look;
use crate::{AnalyzerSet, FileMeta, Sink};

/// Bytes and files from which a batch is handed over.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_FILES: usize = 64;
/// Bytes and batches under way from which the walking thread works itself.
const MOST_BYTES: usize = 12 << 20;
const MOST_BATCHES: usize = 32;
/// Buffers kept for the next batches, and the largest of them.
const KEPT_BUFFERS: usize = 8;
const KEPT_BYTES: usize = 2 << 20;

/// The content of one file, owned.
pub(crate) enum Piece {
    /// In the batch's buffer.
    Part(Range<usize>),
    /// In a buffer of its own.
    Own(Vec<u8>),
    /// In a mapped file without a name.
    Mapped(Mmap),
}

/// One file to look at.
pub(crate) struct Job {
    pub path: ImagePath,
    pub entry: EntryMeta,
    pub analyzer: AnalyzerIndex,
    pub piece: Piece,
}

/// Files that are handed over together.
#[derive(Default)]
pub(crate) struct Batch {
    pub jobs: Vec<Job>,
    /// Content of the small ones, one after the other.
    pub buffer: Vec<u8>,
    /// Bytes of the large ones that are in memory.
    pub own_bytes: usize,
}

impl Batch {
    /// Bytes in memory.
    fn bytes(&self) -> usize {
        self.buffer.len() + self.own_bytes
    }

    /// Whether it is time to hand it over.
    pub fn is_full(&self) -> bool {
        self.bytes() >= BATCH_BYTES || self.jobs.len() >= BATCH_FILES
    }
}

/// The largest file that goes into a batch's buffer.
pub(crate) const MAX_PART: usize = BATCH_BYTES / 2;

#[derive(Default)]
struct State {
    queue: VecDeque<(u64, Batch)>,
    results: HashMap<u64, Vec<Sink>>,
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    batches: usize,
    workers: usize,
    closed: bool,
}

/// What the threads share.
pub(crate) struct Shared<'a> {
    analyzers: &'a AnalyzerSet,
    state: Mutex<State>,
    /// There is work, or there will be none any more.
    work: Condvar,
    /// A result is there.
    done: Condvar,
}

impl<'a> Shared<'a> {
    pub fn new(analyzers: &'a AnalyzerSet) -> Shared<'a> {
        Shared {
            analyzers,
            state: Mutex::new(State::default()),
            work: Condvar::new(),
            done: Condvar::new(),
        }
    }

    /// A poisoned lock means a panic outside of any look, which is guarded; what is in the state
    /// is whole at every unlock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No more work comes: workers end.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queue.clear();
        drop(state);
        self.work.notify_all();
    }

    fn work_until_closed(&self) {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                self.run(work);
                state = self.lock();
            } else if state.closed {
                return;
            } else {
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn run(&self, (number, batch): (u64, Batch)) {
        let mut sinks = Vec::with_capacity(batch.jobs.len());
        for job in &batch.jobs {
            let bytes = match &job.piece {
                Piece::Part(range) => batch.buffer.get(range.clone()).unwrap_or_default(),
                Piece::Own(bytes) => bytes,
                Piece::Mapped(map) => map,
            };
            let meta = FileMeta {
                path: &job.path,
                entry: job.entry,
            };
            let mut sink = Sink::default();
            run_look(self.analyzers, job.analyzer, &meta, bytes, &mut sink);
            sinks.push(sink);
        }
        let bytes = batch.bytes();
        let owned = batch.jobs.into_iter().filter_map(|job| match job.piece {
            Piece::Own(buffer) => Some(buffer),
            Piece::Part(_) | Piece::Mapped(_) => None,
        });
        let mut state = self.lock();
        for mut buffer in owned.chain([batch.buffer]) {
            if state.buffers.len() < KEPT_BUFFERS && (1..=KEPT_BYTES).contains(&buffer.capacity()) {
                buffer.clear();
                state.buffers.push(buffer);
            }
        }
        state.bytes -= bytes;
        state.batches -= 1;
        state.results.insert(number, sinks);
        drop(state);
        self.done.notify_all();
    }
}

/// The walking thread's end.
pub(crate) struct Pool<'scope, 'env> {
    shared: &'env Shared<'env>,
    scope: &'scope Scope<'scope, 'env>,
    most_workers: usize,
    next: u64,
}

impl<'scope, 'env> Pool<'scope, 'env> {
    /// A pool of up to `workers` threads beside this one; none is started before there is enough
    /// to do.
    pub fn new(
        shared: &'env Shared<'env>,
        scope: &'scope Scope<'scope, 'env>,
        workers: usize,
    ) -> Pool<'scope, 'env> {
        Pool {
            shared,
            scope,
            most_workers: workers,
            next: 0,
        }
    }

    /// Takes a batch and returns its number. Batches are numbered from 0.
    pub fn give(&mut self, batch: Batch) -> u64 {
        let number = self.next;
        self.next += 1;
        let bytes = batch.bytes();
        let mut state = self.shared.lock();
        while state.batches > 0
            && (state.bytes.saturating_add(bytes) > MOST_BYTES || state.batches >= MOST_BATCHES)
        {
            state = self.help(state);
        }
        state.bytes += bytes;
        state.batches += 1;
        state.queue.push_back((number, batch));
        if state.workers < self.most_workers && state.queue.len() > state.workers {
            state.workers += 1;
            let shared = self.shared;
            self.scope.spawn(move || shared.work_until_closed());
        }
        drop(state);
        self.shared.work.notify_one();
        number
    }

    /// Does a batch on this thread, or waits until another thread has done one.
    fn help<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        if let Some(work) = state.queue.pop_front() {
            drop(state);
            self.shared.run(work);
            return self.shared.lock();
        }
        self.shared
            .done
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What a batch gave, one sink a file, if it is done.
    pub fn take(&self, number: u64) -> Option<Vec<Sink>> {
        self.shared.lock().results.remove(&number)
    }

    /// The same; does it, or waits for it.
    pub fn finish(&self, number: u64) -> Vec<Sink> {
        let mut state = self.shared.lock();
        loop {
            if let Some(sinks) = state.results.remove(&number) {
                return sinks;
            }
            if state.batches == 0 {
                // Closed: nobody will do it any more.
                return Vec::new();
            }
            state = self.help(state);
        }
    }

    /// An empty buffer, a used one where there is one.
    pub fn buffer(&self) -> Vec<u8> {
        self.shared.lock().buffers.pop().unwrap_or_default()
    }
}
