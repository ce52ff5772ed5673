//! Reads the tables for a query: packed sums for whole quarter hours, rows for the remainder at each end.

use rusqlite::{Connection, Result, Row};
use rustc_hash::FxHashMap;

use super::id_map::Ids;
use super::rollup;
use super::rollup_plan::{Source, SumLevel, Window};
use super::row_mapping;
use super::schema::COLUMNS;
use crate::domain::{Dimension, Filter};
use crate::ledger::Sums;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::grouping::{admits, in_time};
use crate::ledger::interner::{DIMENSIONS, Interner, NONE};

/// The tables, and the names read from them.
pub(super) struct Tables<'a> {
    pub(super) conn: &'a Connection,
    pub(super) ids: &'a mut Ids,
    pub(super) names: &'a mut Interner,
}

impl Tables<'_> {
    /// Visits each row that passes a filter in order of seconds, until `each` returns false.
    pub(super) fn each_row(
        &mut self,
        filter: &Filter,
        newest_first: bool,
        each: &mut dyn FnMut(CompactRow, &Interner) -> bool,
    ) -> Result<()> {
        let mut low = filter.since.map_or(i64::MIN, |since| row_mapping::first_id(since.timestamp()));
        let mut high =
            filter.until.map_or(i64::MAX, |until| row_mapping::first_id(until.timestamp().saturating_add(1)));
        if exact_session(filter).is_some() {
            let runs = self.runs(filter)?;
            low =
                low.max(runs.iter().map(|run| row_mapping::first_id(run.first.timestamp())).min().unwrap_or(i64::MAX));
            high = high
                .min(runs.iter().map(|run| row_mapping::first_id(run.last.timestamp() + 1)).max().unwrap_or(i64::MIN));
        }
        let order = if newest_first { "DESC" } else { "ASC" };
        let select = format!("SELECT {COLUMNS} FROM calls WHERE id >= ? AND id < ? ORDER BY id {order}");
        let mut select = self.conn.prepare_cached(&select)?;
        let mut found = select.query([low, high])?;
        let mut verdicts: FxHashMap<i64, bool> = FxHashMap::default();
        while let Some(row) = found.next()? {
            let session: i64 = row.get(3)?;
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
                let row = row_mapping::read(row, self.conn, self.ids, self.names)?;
                if in_time(filter, row.at) && !each(row, self.names) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Chooses the sums for a query and interns every name in them, so that they can be read in one pass. `timeless`
    /// means that the query does not group by time.
    pub(super) fn prepare(&mut self, filter: &Filter, by: &[Dimension], timeless: bool) -> Result<Source> {
        let asked = by.iter().chain(filter.only.iter().map(|(dimension, _)| dimension));
        let sums = if asked.copied().any(Dimension::is_of_sessions) {
            SumLevel::Sessions(self.runs(filter)?)
        } else if timeless && filter.since.is_none() && filter.until.is_none() {
            SumLevel::Ever(self.kinds()?)
        } else if by.is_empty() && filter.only.is_empty() {
            SumLevel::Days(self.names.set_number([NONE; DIMENSIONS]))
        } else {
            self.each_kind(&mut |_, _| Ok(()))?;
            SumLevel::Kinds
        };
        self.source(filter, sums)
    }

    pub(super) fn source(&mut self, filter: &Filter, sums: SumLevel) -> Result<Source> {
        let window = Window::from_filter(filter);
        let mut ragged = Vec::new();
        for (from, until) in &window.edges {
            let edge = Filter { since: Some(*from), until: Some(*until), ..filter.clone() };
            self.each_row(&edge, false, &mut |row, _| {
                ragged.push(row);
                true
            })?;
        }
        Ok(Source { window, ragged, sums })
    }

    /// Every kind of call, with its all-time sums.
    pub(super) fn kinds(&mut self) -> Result<Vec<(u32, Sums)>> {
        let mut kinds = Vec::new();
        self.each_kind(&mut |kind, row| {
            for entry in rollup::entries(row.get_ref(8)?.as_blob_or_null()?.unwrap_or_default()) {
                kinds.push((kind, entry?.1));
            }
            Ok(())
        })?;
        Ok(kinds)
    }

    /// Visits every kind of call, as an interned id and its row. Interns its names.
    fn each_kind(&mut self, each: &mut dyn FnMut(u32, &Row<'_>) -> Result<()>) -> Result<()> {
        let mut select =
            self.conn.prepare_cached("SELECT id, model, source, user, project, team, feature, org, sums FROM kinds")?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            each(self.ids.learn_kind(self.conn, self.names, row)?, row)?;
        }
        Ok(())
    }
}

/// The session named by a filter, if it names exactly one.
pub(super) fn exact_session(filter: &Filter) -> Option<&str> {
    let mut asked = filter.only.iter().filter(|(dimension, _)| *dimension == Dimension::Session);
    let (_, matcher) = asked.next()?;
    (asked.next().is_none() && !matcher.is_glob()).then(|| matcher.as_str())
}
