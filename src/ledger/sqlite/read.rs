//! Answers from the tables: from packed sums wherever a question's times fall on quarter hours, from rows at its ragged ends.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Result, params};
use rustc_hash::FxHashMap;

use super::desk::{Desk, meta};
use super::ids::Ids;
use super::rollup::{self, QUARTERS};
use super::rows;
use super::schema::{COLUMNS, OF_KEY};
use super::tally::moment;
use crate::domain::{CallKey, Dimension, Filter, Instant, Span, quarter_of};
use crate::ledger::grouping::{self, PeriodReport, Quarter, Stretch, admits, in_time};
use crate::ledger::names::{Names, index};
use crate::ledger::slim::Slim;
use crate::ledger::{Grain, Query, Report, Sums};

/// A question is answered by single look-ups while there are no more than this many.
const FEW: i64 = 2_000;

/// A filter's times, as whole quarter hours and what sticks out at either end.
struct Window {
    quarters: Range<i64>,
    edges: Vec<(Instant, Instant)>,
}

impl Window {
    fn of(filter: &Filter) -> Self {
        let start = |quarter: i64| Instant::from_timestamp(quarter.saturating_mul(900), 0).unwrap_or_default();
        let (mut from, mut until) = (i64::MIN, i64::MAX);
        let mut edges = Vec::new();
        if let Some(since) = filter.since {
            from = quarter_of(since);
            if start(from) < since {
                from += 1;
                edges.push((since, filter.until.map_or(start(from), |until| until.min(start(from)))));
            }
        }
        if let Some(end) = filter.until {
            until = quarter_of(end);
            if start(until) < end && until >= from {
                edges.push((start(until).max(filter.since.unwrap_or(start(until))), end));
            }
        }
        edges.retain(|(from, until)| from < until);
        Self { quarters: from..until.max(from), edges }
    }

    /// The days of UTC that hold these quarters, first and last.
    fn days(&self) -> (i64, i64) {
        (self.quarters.start.div_euclid(QUARTERS), self.quarters.end.saturating_sub(1).div_euclid(QUARTERS))
    }
}

/// A row of `sessions`.
struct Run {
    id: i64,
    set: u32,
    first: Instant,
    last: Instant,
}

/// Reads for one question.
pub(super) struct Reading<'a> {
    conn: &'a Connection,
    ids: &'a mut Ids,
    names: &'a mut Names,
}

impl<'a> Reading<'a> {
    pub(super) fn new(conn: &'a Connection, desk: &'a mut Desk) -> Self {
        Self { conn, ids: &mut desk.ids, names: &mut desk.core.names }
    }

    pub(super) fn report(mut self, query: &Query) -> Result<Report> {
        match query.grain {
            Grain::Call => {
                let rows = self.rows(&query.filter)?;
                Ok(grouping::calls(query, self.names, rows.iter()))
            }
            Grain::Session => {
                let stretches = self.stretches(&query.filter)?;
                Ok(grouping::sessions(query, self.names, stretches.into_iter()))
            }
            Grain::Hour | Grain::Day | Grain::Week | Grain::Month | Grain::Total => {
                let source = self.prepare(&query.filter, &query.by)?;
                let mut report = PeriodReport::new(query, self.names);
                source.each(self.conn, self.ids, &mut |quarter| report.add(&quarter))?;
                Ok(report.finish())
            }
        }
    }

    pub(super) fn sums(mut self, filter: &Filter) -> Result<Sums> {
        let source = self.prepare(filter, &[])?;
        let mut verdicts = Verdicts::new(filter, self.names);
        let mut sums = Sums::default();
        source.each(self.conn, self.ids, &mut |quarter| {
            if verdicts.admits(quarter.set) {
                sums.add(&quarter.sums);
            }
        })?;
        Ok(sums)
    }

    /// The sums of stretches of time that begin and end on quarter hours.
    pub(super) fn spans(mut self, spans: &[Span], filter: &Filter) -> Result<Vec<Sums>> {
        let whole = Filter {
            since: filter.since.into_iter().chain(spans.iter().map(|span| span.from).min()).max(),
            until: filter.until.into_iter().chain(spans.iter().map(|span| span.until).max()).min(),
            ..filter.clone()
        };
        let source = self.prepare(&whole, &[])?;
        let mut verdicts = Verdicts::new(filter, self.names);
        let quarters: Vec<Range<i64>> =
            spans.iter().map(|span| quarter_of(span.from)..quarter_of(span.until)).collect();
        let mut all = vec![Sums::default(); spans.len()];
        source.each(self.conn, self.ids, &mut |quarter| {
            if verdicts.admits(quarter.set) {
                let inside = quarters.iter().zip(&mut all).filter(|(span, _)| span.contains(&quarter.number));
                inside.for_each(|(_, sums)| sums.add(&quarter.sums));
            }
        })?;
        Ok(all)
    }

    /// The rows a filter admits, newest first, no more than `limit`.
    pub(super) fn newest(mut self, filter: &Filter, limit: usize) -> Result<Vec<Slim>> {
        let mut rows: Vec<Slim> = Vec::new();
        let mut last = None;
        self.each_row(filter, true, &mut |row| {
            let second = row.at.timestamp();
            if rows.len() >= limit && last != Some(second) {
                return false;
            }
            last = Some(second);
            rows.push(row);
            true
        })?;
        rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.at, row.key)));
        rows.truncate(limit);
        Ok(rows)
    }

    /// The row as which a key is shown.
    pub(super) fn call(self, key: CallKey) -> Result<Option<Slim>> {
        let Self { conn, ids, names } = self;
        let mut find = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM calls WHERE {OF_KEY}"))?;
        if let Some(row) = find.query_row(rows::of_key(key), |row| rows::read(row, conn, ids, names)).optional()? {
            return Ok(Some(row));
        }
        if meta(conn, "telemetry")?.is_none() {
            return Ok(None);
        }
        let apart = format!("SELECT 1 FROM apart WHERE {OF_KEY} AND alias = ?2");
        let apart = conn.prepare_cached(&apart)?.exists(rows::of_key(key))?;
        let mut host =
            conn.prepare_cached(&format!("SELECT {COLUMNS} FROM calls WHERE alias = ? ORDER BY key LIMIT 1"))?;
        if apart { host.query_row([key.bytes()], |row| rows::read(row, conn, ids, names)).optional() } else { Ok(None) }
    }

    /// What the numbers in rows stand for.
    pub(super) fn names(&mut self) -> &mut Names {
        self.names
    }

    /// Every row a filter admits.
    pub(super) fn rows(&mut self, filter: &Filter) -> Result<Vec<Slim>> {
        let mut rows = Vec::new();
        self.each_row(filter, false, &mut |row| {
            rows.push(row);
            true
        })?;
        Ok(rows)
    }

    /// Shows each row a filter admits in the order of seconds, until told to stop.
    fn each_row(&mut self, filter: &Filter, newest_first: bool, each: &mut dyn FnMut(Slim) -> bool) -> Result<()> {
        let mut low = filter.since.map_or(i64::MIN, |since| rows::first_id(since.timestamp()));
        let mut high = filter.until.map_or(i64::MAX, |until| rows::first_id(until.timestamp().saturating_add(1)));
        if exact_session(filter).is_some() {
            let runs = self.runs(filter)?;
            low = low.max(runs.iter().map(|run| rows::first_id(run.first.timestamp())).min().unwrap_or(i64::MAX));
            high = high.min(runs.iter().map(|run| rows::first_id(run.last.timestamp() + 1)).max().unwrap_or(i64::MIN));
        }
        let order = if newest_first { "DESC" } else { "ASC" };
        let select = format!("SELECT {COLUMNS} FROM calls WHERE id >= ? AND id < ? ORDER BY id {order}");
        let mut select = self.conn.prepare_cached(&select)?;
        let mut found = select.query([low, high])?;
        let mut verdicts: FxHashMap<i64, bool> = FxHashMap::default();
        while let Some(row) = found.next()? {
            let session: i64 = row.get(2)?;
            let admitted = match verdicts.get(&session) {
                Some(admitted) => *admitted,
                None => {
                    let set = self.ids.known_session(self.conn, self.names, session)?;
                    let admitted = admits(filter, set, self.names);
                    verdicts.insert(session, admitted);
                    admitted
                }
            };
            if admitted {
                let row = rows::read(row, self.conn, self.ids, self.names)?;
                if in_time(filter, row.at) && !each(row) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The sessions that may have calls a filter admits.
    fn runs(&mut self, filter: &Filter) -> Result<Vec<Run>> {
        const RUN: &str = "SELECT id, kind, session, agent, first, first_ns, last, last_ns FROM sessions";
        let since = filter.since.map_or(i64::MIN, |since| since.timestamp());
        let until = filter.until.map_or(i64::MAX, |until| until.timestamp());
        let session = match exact_session(filter) {
            Some(name) => {
                let mut find = self.conn.prepare_cached("SELECT id FROM labels WHERE name = ?")?;
                match find.query_row([name], |row| row.get::<_, i64>(0)).optional()? {
                    Some(id) => Some(id),
                    None => return Ok(Vec::new()),
                }
            }
            None => None,
        };
        let (conn, ids, names) = (self.conn, &mut *self.ids, &mut *self.names);
        let mut read = |row: &rusqlite::Row<'_>| {
            let run = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
            let times = moment(row.get(4)?, row.get(5)?).zip(moment(row.get(6)?, row.get(7)?));
            let Some((first, last)) = times else { return Ok(None) };
            Ok(Some(Run { id: run[0], set: ids.learn_session(conn, names, run)?, first, last }))
        };
        let found: Result<Vec<Option<Run>>> = match session {
            Some(session) => conn
                .prepare_cached(&format!("{RUN} WHERE session = ? AND last >= ? AND first <= ?"))?
                .query_map([session, since, until], &mut read)?
                .collect(),
            None => conn
                .prepare_cached(&format!("{RUN} WHERE last >= ? AND first <= ?"))?
                .query_map([since, until], &mut read)?
                .collect(),
        };
        Ok(found?.into_iter().flatten().filter(|run| admits(filter, run.set, names)).collect())
    }

    /// Where the sums for a question lie; every name in them is learnt, so that they can be read in one go.
    fn prepare(&mut self, filter: &Filter, by: &[Dimension]) -> Result<Source> {
        let window = Window::of(filter);
        let mut ragged = Vec::new();
        for (from, until) in &window.edges {
            let edge = Filter { since: Some(*from), until: Some(*until), ..filter.clone() };
            ragged.extend(self.rows(&edge)?);
        }
        let narrow = |dimension: &Dimension| matches!(dimension, Dimension::Session | Dimension::Agent);
        let runs = if by.iter().any(narrow) || filter.only.iter().any(|(dimension, _)| narrow(dimension)) {
            Some(self.runs(filter)?)
        } else {
            let mut select = self.conn.prepare_cached("SELECT id FROM kinds")?;
            let kinds: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
            for kind in kinds {
                self.ids.known_kind(self.conn, self.names, kind)?;
            }
            None
        };
        Ok(Source { window, ragged, runs })
    }

    /// One stretch for each session, sub-agent and kind of call.
    fn stretches(&mut self, filter: &Filter) -> Result<Vec<Stretch>> {
        let mut source = self.prepare(filter, &[Dimension::Session])?;
        let mut sums: FxHashMap<u32, (Sums, i64, i64)> = FxHashMap::default();
        source.each(self.conn, self.ids, &mut |quarter| {
            let (sums, first, last) =
                sums.entry(quarter.set).or_insert((Sums::default(), quarter.number, quarter.number));
            sums.add(&quarter.sums);
            (*first, *last) = ((*first).min(quarter.number), (*last).max(quarter.number));
        })?;
        let mut stretches = Vec::new();
        for run in source.runs.take().unwrap_or_default() {
            let Some((sums, first_quarter, last_quarter)) = sums.get(&run.set) else { continue };
            let (mut first, mut last) = (run.first, run.last);
            if !in_time(filter, first) {
                first = self.times(run.id, *first_quarter, filter)?.0.unwrap_or(first);
            }
            if !in_time(filter, last) {
                last = self.times(run.id, *last_quarter, filter)?.1.unwrap_or(last);
            }
            stretches.push(Stretch { first, last, set: run.set, sums: *sums });
        }
        Ok(stretches)
    }

    /// The first and the last call of a session within a quarter hour and a filter's times.
    fn times(&self, session: i64, quarter: i64, filter: &Filter) -> Result<(Option<Instant>, Option<Instant>)> {
        let find = "SELECT id >> 20, ns FROM calls WHERE id >= ? AND id < ? AND session = ?";
        let mut find = self.conn.prepare_cached(find)?;
        let ids = [rows::first_id(quarter * 900), rows::first_id((quarter + 1) * 900), session];
        let times: Vec<Option<Instant>> =
            find.query_map(ids, |row| Ok(moment(row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
        let inside = || times.iter().flatten().copied().filter(|at| in_time(filter, *at));
        Ok((inside().min(), inside().max()))
    }
}

/// Where the sums for a question lie.
struct Source {
    window: Window,
    ragged: Vec<Slim>,
    /// The sessions asked for; `None` when kinds are enough.
    runs: Option<Vec<Run>>,
}

impl Source {
    fn each(&self, conn: &Connection, ids: &mut Ids, each: &mut dyn FnMut(Quarter)) -> Result<()> {
        for row in &self.ragged {
            each(grouping::quarter(row));
        }
        if self.window.quarters.is_empty() {
            return Ok(());
        }
        let days = self.window.days();
        let mut unpack = |day: i64, set: u32, packed: &[u8]| -> Result<()> {
            for entry in rollup::entries(packed) {
                let (quarter, sums) = entry?;
                let number = day.saturating_mul(QUARTERS).saturating_add(i64::from(quarter));
                if self.window.quarters.contains(&number) {
                    each(Quarter { number, set, sums });
                }
            }
            Ok(())
        };
        match &self.runs {
            None => {
                let select = "SELECT day, of, sums FROM rollup_kinds WHERE day >= ? AND day <= ?";
                let mut select = conn.prepare_cached(select)?;
                let mut found = select.query([days.0, days.1])?;
                while let Some(row) = found.next()? {
                    let kind = ids.met_kind(row.get(1)?).ok_or_else(|| rows::damaged("sums of no kind"))?;
                    unpack(row.get(0)?, kind, row.get_ref(2)?.as_blob()?)?;
                }
            }
            Some(runs) => {
                let day = |at: Instant| quarter_of(at).div_euclid(QUARTERS);
                let span = |run: &Run| (day(run.first).max(days.0), day(run.last).min(days.1));
                let lookups: i64 = runs.iter().map(span).map(|(from, to)| (to - from + 1).max(0)).sum();
                if lookups <= FEW {
                    let mut select = conn.prepare_cached("SELECT sums FROM rollup WHERE day = ? AND of = ?")?;
                    for run in runs {
                        let (from, to) = span(run);
                        for day in from..=to {
                            let packed: Option<Vec<u8>> =
                                select.query_row(params![day, run.id], |row| row.get(0)).optional()?;
                            unpack(day, run.set, packed.as_deref().unwrap_or_default())?;
                        }
                    }
                    return Ok(());
                }
                let wanted: FxHashMap<i64, u32> = runs.iter().map(|run| (run.id, run.set)).collect();
                let mut select = conn.prepare_cached("SELECT day, of, sums FROM rollup WHERE day >= ? AND day <= ?")?;
                let mut found = select.query([days.0, days.1])?;
                while let Some(row) = found.next()? {
                    if let Some(set) = wanted.get(&row.get(1)?) {
                        unpack(row.get(0)?, *set, row.get_ref(2)?.as_blob()?)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a filter says of each set, looked up once.
struct Verdicts<'a> {
    filter: &'a Filter,
    names: &'a Names,
    of_set: Vec<Option<bool>>,
}

impl<'a> Verdicts<'a> {
    fn new(filter: &'a Filter, names: &'a Names) -> Self {
        Self { filter, names, of_set: vec![None; names.sets()] }
    }

    fn admits(&mut self, set: u32) -> bool {
        *self.of_set[index(set)].get_or_insert_with(|| admits(self.filter, set, self.names))
    }
}

/// The session a filter asks for, when it names exactly one.
fn exact_session(filter: &Filter) -> Option<&str> {
    let mut asked = filter.only.iter().filter(|(dimension, _)| *dimension == Dimension::Session);
    let (_, matcher) = asked.next()?;
    (asked.next().is_none() && !matcher.is_glob()).then(|| matcher.as_str())
}

/// True when a moment is the first of a quarter hour.
pub(super) fn is_aligned(at: Instant) -> bool {
    at.timestamp().rem_euclid(900) == 0 && at.timestamp_subsec_nanos() == 0
}
