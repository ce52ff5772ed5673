//! Lifecycle flags, and threads that can be joined with a timeout.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use crate::ingest::Event;

/// Flags shared between the threads.
#[derive(Default)]
pub(crate) struct Lifecycle {
    /// Shutdown was requested. New data in the logs is left for the next run.
    pub(crate) ending: AtomicBool,
    /// Everything that existed at the start has been read.
    pub(crate) caught_up: AtomicBool,
}

/// True for events that the next run will read from the logs again.
pub(crate) fn can_wait(event: &Event) -> bool {
    match event {
        Event::ReadBatches(batches) => batches.iter().all(|batch| batch.file.is_some()),
        Event::Progress(_) | Event::Health(_) | Event::CaughtUp => true,
    }
}

/// A thread that can be joined with a timeout.
pub(crate) struct Running {
    pub(crate) thread: thread::JoinHandle<()>,
    /// Disconnected when the thread ends for any reason.
    over: std::sync::mpsc::Receiver<()>,
}

impl Running {
    /// Waits at most this long for the thread to end.
    pub(crate) fn ended_within(self, read_limits: Duration) {
        if self.over.recv_timeout(read_limits) == Err(RecvTimeoutError::Disconnected) {
            let _ = self.thread.join();
        }
    }
}

/// Starts a thread.
///
/// # Errors
/// When the system cannot start one.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Running> {
    let (still, over) = std::sync::mpsc::channel();
    let run = move || {
        work();
        drop(still);
    };
    let thread = thread::Builder::new().name(name.into()).spawn(run)?;
    Ok(Running { thread, over })
}
