//! Handles failed writes and damaged ledgers: every call that is read is counted, and written as soon as possible.

use std::time::Duration;

use super::LedgerThread;
use crate::domain::Label;
use crate::engine::inbox::LedgerMessage;
use crate::engine::log_reader::Control;
use crate::engine::{EngineEvent, Note, Tone};
use crate::ledger::{Batch, Change, Ledger, LedgerError, Salvaged};

/// Retry state while writes fail.
pub(super) struct Stuck {
    /// Delay before the next attempt.
    wait: Duration,
}

/// Maximum number of buffered calls. Later ones are dropped and read again.
const MOST_HELD: usize = 1_000_000;
/// First and longest delay between attempts.
const SOON: Duration = Duration::from_millis(250);
const LATE: Duration = Duration::from_secs(4);

impl LedgerThread {
    /// Counts and buffers a batch that cannot be written.
    pub(super) fn hold(&mut self, batch: &Batch) {
        if self.is_full() {
            self.leave_out();
            return;
        }
        match self.books.hold(batch) {
            Ok(told) => self.tell_changes(told),
            Err(error) => _ = self.failed(&error),
        }
    }

    /// Keeps calls that are in no log in the spool, and counts them; `None` if they cannot be kept.
    ///
    /// The spool is read like a log, so any later process books them, exactly once.
    pub(super) fn spool(&mut self, batch: &Batch) -> Option<Vec<Change>> {
        if self.is_full() {
            return None;
        }
        crate::ingest::spool(&self.config_edits.paths.spool()?, &batch.records).ok()?;
        Some(self.books.hold(batch).unwrap_or_default())
    }

    /// True when the maximum number of calls is buffered.
    pub(super) fn is_full(&self) -> bool {
        self.state.stuck.is_some() && self.books.unbooked() >= MOST_HELD
    }

    /// Drops a batch. It is read from the logs again, because its offsets are not written either.
    pub(super) fn leave_out(&mut self) {
        if !std::mem::replace(&mut self.state.behind, true) {
            let text = "too many calls are waiting to be booked; new ones count once those are";
            self.tell(EngineEvent::Note(Note::new(Tone::Danger, text)));
        }
    }

    /// Handles a ledger error. Returns true if the ledger was repaired and all logs are being read again. Otherwise
    /// calls are buffered in memory, and the screen gets one message.
    pub(super) fn failed(&mut self, error: &LedgerError) -> bool {
        if matches!(error, LedgerError::Replaced { .. } | LedgerError::Damaged { .. }) {
            // It is closed before the ledger, so that it does not outlive it on the old file.
            self.second_books.set(None);
        }
        if let Some(notes) = self.books.replace_damaged(error, &self.prices, self.env.now()) {
            self.start_over(error, &notes);
            return true;
        }
        if self.health.ledger_failed(error) {
            self.tell(EngineEvent::Note(Note::new(Tone::Danger, &error.to_string())));
            self.tell_health();
        }
        self.stuck();
        false
    }

    /// Enters the stuck state.
    pub(super) fn stuck(&mut self) {
        if self.state.stuck.is_none() {
            tracing::warn!("the ledger cannot be written; calls are held");
            // The second connection would not see buffered calls.
            self.second_books.set(None);
            self.state.stuck = Some(Stuck { wait: SOON });
            self.books.retry_soon(true);
            self.retry_later();
        }
    }

    /// Schedules the next attempt.
    fn retry_later(&mut self) {
        let Some(stuck) = &mut self.state.stuck else { return };
        let (wait, work) = (stuck.wait, self.config_edits.work.clone());
        stuck.wait = (wait * 2).min(LATE);
        // If no thread can be started, the next attempt happens when another process writes.
        let _ = std::thread::Builder::new().name("retry".to_owned()).spawn(move || {
            std::thread::sleep(wait);
            if let Some(work) = work.upgrade() {
                let _ = work.blocking_send(LedgerMessage::Retry);
            }
        });
    }

    /// Called after the ledger was reopened. Reads missing calls from the logs again.
    pub(super) fn start_over(&mut self, error: &LedgerError, notes: &[crate::ledger::Note]) {
        let words: Vec<String> = notes.iter().map(ToString::to_string).collect();
        let words = if words.is_empty() { error.to_string() } else { words.join("; ") };
        self.tell(EngineEvent::Note(Note::new(Tone::Warning, &format!("{words}; the logs are read again"))));
        self.health.ledger_is(self.books.view());
        self.state.stuck = None;
        self.books.retry_soon(false);
        self.state.caught_up = false;
        let _ = self.reader.send(Control::Restart(self.books.files().unwrap_or_default()));
        self.tell_health();
    }

    /// Retries the failed writes.
    pub(super) fn retry(&mut self) {
        if self.state.stuck.is_none() {
            return;
        }
        let booked = self.reopen_wanted().and_then(|()| self.books.flush());
        tracing::debug!(held = self.books.unbooked(), written = booked.is_ok(), "write tried again");
        match booked {
            Ok(()) => {
                self.state.stuck = None;
                self.books.retry_soon(false);
                self.health.ledger_is(self.books.view());
                self.tell(EngineEvent::Note(Note::new(Tone::Plain, "the ledger can be written again")));
                if std::mem::take(&mut self.state.behind) {
                    self.state.caught_up = false;
                    let _ = self.reader.send(Control::Restart(self.books.files().unwrap_or_default()));
                }
                self.open_again();
                self.tell_health();
            }
            Err(error) => {
                if !self.failed(&error) {
                    self.retry_later();
                }
            }
        }
    }

    /// Opens the ledger that could not be opened at the start.
    pub(super) fn reopen_wanted(&mut self) -> Result<(), LedgerError> {
        for note in self.books.reopen_wanted()? {
            self.tell(EngineEvent::Note(Note::new(Tone::Warning, &note.to_string())));
        }
        Ok(())
    }

    /// Recovers calls that are in no log from a damaged ledger, once all logs have been read.
    pub(super) fn salvage(&mut self) {
        if self.state.stuck.is_some() || !self.books.to_salvage() {
            return;
        }
        match self.books.salvage() {
            Ok(salvaged) => {
                if let Some(salvaged) = &salvaged {
                    self.tell(EngineEvent::Note(Note::new(Tone::Warning, &salvaged_words(salvaged))));
                    self.health.lost(self.books.lost());
                    self.tell_health();
                }
                self.open_again();
            }
            Err(error) => _ = self.failed(&error),
        }
    }
}

/// Describes the calls that were and were not recovered from a damaged ledger.
pub(crate) fn salvaged_words(salvaged: &Salvaged) -> String {
    let from = Label::from_path(&salvaged.from);
    let mut words = match salvaged.calls {
        0 => format!("no call had to be recovered from {from}"),
        calls => format!("{} that no log holds any more recovered from {from}", crate::text::plural(calls, "call")),
    };
    if salvaged.lost > 0 {
        let lost = crate::text::plural(salvaged.lost, "call");
        words = format!("{words}; {lost} in it cannot be read, and only those whose logs are still there are counted");
    } else if salvaged.unsure {
        words += "; parts of it cannot be read, and of those only the calls whose logs are still there are counted";
    }
    words
}
