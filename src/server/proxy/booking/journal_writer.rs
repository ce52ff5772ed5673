//! Counts a finished call, writes it to the journal and passes it on to be booked.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Finished, Gaps, IDLE, ToBook, keep};
use crate::domain::{Call, Fidelity, HoldId};
use crate::server::proxy::count::{self, About, FirstSeen};
use crate::server::proxy::journal::Journal;
use crate::server::proxy::response_reader::Seen;
use crate::server::proxy::upstream_quirks::UpstreamQuirks;

/// Duration of a write that means the disk is slow, and for how long it is then treated as slow.
const SLOW: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// Maximum number of amounts that wait to be released while booking is behind.
const MOST_HELD: usize = 100_000;

/// Keeps finished calls until they have been booked.
pub(super) struct JournalWriter {
    journal: Option<Journal>,
    /// Full journals, each with the number of calls that must have been booked before it is removed.
    full: Vec<(Journal, u64)>,
    /// The data folder and the spool in it, if there is one.
    folder: Option<(PathBuf, PathBuf)>,
    /// When the last attempt was made to open the journal.
    tried: Option<Instant>,
    /// Calls that are on disk but have not been passed on.
    to_book: Vec<ToBook>,
    /// Queue to the booking thread.
    waiting: Option<SyncSender<ToBook>>,
    /// Number of calls passed to it, and number that it has booked.
    written: u64,
    booked: watch::Receiver<u64>,
    /// Requests, by the ids of their answers.
    ids: FirstSeen,
    memory: Arc<UpstreamQuirks>,
    gaps: Arc<Gaps>,
    /// The disk was slow. Do not wait for it until this time.
    slow_until: Option<Instant>,
}

impl JournalWriter {
    pub(super) fn new(
        folder: Option<(PathBuf, PathBuf)>,
        waiting: SyncSender<ToBook>,
        booked: watch::Receiver<u64>,
        gaps: Arc<Gaps>,
    ) -> Self {
        Self {
            journal: None,
            full: Vec::new(),
            folder,
            tried: None,
            to_book: Vec::new(),
            waiting: Some(waiting),
            written: 0,
            booked,
            ids: FirstSeen::default(),
            memory: Arc::default(),
            gaps,
            slow_until: None,
        }
    }

    /// Passes the names of answers on to this.
    pub(super) fn teach(&mut self, memory: Arc<UpstreamQuirks>) {
        self.memory = memory;
    }

    /// Opens the journal, unless it is open or was tried a moment ago: the disk may be full at the start.
    pub(super) fn open_journal(&mut self) {
        let Some((folder, spool)) = self.folder.as_ref().filter(|_| self.journal.is_none()) else { return };
        if self.tried.is_none_or(|tried| tried.elapsed() >= IDLE) {
            self.journal = Journal::open(folder, spool).ok();
            self.tried = Some(Instant::now());
        }
    }

    /// True while a thread writes the journal, because the disk is slow and calls must not wait for it.
    pub(super) fn is_slow(&self) -> bool {
        self.slow_until.is_some_and(|until| Instant::now() < until)
    }

    /// Writes a call under way to the journal, counted as if it ended now. Returns false if the disk is slow or full.
    pub(super) fn note(&mut self, seen: &Seen, about: &About, hold: Option<HoldId>) -> bool {
        if self.is_slow() {
            return false;
        }
        // Its id may turn out to be another call's, which only its end decides.
        let mut calls = count::calls(seen, about, &mut FirstSeen::default());
        for call in &mut calls {
            call.latency = None;
        }
        calls.is_empty() || self.write(|journal| journal.begin(&about.id, &calls, hold))
    }

    /// Writes a call to the journal. [`JournalWriter::pass_on`] then passes it on. Returns true if it is the only one
    /// waiting for that.
    pub(super) fn keep(&mut self, finished: Finished) -> bool {
        let to_book = match finished {
            Finished::Answered { seen, about, hold } => {
                let calls = self.counted(&seen, &about);
                self.write(|journal| journal.end(&about.id, &calls, hold));
                ToBook { calls, hold }
            }
            Finished::Nothing { id, hold } => {
                self.write(|journal| journal.end(&id, &[], hold));
                ToBook { calls: Vec::new(), hold }
            }
        };
        let is_anything = !to_book.calls.is_empty() || to_book.hold.is_some();
        if is_anything {
            self.to_book.push(to_book);
        }
        is_anything && self.to_book.len() == 1
    }

    /// Writes to the journal, if there is to be one. Returns false if that failed: the call is booked anyway, and only
    /// a kill would lose it.
    fn write(&mut self, write: impl FnOnce(&mut Journal) -> io::Result<()>) -> bool {
        let Some(journal) = &mut self.journal else { return self.folder.is_none() };
        let began = Instant::now();
        let is_written = write(journal).is_ok();
        self.took(began.elapsed(), Instant::now());
        is_written
    }

    /// Records the duration of a write. After a slow one the disk is not waited for, however fast the next ones are.
    fn took(&mut self, length: Duration, now: Instant) {
        let (most, rest) = SLOW;
        if length >= most {
            self.slow_until = Some(now + rest);
        }
    }

    fn counted(&mut self, seen: &Seen, about: &About) -> Vec<Call> {
        let calls = count::calls(seen, about, &mut self.ids);
        if calls.iter().any(|call| call.fidelity == Fidelity::Guessed) {
            self.gaps.estimated.fetch_add(1, Ordering::Relaxed);
        }
        // What is fetched was asked for before, and each has a path of its own.
        if let Some(answered) = calls.first().and_then(|call| call.model.as_ref()).filter(|_| !about.is_fetch) {
            self.memory.answered_as(about.upstream, &about.asked(), answered);
        }
        calls
    }

    /// Passes calls on to be booked, or to the spool if booking is behind.
    pub(super) fn pass_on(&mut self) {
        let Some(waiting) = &self.waiting else { return };
        let mut held = Vec::new();
        for to_book in self.to_book.drain(..) {
            match waiting.try_send(to_book) {
                Ok(()) => self.written += 1,
                // Only an amount is held, and the spool has no lines for that.
                Err(TrySendError::Full(to_book)) if to_book.calls.is_empty() => held.push(to_book),
                Err(TrySendError::Full(to_book) | TrySendError::Disconnected(to_book)) => {
                    // The holds of these calls end when they are read from the spool.
                    let spool = self.folder.as_ref().map(|(_, spool)| spool);
                    if !keep(spool, std::slice::from_ref(&to_book)) {
                        self.gaps.lost.fetch_add(to_book.calls.len() as u64, Ordering::Relaxed);
                    }
                }
            }
        }
        // An amount that is not released by then lapses.
        held.truncate(MOST_HELD);
        self.to_book = held;
    }

    /// Number of calls passed on so far.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// Writes what could not be written before, begins another journal if this one is long, and removes those whose
    /// calls have all been booked.
    pub(super) fn tidy(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.retry();
        }
        if let (Some(journal), Some((folder, spool))) = (&mut self.journal, &self.folder)
            && journal.is_full()
            && let Ok(next) = journal.followed(folder, spool)
        {
            // Calls that go to the spool instead are not counted, so this may be more than its own.
            let all = self.written + self.to_book.len() as u64;
            self.full.push((std::mem::replace(journal, next), all));
        }
        let (booked, is_idle) = (*self.booked.borrow(), self.to_book.is_empty());
        let is_booked = |all: u64| booked >= all || is_idle && booked == self.written;
        for (journal, _) in self.full.extract_if(.., |(_, all)| is_booked(*all)) {
            journal.remove();
        }
    }

    /// Shuts down in order: no more calls come in, everything is booked, and then the journals are not needed.
    pub(super) fn end(&mut self) {
        self.pass_on();
        self.waiting = None;
        let is_booked = |this: &Self| *this.booked.borrow() >= this.written;
        // Without a booking thread there is nothing to wait for.
        while !is_booked(self) && self.booked.has_changed().is_ok() {
            std::thread::sleep(Duration::from_millis(2));
        }
        // They still contain calls that were kept nowhere else.
        if is_booked(self) && self.gaps.lost.load(Ordering::Relaxed) == 0 {
            let full = self.full.drain(..).map(|(journal, _)| journal);
            full.chain(self.journal.take()).for_each(Journal::remove);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Label;
    use crate::server::proxy::admission::{Defaults, Protocol, Who};
    use crate::server::proxy::facts::Facts;

    #[test]
    fn a_disk_that_was_slow_once_is_not_waited_for_until_the_time_is_over() {
        let (waiting, _books) = std::sync::mpsc::sync_channel(1);
        let mut keeping = JournalWriter::new(None, waiting, watch::channel(0).1, Arc::default());
        let (most, rest) = SLOW;
        keeping.took(most / 2, Instant::now());
        assert!(!keeping.is_slow());
        keeping.took(most, Instant::now());
        keeping.took(most / 2, Instant::now());
        assert!(keeping.is_slow());
        keeping.slow_until = None;
        keeping.took(most, Instant::now().checked_sub(rest).unwrap());
        assert!(!keeping.is_slow());
    }

    #[test]
    fn an_answer_to_a_request_without_a_model_is_remembered_by_its_path_unless_it_was_only_fetched() {
        let at = crate::domain::Instant::default();
        let defaults = Defaults { user: Label::new("alice"), team: None, org: None };
        let about = |path: &str, is_fetch: bool| About {
            protocol: Protocol::Responses,
            upstream: 3,
            path: path.to_owned(),
            id: "c1".to_owned(),
            at,
            latency: Duration::ZERO,
            who: Who::default(),
            facts: Facts::default(),
            bytes: 2,
            idempotency: None,
            request: None,
            defaults: defaults.clone(),
            is_codex: false,
            is_fetch,
        };
        let answer = br#"{"id":"resp_0123456789abcdef","object":"response","model":"gpt-4.1","background":true,
            "status":"completed","usage":{"input_tokens":6,"output_tokens":4,"total_tokens":10}}"#;
        let seen = Seen { usage: [answer.to_vec()].into(), is_whole: true, ..Seen::default() };
        let (waiting, _books) = std::sync::mpsc::sync_channel(1);
        let mut keeping = JournalWriter::new(None, waiting, watch::channel(0).1, Arc::default());
        let mut known = |path: &str, is_fetch: bool| {
            assert_eq!(keeping.counted(&seen, &about(path, is_fetch))[0].tokens.total(), 10);
            keeping.memory.answers_as(3, &Label::new(path), Instant::now())
        };
        assert_eq!(known("/v1/responses", false), Some(Label::new("gpt-4.1")));
        assert_eq!(known("/v1/responses/resp_0123456789abcdef", true), None);
    }

    fn nothing(number: u64) -> Finished {
        Finished::Nothing { id: number.to_string(), hold: Some(HoldId::new(number.into())) }
    }

    #[test]
    fn a_long_journal_is_removed_once_its_calls_are_booked_although_more_come_all_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool.jsonl");
        let (waiting, _books) = std::sync::mpsc::sync_channel(10);
        let (booked, reads) = watch::channel(0);
        let mut keeping = JournalWriter::new(Some((folder.path().to_owned(), spool)), waiting, reads, Arc::default());
        keeping.open_journal();
        let journals = || crate::config::journals(folder.path()).len();
        for number in 1..=3 {
            keeping.journal.as_mut().unwrap().fill();
            keeping.keep(nothing(number));
            keeping.tidy();
            assert_eq!((journals(), keeping.full.len()), (2, 1), "{number}");
            // One is always waiting to be booked.
            keeping.pass_on();
            keeping.keep(nothing(number + 10));
            booked.send(keeping.written()).unwrap();
            keeping.tidy();
            assert_eq!((journals(), keeping.full.len()), (1, 0), "{number}");
            keeping.pass_on();
        }
        // What never was booked stays on disk.
        drop(booked);
        keeping.end();
        assert_eq!(journals(), 1);
    }

    #[test]
    fn an_amount_is_released_later_when_booking_is_behind() {
        let (waiting, books) = std::sync::mpsc::sync_channel(1);
        let mut keeping = JournalWriter::new(None, waiting, watch::channel(0).1, Arc::default());
        for number in 1..=3 {
            keeping.keep(nothing(number));
        }
        let mut released = Vec::new();
        for _ in 0..3 {
            keeping.pass_on();
            released.extend(books.try_iter().map(|to_book| to_book.hold));
        }
        assert_eq!(released, [1, 2, 3].map(|number| Some(HoldId::new(number))));
    }
}
