//! What was spent while an agent ran: each session, their total, and the day.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::super::{Context, Failure, summary};
use crate::app::catch_up::{self, Books, LogSelection};
use crate::config::LimitKey;
use crate::domain::{Dimension, Filter, Instant, Label, Matcher, Span, Zone};
use crate::ingest::Projects;
use crate::ledger::{BooksError, Grain, Ledger, Query, SessionRow, Sums};
use crate::meter::{self, Amount, LimitState, SessionLine};
use crate::output::{self, Cell, LimitJson};
use crate::text;

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
    sessions: Vec<(SessionRow, Option<Label>)>,
    unread_files: u64,
}

type Facts = BTreeMap<&'static str, Cell>;

#[derive(Serialize)]
struct Document {
    schema: u8,
    exit_code: u8,
    /// True when the budget was spent, and the agent stopped.
    stopped: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<LimitJson>,
    sessions: Vec<Session>,
    total: Facts,
    today: Facts,
    limits: Vec<LimitJson>,
    #[serde(skip_serializing_if = "output::is_zero")]
    unread_files: u64,
}

#[derive(Serialize)]
struct Session {
    #[serde(flatten)]
    facts: Facts,
    log: Option<Label>,
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
                    summary::log_of(&books.ledger, &Filter { only: own.into(), ..filter.clone() })?
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
    fn total(&self, now: Instant) -> Option<SessionLine> {
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
        Some(summary::session_line(all, now))
    }

    /// Spend of the day so far.
    fn today(&self, context: &Context<'_>, books: &Books) -> Result<Sums, BooksError> {
        let day = Span::day(context.now(), context.settings.zone);
        let filter = Filter { since: Some(day.from), until: Some(day.until), ..Filter::default() };
        Ok(books.ledger.sums(&filter)?.marked(self.unread_files))
    }

    /// The limits that apply to any of the sessions, worst first.
    fn limits(&self, context: &Context<'_>, books: &Books) -> Result<Vec<LimitState>, Failure> {
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

    /// Writes it as text to standard error: the agent has standard output.
    pub(super) fn write_text(&self, context: &mut Context<'_>, books: &Books, ended: &Ended) -> Result<(), Failure> {
        let budget = ended.budget.map(|budget| self.of(budget, context));
        let Some(total) = self.total(context.now()) else {
            writeln!(context.err, "tokmeter: no call was logged while it ran")?;
            return Ok(());
        };
        let limits = self.limits(context, books)?;
        let today = self.today(context, books)?;
        let alone = if let [(_, log)] = self.sessions.as_slice() { log.as_ref() } else { None };
        summary::write_text(&total, &limits, alone, context.err)?;
        if self.sessions.len() > 1 {
            writeln!(context.err, "Sessions:")?;
            for (row, log) in &self.sessions {
                let project = row.project.as_deref().map(text::project_short);
                let name = row.session.as_deref().map(text::session_short);
                let words: Vec<&str> = project.into_iter().chain(name).collect();
                let name = if words.is_empty() { "no name".to_owned() } else { words.join(" ") };
                let (calls, tokens) = (text::plural(row.sums.calls, "call"), text::count(row.sums.tokens.total()));
                let log = log.as_ref().map(|log| format!("  Log: {log}")).unwrap_or_default();
                writeln!(context.err, "  {name} {} ({calls}, {tokens} tokens){log}", text::cost(&row.sums))?;
            }
        }
        writeln!(context.err, "Today: {}, {} tokens", text::cost(&today), text::count(today.tokens.total()))?;
        if let Some(budget) = budget {
            let stopped = if ended.stopped { "; the agent was stopped" } else { "" };
            writeln!(context.err, "Budget: {} used{stopped}", text::used_of(&budget))?;
        }
        Ok(())
    }

    /// Writes it as one line of JSON to standard error.
    pub(super) fn write_json(&self, context: &mut Context<'_>, books: &Books, ended: &Ended) -> Result<(), Failure> {
        let zone = context.settings.zone;
        let measures = |sums: &Sums| output::measures(sums).into_iter().collect::<Facts>();
        let session = |(row, log): &(SessionRow, Option<Label>)| {
            let mut facts: Facts = output::session_facts(row).into_iter().collect();
            facts.extend(output::measures(&row.sums));
            Session { facts, log: log.clone() }
        };
        let json = |state: &LimitState| LimitJson::new(&LimitKey::from_limit(&state.limit), state, zone);
        let document = Document {
            schema: 1,
            exit_code: ended.code,
            stopped: ended.stopped,
            budget: ended.budget.map(|budget| LimitJson::new(&"budget", &self.of(budget, context), zone)),
            sessions: self.sessions.iter().map(session).collect(),
            total: measures(&self.total(context.now()).map(|line| line.row.sums).unwrap_or_default()),
            today: measures(&self.today(context, books)?),
            limits: self.limits(context, books)?.iter().map(json).collect(),
            unread_files: self.unread_files,
        };
        Ok(output::to_line(&document, context.err)?)
    }
}
