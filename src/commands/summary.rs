//! `summary`: totals of one session; also printed at the end of the live screen and of `run`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::Duration;
use serde::Serialize;

use super::report::only_session;
use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::domain::{Dimension, Filter, Instant, Label, Usd, Zone};
use crate::ledger::{Grain, Ledger, Query, ReportRow, SessionRow, Sums};
use crate::meter::{Follow, LimitState, SessionLine, Summary};
use crate::output::{self, Decimal};
use crate::text;

pub(super) fn run(context: &mut Context<'_>, words: &[PathBuf], json: bool, no_ledger: bool) -> Result<Exit, Failure> {
    let named = words.first().filter(|word| !context.absolute(word).exists()).and_then(|word| word.to_str());
    let paths = if named.is_some() { &words[1..] } else { words };
    let selection = LogSelection::from_args(context, paths, no_ledger);
    let books = catch_up::open_and_catch_up(context, &selection, false)?;
    let session = only_session(&books.ledger, named.unwrap_or("latest"), &Filter::default())?;
    let filter = Filter { only: vec![(Dimension::Session, session)], ..Filter::default() };
    let Some(row) = session_row(&books.ledger, &filter)? else {
        return Err(Failure::new(Exit::NoInput, "no such session"));
    };
    let mut line = session_line(row, context.now());
    let unread_files = books.health.unread_files();
    if json {
        write_json(&line, unread_files, context.out)?;
    } else {
        line.row.sums = line.row.sums.marked(unread_files);
        let limits = catch_up::limit_states(context, &books.ledger, Some(&line.row))?;
        let log = log_of(&books.ledger, &filter)?;
        write_text(&line, &limits, log.as_ref(), context.out)?;
    }
    Ok(Exit::Fine)
}

/// The session that matches a filter; the latest of several.
pub(super) fn session_row(books: &dyn Ledger, filter: &Filter) -> Result<Option<SessionRow>, Failure> {
    let query = Query { filter: filter.clone(), ..Query::new(Grain::Session, Zone::UTC) };
    let rows = books.report(&query)?.rows;
    let sessions = rows.into_iter().filter_map(|ReportRow { session, .. }| session);
    Ok(sessions.max_by_key(|session| session.ended).map(Arc::unwrap_or_clone))
}

/// A session in the form of the meter's summary.
pub(super) fn session_line(row: SessionRow, now: Instant) -> SessionLine {
    let duration = (row.ended - row.started).max(Duration::zero());
    let active = now - row.ended < Duration::minutes(5);
    SessionLine { row, duration, active }
}

/// The followed session, or all sessions in view combined.
pub(super) fn of_followed(summary: &Summary) -> Option<SessionLine> {
    let together = || {
        let (first, rest) = summary.sessions.split_first()?;
        let mut all = first.clone();
        all.row.session = None;
        all.row.sums = summary.followed;
        all.row.models = summary.models.iter().map(|line| (line.model.clone(), line.sums)).collect();
        for other in rest {
            all.row.started = all.row.started.min(other.row.started);
            all.row.ended = all.row.ended.max(other.row.ended);
            all.row.in_agents.add(&other.row.in_agents);
        }
        all.duration = all.row.ended - all.row.started;
        Some(all)
    };
    match &summary.follow {
        Follow::Everything => together(),
        Follow::Latest | Follow::Session(_) => summary.session.clone(),
    }
}

/// The log that holds the newest matching call.
pub(super) fn log_of(books: &dyn Ledger, filter: &Filter) -> Result<Option<Label>, Failure> {
    let newest = books.calls(filter, 1)?;
    Ok(newest.first().and_then(|row| row.call.from.place.as_ref()).map(|place| place.path.clone()))
}

/// Writes the summary as text.
pub(super) fn write_text(
    line: &SessionLine,
    limits: &[LimitState],
    log: Option<&Label>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "{}", text::complete(line, limits, log))
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u8,
    #[serde(flatten)]
    facts: std::collections::BTreeMap<&'static str, output::Cell>,
    operations: u64,
    tokens_per_min: Option<u64>,
    cost_per_hour_usd: Option<Decimal>,
    models: Vec<Share<'a>>,
    agents: Agents,
    /// Files that could not be read, so that every number may be higher; absent when there are none.
    #[serde(skip_serializing_if = "output::is_zero")]
    unread_files: u64,
}

#[derive(Serialize)]
struct Share<'a> {
    #[serde(rename = "model")]
    name: Option<&'a Label>,
    calls: u64,
    total_tokens: u64,
    cost_usd: output::Cell,
    #[serde(flatten)]
    marks: Marks,
}

/// Counts of calls with uncertain numbers.
#[derive(Serialize)]
struct Marks {
    unpriced_tokens: u64,
    lower_bound_calls: u64,
    guessed_calls: u64,
}

impl Marks {
    fn from_sums(sums: &Sums) -> Self {
        let Sums { unpriced_tokens, lower_bound_calls, guessed_calls, .. } = *sums;
        Self { unpriced_tokens, lower_bound_calls, guessed_calls }
    }
}

/// The sub-agents' share of the session.
#[derive(Serialize)]
struct Agents {
    calls: u64,
    total_tokens: u64,
    cost_usd: Decimal,
    #[serde(flatten)]
    marks: Marks,
}

/// Writes the summary as one line of JSON.
pub(super) fn write_json(line: &SessionLine, unread_files: u64, out: &mut dyn Write) -> io::Result<()> {
    let sums = &line.row.sums;
    let mut facts: std::collections::BTreeMap<_, _> = output::session_facts(&line.row).into_iter().collect();
    facts.remove("models");
    facts.extend(output::measures(sums));
    let seconds = u64::try_from(line.duration.num_seconds()).unwrap_or(0);
    let document = Document {
        schema: 1,
        facts,
        operations: sums.calls,
        tokens_per_min: per(sums.tokens.total(), 60, seconds),
        cost_per_hour_usd: (seconds > 0).then(|| Decimal(hourly(sums.cost, seconds))),
        models: line
            .row
            .models
            .iter()
            .map(|(model, sums)| Share {
                name: model.as_ref(),
                calls: sums.calls,
                total_tokens: sums.tokens.total(),
                cost_usd: output::cost_cell(sums),
                marks: Marks::from_sums(sums),
            })
            .collect(),
        agents: Agents {
            calls: line.row.in_agents.calls,
            total_tokens: line.row.in_agents.tokens.total(),
            cost_usd: Decimal(line.row.in_agents.cost),
            marks: Marks::from_sums(&line.row.in_agents),
        },
        unread_files,
    };
    output::to_line(&document, out)
}

fn per(count: u64, unit: u64, seconds: u64) -> Option<u64> {
    let exact = u128::from(count) * u128::from(unit);
    exact.checked_div(u128::from(seconds)).map(|rate| u64::try_from(rate).unwrap_or(u64::MAX))
}

/// Dollars per hour, rounded to the millionth.
fn hourly(cost: Usd, seconds: u64) -> Usd {
    let pico = cost.pico().saturating_mul(3600) / i128::from(seconds.max(1));
    Usd::from_pico(pico / 1_000_000 * 1_000_000)
}
