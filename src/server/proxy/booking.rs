//! From finished calls to the books: a bounded queue, a journal on disk, and a second queue to the engine, so that
//! neither a slow disk nor locked books delay a call.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::admission::{Admission, HoldId, Settled};
use super::count::{self, About};
use super::journal::Journal;
use super::meter::Seen;
use crate::domain::{Call, CallKey, Record};
use crate::ingest::{self, Delivery, Reply, Said};

/// Finished calls that wait for the journal.
const FINISHED: usize = 8192;
/// Calls that wait for the books; more go by way of the spool.
const WAITING: usize = 1024;
/// Calls handed to the engine at once.
const BATCH: usize = 64;
/// Names of repeatable calls that are remembered.
const REPEATS: usize = 10_000;
/// How often an idle journal is looked after.
const IDLE: Duration = Duration::from_secs(1);

/// A finished call.
pub(super) enum Finished {
    /// It was answered, wholly or in part.
    Answered {
        seen: Seen,
        about: Box<About>,
        hold: Option<HoldId>,
        /// Told once the call is on disk.
        written: oneshot::Sender<()>,
    },
    /// Nothing is charged for it.
    Nothing(HoldId),
}

/// Numbers about what the books do not know exactly.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    /// Calls whose counts are estimates.
    pub(crate) estimated: AtomicU64,
    /// Calls that could be neither queued nor kept.
    pub(crate) lost: AtomicU64,
}

/// Takes finished calls. The books close when it is dropped.
pub(super) struct Books {
    finished: Option<SyncSender<Finished>>,
    threads: Vec<JoinHandle<()>>,
    pub(super) gaps: Arc<Gaps>,
}

/// A way into the books for the calls of one proxy.
#[derive(Clone)]
pub(super) struct Desk {
    finished: SyncSender<Finished>,
    gaps: Arc<Gaps>,
}

/// Everything that booking needs to start.
pub(super) struct Setup {
    /// Takes calls.
    pub(super) deliver: mpsc::Sender<Delivery>,
    /// Holds that end with their calls.
    pub(super) admission: Arc<dyn Admission>,
    /// The data folder and the spool in it, where there is one.
    pub(super) folder: Option<(PathBuf, PathBuf)>,
}

impl Books {
    /// Starts both threads.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub(super) fn open(setup: Setup) -> io::Result<Self> {
        let (finished, arriving) = sync_channel(FINISHED);
        let (waiting, to_book) = sync_channel(WAITING);
        let booked = Arc::new(AtomicU64::new(0));
        let gaps = Arc::new(Gaps::default());
        let spool = setup.folder.as_ref().map(|(_, spool)| spool.clone());
        let keeping = Keeping {
            journal: setup.folder.and_then(|(folder, spool)| Journal::open(&folder, &spool).ok()),
            spool: spool.clone(),
            waiting: Some(waiting),
            written: 0,
            booked: Arc::clone(&booked),
            repeats: Repeats::default(),
            gaps: Arc::clone(&gaps),
        };
        let booking =
            Booking { deliver: setup.deliver, admission: setup.admission, spool, booked, gaps: Arc::clone(&gaps) };
        let name = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let threads = vec![
            name("proxy-books").spawn(move || booking.run(&to_book))?,
            name("proxy-journal").spawn(move || keeping.run(&arriving))?,
        ];
        Ok(Self { finished: Some(finished), threads, gaps })
    }

    /// A way in. The books close once none is left.
    pub(super) fn desk(&self) -> Option<Desk> {
        Some(Desk { finished: self.finished.clone()?, gaps: Arc::clone(&self.gaps) })
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        self.finished = None;
        for thread in self.threads.drain(..).rev() {
            let _ = thread.join();
        }
    }
}

impl Desk {
    /// Hands in a call; never waits.
    pub(super) fn hand_in(&self, finished: Finished) {
        if self.finished.try_send(finished).is_err() {
            self.gaps.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Keys of calls by the name that their client gave them.
#[derive(Debug, Default)]
struct Repeats {
    known: HashMap<CallKey, CallKey>,
    order: VecDeque<CallKey>,
}

impl Repeats {
    /// The key of the first attempt of this name.
    fn key(&mut self, name: CallKey, key: CallKey) -> CallKey {
        // An estimate has the name as its key, and joins the answer in the books.
        if key == name {
            return key;
        }
        if let Some(known) = self.known.get(&name) {
            return *known;
        }
        if self.order.len() == REPEATS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(name);
        self.known.insert(name, key);
        key
    }
}

/// The calls of an answer, and what is held for them.
struct ToBook {
    calls: Vec<Call>,
    hold: Option<HoldId>,
}

/// The journal's thread.
struct Keeping {
    journal: Option<Journal>,
    spool: Option<PathBuf>,
    waiting: Option<SyncSender<ToBook>>,
    written: u64,
    booked: Arc<AtomicU64>,
    repeats: Repeats,
    gaps: Arc<Gaps>,
}

impl Keeping {
    fn run(mut self, arriving: &Receiver<Finished>) {
        loop {
            match arriving.recv_timeout(IDLE) {
                Ok(Finished::Answered { seen, about, hold, written }) => {
                    let calls = self.counted(&seen, &about);
                    let _ = self.journal.as_mut().map(|journal| journal.write(&calls));
                    let _ = written.send(());
                    self.pass_on(ToBook { calls, hold });
                }
                Ok(Finished::Nothing(hold)) => self.pass_on(ToBook { calls: Vec::new(), hold: Some(hold) }),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.booked.load(Ordering::Acquire) == self.written
                && let Some(journal) = &mut self.journal
            {
                journal.booked();
            }
        }
        // The books are closed in this order: nothing more comes, everything is booked, the journal is not needed.
        self.waiting = None;
        while self.booked.load(Ordering::Acquire) < self.written {
            std::thread::sleep(Duration::from_millis(5));
        }
        // Calls that nothing else kept are still in it.
        if self.gaps.lost.load(Ordering::Relaxed) == 0
            && let Some(journal) = self.journal.take()
        {
            journal.remove();
        }
    }

    fn counted(&mut self, seen: &Seen, about: &About) -> Vec<Call> {
        let mut calls = count::calls(seen, about);
        if let (Some(name), Some(call)) = (about.repeat_key(), calls.first_mut()) {
            call.key = self.repeats.key(name, call.key);
        }
        if calls.iter().any(|call| call.fidelity == crate::domain::Fidelity::Guessed) {
            self.gaps.estimated.fetch_add(1, Ordering::Relaxed);
        }
        calls
    }

    /// Hands calls to the books, or to the spool when these are behind.
    fn pass_on(&mut self, to_book: ToBook) {
        let Some(waiting) = &self.waiting else { return };
        match waiting.try_send(to_book) {
            Ok(()) => self.written += 1,
            Err(TrySendError::Full(to_book) | TrySendError::Disconnected(to_book)) => {
                // A hold of these expires.
                keep(self.spool.as_ref(), to_book.calls, &self.gaps);
            }
        }
    }
}

/// The books' thread.
struct Booking {
    deliver: mpsc::Sender<Delivery>,
    admission: Arc<dyn Admission>,
    spool: Option<PathBuf>,
    booked: Arc<AtomicU64>,
    gaps: Arc<Gaps>,
}

impl Booking {
    fn run(self, to_book: &Receiver<ToBook>) {
        while let Ok(first) = to_book.recv() {
            let mut count = 0;
            let mut calls = Vec::new();
            let mut next = Some(first);
            while let Some(ToBook { calls: made, hold }) = next {
                count += 1;
                if self.settled(hold, &made) == Settled::NotBooked {
                    calls.extend(made);
                }
                next = if count < BATCH { to_book.try_recv().ok() } else { None };
            }
            self.book(calls);
            self.booked.fetch_add(count as u64, Ordering::AcqRel);
        }
    }

    fn settled(&self, hold: Option<HoldId>, calls: &[Call]) -> Settled {
        match hold {
            None => Settled::NotBooked,
            Some(hold) if calls.is_empty() => {
                self.admission.release(hold);
                Settled::Booked
            }
            Some(hold) => self.admission.settle(hold, calls),
        }
    }

    fn book(&self, calls: Vec<Call>) {
        if calls.is_empty() {
            return;
        }
        let records: Vec<Record> = calls.iter().cloned().map(Record::Call).collect();
        let (reply, answer) = oneshot::channel();
        let delivery = Delivery { said: Said::Records(records), reply };
        let is_sent = self.deliver.blocking_send(delivery).is_ok();
        let reply = if is_sent { answer.blocking_recv().ok() } else { None };
        if matches!(reply, None | Some(Reply::Error(_))) {
            keep(self.spool.as_ref(), calls, &self.gaps);
        }
    }
}

/// Keeps calls in the spool; what it cannot take is counted as lost.
fn keep(spool: Option<&PathBuf>, calls: Vec<Call>, gaps: &Gaps) {
    let count = calls.len() as u64;
    let records: Vec<Record> = calls.into_iter().map(Record::Call).collect();
    if count > 0 && spool.is_none_or(|spool| ingest::spool(spool, &records).is_err()) {
        gaps.lost.fetch_add(count, Ordering::Relaxed);
    }
}
