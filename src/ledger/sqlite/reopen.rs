//! Opens a damaged or replaced ledger again, keeping the rows that are waiting to be written.

use std::collections::BTreeMap;

use super::db_file::{identity, set_aside};
use super::file::Sqlite;
use super::open::{Opened, open};
use super::options::Options;
use super::warning::Note;
use super::{damage, salvage};
use crate::domain::Instant;
use crate::ledger::LedgerError;
use crate::ledger::write_buffer::WriteBuffer;

impl Sqlite {
    /// Reopens the ledger after [`LedgerError::Damaged`] or [`LedgerError::Replaced`]. If a full check finds the file
    /// damaged, it is moved aside first. Buffered batches are kept.
    ///
    /// # Errors
    /// When it can be neither read nor created.
    pub fn open_again(self, now: Instant) -> Result<Opened, LedgerError> {
        let Self { backing, pricer, gathered, .. } = self;
        let (path, options) = (backing.path.clone(), backing.options.clone());
        let (is_damaged, known) = (backing.damaged.get(), backing.identity);
        // Only one connection at a time may check the file or move it.
        drop(backing);
        let mut notes = Vec::new();
        if is_damaged
            && !options.read_only
            && identity(&path) == known
            && let Err(what) = damage::check(&path)
        {
            notes.push(Note::SetAside { to: set_aside(&path, now)?, what });
        }
        let aside = notes.iter().find_map(Note::set_aside);
        let mut opened = open(&path, Options { now, ..options }, pricer)?;
        if let Some(aside) = aside {
            salvage::begin(&opened.books.backing.conn, aside).map_err(|error| opened.books.because(&error))?;
        }
        // The new ledger has its own checkpoints, so the old one's logs are read again.
        opened.books.gathered = WriteBuffer { files: BTreeMap::new(), ..gathered };
        opened.notes.splice(0..0, notes);
        Ok(opened)
    }
}
