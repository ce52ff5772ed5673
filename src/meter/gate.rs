//! Decides whether the next call may be made.

use std::collections::BTreeSet;

use super::holds::{self, Hold};
use super::limit::{CallContext, Limit, LimitState, Rules, Verdict};
use super::live::Meter;
use super::overrides::{self, Override};
use super::snapshot::{Snapshot, states};
use super::summary::Follow;
use super::window::Window;
use crate::domain::{Call, Dimension, Filter, Instant, Label, Matcher};
use crate::ledger::{Ledger, LedgerError};

/// Log format assumed for callers that do not name one: those that use the socket or the usage log.
const OWN_SOURCE: &str = "native";

/// Whether a call may be made, and why.
pub(crate) struct Decision {
    /// True if the call may be made.
    pub(crate) allowed: bool,
    /// The worst verdict among its limits.
    pub(crate) worst: Verdict,
    /// True when the call is refused only because of amounts held for calls in progress: it has room if those cost
    /// nothing.
    pub(crate) waits: bool,
    /// Limits that apply to the caller, worst first. Amounts held for calls in progress count as used.
    pub(crate) states: Vec<LimitState>,
    /// The override in force for this session, if any.
    pub(crate) lifted: Option<Override>,
}

impl Decision {
    /// The decision about a call that nothing limits.
    fn free() -> Self {
        Self { allowed: true, worst: Verdict::Under, waits: false, states: Vec::new(), lifted: None }
    }

    /// The decision about a call of which only one of the two is known to be true: the limits of both apply.
    fn and(mut self, other: Self) -> Self {
        let waits = |one: &Self| one.allowed || one.waits;
        self.waits = waits(&self) && waits(&other) && !(self.allowed && other.allowed);
        self.allowed &= other.allowed;
        self.worst = self.worst.max(other.worst);
        for state in other.states {
            if !self.states.iter().any(|known| known.is_of_same(&state)) {
                self.states.push(state);
            }
        }
        super::evaluate::worst_first(&mut self.states);
        self.lifted = self.lifted.or(other.lifted);
        self
    }

    /// The limits that refuse the call, unless they are overridden.
    pub(crate) fn stops(&self) -> impl Iterator<Item = &LimitState> {
        self.states.iter().filter(|state| state.stops_work())
    }
}

/// Evaluates the limits for the next call against this ledger.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn decide(
    books: &dyn Ledger,
    rules: &Rules,
    caller: &CallContext,
    now: Instant,
) -> Result<Decision, LedgerError> {
    decide_any(books, rules, std::slice::from_ref(caller), now)
}

/// Like [`decide`], for a caller that may be any of these: the limits of each apply.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn decide_any(
    books: &dyn Ledger,
    rules: &Rules,
    callers: &[CallContext],
    now: Instant,
) -> Result<Decision, LedgerError> {
    decide_with_holds(books, rules, callers, &holds::seen(books, now)?, now)
}

/// Like [`decide_any`], with these amounts held.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) fn decide_with_holds(
    books: &dyn Ledger,
    rules: &Rules,
    callers: &[CallContext],
    held: &[Hold],
    now: Instant,
) -> Result<Decision, LedgerError> {
    let mut decision = Decision::free();
    for caller in callers {
        decision = decision.and(evaluate_with_holds(books, rules, &with_source(books, caller)?, held, now)?);
    }
    Ok(decision)
}

/// Adds a forecast of when each near limit will be reached, the same forecast that the screen shows. This needs the
/// calls of the last hours, so nothing is read while every limit has room.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn add_forecasts(
    books: &dyn Ledger,
    rules: &Rules,
    states: &mut [LimitState],
    now: Instant,
) -> Result<(), LedgerError> {
    let mut near = states.iter_mut().filter(|state| state.verdict == Verdict::Near).peekable();
    if near.peek().is_none() {
        return Ok(());
    }
    let rules = Rules { view: Filter::default(), ..rules.clone() };
    let snapshot = Snapshot::ask(books, &rules, &Follow::Today, now)?;
    let all = Meter::open(rules, snapshot).limits(now);
    for state in near {
        let same = all.iter().find(|other| other.is_of_same(state));
        state.projected = same.and_then(|same| same.projected);
    }
    Ok(())
}

/// Limits that cannot be evaluated because the caller, who may be any of these, leaves out a name: a model, a team, an
/// agent and so on, or the log format, which the session implies. The coming call may have one that the limit covers.
///
/// Each is returned with the names that are missing.
pub(crate) fn unchecked<'r>(rules: &'r Rules, callers: &[CallContext]) -> Vec<(&'r Limit, BTreeSet<Dimension>)> {
    let is_missing = |caller: &CallContext, dimension: Dimension| {
        let by_session = dimension == Dimension::Source && caller.name(Dimension::Session).is_some();
        caller.name(dimension).is_none() && !by_session
    };
    let mut all = Vec::new();
    for limit in &rules.limits {
        let names = limit.scope.names();
        let of_sessions = limit.window.is_per_session().then_some(Dimension::Session);
        let of_runs = (limit.window == Window::Run).then_some(Dimension::Agent);
        let mut missing: BTreeSet<Dimension> = BTreeSet::new();
        for caller in callers {
            let fits = |(dimension, names): &(Dimension, Matcher)| {
                is_missing(caller, *dimension) || caller.name(*dimension).is_some_and(|name| names.matches(name))
            };
            let needed = names.iter().map(|(dimension, _)| *dimension).chain(of_sessions).chain(of_runs);
            if names.iter().all(fits) {
                missing.extend(needed.filter(|dimension| is_missing(caller, *dimension)));
            }
        }
        if !missing.is_empty() {
            all.push((limit, missing));
        }
    }
    all
}

/// Evaluates the limits of a caller whose log format is known, including held amounts.
///
/// # Errors
/// When the ledger cannot be read.
fn evaluate_with_holds(
    books: &dyn Ledger,
    rules: &Rules,
    caller: &CallContext,
    held: &[Hold],
    now: Instant,
) -> Result<Decision, LedgerError> {
    let mut states = states(books, rules, Some(caller), now)?;
    let has_room = !states.iter().any(LimitState::stops_work);
    holds::count(held, &mut states, caller);
    super::evaluate::worst_first(&mut states);
    let lifted = match caller.name(Dimension::Session) {
        Some(session) => overrides::override_of(books, session)?,
        None => None,
    };
    let worst = states.iter().map(|state| state.verdict).max().unwrap_or(Verdict::Under);
    let allowed = lifted.is_some() || !states.iter().any(LimitState::stops_work);
    Ok(Decision { allowed, worst, waits: has_room && !allowed, states, lifted })
}

/// The log format, team, organisation and user of a call: the next call of its session has the same.
pub(crate) fn attribution_of_call(call: &Call) -> impl Iterator<Item = (Dimension, &Label)> {
    let kept = [Dimension::Source, Dimension::Team, Dimension::Org, Dimension::User];
    kept.into_iter().filter_map(|of| Some((of, of.label_of(call)?)))
}

/// The same of a session's latest call; empty if it has none.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn attribution_of_session(
    books: &dyn Ledger,
    session: &Label,
) -> Result<Vec<(Dimension, Label)>, LedgerError> {
    let only = vec![(Dimension::Session, Matcher::exact(session.as_str()))];
    let newest = books.calls(&Filter { only, ..Filter::default() }, 1)?;
    let names = newest.first().into_iter().flat_map(|row| attribution_of_call(&row.call));
    Ok(names.map(|(of, name)| (of, name.clone())).collect())
}

/// Completes a session with its log format: the one in the ledger, or else ours.
pub(super) fn with_source(books: &dyn Ledger, caller: &CallContext) -> Result<CallContext, LedgerError> {
    let mut caller = caller.clone();
    if let (Some(session), None) = (caller.name(Dimension::Session), caller.name(Dimension::Source)) {
        let filter = Filter { only: vec![(Dimension::Session, Matcher::exact(session.as_str()))], ..Filter::default() };
        let newest = books.calls(&filter, 1)?;
        let source = newest.first().map_or_else(|| Label::new(OWN_SOURCE), |row| row.call.from.source.clone());
        caller.names.push((Dimension::Source, source));
    }
    Ok(caller)
}
