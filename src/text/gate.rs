//! Why a call is refused, or which limit is near.

use super::{banner_title, duration, forecast_short, resets, used_in_words};
use crate::domain::{Instant, Zone};
use crate::meter::gate::Decision;
use crate::meter::{LimitState, Verdict, Window};

/// The reason for a decision, with one line per limit; `None` if all limits have room.
pub(crate) fn gate_reason(decision: &Decision, now: Instant, zone: Zone) -> Option<String> {
    let stops: Vec<String> = decision.stops().map(|state| over_words(state, now, zone)).collect();
    match (stops.first(), &decision.lifted) {
        (None, _) => {
            let near = decision.states.iter().filter(|state| state.verdict != Verdict::Under);
            let near: Vec<String> = near.map(|state| near_words(state, now, zone)).collect();
            (!near.is_empty()).then(|| near.join("\n"))
        }
        (Some(_), None) if decision.waits => Some(format!("{} (calls under way included)", stops.join("\n"))),
        (Some(_), None) => Some(stops.join("\n")),
        (Some(first), Some(lifted)) => Some(format!("{first}\nLifted for this session: {}", lifted.reason)),
    }
}

/// `Daily limit reached: $26.10 of $25.00 used, resets 00:00`.
fn over_words(state: &LimitState, now: Instant, zone: Zone) -> String {
    let title = banner_title(state);
    let title = title.trim_start_matches(['■', '⚠', ' ']);
    format!("{title}: {} used, {}", used_in_words(state), again(state, now, zone))
}

/// `80% of daily limit used: $20.00 of $25.00, resets 00:00, full at 16:40 (15:55–18:10)`.
pub(crate) fn near_words(state: &LimitState, now: Instant, zone: Zone) -> String {
    if state.verdict == Verdict::Over {
        return over_words(state, now, zone);
    }
    let title = banner_title(state);
    let title = title.trim_start_matches(['■', '⚠', ' ']);
    let full = forecast_short(state, now, zone).map(|full| format!(", {full}")).unwrap_or_default();
    format!("{title}: {}, {}{full}", used_in_words(state), again(state, now, zone))
}

/// When the limit has room again.
pub(crate) fn again(state: &LimitState, now: Instant, zone: Zone) -> String {
    if let Some(resets) = resets(state, now, zone) {
        return resets;
    }
    match state.limit.window {
        Window::Session => "resets with the next session".to_owned(),
        Window::Run => "resets with the next run".to_owned(),
        Window::Rolling(_) => format!("frees up as calls leave the last {}", length(state)),
        Window::Call if state.verdict == Verdict::Over && !state.stops_work() => {
            "measured on the largest call of the day; no call is refused for that".to_owned()
        }
        Window::Call => "measured on the largest call of the day".to_owned(),
        Window::Total => "never resets; raise it with `tokmeter limits set`".to_owned(),
        Window::Hour | Window::Day | Window::Week | Window::Month | Window::Block => {
            "resets with its period".to_owned()
        }
    }
}

fn length(state: &LimitState) -> String {
    match state.limit.window {
        Window::Rolling(length) => duration(length),
        Window::Call
        | Window::Session
        | Window::Run
        | Window::Hour
        | Window::Day
        | Window::Week
        | Window::Month
        | Window::Block
        | Window::Total => String::new(),
    }
}
