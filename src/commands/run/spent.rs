//! Spend while an agent ran: each session, their total, and the day.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::catch_up::{self, Books, LogSelection};
use crate::app::{Context, Failure};
use crate::domain::{Dimension, Filter, Instant, Label, Matcher, Span, Zone};
use crate::ingest::Projects;
use crate::ledger::{BooksError, Grain, Ledger, Query, SessionRow, Sums};
use crate::meter::closing;
use crate::meter::{self, Amount, LimitState, SessionLine};

/// How the agent ended.
pub(super) struct Ended {
    /// Exit code of the command.
    pub(super) code: u8,
    /// The budget was spent, and the agent stopped.
    pub(super) stopped: bool,
    pub(super) budget: Option<Amount>,
}

/// The sessions of a run, in the order of their first calls, with their spend since it began.
pub(super) struct Spent {
    pub(super) sessions: Vec<(SessionRow, Option<Label>)>,
    pub(super) unread_files: u64,
}

impl Spent {
    /// Every call logged since then: in this folder's project if there is one, else in any.
    pub(super) fn since(context: &mut Context<'_>, started: Instant) -> Result<(Self, Books), Failure> {
        let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
        let mut filter = Filter { since: Some(started), ..Filter::default() };
        let project = Projects::default().project(&Label::from_path(&context.env.cwd));
        let here = Filter { only: vec![(Dimension::Project, Matcher::exact(project.as_str()))], ..filter.clone() };
        if books.ledger.sums(&here)?.calls > 0 {
            filter = here;
        }
        let query = Query { filter: filter.clone(), ..Query::new(Grain::Session, Zone::UTC) };
        let rows = books.ledger.report(&query)?.rows.into_iter().filter_map(|row| row.session);
        let mut sessions = Vec::new();
        for row in rows.map(Arc::unwrap_or_clone) {
            let log = match &row.session {
                Some(name) => {
                    let own = [
                        (Dimension::Source, Matcher::exact(row.source.as_str())),
                        (Dimension::Session, Matcher::exact(name.as_str())),
                    ];
                    closing::log_of(&books.ledger, &Filter { only: own.into(), ..filter.clone() })?
                }
                None => None,
            };
            sessions.push((row, log));
        }
        sessions.sort_by_key(|(row, _)| row.started);
        let unread_files = books.health.unread_files();
        Ok((Self { sessions, unread_files }, books))
    }

    fn models(&self) -> BTreeMap<Option<Label>, Sums> {
        let mut models: BTreeMap<Option<Label>, Sums> = BTreeMap::new();
        for (model, sums) in self.sessions.iter().flat_map(|(row, _)| &row.models) {
            models.entry(model.clone()).or_default().add(sums);
        }
        models
    }

    /// The budget with its use.
    pub(super) fn of(&self, budget: Amount, context: &Context<'_>) -> LimitState {
        let rules = context.rules(Filter::default());
        meter::budget(budget, self.models().values(), rules.fallback.as_ref())
    }

    /// All sessions as one.
    pub(super) fn total(&self, now: Instant) -> Option<SessionLine> {
        let ((first, _), rest) = self.sessions.split_first()?;
        let mut all = first.clone();
        for (other, _) in rest {
            all.session = None;
            all.started = all.started.min(other.started);
            all.ended = all.ended.max(other.ended);
            all.in_agents.add(&other.in_agents);
            all.sums.add(&other.sums);
        }
        let mut models: Vec<(Option<Label>, Sums)> = self.models().into_iter().collect();
        models.sort_by_key(|(name, sums)| std::cmp::Reverse((sums.cost, sums.tokens.total(), name.clone())));
        all.models = models;
        all.sums = all.sums.marked(self.unread_files);
        Some(SessionLine::from_row(all, now))
    }

    /// Spend of the day so far.
    pub(super) fn today(&self, context: &Context<'_>, books: &Books) -> Result<Sums, BooksError> {
        let day = Span::day(context.now(), context.settings.zone);
        let filter = Filter { since: Some(day.from), until: Some(day.until), ..Filter::default() };
        Ok(books.ledger.sums(&filter)?.marked(self.unread_files))
    }

    /// The limits that apply to any of the sessions, worst first.
    pub(super) fn limits(&self, context: &Context<'_>, books: &Books) -> Result<Vec<LimitState>, Failure> {
        let mut all: Vec<LimitState> = Vec::new();
        for (row, _) in &self.sessions {
            for state in catch_up::limit_states(context, &books.ledger, Some(row))? {
                let is_known = |known: &LimitState| (&known.limit, &known.subject) == (&state.limit, &state.subject);
                if !all.iter().any(is_known) {
                    all.push(state);
                }
            }
        }
        all.sort_by_key(|state| std::cmp::Reverse((!state.is_quiet(), state.verdict, state.percent)));
        Ok(all)
    }
}
