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
use crate::ledger::{Grain, Ledger, Query, ReportRow, Row, SessionRow, Sums};
use crate::meter::{Follow, LimitState, SessionId, SessionLine, Summary};
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
    SessionLine::from_row(row, now)
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
        Follow::Today => of_today(summary),
        Follow::Everything => together(),
        Follow::Latest | Follow::Session(_) => summary.session.clone(),
    }
}

/// The sessions of today as one: from the first call of the day to the last. One session alone is itself, if it began today.
fn of_today(summary: &Summary) -> Option<SessionLine> {
    let of_today =
        |line: &&SessionLine| summary.fleet.iter().any(|today| today.id == line.id() && today.today.calls > 0);
    let mut all = summary.sessions.iter().filter(of_today);
    let mut line = all.next()?.clone();
    let mut several = false;
    for other in all {
        several = true;
        line.row.started = line.row.started.min(other.row.started);
        line.row.ended = line.row.ended.max(other.row.ended);
        line.row.in_agents.add(&other.row.in_agents);
    }
    if several {
        line.row.session = None;
    }
    line.row.started = line.row.started.max(summary.day.from);
    line.row.sums = summary.followed;
    line.row.models = summary.models.iter().map(|line| (line.model.clone(), line.sums)).collect();
    line.duration = (line.row.ended - line.row.started).max(Duration::zero());
    Some(line)
}

/// Calls of a session among which its own log is looked for.
const NEWEST: usize = 200;

/// The session's own log: where the newest call of its main thread stands, or of a sub-agent where that has none.
pub(super) fn log_of(books: &dyn Ledger, filter: &Filter) -> Result<Option<Label>, Failure> {
    let newest = books.calls(filter, NEWEST)?;
    Ok(log_among(newest.iter().map(Arc::as_ref)).cloned())
}

/// The log of the session that a summary is about; none where it is about several.
pub(super) fn own_log<'a>(session: &SessionLine, summary: &'a Summary) -> Option<&'a Label> {
    session.row.session.as_ref()?;
    log_among(
        summary
            .calls
            .iter()
            .map(|line| line.row.as_ref())
            .filter(|row| SessionId::from_call(&row.call) == session.id()),
    )
}

fn log_among<'a>(calls: impl Iterator<Item = &'a Row>) -> Option<&'a Label> {
    let mut placed = calls.filter_map(|row| Some((row.call.from.agent.is_some(), &row.call.from.place.as_ref()?.path)));
    let first = placed.next()?;
    let main = std::iter::once(first).chain(placed).find(|(is_agent, _)| !is_agent);
    Some(main.unwrap_or(first).1)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attribution, Call, CallKey, Place, Span, Tokens};
    use crate::meter::{Activity, FleetLine};
    use crate::pricing::Cost;

    fn row(path: &str, agent: Option<&str>) -> Row {
        let place = Place { path: Label::new(path), offset: 0 };
        let from = Attribution {
            agent: agent.map(Label::new),
            place: Some(place),
            ..Attribution::new(Instant::UNIX_EPOCH, Label::new("claude-code"))
        };
        let call = Call::new(CallKey::from_parts(&[path]), from, None, Tokens::ZERO);
        Row { call, cost: Cost::Unpriced }
    }

    #[test]
    fn the_log_is_the_sessions_own_and_a_sub_agents_only_where_it_has_none() {
        let agent = row("/logs/s1/agent-explore.jsonl", Some("explore"));
        let main = row("/logs/s1.jsonl", None);
        let log = |rows: &[&Row]| log_among(rows.iter().copied()).map(Label::to_string);
        assert_eq!(log(&[&agent, &main]).as_deref(), Some("/logs/s1.jsonl"));
        assert_eq!(log(&[&agent]).as_deref(), Some("/logs/s1/agent-explore.jsonl"));
        assert_eq!(log(&[]), None);
    }

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    /// A session of so many calls today, at work between two moments.
    fn session(name: &str, from: &str, until: &str, today: u64) -> (SessionLine, FleetLine) {
        let sums = Sums { calls: today + 1, ..Sums::default() };
        let line = SessionLine::from_row(
            SessionRow {
                session: Some(Label::new(name)),
                source: Label::new("claude-code"),
                started: at(from),
                ended: at(until),
                project: None,
                user: None,
                models: Vec::new(),
                in_agents: Sums::default(),
                sums,
            },
            at(until),
        );
        let fleet = FleetLine {
            id: line.id(),
            project: None,
            started: at(from),
            activity: Activity::Working,
            today: Sums { calls: today, ..Sums::default() },
            cost_per_hour: Usd::ZERO,
            last: at(until),
            model: None,
            main: None,
            trend: crate::meter::Trend::default(),
            agents: Vec::new(),
        };
        (line, fleet)
    }

    #[test]
    fn the_day_comes_to_what_its_sessions_spent_since_midnight() {
        let night = session("night", "2026-11-21T22:00:00Z", "2026-11-22T01:00:00Z", 4);
        let noon = session("noon", "2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z", 2);
        let old = session("old", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z", 0);
        let of = |lines: &[&(SessionLine, FleetLine)]| {
            let day = Span { from: at("2026-11-22T00:00:00Z"), until: at("2026-11-23T00:00:00Z") };
            of_followed(&Summary {
                follow: Follow::Today,
                day,
                followed: Sums { calls: lines.iter().map(|(_, fleet)| fleet.today.calls).sum(), ..Sums::default() },
                sessions: lines.iter().map(|(line, _)| line.clone()).collect(),
                fleet: lines.iter().map(|(_, fleet)| fleet.clone()).collect(),
                ..Summary::empty(at("2026-11-22T13:02:00Z"))
            })
        };
        let day = of(&[&noon, &night, &old]).unwrap();
        assert_eq!((day.row.sums.calls, day.duration, day.row.session), (6, Duration::hours(13), None));
        // One session alone keeps its name, and with it its log.
        let alone = of(&[&noon, &old]).unwrap();
        assert_eq!((alone.row.sums.calls, alone.duration), (2, Duration::hours(1)));
        assert_eq!(alone.row.session.as_deref(), Some("noon"));
        assert_eq!(of(&[&old]), None);
    }
}
