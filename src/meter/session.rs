//! Sessions: times, usage, and rate.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::Duration;

use super::evaluate::{Used, share};
use super::rate::{KEPT, Minutes, Spent};
use super::snapshot::Paces;
use super::summary::{ModelLine, SessionId, SessionLine};
use crate::domain::{Instant, Label};
use crate::ledger::{Row, SessionRow, Sums};

/// How long a session counts as active after its last call.
const ACTIVE: Duration = Duration::minutes(5);
/// Sessions in a summary.
pub(crate) const SHOWN: usize = 200;

/// True when a session with this last call is active; tolerates a slightly wrong clock.
pub(crate) fn is_active(last: Instant, now: Instant) -> bool {
    now.signed_duration_since(last).abs() < ACTIVE
}

/// Sort key by last activity. A session whose clock is ahead does not stay the latest for ever.
pub(crate) fn recency(last: Instant, now: Instant) -> (bool, Instant) {
    (last.signed_duration_since(now) <= ACTIVE, last)
}

/// Known sessions, and whether these are all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    known: BTreeMap<SessionId, Session>,
    /// True when the ledger has no other sessions.
    pub(crate) complete: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    started: Instant,
    ended: Instant,
    project: Option<Label>,
    user: Option<Label>,
    models: BTreeMap<Option<Label>, Sums>,
    minutes: BTreeMap<Option<Label>, Minutes>,
    in_agents: Sums,
    pub(crate) sums: Sums,
}

impl Sessions {
    /// Sessions from a snapshot.
    pub(crate) fn open(rows: Vec<SessionRow>, complete: bool) -> Self {
        let known = rows.into_iter().map(|row| {
            let id = SessionId { source: row.source.clone(), session: row.session.clone() };
            (id, Session::open(row))
        });
        Self { known: known.collect(), complete }
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<&Session> {
        self.known.get(id)
    }

    /// Counts spending of the last minutes for trend and rate only: the snapshot's sums include it.
    pub(crate) fn pace(&mut self, id: &SessionId, paces: &Paces) {
        if let Some(session) = self.known.get_mut(id) {
            for (model, minutes) in paces {
                session.minutes.entry(model.clone()).or_default().merge(minutes);
            }
        }
    }

    /// Adds a call. False when the ledger must be queried again, because the session may have earlier calls.
    pub(crate) fn add(&mut self, row: &Row, now: Instant) -> bool {
        let id = SessionId::from_call(&row.call);
        let known = self.known.contains_key(&id);
        self.known.entry(id).or_insert_with(|| Session::born(row)).add(row, now);
        known || self.complete
    }

    /// Subtracts a call. False when the ledger must be queried again, because it was the session's first or last.
    pub(crate) fn sub(&mut self, row: &Row, after: Option<&Row>) -> bool {
        let id = SessionId::from_call(&row.call);
        let Some(session) = self.known.get_mut(&id) else { return self.complete };
        session.sub(row);
        if session.sums.calls == 0 {
            self.known.remove(&id);
            return true;
        }
        let at = row.call.at();
        let inside = session.started < at && at < session.ended;
        inside || after.is_some_and(|after| after.call.at() == at && SessionId::from_call(&after.call) == id)
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

    /// True while a trend or a rate changes with time alone.
    pub(crate) fn are_moving(&self, now: Instant) -> bool {
        self.lately(now).flat_map(|session| session.minutes.values()).any(|minutes| minutes.is_moving(now))
    }

    fn lately(&self, now: Instant) -> impl Iterator<Item = &Session> {
        self.known.values().filter(move |session| now.signed_duration_since(session.ended).num_minutes() <= KEPT)
    }

    /// Active sessions, each with the time it stops being active.
    pub(crate) fn active(&self, now: Instant) -> impl Iterator<Item = (&SessionId, Instant)> {
        self.known
            .iter()
            .filter(move |(_, session)| is_active(session.ended, now))
            .filter_map(|(id, session)| Some((id, session.ended.checked_add_signed(ACTIVE)?)))
    }
}

impl Session {
    fn open(row: SessionRow) -> Self {
        Self {
            started: row.started,
            ended: row.ended,
            project: row.project,
            user: row.user,
            models: row.models.into_iter().collect(),
            minutes: BTreeMap::new(),
            in_agents: row.in_agents,
            sums: row.sums,
        }
    }

    fn born(row: &Row) -> Self {
        let at = row.call.at();
        Self {
            started: at,
            ended: at,
            project: None,
            user: None,
            models: BTreeMap::new(),
            minutes: BTreeMap::new(),
            in_agents: Sums::default(),
            sums: Sums::default(),
        }
    }

    fn add(&mut self, row: &Row, now: Instant) {
        let (from, sums) = (&row.call.from, Sums::from_row(row));
        let first = from.at < self.started;
        for (known, told) in [(&mut self.project, &from.project), (&mut self.user, &from.user)] {
            if told.is_some() && (known.is_none() || first) {
                known.clone_from(told);
            }
        }
        self.started = self.started.min(from.at);
        self.ended = self.ended.max(from.at);
        self.sums.add(&sums);
        self.models.entry(row.call.model.clone()).or_default().add(&sums);
        if from.agent.is_some() {
            self.in_agents.add(&sums);
        }
        self.pace(row, now);
    }

    fn sub(&mut self, row: &Row) {
        let sums = Sums::from_row(row);
        self.sums.sub(&sums);
        if let Some(model) = self.models.get_mut(&row.call.model) {
            model.sub(&sums);
            if model.calls == 0 {
                self.models.remove(&row.call.model);
            }
        }
        if row.call.from.agent.is_some() {
            self.in_agents.sub(&sums);
        }
        if let Some(minutes) = self.minutes.get_mut(&row.call.model) {
            minutes.sub(row.call.at(), &Spent::from(Used::from_sums(&sums, None)));
        }
    }

    fn pace(&mut self, row: &Row, now: Instant) {
        let spent = Spent::from(Used::from_sums(&Sums::from_row(row), None));
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
                project: self.project.clone(),
                user: self.user.clone(),
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
    now: Instant,
) -> Vec<ModelLine> {
    let mut models: Vec<(Option<Label>, Sums)> = models.iter().map(|(model, sums)| (model.clone(), *sums)).collect();
    dearest_first(&mut models);
    let line = |(model, sums): (Option<Label>, Sums)| ModelLine {
        trend: minutes.get(&model).map(|minutes| minutes.trend(now)).unwrap_or_default(),
        share: share(&sums, whole),
        model,
        sums,
    };
    models.into_iter().map(line).collect()
}

/// Sorts by cost, then tokens, then name.
fn dearest_first(models: &mut [(Option<Label>, Sums)]) {
    models.sort_by(|(one, mine), (other, theirs)| {
        (theirs.cost, theirs.tokens.total()).cmp(&(mine.cost, mine.tokens.total())).then_with(|| one.cmp(other))
    });
}
