//! The thread that follows the logs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use super::dir_watch::{Hint, System, Watch};
use super::live::Live;
use super::{Event, PollReason, Tails};

/// Maximum number of queued hints. Beyond that, everything is rescanned.
const HINTS: usize = 1024;

/// Handle of a live reader. Dropping it ends the reader.
#[derive(Debug)]
pub struct Follower {
    hints: SyncSender<Hint>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Follows the logs on a thread. First reads all new data, using this many threads, and then changes as they happen.
///
/// `emit` receives the events on that thread directly. It may block, which bounds memory, and returns false to stop the
/// reader.
///
/// # Errors
/// When the system cannot start a thread.
pub fn follow(tails: Tails, threads: usize, emit: impl FnMut(Event) -> bool + Send + 'static) -> io::Result<Follower> {
    let (hints, hear) = sync_channel(HINTS);
    let (stop, flooded) = (tails.stopper(), Arc::new(AtomicBool::new(false)));
    let reader = Reader { hear, stop: stop.clone(), flooded };
    let teller = hints.clone();
    let run = move || reader.run(tails, teller, threads, emit);
    let thread = std::thread::Builder::new().name("follow".to_owned()).spawn(run)?;
    Ok(Follower { hints, stop, thread: Some(thread) })
}

impl Follower {
    /// Rescans everything now. Used after the process was stopped or the machine slept.
    pub fn rescan(&self) {
        let _ = self.hints.try_send(Hint::Rescan);
    }

    /// Stops the reader without waiting for it. Queued events stay valid.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        // If the queue is full, the hints already in it wake the reader.
        let _ = self.hints.try_send(Hint::Nudge);
    }

    /// Waits until the reader has stopped, which takes longer if `emit` blocks.
    pub fn join(mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop();
    }
}

/// State of the thread.
struct Reader {
    hear: Receiver<Hint>,
    stop: Arc<AtomicBool>,
    flooded: Arc<AtomicBool>,
}

impl Reader {
    fn run(self, tails: Tails, teller: SyncSender<Hint>, threads: usize, mut emit: impl FnMut(Event) -> bool) {
        let watch = self.watch(&tails, teller);
        let mut live = Live::new(tails, watch, Instant::now());
        let mut emit = |event| {
            if !emit(event) {
                self.stop.store(true, Ordering::Relaxed);
            }
        };
        live.begin(Instant::now(), threads, &mut emit);
        let mut next = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let wait = next.saturating_duration_since(Instant::now());
            let first = match self.hear.recv_timeout(wait) {
                Ok(hint) => Some(hint),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let flood = self.flooded.swap(false, Ordering::Relaxed).then_some(Hint::Rescan);
            let hints: Vec<Hint> = first.into_iter().chain(self.hear.try_iter().take(HINTS)).chain(flood).collect();
            next = live.step(Instant::now(), hints, &mut emit);
        }
    }

    fn watch(&self, tails: &Tails, teller: SyncSender<Hint>) -> Result<Box<dyn Watch>, PollReason> {
        if tails.polls() {
            return Err(PollReason::Asked);
        }
        let fs = Arc::clone(&tails.tools.fs);
        System::new(fs, teller, Arc::clone(&self.flooded)).map(|system| Box::new(system) as Box<dyn Watch>)
    }
}
