//! A second connection to an open ledger, for decisions that must not wait for the first one.

use std::sync::Arc;
use std::time::Duration;

use super::file::{Home, Sqlite};
use super::open::open;
use super::options::{Options, WriteAccess};
use crate::ledger::LedgerError;

impl Sqlite {
    /// Another connection to this ledger. It waits for no lock, and leaves copying the write-ahead log to the first
    /// connection. `None` while the ledger is not in its place or cannot be written.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn second(&self) -> Result<Option<Self>, LedgerError> {
        let file = &self.backing;
        let is_there =
            file.new_file.is_none() && file.home == Home::Place && file.standing.get() == WriteAccess::Writable;
        if !is_there || self.gathered.anything {
            return Ok(None);
        }
        let options = Options { busy: Duration::ZERO, as_draft: false, quick_check: 0, ..file.options.clone() };
        let second = open(&file.path, options, Arc::clone(&self.pricer))?.books;
        let set = second.backing.conn.pragma_update(None, "wal_autocheckpoint", 0);
        set.map_err(|error| second.because(error))?;
        Ok(Some(second).filter(|second| !second.is_read_only()))
    }
}
