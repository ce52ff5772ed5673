//! The keeper of the books while the screen is open: one thread that owns them, posts what is read,
//! answers questions, and tells the screen.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::aside::Aside;
use super::books;
use super::health::HealthDesk;
use super::reading::Control;
use super::shelf::Shelf;
use crate::config::World;
use crate::domain::{Dimension, Label, Tokens, Usd};
use crate::ingest::{Batch, Event};
use crate::ledger::{BooksError, Grain, Ledger, Posted, Posting, Query};
use crate::meter::{Follow, Opening, Rules};
use crate::pricing::{PriceBook, Rates};
use crate::tui::{Feed, ModelView, Note, Progress, Request, Tone};

#[cfg(unix)]
use crate::ingest::socket::{Delivery, Reply, Said};

/// How many messages may wait for the keeper, or for the screen.
pub(super) const QUEUE: usize = 256;
/// While much is read at start, the screen is told this often what is known so far.
const TELL_EVERY: chrono::Duration = chrono::Duration::milliseconds(200);

/// What the keeper is told.
pub(super) enum Work {
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
    /// The socket got a line that could not be counted.
    BadLine,
    /// Something went wrong after an alert was sent off.
    Late(String),
    /// The end: everything told before is done first.
    Stop(oneshot::Sender<()>),
}

/// The keeper.
pub(super) struct Keeper {
    /// The books.
    pub(super) books: Shelf,
    /// What they are priced with.
    pub(super) prices: Arc<PriceBook>,
    /// What the screen counts by.
    pub(super) rules: Rules,
    /// What the screen follows.
    pub(super) follow: Follow,
    /// How everything is.
    pub(super) health: HealthDesk,
    /// To the screen.
    pub(super) feed: mpsc::Sender<Feed>,
    /// The machine.
    pub(super) world: World,
    /// What is asked that is not about the books.
    pub(super) aside: Aside,
    /// To the reader of the logs.
    pub(super) reader: mpsc::UnboundedSender<Control>,
    /// Everything else the keeper remembers.
    pub(super) state: State,
}

/// What the keeper remembers between messages.
#[derive(Default)]
pub(super) struct State {
    /// True once everything that was there at start has been read.
    caught_up: bool,
    /// True when calls were taken in bulk since the models without a price were last asked for.
    absorbed: bool,
    /// When the screen was last told how the reading at start goes, and when it began.
    told: Option<crate::domain::Instant>,
    began: Option<crate::domain::Instant>,
    /// Postings that could not be booked, to be tried again.
    waiting: Vec<Posting>,
}

impl Keeper {
    /// Works until told to stop, or until nobody is left to tell it anything.
    pub(super) fn run(mut self, mut work: mpsc::Receiver<Work>) {
        while let Some(item) = work.blocking_recv() {
            match item {
                Work::Ingest(event) => self.event(event),
                #[cfg(unix)]
                Work::Socket(delivery) => self.delivery(delivery),
                Work::Ask(request) => self.request(request),
                Work::Config => self.config(),
                Work::Late(text) => self.tell(Feed::Note(Note::new(Tone::Warning, &text))),
                Work::Ledger => self.look_at_ledger(),
                Work::BadLine => self.tell_health(),
                Work::Stop(done) => {
                    self.retry();
                    let _ = self.books.flush();
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Batch(batch) => self.batch(*batch),
            Event::Progress(progress) if !self.state.caught_up => self.progress(progress),
            Event::Progress(_) => {}
            Event::Health(health) => {
                self.health.sources(&health);
                self.tell_health();
            }
            Event::CaughtUp => {
                self.state.caught_up = true;
                self.open_again();
                // What was taken in bulk was not looked through for models without a price.
                if std::mem::take(&mut self.state.absorbed)
                    && let Ok(models) = books::unpriced(&self.books)
                {
                    self.health.unpriced(models);
                }
                self.tell(Feed::Progress(None));
                self.tell_health();
            }
        }
    }

    /// Tells the screen how far the reading at start is, and what is known so far.
    fn progress(&mut self, progress: crate::ingest::Progress) {
        let now = self.world.now();
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

    fn batch(&mut self, batch: Batch) {
        let troubled = self.health.batch(&batch);
        let posting = Posting::from(batch);
        if self.state.caught_up {
            self.post(posting);
        } else {
            self.state.absorbed = true;
            let taken = self.books.absorb(&posting);
            self.settle(taken, posting);
        }
        if troubled {
            self.tell_health();
        }
    }

    /// Books, and tells the screen what changed.
    fn post(&mut self, posting: Posting) {
        self.retry();
        if !self.state.waiting.is_empty() {
            // One after the other: a later offset must never be booked before the rows of an earlier one.
            self.state.waiting.push(posting);
            return;
        }
        match self.books.post(&posting) {
            Ok(posted) => {
                // What we take for a repetition, another process may have booked before us.
                if posted.contains(&Posted::Repeat) && self.books.changed_elsewhere() {
                    self.open_again();
                } else {
                    self.tell_changes(posted);
                }
            }
            Err(error) => self.settle(Err(error), posting),
        }
    }

    fn tell_changes(&mut self, posted: Vec<Posted>) {
        if posted.iter().any(|posted| *posted != Posted::Repeat) {
            if self.health.booked(&posted) {
                self.tell_health();
            }
            self.tell(Feed::Changes(posted));
        }
    }

    /// What could not be booked waits; the screen is told once.
    fn settle(&mut self, taken: Result<(), BooksError>, posting: Posting) {
        if let Err(error) = taken {
            self.state.waiting.push(posting);
            self.failed(&error);
        }
    }

    fn failed(&mut self, error: &BooksError) {
        if let Some(notes) = self.books.mend(error, &self.prices, self.world.now()) {
            self.start_over(error, &notes);
            return;
        }
        if self.health.ledger_failed(error) {
            self.tell(Feed::Note(Note::new(Tone::Danger, &error.to_string())));
            self.tell_health();
        }
    }

    /// The ledger was opened again: what it lacks is read again from the logs.
    fn start_over(&mut self, error: &BooksError, notes: &[crate::ledger::Note]) {
        let words: Vec<String> = notes.iter().map(ToString::to_string).collect();
        let words = if words.is_empty() { error.to_string() } else { words.join("; ") };
        self.tell(Feed::Note(Note::new(Tone::Warning, &format!("{words}; the logs are read again"))));
        self.health.ledger_is(self.books.view());
        self.state.caught_up = false;
        let _ = self.reader.send(Control::Restart(self.books.files().unwrap_or_default()));
        self.tell_health();
    }

    /// Books what could not be booked before.
    fn retry(&mut self) {
        if self.state.waiting.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.state.waiting).into_iter();
        for posting in waiting.by_ref() {
            if self.books.absorb(&posting).is_err() {
                self.state.waiting.push(posting);
                break;
            }
        }
        self.state.waiting.extend(waiting);
        if self.state.waiting.is_empty() && self.books.flush().is_ok() && self.health.ledger_recovered() {
            self.tell(Feed::Note(Note::new(Tone::Plain, "the ledger is written again")));
            self.open_again();
            self.tell_health();
        }
    }

    fn look_at_ledger(&mut self) {
        if self.state.caught_up && self.books.changed_elsewhere() {
            self.open_again();
        }
    }

    /// Tells the screen what the books say as a whole.
    fn open_again(&mut self) {
        let now = self.world.now();
        match self.books.flush().and_then(|()| Opening::ask(&self.books, &self.rules, &self.follow, now)) {
            Ok(opening) => self.tell(Feed::Opening(Box::new(opening))),
            Err(error) => self.failed(&error),
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Opening { rules, follow } => {
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
                let now = self.world.now();
                for news in self.aside.ask(request, &mut self.books, now) {
                    self.tell(news);
                }
            }
        }
    }

    fn config(&mut self) {
        if let Some(news) = self.aside.reload(&self.rules) {
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
                let own = self.health.answer(&question);
                let now = self.world.now();
                Reply::Json(own.unwrap_or_else(|| self.aside.query(&question, &self.books, &self.rules, now)))
            }
            Said::Records(records) => match self.books.post(&Posting { records, files: Vec::new() }) {
                Ok(posted) => {
                    let reply = reply_of(&posted);
                    self.tell_changes(posted);
                    reply
                }
                Err(error) => {
                    self.failed(&error);
                    Reply::Error(Label::new(&error.to_string()))
                }
            },
        };
        let _ = delivery.reply.send(reply);
    }

    fn tell_health(&mut self) {
        let view = self.health.view(&self.prices, self.world.now());
        self.tell(Feed::Health(Box::new(view)));
    }

    /// The screen may be slow; the books wait for it rather than forget to tell it.
    fn tell(&self, news: Feed) {
        let _ = self.feed.blocking_send(news);
    }

    /// Every model's spend in view, dearest first, and its rates now.
    fn models(&self) -> Vec<ModelView> {
        let query = Query {
            by: vec![Dimension::Model],
            filter: self.rules.view.clone(),
            ..Query::new(Grain::Total, self.rules.zone)
        };
        let Ok(report) = self.books.report(&query) else { return Vec::new() };
        let now = self.world.now();
        let mut views: Vec<ModelView> = report
            .rows
            .into_iter()
            .map(|row| {
                let model = row.by.into_iter().next().flatten();
                let rates = model.as_ref().and_then(|model| self.prices.rates(model, now)).map(|tariff| tariff.rates);
                ModelView { model, sums: row.sums, rates, elsewhere: None }
            })
            .collect();
        views.sort_by(|one, other| other.sums.cost.cmp(&one.sums.cost).then_with(|| one.model.cmp(&other.model)));
        // The same tokens on the cheapest other model in use: arithmetic, no advice on quality.
        let priced: Vec<_> = views.iter().filter_map(|view| Some((view.model.clone()?, view.rates.clone()?))).collect();
        for view in &mut views {
            // A model that answers nothing is no other way to an answer.
            let answers = view.sums.tokens.output > 0;
            let others = priced
                .iter()
                .filter(|(model, rates)| Some(model) != view.model.as_ref() && (!answers || rates.output > Usd::ZERO));
            let costs = others.map(|(model, rates)| (model.clone(), at_rates(&view.sums.tokens, rates)));
            view.elsewhere = costs.min_by_key(|(_, usd)| *usd).filter(|(_, usd)| *usd < view.sums.cost);
        }
        views
    }
}

/// What these tokens would have cost at other rates.
fn at_rates(tokens: &Tokens, rates: &Rates) -> Usd {
    let or_input = |rate: Option<Usd>| rate.unwrap_or(rates.input);
    rates.input.times(tokens.input)
        + or_input(rates.cache_read).times(tokens.cache_read)
        + or_input(rates.cache_write_5m).times(tokens.cache_write_5m)
        + or_input(rates.cache_write_1h).times(tokens.cache_write_1h)
        + rates.output.times(tokens.output)
}

#[cfg(unix)]
fn reply_of(posted: &[Posted]) -> Reply {
    let booked = posted.iter().find_map(|posted| match posted {
        Posted::New(change) | Posted::Grown(change) => Some(&change.after),
        Posted::Moved(_) | Posted::Gone(_) | Posted::Repeat => None,
    });
    booked.map_or(Reply::Repeat, |row| Reply::Booked { key: row.call.key, cost: row.cost.usd() })
}
