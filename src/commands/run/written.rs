//! The sum of a run as text and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::spent::{Ended, Spent};
use crate::app::catch_up::Books;
use crate::commands::{Context, Failure, summary};
use crate::config::LimitKey;
use crate::domain::Label;
use crate::ledger::{SessionRow, Sums};
use crate::meter::LimitState;
use crate::output::{self, Cell, LimitJson};
use crate::text;

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
