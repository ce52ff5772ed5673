//! The thread that owns the ledger: it writes batches, answers requests and updates the screen.

mod admission;
mod booking;
mod delivery;
mod elsewhere;
mod models;
mod stuck;

pub(crate) use stuck::salvaged_words;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, watch};

use super::admissions::Policy;
use super::admissions::admission_ledger::AdmissionLedger;
use super::any_ledger::AnyLedger;
use super::config_edits::ConfigEdits;
use super::health::HealthState;
use super::inbox::{Inbox, Item, LedgerMessage};
use super::lifecycle::{Lifecycle, can_wait};
use super::log_reader::Control;
use crate::config::Env;
use crate::domain::Label;
use crate::engine::{EngineEvent, Explained, LedgerView, Note, Progress, Request, Tone};
use crate::ingest::{Content, Delivery, Event};
use crate::ledger::Ledger;
use crate::meter::{Follow, Recent, Rules, Snapshot};
use crate::pricing::PriceBook;

/// Interval between progress updates during the first read.
const PROGRESS_INTERVAL: chrono::Duration = chrono::Duration::milliseconds(200);

/// State of the ledger thread.
pub(crate) struct LedgerThread {
    pub(crate) books: AnyLedger,
    /// The ledger's price book.
    pub(crate) prices: Arc<PriceBook>,
    /// The rules of the screen's meter.
    pub(crate) rules: Rules,
    /// The session that the screen follows.
    pub(crate) follow: Follow,
    pub(crate) health: HealthState,
    /// Channel to the screen.
    pub(crate) feed: mpsc::Sender<EngineEvent>,
    pub(crate) env: Env,
    /// Handles requests that do not touch the ledger's rows.
    pub(crate) config_edits: ConfigEdits,
    /// Channel to the log reader.
    pub(crate) reader: mpsc::UnboundedSender<Control>,
    /// Incremented with every change of the numbers, for interfaces that watch it.
    pub(crate) revision: watch::Sender<u64>,
    /// A summary of the limits, for servers.
    pub(crate) policy: watch::Sender<Policy>,
    /// The proxy's own connection to the ledger.
    pub(crate) second_books: Arc<AdmissionLedger>,
    /// Lifecycle flags shared with the main thread.
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// State of the metrics.
    pub(crate) scrape: RefCell<super::Scrape>,
    /// State kept between messages.
    pub(crate) state: State,
}

/// State kept between messages.
#[derive(Default)]
pub(crate) struct State {
    /// True once everything that existed at the start has been read.
    caught_up: bool,
    /// True when calls have been added in bulk since the last query for models without a price.
    absorbed: bool,
    /// True when calls that are in no log have been added and may not be written yet.
    unread_again: bool,
    /// True when standard input has ended. The screen is notified once everything has been read.
    input_ended: bool,
    /// Time of the last progress update.
    told: Option<crate::domain::Instant>,
    began: Option<crate::domain::Instant>,
    /// Set while writes fail and calls are buffered in memory.
    stuck: Option<stuck::Stuck>,
    /// The calls of the last hours, kept from the last snapshot.
    recent: RefCell<Recent>,
    /// True when batches were dropped because too many calls are buffered. They are read again later.
    behind: bool,
    /// True while a thread is about to send [`LedgerMessage::Look`], because the proxy wrote and another process may
    /// have, too.
    is_to_look: bool,
}

impl LedgerThread {
    /// Handles messages until it is stopped or there are no senders left.
    pub(crate) fn run(mut self, mut inbox: Inbox) {
        if self.books.is_stand_in() {
            self.stuck();
            self.tell_health();
        }
        // It only waits for one of several channels. It needs no clock and no I/O.
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
        while let Some(item) = runtime.block_on(inbox.next()) {
            match item {
                Item::Request(request) => self.request(request),
                Item::Delivery(delivery @ Delivery { content: Content::Export { .. }, .. }) => {
                    self.exports(delivery, &mut inbox);
                }
                Item::Delivery(delivery) => self.delivery(delivery),
                Item::Question(question) => self.question(question),
                Item::Admit(admit) => self.admission(admit),
                Item::Message(LedgerMessage::Stop(done)) => {
                    while let Some(item) = inbox.try_next() {
                        match item {
                            Item::Request(request) => self.request(request),
                            Item::Delivery(delivery) => self.delivery(delivery),
                            // The sender notices that the meter is shutting down.
                            Item::Question(_) | Item::Admit(_) | Item::Message(_) => {}
                        }
                    }
                    self.stop(&done);
                    return;
                }
                Item::Message(message) => self.message(message, &mut inbox),
            }
        }
    }

    fn message(&mut self, message: LedgerMessage, inbox: &mut Inbox) {
        if self.config_edits.deliveries.any() {
            let now = self.env.now();
            if let Some(note) = self.config_edits.settle_alerts(&mut self.books, now) {
                self.tell(note);
            }
        }
        match message {
            LedgerMessage::Ingest(event) if self.lifecycle.ending.load(Ordering::SeqCst) && can_wait(&event) => {}
            LedgerMessage::Ingest(event) => self.event(event, inbox),
            LedgerMessage::Config => self.config(),
            LedgerMessage::Late(text) => self.tell(EngineEvent::Note(Note::new(Tone::Warning, &text))),
            LedgerMessage::Ledger => self.look_at_ledger(),
            LedgerMessage::Look => self.look_again(),
            LedgerMessage::Retry => self.retry(),
            LedgerMessage::PendingAlerts => self.pending_alerts(),
            LedgerMessage::Daily => self.daily(),
            LedgerMessage::InputEnded => {
                self.state.input_ended = true;
                self.tell_end_of_input();
            }
            LedgerMessage::BadLine => self.tell_health(),
            // Handled above, and by `run`, because it ends the thread.
            LedgerMessage::AlertSent | LedgerMessage::Stop(_) => {}
        }
    }

    /// Writes what is left and closes the ledger.
    fn stop(mut self, done: &std::sync::mpsc::Sender<()>) {
        self.second_books.set(None);
        let _ = self.reopen_wanted();
        self.config_edits.finish(&mut self.books, self.env.now());
        // An interrupted first read starts again from the checkpoints.
        if self.state.caught_up || self.state.unread_again {
            let _ = self.books.flush();
        }
        self.books.close();
        let _ = done.send(());
    }

    fn event(&mut self, event: Event, inbox: &mut Inbox) {
        match event {
            Event::ReadBatches(batches) if self.state.caught_up => self.batches(batches, inbox),
            Event::ReadBatches(batches) => batches.into_iter().for_each(|batch| self.absorb(batch)),
            Event::Progress(progress) if !self.state.caught_up => self.progress(progress),
            Event::Progress(_) => {}
            Event::Health(health) => {
                self.health.lost(self.books.lost());
                self.health.sources(&health);
                self.tell_health();
            }
            Event::CaughtUp => {
                self.state.caught_up = true;
                self.lifecycle.caught_up.store(true, Ordering::SeqCst);
                self.open_again();
                self.salvage();
                // Bulk batches are not searched for models without a price, so query the ledger.
                if std::mem::take(&mut self.state.absorbed)
                    && let Ok(models) = super::health::unpriced(&self.books)
                {
                    self.health.unpriced(models);
                }
                self.tell(EngineEvent::Progress(None));
                self.tell_health();
                self.tell_end_of_input();
                self.daily();
                // No event may follow a replacement during the reading.
                self.handle_displaced();
            }
        }
    }

    fn tell_end_of_input(&mut self) {
        if self.state.caught_up && std::mem::take(&mut self.state.input_ended) {
            self.tell(EngineEvent::Ended);
        }
    }

    /// Sends the progress of the first read, and the numbers so far, to the screen.
    fn progress(&mut self, progress: crate::ingest::Progress) {
        let now = self.env.now();
        let began = *self.state.began.get_or_insert(now);
        let due = self.state.told.is_none_or(|told| now - told >= PROGRESS_INTERVAL || now < told);
        if !due {
            return;
        }
        self.state.told = Some(now);
        let spent = (now - began).num_milliseconds();
        let ahead = progress.bytes.saturating_sub(progress.bytes_done);
        let left = i64::try_from(
            u128::from(ahead) * u128::from(spent.unsigned_abs()) / u128::from(progress.bytes_done.max(1)),
        );
        self.tell(EngineEvent::Progress(Some(Progress {
            files_done: progress.files_done,
            files: progress.files,
            bytes_done: progress.bytes_done,
            bytes: progress.bytes,
            left: left.ok().and_then(chrono::Duration::try_milliseconds).filter(|_| spent > 300),
        })));
        self.open_again();
    }

    /// Delivers alerts that another process has claimed and might not have delivered.
    fn pending_alerts(&mut self) {
        let now = self.env.now();
        for news in self.config_edits.deliver_pending(&mut self.books, now) {
            self.tell(news);
        }
    }

    /// Sends a complete snapshot of the ledger to the screen.
    fn open_again(&mut self) {
        let now = self.env.now();
        // Failed writes are retried by a timer, not with every query.
        if self.state.stuck.is_none()
            && let Err(error) = self.books.flush()
            && self.failed(&error)
        {
            return;
        }
        let recent = self.state.recent.get_mut();
        match Snapshot::ask_again(&self.books, &self.rules, &self.follow, now, recent) {
            Ok(snapshot) => self.tell(EngineEvent::Snapshot(Box::new(snapshot))),
            Err(error) => _ = self.failed(&error),
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Snapshot(follow) => {
                self.follow = follow;
                self.open_again();
            }
            Request::History(query) => match self.books.report(&query) {
                Ok(report) => self.tell(EngineEvent::Answer(Box::new(report))),
                Err(error) => self.tell(EngineEvent::Note(Note::new(Tone::Danger, &error.to_string()))),
            },
            Request::Models => {
                let models = self.models();
                self.tell(EngineEvent::Models(models));
            }
            Request::Explain(key) => {
                let lines = match self.books.call(key) {
                    Ok(Some(row)) => self.config_edits.explanation(&row, &self.prices),
                    Ok(None) => vec![Label::new("the ledger no longer has this call")],
                    Err(error) => vec![Label::new(&error.to_string())],
                };
                self.tell(EngineEvent::Explained(Box::new(Explained { key, lines })));
            }
            Request::Demo => self.demo(),
            Request::Pace(frame) => _ = self.reader.send(Control::Pace(frame)),
            request @ (Request::SetLimit { .. }
            | Request::UnsetLimit { .. }
            | Request::Alert(_)
            | Request::SaveView { .. }
            | Request::Theme(_)) => {
                let now = self.env.now();
                for news in self.config_edits.ask(request, &mut self.books, now) {
                    self.tell(news);
                }
            }
        }
    }

    /// Plays the demo on a ledger of its own. Invented calls are never booked.
    fn demo(&mut self) {
        self.second_books.set(None);
        std::mem::replace(&mut self.books, AnyLedger::memory(&self.prices)).close();
        if self.health.ledger_became(&self.books.view()) {
            self.tell_health();
        }
        let settings = self.config_edits.demo_settings(&self.rules);
        self.rules.clone_from(&settings.rules);
        self.tell(EngineEvent::Settings(Box::new(settings)));
        let now = self.env.now();
        for news in self.config_edits.ask(Request::Demo, &mut self.books, now) {
            self.tell(news);
        }
    }

    fn config(&mut self) {
        let before = self.config_edits.settings.clone();
        let reloaded = self.config_edits.reload(&self.rules);
        if self.health.config_is(reloaded.as_ref().err().cloned()) {
            self.tell_health();
        }
        match reloaded {
            Ok(None) => {}
            Ok(Some(settings)) => {
                self.rules.clone_from(&settings.rules);
                self.tell_policy();
                self.tell(EngineEvent::Settings(Box::new(settings)));
                if let Some(late) = self.config_edits.waits_for_next_start(&before) {
                    self.tell(EngineEvent::Note(Note::new(Tone::Warning, &late)));
                }
                self.daily();
            }
            Err(trouble) => self.tell(EngineEvent::Note(Note::new(Tone::Danger, &trouble))),
        }
    }

    /// Sends the previous day's digest if it is due. Only the ledger has the whole day and knows who has sent it.
    fn daily(&mut self) {
        if !self.state.caught_up || !matches!(self.books.view(), LedgerView::Open(_)) {
            return;
        }
        let (unread_files, now) = (self.health.unread_files(), self.env.now());
        let told = self.config_edits.look_at_daily(&mut self.books, unread_files, now);
        if let Some(news) = told {
            self.tell(news);
        }
    }

    fn tell_health(&mut self) {
        let view = self.health.view(&self.prices, self.env.now());
        self.tell(EngineEvent::Health(Box::new(view)));
    }

    /// Sends a message to the screen. Blocks if the screen is slow rather than dropping it.
    fn tell(&self, news: EngineEvent) {
        if matches!(
            news,
            EngineEvent::Changes(_)
                | EngineEvent::Snapshot(_)
                | EngineEvent::Statuses(_)
                | EngineEvent::Health(_)
                | EngineEvent::Settings(_)
        ) {
            self.revision.send_modify(|revision| *revision += 1);
        }
        let _ = self.feed.blocking_send(news);
    }
}

#[cfg(test)]
mod tests;
