//! Turns the meter's decision into the answer for the proxy, with text.

use super::{Admitted, LimitState};
use crate::domain::{Instant, Label, Zone};
use crate::meter;
use crate::meter::gate::Decision;
use crate::text;

/// The answer to a call.
pub(crate) fn admitted(decision: &Decision, is_held: bool, now: Instant, zone: Zone) -> Admitted {
    if decision.allowed {
        Admitted::Go { is_held, near: near(decision, now, zone) }
    } else {
        refused(decision, now, zone)
    }
}

/// The answer to a call that must not be made.
pub(crate) fn refused(decision: &Decision, now: Instant, zone: Zone) -> Admitted {
    // Without a limit that stops it, the decision would have allowed the call.
    let stop = decision.stops().next().map(|state| state_of(state, decision.waits, now, zone));
    // If several limits are reached, the call has room again once the last of them has reset.
    let resets_at = decision.stops().filter_map(reset).max();
    stop.map_or(Admitted::Denied, |state| Admitted::Over(LimitState { resets_at, ..state }))
}

/// When a limit resets. A rolling window ends now and frees up later.
fn reset(state: &meter::LimitState) -> Option<Instant> {
    state.span.map(|span| span.until).filter(|_| state.limit.window.is_periodic())
}

/// The worst limit among those that warn.
pub(crate) fn near(decision: &Decision, now: Instant, zone: Zone) -> Option<LimitState> {
    decision.states.iter().find(|state| state.warns()).map(|state| state_of(state, false, now, zone))
}

fn state_of(state: &meter::LimitState, waits: bool, now: Instant, zone: Zone) -> LimitState {
    LimitState {
        limit: Label::new(&state.name),
        period: Label::new(&state.limit.window.adjective()),
        percent: state.percent,
        threshold: state.threshold().unwrap_or_default(),
        used: Label::new(&text::used_in_words(state)),
        again: Label::new(&text::again(state, now, zone)),
        resets_at: reset(state),
        waits,
    }
}
