//! Admits a call and holds its likely cost in one step, so that simultaneous calls cannot exceed a limit together.

use super::gate::{self, Decision};
use super::holds::{self, Hold};
use super::limit::{CallContext, Rules};
use super::used::Used;
use crate::domain::{Call, Dimension, HoldId, Instant, Label};
use crate::ledger::{Ledger, LedgerError, Row, Sums};
use crate::pricing::Pricer;

/// A call that asks for admission. Its tokens are an estimate.
#[derive(Clone, Debug)]
pub(crate) struct PendingCall {
    /// Id of the amount that will be held for it.
    pub(crate) hold: HoldId,
    /// The call as it would be booked.
    pub(crate) call: Call,
    /// The model that the request names, if the call would be booked under another.
    pub(crate) asked: Option<Label>,
}

impl PendingCall {
    /// Who makes the call: first as it would be booked, then with the model that was asked for, if that is another.
    pub(crate) fn callers(&self) -> Vec<CallContext> {
        let name = |of: Dimension| Some((of, of.label_of(&self.call)?.clone()));
        let booked: Vec<(Dimension, Label)> = Dimension::ALL.into_iter().filter_map(name).collect();
        let asked = self.asked.clone().map(|asked| {
            let others = booked.iter().filter(|(of, _)| *of != Dimension::Model).cloned();
            CallContext { names: others.chain([(Dimension::Model, asked)]).collect() }
        });
        std::iter::once(CallContext { names: booked }).chain(asked).collect()
    }

    /// Its likely usage in the units of limits, at the fallback rates if its model has no price.
    fn estimate(&self, rules: &Rules, pricer: &dyn Pricer) -> Used {
        let row = Row { cost: pricer.cost(&self.call), call: self.call.clone() };
        Used::from_sums(&Sums::from_row(&row), rules.fallback.as_ref())
    }
}

/// Decides whether a call may be made. If it may, and any limit covers it, holds its likely cost. Check and hold are
/// one transaction on the ledger. The flag is true when an amount is held.
///
/// # Errors
/// When the ledger cannot be read or written. Nothing is held then.
pub(crate) fn admit(
    books: &mut dyn Ledger,
    rules: &Rules,
    coming: &PendingCall,
    pricer: &dyn Pricer,
    now: Instant,
) -> Result<(Decision, bool), LedgerError> {
    let callers = coming.callers();
    let estimate = coming.estimate(rules, pricer);
    let mut outcome = None;
    books.exclusively(&mut |books| {
        let (held, mut edits) = holds::open(books, now)?;
        let decision = gate::decide_with_holds(books, rules, &callers, &held, now)?;
        let is_held = decision.allowed && !decision.states.is_empty();
        // It is held under the names under which the call will be booked.
        if let Some(caller) = callers.first().filter(|_| is_held) {
            let caller = gate::with_source(books, caller)?;
            edits.push(Hold { id: coming.hold, caller, estimate, at: now }.edit());
        }
        outcome = Some((decision, is_held));
        Ok(edits)
    })?;
    match outcome {
        Some(outcome) => Ok(outcome),
        // No store returns without calling `decide`. If one did, fall back to the gate's answer.
        None => Ok((gate::decide_any(books, rules, &callers, now)?, false)),
    }
}

#[cfg(test)]
mod tests;
