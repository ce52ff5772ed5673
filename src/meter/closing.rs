//! The session that a closing summary covers, and its log.

use std::sync::Arc;

use chrono::Duration;

use super::limit::LimitState;
use super::session_id::SessionId;
use super::session_line::SessionLine;
use super::summary::{Follow, Summary};
use crate::domain::{Filter, Label, Span, Zone, sort_by_key};
use crate::ledger::{Grain, Ledger, LedgerError, Query, ReportRow, Row, SessionRow};

/// The session that matches a filter, or the latest of several.
pub(crate) fn session_row(books: &dyn Ledger, filter: &Filter) -> Result<Option<SessionRow>, LedgerError> {
    let query = Query { filter: filter.clone(), ..Query::new(Grain::Session, Zone::UTC) };
    let rows = books.report(&query)?.rows;
    let sessions = rows.into_iter().filter_map(|ReportRow { session, .. }| session);
    Ok(sessions.max_by_key(|session| session.ended).map(Arc::unwrap_or_clone))
}

/// The followed session, or all sessions in view combined. A single session keeps its name.
pub(crate) fn of_followed(summary: &Summary) -> Option<SessionLine> {
    let together = || {
        let (first, rest) = summary.sessions.split_first()?;
        let mut all = first.clone();
        if !rest.is_empty() {
            all.row.session = None;
        }
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
        Follow::Today => today(summary),
        Follow::Everything => together(),
        Follow::Latest | Follow::Session(_) => summary.session.clone(),
    }
}

/// Limits for a closing summary, worst first: those of the followed sessions. Limits of idle sessions are left out
/// unless the summary is about that session.
pub(crate) fn limits(summary: &Summary) -> Vec<LimitState> {
    let is_idle = |limit: &&LimitState| {
        let is_not_at_work = limit.session.is_none() || (summary.session.is_none() && limit.has_ended());
        limit.limit.window.is_per_session() && is_not_at_work
    };
    summary.limits_followed().filter(|limit| !is_idle(limit)).cloned().collect()
}

/// Today's stretches of work, separated by pauses of half an hour or more.
///
/// They lie within today's sessions and, where known, within the quarter hours in which money was spent. Calls without
/// a price do not show up there.
fn work(summary: &Summary) -> Vec<Span> {
    if summary.follow != Follow::Today {
        return Vec::new();
    }
    let sessions = of_today(summary)
        .map(|line| Span { from: line.row.started.max(summary.day.from), until: line.row.ended.max(summary.day.from) });
    let rises = summary.curve.spent.windows(2).filter(|pair| pair[0].1 < pair[1].1);
    let worked: Vec<Span> = rises.map(|pair| Span { from: pair[0].0, until: pair[1].0 }).collect();
    if summary.today.unpriced_tokens > 0 || worked.is_empty() {
        return joined(sessions.collect());
    }
    let worked = joined(worked);
    let common = |session: Span| {
        let both = worked
            .iter()
            .map(move |worked| Span { from: worked.from.max(session.from), until: worked.until.min(session.until) });
        both.filter(|both| both.from <= both.until)
    };
    joined(sessions.flat_map(common).collect())
}

/// Sorts spans, and merges those that overlap or have only a short pause between them.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    sort_by_key(&mut spans, |span| span.from);
    spans.into_iter().fold(Vec::new(), |mut all: Vec<Span>, span| {
        match all.last_mut().filter(|last| span.from - last.until < PAUSE) {
            Some(last) => last.until = last.until.max(span.until),
            None => all.push(span),
        }
        all
    })
}

/// Number of today's stretches of work.
pub(crate) fn stretches(summary: &Summary) -> usize {
    work(summary).len()
}

/// Sessions with calls today.
fn of_today(summary: &Summary) -> impl Iterator<Item = &SessionLine> {
    summary.sessions.iter().filter(|line| line.row.ended >= summary.day.from)
}

/// Today's sessions combined into one, without the pauses. A single session that began today is returned as it is.
fn today(summary: &Summary) -> Option<SessionLine> {
    let mut all = of_today(summary);
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
    line.duration = work(summary).into_iter().map(|span| span.until - span.from).sum();
    Some(line)
}

/// The shortest pause between two stretches of work.
const PAUSE: Duration = Duration::minutes(30);

/// Number of a session's newest calls that are searched for its log.
const NEWEST: usize = 200;

/// The session's own log: the one with the newest call of its main thread or, if there is none, of a sub-agent.
pub(crate) fn log_of(books: &dyn Ledger, filter: &Filter) -> Result<Option<Label>, LedgerError> {
    let newest = books.calls(filter, NEWEST)?;
    Ok(log_among(newest.iter().map(Arc::as_ref)).cloned())
}

/// The log of the session that a summary covers; `None` if it covers several.
pub(crate) fn own_log<'a>(session: &SessionLine, summary: &'a Summary) -> Option<&'a Label> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attribution, Call, CallKey, Instant, Place, Record, Tokens, Usd};
    use crate::ledger::{Batch, Memory, Sums};
    use crate::meter::{Activity, FleetLine, Meter, Rules, Snapshot};
    use crate::pricing::{Cost, CostMode, PriceBook};

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

    /// A session with this many calls today, active between two times.
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
                projects: std::collections::BTreeMap::new(),
                users: std::collections::BTreeMap::new(),
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
            of_rate: Sums::default(),
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
        assert_eq!(
            (day.row.sums.calls, day.duration, day.row.session),
            (6, Duration::hours(2), None),
            "an hour since midnight, and one at noon"
        );
        // A single session keeps its name, and so its log.
        let alone = of(&[&noon, &old]).unwrap();
        assert_eq!((alone.row.sums.calls, alone.duration), (2, Duration::hours(1)));
        assert_eq!(alone.row.session.as_deref(), Some("noon"));
        assert_eq!(of(&[&old]), None);
    }

    #[test]
    fn pauses_between_stretches_of_work_are_no_part_of_the_days_duration() {
        let morning = session("morning", "2026-11-22T08:10:00Z", "2026-11-22T18:05:00Z", 9);
        let point =
            |time: &str, dollars: i64| (at(&format!("2026-11-22T{time}:00Z")), Usd::from_micro(dollars * 1_000_000));
        // A quarter hour without a call is not a pause. Neither is the time before the first call or after the last.
        let spent = [
            ("00:00", 0),
            ("08:00", 0),
            ("08:15", 1),
            ("08:30", 1),
            ("09:00", 3),
            ("12:00", 3),
            ("12:15", 4),
            ("17:45", 4),
            ("18:15", 6),
            ("23:00", 6),
        ];
        let summary = Summary {
            follow: Follow::Today,
            day: Span { from: at("2026-11-22T00:00:00Z"), until: at("2026-11-23T00:00:00Z") },
            followed: Sums { calls: 9, ..Sums::default() },
            sessions: vec![morning.0],
            fleet: vec![morning.1],
            curve: crate::meter::DayCurve {
                spent: spent.map(|(time, dollars)| point(time, dollars)).to_vec(),
                ahead: Vec::new(),
            },
            ..Summary::empty(at("2026-11-22T23:00:00Z"))
        };
        let day = of_followed(&summary).unwrap();
        // From 08:10 to 18:05, minus pauses of three hours and of five and a half.
        assert_eq!((day.duration, stretches(&summary)), (Duration::minutes(595 - 180 - 330), 3));
        // Within the quarter hours, the sessions show when there was work.
        let parts = [("08:10", "08:14"), ("12:05", "12:09"), ("17:50", "18:05")];
        let parts = parts.map(|(from, until)| {
            session(from, &format!("2026-11-22T{from}:00Z"), &format!("2026-11-22T{until}:00Z"), 3)
        });
        let three = Summary {
            sessions: parts.iter().map(|(line, _)| line.clone()).collect(),
            fleet: parts.iter().map(|(_, fleet)| fleet.clone()).collect(),
            ..summary.clone()
        };
        assert_eq!((of_followed(&three).unwrap().duration, stretches(&three)), (Duration::minutes(4 + 4 + 15), 3));
        // Unpriced calls leave no trace in the curve.
        let today = Sums { unpriced_tokens: 1, ..Sums::default() };
        let unknown = Summary { today, ..summary };
        assert_eq!((of_followed(&unknown).unwrap().duration, stretches(&unknown)), (Duration::minutes(595), 1));
    }

    /// The summary of this many sessions from today and yesterday, with one call each, taken from a snapshot or from
    /// changes alone.
    fn counted(follow: &Follow, today: u32, yesterday: u32, is_snapshot: bool) -> Option<u64> {
        let now = at("2026-11-22T13:00:00Z");
        let call = |number: u32| {
            let days = Duration::days(i64::from(number >= today));
            let from = Attribution {
                session: Some(Label::new(&format!("s{number}"))),
                ..Attribution::new(now - days - Duration::seconds(number.into()), Label::new("test"))
            };
            let tokens = Tokens { output: 1, ..Tokens::ZERO };
            Record::Call(Call::new(CallKey::from_parts(&[&number.to_string()]), from, None, tokens))
        };
        let prices = PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto);
        let mut books = Memory::new(Arc::new(prices));
        let rules = Rules::new(Zone::UTC);
        let mut meter = Meter::new(rules.clone(), now);
        meter.follow(follow.clone());
        let records = (0..today + yesterday).map(call).collect();
        let changes = books.post(&Batch { records, files: Vec::new() }).unwrap();
        if is_snapshot {
            meter = Meter::open(rules.clone(), Snapshot::ask(&books, &rules, follow, now).unwrap());
        } else {
            for change in &changes {
                meter.apply(change, now);
            }
        }
        meter.summary(now).session_count
    }

    #[test]
    fn sessions_are_counted_before_the_lists_are_cut_and_not_at_all_where_some_are_unknown() {
        for is_snapshot in [true, false] {
            // The day's list has 60 sessions.
            assert_eq!(counted(&Follow::Today, 70, 20, is_snapshot), Some(70));
            assert_eq!(counted(&Follow::Everything, 70, 20, is_snapshot), Some(90));
        }
        // From changes alone, every session is known. A snapshot only has those that began last.
        assert_eq!(counted(&Follow::Today, 230, 1, false), Some(230));
        assert_eq!(counted(&Follow::Everything, 70, 230, false), Some(300));
        assert_eq!(counted(&Follow::Today, 70, 230, true), Some(70));
        assert_eq!(counted(&Follow::Everything, 70, 230, true), None);
        assert_eq!(counted(&Follow::Today, 230, 1, true), None);
        assert_eq!(counted(&Follow::Latest, 70, 1, true), Some(1));
    }
}
