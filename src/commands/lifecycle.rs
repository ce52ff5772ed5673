//! Lifecycle flags, and threads that can be joined with a timeout.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use super::{Exit, Failure};
use crate::ingest::Event;

/// Flags shared between the threads.
#[derive(Default)]
pub(super) struct Lifecycle {
    /// Shutdown was requested: new data from the logs is left for the next run.
    pub(super) ending: AtomicBool,
    /// Everything present at start has been read.
    pub(super) caught_up: AtomicBool,
}

/// True for events that the next run reads again from the logs.
pub(super) fn can_wait(event: &Event) -> bool {
    match event {
        Event::ReadBatch(batch) => batch.file.is_some(),
        Event::Progress(_) | Event::Health(_) | Event::CaughtUp => true,
    }
}

/// A thread that can be joined with a timeout.
pub(super) struct Running {
    pub(super) thread: thread::JoinHandle<()>,
    /// Disconnects when the thread ends for any reason.
    over: std::sync::mpsc::Receiver<()>,
}

impl Running {
    /// Waits at most this long for the thread to end.
    pub(super) fn ended_within(self, read_limits: Duration) {
        if self.over.recv_timeout(read_limits) == Err(RecvTimeoutError::Disconnected) {
            let _ = self.thread.join();
        }
    }
}

/// Starts a thread.
///
/// # Errors
/// When the system refuses one.
pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<Running, Failure> {
    let (still, over) = std::sync::mpsc::channel();
    let run = move || {
        work();
        drop(still);
    };
    let started = thread::Builder::new().name(name.into()).spawn(run);
    let thread =
        started.map_err(|error| Failure::new(Exit::Code(71), format!("no thread could be started: {error}")))?;
    Ok(Running { thread, over })
}
