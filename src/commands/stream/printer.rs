//! Writes lines from a thread of its own, so that an output that nobody reads holds up nothing but itself.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

/// Bytes that may wait for a reader; further lines are counted and left out.
const MOST: usize = 8 * 1024 * 1024;
/// How often it is looked whether everything is written.
const LOOK: Duration = Duration::from_millis(5);

/// Output that waits to be written.
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
    /// Bytes that are not written yet.
    waiting: Arc<AtomicUsize>,
    /// Lines left out since the last that was taken.
    left_out: u64,
    ended: mpsc::Receiver<io::Error>,
}

impl Printer {
    /// Starts the thread, and another that notices when the reader goes away.
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, take) = channel();
        let (tell, ended) = mpsc::channel(2);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (left, failed) = (Arc::clone(&waiting), tell.clone());
        thread::Builder::new().name("printer".into()).spawn(move || write(&take, &left, &failed))?;
        #[cfg(unix)]
        thread::Builder::new().name("output".into()).spawn(move || watch(&tell))?;
        Ok(Self { jobs, waiting, left_out: 0, ended })
    }

    /// Lines for standard output.
    pub(super) fn print(&mut self, lines: Vec<u8>) {
        if self.waiting.load(Ordering::SeqCst) > MOST {
            self.left_out += lines.iter().filter(|byte| **byte == b'\n').map(|_| 1).sum::<u64>();
            return;
        }
        if self.left_out > 0 {
            let left_out = crate::text::plural(std::mem::take(&mut self.left_out), "line");
            self.note(format!("tokmeter: {left_out} left out here: nobody read the output\n").into_bytes());
        }
        self.job(Job::Out(lines));
    }

    /// Lines for standard error.
    pub(super) fn note(&self, lines: Vec<u8>) {
        self.job(Job::Err(lines));
    }

    fn job(&self, job: Job) {
        let length = job.bytes().len();
        if length > 0 {
            self.waiting.fetch_add(length, Ordering::SeqCst);
            // The thread ends only after it has sent its error.
            let _ = self.jobs.send(job);
        }
    }

    /// Waits until nothing more can be written.
    pub(super) async fn ended(&mut self) -> io::Error {
        match self.ended.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Waits until everything is written.
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
                // A note that cannot be written is no reason to end.
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

/// Writes without the standard library's lock: the end of the process flushes under it, and would wait as well.
#[cfg(unix)]
fn write_out(mut bytes: &[u8]) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    let out = rustix::stdio::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(out, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::from_borrowed_fd(out, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// Notices when the reader of standard output goes away while there is nothing to write.
#[cfg(unix)]
fn watch(tell: &mpsc::Sender<io::Error>) {
    use rustix::event::{PollFd, PollFlags, poll};
    let out = rustix::stdio::stdout();
    loop {
        // No event is asked for, so that only an error or a hang-up is reported.
        let mut waits = [PollFd::from_borrowed_fd(out, PollFlags::empty())];
        match poll(&mut waits, None) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) => {
                let _ = tell.try_send(io::ErrorKind::BrokenPipe.into());
                return;
            }
            Err(_) => return,
        }
    }
}
