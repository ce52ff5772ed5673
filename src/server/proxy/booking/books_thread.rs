//! The thread that books finished calls, those of a moment in one transaction.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Gaps, ToBook, keep};
use crate::domain::Record;
use crate::ingest::{Delivery, Reply, Said};

/// Most calls that are booked in one transaction: admissions wait for it.
const BATCH: usize = 64;
/// How long calls are gathered: most of the cost of a transaction does not depend on their number, and none of it falls
/// into the moment in which an answer ends.
const GATHER: Duration = Duration::from_millis(5);

/// The books' thread.
pub(super) struct BooksThread {
    pub(super) deliver: mpsc::Sender<Delivery>,
    pub(super) spool: Option<PathBuf>,
    /// Calls that are in the books.
    pub(super) booked: Arc<AtomicU64>,
    pub(super) gaps: Arc<Gaps>,
}

impl BooksThread {
    pub(super) fn run(self, to_book: &Receiver<ToBook>) {
        while let Ok(first) = to_book.recv() {
            let gathered = gather(first, to_book);
            let count = gathered.len() as u64;
            self.book(gathered);
            self.booked.fetch_add(count, Ordering::AcqRel);
        }
    }

    /// Books calls and ends their holds, in one transaction.
    fn book(&self, gathered: Vec<ToBook>) {
        let (mut calls, mut holds) = (Vec::new(), Vec::new());
        for ToBook { calls: made, hold } in gathered {
            calls.extend(made);
            holds.extend(hold.map(Record::Settled));
        }
        let records: Vec<Record> = calls.iter().cloned().map(Record::Call).chain(holds).collect();
        if records.is_empty() {
            return;
        }
        let (reply, answer) = oneshot::channel();
        let delivery = Delivery { said: Said::Records(records), reply };
        let is_sent = self.deliver.blocking_send(delivery).is_ok();
        let reply = if is_sent { answer.blocking_recv().ok() } else { None };
        if matches!(reply, None | Some(Reply::Error(_))) {
            // Holds that did not end expire.
            keep(self.spool.as_ref(), calls, &self.gaps);
        }
    }
}

/// The call, and those that end soon after it.
fn gather(first: ToBook, to_book: &Receiver<ToBook>) -> Vec<ToBook> {
    // Calls that are sent meanwhile do not wake this thread.
    std::thread::sleep(GATHER);
    std::iter::once(first).chain(to_book.try_iter().take(BATCH - 1)).collect()
}
