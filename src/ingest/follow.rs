//! The thread that follows the logs.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::dir_watch::{Hint, System, Watch};
use super::live::Live;
use super::{Event, PollReason, Tails};

/// Maximum number of queued hints. Beyond that, everything is rescanned.
const HINTS: usize = 4096;

/// Time between two frames of an interface that has not set it.
pub(crate) const FRAME: Duration = Duration::from_millis(30);

/// Minimum time between two reads that found something. Lines that arrive meanwhile are read and written together, which
/// costs as much as one. It is a little longer than a frame, so that what is read is drawn at once.
fn read_interval(frame: Duration) -> Duration {
    frame * 11 / 10
}

/// Handle of a live reader. Dropping it ends the reader.
#[derive(Debug)]
pub struct Follower {
    hints: SyncSender<Hint>,
    stop: Arc<AtomicBool>,
    /// The time between two frames, in microseconds.
    frame: Arc<AtomicU64>,
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
    let frame = Arc::new(AtomicU64::default());
    let reader = Reader { hear, stop: stop.clone(), flooded, frame: Arc::clone(&frame) };
    let teller = hints.clone();
    let run = move || reader.run(tails, teller, threads, emit);
    let thread = thread::Builder::new().name("follow".to_owned()).spawn(run)?;
    let follower = Follower { hints, stop, frame, thread: Some(thread) };
    follower.set_pace(FRAME);
    Ok(follower)
}

impl Follower {
    /// Rescans everything now. Used after the process was stopped or the machine slept.
    pub fn rescan(&self) {
        let _ = self.hints.try_send(Hint::Rescan);
    }

    /// Sets the time between two frames of the interface: lines need not be read more often.
    pub(crate) fn set_pace(&self, frame: Duration) {
        self.frame.store(u64::try_from(frame.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
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
    frame: Arc<AtomicU64>,
}

impl Reader {
    fn run(self, tails: Tails, teller: SyncSender<Hint>, threads: usize, mut emit: impl FnMut(Event) -> bool) {
        let watch = self.watch(&tails, &teller);
        drop(teller);
        let mut live = Live::new(tails, watch, Instant::now());
        let found = Cell::new(false);
        let mut emit = |event| {
            found.set(found.get() | matches!(event, Event::ReadBatches(_)));
            if !emit(event) {
                self.stop.store(true, Ordering::Relaxed);
            }
        };
        live.begin(Instant::now(), threads, &mut emit);
        let (mut next, mut rested) = (Instant::now(), Instant::now());
        while !self.stop.load(Ordering::Relaxed) {
            let wait = next.saturating_duration_since(Instant::now());
            let first = match self.hear.recv_timeout(wait) {
                Ok(hint) => Some(hint),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            thread::sleep(rested.saturating_duration_since(Instant::now()));
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let flood = self.flooded.swap(false, Ordering::Relaxed).then_some(Hint::Rescan);
            let hints: Vec<Hint> = first.into_iter().chain(self.hear.try_iter().take(HINTS)).chain(flood).collect();
            let now = Instant::now();
            found.set(false);
            next = live.step(now, hints, &mut emit);
            if found.get() {
                rested = now + read_interval(Duration::from_micros(self.frame.load(Ordering::Relaxed)));
            }
        }
    }

    fn watch(&self, tails: &Tails, teller: &SyncSender<Hint>) -> Result<Box<dyn Watch>, PollReason> {
        if tails.polls() {
            return Err(PollReason::Asked);
        }
        let fs = Arc::clone(&tails.tools.fs);
        System::new(fs, teller, &self.flooded).map(|system| Box::new(system) as Box<dyn Watch>)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write as _;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::ingest::{Options, Roots};

    /// A call in our own format.
    fn line(id: usize) -> String {
        format!("{{\"ts\":\"2026-11-28T10:00:00Z\",\"id\":\"{id}\",\"model\":\"m\",\"input_tokens\":1}}\n")
    }

    #[test]
    fn a_read_takes_a_tenth_longer_than_a_frame() {
        assert_eq!(read_interval(FRAME), Duration::from_millis(33));
        assert_eq!(read_interval(Duration::from_millis(100)), Duration::from_millis(110));
    }

    #[test]
    fn lines_that_arrive_faster_than_frames_are_read_together_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
        for (id, path) in paths.iter().enumerate() {
            fs::write(path, line(id)).unwrap();
        }
        let roots = Roots { native: paths.to_vec(), ..Roots::default() };
        let (send, events) = channel();
        let follower =
            follow(Tails::new(&roots, Options::default()), 1, move |event| send.send(event).is_ok()).unwrap();
        let timeout = Duration::from_secs(20);
        while !matches!(events.recv_timeout(timeout).unwrap(), Event::CaughtUp) {}
        let mut files = paths.map(|path| File::options().append(true).open(path).unwrap());
        let mut reads_of_100 = |from: usize, frame: Duration| {
            follower.set_pace(frame);
            let start = Instant::now();
            for id in from..from + 100 {
                files[id % 2].write_all(line(id).as_bytes()).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
            let (mut read, mut reads) = (0, 0);
            while read < 100 {
                if let Event::ReadBatches(batches) = events.recv_timeout(timeout).unwrap() {
                    reads += 1;
                    read += batches.iter().map(|batch| batch.records.len()).sum::<usize>();
                }
            }
            let most = start.elapsed().as_micros() / (frame * 11 / 10).as_micros() + 2;
            assert!(reads <= most, "{reads} reads, {most} intervals of {frame:?}");
        };
        reads_of_100(2, FRAME);
        reads_of_100(102, FRAME * 10);
        follower.join();
    }
}
