//! Decisions based on the ledger that no other process can overtake.

use super::books::{Backing, Books};
use super::interface::Decide;
use super::store::{Access, Store, Stored};
use super::{FactEdit, Ledger, LedgerError};

impl<B: Backing> Books<B> {
    /// Runs `decide` in a write transaction and writes the facts it returns; see [`Ledger::exclusively`].
    pub(super) fn decide(&mut self, decide: Decide<'_>) -> Result<(), LedgerError> {
        self.flush()?;
        B::prepare(self)?;
        self.backing.admit()?;
        self.backing.step("begin");
        let begun = self.backing.store().begin(Access::Write).and_then(|()| self.backing.inspect());
        let decided = begun.map_err(|error| self.backing.error(error)).and_then(|()| {
            self.has_begun.set(true);
            let decided = decide(self);
            self.has_begun.set(false);
            decided
        });
        let done = match decided {
            // Nothing was written: end the transaction as a read would.
            Ok(edits) if edits.is_empty() => {
                self.backing.store().roll_back();
                return Ok(());
            }
            Ok(edits) => self.put(edits).map_err(|error| self.backing.error(error)),
            Err(error) => Err(error),
        };
        if done.is_err() {
            self.backing.store().roll_back();
        }
        done
    }

    fn put(&self, edits: Vec<FactEdit>) -> Stored<()> {
        let store = self.backing.store();
        for FactEdit { space, key, fact } in edits {
            store.put_fact(space, &key, fact.as_ref())?;
        }
        self.backing.step("commit");
        store.commit()?;
        self.backing.step("committed");
        Ok(())
    }
}
