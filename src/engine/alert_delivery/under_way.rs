//! Alerts that are still being sent: what happens when they have been, when that failed, and when the process ends.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::domain;
use crate::engine::inbox::LedgerMessage;
use crate::ledger::{Ledger, alert_was_delivered};

/// How long to wait at exit for a server that is accepting a message.
pub(in crate::engine) const FINISH: Duration = Duration::from_secs(3);
/// Delays before each further attempt to send what a server did not accept.
pub(in crate::engine) const RETRIES: [Duration; 3] =
    [Duration::from_secs(30), Duration::from_secs(120), Duration::from_secs(600)];

/// Receives what happens after [`deliver`](super::deliver) has returned, from any thread.
#[derive(Clone)]
pub(in crate::engine) struct Later {
    /// Receives notes: a web hook that timed out, a program that failed.
    pub(super) note: Arc<dyn Fn(String) + Send + Sync>,
    /// Receives each alert that is no longer being sent.
    ended: Sender<Ended>,
    /// Called after that, so that somebody looks.
    wake: Arc<dyn Fn() + Send + Sync>,
    retries: &'static [Duration],
}

/// An alert that every channel has been tried for.
struct Ended {
    id: String,
    /// True if this process claimed it.
    is_claimed: bool,
}

/// An alert that is being sent, shared by its channels. Reports its end when the last of them drops it.
pub(super) struct UnderWay {
    ended: Option<Ended>,
    later: Later,
}

impl UnderWay {
    pub(super) fn new(id: String, is_claimed: bool, later: &Later) -> Self {
        Self { ended: Some(Ended { id, is_claimed }), later: later.clone() }
    }

    /// Gives up the caller's share. True if nobody else has one, so that nothing is to be reported.
    pub(super) fn is_over(this: Arc<Self>) -> bool {
        Arc::into_inner(this).is_some_and(|mut last| last.ended.take().is_some())
    }

    /// Sends on a thread of its own, and again later if that fails.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn send(
        self: &Arc<Self>,
        name: &str,
        mut attempt: impl FnMut() -> Result<Option<String>, String> + Send + 'static,
    ) -> Result<(), String> {
        let this = Arc::clone(self);
        let sending = move || {
            let outcome = attempt();
            let later = this.later.clone();
            // Whoever is waiting for the first attempt does not wait for the others.
            drop(this);
            try_again(outcome, attempt, &*later.note, later.retries);
        };
        let started = thread::Builder::new().name(name.to_owned()).spawn(sending);
        started.map(drop).map_err(|error| format!("alerts.{name}: {error}"))
    }
}

/// Sends again later what was not accepted at the first attempt. Passes on notes about all attempts.
pub(in crate::engine) fn try_again(
    mut outcome: Result<Option<String>, String>,
    mut attempt: impl FnMut() -> Result<Option<String>, String>,
    note: &dyn Fn(String),
    retries: &[Duration],
) {
    for wait in retries {
        let Err(why) = &outcome else { break };
        let after = crate::text::duration(chrono::Duration::from_std(*wait).unwrap_or_default());
        note(format!("{why}; tried again in {after}"));
        thread::sleep(*wait);
        outcome = attempt();
    }
    match outcome {
        Ok(words) => words.into_iter().for_each(note),
        Err(why) => note(format!("{why}; not tried again")),
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            // The receiver is gone once the process ends.
            let _ = self.later.ended.send(ended);
            (self.later.wake)();
        }
    }
}

/// The alerts of a process that are being sent.
pub(in crate::engine) struct Deliveries {
    /// How many there are.
    number: usize,
    ended: (Sender<Ended>, Receiver<Ended>),
}

impl Default for Deliveries {
    fn default() -> Self {
        Self { number: 0, ended: channel() }
    }
}

impl Deliveries {
    /// Reports to the ledger thread.
    pub(in crate::engine) fn later(&self, work: &mpsc::WeakSender<LedgerMessage>) -> Later {
        let (noting, waking) = (work.clone(), work.clone());
        Later {
            // If the ledger thread is busy or gone, the note is dropped.
            note: Arc::new(move |note| {
                let _ = noting.upgrade().is_some_and(|work| work.try_send(LedgerMessage::Late(note)).is_ok());
            }),
            ended: self.ended.0.clone(),
            // If the queue is full, the thread looks at its next message.
            wake: Arc::new(move || {
                let _ = waking.upgrade().is_some_and(|work| work.try_send(LedgerMessage::AlertSent).is_ok());
            }),
            retries: &RETRIES,
        }
    }

    /// Counts one more.
    pub(in crate::engine) fn began(&mut self) {
        self.number += 1;
    }

    /// True while there are any.
    pub(in crate::engine) fn any(&self) -> bool {
        self.number > 0
    }

    /// Records those that have ended. Returns an error of the ledger, if any.
    pub(in crate::engine) fn settle(&mut self, books: &mut dyn Ledger, now: domain::Instant) -> Option<String> {
        let mut problem = None;
        while self.number > 0
            && let Ok(ended) = self.ended.1.try_recv()
        {
            problem = self.record(books, &ended, now).or(problem);
        }
        problem
    }

    /// Waits briefly for those that are still being sent.
    pub(in crate::engine) fn finish(&mut self, books: &mut dyn Ledger, now: domain::Instant) {
        let began = Instant::now();
        while self.number > 0 {
            let Ok(ended) = self.ended.1.recv_timeout(FINISH.saturating_sub(began.elapsed())) else { return };
            let _ = self.record(books, &ended, now);
        }
    }

    fn record(&mut self, books: &mut dyn Ledger, ended: &Ended, now: domain::Instant) -> Option<String> {
        self.number = self.number.saturating_sub(1);
        let written = ended.is_claimed.then(|| alert_was_delivered(books, &ended.id, now));
        written?.err().map(|error| super::unsure(&error))
    }
}

#[cfg(test)]
impl Later {
    /// Passes notes on, and tries twice again without delay.
    pub(super) fn for_test(note: Arc<dyn Fn(String) + Send + Sync>, deliveries: &Deliveries) -> Self {
        Self { note, ended: deliveries.ended.0.clone(), wake: Arc::new(|| ()), retries: &[Duration::ZERO; 2] }
    }
}
