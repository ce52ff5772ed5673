//! Answers whether a call may be made, and holds its probable cost.

use super::LedgerThread;
use crate::domain::Label;
use crate::engine::admissions::{Admit, Admitted, LimitState, Policy};
use crate::ledger::{KeyValue, Space};
use crate::meter::admission::{self, Coming};
use crate::meter::gate::{self, Decision};
use crate::meter::{self, Verdict};
use crate::text;

impl LedgerThread {
    pub(super) fn admission(&mut self, admit: Admit) {
        let Admit { coming, reply } = admit;
        let admitted = self.admitted(&coming);
        let is_held = matches!(admitted, Admitted::Go { is_held: true, .. });
        if reply.send(admitted).is_err() && is_held {
            // Whoever asked has gone, and the call is not made. If this fails the hold lapses.
            let _ = self.books.remove(Space::Hold, &coming.hold.to_string());
        }
    }

    fn admitted(&mut self, coming: &Coming) -> Admitted {
        let now = self.env.now();
        let on_error = self.config_edits.settings.gate.on_error;
        if self.state.stuck.is_none() {
            match admission::admit(&mut self.books, &self.rules, coming, &*self.prices, now) {
                Ok((decision, _)) if !decision.allowed => return self.refused(&decision),
                Ok((decision, is_held)) => return Admitted::Go { is_held, near: self.near(&decision) },
                Err(error) => _ = self.failed(&error),
            }
        }
        // What can be read still refuses a call that is over.
        match gate::decide(&self.books, &self.rules, &coming.caller(), now) {
            Ok(decision) if !decision.allowed => self.refused(&decision),
            Ok(decision) => on_error.admitted(self.near(&decision)),
            Err(_) => on_error.admitted(None),
        }
    }

    fn refused(&self, decision: &Decision) -> Admitted {
        // Without a limit that stops, the decision would allow the call.
        let stop = decision.stops().next().map(|state| self.state_of(state, decision.waits));
        stop.map_or(Admitted::Denied, Admitted::Over)
    }

    /// The limit that is nearest, of those that warn.
    fn near(&self, decision: &Decision) -> Option<LimitState> {
        let warns = |state: &&meter::LimitState| state.verdict != Verdict::Under && !state.is_quiet();
        decision.states.iter().find(warns).map(|state| self.state_of(state, false))
    }

    fn state_of(&self, state: &meter::LimitState, waits: bool) -> LimitState {
        let (now, zone) = (self.env.now(), self.config_edits.settings.zone);
        // A rolling window ends now, and frees up later.
        let resets_at = state.span.map(|span| span.until).filter(|_| state.limit.window.is_periodic());
        LimitState {
            limit: Label::new(&state.name),
            period: Label::new(&state.limit.window.adjective()),
            percent: state.percent,
            threshold: state.threshold().unwrap_or_default(),
            used: Label::new(&text::used_of(state)),
            again: Label::new(&text::again(state, now, zone)),
            resets_at,
            waits,
        }
    }

    /// Tells servers which limits there are.
    pub(super) fn tell_policy(&self) {
        let has_limits = !self.rules.limits.is_empty();
        let policy = Policy { has_limits, on_error: self.config_edits.settings.gate.on_error };
        self.policy.send_if_modified(|known| std::mem::replace(known, policy) != policy);
    }
}
