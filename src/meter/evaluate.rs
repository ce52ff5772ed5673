//! Evaluates limits in exact integers.

use std::cmp::Reverse;

use super::amount::{Amount, percent, reached};
use super::limit::{Limit, LimitState, LimitedSession, Scope, Verdict};
use super::used::Used;
use super::window::Window;
use crate::domain::{Instant, Label, Span, sort_by_key};
use crate::ledger::Sums;
use crate::pricing::Rates;

pub(crate) fn verdict(limit: &Limit, used: &Amount) -> Verdict {
    if reached(&limit.amount, used, 100) {
        Verdict::Over
    } else if limit.warn_at.iter().any(|per_cent| reached(&limit.amount, used, *per_cent)) {
        Verdict::Near
    } else {
        Verdict::Under
    }
}

/// The state of a limit with this usage.
pub(crate) fn state(
    limit: &Limit,
    subject: Option<String>,
    session: Option<LimitedSession>,
    used: Used,
    span: Option<Span>,
) -> LimitState {
    let amount = used.amount(&limit.amount);
    LimitState {
        name: name(limit, subject.as_deref(), session.as_ref()),
        subject,
        session,
        used: amount,
        span,
        percent: percent(&limit.amount, &amount),
        verdict: verdict(limit, &amount),
        projected: None::<(Instant, Span)>,
        lower_bound: used.lower_bound && limit.amount.usd.is_some(),
        unread: false,
        guessed: used.guessed,
        lifted: false,
        limit: limit.clone(),
    }
}

/// `daily`, `session api-server`, `alice daily`, `claude-opus-* monthly`, or `each user daily` while there is no usage
/// yet.
fn name(limit: &Limit, subject: Option<&str>, session: Option<&LimitedSession>) -> String {
    let Some(session) = session else { return stable_name(limit, subject) };
    let names = if limit.scope.each { Some(session.names.as_str()) } else { None };
    let mut words = stable_name(limit, names.filter(|names| !names.is_empty()));
    words.push(' ');
    words.push_str(&session.words());
    words
}

/// Usage of a limit by calls that have these sums by model.
pub(crate) fn budget<'a>(
    amount: Amount,
    models: impl Iterator<Item = &'a Sums>,
    fallback: Option<&Rates>,
) -> LimitState {
    let limit = Limit { scope: Scope::default(), window: Window::Total, amount, warn_at: Vec::new() };
    let used = models.fold(Used::default(), |used, sums| used.and(Used::from_sums(sums, fallback)));
    LimitState { name: "budget".to_owned(), ..state(&limit, None, None, used, None) }
}

/// Makes the names of sessions under one limit distinct if they would otherwise be the same.
pub(crate) fn tell_apart(states: &mut [LimitState]) {
    let names: Vec<String> = states.iter().map(|state| state.name.clone()).collect();
    for state in states {
        let Some(session) = &mut state.session else { continue };
        session.is_one_of_several |= names.iter().filter(|name| **name == state.name).count() > 1;
        state.name = name(&state.limit, state.subject.as_deref(), state.session.as_ref());
    }
}

/// A limit's name, with every name that narrows it, built only from parts that never change during its lifetime. Alerts
/// are remembered by it.
pub(crate) fn stable_name(limit: &Limit, subject: Option<&str>) -> String {
    let (mut words, mut own) = (Vec::new(), subject.filter(|_| limit.scope.each));
    let is_own = own.is_some();
    for (dimension, names) in &limit.scope.only {
        match names.as_str() {
            // The subject has the names of all dimensions in which each name is limited.
            "*" if is_own => words.extend(own.take().map(str::to_owned)),
            "*" if limit.scope.each => words.push(format!("each {dimension}")),
            "*" if limit.scope.is_organisation() => words.push(dimension.to_string()),
            names => words.push(Label::new(names).as_str().to_owned()),
        }
    }
    words.push(limit.window.adjective());
    words.join(" ")
}

/// Sorts limits, the worst first: those that have been reached, then those that are near, then the others. Limits of
/// ended sessions and overridden limits come last, equal ones in config order.
///
/// Of the limits that have been reached, the worst is the one that keeps most work waiting for longest. By how much it
/// is exceeded says nothing about that: a day at 300% has room again at midnight, a month at 101% only on the first. So
/// limits that block work come before those that only warn, then those that cover more calls, then those that have room
/// again later, and only then those that are exceeded by a larger share. Of the others, the worst is the one of which
/// the largest share is used.
///
/// Every list of limits has this order, and its first one is the limit that the banner, the compact bar, the status
/// line and the gate name.
pub(crate) fn worst_first(states: &mut [LimitState]) {
    sort_by_key(states, |state| {
        let is_over = state.verdict == Verdict::Over;
        let blocks = is_over.then(|| (state.stops_work(), state.limit.reach(), state.blocks_until()));
        Reverse((!state.is_quiet(), state.verdict, blocks, state.percent))
    });
}

/// A stable order for a list that people watch: it depends on no amount. Returns indexes in order. The day comes first,
/// then the other periods that cover everybody, then those that cover some, and sessions last, by name.
pub(crate) fn in_calm_order(states: &[LimitState]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..states.len()).collect();
    sort_by_key(&mut order, |at| {
        let state = &states[*at];
        let window = state.limit.window;
        (Reverse(state.limit.reach()), window != Window::Day, window.length(), state.name.clone())
    });
    order
}
