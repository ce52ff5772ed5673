//! A ledger that stays open between queries and reads only the log lines added since the last query.

use std::time::{Duration, Instant};

use super::selection::{LogSelection, roots};
use super::{Books, open_and_catch_up, tail_options};
use crate::app::context::Context;
use crate::app::exit::Failure;
use crate::config::{self, Stamp};
use crate::domain::{Filter, Record};
use crate::ingest::Tails;
use crate::ledger::{Batch, Ledger, LedgerError};
use crate::meter::{Follow, Meter, Recent, Snapshot, Summary};

/// How long to use the in-memory stand-in for a ledger that could not be opened before trying again.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// An open ledger and the logs that feed it.
///
/// Nothing is read between two queries and nothing watches the logs, so a process that is queried now and then costs
/// nothing in between.
pub(crate) struct Followed {
    pub(crate) books: Books,
    tails: Tails,
    /// The numbers on the screen, once they have been requested; changes are applied to them.
    meter: Option<Meter>,
    recent: Recent,
    opened: Instant,
    /// State of the config when it was last read.
    config: Option<Stamp>,
    /// Why a changed config has not been applied.
    pub(crate) config_problem: Option<String>,
}

impl Followed {
    /// Opens the ledger and reads all logs.
    ///
    /// # Errors
    /// When neither the ledger nor the logs can be read.
    pub(crate) fn open(context: &mut Context<'_>) -> Result<Self, Failure> {
        let config = context.paths.config.as_deref().and_then(config::stamp);
        let books = open_and_catch_up(context, &LogSelection::Everything, false)?;
        let mut tails = Tails::new(&roots(context, &LogSelection::Everything)?, tail_options(context));
        tails.resume(books.ledger.files()?);
        let opened = Instant::now();
        let mut followed =
            Self { books, tails, meter: None, recent: Recent::default(), opened, config, config_problem: None };
        followed.read(context)?;
        Ok(followed)
    }

    /// Picks up changes to the config and new lines in the logs.
    ///
    /// # Errors
    /// When the ledger must be reopened.
    pub(crate) fn catch_up(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.take_config(context);
        let is_due = self.books.trouble.is_some() && self.opened.elapsed() >= TRY_AGAIN;
        if is_due || self.books.ledger.displaced().is_some() {
            let config_problem = self.config_problem.take();
            *self = Self { config_problem, ..Self::open(context)? };
            return Ok(());
        }
        Ok(self.read(context)?)
    }

    /// The numbers that the screen would show now, with forecast, rate and projections.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn summary(&mut self, context: &Context<'_>) -> Result<Summary, LedgerError> {
        let now = context.now();
        let changed = self.books.ledger.changed_elsewhere();
        let mut open = self.meter.take().filter(|_| !changed);
        if let Some(meter) = &mut open {
            meter.confirm(&self.books.ledger)?;
        }
        let usable = open.as_mut().is_some_and(|meter| !meter.needs_refresh(now));
        let mut meter = match open.filter(|_| usable) {
            Some(meter) => meter,
            None => {
                let rules = context.rules(Filter::default());
                let (ledger, recent) = (&self.books.ledger, &mut self.recent);
                let snapshot = Snapshot::ask_again(ledger, &rules, &Follow::Today, now, recent)?;
                Meter::open(rules, snapshot)
            }
        };
        meter.set_unread_files(self.books.health.unread_files());
        Ok(self.meter.insert(meter).summary(now))
    }

    /// Reads new lines in the logs.
    fn read(&mut self, context: &Context<'_>) -> Result<(), LedgerError> {
        let Self { books, tails, meter, .. } = self;
        let (now, ledger, mut failed) = (Instant::now(), &mut books.ledger, None);
        let mut holds = books.unbooked.is_some();
        // There are only a few lines: starting threads would take longer.
        tails.catch_up(now, 1, &mut |batch, _| {
            let batch = Batch::from(batch);
            let stated = batch.records.iter().any(|record| matches!(record, Record::Status(_)));
            // A later position in a log must never be written before the calls from an earlier one.
            let written = if holds { None } else { ledger.post(&batch).ok() };
            match (&written, meter.as_mut()) {
                // The next summary checks whether a repeated call was written by another process.
                (Some(changes), Some(open)) => {
                    for change in changes {
                        open.apply(change, context.now());
                    }
                    match stated.then(|| ledger.statuses()) {
                        Some(Ok(statuses)) => open.state(statuses),
                        Some(Err(_)) => *meter = None,
                        None => {}
                    }
                }
                _ => *meter = None,
            }
            if written.is_none() {
                holds = true;
                if let Err(error) = ledger.absorb(&batch) {
                    failed.get_or_insert(error);
                }
            }
        });
        books.health = tails.health(now);
        if let Some(error) = failed {
            return Err(error);
        }
        if holds {
            let held = |error| format!("{error}; new calls are counted here, and booked as soon as possible");
            books.unbooked = books.ledger.flush().err().map(held);
            if books.unbooked.is_some() {
                // Buffered calls are counted with the stored ones, if those can be read.
                books.ledger.sums(&Filter { since: Some(context.now()), ..Filter::default() })?;
            }
        }
        Ok(())
    }

    /// Reloads the config if it has been written since. If it is invalid, the problem is recorded and the old config
    /// stays in force.
    fn take_config(&mut self, context: &mut Context<'_>) {
        let stamp = context.paths.config.as_deref().and_then(config::stamp);
        if stamp == self.config {
            return;
        }
        self.config = stamp;
        let (_, loaded) = config::load(&context.env, &context.overrides);
        self.config_problem = loaded.problems.iter().find(|_| !loaded.is_usable(false)).map(ToString::to_string);
        if self.config_problem.is_none() {
            context.settings = loaded.settings;
            self.meter = None;
        }
    }
}
