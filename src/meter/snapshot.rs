//! The ledger queries from which a meter starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::Duration;

use super::activity::{has_ended, recency};
use super::curve::Quarters;
use super::fleet::{Thread, Threads};
use super::forecast::Habits;
use super::limit::{CallContext, KnownSession, Limit, LimitState, Rules};
use super::limit_usage::LimitUsage;
use super::overrides;
use super::rate::{KEPT, Paces, Spent};
use super::recent::{Recent, minute_of};
use super::session_id::SessionId;
use super::statuses::Statuses;
use super::summary::Follow;
use super::window::Window;
use crate::domain::{Dimension, Filter, Instant, Label, Matcher, Span, Status, one_by_one, quarter_start};
use crate::ledger::{Grain, Ledger, LedgerError, Order, Query, ReportRow, Row, SessionRow, Sums};

/// Maximum number of calls in a summary's list.
pub(crate) const CALLS: usize = 200;
/// Maximum number of sessions queried, latest start first.
const SESSIONS: usize = 200;

/// The initial state of a meter: several queries made at one time.
///
/// A snapshot and the changes that follow it must be in the ledger's order: a snapshot includes every change posted
/// before it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) at: Instant,
    pub(crate) follow: Follow,
    pub(crate) all: Sums,
    pub(crate) models: BTreeMap<Option<Label>, Sums>,
    pub(crate) today: Sums,
    pub(crate) today_models: BTreeMap<Option<Label>, Sums>,
    pub(crate) quarters: Quarters,
    pub(crate) week: Sums,
    pub(crate) month: Sums,
    pub(crate) sessions: Vec<SessionRow>,
    pub(crate) every_session: bool,
    pub(crate) paces: BTreeMap<SessionId, Paces>,
    pub(crate) threads: BTreeMap<SessionId, Threads>,
    pub(crate) latest: Vec<Arc<Row>>,
    pub(crate) usages: Vec<LimitUsage>,
    pub(crate) habits: Habits,
    pub(crate) statuses: Vec<Status>,
    /// Sessions whose limits are overridden.
    pub(crate) lifted: BTreeSet<Label>,
}

impl Snapshot {
    /// The snapshot of an empty ledger.
    pub fn empty(rules: &Rules, now: Instant) -> Self {
        Self {
            at: now,
            follow: Follow::Latest,
            all: Sums::default(),
            models: BTreeMap::new(),
            today: Sums::default(),
            today_models: BTreeMap::new(),
            quarters: Quarters::default(),
            week: Sums::default(),
            month: Sums::default(),
            sessions: Vec::new(),
            every_session: true,
            paces: BTreeMap::new(),
            threads: BTreeMap::new(),
            latest: Vec::new(),
            usages: rules.limits.iter().map(|limit| LimitUsage::new(limit.clone(), rules, now)).collect(),
            habits: Habits::default(),
            statuses: Vec::new(),
            lifted: BTreeSet::new(),
        }
    }

    /// Queries the ledger.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn ask(books: &dyn Ledger, rules: &Rules, follow: &Follow, now: Instant) -> Result<Self, LedgerError> {
        Self::ask_again(books, rules, follow, now, &mut Recent::default())
    }

    /// Queries the ledger, reusing the previous snapshot's calls of the last hours.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn ask_again(
        books: &dyn Ledger,
        rules: &Rules,
        follow: &Follow,
        now: Instant,
        recent: &mut Recent,
    ) -> Result<Self, LedgerError> {
        let mut ask = || Self::ask_all(books, rules, follow, now, recent);
        let mut snapshot = None;
        // Sums and limits must agree, also while another process writes.
        books.on_one_state(&mut || snapshot = Some(ask()))?;
        snapshot.unwrap_or_else(ask)
    }

    fn ask_all(
        books: &dyn Ledger,
        rules: &Rules,
        follow: &Follow,
        now: Instant,
        recent: &mut Recent,
    ) -> Result<Self, LedgerError> {
        let view = &rules.view;
        let by_model =
            Query { by: vec![Dimension::Model], filter: view.clone(), ..Query::new(Grain::Total, rules.zone) };
        let all = books.report(&by_model)?;
        let day = Span::day(now, rules.zone);
        let today = books.report(&Query { filter: within(view, day), ..by_model.clone() })?;
        let of_day = within(view, day);
        let quarters = books.report(&Query { filter: of_day, ..Query::new(Grain::Quarter, rules.zone) })?;
        let mut threads = ask_threads(books, rules, day)?;
        let (sessions, every_session, latest) = ask_sessions(books, rules, follow, now)?;
        let judged = judged(&sessions, follow, now);
        let mut usages = Vec::with_capacity(rules.limits.len());
        for limit in &rules.limits {
            let mut usage = LimitUsage::ask(books, limit, rules, &judged, &[], now)?;
            usage.read_ahead(books, rules)?;
            usages.push(usage);
        }
        let mut paces: BTreeMap<SessionId, Paces> =
            one_by_one(sessions.iter().map(|row| (SessionId::from_row(row), Paces::default())));
        recent.each(books, minute_of(now).saturating_sub(KEPT), &mut |calls| {
            for usage in usages.iter_mut().filter(|usage| usage.limit.window != Window::Call) {
                usage.pace.add(&usage.limit, calls, rules, now);
            }
            let call = &calls.last.call;
            let id = SessionId::from_call(call);
            if let Some(paces) = paces.get_mut(&id).filter(|_| view.admits(call)) {
                let spent = Spent::from_sums(&calls.sums, None);
                paces.entry(call.model.clone()).or_default().add(call.at(), &spent, now);
                let thread = threads.entry(id).or_default().entry(call.from.agent.clone()).or_default();
                thread.add_calls(&calls.last, &calls.sums, now);
            }
        })?;
        Ok(Self {
            at: now,
            follow: follow.clone(),
            all: all.total,
            models: of_models(all.rows),
            today: today.total,
            today_models: of_models(today.rows),
            quarters: Quarters::from_report(&quarters),
            week: books.sums(&within(view, Span::week(now, rules.zone, rules.week_start)))?,
            month: books.sums(&within(view, Span::month(now, rules.zone)))?,
            sessions,
            every_session,
            paces,
            threads,
            latest,
            usages,
            habits: Habits::ask(books, rules, now)?,
            statuses: books.statuses()?,
            lifted: overrides::in_force(books)?,
        })
    }
}

fn of_models(rows: Vec<ReportRow>) -> BTreeMap<Option<Label>, Sums> {
    one_by_one(rows.into_iter().map(|row| (row.by.into_iter().next().flatten(), row.sums)))
}

/// Today's sums for each thread of each session.
fn ask_threads(books: &dyn Ledger, rules: &Rules, day: Span) -> Result<BTreeMap<SessionId, Threads>, LedgerError> {
    let query = Query {
        by: vec![Dimension::Source, Dimension::Session, Dimension::Agent],
        filter: within(&rules.view, day),
        ..Query::new(Grain::Total, rules.zone)
    };
    let mut all: BTreeMap<SessionId, Threads> = BTreeMap::new();
    for row in books.report(&query)?.rows {
        let [Some(source), session, agent] = row.by.as_slice() else { continue };
        let id = SessionId { source: source.clone(), session: session.clone() };
        let thread = Thread { today: row.sums, ..Thread::default() };
        all.entry(id).or_default().insert(agent.clone(), thread);
    }
    Ok(all)
}

/// Restricts a filter to a time span.
pub(crate) fn within(view: &Filter, span: Span) -> Filter {
    let since = view.since.map_or(span.from, |since| since.max(span.from));
    let until = view.until.map_or(span.until, |until| until.min(span.until));
    Filter { only: view.only.clone(), since: Some(since), until: Some(until) }
}

/// The sessions that have not ended, and the followed one even if it has.
fn judged(sessions: &[SessionRow], follow: &Follow, now: Instant) -> Vec<SessionId> {
    let followed = followed(sessions, follow, now);
    let all = sessions.iter().map(|row| (SessionId::from_row(row), row.ended));
    all.filter(|(id, ended)| !has_ended(*ended, now) || followed.as_ref() == Some(id)).map(|(id, _)| id).collect()
}

fn followed(sessions: &[SessionRow], follow: &Follow, now: Instant) -> Option<SessionId> {
    match follow {
        Follow::Today | Follow::Everything => None,
        Follow::Session(id) => Some(id.clone()),
        Follow::Latest => {
            sessions.iter().map(|row| (recency(row.ended, now), SessionId::from_row(row))).max().map(|(_, id)| id)
        }
    }
}

/// Sessions by start and by last activity, whether these are all of them, and the latest calls.
type Found = (Vec<SessionRow>, bool, Vec<Arc<Row>>);

fn ask_sessions(books: &dyn Ledger, rules: &Rules, follow: &Follow, now: Instant) -> Result<Found, LedgerError> {
    let session_query = |filter: Filter, limit: usize| session_query(rules, filter, limit);
    let answer = books.report(&session_query(rules.view.clone(), SESSIONS))?;
    let mut sessions: Vec<SessionRow> =
        answer.rows.into_iter().filter_map(|row| row.session).map(Arc::unwrap_or_clone).collect();
    let every = sessions.len() < SESSIONS;
    let mut latest = books.calls(&rules.view, CALLS)?;
    let mut wanted: Vec<SessionId> = latest.iter().map(|row| SessionId::from_call(&row.call)).collect();
    if let Follow::Session(id) = follow {
        wanted.push(id.clone());
    }
    wanted.sort();
    wanted.dedup();
    for id in wanted {
        if every || sessions.iter().any(|row| SessionId::from_row(row) == id) {
            continue;
        }
        let row = books.report(&session_query(of_session(&rules.view, &id), SESSIONS))?.rows;
        let row = row.into_iter().filter_map(|row| row.session).map(Arc::unwrap_or_clone);
        sessions.extend(row.filter(|row| SessionId::from_row(row) == id));
    }
    if let Some(id) = followed(&sessions, follow, now) {
        let of_it = latest.iter().filter(|row| SessionId::from_call(&row.call) == id).count();
        if of_it < latest.len() {
            latest.extend(books.calls(&of_session(&rules.view, &id), CALLS)?);
        }
    }
    Ok((sessions, every, latest))
}

/// A query for the sessions in view, latest start first.
pub(super) fn session_query(rules: &Rules, filter: Filter, limit: usize) -> Query {
    let (by, order) = (Vec::new(), Order::Descending);
    Query { by, filter, order, limit: Some(limit), ..Query::new(Grain::Session, rules.zone) }
}

/// Restricts a filter to one session.
pub(super) fn of_session(view: &Filter, id: &SessionId) -> Filter {
    let mut filter = view.clone();
    filter.only.retain(|(dimension, _)| !matches!(dimension, Dimension::Source | Dimension::Session));
    filter.only.push((Dimension::Source, Matcher::exact(id.source.as_str())));
    if let Some(session) = &id.session {
        filter.only.push((Dimension::Session, Matcher::exact(session.as_str())));
    }
    filter
}

/// The states of limits that apply to a call, read directly from the ledger, for the gate and the status line. Worst
/// first, without a forecast.
///
/// The caller's names are those of the coming call. Session limits are evaluated if it names source and session. `None`
/// evaluates every limit, and session limits for every active session.
///
/// # Errors
/// When the ledger cannot be read.
pub fn states(
    books: &dyn Ledger,
    rules: &Rules,
    caller: Option<&CallContext>,
    now: Instant,
) -> Result<Vec<LimitState>, LedgerError> {
    let sessions = match caller {
        Some(caller) => {
            let session = caller.name(Dimension::Session).cloned();
            let id = caller.name(Dimension::Source).map(|source| SessionId { source: source.clone(), session });
            id.into_iter().filter(|id| id.session.is_some()).collect()
        }
        None if rules.limits.iter().any(|limit| limit.window.is_per_session()) => {
            let since = now.checked_sub_signed(Duration::minutes(5)).unwrap_or_default();
            // Start on a quarter hour, so that no rows need to be read.
            let filter = Filter { since: Some(quarter_start(since)), ..Filter::default() };
            let rows = books.report(&Query { filter, ..Query::new(Grain::Session, rules.zone) })?.rows;
            let sessions = rows.iter().filter_map(|row| row.session.as_ref());
            let sessions = sessions.filter(|session| session.ended >= since);
            let statuses = Statuses::new(books.statuses()?);
            let open = sessions.map(|row| (SessionId::from_row(row), row.ended));
            open.filter(|(id, last)| !statuses.is_closed(id, *last)).map(|(id, _)| id).collect()
        }
        None => Vec::new(),
    };
    let names_sessions = |limit: &Limit| limit.window.is_per_session();
    let mut projects = BTreeMap::new();
    if rules.limits.iter().any(names_sessions) && caller.is_none_or(|caller| caller.name(Dimension::Project).is_none())
    {
        for id in &sessions {
            let query = session_query(rules, of_session(&Filter::default(), id), 1);
            let row = books.report(&query)?.rows.into_iter().find_map(|row| row.session);
            projects.extend(row.and_then(|row| row.project.clone()).map(|project| (id.clone(), project)));
        }
    }
    let mut all = Vec::new();
    for limit in &rules.limits {
        let concerned = caller.is_none_or(|caller| {
            // The main thread is not a sub-agent's run.
            let in_run = limit.window != Window::Run || caller.name(Dimension::Agent).is_some();
            in_run && caller.is_covered_by(&limit.scope)
        });
        if !concerned {
            continue;
        }
        let only = caller.map(|caller| own_names(caller, limit)).unwrap_or_default();
        let usage = LimitUsage::ask(books, limit, rules, &sessions, &only, now)?;
        if caller.is_some_and(|caller| usage.is_overridden_for(caller, rules)) {
            continue;
        }
        let project = |id: &SessionId| match caller.and_then(|caller| caller.name(Dimension::Project)) {
            Some(project) => Some(project.clone()),
            None => projects.get(id).cloned(),
        };
        let known =
            |id: &SessionId| Some(KnownSession { project: project(id), ended: false, is_one_of_several: false });
        all.extend(usage.states(rules, None, &known, now));
    }
    let lifted = overrides::in_force(books)?;
    let own = caller.and_then(|caller| caller.name(Dimension::Session)).is_some_and(|own| lifted.contains(own));
    for state in &mut all {
        state.lifted = own || state.is_of_one_of(&lifted);
    }
    super::evaluate::worst_first(&mut all);
    Ok(all)
}

/// Narrows a default to the caller's own name, and a run limit to its own run.
fn own_names(caller: &CallContext, limit: &super::Limit) -> Vec<(Dimension, Matcher)> {
    let mut dimensions: Vec<Dimension> = Vec::new();
    if limit.scope.each {
        dimensions.extend(super::subject::grouped(limit));
    }
    if limit.window == Window::Run {
        dimensions.push(Dimension::Agent);
    }
    let own = |dimension| caller.name(dimension).map(|name| (dimension, Matcher::exact(name.as_str())));
    dimensions.into_iter().filter_map(own).collect()
}
