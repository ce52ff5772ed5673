//! Amounts held for calls in progress. Until a call is booked, its likely cost counts as used.
//!
//! A hold records who makes the call, not which limits cover it. That way it also counts for a limit that is added
//! later.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::amount::{Amount, percent};
use super::evaluate::verdict;
use super::limit::{CallContext, LimitState};
use super::subject::grouped;
use super::used::Used;
use super::window::Window;
use crate::domain::{Dimension, HoldId, Instant, Label, Usd};
use crate::ledger::{Fact, FactEdit, FactKind, Ledger, LedgerError};

/// Time after which a hold lapses, because the process was killed or the call was never booked. If the call is booked
/// later, it still counts.
pub(crate) const LASTS: Duration = Duration::from_secs(15 * 60);

/// An amount held for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) id: HoldId,
    /// Who makes the call.
    pub(crate) caller: CallContext,
    /// Likely usage of the call.
    pub(crate) estimate: Used,
    /// Time at which the hold was made.
    pub(crate) at: Instant,
}

/// The stored value of the fact.
#[derive(Serialize, Deserialize)]
struct StoredHold {
    names: Vec<(String, String)>,
    /// Text, because a number beyond 64 bits would lose digits in JSON.
    pico_usd: String,
    tokens: u64,
    output: u64,
}

impl Hold {
    /// The edit that stores this hold.
    pub(crate) fn edit(&self) -> FactEdit {
        let kept = StoredHold {
            names: self.caller.names.iter().map(|(of, name)| (of.name().to_owned(), name.to_string())).collect(),
            pico_usd: self.estimate.usd.pico().to_string(),
            tokens: self.estimate.tokens,
            output: self.estimate.output,
        };
        let value = serde_json::to_string(&kept).unwrap_or_default();
        FactEdit { space: FactKind::Hold, key: self.id.to_string(), fact: Some(Fact { at: self.at, value }) }
    }

    fn from_fact(id: &str, fact: &Fact) -> Option<Self> {
        let kept: StoredHold = serde_json::from_str(&fact.value).ok()?;
        let names =
            kept.names.into_iter().filter_map(|(of, name)| Some((of.parse::<Dimension>().ok()?, Label::new(&name))));
        let usd = Usd::from_pico(kept.pico_usd.parse().ok()?);
        Some(Self {
            id: id.parse().ok()?,
            caller: CallContext { names: names.collect() },
            estimate: Used { usd, tokens: kept.tokens, output: kept.output, ..Used::default() },
            at: fact.at,
        })
    }

    /// True when it counts against this limit for this caller.
    fn counts_against(&self, state: &LimitState, caller: &CallContext) -> bool {
        let limit = &state.limit;
        // Its call will be booked at the time of its request and uses nothing of later periods.
        let is_of_the_calendar = matches!(limit.window, Window::Hour | Window::Day | Window::Week | Window::Month);
        if is_of_the_calendar && state.span.is_some_and(|span| !span.contains(self.at)) {
            return false;
        }
        let mut own: Vec<Dimension> = grouped(limit).collect();
        match limit.window {
            // The largest call counts, not the sum.
            Window::Call => return false,
            Window::Session => own.push(Dimension::Session),
            Window::Run => own.extend([Dimension::Session, Dimension::Agent]),
            Window::Hour
            | Window::Day
            | Window::Week
            | Window::Month
            | Window::Total
            | Window::Rolling(_)
            | Window::Block => {}
        }
        self.caller.is_covered_by(&limit.scope)
            && own.into_iter().all(|dimension| self.caller.name(dimension) == caller.name(dimension))
    }
}

/// The open holds, and the edits that remove lapsed ones.
///
/// Holds with a future time were made before the clock was set back. Their calls are still in progress, so they stay
/// open, and an edit makes them lapse [`LASTS`] from now, however far the clock was set back.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn open(books: &dyn Ledger, now: Instant) -> Result<(Vec<Hold>, Vec<FactEdit>), LedgerError> {
    let (mut open, mut edits) = (Vec::new(), Vec::new());
    for (id, fact) in books.facts(FactKind::Hold, "")? {
        let has_lapsed = (now - fact.at).to_std().is_ok_and(|age| age >= LASTS);
        let Some(hold) = Hold::from_fact(&id, &fact).filter(|_| !has_lapsed) else {
            edits.push(FactEdit { space: FactKind::Hold, key: id, fact: None });
            continue;
        };
        if hold.at > now {
            edits.push(Hold { at: now, ..hold.clone() }.edit());
        }
        open.push(hold);
    }
    Ok((open, edits))
}

/// The open holds, for callers that cannot edit any. Leaves out holds further in the future than a hold lasts, because
/// nothing might ever end them.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) fn seen(books: &dyn Ledger, now: Instant) -> Result<Vec<Hold>, LedgerError> {
    let (mut held, _) = open(books, now)?;
    held.retain(|hold| (hold.at - now).to_std().is_ok_and(|ahead| ahead < LASTS) || hold.at <= now);
    Ok(held)
}

/// Counts held amounts as used in the states of a caller's limits.
pub(crate) fn count(holds: &[Hold], states: &mut [LimitState], caller: &CallContext) {
    for state in states {
        let of_it = holds.iter().filter(|hold| hold.counts_against(state, caller));
        let held = of_it.fold(Used::default(), |held, hold| held.and(hold.estimate));
        let limit = &state.limit;
        let (booked, held) = (state.used, held.amount(&limit.amount));
        state.used = Amount {
            usd: booked.usd.map(|usd| usd + held.usd.unwrap_or_default()),
            tokens: booked.tokens.map(|tokens| tokens.saturating_add(held.tokens.unwrap_or_default())),
            output_tokens: (booked.output_tokens)
                .map(|tokens| tokens.saturating_add(held.output_tokens.unwrap_or_default())),
        };
        state.percent = percent(&limit.amount, &state.used);
        state.verdict = verdict(limit, &state.used);
    }
}
