//! Decides whether a call may be made, and holds its likely cost, when the proxy has no connection of its own.

use std::sync::Arc;

use super::LedgerThread;
use crate::engine::admissions::admission_ledger::Open;
use crate::engine::admissions::{Admit, Admitted, Policy, verdict};
use crate::ledger::{FactKind, KeyValue};
use crate::meter::admission::{self, PendingCall};
use crate::meter::gate;

impl LedgerThread {
    pub(super) fn admission(&mut self, admit: Admit) {
        let Admit { coming, reply } = admit;
        let admitted = self.admitted(&coming);
        let is_held = matches!(admitted, Admitted::Go { is_held: true, .. });
        if reply.send(admitted).is_err() && is_held {
            // The caller has gone, so the call is not made. If this fails, the hold lapses by itself.
            let _ = self.books.remove(FactKind::Hold, &coming.hold.to_string());
        }
        self.grant();
    }

    fn admitted(&mut self, coming: &PendingCall) -> Admitted {
        let (now, zone) = (self.env.now(), self.config_edits.settings.zone);
        let on_error = self.config_edits.settings.gate.on_error;
        if self.state.stuck.is_none() {
            match admission::admit(&mut self.books, &self.rules, coming, &*self.prices, now) {
                Ok((decision, is_held)) => return verdict::admitted(&decision, is_held, now, zone),
                Err(error) => _ = self.failed(&error),
            }
        }
        // The ledger can still be read, so a call over its limit is still refused.
        match gate::decide_any(&self.books, &self.rules, &coming.callers(), now) {
            Ok(decision) if !decision.allowed => verdict::refused(&decision, now, zone),
            Ok(decision) => on_error.admitted(verdict::near(&decision, now, zone)),
            Err(_) => on_error.admitted(None),
        }
    }

    /// From its second call on, grants the proxy a connection of its own, unless calls are buffered here that it could
    /// not see, during the first read or because writes fail.
    fn grant(&mut self) {
        if !self.state.caught_up || self.state.stuck.is_some() || self.second_books.is_open() {
            return;
        }
        let Some(Ok(Some(books))) = self.books.sqlite().map(|books| books.second()) else { return };
        self.second_books.set(Some(Open {
            books,
            rules: self.rules.clone(),
            prices: Arc::clone(&self.prices),
            zone: self.config_edits.settings.zone,
            env: self.env.clone(),
        }));
    }

    /// Tells servers which limits exist.
    pub(super) fn tell_policy(&self) {
        let policy = Policy::new(&self.rules, &self.config_edits.settings);
        self.policy.send_if_modified(|known| {
            let is_new = *known != policy;
            *known = policy;
            is_new
        });
        self.second_books.keep_for(&self.rules, &self.config_edits.settings.zone);
    }
}
