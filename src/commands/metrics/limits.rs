//! Metrics of limits.

use crate::config::LimitKey;
use crate::domain::{Instant, Usd};
use crate::meter::{Amount, LimitState, Measure};
use crate::output::{Kind, LabelPair, LabelSets, Metrics};
use crate::text;

/// Reads an amount from a limit.
type Part = fn(&LimitState) -> Amount;

/// The limits, except those of single sessions, whose number grows with usage.
pub(super) fn limits(metrics: &mut Metrics, all: &[LimitState], sets: &mut LabelSets, now: Instant) {
    let mut shown: Vec<(&LimitState, Vec<LabelPair>)> = Vec::new();
    for state in all.iter().filter(|state| state.session.is_none()) {
        let key = LimitKey::from_limit(&state.limit).to_string();
        let named = state.subject.as_deref().unwrap_or_default();
        let (limit, subject) = (sets.value("limit", &key), sets.value("subject", named));
        // Names beyond the bound have no sum.
        if limit == key && subject == named {
            shown.push((state, vec![("limit", limit), ("subject", subject)]));
        }
    }
    let amounts: [(&'static str, &'static str, Part); 2] = [
        ("tokmeter_limit_used", "Used amount of a limit, in its unit.", |state| state.used),
        ("tokmeter_limit", "Allowed amount of a limit, in its unit.", |state| state.limit.amount),
    ];
    for (name, help, amount) in amounts {
        let family = metrics.begin(name, Kind::Gauge, help);
        for (state, labels) in &shown {
            let labels = |unit: &str| [&labels[..], &[("unit", unit.to_owned())]].concat();
            let (allowed, amount) = (state.limit.amount, amount(state));
            let is_unknown = name == "tokmeter_limit_used" && text::is_unpriced(state);
            if allowed.usd.is_some() && !is_unknown {
                family.sample(&labels("usd"), amount.usd.unwrap_or_default());
            }
            if allowed.tokens.is_some() {
                family.sample(&labels("tokens"), amount.tokens.unwrap_or(0));
            }
            if allowed.output_tokens.is_some() {
                family.sample(&labels("output_tokens"), amount.output_tokens.unwrap_or(0));
            }
        }
    }
    let ratio = metrics.begin(
        "tokmeter_limit_used_ratio",
        Kind::Gauge,
        "Used part of a limit, of the amount that is closest to it: 1 is the limit itself.",
    );
    for (state, labels) in &shown {
        if let Some(used) = used_ratio(state) {
            ratio.sample(labels, used);
        }
    }
    let reset = metrics.begin("tokmeter_limit_reset_seconds", Kind::Gauge, "Seconds until a limit starts over.");
    for (state, labels) in &shown {
        let span = state.span.filter(|_| state.limit.window.is_periodic());
        if let Some(seconds) = span.map(|span| (span.until - now).num_seconds().max(0)) {
            reset.sample(labels, seconds);
        }
    }
}

/// The used fraction, to the millionth, rounded down. A limit of zero is always reached. `None` for a limit of dollars
/// if nothing that counts has a price.
fn used_ratio(state: &LimitState) -> Option<Usd> {
    const ONE: i128 = 1_000_000;
    let part = |measure: &Measure| {
        if *measure == Measure::Usd && text::is_unpriced(state) {
            return None;
        }
        let allowed = measure.amount_of(&state.limit.amount)?;
        let used = measure.amount_of(&state.used).unwrap_or(0);
        Some(used.saturating_mul(ONE).checked_div(allowed).unwrap_or(ONE))
    };
    let millionths = Measure::ALL.iter().filter_map(part).max()?;
    Some(Usd::from_pico(millionths.saturating_mul(ONE)))
}
