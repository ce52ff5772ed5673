//! Session queries: sessions that match a filter, and their first and last calls.

use std::collections::BinaryHeap;

use rusqlite::{Connection, OptionalExtension, Result, Row};
use rustc_hash::{FxHashMap, FxHashSet};

use super::id_map::Ids;
use super::read::{Tables, exact_session};
use super::rollup_delta::moment;
use super::rollup_plan::{Run, SumLevel};
use super::row_mapping;
use crate::domain::{Dimension, Filter, Instant};
use crate::ledger::Sums;
use crate::ledger::grouping::{SessionPart, Stretch, admits, count_rows, in_time};
use crate::ledger::interner::{Interner, place};
use crate::ledger::{Order, Query};

/// Selects the columns of a run.
const RUN: &str = "SELECT id, kind, session, agent, branch, first, first_ns, last, last_ns FROM sessions";

/// Reads a run; `None` if all its calls were pruned.
fn run(row: &Row<'_>, conn: &Connection, ids: &mut Ids, names: &mut Interner) -> Result<Option<Run>> {
    let run = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
    let times = moment(row.get(5)?, row.get(6)?).zip(moment(row.get(7)?, row.get(8)?));
    let Some((first, last)) = times else { return Ok(None) };
    Ok(Some(Run { id: run[0], set: ids.learn_session(conn, names, run)?, first, last }))
}

impl Tables<'_> {
    /// Sessions that may have calls that match.
    pub(super) fn runs(&mut self, filter: &Filter) -> Result<Vec<Run>> {
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
        let mut read = |row: &Row<'_>| run(row, conn, ids, names);
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

    /// The runs of the sessions that come first in a limited session report, and whether these are all sessions. The
    /// names of the others are not read. `None` if they cannot be found that way.
    pub(super) fn first_runs(&mut self, query: &Query) -> Result<Option<(Vec<Run>, bool)>> {
        let filter = &query.filter;
        let Some(limit) = query.limit.filter(|_| filter.since.is_none() && filter.until.is_none()) else {
            return Ok(None);
        };
        if filter.only.iter().any(|(dimension, _)| dimension.is_of_sessions()) {
            return Ok(None);
        }
        self.kinds()?;
        let order = if query.order == Order::Ascending { "ASC" } else { "DESC" };
        let walk = format!("SELECT session, first FROM sessions WHERE first IS NOT NULL ORDER BY first {order}");
        let mut walk = self.conn.prepare_cached(&walk)?;
        let mut of_session = self.conn.prepare_cached(&format!("{RUN} WHERE session = ? AND first IS NOT NULL"))?;
        let mut verdicts: FxHashMap<i64, bool> = FxHashMap::default();
        let mut seen: FxHashSet<i64> = FxHashSet::default();
        let mut chosen: Vec<Run> = Vec::new();
        // Sort positions of the chosen sessions. Sessions still to come cannot overtake settled ones.
        let (mut fronts, mut settled, mut are_all) = (BinaryHeap::new(), 0, true);
        let front = |began: i64| if query.order == Order::Ascending { began.saturating_neg() } else { began };
        let mut found = walk.query([])?;
        while let Some(row) = found.next()? {
            let (session, first): (i64, i64) = (row.get(0)?, row.get(1)?);
            while fronts.peek().is_some_and(|nearest| *nearest > front(first)) {
                fronts.pop();
                settled += 1;
            }
            if settled >= limit {
                are_all = false;
                break;
            }
            if !seen.insert(session) {
                continue;
            }
            let mut start: Option<i64> = None;
            let mut runs = of_session.query([session])?;
            while let Some(row) = runs.next()? {
                let kind = row.get(1)?;
                let admitted = match verdicts.get(&kind) {
                    Some(admitted) => *admitted,
                    None => {
                        let set = self.ids.known_kind(self.conn, self.names, kind)?;
                        let admitted = admits(filter, set, self.names);
                        verdicts.insert(kind, admitted);
                        admitted
                    }
                };
                if admitted && let Some(run) = run(row, self.conn, self.ids, self.names)? {
                    let first = run.first.timestamp();
                    start = Some(start.map_or(first, |start| start.min(first)));
                    chosen.push(run);
                }
            }
            fronts.extend(start.map(front));
        }
        Ok(Some((chosen, are_all)))
    }

    /// Number of rows of a session report without its limit. Reads no names of sessions or sub-agents. Only for queries
    /// that [`Tables::first_runs`] can answer.
    pub(super) fn count_rows(&mut self, query: &Query) -> Result<usize> {
        let is_split = |base: Dimension| query.by.iter().any(|by| by.base() == base);
        let column = |name, base| if is_split(base) { name } else { "0" };
        let (agent, branch) = (column("agent", Dimension::Agent), column("branch", Dimension::Branch));
        let select = format!("SELECT session, {agent}, kind, {branch} FROM sessions WHERE first IS NOT NULL");
        let mut select = self.conn.prepare_cached(&select)?;
        let mut found = select.query([])?;
        let mut sets: FxHashMap<(i64, i64), u32> = FxHashMap::default();
        let mut parts: Vec<SessionPart> = Vec::new();
        while let Some(row) = found.next()? {
            let (kind, branch) = (row.get(2)?, row.get(3)?);
            let set = match sets.get(&(kind, branch)) {
                Some(set) => *set,
                None => {
                    let kind_set = self.ids.known_kind(self.conn, self.names, kind)?;
                    let mut values = *self.names.set(kind_set);
                    values[place(Dimension::Branch)] = self.ids.known_label(self.conn, self.names, branch)?;
                    let set = self.names.set_number(values);
                    sets.insert((kind, branch), set);
                    set
                }
            };
            parts.push(SessionPart { session: row.get(0)?, agent: row.get(1)?, set });
        }
        Ok(count_rows(query, self.names, parts))
    }

    /// One stretch per session, sub-agent and kind of call.
    pub(super) fn stretches(&mut self, filter: &Filter, runs: Vec<Run>) -> Result<Vec<Stretch>> {
        let source = self.source(filter, SumLevel::Sessions(runs))?;
        let mut sums: FxHashMap<u32, (Sums, i64, i64)> = FxHashMap::default();
        source.each(self.conn, self.ids, &mut |quarter| {
            let (sums, first, last) =
                sums.entry(quarter.set).or_insert((Sums::default(), quarter.number, quarter.number));
            sums.add(&quarter.sums);
            (*first, *last) = ((*first).min(quarter.number), (*last).max(quarter.number));
        })?;
        let mut stretches = Vec::new();
        let SumLevel::Sessions(runs) = source.sums else { return Ok(stretches) };
        for run in runs {
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

    /// First and last call of a session within a quarter hour and a filter's times.
    fn times(&self, session: i64, quarter: i64, filter: &Filter) -> Result<(Option<Instant>, Option<Instant>)> {
        let find = "SELECT id, body FROM calls WHERE id >= ? AND id < ? AND session = ?";
        let mut find = self.conn.prepare_cached(find)?;
        let ids = [row_mapping::first_id(quarter * 900), row_mapping::first_id((quarter + 1) * 900), session];
        let times: Vec<Instant> = find.query_map(ids, row_mapping::moment)?.collect::<Result<_>>()?;
        let inside = || times.iter().copied().filter(|at| in_time(filter, *at));
        Ok((inside().min(), inside().max()))
    }
}
