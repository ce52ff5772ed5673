//! The running meter: follows changes to the ledger and produces the summary that every interface shows.

mod answer;
mod begun;
mod ends;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::Duration;

use super::activity::{ACTIVE, WAITING};
use super::curve::Quarters;
use super::forecast::Habits;
use super::limit::Rules;
use super::limit_usage::LimitUsage;
use super::model_sums::take_model;
use super::rate::{next_minute, next_rate};
use super::session::Sessions;
use super::session_id::SessionId;
use super::snapshot::{CALLS, Snapshot};
use super::statuses::Statuses;
use super::summary::Follow;
use crate::domain::{CallKey, Instant, Label, Span, Status};
use crate::ledger::{Change, Ledger, LedgerError, Row, Sums};

/// How long the counter's arrow is shown after the counter has grown.
const GROWING: Duration = Duration::seconds(3);
/// How far `now` may be behind a snapshot before the clock counts as set back.
const CLOCKS_DIFFER: Duration = Duration::seconds(2);
/// Number of calls remembered for the list, over all sessions.
const REMEMBERED: usize = 10 * CALLS;

/// Keeps the numbers of the followed sessions up to date from changes alone.
///
/// Every number equals the ledger's. When changes alone are not enough (a new day, a session that becomes active and
/// may have earlier calls, a clock that was set back), [`Meter::needs_refresh`] is true, and [`Meter::refresh`] queries
/// the ledger again.
#[derive(Clone, Debug)]
pub struct Meter {
    rules: Rules,
    follow: Follow,
    /// The session whose calls are in the list.
    listed: Option<SessionId>,
    all: Sums,
    models: BTreeMap<Option<Label>, Sums>,
    today: (Span, Sums),
    today_models: BTreeMap<Option<Label>, Sums>,
    quarters: Quarters,
    week: (Span, Sums),
    month: (Span, Sums),
    sessions: Sessions,
    calls: BTreeMap<(Instant, CallKey), Arc<Row>>,
    usages: Vec<LimitUsage>,
    habits: Habits,
    /// Status reports from agents and providers.
    statuses: Statuses,
    /// Sessions whose limits are overridden.
    lifted: BTreeSet<Label>,
    /// The latest time to which the numbers were advanced.
    as_of: Instant,
    grew_at: Option<Instant>,
    stale: bool,
    /// Files that may contain more calls and could not be read.
    unread_files: u64,
    /// Sessions that started since the snapshot, if the snapshot did not have all. True once it is certain that the
    /// ledger has no earlier calls of them.
    begun: BTreeMap<SessionId, bool>,
}

impl Meter {
    /// A meter on an empty ledger.
    pub fn new(rules: Rules, now: Instant) -> Self {
        let snapshot = Snapshot::empty(&rules, now);
        Self::open(rules, snapshot)
    }

    /// A meter that starts from a snapshot taken with the same rules.
    pub fn open(rules: Rules, snapshot: Snapshot) -> Self {
        let now = snapshot.at;
        let mut meter = Self {
            today: (Span::day(now, rules.zone), snapshot.today),
            today_models: snapshot.today_models,
            quarters: snapshot.quarters,
            week: (Span::week(now, rules.zone, rules.week_start), snapshot.week),
            month: (Span::month(now, rules.zone), snapshot.month),
            rules,
            listed: None,
            all: snapshot.all,
            models: snapshot.models,
            sessions: Sessions::open(snapshot.sessions, snapshot.every_session, snapshot.threads.keys()),
            calls: BTreeMap::new(),
            usages: snapshot.usages,
            habits: snapshot.habits,
            statuses: Statuses::new(snapshot.statuses),
            lifted: snapshot.lifted,
            as_of: now,
            grew_at: None,
            stale: false,
            unread_files: 0,
            begun: BTreeMap::new(),
            follow: snapshot.follow,
        };
        for (id, paces) in &snapshot.paces {
            meter.sessions.pace(id, paces);
        }
        for (id, threads) in snapshot.threads {
            meter.sessions.thread(&id, threads);
        }
        meter.calls.extend(snapshot.latest.into_iter().map(|row| ((row.call.at(), row.call.key), row)));
        meter.listed = meter.followed(now);
        meter
    }

    /// Sets the number of files that may contain more calls and could not be read. Unless it is 0, sums and limits are
    /// lower bounds. Returns true if it has changed.
    pub fn set_unread_files(&mut self, files: u64) -> bool {
        std::mem::replace(&mut self.unread_files, files) != files
    }

    /// Replaces the numbers with a new snapshot. The followed session stays the same. The arrow stays too, or appears
    /// if another process has booked calls.
    pub fn replace_snapshot(&mut self, snapshot: Snapshot) {
        let (grew_at, follow) = (self.grew_at, self.follow.clone());
        let (same, at, unread_files) = (snapshot.follow == follow, snapshot.at, self.unread_files);
        let newest = |meter: &Self| meter.calls.last_key_value().map(|(key, _)| *key);
        let (before, newest_before) = (self.counter(at), newest(self));
        *self = Self::open(self.rules.clone(), snapshot);
        (self.follow, self.stale, self.unread_files) = (follow, !same, unread_files);
        // Show no arrow next to a number that fell.
        let after = self.counter(at);
        let kept = grew_at.filter(|_| before.0 == after.0 && before.1 <= after.1);
        // Other rules or another session may also show a larger number, but only a new call counts as growth.
        let has_grown = before.0 == after.0 && before.1 < after.1 && newest(self) > newest_before;
        self.grew_at = if has_grown { Some(at) } else { kept };
    }

    /// True when another query is needed to make the numbers exact. Advances the meter to `now`.
    pub fn needs_refresh(&mut self, now: Instant) -> bool {
        self.settle(now);
        self.stale || self.begun.values().any(|is_certain| !is_certain)
    }

    /// Queries the ledger again if needed; true if it did.
    ///
    /// # Errors
    /// When the ledger cannot be read. The meter then continues from changes alone.
    pub fn refresh(&mut self, books: &dyn Ledger, now: Instant) -> Result<bool, LedgerError> {
        self.confirm(books)?;
        if !self.needs_refresh(now) {
            return Ok(false);
        }
        self.replace_snapshot(Snapshot::ask(books, &self.rules, &self.follow, now)?);
        Ok(true)
    }

    /// Marks the meter as stale because the ledger changed in some other way: another process wrote to it, or rows were
    /// merged or pruned.
    pub fn mark_stale(&mut self) {
        self.stale = true;
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Replaces the rules and marks the meter as stale.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
        self.stale = true;
    }

    /// Replaces the status reports of agents and providers.
    pub fn state(&mut self, statuses: Vec<Status>) {
        self.statuses = Statuses::new(statuses);
    }

    /// Follows one session, the latest session, or all of them.
    pub fn follow(&mut self, follow: Follow) {
        if self.follow != follow {
            self.follow = follow;
            self.grew_at = None;
            self.stale = true;
        }
    }

    /// Applies one change. Every change of a batch must be passed, in order.
    pub fn apply(&mut self, posted: &Change, now: Instant) {
        self.advance(now);
        let (before, after) = posted.rows();
        let counter = self.counter(now);
        if let Some(before) = before.filter(|before| self.rules.view.admits(&before.call)) {
            self.take(before, after.map(Arc::as_ref));
        }
        if let Some(after) = after.filter(|after| self.rules.view.admits(&after.call)) {
            self.put(after, now);
        }
        let (subject, total) = self.counter(now);
        let same = counter.0.is_none() || subject == counter.0;
        if !same || total < counter.1 {
            self.grew_at = None;
        } else if total > counter.1 {
            self.grew_at = Some(now);
        }
        let (before, after) = (before.map(Arc::as_ref), after.map(Arc::as_ref));
        for usage in &mut self.usages {
            self.stale |= usage.apply(before, after, &self.rules, now).is_stale();
        }
    }

    fn take(&mut self, row: &Row, after: Option<&Row>) {
        let (at, sums) = (row.call.at(), Sums::from_row(row));
        self.all.sub(&sums);
        self.stale |= take_model(&mut self.models, row.call.model.as_ref(), &sums).is_stale();
        if self.today.0.contains(at) {
            self.stale |= take_model(&mut self.today_models, row.call.model.as_ref(), &sums).is_stale();
            self.quarters.sub(at, &sums);
        }
        for (span, within) in [&mut self.today, &mut self.week, &mut self.month] {
            if span.contains(at) {
                within.sub(&sums);
            }
        }
        self.stale |= self.sessions.sub(row, after, self.today.0).is_stale();
        self.calls.remove(&(at, row.call.key));
    }

    fn put(&mut self, row: &Arc<Row>, now: Instant) {
        let (at, sums) = (row.call.at(), Sums::from_row(row));
        self.all.add(&sums);
        self.models.entry(row.call.model.clone()).or_default().add(&sums);
        if self.today.0.contains(at) {
            self.today_models.entry(row.call.model.clone()).or_default().add(&sums);
            self.quarters.add(at, &sums);
        }
        for (span, within) in [&mut self.today, &mut self.week, &mut self.month] {
            if span.contains(at) {
                within.add(&sums);
            }
        }
        if let Some(id) = self.sessions.add(row, self.today.0, now) {
            self.begin(id);
        }
        self.calls.insert((at, row.call.key), Arc::clone(row));
        if self.calls.len() > REMEMBERED {
            self.calls.pop_first();
        }
    }

    /// Advances every window to `now`.
    fn advance(&mut self, now: Instant) {
        let zone = self.rules.zone;
        // The clock was set back, so recent calls may be in the future.
        self.stale |= now.checked_add_signed(CLOCKS_DIFFER).is_some_and(|now| now < self.as_of);
        self.as_of = now;
        if !self.today.0.contains(now) {
            self.today = (Span::day(now, zone), Sums::default());
            self.today_models.clear();
            self.quarters.clear();
            self.sessions.begin_day();
            self.grew_at = self.grew_at.filter(|_| self.follow != Follow::Today);
            self.stale = true;
        }
        if !self.week.0.contains(now) {
            self.week = (Span::week(now, zone, self.rules.week_start), Sums::default());
            self.stale = true;
        }
        if !self.month.0.contains(now) {
            self.month = (Span::month(now, zone), Sums::default());
            self.stale = true;
        }
        for usage in &mut self.usages {
            self.stale |= usage.advance(&self.rules, now).is_stale();
        }
    }

    /// Advances everything to `now`, and checks that all displayed numbers are known.
    fn settle(&mut self, now: Instant) {
        self.advance(now);
        let followed = self.followed(now);
        if followed != self.listed {
            let has_begun = followed.as_ref().is_some_and(|id| self.begun.contains_key(id));
            self.listed = followed;
            self.stale |= !(self.sessions.complete || has_begun) || self.calls.len() >= REMEMBERED;
        }
        let shown = self.sessions_shown(now);
        self.stale |= !self.usages.iter().all(|usage| usage.knows(&shown));
    }

    /// Sessions whose session limits may be shown: those that have not ended, and the followed one.
    fn sessions_shown(&self, now: Instant) -> BTreeSet<SessionId> {
        let open = self.sessions.not_ended(now).map(|(id, _)| id.clone());
        open.chain(self.followed(now)).collect()
    }

    /// The followed session.
    fn followed(&self, now: Instant) -> Option<SessionId> {
        match &self.follow {
            Follow::Latest => self.sessions.latest(now).cloned(),
            Follow::Session(id) => Some(id.clone()),
            Follow::Today | Follow::Everything => None,
        }
    }

    /// The session whose tokens the counter shows, and their number.
    fn counter(&self, now: Instant) -> (Option<SessionId>, u64) {
        let id = self.followed(now);
        let sums = match (&self.follow, id.as_ref().and_then(|id| self.sessions.get(id))) {
            (Follow::Today, _) => self.today.1,
            (Follow::Everything, _) => self.all,
            (Follow::Latest | Follow::Session(_), session) => session.map(|session| session.sums).unwrap_or_default(),
        };
        (id, sums.tokens.total())
    }

    fn growing(&self, now: Instant) -> bool {
        self.grew_at.is_some_and(|grew_at| {
            let since = now.signed_duration_since(grew_at);
            Duration::zero() <= since && since < GROWING
        })
    }

    /// When the summary next changes without a call; `None` if never.
    pub fn changes_at(&self, now: Instant) -> Option<Instant> {
        let moving = self.sessions.are_moving(now) || self.usages.iter().any(|usage| usage.pace.is_moving(now));
        let minute = if moving { next_minute(now) } else { None };
        let rate = if self.sessions.have_rate(now) { next_rate(now) } else { None };
        let arrow = self.grew_at.filter(|_| self.growing(now)).and_then(|at| at.checked_add_signed(GROWING));
        let periods = [self.today, self.week, self.month].into_iter();
        let ends = periods.filter(|(_, sums)| sums.calls > 0).map(|(span, _)| span.until);
        // Where a session stops being active, and where it ends.
        let turns = |last: Instant| [ACTIVE, WAITING].map(|pause| last.checked_add_signed(pause)).into_iter().flatten();
        let idle = self.sessions.not_ended(now).flat_map(|(_, last)| turns(last)).chain(self.sessions.turns(now));
        let usages = self.usages.iter().filter_map(LimitUsage::changes_at);
        let reported = self.statuses.resets().chain(self.statuses.turns());
        let all = reported.chain(minute).chain(rate).chain(arrow).chain(ends).chain(idle).chain(usages);
        all.filter(|at| *at > now).min()
    }
}
