//! How far the program has come, and the threads that it consists of, for an orderly end.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use crate::ingest::Event;

/// How far the program has come.
#[derive(Default)]
pub(crate) struct Lifecycle {
    /// The end was asked for: what comes from the logs now is left for the next time.
    pub(crate) ending: AtomicBool,
    /// Everything that was there at start has been read.
    pub(crate) caught_up: AtomicBool,
}

/// True for what the next process reads again from the logs.
pub(crate) fn can_wait(event: &Event) -> bool {
    match event {
        Event::ReadBatch(batch) => batch.file.is_some(),
        Event::Progress(_) | Event::Health(_) | Event::CaughtUp => true,
    }
}

/// A thread whose end can be waited for without waiting for ever.
pub(crate) struct Running {
    /// The thread itself.
    pub(crate) thread: thread::JoinHandle<()>,
    /// Closed when it ends, in whatever way.
    over: std::sync::mpsc::Receiver<()>,
}

impl Running {
    /// Waits for its end, for so long.
    pub(crate) fn ended_within(self, read_limits: Duration) {
        if self.over.recv_timeout(read_limits) == Err(RecvTimeoutError::Disconnected) {
            let _ = self.thread.join();
        }
    }
}

/// Starts a thread.
///
/// # Errors
/// When the system grants none.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Running> {
    let (still, over) = std::sync::mpsc::channel();
    let run = move || {
        work();
        drop(still);
    };
    let thread = thread::Builder::new().name(name.into()).spawn(run)?;
    Ok(Running { thread, over })
}
