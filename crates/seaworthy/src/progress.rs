//! Progress on standard error, for whatever takes longer than a second.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use seaworthy_engine::{Observer, Stage};

use crate::session::Session;
use crate::size::format_size;

/// Nobody wants to see a line that is gone before it can be read.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

/// Draws one line on a terminal, or writes plain lines under `--verbose`.
pub struct Progress<'a> {
    session: &'a Session,
    started: Instant,
    shared: Arc<Shared>,
    drawer: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    finished: AtomicBool,
    what: Mutex<What>,
}

#[derive(Default, Clone)]
struct What {
    words: String,
    bytes: Option<Arc<AtomicU64>>,
}

impl<'a> Progress<'a> {
    pub fn start(session: &'a Session) -> Progress<'a> {
        let shared = Arc::new(Shared::default());
        let drawer = session.draws_progress().then(|| {
            let shared = shared.clone();
            thread::spawn(move || draw(&shared))
        });
        Progress {
            session,
            started: Instant::now(),
            shared,
            drawer,
        }
    }

    /// Says what is being done now.
    pub fn say(&self, words: &str) {
        self.set(words.to_owned(), None);
    }

    /// The same, with bytes that grow meanwhile.
    pub fn say_bytes(&self, words: &str, bytes: &Arc<AtomicU64>) {
        self.set(words.to_owned(), Some(Arc::clone(bytes)));
    }

    /// The same, where it changes many times a second: nothing for plain lines.
    pub fn replace(&self, words: &str) {
        if !self.session.verbose {
            self.set(words.to_owned(), None);
        }
    }

    /// Takes the line away, before anything else is written.
    pub fn finish(mut self) {
        self.stop();
    }

    fn set(&self, words: String, bytes: Option<Arc<AtomicU64>>) {
        if self.session.verbose {
            let seconds = self.started.elapsed().as_secs_f64();
            self.session.detail(&format!("{seconds:8.3} s  {words}"));
        }
        *self
            .shared
            .what
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = What { words, bytes };
    }

    fn stop(&mut self) {
        self.shared.finished.store(true, Ordering::Relaxed);
        if let Some(drawer) = self.drawer.take() {
            drawer.thread().unpark();
            // A drawer that panicked has nothing to clean up.
            let _ = drawer.join();
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Observer for Progress<'_> {
    fn stage(&self, stage: Stage) {
        match stage {
            Stage::Opening => self.set("opening the image".into(), None),
            Stage::Reading { layers, bytes_seen } => {
                let plural = if layers == 1 { "" } else { "s" };
                self.set(format!("reading {layers} layer{plural}"), Some(bytes_seen));
            }
            Stage::Matching {
                packages,
                cached_layers,
            } => self.set(
                format!("matching {packages} packages ({cached_layers} layers were known)"),
                None,
            ),
            Stage::Done => self.set("done".into(), None),
        }
    }
}

fn draw(shared: &Shared) {
    let started = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    while !shared.finished.load(Ordering::Relaxed) {
        thread::park_timeout(TICK);
        if started.elapsed() < PATIENCE {
            continue;
        }
        let what = shared
            .what
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let bar = bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is ours; were it broken, the default line would do.
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        let bytes = what.bytes.map_or_else(String::new, |bytes| {
            format!(", {}", format_size(bytes.load(Ordering::Relaxed)))
        });
        bar.set_message(format!("{}{bytes}", what.words));
        bar.tick();
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}
