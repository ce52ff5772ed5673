//! Writes lines on a thread, so that a blocked output delays nothing else.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

#[cfg(unix)]
use super::stdout::watch;
use crate::tui::write_out;

/// Maximum number of queued bytes. Further lines are dropped and counted.
const MOST: usize = 8 * 1024 * 1024;

/// Polling interval while waiting for the queue to empty.
const LOOK: Duration = Duration::from_millis(5);

/// Queued output.
enum Job {
    Out(Vec<u8>),
    Err(Vec<u8>),
}

impl Job {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Out(bytes) | Self::Err(bytes) => bytes,
        }
    }
}

/// Writes to standard output and standard error.
pub(super) struct Printer {
    jobs: Sender<Job>,
    /// True if only ASCII may be written.
    ascii: bool,
    /// Number of bytes in the queue.
    waiting: Arc<AtomicUsize>,
    /// Number of lines dropped since the last one that was accepted.
    left_out: u64,
    ended: mpsc::Receiver<io::Error>,
}

impl Printer {
    /// Starts the writer thread, and a thread that detects a closed reader.
    pub(super) fn start(ascii: bool) -> io::Result<Self> {
        let (jobs, take) = channel();
        let (tell, ended) = mpsc::channel(2);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (left, failed) = (Arc::clone(&waiting), tell.clone());
        thread::Builder::new().name("printer".into()).spawn(move || write(&take, &left, &failed))?;
        #[cfg(unix)]
        thread::Builder::new().name("output".into()).spawn(move || watch(&tell))?;
        Ok(Self { jobs, ascii, waiting, left_out: 0, ended })
    }

    /// Queues lines for standard output.
    pub(super) fn print(&mut self, lines: Vec<u8>) {
        if self.waiting.load(Ordering::SeqCst) > MOST {
            self.left_out += lines.iter().filter(|byte| **byte == b'\n').map(|_| 1).sum::<u64>();
            return;
        }
        if self.left_out > 0 {
            let left_out = crate::text::plural(std::mem::take(&mut self.left_out), "line");
            self.note(format!("tokmeter: {left_out} left out here: the output was not being read\n").into_bytes());
        }
        self.job(Job::Out(lines));
    }

    /// Queues lines for standard error.
    pub(super) fn note(&self, lines: Vec<u8>) {
        self.job(Job::Err(lines));
    }

    fn job(&self, mut job: Job) {
        if self.ascii && !job.bytes().is_ascii() {
            let (Job::Out(bytes) | Job::Err(bytes)) = &mut job;
            *bytes = crate::text::ascii_text(&String::from_utf8_lossy(bytes)).into_bytes();
        }
        let length = job.bytes().len();
        if length > 0 {
            self.waiting.fetch_add(length, Ordering::SeqCst);
            // The thread only ends after it has sent its error.
            let _ = self.jobs.send(job);
        }
    }

    /// Waits until a write fails.
    pub(super) async fn ended(&mut self) -> io::Error {
        match self.ended.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Waits until the queue is empty.
    pub(super) fn written(&self) -> impl Future<Output = ()> + use<> {
        let waiting = Arc::clone(&self.waiting);
        async move {
            while waiting.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

fn write(jobs: &Receiver<Job>, waiting: &AtomicUsize, failed: &mpsc::Sender<io::Error>) {
    while let Ok(job) = jobs.recv() {
        let written = match &job {
            Job::Out(bytes) => write_out(bytes),
            Job::Err(bytes) => {
                // Failing to write a note is no reason to exit.
                let _ = io::stderr().write_all(bytes);
                Ok(())
            }
        };
        if let Err(error) = written {
            let _ = failed.try_send(error);
            return;
        }
        waiting.fetch_sub(job.bytes().len(), Ordering::SeqCst);
    }
}
