//! Sessions that start while the meter runs: they need one query or none, instead of a whole snapshot.

use super::Meter;
use crate::domain::Filter;
use crate::ledger::{Ledger, LedgerError};
use crate::meter::session_id::SessionId;
use crate::meter::snapshot::{of_session, session_query};

impl Meter {
    /// Handles the first call of an unknown session. From here on its usage counts against limits.
    pub(super) fn begin(&mut self, id: SessionId) {
        let sees_all = self.rules.view == Filter::default();
        if sees_all && id.session.is_some() {
            self.usages.iter_mut().for_each(|usage| usage.begin(&id));
            if !self.sessions.complete {
                self.begun.insert(id, false);
            }
        } else {
            // Limits also count calls that are out of view.
            self.stale |= !self.sessions.complete;
        }
    }

    /// Asks the ledger whether the sessions that seem to have just started have earlier calls. If so, the meter is
    /// stale. The meter must have been given every change so far.
    ///
    /// # Errors
    /// When the ledger cannot be read. The meter then stays stale.
    pub fn confirm(&mut self, books: &dyn Ledger) -> Result<(), LedgerError> {
        for (id, is_certain) in self.begun.iter_mut().filter(|(_, is_certain)| !**is_certain) {
            let query = session_query(&self.rules, of_session(&Filter::default(), id), 1);
            let row = books.report(&query)?.rows.into_iter().find_map(|row| row.session);
            let known = self.sessions.get(id).map(|session| session.sums);
            self.stale |= row.map(|row| row.sums) != known;
            *is_certain = true;
        }
        Ok(())
    }
}
