//! Spending while an agent ran: each session, their total, and the day.

use std::collections::BTreeMap;

use super::own::{Others, Started, own_calls};
use crate::app::catch_up::{self, Books, LogSelection};
use crate::app::{Context, Failure};
use chrono::Duration;

use crate::domain::{Filter, Instant, Label, Span, project_of, sort_by_key};
use crate::ingest::Projects;
use crate::ledger::{Ledger, LedgerError, SessionRow, Sums};
use crate::meter::closing;
use crate::meter::{self, Amount, LimitState, SessionLine};

/// How the agent ended.
pub(super) struct Ended {
    /// Time from its start to its end.
    pub(super) took: Duration,
    /// Exit code of the command.
    pub(super) code: u8,
    /// True if the budget was spent and the agent was stopped.
    pub(super) stopped: bool,
    pub(super) budget: Option<Amount>,
}

/// The sessions of a run, in the order of their first calls, with their spending since it started.
pub(super) struct Spent {
    pub(super) sessions: Vec<(SessionRow, Option<Label>)>,
    /// Other sessions that were active at the same time.
    pub(super) others: Others,
    pub(super) unread_files: u64,
}

impl Spent {
    /// The calls of the run's sessions since its start: in this folder's project if it has one, otherwise in any.
    pub(super) fn since(context: &mut Context<'_>, started: &Started) -> Result<(Self, Books), Failure> {
        let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
        let project = Projects::default().project(&Label::from_path(&context.env.cwd));
        let mut own = Vec::new();
        let mut others = Others::default();
        for row in started.sessions(&books.ledger)? {
            let is_here = row.project.as_deref().is_some_and(|of| project_of(of) == project.as_str());
            if started.is_own(&books.ledger, &row, is_here)? {
                own.push((row, is_here));
            } else {
                others.add(&row.sums);
            }
        }
        let some_here = own.iter().any(|(_, is_here)| *is_here);
        let mut sessions = Vec::new();
        for (row, is_here) in own {
            if some_here && !is_here {
                others.add(&row.sums);
                continue;
            }
            let log = match own_calls(&row) {
                Some(only) => closing::log_of(&books.ledger, &Filter { only, ..started.filter() })?,
                None => None,
            };
            sessions.push((row, log));
        }
        sort_by_key(&mut sessions, |(row, _)| row.started);
        let unread_files = books.health.unread_files();
        Ok((Self { sessions, others, unread_files }, books))
    }

    fn models(&self) -> BTreeMap<Option<Label>, Sums> {
        let mut models: BTreeMap<Option<Label>, Sums> = BTreeMap::new();
        for (model, sums) in self.sessions.iter().flat_map(|(row, _)| &row.models) {
            models.entry(model.clone()).or_default().add(sums);
        }
        models
    }

    /// The budget and its usage.
    pub(super) fn budget_state(&self, budget: Amount, context: &Context<'_>) -> LimitState {
        let rules = context.rules(Filter::default());
        meter::budget(budget, self.models().values(), rules.fallback.as_ref())
    }

    /// All sessions combined into one.
    pub(super) fn total(&self, now: Instant) -> Option<SessionLine> {
        let ((first, _), rest) = self.sessions.split_first()?;
        let mut all = first.clone();
        for (other, _) in rest {
            all.session = None;
            all.add(other);
        }
        let mut models: Vec<(Option<Label>, Sums)> = self.models().into_iter().collect();
        sort_by_key(&mut models, |(name, sums)| std::cmp::Reverse((sums.cost, sums.tokens.total(), name.clone())));
        all.models = models;
        all.sums = all.sums.marked(self.unread_files);
        Some(SessionLine::from_row(all, now))
    }

    /// The day's spending so far.
    pub(super) fn today(&self, context: &Context<'_>, books: &Books) -> Result<Sums, LedgerError> {
        let day = Span::day(context.now(), context.settings.zone);
        let filter = Filter { since: Some(day.from), until: Some(day.until), ..Filter::default() };
        Ok(books.ledger.sums(&filter)?.marked(self.unread_files))
    }

    /// The limits that apply to any of the sessions, worst first.
    pub(super) fn limits(&self, context: &Context<'_>, books: &Books) -> Result<Vec<LimitState>, Failure> {
        let mut all: Vec<LimitState> = Vec::new();
        for (row, _) in &self.sessions {
            for state in catch_up::limit_states(context, books, Some(row))? {
                let is_known = |known: &LimitState| (&known.limit, &known.subject) == (&state.limit, &state.subject);
                if !all.iter().any(is_known) {
                    all.push(state);
                }
            }
        }
        meter::worst_first(&mut all);
        Ok(all)
    }
}
