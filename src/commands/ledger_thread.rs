//! The thread that owns the ledger while the screen is open: it writes what is read,
//! answers questions, and tells the screen.

mod models;
mod stuck;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::any_ledger::AnyLedger;
use super::catch_up;
use super::config_edits::ConfigEdits;
use super::health::HealthState;
use super::lifecycle::{Lifecycle, can_wait};
use super::log_reader::Control;
use crate::config::Env;
use crate::domain::Label;
use crate::ingest::{Event, ReadBatch};
use crate::ledger::{Batch, Change, Ledger};
use crate::meter::{Follow, Rules, Snapshot};
use crate::pricing::PriceBook;
use crate::tui::{Feed, Note, Progress, Request, Tone};

#[cfg(unix)]
use crate::ingest::socket::{Delivery, Reply, Said};

/// How many messages may wait for the ledger thread, or for the screen.
pub(super) const QUEUE: usize = 256;
/// While much is read at start, the screen is told this often what is known so far.
const TELL_EVERY: chrono::Duration = chrono::Duration::milliseconds(200);

/// What the ledger thread is told.
pub(super) enum LedgerMessage {
    /// The reader has something.
    Ingest(Event),
    /// The screen asks.
    Ask(Request),
    /// A connection of the socket has something.
    #[cfg(unix)]
    Socket(Delivery),
    /// The config has changed on disk.
    Config,
    /// Another process may have written to the ledger.
    Ledger,
    /// It is time to try again to book what could not be booked.
    Retry,
    /// The socket got a line that could not be counted.
    BadLine,
    /// Something went wrong after an alert was sent off.
    Late(String),
    /// Standard input has ended, and nothing else is followed.
    InputEnded,
    /// The end: everything before it is done first, except what can be read again from the logs.
    Stop(std::sync::mpsc::Sender<()>),
}

/// The ledger thread.
pub(super) struct LedgerThread {
    /// The books.
    pub(super) books: AnyLedger,
    /// What they are priced with.
    pub(super) prices: Arc<PriceBook>,
    /// What the screen counts by.
    pub(super) rules: Rules,
    /// What the screen follows.
    pub(super) follow: Follow,
    /// How everything is.
    pub(super) health: HealthState,
    /// To the screen.
    pub(super) feed: mpsc::Sender<Feed>,
    /// The machine.
    pub(super) env: Env,
    /// What is asked that is not about the books.
    pub(super) config_edits: ConfigEdits,
    /// To the reader of the logs.
    pub(super) reader: mpsc::UnboundedSender<Control>,
    /// How far the program has come.
    pub(super) course: Arc<Lifecycle>,
    /// Everything else the ledger thread remembers.
    pub(super) state: State,
}

/// What the ledger thread remembers between messages.
#[derive(Default)]
pub(super) struct State {
    /// True once everything that was there at start has been read.
    caught_up: bool,
    /// True when calls were taken in bulk since the models without a price were last asked for.
    absorbed: bool,
    /// True when something was taken in that no log holds, and that may not have been booked yet.
    unread_again: bool,
    /// Standard input has ended, which the screen learns once everything is read.
    input_ended: bool,
    /// When the screen was last told how the reading at start goes, and when it began.
    told: Option<crate::domain::Instant>,
    began: Option<crate::domain::Instant>,
    /// Set while calls that were read cannot be booked and are held in memory.
    stuck: Option<stuck::Stuck>,
    /// Some was left out, because too much waits to be booked, and is read again later.
    behind: bool,
}

impl LedgerThread {
    /// Works until told to stop, or until nobody is left to tell it anything.
    pub(super) fn run(mut self, mut work: mpsc::Receiver<LedgerMessage>) {
        if self.books.is_away() {
            self.stuck();
            self.tell_health();
        }
        while let Some(item) = work.blocking_recv() {
            match item {
                LedgerMessage::Ingest(event) if self.course.ending.load(Ordering::SeqCst) && can_wait(&event) => {}
                LedgerMessage::Ingest(event) => self.event(event),
                #[cfg(unix)]
                LedgerMessage::Socket(delivery) => self.delivery(delivery),
                LedgerMessage::Ask(request) => self.request(request),
                LedgerMessage::Config => self.config(),
                LedgerMessage::Late(text) => self.tell(Feed::Note(Note::new(Tone::Warning, &text))),
                LedgerMessage::Ledger => self.look_at_ledger(),
                LedgerMessage::Retry => self.retry(),
                LedgerMessage::InputEnded => {
                    self.state.input_ended = true;
                    self.tell_end_of_input();
                }
                LedgerMessage::BadLine => self.tell_health(),
                LedgerMessage::Stop(done) => {
                    let _ = self.come_home();
                    // A first reading that was broken off begins again from what is booked.
                    if self.state.caught_up || self.state.unread_again {
                        let _ = self.books.flush();
                    }
                    self.books.close();
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::ReadBatch(batch) => self.batch(*batch),
            Event::Progress(progress) if !self.state.caught_up => self.progress(progress),
            Event::Progress(_) => {}
            Event::Health(health) => {
                self.health.sources(&health);
                self.tell_health();
            }
            Event::CaughtUp => {
                self.state.caught_up = true;
                self.course.caught_up.store(true, Ordering::SeqCst);
                self.open_again();
                self.salvage();
                // What was taken in bulk was not looked through for models without a price.
                if std::mem::take(&mut self.state.absorbed)
                    && let Ok(models) = catch_up::unpriced(&self.books)
                {
                    self.health.unpriced(models);
                }
                self.tell(Feed::Progress(None));
                self.tell_health();
                self.tell_end_of_input();
            }
        }
    }

    fn tell_end_of_input(&mut self) {
        if self.state.caught_up && std::mem::take(&mut self.state.input_ended) {
            self.tell(Feed::Ended);
        }
    }

    /// Tells the screen how far the reading at start is, and what is known so far.
    fn progress(&mut self, progress: crate::ingest::Progress) {
        let now = self.env.now();
        let began = *self.state.began.get_or_insert(now);
        let due = self.state.told.is_none_or(|told| now - told >= TELL_EVERY || now < told);
        if !due {
            return;
        }
        self.state.told = Some(now);
        let spent = (now - began).num_milliseconds();
        let ahead = progress.bytes.saturating_sub(progress.bytes_done);
        let left = i64::try_from(
            u128::from(ahead) * u128::from(spent.unsigned_abs()) / u128::from(progress.bytes_done.max(1)),
        );
        self.tell(Feed::Progress(Some(Progress {
            files_done: progress.files_done,
            files: progress.files,
            bytes_done: progress.bytes_done,
            bytes: progress.bytes,
            left: left.ok().and_then(chrono::Duration::try_milliseconds).filter(|_| spent > 300),
        })));
        self.open_again();
    }

    fn batch(&mut self, batch: ReadBatch) {
        let troubled = self.health.batch(&batch);
        self.state.unread_again |= batch.file.is_none();
        let posting = Batch::from(batch);
        if self.state.caught_up {
            self.post(&posting);
        } else {
            self.state.absorbed = true;
            if self.is_full() {
                self.leave_out();
            } else if let Err(error) = self.books.absorb(&posting) {
                self.failed(&error);
            }
        }
        if troubled {
            self.tell_health();
        }
    }

    /// Books, and tells the screen what changed.
    fn post(&mut self, posting: &Batch) {
        if self.state.stuck.is_some() {
            // One after the other: a later offset must never be booked before the rows of an earlier one.
            self.hold(posting);
            return;
        }
        match self.books.post(posting) {
            Ok(posted) => {
                // What we take for a repetition, another process may have booked before us.
                if posted.contains(&Change::Repeat) && self.books.changed_elsewhere() {
                    self.open_again();
                } else {
                    self.tell_changes(posted);
                }
            }
            Err(error) => {
                if !self.failed(&error) {
                    self.hold(posting);
                }
            }
        }
    }

    fn tell_changes(&mut self, posted: Vec<Change>) {
        if posted.iter().any(|posted| *posted != Change::Repeat) {
            if self.health.booked(&posted) {
                self.tell_health();
            }
            self.tell(Feed::Changes(posted));
        }
    }

    fn look_at_ledger(&mut self) {
        if self.state.caught_up && self.books.changed_elsewhere() {
            self.open_again();
            if self.state.stuck.is_none() && self.health.ledger_became(&self.books.view()) {
                self.tell_health();
            }
        }
    }

    /// Tells the screen what the books say as a whole.
    fn open_again(&mut self) {
        let now = self.env.now();
        // What cannot be booked is tried again by and by, not with every question.
        if self.state.stuck.is_none()
            && let Err(error) = self.books.flush()
            && self.failed(&error)
        {
            return;
        }
        match Snapshot::ask(&self.books, &self.rules, &self.follow, now) {
            Ok(snapshot) => self.tell(Feed::Snapshot(Box::new(snapshot))),
            Err(error) => _ = self.failed(&error),
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Snapshot { rules, follow } => {
                (self.rules, self.follow) = (*rules, follow);
                self.open_again();
            }
            Request::History(query) => match self.books.report(&query) {
                Ok(report) => self.tell(Feed::Answer(Box::new(report))),
                Err(error) => self.tell(Feed::Note(Note::new(Tone::Danger, &error.to_string()))),
            },
            Request::Models => {
                let models = self.models();
                self.tell(Feed::Models(models));
            }
            request @ (Request::SetLimit { .. }
            | Request::UnsetLimit { .. }
            | Request::Alert(_)
            | Request::Demo
            | Request::Theme(_)) => {
                let now = self.env.now();
                for news in self.config_edits.ask(request, &mut self.books, now) {
                    self.tell(news);
                }
            }
        }
    }

    fn config(&mut self) {
        if let Some(news) = self.config_edits.reload(&self.rules) {
            if let Feed::Settings(settings) = &news {
                self.rules.clone_from(&settings.rules);
            }
            self.tell(news);
        }
    }

    #[cfg(unix)]
    fn delivery(&mut self, delivery: Delivery) {
        if let Said::Records(records) = &delivery.said {
            self.health.delivered(records);
        }
        let reply = match delivery.said {
            Said::Query(question) => {
                let warning = self.health.doubt();
                let (warning, now) = (warning.as_deref(), self.env.now());
                let own = self.health.answer(&question);
                let answer = || self.config_edits.query(&question, &self.books, &self.rules, warning, now);
                Reply::Json(own.unwrap_or_else(answer))
            }
            Said::Records(records) => self.take_records(records),
        };
        let _ = delivery.reply.send(reply);
    }

    /// Books calls from the socket. A call that cannot be booked now is refused, since no log holds it: the sender keeps
    /// it.
    #[cfg(unix)]
    fn take_records(&mut self, records: Vec<crate::domain::Record>) -> Reply {
        let posting = Batch { records, files: Vec::new() };
        let not_booked = |why: &dyn std::fmt::Display| {
            Reply::Error(Label::new(&format!("the call was neither counted nor booked, send it again: {why}")))
        };
        if let Some(why) = self.health.not_booked().filter(|_| self.state.stuck.is_some()) {
            return not_booked(why);
        }
        match self.books.post(&posting) {
            Ok(posted) => {
                let reply = reply_of(&posted);
                self.tell_changes(posted);
                reply
            }
            Err(error) => {
                self.failed(&error);
                not_booked(&error)
            }
        }
    }

    fn tell_health(&mut self) {
        let view = self.health.view(&self.prices, self.env.now());
        self.tell(Feed::Health(Box::new(view)));
    }

    /// The screen may be slow; the books wait for it rather than forget to tell it.
    fn tell(&self, news: Feed) {
        let _ = self.feed.blocking_send(news);
    }
}

#[cfg(unix)]
fn reply_of(posted: &[Change]) -> Reply {
    let booked = posted.iter().find_map(|posted| match posted {
        Change::New(change) | Change::Grown(change) => Some(&change.after),
        Change::Moved(_) | Change::Gone(_) | Change::Repeat => None,
    });
    booked.map_or(Reply::Repeat, |row| Reply::Booked {
        key: row.call.key,
        cost: row.cost.usd(),
        fidelity: row.call.fidelity,
    })
}
