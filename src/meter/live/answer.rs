//! The meter's numbers at one time: summary, limits and forecasts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Meter;
use crate::domain::{Instant, one_by_one};
use crate::ledger::{Row, Sums};
use crate::meter::activity::is_active;
use crate::meter::evaluate::worst_first;
use crate::meter::forecast::Outlook;
use crate::meter::limit::{KnownSession, LimitState, Verdict};
use crate::meter::limit_usage::LimitUsage;
use crate::meter::rate::Minutes;
use crate::meter::session::model_lines;
use crate::meter::session_id::SessionId;
use crate::meter::session_line::SessionLine;
use crate::meter::snapshot::CALLS;
use crate::meter::summary::{CallLine, Follow, Summary};

impl Meter {
    /// The numbers that every interface shows.
    pub fn summary(&mut self, now: Instant) -> Summary {
        self.settle(now);
        let id = self.followed(now);
        let session = id.as_ref().and_then(|id| self.sessions.get(id));
        let nothing = BTreeMap::new();
        let everything = self.sessions.minutes(now);
        let (models, minutes, followed) = match (&self.follow, session) {
            (Follow::Today, _) => (&self.today_models, &everything, self.today.1),
            (Follow::Everything, _) => (&self.models, &everything, self.all),
            (_, Some(session)) => (session.models(), session.minutes(), session.sums),
            (_, None) => (&nothing, &BTreeMap::new(), Sums::default()),
        };
        let of_followed = |row: &&Arc<Row>| id.as_ref().is_none_or(|id| SessionId::from_call(&row.call) == *id);
        let trend_until = self.sessions.trend_until(now);
        let pace = Minutes::of_all(everything.values());
        let began = pace.began(now);
        let lately = Minutes::of_all(minutes.values());
        let (tokens_per_min, cost_per_hour) = lately.rate(began, now);
        let outlook = Outlook { minutes: &pace, habits: &self.habits, zone: self.rules.zone, now };
        let (by_day_end, by_month_end) = self.ends(&outlook);
        let curve = self.quarters.curve(self.today.0, outlook.ahead(self.today.0.until), now);
        let mut fleet = self.sessions.fleet(&self.statuses, began, now);
        self.statuses.complete(&mut fleet);
        let marked = |sums: Sums| sums.marked(self.unread_files);
        for line in &mut fleet {
            (line.today, line.of_rate) = (marked(line.today), marked(line.of_rate));
            for agent in &mut line.agents {
                (agent.today, agent.of_rate) = (marked(agent.today), marked(agent.of_rate));
            }
        }
        let marked_line = |mut line: SessionLine| {
            line.row.sums = marked(line.row.sums);
            line
        };
        let mut models = model_lines(models, minutes, &followed, (trend_until, now));
        for line in &mut models {
            line.sums = marked(line.sums);
        }
        Summary {
            now,
            follow: self.follow.clone(),
            view: self.rules.view.clone(),
            session: id.as_ref().zip(session).map(|(id, session)| marked_line(session.line(id, now))),
            sessions: self.sessions.lines(now).into_iter().map(marked_line).collect(),
            fleet,
            session_count: self.session_count(),
            all: marked(self.all),
            day: self.today.0,
            today: marked(self.today.1),
            week: marked(self.week.1),
            month: marked(self.month.1),
            followed: marked(followed),
            models,
            calls: self
                .calls
                .values()
                .rev()
                .filter(of_followed)
                .take(CALLS)
                .map(|row| CallLine { row: Arc::clone(row) })
                .collect(),
            limits: self.limit_states(&outlook),
            quotas: self.statuses.quotas(now),
            tokens_per_min,
            cost_per_hour,
            of_rate: marked(lately.of_rate(now)),
            growing: self.growing(now),
            by_day_end,
            by_month_end,
            curve,
            trend_until,
            changes_at: self.changes_at(now),
        }
    }

    /// Number of followed sessions, if known.
    fn session_count(&self) -> Option<u64> {
        let count = match &self.follow {
            Follow::Today => self.sessions.count_today(),
            Follow::Everything => self.sessions.count(),
            Follow::Latest | Follow::Session(_) => Some(1),
        };
        count.and_then(|count| u64::try_from(count).ok())
    }

    /// Every limit, worst first.
    pub fn limits(&self, now: Instant) -> Vec<LimitState> {
        let minutes = Minutes::of_all(self.sessions.minutes(now).values());
        self.limit_states(&Outlook { minutes: &minutes, habits: &self.habits, zone: self.rules.zone, now })
    }

    fn limit_states(&self, outlook: &Outlook<'_>) -> Vec<LimitState> {
        let now = outlook.now;
        let open = self.sessions.not_ended(now).filter(|(id, last)| !self.statuses.is_closed(id, *last));
        let open: BTreeMap<&SessionId, Instant> = one_by_one(open);
        let followed = self.followed(now);
        let shared = self.sessions.shared_projects(now);
        let sessions = |id: &SessionId| {
            let is_open = open.contains_key(id);
            let project = self.sessions.project(id);
            let is_one_of_several = project.as_ref().is_some_and(|project| shared.contains(project));
            let known = || KnownSession { project: project.clone(), ended: !is_open, is_one_of_several };
            (is_open || followed.as_ref() == Some(id)).then(known)
        };
        // A limit that a waiting session is near or has reached is shown until the session has ended; others only while
        // it is active.
        let is_shown = |state: &LimitState| {
            let Some(session) = &state.session else { return true };
            matches!(state.verdict, Verdict::Near | Verdict::Over)
                || followed.as_ref() == Some(&session.id)
                || open.get(&session.id).is_some_and(|last| is_active(*last, now))
        };
        let states = |usage: &LimitUsage| {
            let mut states = usage.states(&self.rules, Some(&self.habits), &sessions, now);
            states.retain(is_shown);
            // A limit that is set is always listed.
            if states.is_empty() { vec![usage.unused()] } else { states }
        };
        let mut all: Vec<LimitState> = self.usages.iter().flat_map(states).collect();
        for state in &mut all {
            self.add_forecast(state, outlook);
            state.lifted = state.is_of_one_of(&self.lifted);
            state.unread = self.unread_files > 0;
        }
        worst_first(&mut all);
        all
    }
}
