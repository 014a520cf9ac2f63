//! Moves a layer's bytes from its decoder to the visitor, hashing them on the way.
//!
//! With threads, one reads and inflates, one hashes what came out, and the visitor's own
//! looks at it: they share reference-counted blocks over bounded channels, so a slow one
//! holds the others back and memory stays at a few blocks.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use seaworthy_core::{Digest, DigestAlgorithm};

use crate::WalkContext;
use crate::decompress::Bounded;
use crate::fault;
use crate::hash::Hasher;
use crate::tar::TarInput;
use crate::tar_walk::count_bytes;

/// Bytes of a block. Two or three of them stay in a core's share of the last-level cache.
const BLOCK_BYTES: usize = 512 * 1024;

/// Blocks waiting between two threads.
const QUEUE: usize = 3;

/// A block, given back for reuse when the last holder drops it.
pub(crate) struct Block {
    data: Vec<u8>,
    length: usize,
    pool: Arc<Pool>,
}

#[derive(Default)]
struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
    fn take(self: &Arc<Pool>) -> Block {
        let data = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Block {
            data: data.unwrap_or_else(|| vec![0; BLOCK_BYTES]),
            length: 0,
            pool: Arc::clone(self),
        }
    }
}

impl Block {
    fn bytes(&self) -> &[u8] {
        &self.data[..self.length]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let data = std::mem::take(&mut self.data);
        let mut pool = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        pool.push(data);
    }
}

/// Fills blocks from the decoder.
struct Filler {
    reader: Bounded,
    pool: Arc<Pool>,
    /// An error that came behind good bytes, for the next turn.
    pending: Option<io::Error>,
    ended: bool,
}

impl Filler {
    fn next(&mut self) -> io::Result<Option<Block>> {
        if let Some(error) = self.pending.take() {
            self.ended = true;
            return Err(error);
        }
        if self.ended {
            return Ok(None);
        }
        let mut block = self.pool.take();
        while block.length < block.data.len() {
            match self.reader.read(&mut block.data[block.length..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => block.length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if block.length == 0 => {
                    self.ended = true;
                    return Err(error);
                }
                Err(error) => {
                    self.pending = Some(error);
                    break;
                }
            }
        }
        Ok((block.length > 0).then_some(block))
    }
}

/// Runs `work` over the bytes of `reader`; gives what it gives, and the digest of all bytes
/// where `hash` asked for one and `work` read to the end.
pub(crate) fn pump<T>(
    reader: Bounded,
    hash: Option<DigestAlgorithm>,
    threads: bool,
    ctx: &WalkContext,
    work: impl FnOnce(&mut PumpInput<'_>) -> T,
) -> (T, Option<Digest>) {
    let filler = Filler {
        reader,
        pool: Arc::default(),
        pending: None,
        ended: false,
    };
    let hasher = hash.map(Hasher::new);
    if !threads {
        return on_this_thread(filler, hasher, ctx, work);
    }
    let (to_visitor, blocks) = sync_channel(QUEUE);
    // The machine may refuse a thread; then what it would do stays on this one.
    let parked = Mutex::new(Some((filler, hasher, to_visitor)));
    thread::scope(|scope| {
        let spawned = thread::Builder::new()
            .name("layer-read".into())
            .spawn_scoped(scope, || {
                let taken = parked.lock().unwrap_or_else(PoisonError::into_inner).take();
                taken.and_then(|(filler, hasher, to_visitor)| produce(filler, hasher, &to_visitor))
            });
        match spawned {
            Ok(producer) => {
                let mut input = PumpInput::new(Feed::Channel(blocks), ctx);
                let result = work(&mut input);
                // Closes the channel, which ends a producer that is not done.
                drop(input);
                let digest = match producer.join() {
                    Ok(digest) => digest,
                    Err(panic) => std::panic::resume_unwind(panic),
                };
                (result, digest)
            }
            Err(_) => {
                drop(blocks);
                let taken = parked.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some((filler, hasher, _)) = taken else {
                    unreachable!("a thread that was not started took the filler");
                };
                on_this_thread(filler, hasher, ctx, work)
            }
        }
    })
}

fn on_this_thread<T>(
    filler: Filler,
    hasher: Option<Hasher>,
    ctx: &WalkContext,
    work: impl FnOnce(&mut PumpInput<'_>) -> T,
) -> (T, Option<Digest>) {
    let mut input = PumpInput::new(Feed::Inline(Box::new((filler, hasher))), ctx);
    let result = work(&mut input);
    let digest = match input.feed {
        Feed::Inline(inline) if inline.0.ended => inline.1.map(Hasher::finish),
        _ => None,
    };
    (result, digest)
}

/// Blocks for the visitor, or how their stream ended.
type Delivery = io::Result<Option<Arc<Block>>>;

/// The reading thread: fills blocks and hands each to the hashing thread and the visitor.
fn produce(
    mut filler: Filler,
    hasher: Option<Hasher>,
    to_visitor: &SyncSender<Delivery>,
) -> Option<Digest> {
    let Some(hasher) = hasher else {
        deliver(&mut filler, None, to_visitor);
        return None;
    };
    let (to_hasher, blocks) = sync_channel::<Arc<Block>>(QUEUE);
    let parked = Mutex::new(Some((hasher, blocks)));
    thread::scope(|scope| {
        let spawned = thread::Builder::new()
            .name("layer-hash".into())
            .spawn_scoped(scope, || {
                let (mut hasher, blocks) = parked
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take()?;
                for block in blocks {
                    hasher.update(block.bytes());
                }
                Some(hasher)
            });
        let (whole, hasher) = match spawned {
            Ok(worker) => {
                let whole = deliver(&mut filler, Some(Sink::Thread(to_hasher)), to_visitor);
                match worker.join() {
                    Ok(hasher) => (whole, hasher),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Err(_) => {
                let taken = parked.lock().unwrap_or_else(PoisonError::into_inner).take();
                let mut hasher = taken.map(|(hasher, _)| hasher);
                let sink = hasher.as_mut().map(Sink::Here);
                (deliver(&mut filler, sink, to_visitor), hasher)
            }
        };
        hasher.filter(|_| whole).map(Hasher::finish)
    })
}

/// Where blocks are hashed.
enum Sink<'a> {
    Thread(SyncSender<Arc<Block>>),
    Here(&'a mut Hasher),
}

/// Delivers everything; whether the end was reached.
fn deliver(
    filler: &mut Filler,
    mut sink: Option<Sink<'_>>,
    to_visitor: &SyncSender<Delivery>,
) -> bool {
    loop {
        let block = match filler.next() {
            Ok(Some(block)) => Arc::new(block),
            Ok(None) => {
                // A visitor that is gone needs no end.
                return to_visitor.send(Ok(None)).is_ok();
            }
            Err(error) => {
                let _ = to_visitor.send(Err(error));
                return false;
            }
        };
        match &mut sink {
            Some(Sink::Thread(to_hasher)) => {
                // It only ends before us by a panic, which joining it brings up.
                let _ = to_hasher.send(Arc::clone(&block));
            }
            Some(Sink::Here(hasher)) => hasher.update(block.bytes()),
            None => {}
        }
        if to_visitor.send(Ok(Some(block))).is_err() {
            return false;
        }
    }
}

enum Feed {
    Inline(Box<(Filler, Option<Hasher>)>),
    Channel(Receiver<Delivery>),
}

/// The visitor's end.
pub(crate) struct PumpInput<'a> {
    feed: Feed,
    block: Option<Arc<Block>>,
    position: usize,
    ended: bool,
    /// Bytes that came so far.
    pub bytes: u64,
    ctx: &'a WalkContext,
}

impl<'a> PumpInput<'a> {
    fn new(feed: Feed, ctx: &'a WalkContext) -> PumpInput<'a> {
        PumpInput {
            feed,
            block: None,
            position: 0,
            ended: false,
            bytes: 0,
            ctx,
        }
    }

    fn next_block(&mut self) -> io::Result<()> {
        self.block = None;
        self.position = 0;
        if self.ended {
            return Ok(());
        }
        if self.ctx.cancel.is_cancelled() {
            return Err(fault::cancelled());
        }
        let block = match &mut self.feed {
            Feed::Inline(inline) => {
                let (filler, hasher) = &mut **inline;
                filler.next().map(|block| {
                    let block = block?;
                    if let Some(hasher) = hasher {
                        hasher.update(block.bytes());
                    }
                    Some(Arc::new(block))
                })
            }
            // The sender is only gone early by a panic, which joining it brings up.
            Feed::Channel(blocks) => blocks.recv().unwrap_or(Ok(None)),
        };
        match block {
            Ok(Some(block)) => {
                self.bytes += block.length as u64;
                count_bytes(self.ctx, block.length);
                self.block = Some(block);
            }
            Ok(None) => self.ended = true,
            Err(error) => {
                self.ended = true;
                return Err(error);
            }
        }
        Ok(())
    }
}

impl TarInput for &mut PumpInput<'_> {
    fn peek(&mut self) -> io::Result<&[u8]> {
        let left = self
            .block
            .as_ref()
            .is_some_and(|block| self.position < block.length);
        if !left {
            self.next_block()?;
        }
        Ok(self
            .block
            .as_ref()
            .map_or(&[], |block| &block.bytes()[self.position..]))
    }

    fn advance(&mut self, count: usize) {
        self.position += count;
    }
}
