//! The thread that books finished calls. Calls that finish close together are booked in one transaction.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::{Gaps, ToBook, WAITING, keep};
use crate::domain::Record;
use crate::ingest::{Content, Delivery, Reply};

/// Maximum number of calls booked in one transaction, because admissions wait for it.
const BATCH: usize = 64;
/// How long to collect calls. The cost of a transaction hardly depends on their number, and none of it falls into the
/// moment in which a response ends.
const GATHER: Duration = Duration::from_millis(5);
/// Delay before retrying calls that neither the ledger nor the spool could take, for example on a full disk.
const AGAIN: Duration = Duration::from_millis(500);

/// The booking thread.
pub(super) struct BooksThread {
    pub(super) deliver: mpsc::Sender<Delivery>,
    pub(super) spool: Option<PathBuf>,
    /// Number of calls that have been booked or lost.
    pub(super) booked: watch::Sender<u64>,
    pub(super) gaps: Arc<Gaps>,
    /// Calls that nothing has been able to take so far, oldest first.
    pub(super) left: Vec<ToBook>,
}

impl BooksThread {
    pub(super) fn run(mut self, to_book: &Receiver<ToBook>) {
        loop {
            let most = if self.left.is_empty() { BATCH } else { WAITING };
            let is_over = match self.next(to_book) {
                Ok(first) => {
                    // Calls sent in the meantime do not wake this thread.
                    std::thread::sleep(GATHER);
                    self.left.push(first);
                    self.left.extend(to_book.try_iter().take(most - 1));
                    false
                }
                Err(TryRecvError::Empty) => false,
                Err(TryRecvError::Disconnected) => true,
            };
            self.book();
            if is_over {
                break;
            }
        }
        self.give_up(0);
    }

    /// Waits for a call. If some are left over, waits only until the next attempt.
    fn next(&self, to_book: &Receiver<ToBook>) -> Result<ToBook, TryRecvError> {
        if self.left.is_empty() {
            return to_book.recv().map_err(TryRecvError::from);
        }
        std::thread::sleep(AGAIN);
        to_book.try_recv()
    }

    /// Books the remaining calls and ends their holds in one transaction, or else keeps the calls in the spool.
    fn book(&mut self) {
        let records: Vec<Record> = self.left.iter().flat_map(ToBook::records).collect();
        if !records.is_empty() && !self.is_booked(records) {
            if !keep(self.spool.as_ref(), &self.left) {
                return self.give_up(WAITING);
            }
            // Their holds end once the ledger is available again, here or when the spool is read.
            for to_book in &mut self.left {
                to_book.calls.clear();
            }
            let all = self.left.len();
            self.left.retain(|to_book| to_book.hold.is_some());
            self.add_booked(all - self.left.len());
            return self.give_up(WAITING);
        }
        self.add_booked(self.left.len());
        self.left.clear();
    }

    fn is_booked(&self, records: Vec<Record>) -> bool {
        let (reply, answer) = oneshot::channel();
        let delivery = Delivery { content: Content::Kept(records), reply };
        let is_sent = self.deliver.blocking_send(delivery).is_ok();
        let reply = if is_sent { answer.blocking_recv().ok() } else { None };
        !matches!(reply, None | Some(Reply::Error(_)))
    }

    /// Counts the oldest calls as lost until this many are left.
    fn give_up(&mut self, most: usize) {
        let over = self.left.len().saturating_sub(most);
        let lost: usize = self.left.drain(..over).map(|to_book| to_book.calls.len()).sum();
        self.gaps.lost.fetch_add(lost as u64, Ordering::Relaxed);
        self.add_booked(over);
    }

    fn add_booked(&self, count: usize) {
        self.booked.send_modify(|booked| *booked += count as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attribution, Call, CallKey, HoldId, Instant, Label, Tokens};

    #[test]
    fn a_hold_whose_call_went_to_the_spool_ends_once_the_books_are_back() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool.jsonl");
        let (deliver, mut deliveries) = mpsc::channel::<Delivery>(1);
        let from = Attribution::new(Instant::from_timestamp(1, 0).unwrap(), Label::new("proxy"));
        let call = |name: &str| {
            Call::new(CallKey::from_parts(&[name]), from.clone(), None, Tokens { input: 5, ..Tokens::ZERO })
        };
        let to_book = |name, hold| ToBook { calls: vec![call(name)], hold: Some(HoldId::new(hold)) };
        let mut books = BooksThread {
            deliver,
            spool: Some(spool.clone()),
            booked: watch::Sender::default(),
            gaps: Arc::default(),
            left: vec![to_book("a", 7), to_book("b", 8)],
        };
        let engine = std::thread::spawn(move || {
            let mut records = |reply| {
                let delivery = deliveries.blocking_recv().unwrap();
                let Content::Kept(records) = delivery.content else { panic!("no records") };
                delivery.reply.send(reply).unwrap();
                records
            };
            (records(Reply::refusal("the disk is full")), records(Reply::Nothing))
        });
        books.book();
        assert_eq!((*books.booked.borrow(), books.left.len()), (0, 2));
        let kept = std::fs::read_to_string(&spool).unwrap();
        let holds: Vec<bool> =
            kept.lines().zip([7, 8]).map(|(line, hold)| line.contains(&HoldId::new(hold).to_string())).collect();
        assert_eq!(holds, [true, true], "{kept}");
        books.book();
        let (first, second) = engine.join().unwrap();
        let settled = |hold| Record::Settled(HoldId::new(hold));
        // Each hold follows its call, because the engine's spool pairs them, too.
        assert_eq!(first, [Record::Call(call("a")), settled(7), Record::Call(call("b")), settled(8)]);
        assert_eq!(second, [settled(7), settled(8)]);
        assert_eq!((*books.booked.borrow(), books.left.len()), (2, 0));
        assert_eq!(std::fs::read_to_string(&spool).unwrap(), kept);
    }
}
