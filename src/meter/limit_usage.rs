//! Usage counted against one limit, per subject (user, session, …).

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;

use super::blocks::AHEAD;
use super::evaluate::{state, tell_apart};
use super::forecast::{Habits, Outlook};
use super::freshness::Freshness;
use super::limit::{CallContext, KnownSession, KnownSessions, Limit, LimitState, LimitedSession, Rules, Verdict};
use super::limit_pace::LimitPace;
use super::model_sums::take_model;
use super::pages::every_call;
use super::session_id::SessionId;
use super::subject::{Subject, grouped, overridden};
use super::used::Used;
use super::window::Window;
use crate::domain::{CallKey, Dimension, Filter, Instant, Label, Matcher, Span};
use crate::ledger::{Grain, Ledger, LedgerError, Query, Row, Sums};

/// How far ahead to read the calls that will leave a rolling window.
const READ_AHEAD: Duration = Duration::hours(6);

/// Usage of one subject.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(super) models: BTreeMap<Option<Label>, Sums>,
    pub(super) largest: Used,
    /// The current block, if the limit's window is a block.
    pub(super) block: Option<Span>,
}

impl Group {
    /// Usage that counts against the limit.
    pub(crate) fn used(&self, window: Window, rules: &Rules) -> Used {
        if window == Window::Call {
            return self.largest;
        }
        let used = self.models.values().map(|sums| Used::from_sums(sums, rules.fallback.as_ref()));
        used.fold(Used::default(), Used::and)
    }
}

/// Data about one limit's blocks other than the current ones.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    /// End of each subject's last block, if that block is over.
    pub(super) over: BTreeMap<Subject, Instant>,
    /// The earliest known call that is ahead of the clock and in no current block.
    pub(super) ahead: Option<Instant>,
    /// When the first block of such a call becomes current.
    pub(super) next: Option<Instant>,
    /// Time at which the blocks were last updated.
    pub(super) as_of: Instant,
}

impl Blocks {
    pub(super) fn new(now: Instant) -> Self {
        Self { over: BTreeMap::new(), ahead: None, next: None, as_of: now }
    }

    /// Notes a call ahead of the clock that is in no current block; `current` is that of its subject.
    pub(super) fn is_ahead(&mut self, at: Instant, current: Option<Span>) {
        let begins = at.checked_sub_signed(AHEAD).unwrap_or(at);
        let begins = current.map_or(begins, |current| current.until.max(begins));
        self.ahead = Some(self.ahead.map_or(at, |ahead| ahead.min(at)));
        self.next = Some(self.next.map_or(begins, |next| next.min(begins)));
    }
}

/// Usage of one limit, kept up to date by changes.
#[derive(Clone, Debug)]
pub(crate) struct LimitUsage {
    pub(crate) limit: Limit,
    pub(crate) span: Option<Span>,
    pub(crate) groups: BTreeMap<Subject, Group>,
    /// Usage per minute, for the forecast.
    pub(super) pace: LimitPace,
    /// For session limits: the sessions whose complete usage is known.
    sessions: BTreeSet<SessionId>,
    /// Known calls that will leave a rolling window.
    leaving: BTreeMap<(Instant, CallKey), (Subject, Option<Label>, Sums)>,
    /// Call time up to which the leaving calls are known.
    known_until: Instant,
    /// For blocks: when they ended, and the calls ahead of the clock.
    pub(super) blocks: Blocks,
}

impl LimitUsage {
    pub(crate) fn new(limit: Limit, rules: &Rules, now: Instant) -> Self {
        let span = limit.window.span(now, rules.zone, rules.week_start);
        Self {
            limit,
            span,
            groups: BTreeMap::new(),
            pace: LimitPace::default(),
            sessions: BTreeSet::new(),
            leaving: BTreeMap::new(),
            known_until: now,
            blocks: Blocks::new(now),
        }
    }

    /// Queries the ledger. A session limit is evaluated for these `sessions`.
    pub(crate) fn ask(
        books: &dyn Ledger,
        limit: &Limit,
        rules: &Rules,
        sessions: &[SessionId],
        only: &[(Dimension, Matcher)],
        now: Instant,
    ) -> Result<Self, LedgerError> {
        let mut usage = Self::new(limit.clone(), rules, now);
        let scope = limit.scope.names().iter().filter(|(dimension, _)| only.iter().all(|(own, _)| own != dimension));
        let mut filter = Filter { only: scope.chain(only).cloned().collect(), since: None, until: None };
        match limit.window {
            Window::Call => {
                (filter.since, filter.until) = bounds(usage.span);
                every_call(books, &filter, &mut |row| {
                    usage.add(row, rules);
                })?;
                return Ok(usage);
            }
            Window::Session | Window::Run => {
                for id in sessions {
                    let Some(session) = &id.session else { continue };
                    let mut filter = filter.clone();
                    filter.only.push((Dimension::Source, Matcher::exact(id.source.as_str())));
                    filter.only.push((Dimension::Session, Matcher::exact(session.as_str())));
                    usage.take(books, filter, rules)?;
                    usage.sessions.insert(id.clone());
                }
                return Ok(usage);
            }
            Window::Hour | Window::Day | Window::Week | Window::Month => {
                (filter.since, filter.until) = bounds(usage.span);
            }
            Window::Rolling(_) => filter.since = usage.span.map(|span| span.from),
            Window::Block => {
                usage.ask_blocks(books, &filter, rules, now)?;
                return Ok(usage);
            }
            Window::Total => {}
        }
        usage.take(books, filter, rules)?;
        Ok(usage)
    }

    /// For a rolling window, reads the calls that leave it next.
    pub(crate) fn read_ahead(&mut self, books: &dyn Ledger, rules: &Rules) -> Result<(), LedgerError> {
        let (Window::Rolling(_), Some(span)) = (self.limit.window, self.span) else { return Ok(()) };
        self.known_until = span.from.checked_add_signed(READ_AHEAD).unwrap_or(Instant::MAX_UTC);
        let only = self.limit.scope.names().to_vec();
        let filter = Filter { only, since: Some(span.from), until: Some(self.known_until) };
        for row in books.calls(&filter, usize::MAX)? {
            let Some(subject) = Subject::from_call(&row.call, &self.limit, rules) else { continue };
            let key = (row.call.at(), row.call.key);
            self.leaving.insert(key, (subject, row.call.model.clone(), Sums::from_row(&row)));
        }
        Ok(())
    }

    /// Adds the ledger's sums for a filter.
    pub(super) fn take(&mut self, books: &dyn Ledger, filter: Filter, rules: &Rules) -> Result<(), LedgerError> {
        let grouped: Vec<Dimension> = grouped(&self.limit).collect();
        let with_session = matches!(self.limit.window, Window::Session | Window::Run);
        let with_agent = self.limit.window == Window::Run;
        let mut by = vec![Dimension::Model];
        by.extend(&grouped);
        let session_at = by.len();
        if with_session {
            by.extend([Dimension::Source, Dimension::Session]);
        }
        if with_agent {
            by.push(Dimension::Agent);
        }
        let query = Query { by, filter, ..Query::new(Grain::Total, rules.zone) };
        for row in books.report(&query)?.rows {
            let names: Option<Vec<Label>> = row.by[1..=grouped.len()].iter().cloned().collect();
            let Some(names) = names else { continue };
            let session = match row.by.get(session_at..) {
                Some([Some(source), Some(session), ..]) => {
                    Some(SessionId { source: source.clone(), session: Some(session.clone()) })
                }
                Some(_) | None => None,
            };
            let agent = row.by.get(session_at + 2).cloned().flatten();
            // A query for sessions names the session.
            if overridden(&self.limit, &names, rules) || (with_agent && agent.is_none()) {
                continue;
            }
            let group = self.groups.entry(Subject { names, session, agent }).or_default();
            group.models.entry(row.by[0].clone()).or_default().add(&row.sums);
        }
        Ok(())
    }

    /// Applies a change.
    pub(crate) fn apply(
        &mut self,
        before: Option<&Row>,
        after: Option<&Row>,
        rules: &Rules,
        now: Instant,
    ) -> Freshness {
        self.pace.apply(&self.limit, before, after, rules, now);
        if self.limit.window == Window::Block {
            return self.apply_to_block(before, after, rules, now);
        }
        let of = |row: &Row| Used::from_sums(&Sums::from_row(row), rules.fallback.as_ref());
        let grown = before.zip(after).is_some_and(|(before, after)| {
            self.counted(before, rules) == self.counted(after, rules) && of(before).is_within(&of(after))
        });
        let freshness = before.map_or(Freshness::Exact, |before| self.sub(before, grown, rules));
        if let Some(after) = after {
            self.add(after, rules);
        }
        freshness
    }

    /// Adds a call.
    fn add(&mut self, row: &Row, rules: &Rules) {
        let Some(subject) = self.counted(row, rules) else { return };
        if subject.session.as_ref().is_some_and(|id| !self.sessions.contains(id)) {
            return;
        }
        let (at, sums) = (row.call.at(), Sums::from_row(row));
        let used = Used::from_sums(&sums, rules.fallback.as_ref());
        if at < self.known_until && matches!(self.limit.window, Window::Rolling(_)) {
            self.leaving.insert((at, row.call.key), (subject.clone(), row.call.model.clone(), sums));
        }
        let group = self.groups.entry(subject).or_default();
        group.models.entry(row.call.model.clone()).or_default().add(&sums);
        group.largest = group.largest.max(used);
    }

    /// Subtracts a call. `grown` means that a larger version of it follows for the same subject.
    fn sub(&mut self, row: &Row, grown: bool, rules: &Rules) -> Freshness {
        let Some(subject) = self.counted(row, rules) else { return Freshness::Exact };
        if subject.session.as_ref().is_some_and(|id| !self.sessions.contains(id)) {
            return Freshness::Exact;
        }
        let (at, sums) = (row.call.at(), Sums::from_row(row));
        let used = Used::from_sums(&sums, rules.fallback.as_ref());
        self.leaving.remove(&(at, row.call.key));
        let Some(group) = self.groups.get(&subject) else { return Freshness::Stale };
        let was_largest = self.limit.window == Window::Call && !grown && group.largest.meets(&used);
        take_out(&mut self.groups, &subject, row.call.model.as_ref(), &sums).and(Freshness::stale_if(was_largest))
    }

    /// State of the limit for each of its subjects, with a forecast if the rates are known. Of sessions, only those
    /// that `sessions` knows.
    pub(crate) fn states(
        &self,
        rules: &Rules,
        habits: Option<&Habits>,
        sessions: &KnownSessions<'_>,
        now: Instant,
    ) -> Vec<LimitState> {
        let is_shown = |subject: &Subject| subject.session.as_ref().is_none_or(|id| sessions(id).is_some());
        let session_of = |subject: &Subject| {
            let id = subject.session.clone()?;
            let KnownSession { project, ended, is_one_of_several } = sessions(&id)?;
            let names = subject.names.iter().map(Label::as_str).collect::<Vec<_>>().join(", ");
            let agent = subject.agent.clone();
            Some(LimitedSession { id, project, agent, names, ended, is_one_of_several })
        };
        let forecast = |mut state: LimitState, subject: &Subject| {
            let minutes = self.pace.minutes(subject);
            if let (Some(habits), Some(minutes), Verdict::Under | Verdict::Near) = (habits, minutes, state.verdict) {
                state.projected = Outlook { minutes, habits, zone: rules.zone, now }.projected(&state);
            }
            state
        };
        let mut states: Vec<LimitState> = self
            .groups
            .iter()
            .filter(|(subject, _)| is_shown(subject))
            .map(|(subject, group)| {
                let used = group.used(self.limit.window, rules);
                let state = state(&self.limit, subject.name(), session_of(subject), used, group.block.or(self.span));
                forecast(state, subject)
            })
            .collect();
        if states.is_empty() {
            states.push(forecast(self.unused(), &Subject::default()));
        }
        tell_apart(&mut states);
        states
    }

    /// State of the limit while nothing counts against it.
    pub(crate) fn unused(&self) -> LimitState {
        state(&self.limit, None, None, Used::default(), self.span)
    }

    /// True when a limit for the caller's own names replaces this default.
    pub(crate) fn is_overridden_for(&self, caller: &CallContext, rules: &Rules) -> bool {
        let names: Option<Vec<Label>> = grouped(&self.limit).map(|dimension| caller.name(dimension).cloned()).collect();
        names.is_some_and(|names| overridden(&self.limit, &names, rules))
    }

    /// The subject of a call inside the window.
    fn counted(&self, row: &Row, rules: &Rules) -> Option<Subject> {
        let at = row.call.at();
        let inside = match self.limit.window {
            Window::Session | Window::Run | Window::Total | Window::Block => true,
            Window::Rolling(_) => self.span.is_some_and(|span| at >= span.from),
            Window::Call | Window::Hour | Window::Day | Window::Week | Window::Month => {
                self.span.is_some_and(|span| span.contains(at))
            }
        };
        if inside { Subject::from_call(&row.call, &self.limit, rules) } else { None }
    }

    /// True when the usage of all these sessions is known, or the limit is not a session limit.
    pub(crate) fn knows(&self, sessions: &BTreeSet<SessionId>) -> bool {
        let mut named = sessions.iter().filter(|id| id.session.is_some());
        !self.limit.window.is_per_session() || named.all(|id| self.sessions.contains(id))
    }

    /// Marks a session as started, so that its usage is known from now on.
    pub(crate) fn begin(&mut self, id: &SessionId) {
        if self.limit.window.is_per_session() && id.session.is_some() {
            self.sessions.insert(id.clone());
        }
    }

    /// Moves the window to `now`.
    pub(crate) fn advance(&mut self, rules: &Rules, now: Instant) -> Freshness {
        if self.limit.window == Window::Block {
            return self.advance_blocks(now);
        }
        let rolling = matches!(self.limit.window, Window::Rolling(_));
        if !rolling && self.span.is_none_or(|span| span.contains(now)) {
            return Freshness::Exact;
        }
        let span = self.limit.window.span(now, rules.zone, rules.week_start);
        let (before, Some(after)) = (std::mem::replace(&mut self.span, span), span) else { return Freshness::Exact };
        if !rolling {
            self.groups.clear();
            self.pace.forget(now);
            return Freshness::Stale;
        }
        if before.is_some_and(|before| after.from < before.from) {
            return Freshness::Stale;
        }
        let mut freshness = Freshness::Exact;
        while let Some(first) = self.leaving.first_entry() {
            if first.key().0 >= after.from {
                break;
            }
            let (subject, model, sums) = first.remove();
            freshness = freshness.and(take_out(&mut self.groups, &subject, model.as_ref(), &sums));
        }
        if self.groups.is_empty() {
            self.known_until = self.known_until.max(now);
        }
        freshness.and(Freshness::stale_if(after.from > self.known_until))
    }

    /// When the window next changes the usage without a call.
    pub(crate) fn changes_at(&self) -> Option<Instant> {
        match self.limit.window {
            Window::Rolling(length) => {
                let first = self.leaving.first_key_value().map(|((at, _), _)| *at);
                let first = first.or_else(|| (!self.groups.is_empty()).then_some(self.known_until))?;
                first.checked_add_signed(length)?.checked_add_signed(Duration::milliseconds(1))
            }
            Window::Call | Window::Hour | Window::Day | Window::Week | Window::Month => {
                self.span.filter(|_| !self.groups.is_empty()).map(|span| span.until)
            }
            Window::Block => self.block_changes_at(),
            Window::Session | Window::Run | Window::Total => None,
        }
    }
}

/// Subtracts sums from a subject's group. Stale if the group did not contain them.
pub(super) fn take_out(
    groups: &mut BTreeMap<Subject, Group>,
    subject: &Subject,
    model: Option<&Label>,
    sums: &Sums,
) -> Freshness {
    let Some(group) = groups.get_mut(subject) else { return Freshness::Stale };
    let freshness = take_model(&mut group.models, model, sums);
    if group.models.is_empty() {
        groups.remove(subject);
    }
    freshness
}

fn bounds(span: Option<Span>) -> (Option<Instant>, Option<Instant>) {
    (span.map(|span| span.from), span.map(|span| span.until))
}
