//! The [`Ledger`] trait on SQLite.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use rusqlite::params;

use super::open::Standing;
use super::read::is_aligned;
use super::{Sqlite, files, status};
use crate::domain::{CallKey, Filter, Instant, Span, Status};
use crate::ledger::{Batch, BooksError, Change, Checkpoint, Ledger, Order, Query, Report, Row, Sums};

impl Ledger for Sqlite {
    fn post(&mut self, batch: &Batch) -> Result<Vec<Change>, BooksError> {
        self.flush()?;
        if batch.records.is_empty() && batch.files.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|conn, working_set, pricer, step| {
            let mut told = Vec::with_capacity(batch.records.len());
            working_set.post(conn, batch, pricer, &mut told)?;
            working_set.write_changes(conn, step)?;
            step("write files");
            files::write_files(conn, batch.files.iter())?;
            Ok(told)
        })
    }

    fn absorb(&mut self, batch: &Batch) -> Result<(), BooksError> {
        self.gather(batch);
        // Joined with the ledger when a query needs it.
        self.held = RefCell::default();
        self.draft();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BooksError> {
        if self.new_file.is_some() {
            return self.flush_at_birth();
        }
        if !self.gathered.anything {
            return Ok(());
        }
        self.look_again();
        let mut gathered = std::mem::take(&mut self.gathered);
        let done = self.book(&mut gathered);
        self.stuck = done.is_err();
        if done.is_err() {
            self.gathered = gathered;
        } else {
            self.held = RefCell::default();
        }
        done
    }

    fn report(&self, query: &Query) -> Result<Report, BooksError> {
        self.read(|reading| reading.report(query))
    }

    fn sums(&self, filter: &Filter) -> Result<Sums, BooksError> {
        self.read(|reading| reading.sums(filter))
    }

    fn calls(&self, filter: &Filter, limit: usize) -> Result<Vec<Arc<Row>>, BooksError> {
        self.read(|mut reading| {
            let rows = reading.newest(filter, limit)?;
            Ok(rows.into_iter().map(|row| row.row(reading.names)).collect())
        })
    }

    fn each(&self, filter: &Filter, order: Order, each: &mut dyn FnMut(&Arc<Row>) -> bool) -> Result<(), BooksError> {
        self.read(|mut reading| reading.in_order(filter, order, &mut |row, names| each(&row.row(names))))
    }

    fn spans(&self, spans: &[Span], filter: &Filter) -> Result<Vec<Sums>, BooksError> {
        let aligned = |at: &Option<Instant>| at.is_none_or(is_aligned);
        if spans.iter().all(|span| is_aligned(span.from) && is_aligned(span.until))
            && aligned(&filter.since)
            && aligned(&filter.until)
        {
            return self.read(|reading| reading.spans(spans, filter));
        }
        spans
            .iter()
            .map(|span| {
                let since = filter.since.map_or(span.from, |since| since.max(span.from));
                let until = filter.until.map_or(span.until, |until| until.min(span.until));
                self.sums(&Filter { since: Some(since), until: Some(until), ..filter.clone() })
            })
            .collect()
    }

    fn call(&self, key: CallKey) -> Result<Option<Arc<Row>>, BooksError> {
        self.read(|mut reading| {
            let row = reading.call(key)?;
            Ok(row.map(|row| row.row(reading.names)))
        })
    }

    fn files(&self) -> Result<Vec<Checkpoint>, BooksError> {
        let mut files = files::read_files(&self.conn).map_err(|error| self.because(&error))?;
        if self.stuck {
            // Held checkpoints are ahead of the stored ones.
            let held = &self.gathered.files;
            files.retain(|file| !held.contains_key(&file.path));
            files.extend(held.values().cloned());
            files.sort_by(|one, other| one.path.cmp(&other.path));
        }
        Ok(files)
    }

    fn file(&self, path: &Path) -> Result<Option<Checkpoint>, BooksError> {
        match self.gathered.files.get(path).filter(|_| self.stuck) {
            Some(file) => Ok(Some(file.clone())),
            None => files::read_file(&self.conn, path).map_err(|error| self.because(&error)),
        }
    }

    fn statuses(&self) -> Result<Vec<Status>, BooksError> {
        let mut all = status::read(&self.conn).map_err(|error| self.because(&error))?;
        for (name, value) in &self.gathered.core.statuses {
            let known = all.entry(name.clone()).or_default();
            *known = std::mem::take(known).max(value.clone());
        }
        Ok(all.iter().filter_map(|(name, value)| Status::from_entry(name, value)).collect())
    }

    fn claim_alert(&mut self, id: &str, at: Instant) -> Result<bool, BooksError> {
        self.write(|conn, _, _, _| {
            let insert = "INSERT OR IGNORE INTO alerts(id, fired) VALUES(?, ?)";
            Ok(conn.prepare_cached(insert)?.execute(params![id, at.timestamp()])? == 1)
        })
    }

    fn forget_alert(&mut self, id: &str) -> Result<(), BooksError> {
        self.write(|conn, _, _, _| conn.prepare_cached("DELETE FROM alerts WHERE id = ?")?.execute([id]).map(drop))
    }

    fn alerts(&self, beginning: &str) -> Result<Vec<(String, Instant)>, BooksError> {
        let attempt = || -> rusqlite::Result<Vec<_>> {
            // `substr` counts characters, as `length` does for the parameter, and needs no quoting of patterns.
            let select = "SELECT id, fired FROM alerts WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1 ORDER BY id";
            let mut statement = self.conn.prepare_cached(select)?;
            let rows = statement.query_map([beginning], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
            rows.map(|row| row.map(|(id, fired)| (id, Instant::from_timestamp(fired, 0).unwrap_or_default()))).collect()
        };
        attempt().map_err(|error| self.because(&error))
    }

    fn changed_elsewhere(&mut self) -> bool {
        // With a full disk the file is read as if there were no writers; reopen once there is room.
        if self.standing == Standing::Full {
            self.look_again();
            return self.standing != Standing::Full;
        }
        let version: Option<i64> = self.conn.pragma_query_value(None, "data_version", |row| row.get(0)).ok();
        let before = std::mem::replace(&mut self.version, version);
        before.is_some() && version != before
    }
}
