//! Reads new and changed rows of another program's SQLite database, for the format that knows its tables.
//!
//! The position is a row's number and the time of its last change, one pair for each query of the format, stored in the
//! checkpoint. A database that was replaced by another, or whose last rows were deleted, is read from the beginning:
//! its rows have the same keys. It is open only while it is being read.

use std::io;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};

use super::batch_builder::BatchBuilder;
use super::fs::{FileKind, Fs, Stat};
use super::os_fs::OsFs;
use super::sqlite_access::{self, Database, Found, WRITER_STAYS, why};
use super::sqlite_names::wal_of;
use super::tail::{RECORDS, Reached, Tail, Tools};
use super::{Condition, Options, ReadBatch, RootKind, unpack};
use crate::domain::Instant;
use crate::formats::{FormatId, Framing, RowQuery, Schema, Value, formats_of_name};

/// Rows that changed within this time before the latest change are read again, in milliseconds of the writer's clock:
/// of two writers, the one that began first may finish last.
const SLACK: i64 = 10_000;

/// Number of batches kept until the transaction has ended. The receiver may be slow, and while a reader's transaction
/// is open, the writer cannot restart its log. Only a first read has more.
const HELD: usize = 64;

/// Maximum size of a value to decompress.
const LARGEST_VALUE: u64 = 64 << 20;

/// How far a query's rows have been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// The highest row number.
    number: i64,
    /// The latest change of a row.
    changed: i64,
}

/// The reader's state, stored in the checkpoint.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    /// The format that read it; empty in checkpoints from earlier versions.
    format: String,
    /// [`crate::formats::Format::revision`] at that time.
    revision: u32,
    cursors: Vec<Cursor>,
    reader: String,
}

/// Longest pause between two reads of a database whose writer interferes each time.
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

/// The result of reading the tables once.
struct Rows {
    builder: BatchBuilder,
    /// Batches to pass on when the transaction has ended.
    held: Vec<ReadBatch>,
    /// True when everything was read.
    is_whole: bool,
    /// The state before and after. The decoder's own state is still in the builder.
    saved: Saved,
    state: Saved,
}

/// Time after which a writer has certainly published everything in its log. It may wait for the disk in between.
const SETTLED: std::time::Duration = std::time::Duration::from_millis(200);

impl Tail {
    /// The state of the file; for a database, combined with that of its write-ahead log.
    pub(super) fn with_wal(&self, fs: &dyn Fs, stat: Stat) -> Stat {
        if self.framing != Framing::Sqlite {
            return stat;
        }
        let Ok(wal) = fs.stat(&wal_of(fs, self.path())) else { return stat };
        Stat {
            size: stat.size.saturating_add(wal.size),
            modified_ns: stat.modified_ns.max(wal.modified_ns),
            // When root opens a log, SQLite sets its owner again, which changes its times but not its content.
            changed_ns: stat.changed_ns.max(wal.modified_ns),
            ..stat
        }
    }

    /// Reads new data from a database and passes it on.
    pub(super) fn read_database(&mut self, tools: &mut Tools, hand: &mut dyn FnMut(ReadBatch)) -> io::Result<Reached> {
        let stat = tools.fs.stat(self.path())?;
        if stat.id != self.id() || stat.sort != FileKind::File {
            return Ok(Reached::Replaced(stat));
        }
        let stat = self.with_wal(&*tools.fs, stat);
        let is_patient = self.is_patient(tools);
        let database = match sqlite_access::open(&*tools.fs, self.path(), is_patient)? {
            Found::Database(database) => database,
            Found::Busy => return Ok(self.is_busy(tools)),
            Found::Empty => return Ok(self.is_done(&stat, None)),
            Found::Other => return Ok(self.is_done(&stat, Some("no SQLite database"))),
        };
        let before = (self.state.lines, self.state.bad_lines, self.tallies, self.strange);
        let read = self.read_tables(&database, &stat, tools, hand);
        if !database.is_at_rest(&*tools.fs, self.path()) {
            // Anything that was read may be torn, including an error.
            (self.state.lines, self.state.bad_lines, self.tallies, self.strange) = before;
            return Ok(self.is_busy(tools));
        }
        let to_validate = database.to_validate;
        drop(database);
        let Some(Rows { mut builder, held, is_whole, saved, state }) = read? else {
            return Ok(self.is_done(&stat, Some("a database of a version that is not known")));
        };
        held.into_iter().for_each(&mut *hand);
        if !is_whole {
            return Ok(Reached::More);
        }
        if to_validate && tools.fs.stat(self.path()).is_ok_and(|now| self.with_wal(&*tools.fs, now) != stat) {
            // A writer has interfered. Torn data was passed on only under its keys, and is read again.
            if is_patient {
                return Ok(self.is_busy(tools));
            }
            return Err(io::Error::other(WRITER_STAYS));
        }
        self.torn = None;
        let state = Saved { reader: builder.state(), ..state };
        let is_news = !builder.records.is_empty() || state.cursors != saved.cursors || !self.booked;
        self.is_done(&stat, None);
        if is_news {
            let bytes = stat.size.saturating_sub(self.state.offset);
            let batch = self.batch(&mut builder, bytes, tools);
            self.state.offset = stat.size;
            self.state.reader = serde_json::to_string(&state).unwrap_or_default();
            self.booked = true;
            hand(ReadBatch { file: Some(self.state.clone()), ..batch });
        }
        Ok(Reached::End)
    }

    /// True for a database whose rows an earlier version read as other records. Its agent may never write to it again.
    pub(super) fn is_of_earlier_version(&self) -> bool {
        let revision = self.format.map_or(0, |format| format.format().revision());
        let is_read = self.framing == Framing::Sqlite && revision > 0 && !self.state.reader.is_empty();
        is_read && serde_json::from_str::<Saved>(&self.state.reader).is_ok_and(|saved| saved.revision != revision)
    }

    /// True until the writer has interfered for so long that its file must be locked.
    fn is_patient(&self, tools: &Tools) -> bool {
        let patience = if tools.is_live { tools.patience * 3 } else { tools.patience };
        self.torn.is_none_or(|since| since.elapsed() < patience)
    }

    /// The writer interfered during the read. A caller that waits for the result pauses, longer each time.
    fn is_busy(&mut self, tools: &Tools) -> Reached {
        let waited = self.torn.get_or_insert_with(std::time::Instant::now).elapsed();
        if !tools.is_live {
            std::thread::sleep((waited / 8).min(LONGEST_PAUSE));
        }
        Reached::Busy
    }

    /// Reads new data from the tables; `None` if the tables are unknown.
    fn read_tables(
        &mut self,
        database: &Database,
        stat: &Stat,
        tools: &Tools,
        hand: &mut dyn FnMut(ReadBatch),
    ) -> io::Result<Option<Rows>> {
        // Use one transaction from the first query on, because each `BEGIN` reads the header, which a writer changes
        // with every commit.
        let schema = begin(&database.connection).and_then(|()| schema_of(&database.connection));
        let Some((format, queries)) = self.queries(&schema.map_err(|error| why(&error))?) else { return Ok(None) };
        self.format = Some(format);
        let (name, revision) = (format.format().name(), format.format().revision());
        let mut saved: Saved = serde_json::from_str(&self.state.reader).unwrap_or_default();
        let is_of_another = saved.format != name && !saved.format.is_empty();
        if is_of_another || saved.revision != revision {
            // Another agent's database had the same tables before, or an earlier version read it.
            saved = Saved::default();
        }
        let mut decoder = self.decoder(tools);
        decoder.restore(&saved.reader);
        let modified = Instant::from_timestamp_nanos(stat.modified_ns);
        let builder = BatchBuilder::new(decoder, self.label().clone(), modified, self.state.lines);
        let mut cursors = saved.cursors.clone();
        cursors.resize(queries.len(), Cursor::default());
        let mut pass = Pass { tail: self, tools, builder, held: Vec::new(), hand };
        let is_whole = pass.read(database, &queries, &mut cursors)?;
        let Pass { builder, held, .. } = pass;
        let state = Saved { format: name.to_owned(), revision, cursors, reader: String::new() };
        Ok(Some(Rows { builder, held, is_whole, saved, state }))
    }

    /// The format that knows these tables, and its queries.
    ///
    /// Several agents use the same name for their database. Outside their own places, the tables show which agent it
    /// is.
    fn queries(&self, schema: &Schema) -> Option<(FormatId, Vec<RowQuery>)> {
        let named = |id: FormatId| Some((id, id.format().queries(schema)?));
        if matches!(self.layout, RootKind::Agent(_)) {
            return self.format.and_then(named);
        }
        let name = self.path().file_name()?.as_encoded_bytes();
        let databases = formats_of_name(name).filter(|(_, framing)| *framing == Framing::Sqlite);
        databases.map(|(id, _)| id).find_map(named)
    }

    /// Marks the database as read until it changes, once it has been read twice in the same state.
    ///
    /// A writer first extends its log and only then updates the index by which readers find the end of the log. A read
    /// between the two misses data that is already in the log, and no later change of a file reveals that.
    fn is_done(&mut self, stat: &Stat, trouble: Option<&'static str>) -> Reached {
        let state = (stat.size, stat.changed_ns);
        let unsettled = stat.changed_ns.wrapping_sub(1);
        let is_settled = match self.first_read {
            Some((before, at)) => before == state && at.elapsed() >= SETTLED,
            // An earlier process read it in this state.
            None => (self.state.size, self.state.modified_ns) == (stat.size, unsettled),
        };
        if self.first_read.is_none_or(|(before, _)| before != state) {
            self.first_read = Some((state, std::time::Instant::now()));
        }
        (self.state.size, self.state.modified_ns) = (stat.size, if is_settled { stat.changed_ns } else { unsettled });
        (self.searched, self.lag) = (stat.size, 0);
        if trouble.is_some() || matches!(self.news, Some(Condition::Unsupported(_))) {
            self.news = trouble.map(Condition::Unsupported);
        }
        Reached::End
    }

    fn batch(&mut self, builder: &mut BatchBuilder, bytes: u64, tools: &Tools) -> ReadBatch {
        let (batch, unknown) = builder.batch(bytes, &mut self.tallies, &tools.owner, &tools.projects);
        self.strange = unknown;
        self.state.lines += batch.tallies.lines;
        self.state.bad_lines += batch.tallies.bad;
        batch
    }
}

/// One read of one database.
struct Pass<'a> {
    tail: &'a mut Tail,
    tools: &'a Tools,
    builder: BatchBuilder,
    /// Batches to pass on when the transaction has ended.
    held: Vec<ReadBatch>,
    hand: &'a mut dyn FnMut(ReadBatch),
}

impl Pass<'_> {
    /// Runs every query. Returns false if reading must stop before everything has been read.
    fn read(&mut self, database: &Database, queries: &[RowQuery], cursors: &mut [Cursor]) -> io::Result<bool> {
        for (place, (query, cursor)) in queries.iter().zip(cursors).enumerate() {
            match self.ask(database, place, query, cursor) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => return Err(why(&error)),
            }
        }
        Ok(true)
    }

    fn ask(
        &mut self,
        database: &Database,
        place: usize,
        query: &RowQuery,
        cursor: &mut Cursor,
    ) -> rusqlite::Result<bool> {
        let connection = &database.connection;
        let last = format!("SELECT max(rowid) FROM {}", query.table);
        let last: Option<i64> = connection.query_row(&last, [], |row| row.get(0))?;
        if last.unwrap_or_default() < cursor.number {
            *cursor = Cursor::default();
        }
        let since = [cursor.number, cursor.changed.saturating_sub(SLACK)];
        let mut statement = connection.prepare(&query.sql)?;
        let (asked, columns) = (statement.parameter_count().min(since.len()), statement.column_count());
        let mut rows = statement.query(rusqlite::params_from_iter(&since[..asked]))?;
        while let Some(row) = rows.next()? {
            let unpacked = unpacked(row, columns)?;
            let values = values(row, &unpacked)?;
            if let Some(Value::Integer(number)) = values.first() {
                cursor.number = cursor.number.max(*number);
            }
            if let Some(Value::Integer(changed)) = values.get(1) {
                cursor.changed = cursor.changed.max(*changed);
            }
            let number = match values.first() {
                Some(Value::Integer(number)) => u64::try_from(*number).unwrap_or_default(),
                _ => 0,
            };
            self.builder.row(place, number, &values);
            if self.builder.records.len() >= RECORDS {
                let batch = self.tail.batch(&mut self.builder, 0, self.tools);
                self.held.push(batch);
                if self.held.len() > HELD {
                    if !database.is_at_rest(&*self.tools.fs, self.tail.path()) {
                        return Ok(false);
                    }
                    self.held.drain(..).for_each(&mut *self.hand);
                }
            }
            if self.tools.is_stopping() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Reads all rows of another program's database once, with queries that depend on its schema; `None` if the schema is
/// unknown.
///
/// # Errors
/// As reported by the system or SQLite, and when a writer interfered, because the data may then be torn.
pub(crate) fn read_rows(
    path: &Path,
    queries: &dyn Fn(&Schema) -> Option<Vec<RowQuery>>,
    each: &mut dyn FnMut(usize, &[Value<'_>]),
) -> io::Result<()> {
    let state = || (OsFs.stat(path).ok(), OsFs.stat(&wal_of(&OsFs, path)).ok());
    let before = state();
    let begun = std::time::Instant::now();
    let database = loop {
        match sqlite_access::open(&OsFs, path, begun.elapsed() < Options::default().patience)? {
            Found::Busy => {}
            found @ (Found::Database(_) | Found::Empty | Found::Other) => break found,
        }
    };
    let Found::Database(database) = database else { return Ok(()) };
    let mut read = || -> rusqlite::Result<()> {
        let connection = &database.connection;
        begin(connection)?;
        for (place, query) in queries(&schema_of(connection)?).unwrap_or_default().iter().enumerate() {
            let mut statement = connection.prepare(&query.sql)?;
            let (asked, columns) = (statement.parameter_count().min(2), statement.column_count());
            let mut rows = statement.query(rusqlite::params_from_iter(&[0_i64, 0][..asked]))?;
            while let Some(row) = rows.next()? {
                each(place, &values(row, &unpacked(row, columns)?)?);
            }
        }
        Ok(())
    };
    let end = read().map_err(|error| why(&error));
    if !database.is_at_rest(&OsFs, path) || (database.to_validate && state() != before) {
        return Err(io::Error::other("its writer has come"));
    }
    end
}

/// For each column of a row, the decompressed value if the value is compressed.
fn unpacked(row: &Row<'_>, columns: usize) -> rusqlite::Result<Vec<Option<Vec<u8>>>> {
    let column = |column| {
        Ok(match row.get_ref(column)? {
            ValueRef::Blob(bytes) => unpack::whole(bytes, LARGEST_VALUE),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => None,
        })
    };
    (0..columns).map(column).collect()
}

/// A row in the form that formats expect.
fn values<'row>(row: &'row Row<'_>, unpacked: &'row [Option<Vec<u8>>]) -> rusqlite::Result<Vec<Value<'row>>> {
    let value = |(column, unpacked): (usize, &'row Option<Vec<u8>>)| {
        if let Some(bytes) = unpacked {
            return Ok(Value::Bytes(bytes));
        }
        Ok(match row.get_ref(column)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(text) => std::str::from_utf8(text).map_or(Value::Bytes(text), Value::Text),
            ValueRef::Blob(bytes) => Value::Bytes(bytes),
        })
    };
    unpacked.iter().enumerate().map(value).collect()
}

/// Begins the transaction in which a database is read. It ends when the database is closed.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN")
}

fn schema_of(connection: &Connection) -> rusqlite::Result<Schema> {
    let mut schema = Schema::default();
    // A virtual table has no page of its own and may need an extension that is not available, such as a search index.
    let sql = "SELECT tables.name, columns.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns \
               WHERE tables.type = 'table' AND tables.rootpage > 0";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        schema.add(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?);
    }
    Ok(schema)
}
