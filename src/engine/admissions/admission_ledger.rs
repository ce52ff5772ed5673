//! The proxy's own connection to the ledger, so that a call does not have to wait for the ledger thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Clock};

use super::verdict;
use super::{Admitted, TIMEOUT};
use crate::config::Env;
use crate::domain::Zone;
use crate::ledger::{LedgerError, Sqlite};
use crate::meter::Rules;
use crate::meter::admission::{self, PendingCall};
use crate::pricing::PriceBook;

/// How often to retry while another connection is writing to the ledger.
const AGAIN: Duration = Duration::from_micros(200);
/// Duration of an admission that means the disk is slow, and for how long it is then treated as slow.
const SLOW: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));

/// A connection, and everything else needed for a decision.
pub(crate) struct Open {
    pub(crate) books: Sqlite,
    pub(crate) rules: Rules,
    pub(crate) prices: Arc<PriceBook>,
    pub(crate) zone: Zone,
    pub(crate) env: Env,
}

/// The connection, as long as the ledger thread permits it.
#[derive(Default)]
pub(crate) struct AdmissionLedger {
    open: Mutex<Option<Open>>,
    /// True if it has written since the ledger thread last checked.
    has_written: AtomicBool,
    /// `admit_at_once` does not try before this time, because the disk is slow.
    slow_until: Mutex<Option<Clock>>,
}

/// Outcome of one attempt.
enum Tried {
    Done(Admitted),
    /// Another connection is writing.
    Busy,
    /// The ledger thread must be asked.
    Closed,
}

impl AdmissionLedger {
    /// Grants or withdraws a connection.
    pub(crate) fn set(&self, open: Option<Open>) {
        *lock(&self.open) = open;
    }

    /// Withdraws the connection unless it uses these rules.
    pub(crate) fn keep_for(&self, rules: &Rules, zone: &Zone) {
        let mut open = lock(&self.open);
        if open.as_ref().is_some_and(|open| open.rules != *rules || open.zone != *zone) {
            *open = None;
        }
    }

    /// True while there is a connection.
    pub(crate) fn is_open(&self) -> bool {
        lock(&self.open).is_some()
    }

    /// True if it has written since the last call.
    pub(crate) fn take_written(&self) -> bool {
        self.has_written.swap(false, Ordering::AcqRel)
    }

    /// Decides without waiting; `None` if that is not possible.
    pub(super) fn admit_at_once(&self, coming: &PendingCall) -> Option<Admitted> {
        let began = Clock::now();
        let mut slow_until = self.slow_until.try_lock().ok()?;
        if slow_until.is_some_and(|until| began < until) {
            return None;
        }
        let mut open = self.open.try_lock().ok()?;
        let tried = self.attempt(&mut open, coming);
        let (most, rest) = SLOW;
        *slow_until = (began.elapsed() >= most).then(|| Clock::now() + rest);
        if let Tried::Done(admitted) = tried { Some(admitted) } else { None }
    }

    /// Decides, waiting while others write; `None` if the ledger thread must be asked.
    pub(super) fn admit(&self, coming: &PendingCall) -> Option<Admitted> {
        let until = Clock::now() + TIMEOUT / 4;
        loop {
            // A `match` on the call itself would hold the connection during the wait.
            let tried = self.attempt(&mut lock(&self.open), coming);
            match tried {
                Tried::Done(admitted) => return Some(admitted),
                Tried::Closed => return None,
                Tried::Busy if Clock::now() >= until => return None,
                Tried::Busy => std::thread::sleep(AGAIN),
            }
        }
    }

    fn attempt(&self, open: &mut Option<Open>, coming: &PendingCall) -> Tried {
        let Some(Open { books, rules, prices, zone, env }) = open else { return Tried::Closed };
        let now = env.now();
        match admission::admit(books, rules, coming, &**prices, now) {
            Ok((decision, is_held)) => {
                if is_held {
                    self.has_written.store(true, Ordering::Release);
                }
                Tried::Done(verdict::admitted(&decision, is_held, now, *zone))
            }
            Err(LedgerError::Busy { .. }) => Tried::Busy,
            // The ledger thread knows how to handle this.
            Err(_) => {
                *open = None;
                Tried::Closed
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OnError;
    use crate::domain::HoldId;
    use crate::engine::fixture::{Lock, books, call, no_prices, now, rules, settings};
    use crate::ledger::Ledger;

    #[test]
    fn a_call_that_waits_for_another_process_does_not_keep_the_connection_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut first = books(&path);
        first.flush().unwrap();
        let settings = settings(100, OnError::Allow);
        let second_books = Arc::new(AdmissionLedger::default());
        second_books.set(Some(Open {
            books: first.second().unwrap().unwrap(),
            rules: rules(&settings),
            prices: no_prices(),
            zone: settings.zone,
            env: Env::empty(now()),
        }));
        let lock = Lock::new(&path);
        let waiting = {
            let second_books = Arc::clone(&second_books);
            std::thread::spawn(move || {
                let coming = PendingCall { hold: HoldId::new(1), call: call(1, "alice", 1), asked: None };
                assert_eq!(second_books.admit(&coming), None, "the other process writes all the time");
            })
        };
        // The call retries for half a second and sleeps for most of that time.
        let (mut free, mut taken) = (0, 0);
        while !waiting.is_finished() {
            let count = if second_books.open.try_lock().is_ok() { &mut free } else { &mut taken };
            *count += 1;
            std::thread::sleep(Duration::from_micros(500));
        }
        waiting.join().unwrap();
        drop(lock);
        assert!(free * 5 > taken, "free {free} times, taken {taken} times");
    }
}
