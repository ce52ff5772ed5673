//! Sessions: times, usage and rate.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::activity::{Activity, has_ended, is_active, recency};
use super::fleet::{FleetLine, LISTED, LastCall, Threads, agent_lines};
use super::freshness::Freshness;
use super::model_sums::take_model;
use super::owner::Owner;
use super::rate::{KEPT, Minutes, Paces, Spent};
use super::session_id::SessionId;
use super::session_line::SessionLine;
use super::share::{Share, shares};
use super::statuses::Statuses;
use super::summary::ModelLine;
use crate::domain::{Instant, Label, Span, one_by_one, sort_by};
use crate::ledger::{Row, SessionRow, Sums};

/// Maximum number of sessions in a summary.
pub(crate) const SHOWN: usize = 200;

/// Known sessions, and whether these are all there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    known: BTreeMap<SessionId, Session>,
    /// True when the ledger has no other sessions.
    pub(crate) complete: bool,
    /// True when no other session has calls today.
    complete_today: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    started: Instant,
    ended: Instant,
    owner: Owner,
    models: BTreeMap<Option<Label>, Sums>,
    minutes: BTreeMap<Option<Label>, Minutes>,
    in_agents: Sums,
    threads: Threads,
    pub(crate) sums: Sums,
}

impl Sessions {
    /// Sessions from a snapshot, and those that have calls today.
    pub(crate) fn open<'a>(
        rows: Vec<SessionRow>,
        complete: bool,
        mut of_today: impl Iterator<Item = &'a SessionId>,
    ) -> Self {
        let known = rows.into_iter().map(|row| (SessionId::from_row(&row), Session::open(row)));
        let known: BTreeMap<SessionId, Session> = one_by_one(known);
        Self { complete_today: complete || of_today.all(|id| known.contains_key(id)), known, complete }
    }

    /// Number of sessions, if all are known.
    pub(crate) fn count(&self) -> Option<usize> {
        self.complete.then_some(self.known.len())
    }

    /// Number of sessions with calls today, if all of those are known.
    pub(crate) fn count_today(&self) -> Option<usize> {
        let of_today = || self.known.values().filter(|session| session.today().calls > 0).count();
        self.complete_today.then(of_today)
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<&Session> {
        self.known.get(id)
    }

    /// Adds spending over the last minutes, for trend and rate only. The snapshot's sums already include it.
    pub(crate) fn pace(&mut self, id: &SessionId, paces: &Paces) {
        if let Some(session) = self.known.get_mut(id) {
            for (model, minutes) in paces {
                session.minutes.entry(model.clone()).or_default().merge(minutes);
            }
        }
    }

    /// Sets the recent activity of a session's threads: today's sums and latest calls.
    pub(crate) fn thread(&mut self, id: &SessionId, threads: Threads) {
        if let Some(session) = self.known.get_mut(id) {
            session.threads = threads;
        }
    }

    /// Starts a new day, in which nothing has been spent yet.
    pub(crate) fn begin_day(&mut self) {
        for thread in self.known.values_mut().flat_map(|session| session.threads.values_mut()) {
            thread.today = Sums::default();
        }
        self.complete_today = true;
    }

    /// Today's sessions and those that have not ended, with their sums for today.
    fn of_today(&self, now: Instant) -> impl Iterator<Item = (&SessionId, &Session, Sums)> {
        let all = self.known.iter().map(|(id, session)| (id, session, session.today()));
        all.filter(move |(_, session, today)| today.calls > 0 || Activity::at(session.ended, now) != Activity::Ended)
    }

    /// The projects on which more than one of these works.
    pub(crate) fn shared_projects(&self, now: Instant) -> BTreeSet<Label> {
        let (mut seen, mut shared) = (BTreeSet::new(), BTreeSet::new());
        for project in self.of_today(now).filter_map(|(_, session, _)| session.owner.project.as_ref()) {
            if !seen.insert(project) {
                shared.insert(project.clone());
            }
        }
        shared
    }

    /// Today's sessions and those that have not ended: those at work, with the latest start first, then waiting ones
    /// and those that have ended, with the latest call first. All work began in the minute `began`.
    pub(crate) fn fleet(&self, statuses: &Statuses, began: i64, now: Instant) -> Vec<FleetLine> {
        let until = self.trend_until(now);
        let activity = |id, session: &Session| statuses.activity(id, session.ended, session.ends_turn(), now);
        let of_today = self.of_today(now).map(|(id, session, today)| (id, session, today, activity(id, session)));
        let mut lines: Vec<_> = of_today.collect();
        lines.sort_by_key(|(id, session, _, activity)| {
            let activity = (*activity).max(Activity::Quiet);
            (activity, Reverse(if activity == Activity::Quiet { session.started } else { session.ended }), *id)
        });
        lines.truncate(LISTED);
        let line = |(id, session, today, activity): (&SessionId, &Session, Sums, Activity)| {
            session.fleet_line(id, today, activity, statuses, until, (began, now))
        };
        lines.into_iter().map(line).collect()
    }

    /// The times at which the fleet view changes without a call.
    pub(crate) fn turns(&self, now: Instant) -> impl Iterator<Item = Instant> {
        self.known
            .values()
            .filter(move |session| Activity::at(session.ended, now) != Activity::Ended)
            .flat_map(|session| session.threads.values())
            .flat_map(super::fleet::Thread::turns)
    }

    /// The project of a session.
    pub(crate) fn project(&self, id: &SessionId) -> Option<Label> {
        self.known.get(id).and_then(|session| session.owner.project.clone())
    }

    /// Adds a call. Returns its session if that was unknown.
    pub(crate) fn add(&mut self, row: &Row, today: Span, now: Instant) -> Option<SessionId> {
        let id = SessionId::from_call(&row.call);
        let begins = (!self.known.contains_key(&id)).then(|| id.clone());
        self.known.entry(id).or_insert_with(|| Session::born(row)).add(row, today, now);
        begins
    }

    /// Subtracts a call. Stale if it was the session's first or last call.
    pub(crate) fn sub(&mut self, row: &Row, after: Option<&Row>, today: Span) -> Freshness {
        let id = SessionId::from_call(&row.call);
        let Some(session) = self.known.get_mut(&id) else { return Freshness::stale_if(!self.complete) };
        let after = after.filter(|after| SessionId::from_call(&after.call) == id);
        let freshness = session.sub(row, after, today);
        if session.sums.calls == 0 {
            self.known.remove(&id);
            return Freshness::Exact;
        }
        let at = row.call.at();
        let inside = session.started < at && at < session.ended;
        let at_edge = !inside && after.is_none_or(|after| after.call.at() != at);
        freshness.and(Freshness::stale_if(at_edge))
    }

    /// The most recently active session.
    pub(crate) fn latest(&self, now: Instant) -> Option<&SessionId> {
        self.known.iter().max_by_key(|(_, session)| recency(session.ended, now)).map(|(id, _)| id)
    }

    /// Start of the earliest session.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.known.values().map(|session| session.started).min()
    }

    /// Sessions by last activity, most recent first.
    pub(crate) fn lines(&self, now: Instant) -> Vec<SessionLine> {
        let mut all: Vec<(&SessionId, &Session)> = self.known.iter().collect();
        if all.len() > SHOWN {
            all.select_nth_unstable_by_key(SHOWN, |(_, session)| Reverse(session.ended));
            all.truncate(SHOWN);
        }
        all.sort_by_key(|(_, session)| Reverse(session.ended));
        all.into_iter().map(|(id, session)| session.line(id, now)).collect()
    }

    /// Spending per minute by model, over all recently active sessions.
    pub(crate) fn minutes(&self, now: Instant) -> BTreeMap<Option<Label>, Minutes> {
        let mut all: BTreeMap<Option<Label>, Minutes> = BTreeMap::new();
        for (model, minutes) in self.lately(now).flat_map(|session| &session.minutes) {
            all.entry(model.clone()).or_default().merge(minutes);
        }
        all
    }

    /// True while any rate is not zero, and therefore falls without calls.
    pub(crate) fn have_rate(&self, now: Instant) -> bool {
        self.lately(now).flat_map(|session| session.minutes.values()).any(|minutes| minutes.has_rate(now))
    }

    /// True while a trend or a forecast changes without calls.
    pub(crate) fn are_moving(&self, now: Instant) -> bool {
        self.lately(now).flat_map(|session| session.minutes.values()).any(|minutes| minutes.is_moving(now))
    }

    /// End of every trend: now or, once the latest call is a quarter of an hour old, the minute of that call.
    pub(crate) fn trend_until(&self, now: Instant) -> Instant {
        if self.are_moving(now) {
            return now;
        }
        let minutes = self.lately(now).flat_map(|session| session.minutes.values());
        minutes.filter_map(|minutes| minutes.latest(now)).max().map_or(now, |until| until.min(now))
    }

    fn lately(&self, now: Instant) -> impl Iterator<Item = &Session> {
        self.known.values().filter(move |session| now.signed_duration_since(session.ended).num_minutes() <= KEPT)
    }

    /// Sessions that have not ended, with the time of their last call.
    pub(crate) fn not_ended(&self, now: Instant) -> impl Iterator<Item = (&SessionId, Instant)> {
        let all = self.known.iter().map(|(id, session)| (id, session.ended));
        all.filter(move |(_, last)| !has_ended(*last, now))
    }
}

impl Session {
    fn open(row: SessionRow) -> Self {
        Self {
            started: row.started,
            ended: row.ended,
            owner: Owner::open(&row),
            models: row.models.into_iter().collect(),
            minutes: BTreeMap::new(),
            in_agents: row.in_agents,
            threads: Threads::new(),
            sums: row.sums,
        }
    }

    fn born(row: &Row) -> Self {
        let at = row.call.at();
        Self {
            started: at,
            ended: at,
            owner: Owner::default(),
            models: BTreeMap::new(),
            minutes: BTreeMap::new(),
            in_agents: Sums::default(),
            threads: Threads::new(),
            sums: Sums::default(),
        }
    }

    fn add(&mut self, row: &Row, today: Span, now: Instant) {
        let (from, sums) = (&row.call.from, Sums::from_row(row));
        self.owner.add(from, from.at < self.started);
        self.started = self.started.min(from.at);
        self.ended = self.ended.max(from.at);
        self.sums.add(&sums);
        self.models.entry(row.call.model.clone()).or_default().add(&sums);
        if from.agent.is_some() {
            self.in_agents.add(&sums);
        }
        self.threads.entry(from.agent.clone()).or_default().add(row, today, now);
        self.pace(row, now);
    }

    /// Subtracts a call. Stale if the thread's displayed data is no longer known.
    fn sub(&mut self, row: &Row, after: Option<&Row>, today: Span) -> Freshness {
        let sums = Sums::from_row(row);
        self.sums.sub(&sums);
        let of_model = take_model(&mut self.models, row.call.model.as_ref(), &sums);
        if row.call.from.agent.is_some() {
            self.in_agents.sub(&sums);
        }
        if let Some(minutes) = self.minutes.get_mut(&row.call.model) {
            minutes.sub(row.call.at(), &Spent::from_sums(&sums, None));
        }
        let of_thread = self.threads.get_mut(&row.call.from.agent);
        let of_owner = self.owner.sub(&row.call.from);
        of_model.and(of_owner).and(of_thread.map_or(Freshness::Exact, |thread| thread.sub(row, after, today)))
    }

    /// Today's sums over all its threads.
    fn today(&self) -> Sums {
        let mut today = Sums::default();
        for thread in self.threads.values() {
            today.add(&thread.today);
        }
        today
    }

    /// True when its last call ended its turn. Without that of the main thread, a sub-agent may go on working.
    fn ends_turn(&self) -> bool {
        let main = self.threads.get(&None).and_then(|thread| thread.last.as_ref());
        main.is_some_and(|last| last.ends_turn && last.at == self.ended)
    }

    fn fleet_line(
        &self,
        id: &SessionId,
        today: Sums,
        activity: Activity,
        statuses: &Statuses,
        trend_until: Instant,
        (began, now): (i64, Instant),
    ) -> FleetLine {
        let minutes = Minutes::of_all(self.minutes.values());
        // No sub-agent outlives the process of its session.
        let agent_activity = |agent: &Label, last: &LastCall| match activity {
            Activity::Ended => Activity::Ended,
            Activity::Working | Activity::Quiet | Activity::Waiting => statuses.agent_activity(id, agent, last, now),
        };
        let main = self.threads.get(&None).and_then(|thread| thread.last.clone());
        let main = main.filter(|last| Activity::at(last.at, now) != Activity::Ended);
        let dearest = self.models.iter().max_by_key(|(name, sums)| (sums.cost, sums.tokens.total(), Reverse(*name)));
        FleetLine {
            id: id.clone(),
            project: self.owner.project.clone(),
            started: self.started,
            activity,
            today,
            cost_per_hour: minutes.rate(began, now).1,
            of_rate: minutes.of_rate(now),
            last: self.ended,
            model: main.as_ref().map_or_else(|| dearest.and_then(|(name, _)| name.clone()), |last| last.model.clone()),
            main,
            trend: minutes.trend(trend_until, now),
            agents: agent_lines(&self.threads, agent_activity, began, now),
        }
    }

    fn pace(&mut self, row: &Row, now: Instant) {
        let spent = Spent::from_sums(&Sums::from_row(row), None);
        self.minutes.entry(row.call.model.clone()).or_default().add(row.call.at(), &spent, now);
    }

    pub(crate) fn line(&self, id: &SessionId, now: Instant) -> SessionLine {
        let mut models: Vec<(Option<Label>, Sums)> =
            self.models.iter().map(|(model, sums)| (model.clone(), *sums)).collect();
        dearest_first(&mut models);
        SessionLine {
            row: SessionRow {
                session: id.session.clone(),
                source: id.source.clone(),
                started: self.started,
                ended: self.ended,
                project: self.owner.project.clone(),
                user: self.owner.user(id.session.is_some()),
                projects: self.owner.projects.clone(),
                users: self.owner.users.clone(),
                models,
                in_agents: self.in_agents,
                sums: self.sums,
            },
            duration: self.ended.signed_duration_since(self.started),
            active: is_active(self.ended, now),
        }
    }

    pub(crate) fn models(&self) -> &BTreeMap<Option<Label>, Sums> {
        &self.models
    }

    pub(crate) fn minutes(&self) -> &BTreeMap<Option<Label>, Minutes> {
        &self.minutes
    }
}

/// Rows of the Models pane, most expensive first.
pub(crate) fn model_lines(
    models: &BTreeMap<Option<Label>, Sums>,
    minutes: &BTreeMap<Option<Label>, Minutes>,
    whole: &Sums,
    (trend_until, now): (Instant, Instant),
) -> Vec<ModelLine> {
    let mut models: Vec<(Option<Label>, Sums)> = models.iter().map(|(model, sums)| (model.clone(), *sums)).collect();
    dearest_first(&mut models);
    let shares = shares(models.iter().map(|(_, sums)| sums), whole);
    let line = |((model, sums), share): ((Option<Label>, Sums), Share)| ModelLine {
        trend: minutes.get(&model).map(|minutes| minutes.trend(trend_until, now)).unwrap_or_default(),
        share,
        model,
        sums,
    };
    models.into_iter().zip(shares).map(line).collect()
}

/// Sorts by cost, then tokens, then name.
fn dearest_first(models: &mut [(Option<Label>, Sums)]) {
    sort_by(models, |(one, mine), (other, theirs)| {
        (theirs.cost, theirs.tokens.total()).cmp(&(mine.cost, mine.tokens.total())).then_with(|| one.cmp(other))
    });
}
