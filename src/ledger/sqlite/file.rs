//! An open SQLite file and the ledger in it.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::db_file::{identity, is_whole};
use super::new_file::NewFile;
use super::options::{Options, WriteAccess};
use crate::ledger::books::{Backing, Books};
use crate::ledger::{LedgerError, StoreError};

/// A ledger in a SQLite file.
///
/// [`Sqlite::open_again`] recovers from [`LedgerError::Damaged`] and [`LedgerError::Replaced`]. Missing calls must then
/// be read again from the logs.
pub type Sqlite = Books<SqliteFile>;

/// An open SQLite file.
pub struct SqliteFile {
    pub(super) path: PathBuf,
    pub(super) conn: Connection,
    /// The temporary file of a new ledger, until it is moved into place.
    pub(super) new_file: Option<NewFile>,
    pub(super) options: Options,
    pub(super) standing: Cell<WriteAccess>,
    pub(super) identity: Option<(u64, u64)>,
    pub(super) damaged: Cell<bool>,
    pub(super) home: Home,
}

/// How a ledger's file was displaced while it was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Displaced {
    /// It was removed, and nothing complete is in its place.
    Removed,
    /// Another database is in its place.
    ByAnother,
}

/// Location of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// At its path, or about to be moved there.
    Place,
    /// In an anonymous temporary file.
    Temporary,
    /// Nowhere: the file could not be moved into place. All rows are in the buffer.
    Nowhere,
}

impl SqliteFile {
    pub(super) fn new(path: PathBuf, conn: Connection, options: Options, standing: WriteAccess) -> Self {
        let identity = identity(&path);
        Self {
            path,
            conn,
            new_file: None,
            options,
            standing: Cell::new(standing),
            identity,
            damaged: Cell::new(false),
            home: Home::Place,
        }
    }

    /// False once the file has been removed or replaced. It must then be reopened before the next write. Costs one
    /// `stat`.
    pub(super) fn is_in_place(&self) -> bool {
        self.home == Home::Temporary
            || identity(self.new_file.as_ref().map_or(&self.path, NewFile::path)) == self.identity
    }
}

impl Drop for SqliteFile {
    fn drop(&mut self) {
        if self.is_in_place() {
            return;
        }
        // SQLite would remove the write-ahead log by its name, which may be that of another ledger by now. Its content
        // goes to the file all the same, wherever that was moved, and nothing is left for another ledger to read.
        let _ = self.conn.busy_timeout(Duration::ZERO);
        let _ = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let _ = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

impl Sqlite {
    /// Path of the database.
    pub fn path(&self) -> &Path {
        &self.backing.path
    }

    /// True when nothing can be written, because of a newer schema, a full disk, or missing permission.
    pub fn is_read_only(&self) -> bool {
        self.backing.standing.get() != WriteAccess::Writable
    }

    /// False once the file has been removed or replaced. It must then be reopened before the next write. Costs one
    /// `stat`.
    pub fn is_in_place(&self) -> bool {
        self.backing.is_in_place()
    }

    /// How the file was displaced, if it is no longer in its place.
    pub(crate) fn displaced(&self) -> Option<Displaced> {
        if self.is_in_place() {
            return None;
        }
        Some(if is_whole(self.path()) { Displaced::ByAnother } else { Displaced::Removed })
    }

    pub(super) fn because(&self, error: impl Into<StoreError>) -> LedgerError {
        self.backing.error(error.into())
    }
}

/// Adds the path to a database error.
pub(super) fn at(path: &Path, error: impl Into<StoreError>) -> LedgerError {
    error.into().at(path)
}
