//! A ledger that was damaged, removed or replaced while it was open.

use std::sync::Arc;

use super::{AnyLedger, Backend};
use crate::domain::Instant;
use crate::ledger::{Displaced, LedgerError, Memory, Note};
use crate::pricing::PriceBook;

impl AnyLedger {
    /// How the ledger's file was removed or replaced while it was open, with the error for
    /// [`AnyLedger::replace_damaged`]; `None` if it was not.
    pub(crate) fn displaced(&self) -> Option<(Displaced, LedgerError)> {
        let Backend::Sqlite(books) = &self.backend else { return None };
        Some((books.displaced()?, LedgerError::Replaced { path: books.path().to_owned() }))
    }

    /// Replaces a ledger that was damaged, replaced or removed, with one in memory if necessary. Returns warnings if it
    /// was replaced; missing calls must then be read again from the logs.
    pub(crate) fn replace_damaged(
        &mut self,
        error: &LedgerError,
        prices: &Arc<PriceBook>,
        now: Instant,
    ) -> Option<Vec<Note>> {
        if !matches!(error, LedgerError::Replaced { .. } | LedgerError::Damaged { .. }) {
            return None;
        }
        tracing::warn!(%error, "the ledger is opened again");
        let spare = || Box::new(Memory::new(Arc::clone(prices) as _));
        match std::mem::replace(&mut self.backend, Backend::Memory(spare())) {
            Backend::Sqlite(books) => match books.open_again(now) {
                Ok(opened) => {
                    self.backend = Backend::Sqlite(Box::new(opened.books));
                    Some(opened.notes)
                }
                Err(_) => {
                    self.backend = Backend::Memory(spare());
                    Some(Vec::new())
                }
            },
            other @ Backend::Memory(_) => {
                self.backend = other;
                None
            }
        }
    }
}
