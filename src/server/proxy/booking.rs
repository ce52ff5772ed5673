//! Takes finished calls to the ledger: a journal on disk, and a bounded queue to the engine, so that a locked ledger
//! never delays a call.
//!
//! The journal is written where the call ends, without switching threads, because writing to a file takes microseconds.
//! While the disk is slow, a separate thread writes it, and the forwarding thread never waits.

mod books_thread;
mod journal_writer;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use self::books_thread::BooksThread;
use self::journal_writer::JournalWriter;
use super::admission::HoldId;
use super::count::About;
use super::response_reader::Seen;
use super::upstream_quirks::UpstreamQuirks;
use crate::domain::{Call, Record};
use crate::ingest::{self, Delivery};

/// Maximum number of finished calls waiting for a slow journal.
const FINISHED: usize = 8192;
/// Maximum number of calls waiting to be booked. More calls go through the spool.
const WAITING: usize = 4096;
/// How long after a call its booking starts. Waking the booking thread at once would take the processor from the client
/// that receives the end of the response: a quarter of what the proxy adds to a call.
const AFTER: Duration = Duration::from_millis(2);
/// How often an idle journal is checked, and how soon to retry one that could not be opened.
const IDLE: Duration = Duration::from_secs(1);
/// How long a call that would be refused waits for finished calls to be booked.
const PATIENCE: Duration = Duration::from_secs(2);

/// A finished call.
pub(super) enum Finished {
    /// It was answered, in full or in part.
    Answered { seen: Seen, about: Box<About>, hold: Option<HoldId> },
    /// It costs nothing.
    Nothing { id: String, hold: Option<HoldId> },
}

/// Counters of calls that the ledger does not have exactly.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    /// Calls whose counts are estimates.
    pub(crate) estimated: AtomicU64,
    /// Calls that could neither be queued nor kept.
    pub(crate) lost: AtomicU64,
}

/// Takes finished calls. It shuts down when dropped.
pub(super) struct Books {
    handle: Option<BookingHandle>,
    threads: Vec<JoinHandle<()>>,
    pub(super) gaps: Arc<Gaps>,
}

/// A handle for booking the calls of one proxy.
#[derive(Clone)]
pub(super) struct BookingHandle(Arc<Queue>);

/// Where finished calls wait to be booked.
struct Queue {
    keeping: Arc<Mutex<JournalWriter>>,
    /// Queue to the thread that writes a slow journal.
    finished: SyncSender<(Box<Finished>, oneshot::Sender<()>)>,
    booked: watch::Receiver<u64>,
    gaps: Arc<Gaps>,
}

/// Everything that booking needs to start.
pub(super) struct Setup {
    /// Channel that takes calls.
    pub(super) deliver: mpsc::Sender<Delivery>,
    /// The data folder and the spool in it, if there is one.
    pub(super) folder: Option<(PathBuf, PathBuf)>,
    /// Learns under which names upstreams answer.
    pub(super) memory: Arc<UpstreamQuirks>,
}

/// The calls of a response, and the amount held for them.
struct ToBook {
    calls: Vec<Call>,
    hold: Option<HoldId>,
}

impl ToBook {
    /// The calls, followed by the end of their hold.
    fn records(&self) -> impl Iterator<Item = Record> {
        self.calls.iter().cloned().map(Record::Call).chain(self.hold.map(Record::Settled))
    }
}

impl Books {
    /// Starts both threads.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(super) fn open(setup: Setup) -> io::Result<Self> {
        let (finished, arriving) = sync_channel(FINISHED);
        let (waiting, to_book) = sync_channel(WAITING);
        let booked = watch::Sender::default();
        let gaps = Arc::new(Gaps::default());
        let spool = setup.folder.as_ref().map(|(_, spool)| spool.clone());
        let mut keeping = JournalWriter::new(setup.folder, waiting, booked.subscribe(), Arc::clone(&gaps));
        keeping.teach(setup.memory);
        keeping.open_journal();
        let keeping = Arc::new(Mutex::new(keeping));
        let from = booked.subscribe();
        let books = BooksThread { deliver: setup.deliver, spool, booked, gaps: Arc::clone(&gaps), left: Vec::new() };
        let slow = Arc::clone(&keeping);
        let name = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let threads = vec![
            name("proxy-books").spawn(move || books.run(&to_book))?,
            name("proxy-journal").spawn(move || look_after(&slow, &arriving))?,
        ];
        let queue = Queue { keeping, finished, booked: from, gaps: Arc::clone(&gaps) };
        Ok(Self { handle: Some(BookingHandle(Arc::new(queue))), threads, gaps })
    }

    /// A new handle; `None` after shutdown. Booking ends once no handles are left.
    pub(super) fn handle(&self) -> Option<BookingHandle> {
        self.handle.clone()
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        self.handle = None;
        for thread in self.threads.drain(..).rev() {
            let _ = thread.join();
        }
    }
}

impl BookingHandle {
    /// Notes a call under way, so that it is booked as it was `seen` if this proxy is killed before the call ends.
    /// Returns false if that would have to wait, or failed; the caller may try again.
    pub(super) fn note(&self, seen: &Seen, about: &About, hold: Option<HoldId>) -> bool {
        self.0.keeping.try_lock().is_ok_and(|mut keeping| keeping.note(seen, about, hold))
    }

    /// Takes a call without waiting. `None` if it is on disk already, otherwise a receiver that completes when it is.
    pub(super) fn hand_in(&self, finished: Finished) -> Option<oneshot::Receiver<()>> {
        if let Ok(mut keeping) = self.0.keeping.try_lock()
            && !keeping.is_slow()
        {
            let is_first = keeping.keep(finished);
            drop(keeping);
            // Calls that end meanwhile are passed on with it.
            if is_first {
                self.pass_on_soon();
            }
            return None;
        }
        let (sender, written) = oneshot::channel();
        let is_call = matches!(finished, Finished::Answered { .. });
        if self.0.finished.try_send((Box::new(finished), sender)).is_err() {
            self.0.gaps.lost.fetch_add(is_call.into(), Ordering::Relaxed);
            return None;
        }
        Some(written)
    }
}

impl BookingHandle {
    /// Number of calls booked so far.
    pub(super) fn booked(&self) -> u64 {
        *self.0.booked.borrow()
    }

    /// Waits, at most two seconds, until every call handed in so far is booked and its hold has ended. Returns true if
    /// more calls than `before` have been booked by then.
    pub(super) async fn settled(&self, before: u64) -> bool {
        let all_booked = async {
            let all = loop {
                match self.pass_all_on() {
                    Some(all) => break all,
                    None => tokio::time::sleep(AFTER).await,
                }
            };
            let _ = self.0.booked.clone().wait_for(|booked| *booked >= all).await;
        };
        let _ = tokio::time::timeout(PATIENCE, all_booked).await;
        self.booked() > before
    }

    /// Number of calls passed on, once all have been; `None` while another thread is handing one in.
    fn pass_all_on(&self) -> Option<u64> {
        let mut keeping = self.0.keeping.try_lock().ok()?;
        keeping.pass_on();
        Some(keeping.written())
    }

    /// Wakes the booking thread once the end of the response has been sent.
    fn pass_on_soon(&self) {
        let keeping = Arc::clone(&self.0.keeping);
        let pass_on = move || {
            // The thread that holds the lock passes these calls on, too.
            if let Ok(mut keeping) = keeping.try_lock() {
                keeping.pass_on();
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    tokio::time::sleep(AFTER).await;
                    pass_on();
                });
            }
            Err(_) => pass_on(),
        }
    }
}

/// The journal's thread: writes while the disk is slow, empties the journal when it is long, and finally closes it.
fn look_after(keeping: &Mutex<JournalWriter>, arriving: &Receiver<(Box<Finished>, oneshot::Sender<()>)>) {
    let lock = || keeping.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match arriving.recv_timeout(IDLE) {
            Ok((finished, written)) => {
                lock().keep(*finished);
                let _ = written.send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let mut keeping = lock();
        keeping.pass_on();
        keeping.tidy();
        keeping.open_journal();
    }
    lock().end();
}

/// Keeps calls in the spool. Returns false if it cannot take them.
fn keep(spool: Option<&PathBuf>, to_book: &[ToBook]) -> bool {
    if to_book.iter().all(|to_book| to_book.calls.is_empty()) {
        return true;
    }
    let records: Vec<Record> = to_book.iter().flat_map(ToBook::records).collect();
    spool.is_some_and(|spool| ingest::spool(spool, &records).is_ok())
}
