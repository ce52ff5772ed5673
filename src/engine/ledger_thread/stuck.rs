//! The ledger thread while the books cannot be written, and when they are damaged: nothing read is left uncounted, and nothing
//! counted is left unbooked for longer than need be.

use std::time::Duration;

use super::{LedgerMessage, LedgerThread};
use crate::domain::Label;
use crate::engine::log_reader::Control;
use crate::engine::{Feed, Note, Tone};
use crate::ledger::{Batch, BooksError, Ledger, Salvaged};

/// The books cannot be written.
pub(super) struct Stuck {
    /// How long the next attempt is waited for.
    wait: Duration,
}

/// How many calls may wait to be booked. What comes after them is read again once they are.
const MOST_HELD: usize = 1_000_000;
/// How soon it is tried again to write, at first and at most.
const SOON: Duration = Duration::from_millis(250);
const LATE: Duration = Duration::from_secs(4);

impl LedgerThread {
    /// Counts what cannot be booked, and keeps it until it can.
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

    /// True when so much waits to be booked that memory would grow without end.
    pub(super) fn is_full(&self) -> bool {
        self.state.stuck.is_some() && self.books.unbooked() >= MOST_HELD
    }

    /// Drops a batch. It is read again from the logs, since its offsets are not booked either.
    pub(super) fn leave_out(&mut self) {
        if !std::mem::replace(&mut self.state.behind, true) {
            let text = "too many calls wait to be booked; what comes now is counted once they are";
            self.tell(Feed::Note(Note::new(Tone::Danger, text)));
        }
    }

    /// The books failed. True when they were mended, and all logs are read again; else what is read is held in memory
    /// and booked later, and the screen gets one message.
    pub(super) fn failed(&mut self, error: &BooksError) -> bool {
        if let Some(notes) = self.books.mend(error, &self.prices, self.env.now()) {
            self.start_over(error, &notes);
            return true;
        }
        if self.health.ledger_failed(error) {
            self.tell(Feed::Note(Note::new(Tone::Danger, &error.to_string())));
            self.tell_health();
        }
        self.stuck();
        false
    }

    /// The books cannot be written now.
    pub(super) fn stuck(&mut self) {
        if self.state.stuck.is_none() {
            self.state.stuck = Some(Stuck { wait: SOON });
            self.books.hurry(true);
            self.retry_later();
        }
    }

    /// Schedules the next attempt.
    fn retry_later(&mut self) {
        let Some(stuck) = &mut self.state.stuck else { return };
        let (wait, work) = (stuck.wait, self.config_edits.work.clone());
        stuck.wait = (wait * 2).min(LATE);
        // Without a thread it is tried again when another process has written.
        let _ = std::thread::Builder::new().name("retry".to_owned()).spawn(move || {
            std::thread::sleep(wait);
            if let Some(work) = work.upgrade() {
                let _ = work.blocking_send(LedgerMessage::Retry);
            }
        });
    }

    /// The ledger was opened again: what it lacks is read again from the logs.
    pub(super) fn start_over(&mut self, error: &BooksError, notes: &[crate::ledger::Note]) {
        let words: Vec<String> = notes.iter().map(ToString::to_string).collect();
        let words = if words.is_empty() { error.to_string() } else { words.join("; ") };
        self.tell(Feed::Note(Note::new(Tone::Warning, &format!("{words}; the logs are read again"))));
        self.health.ledger_is(self.books.view());
        self.state.stuck = None;
        self.books.hurry(false);
        self.state.caught_up = false;
        let _ = self.reader.send(Control::Restart(self.books.files().unwrap_or_default()));
        self.tell_health();
    }

    /// Tries to book what could not be booked before.
    pub(super) fn retry(&mut self) {
        if self.state.stuck.is_none() {
            return;
        }
        let booked = self.come_home().and_then(|()| self.books.flush());
        match booked {
            Ok(()) => {
                self.state.stuck = None;
                self.books.hurry(false);
                self.health.ledger_is(self.books.view());
                self.tell(Feed::Note(Note::new(Tone::Plain, "the ledger is written again")));
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

    /// Opens the ledger that could not be opened at start.
    pub(super) fn come_home(&mut self) -> Result<(), BooksError> {
        for note in self.books.come_home()? {
            self.tell(Feed::Note(Note::new(Tone::Warning, &note.to_string())));
        }
        Ok(())
    }

    /// Takes over from a damaged ledger what no log holds any more, once all of them are read.
    pub(super) fn salvage(&mut self) {
        if self.state.stuck.is_some() || !self.books.to_salvage() {
            return;
        }
        match self.books.salvage() {
            Ok(salvaged) => {
                if let Some(salvaged) = &salvaged {
                    self.tell(Feed::Note(Note::new(Tone::Warning, &salvaged_words(salvaged))));
                }
                self.open_again();
            }
            Err(error) => _ = self.failed(&error),
        }
    }
}

/// Sentence about the calls that were, and were not, taken over from a damaged ledger.
pub(crate) fn salvaged_words(salvaged: &Salvaged) -> String {
    let from = Label::from_bytes(salvaged.from.as_os_str().as_encoded_bytes());
    let mut words = match salvaged.calls {
        0 => format!("no call had to be taken over from {from}"),
        calls => format!("{} that no log holds any more taken over from {from}", crate::text::plural(calls, "call")),
    };
    if salvaged.lost > 0 {
        let lost = crate::text::plural(salvaged.lost, "call");
        words = format!("{words}; {lost} in it cannot be read, and only those whose logs are still there are counted");
    } else if salvaged.unsure {
        words += "; parts of it cannot be read, and of those only the calls whose logs are still there are counted";
    }
    words
}
