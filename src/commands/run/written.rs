//! The summary of a run as text and as JSON.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::own::Others;
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
    /// True if the budget was spent and the agent was stopped.
    stopped: bool,
    budget: Option<LimitJson>,
    duration_s: i64,
    sessions: Vec<Session>,
    /// Sessions that were active at the same time but do not belong to the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<OtherSessions>,
    total: Facts,
    today: Facts,
    limits: Vec<LimitJson>,
    #[serde(skip_serializing_if = "output::is_zero")]
    unread_files: u64,
}

#[derive(Serialize)]
struct OtherSessions {
    sessions: u64,
    #[serde(flatten)]
    facts: Facts,
}

#[derive(Serialize)]
struct Session {
    #[serde(flatten)]
    facts: Facts,
    log: Option<Label>,
}

impl Spent {
    /// Writes it as text to standard error, because standard output belongs to the agent.
    pub(super) fn write_text(&self, context: &mut Context<'_>, books: &Books, ended: &Ended) -> Result<(), Failure> {
        let Some(mut total) = self.total(context.now()) else {
            writeln!(context.err, "tokmeter: no call was logged while it ran")?;
            self.write_others(context.err)?;
            return self.write_budget(context, ended);
        };
        total.duration = ended.took;
        let limits = self.limits(context, books)?;
        let today = self.today(context, books)?;
        let alone = if let [(_, log)] = self.sessions.as_slice() { log.as_ref() } else { None };
        let about = match self.sessions.as_slice() {
            [(row, _)] => text::session_words(row),
            several => {
                Some(format!("Run: {}", text::plural(u64::try_from(several.len()).unwrap_or(u64::MAX), "session")))
            }
        };
        summary::write_text(about.as_deref(), &total, &limits, alone, context.err)?;
        if self.sessions.len() > 1 {
            writeln!(context.err, "Sessions:")?;
            for (row, log) in &self.sessions {
                let project = row.project.as_deref().map(text::project_short);
                let name = row.session.as_deref().map(text::session_short);
                let words: Vec<&str> = project.into_iter().chain(name).collect();
                let name = if words.is_empty() { "no name".to_owned() } else { words.join(" ") };
                let (calls, tokens) =
                    (text::plural(row.sums.calls, "call"), text::plural(row.sums.tokens.total(), "token"));
                let log = log.as_ref().map(|log| format!("  Log: {log}")).unwrap_or_default();
                writeln!(context.err, "  {name} {} ({calls}, {tokens}){log}", text::cost(&row.sums))?;
            }
        }
        self.write_others(context.err)?;
        writeln!(context.err, "Today: {}, {}", text::cost(&today), text::plural(today.tokens.total(), "token"))?;
        self.write_budget(context, ended)
    }

    fn write_budget(&self, context: &mut Context<'_>, ended: &Ended) -> Result<(), Failure> {
        if let Some(budget) = ended.budget {
            let budget = self.budget_state(budget, context);
            let stopped = if ended.stopped { "; the agent was stopped" } else { "" };
            writeln!(context.err, "Budget: {} used{stopped}", text::used_in_words(&budget))?;
        }
        Ok(())
    }

    /// Writes a line about active sessions that do not belong to the run, if there were any.
    fn write_others(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let Others { sessions, sums } = &self.others;
        if *sessions == 0 {
            return Ok(());
        }
        let sessions = text::plural(*sessions, "other session");
        writeln!(out, "Not counted: {} in {sessions} that ran at the same time", text::cost(sums))
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
            budget: ended.budget.map(|budget| LimitJson::new(&"budget", &self.budget_state(budget, context), zone)),
            duration_s: ended.took.num_seconds(),
            others: (self.others.sessions > 0)
                .then(|| OtherSessions { sessions: self.others.sessions, facts: measures(&self.others.sums) }),
            sessions: self.sessions.iter().map(session).collect(),
            total: measures(&self.total(context.now()).map(|line| line.row.sums).unwrap_or_default()),
            today: measures(&self.today(context, books)?),
            limits: self.limits(context, books)?.iter().map(json).collect(),
            unread_files: self.unread_files,
        };
        Ok(output::to_line(&document, context.err)?)
    }
}
